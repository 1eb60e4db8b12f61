"""A trace through ten million genealogy edges, beside the raw recursive query that gives the same rows.

Processor time counts (the client's and its database backend's): both do one thing at a time, so on a machine that does
nothing else it is the time a person waits, and here it does not change with what others do.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import psycopg
import pytest

from project.postgres import DATABASE, OWNER
from tests.bench import genealogy
from tests.served import served

pytestmark = pytest.mark.bench
EDGES = 10_000_000


def test_a_trace_costs_at_most_half_more_than_the_raw_query(tmp_path: Path) -> None:
    with served(tmp_path) as product:
        product.inside("from tests.bench.life import Shop; Shop.build()")
        with psycopg.connect(product.cluster.url(DATABASE, OWNER), autocommit=True) as owner:
            lots = genealogy.build(owner, EDGES)
        run = f"import runpy, sys; sys.argv = ['trace', '{lots}']; runpy.run_module('tests.bench.trace', run_name="
        said = json.loads(product.inside(run + "'__main__')"))
    for name, each in said.items():
        wall = statistics.median(mine[0] / raw[0] for mine, raw in each["pairs"])
        used = statistics.median(mine[1] / raw[1] for mine, raw in each["pairs"])
        took = min(mine[0] for mine, _ in each["pairs"]) * 1000
        print(f"\n{name}, {each['edges']} edges: {took:.0f} ms; processor {used:.2f}, wall {wall:.2f} of the raw query")
        assert used <= 1.5
