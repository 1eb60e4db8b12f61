"""Stories of machines that stop and start, in a real database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from lianzao.equipment import commands as equipment
from lianzao.equipment import queries
from lianzao.equipment.models import MachineState
from lianzao.foundation import clock
from lianzao.foundation.command import run
from lianzao.foundation.entity import query
from lianzao.plant.models import Machine
from lianzao.values.errors import Invalid, RuleBroken
from lianzao.values.time import uuid7
from tests.scenario.shopfloor import NOW, Floor

pytestmark = pytest.mark.django_db


@pytest.fixture
def floor(db: None):
    yield Floor()
    clock.freeze(None)


@pytest.fixture
def press(floor: Floor) -> Machine:
    center = floor.center("PRESS")
    return run(floor.by, "plant.create_machine", {"code": "P1", "name": "压机", "work_center": str(center.id)})


def test_a_stop_takes_the_machine_out_of_the_plan_until_it_starts(floor: Floor, press: Machine) -> None:
    belt = run(floor.by, "equipment.create_stop_reason", {"code": "BELT", "name": "皮带断"})
    equipment.start_machine(floor.by, machine=press)
    until = NOW + timedelta(hours=3)
    clock.advance(timedelta(minutes=30))
    equipment.stop_machine(floor.by, machine=press, reason=belt, expected_until=until)
    now = NOW + timedelta(minutes=30)
    down = queries.down_windows(floor.site_id, now)
    assert down["machine_id"] == [press.id] and down["until_at"] == [until] and down["from_at"] == [now]
    assert down["work_center_id"] == [press.work_center_id] and down["planned"] == [False]
    # When the expected end has passed and nobody started it, nobody knows.
    assert queries.down_windows(floor.site_id, until)["until_at"] == [None]
    clock.advance(timedelta(minutes=45))
    equipment.start_machine(floor.by, machine=press)
    assert queries.down_windows(floor.site_id, until)["machine_id"] == []
    slices = queries.state_slices([press.id], NOW, NOW + timedelta(hours=2), NOW + timedelta(minutes=75))
    assert [(each.state, each.seconds) for each in slices] == [("running", 1800.0), ("stopped", 2700.0)]
    names = query("SELECT name FROM foundation_event WHERE name LIKE 'equipment.%%' ORDER BY id")
    assert [row[0] for row in names] == [
        "equipment.MachineStarted",
        "equipment.MachineStopped",
        "equipment.MachineStarted",
    ]


def test_states_say_what_cannot_be(floor: Floor, press: Machine) -> None:
    equipment.stop_machine(floor.by, machine=press)
    with pytest.raises(RuleBroken, match="already_in_state"):
        equipment.stop_machine(floor.by, machine=press)
    with pytest.raises(RuleBroken, match="state_began_later"):
        equipment.start_machine(floor.by, machine=press, happened_at=NOW - timedelta(hours=1))
    with pytest.raises(Invalid, match="happened_in_future"):
        equipment.start_machine(floor.by, machine=press, happened_at=NOW + timedelta(hours=1))
    equipment.start_machine(floor.by, machine=press)
    with pytest.raises(Invalid, match="ends_before_it_starts"):
        equipment.stop_machine(floor.by, machine=press, expected_until=NOW)
    with pytest.raises(RuleBroken, match="machine_not_stopped"):
        equipment.expect_start(floor.by, machine=press, expected_until=NOW + timedelta(hours=1))


def test_a_stop_is_classified_and_its_end_expected_later(floor: Floor, press: Machine) -> None:
    reason = run(floor.by, "equipment.create_stop_reason", {"code": "PM", "name": "保养", "planned": True})
    stop = equipment.stop_machine(floor.by, machine=press)
    equipment.expect_start(floor.by, machine=press, expected_until=NOW + timedelta(hours=2))
    equipment.classify_stop(floor.by, machine_state=stop, reason=reason)
    now = queries.state_now(press.id)
    assert now is not None and now.reason == reason and now.expected_until == NOW + timedelta(hours=2)
    assert queries.down_windows(floor.site_id, NOW)["planned"] == [True]


def test_the_database_refuses_overlapping_states(floor: Floor, press: Machine) -> None:
    equipment.stop_machine(floor.by, machine=press)
    clock.advance(timedelta(hours=1))
    equipment.start_machine(floor.by, machine=press)
    first = MachineState.objects.order_by("began_at").first()
    assert first is not None and first.ended_at == NOW + timedelta(hours=1)
    sql = (
        "INSERT INTO equipment_machine_state SELECT %s, version, created_at, created_by, updated_at, updated_by,"
        " owner_system, site_id, state, %s, %s, expected_until, note, machine_id, reason_id, reversed_at, reversed_by,"
        " replaces_id"
        " FROM equipment_machine_state WHERE id = %s"
    )
    inside = [uuid7(), NOW + timedelta(minutes=10), NOW + timedelta(minutes=20), first.id]
    with pytest.raises(IntegrityError, match="overlap"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, inside)
    before = [uuid7(), NOW - timedelta(minutes=20), NOW, first.id]
    with connection.cursor() as cursor:
        cursor.execute(sql, before)
    assert MachineState.objects.count() == 3
