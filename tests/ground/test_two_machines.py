"""A PostgreSQL server that is not ours, and two machines' worth of processes on it (two data folders)."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from project import backup
from project.config import ROOT
from project.postgres import APPLICATION, OWNER, REPORT
from tests.ground.test_supervisor import Serving, free_port, held
from tests.processes import family
from tests.servers import BOSS, Server

SHOP = """
import django, json
django.setup()
from tests.bench.life import Shop, reports_to_make
print(json.dumps(reports_to_make(Shop.build(backflush=(True,)), 1)))
"""
LEASES = """
SELECT a.client_port, l.objid::text FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND a.datname = 'mes'
  AND l.classid = (hashtext('lianzao.plan')::bigint & 4294967295)::oid
"""


class Outside:
    """The foreign server, and the settings by which Lianzao uses it."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        words = {role: secrets.token_urlsafe(12) for role in (OWNER, APPLICATION, REPORT)}
        self.urls = {role: server.url(role, word, "mes") for role, word in words.items()}
        self.admin = server.url(BOSS, server.words[BOSS], "postgres")
        self.settings = {
            "LIANZAO_DATABASE_URL": self.urls[APPLICATION],
            "LIANZAO_OWNER_URL": self.urls[OWNER],
            "LIANZAO_REPORT_URL": self.urls[REPORT],
            "LIANZAO_DATA": str(folder / "operator"),
            "LIANZAO_SECRET_KEY": secrets.token_urlsafe(32),
            "LANG": "en_US.UTF-8",
        }

    def environ(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LIANZAO_")}
        return kept | self.settings | {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "project.settings"} | more

    def lianzao(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        order = [sys.executable, "-m", "project.cli", *arguments]
        return subprocess.run(order, env=self.environ(**more), capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("outside")
    server = Server(folder)
    try:
        server.start()
        yield Outside(server, folder)
    finally:
        server.stop()


@pytest.mark.slow
def test_a_server_of_ones_own_is_set_up_by_one_command_and_walled(outside: Outside, tmp_path: Path) -> None:
    before = outside.lianzao("serve")
    assert before.returncode == 3 and "lianzao database setup" in before.stderr
    assert outside.lianzao("database", "setup").returncode == 3, "it asks for an administrator"
    wrong = outside.lianzao("database", "setup", LIANZAO_ADMIN_URL=outside.admin, LIANZAO_OWNER_URL=outside.admin)
    assert wrong.returncode == 3 and f"log in as {OWNER}" in wrong.stderr
    made = outside.lianzao("database", "setup", LIANZAO_ADMIN_URL=outside.admin)
    assert made.returncode == 0 and "made the database mes" in made.stdout, made.stderr
    assert all(url.split(":")[2].split("@")[0] not in made.stdout + made.stderr for url in outside.urls.values())
    again = outside.lianzao("database", "setup", LIANZAO_ADMIN_URL=outside.admin)
    assert again.returncode == 0 and "made the" not in again.stdout

    with psycopg.connect(outside.urls[APPLICATION], autocommit=True) as application:
        for order in ("CREATE TABLE mine (id int)", "CREATE TEMP TABLE mine (id int)", "DELETE FROM foundation_event"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute(order)
    with psycopg.connect(outside.urls[REPORT], autocommit=True) as report:
        assert report.execute("SELECT count(*) FROM catalog_item").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            report.execute("SELECT * FROM access_session")
        with pytest.raises(psycopg.Error):
            report.execute("INSERT INTO catalog_item DEFAULT VALUES")
    for url in (
        outside.urls[APPLICATION].replace("verify-full", "disable"),
        outside.server.url(APPLICATION, "no", "mes"),
    ):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
    with outside.server.connect() as looking:
        mighty = (
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'lianzao%' AND (rolsuper OR rolbypassrls OR rolcreaterole)"
        )
        assert looking.execute(mighty).fetchall() == []
        assert looking.execute("SELECT pg_has_role(%s, %s, 'MEMBER')", [BOSS, OWNER]).fetchone() == (False,)

    told = outside.lianzao("doctor")
    assert "✓ link: TLS to localhost (sslmode verify-full)" in told.stdout and "owns nothing" in told.stdout
    assert "✓ row security" in told.stdout

    # By TLS and password, a backup goes out and comes back into another database; no password is on a command line.
    saved = outside.lianzao("backup", "--to", str(tmp_path / "one.zip"))
    assert saved.returncode == 0, saved.stderr
    other = {name: url.replace("/mes?", "/mes2?") for name, url in outside.settings.items() if name.endswith("_URL")}
    other["LIANZAO_DATA"] = str(tmp_path / "other")
    with psycopg.connect(outside.admin, autocommit=True) as boss:
        boss.execute(f"GRANT {OWNER} TO {BOSS}")  # type: ignore[arg-type]
        boss.execute(f"CREATE DATABASE mes2 OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8'")  # type: ignore[arg-type]
        boss.execute(f"REVOKE {OWNER} FROM {BOSS}")  # type: ignore[arg-type]
    back = outside.lianzao("restore", str(tmp_path / "one.zip"), **other)
    assert back.returncode == 0 and outside.lianzao("rebuild", **other).returncode == 0, back.stderr


def test_no_password_stands_on_a_command_line() -> None:
    asking = ["/bin/sh", "-c", "tr '\\0' ' ' < /proc/$$/cmdline; echo; echo $PGPASSWORD"]
    url = "postgresql://lianzao_owner:hush@db.plant/mes?sslmode=require"
    with backup._running(asking, url, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line, word = process.stdout.read().decode().splitlines()
    assert "hush" not in line and "db.plant" in line and "sslmode=require" in line and word == "hush"


def test_what_an_administrator_runs_by_hand_does_the_same(outside: Outside) -> None:
    shown = outside.lianzao("database", "sql", "--major", "15")
    assert shown.returncode == 0 and f"\\password {OWNER}" in shown.stdout
    orders = [line for line in shown.stdout.splitlines() if line.startswith(("CREATE DATABASE", "REVOKE", "GRANT CON"))]
    with outside.server.connect() as superuser:
        for order in orders:
            superuser.execute(order.replace('"mes"', '"by_hand"'))  # type: ignore[arg-type]
        row = superuser.execute(
            "SELECT pg_get_userbyid(datdba)::text, datcollate::text, has_database_privilege(%s, 'by_hand', 'CONNECT'),"
            " has_database_privilege(%s, 'by_hand', 'CONNECT') FROM pg_database WHERE datname = 'by_hand'",
            [APPLICATION, BOSS],
        ).fetchone()
    assert row == (OWNER, "C.UTF-8", True, False)


class Line:
    """A listener of the live line: what it heard, and when."""

    def __init__(self, port: int, token: str, topics: str) -> None:
        self.url = f"http://127.0.0.1:{port}/live?topics={topics}"
        self.headers = {"Authorization": f"Bearer {token}"}
        self.heard: list[tuple[float, str]] = []
        self.open = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        assert self.open.wait(10), "the line did not open"

    def _listen(self) -> None:
        asking = httpx.stream("GET", self.url, headers=self.headers, timeout=None, trust_env=False)
        with contextlib.suppress(httpx.TransportError), asking as answer:  # its machine may die
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    self.heard.append((time.monotonic(), line[5:]))
                    self.open.set()

    def after(self, at: float, words: str, within: float) -> float:
        """How long after `at` the words were heard."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            for when, said in list(self.heard):
                if when >= at and words in said:
                    return when - at
            time.sleep(0.01)
        raise AssertionError(f"{words} was never heard, but {self.heard}")


@pytest.mark.slow
def test_two_machines_share_one_database_and_one_may_die(outside: Outside, tmp_path: Path) -> None:
    ready = outside.lianzao("database", "setup", LIANZAO_ADMIN_URL=outside.admin)
    assert ready.returncode == 0, ready.stderr
    done = subprocess.run(
        [sys.executable, "-c", SHOP],
        env=outside.environ(), capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shop = json.loads(done.stdout)
    machines = [Serving(tmp_path / name, free_port()) for name in ("a", "b")]
    try:
        starting = []
        for number, machine in enumerate(machines):
            machine.settings = {key: outside.settings[key] for key in ("LIANZAO_DATABASE_URL", "LIANZAO_SECRET_KEY")}
            machine.settings |= {"LIANZAO_OWNER_URL": outside.urls[OWNER]} if number == 0 else {}
            starting.append(threading.Thread(target=machine.start))
            starting[-1].start()
        for each in starting:
            each.join()
        _try_both(machines[0], machines[1], shop, outside)
    finally:
        for machine in machines:
            machine.close()


def _try_both(a: Serving, b: Serving, shop: dict[str, object], outside: Outside) -> None:
    head = {"Authorization": f"Bearer {shop['token']}"}
    clients = [
        httpx.Client(base_url=f"http://127.0.0.1:{each.port}", headers=head, trust_env=False, timeout=20)
        for each in (a, b)
    ]
    body = {"operation": shop["operations"][0], "good": "1"}  # type: ignore[index]

    def report(client: httpx.Client) -> str:
        answer = client.post("/api/production/report_operation", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    # Nobody who serves people knows how to log in as the owner.
    for pid, line in family(a.pid).items():
        if "project.processes" in line and "backup" not in line:
            assert b"LIANZAO_OWNER_URL" not in (Path("/proc") / str(pid) / "environ").read_bytes(), line

    # Done at A, seen at B within a second, and the other way round.
    for here, there in ((0, 1), (1, 0)):
        line = Line((a, b)[there].port, str(shop["token"]), "production.OperationReported")
        report(clients[here])
        at = time.monotonic()
        report(clients[here])
        assert line.after(at, "production.OperationReported", 5) < 1.0

    # Who logged in at A is known at B. What was uploaded at A is in the database, not in a folder, so B has it.
    with httpx.Client(trust_env=False, timeout=20) as browser:
        who = {"login": "measure", "password": "Kupfer-Glanz-7431"}
        assert browser.post(f"http://127.0.0.1:{a.port}/api/access/login", json=who).status_code == 200
        units = {"file": ("units.csv", "code,name\ntwo-machines,两台\n".encode(), "text/csv")}
        taken = browser.post(
            f"http://127.0.0.1:{a.port}/api/foundation/import",
            files=units,
            data={"kind": "catalog.unit", "dry_run": "false"},
            headers={"X-CSRFToken": browser.cookies["csrftoken"]},
        )
        assert taken.status_code == 200 and taken.json()["created"] == 1, taken.text
        seen = browser.get(f"http://127.0.0.1:{b.port}/api/catalog/unit")
        assert "two-machines" in {row["code"] for row in seen.json()["rows"]}, seen.text

    # Each site has one planner at a time; the workers of both take from one queue.
    with outside.server.connect("mes") as looking:
        leases = looking.execute(LEASES).fetchall()
        sites = {site for _, site in leases}
        assert len(sites) == len(leases) == 2, "the site's, and that of news without a site"

        def carried_out(each: Serving) -> float:
            rows = [
                row for row in each.ask("/metrics").text.splitlines() if row.startswith("lianzao_deliveries_total{")
            ]
            return sum(float(row.split()[-1]) for row in rows if 'process="work"' in row)

        until = time.monotonic() + 10
        while not all(carried_out(each) for each in (a, b)):
            assert time.monotonic() < until, "one of the workers took nothing"
            for client in clients:
                report(client)

        # A is gone as if its plug were pulled; B serves on, hears on, and plans for A's sites too.
        line = Line(b.port, str(shop["token"]), "production.OperationReported")
        for pid in [a.pid, *family(a.pid)]:
            with contextlib.suppress(ProcessLookupError):  # who has lost his parent may be quicker
                os.kill(pid, signal.SIGKILL)
        at = time.monotonic()
        report(clients[1])
        assert line.after(at, "production.OperationReported", 5) < 2.0
        held(lambda: {site for _, site in looking.execute(LEASES).fetchall()} == sites, 10)
        waiting = "SELECT count(*) FROM foundation_delivery WHERE status <> 'done'"
        held(lambda: looking.execute(waiting).fetchone() == (0,), 10)
        planned = "SELECT count(*) FROM foundation_delivery WHERE subscriber LIKE 'flows.%replan%' AND status = 'done'"
        assert looking.execute(planned).fetchone() != (0,)
