"""The buyer's board: what to order and why, what is on order and whom its lateness hurts."""

from __future__ import annotations

from dataclasses import replace

from lianzao.overviews.buying import buy_board
from lianzao.planning import commands as planning
from lianzao.planning.models import Proposal
from lianzao.procurement import commands as procurement
from tests.world import House, day, house

__all__ = ["house"]


def test_a_requisition_tells_its_cause_and_a_late_delivery_whom_it_hurts(house: House) -> None:
    order = house.order("ACME", "100", day(20))
    planning.accept_proposals(house.by("planner"), proposals=list(Proposal.objects.filter(status="open")))
    house.settle()
    board = buy_board(house.by("buyer"), house.site_id)
    steel = next(each for each in board["requisitions"] if each["item"]["code"] == "STEEL")
    assert steel["reason"][0]["text"] == f"{order.number}/1" and steel["item"]["unit"] == "件"
    assert board["deliveries"] == []

    house.buy_all()
    board = buy_board(house.by("buyer"), house.site_id)
    assert board["requisitions"] == []
    assert {each["item"]["code"] for each in board["deliveries"]} == {"STEEL", "SCREW", "MOTOR"}
    assert all(each["days_late"] == 0 and each["hurts"] == [] for each in board["deliveries"])

    late = house.schedule("STEEL")
    procurement.change_expected(house.by("buyer"), schedule_line=late, expected_on=day(25), reason="轧机故障")
    house.settle()
    board = buy_board(house.by("buyer"), house.site_id)
    moved = next(each for each in board["deliveries"] if each["id"] == late.id)
    assert moved["days_late"] == (day(25) - late.required_on).days > 0
    assert [each["number"] for each in moved["hurts"]] == [f"{order.number}/1"]


def test_who_may_not_see_the_plan_sees_deliveries_without_whom_they_hurt(house: House) -> None:
    house.order("ACME", "100", day(20))
    house.accept_all()
    house.buy_all()
    late = house.schedule("STEEL")
    procurement.change_expected(house.by("buyer"), schedule_line=late, expected_on=day(25), reason="轧机故障")
    house.settle()
    buyer = house.by("buyer")
    blind = replace(buyer, rights=frozenset(each for each in buyer.rights if not each.startswith("planning.")))
    board = buy_board(blind, house.site_id)
    assert len(board["deliveries"]) == 3
    assert all(each["hurts"] == [] and each["wish"] is None for each in board["deliveries"])
