"""What time it is. Real by default; demo and tests run on a virtual clock, shared by all processes through one row.

virtual now = anchor + (real now - set at) * rate.
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
_lock = threading.Lock()
_state: tuple[datetime, datetime, float] | None = None
_read_at = float("-inf")
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
    """The machine's instant: for expiry of sessions, back-off and recorded_at, which must not jump with a demo."""
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


def _shared() -> tuple[datetime, datetime, float] | None:
    global _state, _read_at
    if time.monotonic() - _read_at < _READ_AGAIN_S:
        return _state
    with _lock, connection.cursor() as cursor:
        cursor.execute("SELECT anchor, set_at, rate FROM foundation_clock WHERE id = 1")
        row = cursor.fetchone()
        _state = None if row is None else (row[0], row[1], float(row[2]))
        _read_at = time.monotonic()
    return _state


def set_virtual(anchor: datetime, rate: float = 1.0) -> None:
    """Set the plant's clock for all processes (demo and tests only; the caller is the owner of the plant)."""
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
