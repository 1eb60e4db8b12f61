"""What others may ask of sales."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from lianzao.foundation.entity import query
from lianzao.sales.models import PromiseChange, SalesOrder, SalesOrderLine
from lianzao.values.errors import NotFound

#: Columns of `demand_columns`, in the order of the statement.
DEMAND = (
    "line_id",
    "order_id",
    "label",
    "customer_id",
    "item_id",
    "quantity",
    "reserved",
    "requested_on",
    "promised_on",
    "due_on",
    "priority",
    "partial",
    "together",
    "transit_days",
    "projected_at",
)

DEMAND_SQL = """
SELECT l.id, o.id, o.number || '/' || l.sequence, o.customer_id, l.item_id,
       l.quantity - l.shipped_quantity, l.reserved,
       l.requested_on, l.promised_on, coalesce(l.promised_on, l.requested_on), o.priority,
       l.policy = 'partial', o.ships_together, p.transit_days, l.projected_at
FROM sales_sales_order_line l
JOIN sales_sales_order o ON o.id = l.order_id
JOIN parties_party p ON p.id = o.customer_id
WHERE o.site_id = %s AND o.status IN ('confirmed', 'shipped') AND l.status = 'confirmed'
  AND l.quantity > l.shipped_quantity
ORDER BY o.priority, coalesce(l.promised_on, l.requested_on), l.id
"""


def demand_columns(site_id: UUID) -> dict[str, list[Any]]:
    """What is owed to customers at a site, one entry per confirmed line, most important and earliest first.

    Quantities are Decimals in the base unit. `due_on` is our promise, before it is given the customer's wish:
    the local day the goods are to be at the customer's; `transit_days` is how long they travel. `partial` False: one
    delivery only; `together`: all lines of the order leave in one delivery.
    """
    rows = query(DEMAND_SQL, [site_id])
    columns = zip(*rows, strict=True) if rows else ([] for _ in DEMAND)
    return {name: list(column) for name, column in zip(DEMAND, columns, strict=True)}


OPEN_LINES_SQL = """
SELECT l.id AS line_id, o.id AS order_id, o.number, l.sequence, o.customer_id, o.customer_reference, l.item_id,
       l.quantity, l.quantity - l.shipped_quantity AS open_quantity, l.shipped_quantity, l.delivered_quantity,
       l.reserved, l.requested_on, l.promised_on, l.projected_at, o.priority, l.status, l.policy, o.ships_together
FROM sales_sales_order_line l JOIN sales_sales_order o ON o.id = l.order_id
WHERE o.site_id = %(site_id)s AND l.status = 'confirmed' AND l.quantity > l.shipped_quantity
  AND (%(customer_id)s::uuid IS NULL OR o.customer_id = %(customer_id)s::uuid)
  AND (%(item_id)s::uuid IS NULL OR l.item_id = %(item_id)s::uuid)
  AND (%(due_until)s::date IS NULL OR coalesce(l.promised_on, l.requested_on) <= %(due_until)s::date)
ORDER BY coalesce(l.promised_on, l.requested_on), o.priority, o.number, l.sequence
"""
OPEN_LINES = (
    "line_id order_id number sequence customer_id customer_reference item_id quantity open_quantity shipped_quantity"
    " delivered_quantity reserved requested_on promised_on projected_at priority status policy ships_together"
).split()


def open_lines(
    site_id: UUID, *, customer_id: UUID | None = None, item_id: UUID | None = None, due_until: date | None = None
) -> list[dict[str, Any]]:
    """Confirmed lines that are not shipped in full, the most urgent first: what shipping starts from."""
    given = {"site_id": site_id, "customer_id": customer_id, "item_id": item_id, "due_until": due_until}
    return [dict(zip(OPEN_LINES, row, strict=True)) for row in query(OPEN_LINES_SQL, given)]


def line(line_id: UUID) -> SalesOrderLine:
    """One line with its order. Raises NotFound."""
    found = SalesOrderLine.objects.select_related("order", "item").filter(id=line_id).first()
    if found is None:
        raise NotFound("not_found", entity="sales.sales_order_line", id=str(line_id))
    return found


def lines_by_id(line_ids: Sequence[UUID]) -> dict[UUID, SalesOrderLine]:
    """Lines with their orders, by id; unknown ids are left out."""
    rows = SalesOrderLine.objects.select_related("order", "item").filter(id__in=list(line_ids))
    return {each.id: each for each in rows}


def order(order_id: UUID) -> SalesOrder:
    """One order. Raises NotFound."""
    found = SalesOrder.objects.select_related("customer").filter(id=order_id).first()
    if found is None:
        raise NotFound("not_found", entity="sales.sales_order", id=str(order_id))
    return found


def promise_history(line_id: UUID) -> list[PromiseChange]:
    """Every change of a line's promise, the first one first."""
    return list(PromiseChange.objects.filter(line_id=line_id).order_by("offered_at", "id"))


def open_offer(line_id: UUID) -> PromiseChange | None:
    """The offer a customer has not answered yet, if there is one."""
    return PromiseChange.objects.filter(line_id=line_id, status="offered").first()


ON_TIME_SQL = """
SELECT o.customer_id, count(*), count(*) FILTER (WHERE l.delivered_on <= coalesce(l.promised_on, l.requested_on)),
       count(*) FILTER (WHERE l.delivered_on <= l.requested_on)
FROM sales_sales_order_line l JOIN sales_sales_order o ON o.id = l.order_id
WHERE o.site_id = %s AND l.status IN ('delivered', 'closed') AND l.delivered_on >= %s AND l.delivered_on < %s
GROUP BY o.customer_id ORDER BY o.customer_id
"""


def on_time_delivery(site_id: UUID, from_on: date, until_on: date) -> list[dict[str, Any]]:
    """Lines delivered in [from_on, until_on) per customer: how many, how many by our promise, how many as requested.

    On time delivery (准交率) against the last agreed promise and the customer's wish, both by the last delivery.
    """
    return [
        {"customer_id": customer, "lines": lines, "as_promised": promised, "as_requested": requested}
        for customer, lines, promised, requested in query(ON_TIME_SQL, [site_id, from_on, until_on])
    ]
