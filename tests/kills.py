"""Processes are killed at random under load, and the books are looked at afterwards: for the test and for the soak.

Clients report pieces over HTTP and keep a record of their own. A report that was not answered is sent again with the
same order id until it is. At the end every report is there exactly once, the ledger proves itself, all news is carried
out, and nothing is left of those that were killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from lianzao.values.time import uuid7
from tests.processes import family
from tests.served import Served

#: What is killed, by the words of its command line; the database by its own process, the supervisor by ours.
KINDS = ("processes web", "processes live", "processes work", "processes plan", "processes front", "postgres", "serve")
PAUSE_S = (0.2, 1.2)

#: What the books say: reports by order id, pieces made, wrong balances, unbalanced items, news not yet carried out.
BOOKS = """
import json, time
from django.db import Error, connection
from lianzao.foundation.entity import query
from lianzao.inventory.queries import rebuild_balances
until = time.monotonic() + 90
while time.monotonic() < until:
    try:
        if not query("SELECT count(*) FROM foundation_delivery WHERE status IN ('pending', 'parked')")[0][0]:
            break
    except Error:
        connection.close()
    time.sleep(0.2)
print(json.dumps({
    "reports": [str(id) for (id,) in query("SELECT order_id FROM production_operation_report")],
    "made": [str(q) for (q,) in query("SELECT good_quantity FROM production_work_order ORDER BY id")],
    "negative": query("SELECT count(*) FROM inventory_balance WHERE quantity < 0")[0][0],
    "wrong": len(rebuild_balances()),
    "unbalanced": len(query(
        "SELECT item_id FROM (SELECT item_id, quantity FROM inventory_move UNION ALL"
        " SELECT item_id, -quantity FROM inventory_move) ends GROUP BY item_id HAVING sum(quantity) <> 0")),
    "waiting": query("SELECT count(*) FROM foundation_delivery WHERE status IN ('pending', 'parked')")[0][0],
}))
"""


@dataclass
class Reporter:
    """A client that never gives up: what it sent was acknowledged, or is sent again."""

    port: int
    token: str
    operation: str
    acknowledged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    resent: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Report one piece after the other until told to stop."""
        body = json.dumps({"operation": self.operation, "good": "1"})
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=20) as client:
            while not self.stop.is_set():
                key = str(uuid7())
                headers = {
                    "Authorization": f"Bearer {self.token}",
                    "Content-Type": "application/json",
                    "Idempotency-Key": key,
                }
                while not self._answered(client, key, body, headers):
                    self.resent += 1
                    time.sleep(0.1)

    def _answered(self, client: httpx.Client, key: str, body: str, headers: dict[str, str]) -> bool:
        try:
            said = client.post("/api/production/report_operation", content=body, headers=headers)
        except httpx.HTTPError:
            return False
        if said.status_code == 200:
            self.acknowledged.append(key)
            return True
        problem = said.json() if said.headers.get("content-type") == "application/problem+json" else {}
        code = problem.get("code", "")
        self.told[f"{said.status_code} {code}"] += 1
        # Whoever restarts or lacks something says so, or that it is busy; anything else is a fault.
        if (said.status_code not in (502, 503) or not problem.get("detail")) and code != "busy":
            self.refused.append(said.text)
            return said.status_code < 500  # what became of it nobody knows
        return False


def kill(served: Served, kind: str) -> bool:
    """Kill one process of a kind, hard; whether there was one."""
    if kind == "serve":
        served.process.kill()
        served.process.wait()
        served.start()
        return True
    if kind == "postgres":
        victim = served.cluster.status()["pid"]
        victims = [victim] if victim else []
    else:
        victims = [pid for pid, line in family(served.process.pid).items() if kind in line]
    if not victims:
        return False
    try:
        os.kill(random.choice(victims), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def reporting(port: int, shop: Mapping[str, Any], prove: Callable[[str], str]) -> Iterator[list[Reporter]]:
    """Clients report while the block runs; then every one gets his last answer, and the books are proved.

    `prove` runs code on the database and gives what it printed.
    """
    clients = [Reporter(port, shop["token"], each) for each in shop["operations"]]
    threads = [threading.Thread(target=each.run) for each in clients]
    for each in threads:
        each.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.stop.set()
        for thread in threads:
            thread.join(120)
    assert not any(thread.is_alive() for thread in threads), "a client was never answered"
    _prove(prove, clients)


def torment(
    served: Served,
    shop: Mapping[str, Any],
    kills: int,
    kinds: Sequence[str] = KINDS,
    seed: int = 1,
    pause_s: tuple[float, float] = PAUSE_S,
) -> str:
    """Kill so often while clients report, then look at the books; gives what happened, in one line."""
    chance = random.Random(seed)
    killed: Counter[str] = Counter()
    with reporting(served.port, shop, served.inside) as clients:
        while killed.total() < kills:
            time.sleep(chance.uniform(*pause_s))
            # The supervisor takes everything along and is slow to come back: one kill in thirty.
            kind = "serve" if killed.total() % 30 == 17 and "serve" in kinds else chance.choice(kinds[:-1])
            killed[kind] += kill(served, kind)
    resent = sum(each.resent for each in clients)
    acknowledged = sum(len(each.acknowledged) for each in clients)
    return f"{killed.total()} kills ({dict(killed)}): {acknowledged} reports acknowledged, {resent} sent again"


def _prove(inside: Callable[[str], str], clients: Sequence[Reporter]) -> None:
    books = json.loads(inside(BOOKS))
    assert [each.refused for each in clients if each.refused] == []
    acknowledged = [key for each in clients for key in each.acknowledged]
    assert len(acknowledged) > 0
    missing = set(acknowledged) - set(books["reports"])
    assert not missing, f"{len(missing)} acknowledged reports are lost"
    assert sorted(acknowledged) == sorted(books["reports"]), "a report is there twice, or nobody knows of it"
    assert sorted(float(each) for each in books["made"]) == sorted(float(len(each.acknowledged)) for each in clients)
    facts = {name: books[name] for name in ("negative", "wrong", "unbalanced", "waiting")}
    assert facts == dict.fromkeys(facts, 0)
