"""What is ordered of the plant: set up a site, lay out a week, close or open hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from uuid import UUID

from lianzao.access.queries import site as site_of
from lianzao.foundation import audit, entity, words
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.outbox import publish
from lianzao.foundation.scope import check_site
from lianzao.plant import rules
from lianzao.plant.events import SiteSetUp, WorkingTimeChanged
from lianzao.plant.models import (
    MAKING_VIRTUAL,
    Calendar,
    CalendarException,
    Location,
    Machine,
    Shift,
    WorkCenter,
)
from lianzao.values.errors import Invalid


@dataclass(frozen=True)
class ShiftHours:
    """A shift of a weekday (0 = Monday); it ends on the next day when not later than it begins."""

    weekday: int
    starts_at: time
    ends_at: time
    name: str = ""


@command
def set_up_site(by: Actor, *, site_id: UUID) -> dict[str, str]:
    """Make a site's virtual locations, one of each kind, so that stock can move there.

    Given again it makes what is missing and changes nothing else. Answers the locations' ids by kind.
    """
    check_site(by, site_id)
    site = site_of(site_id)
    kept = dict(Location.objects.filter(site_id=site_id, is_virtual=True).values_list("location_kind", "pk"))
    audit.must_run().memory[MAKING_VIRTUAL] = True
    made = [
        Location(
            code=f"{site.code}-{kind.upper()}",
            name=words.say(f"plant.location.location_kind.{kind}", "zh-CN"),
            name_en=words.say(f"plant.location.location_kind.{kind}", "en"),
            site_id=site_id,
            location_kind=kind,
        )
        for kind in rules.VIRTUAL_KINDS
        if kind not in kept
    ]
    entity.insert(made)
    del audit.must_run().memory[MAKING_VIRTUAL]
    if made:
        publish(SiteSetUp(site_id=site_id))
    return {kind: str(id) for kind, id in (kept | {one.location_kind: one.id for one in made}).items()}


@command
def set_shifts(by: Actor, *, calendar: Calendar, shifts: list[ShiftHours]) -> Calendar:
    """Lay out the week of a calendar anew: these shifts, and no others."""
    entity.get(Calendar, calendar.id, lock=True)
    wanted = {(one.weekday, one.starts_at): one for one in shifts}
    if len(wanted) < len(shifts):
        raise Invalid("shift_twice", field="shifts")
    for kept in Shift.objects.filter(calendar=calendar):
        hours = wanted.pop((kept.weekday, kept.starts_at), None)
        if hours is None:
            kept.delete()
        else:
            kept.ends_at, kept.name = hours.ends_at, hours.name
            kept.save()
    entity.insert(
        [
            Shift(calendar=calendar, weekday=one.weekday, starts_at=one.starts_at, ends_at=one.ends_at, name=one.name)
            for one in wanted.values()
        ]
    )
    return calendar


@command
def close_hours(
    by: Actor,
    *,
    starts_at: datetime,
    ends_at: datetime,
    reason: str = "",
    work_center: WorkCenter | None = None,
    machine: Machine | None = None,
    calendar: Calendar | None = None,
) -> CalendarException:
    """Close hours of a work center, a machine or all that follow a calendar: holiday, maintenance, stock-taking."""
    return _except(by, starts_at, ends_at, reason, work_center, machine, calendar, working=False)


@command
def open_hours(
    by: Actor,
    *,
    starts_at: datetime,
    ends_at: datetime,
    reason: str = "",
    work_center: WorkCenter | None = None,
    machine: Machine | None = None,
    calendar: Calendar | None = None,
) -> CalendarException:
    """Work extra hours on a work center, a machine or all that follow a calendar."""
    return _except(by, starts_at, ends_at, reason, work_center, machine, calendar, working=True)


@command
def withdraw_exception(by: Actor, *, calendar_exception: CalendarException) -> None:
    """Take back closed or extra hours: the shifts hold again."""
    _tell(by, calendar_exception, working=not calendar_exception.working)
    calendar_exception.delete()


def _except(
    by: Actor,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    work_center: WorkCenter | None,
    machine: Machine | None,
    calendar: Calendar | None,
    *,
    working: bool,
) -> CalendarException:
    made = CalendarException(
        work_center=work_center,
        machine=machine,
        calendar=calendar,
        starts_at=starts_at,
        ends_at=ends_at,
        working=working,
        reason=reason.strip()[:200],
    )
    made.save()
    _tell(by, made, working=working)
    return made


def _tell(by: Actor, exception: CalendarException, *, working: bool) -> None:
    if exception.machine is not None:
        centers = [exception.machine.work_center]
    elif exception.work_center is not None:
        centers = [exception.work_center]
    else:
        centers = list(WorkCenter.objects.filter(calendar_id=exception.calendar_id, retired_at=None))
    for center in centers:
        check_site(by, center.site_id)
        publish(
            WorkingTimeChanged(
                site_id=center.site_id,
                work_center_id=center.id,
                machine_id=exception.machine_id,
                starts_at=exception.starts_at,
                ends_at=exception.ends_at,
                working=working,
                reason=exception.reason,
            )
        )
