"""A hundred thousand steps of random histories (SOAK_STEPS), each history in a plant of its own, books proved."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from tests.databases import TestGround
from tests.recorder import Recorder
from tests.scenario.test_histories import play

pytestmark = pytest.mark.soak
STEPS = int(os.environ.get("SOAK_STEPS", "100000"))
LENGTH = 250


def test_a_hundred_thousand_steps_leave_true_books(
    test_ground: TestGround, django_db_setup: None, django_db_blocker: Any, recorder: Recorder
) -> None:
    began = time.monotonic()
    with django_db_blocker.unblock():
        done = play(test_ground, recorder, histories=max(STEPS // LENGTH, 1), steps=LENGTH, fixed=False)
    print(f"{STEPS} steps asked, {done.total()} orders carried out in {time.monotonic() - began:.0f} s")
    assert done.total() > STEPS / 20
