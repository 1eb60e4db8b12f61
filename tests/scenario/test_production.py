"""Stories of the shop floor, in a real database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lianzao.foundation import clock, command, link, packing
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import by_id, run
from lianzao.foundation.entity import query
from lianzao.inventory import commands as inventory
from lianzao.inventory import queries as stock
from lianzao.inventory.models import Lot, PendingMove
from lianzao.production import commands as production
from lianzao.production import queries
from lianzao.production.models import OperationReport, WorkOrder, WorkOrderMaterial, WorkOrderOperation
from lianzao.values.errors import Conflict, Invalid, RuleBroken
from lianzao.values.reference import Ref
from lianzao.values.time import uuid7
from tests.scenario.shopfloor import NOW, Floor

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def floor(db: None):
    made = Floor()
    made.engineer()
    yield made
    clock.freeze(None)


def stocked(floor: Floor, steel: str = "500", screws: str = "2000") -> Lot:
    lot = floor.lot(floor.steel, "S1", supplier_lot="HEAT-77")
    floor.receive(floor.steel, steel, floor.line, lot)
    floor.receive(floor.screw, screws, floor.line)
    return lot


def material(order: WorkOrder, item) -> WorkOrderMaterial:
    return WorkOrderMaterial.objects.get(work_order=order, item=item)


def events(name: str) -> list[dict]:
    rows = query("SELECT payload FROM foundation_event WHERE name = %s ORDER BY id", [f"production.{name}"])
    return [packing.loads(row[0]) if isinstance(row[0], (str, bytes)) else row[0] for row in rows]


def test_a_work_order_freezes_bill_and_routing(floor: Floor) -> None:
    demand = Ref("sales.sales_order_line", uuid7())
    order = production.create_work_order(
        floor.by, item=floor.pump, quantity=D(10), due_at=NOW + timedelta(days=5), source=demand
    )
    assert order.number.startswith("WO-2603-") and order.status == "planned"
    assert list(order.operations.order_by("sequence").values_list("sequence", "work_center__code")) == [
        (10, "CUT"),
        (20, "FIT"),
    ]
    rows = order.materials.order_by("position").values_list("item__code", "planned_quantity", "operation_sequence")
    assert list(rows) == [("BODY", 10, 10), ("SCREW", 60, 20)]
    assert link.up(order)[0].ref == demand
    assert order.output_location_id == floor.out.id
    with pytest.raises(RuleBroken, match="item_not_made"):
        production.create_work_order(floor.by, item=floor.screw, quantity=D(1), due_at=NOW + timedelta(days=1))
    with pytest.raises(Conflict, match="wrong_status"):
        floor.report(order, 10, "1")


def test_ninety_five_good_and_five_scrap(floor: Floor) -> None:
    steel_lot = stocked(floor)
    order = floor.order(floor.body, "100")
    report = floor.report(order, 10, "95", "5")
    order.refresh_from_db()
    assert (order.status, order.good_quantity, order.scrap_quantity) == ("started", 95, 5)
    assert order.started_at == NOW and Lot.objects.get(pk=order.lot_id).number == order.number
    assert floor.at(floor.body, floor.out, order.lot) == 95
    # Scrap uses as much material as good pieces do.
    assert floor.at(floor.steel, floor.line, steel_lot) == 300 and floor.at(floor.screw, floor.line) == 1600
    # What was lost is made again: that needs more material.
    assert material(order, floor.steel).required_quantity == 210
    assert material(order, floor.steel).issued_quantity == 200
    assert {each["quantity"] for each in report.used} == {"200.000000", "400.000000"}
    kinds = {(move.source.location_kind, move.target.location_kind) for move in stock.moves_of(order.ref)}
    assert kinds == {("line", "production"), ("production", "store"), ("production", "scrap")}
    assert {move.order_id for move in stock.moves_of(order.ref)} == {report.order_id}
    (scrap,) = events("ScrapReported")
    assert D(scrap["scrap"]) == 5 and scrap["reason_id"] == str(floor.scratched.id)
    floor.report(order, 10, "5")
    order.refresh_from_db()
    assert order.status == "completed" and order.completed_at == NOW
    assert floor.at(floor.body, floor.out, order.lot) == 100
    assert len(events("WorkOrderCompleted")) == 1
    assert material(order, floor.steel).issued_quantity == 210
    floor.prove()


def test_reports_are_held_to_what_can_be_true(floor: Floor) -> None:
    stocked(floor)
    floor.receive(floor.body, "30", floor.line, floor.lot(floor.body, "B1"))
    order = floor.order(floor.pump, "20")
    with pytest.raises(RuleBroken, match="more_than_previous"):
        floor.report(order, 20, "1")
    with pytest.raises(RuleBroken, match="more_than_ordered"):
        floor.report(order, 10, "21")
    with pytest.raises(Invalid, match="report_is_empty"):
        floor.report(order, 10, "0")
    with pytest.raises(Invalid, match="must_not_be_negative"):
        floor.report(order, 10, "-1")
    with pytest.raises(Invalid, match="report_not_in_steps"):
        floor.report(order, 10, "1.5")
    with pytest.raises(Invalid, match="scrap_needs_reason"):
        production.report_operation(floor.by, operation=floor.operation(order), scrap=D(1))
    with pytest.raises(Invalid, match="happened_in_future"):
        floor.report(order, 10, "1", happened_at=NOW + timedelta(hours=1))
    floor.report(order, 10, "12")
    floor.report(order, 20, "10", "1")
    with pytest.raises(RuleBroken, match="more_than_previous") as refused:
        floor.report(order, 20, "2")
    assert refused.value.facts["most"] == 1
    # One was lost at the end: the first operation may now make one more than ordered, but no two.
    floor.report(order, 10, "9")
    with pytest.raises(RuleBroken, match="more_than_ordered"):
        floor.report(order, 10, "1")
    production.set_production_rule(floor.by, site_id=floor.site_id, over_report_percent=D(10))
    floor.report(order, 10, "2")
    floor.prove()


def test_rework_stays_at_the_operation_and_uses_nothing(floor: Floor) -> None:
    lot = stocked(floor)
    order = floor.order(floor.body, "10")
    floor.report(order, 10, "6", rework=D(4))
    assert floor.at(floor.steel, floor.line, lot) == 488
    operation = floor.operation(order)
    assert (operation.good_quantity, operation.rework_quantity, operation.status) == (6, 4, "started")
    floor.report(order, 10, "4")
    operation = floor.operation(order)
    assert (operation.good_quantity, operation.rework_quantity, operation.status) == (10, 4, "finished")
    assert floor.at(floor.steel, floor.line, lot) == 480
    floor.prove()


def test_what_the_line_does_not_have_is_kept_and_covered_when_it_arrives(floor: Floor) -> None:
    steel_lot = stocked(floor, steel="6", screws="1000")
    order = floor.order(floor.body, "10")
    report = floor.report(order, 10, "10")
    order.refresh_from_db()
    assert order.status == "completed" and floor.at(floor.body, floor.out, order.lot) == 10
    pending = PendingMove.objects.get()
    assert (pending.reason, pending.quantity, pending.status) == ("uncovered", 14, "pending")
    assert material(order, floor.steel).issued_quantity == 20
    assert stock.uncovered_columns(floor.site_id)["quantity"] == [14]
    second = floor.lot(floor.steel, "S2")
    floor.receive(floor.steel, "10", floor.line, second)
    floor.settle()
    pending.refresh_from_db()
    assert (pending.quantity, pending.posted_quantity, pending.status) == (4, 10, "pending")
    floor.receive(floor.steel, "50", floor.line, second)
    floor.settle()
    pending.refresh_from_db()
    assert (pending.quantity, pending.status) == (0, "posted")
    assert floor.at(floor.steel, floor.line, second) == 46 and floor.at(floor.steel, floor.line, steel_lot) == 0
    # The moves that came later belong to the report that used the steel, so they are its genealogy too.
    assert {move.order_id for move in stock.moves_of(order.ref)} == {report.order_id}
    traced = stock.trace_back(Lot.objects.get(item=floor.body).id)
    assert {edge.lot_number for edge in traced.edges[1:] if edge.lot_number} == {"S1", "S2"}
    production.reverse_report(floor.by, report=OperationReport.objects.get(), reason="wrong order")
    assert floor.at(floor.steel, floor.line, second) == 60 and floor.at(floor.steel, floor.line, steel_lot) == 6
    floor.prove()


def test_a_site_may_refuse_what_is_not_at_the_line(floor: Floor) -> None:
    stocked(floor, steel="6")
    production.set_production_rule(floor.by, site_id=floor.site_id, refuse_uncovered=True)
    order = floor.order(floor.body, "10")
    with pytest.raises(RuleBroken, match="material_short") as refused:
        floor.report(order, 10, "10")
    assert refused.value.facts["item"] == "STEEL" and refused.value.facts["missing"] == 14
    assert PendingMove.objects.count() == 0 and floor.at(floor.screw, floor.line) == 2000
    floor.report(order, 10, "3")


def test_the_line_lead_covers_by_hand(floor: Floor) -> None:
    stocked(floor, steel="0.001")
    order = floor.order(floor.body, "1")
    floor.report(order, 10, "1")
    lot = Lot.objects.get(number="S1")
    inventory.count_stock(
        floor.by, location=floor.line, item=floor.steel, lot=lot, counted=D(3), reason="was never booked"
    )
    done = inventory.cover_pending(floor.by, location=floor.line, items=[floor.steel])
    assert (done.posted, done.waiting) == (1, 0)
    assert floor.at(floor.steel, floor.line, lot) == D("1.001")
    floor.prove()


def test_a_report_is_taken_back_as_a_whole(floor: Floor) -> None:
    lot = stocked(floor)
    order = floor.order(floor.body, "10")
    first = floor.report(order, 10, "4", "1")
    second = floor.report(order, 10, "6")
    made = Lot.objects.get(item=floor.body)
    production.reverse_report(floor.by, report=second, reason="counted twice")
    order.refresh_from_db()
    assert (order.status, order.good_quantity, order.scrap_quantity) == ("started", 4, 1)
    assert floor.at(floor.body, floor.out, made) == 4 and floor.at(floor.steel, floor.line, lot) == 490
    with pytest.raises(Conflict, match="already_reversed"):
        production.reverse_report(floor.by, report=second.id, reason="again")
    floor.ship(floor.body, "3", floor.out, made)
    with pytest.raises(RuleBroken, match="stock_short"):
        production.reverse_report(floor.by, report=first.id, reason="too late")
    assert material(order, floor.steel).required_quantity == 22
    floor.prove()


def test_nobody_takes_back_another_mans_report_but_the_lead(floor: Floor) -> None:
    stocked(floor)
    order = floor.order(floor.body, "10")
    operation = WorkOrderOperation.objects.get(work_order=order)
    rights = frozenset({"production.report_operation", "production.reverse_report", "production.view_*"})
    wang, zhao = (
        Actor(id=uuid7(), name=name, sites=frozenset({floor.site_id}), site=floor.site_id, rights=rights)
        for name in ("王", "赵")
    )
    lead = replace(zhao, id=uuid7(), name="班长", rights=frozenset({"production.*"}), memory={})
    first = production.report_operation(wang, operation=operation, good=D(2))
    with pytest.raises(RuleBroken, match="report_of_somebody_else"):
        production.reverse_report(zhao, report=first, reason="not mine")
    assert OperationReport.objects.get(pk=first.id).reversed_at is None
    production.reverse_report(wang, report=first, reason="my own mistake")
    second = production.report_operation(wang, operation=by_id(operation.id), good=D(3))
    production.reverse_report(lead, report=second, reason="his mistake")
    for_zhao = production.report_operation(wang, operation=by_id(operation.id), good=D(1), person_id=zhao.id)
    production.reverse_report(zhao, report=for_zhao, reason="it was my work")
    floor.prove()


def test_a_report_later_operations_used_stays(floor: Floor) -> None:
    stocked(floor)
    floor.receive(floor.body, "30", floor.line, floor.lot(floor.body, "B1"))
    order = floor.order(floor.pump, "20")
    first = floor.report(order, 10, "20")
    last = floor.report(order, 20, "15")
    with pytest.raises(RuleBroken, match="reported_later"):
        production.reverse_report(floor.by, report=first, reason="no")
    production.reverse_report(floor.by, report=last, reason="no")
    production.reverse_report(floor.by, report=first.id, reason="no")
    order.refresh_from_db()
    assert (order.status, order.good_quantity) == ("started", 0)
    assert floor.at(floor.body, floor.line, Lot.objects.get(number="B1")) == 30
    floor.prove()


def test_the_same_tap_twice_is_one_report(floor: Floor) -> None:
    stocked(floor)
    order = floor.order(floor.body, "10")
    tap = uuid7()
    first = floor.report(order, 10, "4", tap=tap)
    again = floor.report(order, 10, "4", tap=tap)
    assert again.id == first.id and OperationReport.objects.count() == 1
    order.refresh_from_db()
    assert order.good_quantity == 4
    floor.prove()


def test_an_order_another_process_carried_out_is_answered_alike_although_the_rules_now_refuse_it(floor: Floor) -> None:
    order = floor.order(floor.pump, "20", release=False)
    tap, said = uuid7(), {"work_order": str(order.id)}
    run(floor.by, "production.release_work_order", said, order_id=tap)
    command._SEEN.forget()
    again = run(floor.by, "production.release_work_order", said, order_id=tap)
    assert (again.id, again["status"]) == (order.id, "released")
    command._SEEN.forget()
    with pytest.raises(Conflict, match="order_id_reused"):
        run(floor.by, "production.withdraw_work_order", said, order_id=tap)
    with pytest.raises(Conflict, match="wrong_status"):
        run(floor.by, "production.release_work_order", said, order_id=uuid7())


def statements(seen: CaptureQueriesContext) -> list[str]:
    """What was asked of the database, without the frame of the transaction."""
    frame = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
    return [each["sql"] for each in seen if not each["sql"].startswith(frame)]


def test_how_many_statements_a_report_takes(floor: Floor) -> None:
    stocked(floor)
    floor.receive(floor.body, "30", floor.line, floor.lot(floor.body, "B1"))
    order = floor.order(floor.pump, "20")
    floor.report(order, 10, "10")
    floor.report(order, 20, "1")
    operation, last = floor.operation(order, 10), floor.operation(order, 20)
    WorkOrderMaterial.objects.filter(work_order=order, item=floor.body).update(backflush=False)
    with CaptureQueriesContext(connection) as plain:
        run(floor.by, "production.report_operation", {"operation": operation.id, "good": 2}, order_id=uuid7())
    with CaptureQueriesContext(connection) as finishing:
        run(floor.by, "production.report_operation", {"operation": last.id, "good": 2}, order_id=uuid7())
    WorkOrderMaterial.objects.filter(work_order=order).update(backflush=False)
    with CaptureQueriesContext(connection) as without:
        run(floor.by, "production.report_operation", {"operation": last.id, "good": 2}, order_id=uuid7())
    counts = len(statements(plain)), len(statements(without)), len(statements(finishing))
    assert counts == (4, 6, 7), "\n\n".join(statements(finishing))


def test_issue_by_hand_takes_what_expires_first_and_returns_what_is_left(floor: Floor) -> None:
    for number, days in (("LATE", 20), ("SOON", 5)):
        lot = floor.lot(floor.steel, number, expires_on=(NOW + timedelta(days=days)).date())
        floor.receive(floor.steel, "12", floor.store, lot)
    order = floor.order(floor.body, "10")
    WorkOrderMaterial.objects.filter(work_order=order, item=floor.steel).update(backflush=False, source=floor.store)
    (issued,) = production.issue_material(floor.by, work_order=order)
    soon, late = Lot.objects.get(number="SOON"), Lot.objects.get(number="LATE")
    assert (issued.quantity, issued.missing) == (20, 0)
    assert floor.at(floor.steel, floor.store, soon) == 0 and floor.at(floor.steel, floor.store, late) == 4
    row = material(order, floor.steel)
    with pytest.raises(RuleBroken, match="returned_too_much"):
        production.return_material(
            floor.by, work_order=order, lines=[production.ReturnLine(material=row, quantity=D(9), lot=late)]
        )
    production.return_material(
        floor.by, work_order=order, lines=[production.ReturnLine(material=row, quantity=D(3), lot=late)]
    )
    assert floor.at(floor.steel, floor.store, late) == 7 and material(order, floor.steel).issued_quantity == 17
    with pytest.raises(RuleBroken, match="material_short"):
        production.issue_material(
            floor.by, work_order=order, lines=[production.IssueLine(material=row, quantity=D(50))]
        )
    (some,) = production.issue_material(
        floor.by, work_order=order, lines=[production.IssueLine(material=row, quantity=D(50))], partial=True
    )
    assert (some.quantity, some.missing) == (7, 43)
    floor.prove()


def test_material_issued_beforehand_is_used_up_first(floor: Floor) -> None:
    lot = stocked(floor)
    order = floor.order(floor.body, "10")
    row = material(order, floor.steel)
    production.issue_material(
        floor.by, work_order=order, lines=[production.IssueLine(material=row, quantity=D(5), lot=lot)]
    )
    floor.report(order, 10, "2")
    assert floor.at(floor.steel, floor.line, lot) == 495
    floor.report(order, 10, "8")
    assert floor.at(floor.steel, floor.line, lot) == 480 and material(order, floor.steel).issued_quantity == 20
    floor.prove()


def test_genealogy_from_a_suppliers_lot_to_the_customer(floor: Floor) -> None:
    first = floor.lot(floor.steel, "S1", supplier_lot="HEAT-77")
    second = floor.lot(floor.steel, "S2", supplier_lot="HEAT-78")
    receipt = floor.receive(floor.steel, "10", floor.line, first)
    floor.receive(floor.steel, "10", floor.line, second)
    floor.receive(floor.screw, "1000", floor.line)
    body_one, body_two = floor.order(floor.body, "5"), floor.order(floor.body, "5")
    floor.report(body_one, 10, "5", lot="BODY-A")
    floor.report(body_two, 10, "5", lot="BODY-B")
    for number in ("BODY-A", "BODY-B"):
        lot = Lot.objects.get(number=number)
        inventory.move_stock(floor.by, item=floor.body, quantity=D(5), source=floor.out, target=floor.line, lot=lot)
    pump = floor.order(floor.pump, "7")
    floor.report(pump, 10, "7")
    floor.report(pump, 20, "7", lot="PUMP-1")
    pump_lot = Lot.objects.get(number="PUMP-1")
    shipment = floor.ship(floor.pump, "4", floor.out, pump_lot)
    back = stock.trace_back(pump_lot.id)
    assert {edge.lot_number for edge in back.edges if edge.lot_number} == {"PUMP-1", "BODY-A", "BODY-B", "S1", "S2"}
    assert {edge.item_code for edge in back.edges if edge.lot_id is None} == {"SCREW"}
    assert {(end.lot_id, end.quantity) for end in back.came_from} == {(first.id, 10), (second.id, 10)}
    forward = stock.trace_forward(first.id)
    assert [(edge.depth, edge.lot_number) for edge in forward.edges] == [(0, "S1"), (1, "BODY-A"), (2, "PUMP-1")]
    (reached,) = forward.reached
    assert (reached.cause_kind, reached.cause_id, reached.quantity) == ("logistics.shipment", shipment.id, 4)
    assert [(each.location_code, each.quantity) for each in forward.remains] == [("OUT", 3)]
    assert [(end.cause_id, end.quantity) for end in forward.came_from] == [(receipt.id, 10)]
    done = queries.reports_of([id for kind, id in forward.causes if kind == "production.work_order"])
    assert [(row.work_order_number, row.operation, row.work_center) for row in done] == [
        (body_one.number, "CUT", "CUT"),
        (pump.number, "CUT", "CUT"),
        (pump.number, "FIT", "FIT"),
    ]
    assert forward.edges[1].persons == ["the shop floor's tests"]
    floor.prove()


def test_a_reversed_issue_leaves_no_trace_edge(floor: Floor) -> None:
    lot = stocked(floor)
    order = floor.order(floor.body, "5")
    report = floor.report(order, 10, "5")
    made = Lot.objects.get(item=floor.body)
    assert len(stock.trace_forward(lot.id).edges) == 2
    production.reverse_report(floor.by, report=report, reason="other order")
    assert len(stock.trace_forward(lot.id).edges) == 1 and len(stock.trace_back(made.id).edges) == 1


def test_a_queue_shows_what_can_be_worked_on(floor: Floor) -> None:
    stocked(floor)
    floor.receive(floor.body, "30", floor.line, floor.lot(floor.body, "B1"))
    order = floor.order(floor.pump, "20")
    assert [row.available for row in queries.station_queue(floor.fitting.id)] == [0]
    production.start_operation(floor.by, operation=floor.operation(order, 10))
    floor.report(order, 10, "8")
    floor.report(order, 20, "3")
    (row,) = queries.station_queue(floor.fitting.id)
    assert (row.available, row.remaining, row.good, row.status) == (5, 17, 3, "started")
    columns = queries.operation_columns(floor.site_id)
    assert columns["quantity"] == [12, 17] and columns["run_minutes"] == [12, 17] and columns["started"] == [True, True]
    assert queries.material_columns(floor.site_id)["quantity"] == [12, 102]
    assert queries.work_order_columns(floor.site_id)["quantity"] == [17]


def test_a_work_order_is_moved_resized_closed_and_cancelled(floor: Floor) -> None:
    stocked(floor)
    order = floor.order(floor.body, "10")
    operation = floor.operation(order)
    start, finish = NOW + timedelta(days=1), NOW + timedelta(days=2)
    times = [production.OperationTime(operation.id, start, finish)]
    production.reschedule(floor.by, work_order=order, due_at=NOW + timedelta(days=9), operations=times, pinned=True)
    order.refresh_from_db()
    assert (order.planned_start_at, order.planned_finish_at, order.pinned) == (start, finish, True)
    production.resize_work_order(floor.by, work_order=order, quantity=D(15))
    assert material(order, floor.steel).required_quantity == 30
    floor.report(order, 10, "4")
    with pytest.raises(RuleBroken, match="less_than_made"):
        production.resize_work_order(floor.by, work_order=order, quantity=D(3))
    order.refresh_from_db()
    with pytest.raises((RuleBroken, Conflict)):
        production.cancel_work_order(floor.by, work_order=order, reason="no")
    with pytest.raises(RuleBroken, match="close_short_needs_reason"):
        production.close_work_order(floor.by, work_order=order)
    production.close_work_order(floor.by, work_order=order, reason="customer reduced")
    (closed,) = events("WorkOrderClosed")
    assert D(closed["missing"]) == 11
    with pytest.raises(Conflict, match="wrong_status"):
        floor.report(order, 10, "1")
    other = floor.order(floor.body, "3")
    production.withdraw_work_order(floor.by, work_order=other)
    production.cancel_work_order(floor.by, work_order=other, reason="not needed")
    assert queries.work_order_columns(floor.site_id)["quantity"] == []


def test_an_operation_stands_as_its_whole_order_does(floor: Floor) -> None:
    stocked(floor)
    floor.receive(floor.body, "60", floor.line, floor.lot(floor.body, "B1"))
    order = floor.order(floor.pump, "20")

    def stand() -> list[str]:
        return list(order.operations.order_by("sequence").values_list("status", flat=True))

    floor.report(order, 10, "20")
    assert stand() == ["finished", "waiting"]
    lost = floor.report(order, 20, "15", "5")
    assert stand() == ["started", "started"]  # five have to be cut again
    assert [row.sequence for row in queries.station_queue(floor.cutting.id)] == [10]
    columns = queries.operation_columns(floor.site_id)
    assert dict(zip(columns["sequence"], columns["quantity"], strict=True)) == {10: 5, 20: 5}
    again = floor.report(order, 10, "5")
    assert stand() == ["finished", "started"]
    production.reverse_report(floor.by, report=again, reason="counted twice")
    assert stand() == ["started", "started"]
    production.reverse_report(floor.by, report=lost, reason="none was lost")
    assert stand() == ["finished", "started"]
    order.refresh_from_db()
    production.resize_work_order(floor.by, work_order=order, quantity=D(30))
    assert stand() == ["started", "started"]
    order.refresh_from_db()
    production.close_work_order(floor.by, work_order=order, reason="customer reduced")
    assert stand() == ["finished", "finished"]
    assert None not in order.operations.values_list("finished_at", flat=True)
    order.refresh_from_db()
    production.reopen_work_order(floor.by, work_order=order)
    assert stand() == ["started", "started"]


def test_a_completed_order_leaves_no_operation_begun(floor: Floor) -> None:
    stocked(floor)
    floor.receive(floor.body, "30", floor.line, floor.lot(floor.body, "B1"))
    production.set_production_rule(floor.by, site_id=floor.site_id, keep_order=False)
    order = floor.order(floor.pump, "20")
    floor.report(order, 10, "12")  # the rest was never reported there
    last = floor.report(order, 20, "20")
    order.refresh_from_db()
    assert order.status == "completed"
    assert set(order.operations.values_list("status", flat=True)) == {"finished"}
    production.reverse_report(floor.by, report=last, reason="counted twice")
    assert set(order.operations.values_list("status", flat=True)) == {"started"}
    floor.prove()


def test_release_may_wait_for_material(floor: Floor) -> None:
    production.set_production_rule(floor.by, site_id=floor.site_id, refuse_release_short=True)
    order = floor.order(floor.body, "10", release=False)
    with pytest.raises(RuleBroken, match="material_short"):
        production.release_work_order(floor.by, work_order=order)
    stocked(floor)
    assert production.release_work_order(floor.by, work_order=order).status == "released"


def test_serial_numbers_are_made_piece_by_piece(floor: Floor) -> None:
    stocked(floor)
    drive = floor.item("DRIVE", "make", tracking="serial")
    floor._routing(drive, [(10, floor.cutting)])
    order = floor.order(drive, "3")
    floor.report(order, 10, "2")
    with pytest.raises(Invalid, match="serials_do_not_match"):
        floor.report(order, 10, "1", serials=["A", "B"])
    floor.report(order, 10, "1", serials=["D-77"])
    numbers = sorted(Lot.objects.filter(item=drive).values_list("number", flat=True))
    assert numbers == ["D-77", f"{order.number}-0001", f"{order.number}-0002"]
    floor.prove()


def test_goods_to_be_inspected_are_held_until_accepted(floor: Floor) -> None:
    stocked(floor)
    order = floor.order(floor.body, "3")
    order.operations.update(inspect=True)
    report = floor.report(order, 10, "3")
    lot = Lot.objects.get(pk=report.lots[0])
    assert lot.status == "held" and events("OperationReported")[0]["inspect"] is True
    assert stock.on_hand(floor.site_id, [floor.body.id])[floor.body.id].held == 3
