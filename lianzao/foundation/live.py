"""The live line: `GET /live?topics=a,b` tells news over text/event-stream (SSE) to all who listen.

One connection to the database hears the wake-up and reads what is new; each event is made into bytes once and handed
to every listener who may hear it. News is read by the transactions' snapshots: what was not visible at the last reading
and is now. So an event whose transaction began early and committed late is not lost, and none is read twice.

A message's id is `<watermark>:<event id>`. Whoever comes back with one (Last-Event-ID, or `last` in the query) gets
all events of transactions from the watermark on, some perhaps again; when more than ten minutes lie between, it is
`event: reset` instead. Now and then a new `hello` gives him a later place to come back to.
"""

from __future__ import annotations

import asyncio
import collections
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Self

import orjson
import psycopg
from django.db import Error as DatabaseError
from django.db import connections
from psycopg.types.json import set_json_loads
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lianzao.foundation import figures, registry, wake, words
from lianzao.foundation.actor import Actor
from lianzao.foundation.hearing import PARTNERS, Ear, News, kinds_by_entity, message, topics_of
from lianzao.values.errors import DomainError, Invalid, NotAllowed, NotKnown, Unavailable

log = logging.getLogger("lianzao.live")

PING_S = 10.0
CURSOR_S = 60.0
CHECK_S = 60.0
POLL_S = 1.0
KEPT_S = 600
KEPT_MOST = 20_000
QUEUE_MOST = 500
TOPICS_MOST = 500
PING = b": ping\n\n"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
UNDECIDED = b"?"
CURSOR = re.compile(r"([0-9]{1,19}):([0-9a-f-]{36})?")

_COLUMNS = "e.id, e.name, e.at, e.site_id, e.payload, e.xid"
#: The snapshot of this very statement, and what it sees that the snapshot before did not.
NEW = f"""
SELECT pg_current_snapshot()::text, {_COLUMNS}
FROM (SELECT 1) AS one LEFT JOIN foundation_event e
  ON e.xid >= %(xmin)s AND NOT pg_visible_in_snapshot(e.xid::text::xid8, %(before)s::text::pg_snapshot)
ORDER BY e.xid, e.id
"""
RECENT = f"""
SELECT pg_current_snapshot()::text, {_COLUMNS}
FROM (SELECT 1) AS one LEFT JOIN foundation_event e
  ON e.id >= lianzao_uuid_at(clock_timestamp() - make_interval(secs => %s))
ORDER BY e.xid, e.id
"""
OLDER = """
SELECT xid FROM foundation_event WHERE id < lianzao_uuid_at(clock_timestamp() - make_interval(secs => %s))
ORDER BY xid DESC LIMIT 1
"""


TOLD = figures.Counter("lianzao_live_messages_total", "Events handed to listeners of the live line.")
CUT = figures.Counter("lianzao_live_cut_total", "Listeners cut off because they did not read.")


@dataclass(frozen=True)
class Keys:
    """What a request identifies itself with."""

    authorization: str = ""
    session: str = ""
    station: str = ""


Identify = Callable[[Keys], Actor | None]


@dataclass(frozen=True)
class Asked:
    """A request for a line, as it came: topics with commas between, and the id to come back to."""

    keys: Keys
    topics: str
    last: str = ""


@dataclass(frozen=True)
class Admitted:
    """A request that may be served: what of it he may hear, and by what ear."""

    keys: Keys
    topics: frozenset[str]
    ear: Ear
    last: str


@dataclass(eq=False)
class Listener:
    """One open line, read by `Hub.stream`."""

    keys: Keys
    topics: frozenset[str]
    ear: Ear
    check_at: float
    queue: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_MOST))
    cut: bool = False

    @classmethod
    def of(cls, admitted: Admitted) -> Self:
        """The line of somebody who was let in."""
        return cls(admitted.keys, admitted.topics, admitted.ear, time.monotonic() + CHECK_S)

    def tell(self, frame: bytes) -> None:
        """Hand over a frame; who does not read is cut off, and comes back with the id of his last."""
        if self.cut:
            return
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            CUT.count()
            self.end()

    def end(self) -> None:
        """Close the line after what is being sent; what waits is dropped and told again when he comes back."""
        self.cut = True
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class Hub:
    """Reads news once and tells it to all who listen."""

    def __init__(self, identify: Identify, recheck_on: Mapping[str, str] | None = None) -> None:
        self.identify = identify
        self.recheck_on = recheck_on or {}
        self.listeners: dict[str, set[Listener]] = {}
        self.open: set[Listener] = set()
        self.kept: collections.deque[News] = collections.deque()
        self._kept_at: collections.deque[float] = collections.deque()  # by the monotonic clock, beside each of `kept`
        self.floor = 0  # events of transactions up to this one are no longer kept whole
        self.snapshot = ""
        self.threads = ThreadPoolExecutor(4, "who")
        self._kinds: dict[str, tuple[str, ...]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    # -- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to hear."""
        registry.load()
        self._kinds = kinds_by_entity()
        self._tasks = [asyncio.create_task(work()) for work in (self._hear, self._keep_lines)]

    async def stop(self) -> None:
        """End all lines."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listener in list(self.open):
            listener.end()
        self.threads.shutdown(wait=False, cancel_futures=True)

    @property
    def watermark(self) -> int:
        """The lowest transaction that was still running at the last reading."""
        return int(self.snapshot.partition(":")[0]) if self.snapshot else 0

    # -- reading ------------------------------------------------------------------------------------------------------

    async def _hear(self) -> None:
        pause = 0.2
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(**wake.parameters(), autocommit=True) as connection:
                    set_json_loads(orjson.loads, connection)
                    await connection.execute(f"LISTEN {wake.CHANNEL}")
                    await self._first(connection)
                    pause = 0.2
                    while True:
                        await self._read(connection)
                        async for _ in connection.notifies(timeout=POLL_S, stop_after=1):
                            pass
            except psycopg.Error as error:
                log.warning("the live line lost the database, again in %.1f s: %s", pause, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 3.0)

    async def _first(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """At the beginning, read the last ten minutes for those who come back; after a break, go on where we were."""
        now = (await (await connection.execute("SELECT pg_current_snapshot()::text")).fetchone() or ("",))[0]
        if self.snapshot and int(now.partition(":")[0]) >= self.watermark:
            return
        if self.snapshot:
            log.warning("this is another database than before: all listeners begin anew")
        self.kept.clear()
        self._kept_at.clear()
        older = await (await connection.execute(OLDER, [KEPT_S])).fetchone()
        rows = await (await connection.execute(RECENT, [KEPT_S])).fetchall()
        known, self.snapshot = self.snapshot, rows[0][0]
        # What was running at this reading has a later id or a later transaction: the next readings find it.
        self.floor = older[0] if older else 0
        for news in self._news(rows, self.floor + 1):
            self._keep(news)
        if known:
            for listener in list(self.open):
                listener.tell(self.hello(False))

    async def _read(self, connection: psycopg.AsyncConnection[Any]) -> None:
        before = self.watermark
        cursor = await connection.execute(NEW, {"xmin": before, "before": self.snapshot})
        rows = await cursor.fetchall()
        self.snapshot = rows[0][0]
        for news in self._news(rows, before):
            self._keep(news)
            self._tell(news)

    def _news(self, rows: Sequence[Any], watermark: int) -> list[News]:
        made = []
        for _, id, name, at, site_id, payload, xid in rows:
            if id is None:
                continue
            topics = topics_of(name, payload, self._kinds)
            partners = frozenset(payload.get(PARTNERS) or ())
            made.append(News(id, name, at, site_id, payload, xid, f"{watermark}:{id}", topics, partners))
        return made

    def _keep(self, news: News) -> None:
        now = time.monotonic()
        self.kept.append(news)
        self._kept_at.append(now)
        while self.kept and (len(self.kept) > KEPT_MOST or self._kept_at[0] < now - KEPT_S):
            self._kept_at.popleft()
            self.floor = max(self.floor, self.kept.popleft().xid)

    def _tell(self, news: News) -> None:
        if news.event in self.recheck_on:
            self._recheck(str(news.payload.get(self.recheck_on[news.event])))
        asked: set[Listener] = set()
        for topic in news.topics:
            asked |= self.listeners.get(topic, set())
        # Whoever may see the same hears the same: it is decided once for all of them.
        frames: dict[int, bytes | None] = {}
        told = 0
        for listener in asked:
            ear = listener.ear
            frame = frames.get(ear.sight, UNDECIDED)
            if frame is UNDECIDED:
                frame = frames[ear.sight] = ear.frame(news) if ear.hears(news) else None
            if frame is not None:
                told += 1
                listener.tell(frame)
        if told:
            TOLD.count(told)

    # -- lines --------------------------------------------------------------------------------------------------------

    async def admit(self, asked: Asked) -> Admitted:
        """Whether somebody may listen, and to what. Raises DomainError, with its status."""
        topics = topics_in(asked.topics)
        try:
            actor = await self.who(asked.keys)
        except DatabaseError as error:
            log.warning("a session could not be looked up: %s", error)
            raise Unavailable("busy") from error
        if actor is None:
            raise NotKnown("not_known")
        ear = Ear(actor)
        allowed = frozenset(topic for topic in topics if ear.may_ask(topic))
        if not allowed:
            raise NotAllowed("not_allowed", right=", ".join(sorted(topics))[:200])
        if not self.snapshot:
            raise Unavailable("busy")
        return Admitted(asked.keys, allowed, ear, asked.last)

    def add(self, admitted: Admitted, listener: Listener) -> None:
        """Open a line that holds already what was missed since `last`. Nothing is awaited, so no news slips between."""
        topics, ear, last = admitted.topics, admitted.ear, admitted.last
        if not last:
            listener.tell(self.hello(None))
        else:
            missed = self.since(last)
            heard = [news for news in missed or () if topics.intersection(news.topics) and ear.hears(news)]
            if missed is None or len(heard) > QUEUE_MOST - 10:
                listener.tell(message("reset", {"event": "reset"}))
                listener.tell(self.hello(False))
            else:
                listener.tell(self.hello(True, last))
                for news in heard:
                    listener.tell(ear.frame(news))
                listener.tell(self.hello(None))
        self.open.add(listener)
        for topic in topics:
            self.listeners.setdefault(topic, set()).add(listener)

    def remove(self, listener: Listener) -> None:
        """Forget a line."""
        self.open.discard(listener)
        for topic in listener.topics:
            held = self.listeners.get(topic)
            if held is not None:
                held.discard(listener)
                if not held:
                    del self.listeners[topic]

    def since(self, last: str) -> list[News] | None:
        """What a listener with this id may have missed; None when we no longer know."""
        found = CURSOR.fullmatch(last)
        if found is None or not self.floor < int(found[1]) <= self.watermark:
            return None
        return [news for news in self.kept if news.xid >= int(found[1]) and str(news.id) != found[2]]

    def hello(self, resumed: bool | None, cursor: str = "") -> bytes:
        """The first message of a line, and now and then a new place to come back to."""
        return message("hello", {"event": "hello", "resumed": resumed}, cursor or f"{self.watermark}:")

    async def _keep_lines(self) -> None:
        """Pings, places to come back to, and whether the session still stands."""
        ping_at = cursor_at = time.monotonic()
        while True:
            await asyncio.sleep(0.5)
            now = time.monotonic()
            frame = b""
            if now - cursor_at >= CURSOR_S and self.snapshot:
                frame, cursor_at, ping_at = self.hello(None), now, now
            elif now - ping_at >= PING_S:
                frame, ping_at = PING, now
            due: dict[Keys, list[Listener]] = {}
            for listener in list(self.open):
                if listener.cut:
                    self.remove(listener)
                    continue
                if frame:
                    listener.tell(frame)
                if now >= listener.check_at:
                    listener.check_at = now + CHECK_S
                    due.setdefault(listener.keys, []).append(listener)
            if due:
                await asyncio.gather(*(self._check(keys, lines) for keys, lines in due.items()))

    async def _check(self, keys: Keys, lines: list[Listener]) -> None:
        try:
            actor = await self.who(keys)
        except DatabaseError as error:
            log.warning("a session could not be looked up; its lines stay as they are until the next look: %s", error)
            return
        for listener in lines:
            if actor is None:
                listener.end()
            elif actor != listener.ear.actor:
                listener.ear = Ear(actor)

    def _recheck(self, actor_id: str) -> None:
        for listener in self.open:
            if str(listener.ear.actor.id) == actor_id:
                listener.check_at = 0.0

    async def who(self, keys: Keys) -> Actor | None:
        """Who these keys belong to now."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, self._who, keys)

    def _who(self, keys: Keys) -> Actor | None:
        try:
            return self.identify(keys)
        finally:
            connections.close_all()

    async def stream(self, listener: Listener) -> AsyncIterator[bytes]:
        """The bytes of a line until it ends."""
        try:
            while (frame := await listener.queue.get()) is not None:
                frames = [frame]
                while not listener.queue.empty():
                    more = listener.queue.get_nowait()
                    if more is None:
                        yield b"".join(frames)
                        return
                    frames.append(more)
                yield b"".join(frames)
        finally:
            self.remove(listener)


#: The hubs of this process: one in the live process, several in tests.
watched: collections.deque[Hub] = collections.deque(maxlen=1)
figures.Gauge(
    "lianzao_live_clients",
    "Listeners of the live line now.",
    read=lambda: {(): float(sum(len(hub.open) for hub in watched))} if watched else {},
)


def app(
    identify: Identify,
    *,
    session_cookie: str,
    station_cookie: str,
    recheck_on: Mapping[str, str] | None = None,
    beside: Callable[[Hub], AbstractAsyncContextManager[None]] = lambda _: nullcontext(),
) -> Starlette:
    """The live process's application. `identify` resolves a session in a thread; `recheck_on` names events, and the
    field that says whose lines are looked at again at once; `beside` is another way in, open while this runs."""
    hub = Hub(identify, recheck_on)
    watched.append(hub)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await hub.start()
        async with beside(hub):
            yield
        await hub.stop()

    async def live(request: Request) -> Response:
        keys = Keys(
            request.headers.get("authorization", ""),
            request.cookies.get(session_cookie, ""),
            request.cookies.get(station_cookie, ""),
        )
        last = request.headers.get("last-event-id", "") or request.query_params.get("last", "")
        try:
            admitted = await hub.admit(Asked(keys, request.query_params.get("topics", ""), last))
        except DomainError as error:
            return problem(request.headers.get("accept-language", ""), error)
        listener = Listener.of(admitted)
        hub.add(admitted, listener)
        return StreamingResponse(hub.stream(listener), media_type="text/event-stream", headers=HEADERS)

    async def ready(_: Request) -> Response:
        return JSONResponse({"status": "ok" if hub.snapshot else "starting"}, 200 if hub.snapshot else 503)

    made = Starlette(routes=[Route("/live", live), Route("/live/ready", ready)], lifespan=lifespan)
    made.state.hub = hub
    return made


def topics_in(text: str) -> frozenset[str]:
    """The topics of a query, separated by commas. Raises Invalid."""
    topics = frozenset(topic for topic in text.split(",") if topic)
    if not topics:
        raise Invalid("field_missing", field="topics")
    if len(topics) > TOPICS_MOST or any(len(topic) > 200 for topic in topics):
        raise Invalid("too_long", field="topics")
    return topics


def problem(accept_language: str, error: DomainError) -> Response:
    """A refusal as problem+json."""
    status, code, facts, field = error.status, error.code, error.facts, error.field
    asked = accept_language.lower()
    said = words.say(f"error.{code}", "en" if asked.startswith("en") else "zh-CN", **facts, field=field or "")
    body = {"type": f"https://lianzao.example/problems/{code}", "title": said, "status": status, "code": code}
    body |= {"detail": said, "facts": {name: str(value) for name, value in facts.items()}}
    if field:
        body["field"] = field
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": "1"} if status == 503 else {})
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")
