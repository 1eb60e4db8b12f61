"""Genealogy, read from the moves: what shares a cause into and out of production belongs together.

A cause's *net* counts: what was issued and returned, or received and reversed, leaves no trace edge. The walk goes
level by level, each lot once however many ways lead to it, so neither diamonds nor a circle make it longer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from lianzao.foundation.entity import query

#: Levels a trace goes through at most.
MAX_DEPTH = 60
#: Edges after which a trace goes no level further: nobody reads more on a page, and a house's water is in everything.
MAX_EDGES = 50_000

PLACES = "SELECT id, location_kind FROM plant_location WHERE location_kind = ANY(%s::text[])"

#: Moves into (positive) or out of (negative) production; what went to scrap, or came back from it, is no genealogy.
_SIGNED = "CASE WHEN m.target_id = ANY(%(production)s::uuid[]) THEN m.quantity ELSE -m.quantity END"
_IN_PRODUCTION = """
(m.source_id = ANY(%(production)s::uuid[]) OR m.target_id = ANY(%(production)s::uuid[]))
      AND NOT (m.source_id = ANY(%(scrap)s::uuid[]) OR m.target_id = ANY(%(scrap)s::uuid[]))
"""

#: One level: where these lots came into the plant or left it (by the place's kind), the documents through which they
#: went one way, and what went through those the other way (kind NULL). Ids come as text: each stands in many rows, and
#: is made an id once.
STEP = f"""
WITH mine AS MATERIALIZED (
    SELECT m.lot_id, m.cause_kind, m.cause_id, m.source_id, m.target_id, m.quantity, m.happened_at
    FROM inventory_move m WHERE m.lot_id = ANY(%(lots)s::uuid[])
), cause AS MATERIALIZED (
    SELECT m.lot_id, m.cause_id FROM mine m WHERE {_IN_PRODUCTION}
    GROUP BY m.lot_id, m.cause_id HAVING %(sign)s * sum({_SIGNED}) > 0
), net AS MATERIALIZED (
    SELECT m.cause_id, m.item_id, m.lot_id, abs(sum({_SIGNED})) AS quantity, min(m.happened_at) AS first_at,
           max(m.happened_at) AS last_at, array_agg(m.order_id) AS orders, min(m.cause_kind) AS cause_kind
    FROM (SELECT DISTINCT cause_id FROM cause) each JOIN inventory_move m ON m.cause_id = each.cause_id
    WHERE {_IN_PRODUCTION}
    GROUP BY m.cause_id, m.item_id, m.lot_id HAVING %(sign)s * sum({_SIGNED}) < 0
)
SELECT NULL, cause.lot_id::text, net.lot_id::text, net.item_id::text, net.cause_kind, net.cause_id::text, net.quantity,
       net.first_at, net.last_at, array_to_string(net.orders[1:50], ',')
FROM cause JOIN net ON net.cause_id = cause.cause_id AND net.lot_id IS DISTINCT FROM cause.lot_id
UNION ALL
SELECT t.location_kind, m.lot_id::text, NULL, NULL, m.cause_kind, m.cause_id::text,
       sum(CASE WHEN m.target_id = t.id THEN m.quantity ELSE -m.quantity END), min(m.happened_at), NULL, NULL
FROM mine m JOIN plant_location t ON t.id IN (m.source_id, m.target_id) AND t.location_kind IN ('supplier', 'customer')
WHERE m.source_id = ANY(%(outside)s::uuid[]) OR m.target_id = ANY(%(outside)s::uuid[])
GROUP BY m.lot_id, t.location_kind, m.cause_kind, m.cause_id
HAVING sum(CASE WHEN m.target_id = t.id THEN m.quantity ELSE -m.quantity END) <> 0
"""

#: The lot came out of production (-1), so what went in is what it was made from; or the other way round.
BACK, FORWARD = -1, 1

LOTS = "SELECT id, item_id, number, supplier_lot, status FROM inventory_lot WHERE id = ANY(%s::uuid[])"
ITEMS = "SELECT id, code, name, name_en FROM catalog_item WHERE id = ANY(%s::uuid[])"
PERSONS = "SELECT id, actor_name FROM foundation_order WHERE id = ANY(%s::uuid[])"

REMAINS = """
SELECT b.lot_id, b.location_id, a.code, b.quantity
FROM inventory_balance b JOIN plant_location a ON a.id = b.location_id
WHERE b.lot_id = ANY(%s::uuid[]) AND b.quantity > 0 ORDER BY a.code
"""


class Edge(NamedTuple):
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
    """A trace: `edges` (the first, depth 0, is the lot itself), where it came from, whom it reached, what remains.

    `whole` is false when it was given up before its end, because there were too many edges or levels.
    """

    edges: list[Edge]
    whole: bool = True
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


def _trace(sign: int, lot_id: UUID, depth: int) -> Trace:
    found = _Walk(sign, lot_id)
    found.go(depth)
    ids = found.ids
    lots = [ids[each] for each in found.seen]
    came_from: list[TraceEnd] = []
    reached: list[TraceEnd] = []
    for kind, lot, _, _, cause_kind, cause, quantity, at, *_ in sorted(found.ends, key=itemgetter(7, 5)):
        # Out of the supplier's location is negative: what came from there is told as a positive quantity.
        amount = -quantity if kind == "supplier" else quantity
        end = TraceEnd(ids[lot], kind, cause_kind, ids[cause], amount, at)
        (came_from if kind == "supplier" else reached).append(end)
    edges = _named(lot_id, lots, found)
    return Trace(edges, found.whole, came_from, reached, [Remain(*row) for row in query(REMAINS, [lots])])


class _Ids(dict[str, UUID]):
    """Ids by their text."""

    def __missing__(self, text: str) -> UUID:
        made = self[text] = UUID(text)
        return made


class _Walk:
    """The rows of STEP with their levels, nearest first, and the lots they lead to."""

    def __init__(self, sign: int, lot_id: UUID) -> None:
        self.edges: list[tuple[int, tuple[Any, ...]]] = []
        self.ends: list[tuple[Any, ...]] = []
        self.seen: dict[str, None] = {str(lot_id): None}
        self.whole = True
        self.ids = _Ids()
        places: dict[str, list[UUID]] = {"production": [], "scrap": [], "supplier": [], "customer": []}
        for id, kind in query(PLACES, [list(places)]):
            places[kind].append(id)
        self._asked = {"sign": sign, "production": places["production"], "scrap": places["scrap"]}
        self._asked["outside"] = places["supplier"] + places["customer"]

    def go(self, depth: int) -> None:
        """Walk so many levels; of the lots of the last one, only where they came from or went to is asked."""
        here = list(self.seen)
        for level in range(1, depth + 2):
            rows = query(STEP, {"lots": here, **self._asked})
            edges = [row for row in rows if row[0] is None]
            self.ends.extend(row for row in rows if row[0] is not None)
            if not edges:
                return
            if level > depth or len(self.edges) >= MAX_EDGES:
                self.whole = False
                return
            self.edges.extend((level, row) for row in edges)
            here = [
                each for each in dict.fromkeys(row[2] for row in edges) if each is not None and each not in self.seen
            ]
            self.seen.update(dict.fromkeys(here))
            if not here:
                return


def _named(lot_id: UUID, lots: list[UUID], found: _Walk) -> list[Edge]:
    """The edges with what people call the things, by level, item, lot and document."""
    ids = found.ids
    lot_facts = _by_id(LOTS, lots)
    own = lot_facts.get(lot_id)
    if own is None:
        return []
    items = _by_id(ITEMS, {own[0], *(ids[each] for each in {row[3] for _, row in found.edges})})
    ordered = {text: [*dict.fromkeys(ids[each] for each in text.split(","))]
               for text in {row[9] for _, row in found.edges}}  # fmt: skip
    persons = _by_id(PERSONS, {id for each in ordered.values() for id in each})
    acted = {text: sorted({persons[id][0] for id in each if id in persons}) for text, each in ordered.items()}
    nothing = (None, None, None, None)
    made: list[tuple[int, str, str, str, Edge]] = []
    for level, (_, near, lot, item, kind, cause, quantity, first_at, last_at, orders) in found.edges:
        item_id, made_lot = ids[item], None if lot is None else ids[lot]
        code, name, name_en = items[item_id]
        _, number, supplier_lot, status = nothing if made_lot is None else lot_facts.get(made_lot, nothing)
        edge = Edge(
            level, made_lot, number, supplier_lot, status, item_id, code, name, name_en, ids[near], kind, ids[cause],
            quantity, first_at, last_at, acted[orders], ordered[orders],
        )  # fmt: skip
        made.append((level, code, number or "", cause, edge))
    made.sort(key=itemgetter(0, 1, 2, 3))
    item_id, number, supplier_lot, status = own
    code, name, name_en = items[item_id]
    root = Edge(
        0,
        lot_id,
        number,
        supplier_lot,
        status,
        item_id,
        code,
        name,
        name_en,
        None,
        None,
        None,
        None,
        None,
        None,
        [],
        [],
    )
    return [root, *(each[-1] for each in made)]


def _by_id(sql: str, ids: Iterable[UUID]) -> dict[UUID, tuple[Any, ...]]:
    return {row[0]: row[1:] for row in query(sql, [list(ids)])}
