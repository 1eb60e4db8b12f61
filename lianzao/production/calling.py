"""Commands of the call for help (安灯): called at a station, answered by who comes, ended when it is solved."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from lianzao.foundation.actor import Actor
from lianzao.foundation.command import READ, command
from lianzao.foundation.entity import execute
from lianzao.foundation.outbox import publish
from lianzao.plant.models import Machine, WorkCenter
from lianzao.production import floor_rules, rules
from lianzao.production.events import HelpAcknowledged, HelpCalled, HelpEnded
from lianzao.production.floor_models import HelpCall, HelpCause
from lianzao.production.models import WorkOrderOperation
from lianzao.values.errors import RuleBroken

LIVING = ("open", "acknowledged")


@command(offline=True)
def call_for_help(
    by: Actor,
    *,
    work_center: WorkCenter,
    cause: HelpCause,
    machine: Machine | None = None,
    operation: Annotated[WorkOrderOperation, READ] | None = None,
    note: str = "",
    happened_at: datetime | None = None,
) -> HelpCall:
    """Call for help from a station: the people of that cause are told at once, the next ones when nobody comes.

    A station has one living call for each cause; calling again tells the same people once more and opens nothing new.
    """
    at = happened_at or by.now
    rules.check_time(at, by.now)
    if machine is not None and machine.work_center_id != work_center.id:
        raise RuleBroken("machine_of_other_center", field="machine", machine=machine.code)
    # Masters are not locked: two who press at once queue on a lock of the station's own.
    execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"help:{work_center.id}:{cause}"])
    call = HelpCall.objects.filter(work_center=work_center, cause=cause, status__in=LIVING).first()
    again = call is not None
    if call is None:
        call = HelpCall(
            site_id=work_center.site_id, cause=cause, work_center=work_center, machine=machine, operation=operation,
            called_at=min(at, by.now), called_by=by.id, note=note.strip()[:200],
        )  # fmt: skip
        call.save()
    publish(
        HelpCalled(
            call.site_id, call.id, call.number, call.cause, call.work_center_id, call.machine_id, call.note, again,
            by.id,
        )
    )  # fmt: skip
    return call


@command(when={"status": ("open",)})
def acknowledge_call(by: Actor, *, help_call: HelpCall) -> HelpCall:
    """Say that you come: the station sees it, and nobody further is called."""
    help_call.move_to("acknowledged")
    help_call.acknowledged_at = by.now
    help_call.acknowledged_by = by.id
    help_call.save()
    waited = floor_rules.minutes(help_call.called_at, by.now)
    publish(
        HelpAcknowledged(
            help_call.site_id, help_call.id, help_call.number, help_call.cause, help_call.work_center_id, waited, by.id
        )
    )
    return help_call


@command(when={"status": ("open", "acknowledged")})
def solve_call(by: Actor, *, help_call: HelpCall, answer: str = "") -> HelpCall:
    """Say that a call is solved, and what it was."""
    return _end(by, help_call, "solved", answer)


@command(when={"status": ("open", "acknowledged")})
def withdraw_call(by: Actor, *, help_call: HelpCall) -> HelpCall:
    """Take a call back: help is not needed any more, or it was pressed by mistake."""
    return _end(by, help_call, "withdrawn", "")


def _end(by: Actor, call: HelpCall, status: str, answer: str) -> HelpCall:
    call.move_to(status)
    call.ended_at, call.ended_by = by.now, by.id
    call.answer = answer.strip()[:200]
    call.save()
    publish(
        HelpEnded(
            call.site_id, call.id, call.number, call.cause, call.work_center_id, status == "solved",
            floor_rules.minutes(call.called_at, by.now), call.answer,
        )
    )  # fmt: skip
    return call
