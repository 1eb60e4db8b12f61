"""The station saw it: the last instant of a need's trail, noted when the terminal first shows a job."""

from __future__ import annotations

from typing import Any

from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.planning import commands as planning
from lianzao.production.models import WorkOrder


@command(hidden=True)
def note_seen(by: Actor, *, work_orders: list[WorkOrder]) -> dict[str, Any]:
    """Note that a station has shown these work orders to its operator."""
    for each in work_orders:
        planning.note_need(by, subject_id=each.id, instant="seen_at")
    return {"seen": len(work_orders)}
