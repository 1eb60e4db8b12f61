"""Lines of the live process that came by the front's hand: the connection itself, not its bytes.

The front reads the request of a listener who speaks plain HTTP and passes the open socket on (SCM_RIGHTS), with the
head of the request. From then on the live process writes to the listener itself: each event is one write, where a proxy
makes it two writes, two reads and two times the bookkeeping. Listeners who speak HTTPS to us stay with the front, which
holds their keys; those behind a proxy that ends TLS come by hand too.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs

from starlette.requests import cookie_parser

from lianzao.foundation.live import CUT, HEADERS, QUEUE_MOST, Admitted, Asked, Hub, Keys, Listener, problem
from lianzao.values.errors import DomainError, Unavailable
from project.framing import HEAD_LIMIT, Refused, Request, read_request
from project.front import room_for_callers

log = logging.getLogger("lianzao.live")

STALLED_MS = 60_000
BEGINNING = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    + "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    + "Connection: close\r\n\r\n"
).encode()


class DirectListener(Listener):
    """A line whose socket is ours. What cannot be sent at once waits; who does not read is cut off."""

    hub: Hub
    made: socket.socket
    loop: asyncio.AbstractEventLoop
    waiting: collections.deque[bytes]

    def begin(self, hub: Hub, made: socket.socket) -> None:
        """Answer, and go on with whatever is told."""
        self.hub, self.made = hub, made
        self.loop = asyncio.get_running_loop()
        self.waiting = collections.deque()
        self.loop.add_reader(made.fileno(), self._read)
        self.tell(BEGINNING)

    def tell(self, frame: bytes) -> None:
        """Send a frame, or keep it until there is room."""
        if self.cut:
            return
        if self.waiting:
            self.waiting.append(frame)
            if len(self.waiting) > QUEUE_MOST:
                CUT.count()
                self.end()
            return
        sent = self._send(frame)
        if sent is not None and sent < len(frame):
            self.waiting.append(frame[sent:])
            self.loop.add_writer(self.made.fileno(), self._go_on)

    def end(self) -> None:
        """Close the line; what waits is told again when he comes back."""
        if self.cut:
            return
        self.cut = True
        self.loop.remove_reader(self.made.fileno())
        self.loop.remove_writer(self.made.fileno())
        self.waiting.clear()
        self.made.close()
        self.hub.remove(self)

    def _send(self, frame: bytes) -> int | None:
        try:
            return self.made.send(frame)
        except BlockingIOError:
            return 0
        except OSError:  # he went away
            self.end()
            return None

    def _go_on(self) -> None:
        while self.waiting:
            frame = self.waiting[0]
            sent = self._send(frame)
            if sent is None:
                return
            if sent < len(frame):
                self.waiting[0] = frame[sent:]
                return
            self.waiting.popleft()
        self.loop.remove_writer(self.made.fileno())

    def _read(self) -> None:
        """A listener says nothing more; when he does, it is not looked at. He closes: the line ends."""
        try:
            if self.made.recv(4096):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.end()


class Door:
    """Where the front hands over."""

    def __init__(self, hub: Hub, path: Path, session_cookie: str, station_cookie: str) -> None:
        self.hub = hub
        self.path = path
        self.cookies = (session_cookie, station_cookie)
        self.most = room_for_callers() * 2
        self._tasks: set[asyncio.Task[None]] = set()
        self._fronts: set[socket.socket] = set()

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Take lines while the block runs."""
        self.loop = asyncio.get_running_loop()
        self.path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
            listening.bind(str(self.path))
            self.path.chmod(0o600)
            listening.listen(16)
            listening.setblocking(False)
            self.loop.add_reader(listening.fileno(), self._accept, listening)
            try:
                yield
            finally:
                self.loop.remove_reader(listening.fileno())
                for front in list(self._fronts):
                    self._leave(front)
                for task in self._tasks:
                    task.cancel()
                self.path.unlink(missing_ok=True)

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            front, _ = listening.accept()
            front.setblocking(False)
            self._fronts.add(front)
            self.loop.add_reader(front.fileno(), self._receive, front)

    def _leave(self, front: socket.socket) -> None:
        self.loop.remove_reader(front.fileno())
        self._fronts.discard(front)
        front.close()

    def _receive(self, front: socket.socket) -> None:
        """One message: the head of a request, and its connection."""
        try:
            head, numbers, _, _ = socket.recv_fds(front, HEAD_LIMIT * 2, 1)
        except BlockingIOError:
            return
        except OSError:
            head, numbers = b"", []
        if not head:
            self._leave(front)
            return
        for number in numbers:
            made = socket.socket(fileno=number)
            made.setblocking(False)
            task = self.loop.create_task(self._serve(made, head))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, made: socket.socket, head: bytes) -> None:
        language = ""
        try:
            request = read_request(head.removesuffix(b"\r\n\r\n"))
            language = request.get(b"accept-language").decode("latin-1")
            if len(self.hub.open) > self.most:
                raise Unavailable("busy")
            admitted = await self.hub.admit(self._asked(request))
        except (Refused, DomainError) as error:
            told = error if isinstance(error, DomainError) else Unavailable("busy")
            await self._refuse(made, language, told)
            return
        except BaseException:
            made.close()
            raise
        self._begin(made, admitted)

    def _begin(self, made: socket.socket, admitted: Admitted) -> None:
        with contextlib.suppress(OSError, AttributeError):
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_MS)
        listener = DirectListener.of(admitted)
        listener.begin(self.hub, made)
        self.hub.add(admitted, listener)
        if listener.cut:  # he was gone before the first words
            self.hub.remove(listener)

    def _asked(self, request: Request) -> Asked:
        jar = cookie_parser(request.get(b"cookie").decode("latin-1"))
        session, station = (jar.get(name, "") for name in self.cookies)
        query = parse_qs(request.target.partition(b"?")[2].decode("latin-1"))
        keys = Keys(request.get(b"authorization").decode("latin-1"), session, station)
        last = request.get(b"last-event-id").decode("latin-1") or query.get("last", [""])[0]
        return Asked(keys, query.get("topics", [""])[0], last)

    async def _refuse(self, made: socket.socket, language: str, error: DomainError) -> None:
        said = problem(language, error)
        lines = [f"HTTP/1.1 {said.status_code} Refused".encode()]
        lines += [name + b": " + value for name, value in said.raw_headers]
        body = cast(bytes, said.body)
        with contextlib.suppress(OSError):
            await self.loop.sock_sendall(made, b"\r\n".join([*lines, b"Connection: close", b"", body]))
        made.close()
