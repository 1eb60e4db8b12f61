"""What is decided about machine states, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lianzao.equipment.rules import Slice, check_change, down_until, minutes_between, overlaps
from lianzao.values.errors import DomainError

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def code_of(current: Slice | None, state: str, at: datetime, until: datetime | None = None) -> str:
    try:
        check_change(current, state, at, NOW, until)
    except DomainError as refused:
        return refused.code
    return ""


def test_what_a_machine_may_do_next() -> None:
    running = Slice("running", NOW - HOUR)
    assert code_of(None, "running", NOW) == ""
    assert code_of(running, "stopped", NOW, NOW + HOUR) == ""
    assert code_of(running, "stopped", NOW - HOUR) == ""
    assert code_of(running, "running", NOW) == "already_in_state"
    assert code_of(running, "stopped", NOW - 2 * HOUR) == "state_began_later"
    assert code_of(running, "stopped", NOW + HOUR) == "happened_in_future"
    assert code_of(running, "stopped", NOW, NOW) == "ends_before_it_starts"


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ((0, 2), (1, 3), True),
        ((0, 2), (2, 3), False),
        ((0, None), (5, 6), True),
        ((0, None), (1, None), True),
        ((2, 2), (0, 5), False),
    ],
)
def test_half_open_slices(one: tuple, other: tuple, shared: bool) -> None:
    def made(span: tuple) -> Slice:
        return Slice("idle", NOW + span[0] * HOUR, None if span[1] is None else NOW + span[1] * HOUR)

    assert overlaps(made(one), made(other)) is shared and overlaps(made(other), made(one)) is shared


def test_an_expectation_that_has_passed_is_none() -> None:
    assert down_until(NOW + HOUR, NOW) == NOW + HOUR
    assert down_until(NOW, NOW) is None and down_until(None, NOW) is None
    assert minutes_between(NOW, NOW + timedelta(seconds=119)) == 1
