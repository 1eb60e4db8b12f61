"""Commands of logistics about what happens after packing: dispatch, milestones, proof, return."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from lianzao.foundation import entity
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.outbox import publish
from lianzao.inventory import commands as inventory
from lianzao.inventory.models import PendingMove
from lianzao.logistics.events import MilestoneReached, ShipmentDelivered, ShipmentDispatched, ShipmentReturned
from lianzao.logistics.models import Milestone, MilestoneKind, Shipment, ShipmentLine, ShipmentPick
from lianzao.parties import queries as parties
from lianzao.parties.models import Party
from lianzao.values.errors import Conflict, Invalid


def _shipped(shipment: Shipment) -> list[ShipmentLine]:
    """The lines that really have goods in the shipment."""
    return list(shipment.lines.filter(picked_quantity__gt=0).order_by("sequence"))


@command(when={"status": ("packed",)})
def dispatch_shipment(
    by: Actor,
    *,
    shipment: Shipment,
    carrier: Party | None = None,
    tracking_number: str = "",
    eta_at: datetime | None = None,
) -> Shipment:
    """Dispatch a packed shipment: its goods leave the books for the customer, with the shipment as their cause.

    Without an arrival time it is reckoned from the customer's transit days.
    """
    if carrier is not None:
        parties.check_carrier(carrier)
        shipment.carrier = carrier
    shipment.move_to("dispatched")
    shipment.dispatched_at = by.now
    shipment.tracking_number = tracking_number or shipment.tracking_number
    if eta_at is not None and eta_at < by.now:
        raise Invalid("eta_in_the_past", field="eta_at")
    shipment.eta_at = eta_at or by.now + timedelta(days=shipment.customer.transit_days)
    shipment.save()
    picks = ShipmentPick.objects.filter(line__shipment=shipment).order_by("pk")
    for reservation_id in picks.values_list("reservation_id", flat=True):
        if reservation_id is not None:
            inventory.post_pending(by, pending=entity.get(PendingMove, reservation_id, lock=True))
    lines = _shipped(shipment)
    publish(
        ShipmentDispatched(
            shipment.site_id,
            shipment.id,
            shipment.customer_id,
            shipment.number,
            tuple(line.source_kind for line in lines),
            tuple(line.source_id for line in lines),
            tuple(line.item_id for line in lines),
            tuple(line.picked_quantity for line in lines),
            by.now,
            shipment.eta_at,
            _partners(shipment),
        )
    )
    return shipment


def _partners(shipment: Shipment) -> tuple[UUID, ...]:
    """Whom of the partners a shipment's news is for: the customer and the carrier."""
    return tuple(each for each in (shipment.customer_id, shipment.carrier_id) if each is not None)


@command(when={"status": ("dispatched",)})
def record_milestone(
    by: Actor,
    *,
    shipment: Shipment,
    milestone: MilestoneKind,
    happened_at: datetime | None = None,
    place: str = "",
    eta_at: datetime | None = None,
    note: str = "",
) -> Milestone:
    """Record where a shipment is, and if it is known when it will arrive. The carrier may do it himself."""
    if shipment.status != "dispatched":
        raise Conflict("wrong_status", document=shipment.label, status=shipment.status, wanted="dispatched")
    at = happened_at or by.now
    if at > by.now:
        raise Invalid("happened_in_future", field="happened_at", happened_at=at)
    made = Milestone(shipment=shipment, milestone=milestone, happened_at=at, place=place, eta_at=eta_at, note=note)
    made.save()
    if eta_at is not None:
        shipment.eta_at = eta_at
        shipment.save()
    publish(
        MilestoneReached(
            shipment.site_id,
            shipment.id,
            shipment.customer_id,
            made.milestone,
            place,
            at,
            shipment.eta_at,
            _partners(shipment),
        )
    )
    return made


@command(when={"status": ("dispatched",)}, offline=True)
def record_proof(
    by: Actor, *, shipment: Shipment, receiver: str, happened_at: datetime | None = None, note: str = ""
) -> Shipment:
    """Record the proof of delivery: who signed for the shipment, and when. It closes the shipment."""
    if not receiver.strip():
        raise Invalid("field_missing", field="receiver")
    at = happened_at or by.now
    if at > by.now:
        raise Invalid("happened_in_future", field="happened_at", happened_at=at)
    if shipment.dispatched_at is not None and at < shipment.dispatched_at:
        raise Invalid("before_dispatch", field="happened_at", dispatched_at=shipment.dispatched_at)
    shipment.move_to("delivered")
    shipment.delivered_at, shipment.receiver = at, receiver[:120]
    shipment.note = "\n".join(each for each in (shipment.note, note) if each)
    shipment.save()
    lines = _shipped(shipment)
    publish(
        ShipmentDelivered(
            shipment.site_id,
            shipment.id,
            shipment.customer_id,
            shipment.number,
            tuple(line.source_kind for line in lines),
            tuple(line.source_id for line in lines),
            tuple(line.item_id for line in lines),
            tuple(line.picked_quantity for line in lines),
            receiver,
            at,
            _partners(shipment),
        )
    )
    return shipment


@command(when={"status": ("dispatched",)})
def return_shipment(by: Actor, *, shipment: Shipment, why: str) -> Shipment:
    """Take back a shipment that could not be delivered: its goods are in stock again where they came from."""
    if not why.strip():
        raise Invalid("field_missing", field="why")
    shipment.move_to("returned")
    shipment.save()
    inventory.reverse_moves(by, cause=shipment.ref)
    lines = _shipped(shipment)
    publish(
        ShipmentReturned(
            shipment.site_id,
            shipment.id,
            shipment.customer_id,
            shipment.number,
            tuple(line.source_kind for line in lines),
            tuple(line.source_id for line in lines),
            tuple(line.item_id for line in lines),
            tuple(line.picked_quantity for line in lines),
            why,
            _partners(shipment),
        )
    )
    return shipment
