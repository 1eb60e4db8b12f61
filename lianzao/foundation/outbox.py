"""News: an event and one delivery for each subscriber, written in the order's own transaction, carried out afterwards.

A delivery is taken with FOR UPDATE SKIP LOCKED; the handler's writes and its done mark commit together, so each effect
happens exactly once. Pending deliveries with one key are taken together; of a backlog several share a transaction, each
behind a savepoint. What fails is retried with growing pauses and then parked and shown, never dropped.
"""

from __future__ import annotations

import dataclasses
import logging
import traceback
import types
import typing
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from time import perf_counter
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db import OperationalError, connection, models, transaction
from psycopg import errors as pg

from lianzao.foundation import audit, clock, figures, packing, tracing, wake
from lianzao.foundation.actor import Actor, system_actor
from lianzao.foundation.registry import EVENTS, HANDLERS, room_of
from lianzao.foundation.trail import note, trail
from lianzao.values.reference import Ref
from lianzao.values.time import uuid7

log = logging.getLogger("lianzao.outbox")

ATTEMPTS = 8
PAUSES_S = (0.5, 2, 10, 30, 120, 300, 600)
BATCH = 200
#: So many deliveries share a transaction while there is a backlog, and begin within this time: locks are not held long.
TOGETHER = 25
HOLD_S = 0.1

DELIVERED = figures.Counter(
    "lianzao_deliveries_total",
    "Deliveries by subscriber and outcome: done, failed (tried again later), parked (given up until a person looks).",
    ("subscriber", "outcome"),
)
HANDLED = figures.Histogram(
    "lianzao_delivery_seconds", "How long a subscriber took for the deliveries it was handed together.", ("subscriber",)
)


class EventRow(models.Model):
    """One piece of news as it was told. Append-only, partitioned by month on the time inside its id."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    name = models.CharField(max_length=120)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    order_id = models.UUIDField()
    site_id = models.UUIDField(null=True)
    payload = models.JSONField()
    xid = models.BigIntegerField()
    traceparent = models.CharField(max_length=55, null=True)

    class Meta:
        app_label = "foundation"
        db_table = "foundation_event"
        managed = False


class DeliveryStatus(models.TextChoices):
    """Where a delivery is. Parked: given up after repeated failure; dropped: a person said that it shall not be."""

    PENDING = "pending"
    DONE = "done"
    PARKED = "parked"
    DROPPED = "dropped"


class Delivery(models.Model):
    """One event on its way to one subscriber, and how the last try went."""

    event_id: UUID

    id = models.UUIDField(primary_key=True, default=uuid7)
    event = models.ForeignKey(
        EventRow, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    subscriber = models.CharField(max_length=160)
    key = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=8, default=DeliveryStatus.PENDING, choices=DeliveryStatus.choices)
    due_at = models.DateTimeField()
    made_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        app_label = "foundation"
        db_table = "foundation_delivery"
        indexes = [
            models.Index(fields=["due_at", "id"], name="delivery_due", condition=models.Q(status="pending")),
            # Only of those with a key: else the planner would take it to find what is due, and sort the whole backlog.
            models.Index(
                fields=["subscriber", "key"],
                name="delivery_by_key",
                condition=models.Q(status="pending") & ~models.Q(key=""),
            ),
            models.Index(fields=["event"], name="delivery_by_event"),
            models.Index(fields=["made_at"], name="delivery_parked", condition=models.Q(status="parked")),
        ]


@dataclass(frozen=True)
class Event:
    """News in the past tense: ids and facts. Subclasses are frozen dataclasses in a room's events.py.

    A field `partner_ids` lists the parties who may hear of it on their portal; without it only people of the house do.
    """

    wire_name: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.wire_name = f"{room_of(cls.__module__)}.{cls.__name__}"
        EVENTS[cls.wire_name] = cls


E = TypeVar("E", bound=Event)
#: What an event is handed to: the system as actor, and the news that came together.
Hears = Callable[[Actor, list[E]], None]


@dataclass(frozen=True)
class Handler:
    """A subscriber: which events and which of them, by what key they are taken together, how long it waits for more."""

    name: str
    events: tuple[type[Event], ...]
    key: str | Callable[[Any], object] | None
    within: timedelta
    function: Callable[[Actor, list[Any]], None]
    queue: str
    wanted: Callable[[str], bool] | None = None
    when: Callable[[Any], bool] | None = None

    def hears(self, event: Event) -> bool:
        """Whether this piece of news is worth a delivery."""
        return (self.wanted is None or self.wanted(event.wire_name)) and (self.when is None or self.when(event))

    def key_of(self, event: Event) -> str:
        """The key an event is taken together by; empty: each alone."""
        if self.key is None:
            return ""
        value = getattr(event, self.key) if isinstance(self.key, str) else self.key(event)
        return "" if value is None else str(value)


_handlers_of: dict[str, list[Handler]] = {}


def on(
    *events: type[E],
    key: str | Callable[[Any], object] | None = None,
    within_ms: int = 0,
    queue: str = "work",
    wanted: Callable[[str], bool] | None = None,
    when: Callable[[E], bool] | None = None,
) -> Callable[[Hears[E]], Hears[E]]:
    """Subscribe a handler. With `key`, pending events of one key are handed over together after `within_ms`.

    `queue` names the kind of process that carries it out: "work", or "plan" for what needs the planner.
    `when` tells by its facts whether an event concerns the handler: for the others no delivery is written.
    `wanted` tells so by wire name: for those who listen to everything (`interest`).
    """

    def subscribe(function: Hears[E]) -> Hears[E]:
        name = f"{function.__module__.removeprefix('lianzao.')}.{function.__name__}"
        handler = Handler(name, events, key, timedelta(milliseconds=within_ms), function, queue, wanted, when)
        HANDLERS[name] = handler
        for event in events:
            _handlers_of.setdefault(event.wire_name, []).append(handler)
        return function

    return subscribe


def publish(event: Event) -> None:
    """Tell news. It is written with the order and goes out when the order commits."""
    audit.must_run().news.append(event)


def facts(event: Event) -> dict[str, Any]:
    """An event's fields."""
    return {name: getattr(event, name) for name in _names(type(event))}


@lru_cache(maxsize=512)
def _names(kind: type[Event]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


INSERT_EVENTS = """
INSERT INTO foundation_event (id, name, at, recorded_at, order_id, site_id, payload, xid, traceparent)
SELECT u.id, u.name, %s, clock_timestamp(), %s, u.site_id, u.payload::jsonb, pg_current_xact_id()::text::bigint, %s
FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::text[]) AS u(id, name, site_id, payload)
"""
INSERT_DELIVERIES = """
INSERT INTO foundation_delivery (id, event_id, subscriber, key, status, due_at, made_at, attempts, error)
SELECT u.id, u.event_id, u.subscriber, u.key, 'pending', clock_timestamp() + u.pause * interval '1 millisecond',
       clock_timestamp(), 0, ''
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::bigint[]) AS u(id, event_id, subscriber, key, pause)
"""


def rows(order: audit.Running) -> list[audit.Beside]:
    """The statements that write the order's news and their deliveries, for `audit.write` to carry out beside its own.

    The workers are woken when the order commits.
    """
    if not order.news:
        return []
    ids = [uuid7() for _ in order.news]
    names = [event.wire_name for event in order.news]
    sites = [getattr(event, "site_id", None) for event in order.news]
    payloads = [packing.text(facts(event)) for event in order.news]
    deliveries: list[tuple[UUID, UUID, str, str, int]] = []
    for id, event in zip(ids, order.news, strict=True):
        for handler in _handlers_of.get(event.wire_name, ()):
            if not handler.hears(event):
                continue
            pause = int(handler.within / timedelta(milliseconds=1))
            deliveries.append((uuid7(), id, handler.name, handler.key_of(event), pause))
    transaction.on_commit(wake.ring)
    traced = None if tracing.on is None else tracing.on.traceparent()
    made: list[audit.Beside] = [
        (INSERT_EVENTS, [order.at, order.id, traced, *map(packing.array, (ids, names, sites, payloads))])
    ]
    if deliveries:
        made.append((INSERT_DELIVERIES, [packing.array(column) for column in zip(*deliveries, strict=True)]))
    return made


#: What is due is read in the order of its index, whatever PostgreSQL believes of the table: when it was looked at last
#: nothing was pending, mostly, and then a sudden backlog of thousands would be sorted for each taking of a few.
SQL = """
CREATE OR REPLACE FUNCTION lianzao_take_due(subscribers text[], most bigint)
RETURNS TABLE (id uuid, event_id uuid, subscriber varchar, key varchar, attempts smallint, due_at timestamptz)
LANGUAGE plpgsql ROWS 25 SET search_path = pg_catalog, public, pg_temp
SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off AS $body$
BEGIN
    RETURN QUERY SELECT d.id, d.event_id, d.subscriber, d.key, d.attempts, d.due_at
    FROM public.foundation_delivery d
    WHERE d.status = 'pending' AND d.due_at <= clock_timestamp() AND d.subscriber = ANY(subscribers)
    ORDER BY d.due_at, d.id LIMIT most FOR UPDATE OF d SKIP LOCKED;
END
$body$;
"""
TAKE = """
SELECT d.id, d.event_id, d.subscriber, d.key, d.attempts, e.name, e.payload, e.traceparent
FROM lianzao_take_due(%s::text[], %s) d JOIN foundation_event e ON e.id = d.event_id ORDER BY d.due_at, d.id
"""
TAKE_KEY = """
SELECT d.id, d.event_id, e.name, e.payload, e.traceparent
FROM foundation_delivery d JOIN foundation_event e ON e.id = d.event_id
WHERE d.status = 'pending' AND d.subscriber = %s AND d.key = %s AND d.key <> '' AND d.id <> ALL(%s::uuid[])
ORDER BY d.id LIMIT %s FOR UPDATE OF d SKIP LOCKED
"""
DONE = """
UPDATE foundation_delivery SET status = 'done', done_at = clock_timestamp(), attempts = attempts + 1, error = ''
WHERE id = ANY(%s::uuid[])
"""
FAILED = """
UPDATE foundation_delivery SET attempts = attempts + 1, error = %s,
    status = CASE WHEN attempts + 1 >= %s THEN 'parked' ELSE 'pending' END,
    due_at = clock_timestamp() + %s * interval '1 millisecond'
WHERE id = ANY(%s::uuid[]) AND status = 'pending'
"""
NEXT_DUE = """
SELECT extract(epoch FROM min(d.due_at) - clock_timestamp())::float8 FROM foundation_delivery d
WHERE d.status = 'pending' AND d.subscriber = ANY(%s::text[])
"""
#: Limits to the news of some sites; news of no site counts as that of the nil id.
NO_SITE = UUID(int=0)
AT_SITES = f"coalesce(e.site_id, '{NO_SITE}') = ANY(%s::uuid[])"
TAKE_AT_SITES = f"""
SELECT d.id, d.event_id, d.subscriber, d.key, d.attempts, e.name, e.payload, e.traceparent
FROM foundation_delivery d JOIN foundation_event e ON e.id = d.event_id
WHERE d.status = 'pending' AND d.due_at <= clock_timestamp() AND d.subscriber = ANY(%s::text[]) AND {AT_SITES}
ORDER BY d.due_at, d.id LIMIT %s FOR UPDATE OF d SKIP LOCKED
"""
NEXT_DUE_AT_SITES = NEXT_DUE.replace("WHERE", f"JOIN foundation_event e ON e.id = d.event_id WHERE {AT_SITES} AND")


def subscribers(queues: Sequence[str]) -> list[str]:
    """The subscribers that a process of these queues carries out."""
    return [handler.name for handler in HANDLERS.values() if handler.queue in queues]


def work_once(
    queues: Sequence[str] = ("work", "plan"),
    limit: int = BATCH,
    sites: Collection[UUID] | None = None,
    enough: Callable[[], bool] = lambda: False,
) -> int:
    """Carry out what is due, oldest first, up to `limit` takings or until it is `enough`. Returns how many were taken.

    With `sites` only news of these sites (NO_SITE: of none): for the planner, which holds a lease for each. The planner
    alone reads all of it as of one instant (REPEATABLE READ), so that its snapshot of the plant agrees with itself.
    """
    names = subscribers(queues)
    one_view = tuple(queues) == ("plan",) and not connection.in_atomic_block
    most = 1 if one_view else TOGETHER
    taken = 0
    while taken < limit and not enough():
        try:
            count = _take(names, sites, one_view, min(most, limit - taken), enough)
        except OperationalError as error:
            if not _collided(error):
                raise
            most = count = 1  # somebody else changed the same rows first: taken again at once, which is no failure
        if not count:
            break
        taken += count
    return taken


#: A delivery that was taken: its id, its event's id, name and payload, and what wrote the event, if that is traced.
Line = tuple[UUID, UUID, str, Any, str | None]


@dataclass
class _Taken:
    """Deliveries of one key (or one of its own) that a handler is given together, and what became of them."""

    handler: Handler
    lines: list[Line]
    attempts: int
    error: str = ""
    seconds: float = 0.0
    span: tracing.Deliveries | None = None

    @property
    def ids(self) -> list[UUID]:
        return [line[0] for line in self.lines]

    @property
    def kind_of_error(self) -> str:
        """What kind of exception it was; what it says may be somebody's."""
        return self.error.strip().rpartition("\n")[2].partition(":")[0]

    @property
    def outcome(self) -> str:
        if not self.error:
            return "done"
        return "parked" if self.attempts + 1 >= ATTEMPTS else "failed"


def _take(
    names: list[str], sites: Collection[UUID] | None, one_view: bool, most: int, enough: Callable[[], bool]
) -> int:
    """Carry out what is due in one transaction; gives how many takings. Raises OperationalError, also on a collision.

    Several share the transaction, each behind a savepoint, so that one that fails leaves the others alone.
    """
    handled: list[_Taken] = []
    alone = True
    try:
        with transaction.atomic():
            rows = _due(names, sites, one_view, most)
            alone = len(rows) <= 1
            until = perf_counter() + HOLD_S
            seen: set[UUID] = set()
            apart = None if alone else _Apart()
            for row in rows:
                if row[0] in seen or (handled and (perf_counter() > until or enough())):
                    continue
                handled.append(_with_its_key(row, seen))
                seen.update(handled[-1].ids)
                _try(handled[-1], apart)
            _mark(handled)
    except Exception as error:
        if not alone or not handled or _collided(error):
            _undone(handled)
            raise
        _mark_after_all(handled)  # raises when it is the connection that is lost
    for each in handled:
        if each.span is not None:
            each.span.end(each.outcome, each.kind_of_error)
        DELIVERED.count(len(each.lines), subscriber=each.handler.name, outcome=each.outcome)
        HANDLED.observe(each.seconds, subscriber=each.handler.name)
    return len(handled)


def _mark_after_all(handled: Sequence[_Taken]) -> None:
    try:
        _mark(handled)
    except Exception:
        _undone(handled)
        raise


def _undone(handled: Sequence[_Taken]) -> None:
    for each in handled:
        if each.span is not None:
            each.span.end("undone", each.kind_of_error)


def _due(names: list[str], sites: Collection[UUID] | None, one_view: bool, most: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        if one_view:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        if sites is None:
            cursor.execute(TAKE, [names, most])
        else:
            cursor.execute(TAKE_AT_SITES, [names, list(sites), most])
        return cursor.fetchall()


def _with_its_key(row: tuple[Any, ...], seen: Collection[UUID]) -> _Taken:
    id, event_id, subscriber, key, attempts, name, payload, traceparent = row
    lines: list[Line] = [(id, event_id, name, payload, traceparent)]
    if key:
        with connection.cursor() as cursor:
            cursor.execute(TAKE_KEY, [subscriber, key, packing.array([id, *seen]), BATCH])
            lines += cursor.fetchall()
        lines.sort(key=lambda line: line[1])
    return _Taken(HANDLERS[subscriber], lines, attempts)


class _Apart:
    """Keeps what fails in a transaction of several apart: a savepoint before each, undone if it fails.

    As Django's own, but the release of one and the beginning of the next are one round trip.
    """

    BEGIN, NEXT, UNDO = "SAVEPOINT apart", "RELEASE SAVEPOINT apart; SAVEPOINT apart", "ROLLBACK TO SAVEPOINT apart"

    def __init__(self) -> None:
        self.order = self.BEGIN
        self.count = 0

    def __enter__(self) -> None:
        if self.order:
            self._say(self.order)
        self.order = self.NEXT
        self.count += 1
        connection.savepoint_ids.append(self._name())

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        name = self._name()
        connection.savepoint_ids.remove(name)
        if kind is not None and not connection.closed_in_transaction:
            self._say(self.UNDO)
            self.order = ""  # the savepoint stands again as it stood
            connection.needs_rollback = False
            connection.run_on_commit = [each for each in connection.run_on_commit if name not in each[0]]

    def _name(self) -> str:
        return f"apart {self.count}"

    def _say(self, order: str) -> None:
        made: Any = connection.connection
        with connection.wrap_database_errors:
            made.execute(order, prepare=False)


def _try(taken: _Taken, apart: _Apart | None) -> None:
    """Carry it out. What fails is noted; where it is alone, it takes the transaction with it."""
    began = perf_counter()
    with trail():
        note(delivery=taken.ids[0], event=taken.lines[0][1], command=taken.handler.name)
        if tracing.on is not None:
            lines = [(line[0], line[2], line[4]) for line in taken.lines]
            taken.span = tracing.on.deliveries(taken.handler.name, taken.attempts + 1, lines)
        try:
            with apart or nullcontext():
                _carry_out(taken.handler, taken.lines)
        except Exception as error:
            if _collided(error):
                raise
            taken.error = traceback.format_exc(limit=-8)
            log.error("delivery failed", extra={"error": taken.error})
            if apart is None:
                raise
        finally:
            taken.seconds = perf_counter() - began
            if taken.span is not None:
                taken.span.leave()


def _mark(handled: Sequence[_Taken]) -> None:
    """Write what became of deliveries."""
    done = [id for each in handled if not each.error for id in each.ids]
    with connection.cursor() as cursor:
        if done:
            cursor.execute(DONE, [packing.array(done)])
        for each in handled:
            if each.error:
                pause = PAUSES_S[min(each.attempts, len(PAUSES_S) - 1)]
                given = [each.error[-4000:], ATTEMPTS, int(pause * 1000), packing.array(each.ids)]
                cursor.execute(FAILED, given)


def _collided(error: Exception) -> bool:
    return isinstance(error, OperationalError) and isinstance(
        error.__cause__, (pg.SerializationFailure, pg.DeadlockDetected)
    )


def _carry_out(handler: Handler, batch: Sequence[Line]) -> None:
    """Run a handler as one order of the system, whose cause is the (first) event."""
    news = [read(name, payload) for _, _, name, payload, _ in batch]
    cause = Ref("foundation.event", batch[0][1])
    site: UUID | None = getattr(news[0], "site_id", None)
    at = clock.now()
    by = system_actor(handler.name, cause=cause, site=site).at_instant(at)
    order = audit.Running(
        id=uuid7(),
        command=handler.name,
        by=by,
        at=at,
        cause=cause,
        body={"events": [str(line[1]) for line in batch]},
        depth=1,
    )
    note(order=order.id)
    token = audit._running.set(order)
    try:
        handler.function(by, news)
        for step in order.before_end:
            step()
        if order.changes or order.news or order.steps:
            audit.write(order, {}, rows(order))
    finally:
        audit._running.reset(token)


def next_due(queues: Sequence[str] = ("work", "plan"), sites: Collection[UUID] | None = None) -> float | None:
    """Seconds until something is due (negative: overdue), or None when nothing waits."""
    with connection.cursor() as cursor:
        if sites is None:
            cursor.execute(NEXT_DUE, [subscribers(queues)])
        else:
            cursor.execute(NEXT_DUE_AT_SITES, [list(sites), subscribers(queues)])
        row = cursor.fetchone()
    return None if row is None else row[0]


def read(name: str, payload: Any) -> Event:
    """An event from its stored form. Fields it does not know any more are dropped; new ones take their defaults."""
    cls = EVENTS[name]
    given = packing.loads(payload) if isinstance(payload, (str, bytes)) else payload
    hints = _hints(cls)
    return cls(**{field: _typed(given[field], hint) for field, hint in hints.items() if field in given})


_hint_memory: dict[type[Any], dict[str, Any]] = {}


def _hints(cls: type[Any]) -> dict[str, Any]:
    if cls not in _hint_memory:
        known = typing.get_type_hints(cls)
        _hint_memory[cls] = {field.name: known[field.name] for field in dataclasses.fields(cls)}
    return _hint_memory[cls]


def _typed(value: Any, hint: Any) -> Any:
    """A JSON value as the field's type."""
    if value is None:
        return None
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return _typed(value, next(arg for arg in typing.get_args(hint) if arg is not type(None)))
    if origin in (tuple, list):
        inner = typing.get_args(hint)[0]
        return origin(_typed(item, inner) for item in value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return hint(**{name: _typed(value[name], inner) for name, inner in _hints(hint).items() if name in value})
    if hint is UUID:
        return UUID(value)
    if hint is Decimal:
        return Decimal(value)
    if hint is datetime:
        return datetime.fromisoformat(value)
    if hint is date:
        return date.fromisoformat(value)
    return value


RETRY = """
UPDATE foundation_delivery SET status = 'pending', attempts = 0, due_at = clock_timestamp()
WHERE id = ANY(%s::uuid[]) AND status = 'parked' RETURNING id
"""
DROP = """
UPDATE foundation_delivery SET status = 'dropped', done_at = clock_timestamp()
WHERE id = ANY(%s::uuid[]) AND status = 'parked' RETURNING id
"""


SET_BACK = """
UPDATE foundation_delivery SET due_at = clock_timestamp()
WHERE status = 'pending' AND due_at > clock_timestamp()
  AND (made_at > clock_timestamp() + interval '1 second' OR due_at > clock_timestamp() + make_interval(secs => %s))
"""


def catch_up() -> int:
    """Make due what waits for a time no pause of ours leads to: the clock was set back since. Gives how many."""
    longest = max((handler.within.total_seconds() for handler in HANDLERS.values()), default=0.0)
    with connection.cursor() as cursor:
        cursor.execute(SET_BACK, [PAUSES_S[-1] + longest + 1.0])
        if cursor.rowcount:
            log.warning("the clock was set back: %s deliveries would have waited for it", cursor.rowcount)
        return cursor.rowcount


def retry_parked(ids: Sequence[UUID]) -> list[UUID]:
    """Put parked deliveries back into the queue; gives those that were parked. Inside a command."""
    again = _moved(RETRY, ids, "pending")
    if again:
        transaction.on_commit(wake.ring)
    return again


def drop_parked(ids: Sequence[UUID]) -> list[UUID]:
    """Give parked deliveries up for good; gives those that were parked. Inside a command."""
    return _moved(DROP, ids, "dropped")


def _moved(statement: str, ids: Sequence[UUID], status: str) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(ids)])
        moved = [row[0] for row in cursor.fetchall()]
    for id in moved:
        audit.note("foundation.delivery", id, {"status": "parked"}, {"status": status})
    return moved
