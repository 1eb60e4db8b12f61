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


@pytest.mark.parametrize(
    ("plant", "demands", "orders", "most_s"), [("own", 100, 1000, 0.25), ("shared", 334, 2000, 0.5)]
)
def test_a_thousand_items_on_three_levels_are_planned_in_time(
    tmp_path: Path, plant: str, demands: int, orders: int, most_s: float
) -> None:
    """A quarter of a second where each item gets its order; twice that where twice as many orders are planned."""
    with served(tmp_path) as product, standing_still(product):
        run = f"import runpy, sys; sys.argv = ['mrp', '{plant}']; runpy.run_module('tests.bench.mrp', run_name="
        said = json.loads(product.inside(run + "'__main__')"))
    whole, used = statistics.median(said["seconds"]), statistics.median(said["processor"])
    print(
        f"\n{plant}: {said['demands']} demands, {said['proposals']} proposals: {whole:.3f} s (best"
        f" {min(said['seconds']):.3f}), of which {used:.3f} s processor here, the rest PostgreSQL"
    )
    assert said["demands"] == demands and said["proposals"] >= orders
    assert whole <= most_s
