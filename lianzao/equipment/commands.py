"""The only writers of machine states."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from lianzao.equipment import rules
from lianzao.equipment.events import (
    MachineStarted,
    MachineStateChanged,
    MachineStopped,
    StopClassified,
    StopForecastChanged,
)
from lianzao.equipment.models import MachineState, MachineStatus, StopReason
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.entity import execute
from lianzao.foundation.outbox import publish
from lianzao.plant.models import Machine
from lianzao.values.errors import RuleBroken


def _current(machine: Machine) -> MachineState | None:
    """The open slice of a machine. Masters are not locked, so changes of one machine queue on a lock of their own."""
    execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"machine:{machine.id}"])
    return MachineState.objects.select_for_update().filter(machine=machine, ended_at__isnull=True).first()


def _change(
    by: Actor,
    machine: Machine,
    state: str,
    happened_at: datetime | None,
    reason: StopReason | None = None,
    expected_until: datetime | None = None,
    note: str = "",
) -> tuple[MachineState, MachineState | None]:
    """End the open slice and begin another; returns both, the new one first."""
    at = happened_at or by.now
    before = _current(machine)
    now = None if before is None else rules.Slice(before.state, before.began_at)
    rules.check_change(now, state, at, by.now, expected_until)
    if before is not None:
        before.ended_at = at
        before.save()
    after = MachineState(
        machine=machine, site_id=machine.work_center.site_id, state=state, reason=reason, began_at=at,
        expected_until=expected_until, note=note[:200],
    )  # fmt: skip
    after.save()
    return after, before


@command(offline=True)
def stop_machine(
    by: Actor,
    *,
    machine: Machine,
    reason: StopReason | None = None,
    expected_until: datetime | None = None,
    happened_at: datetime | None = None,
    note: str = "",
) -> MachineState:
    """Say that a machine stands still: why, as far as known, and until when it is expected to.

    Planning takes the machine out of its hours until then. The reason may be said later (classify_stop).
    """
    state, _ = _change(by, machine, MachineStatus.STOPPED, happened_at, reason, expected_until, note)
    publish(
        MachineStopped(
            state.site_id, machine.work_center_id, machine.id, None if reason is None else reason.id,
            reason is not None and reason.planned, state.began_at, expected_until,
        )
    )  # fmt: skip
    return state


@command(offline=True)
def start_machine(by: Actor, *, machine: Machine, happened_at: datetime | None = None, note: str = "") -> MachineState:
    """Say that a machine runs."""
    state, before = _change(by, machine, MachineStatus.RUNNING, happened_at, note=note)
    stood = 0
    if before is not None and before.state == MachineStatus.STOPPED:
        stood = rules.minutes_between(before.began_at, state.began_at)
    publish(MachineStarted(state.site_id, machine.work_center_id, machine.id, state.began_at, stood))
    return state


@command(offline=True)
def set_up_machine(by: Actor, *, machine: Machine, happened_at: datetime | None = None, note: str = "") -> MachineState:
    """Say that a machine is being set up for the next job."""
    return _aside(by, machine, MachineStatus.SETUP, happened_at, note)


@command(offline=True)
def idle_machine(by: Actor, *, machine: Machine, happened_at: datetime | None = None, note: str = "") -> MachineState:
    """Say that a machine is ready but has nothing to do."""
    return _aside(by, machine, MachineStatus.IDLE, happened_at, note)


def _aside(by: Actor, machine: Machine, state: MachineStatus, happened_at: datetime | None, note: str) -> MachineState:
    made, _ = _change(by, machine, state, happened_at, note=note)
    publish(MachineStateChanged(made.site_id, machine.work_center_id, machine.id, made.state, made.began_at))
    return made


def _must_stand(by: Actor, machine: Machine) -> MachineState:
    """The open stop of a machine. Raises RuleBroken("machine_not_stopped")."""
    current = _current(machine)
    if current is None or current.state != MachineStatus.STOPPED:
        raise RuleBroken("machine_not_stopped", machine=machine.code)
    return current


@command
def expect_start(
    by: Actor, *, machine: Machine, expected_until: datetime | None = None, note: str = ""
) -> MachineState:
    """Say when a stop is expected to end, or that nobody knows any more (no time): planning hears of it."""
    current = _must_stand(by, machine)
    rules.check_change(None, current.state, current.began_at, by.now, expected_until)
    old = current.expected_until
    current.expected_until = expected_until
    current.note = note[:200] or current.note
    current.save()
    publish(StopForecastChanged(current.site_id, machine.work_center_id, machine.id, old, expected_until))
    return current


@command(offline=True)
def classify_stop(by: Actor, *, machine_state: MachineState, reason: StopReason, note: str = "") -> MachineState:
    """Say, or correct, why a machine stood still, also afterwards."""
    if machine_state.state != MachineStatus.STOPPED:
        raise RuleBroken("machine_not_stopped", machine=machine_state.machine.code)
    machine_state.reason = reason
    machine_state.note = note[:200] or machine_state.note
    machine_state.save()
    center: UUID = machine_state.machine.work_center_id
    publish(
        StopClassified(
            machine_state.site_id, center, machine_state.machine_id, machine_state.id, reason.id, reason.planned
        )
    )
    return machine_state
