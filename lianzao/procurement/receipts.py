"""Commands of procurement about what arrives: receive a shipment with one scan, or an order line by line; undo it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from lianzao.access import queries as access
from lianzao.catalog import queries as catalog
from lianzao.foundation import entity, link, words
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.outbox import publish
from lianzao.inventory import commands as inventory
from lianzao.inventory import queries as stock
from lianzao.inventory.commands import MoveLine
from lianzao.inventory.models import Lot
from lianzao.plant import queries as plant
from lianzao.plant.models import Location
from lianzao.procurement import rules
from lianzao.procurement.events import GoodsReceiptReversed, GoodsReceived
from lianzao.procurement.models import (
    Asn,
    AsnLine,
    GoodsReceipt,
    GoodsReceiptLine,
    PurchaseOrder,
    ScheduleLine,
)
from lianzao.procurement.orders import living_schedule, settle
from lianzao.values.errors import Conflict, Invalid, NotFound, RuleBroken
from lianzao.values.quantity import ZERO, Quantity
from lianzao.values.time import local_date, start_of_day


@dataclass(frozen=True)
class ReceivedLine:
    """What was counted, in the base unit: of a line of the shipment notice, or of a delivery without one.

    `rejected` was refused at the door and is not taken in. Lot, dates and place are the notice's unless given. A count
    that differs from the notice, or goods refused, need a `difference_reason`.
    """

    quantity: Decimal
    asn_line: AsnLine | None = None
    schedule_line: ScheduleLine | None = None
    rejected: Decimal = ZERO
    lot_number: str = ""
    made_on: date | None = None
    expires_on: date | None = None
    location: Location | None = None
    difference_reason: str = ""


@dataclass
class _Arrived:
    """One line to be taken in, with everything known about it."""

    schedule_line: ScheduleLine
    asn_line: AsnLine | None
    announced: Decimal | None
    said: ReceivedLine
    inspect: bool = False
    location: UUID | None = None
    lot: Lot | None = None
    value: Decimal | None = None


@command(when={"status": ("announced", "arrived")}, offline=True)
def receive_goods(
    by: Actor,
    *,
    asn: Asn | None = None,
    purchase_order: PurchaseOrder | None = None,
    lines: list[ReceivedLine] | None = None,
    location: Location | None = None,
    happened_at: datetime | None = None,
    delivery_note: str = "",
    note: str = "",
) -> GoodsReceipt:
    """Receive goods: one scan of a shipment notice takes in all it announced.

    `lines` correct what was counted differently, with a reason; lines of the notice that are not named came as
    announced. Without a notice name the purchase order; then `lines` say what came, or everything open came. Lots are
    made with the supplier's lot and expiry; a lot that is to be inspected is on hold until it is. More than ordered
    plus the agreed over-delivery is refused; what did not come stays open.
    """
    if (asn is None) == (purchase_order is None):
        raise Invalid("asn_or_order", field="asn")
    if asn is not None and asn.status not in ("announced", "arrived"):
        raise Conflict("asn_not_open", asn=asn.label, status=asn.status)
    order = entity.get(PurchaseOrder, asn.purchase_order_id, lock=True) if asn is not None else purchase_order
    assert order is not None
    if order.status != "sent":
        raise Conflict("wrong_status", document=order.label, status=order.status, wanted="sent")
    at = happened_at or by.now
    schedule = {each.id: each for each in living_schedule(order)}
    arrived = _of_asn(asn, schedule, lines) if asn is not None else _of_order(schedule, lines)
    receipt = GoodsReceipt(
        supplier=order.supplier,
        purchase_order=order,
        asn=asn,
        site_id=order.site_id,
        happened_at=at,
        delivery_note=delivery_note or ("" if asn is None else asn.delivery_note),
        note=note,
    )
    receipt.save()
    _place(order, arrived, location)
    _make_lots(by, receipt, arrived)
    rows = _write(receipt, arrived)
    _post(by, receipt, arrived)
    expected = {line.id: line.expected_on for line in schedule.values()}
    _note_received(arrived, closes_asn=asn is not None)
    if asn is not None:
        _close_asn(by, asn, arrived, at)
    link.add(asn or order, receipt, sum((each.said.quantity for each in arrived), ZERO))
    settle(order)
    _tell(receipt, order, arrived, rows, expected)
    return receipt


def _of_asn(asn: Asn, schedule: Mapping[UUID, ScheduleLine], lines: Sequence[ReceivedLine] | None) -> list[_Arrived]:
    """The lines of a notice as they came: as announced, unless somebody counted differently."""
    announced: dict[UUID, AsnLine] = {each.id: each for each in asn.lines.order_by("sequence")}
    said: dict[UUID, list[ReceivedLine]] = {}
    for row, each in enumerate(lines or [], 1):
        if each.asn_line is None or each.asn_line.id not in announced:
            raise RuleBroken("line_of_other_asn", field="asn_line", row=row, asn=asn.label)
        said.setdefault(each.asn_line.id, []).append(each)
    arrived: list[_Arrived] = []
    for id, notice in announced.items():
        counts = said.get(id) or [ReceivedLine(notice.quantity)]
        reason = " ".join(each.difference_reason for each in counts)
        rules.check_difference(
            notice.quantity,
            sum((each.quantity for each in counts), ZERO),
            sum((each.rejected for each in counts), ZERO),
            reason,
        )
        for place, count in enumerate(counts):
            # Only the first of several counts carries the announced quantity, so that the column adds up.
            of_notice = notice.quantity if place == 0 else ZERO
            arrived.append(_Arrived(schedule[notice.schedule_line_id], notice, of_notice, count))
    return arrived


def _of_order(schedule: Mapping[UUID, ScheduleLine], lines: Sequence[ReceivedLine] | None) -> list[_Arrived]:
    """What came without a notice: as said, or everything that is open and not on its way."""
    if lines is None:
        waiting = [each for each in schedule.values() if each.status in ("open", "confirmed")]
        lines = [ReceivedLine(each.open_quantity, schedule_line=each) for each in waiting]
    if not lines:
        raise Invalid("field_missing", field="lines")
    arrived: list[_Arrived] = []
    for row, each in enumerate(lines, 1):
        line = None if each.schedule_line is None else schedule.get(each.schedule_line.id)
        if line is None:
            raise RuleBroken("line_of_other_order", field="schedule_line", row=row)
        if line.status == "announced":
            raise RuleBroken("receive_by_asn", field="schedule_line", row=row, line=line.label)
        if line.status in ("closed", "cancelled"):
            raise Conflict("wrong_status", document=line.label, status=line.status, wanted="open")
        rules.check_difference(None, each.quantity, each.rejected, each.difference_reason)
        arrived.append(_Arrived(line, None, None, each))
    return arrived


def _place(order: PurchaseOrder, arrived: Sequence[_Arrived], location: Location | None) -> None:
    """Where each line goes and whether it is inspected; goods to inspect that have no lots go to quarantine."""
    facts = catalog.site_facts({each.schedule_line.line.item_id for each in arrived}, order.site_id)
    default = location.id if location is not None else order.location_id
    for each in arrived:
        item = each.schedule_line.line.item
        each.inspect = facts[item.id].inspect_on_receipt
        said = None if each.said.location is None else each.said.location.id
        if each.inspect and item.tracking == "none":
            each.location = _first(order.site_id, "quarantine", item.code)
        else:
            each.location = said or default or _first(order.site_id, "receiving", item.code)
    known = plant.location_facts({each.location for each in arrived if each.location is not None})
    for each in arrived:
        place = known.get(each.location) if each.location is not None else None
        if place is None or place.is_virtual or place.site_id != order.site_id:
            raise RuleBroken("not_a_receiving_location", field="location", location="" if place is None else place.code)


def _first(site_id: UUID, kind: str, item: str) -> UUID:
    found = plant.location_ids(site_id, [kind])
    if not found:
        raise RuleBroken(f"no_{kind}_location", field="location", item=item)
    return found[0]


def _make_lots(by: Actor, receipt: GoodsReceipt, arrived: Sequence[_Arrived]) -> None:
    """A lot for every tracked line: numbered as the supplier labeled it if that is free, on hold if to be inspected."""
    zone = access.site_zone(receipt.site_id)
    hold = " / ".join(words.say("procurement.to_be_inspected", language) for language in words.LANGUAGES)
    for place, each in enumerate(arrived, 1):
        item, notice = each.schedule_line.line.item, each.asn_line
        if each.said.quantity <= 0 or item.tracking == "none":
            continue
        labeled = each.said.lot_number or ("" if notice is None else notice.lot_number)
        made_on = each.said.made_on or (None if notice is None else notice.made_on)
        number = labeled
        if labeled and item.tracking == "lot" and _is_taken(item.id, labeled):
            number = f"{labeled}-{receipt.number}-{place}"
        each.lot = inventory.make_lot(
            by,
            item=item,
            number=number,
            supplier=receipt.supplier,
            supplier_lot=labeled,
            made_at=start_of_day(made_on, zone) if made_on else receipt.happened_at,
            expires_on=each.said.expires_on or (None if notice is None else notice.expires_on),
            hold_reason=hold if each.inspect else "",
            source_kind=receipt.kind,
            source_id=receipt.id,
            site_id=receipt.site_id,
        )
        if each.inspect and each.lot.status == "usable":
            inventory.hold_lot(by, lot=each.lot, reason=hold)


def _is_taken(item_id: UUID, number: str) -> bool:
    try:
        stock.lot_by_number(number, item_id)
    except NotFound:
        return False
    return True


def _write(receipt: GoodsReceipt, arrived: Sequence[_Arrived]) -> list[GoodsReceiptLine]:
    """The lines of the paper, their values at the order's price in the site's currency."""
    rows: list[GoodsReceiptLine] = []
    for place, each in enumerate(arrived, 1):
        line = each.schedule_line.line
        quantity = each.said.quantity
        if quantity > 0:
            quantity = catalog.in_base_unit(line.item, Quantity(quantity, line.item.base_unit.code))
        if line.amount > 0:
            rate = receipt.purchase_order.exchange_rate
            each.value = rules.receipt_value(quantity, line.quantity, line.amount, rate)
        rows.append(
            GoodsReceiptLine(
                receipt=receipt,
                sequence=place,
                schedule_line=each.schedule_line,
                asn_line=each.asn_line,
                item=line.item,
                lot=each.lot,
                location_id=each.location,
                quantity=quantity,
                rejected=each.said.rejected,
                announced_quantity=each.announced,
                difference_reason=each.said.difference_reason[:200],
                value=each.value or ZERO,
                inspect=each.inspect,
            )
        )
    entity.insert(rows)
    return rows


def _post(by: Actor, receipt: GoodsReceipt, arrived: Sequence[_Arrived]) -> None:
    """The matter: from the supplier into the house, in the transaction of its paper."""
    source = plant.virtual_locations(receipt.site_id)["supplier"]
    moves = [
        MoveLine(
            each.schedule_line.line.item_id,
            each.said.quantity,
            source,
            each.location,
            None if each.lot is None else each.lot.id,
            each.value,
            receipt.happened_at,
        )
        for each in arrived
        if each.said.quantity > 0 and each.location is not None
    ]
    if moves:
        inventory.post_moves(by, moves=moves, cause=receipt.ref)


def _note_received(arrived: Sequence[_Arrived], *, closes_asn: bool) -> None:
    """Carry the counts into the schedule lines; what a closed notice did not bring is not on its way any more."""
    lines: dict[UUID, ScheduleLine] = {}
    for each in arrived:
        line = lines.setdefault(each.schedule_line.id, each.schedule_line)
        line.received_quantity = rules.check_received(
            line.quantity, line.received_quantity, each.said.quantity, line.line.over_percent
        )
        line.rejected_quantity += each.said.rejected
    for line in lines.values():
        if closes_asn or line.announced_quantity < line.received_quantity:
            line.announced_quantity = line.received_quantity
        line.status = rules.schedule_status(
            line.status, line.quantity, line.confirmed_quantity, line.announced_quantity, line.received_quantity
        )
        line.save()


def _close_asn(by: Actor, asn: Asn, arrived: Sequence[_Arrived], at: datetime) -> None:
    counted: dict[UUID, Decimal] = {}
    for each in arrived:
        if each.asn_line is not None:
            counted[each.asn_line.id] = counted.get(each.asn_line.id, ZERO) + each.said.quantity
            each.asn_line.received_quantity = counted[each.asn_line.id]
    for notice in {each.asn_line.id: each.asn_line for each in arrived if each.asn_line is not None}.values():
        notice.save()
    asn.arrived_at = asn.arrived_at or at
    asn.move_to("closed")
    asn.save()


def _tell(
    receipt: GoodsReceipt,
    order: PurchaseOrder,
    arrived: Sequence[_Arrived],
    rows: Sequence[GoodsReceiptLine],
    expected: Mapping[UUID, date],
) -> None:
    arrived_on = local_date(receipt.happened_at, access.site_zone(receipt.site_id))
    for each, row in zip(arrived, rows, strict=True):
        line = each.schedule_line
        publish(
            GoodsReceived(
                site_id=receipt.site_id,
                goods_receipt_id=receipt.id,
                goods_receipt_line_id=row.id,
                purchase_order_id=order.id,
                schedule_line_id=line.id,
                supplier_id=order.supplier_id,
                item_id=row.item_id,
                location_id=row.location_id,
                quantity=row.quantity,
                rejected=row.rejected,
                open_quantity=line.open_quantity,
                early_days=rules.early_days(expected[line.id], arrived_on),
                inspect=row.inspect and row.quantity > 0,
                happened_at=receipt.happened_at,
                asn_id=receipt.asn_id,
                lot_id=row.lot_id,
                partner_ids=(order.supplier_id,),
            )
        )


@command(when={"status": ("posted",)})
def reverse_receipt(by: Actor, *, receipt: GoodsReceipt, why: str) -> GoodsReceipt:
    """Undo a goods receipt that was a mistake: its goods leave the stock, its notice and deliveries are open again.

    Not when goods of it have been used or moved on, nor after the order was closed.
    """
    if not why.strip():
        raise Invalid("field_missing", field="why")
    order = entity.get(PurchaseOrder, receipt.purchase_order_id, lock=True)
    if order.status not in ("sent", "received"):
        raise Conflict("wrong_status", document=order.label, status=order.status, wanted="sent")
    receipt.move_to("reversed")
    receipt.save()
    rows = list(receipt.lines.order_by("sequence"))
    if any(row.quantity > 0 for row in rows):
        inventory.reverse_moves(by, cause=receipt.ref)
    _reopen(order, receipt, rows)
    settle(order)
    publish(
        GoodsReceiptReversed(
            receipt.site_id,
            receipt.id,
            receipt.supplier_id,
            tuple(dict.fromkeys(row.item_id for row in rows)),
            tuple(dict.fromkeys(row.lot_id for row in rows if row.lot_id is not None)),
            why,
        )
    )
    return receipt


def _reopen(order: PurchaseOrder, receipt: GoodsReceipt, rows: Sequence[GoodsReceiptLine]) -> None:
    """Take the counts back out of the schedule; a notice is announced again, if its goods may still come."""
    schedule = {each.id: each for each in living_schedule(order)}
    for row in rows:
        line = schedule[row.schedule_line_id]
        line.received_quantity -= row.quantity
        line.rejected_quantity -= row.rejected
    for line in {row.schedule_line_id: schedule[row.schedule_line_id] for row in rows}.values():
        line.announced_quantity = line.received_quantity
    if receipt.asn_id is not None:
        asn = entity.get(Asn, receipt.asn_id, lock=True)
        asn.move_to("announced")
        asn.arrived_at = None
        asn.save()
        for notice in asn.lines.all():
            schedule[notice.schedule_line_id].announced_quantity += notice.quantity
            notice.received_quantity = ZERO
            notice.save()
    for line in {row.schedule_line_id: schedule[row.schedule_line_id] for row in rows}.values():
        line.status = rules.schedule_status(
            line.status, line.quantity, line.confirmed_quantity, line.announced_quantity, line.received_quantity
        )
        line.save()
