"""Stories around the machine: material checks, written values, calls for help, people, shifts, corrected stops."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from typing import Any

import pytest

from lianzao.access import commands as access
from lianzao.access.models import Person, Role
from lianzao.access.queries import actor_for
from lianzao.alerts.commands import set_up_watches
from lianzao.alerts.jobs import escalate
from lianzao.alerts.models import Alert, Notice
from lianzao.engineering import commands as engineering
from lianzao.engineering.models import Capture, Routing, RoutingStep
from lianzao.equipment import commands as equipment
from lianzao.equipment import queries as machines
from lianzao.equipment.models import MachineState
from lianzao.foundation import clock
from lianzao.foundation.command import by_id, run
from lianzao.foundation.entity import query
from lianzao.inventory import commands as inventory
from lianzao.inventory.models import Lot, Move
from lianzao.overviews.floor import station
from lianzao.overviews.machines import machine_wall
from lianzao.overviews.shift import shift_board
from lianzao.plant import commands as plant
from lianzao.plant.queries import shift_at
from lianzao.production import commands as production
from lianzao.production.floor_models import (
    HelpCall,
    HelpCause,
    MaterialCheck,
    Presence,
    ShiftPost,
    StepValue,
    WorkOrderStep,
)
from lianzao.production.models import WorkOrder, WorkOrderMaterial
from lianzao.values.errors import Conflict, Invalid, RuleBroken
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


def worker(floor: Floor, login: str, role: str = "operator") -> Any:
    """Somebody of the site with a role, as he acts."""
    access.set_up_roles(floor.by)
    person = access.create_person(floor.by, login=login, name=login.upper())
    access.assign_role(floor.by, person=person, role=Role.objects.get(code=role), site=by_id(floor.site_id))
    return actor_for(login, site=floor.site_id)


# -- material check ---------------------------------------------------------------------------------------------------


def check(floor: Floor, order: WorkOrder, code: str, sequence: int = 10) -> Any:
    return production.check_material(floor.by, operation=floor.operation(order, sequence), code=code)


def test_a_material_check_refuses_what_is_wrong_and_keeps_every_try(floor: Floor) -> None:
    good = floor.lot(floor.steel, "S1")
    held = floor.lot(floor.steel, "S2")
    old = floor.lot(floor.steel, "S3", expires_on=NOW.date())
    empty = floor.lot(floor.steel, "S4")
    body = floor.lot(floor.body, "B1")
    for lot in (good, held, old):
        floor.receive(floor.steel, "10", floor.line, lot)
    floor.receive(floor.body, "5", floor.line, body)
    inventory.hold_lot(floor.by, lot=held, reason="裂纹")
    clock.advance(timedelta(days=1))
    order = floor.order(floor.body, "10")
    told = {code: check(floor, order, code) for code in ("S1", "S2", "S3", "S4", "B1", "NIX", "SCREW")}
    assert {code: each.verdict for code, each in told.items()} == {
        "S1": "right", "S2": "held", "S3": "expired", "S4": "used_up", "B1": "wrong_item", "NIX": "unknown",
        "SCREW": "used_up",  # no lots: the code on the box counts, and the site has none
    }  # fmt: skip
    assert told["S2"].reason == "裂纹" and told["B1"].wanted == ["STEEL", "SCREW"]
    assert [each.right for each in told.values()] == [True, False, False, False, False, False, False]
    assert sorted(MaterialCheck.objects.values_list("scanned", "verdict")) == sorted(
        (code, each.verdict) for code, each in told.items()
    )
    assert MaterialCheck.objects.get(scanned="S4").lot_id == empty.id
    told_of = query("SELECT count(*) FROM foundation_event WHERE name = 'production.MaterialChecked'")
    assert told_of == [(7,)]


def test_another_revisions_material_is_told_as_such(floor: Floor) -> None:
    gasket = floor.item("GASKET", "buy")
    floor.receive(gasket, "50", floor.line)
    lines = [engineering.ComponentLine(component=gasket, quantity_per=D(1))]
    engineering.enter_bom(floor.by, item=floor.body, revision="B", lines=lines)
    order = floor.order(floor.body, "10")
    assert check(floor, order, "GASKET").verdict == "wrong_revision"


def test_a_lot_right_but_not_at_the_line_is_said_so(floor: Floor) -> None:
    lot = floor.lot(floor.steel, "S1")
    floor.receive(floor.steel, "10", floor.store, lot)
    order = floor.order(floor.body, "10")
    told = check(floor, order, "S1")
    assert told.right and told.elsewhere


def test_the_checked_lot_is_used_before_what_expires_first(floor: Floor) -> None:
    soon = floor.lot(floor.steel, "SOON", expires_on=NOW.date() + timedelta(days=2))
    late = floor.lot(floor.steel, "LATE", expires_on=NOW.date() + timedelta(days=20))
    floor.receive(floor.steel, "100", floor.line, soon)
    floor.receive(floor.steel, "30", floor.line, late)
    floor.receive(floor.screw, "400", floor.line)
    order = floor.order(floor.body, "50")
    floor.report(order, 10, "5")  # takes 10 of what expires first
    assert (floor.at(floor.steel, floor.line, soon), floor.at(floor.steel, floor.line, late)) == (90, 30)
    assert check(floor, order, "LATE").right
    floor.report(order, 10, "10")  # takes 20 of the checked lot
    assert (floor.at(floor.steel, floor.line, soon), floor.at(floor.steel, floor.line, late)) == (90, 10)
    floor.report(order, 10, "10")  # takes the 10 left of it, and 10 of the other
    assert (floor.at(floor.steel, floor.line, soon), floor.at(floor.steel, floor.line, late)) == (80, 0)
    moved = Move.objects.filter(cause_id=order.id, item=floor.steel, target_id=floor.virtual("production"))
    assert sum(moved.filter(lot=late).values_list("quantity", flat=True)) == 30
    floor.prove()


# -- instructions -----------------------------------------------------------------------------------------------------


def instructed(floor: Floor) -> WorkOrder:
    """A body whose cutting asks for a torque from 11 to 13, a check, and a free remark."""
    routing = engineering.copy_routing(floor.by, routing=Routing.objects.get(item=floor.body), revision="B",
                                       effective_from=NOW.date())  # fmt: skip
    engineering.set_operation_steps(
        floor.by,
        routing_operation=routing.operations.get(sequence=10),
        steps=[
            engineering.StepLine("夹紧工件", "Clamp the part", link="https://docs.example/clamp.pdf"),
            engineering.StepLine(
                "拧紧力矩", "Torque", capture=Capture.NUMBER, unit_text="N·m", lower=D(11), upper=D(13), required=True
            ),
            engineering.StepLine("去毛刺", "Deburr", capture=Capture.CHECK, required=True),
            engineering.StepLine("备注", "Remark", capture=Capture.TEXT),
        ],
    )  # fmt: skip
    engineering.approve_routing(floor.by, routing=routing, end_previous=True)
    order = production.create_work_order(
        floor.by, item=floor.body, quantity=D(10), due_at=NOW + timedelta(days=5), routing=routing
    )
    return production.release_work_order(floor.by, work_order=order)


def readings(order: WorkOrder, **values: str) -> list[Any]:
    ids = dict(WorkOrderStep.objects.filter(operation__work_order=order).values_list("text_en", "id"))
    return [production.StepReading(ids[text], value) for text, value in values.items()]


def test_instructions_are_frozen_and_their_values_come_with_the_report(floor: Floor) -> None:
    order = instructed(floor)
    operation = floor.operation(order)
    assert operation.required_steps == 2
    assert list(WorkOrderStep.objects.filter(operation=operation).values_list("position", "text", "capture")) == [
        (10, "夹紧工件", "none"), (20, "拧紧力矩", "number"), (30, "去毛刺", "check"), (40, "备注", "text"),
    ]  # fmt: skip
    floor.receive(floor.screw, "400", floor.line)
    with pytest.raises(RuleBroken, match="step_not_written_down"):
        floor.report(order, 10, "1")
    with pytest.raises(RuleBroken, match="step_not_written_down"):
        floor.report(order, 10, "1", values=readings(order, Torque="12.1"))
    report = floor.report(order, 10, "1", values=readings(order, Torque="12.1", Deburr="yes"))
    assert list(StepValue.objects.filter(report=report).order_by("value").values_list("value", "within")) == [
        ("12.1", True), ("yes", True)
    ]  # fmt: skip
    floor.report(order, 10, "1")  # written down once for the operation is enough
    floor.report(order, 10, "1", values=readings(order, Torque="13.5", Remark="换刀"))
    assert StepValue.objects.get(value="13.5").within is False
    assert StepValue.objects.get(value="换刀").within is None
    [(payload,)] = query("SELECT payload FROM foundation_event WHERE name = 'production.StepOutOfLimits'")
    assert "13.5" in str(payload) and "11–13 N·m" in str(payload)
    # A report that is taken back takes its values with it: they must be written down again.
    other = instructed_again(floor, order)
    first = floor.report(other, 10, "1", values=readings(other, Torque="12", Deburr="yes"))
    production.reverse_report(floor.by, report=first, reason="typo")
    with pytest.raises(RuleBroken, match="step_not_written_down"):
        floor.report(other, 10, "1")


def instructed_again(floor: Floor, order: WorkOrder) -> WorkOrder:
    made = production.create_work_order(
        floor.by, item=floor.body, quantity=D(10), due_at=NOW + timedelta(days=5), routing=order.routing
    )
    return production.release_work_order(floor.by, work_order=made)


def test_a_value_must_mean_something(floor: Floor) -> None:
    order = instructed(floor)
    for value, code in (("", "field_missing"), ("warm", "not_a_number"), ("NaN", "not_a_number"), ("1" * 121, "too")):
        with pytest.raises(Invalid, match=code):
            floor.report(order, 10, "1", values=readings(order, Torque=value, Deburr="yes"))
    with pytest.raises(Invalid, match="step_of_other_operation"):
        floor.report(order, 10, "1", values=[production.StepReading(uuid7(), "1")])
    with pytest.raises(Invalid, match="step_takes_no_value"):
        floor.report(order, 10, "1", values=readings(order, **{"Clamp the part": "1"}))
    assert StepValue.objects.count() == 0


def test_steps_change_by_revision_only_and_stay_with_their_operation(floor: Floor) -> None:
    order = instructed(floor)
    routing = order.routing
    assert routing is not None
    operation = routing.operations.get(sequence=10)
    with pytest.raises(Conflict, match="approved_is_fixed"):
        engineering.set_operation_steps(floor.by, routing_operation=operation, steps=[])
    draft = engineering.copy_routing(floor.by, routing=routing, revision="C")
    assert RoutingStep.objects.filter(operation__routing=draft).count() == 4
    lines = [engineering.OperationLine(sequence=10, name="CUT", work_center=floor.cutting)]
    engineering.set_routing_operations(floor.by, routing=draft, operations=lines)
    assert RoutingStep.objects.filter(operation__routing=draft).count() == 4
    for wrong, code in (
        (engineering.StepLine("x", link="javascript:alert(1)"), "link_not_allowed"),
        (engineering.StepLine("x", capture=Capture.TEXT, lower=D(1)), "limits_without_number"),
        (engineering.StepLine("x", capture=Capture.NUMBER, lower=D(2), upper=D(1)), "limits_crossed"),
        (engineering.StepLine("x", required=True), "nothing_to_write_down"),
        (engineering.StepLine(" "), "field_missing"),
    ):
        with pytest.raises(Invalid, match=code):
            engineering.set_operation_steps(floor.by, routing_operation=draft.operations.get(), steps=[wrong])


# -- calls for help ---------------------------------------------------------------------------------------------------


def hear(floor: Floor) -> None:
    """Alerts gather news for 50 ms."""
    time.sleep(0.06)
    floor.settle()


def climb(minutes: int) -> None:
    """So much time passes, and the clock of the ladders looks."""
    clock.advance(timedelta(minutes=minutes))
    escalate(clock.now())


def told(person: Any) -> list[str]:
    return sorted(
        Notice.objects.filter(person_id=person.id, told_at__isnull=False).values_list("alert__title", flat=True)
    )


def test_a_call_climbs_its_ladder_until_somebody_comes(floor: Floor) -> None:
    set_up_watches(floor.by)
    operator, fitter, lead, boss = (
        worker(floor, name, role)
        for name, role in (("op", "operator"), ("fix", "maintenance"), ("lead", "lead"), ("boss", "manager"))
    )
    call = production.call_for_help(operator, work_center=floor.cutting, cause=HelpCause.MACHINE, note="主轴异响")
    assert call.number.startswith("AN-2603-") and call.called_by == operator.id
    hear(floor)
    assert [len(told(who)) for who in (operator, fitter, lead, boss)] == [0, 1, 0, 0]
    assert "CUT" in told(fitter)[0]
    climb(6)
    assert [len(told(who)) for who in (fitter, lead, boss)] == [1, 1, 0]
    clock.advance(timedelta(minutes=4))
    production.acknowledge_call(fitter, help_call=call)
    hear(floor)
    alert = Alert.objects.get()
    assert alert.status == "done"
    climb(30)
    assert told(boss) == []  # somebody came: nobody further is called
    assert query("SELECT (payload->>'waited_minutes')::int FROM foundation_event WHERE name LIKE '%%Acknowledged'") == [
        (10,)
    ]
    production.solve_call(fitter, help_call=call, answer="换轴承")
    call.refresh_from_db()
    assert call.ended_at is not None
    assert (call.status, call.answer, call.ended_at - call.called_at) == ("solved", "换轴承", timedelta(minutes=40))
    with pytest.raises(Conflict, match="wrong_status"):
        production.acknowledge_call(fitter, help_call=call)


def test_a_call_nobody_answers_reaches_the_manager(floor: Floor) -> None:
    set_up_watches(floor.by)
    operator, boss = worker(floor, "op"), worker(floor, "boss", "manager")
    worker(floor, "store", "warehouse")
    production.call_for_help(operator, work_center=floor.cutting, cause=HelpCause.MATERIAL)
    hear(floor)
    for _ in range(5):  # rungs keep their distance: each is climbed a little late
        climb(4)
    assert len(told(boss)) == 1


def test_pressing_twice_calls_once(floor: Floor) -> None:
    tap = uuid7()
    one = production.call_for_help.ordered(tap)(floor.by, work_center=floor.cutting, cause=HelpCause.QUALITY)
    same = production.call_for_help.ordered(tap)(floor.by, work_center=floor.cutting, cause=HelpCause.QUALITY)
    colleague = production.call_for_help(floor.by, work_center=floor.cutting, cause=HelpCause.QUALITY)
    other = production.call_for_help(floor.by, work_center=floor.cutting, cause=HelpCause.TOOL)
    answers: list[Any] = [one, same, colleague]
    ids = {str(each["id"] if isinstance(each, dict) else each.id) for each in answers}
    assert ids == {str(one.id)} and other.id != one.id
    assert HelpCall.objects.count() == 2
    production.withdraw_call(floor.by, help_call=one)
    again = production.call_for_help(floor.by, work_center=floor.cutting, cause=HelpCause.QUALITY)
    assert again.id != one.id and HelpCall.objects.filter(status="open").count() == 2


# -- people -----------------------------------------------------------------------------------------------------------


def test_two_people_work_at_one_station_and_nobody_at_two(floor: Floor) -> None:
    gao, ma = worker(floor, "gao"), worker(floor, "ma")
    first = production.come_to_station(gao, work_center=floor.cutting)
    assert production.come_to_station(gao, work_center=floor.cutting).id == first.id  # a second tap changes nothing
    production.come_to_station(ma, work_center=floor.cutting)
    assert [each["name"] for each in station(gao, floor.cutting.id)["people"]] == ["GAO", "MA"]
    # Each reports under his own name, and takes back only what is his.
    floor.receive(floor.screw, "400", floor.line)
    order = floor.order(floor.body, "10")
    mine = production.report_operation(gao, operation=floor.operation(order), good=D(2))
    his = production.report_operation(gao, operation=floor.operation(order), good=D(3), person_id=ma.id)
    assert (mine.person_id, his.person_id) == (gao.id, ma.id)
    with pytest.raises(RuleBroken, match="report_of_somebody_else"):
        production.reverse_report(ma, report=mine, reason="no")
    production.reverse_report(ma, report=his, reason="miscounted")
    clock.advance(timedelta(minutes=5))
    production.come_to_station(ma, work_center=floor.fitting)
    assert [each["name"] for each in station(gao, floor.cutting.id)["people"]] == ["GAO"]
    assert Presence.objects.filter(person_id=ma.id, left_at=None).count() == 1
    production.leave_station(gao, presence=first)
    with pytest.raises(Conflict, match="left_already"):
        production.leave_station(gao, presence=first)
    assert station(gao, floor.cutting.id)["people"] == []
    with pytest.raises(RuleBroken, match="only_people_come"):
        production.come_to_station(floor.by, work_center=floor.cutting)


def test_who_forgot_to_leave_is_not_there_the_next_day(floor: Floor) -> None:
    gao = worker(floor, "gao")
    production.come_to_station(gao, work_center=floor.cutting)
    clock.advance(timedelta(hours=15))
    assert station(gao, floor.cutting.id)["people"] == []


def test_a_job_put_aside_waits_with_what_it_made(floor: Floor) -> None:
    floor.receive(floor.screw, "400", floor.line)
    order = floor.order(floor.body, "10")
    production.start_operation(floor.by, operation=floor.operation(order))
    floor.report(order, 10, "4")
    production.pause_operation(floor.by, operation=floor.operation(order))
    operation = floor.operation(order)
    assert (operation.status, operation.good_quantity) == ("waiting", 4)
    floor.report(order, 10, "6")
    order.refresh_from_db()
    assert order.status == "completed"


# -- the station and the shift ----------------------------------------------------------------------------------------


def test_a_station_says_why_a_job_cannot_start(floor: Floor) -> None:
    body = floor.lot(floor.body, "B1")
    floor.receive(floor.body, "20", floor.line, body)
    order = floor.order(floor.pump, "10")
    [cut] = station(floor.by, floor.cutting.id)["jobs"]
    assert cut["blocks"] == []  # the screws of the fitting do not keep the cutting waiting
    [fit] = station(floor.by, floor.fitting.id)["jobs"]
    assert fit["blocks"] == ["material_missing", "waits_before"]
    floor.receive(floor.screw, "60", floor.store)
    floor.report(order, 10, "3")
    [fit] = station(floor.by, floor.fitting.id)["jobs"]
    assert fit["blocks"] == ["material_in_store"] and fit["available"] == 3
    press = run(floor.by, "plant.create_machine", {"code": "P1", "name": "压机", "work_center": str(floor.fitting.id)})
    equipment.stop_machine(floor.by, machine=press)
    [fit] = station(floor.by, floor.fitting.id)["jobs"]
    assert fit["blocks"][0] == "machine_down"


def two_shifts(floor: Floor) -> None:
    """Every day from 08:00 to 16:00 and from 16:00 to midnight in Shanghai; NOW is Monday 10:00 there."""
    calendar = run(floor.by, "plant.create_calendar", {"code": "TWO", "name": "两班"})
    shifts = [
        plant.ShiftHours(day, start, end, name)
        for day in range(7)
        for start, end, name in ((clock_time(8), clock_time(16), "早班"), (clock_time(16), clock_time(0), "中班"))
    ]
    plant.set_shifts(floor.by, calendar=calendar, shifts=shifts)
    for center in (floor.cutting, floor.fitting):
        run(floor.by, "plant.change_work_center", {"work_center": str(center.id), "calendar": str(calendar.id)})


def test_the_shift_of_an_instant(floor: Floor) -> None:
    two_shifts(floor)
    now, following = shift_at(floor.site_id, NOW)
    assert (now.name, now.starts_at, now.ends_at) == (
        "早班", datetime(2026, 3, 2, 0, tzinfo=UTC), datetime(2026, 3, 2, 8, tzinfo=UTC)
    )  # fmt: skip
    assert (following.name, following.starts_at) == ("中班", now.ends_at)
    night = datetime(2026, 3, 2, 18, tzinfo=UTC)  # 02:00 on Tuesday: nobody works
    now, following = shift_at(floor.site_id, night)
    assert (now.name, now.starts_at, following.name) == ("早班", datetime(2026, 3, 3, 0, tzinfo=UTC), "中班")


def test_the_board_counts_what_a_shift_plans_and_makes(floor: Floor) -> None:
    two_shifts(floor)
    floor.receive(floor.screw, "4000", floor.line)
    order = floor.order(floor.body, "160")
    start = datetime(2026, 3, 2, 4, tzinfo=UTC)  # 12:00, four hours before the shift ends
    finish = datetime(2026, 3, 3, 4, tzinfo=UTC)  # 12:00 the next day: 4 + 8 + 4 working hours, ten pieces each
    operation = floor.operation(order)
    production.schedule_operations(
        floor.by, site_id=floor.site_id, times=[production.OperationTime(operation.id, start, finish)]
    )
    clock.advance(timedelta(hours=2, minutes=30))  # 12:30
    floor.report(order, 10, "7")
    clock.advance(timedelta(minutes=45))  # 13:15
    floor.report(order, 10, "5", "1")
    wrong = floor.report(order, 10, "50")
    production.reverse_report(floor.by, report=wrong, reason="typo")
    board = shift_board(floor.by, floor.site_id)
    cutting = next(each for each in board["centers"] if each["center"]["code"] == "CUT")
    assert (board["hours"], board["shift"]["name"], board["next"]["name"]) == (8, "早班", "中班")
    assert (cutting["planned"], cutting["good"], cutting["scrap"]) == (40, 12, 1)
    assert cutting["by_hour"] == [{"hour": 4, "good": 7, "scrap": 0}, {"hour": 5, "good": 5, "scrap": 1}]
    [job] = cutting["jobs"]
    assert (job["planned"], job["status"], job["late"]) == (40, "started", False)
    # 13:15: an hour and a quarter of sixteen are gone, so 12 of 160 pieces should be there; 13 are, in 75 minutes.
    later = shift_board(floor.by, floor.site_id, following=True)
    assert next(each for each in later["centers"] if each["center"]["code"] == "CUT")["planned"] == 80
    [shown] = station(floor.by, floor.cutting.id)["jobs"]
    assert shown["pace"] == {"expected": D(12), "minutes_each": D("3.5")}  # 45 minutes from the first for 13 pieces


def test_a_shift_is_manned_confirmed_and_handed_over(floor: Floor) -> None:
    two_shifts(floor)
    lead, gao = worker(floor, "lead", "lead"), worker(floor, "gao")
    now, following = shift_at(floor.site_id, NOW)
    person = Person.objects.get(pk=gao.id)
    span = {"starts_at": now.starts_at, "ends_at": now.ends_at}
    post = production.assign_to_shift(lead, person=person, work_center=floor.cutting, **span)
    moved = production.assign_to_shift(lead, person=person, work_center=floor.fitting, **span)
    assert moved.id == post.id and ShiftPost.objects.count() == 1
    production.confirm_shift(lead, site_id=floor.site_id, **span)
    production.confirm_shift(lead, site_id=floor.site_id, **span)
    note = production.write_shift_note(lead, site_id=floor.site_id, text="2号刀具快到寿命", important=True)
    production.write_shift_note(lead, site_id=floor.site_id, text="备料已齐", work_center=floor.cutting)
    board = shift_board(lead, floor.site_id)
    fitting = next(each for each in board["centers"] if each["center"]["code"] == "FIT")
    assert [each["name"] for each in fitting["posts"]] == ["GAO"]
    assert board["confirmed"]["people"] == 1 and board["confirmed"]["by"] == "LEAD"
    assert [each["text"] for each in board["notes"]] == ["2号刀具快到寿命", "备料已齐"]
    assert {each["name"] for each in board["crew"]} == {"GAO", "LEAD"}
    production.see_to_shift_note(lead, shift_note=note)
    with pytest.raises(Conflict, match="seen_to_already"):
        production.see_to_shift_note(lead, shift_note=note)
    clock.freeze(following.starts_at + timedelta(hours=1))
    assert [each["text"] for each in shift_board(lead, floor.site_id)["notes"]] == ["备料已齐"]
    production.remove_from_shift(lead, shift_post=moved)
    assert ShiftPost.objects.count() == 0


# -- machines ---------------------------------------------------------------------------------------------------------


def test_a_stop_is_corrected_by_taking_it_back(floor: Floor) -> None:
    belt, jam = (
        run(floor.by, "equipment.create_stop_reason", {"code": code, "name": code, "planned": planned})
        for code, planned in (("BELT", False), ("CLEAN", True))
    )
    press = run(floor.by, "plant.create_machine", {"code": "P1", "name": "压机", "work_center": str(floor.cutting.id)})
    stop = equipment.stop_machine(floor.by, machine=press, reason=belt)
    clock.advance(timedelta(minutes=60))
    equipment.start_machine(floor.by, machine=press)
    told = equipment.classify_stop(floor.by, machine_state=stop, reason=jam)
    stop.refresh_from_db()
    assert stop.reversed_at is not None and stop.reason_id == belt.id  # what was said first stays to be read
    assert (told.replaces_id, told.reason_id, told.began_at, told.ended_at) == (
        stop.id, jam.id, NOW, NOW + timedelta(minutes=60)
    )  # fmt: skip
    with pytest.raises(Conflict, match="state_replaced"):
        equipment.split_stop(floor.by, machine_state=stop, at=NOW + timedelta(minutes=20), reason=belt)
    with pytest.raises(Invalid, match="split_outside"):
        equipment.split_stop(floor.by, machine_state=told, at=NOW + timedelta(minutes=60), reason=belt)
    equipment.split_stop(floor.by, machine_state=told, at=NOW + timedelta(minutes=20), reason=belt)
    slices = machines.state_slices([press.id], NOW, NOW + timedelta(hours=2), NOW + timedelta(hours=2))
    assert [(each.state, each.reason_id, each.seconds) for each in slices] == [
        ("stopped", jam.id, 1200.0), ("stopped", belt.id, 2400.0), ("running", None, 3600.0)
    ]  # fmt: skip
    assert MachineState.objects.filter(machine=press).count() == 5


def test_an_open_stop_is_split_and_stays_open(floor: Floor) -> None:
    belt = run(floor.by, "equipment.create_stop_reason", {"code": "BELT", "name": "皮带断"})
    press = run(floor.by, "plant.create_machine", {"code": "P1", "name": "压机", "work_center": str(floor.cutting.id)})
    stop = equipment.stop_machine(floor.by, machine=press)
    clock.advance(timedelta(minutes=30))
    later = equipment.split_stop(floor.by, machine_state=stop, at=NOW + timedelta(minutes=10), reason=belt)
    now = machines.state_now(press.id)
    assert now is not None and now.id == later.id and now.ended_at is None
    equipment.start_machine(floor.by, machine=press)
    running = machines.state_now(press.id)
    assert running is not None and running.state == "running"


def test_the_wall_tells_states_availability_and_what_a_stop_hurts(floor: Floor) -> None:
    two_shifts(floor)
    clean = run(floor.by, "equipment.create_stop_reason", {"code": "CLEAN", "name": "清扫", "planned": True})
    belt = run(floor.by, "equipment.create_stop_reason", {"code": "BELT", "name": "皮带断"})
    press, _lathe = (
        run(floor.by, "plant.create_machine", {"code": code, "name": code, "work_center": str(floor.cutting.id)})
        for code in ("P1", "P2")
    )
    order = floor.order(floor.body, "10")
    clock.freeze(datetime(2026, 3, 2, 0, tzinfo=UTC))  # 08:00, the shift begins
    equipment.stop_machine(floor.by, machine=press, reason=clean)
    clock.advance(timedelta(minutes=30))
    equipment.start_machine(floor.by, machine=press)
    clock.advance(timedelta(minutes=60))
    equipment.stop_machine(floor.by, machine=press, reason=belt)
    clock.advance(timedelta(minutes=30))  # 10:00: two hours of work, half an hour of them planned to be cleaned
    wall = machine_wall(floor.by, floor.site_id)
    first, second = wall["machines"]
    assert (first["code"], first["state"], first["reason"]["code"]) == ("P1", "stopped", "BELT")
    assert first["job"]["number"] == order.number
    assert first["availability"] == round(3600 / 5400, 4) and first["unknown_s"] == 0
    assert (second["code"], second["state"], second["availability"]) == ("P2", "no_signal", None)
    assert second["unknown_s"] == 7200
    assert [each["state"] for each in first["today"]] == ["stopped", "running", "stopped"]
    assert [each["reason"]["code"] for each in wall["stops"]] == ["BELT", "CLEAN"]


def test_material_of_a_work_order_remembers_its_checked_lot(floor: Floor) -> None:
    lot: Lot = floor.lot(floor.steel, "S1")
    floor.receive(floor.steel, "10", floor.line, lot)
    order = floor.order(floor.body, "10")
    check(floor, order, "S1")
    assert WorkOrderMaterial.objects.get(work_order=order, item=floor.steel).checked_lot_id == lot.id
