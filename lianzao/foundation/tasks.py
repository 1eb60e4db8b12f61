"""Long work somebody ordered for himself: a command on many records, a list as a file. It has progress and a result.

A task is written down first and carried out by the work process in a thread, under the rights its person has then, and
no more than he had when he ordered it. When a process dies another takes the task up: every record's order has an id
of its own, given when the task was made, so nothing is done twice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import connection, connections, models

from lianzao.foundation import packing, rowsecurity
from lianzao.foundation.actor import ALL, Actor
from lianzao.foundation.jobs import job
from lianzao.foundation.trail import trail
from lianzao.values.errors import DomainError
from lianzao.values.time import uuid7

log = logging.getLogger("lianzao.tasks")

#: Threads of one work process, and how long a task is ours after the last sign of life.
THREADS = 2
LEASE_S = 60
#: The progress is written down this often.
TELL_S = 0.5
#: A result is kept this long.
KEEP_DAYS = 7


class Task(models.Model):
    """Work somebody ordered for himself. Kept by the machinery; the orders it carries out are audited as ever."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    kind = models.CharField(max_length=24)
    person_id = models.UUIDField()
    #: Who he was when he ordered it: what he held then is the most the task may do.
    held = models.JSONField(default=dict)
    #: What is asked: the command, its body and the records with the ids of their orders; or the list and its query.
    asked = models.JSONField(default=dict)
    title = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=12, default="waiting")
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    results = models.JSONField(default=list)
    error = models.TextField(blank=True)
    filename = models.CharField(max_length=120, blank=True)
    file = models.BinaryField(null=True)
    made_at = models.DateTimeField()
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)

    class Meta:
        app_label = "foundation"
        db_table = "foundation_task"
        indexes = [
            models.Index(fields=["person_id", "-made_at"], name="foundation_task_of_person"),
            models.Index(
                fields=["made_at"], name="foundation_task_open", condition=models.Q(state__in=("waiting", "running"))
            ),
        ]


Remember = Callable[[UUID, Mapping[str, Any]], "Actor | None"]
_remember: Remember | None = None
Carry = Callable[["Work"], None]
_ways: dict[str, Carry] = {}


def remember_by(function: Remember) -> None:
    """Wiring: who a person is now, limited to what he held then (the access room knows)."""
    global _remember
    _remember = function


def way(kind: str) -> Callable[[Carry], Carry]:
    """Declare how tasks of a kind are carried out."""

    def declare(function: Carry) -> Carry:
        _ways[kind] = function
        return function

    return declare


def held(by: Actor) -> dict[str, Any]:
    """What of an actor is kept with his task."""
    sites: Any = by.sites
    return {
        "rights": sorted(by.rights),
        "masks": sorted(by.masks),
        "site": None if by.site is None else str(by.site),
        "sites": None if sites is ALL else sorted(str(each) for each in sites),
        "language": by.language,
        "kind": by.kind,
    }


MADE = """
INSERT INTO foundation_task (id, kind, person_id, held, asked, title, state, done, total, refused, results, error,
    filename, made_at)
VALUES (%s, %s, %s, %s, %s, %s, 'waiting', 0, %s, 0, '[]', '', %s, clock_timestamp())
"""


def begin(by: Actor, kind: str, asked: Mapping[str, Any], *, title: str, total: int = 0, filename: str = "") -> UUID:
    """Write a task down; the work process takes it up within a second of the commit."""
    assert by.id is not None
    id = uuid7()
    with connection.cursor() as cursor:
        cursor.execute(
            MADE,
            [id, kind, by.id, packing.text(held(by)), packing.text(asked), title[:200], total, filename],
        )
    return id


# -- carrying out -----------------------------------------------------------------------------------------------------


class Stopped(Exception):
    """Somebody stopped the task, or it is another's by now."""


class Work:
    """A task in our hand: what it is, for whom, and how far it is."""

    def __init__(self, id: UUID, kind: str, by: Actor, asked: Mapping[str, Any], done: int, results: list[Any]) -> None:
        self.id, self.kind, self.by, self.asked = id, kind, by, asked
        self.done = done
        self.results = results
        self.refused = sum(1 for each in results if each.get("state") == "refused")
        self.file: bytes | None = None
        self._told = monotonic()

    def step(self, result: Mapping[str, Any] | None = None, count: int = 1) -> None:
        """One more is done. Raises Stopped when it is to go no further."""
        self.done += count
        if result is not None:
            self.results.append(dict(result))
            self.refused += result.get("state") == "refused"
        if monotonic() - self._told >= TELL_S:
            self.tell()

    def tell(self, total: int | None = None) -> None:
        """Write the progress down, and keep the task ours."""
        self._told = monotonic()
        with connection.cursor() as cursor:
            cursor.execute(PROGRESS, [self.done, total, self.refused, packing.text(self.results), LEASE_S, self.id])
            if cursor.fetchone() is None:
                raise Stopped


CLAIM = """
UPDATE foundation_task t SET state = 'running', began_at = coalesce(t.began_at, clock_timestamp()),
    leased_until = clock_timestamp() + make_interval(secs => %s)
WHERE t.id = (
    SELECT id FROM foundation_task
    WHERE state = 'waiting' OR (state = 'running' AND leased_until < clock_timestamp())
    ORDER BY made_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING t.id, t.kind, t.person_id, t.held::text, t.asked::text, t.done, t.results::text
"""
PROGRESS = """
UPDATE foundation_task SET done = %s, total = coalesce(%s, total), refused = %s, results = %s,
    leased_until = clock_timestamp() + make_interval(secs => %s)
WHERE id = %s AND state = 'running' RETURNING id
"""
ENDED = """
UPDATE foundation_task SET state = %s, done = %s, refused = %s, results = %s, error = %s, file = %s,
    ended_at = clock_timestamp(), leased_until = NULL
WHERE id = %s AND state = 'running'
"""
OLD = "DELETE FROM foundation_task WHERE made_at < clock_timestamp() - make_interval(days => %s)"

_places = threading.BoundedSemaphore(THREADS)


@job("foundation.tasks", every_s=1)
def tick(now: datetime) -> int:
    """Start a thread for each task that waits, as long as there is room, and come back at once."""
    started = 0
    while _places.acquire(blocking=False):
        claimed = _claim()
        if claimed is None:
            _places.release()
            break
        threading.Thread(target=_apart, args=(claimed,), name="task", daemon=True).start()
        started += 1
    return started


@job("foundation.old_tasks", every_s=3600)
def forget_old(now: datetime) -> int:
    """Results nobody fetched in a week are dropped."""
    with connection.cursor() as cursor:
        cursor.execute(OLD, [KEEP_DAYS])
        return cursor.rowcount


def work_here() -> int:
    """Carry out all that waits, here and now: for tests and the console."""
    count = 0
    while (claimed := _claim()) is not None:
        _carried_out(claimed)
        count += 1
    return count


def _claim() -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [LEASE_S])
        return cursor.fetchone()


def _apart(claimed: tuple[Any, ...]) -> None:
    try:
        _carried_out(claimed)
    except Exception:
        log.exception("task %s was left alone; it is taken up again when its lease ends", claimed[0])
    finally:
        _places.release()
        connections.close_all()


def _carried_out(claimed: tuple[Any, ...]) -> None:
    id, kind, person_id, held, asked, done, results = claimed
    with trail(job=f"task.{kind}"):
        by = _remember(person_id, packing.loads(held)) if _remember is not None else None
        state, error = "failed", "not_allowed"
        work = None
        if by is not None:
            work = Work(id, kind, by, packing.loads(asked), done, packing.loads(results))
            try:
                _ways[kind](work)
                state, error = "done", ""
            except Stopped:
                return
            except DomainError as refused:
                error = refused.code
            except Exception:
                if not connection.is_usable():
                    raise
                log.exception("task %s failed", id)
                error = "bug"
        with connection.cursor() as cursor:
            cursor.execute(
                ENDED,
                [
                    state,
                    work.done if work is not None else done,
                    work.refused if work is not None else 0,
                    packing.text(work.results if work is not None else []),
                    error,
                    work.file if work is not None else None,
                    id,
                ],
            )


# -- reading ----------------------------------------------------------------------------------------------------------

SHORT = (
    "id", "kind", "title", "state", "done", "total", "refused", "error", "filename", "made_at", "began_at", "ended_at",
)  # fmt: skip


def of_person(person_id: UUID, most: int = 20) -> list[dict[str, Any]]:
    """A person's own tasks, the latest first."""
    return list(Task.objects.filter(person_id=person_id).order_by("-made_at").values(*SHORT)[:most])


def one(person_id: UUID, id: UUID) -> dict[str, Any] | None:
    """One of a person's own tasks with what became of each record."""
    return Task.objects.filter(person_id=person_id, id=id).values(*SHORT, "results").first()


def file_of(person_id: UUID, id: UUID) -> tuple[str, bytes] | None:
    """The file a person's own task made."""
    found = Task.objects.filter(person_id=person_id, id=id, state="done").values_list("filename", "file").first()
    return None if found is None or found[1] is None else (found[0], bytes(found[1]))


def stop(person_id: UUID, id: UUID) -> bool:
    """Let a person's own task go no further; what it did stays done."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE foundation_task SET state = 'stopped', ended_at = clock_timestamp(), leased_until = NULL"
            " WHERE id = %s AND person_id = %s AND state IN ('waiting', 'running') RETURNING id",
            [id, person_id],
        )
        return cursor.fetchone() is not None


def seen_by(by: Actor) -> AbstractContextManager[Any]:
    """The wall around what a task reads for a partner."""
    return rowsecurity.as_partner(by) if by.partner is not None else nullcontext()


def counted(work: Work, rows: Iterable[Sequence[Any]], *, each: int = 500) -> Iterator[Sequence[Any]]:
    """The rows on their way into a file, with progress every so many."""
    number = 0
    for number, row in enumerate(rows, 1):
        yield row
        if number % each == 0:
            work.step(count=each)
    work.step(count=number % each)


def limited(by: Actor, held: Mapping[str, Any], rights: frozenset[str]) -> Actor:
    """A person as he is now, with no more than he held when he ordered the task, in the language he spoke then."""
    sites: Any = by.sites
    if held["sites"] is not None:
        then = frozenset(UUID(each) for each in held["sites"])
        sites = then if sites is ALL else then & sites
    return replace(
        by,
        rights=rights,
        memory={},
        masks=by.masks | frozenset(held["masks"]),
        sites=sites,
        language=held["language"],
    )
