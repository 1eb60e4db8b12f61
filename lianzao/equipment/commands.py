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
from lianzao.values.errors import Conflict, RuleBroken


def _current(machine: Machine) -> MachineState | None:
    """The open slice of a machine. Masters are not locked, so changes of one machine queue on a lock of their own."""
    execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"machine:{machine.id}"])
    open_ones = MachineState.objects.select_for_update().filter(machine=machine, ended_at=None, reversed_at=None)
    return open_ones.first()


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
    """Say why a machine stood still, also afterwards.

    A reason that was not said before is added. One that was said is corrected by taking the stop back and telling it
    anew: the first word stays to be read.
    """
    _stopped(machine_state)
    if machine_state.reason_id is None:
        machine_state.reason = reason
        machine_state.note = note[:200] or machine_state.note
        machine_state.save()
        told = machine_state
    elif machine_state.reason_id == reason.id:
        return machine_state
    else:
        _take_back(by, machine_state)
        told = _anew(machine_state, reason, note or machine_state.note)
        told.save()
    _tell_classified(told)
    return told


@command
def split_stop(
    by: Actor, *, machine_state: MachineState, at: datetime, reason: StopReason, note: str = ""
) -> MachineState:
    """Cut a stop in two: until then it stood for the reason that was said, from then on for another one.

    The stop is taken back and told anew as two; what was said first stays to be read. Returns the later one.
    """
    _stopped(machine_state)
    piece = rules.Slice(machine_state.state, machine_state.began_at, machine_state.ended_at)
    rules.check_split(piece, at, by.now)
    _take_back(by, machine_state)
    before = _anew(machine_state, machine_state.reason, machine_state.note)
    before.ended_at = at
    before.expected_until = None
    before.save()
    after = _anew(machine_state, reason, note)
    after.began_at = at
    after.save()
    _tell_classified(after)
    return after


def _stopped(state: MachineState) -> None:
    """Only a stop that stands is corrected. Locks the machine's time. Raises RuleBroken or Conflict."""
    _current(state.machine)
    if state.state != MachineStatus.STOPPED:
        raise RuleBroken("machine_not_stopped", machine=state.machine.code)
    if state.reversed_at is not None:
        raise Conflict("state_replaced", machine=state.machine.code)


def _take_back(by: Actor, state: MachineState) -> None:
    state.reversed_at, state.reversed_by = by.now, by.id
    state.save()


def _anew(state: MachineState, reason: StopReason | None, note: str) -> MachineState:
    """The same stop told again, in place of the one taken back."""
    return MachineState(
        machine=state.machine, site_id=state.site_id, state=state.state, reason=reason, began_at=state.began_at,
        ended_at=state.ended_at, expected_until=state.expected_until, note=note[:200], replaces=state,
    )  # fmt: skip


def _tell_classified(state: MachineState) -> None:
    center: UUID = state.machine.work_center_id
    reason = state.reason
    if reason is not None:
        publish(StopClassified(state.site_id, center, state.machine_id, state.id, reason.id, reason.planned))
