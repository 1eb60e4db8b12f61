"""Commands of pending moves: stock set aside, and issues the stock did not cover yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from lianzao.catalog.models import Item
from lianzao.foundation import audit
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import READ, command
from lianzao.foundation.entity import execute, insert
from lianzao.foundation.outbox import publish
from lianzao.inventory import queries, rules
from lianzao.inventory.events import IssueCovered, IssueUncovered, ReservationVoided, StockReserved
from lianzao.inventory.ledger import MoveLine, OwnLine, Posted, post
from lianzao.inventory.models import Lot, PendingMove, PendingReason
from lianzao.plant.models import Location
from lianzao.plant.queries import virtual_location
from lianzao.values.errors import Invalid, RuleBroken
from lianzao.values.quantity import ZERO
from lianzao.values.reference import Ref

LOCK_PLACE = """
SELECT id FROM inventory_balance WHERE item_id = %s AND location_id = %s
ORDER BY item_id, lot_id NULLS FIRST, location_id FOR NO KEY UPDATE
"""


@command
def reserve_stock(
    by: Actor,
    *,
    item: Item,
    location: Location,
    quantity: Decimal,
    cause: Ref,
    lot: Annotated[Lot, READ] | None = None,
    target: Location | None = None,
    due_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> PendingMove:
    """Set stock aside for a document: nobody else is offered it, until it is posted, freed, or expires.

    `target`: where it will go, the customer by default. Raises RuleBroken("not_available") when the location has less
    that is free, usable and in date.
    """
    rules.check_quantity(quantity, item.step, item.code)
    if location.is_virtual:
        raise Invalid("location_is_virtual", field="location")
    # Two reservations of one place must not both see it free.
    execute(LOCK_PLACE, [item.id, location.id])
    piles = queries.available_lots(location.site_id, item.id, [location.id], at=by.now)
    free = sum((pile.available for pile in piles if lot is None or pile.lot_id == lot.id), ZERO)
    if free < quantity:
        raise RuleBroken(
            "not_available", item=item.code, location=location.code, available=free, missing=quantity - free
        )
    goes = target.id if target is not None else virtual_location(location.site_id, "customer")
    pending = PendingMove(
        site_id=location.site_id, item=item, lot=lot, quantity=quantity, source=location, target_id=goes,
        reason=PendingReason.RESERVATION, cause_kind=cause.kind, cause_id=cause.id, order_id=audit.must_run().id,
        due_at=due_at, expires_at=expires_at,
    )  # fmt: skip
    pending.save()
    audit.touch(cause.kind, cause.id)
    publish(StockReserved(location.site_id, item.id, quantity, cause.kind, cause.id))
    return pending


@command(when={"status": ("pending",)})
def void_reservation(by: Actor, *, reservation: PendingMove) -> PendingMove:
    """Free stock that was set aside."""
    if reservation.reason == PendingReason.UNCOVERED:
        raise RuleBroken("not_a_reservation", document=reservation.label)
    reservation.move_to("void")
    reservation.save()
    publish(
        ReservationVoided(
            reservation.site_id, reservation.item_id, reservation.quantity, reservation.cause_kind, reservation.cause_id
        )
    )
    return reservation


def void_pending(by: Actor, *, cause: Ref, order_id: UUID | None = None, uncovered: bool = True) -> int:
    """Void whatever is pending for a document (of one order of it only, if named). Part of another command.

    `uncovered=False` leaves issues to be covered alone: they are facts, and still have to be booked.
    """
    found = PendingMove.objects.select_for_update().filter(cause_id=cause.id, status="pending").order_by("id")
    if order_id is not None:
        found = found.filter(order_id=order_id)
    if not uncovered:
        found = found.exclude(reason=PendingReason.UNCOVERED)
    voided = list(found)
    for pending in voided:
        pending.move_to("void")
        pending.save()
        if pending.reason != PendingReason.UNCOVERED:
            publish(
                ReservationVoided(
                    pending.site_id, pending.item_id, pending.quantity, pending.cause_kind, pending.cause_id
                )
            )
    return len(voided)


@command(hidden=True)
def expire_reservations(by: Actor) -> int:
    """Free every reservation whose time is over (a job calls this)."""
    found = (
        PendingMove.objects.select_for_update(skip_locked=True)
        .filter(status="pending", expires_at__lte=by.now)
        .exclude(reason=PendingReason.UNCOVERED)
        .order_by("id")
    )
    expired = [pending for pending in found[:500] if pending.site_id in by.sites]
    for pending in expired:
        void_reservation(by, reservation=pending)
    return len(expired)


@command(hidden=True)
def post_pending(
    by: Actor, *, pending: PendingMove, quantity: Decimal | None = None, lot: Annotated[Lot, READ] | None = None
) -> Posted:
    """Post a pending move, in whole or in part. `lot`: which, when the reservation did not say."""
    take = pending.quantity if quantity is None else quantity
    if take > pending.quantity:
        raise Invalid("picked_too_much", field="quantity", wanted=pending.quantity, picked=take)
    if pending.status != "pending":
        pending.move_to("posted")  # raises wrong_status, naming the state
    chosen = pending.lot_id if pending.lot_id is not None else (None if lot is None else lot.id)
    if pending.lot_id is not None and lot is not None and lot.id != pending.lot_id:
        raise RuleBroken("lot_of_other_item", field="lot", lot=lot.number, item=pending.item.code)
    line = OwnLine(pending.item_id, take, pending.source_id, pending.target_id, chosen, order_id=pending.order_id)
    posted = post(by, [line], Ref(pending.cause_kind, pending.cause_id))
    _reduce(pending, take)
    return posted


def _reduce(pending: PendingMove, posted: Decimal) -> None:
    """Write down what of a pending move has become moves."""
    pending.quantity -= posted
    pending.posted_quantity += posted
    if pending.quantity == 0:
        pending.move_to("posted")
    pending.save()


@dataclass(frozen=True)
class Uncovered:
    """A quantity the floor used from a location where the books do not have it."""

    item_id: UUID
    quantity: Decimal
    source_id: UUID
    target_id: UUID
    happened_at: datetime | None = None
    lot_id: UUID | None = None


def make_pending(
    by: Actor, lines: Sequence[Uncovered], cause: Ref, *, site_id: UUID, owner_id: UUID | None
) -> list[PendingMove]:
    """Keep uncovered issues as pending moves with an owner, and tell. Part of another command."""
    order = audit.must_run()
    made = [
        PendingMove(
            site_id=site_id, item_id=line.item_id, lot_id=line.lot_id, quantity=line.quantity,
            source_id=line.source_id, target_id=line.target_id, reason=PendingReason.UNCOVERED, cause_kind=cause.kind,
            cause_id=cause.id, order_id=order.id, owner_id=owner_id, happened_at=line.happened_at, due_at=by.now,
        )
        for line in lines
    ]  # fmt: skip
    insert(made)
    for each in made:
        publish(
            IssueUncovered(
                site_id, each.item_id, each.source_id, each.quantity, cause.kind, cause.id, each.id, owner_id
            )
        )
    return made


@dataclass(frozen=True)
class Covered:
    """How many uncovered issues were posted, and how many still wait."""

    posted: int
    waiting: int


@command
def cover_pending(by: Actor, *, location: Location, items: list[Item]) -> Covered:
    """Post the uncovered issues of a location as far as its stock now suffices, oldest first, lots by FEFO.

    Called by itself when stock arrives there; the line lead may call it by hand after putting the books right.
    """
    waiting = list(
        PendingMove.objects.select_for_update()
        .filter(status="pending", reason=PendingReason.UNCOVERED, source=location, item__in=items)
        .select_related(None)
        .order_by("item_id", "id")
    )
    if not waiting:
        return Covered(0, 0)
    steps = {item.id: item.step for item in items}
    piles = queries.available_piles(location.site_id, list(steps), [location.id], at=by.now)
    lines: list[MoveLine] = []
    causes: list[Ref] = []
    for pending in waiting:
        usable = [pile for pile in piles[pending.item_id] if pending.lot_id in (None, pile.lot_id)]
        picks, _ = rules.pick(usable, pending.quantity, steps[pending.item_id])
        if not picks:
            continue
        piles[pending.item_id] = rules.without(piles[pending.item_id], picks)
        for each in picks:
            lines.append(
                OwnLine(pending.item_id, each.quantity, pending.source_id, pending.target_id, each.pile.lot_id,
                         order_id=pending.order_id)
            )  # fmt: skip
            causes.append(Ref(pending.cause_kind, pending.cause_id))
        covered = sum((each.quantity for each in picks), ZERO)
        _reduce(pending, covered)
        publish(
            IssueCovered(pending.site_id, pending.item_id, covered, pending.cause_kind, pending.cause_id, pending.id)
        )
    if lines:
        post(by, lines, causes[0], causes)
    left = sum(1 for pending in waiting if pending.status == "pending")
    return Covered(len(waiting) - left, left)


@command(hidden=True)
def cover_all_pending(by: Actor, *, site_id: UUID) -> Covered:
    """Try to cover every uncovered issue of a site (a job calls this at night, in case an arrival was missed)."""
    places: dict[UUID, set[UUID]] = {}
    open_rows = PendingMove.objects.filter(site_id=site_id, status="pending", reason=PendingReason.UNCOVERED)
    for source, item in open_rows.values_list("source_id", "item_id").distinct():
        places.setdefault(source, set()).add(item)
    posted = waiting = 0
    for source, items in sorted(places.items()):
        done = cover_pending(by, location=source, items=sorted(items))  # type: ignore[arg-type]
        posted, waiting = posted + done.posted, waiting + done.waiting
    return Covered(posted, waiting)
