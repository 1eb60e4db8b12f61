"""An item on one page: what it consists of, where it is used, what lies there, who delivers it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from lianzao.engineering import commands as engineering
from lianzao.engineering.models import Bom
from lianzao.overviews.item_sheet import item_sheet
from lianzao.values.errors import Invalid, NotFound
from tests.world import House, day, house

__all__ = ["house"]
D = Decimal


def test_a_pump_from_its_steel_up(house: House) -> None:
    house.opening("SCREW", "600")
    told = item_sheet(house.by("planner"), house.item("PUMP").id, house.site_id, D(10))
    assert [(each["level"], each["code"], each["quantity"]) for each in told["tree"]] == [
        (1, "BODY", D(10)), (2, "STEEL", D(20)), (1, "SCREW", D(60)), (1, "MOTOR", D(10)),
    ]  # fmt: skip
    assert [each["available"] for each in told["tree"]] == [0, 0, D(600), 0]
    assert [each["sequence"] for each in told["operations"]] == [10, 20, 30]
    assert [(each["revision"], each["current"]) for each in told["boms"]] == [("A", True)]
    assert told["whole"] and told["used"] == []


def test_steel_is_used_in_bodies_and_so_in_pumps(house: House) -> None:
    told = item_sheet(house.by("buyer"), house.item("STEEL").id, house.site_id)
    assert [(each["level"], each["code"], each["quantity_per"]) for each in told["used"]] == [
        (1, "BODY", D(2)), (2, "PUMP", D(2)),
    ]  # fmt: skip
    assert [each["supplier"]["code"] for each in told["suppliers"]] == ["MILL"]
    assert told["suppliers"][0]["price"] == D(8)


def test_only_one_revision_counts_today(house: House) -> None:
    bom = engineering.copy_bom(
        house.system, bom=Bom.objects.get(item__code="BODY"), revision="B", effective_from=day(20)
    )
    engineering.approve_bom(house.system, bom=Bom.objects.get(pk=bom.id), end_previous=True)
    sheet = item_sheet(house.by("planner"), house.item("BODY").id, house.site_id)
    assert [(each["revision"], each["current"]) for each in sheet["boms"]] == [("B", False), ("A", True)]
    house.at("2026-03-21 08:00")
    sheet = item_sheet(house.by("planner"), house.item("BODY").id, house.site_id)
    assert [(each["revision"], each["current"]) for each in sheet["boms"]] == [("B", True), ("A", False)]


def test_what_may_not_be_read_is_not_told(house: House) -> None:
    planner, steel = house.by("planner"), house.item("STEEL").id
    masked = replace(planner, masks=frozenset({"engineering.bom_line.quantity_per", "procurement.supplier_item.price"}))
    told = item_sheet(masked, steel, house.site_id)
    assert [each["quantity_per"] for each in told["used"]] == [None, None]
    assert "price" not in told["suppliers"][0] or told["suppliers"][0]["price"] is None
    blind = replace(planner, rights=frozenset({"catalog.view_item"}), memory={})
    told = item_sheet(blind, steel, house.site_id)
    assert (told["tree"], told["used"], told["boms"], told["stock"], told["suppliers"]) == ([], [], [], None, [])
    with pytest.raises(NotFound):
        item_sheet(planner, house.site_id, house.site_id)
    with pytest.raises(Invalid):
        item_sheet(planner, steel, house.site_id, D(0))
