"""The product's trace beside the raw recursive query, on the genealogy of tests/bench/genealogy.py; prints JSON.

`python -m tests.bench.trace LOTS`: by turns, backward from what is sold and forward from what was bought, other lots
each time. The raw query walks the same moves by the same indexes and gives the same rows in the same order, with what
people call the things. The product besides nets what was returned, joins what several reports posted, finds suppliers,
customers and what remains, and stops at a circle.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup()

from lianzao.foundation.entity import query  # noqa: E402
from lianzao.inventory.queries import trace_back, trace_forward  # noqa: E402
from tests.bench.genealogy import LEVELS, lot_id  # noqa: E402

ROUNDS, LOTS = 5, 15

#: out and into: the columns in which the production location stands for the lot we come from, and for those we go to.
RAW = """
WITH RECURSIVE walk AS (
    SELECT %(lot)s::uuid AS lot_id, NULL::uuid AS near_lot_id, 0 AS depth, NULL::uuid AS cause_id,
           NULL::numeric AS quantity, NULL::text AS cause_kind, NULL::timestamptz AS at, NULL::uuid AS order_id
    UNION
    SELECT far.lot_id, walk.lot_id, walk.depth + 1, far.cause_id, far.quantity, far.cause_kind, far.happened_at,
           far.order_id
    FROM walk
    JOIN inventory_move near ON near.lot_id = walk.lot_id AND near.{out} = %(production)s
    JOIN inventory_move far ON far.cause_id = near.cause_id AND far.{into} = %(production)s
    WHERE walk.depth < 60
)
SELECT walk.*, l.number, l.supplier_lot, l.status, i.id, i.code, i.name, i.name_en, o.actor_name
FROM walk JOIN inventory_lot l ON l.id = walk.lot_id JOIN catalog_item i ON i.id = l.item_id
LEFT JOIN foundation_order o ON o.id = walk.order_id
ORDER BY walk.depth, i.code, l.number, walk.cause_id
"""
BACK = RAW.format(out="source_id", into="target_id")
FORWARD = RAW.format(out="target_id", into="source_id")


def processor_seconds(backend: int) -> float:
    """What this process and its database backend have used so far."""
    ran = Path(f"/proc/{backend}/schedstat").read_text().split()[0]
    return time.process_time() + int(ran) / 1e9


def main() -> None:
    """Measure."""
    lots = int(sys.argv[1])
    production = query("SELECT id FROM plant_location WHERE location_kind = 'production'")[0][0]
    backend = query("SELECT pg_backend_pid()")[0][0]
    said: dict[str, Any] = {}

    def timed(act: Callable[[UUID], Any], asked: list[UUID]) -> tuple[float, float]:
        """Seconds and processor seconds for each of these lots."""
        began, used = time.perf_counter(), processor_seconds(backend)
        for lot in asked:
            act(lot)
        return (time.perf_counter() - began) / len(asked), (processor_seconds(backend) - used) / len(asked)

    for name, sql, trace, level in (("back", BACK, trace_back, 0), ("forward", FORWARD, trace_forward, LEVELS - 1)):
        asked = [lot_id(level, number * (lots // (LOTS + 1))) for number in range(LOTS)]

        def raw(lot: UUID, sql: str = sql) -> Any:
            return query(sql, {"lot": lot, "production": production})

        for lot in asked:  # once for the disk; and the edges are the same: lot, neighbour, document, quantity
            mine = {(each.lot_id, each.near_lot_id, each.cause_id, each.quantity) for each in trace(lot).edges}
            assert mine == {(row[0], row[1], row[3], row[4]) for row in raw(lot)}
        pairs = [(timed(trace, asked), timed(raw, asked)) for _ in range(ROUNDS)]
        said[name] = {"edges": len(mine), "pairs": pairs}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
