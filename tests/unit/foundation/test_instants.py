"""Instants as PostgreSQL writes them are read exactly, in UTC whatever zone they were written in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzao.foundation.instants import InstantLoader


def read(text: str) -> datetime:
    """What the loader makes of a column's text."""
    return InstantLoader(1184).load(text.encode())


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)), st.integers(-14 * 4, 14 * 4))
def test_an_instant_is_read_as_it_was_written(at: datetime, quarters: int) -> None:
    instant = at.replace(tzinfo=UTC)
    written = instant.astimezone(timezone(timedelta(minutes=15 * quarters))).isoformat(" ")
    written = written.removesuffix(":00") if quarters % 4 == 0 else written  # PostgreSQL writes +08, not +08:00
    assert read(written) == instant
    assert read(written).tzinfo is UTC


@pytest.mark.parametrize("text", ["infinity", "-infinity", "10000-01-01 00:00:00+00", "0044-03-15 12:00:00+00 BC"])
def test_what_python_cannot_hold_is_refused_in_the_drivers_words(text: str) -> None:
    with pytest.raises(psycopg.DataError):
        read(text)
