"""Commands of pick tasks: somebody fetches a quantity from here to there, and confirms it by scan."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from lianzao.catalog.models import Item
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import READ, command
from lianzao.foundation.outbox import publish
from lianzao.inventory import queries, rules
from lianzao.inventory.events import PickTaskDone, PickTaskOpened
from lianzao.inventory.ledger import MoveLine, post
from lianzao.inventory.models import Lot, PendingMove, PickTask
from lianzao.plant.models import Location
from lianzao.values.errors import Invalid, RuleBroken
from lianzao.values.quantity import ZERO
from lianzao.values.reference import Ref


@command
def open_pick_task(
    by: Actor,
    *,
    item: Item,
    quantity: Decimal,
    target: Location,
    purpose: Ref,
    source: Location | None = None,
    lot: Annotated[Lot, READ] | None = None,
    reservation: PendingMove | None = None,
    assignee_id: UUID | None = None,
    due_at: datetime | None = None,
) -> PickTask:
    """Ask for a quantity to be fetched to a location, for a document.

    Without a source, the location with the lot that expires first is taken. `reservation`: the stock set aside for it.
    """
    rules.check_quantity(quantity, item.step, item.code)
    if target.is_virtual:
        raise Invalid("location_is_virtual", field="target")
    if source is None:
        source_id, lot = _first_expiring(by, item, quantity, target, purpose, lot)
    else:
        source_id = source.id
    task = PickTask(
        site_id=target.site_id, purpose_kind=purpose.kind, purpose_id=purpose.id, item=item, lot=lot, quantity=quantity,
        source_id=source_id, target=target, reservation=reservation, assignee_id=assignee_id, due_at=due_at,
    )  # fmt: skip
    task.save()
    publish(PickTaskOpened(task.site_id, task.id, item.id, quantity, purpose.kind, purpose.id, due_at))
    return task


def _first_expiring(
    by: Actor, item: Item, quantity: Decimal, target: Location, purpose: Ref, lot: Lot | None
) -> tuple[UUID, Lot | None]:
    """Where to fetch an item from, FEFO, other than where it shall go. Raises RuleBroken("not_available")."""
    piles = [
        pile
        for pile in queries.available_lots(target.site_id, item.id, at=by.now, mine=purpose.id)
        if pile.location_id != target.id and pile.available > 0 and (lot is None or pile.lot_id == lot.id)
    ]
    if not piles:
        raise RuleBroken("not_available", item=item.code, location="", available=ZERO, missing=quantity)
    first = piles[0]
    # Only a pile that suffices names its lot: otherwise the picker takes what the shelf gives, and scans it.
    if first.available >= quantity and first.lot_id is not None:
        return first.location_id, Lot.objects.get(pk=first.lot_id)
    return first.location_id, lot


@command(when={"status": ("open",)}, offline=True)
def confirm_pick(
    by: Actor,
    *,
    task: PickTask,
    quantity: Decimal,
    lot: Annotated[Lot, READ] | None = None,
    scanned: str = "",
    location: Location | None = None,
    finished: bool = False,
    happened_at: datetime | None = None,
) -> PickTask:
    """Confirm what was picked: quantity, and the lot by scan. A part may be confirmed; the rest stays open.

    `finished`: no more is to be found: the task ends short, and that is told. `scanned`: the lot's number as read.
    """
    status = rules.pick_ends(task.quantity, task.picked_quantity, quantity, finished)
    if task.status != "open":
        task.move_to(status)  # raises wrong_status, naming the state
    chosen = lot
    if scanned:
        chosen = queries.lot_by_number(scanned, task.item_id)
    if chosen is None:
        chosen = task.lot
    elif task.lot_id is not None and chosen.id != task.lot_id:
        raise RuleBroken(
            "wrong_scan", field="scanned", wanted=task.lot.number if task.lot else "", scanned=chosen.number
        )
    if quantity:
        source = task.source_id if location is None else location.id
        lot_id = None if chosen is None else chosen.id
        line = MoveLine(task.item_id, quantity, source, task.target_id, lot_id, happened_at=happened_at)
        post(by, [line], task.ref)
        _use_reservation(task, quantity)
    task.picked_quantity += quantity
    if status != "open":
        _end(by, task, status, happened_at)
    task.save()
    return task


def _use_reservation(task: PickTask, quantity: Decimal) -> None:
    """What was picked is no longer set aside where it stood; it now stands where the document wants it."""
    if task.reservation_id is None:
        return
    reservation = PendingMove.objects.select_for_update().get(pk=task.reservation_id)
    if reservation.status != "pending":
        return
    used = min(quantity, reservation.quantity)
    reservation.quantity -= used
    reservation.posted_quantity += used
    if reservation.quantity == 0:
        reservation.move_to("posted")
    reservation.save()


def _end(by: Actor, task: PickTask, status: str, at: datetime | None = None) -> None:
    task.move_to(status)
    task.done_at = at or by.now
    missing = task.quantity - task.picked_quantity
    publish(
        PickTaskDone(
            task.site_id, task.id, task.item_id, task.picked_quantity, missing, task.purpose_kind, task.purpose_id
        )
    )


@command(when={"status": ("open",)})
def void_pick_task(by: Actor, *, task: PickTask, reason: str = "") -> PickTask:
    """Call a pick off. What was picked already stays where it is now."""
    task.move_to("void")
    task.done_at = by.now
    task.save()
    publish(
        PickTaskDone(
            task.site_id, task.id, task.item_id, task.picked_quantity, task.quantity - task.picked_quantity,
            task.purpose_kind, task.purpose_id,
        )
    )  # fmt: skip
    return task
