"""What the clock does in alerts: a look every few seconds whether anybody must be told, or told on."""

from __future__ import annotations

from datetime import datetime

from lianzao.alerts import commands, queries
from lianzao.foundation.actor import system_actor
from lianzao.foundation.jobs import job


@job("alerts.escalate", every_s=5)
def escalate(now: datetime) -> dict[str, int]:
    """Climb the ladders whose time has come at the plant's instant `now`; nothing is written when nothing is due."""
    if not queries.clock_asks(now):
        return {"told": 0, "expired": 0, "escalated": 0}
    return commands.escalate_due(system_actor("alerts.escalate"))
