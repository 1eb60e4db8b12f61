"""Traces by OpenTelemetry, for who wants them: what a request, an order, a delivery and a planning run took, as a tree.

Nothing is imported and nothing is done unless the standard variables ask for it (docs/operate/monitoring.md). Who has
something to tell asks `tracing.on` first, which is None otherwise. A trace has the id that the log knows it by. What
goes out are names, ids, outcomes and times: nothing that is somebody's, and no quantity or price.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from lianzao.foundation import figures
from lianzao.foundation.trail import TRACE, facts, note

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

log = logging.getLogger("lianzao.tracing")

#: W3C trace context: version, trace, the caller's span, flags.
TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
NO_TRACE, NO_SPAN = "0" * 32, "0" * 16
PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
#: A process that ends waits no longer for a collector that does not answer.
LAST_WORDS_S = 2.0
#: What the trail knows of the work in hand, as attributes of its span.
OF_THE_TRAIL = ("order", "delivery", "event")

SPANS = figures.Counter(
    "lianzao_spans_total",
    "Spans of traces by what became of them: sent, or lost because the collector did not take them.",
    ("outcome",),
)


# -- whether it is asked for ------------------------------------------------------------------------------------------


def asked(environ: Mapping[str, str]) -> bool:
    """Whether the standard variables ask for traces."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    named = _exporters(environ)
    return bool(named - {"none"}) if named else any(environ.get(name, "").strip() for name in ENDPOINTS)


def _exporters(environ: Mapping[str, str]) -> set[str]:
    return {name.strip().lower() for name in environ.get("OTEL_TRACES_EXPORTER", "").split(",") if name.strip()}


def trouble(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Why traces that are asked for cannot be sent, and what to do; None when they can."""
    others = _exporters(environ) - {"none", "otlp"}
    if others:
        said = f"OTEL_TRACES_EXPORTER names {', '.join(sorted(others))}, and we send by otlp only"
        return said, "OTEL_TRACES_EXPORTER=otlp, or leave it out"
    protocol = next((value for name in PROTOCOLS if (value := environ.get(name, "").strip())), "http/protobuf")
    if protocol != "http/protobuf":
        todo = "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf; collectors listen for it on port 4318"
        return f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}, and we speak http/protobuf only", todo
    parts = urlsplit(endpoint(environ))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        todo = "an address such as http://127.0.0.1:4318 in OTEL_EXPORTER_OTLP_ENDPOINT"
        return "the collector's address is none we can speak to", todo
    if not all(map(_is_there, PACKAGES)):
        return "OpenTelemetry is not installed", "python3 scripts/bootstrap.py traces, then start again"
    return None


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def endpoint(environ: Mapping[str, str]) -> str:
    """The collector's address."""
    return next((value for name in ENDPOINTS if (value := environ.get(name, "").strip())), "http://localhost:4318")


def caller_of(traceparent: str) -> tuple[str, str, int] | None:
    """The trace, the span and the flags that a caller says; None when he says nothing that can be used."""
    found = TRACEPARENT.fullmatch(traceparent.strip())
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or trace == NO_TRACE or span == NO_SPAN:
        return None
    return trace, span, int(flags, 16)


# -- a process that tells ---------------------------------------------------------------------------------------------


class Work:
    """A span that is open. What is begun meanwhile in this context stands below it, until it is left."""

    def __init__(self, span: Span) -> None:
        from opentelemetry import context, trace

        self._span = span
        self._detach: Callable[[], None] | None = None
        self._ended_at: int | None = None
        token = context.attach(trace.set_span_in_context(span))
        self._detach = lambda: context.detach(token)

    @property
    def trace(self) -> str:
        """The trace it belongs to."""
        return f"{self._span.get_span_context().trace_id:032x}"

    def leave(self) -> None:
        """The work is done; what came of it is said later, by `end`."""
        if self._detach is not None:
            self._ended_at = time.time_ns()
            for name in OF_THE_TRAIL:
                if (value := facts().get(name)) is not None:
                    self._span.set_attribute(f"lianzao.{name}_id", value)
            self._detach()
            self._detach = None

    def end(self, outcome: str = "", *, bad: bool = False, name: str = "", **more: str | int) -> None:
        """Say what came of it. `bad`: it is the product's own failure; a refusal by the rules is none."""
        from opentelemetry.trace import StatusCode

        self.leave()
        if name:
            self._span.update_name(name)
        if outcome:
            self._span.set_attribute("lianzao.outcome", outcome)
        for key, value in more.items():
            if value != "":
                self._span.set_attribute(key.replace("__", "."), value)
        if bad:
            self._span.set_status(StatusCode.ERROR)
        self._span.end(self._ended_at)

    def __enter__(self) -> Work:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.end("done" if kind is None else "failed", bad=kind is not None)


class Tracing:
    """What makes spans in this process."""

    def __init__(self, exporter: SpanExporter, process: str, environ: Mapping[str, str]) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        said = {"service.instance.id": secrets.token_hex(8), "process.pid": os.getpid(), "lianzao.process": process}
        if "service.name=" not in environ.get("OTEL_RESOURCE_ATTRIBUTES", "") and not environ.get("OTEL_SERVICE_NAME"):
            said["service.name"] = "lianzao"
        self._provider = TracerProvider(resource=Resource.create(said), id_generator=_ids(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("lianzao")
        self._ending, self._ended = threading.Event(), threading.Event()
        threading.Thread(target=self._say_the_last, name="last spans", daemon=True).start()

    def _say_the_last(self) -> None:
        self._ending.wait()
        self._provider.shutdown()
        self._ended.set()

    def end(self) -> None:
        """Send what waits, as long as a process that ends may take for it. Its thread stands since the beginning,
        because Python that ends begins none."""
        self._ending.set()
        self._ended.wait(LAST_WORDS_S)

    def flush(self) -> None:
        """Send what waits, now."""
        self._provider.force_flush()

    def request(self, method: str, traceparent: str) -> Work:
        """A request begins: below the caller's span, if it says one, else as a trace of the id in the trail."""
        return self._begin(method, "SERVER", _below(traceparent), {"http.request.method": method})

    def order(self, command: str, actor_kind: str, site: UUID | None) -> Work:
        """An order begins: below what is in hand, if anything is."""
        said = {"lianzao.command": command, "lianzao.actor_kind": actor_kind}
        return self._begin(command, "INTERNAL", None, said | _site(site))

    def planning(self, site: UUID) -> Work:
        """A site is planned."""
        return self._begin("plan", "INTERNAL", None, _site(site))

    def deliveries(self, subscriber: str, attempt: int, lines: Sequence[tuple[UUID, str, str | None]]) -> Deliveries:
        """A subscriber is handed deliveries (id, event's name, what wrote it)."""
        return Deliveries(self, subscriber, attempt, lines)

    def traceparent(self) -> str | None:
        """The span in hand as others may be told it: what an event takes along."""
        from opentelemetry import trace

        held = trace.get_current_span().get_span_context()
        return f"00-{held.trace_id:032x}-{held.span_id:016x}-{held.trace_flags & 1:02x}" if held.is_valid else None

    def _begin(self, name: str, kind: str, below: Context | None, said: Mapping[str, Any]) -> Work:
        work = Work(self._span(name, kind, below, said))
        note(trace=work.trace)  # the log knows a trace by the same id
        return work

    def _span(self, name: str, kind: str, below: Context | None, said: Mapping[str, Any], **more: Any) -> Span:
        from opentelemetry.trace import SpanKind

        return self._tracer.start_span(name, below, kind=SpanKind[kind], attributes=said, **more)


class Deliveries:
    """Deliveries that a subscriber was handed together: each stands in the trace of the order that wrote its event.

    What the subscriber does stands below the first one; the others point at it.
    """

    def __init__(
        self, tracing: Tracing, subscriber: str, attempt: int, lines: Sequence[tuple[UUID, str, str | None]]
    ) -> None:
        from opentelemetry.trace import Link

        def said(line: tuple[UUID, str, str | None]) -> dict[str, Any]:
            told = {"lianzao.subscriber": subscriber, "lianzao.event": line[1], "lianzao.delivery_id": str(line[0])}
            return told | {"lianzao.attempt": attempt}

        self.first = tracing._begin(subscriber, "CONSUMER", _below(lines[0][2]), said(lines[0]))
        at = Link(self.first._span.get_span_context())
        self.others = [
            tracing._span(subscriber, "CONSUMER", _below(line[2]), said(line), links=[at]) for line in lines[1:]
        ]

    def leave(self) -> None:
        """The subscriber is done; whether it counts is known when the transaction has ended."""
        self.first.leave()

    def end(self, outcome: str, error: str = "") -> None:
        """Say what became of them all."""
        from opentelemetry.trace import StatusCode

        bad = outcome in ("failed", "parked")
        for span in self.others:
            span.set_attribute("lianzao.outcome", outcome)
            if bad:
                span.set_status(StatusCode.ERROR)
            span.end(self.first._ended_at)
        self.first.end(outcome, bad=bad, error__type=error)


def _site(site: UUID | None) -> dict[str, str]:
    return {} if site is None else {"lianzao.site_id": str(site)}


def _below(traceparent: str | None) -> Context:
    """The place below a span of another process; at the root, when it says none."""
    from opentelemetry import trace
    from opentelemetry.context import Context

    said = caller_of(traceparent or "")
    if said is None:
        return Context()
    flags = trace.TraceFlags(said[2])
    held = trace.SpanContext(int(said[0], 16), int(said[1], 16), is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(held), Context())


def _ids() -> Any:
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        """A new trace has the id that the log and the caller know already."""

        def generate_trace_id(self) -> int:
            known = facts().get("trace", "")
            if TRACE.fullmatch(known) and known != NO_TRACE:
                return int(known, 16)
            return super().generate_trace_id()

    return Ids()


def _exporter(environ: Mapping[str, str]) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    # They would tell of a collector that is away with every batch, and with tracebacks.
    for name in ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    where = endpoint(environ)

    class Sender(SpanExporter):
        """Sends, counts, and says once that it cannot, and once that it can again."""

        inner, away = OTLPSpanExporter(), False

        def export(self, spans: Sequence[Any]) -> SpanExportResult:
            done = self.inner.export(spans)
            sent = done is SpanExportResult.SUCCESS
            SPANS.count(len(spans), outcome="sent" if sent else "lost")
            if sent == self.away:
                self.away = not sent
                if sent:
                    log.warning("the collector takes traces again")
                else:
                    log.warning("traces are lost: the collector does not take them (%s)", bare(where))
            return done

        def shutdown(self) -> None:
            self.inner.shutdown()

    return Sender()


def bare(address: str) -> str:
    """An address without a login that may stand in it."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


#: None: nobody asked, and nothing is done.
on: Tracing | None = None


def begin(process: str, environ: Mapping[str, str] | None = None) -> None:
    """Tell from now on, if it is asked for and can be. What hinders it is said in the log, and hinders nothing else."""
    global on
    given = os.environ if environ is None else environ
    if on is not None or not asked(given):
        return
    hindered = trouble(given)
    if hindered is not None:
        log.warning("no traces: %s (%s)", *hindered)
        return
    try:
        on = Tracing(_exporter(given), process, given)
    except (ImportError, ValueError, OSError) as error:
        log.warning("no traces: %s", error)
        return
    atexit.register(on.end)


def planning(site: UUID) -> AbstractContextManager[Any]:
    """A site is planned meanwhile."""
    return nullcontext() if on is None else on.planning(site)
