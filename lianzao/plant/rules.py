"""Working time: shifts by the clock on the wall, exceptions by the instant, intervals in UTC seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

VIRTUAL_KINDS = ("supplier", "customer", "production", "scrap", "adjustment", "opening")
REAL_KINDS = ("store", "line", "receiving", "shipping", "quarantine", "transit")

Span = tuple[int, int]
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class ShiftTime:
    """A shift that begins on a weekday (0 = Monday) and ends at `ends_at`, on the next day if that is not later.

    Equal times mean a whole day: 00:00 to 00:00 is Monday round the clock.
    """

    weekday: int
    starts_at: time
    ends_at: time


@dataclass(frozen=True)
class ExceptionSpan:
    """A stretch of time that is closed (`working` False) or worked extra, whatever the shifts say. Half-open."""

    starts_at: datetime
    ends_at: datetime
    working: bool


def is_virtual(kind: str) -> bool:
    """Whether a kind of location is a side of the ledger rather than a place: no balance is kept there."""
    return kind in VIRTUAL_KINDS


def wall_instant(on: date, at: time, zone: ZoneInfo) -> datetime:
    """The first instant at which the clock on the wall shows, or passes, this time of this day.

    On the night the clocks go forward a time may be skipped: then the instant of the jump counts. On the night they go
    back a time comes twice: then the first counts. So a night shift is an hour shorter or longer, as it is in life.
    """
    wall = datetime.combine(on, at)
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    early = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    before, after = int(early.timestamp()), int(instant.timestamp())
    old_offset = early.astimezone(zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == old_offset:
            before = middle
        else:
            after = middle
    return datetime.fromtimestamp(after, UTC)


def shift_spans(shifts: Sequence[ShiftTime], zone: ZoneInfo, from_s: int, until_s: int) -> list[Span]:
    """Working spans of the shifts alone within [from_s, until_s), merged and sorted, in UTC seconds."""
    if not shifts or until_s <= from_s:
        return []
    # A shift of the day before may still run, and a day's offset from UTC is less than a day.
    day = datetime.fromtimestamp(from_s, zone).date() - 2 * _DAY
    last = datetime.fromtimestamp(until_s, zone).date() + _DAY
    by_weekday: dict[int, list[ShiftTime]] = {}
    for shift in shifts:
        by_weekday.setdefault(shift.weekday, []).append(shift)
    spans: list[Span] = []
    while day <= last:
        for shift in by_weekday.get(day.weekday(), ()):
            ends_on = day if shift.ends_at > shift.starts_at else day + _DAY
            start = int(wall_instant(day, shift.starts_at, zone).timestamp())
            end = int(wall_instant(ends_on, shift.ends_at, zone).timestamp())
            spans.append((max(start, from_s), min(end, until_s)))
        day += _DAY
    return merged(spans)


def shifts_around(
    shifts: Sequence[ShiftTime], zone: ZoneInfo, instant: datetime
) -> list[tuple[int, datetime, datetime]]:
    """Every shift from two days before an instant's day to a fortnight after: place in `shifts`, begin, end."""
    day = instant.astimezone(zone).date() - 2 * _DAY
    found: list[tuple[int, datetime, datetime]] = []
    for _ in range(20):
        for place, shift in enumerate(shifts):
            if shift.weekday == day.weekday():
                ends_on = day if shift.ends_at > shift.starts_at else day + _DAY
                found.append(
                    (place, wall_instant(day, shift.starts_at, zone), wall_instant(ends_on, shift.ends_at, zone))
                )
        day += _DAY
    return found


def merged(spans: Sequence[Span]) -> list[Span]:
    """Sorted spans without overlap or touching neighbors; empty ones vanish."""
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def without(spans: Sequence[Span], hole: Span) -> list[Span]:
    """The spans with a hole cut out."""
    return list(_cut(spans, hole))


def _cut(spans: Sequence[Span], hole: Span) -> Iterator[Span]:
    for start, end in spans:
        if end <= hole[0] or start >= hole[1]:
            yield start, end
            continue
        if start < hole[0]:
            yield start, hole[0]
        if end > hole[1]:
            yield hole[1], end


def in_order(exceptions: Sequence[ExceptionSpan]) -> list[ExceptionSpan]:
    """Exceptions in the order they apply: the earlier beginning first, the longer first, closing last.

    So a special shift inside a holiday week opens it, and a power cut inside the special shift closes that again.
    """
    return sorted(exceptions, key=lambda one: (one.starts_at, one.starts_at - one.ends_at, not one.working))


def with_exceptions(
    spans: Sequence[Span], exceptions: Sequence[ExceptionSpan], from_s: int, until_s: int
) -> list[Span]:
    """Working spans after the exceptions of one level (calendar, then work center, then machine)."""
    found = list(spans)
    for exception in in_order(exceptions):
        start = max(int(exception.starts_at.timestamp()), from_s)
        end = min(int(exception.ends_at.timestamp()), until_s)
        if end <= start:
            continue
        if exception.working:
            found = merged([*found, (start, end)])
        else:
            found = without(found, (start, end))
    return found


def shifts_overlap(shifts: Sequence[ShiftTime]) -> tuple[ShiftTime, ShiftTime] | None:
    """Two shifts of a week that run at the same time by the wall clock, if any."""
    week = 7 * 24 * 3600

    def spans(shift: ShiftTime) -> list[Span]:
        start = shift.weekday * 86400 + _seconds(shift.starts_at)
        end = shift.weekday * 86400 + _seconds(shift.ends_at)
        end += 86400 if end <= start else 0
        if end <= week:
            return [(start, end)]
        return [(start, week), (0, end - week)]

    taken = sorted((span, number) for number, shift in enumerate(shifts) for span in spans(shift))
    for (first, one), (second, other) in pairwise(taken):
        if second[0] < first[1]:
            return shifts[one], shifts[other]
    return None


def _seconds(at: time) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second
