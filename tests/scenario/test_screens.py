"""The screens of the walls: every figure reckoned by hand, each part only for who may see it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access.rules import display_rights
from lianzao.equipment import commands as equipment
from lianzao.equipment.models import StopReason
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import query
from lianzao.overviews import plan_load as loads
from lianzao.overviews.order_progress import Line, due_days, flow, order_progress
from lianzao.overviews.plan_load import Intervals, load, plan_load, spread, working_days
from lianzao.planning.models import Outlook
from lianzao.production import commands as production
from lianzao.production.models import WorkOrder, WorkOrderOperation
from lianzao.values.time import local_date, uuid7
from tests.world import House, day, house

__all__ = ["house"]
D = Decimal
TODAY = date(2026, 3, 2)
ZONE = "Asia/Shanghai"


def line(**more: Any) -> Line:
    """A line due on Friday, planned, nothing made."""
    values: dict[str, Any] = {
        "id": uuid7(), "order_id": uuid7(), "number": "SO", "sequence": 1, "priority": 50, "quantity": D(10),
        "status": "confirmed", "due_on": date(2026, 3, 6), "projected_at": None, "late_minutes": 0,
        "short_quantity": D(0), "reasons": None, "planned": True, "supplies": 2, "coming": 1, "started": 0,
        "inspected": False, "good": D(0), "wanted": D(10), "short": None, "packed": False,
        "shipped_quantity": D(0), "customer": "Acme", "item": "Pump", "item_code": "PUMP", "unit": "pcs",
    }  # fmt: skip
    return Line(**(values | more))


def at(text: str) -> datetime:
    """A local time of March 2026."""
    return datetime.fromisoformat(f"2026-03-{text}+08:00").astimezone(UTC)


# -- orders -----------------------------------------------------------------------------------------------------------


def test_a_line_stands_as_far_as_it_has_come_and_not_beyond_what_holds_it() -> None:
    assert line(planned=False, supplies=None, coming=None).stage == "ordered"
    assert line().stage == "planned"
    assert line(coming=0).stage == "ready"
    assert line(coming=0, short_quantity=D(1)).stage == "planned"
    assert line(started=1).stage == "production"
    assert line(started=1, inspected=True).stage == "quality"
    assert line(started=1, inspected=True, packed=True).stage == "packed"
    assert line(status="shipped").stage == "shipped"
    assert [line(status=each).stage for each in ("delivered", "closed")] == ["proved", "proved"]


def test_an_order_stands_where_its_slowest_open_line_stands_and_late_hides_risk() -> None:
    one, two = uuid7(), uuid7()
    lines = [
        line(order_id=one, started=1),
        line(order_id=one, status="delivered"),
        line(order_id=two, coming=0, short={"item": "x"}),
        line(order_id=two, started=1, late_minutes=90),
        line(short={"item": "x"}),
        line(due_on=TODAY - timedelta(days=1)),  # its day has passed, whatever the plan says
        line(status="shipped", due_on=TODAY - timedelta(days=3)),  # has left: no longer late on this screen
        line(status="closed"),
    ]
    told = flow(lines, TODAY)
    stages = {each["stage"]: (each["orders"], each["late"], each["risk"]) for each in told["stages"]}
    assert stages == {
        "ordered": (0, 0, 0), "planned": (2, 1, 1), "ready": (1, 1, 0), "production": (1, 0, 0),
        "quality": (0, 0, 0), "packed": (0, 0, 0), "shipped": (1, 0, 0), "proved": (1, 0, 0),
    }  # fmt: skip
    assert told["totals"] == {"orders": 5, "late": 2, "risk": 1}  # what is proved is not open any more


def test_each_of_the_next_seven_days_says_how_its_lines_stand() -> None:
    lines = [
        line(due_on=TODAY),
        line(due_on=TODAY, late_minutes=5),
        line(due_on=TODAY + timedelta(days=6), short={"item": "x"}),
        line(due_on=TODAY + timedelta(days=6), status="shipped"),
        line(due_on=TODAY + timedelta(days=7)),
        line(due_on=TODAY, status="closed"),
    ]
    told = due_days(lines, TODAY)
    assert len(told) == 7
    assert told[0] == {"on": TODAY, "on_time": 1, "risk": 0, "late": 1, "left": 0}
    assert told[6] == {"on": TODAY + timedelta(days=6), "on_time": 0, "risk": 1, "late": 0, "left": 1}


def test_the_screen_tells_what_is_late_first_and_what_was_promised_anew(house: House) -> None:
    manager = replace(house.by("planner"), memory={})
    early = house.order("ACME", "5", day(4))  # steel takes a week: by the plan too late
    fine = house.order("ZETA", "5", day(30))
    told = order_progress(manager, house.site_id)
    assert [(each["number"], each["how"]) for each in told["rows"]] == [
        (early.number, "late"),
        (fine.number, "on_time"),
    ]
    assert told["rows"][0]["customer"] == "远景动力" and told["rows"][0]["due_on"] == day(4)
    # The planner's own word: so much after the end of the day that was promised.
    outlook = Outlook.objects.get(demand_id=house.line(early).id)
    assert told["rows"][0]["late_minutes"] == outlook.late_minutes > 4 * 1440
    assert told["rows"][0]["projected_on"] == local_date(house.projected(early), ZONE)
    assert told["totals"] == {"orders": 2, "late": 1, "risk": 0}
    assert {each["stage"]: each["orders"] for each in told["stages"] if each["orders"]} == {"planned": 2}
    assert told["changes"]["total"] == 2 and told["changes"]["moved"] == 0  # both were promised for the first time
    assert told["kept"]["percent"] is None and told["due"][2] == {
        "on": day(4), "on_time": 0, "risk": 0, "late": 1, "left": 0,
    }  # fmt: skip
    line_id = house.line(early).id
    query("UPDATE sales_sales_order_line SET promised_on = '2026-03-20' WHERE id = %s", [line_id])
    query(
        "INSERT INTO sales_promise_change SELECT %s, 1, created_at, created_by, updated_at, updated_by, owner_system,"
        " '2026-03-04', '2026-03-20', '[]', 'accepted', %s, NULL, NULL, NULL, '', line_id"
        " FROM sales_promise_change WHERE line_id = %s LIMIT 1",
        [uuid7(), house.system.now, line_id],
    )
    first = order_progress(manager, house.site_id)["changes"]
    assert (first["total"], first["moved"], first["rows"][0]["number"]) == (3, 1, early.number)
    assert (first["rows"][0]["old_on"], first["rows"][0]["new_on"]) == (day(4), day(20))


DELIVERED = """
UPDATE sales_sales_order_line SET status = 'delivered', delivered_on = %s, promised_on = %s,
       shipped_quantity = quantity, delivered_quantity = quantity WHERE id = %s
"""


def test_promises_kept_are_counted_by_whole_days_and_weeks(house: House) -> None:
    lines = [house.line(house.order("ACME", "1", day(30))).id for _ in range(6)]
    for id, delivered, promised in (
        (lines[0], "2026-03-01", "2026-03-01"),  # yesterday, on the day: kept
        (lines[1], "2026-02-23", "2026-02-22"),  # seven days ago, a day late: still this week
        (lines[2], "2026-02-22", "2026-02-25"),  # the week before, early: kept
        (lines[3], "2026-01-31", "2026-01-31"),  # thirty days ago: kept, and the last that counts
        (lines[4], "2026-01-30", "2026-01-01"),  # thirty-one days ago: in the trend only
        (lines[5], "2026-03-02", "2026-03-02"),  # today is not over
    ):
        query(DELIVERED, [delivered, promised, id])
    kept = order_progress(house.by("planner"), house.site_id)["kept"]
    assert (kept["lines"], kept["on_time"], kept["percent"]) == (4, 3, 75.0)
    weeks = [(each["until"], each["lines"], each["percent"]) for each in kept["weeks"] if each["lines"]]
    assert weeks == [
        (date(2026, 2, 1), 2, 50.0),
        (date(2026, 2, 22), 1, 100.0),
        (date(2026, 3, 1), 2, 50.0),
    ]


def test_a_part_is_told_to_nobody_without_the_right_to_its_figures(house: House) -> None:
    house.order("ACME", "5", day(4))
    few = replace(
        house.by("planner"), rights=frozenset({"overviews.view_order_progress", "sales.view_sales_order"}), memory={}
    )
    told = order_progress(few, house.site_id)
    assert told["kept"] is not None
    assert [told[name] for name in ("stages", "totals", "rows", "due", "changes")] == [None] * 5
    few = replace(few, rights=few.rights | {"planning.view_outlook", "sales.view_promise_change"}, memory={})
    told = order_progress(few, house.site_id)
    assert told["rows"][0]["customer"] is None and told["changes"]["rows"][0]["customer"] is None
    few = replace(few, rights=frozenset({"production.view_work_order"}), memory={})
    told = plan_load(few, house.site_id)
    assert told["hours"] is not None and told["load"] is None and told["machines"] is None
    wall = Actor(
        id=uuid7(), name="wall", kind="device", sites=frozenset({house.site_id}), site=house.site_id,
        rights=display_rights(["order_progress"]),
    )  # fmt: skip
    told = order_progress(wall, house.site_id)
    assert told["rows"][0]["customer"] == "远景动力" and told["changes"] is not None


# -- load -------------------------------------------------------------------------------------------------------------

CUT, OLD = UUID(int=1), UUID(int=2)


def spans(*texts: tuple[str, str]) -> Intervals:
    return Intervals(
        *map(list, zip(*((int(at(a).timestamp()), int(at(b).timestamp())) for a, b in texts), strict=True))
    )


def test_load_is_planned_minutes_of_the_minutes_there_are_by_day() -> None:
    now = at("02T12:00:00")
    working = {
        CUT: spans(("02T08:00:00", "02T20:00:00"), ("03T08:00:00", "03T20:00:00"), ("05T08:00:00", "05T20:00:00")),
        OLD: spans(("03T08:00:00", "03T18:00:00")),
    }
    placed = [
        (CUT, at("02T16:00:00"), at("02T18:00:00"), 120),
        (CUT, at("02T18:00:00"), at("03T10:00:00"), 240),  # two hours today, two tomorrow
        (CUT, at("02T10:00:00"), at("02T14:00:00"), 240),  # half of it is done: it counts with what is left
        (OLD, at("03T08:00:00"), at("03T18:00:00"), 1300),
        (UUID(int=9), at("03T08:00:00"), at("03T18:00:00"), 60),  # a center that is no more
    ]
    told = load({CUT: "Cutting", OLD: "Old"}, {CUT: 1, OLD: 2}, working, placed, now, ZONE)
    assert told["days"] == [day(2), day(3), day(5)]  # on the fourth nobody works
    rows = {row["name"]: [(c["planned"], c["capacity"], c["percent"]) for c in row["cells"]] for row in told["rows"]}
    assert rows == {
        "Cutting": [(120 + 120 + 120, 480, 75), (120, 720, 17), (0, 720, 0)],
        "Old": [(0, 0, None), (1300, 1200, 108), (0, 0, None)],
    }
    assert told["rows"][0]["name"] == "Old"  # the fullest first


def test_an_operation_outside_of_working_time_still_counts_where_it_lies() -> None:
    bounds = [(0, 86_400), (86_400, 172_800)]
    assert spread([], (86_400 - 3600, 86_400 + 3600), bounds, 60) == [30, 30]
    assert spread([(0, 1800)], (0, 3600), bounds, 60) == [60, 0]
    found = working_days({CUT: spans(("02T22:00:00", "03T06:00:00"))}, at("02T23:00:00"), ZONE)
    assert found == [day(2), day(3)]


def test_todays_plan_and_output_by_the_hour() -> None:
    began, ends, now = at("02T00:00:00"), at("03T00:00:00"), at("02T10:30:00")
    planned = [
        (CUT, at("02T08:00:00"), at("02T10:00:00"), D(20)),
        (CUT, at("02T10:00:00"), at("02T12:00:00"), D(40)),
        (CUT, at("01T23:00:00"), at("02T01:00:00"), D(6)),  # half of it was yesterday's
    ]
    made = [(CUT, 8, D(9), D(1)), (CUT, 10, D(15), D(0))]
    told = loads.hours({CUT: "Cutting", OLD: "Old"}, planned, made, now, began, ends)
    assert (told["count"], told["hour_now"], len(told["rows"])) == (24, 10, 1)
    row = told["rows"][0]
    assert (row["plan"][0], row["plan"][8:13]) == (3, [10, 10, 20, 20, 0])
    assert (row["good"][8], row["good"][10], row["good_total"], row["scrap_total"]) == (D(9), D(15), D(24), D(1))
    assert (row["due"], row["percent"]) == (33, 72.7)  # 3 + 20 + 10 of the 40


def test_machines_and_operations_as_they_stand(house: House) -> None:
    for code, quantity in (("STEEL", "100"), ("SCREW", "100"), ("MOTOR", "20")):
        house.opening(code, quantity, "LINE")
    made = production.create_work_order(
        house.by("planner"), item=house.item("BODY"), quantity=D(10), site=house.site, due_at=at("02T12:00:00"),
        planned_start_at=at("02T08:30:00"), planned_finish_at=at("02T09:30:00"),
    )  # fmt: skip
    lead = house.by("lead")
    production.release_work_order(lead, work_order=made)
    WorkOrderOperation.objects.filter(work_order=made).update(
        planned_start_at=at("02T08:30:00"), planned_finish_at=at("02T09:30:00")
    )
    told = plan_load(lead, house.site_id)
    assert told["late"]["total"] == 0
    assert [(each["number"], each["work_center"]) for each in told["next"]["rows"]] == [(made.number, "CUT")]
    assert told["machines"]["counts"] == {"running": 0, "setup": 0, "idle": 4, "stopped": 0}
    house.at("2026-03-02T09:00")
    late = plan_load(lead, house.site_id)["late"]
    assert [(each["overdue"], each["late_minutes"]) for each in late["rows"]] == [("start", 30)]
    operation = WorkOrderOperation.objects.get(work_order=made)
    production.report_operation(lead, operation=operation, good=D(4))
    reason = StopReason.objects.get(code="BRK")
    equipment.stop_machine(
        house.by("maintenance"), machine=house.machine("TEST-1"), reason=reason, expected_until=at("02T11:00:00")
    )
    house.at("2026-03-02T10:00")
    told = plan_load(lead, house.site_id)
    assert [(each["overdue"], each["late_minutes"]) for each in told["late"]["rows"]] == [("finish", 30)]
    first = told["machines"]["rows"][0]
    assert (first["code"], first["state"], first["reason"], first["expected_until"]) == (
        "TEST-1", "stopped", "故障", at("02T11:00:00"),
    )  # fmt: skip
    assert told["machines"]["counts"] == {"running": 1, "setup": 0, "idle": 2, "stopped": 1}  # CUT has begun
    row = told["hours"]["rows"][0]
    assert (row["name"], row["good"][9], row["good_total"], row["due"], row["percent"]) == ("CUT", D(4), D(4), 10, 40)
    house.at("2026-03-02T11:30")
    assert plan_load(lead, house.site_id)["machines"]["rows"][0]["expected_until"] is None  # overdue
    assert WorkOrder.objects.get(pk=made.pk).status == "started"
