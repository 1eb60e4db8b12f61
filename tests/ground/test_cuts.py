"""Connections are cut, to the database and by clients: what was acknowledged is there, once, and all goes on alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from lianzao.values.time import uuid7
from project.postgres import APPLICATION, DATABASE, OWNER, Cluster
from tests.cuts import Impatient, Wire
from tests.kills import reporting
from tests.processes import of_folder
from tests.served import Served, furnished


class Wired:
    """The product on a database that it reaches by a wire only."""

    def __init__(self, folder: Path) -> None:
        self.shop = furnished(folder)
        self.cluster = Cluster(folder / "postgres")
        self.cluster.start()
        self.wire = Wire(self.cluster.socket_folder / ".s.PGSQL.5432")
        told = {"LIANZAO_DATABASE_URL": self.wire.url(APPLICATION, DATABASE)}
        told["LIANZAO_OWNER_URL"] = self.cluster.url(DATABASE, OWNER)
        self.product = Served(folder, told)

    def close(self) -> None:
        self.product.close(keep=True)
        self.wire.close()
        self.cluster.destroy()


@contextmanager
def wired(folder: Path) -> Iterator[Wired]:
    made = Wired(folder)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.slow
def test_a_cut_wire_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    with wired(tmp_path) as made:
        product, wire = made.product, made.wire
        heard: list[float] = []
        listener = threading.Thread(target=listen, args=(product.port, made.shop["token"], heard), daemon=True)
        listener.start()
        with reporting(product.port, made.shop, product.inside) as clients:

            def known() -> int:
                return sum(len(each.acknowledged) for each in clients)

            for mode, seconds in (("anyhow", 2.0), ("commit", 2.0), ("", 0.3)):
                wire.mode = mode
                time.sleep(seconds)
            for _ in range(3):
                wire.cut_all()
                time.sleep(0.3)
            wire.mode = "away"
            wire.cut_all()
            time.sleep(2.5)
            seen = known()
            wire.mode = ""
            back = time.monotonic()
            held(lambda: known() > seen + 20)
            assert time.monotonic() - back < 5, "found again within seconds"
            # The live line's and the workers' connections came back: a report is heard of at once.
            held(lambda: bool(heard) and heard[-1] > back)
        told = sum((each.told for each in clients[1:]), clients[0].told)
        print(dict(wire.cuts), dict(told), known(), "acknowledged")
        assert wire.cuts["commit"] >= 3 and wire.cuts["sent"] + wire.cuts["answer"] >= 3
        assert set(told) <= {"503 unavailable", "409 busy"}, told
        impatient(product, made.shop)
    assert of_folder(tmp_path) == []


def impatient(product: Served, shop: dict[str, Any]) -> None:
    """Clients leave in the middle and come back with the same order id: one report each, and one answer."""
    before = made_so_far(product)
    clients = []
    keys = [str(uuid7()) for _ in range(8)]
    for number, key in enumerate(keys):
        body = json.dumps({"operation": shop["operations"][number % 4], "good": "1"})
        head = (
            f"POST /api/production/report_operation HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"Authorization: Bearer {shop['token']}\r\nContent-Type: application/json\r\n"
            f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        clients.append(Impatient(product.port, (head + body).encode(), number))
        clients[-1].start()
    for each in clients:
        each.join(60)
        assert len(each.answers) == 1 and each.left == 11
        assert each.answers[0].startswith(b"HTTP/1.1 200"), each.answers
    assert made_so_far(product) == before + len(keys)


def made_so_far(product: Served) -> int:
    code = "from lianzao.foundation.entity import query\n"
    return int(product.inside(code + "print(query('SELECT count(*) FROM production_operation_report')[0][0])"))


def listen(port: int, token: str, heard: list[float]) -> None:
    """A screen on the live line: it comes back whenever it is cut off, and notes when it hears of a report."""
    topic = "production.OperationReported"
    while True:
        try:
            with (
                httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=15) as client,
                client.stream("GET", f"/live?topics={topic}", headers={"Authorization": f"Bearer {token}"}) as said,
            ):
                for line in said.iter_lines():
                    if line.startswith("event: ") and topic in line:
                        heard.append(time.monotonic())
        except httpx.HTTPError:
            pass
        time.sleep(0.2)


def held(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "never came true"
        time.sleep(0.05)
