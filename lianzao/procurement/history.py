"""Purchase orders taken over from another system: closed ones as history, open ones as supply to come; set by set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from lianzao.access.queries import site_zone
from lianzao.catalog.models import Item
from lianzao.foundation import audit
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import Entity, set_external_ids
from lianzao.foundation.transfer import bulk
from lianzao.foundation.transfer.lookups import batches
from lianzao.foundation.transfer.sql import insert_rows
from lianzao.parties.models import Party
from lianzao.procurement.models import PurchaseOrder, PurchaseOrderLine, ScheduleLine
from lianzao.values.errors import Invalid
from lianzao.values.money import Money
from lianzao.values.quantity import ZERO, is_whole_multiple
from lianzao.values.time import start_of_day


@dataclass(frozen=True)
class CarriedOverPurchase:
    """A line of a purchase order of the time before, with its one delivery, in the item's base unit.

    `is_open`: sent, what is not received is to come on `required_on`; else nothing more is expected. `system`: owner,
    which calls the order `external_key` and this line of it `external_line_key`.
    """

    site_id: UUID
    number: str
    sequence: int
    supplier: Party
    item: Item
    quantity: Decimal
    price: Decimal
    ordered_on: date
    required_on: date
    currency: str
    received_quantity: Decimal = ZERO
    rejected_quantity: Decimal = ZERO
    is_open: bool = False
    system: str = "file"
    external_key: str = ""
    external_line_key: str = ""


@bulk("procurement.carried_over_line", CarriedOverPurchase, right="procurement.send_order")
def carry_over_purchases(by: Actor, rows: Sequence[CarriedOverPurchase]) -> int:
    """Write the orders the rows make up; one whose number is known stays as it is. Returns how many lines were made."""
    groups: dict[str, list[tuple[int, CarriedOverPurchase]]] = {}
    for place, row in enumerate(rows, 1):
        _check(place, row)
        groups.setdefault(row.number, []).append((place, row))
    for batch in batches(list(groups)):
        for number in PurchaseOrder.objects.filter(number__in=batch).values_list("number", flat=True):
            del groups[number]
    orders: list[PurchaseOrder] = []
    lines: list[PurchaseOrderLine] = []
    deliveries: list[ScheduleLine] = []
    keys: dict[tuple[type[Entity], str], list[tuple[str, UUID]]] = {}
    for number, group in groups.items():
        order = _order(by, number, group[0][1])
        sequences: set[int] = set()
        for place, row in group:
            _check_same(place, group[0][1], row)
            if row.sequence in sequences:
                raise Invalid("row_twice", field="sequence", row=place, other=number)
            sequences.add(row.sequence)
            line, delivery = _line(order, row)
            if row.external_line_key:
                keys.setdefault((PurchaseOrderLine, row.system), []).append((row.external_line_key, line.id))
            order.amount += line.amount
            lines.append(line)
            deliveries.append(delivery)
        orders.append(order)
        first = group[0][1]
        if first.external_key:
            keys.setdefault((PurchaseOrder, first.system), []).append((first.external_key, order.id))
    for model, made in ((PurchaseOrder, orders), (PurchaseOrderLine, lines), (ScheduleLine, deliveries)):
        _write(model, made)
    for (model, system), known in keys.items():
        set_external_ids(model, system, known)
    audit.must_run().changes.append({"kind": "procurement.purchase_order", "created": len(orders), "lines": len(lines)})
    return len(lines)


def _write(model: type[Entity], made: Sequence[Entity]) -> None:
    running = audit.must_run()
    for batch in batches(made):
        for each in batch:
            each.stamp(running)
        insert_rows(model, model._meta.concrete_fields, batch)


def _check(place: int, row: CarriedOverPurchase) -> None:
    if row.quantity <= 0:
        raise Invalid("quantity_not_positive", field="quantity", row=place)
    if not is_whole_multiple(row.quantity, row.item.step):
        raise Invalid(
            "quantity_not_in_steps", field="quantity", row=place, item=row.item.code, quantity=row.quantity,
            step=row.item.step,
        )  # fmt: skip
    for name in ("price", "received_quantity", "rejected_quantity"):
        if getattr(row, name) < 0:
            raise Invalid("must_not_be_negative", field=name, row=place, value=getattr(row, name))
    if not row.supplier.is_supplier:
        raise Invalid("not_a_supplier", field="supplier", row=place, party=row.supplier.code)


def _check_same(place: int, first: CarriedOverPurchase, row: CarriedOverPurchase) -> None:
    """Refuse lines of one order that disagree about it."""
    for name in ("site_id", "supplier", "ordered_on", "currency", "is_open", "system", "external_key"):
        if getattr(first, name) != getattr(row, name):
            raise Invalid("differs_within_group", field=name, row=place, other=1, value=getattr(row, name))


def _order(by: Actor, number: str, row: CarriedOverPurchase) -> PurchaseOrder:
    sent_at = _instant(row, row.ordered_on)
    return PurchaseOrder(
        number=number,
        site_id=row.site_id,
        supplier_id=row.supplier.id,
        status="sent" if row.is_open else "closed",
        ordered_on=row.ordered_on,
        currency=row.currency,
        amount=ZERO,
        approved_at=sent_at,
        approved_by=by.id,
        sent_at=sent_at,
        closed_at=None if row.is_open else _instant(row, row.required_on),
        owner_system=row.system,
    )


def _instant(row: CarriedOverPurchase, on: date) -> datetime:
    """The instant a local day began at the site."""
    return start_of_day(on, site_zone(row.site_id))


def _line(order: PurchaseOrder, row: CarriedOverPurchase) -> tuple[PurchaseOrderLine, ScheduleLine]:
    """The line and its one delivery. A closed delivery that brought too little is closed short."""
    line = PurchaseOrderLine(
        order_id=order.id,
        sequence=row.sequence,
        item_id=row.item.id,
        quantity=row.quantity,
        unit_id=row.item.base_unit_id,
        typed_quantity=row.quantity,
        price=row.price,
        amount=Money(row.quantity * row.price, row.currency).rounded().amount,
        status="open" if row.is_open else "closed",
        owner_system=row.system,
    )
    whole = row.received_quantity >= row.quantity
    delivery = ScheduleLine(
        line_id=line.id,
        sequence=1,
        quantity=row.quantity,
        required_on=row.required_on,
        expected_on=row.required_on,
        received_quantity=row.received_quantity,
        rejected_quantity=row.rejected_quantity,
        status="received" if whole else "open" if row.is_open else "closed",
        owner_system=row.system,
    )
    return line, delivery
