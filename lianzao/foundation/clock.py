"""What time it is. Real by default; demo and tests run on a virtual clock, shared by all processes through one row.

virtual now = anchor + (real now - set at) * rate.

The real time is the database's, asked every two seconds and carried on by the monotonic clock in between: so processes
on several machines agree, and one whose own clock jumps does not notice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection, models

_READ_AGAIN_S = 2.0
#: So long the database's word is carried on where nobody asks what time it is in the plant.
_GOOD_FOR_S = 10.0
_TREMBLE = timedelta(milliseconds=50)
_lock = threading.Lock()
_state: tuple[datetime, datetime, float] | None = None
_read_at = float("-inf")
_told: tuple[datetime, float] | None = None  # the database's instant, and where our monotonic clock stood at it
_frozen: datetime | None = None


class VirtualClock(models.Model):
    """At most one row. Without it the clock is the real one."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    anchor = models.DateTimeField()
    set_at = models.DateTimeField()
    rate = models.DecimalField(max_digits=12, decimal_places=6, default=Decimal(1))

    class Meta:
        app_label = "foundation"
        db_table = "foundation_clock"


def real_now() -> datetime:
    """The real instant: for expiry of sessions, back-off and recorded_at, which must not jump with a demo.

    It is the database's while that was asked a moment ago (as in every command), else this machine's.
    """
    told = _told
    if told is not None:
        passed = time.monotonic() - told[1]
        if passed < _GOOD_FOR_S:
            return told[0] + timedelta(seconds=passed)
    return _machine_now()


def _machine_now() -> datetime:
    return datetime.now(UTC)


def now() -> datetime:
    """The plant's instant."""
    if _frozen is not None:
        return _frozen
    state = _shared()
    if state is None:
        return real_now()
    anchor, set_at, rate = state
    return anchor + (real_now() - set_at) * rate


def rate() -> float:
    """How many plant seconds pass in a real one (1 on the real clock)."""
    state = _shared()
    return 1.0 if state is None else state[2]


def is_virtual() -> bool:
    """Whether the plant's time differs from the machine's."""
    return _frozen is not None or _shared() is not None


READ = """
SELECT clock_timestamp(), c.anchor, c.set_at, c.rate
FROM (SELECT 1) AS one LEFT JOIN foundation_clock c ON c.id = 1
"""


def _shared() -> tuple[datetime, datetime, float] | None:
    global _state, _read_at, _told
    if time.monotonic() - _read_at < _READ_AGAIN_S:
        return _state
    with _lock, connection.cursor() as cursor:
        cursor.execute(READ)
        at, *row = cursor.fetchall()[0]
        _state = None if row[0] is None else (row[0], row[1], float(row[2]))
        _read_at = time.monotonic()
        # Counted from when the answer is here: so ours is never ahead, and what is due now by our time is due by its.
        _told = _not_back(at, _read_at)
    return _state


def _not_back(at: datetime, when: float) -> tuple[datetime, float]:
    """The reading, unless it would set our time back by what it took to travel."""
    if _told is not None:
        carried_on = _told[0] + timedelta(seconds=when - _told[1])
        if timedelta() < carried_on - at < _TREMBLE:
            return carried_on, when
    return at, when


def set_virtual(anchor: datetime, rate: float = 1.0) -> None:
    """Set the plant's clock for all processes (demo and tests only; the caller is the owner of the plant)."""
    forget()
    _shared()
    VirtualClock.objects.update_or_create(
        id=1, defaults={"anchor": anchor, "set_at": real_now(), "rate": Decimal(str(rate))}
    )
    forget()


def forget() -> None:
    """Read the shared clock again at the next question."""
    global _read_at
    _read_at = float("-inf")


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Hold this process's clock at an instant: for tests."""
    global _frozen
    before, _frozen = _frozen, at
    try:
        yield
    finally:
        _frozen = before


def freeze(at: datetime | None) -> None:
    """Hold this process's clock at an instant until told otherwise (None lets it go): for tests."""
    global _frozen
    _frozen = at


def advance(by: timedelta) -> None:
    """Move a frozen clock on."""
    global _frozen
    if _frozen is None:
        raise RuntimeError("only a frozen clock can be moved on")
    _frozen += by
