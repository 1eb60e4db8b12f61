"""A collector of traces for tests: takes OTLP over HTTP as OpenTelemetry's own would, and keeps what it was told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


@dataclass(frozen=True)
class Seen:
    """A span as it arrived."""

    name: str
    trace: str
    id: str
    parent: str
    kind: str
    said: dict[str, Any]
    resource: dict[str, Any]
    bad: bool
    links: tuple[str, ...]
    seconds: float


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


class Collector:
    """`spans` is what arrived; `hang`: take connections, and never answer; `refuse`: answer 503."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.raw: list[bytes] = []
        self.hang, self.refuse = threading.Event(), threading.Event()
        self.over = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if collector.hang.is_set():
                    collector.over.wait(60)
                    return
                if collector.refuse.is_set():
                    self.send_error(503)
                    return
                if self.path == "/v1/traces":
                    collector.take(body)
                self.send_response(200 if self.path == "/v1/traces" else 404)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def take(self, body: bytes) -> None:
        """Decode, and keep."""
        self.raw.append(body)
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {each.key: _value(each.value) for each in of_resource.resource.attributes}
            for scope in of_resource.scope_spans:
                self.spans += [self._seen(span, resource) for span in scope.spans]

    @staticmethod
    def _seen(span: Any, resource: dict[str, Any]) -> Seen:
        return Seen(
            name=span.name,
            trace=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
            said={each.key: _value(each.value) for each in span.attributes},
            resource=resource,
            bad=span.status.code == Status.StatusCode.STATUS_CODE_ERROR,
            links=tuple(link.span_id.hex() for link in span.links),
            seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        )

    def named(self, name: str, trace: str | None = None) -> list[Seen]:
        """The spans of a name, in a trace."""
        return [each for each in list(self.spans) if each.name == name and trace in (None, each.trace)]

    def one(self, name: str, trace: str | None = None) -> Seen:
        """The only span of a name."""
        found = self.named(name, trace)
        assert len(found) == 1, (name, found, [each.name for each in self.spans])
        return found[0]

    def await_(self, there: Callable[[], object], seconds: float = 30.0) -> None:
        """Wait until something is there."""
        until = time.monotonic() + seconds
        while not there():
            assert time.monotonic() < until, sorted((each.name, each.trace[:6]) for each in self.spans)
            time.sleep(0.05)

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector while the block runs."""
    made = Collector()
    try:
        yield made
    finally:
        made.close()
