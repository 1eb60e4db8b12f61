"""Pure decisions about machine states. Slices are half-open: a state ends at the instant the next one begins."""

from __future__ import annotations

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
