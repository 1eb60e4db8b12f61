"""The planner hears the requests for a new plan, on its own kind of process."""

from __future__ import annotations

from collections.abc import Sequence

from lianzao.foundation.actor import Actor
from lianzao.foundation.outbox import on
from lianzao.planning.commands import replan
from lianzao.planning.events import ReplanRequested


@on(ReplanRequested, key="site_id", within_ms=150, queue="plan")
def replan_site(by: Actor, news: Sequence[ReplanRequested]) -> None:
    """Answer all requests of a moment with one run."""
    whys = list(dict.fromkeys(each.why for each in news))
    replan(by, news[0].site_id, "; ".join(whys))
