"""`lianzao doctor`: looks at everything the product stands on, and says for each trouble what to do."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from lianzao.foundation import tracing
from project import backup, migrating, opening, pages, postgres
from project import config as configuration
from project.config import Config
from project.postgres import GroundError
from project.processes import serving

OK, WARNING, TROUBLE = "ok", "warning", "trouble"
LOW_DISK = 1 << 30
LITTLE_DISK = 5 << 30
CLOCK_S = 2.0
OLDEST, NEWEST = 15, 18


@dataclass(frozen=True)
class Finding:
    """What one look found. `todo` says what helps, unless all is well."""

    subject: str
    state: str
    said: str
    todo: str = ""


Findings = Iterator[Finding]


def examine(config: Config) -> list[Finding]:
    """Everything, in the order in which one thing rests on another."""
    found = [*_data_folder(config), *_disk(config), *_port(config), *_certificate(config), *_web_build(), *traces()]
    if any(each.state == TROUBLE for each in found if each.subject == "data folder"):
        return found
    if config.embedded and not (postgres.cluster_of(config).data / "PG_VERSION").is_file():
        return [*found, Finding("database", OK, "none yet: `lianzao serve` makes it")]
    found += backups(config)
    try:
        with opening.database(config):
            found += _database(config)
            if not any(each.state == TROUBLE for each in found if each.subject in ("database", "migrations")):
                with opening.django(config):
                    found += _house()
    except (GroundError, psycopg.Error) as error:
        found.append(Finding("database", TROUBLE, str(error).strip(), "follow what it says, then look again"))
    return found


def told(finding: Finding) -> str:
    """A finding as lines of text."""
    mark = {OK: "✓", WARNING: "!", TROUBLE: "✗"}[finding.state]
    text = f"{mark} {finding.subject}: {finding.said}"
    return f"{text}\n    → {finding.todo}" if finding.todo else text


def settings(environ: dict[str, str]) -> list[str]:
    """The variables that are set, as lines of text; secrets as dots."""
    rows = [(name, value) for name, _, value, _ in configuration.table(environ) if value]
    return [f"  {name}={value}" for name, value in rows]


# -- the ground -------------------------------------------------------------------------------------------------------


def _data_folder(config: Config) -> Findings:
    folder = config.data
    if not folder.exists():
        yield Finding("data folder", OK, f"{folder} is not made yet")
        return
    try:
        with opening.using(folder):
            pass
    except GroundError as error:
        yield Finding("data folder", TROUBLE, str(error), "run as the owner of the folder, or set LIANZAO_DATA")
        return
    key = folder / "secret_key"
    if key.exists() and key.stat().st_mode & 0o077:
        yield Finding("data folder", TROUBLE, f"others may read {key}", f"chmod 600 {key}")
        return
    yield Finding("data folder", OK, str(folder))


def _disk(config: Config) -> Findings:
    places = {"data": config.data}
    if config.embedded:
        places["database"] = postgres.cluster_of(config).home
    seen = set()
    for what, place in places.items():
        existing = next(each for each in (place, *place.parents) if each.exists())
        if existing.stat().st_dev in seen:
            continue
        seen.add(existing.stat().st_dev)
        free = shutil.disk_usage(existing).free
        said = f"{free / (1 << 30):.1f} GB free for the {what} in {existing}"
        if free < LOW_DISK:
            yield Finding("disk", TROUBLE, said, "free some space: a full disk stops the database")
        elif free < LITTLE_DISK:
            yield Finding("disk", WARNING, said, "plan for more space")
        else:
            yield Finding("disk", OK, said)


def _port(config: Config) -> Findings:
    where = f"{config.host}, port {config.port}"
    if config.data.exists():
        with serving(config.data, "command") as idle:
            pass
        if not idle:
            yield Finding("port", OK, f"Lianzao is running ({where})")
            return
    try:
        with socket.create_server((config.host, config.port), family=_family(config)):
            yield Finding("port", OK, f"{where} is free")
    except OSError as error:
        todo = "stop what uses it, or choose another --port (LIANZAO_PORT)"
        yield Finding("port", TROUBLE, f"{where} cannot be used: {error.strerror}", todo)


def _family(config: Config) -> int:
    return socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0][0]


def _certificate(config: Config) -> Findings:
    if not config.secure:
        if config.proxies:
            said = f"plain HTTP; TLS ends in the proxy at {', '.join(map(str, config.proxies))}"
            yield Finding("https", OK, said)
        else:
            yield Finding("https", OK, "plain HTTP, for this machine alone")
        return
    from project import tls

    own = config.tls_certificate is None
    path = config.tls_certificate or config.tls_folder / "server.crt"
    if own and not path.exists():
        yield Finding("https", OK, "`lianzao serve` makes the authority and the certificate")
        return
    try:
        left = tls.days_left(path)
    except (OSError, ValueError) as error:
        yield Finding("https", TROUBLE, f"{path} cannot be read: {error}", "see docs/operate/https.md")
        return
    key = config.tls_key or config.tls_folder / "server.key"
    if key.exists() and key.stat().st_mode & 0o077:
        yield Finding("https", TROUBLE, f"others may read {key}", f"chmod 600 {key}")
    renew = "start `lianzao serve`, or see why it does not renew it" if own else "renew it; it is read anew every hour"
    if left <= 0:
        yield Finding("https", TROUBLE, f"the certificate {path} ended {-left:.0f} days ago", renew)
    elif left < 14:
        yield Finding("https", WARNING, f"the certificate {path} ends in {left:.0f} days", renew)
    else:
        yield Finding("https", OK, f"the certificate is good for {left:.0f} days")
    if own:
        left = tls.days_left(config.tls_folder / "ca.crt")
        print_ = tls.fingerprint(path.parent / "ca.crt")
        said = f"our own authority is good for {left / 365:.1f} years; SHA-256 {print_}"
        todo = "" if left > 180 else "plan a new one: remove tls/ca.*, start, and have every device trust it"
        yield Finding("authority", OK if left > 180 else WARNING, said, todo)


def backups(config: Config) -> Findings:
    """When the last backup was made, and whether one was tried out."""
    found = backup.kept(config)
    where = config.backup_folder
    hours = config.backup_hours or 24
    if not found:
        todo = (
            "lianzao backup (serve makes one when it has run long enough)" if config.backup_hours else "lianzao backup"
        )
        yield Finding("backup", WARNING, f"none in {where}", todo)
        return
    age = (datetime.now(UTC) - found[0].made_at) / timedelta(hours=1)
    verified = next((each for each in found if each.verified_at), None)
    said = f"the last one is {age:.0f} hours old ({found[0].path.name})"
    if age > 3 * hours + 1:
        yield Finding(
            "backup", TROUBLE, said, "see in the log of `backup` why none is made; lianzao backup makes one now"
        )
    elif age > hours + 1:
        yield Finding("backup", WARNING, said, "see that `lianzao serve` runs: it makes them")
    elif verified is None:
        todo = f"lianzao backup --verify --file {found[0].path}"
        yield Finding("backup", WARNING, f"{said}, never tried out", todo)
    else:
        yield Finding("backup", OK, f"{said}; restored for a trial: {verified.path.name}")
    free = shutil.disk_usage(where).free
    if free < 3 * found[0].path.stat().st_size:
        yield Finding(
            "backup", WARNING, f"{free / (1 << 30):.1f} GB free in {where}", "keep fewer (LIANZAO_BACKUP_KEEP)"
        )


def traces(environ: Mapping[str, str] | None = None) -> Findings:
    """Whether traces can be sent, if they are asked for."""
    given = os.environ if environ is None else environ
    if not tracing.asked(given):
        return
    hindered = tracing.trouble(given)
    if hindered is not None:
        yield Finding("traces", WARNING, f"asked for, but not sent: {hindered[0]}", hindered[1])
        return
    where = urlsplit(tracing.endpoint(given))
    said = f"to {tracing.bare(where.geturl())}"
    try:
        socket.create_connection(
            (str(where.hostname), where.port or (443 if where.scheme == "https" else 80)), 3
        ).close()
    except OSError as error:
        todo = "start the collector, or see OTEL_EXPORTER_OTLP_ENDPOINT; nothing else waits for it"
        yield Finding("traces", WARNING, f"{said}, where nobody answers ({error.strerror or error})", todo)
    else:
        yield Finding("traces", OK, said)


def _web_build() -> Findings:
    missing = [name for name in pages.PAGES if not (pages.DIST / f"{name}.html").is_file()]
    if missing:
        todo = "python3 scripts/bootstrap.py screens"
        yield Finding("screens", TROUBLE, f"not built: {', '.join(missing)} ({pages.DIST})", todo)
    else:
        yield Finding("screens", OK, f"built {_age(pages.DIST / 'office.html')}")


def _age(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M UTC")


# -- the database -----------------------------------------------------------------------------------------------------


def _database(config: Config) -> Findings:
    with psycopg.connect(postgres.application_url(config), autocommit=True, connect_timeout=10) as connection:
        major, minor = divmod(connection.info.server_version, 10000)
        if not OLDEST <= major <= NEWEST:
            state = TROUBLE if major < OLDEST else WARNING
            todo = f"use PostgreSQL {OLDEST} to {NEWEST}"
            yield Finding("database", state, f"PostgreSQL {major}.{minor} is not one we know", todo)
        else:
            yield Finding("database", OK, f"PostgreSQL {major}.{minor}" + (" (embedded)" if config.embedded else ""))
        yield from _link(connection)
        yield from _roles(connection)
        yield from _room(connection, config)
        yield from _clocks(connection)
    mark = migrating.recorded(postgres.application_url(config))
    if mark == migrating.wanted():
        yield Finding("migrations", OK, "the tables are those of this version")
    else:
        said = "the tables are of another version" if mark else "there are no tables yet"
        yield Finding("migrations", TROUBLE, said, "start `lianzao serve` once: it brings them up to date")


def _link(connection: psycopg.Connection[Any]) -> Findings:
    """Whether what goes to the database and back can be read on the way."""
    host = connection.info.host
    if connection.pgconn.ssl_in_use:
        mode = connection.info.get_parameters().get("sslmode", "prefer")
        sure = mode in ("verify-full", "verify-ca")
        todo = "" if sure else "sslmode=verify-full&sslrootcert=FILE in the URL: as it is, any server is believed"
        yield Finding("link", OK if sure else WARNING, f"TLS to {host} (sslmode {mode})", todo)
    elif not host or host.startswith(("/", "@")) or host in ("localhost", "127.0.0.1", "::1"):
        yield Finding("link", OK, "the database is on this machine")
    else:
        todo = "sslmode=verify-full&sslrootcert=FILE in LIANZAO_DATABASE_URL and LIANZAO_OWNER_URL"
        yield Finding("link", WARNING, f"plain text to {host}: others on the network may read along", todo)


def _roles(connection: psycopg.Connection[Any]) -> Findings:
    row = connection.execute("SELECT current_user, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
    name, mighty = row.fetchone() or ("", True)
    if mighty:
        todo = "connect as a role without SUPERUSER and BYPASSRLS (LIANZAO_DATABASE_URL): no wall stops this one"
        yield Finding("roles", TROUBLE, f"the application connects as {name}, which may do anything", todo)
    else:
        yield Finding("roles", OK, f"the application connects as {name}, which owns nothing")


def _room(connection: psycopg.Connection[Any], config: Config) -> Findings:
    row = connection.execute("SELECT current_setting('max_connections')::int").fetchone()
    most = row[0] if row else 0
    wanted = min(150, 16 * config.web_workers) + 30
    if most < wanted:
        todo = f"set max_connections = {wanted} on the server, or LIANZAO_WEB_WORKERS lower"
        yield Finding("connections", WARNING, f"the server takes {most}, we may want {wanted}", todo)
    else:
        yield Finding("connections", OK, f"the server takes {most}, we want at most {wanted}")


def _clocks(connection: psycopg.Connection[Any]) -> Findings:
    before = time.time()
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    apart = abs((row[0] if row else 0.0) - (before + time.time()) / 2)
    if apart > CLOCK_S:
        todo = "set both machines' clocks by NTP (timedatectl set-ntp true)"
        yield Finding("clock", TROUBLE, f"this machine and the database are {apart:.1f} s apart", todo)
    else:
        yield Finding("clock", OK, f"this machine and the database agree to {apart:.2f} s")


# -- the house --------------------------------------------------------------------------------------------------------


def _house() -> Findings:
    from django.db import Error as DatabaseError

    looks: tuple[Callable[[], Findings], ...] = (_walls, _deliveries, _partitions, _plant_clock)
    for look in looks:
        try:
            yield from look()
        except DatabaseError as error:
            yield Finding("database", TROUBLE, f"{look.__name__[1:]}: {str(error).strip()}", "see the database's log")


def _walls() -> Findings:
    from lianzao.foundation import rowsecurity

    found = rowsecurity.problems()
    for problem in found:
        yield Finding("row security", TROUBLE, problem, "start `lianzao serve` once; if it stays, tell us")
    if not found:
        yield Finding("row security", OK, "grants, policies and append-only guards stand")


def _deliveries() -> Findings:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE status = 'parked'), count(*) FILTER (WHERE status = 'pending'),"
            " extract(epoch FROM clock_timestamp() - min(due_at) FILTER (WHERE status = 'pending'))::float8"
            " FROM foundation_delivery WHERE status IN ('parked', 'pending')"
        )
        parked, pending, late = cursor.fetchone() or (0, 0, None)
        cursor.execute(
            "SELECT subscriber, count(*), max(right(error, 120)) FROM foundation_delivery WHERE status = 'parked'"
            " GROUP BY subscriber ORDER BY 2 DESC LIMIT 3"
        )
        worst = cursor.fetchall()
    if parked:
        which = "; ".join(f"{count} of {name}: …{error.strip()}" for name, count, error in worst)
        todo = "mend the cause, then lianzao deliveries retry (or drop); lianzao deliveries show ID says more"
        yield Finding("deliveries", TROUBLE, f"{parked} parked after repeated failure: {which}", todo)
    elif late is not None and late > 60:
        todo = "see that `work` and `plan` processes run (lianzao serve)"
        yield Finding("deliveries", WARNING, f"{pending} wait, the oldest for {late:.0f} s", todo)
    else:
        yield Finding("deliveries", OK, f"none parked, {pending} waiting")


def _partitions() -> Findings:
    from django.db import connection

    from lianzao.foundation.partitions import PARTITIONED

    strays, missing = [], []
    now = datetime.now(UTC)
    coming = (now.replace(day=1) + timedelta(days=32)).strftime("_%Y_%m")
    with connection.cursor() as cursor:
        for table in PARTITIONED:
            for month in (now.strftime("_%Y_%m"), coming):
                cursor.execute("SELECT to_regclass(%s) IS NULL", [f"public.{table}{month}"])
                row = cursor.fetchone()
                missing += [table + month] if row is not None and row[0] else []
            cursor.execute("SELECT n_live_tup FROM pg_stat_user_tables WHERE relname = %s", [f"{table}_other"])
            row = cursor.fetchone()
            strays += [table] if row is not None and row[0] else []
    if missing:
        todo = "see that a `work` process runs: it makes the months to come each hour"
        yield Finding("partitions", WARNING, f"not made yet: {', '.join(missing)}", todo)
    if strays:
        todo = "see that a `work` process runs: it makes the months to come; rows of a strange date need a look"
        yield Finding("partitions", WARNING, f"rows outside all months in {', '.join(strays)}", todo)
    elif not missing:
        yield Finding("partitions", OK, "this month and the next are made, every row is in its month")


def _plant_clock() -> Findings:
    from lianzao.foundation import clock

    if clock.is_virtual():
        said = f"the plant's clock is virtual: {clock.now():%Y-%m-%d %H:%M} UTC, {clock.rate():g} times as fast"
        yield Finding("plant clock", WARNING, said, "right for a demo; a real plant has no row in foundation_clock")
    else:
        yield Finding("plant clock", OK, "runs as the machine's")
