"""The life of one work order, for the benches: five lot-tracked components, made, released, issued, reported.

`python -m tests.bench.life SECONDS WORKER` lives lives for so long on the database of LIANZAO_DATABASE_URL, made ready
by `Shop.build`, and prints how many, as JSON. Each command is an order of its own: four commits. The fifth step of
other systems, receiving the finished goods, is part of the report here, as is the genealogy.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    import django

    django.setup()

from lianzao.access import commands as access
from lianzao.access import passwords
from lianzao.access.models import Role, Site
from lianzao.catalog.models import Item
from lianzao.engineering.commands import (
    ComponentLine,
    OperationLine,
    approve_bom,
    approve_routing,
    enter_bom,
    enter_routing,
)
from lianzao.foundation import registry
from lianzao.foundation.actor import Actor, system_actor
from lianzao.foundation.command import run
from lianzao.inventory import commands as inventory
from lianzao.plant.commands import set_up_site
from lianzao.plant.queries import virtual_location
from lianzao.production import commands as production
from lianzao.production.models import WorkOrderOperation
from lianzao.values.reference import Ref
from lianzao.values.time import uuid7
from project import memory

D = Decimal
SITE = "BENCH"
COMPONENTS = 5
#: So that no bench ever runs out of material.
PLENTY = D(100_000_000)


@dataclass(frozen=True)
class Shop:
    """What the lives need to know: who acts, the items made, one for each worker."""

    by: Actor
    products: list[Item]

    @classmethod
    def build(cls, backflush: Sequence[bool] = (False, False)) -> Shop:
        """A site; for each entry a product with one operation, and its five lot-tracked components.

        They lie in the store, or, where they are deducted by report, at the line.
        """
        registry.load()
        system = system_actor("bench")
        site: Site = run(system, "access.create_site", {"code": SITE, "name": SITE, "time_zone": "Asia/Shanghai"})
        by = system_actor("bench", site=site.id)
        set_up_site(by, site_id=site.id)
        piece = run(by, "catalog.create_unit", {"code": "pc", "name": "件"})
        here = {"site_id": str(site.id)}
        store = run(by, "plant.create_location", {"code": "STORE", "name": "STORE", "location_kind": "store", **here})
        line = run(by, "plant.create_location", {"code": "LINE", "name": "LINE", "location_kind": "line", **here})
        center = run(by, "plant.create_work_center", {
            "code": "WC", "name": "WC", "site_id": str(site.id), "line_location": str(line.id),
            "output_location": str(store.id),
        })  # fmt: skip

        def item(code: str, supply: str, by_report: bool = False) -> Item:
            made: Item = run(by, "catalog.create_item", {
                "code": code, "name": code, "base_unit": str(piece.id), "supply": supply, "tracking": "lot",
            })  # fmt: skip
            run(by, "catalog.create_item_site", {
                "item": str(made.id), "site_id": str(site.id), "standard_cost": "1", "backflush": by_report,
                "store_location_id": str(store.id),
            })  # fmt: skip
            return made

        receipt = Ref("procurement.goods_receipt", uuid7())
        made: list[Item] = []
        for number, by_report in enumerate(backflush):
            components = [item(f"PART-{number}-{each}", "buy", by_report) for each in range(COMPONENTS)]
            for each in components:
                lot = inventory.make_lot(by, item=each, number=f"L-{each.code}", site_id=site.id)
                place = line.id if by_report else store.id
                move = inventory.MoveLine(each.id, PLENTY, virtual_location(site.id, "supplier"), place, lot.id)
                inventory.post_moves(by, moves=[move], cause=receipt)
            product = item(f"PRODUCT-{number}", "make")
            lines = [ComponentLine(component=each, quantity_per=D(1), operation_sequence=10) for each in components]
            approve_bom(by, bom=enter_bom(by, item=product, revision="A", lines=lines))
            steps = [OperationLine(sequence=10, name="make", work_center=center, run_minutes=D(1))]
            approve_routing(by, routing=enter_routing(by, item=product, revision="A", operations=steps))
            made.append(product)
        return cls(by, made)

    @classmethod
    def find(cls) -> Shop:
        """The shop an earlier process built."""
        registry.load()
        site = Site.objects.get(code=SITE)
        return cls(system_actor("bench", site=site.id), list(Item.objects.filter(supply="make").order_by("code")))


def reports_to_make(shop: Shop, count: int) -> dict[str, Any]:
    """A token of somebody who may do everything in production, and operations to report on, each of its own order."""
    system = system_actor("bench")
    person = access.create_person(system, login="measure", name="M", password="Kupfer-Glanz-7431")
    access.assign_role(system, person=person, role=Role.objects.get(code="administrator"))
    secret = passwords.new_token()
    access.issue_token(
        system, name="bench", digest=passwords.digest(secret), rights=["production.*", "catalog.*"],
        expires_at=datetime.now(UTC) + timedelta(days=30), person=person,
    )  # fmt: skip
    operations: list[str] = []
    for _ in range(count):
        order = production.create_work_order(
            shop.by, item=shop.products[0], quantity=PLENTY / 10, due_at=datetime.now(UTC) + timedelta(days=30)
        )
        production.release_work_order(shop.by, work_order=order)
        operations.append(str(WorkOrderOperation.objects.get(work_order_id=order.id).id))
    return {"token": secret, "operations": operations}


def live(shop: Shop, product: Item) -> UUID:
    """One life: create, release, issue all five components, report all pieces into a new lot. Gives the order's id."""
    due = datetime.now(UTC) + timedelta(days=3)
    order = production.create_work_order(shop.by, item=product, quantity=D(10), due_at=due)
    production.release_work_order(shop.by, work_order=order)
    production.issue_material(shop.by, work_order=order)
    operation = WorkOrderOperation.objects.get(work_order_id=order.id)
    production.report_operation(shop.by, operation=operation, good=D(10))
    return order.id


def wait_for_all() -> None:
    """Say that this worker is ready, and begin when whoever started it says that all are."""
    print("ready", flush=True)
    sys.stdin.readline()


def main() -> None:
    """Live lives for the seconds asked; print how many."""
    seconds, worker = float(sys.argv[1]), int(sys.argv[2])
    shop = Shop.find()
    product = shop.products[worker % len(shop.products)]
    live(shop, product)  # imports, plans of statements
    memory.settle()  # as every process of the product does
    wait_for_all()
    count = 0
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        live(shop, product)
        count += 1
    print(json.dumps({"lives": count, "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main()
