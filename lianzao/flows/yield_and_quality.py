"""What was made is less, or not good: inspect, hold, plan again if it is short; the count of stock is one of its cases.

OperationReported(inspect) → quality.open_inspection
ScrapReported, LotHeld, InspectionHeld, StockCounted → request_replan
"""

from __future__ import annotations

from collections.abc import Sequence

from lianzao.flows.late_supply import replan
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import by_id
from lianzao.foundation.outbox import Event, on
from lianzao.inventory.events import IssueUncovered, LotHeld, StockCounted
from lianzao.production.events import (
    OperationReported,
    ReportReversed,
    ScrapReported,
    WorkOrderCancelled,
    WorkOrderClosed,
    WorkOrderCompleted,
    WorkOrderCreated,
    WorkOrderResized,
)
from lianzao.quality import commands as quality
from lianzao.quality.events import InspectionAccepted, InspectionHeld, InspectionRejected
from lianzao.values.reference import Ref


@on(OperationReported, when=lambda report: report.inspect and report.good > 0)
def inspect_what_was_made(by: Actor, news: Sequence[OperationReported]) -> None:
    """An inspection task for what an operation to be inspected gave."""
    for each in news:
        source = Ref("production.work_order", each.work_order_id)
        lot = each.lot_ids[0] if each.lot_ids else None
        quality.open_inspection(
            by,
            item=by_id(each.item_id),
            quantity=each.good,
            point=quality.Point.OPERATION,
            site=by_id(each.site_id),
            lot=by_id(lot),
            source=source,
            hold=lot is not None,
            due_at=each.happened_at,
        )


@on(
    ScrapReported,
    ReportReversed,
    WorkOrderCompleted,
    WorkOrderClosed,
    WorkOrderCancelled,
    WorkOrderCreated,
    WorkOrderResized,
    key="site_id",
)
def replan_after_yield(by: Actor, news: Sequence[Event]) -> None:
    """Production gives another quantity than the plan counts on."""
    replan(by, news)


@on(LotHeld, InspectionHeld, InspectionRejected, InspectionAccepted, key="site_id")
def replan_after_hold(
    by: Actor, news: Sequence[LotHeld | InspectionHeld | InspectionRejected | InspectionAccepted]
) -> None:
    """A lot may not be used, or waits no more: what counted on it may need another supply."""
    replan(by, [each for each in news if each.site_id is not None])


@on(StockCounted, IssueUncovered, key="site_id")
def replan_after_count(by: Actor, news: Sequence[StockCounted | IssueUncovered]) -> None:
    """There is more or less on the shelf than the books said."""
    replan(by, news)
