"""The stories of the plant, told as its people live them; after each one everything equals what the facts say."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from lianzao.equipment import commands as equipment
from lianzao.equipment.models import StopReason
from lianzao.foundation import link
from lianzao.inventory import commands as inventory
from lianzao.inventory import queries as ledger
from lianzao.inventory.models import Lot, PickTask
from lianzao.logistics import commands as logistics
from lianzao.logistics.models import Shipment
from lianzao.overviews.order_360 import order_360
from lianzao.overviews.trace import trace
from lianzao.planning import commands as planning
from lianzao.planning.models import ActionMessage, Outlook, PlanRun, Proposal, Shortage
from lianzao.planning.queries import published_dates
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import PurchaseOrder
from lianzao.production import commands as production
from lianzao.production.models import ScrapReason, WorkOrder, WorkOrderOperation
from lianzao.production.queries import reports_of
from lianzao.quality import commands as quality
from lianzao.quality.models import Inspection
from lianzao.sales import commands as sales
from lianzao.sales.models import PromiseChange, SalesOrder
from lianzao.values.time import uuid7
from tests.world import D, House, day, house

__all__ = ["house"]


def planned(house: House, *, quantity: str = "100", due: int = 20) -> SalesOrder:
    """An order of pumps, planned, bought and confirmed."""
    order = house.order("ACME", quantity, day(due))
    house.accept_all()
    house.buy_all()
    return order


def test_late_supply_finds_who_is_hurt_and_why_and_the_remedy_reaches_the_customer(house: House) -> None:
    order = planned(house)
    steel = house.schedule("STEEL")
    cause = uuid7()
    procurement.change_expected.ordered(cause)(
        house.by("buyer"), schedule_line=steel, expected_on=day(25), reason="轧机故障"
    )
    house.settle()

    outlook = Outlook.objects.get(demand_id=house.line(order).id)
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
    assert house.line(order).promised_on == offer.new_on
    dates = published_dates(house.line(order).id)
    assert {each["what"] for each in dates} == {"projected"} and dates[0]["old_at"] is None
    assert dates[-1]["new_at"] == house.line(order).projected_at
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
    late = house.projected(order)

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

    quality.accept_inspection(house.by("quality"), inspection=Inspection.objects.get(status="open"))
    house.settle()
    assert PickTask.objects.filter(item__code="STEEL", status="open").exists()
    assert house.projected(order) < late
    assert ActionMessage.objects.filter(action="reschedule", status="open").exists()
    house.prove()


def test_the_rush_order_says_whom_it_hurts_before_it_is_accepted(house: House) -> None:
    planned(house)

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


def receive(house: House, item: str, lot: str) -> None:
    """The supplier announces and ships, the warehouse scans, quality accepts what it must inspect."""
    line = house.schedule(item)
    order = PurchaseOrder.objects.get(pk=line.line.order_id)
    supplier = house.by("mill") if order.supplier.code == "MILL" else house.by("buyer")
    lines = [procurement.AnnouncedLine(schedule_line=line, lot_number=lot)]
    asn = procurement.announce_shipment(supplier, purchase_order=order, eta_at=house.system.now, lines=lines)
    procurement.receive_goods(house.by("warehouse"), asn=asn)
    house.settle()
    for each in Inspection.objects.filter(status="open", point="receipt"):
        quality.accept_inspection(house.by("quality"), inspection=each)
    house.settle()


def fetch(house: House) -> None:
    """The warehouse does the pick tasks on its phone."""
    for task in PickTask.objects.filter(status="open"):
        inventory.confirm_pick(house.by("warehouse"), task=task, quantity=task.quantity - task.picked_quantity)
    house.settle()


def report(house: House, order: WorkOrder, sequence: int, good: str, scrap: str = "0") -> None:
    """An operator reports on one screen."""
    production.report_operation(
        house.by("operator"),
        operation=WorkOrderOperation.objects.get(work_order=order, sequence=sequence),
        good=D(good),
        scrap=D(scrap),
        scrap_reason=ScrapReason.objects.get() if D(scrap) else None,
    )
    house.settle()


def test_the_whole_life_of_an_order_from_promise_to_proof_and_its_trace_both_ways(house: House) -> None:
    answer = planning.try_promise(
        house.by("sales"), site=house.site, item=house.item("PUMP"), quantity=D(100), wanted_on=day(6)
    )
    assert answer.possible_on is not None and answer.possible_on > day(6)
    assert {each["reason"] for each in answer.reasons} & {"purchasing_lead_time", "material"}
    order = house.order("ACME", "100", answer.possible_on)
    house.accept_all()
    assert {each.item.code for each in WorkOrder.objects.all()} == {"PUMP", "BODY"}
    house.buy_all()
    house.at("2026-03-10 08:30")
    for item, lot in (("STEEL", "M-1"), ("SCREW", ""), ("MOTOR", "B-9")):
        receive(house, item, lot)
    for each in WorkOrder.objects.all():
        production.release_work_order(house.by("lead"), work_order=each)
    house.settle()
    fetch(house)
    body, pump = WorkOrder.objects.get(item__code="BODY"), WorkOrder.objects.get(item__code="PUMP")
    report(house, body, 10, "100")
    fetch(house)
    for sequence in (10, 20, 30):
        report(house, pump, sequence, "100")
    test = Inspection.objects.get(status="open", point="operation")
    quality.accept_inspection(house.by("quality"), inspection=test)
    house.settle()
    assert house.stock("PUMP") == 100

    from lianzao.flows.order_to_delivery import ship_order

    shipment: Shipment = Shipment.objects.first() or ship_order(house.by("logistics"), order=order)
    logistics.pick_shipment(house.by("logistics"), shipment=shipment)
    logistics.pack_shipment(house.by("logistics"), shipment=shipment)
    logistics.dispatch_shipment(house.by("logistics"), shipment=shipment)
    house.settle()
    assert house.line(order).shipped_quantity == 100
    logistics.record_proof(house.by("logistics"), shipment=shipment, receiver="王先生")
    house.settle()
    assert SalesOrder.objects.get(pk=order.id).status == "closed"
    shown = order_360(house.by("sales"), order.id)["lines"][0]["shipments"]
    assert [(each["id"], each["status"], each["quantity"]) for each in shown] == [(shipment.id, "delivered", D(100))]
    assert house.stock("PUMP") == 0

    sold = Lot.objects.get(item__code="PUMP")
    back = ledger.trace_back(sold.id)
    assert {edge.item_code for edge in back.edges} == {"PUMP", "BODY", "STEEL", "SCREW", "MOTOR"}
    assert {edge.supplier_lot for edge in back.edges if edge.item_code in ("STEEL", "MOTOR")} == {"M-1", "B-9"}
    orders = [id for kind, id in back.causes if kind == "production.work_order"]
    assert {row.operation for row in reports_of(orders)} == {"CUT", "MACHINE", "ASSEMBLE", "TEST"}
    assert {row.person for row in reports_of(orders)} == {"operator"}
    steel = Lot.objects.get(item__code="STEEL")
    assert Inspection.objects.filter(lot=steel, status="accepted").exists()
    forward = ledger.trace_forward(steel.id)
    assert [(end.kind, end.cause_id) for end in forward.reached] == [("customer", shipment.id)]
    told = trace(house.by("quality"), steel.id, "forward")
    assert [each["partner"]["code"] for each in (*told["came_from"], *told["reached"])] == ["MILL", "ACME"]
    up, down = link.chain(house.line(order))
    assert {each.ref.kind for each in (*up, *down)} >= {
        "procurement.purchase_requisition",
        "procurement.purchase_order",
        "production.work_order",
        "logistics.shipment",
    }
    house.prove()


def started(house: House, quantity: str = "100") -> tuple[SalesOrder, WorkOrder, WorkOrder]:
    """An order in production: material is there, both work orders are released, the bodies are made."""
    order = planned(house, quantity=quantity)
    house.at("2026-03-16 08:30")
    for item, lot in (("STEEL", "M-1"), ("SCREW", ""), ("MOTOR", "B-9")):
        receive(house, item, lot)
    for each in WorkOrder.objects.all():
        production.release_work_order(house.by("lead"), work_order=each)
    house.settle()
    fetch(house)
    body, pump = WorkOrder.objects.get(item__code="BODY"), WorkOrder.objects.get(item__code="PUMP")
    report(house, body, 10, quantity)
    fetch(house)
    return order, body, pump


def test_material_for_lost_pieces_is_brought_to_the_line_too(house: House) -> None:
    planned(house)
    house.at("2026-03-16 08:30")
    receive(house, "STEEL", "M-1")
    house.opening("STEEL", "25", lot="M-2")
    body = WorkOrder.objects.get(item__code="BODY")
    production.release_work_order(house.by("lead"), work_order=body)
    house.settle()
    fetch(house)
    assert not PickTask.objects.filter(status="open").exists()

    report(house, body, 10, "95", scrap="5")
    house.settle()
    assert [(each.item.code, each.quantity) for each in PickTask.objects.filter(status="open")] == [("STEEL", D(10))]
    house.prove()


def test_scrap_is_reported_once_and_what_is_short_is_planned_again(house: House) -> None:
    order, _body, pump = started(house)
    operation = WorkOrderOperation.objects.get(work_order=pump, sequence=10)
    tap = uuid7()
    for _ in range(2):
        production.report_operation.ordered(tap)(
            house.by("operator"),
            operation=operation,
            good=D(95),
            scrap=D(5),
            scrap_reason=ScrapReason.objects.get(),
        )
    house.settle()
    operation.refresh_from_db()
    assert (operation.good_quantity, operation.scrap_quantity) == (95, 5)
    wanted = {each.item.code: each.quantity for each in Proposal.objects.filter(status="open")}
    assert wanted.get("BODY", D(0)) >= 5 and wanted.get("STEEL", D(0)) >= 10
    assert house.line(order).projected_at is not None
    story = house.story(tap)
    assert story[0].startswith("production.report_operation →") and "production.ScrapReported" in story[0]
    assert any("planning.PlanChanged" in step for step in story)
    house.prove()


def test_a_held_lot_is_not_used_and_its_customer_is_told_late(house: House) -> None:
    planned(house, due=14)
    house.at("2026-03-12 09:00")
    line = house.schedule("STEEL")
    asn = procurement.announce_shipment(
        house.by("mill"),
        purchase_order=PurchaseOrder.objects.get(pk=line.line.order_id),
        eta_at=house.system.now,
        lines=[procurement.AnnouncedLine(schedule_line=line, lot_number="M-2")],
    )
    procurement.receive_goods(house.by("warehouse"), asn=asn)
    house.settle()
    quality.hold_inspection(house.by("quality"), inspection=Inspection.objects.get(status="open"), reason="硬度不足")
    house.settle()
    assert Lot.objects.get(item__code="STEEL").status == "held"
    assert Proposal.objects.filter(status="open", item__code="STEEL", kind_of_order="buy").exists()
    outlook = Outlook.objects.get()
    assert outlook.late_minutes > 0
    assert {each["reason"] for each in outlook.reasons} & {"quality_hold", "purchasing_lead_time"}
    house.prove()


def test_a_machine_down_for_eight_hours_moves_what_stands_on_it_and_back(house: House) -> None:
    order, _body, pump = started(house)
    house.at("2026-03-20 09:00")
    before = house.projected(order)
    machine = house.machine("MACHINE-1")
    equipment.stop_machine(
        house.by("maintenance"),
        machine=machine,
        reason=StopReason.objects.get(),
        expected_until=house.system.now + timedelta(hours=8),
    )
    house.settle()
    moved = ActionMessage.objects.filter(action="reschedule", subject_id=pump.id, status="open")
    assert moved.exists() and house.projected(order) > before
    late = Outlook.objects.get()
    assert late.reasons[0]["reason"] == "machine_down" and late.reasons[0]["work_center"] == "MACHINE"
    house.advance(hours=1)
    equipment.start_machine(house.by("maintenance"), machine=machine)
    house.settle()
    again = Outlook.objects.get()
    assert again.projected_at is not None and late.projected_at is not None
    assert again.projected_at <= late.projected_at
    house.prove()


def test_a_customer_changes_quantity_and_date(house: House) -> None:
    order = planned(house)
    sales.change_line(house.by("sales"), line=house.line(order), quantity=D(150), requested_on=day(18), why="客户加量")
    house.settle()
    wanted = {each.item.code: each.quantity for each in Proposal.objects.filter(status="open")}
    assert wanted["PUMP"] == 50 and wanted["BODY"] == 50
    outlook = Outlook.objects.get()
    assert outlook.quantity == 150
    sales.change_line(house.by("sales"), line=house.line(order), quantity=D(60), why="客户减量")
    house.settle()
    assert not Proposal.objects.filter(status="open").exists()
    assert ActionMessage.objects.filter(status="open", action__in=("decrease", "cancel", "defer")).exists()
    house.prove()


def test_a_count_difference_replans_what_counted_on_it(house: House) -> None:
    house.opening("STEEL", "200", lot="S-0")
    house.opening("SCREW", "600")
    house.opening("MOTOR", "100", lot="M-0")
    order = house.order("ZETA", "100", day(12))
    house.accept_all()
    assert not Proposal.objects.filter(status="open").exists()
    counted = uuid7()
    inventory.count_stock.ordered(counted)(
        house.by("warehouse"),
        location=house.location("STORE"),
        item=house.item("MOTOR"),
        lot=Lot.objects.get(number="M-0"),
        counted=D(70),
        reason="盘点",
    )
    house.settle()
    proposal = Proposal.objects.get(status="open")
    assert (proposal.item.code, proposal.quantity, proposal.kind_of_order) == ("MOTOR", 30, "buy")
    assert proposal.demand_id == house.line(order).id
    assert any("inventory.StockCounted" in step for step in house.story(counted))
    house.prove()


def rush(house: House, quantity: str, priority: int) -> UUID:
    """A more important order in the middle of the plan; its line's id."""
    return house.line(house.order("ZETA", quantity, day(13), priority=priority)).id


def test_an_accepted_rush_order_takes_material_from_the_less_important(house: House) -> None:
    house.opening("STEEL", "240", lot="S-0")
    house.opening("SCREW", "720")
    house.opening("MOTOR", "120", lot="M-0")
    first = house.order("ACME", "100", day(6))
    hurt = planning.try_promise(
        house.by("sales"), site=house.site, item=house.item("PUMP"), quantity=D(100), wanted_on=day(6), rush=True
    ).hurt
    assert [each["number"] for each in hurt] == [f"{first.number}/1"]
    assert hurt[0]["days"] > 0 and hurt[0]["customer"] == "远景动力"
    line = rush(house, "100", 1)
    assert Outlook.objects.get(demand_id=line).late_minutes == 0
    assert Outlook.objects.get(demand_id=house.line(first).id).late_minutes > 0
    assert ActionMessage.objects.filter(action="promise", status="open", subject_id=house.line(first).id).exists()
    house.prove()
