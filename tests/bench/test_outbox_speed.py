"""The outbox under load: two workers, one try in five fails, one is killed every few seconds, nothing is doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from django.db import connection

from lianzao.foundation.actor import system_actor
from lianzao.foundation.entity import query
from project.config import ROOT
from tests.bench import outbox as bench

pytestmark = pytest.mark.bench
NEWS = 50_000
KILL_EVERY_S = 10.0
COUNTS = """
SELECT count(*) FILTER (WHERE status = 'done'), coalesce(sum(attempts), 0),
       (SELECT count(*) FROM foundation_external_id WHERE entity_kind = 'bench')
FROM foundation_delivery WHERE subscriber LIKE %s
"""


def worker(url: str) -> subprocess.Popen[bytes]:
    """A worker on the bench's database; what it says of failures is not wanted here."""
    environ = os.environ | {"LIANZAO_DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
    order = [sys.executable, "-m", "tests.bench.outbox"]
    return subprocess.Popen(order, env=environ, cwd=ROOT, stderr=subprocess.DEVNULL)


def test_thousands_of_deliveries_a_second_each_once(fresh_database: str) -> None:
    """≥ 2,000 a second where nothing else runs. The reference: the same effects inserted one by one, a commit each."""
    by = system_actor("bench")
    for _ in range(NEWS // 500):
        bench.tell_things(by, count=500)
    began = time.monotonic()
    with connection.cursor() as cursor:
        for _ in range(500):
            cursor.execute(
                "INSERT INTO foundation_external_id (entity_kind, system, key, entity_id)"
                " VALUES ('floor', 'bench', gen_random_uuid(), gen_random_uuid())"
            )
    floor = 500 / (time.monotonic() - began)
    workers = [worker(fresh_database) for _ in range(2)]
    try:
        until = time.monotonic() + 180
        while query(COUNTS, ["%leave_effect"])[0][0] == 0:
            assert time.monotonic() < until and all(each.poll() is None for each in workers), "the workers do nothing"
            time.sleep(0.02)
        (first, _, _), began, killed = query(COUNTS, ["%leave_effect"])[0], time.monotonic(), time.monotonic()
        while True:
            time.sleep(1.0)
            assert time.monotonic() < until, "the workers stand still"
            done, tries, effects = query(COUNTS, ["%leave_effect"])[0]
            assert effects == done, "an effect without its done mark, or the other way round"
            if done >= NEWS * 3 // 4:
                break
            if time.monotonic() - killed > KILL_EVERY_S:
                workers[0].send_signal(signal.SIGKILL)
                workers[0].wait()
                workers[0], killed = worker(fresh_database), time.monotonic()
    finally:
        for each in workers:
            each.terminate()
            each.wait(20)
    rate = (done - first) / (time.monotonic() - began)
    print(f"\noutbox: {rate:.0f} deliveries/s done ({tries / (time.monotonic() - began):.0f} tries/s), one insert and"
          f" commit {floor:.0f}/s, ratio {rate / floor:.2f}")  # fmt: skip
    assert query(COUNTS, ["%leave_effect"])[0][0] == query(COUNTS, ["%leave_effect"])[0][2]
