"""Django's settings: wiring only. What a user may set is in project/config.py."""

from __future__ import annotations

import os
from typing import Any

from project import config, logs

CONFIG = config.load()

ROOMS = [
    "foundation",
    "access",
    "parties",
    "catalog",
    "plant",
    "engineering",
    "inventory",
    "sales",
    "procurement",
    "production",
    "quality",
    "logistics",
    "equipment",
    "planning",
    "flows",
    "overviews",
    "alerts",
    "analytics",
    "integration",
    "portals",
]


def _standing(rooms: list[str]) -> list[str]:
    """The rooms that are there: a room is a package with an __init__ that says what it is for."""
    import importlib.util

    return [f"lianzao.{room}" for room in rooms if importlib.util.find_spec(f"lianzao.{room}")]


INSTALLED_APPS = ["django.contrib.postgres", *_standing(ROOMS)]


def _ask_on(pool: Any) -> None:
    """A database that was away for minutes shall be found again within a second or two of its return.

    psycopg's pool asks in pauses that double up to minutes. Here each row of attempts is short, and begins anew.
    """
    pool.resize(pool.min_size, pool.max_size)


def database(url: str) -> dict[str, object]:
    """The database entry: a pool, server-side binding, early prepared statements (measured: +33 %)."""
    entry = config.database(url)
    given = entry.pop("OPTIONS")
    return entry | {
        "CONN_MAX_AGE": 0,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {
            "pool": {"min_size": 1, "max_size": 16, "timeout": 5, "max_lifetime": 1800}
            | {"reconnect_timeout": 1.5, "reconnect_failed": _ask_on},
            "server_side_binding": True,
            "prepare_threshold": 1,
            "options": "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=120s"
            " -c idle_in_transaction_session_timeout=120s",
            **given,
        },
    }


DATABASES = {"default": database(CONFIG.database_url or "postgresql://lianzao_app@/lianzao")}

SECRET_KEY = CONFIG.secret_key or "only-for-commands-that-sign-nothing"
DEBUG = CONFIG.debug
# This machine's own names besides: the supervisor asks by them whether a process is ready.
ALLOWED_HOSTS = list(dict.fromkeys([*CONFIG.allowed_hosts, "localhost", "127.0.0.1", "[::1]"]))
ROOT_URLCONF = "project.urls"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MIDDLEWARE = ["lianzao.foundation.http.doorman"]
TEMPLATES: list[dict[str, object]] = []
CSRF_COOKIE_HTTPONLY = False
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = CONFIG.secure or bool(CONFIG.proxies)
#: The front sets this header itself and drops what a caller says; nobody else reaches the web process.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "lianzao.foundation.uploads.Uploads",
]
#: Named, because else Python looks for a folder where it can write, and on a full disk finds none or another.
FILE_UPLOAD_TEMP_DIR = os.environ.get("TMPDIR") or "/tmp"
SILENCED_SYSTEM_CHECKS = ["models.W042"]
LOGGING = logs.settings(CONFIG.log)
SLOW_COMMAND_S = CONFIG.slow_ms / 1000
