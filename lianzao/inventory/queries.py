"""What others may ask the ledger. Set-based SQL; nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.foundation import clock
from lianzao.foundation.entity import query
from lianzao.inventory import rules
from lianzao.inventory.genealogy import Trace, trace_back, trace_forward
from lianzao.inventory.models import Balance, Lot, Move
from lianzao.inventory.rules import Pick, Pile
from lianzao.values.errors import NotFound
from lianzao.values.quantity import ZERO
from lianzao.values.reference import Ref

__all__ = [
    "Difference", "OnHand", "Pick", "Pile", "Trace", "available_lots", "available_piles", "balance_at", "lot_by_number",
    "moves_of", "on_hand", "pick_suggestion", "rebuild_balances", "reservation_columns", "stock_columns", "trace_back",
    "trace_forward", "uncovered_columns",
]  # fmt: skip

#: Kinds of locations whose stock counts as on hand; quarantine counts as held, transit as still on its way.
USABLE_KINDS = ["store", "line", "receiving", "shipping"]

#: One row per balance with stock: usable unless in quarantine, or the lot is held, scrapped or expired that local day.
_STOCK = """
SELECT b.site_id, b.item_id, b.lot_id, b.location_id, b.quantity,
       a.location_kind = 'quarantine' OR coalesce(l.status, 'usable') <> 'usable'
       OR coalesce(l.expires_on < (%(at)s::timestamptz AT TIME ZONE s.time_zone)::date, false) AS held
FROM inventory_balance b
JOIN plant_location a ON a.id = b.location_id
JOIN access_site s ON s.id = a.site_id
LEFT JOIN inventory_lot l ON l.id = b.lot_id
WHERE b.site_id = %(site)s AND b.quantity > 0 AND a.location_kind = ANY(%(kinds)s)
"""

ON_HAND = f"""
WITH stock AS ({_STOCK} AND (%(items)s::uuid[] IS NULL OR b.item_id = ANY(%(items)s::uuid[]))),
     pending AS (
    SELECT p.item_id, sum(p.quantity) AS quantity FROM inventory_pending_move p
    WHERE p.site_id = %(site)s AND p.status = 'pending' AND (p.expires_at IS NULL OR p.expires_at > %(at)s::timestamptz)
      AND (%(items)s::uuid[] IS NULL OR p.item_id = ANY(%(items)s::uuid[]))
    GROUP BY p.item_id
), total AS (
    SELECT item_id, coalesce(sum(quantity) FILTER (WHERE NOT held), 0) AS usable,
           coalesce(sum(quantity) FILTER (WHERE held), 0) AS held
    FROM stock GROUP BY item_id
)
SELECT coalesce(t.item_id, p.item_id), coalesce(t.usable, 0), coalesce(t.held, 0), coalesce(p.quantity, 0)
FROM total t FULL JOIN pending p ON p.item_id = t.item_id
"""


@dataclass(frozen=True)
class OnHand:
    """Stock of an item at a site, in its base unit. `available` = usable − set aside − used but not yet covered."""

    item_id: UUID
    usable: Decimal
    held: Decimal
    reserved: Decimal

    @property
    def available(self) -> Decimal:
        """What may still be promised or taken; never below zero."""
        return max(self.usable - self.reserved, ZERO)


def on_hand(site_id: UUID, item_ids: Sequence[UUID] | None = None, at: datetime | None = None) -> dict[UUID, OnHand]:
    """Stock by item: usable and held apart, and what is set aside. Items asked for but never stocked are all zero."""
    rows = query(ON_HAND, _scope(site_id, at) | {"items": None if item_ids is None else list(item_ids)})
    found = {row[0]: OnHand(*row) for row in rows}
    for item_id in item_ids or ():
        found.setdefault(item_id, OnHand(item_id, ZERO, ZERO, ZERO))
    return found


def _scope(site_id: UUID, at: datetime | None) -> dict[str, Any]:
    return {"site": site_id, "at": at or clock.now(), "kinds": [*USABLE_KINDS, "quarantine"]}


STOCK_COLUMNS = (
    f"SELECT item_id, held, sum(quantity) FROM ({_STOCK}) stock GROUP BY item_id, held ORDER BY item_id, held"
)


def stock_columns(site_id: UUID, at: datetime | None = None) -> dict[str, list[Any]]:
    """Stock for planning, as columns: item_id, quantity (base unit), held. One row per item and state."""
    rows = query(STOCK_COLUMNS, _scope(site_id, at))
    return {
        "item_id": [row[0] for row in rows],
        "held": [row[1] for row in rows],
        "quantity": [row[2] for row in rows],
    }


PENDING_COLUMNS = """
SELECT p.item_id, p.quantity, p.source_id, p.cause_kind, p.cause_id, p.due_at
FROM inventory_pending_move p
WHERE p.site_id = %s AND p.status = 'pending' AND p.reason = ANY(%s) AND (p.expires_at IS NULL OR p.expires_at > %s)
ORDER BY p.item_id, p.due_at NULLS LAST, p.id
"""


def _pending_columns(site_id: UUID, reasons: list[str], at: datetime | None) -> dict[str, list[Any]]:
    names = ("item_id", "quantity", "location_id", "cause_kind", "cause_id", "due_at")
    rows = query(PENDING_COLUMNS, [site_id, reasons, at or clock.now()])
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def reservation_columns(site_id: UUID, at: datetime | None = None) -> dict[str, list[Any]]:
    """Stock set aside: item_id, quantity, location_id, cause_kind, cause_id, due_at."""
    return _pending_columns(site_id, ["reservation", "staging"], at)


def uncovered_columns(site_id: UUID, at: datetime | None = None) -> dict[str, list[Any]]:
    """What was used but is not in the books at its location: a demand of now. Columns as reservation_columns."""
    return _pending_columns(site_id, ["uncovered"], at)


PILES = """
SELECT b.item_id, b.lot_id, coalesce(l.number, ''), b.location_id, a.code, l.expires_on, l.made_at, b.quantity,
       b.quantity - set_aside.of_lot, coalesce(array_position(%(locations)s::uuid[], b.location_id), 0),
       set_aside.of_any_lot
FROM inventory_balance b
JOIN plant_location a ON a.id = b.location_id
JOIN access_site s ON s.id = a.site_id
LEFT JOIN inventory_lot l ON l.id = b.lot_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(p.quantity) FILTER (WHERE p.lot_id = b.lot_id), 0) AS of_lot,
           coalesce(sum(p.quantity) FILTER (WHERE p.lot_id IS NULL), 0) AS of_any_lot
    FROM inventory_pending_move p
    WHERE p.item_id = b.item_id AND p.source_id = b.location_id AND p.site_id = b.site_id AND p.status = 'pending'
      AND p.reason <> 'uncovered' AND p.cause_id IS DISTINCT FROM %(mine)s::uuid
      AND (p.expires_at IS NULL OR p.expires_at > %(at)s::timestamptz)
) set_aside
WHERE b.site_id = %(site)s AND b.item_id = ANY(%(items)s::uuid[]) AND b.quantity > 0
  AND (CASE WHEN %(locations)s::uuid[] IS NULL THEN a.location_kind IN ('store', 'line')
            ELSE b.location_id = ANY(%(locations)s::uuid[]) END)
  AND coalesce(l.status, 'usable') = 'usable'
  AND coalesce(l.expires_on >= (%(at)s::timestamptz AT TIME ZONE s.time_zone)::date, true)
"""


def available_piles(
    site_id: UUID,
    item_ids: Sequence[UUID],
    location_ids: Sequence[UUID] | None = None,
    *,
    at: datetime | None = None,
    mine: UUID | None = None,
) -> dict[UUID, list[Pile]]:
    """Usable stock of items in FEFO order, less what is set aside for others (`mine`: whose reservations may be used).

    `location_ids`: where to look, in order of preference; by default every store and line-side location of the site.
    """
    values = {
        "site": site_id,
        "items": list(item_ids),
        "locations": None if location_ids is None else list(location_ids),
        "at": at or clock.now(),
        "mine": mine,
    }
    piles: dict[UUID, list[Pile]] = {item: [] for item in item_ids}
    pooled: dict[UUID, dict[UUID, Decimal]] = {}
    for *pile, of_any_lot in query(PILES, values):
        made = Pile(*pile)
        piles[made.item_id].append(made)
        pooled.setdefault(made.item_id, {})[made.location_id] = of_any_lot
    return {item: rules.set_aside(found, pooled.get(item, {})) for item, found in piles.items()}


def available_lots(
    site_id: UUID,
    item_id: UUID,
    location_ids: Sequence[UUID] | None = None,
    *,
    at: datetime | None = None,
    mine: UUID | None = None,
) -> list[Pile]:
    """Usable stock of one item in FEFO order; `lot_id` is None for an item without lots."""
    return available_piles(site_id, [item_id], location_ids, at=at, mine=mine)[item_id]


def pick_suggestion(
    site_id: UUID,
    item_id: UUID,
    quantity: Decimal,
    location_ids: Sequence[UUID] | None = None,
    *,
    step: Decimal = ZERO,
    at: datetime | None = None,
    mine: UUID | None = None,
) -> tuple[list[Pick], Decimal]:
    """Which lots to take, FEFO, and how much is missing."""
    return rules.pick(available_lots(site_id, item_id, location_ids, at=at, mine=mine), quantity, step)


def balance_at(item_id: UUID, location_id: UUID, lot_id: UUID | None = None) -> Decimal:
    """What the books say stands at a location, of one lot (None: of the item without lot)."""
    found = Balance.objects.filter(item_id=item_id, location_id=location_id)
    found = found.filter(lot__isnull=True) if lot_id is None else found.filter(lot_id=lot_id)
    return found.values_list("quantity", flat=True).first() or ZERO


def lot_by_number(number: str, item_id: UUID | None = None) -> Lot:
    """The lot that carries a number, as scanned. Raises NotFound if there is none, or several and no item is named."""
    found = Lot.objects.filter(number=number.strip())
    if item_id is not None:
        found = found.filter(item_id=item_id)
    lots = list(found.select_related("item")[:2])
    if len(lots) != 1:
        raise NotFound("lot_unknown" if not lots else "lot_ambiguous", lot=number)
    return lots[0]


def moves_of(cause: Ref | UUID, order_id: UUID | None = None) -> list[Move]:
    """The moves of a document in the order they were posted; of one order only, if asked."""
    found = Move.objects.filter(cause_id=cause if isinstance(cause, UUID) else cause.id)
    if order_id is not None:
        found = found.filter(order_id=order_id)
    return list(found.order_by("id"))


DIFFERENCES = """
WITH truth AS (
    SELECT side.item_id, side.lot_id, side.location_id, sum(side.quantity) AS quantity
    FROM (SELECT item_id, lot_id, target_id AS location_id, quantity FROM inventory_move
          UNION ALL
          SELECT item_id, lot_id, source_id, -quantity FROM inventory_move) side
    JOIN plant_location a ON a.id = side.location_id AND NOT a.is_virtual
    GROUP BY side.item_id, side.lot_id, side.location_id
)
SELECT coalesce(t.item_id, b.item_id), coalesce(t.lot_id, b.lot_id), coalesce(t.location_id, b.location_id),
       coalesce(b.quantity, 0), coalesce(t.quantity, 0)
FROM truth t FULL JOIN inventory_balance b
  ON b.item_id = t.item_id AND b.location_id = t.location_id
 AND coalesce(b.lot_id, '00000000-0000-0000-0000-000000000000')
   = coalesce(t.lot_id, '00000000-0000-0000-0000-000000000000')
WHERE coalesce(b.quantity, 0) <> coalesce(t.quantity, 0)
ORDER BY 1, 2, 3
"""


@dataclass(frozen=True)
class Difference:
    """A balance that is not the sum of its moves."""

    item_id: UUID
    lot_id: UUID | None
    location_id: UUID
    balance: Decimal
    moves: Decimal


def rebuild_balances(check: bool = True) -> list[Difference]:
    """Prove the balances: where they differ from the sum of their moves. Repairing is the command of the same name."""
    if not check:
        raise ValueError("repairing is a command: inventory.commands.rebuild_balances")
    return [Difference(*row) for row in query(DIFFERENCES)]


OPEN_PICKS = """
SELECT t.item_id, t.target_id, t.purpose_id, sum(t.quantity - t.picked_quantity)
FROM inventory_pick_task t
WHERE t.site_id = %s AND t.status = 'open' AND t.quantity > t.picked_quantity
GROUP BY t.item_id, t.target_id, t.purpose_id
"""


def open_picks(site_id: UUID) -> dict[tuple[UUID, UUID, UUID], Decimal]:
    """What is on its way inside the house: by item, target location and the document it is fetched for."""
    return {(item, target, purpose): quantity for item, target, purpose, quantity in query(OPEN_PICKS, [site_id])}


LOCATION_STOCK = """
SELECT b.item_id, b.location_id, sum(b.quantity) FROM inventory_balance b
LEFT JOIN inventory_lot l ON l.id = b.lot_id
WHERE b.location_id = ANY(%s::uuid[]) AND b.quantity > 0 AND (l.id IS NULL OR l.status = 'usable')
GROUP BY b.item_id, b.location_id
"""


def stock_at(location_ids: Iterable[UUID]) -> dict[tuple[UUID, UUID], Decimal]:
    """Usable stock by item and location."""
    return {(item, place): quantity for item, place, quantity in query(LOCATION_STOCK, [list(location_ids)])}
