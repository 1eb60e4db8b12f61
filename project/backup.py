"""Backup into one file while everything runs, and back again.

The file is a ZIP: `database.dump` (pg_dump's custom format), what of the data folder cannot be made anew (`secret_key`,
our own authority), and `manifest.json`: versions, the schema's mark, the migrations that were applied, the number of
rows of each table *in the very snapshot that was dumped*, and a SHA-256 of each part. A backup is verified by restoring
it into a scratch server of its own and counting again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lianzao.foundation import figures
from project import migrating, postgres, retention
from project.config import ROOT, Config, load
from project.postgres import GroundError
from project.programs import client_programs

log = logging.getLogger("lianzao.backup")
FAILED = figures.Counter("lianzao_backup_failures_total", "Backups that could not be made or verified.")
FORMAT = 1
DUMP, MANIFEST = "database.dump", "manifest.json"
NAME = re.compile(r"lianzao-(\d{8}-\d{6})(-before-upgrade)?\.zip")
UPGRADES_KEPT = 3
PIECE = 1 << 20
#: Of the data folder, beside the database, what cannot be made anew.
KEPT_FILES = ("secret_key", "tls/ca.crt", "tls/ca.key")
TABLES = """
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
AND NOT c.relispartition ORDER BY 1
"""
EMPTY = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')"
Say = Callable[[str], None]


def silent(_: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Backup:
    """One file in the backup folder."""

    path: Path
    made_at: datetime
    before_upgrade: bool

    @property
    def verified_at(self) -> datetime | None:
        """When it was restored for a trial, if it was."""
        mark = _mark(self.path)
        return datetime.fromtimestamp(mark.stat().st_mtime, UTC) if mark.exists() else None


def kept(config: Config) -> list[Backup]:
    """The backups in the folder, latest first."""
    found = []
    for path in config.backup_folder.glob("lianzao-*.zip"):
        named = NAME.fullmatch(path.name)
        if named:
            made = datetime.strptime(named[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
            found.append(Backup(path, made, bool(named[2])))
    return sorted(found, key=lambda each: each.path.name, reverse=True)


def _mark(path: Path) -> Path:
    return path.with_name(f".{path.name}.verified")


# -- making -----------------------------------------------------------------------------------------------------------


def make(config: Config, target: Path | None = None, *, before_upgrade: bool = False) -> Path:
    """Back up into `target` (file or folder; default: the backup folder); the database runs on. Raises GroundError."""
    now = datetime.now(UTC)
    name = f"lianzao-{now:%Y%m%d-%H%M%S}{'-before-upgrade' if before_upgrade else ''}.zip"
    path = config.backup_folder / name if target is None else target / name if target.is_dir() else target
    if path.exists():
        raise GroundError(f"{path} is there already: name another file")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(3)}.draft")
    try:
        if target is None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path.parent):
            descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w+b") as file:
                _write(config, file, now)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
    except OSError as error:
        raise GroundError(f"The backup cannot be written to {path}: {error.strerror}") from error
    except psycopg.Error as error:
        raise GroundError(f"The database could not be read for the backup: {str(error).strip()}") from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return path


@contextlib.contextmanager
def _alone(folder: Path, name: str = ".backup.lock") -> Iterator[None]:
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise GroundError(f"Another backup works in {folder}: wait until it is done") from error
        yield
    finally:
        os.close(descriptor)


def _write(config: Config, file: IO[bytes], now: datetime) -> None:
    url = postgres.owner_url(config)
    parts: dict[str, dict[str, Any]] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as whole, psycopg.connect(url, connect_timeout=10) as read:
        read.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        snapshot = _one(read, "SELECT pg_export_snapshot()")
        manifest = {
            "format": FORMAT,
            "product": "lianzao",
            "made_at": now.isoformat(),
            "postgres": _one(read, "SHOW server_version"),
            "schema": _one(read, migrating.RECORDED) or "",
            "migrations": applied(read),
            "rows": counted(read),
        }
        with whole.open(DUMP, "w", force_zip64=True) as member:
            programs = client_programs(read.info.server_version // 10000, tls=bool(read.pgconn.ssl_in_use))
            parts[DUMP] = _dump(url, programs, snapshot, member)
        for name in KEPT_FILES:
            source = config.data / name
            if source.is_file():
                data = source.read_bytes()
                whole.writestr(name, data)
                parts[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        whole.writestr(MANIFEST, json.dumps(manifest | {"parts": parts}, indent=1))


def _one(connection: psycopg.Connection[Any], statement: Any) -> Any:
    row = connection.execute(statement).fetchone()
    return None if row is None else row[0]


def applied(connection: psycopg.Connection[Any]) -> list[str]:
    """The migrations a database has, as `app.name`; none when it has no tables of ours."""
    if _one(connection, "SELECT to_regclass('public.django_migrations')") is None:
        return []
    rows = connection.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def counted(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """How many rows each table has."""
    names = [row[0] for row in connection.execute(TABLES).fetchall()]
    count = sql.SQL("SELECT count(*) FROM public.{}")
    return {name: _one(connection, count.format(sql.Identifier(name))) for name in names}


def _dump(url: str, programs: Path, snapshot: str, into: IO[bytes]) -> dict[str, Any]:
    order = [str(programs / "pg_dump"), "--format=custom", "--no-owner", f"--snapshot={snapshot}"]
    order += ["--lock-wait-timeout=60s"]
    digest, size = hashlib.sha256(), 0
    with _running(order, url, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while piece := process.stdout.read(PIECE):
            digest.update(piece)
            size += len(piece)
            into.write(piece)
    return {"size": size, "sha256": digest.hexdigest()}


@contextlib.contextmanager
def _running(
    order: Sequence[str], url: str, stdin: int | None = None, stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """One of PostgreSQL's programs on a database for as long as the block runs; raises GroundError when it fails.

    The password goes by the environment: every user of the machine may read another's command line.
    """
    parts: dict[str, Any] = dict(conninfo_to_dict(url))
    password = parts.pop("password", None)
    environ = os.environ if password is None else {**os.environ, "PGPASSWORD": str(password)}
    order = [*order, f"--dbname={make_conninfo(**parts)}"]
    process = subprocess.Popen(order, env=environ, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)
    try:
        yield process
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        said = process.stderr.read().decode(errors="replace") if process.stderr else ""
        if process.wait():
            last = "\n".join(said.strip().splitlines()[-8:])
            raise GroundError(f"{Path(order[0]).name} failed:\n{last}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stderr is not None:
            process.stderr.close()


class Keeper:
    """Makes backups when they are due, verifies each, and keeps so many. What fails is told and tried again."""

    AGAIN_S = 900.0

    def __init__(self, config: Config) -> None:
        self.config = config
        self._not_before = 0.0
        self._began = datetime.now(UTC)

    def due(self, now: datetime) -> bool:
        """Whether the last regular backup, or the start if there is none, is long enough ago."""
        known = (each.made_at for each in kept(self.config) if not each.before_upgrade)
        # One of a time to come was made before the clock was set back: it must not keep others away for as long.
        last = max((each for each in known if each <= now + timedelta(hours=1)), default=None)
        if last is None:
            last = min(self._began, self._first_start())
        return now - last >= timedelta(hours=self.config.backup_hours)

    def _first_start(self) -> datetime:
        """When this data folder was made: a plant that is started each morning shall have its backup too."""
        key = self.config.data / "secret_key"
        return datetime.fromtimestamp(key.stat().st_mtime, UTC) if key.exists() else self._began

    def look(self) -> Path | None:
        """Make a backup if one is due; gives it."""
        if not self.config.backup_hours or time.monotonic() < self._not_before or not self.due(datetime.now(UTC)):
            return None
        began = time.monotonic()
        self._not_before = began + self.AGAIN_S
        try:
            path = make(self.config)
            log.info("backup %s made in %.1f s", path, time.monotonic() - began)
            verify(self.config, path)
            log.info("backup %s verified: it can be restored, whole", path.name)
        except GroundError as error:
            FAILED.count()
            log.error("the backup failed: %s", error)
            return None
        for old in prune(self.config):
            log.info("old backup %s removed", old.name)
        try:
            for name in retention.forget_events(self.config):
                log.info("events of %s dropped; the backup holds them", name.removeprefix("foundation_event_"))
        except psycopg.Error as error:
            log.error("old events could not be dropped, again after the next backup: %s", str(error).strip())
        return path


def _told() -> dict[figures.Key, float]:
    config = load()
    found = kept(config)
    said: dict[figures.Key, float] = {}
    if found:
        said[("made",)] = found[0].made_at.timestamp()
        verified = next((each.verified_at for each in found if each.verified_at), None)
        if verified is not None:
            said[("verified",)] = verified.timestamp()
    return said


def watch() -> None:
    """Tell the time of the last backups from this process on: the one that makes them."""
    if "lianzao_backup_timestamp_seconds" not in figures.FIGURES:
        meaning = "When the last backup was made, and when the last one was verified by a restore."
        figures.Gauge("lianzao_backup_timestamp_seconds", meaning, ("what",), read=_told)
    FAILED.count(0)


def prune(config: Config) -> list[Path]:
    """Remove what is beyond the number to keep; backups before an upgrade count apart. Gives what was removed."""
    found = kept(config)
    old = [each for each in found if not each.before_upgrade][config.backup_keep :]
    old += [each for each in found if each.before_upgrade][UPGRADES_KEPT:]
    for each in old:
        each.path.unlink(missing_ok=True)
        _mark(each.path).unlink(missing_ok=True)
    return [each.path for each in old]


# -- reading ----------------------------------------------------------------------------------------------------------


def manifest_of(path: Path) -> dict[str, Any]:
    """What a backup says of itself. Raises GroundError when it is none of ours, or of a later form."""
    try:
        with zipfile.ZipFile(path) as whole:
            said = json.loads(whole.read(MANIFEST))
    except FileNotFoundError as error:
        raise GroundError(f"There is no {path}") from error
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise GroundError(f"{path} is no backup of Lianzao, or it is torn: take another") from error
    if not isinstance(said, dict) or said.get("product") != "lianzao":
        raise GroundError(f"{path} is no backup of Lianzao: take another")
    if said.get("format") != FORMAT:
        raise GroundError(f"{path} was made by another version of Lianzao (form {said.get('format')}): use that one")
    return said


def check(path: Path) -> dict[str, Any]:
    """Read every byte and compare it with what the manifest says; gives the manifest. Raises GroundError."""
    manifest = manifest_of(path)
    try:
        with zipfile.ZipFile(path) as whole:
            for name, part in manifest["parts"].items():
                digest, size = hashlib.sha256(), 0
                with whole.open(name) as member:
                    while piece := member.read(PIECE):
                        digest.update(piece)
                        size += len(piece)
                if size != part["size"] or digest.hexdigest() != part["sha256"]:
                    raise GroundError(f"{path} is damaged ({name}): take another backup")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise GroundError(f"{path} is damaged ({error}): take another backup") from error
    return manifest


def refuse_newer(migrations: Sequence[str], what: str) -> None:
    """Raise GroundError when these migrations are not all known to this version."""
    unknown = sorted(set(migrations) - known_migrations())
    if unknown:
        raise GroundError(
            f"{what} is of a newer version of Lianzao (it has {unknown[0]}"
            + (f" and {len(unknown) - 1} more" if len(unknown) > 1 else "")
            + ", which this one does not know): install that version, or a later one"
        )


def known_migrations() -> set[str]:
    """The migrations this version knows, as `app.name`."""
    return {f"{path.parent.parent.name}.{path.stem}" for path in (ROOT / "lianzao").glob("*/migrations/[0-9]*.py")}


# -- restoring --------------------------------------------------------------------------------------------------------


def restore(config: Config, path: Path, say: Say = silent) -> None:
    """Put a backup into an empty database that runs, its files into the data folder. Raises GroundError."""
    say(f"checking {path.name} …")
    manifest = check(path)
    refuse_newer(manifest["migrations"], path.name)
    url = postgres.owner_url(config)
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        if _one(connection, EMPTY):
            where = config.data if config.embedded else "the database of LIANZAO_OWNER_URL"
            raise GroundError(f"{where} holds data already: restore into an empty one (choose another LIANZAO_DATA)")
        major, tls = connection.info.server_version // 10000, bool(connection.pgconn.ssl_in_use)
    say("restoring the database …")
    _fill(path, url, major, manifest, tls)
    for name in _put_files(config, path, manifest):
        say(f"{name} is left as it is here; the backup holds another")


def _fill(path: Path, url: str, major: int, manifest: Mapping[str, Any], tls: bool = False) -> None:
    dumped = int(manifest["postgres"].split(".")[0])
    if dumped > major:
        raise GroundError(
            f"{path.name} was made on PostgreSQL {dumped}, and this is {major}: restore on {dumped} or later"
        )
    programs = client_programs(major, manifest["postgres"], tls)
    order = [str(programs / "pg_restore"), "--no-owner", "--exit-on-error", "--single-transaction"]
    running = _running(order, url, stdin=subprocess.PIPE)
    with zipfile.ZipFile(path) as whole, whole.open(DUMP) as member, running as fed:
        assert fed.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it says itself why it stopped
            shutil.copyfileobj(member, fed.stdin, PIECE)
            fed.stdin.close()
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        now = counted(connection)
    differ = [name for name in {*now, *manifest["rows"]} if now.get(name) != manifest["rows"].get(name)]
    if differ:
        name = sorted(differ)[0]
        raise GroundError(
            f"{path.name} did not come back whole: {name} has {now.get(name)} rows, not {manifest['rows'].get(name)}"
        )


def _put_files(config: Config, path: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Write the files of the data folder; gives those that are there already with other content."""
    differ = []
    with zipfile.ZipFile(path) as whole:
        for name in manifest["parts"]:
            if name not in KEPT_FILES:
                continue
            data, target = whole.read(name), config.data / name
            if target.exists():
                differ += [name] if target.read_bytes() != data else []
                continue
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
    return differ


def verify(config: Config, path: Path, say: Say = silent) -> None:
    """Restore a backup into a scratch server of its own, count, prove the books. Raises GroundError when it fails."""
    say(f"checking {path.name} …")
    manifest = check(path)
    refuse_newer(manifest["migrations"], path.name)
    cluster = _scratch(config)
    config.data.mkdir(parents=True, exist_ok=True)
    with _alone(config.data, "verify.lock"):
        _try_out(config, path, manifest, cluster, say)
    with contextlib.suppress(OSError):  # a backup on a medium that is read only is verified all the same
        _mark(path).touch(mode=0o600)


def _scratch(config: Config) -> postgres.Cluster:
    return postgres.Cluster(config.data / "verify", durable=False)


def clear_scratch(config: Config) -> None:
    """Remove the scratch server of a verification that was cut off."""
    cluster = _scratch(config)
    if cluster.home.exists():
        cluster.destroy()


def _try_out(config: Config, path: Path, manifest: Mapping[str, Any], cluster: postgres.Cluster, say: Say) -> None:
    try:
        cluster.destroy()  # left by one that was cut off
        say("restoring it into a scratch database …")
        cluster.start()
        cluster.create_database(postgres.DATABASE)
        _fill(path, cluster.url(postgres.DATABASE, postgres.OWNER), cluster.major, manifest)
        if manifest["schema"] == migrating.wanted():
            say("proving the books …")
            _prove(config, cluster)
    finally:
        cluster.destroy()


def _prove(config: Config, cluster: postgres.Cluster) -> None:
    urls = {
        "LIANZAO_DATABASE_URL": cluster.url(postgres.DATABASE, postgres.APPLICATION),
        "LIANZAO_OWNER_URL": cluster.url(postgres.DATABASE, postgres.OWNER),
        "PYTHONPATH": str(ROOT),
    }
    order = [sys.executable, "-m", "project.cli", "rebuild"]
    done = subprocess.run(order, env={**os.environ, **urls}, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise GroundError(f"The books of the backup do not agree:\n{(done.stdout + done.stderr).strip()[-2000:]}")
