"""From the order to the proof: confirmed orders are planned, finished goods are released to ship, shipping tells sales.

OrderConfirmed → request_replan; goods usable → release to ship (policy) → logistics.plan_shipment
ShipmentDispatched → sales.record_shipped; ShipmentDelivered → sales.record_delivered → close
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.flows.late_supply import replan
from lianzao.foundation import link
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import by_id, command
from lianzao.foundation.outbox import Event, on
from lianzao.inventory import queries as inventory
from lianzao.inventory.events import LotReleased
from lianzao.logistics import commands as logistics
from lianzao.logistics import queries as shipping
from lianzao.logistics.events import ShipmentDelivered, ShipmentDispatched, ShipmentReturned
from lianzao.logistics.models import Shipment
from lianzao.planning import commands as planning
from lianzao.planning.models import PolicyName
from lianzao.planning.queries import outlooks_of
from lianzao.plant.queries import local_day
from lianzao.production.events import WorkOrderCompleted
from lianzao.sales import commands as sales
from lianzao.sales import queries as orders
from lianzao.sales.events import (
    OrderCancelled,
    OrderClosed,
    OrderConfirmed,
    OrderLineCancelled,
    OrderLineChanged,
    PromiseAccepted,
)
from lianzao.sales.models import SalesOrder
from lianzao.values.errors import RuleBroken
from lianzao.values.reference import Ref

SALES_LINE = "sales.sales_order_line"


@on(OrderConfirmed, OrderLineChanged, OrderLineCancelled, OrderCancelled, OrderClosed, PromiseAccepted, key="site_id")
def replan_after_order(by: Actor, news: Sequence[Event]) -> None:
    """What customers want changed: plan again, and see whom it hurts."""
    replan(by, news)


@command(when={"status": ("confirmed",)})
def promise_order(by: Actor, *, order: SalesOrder) -> SalesOrder:
    """Promise every line of a confirmed order that has no promise yet, on the day the plan delivers it."""
    lines = [
        each for each in orders.open_lines(order.site_id, customer_id=order.customer_id) if each["order_id"] == order.id
    ]
    outlooks = outlooks_of([each["line_id"] for each in lines])
    for each in lines:
        if each["promised_on"] is not None:
            continue
        outlook = outlooks.get(each["line_id"])
        if outlook is None or outlook.projected_at is None:
            raise RuleBroken("not_planned_yet", document=f"{each['number']}/{each['sequence']}")
        sales.promise_line(
            by,
            line=by_id(each["line_id"]),
            promised_on=max(local_day(order.site_id, outlook.projected_at), each["requested_on"]),
        )
    return order


@command(when={"status": ("confirmed", "shipped")})
def ship_order(by: Actor, *, order: SalesOrder) -> Shipment:
    """Make a shipment from what an order still owes and nobody ships yet (单据下推)."""
    lines = [
        each for each in orders.open_lines(order.site_id, customer_id=order.customer_id) if each["order_id"] == order.id
    ]
    planned = shipping.planned_quantities([each["line_id"] for each in lines])
    owed = [(each, each["open_quantity"] - planned.get(each["line_id"], Decimal(0))) for each in lines]
    owed = [(each, quantity) for each, quantity in owed if quantity > 0]
    if not owed:
        raise RuleBroken("nothing_to_ship", document=order.number)
    return _plan_shipment(by, order.site_id, order.customer_id, owed)


def _plan_shipment(
    by: Actor, site_id: UUID, customer_id: UUID, owed: Sequence[tuple[dict[str, Any], Decimal]]
) -> Shipment:
    due: date = min(each["promised_on"] or each["requested_on"] for each, _ in owed)
    return logistics.plan_shipment(
        by,
        customer=by_id(customer_id),
        site=by_id(site_id),
        due_on=due,
        lines=[
            logistics.ShipLine(
                source=Ref(SALES_LINE, each["line_id"]),
                item=by_id(each["item_id"]),
                quantity=quantity,
                label=f"{each['number']}/{each['sequence']}",
                document=Ref("sales.sales_order", each["order_id"]),
                complete=each["policy"] == "complete",
            )
            for each, quantity in owed
        ],
    )


@on(WorkOrderCompleted, LotReleased, key="site_id")
def release_to_ship(by: Actor, news: Sequence[WorkOrderCompleted | LotReleased]) -> None:
    """Goods are there: an order line they cover whole is released to ship, if the policy acts."""
    site = news[0].site_id
    if site is None:
        return
    items = {each.item_id for each in news}
    stock = inventory.on_hand(site, sorted(items, key=str), by.now)
    for item in sorted(items, key=str):
        free = stock[item].available if item in stock else Decimal(0)
        lines = orders.open_lines(site, item_id=item)
        planned = shipping.planned_quantities([each["line_id"] for each in lines])
        for each in lines:
            owed = each["open_quantity"] - planned.get(each["line_id"], Decimal(0))
            if owed <= 0 or owed > free or each["ships_together"]:
                continue
            line = orders.line(each["line_id"])
            if not planning.consult_policy(by, site, PolicyName.RELEASE_TO_SHIP, planning.Wish(quantity=owed), line):
                continue
            _plan_shipment(by, site, each["customer_id"], [(each, owed)])
            free -= owed


@on(ShipmentDispatched)
def tell_sales_shipped(by: Actor, news: Sequence[ShipmentDispatched]) -> None:
    """What left the house is not owed any more."""
    for each in news:
        for kind, id, quantity in zip(each.source_kinds, each.source_ids, each.quantities, strict=True):
            if kind == SALES_LINE:
                sales.record_shipped(by, line=by_id(id), quantity=quantity)
                link.add(Ref(SALES_LINE, id), Ref("logistics.shipment", each.shipment_id), quantity, "shipped")
        replan(by, [each])


@on(ShipmentReturned)
def tell_sales_returned(by: Actor, news: Sequence[ShipmentReturned]) -> None:
    """What came back undelivered is owed again."""
    for each in news:
        for kind, id, quantity in zip(each.source_kinds, each.source_ids, each.quantities, strict=True):
            if kind == SALES_LINE:
                sales.record_returned(by, line=by_id(id), quantity=quantity)
        replan(by, [each])


@on(ShipmentDelivered)
def tell_sales_delivered(by: Actor, news: Sequence[ShipmentDelivered]) -> None:
    """The proof came: the customer has it; an order all delivered is closed."""
    for each in news:
        touched: dict[UUID, None] = {}
        for kind, id, quantity in zip(each.source_kinds, each.source_ids, each.quantities, strict=True):
            if kind == SALES_LINE:
                line = sales.record_delivered(by, line=by_id(id), quantity=quantity, delivered_at=each.delivered_at)
                touched[line.order_id] = None
        for order_id in touched:
            if orders.order(order_id).status == "delivered":
                sales.close_order(by, order=by_id(order_id), why="delivered")
