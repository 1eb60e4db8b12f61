"""Databases for tests: real PostgreSQL, migrated once, cloned for every session.

One not-durable cluster per checkout and major version stands in `.test/`. A *template* database, named by a hash of all
that shapes a schema, is migrated once under a lock; cloning it takes tens of milliseconds. Several pytest sessions may
run at once: each holds a shared lock on the cluster and on its template, and the last one out stops the server.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from psycopg import sql

from project.config import ROOT
from project.postgres import OWNER, Cluster, GroundError

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
TEMPLATE = "template_lianzao_"
CLONE = "test_"


class TestGround:
    """The session's hold on the test cluster and its template."""

    __test__ = False

    def __init__(self, major: str = "", folder: Path = ROOT / ".test") -> None:
        if major not in ("", "15", "18"):
            raise GroundError(f"LIANZAO_TEST_POSTGRES must be 15 or 18, not {major!r}")
        binaries = DEBIAN_15 if major == "15" else None
        self.folder = folder / f"pg{major or 18}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cluster = Cluster(self.folder / "cluster", binaries=binaries, durable=False)
        self._held: list[IO[str]] = []
        self._users: IO[str] | None = None
        self.template = ""

    def open(self) -> None:
        """Start the cluster if need be, and make sure the template for this state of the code exists."""
        self._users = self._lock("users", fcntl.LOCK_SH)
        try:
            self.cluster.start()
        except GroundError:
            self._start_anew()
        self.template = TEMPLATE + schema_hash(self.cluster.version)
        self._held.append(self._lock(self.template, fcntl.LOCK_SH))
        with self.exclusive("building"):
            self._drop_leftovers()
            if self.template not in self.cluster.databases():
                self._build()

    def close(self, keep: bool = False) -> None:
        """Let go; stop the server if nobody else uses it and `keep` is false."""
        for file in self._held:
            file.close()
        if self._users is None:
            return
        if not keep:
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass  # another session still tests: it will stop the server
            else:
                self.cluster.stop()
        self._users.close()

    def stop_if_unused(self) -> None:
        """Stop the server unless some session still uses it."""
        self._users = self._lock("users", fcntl.LOCK_SH)
        self.close()

    def clone(self, of: str = "") -> str:
        """A new database: the migrated schema, or a copy of another of ours that nobody is connected to.

        Its name carries our process id, so that leftovers are known.
        """
        name = f"{CLONE}{os.getpid()}_{secrets.token_hex(4)}"
        self.cluster.create_database(name, of or self.template)
        return name

    def shut(self, name: str) -> None:
        """Let nobody into a database any more, and put out who is in: only so it can be copied at any time.

        Without connections no autovacuum worker gets into the way of a clone either.
        """
        self.cluster.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        self.cluster.execute(sql.SQL(ending), (name,))

    def drop(self, name: str) -> None:
        """Drop a clone, cutting off whoever is still connected."""
        self.cluster.drop_database(name)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """One session at a time may do what is called `name`."""
        file = self._lock(name, fcntl.LOCK_EX)
        try:
            yield
        finally:
            file.close()

    def _lock(self, name: str, how: int) -> IO[str]:
        file = (self.folder / f"{name}.lock").open("a", encoding="utf-8")
        fcntl.flock(file, how)
        return file

    def _start_anew(self) -> None:
        """A test cluster is worth nothing: if it is damaged (it is not durable) and ours alone, begin again."""
        assert self._users is not None
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise GroundError("The test cluster does not answer, and other test sessions use it: end them") from error
        self.cluster.destroy()
        self.cluster.start()
        fcntl.flock(self._users, fcntl.LOCK_SH)

    def _build(self) -> None:
        draft = f"draft_{self.template}"
        self.cluster.drop_database(draft)
        self.cluster.create_database(draft)
        url = self.cluster.url(draft, OWNER)
        environ = {**os.environ, "LIANZAO_DATABASE_URL": url, "LIANZAO_OWNER_URL": url, "PYTHONPATH": str(ROOT)}
        environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
        order = [sys.executable, "-m", "django", "migrate", "--no-input", "--skip-checks", "--verbosity", "0"]
        done = subprocess.run(order, cwd=ROOT, env=environ, capture_output=True, text=True)
        if done.returncode:
            raise GroundError(f"The test schema could not be migrated:\n{(done.stdout + done.stderr)[-2000:]}")
        names = sql.Identifier(draft), sql.Identifier(self.template)
        self.cluster.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*names))
        self.shut(self.template)

    def _drop_leftovers(self) -> None:
        """Drop clones of dead sessions and templates no session uses."""
        for name in self.cluster.databases():
            if name.startswith(CLONE) and not _lives(name.split("_")[1]):
                self.cluster.drop_database(name)
            if name.startswith(TEMPLATE) and name != self.template:
                self._drop_unused_template(name)

    def _drop_unused_template(self, name: str) -> None:
        file = (self.folder / f"{name}.lock").open("a", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.cluster.drop_database(name)
        except BlockingIOError:
            pass  # a session that began before the last change still clones it
        finally:
            file.close()


def schema_hash(version: str) -> str:
    """A short hash of everything that shapes the migrated schema: migrations, SQL, machinery, settings, versions."""
    shaping = [
        *ROOT.glob("lianzao/**/migrations/*.py"),
        *ROOT.glob("lianzao/**/*.sql"),
        *ROOT.glob("lianzao/foundation/**/*.py"),
        ROOT / "project" / "settings.py",
        ROOT / "requirements.lock",
    ]
    digest = hashlib.sha256(version.encode())
    for path in sorted(set(shaping)):
        if path.is_file():
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def forget_test_clusters(folder: Path = ROOT / ".test") -> None:
    """Stop and delete all test clusters of this checkout (`make clean`)."""
    # Of a cluster made as root, its folder is no more than a name: it lies elsewhere (project/postgres.py).
    for place in (
        *(each / "cluster" for each in folder.glob("pg*")),
        *(each / "postgres" for each in folder.glob("served-*")),
    ):
        Cluster(place).destroy()
    shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        return True
    return True
