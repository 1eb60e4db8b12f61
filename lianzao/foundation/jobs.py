"""Work that the clock asks for: a job is a function and how often it runs, and any number of processes may look.

Of all processes on all machines one runs a job at a time: it holds an advisory lock while it works, and the table says
when the job is due again. A job that fails is told, counted and tried again at its next time; it must be harmless when
run twice, and quick: what takes long belongs into a thread or a delivery of its own.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import TypeVar

from django.db import connection, models, transaction

from lianzao.foundation import clock, figures
from lianzao.foundation.trail import trail

log = logging.getLogger("lianzao.jobs")
F = TypeVar("F", bound=Callable[[datetime], object])
#: How long a process that found a job not due, or in another's hand, leaves it alone at most.
LOOK_AGAIN_S = 5.0


@dataclass(frozen=True)
class Job:
    """A function of the plant's instant, run every so many real seconds."""

    name: str
    every_s: float
    function: Callable[[datetime], object]


RAN = figures.Counter("lianzao_jobs_total", "Jobs of the clock that ran, by job and outcome.", ("job", "outcome"))
TOOK = figures.Histogram("lianzao_job_seconds", "How long jobs of the clock took.", ("job",))

JOBS: dict[str, Job] = {}
_looked: dict[str, float] = {}


class JobState(models.Model):
    """When a job ran and is due again, and how it went. Kept by the machinery itself; times are the machine's."""

    name = models.CharField(max_length=120, primary_key=True)
    due_at = models.DateTimeField()
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        app_label = "foundation"
        db_table = "foundation_job"


def job(name: str, every_s: float) -> Callable[[F], F]:
    """Declare a job. A name taken by another function is a mistake and raises."""

    def declare(function: F) -> F:
        known = JOBS.get(name)
        if known is not None and known.function is not function:
            raise ValueError(f"two jobs are called {name}")
        JOBS[name] = Job(name, every_s, function)
        return function

    return declare


TRY = "SELECT pg_try_advisory_lock(hashtext('lianzao.job'), hashtext(current_schema() || %s))"
LET_GO = "SELECT pg_advisory_unlock(hashtext('lianzao.job'), hashtext(current_schema() || %s))"
CLAIM = """
INSERT INTO foundation_job AS j (name, due_at, began_at, failures, error)
VALUES (%s, clock_timestamp() + make_interval(secs => %s), clock_timestamp(), 0, '')
ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at, began_at = excluded.began_at
WHERE j.due_at <= clock_timestamp() OR j.due_at > excluded.due_at
RETURNING name
"""
ENDED = """
UPDATE foundation_job SET ended_at = clock_timestamp(), error = %s,
    failures = CASE WHEN %s = '' THEN 0 ELSE failures + 1 END
WHERE name = %s
"""


def run_due() -> int:
    """Run the jobs whose time has come and that nobody else runs. Returns how many ran (failed ones too).

    Call it outside a transaction, from a loop that comes by about once a second. A job that this process has looked at
    a short while ago is not asked for again, so that the loop may call as often as it likes.
    """
    ran = 0
    for each in list(JOBS.values()):
        now = monotonic()
        if now < _looked.get(each.name, float("-inf")):
            continue
        _looked[each.name] = now + min(each.every_s, LOOK_AGAIN_S)
        ran += _run_alone(each)
    return ran


def forget() -> None:
    """Look at every job again at the next call, whatever this process has seen: for tests."""
    _looked.clear()


def _run_alone(each: Job) -> bool:
    """Run a job if it is due and no other process has it in hand."""
    with connection.cursor() as cursor:
        cursor.execute(TRY, [each.name])
        row = cursor.fetchone()
    if row is None or not row[0]:
        return False
    try:
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, [each.name, each.every_s])
            if cursor.fetchone() is None:
                return False
        error = _run(each)
        with connection.cursor() as cursor:
            cursor.execute(ENDED, [error, error, each.name])
        return True
    finally:
        _let_go(each)


def _run(each: Job) -> str:
    """What went wrong, or nothing. A lost database is the loop's matter and is raised."""
    with trail(job=each.name):
        began = monotonic()
        try:
            # A job's commands commit by themselves; inside a transaction (tests) a savepoint keeps a failure apart.
            with transaction.atomic() if connection.in_atomic_block else nullcontext():
                each.function(clock.now())
        except Exception:
            if not connection.is_usable():
                raise
            log.exception("job %s failed", each.name)
            RAN.count(job=each.name, outcome="failed")
            return traceback.format_exc(limit=-8)[-4000:]
        RAN.count(job=each.name, outcome="done")
        TOOK.observe(monotonic() - began, job=each.name)
        return ""


def _let_go(each: Job) -> None:
    """Give the lock back; when the connection is lost, PostgreSQL has done so already."""
    if connection.connection is None or not connection.is_usable():
        return
    with connection.cursor() as cursor:
        cursor.execute(LET_GO, [each.name])
