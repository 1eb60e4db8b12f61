"""One origin: a small reverse proxy before the processes. `/live` goes to the live process, all else to the web.

A listener on the live line who speaks plain HTTP is handed over whole: each event would cost twice as much here.

HTTP/1.1, keep-alive on both sides; bodies stream both ways, a slow reader slows the sender, nothing is collected.
It says who really called (X-Forwarded-For and -Proto, replacing what the caller claims), answers 502 or 503 while a
process restarts, and at SIGTERM lets running requests end. What may be repeated (reads, and orders with an
Idempotency-Key) is sent once more when the process behind went away before it answered: the caller does not notice.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import ipaddress
import json
import logging
import os
import re
import socket
import ssl as tls
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from lianzao.foundation import figures, tracing
from lianzao.foundation.trail import trail
from project.framing import (
    Answer,
    ChunkedBody,
    ClosingBody,
    LengthBody,
    Refused,
    Request,
    read_answer,
    read_request,
    take_head,
)
from project.handing import Hand

log = logging.getLogger("lianzao.front")

BODY_LIMIT = 64 * 1024 * 1024
HIGH_WATER = 256 * 1024
HEAD_S = 15.0
BODY_S = 60.0
IDLE_S = 75.0
UPSTREAM_IDLE_S = 30.0
ANSWER_S = 150.0  # a statement may take 120 s
STALLED_S = 60.0
LINGER_S = 2.0
RENEW_S = 3600.0
TLS_RECORD = b"\x16"  # what a TLS connection begins with, and no request of HTTP
HOST = re.compile(rb"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
#: A monitor may ask these from anywhere, also past the proxy.
FOR_ALL = frozenset((b"/healthz", b"/readyz"))
PATIENCE_S = 1.0  # how long a request waits for a process that is just restarting
HAND_TRIES, HAND_PAUSE_S = 100, 0.02
REPEAT_LIMIT = 256 * 1024  # of a body, kept until the answer begins
REPEATABLE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))
LOOPBACK = frozenset(("127.0.0.1", "::1"))
#: Only we say these to the processes behind; what a caller says by such a name is dropped.
SAID_BY_US = (b"x-forwarded-", b"x-lianzao-", b"x-trace-id")
FORWARDING = frozenset((b"forwarded", b"x-real-ip"))
#: Where we send traces, only a proxy we believe says what trace a request belongs to.
TRACE_CONTEXT = frozenset((b"traceparent", b"tracestate"))
REASONS = {
    308: "Permanent Redirect",
    400: "Bad Request",
    403: "Forbidden",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}
SENTENCES = {
    403: ("请使用系统的安全地址（https）访问。", "Please come by the system's secure address (https)."),
    408: ("请求没有按时收完。", "The request did not arrive in time."),
    413: ("请求内容太大。", "The request is too large."),
    502: ("处理请求的进程中途停止了, 请重试。", "The process that handled the request stopped: please try again."),
    503: ("系统正在重新启动, 请稍候再试。", "The system is restarting: please try again in a moment."),
    504: ("系统没有按时回答。", "The system did not answer in time."),
}
REFUSED = ("请求格式不正确, 已被拒绝。", "The request is malformed and was refused.")


FORWARDED = figures.Histogram(
    "lianzao_front_seconds",
    "How long a request took from its head to the head of the answer, by the process asked and the status.",
    ("to", "status"),
)


@dataclass
class Place:
    """One process behind: its Unix socket (or host and port), the connections kept open to it, those in use."""

    address: str | tuple[str, int]
    idle: list[Line] = field(default_factory=list)
    busy: int = 0


class Upstream:
    """One kind of process behind, of which there may be several: each request goes to the one with the least to do.

    They do not share a socket, because then whoever is awake takes all connections, and keeps them.
    """

    def __init__(self, name: str, *addresses: str | tuple[str, int], hand: Hand | None = None) -> None:
        self.name = name
        self.hand = hand  # where it takes whole connections over, if it does
        self.places = [Place(address) for address in addresses]

    @property
    def idle(self) -> list[Line]:
        """All connections kept open."""
        return [line for place in self.places for line in place.idle]

    def kept(self) -> Line | None:
        """A connection kept open to the process with the least to do; None when it has to be made."""
        place = min(self.places, key=_busy)
        while place.idle:
            line = place.idle.pop()
            if not line.transport.is_closing():
                return line
        return None

    async def connect(self, loop: asyncio.AbstractEventLoop) -> Line:
        """A new connection, waiting a moment for a process that is just starting. Raises OSError."""
        until = loop.time() + PATIENCE_S
        while True:
            for place in sorted(self.places, key=_busy):
                place.busy += 1  # whoever asks meanwhile shall take another
                try:
                    if isinstance(place.address, str):
                        made = await loop.create_unix_connection(lambda place=place: Line(self, place), place.address)
                    else:
                        made = await loop.create_connection(lambda place=place: Line(self, place), *place.address)
                except OSError:
                    if loop.time() >= until:
                        raise
                else:
                    return made[1]
                finally:
                    place.busy -= 1
            await asyncio.sleep(0.05)


def _busy(place: Place) -> int:
    return place.busy


class Line(asyncio.Protocol):
    """A connection to a process behind."""

    def __init__(self, upstream: Upstream, place: Place) -> None:
        self.upstream = upstream
        self.place = place
        self.caller: Caller | None = None
        self.answer: Answer | None = None
        self.idle_since = 0.0
        self.buffer = bytearray()
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.caller is None:  # nobody asked
            self.transport.abort()
            return
        self.buffer += data
        try:
            self._read(self.caller)
        except Refused:
            log.warning("%s answered what cannot be read", self.upstream.name)
            self.caller.lost("bad_answer")
            self.drop()

    def _read(self, caller: Caller) -> None:
        while self.answer is None:
            head = take_head(self.buffer)
            if head is None:
                return
            answer = read_answer(head, caller.request.method if caller.request else b"GET")
            if answer.status >= 200:
                self.answer = answer
                caller.answered(answer)
            elif answer.status == 101:
                raise Refused(502, "bad_answer")
        body = self.answer.body
        if body is not None:
            piece = body.feed(self.buffer)
            if piece:
                caller.send_body(piece)
        if body is None or body.done:
            self._finish(caller)

    def _finish(self, caller: Caller) -> None:
        assert self.answer is not None
        whole = caller.body_sent and self.answer.keep_alive and not self.buffer
        self.let_go()
        self.answer = None
        caller.line = None
        if whole and not self.transport.is_closing():
            self.idle_since = asyncio.get_running_loop().time()
            self.transport.resume_reading()
            self.place.idle.append(self)
        else:
            self.transport.abort()
        caller.finished()

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self.place.idle:
            self.place.idle.remove(self)
        caller = self.caller
        self.let_go()
        if caller is None:
            return
        if self.answer is not None and isinstance(self.answer.body, ClosingBody):
            caller.line = None
            caller.finished()
            return
        caller.lost("process_stopped")

    def pause_writing(self) -> None:
        if self.caller is not None:
            self.caller.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.caller is not None:
            self.caller.transport.resume_reading()

    def take(self, caller: Caller) -> None:
        """Serve a caller."""
        self.caller = caller
        self.place.busy += 1

    def let_go(self) -> None:
        """Serve nobody."""
        if self.caller is not None:
            self.caller = None
            self.place.busy -= 1

    def drop(self) -> None:
        """Give the connection up."""
        self.let_go()
        self.transport.abort()


class Caller(asyncio.Protocol):
    """A connection from outside. One request at a time; what comes behind it waits in the buffer."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.secure = False
        self.caller_address = ""
        self.scheme = b"http"
        self.buffer = bytearray()
        self.request: Request | None = None
        self.answer: Answer | None = None
        self.line: Line | None = None
        self.connecting: asyncio.Task[None] | None = None
        self.lingering = False
        self.paused = False
        self.body_sent = True
        self.kept: bytearray | None = None  # what was passed of the body, while the request may be sent once more
        self.repeated = False
        self.received = 0
        self.deadline = 0.0
        self.peer = ""
        self.trace = ""
        self.unsaid = FORWARDING
        self.began = 0.0
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)

    # -- what comes from outside --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        self.secure = transport.get_extra_info("ssl_object") is not None
        self.trace = os.urandom(16).hex()
        self.front.callers.add(self)
        self._by(IDLE_S)
        if len(self.front.callers) > self.front.most_callers:
            self.refuse(503, "too_many_connections")

    def data_received(self, data: bytes) -> None:
        if self.lingering:
            return
        self.buffer += data
        self.advance()

    def advance(self) -> None:
        """Go on with what is in the buffer."""
        if self.lingering or self.transport.is_closing():
            return
        try:
            if self.request is None:
                if not self.buffer:
                    return
                head = take_head(self.buffer)
                if head is None:
                    if self.received == 0:
                        self.received = 1
                        self._by(HEAD_S)
                    return
                self.request = read_request(head)
                self._begin(self.request)
                if self.request is None:  # answered by ourselves
                    return
            self._pass_body()
        except Refused as error:
            self.refuse(error.status, error.code)

    def _begin(self, request: Request) -> None:
        self.received = 0
        self.trace = os.urandom(16).hex()
        self.began = self.front.loop.time()
        self.body_sent = request.body is None
        repeatable = request.method in REPEATABLE or request.get(b"idempotency-key")
        self.kept, self.repeated = (bytearray() if repeatable else None), False
        if isinstance(request.body, LengthBody) and request.body.left > BODY_LIMIT:
            raise Refused(413, "body_too_large")
        self._by(BODY_S)
        own = self.front.own.get(request.path)
        if own is not None and request.method in (b"GET", b"HEAD"):
            self._say(200, own.fields, own.body)
        elif self.front.ssl is not None and not self.secure:
            self._send_to_https(request)
        else:
            self._who_calls(request)
            if self.front.traced:
                self._trace_of(request)
            hand = self.front.upstream_of(request.path).hand
            if hand is not None and self._may_be_handed_over(request):
                self._hand_over(hand, self._head_for(request), HAND_TRIES)
            else:
                # A line that lay idle may be closed at this very moment: what cannot be sent again does not go over it.
                self._find_line(fresh=self.kept is None)

    def _may_be_handed_over(self, request: Request) -> bool:
        """Whether the process behind may speak to the caller itself: only where no TLS and nothing sent is ours."""
        alone = not self.buffer and not self.transport.get_write_buffer_size()
        plain = not self.secure and request.method == b"GET" and request.body is None
        return alone and plain and request.path in self.front.routes

    def _hand_over(self, hand: Hand, head: bytes, tries: int) -> None:
        """Give the connection away and forget it. When many come at once, it waits its turn."""
        if self.request is None or self.transport.is_closing():
            return
        taken = not self.buffer and hand.give(head, self.transport.get_extra_info("socket").fileno())
        if taken:
            self._measured("handed")
            self.request = None
            self.transport.abort()  # our copy only: the connection stays
        elif tries and not self.buffer and not self.front.stopping:
            self.transport.pause_reading()
            self.front.loop.call_later(HAND_PAUSE_S, self._hand_over, hand, head, tries - 1)
        else:
            self.transport.resume_reading()
            self._find_line(fresh=False)

    def _send_to_https(self, request: Request) -> None:
        """The same address by HTTPS. What was sent in the clear is not looked at."""
        host = HOST.fullmatch(request.get(b"host"))
        if host is None or not request.target.startswith(b"/"):
            raise Refused(400, "bad_host")
        port = self.front.https_port if self.front.https_port is not None else int(host[2] or 443)
        place = host[1] + (b"" if port == 443 else b":%d" % port)
        self._say(308, [(b"location", b"https://" + place + request.target)], b"")

    def _who_calls(self, request: Request) -> None:
        """Whose request this is: the peer's, unless the peer is the proxy in front, whose word about it counts."""
        self.caller_address = self.peer
        self.scheme = b"https" if self.secure else b"http"
        if not self.front.proxies or self.secure:
            return
        if self.front.trusts(self.peer):
            said = b",".join(value for name, value in request.fields if name == b"x-forwarded-for").decode("latin-1")
            for each in reversed([part.strip() for part in said.split(",") if part.strip()]):
                self.caller_address = each[:45] if _is_address(each) else self.peer
                if not self.front.trusts(self.caller_address):
                    break
            forwarded = [value for name, value in request.fields if name == b"x-forwarded-proto"]
            self.scheme = b"https" if forwarded[-1:] == [b"https"] else b"http"
        elif self.peer not in LOOPBACK and request.path not in FOR_ALL:
            raise Refused(403, "not_by_the_proxy")

    def _trace_of(self, request: Request) -> None:
        """A proxy we believe may say a trace, by which the log then goes too; what others say of it is dropped."""
        believed = not self.secure and self.front.trusts(self.peer)
        said = tracing.caller_of(request.get(b"traceparent").decode("latin-1")) if believed else None
        if said is not None:
            self.trace = said[0]
        self.unsaid = FORWARDING if said is not None else FORWARDING | TRACE_CONTEXT

    def _find_line(self, fresh: bool) -> None:
        assert self.request is not None
        upstream = self.front.upstream_of(self.request.path)
        line = None if fresh else upstream.kept()
        if line is not None:
            self._take(line)
            return
        self.connecting = self.front.loop.create_task(self._connect(upstream))

    async def _connect(self, upstream: Upstream) -> None:
        try:
            line = await upstream.connect(self.front.loop)
        except OSError as error:
            with trail(trace=self.trace):
                log.warning("%s cannot be reached: %s", upstream.name, error)
            self.refuse(503, "restarting")
            return
        finally:
            self.connecting = None
        if self.lingering or self.transport.is_closing():
            line.transport.abort()
            return
        self.transport.resume_reading()
        self._take(line)
        self.advance()

    def _take(self, line: Line) -> None:
        assert self.request is not None
        self.line = line
        line.take(self)
        if self.paused:
            line.transport.pause_reading()
        line.transport.write(self._head_for(self.request))
        if self.kept:
            line.transport.write(bytes(self.kept))
        self._by(ANSWER_S if self.body_sent else BODY_S)
        if self.request.expects_continue and not self.body_sent and not self.buffer and not self.repeated:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _head_for(self, request: Request) -> bytes:
        lines = [request.method + b" " + request.target + b" HTTP/1.1"]
        lines += [
            name + b": " + value
            for name, value in request.fields
            if not name.startswith(SAID_BY_US) and name not in self.unsaid
        ]
        lines.append(b"x-forwarded-for: " + self.caller_address.encode("ascii", "replace"))
        lines.append(b"x-forwarded-proto: " + self.scheme)
        lines.append(b"x-trace-id: " + self.trace.encode())
        if self._is_local(request):
            lines.append(b"x-lianzao-local: 1")
        if isinstance(request.body, ChunkedBody):
            lines.append(b"transfer-encoding: chunked")
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def _is_local(self, request: Request) -> bool:
        """Whether the caller is a program of this machine, and no proxy that speaks for others."""
        if self.front.trusts(self.peer):
            return False
        return self.peer in LOOPBACK and not any(
            name.startswith(b"x-forwarded-") or name in FORWARDING for name, _ in request.fields
        )

    def _pass_body(self) -> None:
        request, line = self.request, self.line
        if request is None:
            return
        if self.body_sent or line is None or request.body is None:
            if len(self.buffer) > HIGH_WATER:
                self.transport.pause_reading()
            return
        chunked = isinstance(request.body, ChunkedBody)
        piece = request.body.feed(self.buffer)
        self.received += len(piece)
        if self.received > BODY_LIMIT:
            raise Refused(413, "body_too_large")
        if piece:
            self._write_body(line, _chunk(piece) if chunked else piece)
            self._by(BODY_S)
        if request.body.done:
            if chunked:
                self._write_body(line, b"0\r\n\r\n")
            self.body_sent = True
            self._by(ANSWER_S)

    def _write_body(self, line: Line, data: bytes) -> None:
        line.transport.write(data)
        if self.kept is not None:
            self.kept += data
            if len(self.kept) > REPEAT_LIMIT:
                self.kept = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.front.callers.discard(self)
        self.request = None
        if self.connecting is not None:
            self.connecting.cancel()
        if self.line is not None:
            self.line.drop()
            self.line = None
        self.front.ended()

    def pause_writing(self) -> None:
        self.paused = True
        self._by(STALLED_S)
        if self.line is not None:
            self.line.transport.pause_reading()

    def resume_writing(self) -> None:
        self.paused = False
        if not self.lingering:
            self.deadline = self.front.loop.time() + IDLE_S if self.request is None else 0.0
        if self.line is not None:
            self.line.transport.resume_reading()

    # -- what comes from behind ---------------------------------------------------------------------------------------

    def answered(self, answer: Answer) -> None:
        """The head of the answer is here."""
        assert self.request is not None
        self.answer = answer
        self.kept = None
        self.deadline = 0.0
        self._measured(answer.status)
        lines = [answer.start, *(name + b": " + value for name, value in answer.fields)]
        if self.scheme == b"https" and not _is_this_machine(self.request):
            lines.append(b"strict-transport-security: max-age=%d" % self.front.hsts_s)
        if self._is_chunked():
            lines.append(b"transfer-encoding: chunked")
        if not self._goes_on():
            lines.append(b"connection: close")
        elif self.request.minor == 0:
            lines.append(b"connection: keep-alive")
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n")

    def _measured(self, status: int | str) -> None:
        upstream = "none" if self.request is None else self.front.upstream_of(self.request.path).name
        said = status if isinstance(status, str) else f"{status // 100}xx"
        FORWARDED.observe(self.front.loop.time() - self.began, to=upstream, status=said)

    def _goes_on(self) -> bool:
        """Whether another request may follow on this connection."""
        assert self.request is not None and self.answer is not None
        endless = self._has_no_length() and self.request.minor == 0
        return self.request.keep_alive and self.body_sent and not endless and not self.front.stopping

    def _has_no_length(self) -> bool:
        assert self.answer is not None
        return self.answer.body is not None and not isinstance(self.answer.body, LengthBody)

    def _is_chunked(self) -> bool:
        assert self.request is not None
        return self._has_no_length() and self.request.minor == 1

    def send_body(self, piece: bytes) -> None:
        """A piece of the answer's body."""
        self.transport.write(_chunk(piece) if self._is_chunked() else piece)

    def finished(self) -> None:
        """The answer is whole: close, or be ready for the next request."""
        if self.request is None or self.answer is None:
            return
        if self._is_chunked():
            self.transport.write(b"0\r\n\r\n")
        goes_on = self._goes_on()
        self.request, self.answer = None, None
        self.received = 0
        if goes_on:
            self._by(IDLE_S)
            self.transport.resume_reading()
            if self.buffer:
                self.front.loop.call_soon(self.advance)
        elif self.body_sent:
            self.transport.close()
        else:
            self._linger()

    def lost(self, code: str) -> None:
        """The process behind went away in the middle."""
        self.line = None
        request = self.request
        if request is None or self.transport.is_closing():
            return
        if self.answer is not None:
            self.transport.abort()  # the caller must see that the answer is not whole
            return
        if self.kept is not None and not self.repeated and code == "process_stopped":
            self.repeated = True
            self._find_line(fresh=True)
            return
        self.refuse(502, code)

    # -- refusing and ending ------------------------------------------------------------------------------------------

    def refuse(self, status: int, code: str) -> None:
        """Answer with a problem and close; if an answer has begun, cut it."""
        if self.answer is not None:
            self.transport.abort()
            return
        if self.request is not None:
            self._measured(status)
        zh, en = SENTENCES.get(status, REFUSED) if code != "bad_host" else REFUSED
        english = self.request is not None and self.request.get(b"accept-language").lower().startswith(b"en")
        said = en if english else zh
        body = json.dumps(
            {"type": "about:blank", "title": said, "status": status, "code": code, "detail": said, "facts": {}}
            | {"trace_id": self.trace},
            ensure_ascii=False,
        ).encode()
        more = [(b"retry-after", b"1")] if status == 503 else []
        self._say(
            status, [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store"), *more], body
        )

    def _say(self, status: int, fields: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        """An answer of our own, after which the connection is closed."""
        lines = [
            f"HTTP/1.1 {status} {REASONS.get(status, 'OK' if status == 200 else 'Refused')}".encode(),
            *(name + b": " + value for name, value in fields),
            b"content-length: %d" % len(body),
            b"connection: close",
        ]
        head_only = self.request is not None and self.request.method == b"HEAD"
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if head_only else body))
        self._linger()

    def _linger(self) -> None:
        """Close, but read on for a moment: a reset would take the answer away from a caller who still sends."""
        self.lingering = True
        self.buffer.clear()
        if self.line is not None:
            self.line.drop()
            self.line = None
        self.request = None
        self._by(LINGER_S)
        if self.transport.can_write_eof():
            self.transport.resume_reading()
            self.transport.write_eof()
        else:
            self.transport.close()

    def overdue(self, now: float) -> None:
        """Look whether the time is up."""
        if not self.deadline or now < self.deadline:
            return
        self.deadline = 0.0
        if self.lingering or self.paused or (self.request is None and not self.received):
            self.transport.abort()
        elif self.request is None or not self.body_sent:
            self.refuse(408, "too_slow")
        else:
            self.refuse(504, "no_answer")

    def _by(self, seconds: float) -> None:
        self.deadline = self.front.loop.time() + seconds


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_this_machine(request: Request) -> bool:
    """A browser that was told so of `localhost` would refuse every other program's plain HTTP there, on all ports."""
    host = HOST.fullmatch(request.get(b"host"))
    return host is None or host[1].lower() in (b"localhost", b"127.0.0.1", b"[::1]")


@dataclass(frozen=True)
class Own:
    """A page the front answers itself, by HTTP too: what a device needs before it can trust us."""

    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes


class Front:
    """The proxy. `routes` are path beginnings with the process they lead to; the rest goes to `web`.

    With `ssl` the sockets speak HTTPS, and send who speaks plain HTTP there; `renew` is called now and then to look at
    the certificate. `proxies`: whose word about a request's origin counts, where TLS ends before us.
    """

    def __init__(
        self,
        web: Upstream,
        routes: dict[bytes, Upstream] | None = None,
        *,
        ssl: tls.SSLContext | None = None,
        renew: Callable[[], Awaitable[None]] | None = None,
        own: Mapping[bytes, Own] | None = None,
        proxies: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network] = (),
        https_port: int | None = None,
        hsts_s: int = 365 * 86400,
        traced: bool = False,
    ) -> None:
        self.web = web
        self.routes = routes or {}
        self.ssl = ssl
        self.renew = renew
        self.own = own or {}
        self.proxies = tuple(proxies)
        self.https_port = https_port
        self.hsts_s = hsts_s
        self.traced = traced
        self._trusted: dict[str, bool] = {}
        self._doors: list[asyncio.Task[None]] = []
        self._listening: list[socket.socket] = []
        self._greeted: set[asyncio.Task[None]] = set()
        self.callers: set[Caller] = set()
        watched.append(self)
        self.stopping = False
        self.most_callers = 4000
        self.loop: asyncio.AbstractEventLoop = cast(asyncio.AbstractEventLoop, None)
        self._servers: list[asyncio.Server] = []
        self._watch: asyncio.Task[None] | None = None
        self._quiet: asyncio.Event | None = None

    def upstream_of(self, path: bytes) -> Upstream:
        """Which process answers for a path."""
        for beginning, upstream in self.routes.items():
            if path == beginning or path.startswith(beginning + b"/"):
                return upstream
        return self.web

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Begin to listen on sockets that are bound already."""
        self.loop = asyncio.get_running_loop()
        self._quiet = asyncio.Event()
        self.most_callers = room_for_callers()
        for each in sockets:
            each.setblocking(False)
            if self.ssl is None:
                self._servers.append(await self.loop.create_server(lambda: Caller(self), sock=each, backlog=1024))
            else:
                self._listening.append(each)
                self._doors.append(self.loop.create_task(self._open_door(each)))
        self._watch = self.loop.create_task(self._watch_time())

    async def stop(self, grace: float = 5.0) -> None:
        """Take no more callers, let running requests end (streams are cut), then close everything."""
        self.stopping = True
        for server in self._servers:
            server.close()
        for task in (*self._doors, *self._greeted):
            task.cancel()
        await asyncio.gather(*self._doors, *self._greeted, return_exceptions=True)
        for each in self._listening:
            each.close()
        for caller in list(self.callers):
            if caller.request is None or (caller.answer is not None and caller.answer.streams):
                caller.transport.close()
        assert self._quiet is not None
        self.ended()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), grace)
        for caller in list(self.callers):
            caller.transport.abort()
        for upstream in (self.web, *self.routes.values()):
            for line in list(upstream.idle):
                line.transport.abort()
        if self._watch is not None:
            self._watch.cancel()
        await asyncio.sleep(0)

    def trusts(self, address: str) -> bool:
        """Whether this is the proxy in front."""
        if not self.proxies or not address:
            return False
        known = self._trusted.get(address)
        if known is None:
            known = _is_address(address) and any(ipaddress.ip_address(address) in each for each in self.proxies)
            if len(self._trusted) < 10_000:
                self._trusted[address] = known
        return known

    # -- one port for both --------------------------------------------------------------------------------------------

    async def _open_door(self, listening: socket.socket) -> None:
        """Accept callers, and look at each one's first byte before it is decided what he speaks."""
        while True:
            try:
                made, _ = await self.loop.sock_accept(listening)
            except OSError as error:  # no file descriptors left, or he went already
                log.warning("a caller could not be let in: %s", error.strerror)
                await asyncio.sleep(0.05)
                continue
            if len(self._greeted) + len(self.callers) >= self.most_callers:
                made.close()
                continue
            greeting = self.loop.create_task(self._greet(made))
            self._greeted.add(greeting)
            greeting.add_done_callback(self._greeted.discard)

    async def _greet(self, made: socket.socket) -> None:
        try:
            made.setblocking(False)
            first = await asyncio.wait_for(self._first_byte(made), HEAD_S)
            if not first:
                made.close()
            elif first == TLS_RECORD:
                await self.loop.connect_accepted_socket(
                    lambda: Caller(self), made, ssl=self.ssl, ssl_handshake_timeout=HEAD_S
                )
            else:
                await self.loop.connect_accepted_socket(lambda: Caller(self), made)
        except (OSError, TimeoutError):  # he went away, does not trust us yet, or speaks what we do not
            made.close()
        except asyncio.CancelledError:
            made.close()
            raise

    async def _first_byte(self, made: socket.socket) -> bytes:
        """What comes first, left where it is."""
        while True:
            try:
                return made.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                pass
            came = self.loop.create_future()
            number = made.fileno()
            self.loop.add_reader(number, lambda waiting=came: waiting.done() or waiting.set_result(None))
            try:
                await came
            finally:
                self.loop.remove_reader(number)

    def ended(self) -> None:
        """A request or a connection has ended."""
        if self.stopping and not self.callers and self._quiet is not None:
            self._quiet.set()

    async def _watch_time(self) -> None:
        renew_at = self.loop.time() + RENEW_S
        while True:
            await asyncio.sleep(1.0)
            now = self.loop.time()
            if self.renew is not None and now >= renew_at:
                renew_at = now + RENEW_S
                try:
                    await self.renew()
                except Exception:  # the certificate in use goes on; the next look is in an hour
                    log.exception("the certificate could not be looked at")
            for caller in list(self.callers):
                caller.overdue(now)
            for upstream in (self.web, *self.routes.values()):
                for line in [each for each in upstream.idle if now - each.idle_since > UPSTREAM_IDLE_S]:
                    line.place.idle.remove(line)
                    line.transport.abort()


#: The front of this process.
watched: collections.deque[Front] = collections.deque(maxlen=1)
figures.Gauge(
    "lianzao_front_connections",
    "Connections from outside now.",
    read=lambda: {(): float(sum(len(each.callers) for each in watched))} if watched else {},
)


def room_for_callers() -> int:
    """How many callers there are file descriptors for, after asking for as many as we may have."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return max(64, (soft - 100) // 2)
