"""Clocks that are set: a process's own, and the database's. Nothing waits for an hour that comes twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
import pytest
from django.db import DatabaseError, connection, connections

from lianzao.access import rules, sessions
from lianzao.foundation import clock, outbox, partitions, registry, wake
from lianzao.foundation.actor import Actor, system_actor
from lianzao.foundation.command import run
from lianzao.planning import commands as planning
from lianzao.planning.models import PlanRun, Proposal
from lianzao.sales import commands as sales
from lianzao.values import time as ids
from lianzao.values.errors import DomainError
from lianzao.values.time import uuid7, uuid7_after, uuid7_at, uuid7_time
from tests.world import House, day, house

__all__ = ["house"]
HOUR = timedelta(hours=1)


class Wall:
    """This process's clock on the wall: right, or wrong by so much."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wrong = timedelta()
        real, real_ns = clock._machine_now, time.time_ns
        monkeypatch.setattr(clock, "_machine_now", lambda: real() + self.wrong)
        monkeypatch.setattr(ids.time, "time_ns", lambda: real_ns() + self.wrong // timedelta(microseconds=1) * 1000)
        monkeypatch.setattr(ids, "_last", 0)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wall]:
    yield Wall(monkeypatch)


def rows(statement: LiteralString, *given: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return cursor.fetchall() if cursor.description else []


# -- a process's own clock --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_our_time_is_never_ahead_of_the_databases() -> None:
    """What is written as due now must be found by the next statement that asks for what is due."""
    for _ in range(300):
        clock._read_at = float("-inf")
        clock.now()
        ours = clock.real_now()
        assert ours <= rows("SELECT clock_timestamp()")[0][0]


@pytest.mark.parametrize("jump", [HOUR, -HOUR, timedelta(days=400), timedelta(days=-400)])
def test_a_process_whose_clock_jumps_keeps_the_databases_time(fresh_database: str, wall: Wall, jump: timedelta) -> None:
    clock.forget()
    before = clock.now()
    wall.wrong = jump
    assert timedelta() <= clock.now() - before < timedelta(seconds=5)
    clock.forget()
    assert timedelta() <= clock.now() - before < timedelta(seconds=5), "also when it asks again"
    assert abs(clock.real_now() - clock.now()) < timedelta(seconds=1)
    made = uuid7()
    run(somebody(), "foundation.create_code_rule", {"entity_kind": "test.jump", "pattern": "{seq:3}"}, order_id=made)
    ((at, apart),) = rows("SELECT at, recorded_at - at FROM foundation_order WHERE id = %s", made)
    assert abs(at - datetime.now(UTC)) < timedelta(seconds=10) and abs(apart) < timedelta(seconds=5)


def somebody() -> Actor:
    registry.load()
    return system_actor("test")


def test_ids_go_up_over_a_clock_that_is_set_back_but_do_not_stay_in_a_year_to_come(wall: Wall) -> None:
    made = [uuid7() for _ in range(100)]
    wall.wrong = HOUR
    made += [uuid7() for _ in range(100)]
    wall.wrong = timedelta()
    made += [uuid7() for _ in range(100)]
    assert made == sorted(made)
    assert uuid7_time(made[-1]) - datetime.now(UTC) < HOUR + timedelta(minutes=1)
    wall.wrong = timedelta(days=400)
    assert uuid7() > made[-1]
    wall.wrong = timedelta()
    assert abs(uuid7_time(uuid7()) - datetime.now(UTC)) < timedelta(minutes=1)
    ahead = uuid7_at(datetime.now(UTC) + HOUR)
    assert uuid7_after(ahead) > ahead and uuid7_time(uuid7_after(ahead)) - uuid7_time(ahead) < timedelta(seconds=1)
    assert uuid7_after(uuid7_at(datetime.now(UTC) - HOUR)) < ahead


def test_rows_that_a_wrong_clock_wrote_move_into_their_month_when_it_is_made(fresh_database: str, wall: Wall) -> None:
    by = somebody()
    wall.wrong = timedelta(days=150)
    for number in range(3):
        run(by, "foundation.create_code_rule", {"entity_kind": f"test.far{number}", "pattern": "{seq:3}"})
    told = rows("SELECT tableoid::regclass::text, count(*) FROM foundation_event GROUP BY 1")
    assert told == [("foundation_event_other", 3)], "no write fails for a missing month"
    wall.wrong = timedelta()
    assert partitions.ensure(3) == 0
    assert partitions.ensure(6) == 6, "three more months of each table"
    ((table, count),) = rows("SELECT tableoid::regclass::text, count(*) FROM foundation_event GROUP BY 1")
    assert count == 3 and table != "foundation_event_other"
    with pytest.raises(DatabaseError, match=r"append-only|permission denied"):
        rows("DELETE FROM foundation_event")
    connection.close()
    run(by, "foundation.create_code_rule", {"entity_kind": "test.after", "pattern": "{seq:3}"})
    assert rows("SELECT count(*) FROM foundation_event") == [(4,)]


def test_the_newest_plan_is_the_last_one_made_though_its_planners_clock_is_behind(house: House, wall: Wall) -> None:
    wall.wrong = HOUR
    first = planning.plan_site(house.by("planner"), site=house.site)
    wall.wrong = timedelta()
    ids._last = 0  # another process, whose clock is right
    second = planning.plan_site(house.by("planner"), site=house.site)
    assert second.parent_id == first.id and second.id > first.id
    third = planning.plan_site(house.by("planner"), site=house.site)
    assert third.parent_id == second.id


# -- the database's clock ---------------------------------------------------------------------------------------------

#: An hour later by every instant in them is what rows look like after the clock was set back by one.
LATER = "UPDATE foundation_delivery SET due_at = due_at + interval '1 hour', made_at = made_at + interval '1 hour'"


def test_deliveries_do_not_wait_for_an_hour_that_comes_twice(house: House) -> None:
    planning.request_replan(house.by("planner"), site_id=house.site_id, why="first")
    planning.request_replan(house.by("planner"), site_id=house.site_id, why="second")
    rows(LATER)
    # One was made long before the clock was set back, and tried again since.
    rows("UPDATE foundation_delivery SET made_at = now() - interval '1 day' WHERE id IN"
         " (SELECT id FROM foundation_delivery WHERE status = 'pending' ORDER BY id LIMIT 1)")  # fmt: skip
    assert outbox.work_once() == 0, "so it would be for an hour"
    assert outbox.catch_up() >= 2
    while outbox.work_once():
        pass
    assert rows("SELECT count(*) FROM foundation_delivery WHERE status <> 'done'") == [(0,)]
    assert PlanRun.objects.exists()


def test_what_waits_for_its_own_pause_is_left_alone(house: House) -> None:
    planning.request_replan(house.by("planner"), site_id=house.site_id, why="first")
    rows("UPDATE foundation_delivery SET due_at = clock_timestamp() + interval '9 minutes', attempts = 7")
    assert outbox.catch_up() == 0


def test_nobody_stays_locked_out_for_an_hour_that_comes_twice(fresh_database: str) -> None:
    key = sessions.failure_key("login", "wang")
    with pytest.raises(DomainError, match="locked_out"):
        for _ in range(20):
            sessions.take_attempt(key, 3)
    rows("UPDATE access_login_failure SET locked_until = locked_until + %s, last_at = last_at + %s", 2 * HOUR, 2 * HOUR)
    sessions.take_attempt(key, 3)
    assert rules.LONGEST_WAIT_S <= 3600


# -- two planners at once ---------------------------------------------------------------------------------------------


def test_a_planner_that_lost_its_lease_cannot_publish_over_the_one_who_has_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has taken its view of the plant, and waits; meanwhile another plans: its own plan must not double that."""
    house.settle()
    planning.plan_site(house.by("planner"), site=house.site)
    demand(house)
    lock = "SELECT pg_advisory_lock(hashtextextended('planning:' || %s, 0))"
    with psycopg.connect(**wake.parameters(), autocommit=True) as other:
        other.execute(lock, [str(house.site_id)])
        errors: list[Exception] = []
        stale = threading.Thread(target=plan_apart, args=(errors,))
        stale.start()
        until = time.monotonic() + 20
        while not waits_for_lock(other):
            assert time.monotonic() < until and stale.is_alive(), errors
            time.sleep(0.02)
        with monkeypatch.context() as patched:
            patched.setattr(planning, "LEASE", "SELECT %s")  # the other believes that the lease is its own
            fresh = planning.plan_site(house.by("planner"), site=house.site)
    stale.join(30)
    assert not errors and not stale.is_alive()
    runs = list(PlanRun.objects.filter(parent__isnull=False).values_list("parent_id", flat=True))
    assert len(runs) == len(set(runs)), "two runs follow one"
    assert PlanRun.objects.order_by("-id")[0].parent_id == fresh.id, "it looked again"
    open_now = list(Proposal.objects.filter(status="open").values_list("item__code", "quantity", "need_at"))
    assert open_now and len(open_now) == len(set(open_now)), "a proposal is there twice"


def demand(house: House) -> None:
    """A confirmed order that asks for a plan nobody has made yet."""
    line = sales.OrderLine(item=house.item("PUMP"), quantity=Decimal(30), price=Decimal(300))
    order = sales.enter_order(house.by("sales"), customer=house.party("ACME"), requested_on=day(20), lines=[line])
    sales.confirm_order(house.by("sales"), order=order)
    outbox.Delivery.objects.filter(status="pending").update(due_at=datetime(2020, 1, 1, tzinfo=UTC))
    while outbox.work_once(("work",)):
        outbox.Delivery.objects.filter(status="pending").update(due_at=datetime(2020, 1, 1, tzinfo=UTC))


def plan_apart(errors: list[Exception]) -> None:
    try:
        outbox.work_once(("plan",))
    except DatabaseError as error:
        errors.append(error)
    finally:
        connections.close_all()


def waits_for_lock(other: psycopg.Connection[Any]) -> bool:
    return bool(other.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone())
