"""The kits of what begins soon, what is missing on which day, and pegs both ways."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lianzao.overviews import kitting, pegging
from lianzao.planning.models import Proposal
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import ScheduleLine
from lianzao.production.models import WorkOrder
from lianzao.values.errors import Invalid, NotAllowed, NotFound
from tests.world import House, day, house

__all__ = ["house"]
D = Decimal


def kit(told: dict[str, Any], item: str) -> dict[str, Any]:
    """The kit of the only order that makes an item."""
    [found] = [each for each in told["orders"] if each["item"]["code"] == item]
    return found


def test_a_kit_stands_as_its_worst_part(house: House) -> None:
    """Motors and screws lie there; steel for the bodies is bought and comes in time, then late."""
    house.opening("SCREW", "600")
    house.opening("MOTOR", "60")
    house.order("ACME", "50", day(13))
    house.accept_all()
    house.buy_all()
    planner = house.by("planner")
    told = kitting.kitting(planner, house.site_id)
    assert told["days"][0] == day(2) and len(told["days"]) == 14 and not told["more"]
    body = kit(told, "BODY")
    assert (body["kind"], body["state"], [each["item"]["code"] for each in body["parts"]]) == (
        "production.work_order", "coming", ["STEEL"],
    )  # fmt: skip
    steel = body["parts"][0]
    assert (steel["quantity"], steel["in_stock"], steel["never"]) == (D(100), D(0), D(0))
    assert body["complete_at"] == steel["ready_at"] == steel["supplies"][0]["ready_at"]
    assert (steel["supplies"][0]["kind"], steel["supplies"][0]["number"]) == (
        "procurement.schedule_line",
        house.schedule("STEEL").label,
    )
    assert told["missing"] == []

    procurement.confirm_schedule(house.by("buyer"), schedule_line=house.schedule("STEEL"), confirmed_on=day(25))
    house.settle()
    house.at("2026-03-20 08:00")
    house.plan()
    told = kitting.kitting(house.by("planner"), house.site_id)
    assert [(each["item"]["code"], each["state"]) for each in told["orders"]] == [("BODY", "late"), ("PUMP", "late")]
    assert told["states"] == {"complete": 0, "coming": 0, "late": 2, "never": 0}
    pump = kit(told, "PUMP")
    assert [(each["item"]["code"], each["state"]) for each in pump["parts"]] == [
        ("BODY", "late"), ("MOTOR", "complete"), ("SCREW", "complete"),
    ]  # fmt: skip
    # It should begin on the 20th, but its steel is confirmed for the 25th: missing on five days.
    steel = next(each for each in told["missing"] if each["item"]["code"] == "STEEL")
    assert steel["amounts"] == [D(100)] * 5 + [D(0)] * 9


def test_what_is_missing_is_counted_from_the_need_until_it_comes(house: House) -> None:
    """Steel is needed for an order that is promised sooner than it can come."""
    house.opening("SCREW", "600")
    house.opening("MOTOR", "60")
    house.order("ACME", "50", day(6))
    told = kitting.kitting(house.by("planner"), house.site_id)
    rows = {each["item"]["code"]: each for each in told["missing"]}
    assert "STEEL" in rows
    steel = rows["STEEL"]
    [cause] = steel["causes"]
    assert cause["quantity"] == D(100)
    first = (cause["need_at"].astimezone().date() - told["days"][0]).days
    filled = [place for place, amount in enumerate(steel["amounts"]) if amount]
    assert filled[0] == max(0, first) and all(steel["amounts"][place] == D(100) for place in filled)
    assert filled == list(range(filled[0], filled[-1] + 1))


def test_pegs_both_ways_and_of_an_item(house: House) -> None:
    order = house.order("ACME", "50", day(30))
    house.accept_all()
    house.buy_all()
    line, planner = house.line(order), house.by("planner")
    work_order = WorkOrder.objects.get(item__code="BODY")
    steel = house.schedule("STEEL")

    told = pegging.pegging(planner, "production.work_order", work_order.id, house.site_id)
    assert told["subject"]["number"] == work_order.number
    assert [(each["kind"], each["id"]) for each in told["under"]] == [("procurement.schedule_line", steel.id)]
    served = {(each["depth"], each["consumer"]["kind"]): each for each in told["over"]}
    assert served[1, "production.work_order"]["consumer"]["number"] == WorkOrder.objects.get(item__code="PUMP").number
    end = served[2, "sales.sales_order_line"]
    assert end["line"]["number"] == f"{order.number}/{line.sequence}" and end["line"]["customer"]["code"] == "ACME"
    assert end["quantity"] == D(50)

    told = pegging.pegging(planner, "procurement.schedule_line", steel.id, house.site_id)
    assert told["subject"]["number"] == steel.label and told["under"] == []
    assert [each["depth"] for each in told["over"]] == [1, 2, 3]

    told = pegging.pegging(planner, "catalog.item", house.item("STEEL").id, house.site_id)
    assert sum(each["quantity"] for each in told["pegs"]) == D(100)
    assert {each["supply"]["number"] for each in told["pegs"]} == {steel.label}
    assert {each["consumer"]["number"] for each in told["pegs"]} == {work_order.number}

    told = pegging.pegging(planner, "sales.sales_order_line", line.id, house.site_id)
    assert told["subject"]["line"]["number"] == f"{order.number}/{line.sequence}"
    assert max(each["depth"] for each in told["under"]) == 3


def test_pegs_are_for_those_who_may_see_the_paper(house: House) -> None:
    house.order("ACME", "50", day(30))
    proposal = Proposal.objects.filter(status="open")[0]
    with pytest.raises(Invalid):
        pegging.pegging(house.by("planner"), "access.person", proposal.id, house.site_id)
    with pytest.raises(NotFound):
        pegging.pegging(house.by("planner"), "planning.proposal", house.site_id, house.site_id)
    with pytest.raises(NotAllowed):
        pegging.pegging(house.by("operator"), "planning.proposal", proposal.id, house.site_id)
    assert ScheduleLine.objects.count() == 0
