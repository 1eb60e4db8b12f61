"""A plan from nothing, from reading the rooms to the committed proposals, pegs, outlooks, audit and news."""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import family
from tests.served import Served, served

pytestmark = pytest.mark.bench


@contextmanager
def standing_still(product: Served) -> Iterator[None]:
    """Without the product's own planner and workers, which would plan too as soon as they hear of an order."""
    pids = [pid for pid, line in family(product.process.pid).items() if re.search("processes (plan|work) ", line)]
    assert len(pids) == 2
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_a_thousand_items_on_three_levels_are_planned_in_a_quarter_of_a_second(tmp_path: Path) -> None:
    with served(tmp_path) as product, standing_still(product):
        said = json.loads(product.inside("import runpy; runpy.run_module('tests.bench.mrp', run_name='__main__')"))
    whole, used = statistics.median(said["seconds"]), statistics.median(said["processor"])
    print(
        f"\n{said['demands']} demands, {said['proposals']} proposals: {whole:.3f} s (best {min(said['seconds']):.3f}),"
        f" of which {used:.3f} s processor here, the rest PostgreSQL"
    )
    assert said["demands"] >= 333 and said["proposals"] >= 1000
    assert whole <= 0.25
