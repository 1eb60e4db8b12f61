"""The reverse proxy with raw sockets: what passes, what streams, what is refused, what happens when a process dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from project import front as front_module
from project.framing import ChunkedBody, Refused, read_request, take_head
from project.front import Front, Upstream
from project.handing import Hand


class Echo:
    """A server behind: says what it got. `/stream` sends two pieces with a wait, `/die` closes in the middle."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.release: asyncio.Event | None = None
        self.connections = 0
        self.deaths = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                target = head.split(b" ")[1]
                body = await self.body_of(head, reader)
                self.bodies.append(body)
                if target == b"/dies-once" and not self.deaths:
                    self.deaths += 1
                    writer.close()
                    return
                if target == b"/die":
                    writer.close()
                    return
                if target == b"/half":
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345")
                    await writer.drain()
                    writer.close()
                    return
                if target.startswith(b"/live"):
                    await self.stream(writer)
                    continue
                if target == b"/big":
                    size = 16_000_000
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
                    await writer.drain()
                    continue
                if target == b"/none":
                    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                    continue
                said = b"" if head.startswith(b"HEAD") else body
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nx-a_b: 1\r\n\r\n" % len(body) + said)

    async def body_of(self, head: bytes, reader: asyncio.StreamReader) -> bytes:
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        if b"content-length" in fields:
            return await reader.readexactly(int(fields[b"content-length"]))
        taken = b""
        while fields.get(b"transfer-encoding") == b"chunked":
            size = int(await reader.readline(), 16)
            taken += (await reader.readexactly(size + 2))[:-2]
            if size == 0:
                break
        return taken

    async def stream(self, writer: asyncio.StreamWriter) -> None:
        self.release = asyncio.Event()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(b"5\r\nfirst\r\n")
        await writer.drain()
        await self.release.wait()
        writer.write(b"6\r\nsecond\r\n0\r\n\r\n")
        await writer.drain()


class Running:
    """The front and the server behind it, in a thread."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "web.sock")
        self.echo = Echo()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.call(self.open())

    async def open(self) -> None:
        self.server = await asyncio.start_unix_server(self.echo.serve, self.path)
        self.front = Front(Upstream("web", self.path), {b"/live": Upstream("live", self.path)})
        await self.front.start([self.listening])

    async def end(self) -> None:
        self.server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def close(self) -> None:
        self.call(self.front.stop(0.2))
        self.call(self.end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def ask(self, data: bytes) -> bytes:
        """Send bytes, give all bytes until the other side closes."""
        with self.connect() as made:
            made.sendall(data)
            return everything(made)


def everything(made: socket.socket) -> bytes:
    taken = b""
    while piece := made.recv(65536):
        taken += piece
    return taken


def until(made: socket.socket, end: bytes) -> bytes:
    taken = b""
    while not taken.endswith(end):
        piece = made.recv(65536)
        assert piece, taken
        taken += piece
    return taken


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    made.close()


def get(path: str, *more: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: here", *more, "", ""]).encode()


CLOSE = "Connection: close"


def test_a_request_passes_and_says_who_called(running: Running) -> None:
    said = running.ask(
        get(
            "/a?b=%2f",
            "X-Forwarded-For: 6.6.6.6",
            "X_Forwarded_For: 6.6.6.6",
            "Forwarded: for=6.6.6.6",
            "X-Lianzao-Local: 1",
            "X-Trace-Id: 66666666666666666666666666666666",
            "X-Other: 1",
            CLOSE,
        )
    )
    assert said.startswith(b"HTTP/1.1 200 OK\r\n") and b"x-a_b" not in said
    head = running.echo.heads[0].lower()
    assert head.startswith(b"get /a?b=%2f http/1.1\r\n")
    assert (
        b"x-forwarded-for: 127.0.0.1\r\n" in head and b"x-forwarded-proto: http\r\n" in head and b"x-other: 1" in head
    )
    assert b"6.6.6.6" not in head and b"connection" not in head
    assert b"66666666" not in head and re.search(rb"\r\nx-trace-id: [0-9a-f]{32}\r\n", head)
    assert b"x-lianzao-local" not in head, "who speaks for others is no program of this machine"
    running.ask(get("/plain", CLOSE))
    assert b"x-lianzao-local: 1\r\n" in running.echo.heads[1].lower()


def test_both_sides_keep_their_connections(running: Running) -> None:
    with running.connect() as made:
        for _ in range(5):
            made.sendall(b"POST /x HTTP/1.1\r\nHost: here\r\nIdempotency-Key: 7\r\nContent-Length: 3\r\n\r\nabc")
            assert until(made, b"abc").startswith(b"HTTP/1.1 200")
    assert running.echo.connections == 1


def test_pipelined_requests_are_answered_in_order(running: Running) -> None:
    three = b"".join(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n%d" % n for n in range(3))
    said = running.ask(three + get("/end", CLOSE))
    assert [part[-1:] for part in said.split(b"\r\n\r\n")[1:4]] != []
    assert said.count(b"HTTP/1.1 200 OK") == 4
    assert [body[:1] for body in said.split(b"\r\n\r\n")[1:4]] == [b"0", b"1", b"2"]


def test_a_chunked_body_passes_in_frames_of_our_own(running: Running) -> None:
    said = running.ask(
        b"POST /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;note=1\r\nabc\r\n002\r\nde\r\n0\r\nTrailer: no\r\n\r\n"
    )
    assert said.endswith(b"\r\n\r\nabcde")


def test_a_caller_who_waits_for_permission_gets_it(running: Running) -> None:
    with running.connect() as made:
        made.sendall(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert until(made, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        made.sendall(b"ok")
        assert until(made, b"ok").startswith(b"HTTP/1.1 200")


def test_head_and_no_content_have_no_body(running: Running) -> None:
    with running.connect() as made:
        made.sendall(b"HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n" + get("/none") + get("/x", CLOSE))
        said = everything(made)
    assert said.count(b"HTTP/1.1 200 OK") == 2 and said.count(b"HTTP/1.1 204") == 1


def test_a_stream_comes_piece_by_piece_and_its_end_is_told(running: Running) -> None:
    with running.connect() as made:
        made.sendall(get("/live?topics=a"))
        assert until(made, b"5\r\nfirst\r\n")
        running.loop.call_soon_threadsafe(lambda: running.echo.release and running.echo.release.set())
        assert until(made, b"0\r\n\r\n") == b"6\r\nsecond\r\n0\r\n\r\n"


def test_a_listener_is_handed_over_with_what_the_front_says_of_him(running: Running, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as taking:
        taking.bind(str(tmp_path / "hand"))
        taking.listen()
        taking.settimeout(5)
        running.front.routes[b"/live"].hand = Hand(str(tmp_path / "hand"))
        with running.connect() as made:
            made.sendall(get("/live?topics=a", "X-Forwarded-For: 8.8.8.8", "Cookie: a=1"))
            theirs, _ = taking.accept()
            head, numbers, _, _ = socket.recv_fds(theirs, 65536, 2)
            fields = head.split(b"\r\n")
            assert fields[0] == b"GET /live?topics=a HTTP/1.1" and len(numbers) == 1
            assert b"x-forwarded-for: 127.0.0.1" in fields and b"cookie: a=1" in fields and b"8.8.8.8" not in head
            held(lambda: not running.front.callers)
            with socket.socket(fileno=numbers[0]) as line:
                line.sendall(b"HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n")
                assert until(made, b"data: 1\n\n")
            assert made.recv(10) == b""
        assert not running.echo.heads, "the process behind was asked too"
        with running.connect() as made:  # what is no plain reading of /live goes the usual way
            made.sendall(get("/live/ready"))
            assert b"first" in until(made, b"first\r\n")
        theirs.close()


def test_a_listener_whom_nobody_takes_is_served_by_the_front(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_module, "HAND_TRIES", 3)
    running.front.routes[b"/live"].hand = Hand(str(tmp_path / "nobody"))
    with running.connect() as made:
        made.sendall(get("/live?topics=a"))
        assert b"first" in until(made, b"first\r\n")


def test_an_old_caller_gets_a_stream_without_frames(running: Running) -> None:
    with running.connect() as made:
        made.sendall(b"GET /live HTTP/1.0\r\nHost: h\r\n\r\n")
        until(made, b"first")
        running.loop.call_soon_threadsafe(lambda: running.echo.release and running.echo.release.set())
        assert everything(made) == b"second"


def test_who_leaves_a_stream_lets_go_of_the_process(running: Running) -> None:
    with running.connect() as made:
        made.sendall(get("/live"))
        until(made, b"first\r\n")
    held(lambda: not running.front.callers)


def test_a_slow_reader_slows_the_sender(running: Running) -> None:
    with running.connect() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        made.sendall(get("/big", CLOSE))
        made.recv(100)
        held(lambda: any(caller.paused for caller in running.front.callers))
        caller = next(iter(running.front.callers))
        assert caller.transport.get_write_buffer_size() < 1_000_000
        assert len(everything(made)) > 15_900_000


CHUNKS = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
REFUSED = {
    "both lengths": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "the same length twice": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc",
    "a signed length": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc",
    "a coding beside chunked": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "chunked twice": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a hidden coding": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
    "a space before the colon": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n",
    "a folded line": b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
    "a bare line feed": b"GET / HTTP/1.1\r\nHost: h\nX: a\r\n\r\n",
    "a bare carriage return": b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
    "a null byte": b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a chunk size with a sign": CHUNKS + b"+3\r\nabc\r\n0\r\n\r\n",
    "a chunk size in hex notation": CHUNKS + b"0x3\r\nabc\r\n",
    "a huge chunk size": CHUNKS + b"" + b"f" * 17 + b"\r\nabc\r\n",
    "a chunk longer than it said": CHUNKS + b"2\r\nabcd\r\n0\r\n\r\n",
    "a chunk line ended by a line feed": CHUNKS + b"2\nab\r\n",
    "chunks from an old caller": b"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another host in the target": b"GET http://there/ HTTP/1.1\r\nHost: h\r\n\r\n",
    "no HTTP": b"hello\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("shape", REFUSED)
def test_what_can_be_read_in_two_ways_is_refused(running: Running, shape: str) -> None:
    said = running.ask(REFUSED[shape] + get("/smuggled"))
    assert said.split(b" ")[1] in (b"400", b"501"), said
    assert json.loads(said.partition(b"\r\n\r\n")[2])["status"] in (400, 501)
    assert not any(b"smuggled" in head for head in running.echo.heads)


def test_limits_of_line_head_and_fields(running: Running) -> None:
    assert b" 414 " in running.ask(b"GET /" + b"a" * 17_000)[:20]
    assert b" 431 " in running.ask(get("/", *(f"X{n}: 1" for n in range(200))))[:20]
    assert b" 431 " in running.ask(get("/", *(f"X{n}: {'a' * 2000}" for n in range(40))))[:20]
    assert b" 413 " in running.ask(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999\r\n\r\n")[:20]


def test_a_process_that_dies_in_the_middle_is_told(running: Running) -> None:
    assert b" 502 " in running.ask(get("/die"))[:20]
    assert running.ask(get("/half")).endswith(b"12345")


def test_a_process_that_is_away_is_told_and_comes_back(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_module, "PATIENCE_S", 0.1)

    async def shut() -> None:
        running.server.close()
        Path(running.path).unlink(missing_ok=True)

    running.call(shut())
    said = running.ask(get("/x", "Accept-Language: en"))
    assert b" 503 " in said[:20] and b"retry-after: 1" in said and b"restarting" in said

    async def back() -> None:
        running.server = await asyncio.start_unix_server(running.echo.serve, running.path)

    running.call(back())
    assert b" 200 " in running.ask(get("/x", CLOSE))[:20]


def test_an_idle_line_that_was_closed_is_replaced_unseen(running: Running) -> None:
    with running.connect() as made:
        made.sendall(get("/x"))
        until(made, b"\r\n\r\n")
        held(lambda: bool(running.front.web.idle))
        line = running.front.web.idle[0]
        # The other side closes just as the request is written: nothing of an answer comes.
        running.loop.call_soon_threadsafe(lambda: line.transport.get_extra_info("socket").shutdown(socket.SHUT_WR))
        made.sendall(get("/y"))
        assert until(made, b"\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "shape", ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
)
def test_an_order_with_a_key_is_sent_once_more_when_its_process_dies(running: Running, shape: str) -> None:
    said = running.ask(f"POST /dies-once HTTP/1.1\r\nHost: h\r\n{CLOSE}\r\nIdempotency-Key: 7\r\n{shape}".encode())
    assert said.startswith(b"HTTP/1.1 200") and said.endswith(b"hello")
    assert running.echo.bodies == [b"hello", b"hello"]


def test_what_may_not_be_repeated_goes_over_a_line_of_its_own(running: Running) -> None:
    """A line that lay idle may be closing just then, and the caller of a login would read that nobody is there."""
    with running.connect() as made:
        made.sendall(get("/x"))
        until(made, b"\r\n\r\n")
        held(lambda: bool(running.front.web.idle))
        made.sendall(b"POST /x HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nabc")
        assert until(made, b"abc").startswith(b"HTTP/1.1 200")
    assert running.echo.connections == 2


def test_what_may_not_be_repeated_is_not(running: Running) -> None:
    said = running.ask(f"POST /dies-once HTTP/1.1\r\nHost: h\r\n{CLOSE}\r\nContent-Length: 5\r\n\r\nhello".encode())
    assert b" 502 " in said[:20] and running.echo.bodies == [b"hello"]


def test_what_kills_its_process_twice_is_given_up(running: Running) -> None:
    said = running.ask(
        f"POST /die HTTP/1.1\r\nHost: h\r\n{CLOSE}\r\nIdempotency-Key: 7\r\nContent-Length: 1\r\n\r\nx".encode()
    )
    assert b" 502 " in said[:20] and running.echo.bodies == [b"x", b"x"]


def test_a_large_body_is_not_kept(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_module, "REPEAT_LIMIT", 3)
    said = running.ask(f"PUT /dies-once HTTP/1.1\r\nHost: h\r\n{CLOSE}\r\nContent-Length: 5\r\n\r\nhello".encode())
    assert b" 502 " in said[:20] and running.echo.bodies == [b"hello"]


def test_of_several_processes_the_one_with_the_least_to_do_is_asked(running: Running) -> None:
    other, path = Echo(), running.path + "-2"

    async def open_other() -> asyncio.Server:
        running.front.web = Upstream("web", running.path, path)
        return await asyncio.start_unix_server(other.serve, path)

    server = running.call(open_other())
    try:
        with running.connect() as busy:
            busy.sendall(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe")  # and the rest comes later
            held(lambda: sum(place.busy for place in running.front.web.places) == 1)
            for _ in range(3):
                assert b" 200 " in running.ask(get("/y", CLOSE))[:20]
            busy.sendall(b"llo")
            until(busy, b"hello")
        assert sorted(len(each.heads) for each in (running.echo, other)) == [1, 3]
        held(lambda: [place.busy for place in running.front.web.places] == [0, 0])
    finally:
        server.close()
    Path(path).unlink(missing_ok=True)
    for _ in range(4):  # the one that is gone costs nobody his answer
        assert b" 200 " in running.ask(get("/z", CLOSE))[:20]


def test_slow_heads_are_ended(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_module, "HEAD_S", 0.2)
    assert b" 408 " in running.ask(b"GET / HTTP/1.1\r\nHo")[:20]


def test_stop_lets_a_request_end_and_cuts_streams(running: Running) -> None:
    with running.connect() as stream, running.connect() as idle:
        stream.sendall(get("/live"))
        until(stream, b"first\r\n")
        running.call(running.front.stop(2))
        assert everything(stream) == b"" and everything(idle) == b""
    with pytest.raises(OSError):
        running.connect()


def test_chunks_in_any_pieces_give_the_same_body() -> None:
    whole = b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nA: b\r\n\r\n"
    for size in range(1, 12):
        body, buffer, taken = ChunkedBody(), bytearray(), b""
        for start in range(0, len(whole), size):
            buffer += whole[start : start + size]
            taken += body.feed(buffer)
        assert taken == b"abc0123456789abcdef" and body.done and not buffer


def test_what_connection_names_is_dropped_but_not_what_matters() -> None:
    buffer = bytearray(get("/", "Connection: close, X-Secret, Cookie", "X-Secret: 1", "Cookie: a=1"))
    head = take_head(buffer)
    assert head is not None
    request = read_request(head)
    assert request.get(b"x-secret") == b"" and request.get(b"cookie") == b"a=1" and not request.keep_alive
    with pytest.raises(Refused):
        read_request(b"TRACE / HTTP/1.1\r\nHost: h")


def held(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(200):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("never came true")
