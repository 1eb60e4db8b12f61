"""Files in and out: what goes out can come in and changes nothing; what is wrong is told row by row."""

from __future__ import annotations

import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from lianzao.access.models import Site
from lianzao.catalog.models import Item, ItemGroup, ItemSite, UnitConversion
from lianzao.engineering.commands import ComponentLine, OperationLine, enter_bom, enter_routing
from lianzao.engineering.models import Bom, BomLine
from lianzao.foundation import audit, registry, scope
from lianzao.foundation.actor import Actor, system_actor
from lianzao.foundation.command import command, run
from lianzao.foundation.entity import ExternalId
from lianzao.foundation.resource import Resource
from lianzao.foundation.transfer import bulk, export_rows, import_file
from lianzao.foundation.transfer.orders import BULK
from lianzao.parties.models import Contact, Party
from lianzao.plant.commands import set_up_site
from lianzao.plant.models import Location
from lianzao.values.errors import Invalid, NotAllowed, NotFound, RuleBroken

pytestmark = pytest.mark.django_db
BY = system_actor("test of transfer")
D = Decimal


@command(hidden=True)
def make_transfer_site(by: Actor, *, code: str) -> Site:
    """Make a site for these tests."""
    site = Site(code=code, name=code, time_zone="Asia/Shanghai")
    site.save()
    return site


@pytest.fixture
def site(db: None) -> UUID:
    registry.load()
    run(BY, "catalog.create_unit", {"code": "pc", "name": "件"})
    run(BY, "catalog.create_unit", {"code": "kg", "name": "千克", "decimals": 3})
    return make_transfer_site(BY, code="SH").id


def bring(kind: str, text: str | bytes, *, dry_run: bool = False, by: Actor = BY, **mapping: Any):
    data = text if isinstance(text, bytes) else text.encode()
    return import_file(by, kind=kind, data=data, filename="file.csv", mapping=mapping or None, dry_run=dry_run)


def told(result: Any) -> list[tuple[int | None, str, str]]:
    return [(error.row, error.field, error.code) for error in result.errors]


ITEMS = "编码,名称,基本单位,来源,最小数量\nA-1,轴,pc,自制,1\nA-2,粉,kg,buy,0.001\n"


def test_new_then_equal_then_changed(site: UUID) -> None:
    first = bring("catalog.item", ITEMS)
    assert (first.rows, first.created, first.changed, first.unchanged, first.errors) == (2, 2, 0, 0, [])
    assert first.mapping["fields"]["base_unit"] == {"column": "基本单位"}
    powder = Item.objects.get(code="A-2")
    assert (powder.supply, powder.step, powder.base_unit.code, powder.version) == ("buy", D("0.001"), "kg", 1)
    again = bring("catalog.item", ITEMS)
    assert (again.created, again.changed, again.unchanged) == (0, 0, 2)
    assert Item.objects.get(code="A-2").version == 1
    changed = bring("catalog.item", ITEMS.replace("轴", "主轴"))
    assert (changed.created, changed.changed, changed.unchanged) == (0, 1, 1)
    shaft = Item.objects.get(code="A-1")
    assert (shaft.name, shaft.version) == ("主轴", 2)
    assert "主轴" in shaft.search_terms
    row = audit.Order.objects.filter(command="foundation.import_file").latest("recorded_at")
    assert row.touched == [shaft.id]
    assert row.changes[0]["before"] == {"name": "轴"}


def test_a_dry_run_says_all_and_writes_nothing(site: UUID) -> None:
    result = bring("catalog.item", ITEMS, dry_run=True)
    assert (result.created, result.dry_run) == (2, True)
    assert not Item.objects.exists()


def test_errors_name_row_field_and_reason_and_stop_everything(site: UUID) -> None:
    bad = (
        "code,name,base_unit,supply,step,shelf_life_days\n"
        "B-1,good,pc,buy,1,\n"
        "B-2,,pc,buy,1,\n"
        "B-3,x,barrel,buy,1,\n"
        "B-4,x,pc,sell,1,\n"
        "B-5,x,pc,buy,a lot,\n"
        "B-1,twice,pc,buy,1,\n"
        ",nameless,pc,buy,1,\n"
        "B-8,x,pc,buy,0,-3\n"
        "B-9,x,pc,buy,0,\n"
        "B-10,x,pc,buy,0.00000012,\n"
    )
    result = bring("catalog.item", bad)
    assert set(told(result)) == {
        (3, "name", "field_missing"),
        (4, "base_unit", "no_such_record"),
        (5, "supply", "not_a_choice"),
        (6, "step", "not_a_number"),
        (7, "code", "row_twice"),
        (8, "code", "field_missing"),
        (9, "shelf_life_days", "too_small"),
        (10, "step", "quantity_not_positive"),
        (11, "step", "too_precise"),
    }
    assert result.created == 0
    assert not Item.objects.exists()
    assert all(error.detail and error.detail != f"error.{error.code}" for error in result.errors), result.errors
    skipped = bring("catalog.item", bad, fields={name: name for name in bad.split("\n")[0].split(",")}, errors="skip")
    assert (skipped.created, skipped.error_count) == (1, 9)
    assert Item.objects.get().code == "B-1"


def test_gb18030_semicolons_and_decimal_commas(site: UUID) -> None:
    text = "编码;名称;基本单位;最小数量\nC-1;齿轮;kg;0,25\nC-2;箱体;pc;1.000,5\n"
    assert bring("catalog.item", text.encode("gb18030")).created == 2
    assert list(Item.objects.order_by("code").values_list("name", "step")) == [
        ("齿轮", D("0.25")),
        ("箱体", D("1000.5")),
    ]


def test_a_mapping_as_data(site: UUID) -> None:
    text = "MATNR,MAKTX,EXTRA,MTART,ME,GEW,DEL\n17,bolt,M8,HAWA,ST,1250,\n18,nut,,FERT,ST,,\n19,old,,FERT,ST,,X\n"
    mapping = {
        "system": "sap",
        "external_key": {"column": "MATNR"},
        "fields": {
            "code": {"column": "MATNR", "transforms": [{"prefix": "M-"}]},
            "name": {"columns": ["MAKTX", "EXTRA"], "transforms": [{"concat": " "}, "upper"]},
            "supply": {"column": "MTART", "map": {"HAWA": "buy", "FERT": "make"}},
            "base_unit": {"column": "ME", "map": {"ST": "pc"}},
            "weight_kg": {"column": "GEW", "transforms": [{"default": "500"}, {"scale": "0.001"}]},
            "tracking": {"value": "lot"},
        },
        "skip_when": [{"column": "DEL", "equals": "X"}],
    }
    assert bring("catalog.item", text, **mapping).created == 2
    bolt = Item.objects.get(code="M-17")
    assert (bolt.name, bolt.supply, bolt.tracking, bolt.weight_kg) == ("BOLT M8", "buy", "lot", D("1.25"))
    assert bolt.owner_system == "sap"
    assert ExternalId.objects.get(system="sap", key="17").entity_id == bolt.id
    assert bring("catalog.item", text, **mapping).unchanged == 2
    renamed = {
        **mapping,
        "fields": {**mapping["fields"], "code": {"column": "MATNR", "transforms": [{"prefix": "N-"}]}},
    }
    assert bring("catalog.item", text, **renamed).changed == 2
    assert Item.objects.get(pk=bolt.pk).code == "N-17"
    lines = "item,site,time\n17,SH,12\n"
    fields = {
        "item": {"column": "item", "lookup": "external"},
        "site_id": {"column": "site"},
        "lead_time_days": {"column": "time"},
    }
    assert bring("catalog.item_site", lines, system="sap", fields=fields).created == 1
    assert ItemSite.objects.get().lead_time_days == 12


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        ({"fields": {"colour": "x"}}, "mapping.fields.colour"),
        ({"fields": {"code": {"column": "编码", "transforms": ["explode"]}}}, "mapping.fields.code.transforms"),
        ({"fields": {"code": {"column": "nowhere"}}}, "mapping.fields.code"),
        ({"fields": {"code": "编码"}, "time_zone": "Mars/Base"}, "mapping.time_zone"),
        ({"fields": {"code": "编码"}, "external_key": "编码"}, "mapping.system"),
        ({"fields": {"name": "名称"}}, "mapping.key"),
        ({"fold": 1}, "mapping.fold"),
    ],
)
def test_a_wrong_mapping_is_refused_by_place(site: UUID, mapping: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        bring("catalog.item", ITEMS, **mapping)
    assert refused.value.field == field


def test_parents_and_parts_in_one_file(site: UUID) -> None:
    bring("catalog.item", "code,name,base_unit,supply\nTOP,t,pc,make\nP1,p,pc,buy\nP2,p,pc,buy\n")
    text = "物料,版次,组件,用量,损耗率（%）\nTOP,A,P1,2,\n,,P2,0.5,10\n"
    text = text.replace("版次", "revision")
    first = bring("engineering.bom", text)
    assert told(first) == []
    assert (first.rows, first.created) == (2, 3)
    bom = Bom.objects.get(code="TOP/A")
    assert list(
        bom.lines.order_by("position").values_list("position", "component__code", "quantity_per", "scrap_percent")
    ) == [
        (10, "P1", D(2), D(0)),
        (20, "P2", D("0.5"), D(10)),
    ]
    again = bring("engineering.bom", text)
    assert (again.created, again.changed, again.unchanged) == (0, 0, 3)
    changed = bring("engineering.bom", text.replace(",2,", ",3,"))
    assert (changed.changed, changed.unchanged) == (1, 2)
    circle = bring("engineering.bom", "item,revision,component,quantity_per\nP1,A,TOP,1\n", dry_run=True)
    assert told(circle) == [(None, "", "bom_circle")]
    run(BY, "engineering.approve_bom", {"bom": str(bom.id)})
    assert told(bring("engineering.bom", text)) == [(2, "", "approved_is_fixed")]
    differs = bring("engineering.bom", "item,revision,base_quantity,component,quantity_per\nP2,B,1,P1,1\nP2,B,2,P1,1\n")
    assert (3, "base_quantity", "differs_within_group") in told(differs)


def test_a_tree_may_name_parents_of_its_own_file(site: UUID) -> None:
    text = "code,name,parent\nG-2,child,G-1\nG-1,root,\nG-3,lost,G-9\n"
    assert told(bring("catalog.item_group", text)) == [(4, "parent", "no_such_record")]
    assert bring("catalog.item_group", text.replace("G-9", "G-2")).created == 3
    assert ItemGroup.objects.get(parent__parent__code="G-1").code == "G-3"
    assert bring("catalog.item_group", text.replace("G-9", "G-2")).unchanged == 3


def test_rights_and_sites(site: UUID) -> None:
    other = make_transfer_site(BY, code="SZ").id
    clerk = Actor(
        id=None,
        name="clerk",
        sites=frozenset({site}),
        rights=frozenset(
            {"foundation.import_file", "plant.view_location", "plant.create_location", "access.view_site"}
        ),
    )
    text = "code,name,site_id\nL1,x,SH\n"
    assert bring("plant.location", text, by=clerk).created == 1
    foreign = bring("plant.location", "code,name,site_id\nL2,x,SZ\n", by=clerk)
    assert told(foreign)[0][2] in ("foreign_site", "no_such_record")
    run(BY, "plant.create_location", {"code": "L9", "name": "x", "site_id": str(other)})
    assert told(bring("plant.location", "code,name,site_id\nL9,mine,SH\n", by=clerk)) == [(2, "code", "already_taken")]
    with pytest.raises(NotAllowed):
        bring("plant.location", text.replace("x", "y"), by=clerk)  # may make, not change
    with pytest.raises(NotAllowed):
        bring("catalog.item", ITEMS, by=clerk)
    with pytest.raises(NotFound):
        bring("catalog.nothing", ITEMS)


def test_a_command_takes_one_order_for_each_group(site: UUID) -> None:
    bring("catalog.item", "code,name,base_unit,supply\nTOP,t,pc,make\nP1,p,pc,buy\nP2,p,pc,buy\n")
    text = "nr,item,revision,component,quantity_per\n1,TOP,A,P1,1\n1,TOP,A,P2,2\n2,P2,A,P1,0\n"
    mapping = {
        "key": ["nr"],
        "fields": {"item": "item", "revision": "revision"},
        "parts": {"lines": {"component": "component", "quantity_per": "quantity_per"}},
    }
    stopped = bring("engineering.enter_bom", text, **mapping)
    assert told(stopped) == [(4, "quantity_per", "quantity_not_positive")]
    assert not Bom.objects.exists()
    good = text.replace(",0\n", ",4\n")
    assert bring("engineering.enter_bom", good, **mapping).created == 2
    assert BomLine.objects.count() == 3
    assert bring("engineering.enter_bom", good, **mapping).unchanged == 2


@dataclass(frozen=True)
class PastMove:
    """A row of history for the test of the bulk hook."""

    item: Item
    quantity: Decimal


def test_bulk_history_is_one_order_and_known_again(site: UUID) -> None:
    bring("catalog.item", ITEMS)
    taken: list[Any] = []

    def take(by: Actor, rows: Any) -> int:
        for place, row in enumerate(rows, start=1):
            if row.quantity <= 0:
                raise RuleBroken("quantity_not_positive", field="quantity", row=place)
        taken.extend(rows)
        return len(rows)

    bulk("catalog.past_move", PastMove, right="catalog.create_item")(take)
    try:
        text = "item,quantity\nA-1,3\nA-2,0\n"
        assert told(bring("catalog.past_move", text)) == [(3, "quantity", "quantity_not_positive")]
        assert told(bring("catalog.past_move", "item,quantity\nA-9,3\n")) == [(2, "item", "no_such_record")]
        good = bring("catalog.past_move", text.replace(",0", ",7"))
        assert (good.created, [row.quantity for row in taken]) == (2, [D(3), D(7)])
        again = bring("catalog.past_move", text.replace(",0", ",7"))
        assert (again.created, again.unchanged, again.repeated, len(taken)) == (0, 2, True, 2)
    finally:
        del BULK["catalog.past_move"]


# -- what goes out can come in -----------------------------------------------------------------------------------------


def fill(site: UUID) -> None:
    """Records of all kinds of these rooms, with values that are awkward in files."""
    set_up_site(BY, site_id=site)
    bring("catalog.item", "code,name,base_unit,supply\nTOP,t,pc,make\nP1,p,pc,buy\n")
    awkward = {"code": "=1+1", "name": 'a "quoted", 名称\nsecond line', "name_en": "-5", "base_unit": str(_unit("pc"))}
    run(
        BY,
        "catalog.create_item",
        {**awkward, "note": "'=cmd|' /C calc'!A0", "step": "0.000001", "weight_kg": "1234567.125"},
    )
    top, part = Item.objects.get(code="TOP"), Item.objects.get(code="P1")
    store = run(BY, "plant.create_location", {"code": "ST", "name": "仓", "site_id": str(site)})
    run(
        BY,
        "catalog.create_item_site",
        {"item": str(top.id), "site_id": str(site), "store_location_id": str(store.id), "standard_cost": "3.141592"},
    )
    run(BY, "catalog.create_item_group", {"code": "001", "name": "group"})
    run(BY, "catalog.create_unit_conversion", _conversion(top))
    run(BY, "catalog.create_unit_conversion", _conversion(None))
    party = run(BY, "parties.create_party", {"code": "S", "name": "+甲", "is_supplier": True, "phone": "+86 21 5555"})
    run(BY, "parties.create_contact", {"party": str(party.id), "name": "@li"})
    calendar = run(BY, "plant.create_calendar", {"code": "C", "name": "周"})
    run(
        BY, "plant.create_shift", {"calendar": str(calendar.id), "weekday": 1, "starts_at": "22:00", "ends_at": "06:00"}
    )
    center = run(
        BY, "plant.create_work_center", {"code": "W", "name": "W", "site_id": str(site), "calendar": str(calendar.id)}
    )
    run(BY, "plant.create_machine", {"code": "M", "name": "M", "work_center": str(center.id)})
    run(BY, "plant.create_area", {"code": "AR", "name": "AR", "site_id": str(site)})
    run(BY, "plant.create_skill", {"code": "SK", "name": "SK"})
    run(
        BY,
        "plant.close_hours",
        {"work_center": str(center.id), "starts_at": "2026-03-01T00:00:00Z", "ends_at": "2026-03-02T00:00:00.5Z"},
    )
    enter_bom(BY, item=top, revision="A", lines=[ComponentLine(part, D("0.333333"), D("2.5"))], approve=True)
    enter_routing(BY, item=top, revision="A", operations=[OperationLine(10, "车", center, run_minutes=D("0.1"))])


def _unit(code: str) -> UUID:
    from lianzao.catalog.models import Unit

    return Unit.objects.get(code=code).id


def _conversion(item: Item | None) -> dict[str, Any]:
    return {
        "item": str(item.id) if item else None,
        "from_unit": str(_unit("kg")),
        "to_unit": str(_unit("pc")),
        "factor": "0.333333333333",
    }


OWN = ("parties.", "catalog.", "plant.", "engineering.", "access.site", "foundation.")


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_what_goes_out_can_come_in_and_changes_nothing(site: UUID, form: str, language: str) -> None:
    fill(site)
    by = Actor(**{**BY.__dict__, "language": language, "memory": {}})
    seen = []
    for resource in list(registry.RESOURCES.values()):
        rows = scope.visible(by, resource.model).count()
        if not resource.kind.startswith(OWN) or not rows:
            continue
        before = state(resource)
        data, _ = export_rows(by, resource, {}, form)
        if not resource.writable_names:
            with pytest.raises(NotFound, match="no_such_kind"):
                bring(resource.kind, data, by=by)
            continue
        result = bring(resource.kind, data, by=by)
        assert told(result) == [], resource.kind
        assert (result.unchanged, result.created, result.changed) == (rows, 0, 0), resource.kind
        assert state(resource) == before, resource.kind
        seen.append(resource.kind)
    assert len(seen) >= 17


def test_what_goes_out_makes_the_same_again(site: UUID) -> None:
    """Export, remove, import: the same rows are there, but for their ids."""
    fill(site)
    for model in (Contact, UnitConversion, ItemSite):
        resource = registry.RESOURCES[registry.kind_of(model)]
        data, _ = export_rows(BY, resource, {}, "csv")
        before = plain(resource)
        with connection.cursor() as cursor:
            cursor.execute(f'DELETE FROM "{model._meta.db_table}"')
        result = bring(resource.kind, data)
        assert told(result) == []
        assert plain(resource) == before


def test_an_export_hides_what_the_actor_may_not_read(site: UUID) -> None:
    fill(site)
    resource = registry.RESOURCES["catalog.item_site"]
    clerk = Actor(id=None, name="c", sites=frozenset({site}), rights=frozenset({"catalog.view_item_site"}))
    assert "3.141592" in export_rows(BY, resource, {}, "csv")[0].decode()
    assert "3.141592" not in export_rows(clerk, resource, {}, "csv")[0].decode()
    assert export_rows(clerk, resource, {}, "csv")[0].startswith(b"\xef\xbb\xbf")
    assert not export_rows(clerk, resource, {"bom": "0"}, "csv")[0].startswith(b"\xef\xbb\xbf")


def test_no_cell_of_an_export_is_a_formula(site: UUID) -> None:
    import csv
    import io

    from openpyxl import load_workbook

    fill(site)
    for kind in ("catalog.item", "parties.party", "parties.contact"):
        resource = registry.RESOURCES[kind]
        text = export_rows(BY, resource, {}, "csv")[0].decode("utf-8-sig")
        cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
        assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t")]
        page = load_workbook(io.BytesIO(export_rows(BY, resource, {}, "xlsx")[0])).worksheets[0]
        assert not [cell for row in page.iter_rows() for cell in row if cell.data_type == "f"]


def state(resource: Resource) -> list[Any]:
    return list(resource.model._default_manager.order_by("pk").values())


def plain(resource: Resource) -> list[Any]:
    names = [resource.field(name).attname for name in resource.writable_names]
    return sorted(map(str, resource.model._default_manager.values(*names)))


def test_thousands_of_rows_in_a_second(site: UUID) -> None:
    count = 6_000
    lines = [f"X-{number},深沟球轴承{number},pc,buy,1\n" for number in range(count)]
    text = "code,name,base_unit,supply,step\n" + "".join(lines)
    connection.queries_log.clear()
    began = time.perf_counter()
    assert bring("catalog.item", text).created == count
    made = time.perf_counter()
    assert bring("catalog.item", text.replace("轴承", "滚轴")).changed == count
    changed = time.perf_counter()
    assert bring("catalog.item", text.replace("轴承", "滚轴")).unchanged == count
    equal = time.perf_counter()
    rates = [round(count / seconds) for seconds in (made - began, changed - made, equal - changed)]
    print("rows a second: made, changed, equal", rates)
    assert Party.objects.count() == 0
    assert Location.objects.count() == 0
    # Generous, because the machine that runs this is not ours alone; docs/build say what to expect.
    assert min(rates) > 800, rates
