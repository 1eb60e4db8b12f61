"""How long a plan takes, warm: three sizes of plant, the best of three runs."""

from __future__ import annotations

from time import perf_counter

import pytest

from lianzao.engine.solver import solve, warm
from tests.unit.engine.plants import large

SIZES = {
    "demo plant": ((30, 3, 40, 4, 3, 10), 0.02),
    "AdventureWorks": ((504, 3, 3000, 20, 8, 1400), 1.0),
    "thousand items": ((1000, 3, 3000, 40, 4, 500), 0.5),
}


@pytest.mark.bench
@pytest.mark.parametrize("name", SIZES)
def test_a_plan_is_ready_in_time(name: str) -> None:
    size, limit_s = SIZES[name]
    problem = large(*size)
    warm()
    taken: list[float] = []
    for _ in range(3):
        start = perf_counter()
        solve(problem)
        taken.append(perf_counter() - start)
    print(f"{name}: {min(taken):.3f} s")
    assert min(taken) < limit_s
