"""Masters of a small plant: set up, changed, asked, in a real database."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lianzao.access.models import Site
from lianzao.catalog import queries as catalog
from lianzao.catalog.commands import ItemCost, set_standard_costs
from lianzao.catalog.models import Item, ItemSite, Unit, UnitConversion
from lianzao.engineering import queries as engineering
from lianzao.engineering.commands import (
    ComponentLine,
    OperationLine,
    approve_bom,
    approve_routing,
    copy_bom,
    enter_bom,
    enter_routing,
    set_bom_lines,
    unapprove_bom,
)
from lianzao.engineering.models import Bom, BomLine, Routing
from lianzao.foundation import registry
from lianzao.foundation.actor import Actor, system_actor
from lianzao.foundation.audit import Order
from lianzao.foundation.command import command, run
from lianzao.parties.commands import block_party, unblock_party
from lianzao.parties.models import Party
from lianzao.parties.queries import check_supplier, party_facts
from lianzao.plant import queries as plant
from lianzao.plant.commands import ShiftHours, close_hours, open_hours, set_shifts, set_up_site, withdraw_exception
from lianzao.plant.models import Calendar, Location, Machine, Shift, WorkCenter
from lianzao.values.errors import Conflict, Invalid, RuleBroken
from lianzao.values.quantity import Quantity

pytestmark = pytest.mark.django_db
D = Decimal
BY = system_actor("test of masters")
TODAY = date(2026, 3, 2)


@command(hidden=True)
def make_test_site(by: Actor, *, code: str, time_zone: str) -> Site:
    """Make a site for these tests."""
    site = Site(code=code, name=code, time_zone=time_zone)
    site.save()
    return site


class World:
    """A site in Shanghai with pieces and kilograms, and items made at need."""

    def __init__(self) -> None:
        registry.load()
        self.site: UUID = make_test_site(BY, code="SH", time_zone="Asia/Shanghai").id
        self.piece: Unit = run(BY, "catalog.create_unit", {"code": "pc", "name": "件"})
        self.kilogram: Unit = run(BY, "catalog.create_unit", {"code": "kg", "name": "千克", "decimals": 3})

    def item(self, code: str, **more: object) -> Item:
        body = {"code": code, "name": f"{code} 零件", "base_unit": str(self.piece.id), **more}
        return run(BY, "catalog.create_item", body)

    def center(self, code: str, **more: object) -> WorkCenter:
        return run(BY, "plant.create_work_center", {"code": code, "name": code, "site_id": str(self.site), **more})


@pytest.fixture
def world(db: None) -> World:
    return World()


# -- parties --------------------------------------------------------------------------------------------------------


def test_a_blocked_supplier_gets_no_orders_until_unblocked(world: World) -> None:
    party: Party = run(
        BY, "parties.create_party", {"code": "S1", "name": "华东钢铁", "is_supplier": True, "transit_days": 2}
    )
    check_supplier(party)
    blocked = block_party(BY, party=party, reason="unpaid claims")
    assert party_facts([party.id])[party.id].blocked
    with pytest.raises(RuleBroken, match="party_blocked"):
        check_supplier(blocked)
    with pytest.raises(Conflict, match="party_blocked"):
        block_party(BY, party=party, reason="again")
    check_supplier(unblock_party(BY, party=party))


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "party_without_role", "is_customer"),
        ({"is_customer": True, "tier": 4}, "tier_out_of_range", "tier"),
        ({"is_customer": True, "email": "nobody"}, "not_an_email", "email"),
        ({"is_customer": True, "phone": "call me"}, "not_a_phone", "phone"),
        ({"is_customer": True, "currency": "yuan"}, "too_long", "currency"),
        ({"is_customer": True, "currency": "cny"}, "not_a_currency", "currency"),
    ],
)
def test_an_incomplete_party_is_refused(world: World, body: dict[str, object], code: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        run(BY, "parties.create_party", {"code": "X", "name": "X", **body})
    assert (refused.value.code, refused.value.field) == (code, field)
    assert not Party.objects.filter(code="X").exists()


# -- items ----------------------------------------------------------------------------------------------------------


def test_items_are_found_by_pinyin_initials(world: World) -> None:
    from lianzao.foundation.search import query_terms

    world.item("BRG-6204", name="深沟球轴承", name_en="Deep groove ball bearing")
    for asked in ("sgqzc", "轴承", "brg62", "groove", "qiuzhou"):
        assert Item.objects.filter(search_terms__contains=query_terms(asked)).count() == 1, asked
    assert not Item.objects.filter(search_terms__contains=query_terms("zcq")).exists()


def test_units_convert_by_the_items_own_way_first(world: World) -> None:
    roll: Unit = run(BY, "catalog.create_unit", {"code": "roll", "name": "卷"})
    foil = world.item("FOIL", base_unit=str(world.kilogram.id), step="0.001")
    for item, factor in ((None, "20"), (foil, "12.5")):
        run(
            BY,
            "catalog.create_unit_conversion",
            {
                "item": str(item.id) if item else None,
                "from_unit": str(roll.id),
                "to_unit": str(world.kilogram.id),
                "factor": factor,
            },
        )
    assert UnitConversion.objects.count() == 2
    assert catalog.convert(foil, Quantity(2, "roll"), "kg") == Quantity(25, "kg")
    assert catalog.convert(foil, Quantity("1.25", "kg"), "roll") == Quantity("0.1", "roll")
    with pytest.raises(RuleBroken, match="not_in_steps"):
        catalog.in_base_unit(foil, Quantity("0.00001", "roll"))
    with pytest.raises(RuleBroken, match="no_conversion"):
        catalog.convert(foil, Quantity(1, "pc"), "kg")


def test_the_base_unit_is_fixed(world: World) -> None:
    item = world.item("A")
    with pytest.raises(RuleBroken, match="base_unit_is_fixed"):
        run(BY, "catalog.change_item", {"item": str(item.id), "base_unit": str(world.kilogram.id)})


def test_contradicting_lot_rules_are_refused(world: World) -> None:
    item = world.item("A")
    body = {"item": str(item.id), "site_id": str(world.site), "lot_minimum": "10", "lot_maximum": "5"}
    with pytest.raises(Invalid, match="lot_maximum_below_minimum"):
        run(BY, "catalog.create_item_site", body)
    with pytest.raises(Invalid, match="not_in_steps"):
        run(BY, "catalog.create_item_site", {**body, "lot_minimum": "1.5", "lot_maximum": "0"})


def test_standard_costs_and_planning_columns(world: World) -> None:
    one, two = world.item("A"), world.item("B")
    body = {"item": str(one.id), "site_id": str(world.site), "lead_time_days": 7, "safety_stock": "20"}
    run(BY, "catalog.create_item_site", body)
    costs = [ItemCost(one, D("3.5")), ItemCost(two, D(4))]
    assert set_standard_costs(BY, site_id=world.site, costs=costs) == {"changed": 2, "unchanged": 0}
    assert set_standard_costs(BY, site_id=world.site, costs=costs) == {"changed": 0, "unchanged": 2}
    assert catalog.standard_cost([one.id, two.id], world.site) == {one.id: D("3.5"), two.id: D(4)}
    assert ItemSite.objects.get(item=one).lead_time_days == 7
    with CaptureQueriesContext(connection) as counted:
        items, parameters = catalog.item_columns(world.site), catalog.planning_parameters(world.site)
    assert len(counted) == 2
    assert items["code"] == ["A", "B"]
    assert items["item_id"] == parameters["item_id"]
    assert parameters["safety_stock"] == [D(20), D(0)]
    assert {len(column) for column in parameters.values()} == {2}


# -- plant ----------------------------------------------------------------------------------------------------------


def test_a_site_has_one_virtual_location_of_each_kind(world: World) -> None:
    with pytest.raises(RuleBroken, match="site_not_set_up"):
        plant.virtual_location(world.site, "scrap")
    first = set_up_site(BY, site_id=world.site)
    assert set_up_site(BY, site_id=world.site) == first
    assert Location.objects.filter(site_id=world.site, is_virtual=True).count() == 6
    assert str(plant.virtual_location(world.site, "scrap")) == first["scrap"]
    assert Location.objects.get(pk=first["supplier"]).code == "SH-SUPPLIER"
    with pytest.raises(RuleBroken, match="virtual_location_by_site"):
        run(
            BY,
            "plant.create_location",
            {"code": "X", "name": "X", "site_id": str(world.site), "location_kind": "customer"},
        )


def test_a_location_does_not_become_virtual(world: World) -> None:
    store = run(BY, "plant.create_location", {"code": "ST", "name": "仓", "site_id": str(world.site)})
    shelf = run(
        BY, "plant.create_location", {"code": "ST-1", "name": "架", "site_id": str(world.site), "parent": str(store.id)}
    )
    assert set(plant.locations_within([store.id])) == {store.id, shelf.id}
    with pytest.raises(RuleBroken, match="location_is_fixed"):
        run(BY, "plant.change_location", {"location": str(store.id), "location_kind": "scrap"})


MONDAY = datetime(2026, 3, 2, tzinfo=UTC)  # 08:00 in Shanghai


def spans(intervals: plant.Intervals) -> list[tuple[str, str]]:
    def wall(second: int) -> str:
        return (datetime.fromtimestamp(second, UTC) + timedelta(hours=8)).strftime("%a %H:%M")

    return [(wall(start), wall(end)) for start, end in zip(intervals.starts, intervals.ends, strict=True)]


def test_working_time_of_centers_and_machines(world: World) -> None:
    calendar: Calendar = run(BY, "plant.create_calendar", {"code": "2S", "name": "两班"})
    set_shifts(
        BY,
        calendar=calendar,
        shifts=[
            hours
            for day in range(5)
            for hours in (ShiftHours(day, time(8), time(16)), ShiftHours(day, time(20), time(4), "夜班"))
        ],
    )
    lathe, saw = world.center("LATHE", calendar=str(calendar.id)), world.center("SAW", calendar=str(calendar.id))
    always = world.center("OVEN")
    machine: Machine = run(BY, "plant.create_machine", {"code": "L1", "name": "车床一", "work_center": str(lathe.id)})
    # Tuesday is a holiday; the lathe works 10:00-12:00 on it all the same; its machine is down on Monday 9:00-10:00.
    holiday = close_hours(
        BY,
        calendar=calendar,
        starts_at=MONDAY + timedelta(hours=16),
        ends_at=MONDAY + timedelta(hours=40),
        reason="holiday",
    )
    open_hours(BY, work_center=lathe, starts_at=MONDAY + timedelta(hours=26), ends_at=MONDAY + timedelta(hours=28))
    close_hours(BY, machine=machine, starts_at=MONDAY + timedelta(hours=1), ends_at=MONDAY + timedelta(hours=2))
    until = MONDAY + timedelta(days=2)
    with CaptureQueriesContext(connection) as counted:
        found = plant.working_intervals([lathe.id, saw.id, always.id], MONDAY, until)
    assert len(counted) <= 5
    # The night shift of Tuesday is cut by the holiday's end, not left out.
    monday = [("Mon 08:00", "Mon 16:00"), ("Mon 20:00", "Tue 00:00")]
    assert spans(found[saw.id]) == [*monday, ("Wed 00:00", "Wed 04:00")]
    assert spans(found[lathe.id]) == [*monday, ("Tue 10:00", "Tue 12:00"), ("Wed 00:00", "Wed 04:00")]
    assert found[always.id].seconds == 2 * 86400
    of_machine = plant.machine_working_intervals([machine.id], MONDAY, until)[machine.id]
    assert spans(of_machine)[:2] == [("Mon 08:00", "Mon 09:00"), ("Mon 10:00", "Mon 16:00")]
    withdraw_exception(BY, calendar_exception=holiday)
    assert plant.working_intervals([saw.id], MONDAY, until)[saw.id].seconds == 4 * 8 * 3600
    assert plant.local_day(world.site, datetime(2026, 3, 2, 17, tzinfo=UTC)) == date(2026, 3, 3)


def test_overlapping_shifts_are_refused_when_the_order_ends(world: World) -> None:
    calendar: Calendar = run(BY, "plant.create_calendar", {"code": "X", "name": "X"})
    with pytest.raises(RuleBroken, match="shifts_overlap"):
        set_shifts(BY, calendar=calendar, shifts=[ShiftHours(0, time(8), time(16)), ShiftHours(0, time(15), time(20))])
    assert not Shift.objects.filter(calendar=calendar).exists()


# -- engineering ----------------------------------------------------------------------------------------------------


def line(item: Item, per: str, **more: object) -> ComponentLine:
    return ComponentLine(item, D(per), **more)  # type: ignore[arg-type]


def test_explosion_through_phantoms_and_levels(world: World) -> None:
    car, kit, bolt, wheel, rubber = (
        world.item("CAR", supply="make"),
        world.item("KIT", supply="phantom"),
        world.item("BOLT"),
        world.item("WHEEL", supply="make"),
        world.item("RUBBER", base_unit=str(world.kilogram.id), step="0.001"),
    )
    enter_bom(
        BY,
        item=car,
        revision="A",
        lines=[line(kit, "0.5", operation_sequence=20), line(wheel, "4"), line(bolt, "1", fixed=True)],
        approve=True,
    )
    enter_bom(BY, item=kit, revision="A", lines=[line(bolt, "3", operation_sequence=10)], approve=True)
    enter_bom(
        BY,
        item=wheel,
        revision="A",
        base_quantity=D(100),
        lines=[line(rubber, "250", scrap_percent=D(20))],
        approve=True,
    )
    with CaptureQueriesContext(connection) as counted:
        needs = engineering.materials(car.id, D(3), TODAY)
    assert len(counted) == 2
    assert [(one.code, one.quantity, one.operation_sequence) for one in needs] == [
        ("BOLT", D(5), 20),
        ("WHEEL", D(12), 0),
        ("BOLT", D(1), 0),
    ]
    rows = engineering.explode(car.id, D(3), TODAY)
    assert [(one.level, one.code, one.quantity) for one in rows] == [
        (1, "KIT", D("1.5")),
        (2, "BOLT", D(5)),
        (1, "WHEEL", D(12)),
        (2, "RUBBER", D("37.5")),
        (1, "BOLT", D(1)),
    ]
    assert engineering.explosion_totals(car.id, D(3), TODAY)[bolt.id] == D(6)
    uses = engineering.where_used(bolt.id, TODAY)
    assert [(one.level, one.code, one.quantity_per) for one in uses if one.component_id != bolt.id] == [
        (2, "CAR", D("1.5"))
    ]
    assert {one.code for one in uses} == {"CAR", "KIT"}
    assert [one.code for one in engineering.where_used(rubber.id)] == ["WHEEL", "CAR"]


def test_revisions_are_half_open_and_the_old_one_ends(world: World) -> None:
    top, old, new = world.item("TOP", supply="make"), world.item("OLD"), world.item("NEW")
    first = enter_bom(BY, item=top, revision="A", lines=[line(old, "1")], approve=True)
    april = date(2026, 4, 1)
    second = copy_bom(BY, bom=first, revision="B", effective_from=april)
    set_bom_lines(BY, bom=second, lines=[line(new, "2")])
    with pytest.raises(RuleBroken, match="revisions_overlap"):
        approve_bom(BY, bom=second)
    approve_bom(BY, bom=second, end_previous=True)
    assert engineering.bom_in_effect(top.id, april - timedelta(days=1)) == first
    assert engineering.bom_in_effect(top.id, april) == second
    assert [one.code for one in engineering.materials(top.id, D(1), date(2026, 3, 31))] == ["OLD"]
    assert [one.code for one in engineering.materials(top.id, D(1), april)] == ["NEW"]
    assert [one.code for one in engineering.materials(top.id, D(1), april, bom=first)] == ["OLD"]
    columns = engineering.bom_columns(world.site, datetime(2026, 3, 2, tzinfo=UTC))
    midnight = int(datetime(2026, 3, 31, 16, tzinfo=UTC).timestamp())  # 1 April in Shanghai
    assert columns["component_id"] == [old.id, new.id]
    assert columns["effective_from_s"] == [engineering.BEGINNING, midnight]
    assert columns["effective_until_s"] == [midnight, engineering.NEVER]
    with pytest.raises(Conflict, match="approved_is_fixed"):
        set_bom_lines(BY, bom=second, lines=[line(old, "1")])
    with pytest.raises(Conflict, match="approved_is_fixed"):
        run(
            BY,
            "engineering.change_bom_line",
            {"bom_line": str(BomLine.objects.get(bom=second).id), "quantity_per": "9"},
        )
    unapprove_bom(BY, bom=second)
    assert engineering.bom_in_effect(top.id, april) is None


def test_a_site_with_its_own_bill_uses_only_that(world: World) -> None:
    top, everywhere, here = world.item("TOP", supply="make"), world.item("E"), world.item("H")
    enter_bom(BY, item=top, revision="A", lines=[line(everywhere, "1")], approve=True)
    other = make_test_site(BY, code="SZ", time_zone="Asia/Shanghai").id
    own = run(BY, "engineering.create_bom", {"item": str(top.id), "revision": "SH", "site_id": str(world.site)})
    set_bom_lines(BY, bom=own, lines=[line(here, "1")])
    approve_bom(BY, bom=own)
    now = datetime(2026, 3, 2, tzinfo=UTC)
    assert [one.code for one in engineering.materials(top.id, D(1), TODAY, world.site)] == ["H"]
    assert [one.code for one in engineering.materials(top.id, D(1), TODAY, other)] == ["E"]
    assert engineering.bom_columns(world.site, now)["component_id"] == [here.id]
    assert engineering.bom_columns(other, now)["component_id"] == [everywhere.id]


def test_a_circle_is_refused_by_name_and_leaves_nothing(world: World) -> None:
    a, b, c = (world.item(code, supply="make") for code in "ABC")
    enter_bom(BY, item=a, revision="1", lines=[line(b, "1")])
    enter_bom(BY, item=b, revision="1", lines=[line(c, "1")])
    with pytest.raises(RuleBroken) as refused:
        enter_bom(BY, item=c, revision="1", lines=[line(a, "1")])
    assert refused.value.code == "bom_circle"
    assert set(str(refused.value.facts["circle"]).split(" → ")) == {"A", "B", "C"}
    assert not Bom.objects.filter(item=c).exists()
    april = date(2026, 4, 1)
    ending = enter_bom(BY, item=c, revision="2", lines=[])
    with pytest.raises(RuleBroken, match="bom_circle"):
        run(
            BY,
            "engineering.create_bom_line",
            {"bom": str(ending.id), "position": 1, "component": str(c.id), "quantity_per": "1"},
        )
    later = enter_bom(BY, item=c, revision="3", lines=[], effective_from=april)
    run(BY, "engineering.change_bom", {"bom": str(Bom.objects.get(item=a).id), "effective_until": str(april)})
    set_bom_lines(BY, bom=later, lines=[line(a, "1")])  # never both on one day
    assert later.lines.count() == 1


def test_routing_columns_take_the_revision_in_effect(world: World) -> None:
    top = world.item("TOP", supply="make")
    saw, lathe = world.center("SAW"), world.center("LATHE")
    with pytest.raises(RuleBroken, match="last_operation_must_report"):
        enter_routing(
            BY, item=top, revision="X", operations=[OperationLine(10, "锯", saw, is_report_point=False)], approve=True
        )
    assert not Routing.objects.filter(item=top).exists()
    enter_routing(
        BY,
        item=top,
        revision="A",
        operations=[
            OperationLine(20, "车", lathe, setup_minutes=D(15), run_minutes=D("2.5")),
            OperationLine(10, "锯", saw, run_minutes=D(1), is_report_point=False),
        ],
        approve=True,
    )
    later = enter_routing(
        BY, item=top, revision="B", operations=[OperationLine(10, "锯车", lathe)], effective_from=date(2026, 4, 1)
    )
    approve_routing(BY, routing=later, end_previous=True)
    columns = engineering.routing_columns(world.site, datetime(2026, 3, 2, tzinfo=UTC))
    assert columns["sequence"] == [10, 20]
    assert columns["work_center_id"] == [saw.id, lathe.id]
    assert columns["run_minutes"] == [D(1), D("2.5")]
    assert engineering.routing_columns(world.site, datetime(2026, 4, 1, tzinfo=UTC))["work_center_id"] == [lathe.id]
    routing = engineering.routing_in_effect(top.id, TODAY)
    assert routing is not None
    assert [one.name for one in engineering.operations_of(routing.id)] == ["锯", "车"]


def test_one_order_one_audit_row(world: World) -> None:
    top, part = world.item("TOP", supply="make"), world.item("PART")
    before = Order.objects.count()
    bom = enter_bom(BY, item=top, revision="A", lines=[line(part, "1")], approve=True)
    assert Order.objects.count() == before + 1
    row = Order.objects.get(command="engineering.enter_bom")
    assert bom.id in row.touched
