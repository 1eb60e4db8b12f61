"""Ten million genealogy edges in a shop built by tests/bench/life.py: lots made of five lots each, eight levels deep.

The moves are such as reports post: for each lot made, five components into production and the lot out of it, with the
work order as their cause. Written by SQL, because ten million reports would take a day.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

LEVELS = 8
#: Which lots of the level below a lot is made of, by their distance. Their sums overlap, as batches in a plant do: six
#: levels down there are 210 different lots, not 15,625.
STEPS = (0, 101, 808, 2727, 6464)

_ID = "(lpad(to_hex({level}::bigint * 100000000 + {number}), 12, '0') || '7{kind}8000000000000000')::uuid"


def lot_id(level: int, number: int) -> UUID:
    """The lot so many levels below what is sold."""
    return UUID(f"{level * 100_000_000 + number:012x}70008000000000000000")


def _lot(level: str, number: str) -> str:
    return _ID.format(level=level, number=number, kind="000")


def build(owner: Any, edges: int) -> int:
    """Write the lots, orders and moves of so many edges on the owner's connection; gives how many lots a level has."""
    lots = edges // ((LEVELS - 1) * len(STEPS))
    site, item, line, production = owner.execute(
        "SELECT s.id, i.id, l.id, p.id FROM access_site s, catalog_item i, plant_location l, plant_location p"
        " WHERE s.code = 'BENCH' AND i.code = 'PRODUCT-0' AND l.code = 'LINE' AND p.location_kind = 'production'"
    ).fetchone()
    indexes = owner.execute(
        "SELECT indexname, replace(indexdef, ' ON ONLY ', ' ON ') FROM pg_indexes"
        " WHERE tablename = 'inventory_move' AND indexname NOT LIKE '%pkey'"
    ).fetchall()
    owner.execute(f"DROP INDEX {', '.join(name for name, _ in indexes)}")
    owner.execute(
        "INSERT INTO inventory_lot (id, version, created_at, updated_at, owner_system, number, status, supplier_lot,"
        f" hold_reason, source_kind, item_id) SELECT {_lot('level', 'n')}, 1, now(), now(), 'lianzao',"
        " 'G' || level || '-' || n, 'released', '', '', '', %s"
        f" FROM generate_series(0, {LEVELS - 1}) level, generate_series(0, {lots - 1}) n",
        [item],
    )
    order = _ID.format(level="level", number="n", kind="bbb")
    owner.execute(
        "INSERT INTO foundation_order (id, command, actor_kind, actor_name, at, recorded_at, why, cause_kind, body,"
        f" answer, changes, touched) SELECT {order}, 'production.report_operation', 'person', 'Person ' || n % 50,"
        " now(), now(), '', '', '{}', '{}', '[]', '{}'"
        f" FROM generate_series(0, {LEVELS - 2}) level, generate_series(0, {lots - 1}) n"
    )
    for level in range(LEVELS - 1):
        cause = _ID.format(level=level, number="n", kind="aaa")
        order = _ID.format(level=level, number="n", kind="bbb")
        parts = _lot(str(level + 1), f"((n + step) %% {lots})")
        owner.execute(
            "INSERT INTO inventory_move (id, site_id, item_id, lot_id, quantity, source_id, target_id, value,"
            " happened_at, recorded_at, cause_kind, cause_id, order_id)"
            " SELECT (lpad(to_hex((extract(epoch FROM date_trunc('month', now())) * 1000)::bigint"
            f" + {level} * 1000000 + n), 12, '0') || '7ccc8' || lpad(place::text, 15, '0'))::uuid,"
            " %(site)s, %(item)s, lot, 1, source, target, 1, now(), now(), 'production.work_order', cause, ordered"
            f" FROM (SELECT n, place, {parts} AS lot, %(line)s::uuid AS source, %(production)s::uuid AS target,"
            f"              {cause} AS cause, {order} AS ordered"
            f"       FROM generate_series(0, {lots - 1}) n,"
            f"            unnest(ARRAY{list(STEPS)}) WITH ORDINALITY AS each(step, place)"
            f"       UNION ALL SELECT n, 0, {_lot(str(level), 'n')}, %(production)s, %(line)s, {cause}, {order}"
            f"       FROM generate_series(0, {lots - 1}) n) m",
            {"site": site, "item": item, "line": line, "production": production},
        )
    owner.execute("SET maintenance_work_mem = '512MB'")
    for _, definition in indexes:
        owner.execute(definition)
    owner.execute("VACUUM ANALYZE inventory_move, inventory_lot, foundation_order")
    return lots
