"""What stands where, pile by pile: for the enquiry, for putting away, for what to count next. Nothing writes here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.foundation.entity import query
from lianzao.inventory import rules
from lianzao.inventory.models import CountPolicy
from lianzao.inventory.rules import CountWish, Shelf
from lianzao.values.time import uuid7_at

#: Kinds of places goods stand at for good, where they may be put away to and where they are counted.
SHELVES = ("store", "line")


@dataclass(frozen=True)
class Standing:
    """One pile. `free` = may be taken now; what is set aside for papers is `reserved`, what may not be used `held`.

    `why_held`: quarantine, held, scrapped or expired; empty when it may be used.
    """

    item_id: UUID
    lot_id: UUID | None
    lot_number: str
    lot_status: str
    expires_on: date | None
    hold_reason: str
    location_id: UUID
    location_code: str
    location_name: str
    location_name_en: str
    location_kind: str
    quantity: Decimal
    reserved: Decimal
    why_held: str

    @property
    def held(self) -> Decimal:
        """What may not be used."""
        return self.quantity if self.why_held else Decimal(0)

    @property
    def free(self) -> Decimal:
        """What may be taken."""
        return Decimal(0) if self.why_held else max(self.quantity - self.reserved, Decimal(0))


STANDING = """
SELECT b.item_id, b.lot_id, coalesce(l.number, ''), coalesce(l.status, ''), l.expires_on, coalesce(l.hold_reason, ''),
       b.location_id, a.code, a.name, coalesce(a.name_en, ''), a.location_kind, b.quantity,
       set_aside.of_lot, set_aside.of_any_lot,
       CASE WHEN coalesce(l.status, 'usable') <> 'usable' THEN l.status
            WHEN a.location_kind = 'quarantine' THEN 'quarantine'
            WHEN l.expires_on < (%(at)s::timestamptz AT TIME ZONE s.time_zone)::date THEN 'expired' ELSE '' END
FROM inventory_balance b
JOIN plant_location a ON a.id = b.location_id
JOIN access_site s ON s.id = a.site_id
LEFT JOIN inventory_lot l ON l.id = b.lot_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(p.quantity) FILTER (WHERE p.lot_id = b.lot_id), 0) AS of_lot,
           coalesce(sum(p.quantity) FILTER (WHERE p.lot_id IS NULL), 0) AS of_any_lot
    FROM inventory_pending_move p
    WHERE p.item_id = b.item_id AND p.source_id = b.location_id AND p.site_id = b.site_id AND p.status = 'pending'
      AND p.reason <> 'uncovered' AND (p.expires_at IS NULL OR p.expires_at > %(at)s::timestamptz)
) set_aside
WHERE b.site_id = %(site)s AND b.quantity > 0
  AND (%(items)s::uuid[] IS NULL OR b.item_id = ANY(%(items)s::uuid[]))
  AND (%(lots)s::uuid[] IS NULL OR b.lot_id = ANY(%(lots)s::uuid[]))
  AND (%(locations)s::uuid[] IS NULL OR b.location_id = ANY(%(locations)s::uuid[]))
  AND (%(kinds)s::text[] IS NULL OR a.location_kind = ANY(%(kinds)s::text[]))
ORDER BY l.expires_on NULLS LAST, l.made_at NULLS LAST, l.number, a.code, b.id
LIMIT %(most)s
"""


def standing(
    site_id: UUID,
    at: datetime,
    *,
    item_ids: Sequence[UUID] | None = None,
    lot_ids: Sequence[UUID] | None = None,
    location_ids: Sequence[UUID] | None = None,
    kinds: Sequence[str] | None = None,
    most: int = 500,
) -> list[Standing]:
    """The piles of a site, first to expire first. Reservations that name no lot are taken from what goes first."""
    values = {
        "site": site_id,
        "at": at,
        "items": None if item_ids is None else list(item_ids),
        "lots": None if lot_ids is None else list(lot_ids),
        "locations": None if location_ids is None else list(location_ids),
        "kinds": None if kinds is None else list(kinds),
        "most": most,
    }
    found: list[Standing] = []
    pooled: dict[tuple[UUID, UUID], Decimal] = {}
    for *pile, of_lot, of_any_lot, why in query(STANDING, values):
        item, quantity, place = pile[0], pile[11], (pile[0], pile[6])
        left = pooled.setdefault((item, place[1]), of_any_lot)
        reserved = min(of_lot, quantity)
        if left and not why:
            taken = min(left, quantity - reserved)
            pooled[(item, place[1])] = left - taken
            reserved += taken
        found.append(Standing(*pile, reserved=reserved, why_held=why))
    return found


SHELF_SQL = """
SELECT a.id, a.code, coalesce(a.id = h.store_location_id, false),
       coalesce(sum(b.quantity) FILTER (WHERE b.item_id = %(item)s AND b.lot_id = %(lot)s::uuid), 0),
       coalesce(sum(b.quantity) FILTER (WHERE b.item_id = %(item)s), 0),
       count(DISTINCT b.item_id) FILTER (WHERE b.item_id <> %(item)s),
       EXISTS (SELECT 1 FROM inventory_balance o WHERE o.item_id = %(item)s AND o.location_id = a.id)
FROM plant_location a
LEFT JOIN catalog_item_site h ON h.item_id = %(item)s AND h.site_id = a.site_id
LEFT JOIN inventory_balance b ON b.location_id = a.id AND b.quantity > 0
WHERE a.site_id = %(site)s AND a.location_kind = 'store' AND a.retired_at IS NULL AND NOT a.is_virtual
GROUP BY a.id, a.code, h.store_location_id
"""


def shelves(site_id: UUID, item_id: UUID, lot_id: UUID | None = None) -> list[Shelf]:
    """The store's places as putting an item (and lot) away needs to know them."""
    return [Shelf(*row) for row in query(SHELF_SQL, {"site": site_id, "item": item_id, "lot": lot_id})]


def put_away_to(site_id: UUID, item_id: UUID, lot_id: UUID | None = None, most: int = 3) -> list[tuple[Shelf, str]]:
    """Where to put an item (and lot) away, the best first, each with its reason."""
    return rules.put_away_to(shelves(site_id, item_id, lot_id), most)


COUNTABLE_SQL = """
WITH last AS (
    SELECT DISTINCT ON (c.location_id) c.location_id, c.counted_at FROM inventory_count_line c
    JOIN inventory_count_sheet h ON h.id = c.sheet_id AND h.site_id = %(site)s AND h.status = 'booked'
    WHERE c.counted_at IS NOT NULL ORDER BY c.location_id, c.counted_at DESC
), place AS (
    SELECT a.id, last.counted_at, greatest(last.counted_at, %(at)s::timestamptz - interval '30 days') AS since
    FROM plant_location a LEFT JOIN last ON last.location_id = a.id
    WHERE a.site_id = %(site)s AND a.location_kind = ANY(%(kinds)s) AND a.retired_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM inventory_count_sheet o
                      WHERE o.site_id = %(site)s AND o.location_id = a.id AND o.status IN ('open', 'waiting'))
), moved AS (
    SELECT p.id, count(*) AS moves FROM inventory_move m
    CROSS JOIN LATERAL (VALUES (m.source_id), (m.target_id)) side(place)
    JOIN place p ON p.id = side.place AND m.recorded_at > p.since
    WHERE m.site_id = %(site)s AND m.id >= %(first)s
    GROUP BY p.id
)
SELECT p.id,
       (SELECT count(*) FROM inventory_balance b WHERE b.location_id = p.id AND b.quantity > 0),
       extract(day FROM %(at)s::timestamptz - p.counted_at)::int,
       coalesce(moved.moves, 0),
       (SELECT count(*) FROM inventory_pick_task t WHERE t.site_id = %(site)s AND t.source_id = p.id
          AND t.status = 'short' AND t.done_at > p.since),
       (SELECT count(*) FROM inventory_pending_move u WHERE u.site_id = %(site)s AND u.source_id = p.id
          AND u.status = 'pending' AND u.reason = 'uncovered')
FROM place p LEFT JOIN moved ON moved.id = p.id
"""


def count_suggestions(site_id: UUID, at: datetime, most: int = 30) -> list[tuple[CountWish, rules.Countable]]:
    """Which places to count next and why, the most doubtful first; places being counted are left out."""
    policy = CountPolicy.objects.filter(site_id=site_id).first()
    values: dict[str, Any] = {
        "site": site_id,
        "at": at,
        "kinds": list(SHELVES),
        "first": uuid7_at(at - timedelta(days=30)),
    }
    known = {row[0]: rules.Countable(*row) for row in query(COUNTABLE_SQL, values)}
    wishes = rules.count_wishes(known.values(), rules.CYCLE_DAYS if policy is None else policy.cycle_days)
    return [(wish, known[wish.location_id]) for wish in wishes[:most]]
