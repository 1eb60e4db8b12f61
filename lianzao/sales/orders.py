"""Commands of sales about orders: enter, confirm, change, cancel, close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from lianzao.access import queries as access
from lianzao.access.models import Site
from lianzao.catalog import queries as catalog
from lianzao.catalog.models import Item, Unit
from lianzao.foundation import entity, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.outbox import publish
from lianzao.parties import queries as parties
from lianzao.parties.models import Party
from lianzao.sales import rules
from lianzao.sales.events import (
    OrderCancelled,
    OrderClosed,
    OrderConfirmed,
    OrderEntered,
    OrderLineCancelled,
    OrderLineChanged,
    PromiseMade,
)
from lianzao.sales.models import DeliveryPolicy, PromiseChange, SalesOrder, SalesOrderLine
from lianzao.values.errors import Conflict, Invalid, RuleBroken
from lianzao.values.money import Money
from lianzao.values.quantity import ZERO, Quantity
from lianzao.values.time import local_date


@dataclass(frozen=True)
class OrderLine:
    """A line as the customer's paper has it: `quantity` and `price` in `unit` (the item's base unit when not named)."""

    item: Item
    quantity: Decimal
    unit: Unit | None = None
    price: Decimal = ZERO
    requested_on: date | None = None
    policy: DeliveryPolicy = DeliveryPolicy.PARTIAL
    note: str = ""


@command
def enter_order(
    by: Actor,
    *,
    customer: Party,
    lines: list[OrderLine],
    requested_on: date,
    site: Site | None = None,
    customer_reference: str = "",
    priority: int = 50,
    ships_together: bool = False,
    currency: str = "",
    note: str = "",
) -> SalesOrder:
    """Write down a customer's order.

    `requested_on` is the day the customer wants the goods, for every line that names no day of its own. Priority 1 is
    the most important. The order is a draft until it is confirmed; only then is it planned.
    """
    parties.check_customer(customer)
    if not lines:
        raise Invalid("field_missing", field="lines")
    if priority < 1:
        raise Invalid("too_small", field="priority")
    site_id = _site_of(by, site)
    order = SalesOrder(
        customer=customer,
        site_id=site_id,
        customer_reference=customer_reference,
        ordered_on=local_date(by.now, access.site_zone(site_id)),
        priority=priority,
        ships_together=ships_together,
        currency=currency or customer.currency,
        note=note,
    )
    order.save()
    entity.insert([_line(order, number, each, requested_on) for number, each in enumerate(lines, 1)])
    _add_up(order)
    order.save()
    publish(OrderEntered(site_id, order.id, customer.id, order.number, _items(order), (customer.id,)))
    return order


def _site_of(by: Actor, site: Site | None) -> Any:
    site_id = by.site if site is None else site.id
    if site_id is None:
        raise Invalid("field_missing", field="site")
    return scope.check_site(by, site_id, "site")


def _line(order: SalesOrder, sequence: int, given: OrderLine, requested_on: date) -> SalesOrderLine:
    """A new line from what was typed; the quantity in the base unit, the money rounded once."""
    if given.item.retired_at is not None:
        raise RuleBroken("item_out_of_use", field="item", row=sequence, item=given.item.code)
    if given.quantity <= 0:
        raise Invalid("quantity_not_positive", field="quantity", row=sequence)
    if given.price < 0:
        raise Invalid("must_not_be_negative", field="price", row=sequence, value=given.price)
    return SalesOrderLine(
        order=order,
        sequence=sequence,
        item=given.item,
        quantity=_in_base_unit(given.item, given.quantity, given.unit),
        unit=given.unit or given.item.base_unit,
        typed_quantity=given.quantity,
        price=given.price,
        amount=Money(given.quantity * given.price, order.currency).rounded().amount,
        requested_on=given.requested_on or requested_on,
        policy=given.policy,
        note=given.note,
    )


def _in_base_unit(item: Item, quantity: Decimal, unit: Unit | None) -> Decimal:
    return catalog.in_base_unit(item, Quantity(quantity, (unit or item.base_unit).code))


def _items(order: SalesOrder) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(order.lines.order_by("sequence").values_list("item_id", flat=True)))


def _add_up(order: SalesOrder) -> None:
    """The order's amount and state from its lines."""
    lines = list(order.lines.all())
    order.amount = sum((each.amount for each in lines if each.status != "cancelled"), ZERO)
    order.status = rules.order_status(order.status, [each.status for each in lines])


def locked_order(line: SalesOrderLine) -> SalesOrder:
    """The order of a line, locked, and set on the line so that both are one record in memory."""
    order = entity.get(SalesOrder, line.order_id, lock=True)
    line.order = order
    return order


@command(when={"status": ("draft",)})
def confirm_order(by: Actor, *, order: SalesOrder, promised_on: date | None = None) -> SalesOrder:
    """Confirm an order, so that it is planned and promised.

    With `promised_on`, that day is promised for every line at once; without it the promise follows from planning.
    """
    order.move_to("confirmed")
    order.confirmed_at = by.now
    order.save()
    lines = list(order.lines.exclude(status="cancelled").select_for_update().order_by("sequence"))
    for line in lines:
        line.order = order
        line.move_to("confirmed")
        line.status = rules.line_status(line.status, line.quantity, line.shipped_quantity, line.delivered_quantity)
        line.save()
        if promised_on is not None:
            make_promise(by, line, promised_on)
    publish(
        OrderConfirmed(
            order.site_id,
            order.id,
            order.customer_id,
            order.number,
            tuple(dict.fromkeys(line.item_id for line in lines)),
            tuple(line.id for line in lines),
            (order.customer_id,),
        )
    )
    return order


def make_promise(
    by: Actor, line: SalesOrderLine, promised_on: date, reasons: list[dict[str, str]] | None = None
) -> None:
    """Set a promise that needs no consent, with its history and its news. `line.order` is at hand."""
    order = line.order
    old_on, line.promised_on = line.promised_on, promised_on
    line.save()
    PromiseChange(
        line=line,
        old_on=old_on,
        new_on=promised_on,
        reasons=reasons or [],
        status="made",
        offered_at=by.now,
        told_at=by.now,
    ).save()
    publish(
        PromiseMade(
            order.site_id, order.id, line.id, order.customer_id, line.item_id, old_on, promised_on, (order.customer_id,)
        )
    )


@command(when={"status": ("draft", "confirmed")})
def add_line(by: Actor, *, order: SalesOrder, line: OrderLine) -> SalesOrderLine:
    """Add a line to an order that is not shipped yet. On a confirmed order it is demand at once."""
    if order.status not in ("draft", "confirmed"):
        raise Conflict("wrong_status", document=order.label, status=order.status, wanted="confirmed")
    if line.requested_on is None:
        raise Invalid("field_missing", field="requested_on")
    last = order.lines.order_by("-sequence").values_list("sequence", flat=True).first() or 0
    made = _line(order, last + 1, line, line.requested_on)
    made.status = "open" if order.status == "draft" else "confirmed"
    made.save()
    _add_up(order)
    order.save()
    if made.status == "confirmed":
        _tell_changed(order, made, ZERO, None, "")
    return made


@command
def change_line(
    by: Actor,
    *,
    line: SalesOrderLine,
    quantity: Decimal | None = None,
    requested_on: date | None = None,
    price: Decimal | None = None,
    policy: DeliveryPolicy | None = None,
    why: str = "",
) -> SalesOrderLine:
    """Change what the customer wants of a line: quantity (in the unit the line was typed in), day, price, deliveries.

    Not below what was shipped or is reserved. The promise stays until another one is made; planning looks again.
    """
    order = locked_order(line)
    if line.status not in ("open", "confirmed", "shipped"):
        raise Conflict("wrong_status", document=line.label, status=line.status, wanted="confirmed")
    old_quantity, old_on = line.quantity, line.requested_on
    if quantity is not None:
        if quantity <= 0:
            raise Invalid("quantity_not_positive", field="quantity")
        base = _in_base_unit(line.item, quantity, line.unit)
        rules.check_quantity_change(base, line.shipped_quantity, line.reserved)
        line.quantity, line.typed_quantity = base, quantity
    if price is not None:
        if price < 0:
            raise Invalid("must_not_be_negative", field="price", value=price)
        line.price = price
    line.amount = Money(line.typed_quantity * line.price, order.currency).rounded().amount
    line.requested_on = requested_on or line.requested_on
    line.policy = policy or line.policy
    line.status = rules.line_status(line.status, line.quantity, line.shipped_quantity, line.delivered_quantity)
    line.save()
    _add_up(order)
    order.save()
    if order.status != "draft" and (line.quantity != old_quantity or line.requested_on != old_on):
        _tell_changed(order, line, old_quantity, old_on, why)
    return line


def _tell_changed(order: SalesOrder, line: SalesOrderLine, old: Decimal, old_on: date | None, why: str) -> None:
    publish(
        OrderLineChanged(
            order.site_id,
            order.id,
            line.id,
            order.customer_id,
            line.item_id,
            old,
            line.quantity,
            old_on,
            line.requested_on,
            why,
            (order.customer_id,),
        )
    )


@command(when={"status": ("draft", "confirmed", "shipped")})
def set_priority(by: Actor, *, order: SalesOrder, priority: int) -> SalesOrder:
    """Say how important an order is: 1 before all others. Planning looks again."""
    if priority < 1:
        raise Invalid("too_small", field="priority")
    order.priority = priority
    order.save()
    if order.status != "draft":
        for line in order.lines.filter(status="confirmed").order_by("sequence"):
            _tell_changed(order, line, line.quantity, line.requested_on, "priority")
    return order


@command
def cancel_line(by: Actor, *, line: SalesOrderLine, why: str) -> SalesOrderLine:
    """Cancel a line of which nothing was shipped. What was reserved for it must be freed first."""
    order = locked_order(line)
    _cancel(order, line, why)
    _add_up(order)
    if order.status == "cancelled":
        publish(OrderCancelled(order.site_id, order.id, order.customer_id, _items(order), why, (order.customer_id,)))
    order.save()
    return line


def _cancel(order: SalesOrder, line: SalesOrderLine, why: str) -> None:
    rules.check_cancel(line.shipped_quantity)
    if line.reserved > 0:
        raise RuleBroken("line_is_reserved", line=line.label, reserved=line.reserved)
    was = line.status
    line.move_to("cancelled")
    line.save()
    for offer in line.promises.filter(status="offered"):
        offer.move_to("withdrawn")
        offer.save()
    if was == "confirmed":
        publish(
            OrderLineCancelled(
                order.site_id,
                order.id,
                line.id,
                order.customer_id,
                line.item_id,
                line.quantity,
                why,
                (order.customer_id,),
            )
        )


@command(when={"status": ("draft", "confirmed")})
def cancel_order(by: Actor, *, order: SalesOrder, why: str) -> SalesOrder:
    """Cancel an order of which nothing was shipped."""
    order.move_to("cancelled")
    for line in order.lines.exclude(status="cancelled").select_for_update().order_by("sequence"):
        line.order = order
        _cancel(order, line, why)
    order.amount = ZERO
    order.closed_at = by.now
    order.save()
    publish(OrderCancelled(order.site_id, order.id, order.customer_id, _items(order), why, (order.customer_id,)))
    return order


@command(when={"status": ("confirmed", "shipped", "delivered")})
def close_order(by: Actor, *, order: SalesOrder, why: str = "") -> SalesOrder:
    """Close an order. What was not shipped is not owed any more; one of which nothing was shipped is cancelled."""
    lines = list(order.lines.exclude(status="cancelled").select_for_update().order_by("sequence"))
    if not any(line.shipped_quantity > 0 for line in lines):
        raise RuleBroken("nothing_shipped_cancel_instead", order=order.label)
    if any(line.open_quantity > 0 for line in lines) and not why.strip():
        raise Invalid("field_missing", field="why")
    order.move_to("closed")
    order.closed_at = by.now
    order.save()
    for line in lines:
        line.order = order
        if line.reserved > 0:
            raise RuleBroken("line_is_reserved", line=line.label, reserved=line.reserved)
        line.move_to("closed")
        line.save()
    publish(OrderClosed(order.site_id, order.id, order.customer_id, _items(order), (order.customer_id,)))
    return order


@command(when={"status": ("confirmed",)})
def reopen_order(by: Actor, *, order: SalesOrder, why: str) -> SalesOrder:
    """Take a confirmed order back to draft, as long as nothing was shipped or reserved (反审核)."""
    lines = list(order.lines.exclude(status="cancelled").select_for_update().order_by("sequence"))
    order.move_to("draft")
    order.confirmed_at = None
    order.save()
    for line in lines:
        line.order = order
        rules.check_cancel(line.shipped_quantity)
        if line.reserved > 0:
            raise RuleBroken("line_is_reserved", line=line.label, reserved=line.reserved)
        line.move_to("open")
        line.save()
        publish(
            OrderLineCancelled(
                order.site_id, order.id, line.id, order.customer_id, line.item_id, line.quantity, why, ()
            )
        )
    return order
