"""Clocks: the nights on which they change in Berlin, clocks that jump, and a client that asks for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from lianzao.foundation import audit, clock, http, jobs, outbox
from lianzao.foundation.actor import ALL, Actor
from lianzao.foundation.command import Replayed, by_id, run
from lianzao.inventory import commands as inventory
from lianzao.inventory.models import Move, StockPeriod
from lianzao.inventory.queries import balance_at
from lianzao.planning import commands as planning
from lianzao.planning.models import Outlook, ScheduledOperation
from lianzao.planning.queries import outlook_of
from lianzao.plant import commands as plant
from lianzao.plant.models import Calendar, Shift
from lianzao.plant.queries import local_day
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import Asn
from lianzao.production import commands as production
from lianzao.production.models import OperationReport, WorkOrder, WorkOrderOperation
from lianzao.sales.models import SalesOrder
from lianzao.values.errors import Conflict, DomainError
from lianzao.values.time import uuid7
from tests.world import House, day, house

__all__ = ["house"]
import_module("project.urls")  # it names who identifies a caller, which the tests here replace
D = Decimal
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def berlin(house: House) -> Iterator[House]:
    """The plant of stories, moved to Berlin, where a night shift is at work round the switch of the clocks."""
    run(house.system, "access.change_site", {"site": str(house.site_id), "time_zone": "Europe/Berlin"})
    calendar = Calendar.objects.get(code="DAY")
    nights = [plant.ShiftHours(weekday, time(22), time(6), "Nacht") for weekday in range(7)]
    plant.set_shifts(house.system, calendar=calendar, shifts=nights)
    house.settle()
    assert Shift.objects.count() == 7
    yield house
    clock.freeze(None)


def wall(text: str, fold: int = 0) -> datetime:
    """An instant by Berlin's clock on the wall."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


# -- DST nights -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("evening", "hours"), [("2026-03-28", 7), ("2026-10-24", 9), ("2026-06-13", 8)])
def test_a_plan_uses_the_hours_the_night_really_has(berlin: House, evening: str, hours: int) -> None:
    """CUT runs a body a minute: what begins with the night shift ends after as many minutes of real time."""
    clock.freeze(wall(f"{evening} 21:00"))
    berlin.opening("STEEL", "5000", place="STORE", lot="S-0")
    begins = wall(f"{evening} 22:00")
    next_night = datetime.combine(date.fromisoformat(evening) + timedelta(days=1), time(22), BERLIN).astimezone(UTC)
    assert next_night - begins == timedelta(hours=hours + 16)
    order = production.create_work_order(
        berlin.system,
        item=berlin.item("BODY"),
        quantity=D(hours * 60 + 60),  # an hour more than the night has: the rest is made in the next one
        start_at=begins,
        due_at=begins + timedelta(days=5),
        site=berlin.site,
    )
    planning.plan_site(berlin.system, site=berlin.site, why="night")
    berlin.settle()
    operation = WorkOrderOperation.objects.get(work_order=order)
    placed = ScheduledOperation.objects.get(operation_id=operation.id)
    assert placed.start_at >= begins
    lost = placed.start_at - begins
    assert placed.finish_at - next_night == timedelta(minutes=60) + lost
    assert placed.finish_at - placed.start_at == timedelta(hours=16 + hours + 1)


@pytest.mark.parametrize(
    ("at", "on"),
    [
        (wall("2026-03-29 00:00"), date(2026, 3, 29)),
        (wall("2026-03-29 01:59"), date(2026, 3, 29)),
        (wall("2026-03-29 03:00"), date(2026, 3, 29)),
        (wall("2026-03-28 23:59"), date(2026, 3, 28)),
        (wall("2026-10-25 02:30"), date(2026, 10, 25)),
        (wall("2026-10-25 02:30", fold=1), date(2026, 10, 25)),
        (wall("2026-10-25 23:59"), date(2026, 10, 25)),
        (wall("2026-10-26 00:00"), date(2026, 10, 26)),
    ],
)
def test_a_day_ends_at_midnight_by_the_wall_whatever_its_length(berlin: House, at: datetime, on: date) -> None:
    clock.freeze(at)
    assert local_day(berlin.site_id, at) == on
    order = berlin.order("ACME", "1", on + timedelta(days=20))
    assert SalesOrder.objects.get(pk=order.id).ordered_on == on


def test_reports_of_the_hour_that_comes_twice_keep_their_order(berlin: House) -> None:
    """2:30 is said twice in the night of October 25: both are instants, an hour apart, and neither is in the future."""
    clock.freeze(wall("2026-10-24 22:00"))
    berlin.opening("STEEL", "500", place="LINE", lot="S-0")
    order = production.create_work_order(
        berlin.system, item=berlin.item("BODY"), quantity=D(20), due_at=wall("2026-10-26 06:00"), site=berlin.site
    )
    production.release_work_order(berlin.system, work_order=by_id(order.id))
    operation = WorkOrderOperation.objects.get(work_order=order)
    first, second = wall("2026-10-25 02:30"), wall("2026-10-25 02:30", fold=1)
    assert second - first == timedelta(hours=1)
    for at in (first, second):
        clock.freeze(at)
        production.report_operation(berlin.system, operation=by_id(operation.id), good=D(5), happened_at=at)
    made = list(OperationReport.objects.order_by("happened_at").values_list("happened_at", flat=True))
    assert made == [first, second]
    moved = Move.objects.filter(cause_id=order.id).order_by("happened_at").values_list("happened_at", flat=True)
    assert sorted(set(moved)) == [first, second]
    berlin.settle()


def test_promises_and_arrivals_of_switch_days_fall_on_the_day_that_was_said(berlin: House) -> None:
    """A shipment due at half past midnight of the switch day belongs to that day, not to the one before."""
    clock.freeze(wall("2026-03-20 10:00"))
    order = berlin.order("ACME", "10", date(2026, 4, 20))
    berlin.accept_all()
    berlin.buy_all()
    steel = berlin.schedule("STEEL")
    for eta, on in ((wall("2026-03-29 00:30"), date(2026, 3, 29)), (wall("2026-03-29 23:30"), date(2026, 3, 29))):
        asn = procurement.announce_shipment(
            berlin.by("buyer"), purchase_order=steel.line.order, eta_at=eta, lines=[procurement.AnnouncedLine(steel)]
        )
        steel.refresh_from_db()
        assert steel.expected_on == on
        procurement.withdraw_shipment(berlin.by("buyer"), asn=Asn.objects.get(pk=asn.id), why="again")
        berlin.settle()
        steel.refresh_from_db()
    assert outlook_of(berlin.line(order).id) is not None
    assert Outlook.objects.filter(demand_id=berlin.line(order).id).exists()


def to_the_line(house: House) -> None:
    """One screw goes from the store to the line."""
    store, line = house.location("STORE"), house.location("LINE")
    inventory.move_stock(house.system, item=house.item("SCREW"), quantity=D(1), source=store, target=line)


# -- clocks that jump -------------------------------------------------------------------------------------------------


def test_a_clock_that_jumps_back_loses_and_repeats_nothing(house: House) -> None:
    """An hour back, as a badly set server does: orders, moves, news go on, ids still sort as they were made."""
    house.opening("SCREW", "100")
    ids = [uuid7()]
    for hours in (0, -1, 5, -48, 3):
        house.advance(hours=hours)
        inventory.move_stock(
            house.system,
            item=house.item("SCREW"),
            quantity=D(1),
            source=house.location("STORE"),
            target=house.location("LINE"),
        )
        house.settle()
        ids.append(uuid7())
    assert ids == sorted(ids)
    assert balance_at(house.item("SCREW").id, house.location("LINE").id) == 5
    assert not outbox.Delivery.objects.exclude(status="done").exists()
    recorded = list(audit.Order.objects.order_by("recorded_at").values_list("id", flat=True))
    assert len(recorded) == len(set(recorded))
    house.prove()


def test_a_leap_of_a_year_and_back_leaves_jobs_running(house: House) -> None:
    for days in (365, -365, 30):
        house.advance(days=days)
        jobs.run_due()
        jobs.run_due()
        house.settle()
    house.order("ACME", "10", day(30, 4))
    house.prove()


def test_a_period_closed_while_the_clock_was_wrong_says_so(house: House) -> None:
    """Closed up to a day that has not come: what happens today is refused in words that name the day."""
    house.opening("SCREW", "10")
    house.advance(days=30)
    inventory.close_period(house.system, site_id=house.site_id, closed_until=clock.now() - timedelta(hours=1))
    house.advance(days=-30)
    with pytest.raises(DomainError) as refused:
        inventory.move_stock(
            house.system,
            item=house.item("SCREW"),
            quantity=D(1),
            source=house.location("STORE"),
            target=house.location("LINE"),
        )
    assert refused.value.code == "period_closed"
    assert StockPeriod.objects.count() == 1 and balance_at(house.item("SCREW").id, house.location("STORE").id) == 10


# -- a client that asks for ever --------------------------------------------------------------------------------------


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    by = Actor(id=uuid7(), name="终端", sites=ALL, rights=frozenset({"*"}))
    monkeypatch.setattr(http, "_identify", lambda request: by)
    return Client(headers={"Authorization": "Bearer test"})


def tap(client: Client, body: dict[str, Any], key: str) -> Any:
    return client.post(
        "/api/production/report_operation", json.dumps(body), content_type="application/json", HTTP_IDEMPOTENCY_KEY=key
    )


def test_a_terminal_that_retries_for_ever_reports_once(house: House, client: Client) -> None:
    """Two hundred times the same tap, over days and after the report was taken back: one report, one answer."""
    house.opening("STEEL", "100", place="LINE", lot="S-0")
    order = production.create_work_order(
        house.system, item=house.item("BODY"), quantity=D(10), due_at=house.system.now, site=house.site
    )
    production.release_work_order(house.system, work_order=by_id(order.id))
    operation = WorkOrderOperation.objects.get(work_order=order)
    body, key = {"operation": str(operation.id), "good": "4"}, str(uuid7())
    first = tap(client, body, key)
    assert first.status_code == 200
    for turn in range(200):
        if turn % 50 == 0:
            house.advance(hours=20)
            house.settle()
        again = tap(client, body, key)
        assert (again.status_code, again.json()) == (200, first.json())
    production.reverse_report(house.system, report=OperationReport.objects.get(), reason="counted twice")
    assert tap(client, body, key).json() == first.json()
    assert OperationReport.objects.count() == 1 and audit.Order.objects.filter(id=key).count() == 1
    order.refresh_from_db()
    assert WorkOrder.objects.get(pk=order.id).good_quantity == 0
    house.settle()


def test_a_refusal_is_no_answer_to_keep_the_same_tap_may_succeed_later(house: House, client: Client) -> None:
    order = production.create_work_order(
        house.system, item=house.item("BODY"), quantity=D(10), due_at=house.system.now, site=house.site
    )
    operation = WorkOrderOperation.objects.get(work_order=order)
    body, key = {"operation": str(operation.id), "good": "4"}, str(uuid7())
    for _ in range(20):
        assert tap(client, body, key).status_code == 409
    production.release_work_order(house.system, work_order=by_id(order.id))
    assert tap(client, body, key).status_code == 200
    assert OperationReport.objects.count() == 1


def test_another_order_or_another_person_cannot_use_the_key_of_an_answered_one(house: House, client: Client) -> None:
    key = uuid7()
    command = inventory.close_period.ordered(key)
    command(house.by("warehouse"), site_id=house.site_id, closed_until=clock.now() - timedelta(days=40))
    kept = command(house.by("warehouse"), site_id=house.site_id, closed_until=clock.now() - timedelta(days=1))
    assert isinstance(kept, Replayed) and StockPeriod.objects.get().closed_until < clock.now() - timedelta(days=39)
    with pytest.raises(Conflict, match="order_id_reused"):
        command(house.by("lead"), site_id=house.site_id, closed_until=clock.now() - timedelta(days=1))
    with pytest.raises(Conflict, match="order_id_reused"):
        inventory.rebuild_balances.ordered(key)(house.by("warehouse"))
