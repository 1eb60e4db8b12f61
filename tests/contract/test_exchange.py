"""What goes out as a file comes in again and changes nothing, for every kind that people may write."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

from django.db import connections, models

from lianzao.access.models import Site
from lianzao.alerts.commands import set_up_watches
from lianzao.foundation import registry
from lianzao.foundation.command import run
from lianzao.foundation.entity import Approvable
from lianzao.foundation.registry import kind_of
from lianzao.foundation.resource import Resource
from lianzao.foundation.transfer import export_rows, import_file
from lianzao.plant.commands import set_up_site
from tests.conftest import close_connections, use_database
from tests.databases import TestGround
from tests.world import House, house

__all__ = ["house"]

registry.load()
WRITABLE = {each.kind: each for each in registry.RESOURCES.values() if each.writable}
#: Kinds whose rows a file names by nothing but our own ids, which another house does not know.
BY_ID = {"plant.calendar_exception"}


def furnish(house: House) -> None:
    """One row at least of every kind that the plant of stories does not have."""
    kilo = house.make("catalog.create_unit", code="kg", name="千克", decimals=3)
    house.make(
        "catalog.create_unit_conversion",
        item=house.item("STEEL").id,
        from_unit=kilo.id,
        to_unit=house.pieces.id,
        factor="0.8",
    )
    house.make("catalog.create_item_group", code="METAL", name="金属")
    house.make("plant.create_area", code="HALL", name="一车间", site_id=house.site_id)
    house.make("plant.create_skill", code="WELD", name="焊接", expires_after_days=365)
    house.make(
        "plant.create_calendar_exception",
        work_center=house.center("CUT").id,
        starts_at="2026-03-07T00:00:00+08:00",
        ends_at="2026-03-08T00:00:00+08:00",
        working=False,
        reason="=盘点",
    )
    house.make("parties.create_contact", party=house.party("MILL").id, name="老王", email="wang@example.com")
    plan = house.make(
        "quality.create_inspection_plan",
        code="IP-1",
        name="来料检验",
        item=house.item("STEEL").id,
        point="receipt",
        sample_pieces=5,
    )
    house.make(
        "quality.create_characteristic",
        plan=plan.id,
        sequence=10,
        name="直径",
        unit="mm",
        target="20.125",
        lower="20",
        upper="20.25",
    )
    house.make("foundation.create_code_rule", entity_kind="sales.sales_order", pattern="S{yy}-{seq:4}")
    house.make("inventory.create_count_policy", site_id=house.site_id, approve_value="500")
    house.make(
        "logistics.create_sscc_range", site_id=house.site_id, company_prefix="6901234", extension=3, next_serial=1
    )
    set_up_watches(house.system)


def exported(house: House, resource: Resource, form: str) -> bytes:
    return export_rows(house.system, resource, {}, form)[0]


def outcome(house: House, kind: str, data: bytes, form: str, *, dry_run: bool) -> dict[str, Any]:
    done = import_file(house.system, kind=kind, data=data, filename=f"it.{form}", dry_run=dry_run)
    told = {"created": done.created, "changed": done.changed, "unchanged": done.unchanged, "rows": done.rows}
    return told | {"errors": [(each.row, each.field, each.code, each.facts) for each in done.errors]}


def in_order() -> Iterator[Resource]:
    """Kinds in an order in which each finds what it refers to."""
    needs: dict[str, set[str]] = {}
    for kind, resource in WRITABLE.items():
        fields = [resource.field(name) for name in resource.writable_names]
        targets = {kind_of(field.related_model) for field in fields if isinstance(field, models.ForeignKey)}  # type: ignore[arg-type]
        plain: dict[str, str] = getattr(resource.model, "REFERENCES", {})
        targets |= {plain[field.name] for field in fields if field.name in plain}
        if any(field.name == "site_id" for field in fields):
            targets.add("access.site")
        needs[kind] = {target for target in targets if target in WRITABLE and target != kind}
    for kind in TopologicalSorter(needs).static_order():
        yield WRITABLE[kind]


def test_what_goes_out_comes_in_again_and_changes_nothing(house: House) -> None:
    furnish(house)
    wrong: list[str] = []
    for kind, resource in WRITABLE.items():
        rows = resource.model._default_manager.count()
        assert rows > 0, f"the plant of stories has no {kind}: add one to furnish()"
        for form in ("csv", "xlsx"):
            told = outcome(house, kind, exported(house, resource, form), form, dry_run=True)
            if told != {"created": 0, "changed": 0, "unchanged": rows, "rows": rows, "errors": []}:
                wrong.append(f"{kind} as {form}: {told}")
    assert wrong == []


def test_what_goes_out_furnishes_an_empty_house(house: House, test_ground: TestGround) -> None:
    furnish(house)
    files = {each.kind: exported(house, each, "csv") for each in in_order() if each.kind not in BY_ID}
    rows = {kind: WRITABLE[kind].model._default_manager.count() for kind in files}
    here, name = str(connections.databases["default"]["NAME"]), test_ground.clone()
    try:
        use_database(test_ground, name)
        for kind, data in files.items():
            first = outcome(house, kind, data, "csv", dry_run=False)
            there = first["unchanged"]
            whole = {"created": rows[kind] - there, "changed": 0, "unchanged": there, "rows": rows[kind], "errors": []}
            assert first == whole, kind
            if kind == "access.site":  # a site brings the places that every site has
                set_up_site(house.system, site_id=Site.objects.get().id)
        for resource in WRITABLE.values():
            if issubclass(resource.model, Approvable):  # no file approves
                for record in resource.model._default_manager.all():
                    run(house.system, f"{resource.room}.approve_{resource.entity}", {resource.entity: record.pk})
        for kind, data in files.items():
            again = outcome(house, kind, data, "csv", dry_run=False)
            whole = {"created": 0, "changed": 0, "unchanged": rows[kind], "rows": rows[kind], "errors": []}
            assert again == whole, kind
    finally:
        close_connections()
        use_database(test_ground, here)
        test_ground.drop(name)
