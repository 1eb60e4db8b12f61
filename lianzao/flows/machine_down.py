"""A machine stands still or runs again: plan again what stands on its work center; the new times go to the stations."""

from __future__ import annotations

from collections.abc import Sequence

from lianzao.equipment.events import MachineStarted, MachineStopped, StopForecastChanged
from lianzao.flows.late_supply import replan
from lianzao.foundation.actor import Actor
from lianzao.foundation.outbox import on
from lianzao.planning import commands as planning
from lianzao.production.events import OperationStarted, WorkOrderReleased, WorkOrderRescheduled


@on(MachineStopped, MachineStarted, StopForecastChanged, key="site_id")
def replan_after_stop(by: Actor, news: Sequence[MachineStopped | MachineStarted | StopForecastChanged]) -> None:
    """Capacity is gone, or back."""
    replan(by, news)


@on(WorkOrderReleased, WorkOrderRescheduled)
def note_published(by: Actor, news: Sequence[WorkOrderReleased | WorkOrderRescheduled]) -> None:
    """A dated plan reached the floor."""
    for each in news:
        planning.note_need(by, subject_id=each.work_order_id, instant="published_at")


@on(OperationStarted)
def note_begun(by: Actor, news: Sequence[OperationStarted]) -> None:
    """The station saw it, at the latest when it began to work."""
    for each in news:
        planning.note_need(by, subject_id=each.work_order_id, instant="seen_at")
