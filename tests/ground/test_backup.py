"""Backup and back again, on real servers: whole, refused where it would harm, tried out, kept, before an upgrade."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from project import backup, config, doctor, migrating
from project.cli import main as lianzao
from project.config import ROOT, Config
from project.postgres import APPLICATION, OWNER, Cluster, GroundError
from tests.databases import TestGround

#: Made on PostgreSQL 15 with the tables as they were before foundation.0003: one person, one site.
EARLIER = ROOT / "tests" / "fixtures" / "backup-0.1.zip"


def pointed_at(ground: TestGround, name: str, data: Path, **more: str) -> Config:
    urls = {
        "LIANZAO_DATABASE_URL": ground.cluster.url(name, APPLICATION),
        "LIANZAO_OWNER_URL": ground.cluster.url(name, OWNER),
    }
    return config.load({**urls, "LIANZAO_DATA": str(data), **more})


@pytest.fixture
def plant(fresh_database: str, test_ground: TestGround, tmp_path: Path) -> Iterator[Config]:
    """A database with some rows, and a data folder with a key."""
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(
            "INSERT INTO foundation_order (id, command, actor_kind, actor_name, at, recorded_at, why, cause_kind, body,"
            " answer, changes, touched) SELECT gen_random_uuid(), 'test', 'system', '系统', now(), now(), '', '', '{}',"
            " '{}', '[]', '{}' FROM generate_series(1, 1000)"
        )
        connection.execute(
            "INSERT INTO foundation_event (id, name, at, recorded_at, order_id, payload, xid)"
            " SELECT gen_random_uuid(), 'test', now(), now(), gen_random_uuid(), '{}', 1 FROM generate_series(1, 500)"
        )
    made = pointed_at(test_ground, name, tmp_path / "data")
    made.kept_secret_key()
    yield made


@pytest.fixture
def empty(test_ground: TestGround) -> Iterator[Callable[[], str]]:
    """Names of empty databases, dropped at the end."""
    made: list[str] = []

    def another() -> str:
        made.append(f"test_{os.getpid()}_{secrets.token_hex(4)}")
        test_ground.cluster.create_database(made[-1])
        return made[-1]

    yield another
    for name in made:
        test_ground.drop(name)


def rows(url: str, table: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # type: ignore[arg-type]


def changed(path: Path, target: Path, **more: Any) -> Path:
    """A copy whose manifest says something else."""
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(target, "w") as copy:
        for name in whole.namelist():
            data = whole.read(name)
            if name == backup.MANIFEST:
                data = json.dumps(json.loads(data) | more).encode()
            copy.writestr(name, data)
    return target


def test_what_was_backed_up_comes_back_whole(
    plant: Config, test_ground: TestGround, empty: Callable[[], str], tmp_path: Path
) -> None:
    path = backup.make(plant)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path.parent == plant.backup_folder
    manifest = backup.manifest_of(path)
    assert manifest["rows"]["foundation_order"] >= 1000 and manifest["rows"]["foundation_event"] >= 500
    assert "foundation.0001_ground" in manifest["migrations"]
    target = pointed_at(test_ground, empty(), tmp_path / "elsewhere")
    backup.restore(target, path)
    for table in ("foundation_order", "foundation_event", "django_migrations"):
        assert rows(plant.owner_url, table) == rows(target.owner_url, table)
    assert target.kept_secret_key() == plant.kept_secret_key()
    # The walls stand: the application may read, but not edit the past.
    assert len(rows(target.database_url, "foundation_event")) == manifest["rows"]["foundation_event"]
    with (
        psycopg.connect(target.database_url, autocommit=True) as connection,
        pytest.raises(psycopg.Error, match=r"append-only|permission denied"),
    ):
        connection.execute("DELETE FROM foundation_event")
    with pytest.raises(GroundError, match="holds data already"):
        backup.restore(target, path)


def test_a_backup_is_of_one_instant_and_nobody_waits_for_it(plant: Config, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    writing = (
        "import psycopg, sys, pathlib\n"
        "with psycopg.connect(sys.argv[1], autocommit=True) as c:\n"
        "  while not pathlib.Path(sys.argv[2]).exists():\n"
        "    with c.transaction():\n"
        "      for table in ('foundation_clock_a', 'foundation_clock_b'):\n"
        "        c.execute(f'INSERT INTO {table} SELECT 1')\n"
    )
    with psycopg.connect(plant.owner_url, autocommit=True) as owner:
        for table in ("foundation_clock_a", "foundation_clock_b"):
            owner.execute(f"CREATE TABLE {table} (n int)")  # type: ignore[arg-type]
        process = subprocess.Popen([sys.executable, "-c", writing, plant.owner_url, str(stop)])
        try:
            path = backup.make(plant)
            taken = backup.manifest_of(path)["rows"]
            assert taken["foundation_clock_a"] == taken["foundation_clock_b"]
            backup.verify(plant, path)  # the dump holds just what was counted
        finally:
            stop.touch()
            assert process.wait(10) == 0


def test_a_backup_is_tried_out_in_a_server_of_its_own(plant: Config) -> None:
    path = backup.make(plant)
    said: list[str] = []
    backup.verify(plant, path, said.append)
    assert said[-1] == "proving the books …" or backup.manifest_of(path)["schema"] != migrating.wanted()
    (found,) = backup.kept(plant)
    assert found.path == path and found.verified_at is not None
    scratch = Cluster(plant.data / "verify")
    assert not scratch.home.exists() and not scratch.socket_folder.exists()


def test_a_dump_that_lacks_a_row_is_not_verified(plant: Config, tmp_path: Path) -> None:
    path = backup.make(plant)
    counts = backup.manifest_of(path)["rows"]
    more = changed(path, tmp_path / "more.zip", rows=counts | {"foundation_order": counts["foundation_order"] + 1})
    with pytest.raises(GroundError, match="did not come back whole: foundation_order"):
        backup.verify(plant, more)
    assert not Cluster(plant.data / "verify").home.exists()


def test_what_is_damaged_or_none_of_ours_is_refused(plant: Config, tmp_path: Path) -> None:
    path = backup.make(plant)
    torn = tmp_path / "torn.zip"
    torn.write_bytes(path.read_bytes()[:-4000])
    flipped = tmp_path / "flipped.zip"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    flipped.write_bytes(data)
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as whole:
        whole.writestr("readme.txt", "holiday pictures")
    (tmp_path / "text.zip").write_text("no zip")
    for wrong, why in (
        (torn, "torn"),
        (flipped, "damaged"),
        (other, "no backup of Lianzao"),
        (tmp_path / "text.zip", "no backup of Lianzao"),
        (tmp_path / "none.zip", "There is no"),
        (changed(path, tmp_path / "later.zip", format=2), "another version"),
        (changed(path, tmp_path / "newer.zip", migrations=["foundation.0001_ground", "sales.0999_later"]), "newer"),
    ):
        with pytest.raises(GroundError, match=why):
            backup.verify(plant, wrong)


def test_an_earlier_backup_is_restored_and_upgraded_with_a_backup_before(
    test_ground: TestGround, empty: Callable[[], str], tmp_path: Path
) -> None:
    target = pointed_at(test_ground, empty(), tmp_path / "data")
    backup.restore(target, EARLIER)
    assert migrating.bring_up_to_date(target)
    (before,) = backup.kept(target)
    assert (
        before.before_upgrade
        and "foundation.0003_delivery_names_its_event" not in backup.check(before.path)["migrations"]
    )
    with psycopg.connect(target.database_url, autocommit=True) as connection:
        assert connection.execute("SELECT login FROM access_person").fetchall() == [("wang",)]
        assert connection.execute("SELECT code, name FROM access_site").fetchall() == [("SZ", "苏州")]
        assert set(backup.applied(connection)) == backup.known_migrations()
    assert not migrating.bring_up_to_date(target), "nothing is left to do"


def test_a_backup_of_a_later_postgresql_is_refused(
    plant: Config, test_ground: TestGround, empty: Callable[[], str], tmp_path: Path
) -> None:
    later = changed(backup.make(plant), tmp_path / "later.zip", postgres="99.1")
    target = pointed_at(test_ground, empty(), tmp_path / "elsewhere")
    with pytest.raises(GroundError, match="restore on 99 or later"):
        backup.restore(target, later)
    assert not (target.data / "secret_key").exists()


def test_a_database_of_a_newer_version_is_left_alone(plant: Config) -> None:
    with psycopg.connect(plant.owner_url, autocommit=True) as owner:
        owner.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('sales', '0999_later', now())")
        owner.execute("COMMENT ON TABLE django_migrations IS 'lianzao schema of tomorrow'")
    with pytest.raises(GroundError, match=r"sales\.0999_later.*install that version"):
        migrating.bring_up_to_date(plant)
    assert migrating.recorded(plant.owner_url) == "lianzao schema of tomorrow" and backup.kept(plant) == []


def test_no_upgrade_without_a_backup_unless_it_is_said(plant: Config, tmp_path: Path, test_ground: TestGround) -> None:
    with psycopg.connect(plant.owner_url, autocommit=True) as owner:
        owner.execute("DELETE FROM django_migrations WHERE app = 'foundation' AND name LIKE '0003%'")
        owner.execute("COMMENT ON TABLE django_migrations IS 'lianzao schema of yesterday'")
        name = owner.info.dbname
    (tmp_path / "file").touch()
    nowhere = pointed_at(test_ground, name, plant.data, LIANZAO_BACKUP_FOLDER=str(tmp_path / "file" / "b"))
    with pytest.raises(GroundError, match="LIANZAO_UPGRADE_BACKUP=0"):
        migrating.bring_up_to_date(nowhere)
    assert migrating.recorded(plant.owner_url) == "lianzao schema of yesterday"


def test_as_many_are_kept_as_is_said_and_nothing_else_is_touched(plant: Config, test_ground: TestGround) -> None:
    few = config.load({"LIANZAO_DATA": str(plant.data), "LIANZAO_BACKUP_KEEP": "2", "LIANZAO_BACKUP_HOURS": "6"})
    folder = few.backup_folder
    folder.mkdir(parents=True)
    names = [f"lianzao-2026110{day}-020000.zip" for day in range(1, 6)]
    upgrades = [f"lianzao-2026100{day}-020000-before-upgrade.zip" for day in range(1, 6)]
    others = ["holiday.zip", "lianzao-20261101-020000.zip.part", "my-lianzao-20261101-020000.zip"]
    for name in (*names, *upgrades, *others):
        (folder / name).touch()
    removed = {path.name for path in backup.prune(few)}
    assert removed == {*names[:3], *upgrades[:2]}
    assert {path.name for path in folder.iterdir()} == {*names[3:], *upgrades[2:], *others}
    keeper = backup.Keeper(few)
    last = datetime(2026, 11, 5, 2, tzinfo=UTC)
    assert not keeper.due(last + timedelta(hours=5, minutes=59)) and keeper.due(last + timedelta(hours=6))
    shutil.rmtree(folder)
    assert not keeper.due(datetime.now(UTC)) and keeper.due(datetime.now(UTC) + timedelta(hours=6))


def test_the_keeper_makes_verifies_and_tells_what_fails(
    plant: Config, test_ground: TestGround, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lianzao.backup")
    keeper = backup.Keeper(plant)
    assert keeper.look() is None, "the first one comes after its time, not at once"
    keeper._began -= timedelta(days=2)
    os.utime(plant.data / "secret_key", (0, 0))
    made = keeper.look()
    assert made is not None and backup.kept(plant)[0].verified_at is not None
    assert keeper.look() is None
    gone = pointed_at(test_ground, "no_such_database", plant.data / "other")
    failing = backup.Keeper(gone)
    failing._began -= timedelta(days=2)
    before = sum(backup.FAILED.values().values())
    assert failing.look() is None and sum(backup.FAILED.values().values()) == before + 1
    assert "the backup failed" in caplog.text and not list(gone.backup_folder.glob("*"))[1:]


def test_the_doctor_tells_how_old_the_backup_is(plant: Config, test_ground: TestGround) -> None:
    def said() -> doctor.Finding:
        return next(each for each in doctor.backups(plant))

    plant.backup_folder.mkdir(parents=True)
    assert said().state == doctor.WARNING and "lianzao backup" in said().todo
    old = datetime.now(UTC) - timedelta(days=5)
    (plant.backup_folder / f"lianzao-{old:%Y%m%d-%H%M%S}.zip").touch()
    assert said().state == doctor.TROUBLE
    backup.make(plant)
    assert said().state == doctor.WARNING and "never tried" in said().said
    backup.verify(plant, backup.kept(plant)[0].path)
    assert said().state == doctor.OK


def test_the_command_line(
    plant: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (
        ("LIANZAO_DATA", str(plant.data)),
        ("LIANZAO_DATABASE_URL", plant.database_url),
        ("LIANZAO_OWNER_URL", plant.owner_url),
    ):
        monkeypatch.setenv(name, value)
    assert lianzao(["backup"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.is_file()
    assert lianzao(["backup", "--list"]) == 0 and "not verified" in capsys.readouterr().out
    assert lianzao(["backup", "--verify", "--file", str(path)]) == 0
    assert lianzao(["backup", "--list"]) == 0 and "MB  verified" in capsys.readouterr().out
    assert lianzao(["backup", "--to", str(tmp_path / "mine.zip")]) == 0 and (tmp_path / "mine.zip").is_file()
    assert lianzao(["backup", "--to", str(tmp_path / "mine.zip")]) == 3
    assert lianzao(["backup", "--file", str(path)]) == 2
    assert lianzao(["restore", str(path)]) == 3 and "holds data already" in capsys.readouterr().err
    assert lianzao(["restore", str(tmp_path / "none.zip")]) == 3
