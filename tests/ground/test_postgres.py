"""The embedded cluster, with real processes: it comes up, comes back after a crash, and says why it does not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from project.config import ROOT, load
from project.postgres import APPLICATION, OWNER, PARTNER, REPORT, Cluster, kill_hard, owner_url, role_orders
from project.programs import GroundError, version_of, wheel_binaries
from tests import databases

START = """
import sys
from project.postgres import Cluster
print(Cluster(sys.argv[1], durable=False).start())
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("ground") / "trial", durable=False)
    try:
        yield made
    finally:
        made.destroy()


def test_processes_starting_at_once_make_one_server(cluster: Cluster) -> None:
    order = [sys.executable, "-c", START, str(cluster.folder)]
    running = [subprocess.Popen(order, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = sorted(process.communicate(timeout=60)[0].strip() for process in running)
    assert answers == ["False", "False", "True"]
    assert cluster.status()["running"]
    assert cluster.start() is False


def test_it_is_tuned_and_speaks_utf8_and_utc(cluster: Cluster) -> None:
    cluster.start()
    names = ["server_encoding", "TimeZone", "jit", "max_connections", "listen_addresses", "fsync"]
    shown = [cluster.execute(sql.SQL("SELECT current_setting(%s)"), [name])[0][0] for name in names]
    assert shown == ["UTF8", "UTC", "off", "200", "", "off"]
    assert cluster.execute(sql.SQL("SELECT lower('ÄЖ'), upper('联造a')")) == [("äж", "联造A")]


def test_roles_may_do_no_more_than_they_need(cluster: Cluster) -> None:
    cluster.start()
    known = (
        "SELECT rolname, rolcanlogin, rolsuper OR rolbypassrls OR rolcreaterole FROM pg_roles WHERE rolname ~ 'lianzao'"
    )
    rows = cluster.execute(sql.SQL(known))
    assert {row[0]: row[1:] for row in rows} == {
        OWNER: (True, False),
        APPLICATION: (True, False),
        REPORT: (True, False),
        PARTNER: (False, False),
    }
    cluster.create_database("rights")
    with psycopg.connect(cluster.url("rights", OWNER)) as owner:
        owner.execute("CREATE TABLE seen (a int)")
        owner.execute(f"GRANT SELECT ON seen TO {PARTNER}")
    with psycopg.connect(cluster.url("rights", APPLICATION), autocommit=True) as application:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute("SELECT * FROM seen")  # the partner's rights are not inherited …
        with application.transaction():
            application.execute(f"SET LOCAL ROLE {PARTNER}")  # … but may be taken
            assert application.execute("SELECT count(*) FROM seen").fetchone() == (0,)
    with psycopg.connect(cluster.url("rights", REPORT)) as report:
        assert report.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
    cluster.drop_database("rights")


def test_a_database_is_cloned_with_its_content(cluster: Cluster) -> None:
    cluster.start()
    cluster.create_database("first")
    with psycopg.connect(cluster.url("first", OWNER)) as owner:
        owner.execute("CREATE TABLE kept AS SELECT 7 AS number")
    cluster.create_database("second", template="first")
    with psycopg.connect(cluster.url("second", OWNER)) as owner:
        assert owner.execute("SELECT number FROM kept").fetchone() == (7,)
    reader = psycopg.connect(cluster.url("second", OWNER), autocommit=True)
    cluster.drop_database("second")
    with pytest.raises(psycopg.OperationalError):  # whoever was connected is cut off
        reader.execute("SELECT 1")
    cluster.drop_database("first")
    assert not {"first", "second"} & set(cluster.databases())


def test_committed_work_survives_a_hard_kill(tmp_path: Path) -> None:
    made = Cluster(tmp_path / "durable")
    try:
        made.start()
        made.create_database("work")
        with psycopg.connect(made.url("work", OWNER)) as owner:
            owner.execute("CREATE TABLE done AS SELECT 42 AS answer")
        first = made.status()["pid"]
        kill_hard(made)
        assert made.start() is True
        assert made.status()["pid"] != first
        with psycopg.connect(made.url("work", OWNER)) as owner:
            assert owner.execute("SELECT answer FROM done").fetchone() == (42,)
    finally:
        made.destroy()


def test_a_server_that_still_recovers_is_waited_for(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who began to start it was killed: it lives, and says for a while that it is starting up."""
    cluster.start()
    pid, answers, asked = cluster.status()["pid"], cluster._answers, iter([False] * 4)
    with monkeypatch.context() as patched:
        patched.setattr(cluster, "_answers", lambda: next(asked, True) and answers())
        assert cluster.start() is False
    assert cluster.status()["pid"] == pid
    # One that was told to stop ends, and is started anew.
    cluster._run("pg_ctl", "-D", str(cluster.data), "-m", "smart", "-W", "stop")
    assert cluster.start() is True and cluster.status()["pid"] != pid


def test_a_pid_file_of_a_dead_server_does_not_block(cluster: Cluster) -> None:
    cluster.start()
    mark = cluster.data / "postmaster.pid"
    old = mark.read_text()
    cluster.stop()
    assert cluster.status()["running"] is False
    stranger = subprocess.Popen(["sleep", "60"])  # the number now belongs to somebody else
    try:
        mark.write_text(old.replace(old.split("\n", 1)[0], str(stranger.pid), 1))
        assert cluster.start() is True
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_another_major_version_is_refused_with_advice(tmp_path: Path) -> None:
    made = Cluster(tmp_path / "old", durable=False)
    try:
        made.ensure()
        (made.data / "PG_VERSION").write_text("13\n")
        with pytest.raises(GroundError, match=r"written by PostgreSQL 13.*lianzao backup.*lianzao restore"):
            made.start()
    finally:
        made.destroy()


def test_damage_is_told_with_the_servers_last_words(tmp_path: Path) -> None:
    made = Cluster(tmp_path / "hurt", durable=False)
    try:
        made.ensure()
        (made.data / "global" / "pg_control").unlink()
        with pytest.raises(GroundError, match=r"(?s)backup.*pg_control"):
            made.start(wait=5)
        (made.data / "PG_VERSION").unlink()
        with pytest.raises(GroundError, match="no whole PostgreSQL cluster"):
            made.start(wait=5)
    finally:
        made.destroy()


def test_a_cut_off_initdb_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    made = Cluster(tmp_path / "half", durable=False)
    try:
        made.ensure()
        made.data.rename(made.home / "data.new")
        (made.home / "data.new" / "PG_VERSION").unlink()
        assert made.start() is True
    finally:
        made.destroy()


def test_debians_postgresql_15_is_driven_too(tmp_path: Path) -> None:
    binaries = Path("/usr/lib/postgresql/15/bin")
    assert binaries.is_dir(), "apt-get install postgresql-15 (make test does it as root)"
    made = Cluster(tmp_path / "fifteen", binaries=binaries, durable=False)
    try:
        made.start()
        assert made.major == 15
        assert made.execute(sql.SQL("SELECT lower('ÄЖ'), 'a' < 'B'")) == [("äж", False)]  # code-point order, as on 18
        with psycopg.connect(made.url("postgres", APPLICATION)) as application:
            application.execute(f"SET LOCAL ROLE {PARTNER}")
    finally:
        made.destroy()


def test_a_deep_folder_still_gets_a_short_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    deep = Cluster(tmp_path / ("very-long-name-" * 8) / "postgres")
    assert deep.home == deep.folder
    assert len(str(deep.socket_folder / ".s.PGSQL.5432.lock")) < 100
    assert "4242" in deep.socket_folder.name


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    made = Cluster(tmp_path / "mine", durable=False)
    try:
        made.ensure()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        made.socket_folder.symlink_to(elsewhere)
        with pytest.raises(GroundError, match="belongs to somebody else"):
            made.start()
    finally:
        made.socket_folder.unlink()
        made.destroy()


def test_missing_binaries_are_named(tmp_path: Path) -> None:
    with pytest.raises(GroundError, match="no PostgreSQL in"):
        Cluster(tmp_path, binaries=tmp_path / "nowhere").start()


def test_the_wheels_newest_version_is_taken() -> None:
    assert version_of(wheel_binaries()).startswith("18.")


def test_the_owners_url_is_derived_only_when_embedded(tmp_path: Path) -> None:
    assert f"//{OWNER}@" in owner_url(load({"LIANZAO_DATA": str(tmp_path)}))
    with pytest.raises(GroundError, match="LIANZAO_OWNER_URL"):
        owner_url(load({"LIANZAO_DATABASE_URL": "postgresql://app@db/mes"}))


def test_role_orders_leave_out_what_is_there() -> None:
    assert role_orders(18, {OWNER, APPLICATION, PARTNER, REPORT}) == []
    assert any("INHERIT FALSE" in order for order in role_orders(16))
    assert not any("INHERIT FALSE" in order for order in role_orders(15))


def test_the_last_session_out_stops_the_test_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "schema_hash", lambda version: "samecode")  # though somebody edits meanwhile
    one, other = databases.TestGround(folder=tmp_path), databases.TestGround(folder=tmp_path)
    try:
        one.open()
        other.open()
        assert one.template == other.template
        one.close()
        assert other.cluster.status()["running"]
        other.drop(other.clone())
        began = time.monotonic()
        other.close()
        assert not other.cluster.status()["running"]
        assert time.monotonic() - began < 20
    finally:
        one.cluster.destroy()


def test_make_clean_stops_and_deletes_the_test_servers(tmp_path: Path) -> None:
    ground = databases.TestGround(folder=tmp_path / "kept")
    try:
        ground.cluster.start()
        databases.forget_test_clusters(tmp_path / "kept")
        assert not ground.cluster.runs() and not ground.cluster.home.exists() and not (tmp_path / "kept").exists()
    finally:
        ground.cluster.destroy()
