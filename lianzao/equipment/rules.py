"""Pure decisions about machine states. Slices are half-open: a state ends at the instant the next one begins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lianzao.values.errors import Invalid, RuleBroken

STATES = ("running", "stopped", "setup", "idle")
#: How far a terminal's or machine's clock may run ahead of ours.
CLOCK_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True)
class Slice:
    """A state from an instant on, until another (None: still)."""

    state: str
    began_at: datetime
    ended_at: datetime | None = None


def check_change(
    current: Slice | None, state: str, at: datetime, now: datetime, expected_until: datetime | None
) -> None:
    """Whether a machine may change its state at an instant. Raises Invalid or RuleBroken."""
    if at > now + CLOCK_TOLERANCE:
        raise Invalid("happened_in_future", field="happened_at", happened_at=at)
    if expected_until is not None and expected_until <= at:
        raise Invalid("ends_before_it_starts", field="expected_until")
    if current is None:
        return
    if current.state == state:
        raise RuleBroken("already_in_state", state=state, since=current.began_at)
    if at < current.began_at:
        raise RuleBroken("state_began_later", field="happened_at", state=current.state, since=current.began_at)


def overlaps(one: Slice, other: Slice) -> bool:
    """Whether two slices share an instant."""
    starts_before = other.ended_at is None or one.began_at < other.ended_at
    ends_after = one.ended_at is None or other.began_at < one.ended_at
    empty = one.began_at == one.ended_at or other.began_at == other.ended_at
    return starts_before and ends_after and not empty


def minutes_between(began_at: datetime, ended_at: datetime) -> int:
    """Whole minutes between two instants."""
    return int((ended_at - began_at) // timedelta(minutes=1))


def down_until(expected_until: datetime | None, now: datetime) -> datetime | None:
    """When a stop is taken to end: an expectation that has passed is none."""
    return expected_until if expected_until is not None and expected_until > now else None


def check_split(piece: Slice, at: datetime, now: datetime) -> None:
    """Whether a slice may be cut at an instant: it must lie inside, and not in the future. Raises Invalid."""
    if at <= piece.began_at or at >= (piece.ended_at or now):
        raise Invalid("split_outside", field="at", began_at=piece.began_at, ended_at=piece.ended_at or now)


def availability(
    slices: Iterable[tuple[str, bool, int, int]], working: Sequence[tuple[int, int]]
) -> tuple[int, int, int, int, float | None]:
    """Seconds running, busy (working less planned stops), known, working; and availability = running / busy.

    `slices`: state, whether a stop was planned, begin and end in seconds. Only working time counts. The share is None
    when nothing was to be worked, or the state of some of that time was never told.
    """
    running = planned = known = 0
    for state, is_planned, begin, end in slices:
        inside = sum(max(0, min(end, stop) - max(begin, start)) for start, stop in working)
        known += inside
        if state == "running":
            running += inside
        elif state == "stopped" and is_planned:
            planned += inside
    total = sum(stop - start for start, stop in working)
    busy = total - planned
    share = running / busy if busy > 0 and known >= total else None
    return running, busy, known, total, share
