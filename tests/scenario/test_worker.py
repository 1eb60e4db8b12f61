"""Workers with real processes: each effect once though they are killed, told to stop, or lose the database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from lianzao.access.models import Site
from lianzao.foundation.actor import system_actor
from lianzao.foundation.command import run
from lianzao.foundation.outbox import NO_SITE
from project import processes
from project.config import ROOT

SYSTEM = system_actor("test")
MADE = "SELECT entity_kind FROM foundation_code_rule WHERE entity_kind LIKE 'test.%%' ORDER BY 1"
OPEN = "SELECT count(*) FROM foundation_delivery WHERE status <> 'done' AND subscriber LIKE 'tests.%%'"


class Yard:
    """Worker processes on a database of their own."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.connection = psycopg.connect(url, autocommit=True)
        self.started: list[subprocess.Popen[bytes]] = []

    def program(self, *arguments: str) -> subprocess.Popen[bytes]:
        environ = {**os.environ, "LIANZAO_DATABASE_URL": self.url, "PYTHONPATH": str(ROOT)}
        order = [sys.executable, "-m", "tests.workshop", *arguments]
        made = subprocess.Popen(order, env=environ, stdout=subprocess.PIPE, start_new_session=True)
        self.started.append(made)
        return made

    def tell(self, *keys: str, how: str = "tell") -> None:
        assert self.program(how, *keys).wait(30) == 0

    def worker(self, what: str = "work") -> subprocess.Popen[bytes]:
        return self.program(what, str(self.folder))

    @property
    def begun(self) -> list[str]:
        """The keys whose handler got into the middle, as often as it did."""
        place = self.folder / "begun"
        return [line.split()[0] for line in place.read_text().splitlines()] if place.exists() else []

    def hold(self, held: bool) -> None:
        place = self.folder / "hold"
        place.touch() if held else place.unlink()

    def rows(self, statement: LiteralString) -> list[Any]:
        return [row[0] for row in self.connection.execute(statement.replace("%%", "%"))]

    def done(self) -> bool:
        return self.rows(OPEN) == [0]

    def close(self) -> None:
        for each in self.started:
            if each.poll() is None:
                each.kill()
            each.wait()
        self.connection.close()


@pytest.fixture
def yard(fresh_database: str, tmp_path: Path) -> Iterator[Yard]:
    made = Yard(fresh_database, tmp_path)
    yield made
    made.close()


def held(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "never came true"
        time.sleep(0.02)


def test_a_worker_killed_in_the_middle_leaves_one_effect(yard: Yard) -> None:
    yard.hold(True)
    yard.tell("a")
    first = yard.worker()
    held(lambda: yard.begun == ["a"])
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert yard.rows(MADE) == [] and yard.rows(OPEN) == [1], "what was not finished did not happen"
    yard.hold(False)
    yard.worker()
    held(yard.done)
    assert yard.begun == ["a", "a"] and yard.rows(MADE) == ["test.a"]
    orders = "SELECT count(*) FROM foundation_order WHERE command = 'foundation.create_code_rule'"
    assert yard.rows(orders) == [1]


def test_told_to_stop_it_ends_what_it_has_in_hand_and_takes_no_more(yard: Yard) -> None:
    yard.hold(True)
    yard.tell("a", "b")
    worker = yard.worker()
    held(lambda: yard.begun == ["a"])
    worker.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(0.4)
    yard.hold(False)
    assert worker.wait(10) == 0
    assert yard.begun == ["a"] and yard.rows(MADE) == ["test.a"] and yard.rows(OPEN) == [1]


def test_several_share_the_work_and_live_through_a_lost_database(yard: Yard, test_ground: Any) -> None:
    workers = [yard.worker(), yard.worker()]
    for each in workers:
        assert each.stdout is not None and each.stdout.readline() == b"ready\n"
    began = time.monotonic()
    yard.tell(*(f"n{number}" for number in range(30)))
    held(yard.done)
    assert sorted(yard.begun) == sorted(f"n{number}" for number in range(30))

    name = conninfo_to_dict(yard.url)["dbname"]
    yard.connection.close()
    cut = sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}")
    assert len(test_ground.cluster.execute(cut.format(str(name)))) >= 2
    yard.connection = psycopg.connect(yard.url, autocommit=True)
    yard.tell("after")
    held(yard.done)
    assert yard.begun[-1] == "after" and all(each.poll() is None for each in workers)
    assert time.monotonic() - began < 20


def test_a_site_has_one_planner_and_another_takes_over(yard: Yard) -> None:
    site = run(SYSTEM, "access.create_site", {"code": "SZ", "name": "SZ", "name_en": "SZ"}).id
    first, second = processes.Lease(), processes.Lease()
    try:
        first.sites()
        first.sites()
        assert set(first.sites()) == {site, NO_SITE} and not second.sites()
        yard.tell("p@SZ", how="ask")
        planner = yard.worker("plan")
        assert planner.stdout is not None and planner.stdout.readline() == b"ready\n"
        time.sleep(0.5)
        assert yard.rows(OPEN) == [1], "who has no lease takes nothing"
        first.drop()
        held(yard.done)
        assert yard.rows(MADE) == ["test.p"]
        second._look_at = 0.0
        assert not second.sites(), "the planner process has both now"
    finally:
        first.drop()
        second.drop()


def test_planners_started_together_share_the_sites(yard: Yard) -> None:
    for code in ("A", "B", "C"):
        run(SYSTEM, "access.create_site", {"code": code, "name": code, "name_en": code})
    first, second = processes.Lease(), processes.Lease()
    try:
        for _ in range(5):
            first.sites()
            second.sites()
        held_by = [set(first.sites()), set(second.sites())]
        assert [len(each) for each in held_by] == [2, 2] and not held_by[0] & held_by[1]
        gone = Site.objects.get(id=max(held_by[0] - {NO_SITE}))
        run(SYSTEM, "access.retire_site", {"site": gone.id})
        first._look_at = 0.0
        assert gone.id not in first.sites(), "a site that was given up is given back"
    finally:
        first.drop()
        second.drop()


def test_the_keeper_sweeps_only_what_is_old_and_done(yard: Yard) -> None:
    insert = """
    INSERT INTO foundation_delivery (id, event_id, subscriber, key, status, due_at, made_at, attempts, error)
    SELECT gen_random_uuid(), gen_random_uuid(), 's', '', status, now(), now() - days * interval '1 day', 1, ''
    FROM (VALUES ('done', 8), ('done', 6), ('parked', 30), ('pending', 30)) AS v(status, days)
    """
    yard.connection.execute(insert)
    assert processes.keep_house()["deliveries"] == 1
    assert sorted(yard.rows("SELECT status FROM foundation_delivery")) == ["done", "parked", "pending"]
    assert processes.keep_house()["deliveries"] == 0


def test_of_two_planners_one_has_the_site_and_the_other_goes_on_when_it_is_killed_in_the_middle(yard: Yard) -> None:
    run(SYSTEM, "access.create_site", {"code": "SZ", "name": "SZ", "name_en": "SZ"})
    planners = [yard.worker("plan"), yard.worker("plan")]
    for each in planners:
        assert each.stdout is not None and each.stdout.readline() == b"ready\n"
    yard.tell(*(f"p{number}@SZ" for number in range(10)), how="ask")
    held(yard.done)
    pids = {line.split()[1] for line in (yard.folder / "begun").read_text().splitlines()}
    assert len(pids) == 1, "a site has one planner"
    yard.hold(True)
    yard.tell("q@SZ", how="ask")
    held(lambda: "q" in yard.begun)
    holder = next(each for each in planners if str(each.pid) in pids)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    yard.hold(False)
    began = time.monotonic()
    held(yard.done)
    assert time.monotonic() - began < 2 * processes.SITES_S, "the other takes over in seconds"
    assert sorted(yard.begun) == sorted([*(f"p{number}" for number in range(10)), "q", "q"])
    orders = "SELECT count(*) FROM foundation_order WHERE command = 'foundation.create_code_rule'"
    assert yard.rows(MADE)[-1] == "test.q" and yard.rows(orders) == [11], "each once"
