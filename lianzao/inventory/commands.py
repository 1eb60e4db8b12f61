"""The only writers of the ledger, and its doors: lots are in `lots`, pending moves in `pending`, picks in `picking`."""

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
from lianzao.foundation.entity import execute
from lianzao.foundation.outbox import publish
from lianzao.inventory import queries
from lianzao.inventory.counting import (
    approve_count,
    ask_recount,
    count_found,
    open_count,
    record_count,
    submit_count,
    void_count,
)
from lianzao.inventory.events import PeriodClosed, StockCounted
from lianzao.inventory.history import PastMove, take_history
from lianzao.inventory.ledger import MoveLine, OwnLine, Posted, move_line, post
from lianzao.inventory.lots import hold_lot, make_lot, release_lot, scrap_lot
from lianzao.inventory.models import NO_LOT, Lot, Move, PendingMove, PendingReason, StockPeriod
from lianzao.inventory.pending import (
    cover_all_pending,
    cover_pending,
    expire_reservations,
    make_pending,
    post_pending,
    reserve_stock,
    void_pending,
    void_reservation,
)
from lianzao.inventory.picking import confirm_pick, open_pick_task, void_pick_task
from lianzao.plant.models import Location
from lianzao.plant.queries import virtual_location
from lianzao.values.errors import Invalid, NotFound, RuleBroken
from lianzao.values.quantity import ZERO
from lianzao.values.reference import Ref

__all__ = [
    "MoveLine", "Opening", "PastMove", "Posted", "adjust_stock", "approve_count", "ask_recount", "close_period",
    "confirm_pick", "count_found", "count_stock", "cover_all_pending", "cover_pending", "expire_reservations",
    "hold_lot", "keep_books", "make_lot", "make_pending", "move_line", "move_stock", "open_balance", "open_count",
    "open_pick_task", "post", "post_moves", "post_pending", "rebuild_balances", "record_count", "release_lot",
    "reserve_stock", "return_of", "reverse_moves", "scrap_lot", "submit_count", "take_history", "void_count",
    "void_pending", "void_pick_task", "void_reservation",
]  # fmt: skip


@command(hidden=True)
def post_moves(by: Actor, *, moves: list[MoveLine], cause: Ref) -> Posted:
    """Post moves of stock for a document, all of them or none.

    Every quantity is in the item's base unit. The value is quantity × the site's standard cost unless one is given.
    Refused are: stock that is not there (`stock_short`), a tracked item without its lot, a lot on hold or expired that
    would be used or shipped, a fact in the future or in a closed period.
    """
    return post(by, moves, cause)


TO_REVERSE = """
SELECT m.id, m.item_id, m.lot_id, m.quantity, m.source_id, m.target_id, m.value, m.order_id
FROM inventory_move m
WHERE m.cause_id = %(cause)s AND m.cause_kind = %(kind)s AND m.reverses IS NULL
  AND (%(order)s::uuid IS NULL OR m.order_id = %(order)s::uuid)
  AND NOT EXISTS (SELECT 1 FROM inventory_move r WHERE r.cause_id = m.cause_id AND r.reverses = m.id)
ORDER BY m.id
"""


@command(hidden=True)
def reverse_moves(
    by: Actor, *, cause: Ref, order_id: UUID | None = None, happened_at: datetime | None = None
) -> Posted:
    """Take back the moves of a document by moves the other way round; with `order_id`, those of one order of it only.

    What was taken back already stays so. Raises RuleBroken("nothing_to_reverse") when nothing is left to take back,
    and `stock_short` when the goods have gone elsewhere since.
    """
    # Two reversals of one document must not both find the same moves: a partitioned table cannot have a unique index
    # on anything but its id.
    execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(cause.id)])
    rows = execute(TO_REVERSE, {"cause": cause.id, "kind": cause.kind, "order": order_id})
    if not rows:
        raise RuleBroken("nothing_to_reverse", document=str(cause))
    lines = [
        OwnLine(item, quantity, target, source, lot, value, happened_at, order_id=first_order, reverses=id)
        for id, item, lot, quantity, source, target, value, first_order in rows
    ]
    return post(by, lines, cause)


def return_of(move: Move, quantity: Decimal, happened_at: datetime | None = None) -> MoveLine:
    """A line that brings back part of a move (a return, not a correction)."""
    value = move.value * quantity / move.quantity if move.quantity else ZERO
    return MoveLine(move.item_id, quantity, move.target_id, move.source_id, move.lot_id, value, happened_at)


@command(offline=True)
def move_stock(
    by: Actor,
    *,
    item: Item,
    quantity: Decimal,
    source: Location,
    target: Location,
    lot: Annotated[Lot, READ] | None = None,
    happened_at: datetime | None = None,
) -> Posted:
    """Bring stock from one location to another: put away, stage, set aside in quarantine."""
    if source.is_virtual or target.is_virtual:
        raise Invalid("location_is_virtual", field="source" if source.is_virtual else "target")
    line = move_line(item, quantity, source, target, lot, happened_at=happened_at)
    return post(by, [line], _this_order())


def _this_order() -> Ref:
    """The running order as the cause of its own moves, where no document is."""
    return Ref("foundation.order", audit.must_run().id)


@command
def adjust_stock(
    by: Actor,
    *,
    location: Location,
    item: Item,
    difference: Decimal,
    reason: str,
    lot: Annotated[Lot, READ] | None = None,
    happened_at: datetime | None = None,
) -> Posted:
    """Correct what the books say by a difference, plus or minus. The reason is kept in the audit."""
    if not reason.strip():
        raise Invalid("field_missing", field="reason")
    if difference == 0:
        raise Invalid("quantity_not_positive", field="difference")
    audit.must_run().why = audit.must_run().why or reason
    return post(by, [_correction(location, item, lot, difference, happened_at)], _this_order())


def _correction(
    location: Location, item: Item, lot: Lot | None, difference: Decimal, happened_at: datetime | None
) -> MoveLine:
    """The move between a location and the site's adjustment location that changes the books by a difference."""
    if location.is_virtual:
        raise Invalid("location_is_virtual", field="location")
    other = virtual_location(location.site_id, "adjustment")
    source, target = (other, location.id) if difference > 0 else (location.id, other)
    return MoveLine(item.id, abs(difference), source, target, None if lot is None else lot.id, happened_at=happened_at)


@dataclass(frozen=True)
class Count:
    """What a count found: `difference` = counted − booked."""

    booked: Decimal
    counted: Decimal
    difference: Decimal


LOCK_BALANCE = """
SELECT quantity FROM inventory_balance WHERE item_id = %s AND location_id = %s
AND coalesce(lot_id, '00000000-0000-0000-0000-000000000000') = %s FOR NO KEY UPDATE
"""


@command
def count_stock(
    by: Actor,
    *,
    location: Location,
    item: Item,
    counted: Decimal,
    lot: Annotated[Lot, READ] | None = None,
    reason: str = "",
) -> Count:
    """Say what was counted at a location. A difference is posted as an adjustment, and told.

    A difference needs a reason; a count that agrees does not.
    """
    if counted < 0:
        raise Invalid("must_not_be_negative", field="counted", value=counted)
    if item.tracking != "none" and lot is None:
        raise RuleBroken("lot_needed", field="lot", item=item.code)
    rows = execute(LOCK_BALANCE, [item.id, location.id, NO_LOT if lot is None else lot.id])
    booked = rows[0][0] if rows else ZERO
    difference = counted - booked
    if difference:
        if not reason.strip():
            raise RuleBroken("count_needs_reason", field="reason", item=item.code, booked=booked, counted=counted)
        audit.must_run().why = audit.must_run().why or reason
        post(by, [_correction(location, item, lot, difference, None)], _this_order())
    publish(
        StockCounted(
            location.site_id, item.id, None if lot is None else lot.id, location.id, booked, counted, difference, reason
        )
    )
    return Count(booked, counted, difference)


@dataclass(frozen=True)
class Opening:
    """A quantity that was there before the system was. `value`: total; by default quantity × standard cost."""

    location: Location
    item: Item
    quantity: Decimal
    lot: Annotated[Lot, READ] | None = None
    value: Decimal | None = None


@command
def open_balance(by: Actor, *, lines: list[Opening], happened_at: datetime | None = None) -> Posted:
    """Enter opening stock, when a site starts to use the system."""
    openings = {line.location.site_id: virtual_location(line.location.site_id, "opening") for line in lines}
    moves = [
        MoveLine(
            line.item.id,
            line.quantity,
            openings[line.location.site_id],
            line.location.id,
            None if line.lot is None else line.lot.id,
            line.value,
            happened_at,
        )
        for line in lines
    ]
    return post(by, moves, _this_order())


@command
def close_period(by: Actor, *, site_id: UUID, closed_until: datetime) -> StockPeriod:
    """Close a site's stock period: moves that happened before are refused from now on. It may only go forward."""
    if site_id not in by.sites:
        raise NotFound("not_found", entity="access.site", id=str(site_id))
    if closed_until > by.now:
        raise Invalid("happened_in_future", field="closed_until", happened_at=closed_until)
    period = StockPeriod.objects.select_for_update().filter(site_id=site_id).first() or StockPeriod(site_id=site_id)
    if not period._state.adding and closed_until < period.closed_until:
        raise RuleBroken(
            "period_closed", field="closed_until", happened_at=closed_until, closed_until=period.closed_until
        )
    period.closed_until = closed_until
    period.save()
    publish(PeriodClosed(site_id, closed_until))
    return period


REPAIR = """
INSERT INTO inventory_balance (id, site_id, item_id, lot_id, location_id, quantity)
SELECT gen_random_uuid(), a.site_id, u.item_id, u.lot_id, u.location_id, u.quantity
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::numeric[]) AS u(item_id, lot_id, location_id, quantity)
JOIN plant_location a ON a.id = u.location_id
ON CONFLICT (item_id, location_id, coalesce(lot_id, '00000000-0000-0000-0000-000000000000'))
    DO UPDATE SET quantity = excluded.quantity
"""


@dataclass(frozen=True)
class Rebuilt:
    """How many balances differed from their moves and were set right."""

    differences: Sequence[queries.Difference]


@command
def rebuild_balances(by: Actor) -> Rebuilt:
    """Set every balance to the sum of its moves. Writers wait meanwhile; the differences are kept in the audit."""
    execute("LOCK TABLE inventory_balance IN SHARE ROW EXCLUSIVE MODE")
    found = queries.rebuild_balances()
    if found:
        columns = [
            [each.item_id for each in found],
            [each.lot_id for each in found],
            [each.location_id for each in found],
            [each.moves for each in found],
        ]
        execute(REPAIR, columns)
        for each in found:
            audit.note("inventory.balance", each.location_id, {"quantity": each.balance}, {"quantity": each.moves})
    return Rebuilt(found)


#: Balances of used-up lots say nothing; without them looking for stock stays fast. Locked ones wait for the next time.
DROP_EMPTY = """
DELETE FROM inventory_balance WHERE id IN (
    SELECT id FROM inventory_balance WHERE quantity = 0 AND lot_id IS NOT NULL LIMIT 10000 FOR UPDATE SKIP LOCKED
)
RETURNING 1
"""


@dataclass(frozen=True)
class Kept:
    """What keeping the books in order did."""

    expired: int
    covered: int
    dropped: int


@command(hidden=True)
def keep_books(by: Actor) -> Kept:
    """Free expired reservations, cover what arrived unnoticed, forget empty balances (a job calls this every hour)."""
    expired = expire_reservations(by)
    waiting = PendingMove.objects.filter(status="pending", reason=PendingReason.UNCOVERED)
    sites = [site for site in waiting.order_by().values_list("site_id", flat=True).distinct() if site in by.sites]
    covered = sum(cover_all_pending(by, site_id=site).posted for site in sorted(sites))
    dropped = len(execute(DROP_EMPTY))
    return Kept(expired, covered, dropped)
