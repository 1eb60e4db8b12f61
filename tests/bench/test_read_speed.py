"""Lists and records over HTTP, each beside a bare Django view that runs the same SELECT and nothing else.

Both are served by two web processes of the same kind, behind a front each, and, in a second measurement, without one:
there the clients speak to the web processes' own sockets. The person is a planner bound to one site of two, known by a
session's cookie; the bare view asks nobody (tests/bench/bare.py). Rounds alternate; the median of the ratios counts.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from project.config import ROOT
from project.postgres import APPLICATION, DATABASE, OWNER
from tests.served import Client, Served, load, median_ratio, served

pytestmark = pytest.mark.bench
ROUNDS = 5
CLIENTS = 8
ORDERS = 2000

#: Two shops with work orders at two sites, somebody who may see one of them, and the statements his reads make.
SET_UP = """
import json, sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from lianzao.access import commands as access, sessions
from lianzao.access.models import Role, Site
from lianzao.access.queries import actor_for
from lianzao.foundation import lists, registry, scope
from lianzao.foundation.actor import system_actor
from lianzao.foundation.command import run
from lianzao.production import commands as production
from lianzao.production.models import WorkOrderOperation
from tests.bench.life import Shop

shop = Shop.build()
system = system_actor("bench")
run(system, "access.create_site", {"code": "OTHER", "name": "OTHER", "time_zone": "Asia/Shanghai"})
due = datetime.now(UTC) + timedelta(days=3)
for number in range(%(orders)d):
    production.create_work_order(shop.by, item=shop.products[number %% 2], quantity=Decimal(10), due_at=due)
person = access.create_person(system, login="reader", name="R", password="Kupfer-Glanz-7431")
access.assign_role(system, person=person, role=Role.objects.get(code="planner"), site=Site.objects.get(code="BENCH"))
by = actor_for("reader")
def plain(kind, rows):
    resource = registry.RESOURCES[kind]
    columns = lists.columns_of(resource.model, (*lists.always(resource), *resource.column_names))
    names = [path for column in columns for path in column.paths]
    sql, given = rows(resource).values_list(*names)[:100].query.sql_with_params()
    return [sql, [str(each) for each in given], names]
page = plain("production.work_order", lambda resource: lists.searched(by, resource, {}))
operation = WorkOrderOperation.objects.order_by("id").first()
one = plain("production.work_order_operation",
            lambda resource: scope.visible(by, resource.model).filter(pk=operation.id))
key = sessions.open_session(person.id).key
print(json.dumps({"key": key, "operation": str(operation.id), "statements": {"page": page, "one": one}}))
"""


class Reader(Client):
    """A browser's connection: to a port, or straight to a web process."""

    def __init__(self, place: int | Path, cookie: str) -> None:
        if isinstance(place, int):
            super().__init__(place, "")
        else:
            self.made = socket.socket(socket.AF_UNIX)
            self.made.connect(str(place))
        self.head = f"Host: 127.0.0.1\r\nCookie: lianzao_session={cookie}\r\nAccept-Language: en\r\n".encode()


@dataclass
class Places:
    """Where the product and the bare view answer: a port each, and the sockets of their web processes."""

    product: int
    bare: int
    product_webs: list[Path]
    bare_webs: list[Path]
    cookie: str
    operation: str


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """The product with work orders in it, and the bare view on the same database."""
    folder = tmp_path_factory.mktemp("served")
    with served(folder) as product:
        made: dict[str, Any] = json.loads(product.inside(SET_UP % {"orders": ORDERS}))
        with psycopg.connect(product.cluster.url(DATABASE, OWNER), autocommit=True) as owner:
            owner.execute("VACUUM ANALYZE production_work_order, production_work_order_operation")
        statements = folder / "bare.json"
        statements.write_text(json.dumps(made["statements"]), encoding="utf-8")
        with BareView(product, folder, statements) as (port, webs):
            run = sorted((folder / "run").glob("web-*.sock"))
            yield Places(product.port, port, run, webs, made["key"], made["operation"])


class BareView:
    """The bare view while the block runs: two web processes and a front, as the supervisor would start them."""

    def __init__(self, product: Served, folder: Path, statements: Path) -> None:
        self.webs = [folder / f"bare-{number}.sock" for number in (1, 2)]
        environ = product.environ | {
            "LIANZAO_DATABASE_URL": product.cluster.url(DATABASE, APPLICATION),
            "LIANZAO_BARE": str(statements),
        }
        self.listening = socket.create_server(("127.0.0.1", 0))
        number = self.listening.fileno()
        orders = [[sys.executable, "-m", "tests.bench.bare", str(web), "2"] for web in self.webs]
        webs = [str(web) for web in self.webs]
        front = ["front", "--web", *webs, "--live", str(folder / "none.sock"), "--listen", str(number)]
        orders.append([sys.executable, "-m", "project.processes", *front])
        self.running = [subprocess.Popen(each, env=environ, cwd=ROOT, pass_fds=[number]) for each in orders]

    def __enter__(self) -> tuple[int, list[Path]]:
        until = time.monotonic() + 60
        while not all(web.exists() for web in self.webs):
            assert time.monotonic() < until, "the bare view did not start"
            time.sleep(0.1)
        return self.listening.getsockname()[1], self.webs

    def __exit__(self, *_: object) -> None:
        for each in self.running:
            each.terminate()
        for each in self.running:
            each.wait(30)
        self.listening.close()


def measured(places: Places, path: str, name: str, front: bool) -> tuple[float, str]:
    """The median ratio of the product's rate at `path` to the bare view's, and what to print."""

    def acts(place: int, webs: list[Path], path: str) -> list[Callable[[], object]]:
        readers = [Reader(place if front else webs[number % 2], places.cookie) for number in range(CLIENTS)]
        return [lambda reader=reader: reader.get(path) for reader in readers]

    product, floor = acts(places.product, places.product_webs, path), acts(places.bare, places.bare_webs, f"/{name}")
    load(product, 1.5)
    load(floor, 1.5)
    pairs = [(load(product, 3).rate, load(floor, 3).rate) for _ in range(ROUNDS)]
    ratio = median_ratio(pairs)
    rates = [statistics.median(each) for each in zip(*pairs, strict=True)]
    how = "through the front" if front else "without a front"
    return ratio, f"\n{name} {how}: {rates[0]:.0f}/s, bare view {rates[1]:.0f}/s, ratio {ratio:.3f}"


@pytest.mark.parametrize("front", [True, False], ids=["front", "direct"])
def test_a_list_of_a_hundred_rows_beside_a_bare_view(places: Places, front: bool) -> None:
    """≥ 0.45 of a bare view with the same SELECT, with rights, scope, total and all headers."""
    path = "/api/production/work_order?limit=100"
    assert len(json.loads(Reader(places.product, places.cookie).get(path))["rows"]) == 100
    assert len(json.loads(Reader(places.bare, "").get("/page"))["rows"]) == 100
    ratio, said = measured(places, path, "page", front)
    print(said)
    assert ratio >= 0.45


@pytest.mark.parametrize("front", [True, False], ids=["front", "direct"])
def test_one_record_beside_a_bare_view(places: Places, front: bool) -> None:
    """≥ 0.4 of a bare view with one SELECT; the product's record has its links and actions too."""
    path = f"/api/production/work_order_operation/{places.operation}"
    assert json.loads(Reader(places.product, places.cookie).get(path))["row"]["id"] == places.operation
    assert json.loads(Reader(places.bare, "").get("/one"))["rows"][0]["id"] == places.operation
    ratio, said = measured(places, path, "one", front)
    print(said)
    assert ratio >= 0.4
