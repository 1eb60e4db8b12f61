"""What a monitor asks: `/healthz` (the process lives), `/readyz` (it can serve), `/metrics` (figures of all processes).

Every process of this data folder writes its own figures (lianzao/foundation/figures.py); whichever web process is asked
adds them up, together with what the database says of the queues. See docs/decisions/0011-figures-by-file.md.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connection, connections
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from lianzao.foundation import figures, http, registry
from lianzao.values.errors import DomainError, NotAllowed
from project import config, migrating, postgres

log = logging.getLogger("lianzao.monitoring")

RIGHT = "foundation.view_figures"
#: The front's word that a request comes from this very machine and through no other proxy.
LOCAL = "X-Lianzao-Local"
TEXT = "text/plain; version=0.0.4; charset=utf-8"

QUEUES = """
SELECT subscriber, count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'parked'),
       coalesce(extract(epoch FROM clock_timestamp() - min(due_at) FILTER (WHERE status = 'pending')), 0)::float8
FROM foundation_delivery WHERE status IN ('pending', 'parked') GROUP BY subscriber
"""
FAILING = "SELECT name, failures FROM foundation_job WHERE failures > 0"
BACKENDS = """
SELECT coalesce(state, 'other'), count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY 1
"""


def begin(process: str) -> None:
    """Write this process's figures from now on; in one that has Django, its connections too."""
    figures.Writer(folder(), process).start()


def folder() -> Path:
    """Where the processes of this data folder write their figures."""
    return config.load().figures_folder


def pool() -> Mapping[figures.Key, float]:
    """The connections of this process: used and idle ones, and how many callers wait for one."""
    held: dict[str, Any] = getattr(type(connections["default"]), "_connection_pools", {})
    found = held.get("default")
    if found is None:
        return {}
    said = found.get_stats()
    size, idle = said.get("pool_size", 0), said.get("pool_available", 0)
    return {("used",): float(size - idle), ("idle",): float(idle), ("waiting",): float(said.get("requests_waiting", 0))}


figures.Gauge(
    "lianzao_database_connections", "Connections of the processes' pools: used, idle, and callers waiting.", ("state",),
    read=pool,
)  # fmt: skip


# -- alive and ready --------------------------------------------------------------------------------------------------


def healthz(request: HttpRequest) -> HttpResponse:
    """The process lives and answers; nothing else is asked."""
    return http.answer({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Whether this process can serve: the database answers, and its tables are those of this version."""
    said = {"database": _said(_database), "disk": _said(_disk)}
    # Whoever waited once for a database that is away need not wait twice.
    said["schema"] = _said(_schema) if said["database"] == "ok" else said["database"]
    well = all(each == "ok" for each in said.values())
    response = http.answer({"status": "ok" if well else "not_ready", "checks": said}, 200 if well else 503)
    response["Cache-Control"] = "no-store"
    return response


def _said(check: Callable[[], str]) -> str:
    try:
        return check()
    except (DatabaseError, OSError) as error:
        log.warning("not ready: %s", str(error).strip())
        return "no_answer"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


_wanted: list[str] = []
_wanted_lock = threading.Lock()


def _schema() -> str:
    with _wanted_lock:
        if not _wanted:
            _wanted.append(os.environ.get(migrating.MARK) or migrating.wanted())
    with connection.cursor() as cursor:
        cursor.execute(migrating.RECORDED)
        row = cursor.fetchone()
    return "ok" if row is not None and row[0] == _wanted[0] else "of_another_version"


def places() -> dict[str, Path]:
    """The disks we stand on: of the data folder, and of the embedded database where there is one; each once."""
    held = config.load()
    named = {"data": held.data, "database": postgres.cluster_of(held).home}
    found: dict[int, str] = {}
    for name, place in named.items():
        if place.is_dir():
            found.setdefault(place.stat().st_dev, name)
    return {name: named[name] for name in found.values()}


def _disk() -> str:
    full = [name for name, place in places().items() if shutil.disk_usage(place).free < postgres.LEAST_ROOM]
    return "full" if full else "ok"


# -- figures ----------------------------------------------------------------------------------------------------------


def metrics(request: HttpRequest) -> HttpResponse:
    """Figures for Prometheus: from this machine itself, or with a token that holds `foundation.view_figures`."""
    try:
        _let_in(request)
    except DomainError as error:
        return http.problem(request, error)
    joined = figures.joined(folder())
    joined.put(
        "lianzao_up", "gauge", "Living processes by kind.", ("process",),
        {(process,): float(count) for process, count in joined.living.items()},
    )  # fmt: skip
    joined.put(
        "lianzao_disk_free_bytes", "gauge", "Room on the disks of the data folder and the embedded database.",
        ("disk",), {(name,): float(shutil.disk_usage(place).free) for name, place in places().items()},
    )  # fmt: skip
    try:
        _house(joined)
        answers = 1.0
    except DatabaseError as error:
        log.warning("the queues cannot be looked at: %s", str(error).strip())
        answers = 0.0
    joined.put("lianzao_database_up", "gauge", "Whether the database answers.", (), {(): answers})
    return HttpResponse(joined.text(), content_type=TEXT, headers={"Cache-Control": "no-store"})


def _let_in(request: HttpRequest) -> None:
    if request.headers.get(LOCAL) == "1":
        return
    if not http.someone(request).may(RIGHT):
        raise NotAllowed("not_allowed", right=RIGHT)


def _house(joined: figures.Joined) -> None:
    """What belongs to no process: the queues, jobs that fail, the server's connections, the last backup."""
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(QUEUES)
        rows = cursor.fetchall()
        cursor.execute(FAILING)
        failing = {(name,): float(count) for name, count in cursor.fetchall()}
        cursor.execute(BACKENDS)
        backends = {(state,): float(count) for state, count in cursor.fetchall()}
    queue_of = {handler.name: handler.queue for handler in registry.HANDLERS.values()}
    queues = sorted({*queue_of.values()})
    depth, age, parked = ({(name,): 0.0 for name in queues} for _ in range(3))
    for subscriber, waiting, given_up, late in rows:
        key = (queue_of.get(subscriber, "unknown"),)
        depth[key] = depth.get(key, 0.0) + waiting
        parked[key] = parked.get(key, 0.0) + given_up
        age[key] = max(age.get(key, 0.0), late)
    for name, meaning, labels, values in (
        ("lianzao_queue_depth", "Deliveries that wait, by queue.", ("queue",), depth),
        ("lianzao_queue_age_seconds", "How long the oldest due delivery has waited, by queue.", ("queue",), age),
        ("lianzao_parked_deliveries", "Deliveries given up until a person looks, by queue.", ("queue",), parked),
        ("lianzao_job_failures", "Failures in a row of jobs that fail now.", ("job",), failing),
        ("lianzao_database_backends", "Sessions of the database server by state.", ("state",), backends),
    ):
        joined.put(name, "gauge", meaning, labels, values)
    took = time.perf_counter() - began
    joined.put("lianzao_database_look_seconds", "gauge", "How long this look at the database took.", (), {(): took})


def routes() -> list[URLPattern]:
    """Before the pages, which take what is left."""
    return [path("healthz", healthz), path("readyz", readyz), path("metrics", metrics)]
