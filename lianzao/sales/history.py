"""Orders taken over from another system: closed ones as history, open ones as demand; by the hundred thousand.

Same rules as by hand, but written set by set: one order of ours for a file, and no news for each paper. Planning sees
the open ones when it is asked for a plan next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access.queries import site_zone
from lianzao.catalog.models import Item
from lianzao.foundation import audit
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import set_external_ids
from lianzao.foundation.transfer import bulk
from lianzao.foundation.transfer.lookups import batches
from lianzao.foundation.transfer.sql import insert_rows, light_rows
from lianzao.parties.models import Party
from lianzao.sales.models import SalesOrder, SalesOrderLine
from lianzao.values.errors import Invalid
from lianzao.values.money import Money
from lianzao.values.quantity import ZERO, is_whole_multiple
from lianzao.values.time import start_of_day


@dataclass(frozen=True)
class CarriedOverLine:
    """A line of an order of the time before, in the item's base unit; `number` is the order's own, and stays.

    `is_open`: confirmed, nothing of it shipped; else it was delivered in full and is closed. The day of delivery is not
    known, so deliveries on time are not counted over such lines. `system`: who owned the order, and called it
    `external_key`.
    """

    site_id: UUID
    number: str
    sequence: int
    customer: Party
    item: Item
    quantity: Decimal
    price: Decimal
    ordered_on: date
    requested_on: date
    currency: str
    is_open: bool = False
    system: str = "file"
    external_key: str = ""


@bulk("sales.carried_over_line", CarriedOverLine, right="sales.confirm_order")
def carry_over_orders(by: Actor, rows: Sequence[CarriedOverLine]) -> int:
    """Write the orders the rows make up; one whose number is known stays as it is. Returns how many lines were made."""
    groups: dict[str, list[tuple[int, CarriedOverLine]]] = {}
    for place, row in enumerate(rows, 1):
        _check(place, row)
        groups.setdefault(row.number, []).append((place, row))
    for number in _known(list(groups)):
        del groups[number]
    order_of_ours = audit.must_run()
    keys: dict[str, list[tuple[str, UUID]]] = {}  # system → what it calls which order
    days: dict[tuple[UUID, date], datetime] = {}
    orders: list[SalesOrder] = []
    lines: list[Any] = []
    new_line = light_rows(SalesOrderLine)
    for number, group in groups.items():
        first = group[0][1]
        order = _order(number, first, days)
        order.stamp(order_of_ours)
        sequences: set[int] = set()
        for place, row in group:
            _check_same(place, first, row)
            if row.sequence in sequences:
                raise Invalid("row_twice", field="sequence", row=place, other=number)
            sequences.add(row.sequence)
            line = new_line(**_line(order, row))
            order.amount += line.amount
            lines.append(line)
        orders.append(order)
        if first.external_key:
            keys.setdefault(first.system, []).append((first.external_key, order.id))
    for batch in batches(orders):
        insert_rows(SalesOrder, SalesOrder._meta.concrete_fields, batch)
    for batch in batches(lines):
        insert_rows(SalesOrderLine, SalesOrderLine._meta.concrete_fields, batch)
    for system, known in keys.items():
        set_external_ids(SalesOrder, system, known)
    order_of_ours.changes.append({"kind": "sales.sales_order", "created": len(orders), "lines": len(lines)})
    return len(lines)


def _check(place: int, row: CarriedOverLine) -> None:
    if row.quantity <= 0:
        raise Invalid("quantity_not_positive", field="quantity", row=place)
    if not is_whole_multiple(row.quantity, row.item.step):
        raise Invalid(
            "quantity_not_in_steps", field="quantity", row=place, item=row.item.code, quantity=row.quantity,
            step=row.item.step,
        )  # fmt: skip
    if row.price < 0:
        raise Invalid("must_not_be_negative", field="price", row=place, value=row.price)
    if not row.customer.is_customer:
        raise Invalid("not_a_customer", field="customer", row=place, party=row.customer.code)


def _check_same(place: int, first: CarriedOverLine, row: CarriedOverLine) -> None:
    """Refuse lines of one order that disagree about it."""
    for name in ("site_id", "customer", "ordered_on", "currency", "is_open", "system", "external_key"):
        if getattr(first, name) != getattr(row, name):
            raise Invalid("differs_within_group", field=name, row=place, other=1, value=getattr(row, name))


def _known(numbers: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for batch in batches(numbers):
        found.update(SalesOrder.objects.filter(number__in=batch).values_list("number", flat=True))
    return found


def _order(number: str, row: CarriedOverLine, days: dict[tuple[UUID, date], datetime]) -> SalesOrder:
    return SalesOrder(
        number=number,
        site_id=row.site_id,
        customer_id=row.customer.id,
        status="confirmed" if row.is_open else "closed",
        ordered_on=row.ordered_on,
        currency=row.currency,
        amount=ZERO,
        confirmed_at=_instant(row.site_id, row.ordered_on, days),
        closed_at=None if row.is_open else _instant(row.site_id, row.requested_on, days),
        owner_system=row.system,
    )


def _instant(site_id: UUID, on: date, days: dict[tuple[UUID, date], datetime]) -> datetime:
    """The instant a local day began at the site."""
    known = days.get((site_id, on))
    return known or days.setdefault((site_id, on), start_of_day(on, site_zone(site_id)))


def _line(order: SalesOrder, row: CarriedOverLine) -> dict[str, Any]:
    done = ZERO if row.is_open else row.quantity
    return {
        "order_id": order.id,
        "sequence": row.sequence,
        "item_id": row.item.id,
        "quantity": row.quantity,
        "unit_id": row.item.base_unit_id,
        "typed_quantity": row.quantity,
        "price": row.price,
        "amount": Money(row.quantity * row.price, row.currency).rounded().amount,
        "requested_on": row.requested_on,
        "status": "confirmed" if row.is_open else "closed",
        "shipped_quantity": done,
        "delivered_quantity": done,
        "owner_system": row.system,
    }
