"""The core of the ledger: three statements post any number of moves, or none of them.

Only commands call it, inside their own transaction. Rows of balances are locked in one fixed order (item, lot,
location) by every writer, so that two of them queue instead of standing in each other's way.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.catalog.models import Item
from lianzao.foundation import audit
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import execute
from lianzao.foundation.outbox import publish
from lianzao.inventory import rules
from lianzao.inventory.events import StockMoved, UncoveredArrived
from lianzao.inventory.models import Lot
from lianzao.plant.models import Location
from lianzao.values.errors import NotFound
from lianzao.values.quantity import round_quantity
from lianzao.values.reference import Ref
from lianzao.values.time import uuid7, uuid7_at


@dataclass(frozen=True)
class MoveLine:
    """One move to post. `value`: total value; by default quantity × standard cost. `happened_at`: now by default."""

    item_id: UUID
    quantity: Decimal
    source_id: UUID
    target_id: UUID
    lot_id: UUID | None = None
    value: Decimal | None = None
    happened_at: datetime | None = None


@dataclass(frozen=True)
class OwnLine(MoveLine):
    """A line only the ledger itself makes, never a caller: what it takes back is not held to the state of its lot.

    `order_id`: the order a move belongs to when another order posts it later; `reverses`: the move that is taken back.
    """

    order_id: UUID | None = None
    reverses: UUID | None = None


def move_line(
    item: Item,
    quantity: Decimal,
    source: Location,
    target: Location,
    lot: Lot | None = None,
    value: Decimal | None = None,
    happened_at: datetime | None = None,
) -> MoveLine:
    """A line from records at hand."""
    return MoveLine(item.id, quantity, source.id, target.id, None if lot is None else lot.id, value, happened_at)


@dataclass(frozen=True)
class Posted:
    """What was posted: ids of the moves, in the order of the lines."""

    move_ids: list[UUID]


#: Called with (site_id, happened_at) of every move before it is posted; a room higher up may refuse by raising.
period_checks: list[Callable[[UUID, datetime], None]] = []

FACTS = """
SELECT i.code, i.tracking, i.step, coalesce(c.standard_cost, 0),
       a.code, a.location_kind, a.site_id, b.code, b.location_kind, b.site_id,
       l.number, l.item_id, l.status,
       coalesce(l.expires_on < (line.happened_at AT TIME ZONE s.time_zone)::date, false),
       p.closed_until,
       EXISTS (SELECT 1 FROM inventory_pending_move w WHERE w.status = 'pending' AND w.reason = 'uncovered'
               AND w.item_id = line.item_id AND w.source_id = line.target_id)
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::timestamptz[]) WITH ORDINALITY
     AS line(item_id, lot_id, source_id, target_id, happened_at, n)
LEFT JOIN catalog_item i ON i.id = line.item_id
LEFT JOIN plant_location a ON a.id = line.source_id
LEFT JOIN plant_location b ON b.id = line.target_id
LEFT JOIN access_site s ON s.id = a.site_id
LEFT JOIN catalog_item_site c ON c.item_id = line.item_id AND c.site_id = a.site_id
LEFT JOIN inventory_lot l ON l.id = line.lot_id
LEFT JOIN inventory_stock_period p ON p.site_id = a.site_id
ORDER BY line.n
"""

INSERT_MOVES = """
INSERT INTO inventory_move (id, site_id, item_id, lot_id, quantity, source_id, target_id, value, happened_at,
                            recorded_at, cause_kind, cause_id, order_id, reverses)
SELECT u.id, u.site_id, u.item_id, u.lot_id, u.quantity, u.source_id, u.target_id, u.value, u.happened_at,
       clock_timestamp(), u.cause_kind, u.cause_id, u.order_id, u.reverses
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::numeric[], %s::uuid[], %s::uuid[], %s::numeric[],
            %s::timestamptz[], %s::text[], %s::uuid[], %s::uuid[], %s::uuid[])
     AS u(id, site_id, item_id, lot_id, quantity, source_id, target_id, value, happened_at, cause_kind, cause_id,
          order_id, reverses)
"""

#: Writes the moves and carries them into the balances: locks every row it will touch in the fixed order, takes what
#: there is, puts what comes, and tells what was missing.
MOVE_AND_CHANGE = f"""
WITH moved AS ({INSERT_MOVES}), change AS MATERIALIZED (
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::numeric[])
        AS u(site_id, item_id, lot_id, location_id, quantity)
), locked AS MATERIALIZED (
    SELECT b.id, change.quantity
    FROM change JOIN inventory_balance b ON b.item_id = change.item_id AND b.location_id = change.location_id
        AND coalesce(b.lot_id, '00000000-0000-0000-0000-000000000000')
          = coalesce(change.lot_id, '00000000-0000-0000-0000-000000000000')
    ORDER BY b.item_id, b.lot_id NULLS FIRST, b.location_id
    FOR NO KEY UPDATE OF b
), taken AS (
    UPDATE inventory_balance b SET quantity = b.quantity + locked.quantity
    FROM locked
    WHERE b.id = locked.id AND locked.quantity < 0 AND b.quantity + locked.quantity >= 0
    RETURNING b.item_id, b.lot_id, b.location_id
), put AS (
    INSERT INTO inventory_balance (id, site_id, item_id, lot_id, location_id, quantity)
    SELECT gen_random_uuid(), site_id, item_id, lot_id, location_id, quantity FROM change WHERE quantity > 0
    ORDER BY item_id, lot_id NULLS FIRST, location_id
    ON CONFLICT (item_id, location_id, coalesce(lot_id, '00000000-0000-0000-0000-000000000000'))
        DO UPDATE SET quantity = inventory_balance.quantity + excluded.quantity
)
SELECT change.item_id, change.lot_id, change.location_id, change.quantity
FROM change LEFT JOIN taken ON taken.item_id = change.item_id AND taken.location_id = change.location_id
    AND taken.lot_id IS NOT DISTINCT FROM change.lot_id
WHERE change.quantity < 0 AND taken.item_id IS NULL
"""

ON_HAND_AT = """
SELECT coalesce(sum(b.quantity), 0) FROM inventory_balance b
WHERE b.item_id = %s AND b.location_id = %s AND b.lot_id IS NOT DISTINCT FROM %s::uuid
"""

SERIALS_TWICE = """
SELECT l.number FROM inventory_balance b JOIN inventory_lot l ON l.id = b.lot_id
WHERE b.lot_id = ANY(%s::uuid[]) GROUP BY l.number HAVING sum(b.quantity) > 1
"""


@dataclass(frozen=True)
class _Known:
    facts: rules.Facts
    line: MoveLine
    awaited: bool


def post(
    by: Actor, lines: Sequence[MoveLine], cause: Ref, causes: Sequence[Ref] | None = None, *, past: bool = False
) -> Posted:
    """Post moves, all or none. `causes`: one for each line when they differ. `past`: ids of the time they happened.

    Raises RuleBroken("stock_short") naming item, lot, location and what is missing; the errors of `rules.check_line`;
    NotFound for an unknown item or location, or one of a site the actor does not see.
    """
    if not lines:
        return Posted([])
    order = audit.must_run()
    known = _facts(by, lines)
    for row, each in enumerate(known, 1):
        rules.check_line(each.facts, by.now, row if len(known) > 1 else None)
        for check in period_checks:
            check(each.facts.source.site_id, each.facts.happened_at)
    ids = [uuid7_past(each.facts.happened_at) if past else uuid7() for each in known]
    locations = _write(known, _rows(order, known, ids, list(causes) if causes is not None else [cause] * len(known)))
    _tell(order, known, cause, locations)
    return Posted(ids)


def _facts(by: Actor, lines: Sequence[MoveLine]) -> list[_Known]:
    """What the rules need to know of every line, with one statement."""
    at = [line.happened_at or by.now for line in lines]
    rows = execute(
        FACTS,
        [
            [line.item_id for line in lines],
            [line.lot_id for line in lines],
            [line.source_id for line in lines],
            [line.target_id for line in lines],
            at,
        ],
    )
    return [_known(by, line, happened_at, row) for line, happened_at, row in zip(lines, at, rows, strict=True)]


def _known(by: Actor, line: MoveLine, happened_at: datetime, row: Sequence[Any]) -> _Known:
    (item, tracking, step, cost, source, source_kind, source_site, target, target_kind, target_site) = row[:10]
    lot_number, lot_item, lot_status, expired, closed_until, awaited = row[10:]
    if item is None:
        raise NotFound("not_found", entity="catalog.item", id=str(line.item_id))
    for code, site, id in ((source, source_site, line.source_id), (target, target_site, line.target_id)):
        if code is None or site not in by.sites:
            raise NotFound("not_found", entity="plant.location", id=str(id))
    if line.lot_id is not None and lot_number is None:
        raise NotFound("not_found", entity="inventory.lot", id=str(line.lot_id))
    facts = rules.Facts(
        item_id=line.item_id,
        item_code=item,
        tracking=tracking,
        step=step,
        standard_cost=cost,
        quantity=line.quantity,
        source=rules.End(line.source_id, source, source_kind, source_site),
        target=rules.End(line.target_id, target, target_kind, target_site),
        happened_at=happened_at,
        lot_id=line.lot_id,
        lot_number=lot_number or "",
        lot_item_id=lot_item,
        lot_status=lot_status or "",
        expired=expired,
        closed_until=closed_until,
        is_reversal=isinstance(line, OwnLine) and line.reverses is not None,
    )
    return _Known(facts, line, awaited)


def uuid7_past(happened_at: datetime) -> UUID:
    """An id of its own with the time of a past move in it, so that it lies and sorts where it belongs."""
    return UUID(int=uuid7_at(happened_at).int | 7 << 76 | 2 << 62 | secrets.randbits(62) | secrets.randbits(12) << 64)


def _rows(
    order: audit.Running, known: Sequence[_Known], ids: Sequence[UUID], causes: Sequence[Ref]
) -> list[tuple[Any, ...]]:
    """The moves as they are written."""
    rows: list[tuple[Any, ...]] = []
    for id, each, cause in zip(ids, known, causes, strict=True):
        facts, line = each.facts, each.line
        value = line.value if line.value is not None else round_quantity(facts.quantity * facts.standard_cost)
        own = line if isinstance(line, OwnLine) else None
        made_by = own.order_id if own is not None and own.order_id is not None else order.id
        site = facts.source.site_id if facts.source.is_real else facts.target.site_id
        rows.append(
            (id, site, facts.item_id, facts.lot_id, facts.quantity, facts.source.id, facts.target.id, value,
             facts.happened_at, cause.kind, cause.id, made_by, own.reverses if own else None)
        )  # fmt: skip
        if facts.lot_id is not None:
            audit.touch("inventory.lot", facts.lot_id)
    for each_cause in set(causes):
        audit.touch(each_cause.kind, each_cause.id)
    return rows


def _write(known: Sequence[_Known], rows: Sequence[tuple[Any, ...]]) -> set[UUID]:
    """Write the moves and carry them into the balances of the real locations, with one statement.

    Returns the locations that changed. Raises stock_short.
    """
    moves = [list(column) for column in zip(*rows, strict=True)]
    facts = [each.facts for each in known]
    net = rules.changes(facts)
    if not net:
        execute(INSERT_MOVES, moves)
        return set()
    site_of = {end.id: end.site_id for each in facts for end in (each.source, each.target)}
    columns: list[list[Any]] = [
        [site_of[location] for _, _, location in net],
        [item for item, _, _ in net],
        [lot for _, lot, _ in net],
        [location for _, _, location in net],
        list(net.values()),
    ]
    missing = execute(MOVE_AND_CHANGE, moves + columns)
    if missing:
        raise rules.stock_short([_short(facts, *row) for row in missing])
    serials = [each.lot_id for each in facts if each.tracking == "serial" and each.lot_id and each.target.is_real]
    if serials:
        twice = execute(SERIALS_TWICE, [serials])
        if twice:
            raise rules.serial_twice(twice[0][0])
    return {location for _, _, location in net}


def _short(facts: Sequence[rules.Facts], item: UUID, lot: UUID | None, location: UUID, change: Decimal) -> rules.Short:
    """What is missing at one place, in words."""
    line = next(each for each in facts if each.item_id == item and each.lot_id == lot and each.source.id == location)
    there = execute(ON_HAND_AT, [item, location, lot])[0][0]
    return rules.Short(line.item_code, line.lot_number, line.source.code, -change - there)


def _tell(order: audit.Running, known: Sequence[_Known], cause: Ref, locations: set[UUID]) -> None:
    """Publish what moved, one piece of news for each site, and where somebody waited for it."""
    by_site: dict[UUID, list[_Known]] = {}
    for each in known:
        facts = each.facts
        for site in {facts.source.site_id, facts.target.site_id}:
            by_site.setdefault(site, []).append(each)
    for site, moved in by_site.items():
        items = tuple(dict.fromkeys(each.facts.item_id for each in moved))
        here = {end.id for each in moved for end in (each.facts.source, each.facts.target) if end.site_id == site}
        publish(StockMoved(site, items, tuple(sorted(here & locations)), cause.kind, cause.id, order.id))
    awaited: dict[tuple[UUID, UUID], set[UUID]] = {}
    for each in known:
        if each.awaited:
            target = each.facts.target
            awaited.setdefault((target.site_id, target.id), set()).add(each.facts.item_id)
    for (site, location), items_there in awaited.items():
        publish(UncoveredArrived(site, location, tuple(sorted(items_there))))
