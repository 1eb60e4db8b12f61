"""Waking other processes: one NOTIFY for many commits, after they have committed, on a connection of its own.

NOTIFY inside every transaction costs two thirds of the throughput; and it is a wake-up only: who listens also polls.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

import psycopg
from django.db import connections

log = logging.getLogger("lianzao.wake")
CHANNEL = "lianzao"
_GAP_S = 0.01

_bell = threading.Event()
_ringer: threading.Thread | None = None
_pid = 0
_lock = threading.Lock()


def parameters() -> dict[str, Any]:
    """How to connect to the product's database outside Django's pool."""
    settings = connections["default"].settings_dict
    options = {
        key: value
        for key, value in settings["OPTIONS"].items()
        if key not in ("pool", "server_side_binding", "prepare_threshold", "isolation_level", "assume_role")
    }
    given = {
        "dbname": settings["NAME"],
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "host": settings["HOST"],
        "port": settings["PORT"],
    }
    return {key: value for key, value in given.items() if value} | options


def ring() -> None:
    """Wake the workers and the live hub soon."""
    global _ringer, _pid
    if _ringer is None or _pid != os.getpid() or not _ringer.is_alive():
        with _lock:
            if _ringer is None or _pid != os.getpid() or not _ringer.is_alive():
                _pid = os.getpid()
                _ringer = threading.Thread(target=_keep_ringing, name="wake", daemon=True)
                _ringer.start()
    _bell.set()


def _keep_ringing() -> None:
    """Send one NOTIFY for all rings since the last; connect again when the connection is lost."""
    connection: psycopg.Connection[Any] | None = None
    target: dict[str, Any] = {}
    while _bell.wait():
        _bell.clear()
        try:
            if connection is None or connection.closed or target != parameters():
                target = parameters()
                connection = psycopg.connect(**target, autocommit=True)
            connection.execute(f"NOTIFY {CHANNEL}")
        except psycopg.Error as error:
            log.warning("could not wake the others (they also poll): %s", error)
            connection = None
        threading.Event().wait(_GAP_S)
