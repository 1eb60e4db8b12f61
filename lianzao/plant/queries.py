"""What others may ask about the plant: locations, work centers, working time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from lianzao.access.queries import site_zone
from lianzao.foundation.entity import query
from lianzao.plant import rules
from lianzao.plant.models import CalendarException, Location, Machine, Shift, WorkCenter
from lianzao.values.errors import Invalid, NotFound, RuleBroken
from lianzao.values.time import local_date, start_of_day


@dataclass(frozen=True)
class Intervals:
    """Working time as two columns of UTC seconds: sorted, half-open, without overlap."""

    starts: list[int]
    ends: list[int]

    @property
    def seconds(self) -> int:
        """The working seconds in all."""
        return sum(self.ends) - sum(self.starts)


@dataclass(frozen=True)
class LocationFacts:
    """What the ledger needs of a location."""

    id: UUID
    code: str
    name: str
    name_en: str
    site_id: UUID
    location_kind: str
    is_virtual: bool
    retired: bool


#: They are made once with a site and stay, so every process may remember them.
_virtual_locations: dict[UUID, dict[str, UUID]] = {}


def virtual_locations(site_id: UUID) -> dict[str, UUID]:
    """The virtual locations of a site by kind. Raises RuleBroken when the site was never set up."""
    if site_id in _virtual_locations:
        return _virtual_locations[site_id]
    found = dict(Location.objects.filter(site_id=site_id, is_virtual=True).values_list("location_kind", "pk"))
    if set(found) != set(rules.VIRTUAL_KINDS):
        raise RuleBroken("site_not_set_up", site=str(site_id))
    _virtual_locations[site_id] = found
    return found


def virtual_location(site_id: UUID, kind: str) -> UUID:
    """The virtual location of a kind at a site. Raises RuleBroken when the site was never set up."""
    if not rules.is_virtual(kind):
        raise Invalid("not_a_virtual_kind", field="kind", value=kind)
    return virtual_locations(site_id)[kind]


def location_facts(location_ids: Iterable[UUID]) -> dict[UUID, LocationFacts]:
    """Facts of locations by id, with one statement."""
    rows = Location.objects.filter(pk__in=list(location_ids)).values_list(
        "pk", "code", "name", "name_en", "site_id", "location_kind", "is_virtual", "retired_at"
    )
    return {row[0]: LocationFacts(*row[:7], retired=row[7] is not None) for row in rows}


def location_ids(site_id: UUID, kinds: Sequence[str]) -> list[UUID]:
    """Locations of some kinds at a site, in the order of their codes, those out of use left out."""
    rows = Location.objects.filter(site_id=site_id, location_kind__in=list(kinds), retired_at=None).order_by("code")
    return list(rows.values_list("pk", flat=True))


def location_by_code(code: str) -> Location:
    """The location people call by a code. Raises NotFound."""
    found = Location.objects.filter(code=code).first()
    if found is None:
        raise NotFound("not_found", entity="plant.location", id=code)
    return found


WITHIN = """
WITH RECURSIVE inside (id) AS (
    SELECT unnest(%s::uuid[])
    UNION
    SELECT l.id FROM inside JOIN plant_location l ON l.parent_id = inside.id
)
SELECT id FROM inside
"""


def locations_within(location_ids: Iterable[UUID]) -> list[UUID]:
    """Locations and all that stand inside them."""
    return [row[0] for row in query(WITHIN, [list(location_ids)])]


WORK_CENTERS = """
SELECT w.id, w.code, w.name, w.name_en, w.area_id, w.calendar_id, w.capacity, w.cost_rate, w.line_location_id,
       w.output_location_id,
       (SELECT count(*) FROM plant_machine m WHERE m.work_center_id = w.id AND m.retired_at IS NULL)
FROM plant_work_center w
WHERE w.site_id = %s AND w.retired_at IS NULL
ORDER BY w.code
"""
WORK_CENTER_NAMES = (
    "work_center_id code name name_en area_id calendar_id capacity cost_rate line_location_id output_location_id "
    "machines"
).split()


def work_center_columns(site_id: UUID) -> dict[str, list[Any]]:
    """The work centers of a site as equally long lists. `capacity`: places side by side; `cost_rate` per hour."""
    rows = query(WORK_CENTERS, [site_id])
    return {name: [row[place] for row in rows] for place, name in enumerate(WORK_CENTER_NAMES)}


def local_day(site_id: UUID, instant: datetime) -> date:
    """The calendar date of an instant at a site."""
    return local_date(instant, site_zone(site_id))


def day_bounds(site_id: UUID, on: date) -> tuple[datetime, datetime]:
    """When a local date of a site begins and ends: 23 or 25 hours apart when the clocks change."""
    zone = site_zone(site_id)
    return start_of_day(on, zone), start_of_day(date.fromordinal(on.toordinal() + 1), zone)


def working_intervals(work_center_ids: Iterable[UUID], from_at: datetime, until_at: datetime) -> dict[UUID, Intervals]:
    """When work centers work between two instants: shifts in the site's local time, then exceptions of the calendar,
    then those of the center. A center without a calendar works round the clock. Four statements, however many centers.
    """
    centers = list(WorkCenter.objects.filter(pk__in=list(work_center_ids)).values_list("pk", "site_id", "calendar_id"))
    spans = _center_spans(centers, from_at, until_at)
    return {center: _intervals(found) for center, found in spans.items()}


def machine_working_intervals(
    machine_ids: Iterable[UUID], from_at: datetime, until_at: datetime
) -> dict[UUID, Intervals]:
    """When machines work: as their center does, after the machine's own exceptions."""
    machines = dict(Machine.objects.filter(pk__in=list(machine_ids)).values_list("pk", "work_center_id"))
    centers = list(WorkCenter.objects.filter(pk__in=set(machines.values())).values_list("pk", "site_id", "calendar_id"))
    of_center = _center_spans(centers, from_at, until_at)
    exceptions = _exceptions("machine_id", set(machines), from_at, until_at)
    from_s, until_s = _seconds(from_at), _seconds(until_at)
    return {
        machine: _intervals(rules.with_exceptions(of_center[center], exceptions.get(machine, []), from_s, until_s))
        for machine, center in machines.items()
    }


@dataclass(frozen=True)
class ShiftSpan:
    """A shift of a site as it falls on the days: its name, begin and end."""

    name: str
    starts_at: datetime
    ends_at: datetime


SITE_SHIFTS = """
SELECT s.weekday, s.starts_at, s.ends_at, s.name, count(*) AS centers
FROM plant_work_center c JOIN plant_shift s ON s.calendar_id = c.calendar_id
WHERE c.site_id = %s AND c.retired_at IS NULL
GROUP BY s.weekday, s.starts_at, s.ends_at, s.name
"""


def shift_at(site_id: UUID, instant: datetime) -> tuple[ShiftSpan, ShiftSpan]:
    """The shift of a site at an instant and the one after it; between shifts the one that comes next, and its next.

    Where work centers keep different calendars, the shift most of them keep counts. A site without shifts has the day.
    """
    zone = ZoneInfo(site_zone(site_id))
    rows = query(SITE_SHIFTS, [site_id])
    days = [rules.ShiftTime(row[0], row[1], row[2]) for row in rows]
    found = [
        (-rows[place][4], ShiftSpan(rows[place][3], start, end))
        for place, start, end in rules.shifts_around(days, zone, instant)
    ]
    if not found:
        today = local_date(instant, site_zone(site_id))
        start, end = day_bounds(site_id, today)
        return ShiftSpan("", start, end), ShiftSpan("", *day_bounds(site_id, date.fromordinal(today.toordinal() + 1)))
    running = [each for each in found if each[1].starts_at <= instant < each[1].ends_at]
    coming = [each for each in found if each[1].starts_at > instant]
    first = min(running, key=_most_kept)[1] if running else min(coming, key=_soonest)[1]
    later = [each for each in found if each[1].starts_at >= first.ends_at]
    return first, min(later, key=_soonest)[1]


def _most_kept(each: tuple[int, ShiftSpan]) -> tuple[int, datetime]:
    return each[0], each[1].starts_at


def _soonest(each: tuple[int, ShiftSpan]) -> tuple[datetime, int]:
    return each[1].starts_at, each[0]


def _center_spans(
    centers: Sequence[tuple[UUID, UUID, UUID | None]], from_at: datetime, until_at: datetime
) -> dict[UUID, list[rules.Span]]:
    from_s, until_s = _seconds(from_at), _seconds(until_at)
    calendars = {calendar for _, _, calendar in centers if calendar is not None}
    shifts = _shifts(calendars)
    closed = _exceptions("calendar_id", calendars, from_at, until_at)
    own = _exceptions("work_center_id", {center for center, _, _ in centers}, from_at, until_at)
    zones = {site: ZoneInfo(site_zone(site)) for site in {site for _, site, _ in centers}}
    # Many centers share a calendar: its week is laid out once for each zone.
    laid: dict[tuple[UUID | None, str], list[rules.Span]] = {}
    found: dict[UUID, list[rules.Span]] = {}
    for center, site, calendar in centers:
        key = (calendar, zones[site].key)
        if key not in laid:
            base = (
                rules.merged([(from_s, until_s)])
                if calendar is None
                else rules.shift_spans(shifts.get(calendar, []), zones[site], from_s, until_s)
            )
            exceptions = [] if calendar is None else closed.get(calendar, [])
            laid[key] = rules.with_exceptions(base, exceptions, from_s, until_s)
        found[center] = rules.with_exceptions(laid[key], own.get(center, []), from_s, until_s)
    return found


def _shifts(calendar_ids: set[UUID]) -> dict[UUID, list[rules.ShiftTime]]:
    found: dict[UUID, list[rules.ShiftTime]] = {}
    rows = Shift.objects.filter(calendar_id__in=calendar_ids).values_list(
        "calendar_id", "weekday", "starts_at", "ends_at"
    )
    for calendar, weekday, starts_at, ends_at in rows:
        found.setdefault(calendar, []).append(rules.ShiftTime(weekday, starts_at, ends_at))
    return found


def _exceptions(
    owner: str, ids: set[UUID], from_at: datetime, until_at: datetime
) -> dict[UUID, list[rules.ExceptionSpan]]:
    found: dict[UUID, list[rules.ExceptionSpan]] = {}
    rows = CalendarException.objects.filter(
        **{f"{owner}__in": ids}, starts_at__lt=until_at, ends_at__gt=from_at
    ).values_list(owner, "starts_at", "ends_at", "working")
    for id, starts_at, ends_at, working in rows:
        found.setdefault(id, []).append(rules.ExceptionSpan(starts_at, ends_at, working))
    return found


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _intervals(spans: Sequence[rules.Span]) -> Intervals:
    return Intervals([start for start, _ in spans], [end for _, end in spans])
