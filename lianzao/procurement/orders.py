"""Commands of procurement about what we want: requisitions, purchase orders, and changes of either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access import queries as access
from lianzao.access.models import Site
from lianzao.catalog import queries as catalog
from lianzao.catalog.models import Item, Unit
from lianzao.foundation import entity, link, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.outbox import publish
from lianzao.parties import queries as parties
from lianzao.parties.models import Party
from lianzao.plant.models import Location
from lianzao.procurement import queries, rules
from lianzao.procurement.events import (
    PurchaseOrderClosed,
    PurchaseOrderRecalled,
    PurchaseOrderSent,
    RequisitionApproved,
    RequisitionRaised,
    RequisitionRejected,
    ScheduleChanged,
    ScheduleLineCancelled,
)
from lianzao.procurement.models import (
    PurchaseOrder,
    PurchaseOrderLine,
    PurchaseRequisition,
    ScheduleLine,
    SupplierItem,
)
from lianzao.values.errors import Conflict, Invalid, RuleBroken
from lianzao.values.money import Money
from lianzao.values.quantity import ZERO, Quantity
from lianzao.values.reference import Ref
from lianzao.values.time import local_date


@dataclass(frozen=True)
class Cause:
    """One link of the chain that says why something is bought; `kind` and `id` name the document it lies with."""

    text: str
    kind: str = ""
    id: str = ""


def site_of(by: Actor, site: Site | None) -> UUID:
    """The named site, else the one in use. Raises Invalid."""
    site_id = by.site if site is None else site.id
    if site_id is None:
        raise Invalid("field_missing", field="site")
    return scope.check_site(by, site_id, "site")


@command
def raise_requisition(
    by: Actor,
    *,
    item: Item,
    quantity: Decimal,
    needed_on: date,
    site: Site | None = None,
    supplier: Party | None = None,
    reason: list[Cause] | None = None,
    source: Ref | None = None,
    approved: bool = False,
    note: str = "",
) -> PurchaseRequisition:
    """Ask for something to be bought; `quantity` in the item's base unit, `needed_on` the day it must be here.

    `reason` is the chain of causes, `source` the document that asks (a planner's proposal, a work order). With
    `approved` it may be ordered at once, if the one who asks may approve.
    """
    if supplier is not None:
        parties.check_supplier(supplier)
    if approved and not by.may("procurement.approve_requisition"):
        raise RuleBroken("may_not_approve", field="approved")
    requisition = PurchaseRequisition(
        item=item,
        quantity=catalog.in_base_unit(item, Quantity(entity.positive(quantity, "quantity"), item.base_unit.code)),
        needed_on=needed_on,
        site_id=site_of(by, site),
        supplier=supplier,
        reason=[{"text": each.text, "kind": each.kind, "id": each.id} for each in reason or []],
        source_kind="" if source is None else source.kind,
        source_id=None if source is None else source.id,
        note=note,
    )
    if approved:
        requisition.status = "approved"
    requisition.save()
    if source is not None:
        link.add(source, requisition, requisition.quantity)
    publish(
        RequisitionRaised(
            requisition.site_id,
            requisition.id,
            item.id,
            requisition.quantity,
            needed_on,
            None if supplier is None else supplier.id,
        )
    )
    return requisition


@command(when={"status": ("raised",)})
def approve_requisition(by: Actor, *, requisition: PurchaseRequisition) -> PurchaseRequisition:
    """Approve a requisition, so that it may be ordered (审核)."""
    requisition.move_to("approved")
    requisition.save()
    publish(RequisitionApproved(requisition.site_id, requisition.id, requisition.item_id, requisition.quantity))
    return requisition


@command(when={"status": ("approved",)})
def unapprove_requisition(by: Actor, *, requisition: PurchaseRequisition) -> PurchaseRequisition:
    """Take back the approval of a requisition that is not ordered yet (反审核)."""
    if requisition.status == "ordered":
        raise Conflict("wrong_status", document=requisition.label, status="ordered", wanted="raised")
    requisition.move_to("raised")
    requisition.save()
    return requisition


@command(when={"status": ("raised", "approved")})
def reject_requisition(by: Actor, *, requisition: PurchaseRequisition, why: str) -> PurchaseRequisition:
    """Reject a requisition, saying why. The need stands; the plan will show it again."""
    if not why.strip():
        raise Invalid("field_missing", field="why")
    requisition.move_to("rejected")
    requisition.rejected_why = why[:200]
    requisition.save()
    publish(RequisitionRejected(requisition.site_id, requisition.id, requisition.item_id, requisition.quantity, why))
    return requisition


@dataclass(frozen=True)
class PurchaseLine:
    """A line of a purchase order: `quantity` and `price` in `unit` (base unit if not named); price None: as agreed."""

    item: Item
    quantity: Decimal
    required_on: date
    unit: Unit | None = None
    price: Decimal | None = None
    note: str = ""


@command
def enter_purchase_order(
    by: Actor,
    *,
    supplier: Party,
    lines: list[PurchaseLine],
    site: Site | None = None,
    currency: str = "",
    exchange_rate: Decimal = Decimal(1),
    location: Location | None = None,
    note: str = "",
) -> PurchaseOrder:
    """Write a purchase order. It is a draft until it is approved and sent.

    Lines of one item that differ only by the day become one line with several deliveries. Prices not given are those
    agreed with the supplier. `exchange_rate`: what one unit of the order's currency is worth in the site's.
    """
    parties.check_supplier(supplier)
    if not lines:
        raise Invalid("field_missing", field="lines")
    order = _new_order(by, supplier, site_of(by, site), currency, exchange_rate, location, note)
    agreed = queries.agreements(supplier.id, [each.item.id for each in lines], order.ordered_on)
    grouped: dict[tuple[Any, ...], list[PurchaseLine]] = {}
    for each in lines:
        unit = each.unit or each.item.base_unit
        grouped.setdefault((each.item.id, unit.id, each.price, each.note), []).append(each)
    for sequence, same in enumerate(grouped.values(), 1):
        _add_line(order, sequence, same, agreed.get(same[0].item.id))
    _add_up(order)
    order.save()
    return order


def _new_order(
    by: Actor,
    supplier: Party,
    site_id: UUID,
    currency: str,
    exchange_rate: Decimal,
    location: Location | None,
    note: str,
) -> PurchaseOrder:
    if exchange_rate <= 0:
        raise Invalid("quantity_not_positive", field="exchange_rate")
    if location is not None and (location.is_virtual or location.site_id != site_id):
        raise RuleBroken("not_a_receiving_location", field="location", location=location.code)
    order = PurchaseOrder(
        supplier=supplier,
        site_id=site_id,
        ordered_on=local_date(by.now, access.site_zone(site_id)),
        currency=currency or supplier.currency,
        exchange_rate=exchange_rate,
        location=location,
        note=note,
    )
    order.save()
    return order


def _add_line(
    order: PurchaseOrder, sequence: int, same: Sequence[PurchaseLine], agreed: SupplierItem | None
) -> PurchaseOrderLine:
    """One order line from what was typed for one item, with one schedule line per day."""
    first = same[0]
    unit = first.unit or first.item.base_unit
    if first.item.retired_at is not None:
        raise RuleBroken("item_out_of_use", field="item", row=sequence, item=first.item.code)
    days: dict[date, Decimal] = {}
    for each in same:
        if each.quantity <= 0:
            raise Invalid("quantity_not_positive", field="quantity", row=sequence)
        base = catalog.in_base_unit(first.item, Quantity(each.quantity, unit.code))
        days[each.required_on] = days.get(each.required_on, ZERO) + base
    typed = sum((each.quantity for each in same), ZERO)
    total = sum(days.values(), ZERO)
    price = first.price
    if price is None:
        # Agreements are per base unit; the paper's price is per its own unit.
        price = ZERO if agreed is None else agreed.price * total / typed
    if price < 0:
        raise Invalid("must_not_be_negative", field="price", row=sequence, value=price)
    line = PurchaseOrderLine(
        order=order,
        sequence=sequence,
        item=first.item,
        supplier_code="" if agreed is None else agreed.supplier_code,
        quantity=total,
        unit=unit,
        typed_quantity=typed,
        price=price,
        amount=Money(typed * price, order.currency).rounded().amount,
        over_percent=ZERO if agreed is None else agreed.over_percent,
        note=first.note,
    )
    line.save()
    entity.insert(
        [
            ScheduleLine(line=line, sequence=place, quantity=days[day], required_on=day, expected_on=day)
            for place, day in enumerate(sorted(days), 1)
        ]
    )
    return line


def _add_up(order: PurchaseOrder) -> None:
    """The order's amount from its living lines."""
    order.amount = sum((each.amount for each in order.lines.exclude(status="cancelled")), ZERO)


@command
def order_requisitions(
    by: Actor,
    *,
    requisitions: list[PurchaseRequisition],
    supplier: Party | None = None,
    location: Location | None = None,
    exchange_rate: Decimal = Decimal(1),
    note: str = "",
) -> PurchaseOrder:
    """Order approved requisitions of one site from one supplier (单据下推): one line per item, one delivery per day.

    Without a supplier the one the requisitions name is taken, else the best for their items. Quantities are rounded up
    to the supplier's minimum and multiple; the surplus comes with the last delivery.
    """
    if not requisitions:
        raise Invalid("field_missing", field="requisitions")
    if len({each.site_id for each in requisitions}) > 1:
        raise RuleBroken("requisitions_of_one_site", field="requisitions")
    supplier = supplier or _supplier_for(by, requisitions)
    parties.check_supplier(supplier)
    order = _new_order(by, supplier, requisitions[0].site_id, "", exchange_rate, location, note)
    agreed = queries.agreements(supplier.id, [each.item_id for each in requisitions], order.ordered_on)
    by_item: dict[UUID, list[PurchaseRequisition]] = {}
    for each in requisitions:
        by_item.setdefault(each.item_id, []).append(each)
    for sequence, same in enumerate(by_item.values(), 1):
        _order_item(order, sequence, same, agreed.get(same[0].item_id))
    link.add_many([(each, order, each.quantity, "") for each in requisitions])
    for each in requisitions:
        each.move_to("ordered")
        each.save()
    _add_up(order)
    order.save()
    return order


def _supplier_for(by: Actor, requisitions: Sequence[PurchaseRequisition]) -> Party:
    """The one supplier all requisitions name, or that is best for all their items. Raises RuleBroken."""
    on = local_date(by.now, access.site_zone(requisitions[0].site_id))
    best = queries.best_suppliers([each.item_id for each in requisitions], on)
    wanted = {each.supplier_id or best.get(each.item_id) for each in requisitions}
    if len(wanted) != 1 or None in wanted:
        raise RuleBroken("supplier_unclear", field="supplier")
    return entity.get(Party, wanted.pop())  # type: ignore[arg-type]


def _order_item(
    order: PurchaseOrder, sequence: int, same: Sequence[PurchaseRequisition], agreed: SupplierItem | None
) -> None:
    item = same[0].item
    needs = [rules.Need(each.needed_on, each.quantity) for each in same]
    minimum, multiple = (ZERO, ZERO) if agreed is None else (agreed.minimum, agreed.multiple)
    days = rules.schedule_needs(needs, minimum, multiple)
    rounded = [PurchaseLine(item, catalog.rounded_up(quantity, item.step), day) for day, quantity in days]
    _add_line(order, sequence, rounded, agreed)


def living_schedule(order: PurchaseOrder) -> list[ScheduleLine]:
    """The schedule lines of an order that are not cancelled, locked, with their order lines."""
    rows = ScheduleLine.objects.select_for_update(of=("self",)).select_related("line__item")
    found = list(rows.filter(line__order=order).exclude(status="cancelled").order_by("pk"))
    for each in found:
        each.line.order = order
    return found


def order_of(schedule_line: ScheduleLine) -> PurchaseOrder:
    """The order of a schedule line, locked, and set on the line so that both are one record in memory."""
    order = entity.get(PurchaseOrder, schedule_line.line.order_id, lock=True)
    schedule_line.line.order = order
    return order


def settle(order: PurchaseOrder) -> None:
    """Bring the order's state in step with its schedule, and save it."""
    states = ScheduleLine.objects.filter(line__order=order).values_list("status", flat=True)
    order.status = rules.order_status(order.status, list(states))
    order.save()


def _items(order: PurchaseOrder) -> tuple[UUID, ...]:
    return tuple(dict.fromkeys(order.lines.order_by("sequence").values_list("item_id", flat=True)))


@command(when={"status": ("draft",)})
def send_order(by: Actor, *, order: PurchaseOrder) -> PurchaseOrder:
    """Send an order to its supplier; approves it first if that is not done, for which one must hold the right."""
    parties.check_supplier(order.supplier)
    order.check_approve()
    if order.approved_at is None:
        if not by.may("procurement.approve_purchase_order"):
            raise RuleBroken("may_not_approve", order=order.label)
        order.approved_at, order.approved_by = by.now, by.id
    order.move_to("sent")
    order.sent_at = by.now
    order.save()
    publish(
        PurchaseOrderSent(order.site_id, order.id, order.supplier_id, order.number, _items(order), (order.supplier_id,))
    )
    return order


@command(when={"status": ("sent",)})
def recall_order(by: Actor, *, order: PurchaseOrder, why: str) -> PurchaseOrder:
    """Take back a sent order, as long as the supplier neither confirmed, announced nor delivered anything of it."""
    for each in living_schedule(order):
        if each.status != "open" or each.confirmed_on is not None:
            raise RuleBroken("supplier_relies_on_it", order=order.label, line=each.label)
    order.move_to("draft")
    order.sent_at = order.approved_at = order.approved_by = None
    order.save()
    publish(PurchaseOrderRecalled(order.site_id, order.id, order.supplier_id, order.number, why, (order.supplier_id,)))
    return order


@command
def change_schedule_line(
    by: Actor,
    *,
    schedule_line: ScheduleLine,
    required_on: date | None = None,
    quantity: Decimal | None = None,
    why: str = "",
) -> ScheduleLine:
    """Ask for another day or quantity of a delivery: expedite, defer, more, less.

    A sent order's supplier has to confirm again; until he does, the delivery is expected as he said before. Nothing can
    be changed of what is announced, and the quantity cannot fall below what has arrived.
    """
    order = order_of(schedule_line)
    if schedule_line.status not in ("open", "confirmed"):
        raise Conflict("wrong_status", document=schedule_line.label, status=schedule_line.status, wanted="open")
    old_quantity, old_on = schedule_line.quantity, schedule_line.required_on
    if quantity is not None:
        if quantity <= schedule_line.received_quantity:
            raise RuleBroken("less_than_received", field="quantity", received=schedule_line.received_quantity)
        item = schedule_line.line.item
        schedule_line.quantity = catalog.in_base_unit(item, Quantity(quantity, item.base_unit.code))
    schedule_line.required_on = required_on or old_on
    if schedule_line.quantity == old_quantity and schedule_line.required_on == old_on:
        return schedule_line
    was_confirmed = schedule_line.confirmed_on is not None
    if order.status == "draft" or not was_confirmed:
        schedule_line.expected_on = schedule_line.required_on
    if order.status != "draft":
        schedule_line.confirmed_on = schedule_line.confirmed_quantity = None
        schedule_line.status = "open"
    schedule_line.save()
    _resize(order, schedule_line.line)
    if order.status != "draft":
        publish(
            ScheduleChanged(
                order.site_id,
                order.id,
                schedule_line.id,
                order.supplier_id,
                schedule_line.line.item_id,
                old_quantity,
                schedule_line.quantity,
                old_on,
                schedule_line.required_on,
                why,
                (order.supplier_id,),
            )
        )
    return schedule_line


def _resize(order: PurchaseOrder, line: PurchaseOrderLine) -> None:
    """Bring quantity and amount of an order line in step with its schedule; the typed quantity keeps its unit."""
    living = line.schedule.exclude(status="cancelled")
    total = sum(living.values_list("quantity", flat=True), ZERO)
    if total <= 0:
        line.status = "cancelled"
    elif total != line.quantity:
        line.typed_quantity = rules.round_quantity(line.typed_quantity * total / line.quantity)
        line.quantity = total
        line.amount = Money(line.typed_quantity * line.price, order.currency).rounded().amount
    line.save()
    _add_up(order)
    order.save()


def _cancel_rest(order: PurchaseOrder, each: ScheduleLine, why: str, *, tell: bool = True) -> None:
    """Give up what is still to come of a schedule line: cancel it, or close it when some has arrived."""
    if each.status in ("received", "closed", "cancelled"):
        return
    if each.announced_quantity > each.received_quantity:
        raise RuleBroken("goods_on_the_way", line=each.label)
    rest = each.open_quantity
    if each.received_quantity > 0:
        each.status = "closed"
    else:
        each.move_to("cancelled")
    each.save()
    if tell and order.status != "draft":
        publish(
            ScheduleLineCancelled(
                order.site_id,
                order.id,
                each.id,
                order.supplier_id,
                each.line.item_id,
                rest,
                each.expected_on,
                why,
                (order.supplier_id,),
            )
        )


@command
def cancel_schedule_line(by: Actor, *, schedule_line: ScheduleLine, why: str) -> ScheduleLine:
    """Cancel a delivery, or what is still to come of it. Not while its goods are on the way."""
    order = order_of(schedule_line)
    _cancel_rest(order, schedule_line, why)
    _resize(order, schedule_line.line)
    settle(order)
    return schedule_line


@command(when={"status": ("open",)})
def cancel_line(by: Actor, *, line: PurchaseOrderLine, why: str) -> PurchaseOrderLine:
    """Cancel what is still to come of an order line. Not while goods of it are on the way."""
    order = entity.get(PurchaseOrder, line.order_id, lock=True)
    line.order = order
    for each in living_schedule(order):
        if each.line_id == line.id:
            _cancel_rest(order, each, why)
    _resize(order, line)
    if line.status == "open":
        line.move_to("closed")
        line.save()
    settle(order)
    return line


@command(when={"status": ("draft", "sent")})
def cancel_order(by: Actor, *, order: PurchaseOrder, why: str) -> PurchaseOrder:
    """Cancel an order of which nothing arrived and nothing is on the way. Its requisitions may be ordered again."""
    for each in living_schedule(order):
        if each.received_quantity > 0:
            raise RuleBroken("already_received", order=order.label)
        _cancel_rest(order, each, why)
    for line in order.lines.exclude(status="cancelled"):
        line.move_to("cancelled")
        line.save()
    order.move_to("cancelled")
    order.amount = ZERO
    order.closed_at = by.now
    order.save()
    wanted = [each.ref.id for each in link.up(order) if each.ref.kind == "procurement.purchase_requisition"]
    for requisition in PurchaseRequisition.objects.select_for_update().filter(id__in=wanted, status="ordered"):
        requisition.move_to("approved")
        requisition.save()
    _tell_closed(order, why)
    return order


@command(when={"status": ("sent", "received")})
def close_order(by: Actor, *, order: PurchaseOrder, why: str = "") -> PurchaseOrder:
    """Close an order; what has not arrived is not expected any more. Not while goods of it are on the way."""
    schedule = living_schedule(order)
    if any(each.open_quantity > 0 for each in schedule) and not why.strip():
        raise Invalid("field_missing", field="why")
    for each in schedule:
        if each.status == "received":
            each.status = "closed"
            each.save()
        else:
            _cancel_rest(order, each, why)
    for line in order.lines.filter(status="open"):
        line.move_to("closed")
        line.save()
    order.move_to("closed")
    order.closed_at = by.now
    order.save()
    _tell_closed(order, why)
    return order


def _tell_closed(order: PurchaseOrder, why: str) -> None:
    publish(PurchaseOrderClosed(order.site_id, order.id, order.supplier_id, _items(order), why, (order.supplier_id,)))
