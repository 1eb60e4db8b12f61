"""The line is fed: what released work orders take from their line, and is not there or on its way, becomes a pick task
on a phone (线边补料), within the policy's limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from uuid import UUID

from lianzao.catalog.queries import item_facts
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import by_id
from lianzao.foundation.outbox import on
from lianzao.inventory import commands as inventory
from lianzao.inventory import queries as stock
from lianzao.planning import commands as planning
from lianzao.planning.models import PolicyName
from lianzao.plant.queries import location_ids
from lianzao.production import queries as production
from lianzao.production.events import OperationReported, WorkOrderReleased
from lianzao.values.reference import Ref


@on(WorkOrderReleased, key="site_id")
def feed_released(by: Actor, news: Sequence[WorkOrderReleased]) -> None:
    """A work order was released: bring its material to the line."""
    replenish(by, news[0].site_id, orders={each.work_order_id for each in news})


@on(OperationReported, key="site_id", when=lambda report: report.is_last and report.good > 0)
def feed_made(by: Actor, news: Sequence[OperationReported]) -> None:
    """Finished parts go on to the line that waits for them."""
    replenish(by, news[0].site_id, items={each.item_id for each in news})


@on(OperationReported, key="site_id", when=lambda report: report.scrap > 0)
def feed_lost(by: Actor, news: Sequence[OperationReported]) -> None:
    """Pieces were lost: what making them again takes is brought to the line as well."""
    replenish(by, news[0].site_id, orders={each.work_order_id for each in news})


def replenish(
    by: Actor, site_id: UUID, *, items: Iterable[UUID] | None = None, orders: Iterable[UUID] | None = None
) -> int:
    """Open a pick task for each need that neither the line nor an open task covers. Returns how many were opened."""
    needs = production.line_needs(site_id, items, orders)
    if not needs:
        return 0
    at_line = stock.stock_at({need.line_id for need in needs})
    on_way = stock.open_picks(site_id)
    stores = location_ids(site_id, ["store", "receiving"])
    steps = {id: facts.step for id, facts in item_facts({need.item_id for need in needs}).items()}
    opened = 0
    for need in needs:
        place = (need.item_id, need.line_id)
        there = min(at_line.get(place, Decimal(0)), need.open_quantity)
        at_line[place] = at_line.get(place, Decimal(0)) - there
        missing = need.open_quantity - there - on_way.get((*place, need.work_order_id), Decimal(0))
        if missing <= 0:
            continue
        picks, _ = stock.pick_suggestion(site_id, need.item_id, missing, stores, step=steps[need.item_id], at=by.now)
        for pick in picks:
            subject = production.work_order(need.work_order_id)
            if not planning.consult_policy(
                by, site_id, PolicyName.LINE_REPLENISHMENT, planning.Wish(quantity=pick.quantity), subject
            ):
                return opened
            reservation = inventory.reserve_stock(
                by,
                item=by_id(need.item_id),
                location=by_id(pick.pile.location_id),
                quantity=pick.quantity,
                lot=by_id(pick.pile.lot_id),
                cause=Ref("production.work_order", need.work_order_id),
                target=by_id(need.line_id),
                due_at=need.need_at,
            )
            inventory.open_pick_task(
                by,
                item=by_id(need.item_id),
                quantity=pick.quantity,
                source=by_id(pick.pile.location_id),
                target=by_id(need.line_id),
                lot=by_id(pick.pile.lot_id),
                purpose=Ref("production.work_order", need.work_order_id),
                reservation=reservation,
                due_at=need.need_at,
            )
            opened += 1
    return opened
