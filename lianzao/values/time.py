"""Instants, local dates and time-ordered identifiers. Only `uuid7` reads a clock, because its ids must sort."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, date, datetime, timedelta
from functools import cache
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

Instant = datetime
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The years a day or an instant may lie in. Outside, reckoning with lead times would run out of the calendar.
FIRST_YEAR, LAST_YEAR = 1900, 2199

_lock = threading.Lock()
_last = 0
_FURTHEST = 86_400_000 << 12


def _forget_after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)


def uuid7() -> UUID:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds, then a 12-bit fraction, then 62 random bits.

    Within one process each is greater than the one before, so rows made together keep their order. Only a clock that
    was set back by more than a day is followed: else a process that once saw a year to come would make its ids for
    ever, beyond all partitions.
    """
    global _last
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    stamp = (milliseconds << 12) | ((rest << 12) // 1_000_000)
    with _lock:
        if _last - stamp < _FURTHEST:
            stamp = max(stamp, _last + 1)
        _last = stamp
    return _uuid7(stamp)


def uuid7_after(other: UUID) -> UUID:
    """A UUIDv7 that sorts behind another, though that was made by a process whose clock is ahead of ours."""
    made = uuid7()
    return made if made > other else _uuid7(_stamp(other) + 1)


def _stamp(value: UUID) -> int:
    return ((value.int >> 80) << 12) | ((value.int >> 64) & 0xFFF)


def _uuid7(stamp: int) -> UUID:
    random = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    return UUID(int=((stamp >> 12) << 80) | (7 << 76) | ((stamp & 0xFFF) << 64) | (2 << 62) | random)


def uuid7_at(instant: datetime) -> UUID:
    """The lowest UUIDv7 of an instant: a bound for ranges and partitions, never an identity."""
    milliseconds = (instant - EPOCH) // timedelta(milliseconds=1)
    return UUID(int=milliseconds << 80)


def uuid7_time(value: UUID) -> datetime:
    """The instant a UUIDv7 was made at, to the millisecond."""
    return EPOCH + timedelta(milliseconds=value.int >> 80)


def parse_instant(text: str) -> datetime:
    """An ISO 8601 instant with offset; without one it is refused, because a time without a zone is no time.

    Raises ValueError.
    """
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return value.astimezone(UTC)


def is_plausible(value: date) -> bool:
    """Whether a day or an instant lies in years a plant has to do with."""
    return FIRST_YEAR <= value.year <= LAST_YEAR


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def is_zone(name: str) -> bool:
    """Whether a name is a time zone of the IANA list, such as Asia/Shanghai."""
    return name in _zones()


def local_date(instant: datetime, zone: str) -> date:
    """The calendar date of an instant at a place (IANA zone name)."""
    return instant.astimezone(ZoneInfo(zone)).date()


def start_of_day(on: date, zone: str) -> datetime:
    """The instant a local date begins at a place."""
    return datetime(on.year, on.month, on.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
