"""The stories of the plant, told as its people live them; after each one everything equals what the facts say."""

from __future__ import annotations

from decimal import Decimal

from lianzao.inventory.models import PickTask
from lianzao.planning import commands as planning
from lianzao.planning.models import ActionMessage, Outlook, PlanRun, Proposal, Shortage
from lianzao.procurement import commands as procurement
from lianzao.sales import commands as sales
from lianzao.sales.models import PromiseChange
from lianzao.values.time import uuid7
from tests.world import D, House, day, house

__all__ = ["house"]


def planned(house: House, *, quantity: str = "100", due: int = 20) -> object:
    """An order of pumps, planned, bought and confirmed."""
    order = house.order("ACME", quantity, day(due))
    house.accept_all()
    house.buy_all()
    return order


def test_late_supply_finds_who_is_hurt_and_why_and_the_remedy_reaches_the_customer(house: House) -> None:
    order = planned(house)
    steel = house.schedule("STEEL")
    cause = uuid7()
    procurement.change_expected(
        house.by("buyer"), schedule_line=steel, expected_on=day(25), reason="轧机故障", _order_id=cause
    )
    house.settle()

    outlook = Outlook.objects.get(demand_id=house.line(order).id)  # type: ignore[arg-type]
    assert outlook.late_minutes > 0
    assert outlook.reasons[0]["reason"] == "material" and outlook.reasons[0]["number"].startswith("PO-")
    assert Shortage.objects.filter(item__code="STEEL", demand_id=outlook.demand_id).exists()
    promise = ActionMessage.objects.get(action="promise", status="open")
    planning.accept_remedy(house.by("planner"), message=promise)
    for each in ActionMessage.objects.filter(action="reschedule", status="open"):
        planning.accept_remedy(house.by("planner"), message=each)
    house.settle()

    offer = PromiseChange.objects.get(status="offered")
    assert offer.new_on > day(20) and offer.reasons
    sales.accept_promise(house.by("acme"), promise=offer)
    house.settle()
    assert house.line(order).promised_on == offer.new_on  # type: ignore[arg-type]
    assert not ActionMessage.objects.filter(status="open", action="promise").exists()
    story = house.story(cause)
    assert story[0].startswith("procurement.change_expected → procurement.ArrivalDelayed")
    assert any("planning.PromiseBroken" in step for step in story)
    house.prove()


def test_accepted_proposals_are_not_proposed_again(house: House) -> None:
    planned(house)
    assert Proposal.objects.filter(status="open").count() == 0
    runs = PlanRun.objects.count()
    planning.plan_site(house.by("planner"), site=house.site, why="again")
    house.settle()
    assert PlanRun.objects.count() == runs + 1
    assert Proposal.objects.filter(status="open").count() == 0
    assert house.schedule("STEEL").quantity == Decimal(200)


def test_material_arrives_early_and_everybody_knows(house: House) -> None:
    order = planned(house)
    steel = house.schedule("STEEL")
    procurement.change_expected(house.by("buyer"), schedule_line=steel, expected_on=day(27), reason="late")
    house.settle()
    for each in ActionMessage.objects.filter(action="reschedule", status="open"):
        planning.accept_remedy(house.by("planner"), message=each)
    house.settle()
    late = house.line(order).projected_at  # type: ignore[arg-type]
    from lianzao.production import commands as production
    from lianzao.production.models import WorkOrder

    for each in WorkOrder.objects.filter(status="planned"):
        production.release_work_order(house.by("lead"), work_order=each)
    house.settle()
    assert not PickTask.objects.filter(item__code="STEEL").exists()

    house.at("2026-03-12 09:00")
    asn = procurement.announce_shipment(
        house.by("mill"),
        purchase_order=steel.line.order,
        eta_at=house.system.now,
        lines=[procurement.AnnouncedLine(schedule_line=steel, lot_number="M-77")],
    )
    house.settle()
    procurement.receive_goods(house.by("warehouse"), asn=asn)
    house.settle()
    from lianzao.quality import commands as quality
    from lianzao.quality.models import Inspection

    quality.accept_inspection(house.by("quality"), inspection=Inspection.objects.get(status="open"))
    house.settle()
    assert PickTask.objects.filter(item__code="STEEL", status="open").exists()
    assert house.line(order).projected_at < late  # type: ignore[arg-type]
    assert ActionMessage.objects.filter(action="reschedule", status="open").exists()
    house.prove()


def test_the_rush_order_says_whom_it_hurts_before_it_is_accepted(house: House) -> None:
    planned(house)
    from lianzao.production import commands as production
    from lianzao.production.models import WorkOrder

    for each in WorkOrder.objects.all():
        production.resize_work_order(house.by("lead"), work_order=each, quantity=each.quantity)
    answer = planning.try_promise(
        house.by("sales"), site=house.site, item=house.item("PUMP"), quantity=D(20), wanted_on=day(19), rush=True
    )
    assert answer.possible_on is not None
    runs = PlanRun.objects.count()
    later = planning.try_promise(
        house.by("sales"), site=house.site, item=house.item("PUMP"), quantity=D(2000), wanted_on=day(6)
    )
    assert later.possible_on is None or later.possible_on > day(6)
    assert later.reasons
    assert PlanRun.objects.count() == runs
    house.prove()
