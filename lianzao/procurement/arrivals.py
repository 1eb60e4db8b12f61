"""Commands of procurement about when goods come: confirm, change the expected day, announce, change the arrival.

Suppliers act by these same commands as people of their partner; every change of a day is history and, when it matters,
news.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from lianzao.access import queries as access
from lianzao.catalog import queries as catalog
from lianzao.foundation import entity, link, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.outbox import publish
from lianzao.parties import queries as parties
from lianzao.parties.models import Party
from lianzao.procurement import rules
from lianzao.procurement.events import (
    ArrivalAdvanced,
    ArrivalDelayed,
    ScheduleConfirmed,
    ShipmentAnnounced,
    ShipmentWithdrawn,
)
from lianzao.procurement.models import (
    ArrivalChange,
    Asn,
    AsnLine,
    PurchaseOrder,
    SaidBy,
    ScheduleLine,
)
from lianzao.procurement.orders import living_schedule, order_of
from lianzao.values.errors import Conflict, Invalid, RuleBroken
from lianzao.values.quantity import ZERO, Quantity
from lianzao.values.time import local_date


def _check_sent(by: Actor, order: PurchaseOrder) -> None:
    """Only a sent order is the supplier's business, and only his own."""
    scope.check_partner(by, order.supplier_id)
    if order.status != "sent":
        raise Conflict("wrong_status", document=order.label, status=order.status, wanted="sent")


def _said_by(by: Actor, order: PurchaseOrder) -> SaidBy:
    if by.partner is not None:
        return SaidBy.SUPPLIER if by.partner == order.supplier_id else SaidBy.CARRIER
    return SaidBy.SYSTEM if by.kind == "system" else SaidBy.BUYER


def _expect(
    by: Actor,
    order: PurchaseOrder,
    line: ScheduleLine,
    new_on: date,
    reason: str,
    *,
    asn: Asn | None = None,
    old_at: datetime | None = None,
) -> None:
    """Set when a delivery is expected; the change is kept, and told when it matters. The caller saves."""
    old_on, line.expected_on = line.expected_on, new_on
    new_at = None if asn is None else asn.eta_at
    ArrivalChange(
        schedule_line=line,
        asn_id=None if asn is None else asn.id,
        old_on=old_on,
        new_on=new_on,
        new_at=new_at,
        quantity=line.open_quantity,
        reason=reason[:200],
        said_by=_said_by(by, order),
        said_at=by.now,
    ).save()
    matters = rules.delay_matters(old_on, new_on, old_at=old_at, new_at=new_at)
    if matters is None:
        return
    news = ArrivalDelayed if matters == rules.DELAYED else ArrivalAdvanced
    publish(
        news(
            site_id=order.site_id,
            schedule_line_id=line.id,
            purchase_order_id=order.id,
            supplier_id=order.supplier_id,
            item_id=line.line.item_id,
            quantity=line.open_quantity,
            old_on=old_on,
            new_on=new_on,
            days=abs((new_on - old_on).days),
            reason=reason,
            asn_id=None if asn is None else asn.id,
            old_at=old_at,
            new_at=new_at,
            partner_ids=(order.supplier_id,),
        )
    )


def _split(line: ScheduleLine, rest: Decimal) -> ScheduleLine:
    """Take `rest` off a schedule line as a line of its own, which is expected as the whole was."""
    last = line.line.schedule.order_by("-sequence").values_list("sequence", flat=True).first() or 0
    made = ScheduleLine(
        line=line.line,
        sequence=last + 1,
        quantity=rest,
        required_on=line.required_on,
        expected_on=line.expected_on,
    )
    line.quantity -= rest
    return made


@command
def confirm_schedule(
    by: Actor,
    *,
    schedule_line: ScheduleLine,
    confirmed_on: date,
    quantity: Decimal | None = None,
    reason: str = "",
) -> ScheduleLine:
    """Confirm a delivery: the day, and if not all of it comes then, the quantity (base unit).

    The rest becomes a delivery of its own that is still to be confirmed. A day later than expected is a delay, an
    earlier one an advance, and both are told at once.
    """
    order = order_of(schedule_line)
    _check_sent(by, order)
    if schedule_line.status not in ("open", "confirmed"):
        raise Conflict("wrong_status", document=schedule_line.label, status=schedule_line.status, wanted="open")
    confirmed = schedule_line.quantity if quantity is None else _in_steps(schedule_line, quantity)
    rest = rules.check_confirmed(
        schedule_line.quantity, schedule_line.received_quantity, schedule_line.announced_quantity, confirmed
    )
    if rest > 0:
        _split(schedule_line, rest).save()
    schedule_line.confirmed_on, schedule_line.confirmed_quantity = confirmed_on, confirmed
    schedule_line.status = "confirmed"
    _expect(by, order, schedule_line, confirmed_on, reason)
    schedule_line.save()
    publish(
        ScheduleConfirmed(
            order.site_id,
            order.id,
            schedule_line.id,
            order.supplier_id,
            schedule_line.line.item_id,
            confirmed,
            schedule_line.required_on,
            confirmed_on,
            rest > 0,
            (order.supplier_id,),
        )
    )
    return schedule_line


def _in_steps(line: ScheduleLine, quantity: Decimal) -> Decimal:
    item = line.line.item
    return catalog.in_base_unit(item, Quantity(entity.positive(quantity, "quantity"), item.base_unit.code))


@command
def change_expected(by: Actor, *, schedule_line: ScheduleLine, expected_on: date, reason: str) -> ScheduleLine:
    """Say that a delivery not yet on its way will come on another day, and why. The supplier's word stays noted."""
    order = order_of(schedule_line)
    _check_sent(by, order)
    if not reason.strip():
        raise Invalid("field_missing", field="reason")
    if schedule_line.status not in ("open", "confirmed"):
        raise Conflict("wrong_status", document=schedule_line.label, status=schedule_line.status, wanted="confirmed")
    if schedule_line.expected_on != expected_on:
        _expect(by, order, schedule_line, expected_on, reason)
        schedule_line.save()
    return schedule_line


@dataclass(frozen=True)
class AnnouncedLine:
    """What a shipment brings of a delivery (base unit; None: all that is open of it), with its lot as labeled."""

    schedule_line: ScheduleLine
    quantity: Decimal | None = None
    lot_number: str = ""
    made_on: date | None = None
    expires_on: date | None = None
    sscc: str = ""


@command
def announce_shipment(
    by: Actor,
    *,
    purchase_order: PurchaseOrder,
    eta_at: datetime,
    lines: list[AnnouncedLine] | None = None,
    carrier: Party | None = None,
    delivery_note: str = "",
    tracking_number: str = "",
    note: str = "",
) -> Asn:
    """Announce a shipment (发货通知): what is on the way, in which lots, and when it arrives.

    Without lines it brings everything that is open. What it does not bring of a delivery becomes a delivery of its own.
    An arrival later than the expected day is told as a delay, an earlier one as an advance.
    """
    _check_sent(by, purchase_order)
    if carrier is not None:
        parties.check_carrier(carrier)
    schedule = {each.id: each for each in living_schedule(purchase_order)}
    wanted = _announced(schedule, lines)
    asn = Asn(
        supplier=purchase_order.supplier,
        purchase_order=purchase_order,
        site_id=purchase_order.site_id,
        eta_at=eta_at,
        first_eta_at=eta_at,
        carrier=carrier,
        delivery_note=delivery_note,
        tracking_number=tracking_number,
        note=note,
    )
    asn.save()
    eta_on = local_date(eta_at, access.site_zone(asn.site_id))
    totals: dict[ScheduleLine, Decimal] = {}
    for line, quantity, _ in wanted:
        totals[line] = totals.get(line, ZERO) + quantity
    for line, total in totals.items():
        _announce(by, purchase_order, line, total, asn, eta_on)
    entity.insert(
        [
            AsnLine(
                asn=asn,
                sequence=place,
                schedule_line=line,
                quantity=quantity,
                lot_number=said.lot_number,
                made_on=said.made_on,
                expires_on=said.expires_on,
                sscc=said.sscc,
            )
            for place, (line, quantity, said) in enumerate(wanted, 1)
        ]
    )
    link.add(purchase_order, asn, sum(totals.values(), ZERO))
    publish(
        ShipmentAnnounced(
            asn.site_id,
            asn.id,
            purchase_order.id,
            asn.supplier_id,
            asn.number,
            eta_at,
            tuple(dict.fromkeys(line.line.item_id for line in totals)),
            (asn.supplier_id,),
        )
    )
    return asn


def _announced(
    schedule: Mapping[UUID, ScheduleLine], lines: Sequence[AnnouncedLine] | None
) -> list[tuple[ScheduleLine, Decimal, AnnouncedLine]]:
    """What is announced, on the order's own locked lines. Raises what cannot be announced, naming the row."""
    if lines is None:
        lines = [AnnouncedLine(each) for each in schedule.values() if each.status in ("open", "confirmed")]
    if not lines:
        raise Invalid("field_missing", field="lines")
    wanted: list[tuple[ScheduleLine, Decimal, AnnouncedLine]] = []
    for row, said in enumerate(lines, 1):
        line = schedule.get(said.schedule_line.id)
        if line is None:
            raise RuleBroken("line_of_other_order", field="schedule_line", row=row, line=said.schedule_line.label)
        if line.status not in ("open", "confirmed"):
            raise Conflict("wrong_status", document=line.label, status=line.status, wanted="confirmed")
        if said.made_on and said.expires_on and said.expires_on < said.made_on:
            raise Invalid("expires_before_made", field="expires_on", row=row)
        quantity = line.open_quantity if said.quantity is None else _in_steps(line, said.quantity)
        wanted.append((line, quantity, said))
    return wanted


def _announce(by: Actor, order: PurchaseOrder, line: ScheduleLine, total: Decimal, asn: Asn, eta_on: date) -> None:
    """Note what is announced of one schedule line; what is not becomes a line of its own."""
    rules.check_announced(line.quantity, line.announced_quantity, total, line.line.over_percent)
    rest = line.open_quantity - total
    if rest > 0:
        kept = _split(line, rest)
        kept.confirmed_on, kept.status = line.confirmed_on, line.status
        kept.confirmed_quantity = None if line.confirmed_on is None else rest
        line.confirmed_quantity = None if line.confirmed_on is None else line.quantity
        kept.save()
    line.announced_quantity += total
    line.status = "announced"
    _expect(by, order, line, eta_on, "", asn=asn)
    line.save()


@command(when={"status": ("announced",)})
def change_eta(by: Actor, *, asn: Asn, eta_at: datetime, reason: str) -> Asn:
    """Say that a shipment on its way will arrive at another time, and why. Carrier, supplier or we do it."""
    if by.partner not in (None, asn.supplier_id, asn.carrier_id):
        scope.check_partner(by, asn.supplier_id)
    if asn.status != "announced":
        raise Conflict("wrong_status", document=asn.label, status=asn.status, wanted="announced")
    if not reason.strip():
        raise Invalid("field_missing", field="reason")
    if asn.eta_at == eta_at:
        return asn
    old_at, asn.eta_at = asn.eta_at, eta_at
    asn.save()
    order = entity.get(PurchaseOrder, asn.purchase_order_id, lock=True)
    eta_on = local_date(eta_at, access.site_zone(asn.site_id))
    for line in _lines_of(order, asn):
        _expect(by, order, line, eta_on, reason, asn=asn, old_at=old_at)
        line.save()
    return asn


def _lines_of(order: PurchaseOrder, asn: Asn) -> list[ScheduleLine]:
    """The schedule lines a shipment brings, locked."""
    brought = set(asn.lines.values_list("schedule_line_id", flat=True))
    return [each for each in living_schedule(order) if each.id in brought]


@command(when={"status": ("announced",)}, offline=True)
def record_arrival(by: Actor, *, asn: Asn, happened_at: datetime | None = None) -> Asn:
    """Note that a shipment stands at the gate; what it brings is counted when it is received."""
    asn.move_to("arrived")
    asn.arrived_at = happened_at or by.now
    asn.save()
    return asn


@command(when={"status": ("announced", "arrived")})
def withdraw_shipment(by: Actor, *, asn: Asn, why: str) -> Asn:
    """Take back a shipment notice: it was a mistake, or the goods turned round. What it brought is open again."""
    scope.check_partner(by, asn.supplier_id)
    if not why.strip():
        raise Invalid("field_missing", field="why")
    if asn.status == "arrived":
        asn.move_to("announced")
    asn.move_to("withdrawn")
    asn.save()
    order = entity.get(PurchaseOrder, asn.purchase_order_id, lock=True)
    lines = _lines_of(order, asn)
    for line in lines:
        line.announced_quantity = line.received_quantity
        line.status = "open" if line.confirmed_on is None else "confirmed"
        line.save()
    publish(
        ShipmentWithdrawn(
            asn.site_id,
            asn.id,
            order.id,
            asn.supplier_id,
            tuple(dict.fromkeys(line.line.item_id for line in lines)),
            why,
            (asn.supplier_id,),
        )
    )
    return asn
