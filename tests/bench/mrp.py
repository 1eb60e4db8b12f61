"""A thousand items on three levels, planned from nothing: what tests/bench/test_mrp_speed.py measures.

Two plants. `own`: a hundred items are sold, each made of three assemblies of its own, each made of two bought parts of
its own: a planned order for each of the thousand items. `shared`: a third is sold, each made of four of the next third,
each made of four of the last; every part serves four others, and twice as many orders are planned. One demand for each
item sold.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup()

import psycopg  # noqa: E402

from lianzao.access.models import Site  # noqa: E402
from lianzao.catalog.models import Item  # noqa: E402
from lianzao.engine import solver  # noqa: E402
from lianzao.engineering.commands import ComponentLine, approve_bom, enter_bom  # noqa: E402
from lianzao.foundation import registry  # noqa: E402
from lianzao.foundation.actor import Actor, system_actor  # noqa: E402
from lianzao.foundation.command import run  # noqa: E402
from lianzao.planning.commands import plan_site  # noqa: E402
from lianzao.planning.models import PlanRun, Proposal  # noqa: E402
from lianzao.plant.commands import set_up_site  # noqa: E402
from lianzao.sales import commands as sales  # noqa: E402
from project import memory  # noqa: E402

D = Decimal
ROUNDS = 7
#: Items on each level, and how many of the next level go into one.
PLANTS = {"own": ((100, 300, 600), (3, 2)), "shared": ((334, 333, 333), (4, 4))}


def build(plant: str) -> tuple[Actor, Site]:
    """The plant: items, bills, confirmed orders."""
    registry.load()
    site: Site = run(system_actor("bench"), "access.create_site", {"code": "B", "name": "B", "time_zone": "UTC"})
    by = system_actor("bench", site=site.id)
    set_up_site(by, site_id=site.id)
    piece = run(by, "catalog.create_unit", {"code": "pc", "name": "件"})
    sizes, parts_of = PLANTS[plant]
    levels: list[list[Item]] = []
    for level, size in enumerate(sizes):
        levels.append([])
        for number in range(size):
            item: Item = run(by, "catalog.create_item", {
                "code": f"I{level}-{number:04}", "name": f"件{level}-{number}", "base_unit": str(piece.id),
                "tracking": "none", "supply": "buy" if level == len(sizes) - 1 else "make",
            })  # fmt: skip
            run(by, "catalog.create_item_site", {
                "item": str(item.id), "site_id": str(site.id), "standard_cost": "1", "lead_time_days": 2,
            })  # fmt: skip
            levels[-1].append(item)
    for (above, below), count in zip(itertools.pairwise(levels), parts_of, strict=True):
        for number, item in enumerate(above):
            parts = [below[(number * count + each) % len(below)] for each in range(count)]
            lines = [ComponentLine(component=each, quantity_per=D(1 + at)) for at, each in enumerate(parts)]
            approve_bom(by, bom=enter_bom(by, item=item, revision="A", lines=lines))
    customer = run(by, "parties.create_party", {"code": "C", "name": "客", "is_customer": True})
    today = datetime.now(UTC).date()
    lines = [
        sales.OrderLine(item=item, quantity=D(10 + number % 90), requested_on=today + timedelta(days=30))
        for number, item in enumerate(levels[0])
    ]
    for at in range(0, len(lines), 50):
        order = sales.enter_order(by, customer=customer, lines=lines[at : at + 50], requested_on=today, site=site)
        sales.confirm_order(by, order=order)
    return by, site


def forget() -> None:
    """As if the site had never been planned."""
    with psycopg.connect(os.environ["LIANZAO_OWNER_URL"], autocommit=True) as owner:
        tables = [row[0] for row in owner.execute(
            "SELECT relname FROM pg_class WHERE relname LIKE 'planning!_%' ESCAPE '!' AND relkind = 'r'"
            " AND relname NOT LIKE '%policy%'"
        )]  # fmt: skip
        owner.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
        owner.execute("UPDATE sales_sales_order_line SET projected_at = NULL")
        owner.execute("VACUUM ANALYZE sales_sales_order_line")


def measure(by: Actor, site: Site) -> dict[str, Any]:
    """Seconds and processor seconds of each plan, and how much it wrote."""
    solver.warm()
    memory.settle()  # as the planner's process does
    taken: list[tuple[float, float]] = []
    for _ in range(ROUNDS + 2):
        forget()
        began, used = time.perf_counter(), time.process_time()
        plan_site(by, site=site)
        taken.append((time.perf_counter() - began, time.process_time() - used))
    last = PlanRun.objects.get()
    return {"seconds": [each for each, _ in taken[2:]], "processor": [each for _, each in taken[2:]],
            "proposals": Proposal.objects.count(), "demands": last.demands}  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure(*build(sys.argv[1]))))
