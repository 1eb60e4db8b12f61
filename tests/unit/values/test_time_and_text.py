"""Zones, years and signs that the whole house agrees on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from lianzao.values.text import has_unprintable
from lianzao.values.time import is_plausible, is_zone, local_date, start_of_day


@pytest.mark.parametrize("name", ["Asia/Shanghai", "Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires"])
def test_zones_of_the_list(name: str) -> None:
    assert is_zone(name)


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "Beijing", "GMT+8", "../../etc/passwd", "asia/shanghai", "Europe/Berlin\x00", "Europe"]
)
def test_what_is_no_zone(name: str) -> None:
    assert not is_zone(name)


def test_years_a_plant_has_to_do_with() -> None:
    assert is_plausible(date(1900, 1, 1)) and is_plausible(datetime(2199, 12, 31, tzinfo=UTC))
    assert not is_plausible(date(1899, 12, 31)) and not is_plausible(date(2200, 1, 1))


@pytest.mark.parametrize("text", ["a\x00", "\x1b[0m", "\x7f", "\ud800", "\x0b"])
def test_signs_nobody_can_print(text: str) -> None:
    assert has_unprintable(text)


@pytest.mark.parametrize("text", ["", "line\nnext\tcell\r\n", "مرحبا", "👩\u200d🏭", "\u202eright to left"])
def test_signs_of_every_script_are_welcome(text: str) -> None:
    assert not has_unprintable(text)


@pytest.mark.parametrize(("on", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_a_day_in_berlin_has_the_hours_the_clock_gives_it(on: date, hours: int) -> None:
    begins, ends = start_of_day(on, "Europe/Berlin"), start_of_day(on + timedelta(days=1), "Europe/Berlin")
    assert ends - begins == timedelta(hours=hours)
    assert local_date(begins, "Europe/Berlin") == on
    assert local_date(ends - timedelta(microseconds=1), "Europe/Berlin") == on
