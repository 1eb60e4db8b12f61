"""The demo plant lives for long, as fast as the machine goes, and its books are proved every virtual day."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest

from demo import simulator
from demo.plant import Credentials
from demo.settling import settle
from lianzao.foundation import clock
from tests.scenario.test_demo import built, prove, works

__all__ = ["built", "works"]
pytestmark = pytest.mark.soak
SECONDS = float(os.environ.get("SOAK_SECONDS", "3600"))
STEP = timedelta(minutes=30)


def test_the_plant_lives_and_its_books_stay_true(works: Credentials) -> None:
    people = simulator.Simulator.of_plant()
    now = works.opened_at
    until = time.monotonic() + SECONDS
    days = 0
    while time.monotonic() < until:
        for _ in range(48):
            now += STEP
            clock.freeze(now)
            people.step(now)
            settle()
        days += 1
        prove()
        print(f"day {days}: {sum(people.done.values())} orders carried out, {sum(people.refused.values())} refused")
    assert days >= 1
    assert not [name for name in people.refused if name.endswith("failed")], people.refused
