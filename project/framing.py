"""HTTP/1.1 on the wire, read strictly: heads of requests and answers, and where a body ends.

Pure, no sockets. What could be read in two ways (both lengths, bare line feeds, odd chunk sizes) is refused, because
two servers that read one message differently can be made to smuggle a request past the first. RFC 9110 and 9112.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LINE_LIMIT = 16 * 1024
HEAD_LIMIT = 64 * 1024
FIELDS_LIMIT = 100
TRAILER_LIMIT = 8 * 1024
CHUNK_LINE_LIMIT = 256

_REQUEST = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*)?")
# What concerns one connection only and is never passed on.
HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization".split()
    + b"te trailer transfer-encoding upgrade".split()
)
# A caller may not have these taken away by naming them in Connection.
_KEPT = frozenset((b"host", b"content-length", b"content-type", b"cookie", b"authorization", b"idempotency-key"))

Fields = list[tuple[bytes, bytes]]


class Refused(Exception):
    """A message we do not take: the status to answer with, and a stable code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class LengthBody:
    """A body of a known number of bytes."""

    def __init__(self, length: int) -> None:
        self.left = length
        self.done = length == 0

    def feed(self, buffer: bytearray) -> bytes:
        """Take what belongs to the body from the front of `buffer`."""
        if len(buffer) <= self.left:
            taken = bytes(buffer)
            buffer.clear()
        else:
            taken = bytes(buffer[: self.left])
            del buffer[: self.left]
        self.left -= len(taken)
        self.done = self.left == 0
        return taken


class ClosingBody:
    """An answer's body that ends when the connection does."""

    done = False

    def feed(self, buffer: bytearray) -> bytes:
        """Take everything."""
        taken = bytes(buffer)
        buffer.clear()
        return taken


class ChunkedBody:
    """A chunked body. Extensions and trailers are read past; what is passed on gets frames of our own."""

    def __init__(self) -> None:
        self.done = False
        self._left = -1  # bytes left of the chunk; -1: its size is to come, 0: its line end is to come
        self._trailer: int | None = None

    def feed(self, buffer: bytearray) -> bytes:
        """Take what is there of the body, without its frames. Raises Refused."""
        taken: list[bytes] = []
        while not self.done and buffer:
            if self._trailer is not None:
                if not self._read_trailer(buffer):
                    break
            elif self._left > 0:
                piece = bytes(buffer[: self._left])
                del buffer[: len(piece)]
                self._left -= len(piece)
                taken.append(piece)
            elif self._left == 0:
                if len(buffer) < 2 and buffer[:1] == b"\r":
                    break
                if buffer[:2] != b"\r\n":
                    raise Refused(400, "bad_chunk")
                del buffer[:2]
                self._left = -1
            elif not self._read_size(buffer):
                break
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def _read_size(self, buffer: bytearray) -> bool:
        line = _take_line(buffer, CHUNK_LINE_LIMIT, "bad_chunk")
        if line is None:
            return False
        found = _CHUNK.fullmatch(line)
        if found is None:
            raise Refused(400, "bad_chunk")
        self._left = int(found[1], 16)
        if self._left == 0:
            self._trailer = 0
        return True

    def _read_trailer(self, buffer: bytearray) -> bool:
        assert self._trailer is not None
        line = _take_line(buffer, TRAILER_LIMIT - self._trailer, "bad_trailer")
        if line is None:
            return False
        self._trailer += len(line) + 2
        if not line:
            self.done = True
        elif _FIELD.fullmatch(line) is None:
            raise Refused(400, "bad_trailer")
        return True


Body = LengthBody | ChunkedBody | ClosingBody


def _take_line(buffer: bytearray, limit: int, code: str) -> bytes | None:
    """The first line, taken off; None when it is not whole yet. A bare CR or LF is refused."""
    end = buffer.find(b"\n")
    if end < 0:
        if len(buffer) > limit:
            raise Refused(400, code)
        return None
    line = bytes(buffer[: end + 1])
    if end > limit or not line.endswith(b"\r\n") or b"\r" in line[:-2]:
        raise Refused(400, code)
    del buffer[: end + 1]
    return line[:-2]


@dataclass(slots=True)
class Request:
    """The head of a request."""

    method: bytes
    target: bytes
    minor: int
    fields: Fields
    body: Body | None
    keep_alive: bool
    expects_continue: bool

    @property
    def path(self) -> bytes:
        """The target's path, as it was sent."""
        return self.target.partition(b"?")[0]

    def get(self, name: bytes) -> bytes:
        """The value of the first field of that name (lower case); empty if there is none."""
        return next((value for key, value in self.fields if key == name), b"")


@dataclass(slots=True)
class Answer:
    """The head of an answer."""

    start: bytes
    status: int
    fields: Fields
    body: Body | None
    keep_alive: bool
    streams: bool


def take_head(buffer: bytearray) -> bytes | None:
    """A whole head taken off the front of `buffer`, without its empty line; None when more must come."""
    while buffer[:2] == b"\r\n":  # an empty line before a request is forgiven (RFC 9112, 2.2)
        del buffer[:2]
    end = buffer.find(b"\r\n\r\n", 0, HEAD_LIMIT + 4)
    if end < 0:
        if buffer.find(b"\n", 0, LINE_LIMIT + 1) < 0 and len(buffer) > LINE_LIMIT:
            raise Refused(414, "line_too_long")
        if len(buffer) >= HEAD_LIMIT:
            raise Refused(431, "head_too_large")
        return None
    head = bytes(buffer[:end])
    del buffer[: end + 4]
    return head


def read_request(head: bytes) -> Request:
    """A request's head. Raises Refused."""
    start, fields = _read_fields(head)
    if len(start) > LINE_LIMIT:
        raise Refused(414, "line_too_long")
    found = _REQUEST.fullmatch(start)
    if found is None:
        raise Refused(505 if re.search(rb" HTTP/(?!1\.[01]$)[0-9.]+$", start) else 400, "bad_request_line")
    method, target, minor = found[1], found[2], int(found[3])
    if method in (b"TRACE", b"CONNECT"):
        raise Refused(405, "method_not_allowed")
    if not target.startswith(b"/") and not (target == b"*" and method == b"OPTIONS"):
        raise Refused(400, "bad_target")
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) > 1 or (minor == 1 and (not hosts or not hosts[0])) or any(b"," in host for host in hosts):
        raise Refused(400, "bad_host")
    expects = [value.lower() for name, value in fields if name == b"expect"]
    if expects and expects != [b"100-continue"]:
        raise Refused(417, "bad_expect")
    return Request(
        method,
        target,
        minor,
        _passed_on(fields, b"expect"),
        _framing(fields, minor),
        _keeps_alive(fields, minor),
        bool(expects) and minor == 1,
    )


def read_answer(head: bytes, method: bytes) -> Answer:
    """The head of an answer to a `method` request. Raises Refused(502) for what no server of ours says."""
    try:
        start, fields = _read_fields(head)
        found = _STATUS.fullmatch(start)
        if found is None:
            raise Refused(502, "bad_answer")
        minor, status = int(found[1]), int(found[2])
        if method == b"HEAD" or status in (204, 304) or status < 200:
            body = None
        else:
            body = _framing(fields, minor) or (
                None if any(name == b"content-length" for name, _ in fields) else ClosingBody()
            )
    except Refused as error:
        raise Refused(502, "bad_answer") from error
    keep = _keeps_alive(fields, minor) and not isinstance(body, ClosingBody)
    streams = any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in fields)
    start = b"HTTP/1.1 " + start[9:]
    return Answer(start, status, _passed_on(fields), body, keep, streams)


def _read_fields(head: bytes) -> tuple[bytes, Fields]:
    lines = head.split(b"\r\n")
    if b"\n" in head.replace(b"\r\n", b"") or b"\r" in head.replace(b"\r\n", b""):
        raise Refused(400, "bare_line_end")
    if len(lines) - 1 > FIELDS_LIMIT:
        raise Refused(431, "too_many_fields")
    fields: Fields = []
    for line in lines[1:]:
        found = _FIELD.fullmatch(line)
        if found is None:  # also a folded line, and a space before the colon
            raise Refused(400, "bad_field")
        fields.append((found[1].lower(), found[2].rstrip(b" \t")))
    return lines[0], fields


def _framing(fields: Fields, minor: int) -> Body | None:
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    if codings:
        if lengths:
            raise Refused(400, "two_lengths")
        if codings != [b"chunked"] or minor == 0:
            raise Refused(501 if minor else 400, "bad_transfer_encoding")
        return ChunkedBody()
    if not lengths:
        return None
    if len(lengths) > 1 or not re.fullmatch(rb"[0-9]{1,15}", lengths[0]):
        raise Refused(400, "bad_content_length")
    return LengthBody(int(lengths[0])) if int(lengths[0]) else None


def _keeps_alive(fields: Fields, minor: int) -> bool:
    said = b",".join(value.lower() for name, value in fields if name == b"connection")
    tokens = {token.strip() for token in said.split(b",")}
    return b"close" not in tokens and (minor == 1 or b"keep-alive" in tokens)


def _passed_on(fields: Fields, *dropped: bytes) -> Fields:
    """The fields that go on to the other side.

    A name with an underscore looks like another name to WSGI (X_Forwarded_For), so it does not.
    """
    named = b",".join(value.lower() for name, value in fields if name == b"connection")
    gone = ({token.strip() for token in named.split(b",")} - _KEPT) | HOP_BY_HOP | set(dropped)
    return [(name, value) for name, value in fields if name not in gone and b"_" not in name]
