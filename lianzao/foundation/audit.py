"""Who did what, when, why, because of what, and what it changed: one row per order, in the order's transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import connection, models

from lianzao.foundation import packing
from lianzao.foundation.actor import Actor
from lianzao.values.reference import Ref


class Order(models.Model):
    """One order that was carried out, and its answer: the audit trail and the memory for retries. Append-only."""

    id = models.UUIDField(primary_key=True)
    command = models.CharField(max_length=120)
    actor_id = models.UUIDField(null=True)
    actor_kind = models.CharField(max_length=12)
    actor_name = models.CharField(max_length=200)
    site_id = models.UUIDField(null=True)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    why = models.TextField(blank=True)
    cause_kind = models.CharField(max_length=80, blank=True)
    cause_id = models.UUIDField(null=True)
    body = models.JSONField()
    answer = models.JSONField()
    changes = models.JSONField()
    touched = ArrayField(models.UUIDField())

    class Meta:
        app_label = "foundation"
        db_table = "foundation_order"
        indexes = [
            models.Index(fields=["cause_id"], name="order_by_cause"),
            models.Index(fields=["recorded_at"], name="order_by_time"),
            GinIndex(fields=["touched"], name="order_by_touched"),
        ]


@dataclass
class Running:
    """The order that is being carried out in this context: what it changed and publishes so far."""

    id: UUID
    command: str
    by: Actor
    at: datetime
    cause: Ref | None = None
    why: str = ""
    body: Any = None
    changes: list[dict[str, Any]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    news: list[Any] = field(default_factory=list)
    links: list[Any] = field(default_factory=list)
    touched: dict[UUID, str] = field(default_factory=dict)
    memory: dict[Any, Any] = field(default_factory=dict)
    before_end: list[Callable[[], None]] = field(default_factory=list)
    #: Statements that wait to be written with the audit row (see `at_end`), and how deep in commands within it we are.
    last: list[Beside] = field(default_factory=list)
    depth: int = 0


#: A statement with %s places, and its parameters.
Beside = tuple[str, Sequence[Any]]
_running: ContextVar[Running | None] = ContextVar("running_order", default=None)


def running() -> Running | None:
    """The order being carried out, if any."""
    return _running.get()


def must_run() -> Running:
    """The order being carried out; outside a command nothing may be written (rule 2 of the house)."""
    order = _running.get()
    if order is None:
        raise RuntimeError("only a command writes: call this inside one")
    return order


def note(kind: str, id: UUID, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
    """Say what a write changed. `before` None: made; `after` None: removed."""
    order = must_run()
    entry: dict[str, Any] = {"kind": kind, "id": id}
    if before is not None:
        entry["before"] = before
    if after is not None:
        entry["after"] = after
    order.changes.append(entry)
    order.touched[id] = kind


def touch(kind: str, id: UUID) -> None:
    """Say that an order concerns a record without changing its columns, so that the record's history shows it."""
    must_run().touched.setdefault(id, kind)


def at_end(statements: Sequence[Beside]) -> None:
    """Write these as the last of what an order does: in one statement with its audit row, one round trip for all.

    They change different rows, and nothing that follows in the order's command reads them. Inside another command
    something may read what was written, so there they are carried out at once.
    """
    order = must_run()
    order.last.extend(statements)
    if order.depth:
        write_last(order)


def write_last(order: Running) -> None:
    """Carry out now what waits for the order's end."""
    if order.last:
        _execute("SELECT 1", [], order.last)
        order.last.clear()


def _execute(sql: str, params: Sequence[Any], beside: Sequence[Beside]) -> None:
    """Carry out a statement, and others beside it, as one."""
    parts = ", ".join(f"beside_{number} AS ({other})" for number, (other, _) in enumerate(beside))
    given = [value for _, values in beside for value in values]
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {parts} {sql}" if parts else sql, [*given, *params])


INSERT = """
INSERT INTO foundation_order (id, command, actor_id, actor_kind, actor_name, site_id, at, recorded_at, why,
    cause_kind, cause_id, body, answer, changes, touched)
VALUES (%s, %s, %s, %s, %s, %s, %s, clock_timestamp(), %s, %s, %s, %s::jsonb, %s::jsonb, %s::jsonb, %s::uuid[])
"""


def write(order: Running, answer: Any, beside: Sequence[Beside] = ()) -> None:
    """Write the audit row of an order, what waited for its end and what is to stand beside it, in one statement.

    A second row with the same id fails here (unique): that makes retries safe.
    """
    cause = order.cause or order.by.cause
    if order.steps:
        order.changes.append({"steps": order.steps})
    row = [
        order.id, order.command, order.by.id, order.by.kind, order.by.name[:200], order.by.site, order.at, order.why,
        cause.kind if cause else "", cause.id if cause else None, packing.text(order.body), packing.text(answer),
        packing.text(order.changes), packing.array(list(order.touched)),
    ]  # fmt: skip
    _execute(INSERT, row, [*order.last, *beside])


ROOT = """
WITH RECURSIVE up AS (
    SELECT id, cause_kind, cause_id, 0 AS depth FROM foundation_order WHERE id = %s
    UNION ALL
    SELECT o.id, o.cause_kind, o.cause_id, up.depth + 1
    FROM up
    LEFT JOIN foundation_event e ON up.cause_kind = 'foundation.event' AND e.id = up.cause_id
    JOIN foundation_order o ON o.id = coalesce(e.order_id, up.cause_id)
    WHERE up.depth < 50
)
SELECT id FROM up ORDER BY depth DESC LIMIT 1
"""

STORY = """
WITH RECURSIVE down AS (
    SELECT o.id, 0 AS depth, NULL::uuid AS event_id, NULL::uuid AS parent_id FROM foundation_order o WHERE o.id = %s
    UNION ALL
    SELECT o.id, down.depth + 1, e.id, down.id
    FROM down
    JOIN foundation_event e ON e.order_id = down.id
    JOIN foundation_order o ON o.cause_id = e.id AND o.cause_kind = 'foundation.event'
    WHERE down.depth < 50
)
SELECT o.id, o.command, o.actor_kind, o.actor_name, o.at, o.recorded_at, o.why, o.answer, o.body, down.depth,
       down.parent_id, e.name, e.payload, o.site_id, o.actor_id
FROM (SELECT id, min(depth) AS depth, min(event_id::text)::uuid AS event_id, min(parent_id::text)::uuid AS parent_id
      FROM down GROUP BY id) down
JOIN foundation_order o ON o.id = down.id
LEFT JOIN foundation_event e ON e.id = down.event_id
ORDER BY o.recorded_at, down.depth
"""

NEWS_OF = """
SELECT order_id, id, name, at, payload, site_id FROM foundation_event WHERE order_id = ANY(%s::uuid[]) ORDER BY id
"""


@dataclass(frozen=True)
class Step:
    """One step of a story: what was done, by whom, because of which news, and what it told on."""

    order_id: UUID
    command: str
    actor_kind: str
    actor_name: str
    at: datetime
    recorded_at: datetime
    why: str
    answer: Any
    body: Any
    depth: int
    parent_id: UUID | None
    because: str | None
    because_facts: dict[str, Any] | None
    news: list[dict[str, Any]] = field(default_factory=list)
    actor_id: UUID | None = None
    sites: frozenset[UUID] = frozenset()

    def is_for(self, by: Actor) -> bool:
        """Whether it is somebody's business: done or heard of at a site of his, or by himself; or it is of no site."""
        his_own = by.id is not None and by.id == self.actor_id
        return his_own or not self.sites or any(site in by.sites for site in self.sites)


def story(order_id: UUID) -> list[Step]:
    """The whole chain an order belongs to, from the first cause to the last effect, in the order it happened."""
    with connection.cursor() as cursor:
        cursor.execute(ROOT, [order_id])
        root = cursor.fetchone()
        if root is None:
            return []
        cursor.execute(STORY, [root[0]])
        rows = cursor.fetchall()
        cursor.execute(NEWS_OF, [[row[0] for row in rows]])
        told: dict[UUID, list[dict[str, Any]]] = {}
        sites: dict[UUID, set[UUID]] = {}
        for told_by, id, name, at, payload, site_id in cursor.fetchall():
            told.setdefault(told_by, []).append({"id": id, "event": name, "at": at, "facts": _json(payload)})
            if site_id is not None:
                sites.setdefault(told_by, set()).add(site_id)
    return [
        Step(
            order_id=row[0],
            command=row[1],
            actor_kind=row[2],
            actor_name=row[3],
            at=row[4],
            recorded_at=row[5],
            why=row[6],
            answer=_json(row[7]),
            body=_json(row[8]),
            depth=row[9],
            parent_id=row[10],
            because=row[11],
            because_facts=_json(row[12]),
            news=told.get(row[0], []),
            actor_id=row[14],
            sites=frozenset(sites.get(row[0], set()) | ({row[13]} if row[13] is not None else set())),
        )
        for row in rows
    ]


def _json(value: Any) -> Any:
    return packing.loads(value) if isinstance(value, (str, bytes)) else value


def history(id: UUID, limit: int = 100) -> list[Order]:
    """The orders that touched a record, latest first."""
    return list(Order.objects.filter(touched__contains=[id]).order_by("-recorded_at")[:limit])


LATEST = """
SELECT id, command, actor_kind, actor_id, actor_name, at, why FROM foundation_order
WHERE touched && %s::uuid[] ORDER BY recorded_at DESC LIMIT %s
"""


@dataclass(frozen=True)
class Line:
    """One order in short, as a list of what happened shows it."""

    id: UUID
    command: str
    actor_kind: str
    actor_id: UUID | None
    actor_name: str
    at: datetime
    why: str


def latest(ids: Sequence[UUID], limit: int = 15) -> list[Line]:
    """The latest orders that touched any of some records, without what they changed."""
    with connection.cursor() as cursor:
        cursor.execute(LATEST, [packing.array(ids), limit])
        return [Line(*row) for row in cursor.fetchall()]


ACTED = "SELECT id, actor_kind, actor_id, actor_name FROM foundation_order WHERE id = ANY(%s::uuid[])"


def acted(order_ids: Iterable[UUID]) -> dict[UUID, tuple[str, UUID | None, str]]:
    """Who gave orders: kind, id, and the name as it was then."""
    with connection.cursor() as cursor:
        cursor.execute(ACTED, [list(order_ids)])
        return {row[0]: (row[1], row[2], row[3]) for row in cursor.fetchall()}
