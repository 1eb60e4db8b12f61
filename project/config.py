"""All configuration, by environment variables, in one place.

`TABLE` says every variable once (name, default, meaning): the documentation and `doctor` print it, `load` reads by it.
Nothing here imports Django, so the command line can ask before Django is set up.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from psycopg.conninfo import conninfo_to_dict

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ROOT = Path(__file__).resolve().parent.parent


class ConfigError(Exception):
    """A variable holds something we cannot use; the message names it and says what would do."""


@dataclass(frozen=True)
class Variable:
    """One line of the table: what a person may set, what holds if nothing is set, and what it is for."""

    name: str
    default: str
    meaning: str
    secret: bool = False


TABLE: tuple[Variable, ...] = (
    Variable(
        "LIANZAO_DATABASE_URL",
        "",
        "PostgreSQL URL of the application role; empty: the embedded PostgreSQL in the data folder",
        secret=True,
    ),
    Variable(
        "LIANZAO_OWNER_URL",
        "",
        "PostgreSQL URL of the role that owns the tables and migrates; empty: derived for the embedded PostgreSQL",
        secret=True,
    ),
    Variable(
        "LIANZAO_REPORT_URL",
        "",
        "PostgreSQL URL of the role that only reads, for programs of your own; only `database setup` looks at it",
        secret=True,
    ),
    Variable(
        "LIANZAO_ADMIN_URL",
        "",
        "PostgreSQL URL of an administrator, for `database setup` alone; never keep it in the settings",
        secret=True,
    ),
    Variable("LIANZAO_DATA", "", "data folder; empty: .run in a checkout, else ~/.local/share/lianzao"),
    Variable("LIANZAO_HOST", "127.0.0.1", "address the server listens on"),
    Variable("LIANZAO_PORT", "8000", "port the server listens on, 1 to 65535"),
    Variable("LIANZAO_HTTPS", "0", "1 serves HTTPS; if no certificate is given, by an authority of our own"),
    Variable("LIANZAO_TLS_CERT", "", "PEM file with the certificate and its chain; HTTPS is on then"),
    Variable("LIANZAO_TLS_KEY", "", "PEM file with the certificate's key"),
    Variable("LIANZAO_HTTP_PORT", "", "a second port, such as 80, that sends plain HTTP to HTTPS; empty: none"),
    Variable(
        "LIANZAO_PROXY",
        "",
        "addresses or networks, with commas between, of a proxy in front that ends TLS; what it forwards is believed",
    ),
    Variable(
        "LIANZAO_SECRET_KEY",
        "",
        "key that signs sessions; empty: made once and kept in the data folder (mode 0600)",
        secret=True,
    ),
    Variable("LIANZAO_DEBUG", "0", "1 shows error pages with details; never on a machine others reach"),
    Variable("LIANZAO_WEB_WORKERS", "", "number of web processes; empty: one per processor, at least 2, at most 8"),
    Variable("LIANZAO_LANGUAGE", "zh-CN", "language of messages and documents for a caller who asks for none"),
    Variable("LIANZAO_TIME_ZONE", "Asia/Shanghai", "zone of times shown where no site says otherwise"),
    Variable(
        "LIANZAO_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]", "host names the server answers to, with commas between"
    ),
    Variable("LIANZAO_BACKUP_FOLDER", "", "where backups go, best on another disk; empty: backups in the data folder"),
    Variable("LIANZAO_BACKUP_HOURS", "24", "hours between the backups that serve makes by itself; 0: none"),
    Variable("LIANZAO_BACKUP_KEEP", "7", "how many of them are kept; those before an upgrade count apart (3)"),
    Variable("LIANZAO_UPGRADE_BACKUP", "1", "0 migrates an existing database without a backup before it"),
    Variable("LIANZAO_KEEP_EVENTS_MONTHS", "0", "months that events are kept, at least 3; 0: for ever"),
    Variable("LIANZAO_KEEP_DELIVERIES_DAYS", "7", "days that deliveries are kept once they are done or dropped"),
    Variable(
        "LIANZAO_KEEP_PLAN_RUNS_DAYS",
        "90",
        "days that planning runs are kept, if nothing rests on them; 0: for ever",
    ),
    Variable("LIANZAO_LOG", "text", "form of the log on standard error: text, or json (one object a line)"),
    Variable("LIANZAO_SLOW_MS", "1000", "a command that takes longer is told in the log and counted; milliseconds"),
    Variable("LIANZAO_SHARED", "", "folder of optional public data sets used by some tests and benches"),
)


@dataclass(frozen=True)
class Config:
    """What the variables say, checked and typed. URLs stay text; an empty `database_url` means embedded.

    `secret_key` is the one given, or empty: `kept_secret_key()` is the door for whoever starts a server.
    """

    database_url: str
    owner_url: str
    report_url: str
    admin_url: str
    data: Path
    host: str
    port: int
    https: bool
    tls_certificate: Path | None
    tls_key: Path | None
    http_port: int | None
    proxies: tuple[Network, ...]
    secret_key: str
    debug: bool
    web_workers: int
    language: str
    time_zone: str
    allowed_hosts: tuple[str, ...]
    backup_folder: Path
    backup_hours: int
    backup_keep: int
    upgrade_backup: bool
    keep_events_months: int
    keep_deliveries_days: int
    keep_plan_runs_days: int
    log: str
    slow_ms: int
    shared: Path | None

    @property
    def embedded(self) -> bool:
        """Whether Lianzao runs its own PostgreSQL rather than use one it was pointed at."""
        return not self.database_url

    @property
    def cluster_folder(self) -> Path:
        """The folder that stands for the embedded PostgreSQL."""
        return self.data / "postgres"

    @property
    def secure(self) -> bool:
        """Whether we speak HTTPS ourselves."""
        return self.https or self.tls_certificate is not None

    @property
    def tls_folder(self) -> Path:
        """Where our own authority lies, if we need one."""
        return self.data / "tls"

    @property
    def figures_folder(self) -> Path:
        """Where the processes of this data folder write their figures."""
        return self.data / "run" / "figures"

    def kept_secret_key(self) -> str:
        """The signing key: the one given, else the one in the data folder, made on first use.

        Several processes may ask at once: a hard link is atomic, so all read the same key.
        """
        if self.secret_key:
            return self.secret_key
        kept = self.data / "secret_key"
        if not kept.exists():
            self.data.mkdir(parents=True, exist_ok=True)
            draft = self.data / f".secret_key.{os.getpid()}.{secrets.token_hex(4)}"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(48))
            try:
                os.link(draft, kept)
            except FileExistsError:
                pass  # another process was first: its key counts
            finally:
                draft.unlink()
        key = kept.read_text(encoding="ascii").strip()
        if len(key) < 32:
            raise ConfigError(f"{kept} holds no usable key: delete it, and a new one is made (people log in anew)")
        return key


def load(environ: Mapping[str, str] | None = None) -> Config:
    """Read the configuration from `environ` (default: the process's own). Raises ConfigError."""
    given = os.environ if environ is None else environ

    def text(name: str) -> str:
        return given.get(name, "").strip() or _DEFAULTS[name]

    data = _data_folder(text("LIANZAO_DATA"))
    certificate, key = _file(text("LIANZAO_TLS_CERT")), _file(text("LIANZAO_TLS_KEY"))
    if (certificate is None) != (key is None):
        raise ConfigError("LIANZAO_TLS_CERT and LIANZAO_TLS_KEY go together: set both, or neither")
    return Config(
        database_url=_postgres_url("LIANZAO_DATABASE_URL", text("LIANZAO_DATABASE_URL")),
        owner_url=_postgres_url("LIANZAO_OWNER_URL", text("LIANZAO_OWNER_URL")),
        report_url=_postgres_url("LIANZAO_REPORT_URL", text("LIANZAO_REPORT_URL")),
        admin_url=_postgres_url("LIANZAO_ADMIN_URL", text("LIANZAO_ADMIN_URL")),
        data=data,
        host=text("LIANZAO_HOST"),
        port=_whole("LIANZAO_PORT", text("LIANZAO_PORT"), 1, 65535),
        https=_flag("LIANZAO_HTTPS", text("LIANZAO_HTTPS")),
        tls_certificate=certificate,
        tls_key=key,
        http_port=_whole("LIANZAO_HTTP_PORT", text("LIANZAO_HTTP_PORT"), 1, 65535)
        if text("LIANZAO_HTTP_PORT")
        else None,
        proxies=_networks("LIANZAO_PROXY", text("LIANZAO_PROXY")),
        secret_key=_long_enough(text("LIANZAO_SECRET_KEY")),
        debug=_flag("LIANZAO_DEBUG", text("LIANZAO_DEBUG")),
        web_workers=_workers(text("LIANZAO_WEB_WORKERS")),
        language=text("LIANZAO_LANGUAGE"),
        time_zone=_zone(text("LIANZAO_TIME_ZONE")),
        allowed_hosts=tuple(host.strip() for host in text("LIANZAO_ALLOWED_HOSTS").split(",") if host.strip()),
        backup_folder=_file(text("LIANZAO_BACKUP_FOLDER")) or data / "backups",
        backup_hours=_whole("LIANZAO_BACKUP_HOURS", text("LIANZAO_BACKUP_HOURS"), 0, 8784),
        backup_keep=_whole("LIANZAO_BACKUP_KEEP", text("LIANZAO_BACKUP_KEEP"), 1, 10_000),
        upgrade_backup=_flag("LIANZAO_UPGRADE_BACKUP", text("LIANZAO_UPGRADE_BACKUP")),
        keep_events_months=_or_never("LIANZAO_KEEP_EVENTS_MONTHS", text("LIANZAO_KEEP_EVENTS_MONTHS"), 3),
        keep_deliveries_days=_whole("LIANZAO_KEEP_DELIVERIES_DAYS", text("LIANZAO_KEEP_DELIVERIES_DAYS"), 1, 3660),
        keep_plan_runs_days=_or_never("LIANZAO_KEEP_PLAN_RUNS_DAYS", text("LIANZAO_KEEP_PLAN_RUNS_DAYS"), 7),
        log=_one_of("LIANZAO_LOG", text("LIANZAO_LOG"), ("text", "json")),
        slow_ms=_whole("LIANZAO_SLOW_MS", text("LIANZAO_SLOW_MS"), 1, 3_600_000),
        shared=Path(text("LIANZAO_SHARED")).expanduser() if text("LIANZAO_SHARED") else None,
    )


def table(environ: Mapping[str, str] | None = None) -> list[tuple[str, str, str, str]]:
    """Rows (name, default, value now, meaning) to print; a secret that is set shows only as dots."""
    given = os.environ if environ is None else environ
    rows = []
    for variable in TABLE:
        value = given.get(variable.name, "")
        rows.append((variable.name, variable.default, "•••" if value and variable.secret else value, variable.meaning))
    return rows


_DEFAULTS = {variable.name: variable.default for variable in TABLE}


def _data_folder(value: str) -> Path:
    if value:
        return Path(value).expanduser().absolute()
    if (ROOT / "Makefile").is_file() and (ROOT / "pyproject.toml").is_file():
        return ROOT / ".run"
    return Path("~/.local/share/lianzao").expanduser()


def _postgres_url(name: str, value: str) -> str:
    if value and urlsplit(value).scheme not in ("postgresql", "postgres"):
        raise ConfigError(f"{name} must look like postgresql://user:password@host:5432/database")
    return value


def _whole(name: str, value: str, least: int, most: int) -> int:
    if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
        raise ConfigError(f"{name} must be a whole number from {least} to {most}, not {value!r}")
    return int(value)


def _or_never(name: str, value: str, least: int) -> int:
    count = _whole(name, value, 0, 36_600)
    if 0 < count < least:
        raise ConfigError(f"{name} must be 0 (for ever) or at least {least}")
    return count


def _workers(value: str) -> int:
    if value:
        return _whole("LIANZAO_WEB_WORKERS", value, 1, 256)
    return max(2, min(8, os.cpu_count() or 2))


def _flag(name: str, value: str) -> bool:
    meanings: dict[str, bool] = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if value.lower() not in meanings:
        raise ConfigError(f"{name} must be 1 or 0, not {value!r}")
    return meanings[value.lower()]


def _file(value: str) -> Path | None:
    return Path(value).expanduser().absolute() if value else None


def _networks(name: str, value: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(each.strip(), strict=False) for each in value.split(",") if each.strip())
    except ValueError as error:
        raise ConfigError(f"{name} must hold addresses or networks such as 127.0.0.1,10.0.0.0/8: {error}") from error


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value.lower() not in choices:
        raise ConfigError(f"{name} must be {' or '.join(choices)}, not {value!r}")
    return value.lower()


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"LIANZAO_TIME_ZONE must name a time zone such as Asia/Shanghai, not {value!r}") from error
    return value


def _long_enough(value: str) -> str:
    if value and len(value) < 32:
        raise ConfigError("LIANZAO_SECRET_KEY must have at least 32 characters")
    return value


def database(url: str) -> dict[str, Any]:
    """The part of a Django DATABASES entry that a PostgreSQL URL says (ENGINE, NAME, USER, HOST, PORT, OPTIONS).

    libpq's own reading of the URL is used, so sockets (`?host=/folder`), several hosts and `sslmode` all work.
    """
    parts = {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", ""),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "OPTIONS": dict(parts),
    }
