"""Genealogy, read from the moves: what shares a cause into and out of production belongs together.

A cause's *net* counts: what was issued and returned, or received and reversed, leaves no trace edge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from lianzao.foundation.entity import query

#: Levels a trace goes through at most; UNION drops what is reached twice on a level, so diamonds do not multiply.
MAX_DEPTH = 60

#: Net quantity into (positive) or out of (negative) production, per cause, item and lot; the lateral part of each step.
_NET = """
SELECT m.item_id, m.lot_id,
       sum(CASE WHEN t.location_kind = 'production' THEN m.quantity ELSE -m.quantity END) AS net,
       min(m.happened_at) AS first_at, max(m.happened_at) AS last_at,
       (array_agg(DISTINCT m.order_id))[1:50] AS orders, min(m.cause_kind) AS cause_kind
FROM inventory_move m
JOIN plant_location s ON s.id = m.source_id
JOIN plant_location t ON t.id = m.target_id
WHERE m.cause_id = cause.id AND 'production' IN (s.location_kind, t.location_kind)
  AND 'scrap' NOT IN (s.location_kind, t.location_kind)
GROUP BY m.item_id, m.lot_id
"""

#: Causes through which a lot went, with the sign it had there: -1 it came out of production, +1 it went in.
_CAUSES = """
SELECT m.cause_id AS id
FROM inventory_move m
JOIN plant_location s ON s.id = m.source_id
JOIN plant_location t ON t.id = m.target_id
WHERE m.lot_id = walk.lot_id AND 'production' IN (s.location_kind, t.location_kind)
  AND 'scrap' NOT IN (s.location_kind, t.location_kind)
GROUP BY m.cause_id
HAVING {sign} * sum(CASE WHEN t.location_kind = 'production' THEN m.quantity ELSE -m.quantity END) > 0
"""

WALK = """
WITH RECURSIVE walk AS (
    SELECT %(lot)s::uuid AS lot_id, l.item_id, NULL::uuid AS near_lot_id, 0 AS depth, NULL::uuid AS cause_id,
           NULL::text AS cause_kind, NULL::numeric AS quantity, NULL::timestamptz AS first_at,
           NULL::timestamptz AS last_at, NULL::uuid[] AS orders
    FROM inventory_lot l WHERE l.id = %(lot)s
    UNION
    SELECT net.lot_id, net.item_id, walk.lot_id, walk.depth + 1, cause.id, net.cause_kind, abs(net.net), net.first_at,
           net.last_at, net.orders
    FROM walk
    CROSS JOIN LATERAL ({causes}) cause
    CROSS JOIN LATERAL ({net}) net
    WHERE walk.lot_id IS NOT NULL AND walk.depth < %(depth)s AND {far_sign} * net.net > 0
      AND net.lot_id IS DISTINCT FROM walk.lot_id
), edge AS (
    SELECT DISTINCT ON (lot_id, item_id, near_lot_id, cause_id) * FROM walk
    ORDER BY lot_id, item_id, near_lot_id, cause_id, depth
)
SELECT edge.depth, edge.lot_id, l.number, l.supplier_lot, l.status, edge.item_id, i.code, i.name, i.name_en,
       edge.near_lot_id, edge.cause_kind, edge.cause_id, edge.quantity, edge.first_at, edge.last_at,
       ARRAY(SELECT DISTINCT o.actor_name::text FROM foundation_order o WHERE o.id = ANY(edge.orders) ORDER BY 1),
       coalesce(edge.orders, '{{}}')
FROM edge JOIN catalog_item i ON i.id = edge.item_id LEFT JOIN inventory_lot l ON l.id = edge.lot_id
ORDER BY edge.depth, i.code, l.number, edge.cause_id
"""

#: The lot came out (-1), so those that went in (+1) are what it was made from.
BACK = WALK.format(causes=_CAUSES.format(sign=-1), net=_NET, far_sign=1)
#: The lot went in (+1), so those that came out (-1) are what was made of it.
FORWARD = WALK.format(causes=_CAUSES.format(sign=1), net=_NET, far_sign=-1)

ENDS = """
SELECT m.lot_id, t.location_kind, m.cause_kind, m.cause_id,
       sum(CASE WHEN m.forth THEN m.quantity ELSE -m.quantity END), min(m.happened_at)
FROM (SELECT lot_id, target_id AS end_id, cause_kind, cause_id, quantity, happened_at, true AS forth
      FROM inventory_move WHERE lot_id = ANY(%(lots)s::uuid[])
      UNION ALL
      SELECT lot_id, source_id, cause_kind, cause_id, quantity, happened_at, false
      FROM inventory_move WHERE lot_id = ANY(%(lots)s::uuid[])) m
JOIN plant_location t ON t.id = m.end_id AND t.location_kind IN ('supplier', 'customer')
GROUP BY m.lot_id, t.location_kind, m.cause_kind, m.cause_id
HAVING sum(CASE WHEN m.forth THEN m.quantity ELSE -m.quantity END) <> 0
ORDER BY 6, m.cause_id
"""

REMAINS = """
SELECT b.lot_id, b.location_id, a.code, b.quantity
FROM inventory_balance b JOIN plant_location a ON a.id = b.location_id
WHERE b.lot_id = ANY(%s::uuid[]) AND b.quantity > 0 ORDER BY a.code
"""


@dataclass(frozen=True)
class Edge:
    """One step of a trace: this lot, its neighbour nearer to where the trace began, and the document between them.

    `lot_id` is None for material without lots. `persons` posted the moves; `order_ids` are the orders that did.
    """

    depth: int
    lot_id: UUID | None
    lot_number: str | None
    supplier_lot: str | None
    lot_status: str | None
    item_id: UUID
    item_code: str
    item_name: str
    item_name_en: str
    near_lot_id: UUID | None
    cause_kind: str | None
    cause_id: UUID | None
    quantity: Decimal | None
    first_at: datetime | None
    last_at: datetime | None
    persons: list[str]
    order_ids: list[UUID]


@dataclass(frozen=True)
class TraceEnd:
    """Where a lot entered or left the plant: from a supplier (kind "supplier") or to a customer, by which document."""

    lot_id: UUID
    kind: str
    cause_kind: str
    cause_id: UUID
    quantity: Decimal
    happened_at: datetime


@dataclass(frozen=True)
class Remain:
    """What is still in the plant of a lot of the trace."""

    lot_id: UUID
    location_id: UUID
    location_code: str
    quantity: Decimal


@dataclass(frozen=True)
class Trace:
    """A trace: `edges` (the first, depth 0, is the lot itself), where it came from, whom it reached, what remains."""

    edges: list[Edge]
    came_from: list[TraceEnd] = field(default_factory=list)
    reached: list[TraceEnd] = field(default_factory=list)
    remains: list[Remain] = field(default_factory=list)

    @property
    def lot_ids(self) -> list[UUID]:
        """Every lot of the trace, once."""
        return list(dict.fromkeys(edge.lot_id for edge in self.edges if edge.lot_id is not None))

    @property
    def causes(self) -> list[tuple[str, UUID]]:
        """Every document between lots, once: ask `production.queries.reports_of` for operations and people."""
        found = ((edge.cause_kind, edge.cause_id) for edge in self.edges)
        return list(dict.fromkeys((kind, id) for kind, id in found if kind is not None and id is not None))


def trace_back(lot_id: UUID, depth: int = MAX_DEPTH) -> Trace:
    """What a lot was made from, down to suppliers' lots."""
    return _trace(BACK, lot_id, depth)


def trace_forward(lot_id: UUID, depth: int = MAX_DEPTH) -> Trace:
    """What a lot went into, up to every customer it reached."""
    return _trace(FORWARD, lot_id, depth)


def _trace(sql: str, lot_id: UUID, depth: int) -> Trace:
    edges = [Edge(*row) for row in query(sql, {"lot": lot_id, "depth": depth})]
    lots = list(dict.fromkeys(edge.lot_id for edge in edges if edge.lot_id is not None))
    came_from: list[TraceEnd] = []
    reached: list[TraceEnd] = []
    for lot, kind, cause_kind, cause_id, quantity, at in query(ENDS, {"lots": lots}):
        # Out of the supplier's location is negative: what came from there is told as a positive quantity.
        sign = -1 if kind == "supplier" else 1
        end = TraceEnd(lot, kind, cause_kind, cause_id, sign * quantity, at)
        (came_from if kind == "supplier" else reached).append(end)
    return Trace(edges, came_from, reached, [Remain(*row) for row in query(REMAINS, [lots])])
