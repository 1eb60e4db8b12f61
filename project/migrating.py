"""Bringing the database to this version's tables, roles and grants, as the owner; skipped when nothing has changed.

What the schema follows from (all of `lianzao/` but the engine, and the settings) is hashed; the hash of the last
success is kept as the comment of the table `django_migrations`, so it travels with the database.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql

from project import progress
from project.config import ROOT, Config
from project.postgres import GroundError, application_url, owner_url

#: The supervisor tells its children by this variable which schema they were started for, whatever lies on disk later.
MARK = "LIANZAO_SCHEMA"
_LOCK: LiteralString = "SELECT pg_advisory_lock(hashtext('lianzao.migrate'))"
RECORDED: LiteralString = "SELECT obj_description(to_regclass('django_migrations'), 'pg_class')"


def wanted() -> str:
    """The mark of this version's schema."""
    digest = hashlib.sha256()
    places = [*(ROOT / "lianzao").rglob("*.py"), *(ROOT / "lianzao").rglob("*.sql"), ROOT / "project" / "settings.py"]
    for path in sorted(places):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("lianzao/engine/"):
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"lianzao schema {digest.hexdigest()[:16]}"


def recorded(url: str) -> str:
    """The mark of the schema that stands in a database; empty when there is none. Raises psycopg.Error."""
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        row = connection.execute(RECORDED).fetchone()
    return "" if row is None or row[0] is None else str(row[0])


def bring_up_to_date(config: Config) -> bool:
    """Migrate if need be; whether anything was done. Raises GroundError saying what to do."""
    mark = wanted()
    try:
        if recorded(application_url(config)) == mark:
            return False
    except psycopg.OperationalError as error:
        if config.embedded:
            raise GroundError(f"The database does not answer: {str(error).strip()}") from error
        raise GroundError(
            f"The database of LIANZAO_DATABASE_URL does not answer: {str(error).strip()}\n"
            "Check the URL and that the server runs; one that is new to Lianzao: lianzao database setup"
        ) from error
    url = owner_url(config)
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            connection.execute(_LOCK)  # another machine may be at it
            if recorded(url) == mark:
                return False
            _before_upgrade(config, connection)
            with progress.telling("bringing the database up to date", at_once=True):
                _migrate(url)
            order = sql.SQL("COMMENT ON TABLE django_migrations IS {}").format(sql.Literal(mark))
            connection.execute(order)
    except psycopg.OperationalError as error:
        raise GroundError(f"The database does not answer under the owner's URL: {str(error).strip()}") from error
    return True


def _before_upgrade(config: Config, connection: psycopg.Connection[Any]) -> None:
    """Refuse a database of a newer version; back up one of an older before its tables change."""
    from project import backup  # which reads our mark

    there = backup.applied(connection)
    if not there:
        return
    backup.refuse_newer(there, "The database")
    if not config.upgrade_backup or not backup.known_migrations() - set(there):
        return
    try:
        with progress.telling("backing up before the upgrade", at_once=True):
            backup.make(config, before_upgrade=True)
    except GroundError as error:
        raise GroundError(
            f"{error}\nNothing was changed. An upgrade begins with a backup; with LIANZAO_UPGRADE_BACKUP=0 it goes "
            "without one"
        ) from error
    backup.prune(config)


def _migrate(url: str) -> None:
    environ = {**os.environ, "LIANZAO_DATABASE_URL": url, "LIANZAO_OWNER_URL": url, "PYTHONPATH": str(ROOT)}
    order = [sys.executable, "-m", "project.migrating"]
    done = subprocess.run(order, env=environ, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise GroundError(f"The database could not be migrated:\n{(done.stdout + done.stderr).strip()[-3000:]}")


def main() -> None:
    """In a process of its own, as the owner: migrate, then bring shipped roles and watches up to this version."""
    import django
    from django.core.management import call_command

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    call_command("migrate", interactive=False, skip_checks=True, verbosity=0)
    from lianzao.access.commands import set_up_roles
    from lianzao.alerts.commands import set_up_watches
    from lianzao.foundation.actor import system_actor

    for set_up in (set_up_roles, set_up_watches):
        cast(Callable[..., object], set_up)(system_actor("setup"))


if __name__ == "__main__":
    main()
