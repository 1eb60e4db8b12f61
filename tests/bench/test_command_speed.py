"""Orders over HTTP and in process, lists and records: each beside a reference measured in the same minute.

The product is the real one (`lianzao serve`, two web workers, embedded durable PostgreSQL). Rounds of product and
reference alternate, and the median of their ratios counts, because the speed of a shared disk changes by the minute.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.postgres import APPLICATION, DATABASE, OWNER
from tests.served import Client, Served, load, median_ratio, served

pytestmark = pytest.mark.bench
ROUNDS = 5
CLIENTS = 8

#: A shop with work orders to report on: backflushed from the line, all on one item, one order for each client.
SET_UP = """
import json
from tests.bench.life import Shop, reports_to_make
print(json.dumps(reports_to_make(Shop.build(backflush=(True, False, False)), %d)))
"""


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The product with a shop in it."""
    with served(tmp_path_factory.mktemp("served")) as made:
        yield made


@pytest.fixture(scope="module")
def shop(product: Served) -> dict[str, list[str]]:
    """A token, and operations to report on."""
    return json.loads(product.inside(SET_UP % CLIENTS))


def test_reports_over_http_beside_pgbench(product: Served, shop: dict[str, list[str]]) -> None:
    """≥ 0.10 of pgbench's tpcb-like with 16 clients; 99 of 100 within 100 ms; no deadlock, no negative balance."""
    clients = [Client(product.port, str(shop["token"])) for _ in range(CLIENTS)]
    bodies = [json.dumps({"operation": each, "good": "1"}).encode() for each in shop["operations"]]

    def act(number: int) -> object:
        return clients[number].post("/api/production/report_operation", bodies[number])

    acts = [lambda number=number: act(number) for number in range(CLIENTS)]
    load(acts, 2)
    pairs: list[tuple[float, float]] = []
    tails: list[float] = []
    for _ in range(ROUNDS):
        floor = product.pgbench(4)
        done = load(acts, 5)
        pairs.append((done.rate, floor))
        tails.append(done.centile(0.99))
    print(
        f"\nreport_operation: {statistics.median(p for p, _ in pairs):.0f}/s, pgbench"
        f" {statistics.median(f for _, f in pairs):.0f}/s, ratio {median_ratio(pairs):.3f};"
        f" p99 {statistics.median(tails) * 1000:.0f} ms"
    )
    assert (
        product.inside("""
from lianzao.foundation.entity import query
from lianzao.inventory.queries import rebuild_balances
print(query("SELECT count(*) FROM inventory_balance WHERE quantity < 0")[0][0], len(rebuild_balances()),
      query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")[0][0])
""")
        == "0 0 0"
    )
    assert median_ratio(pairs) >= 0.10


def lives(module: str, product: Served) -> float:
    """Lives a second of two processes that live them at the same time, on the product's database."""
    environ = product.environ | {
        "LIANZAO_DATABASE_URL": product.cluster.url(DATABASE, APPLICATION),
        "LIANZAO_OWNER_URL": product.cluster.url(DATABASE, OWNER),
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-m", module, "6", str(number + 1)],
            env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )
        for number in range(2)
    ]  # fmt: skip
    for each in running:
        assert each.stdout is not None and each.stdout.readline() == "ready\n"
    for each in running:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    said = [json.loads(each.communicate(timeout=120)[0]) for each in running]
    return sum(each["lives"] / each["seconds"] for each in said)


def beside_plain_sql(product: Served, where: str) -> tuple[float, float]:
    """Lives a second, and the median ratio to the same rows written by plain SQL; prints both."""
    pairs = [(lives("tests.bench.life", product), lives("tests.bench.plain_life", product)) for _ in range(ROUNDS)]
    rate, floor = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = median_ratio(pairs)
    print(f"\nlives of a work order, {where}: {rate:.0f}/s, plain SQL {floor:.0f}/s, ratio {ratio:.3f}")
    return rate, ratio


def test_lives_of_work_orders_beside_plain_sql(product: Served, shop: dict[str, list[str]]) -> None:
    """≥ 0.2 of the same rows written by a script of plain SQL, while workers and planner follow."""
    _, ratio = beside_plain_sql(product, "workers and planner running")
    assert ratio >= 0.2


def test_lives_of_work_orders_where_nothing_else_runs(tmp_path: Path) -> None:
    """≥ 0.2 of plain SQL, and, on an unloaded machine of two cores, ≥ 100 a second."""
    product = Served(tmp_path)
    try:
        product.inside("from tests.bench.life import Shop; Shop.build()")
    finally:
        product.close(keep=True)
    product.cluster.start()
    try:
        rate, ratio = beside_plain_sql(product, "alone")
    finally:
        product.cluster.destroy()
    assert ratio >= 0.2
    assert rate >= 100
