"""Random histories of the plant, the same ones in every run; `make soak` plays a hundred thousand steps of others."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import pytest
from django.db import connections
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from lianzao.foundation import clock
from tests.conftest import close_connections, use_database
from tests.databases import TestGround
from tests.histories import PlantHistory
from tests.recorder import Recorder
from tests.world import House, _template


def play(test_ground: TestGround, recorder: Recorder, *, histories: int, steps: int, fixed: bool) -> Counter[str]:
    """Play histories of so many steps, each in a plant of its own; gives how often each order was carried out."""
    before = str(connections.databases["default"]["NAME"])
    template = _template(test_ground)

    def open_plant() -> tuple[House, str]:
        name = test_ground.clone(template)
        use_database(test_ground, name)
        return House(stands=True), name

    def close_plant(name: str) -> None:
        clock.freeze(None)
        close_connections()
        use_database(test_ground, before)
        test_ground.drop(name)

    class History(PlantHistory):
        done: ClassVar[Counter[str]] = Counter()
        refused: ClassVar[Counter[str]] = Counter()

    History.open_plant = staticmethod(open_plant)  # type: ignore[method-assign]
    History.close_plant = staticmethod(close_plant)  # type: ignore[method-assign]
    try:
        run_state_machine_as_test(
            History,
            settings=settings(
                max_examples=histories,
                stateful_step_count=steps,
                deadline=None,
                derandomize=fixed,
                database=None,
                print_blob=True,
                suppress_health_check=tuple(HealthCheck),  # type: ignore[arg-type]
                phases=(Phase.generate, Phase.shrink),
            ),
        )
    finally:
        use_database(test_ground, before)
        print(f"carried out {History.done.total()} {dict(History.done.most_common())}")
        print(f"refused {History.refused.total()} {dict(History.refused.most_common(80))}")
    # A long history gives a command more to do than the tests its cost was pinned with.
    assert [each for each in recorder.taken_faults() if "statements" not in each] == []
    return History.done


@pytest.mark.slow
def test_whatever_happens_the_books_are_true(
    test_ground: TestGround, django_db_setup: None, django_db_blocker: Any, recorder: Recorder
) -> None:
    with django_db_blocker.unblock():
        done = play(test_ground, recorder, histories=10, steps=60, fixed=True)
    assert len(done) >= 25, done
