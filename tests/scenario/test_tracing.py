"""A trace tells the story: the request, the order it gave, the deliveries of its news, on to what these ordered."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from lianzao.foundation import http, outbox, tracing
from lianzao.foundation.actor import ALL, Actor
from lianzao.foundation.command import command, run
from lianzao.foundation.events import RecordChanged
from lianzao.foundation.outbox import Event, on, publish
from lianzao.foundation.trail import facts, trail
from lianzao.values.errors import Conflict, RuleBroken
from lianzao.values.time import uuid7
from tests.collector import Collector, Seen, collecting

pytestmark = pytest.mark.django_db
ADMIN = Actor(id=uuid7(), name="Wang Ximing", sites=ALL, rights=frozenset({"*"}))
LISTENING = threading.Event()


@dataclass(frozen=True)
class BellHeard(Event):
    bell_id: UUID
    where: str


@command(hidden=True)
def ring_bell(by: Actor, *, where: str) -> None:
    """Tell news (test only)."""
    if where == "nowhere":
        raise RuleBroken("lot_on_hold", lot="L-4711")
    publish(BellHeard(uuid7(), where))


@on(RecordChanged, when=lambda news: LISTENING.is_set() and news.kind == "foundation.code_rule")
def ring_for_rule(by: Actor, news: list[RecordChanged]) -> None:
    ring_bell(by, where="kitchen")


@on(BellHeard, key="where")
def hear_bell(by: Actor, news: list[BellHeard]) -> None:
    HEARD.append((news[0].where, dict(facts())))
    if news[0].where == "broken":
        raise ValueError("Wang Ximing has no such bell")


HEARD: list[tuple[str, dict[str, str]]] = []


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector, and this process telling it."""
    Client().get("/healthz")  # with the routes comes who identifies callers
    monkeypatch.setattr(http, "_identify", lambda _: ADMIN)
    with collecting() as made:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": made.address, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        tracing.begin("test")
        assert tracing.on is not None
        LISTENING.set()
        HEARD.clear()
        yield made
        LISTENING.clear()
        made.over.set()
        atexit.unregister(tracing.on.end)
        tracing.on.end()
        tracing.on = None


def flushed() -> None:
    assert tracing.on is not None
    tracing.on.flush()


def order_a_rule(**headers: Any) -> Any:
    body = {"entity_kind": f"test.{uuid7().hex[-8:]}", "pattern": "T-{seq:4}"}
    order = str(uuid7())
    answer = Client().post(
        "/api/foundation/create_code_rule", body, "application/json", HTTP_IDEMPOTENCY_KEY=order, **headers
    )
    assert answer.status_code == 200, answer.content
    return answer, order


def test_request_order_and_deliveries_are_one_trace(collector: Collector) -> None:
    answer, order = order_a_rule(HTTP_X_TRACE_ID="0123456789abcdef" * 2)
    while outbox.work_once():
        pass
    flushed()
    request = collector.one("POST /api/foundation/create_code_rule")
    assert request.trace == answer["X-Trace-Id"] == "0123456789abcdef" * 2, "the log and the caller know it by this id"
    assert request.parent == "" and request.kind == "SERVER" and request.said["http.response.status_code"] == 200
    ordered = collector.one("foundation.create_code_rule")
    assert ordered.trace == request.trace and ordered.parent == request.id
    assert ordered.said["lianzao.order_id"] == order and ordered.said["lianzao.outcome"] == "done"
    assert ordered.said["lianzao.actor_kind"] == "person"
    delivered = next(each for each in collector.spans if each.name.endswith("test_tracing.ring_for_rule"))
    assert delivered.trace == request.trace and delivered.parent == ordered.id and delivered.kind == "CONSUMER"
    assert delivered.said["lianzao.event"] == "foundation.RecordChanged"
    next_one = next(each for each in collector.spans if each.name.endswith("test_tracing.hear_bell"))
    assert next_one.trace == request.trace and next_one.parent == delivered.id, "what a delivery tells goes on below it"
    assert HEARD[0][1]["trace"] == request.trace, "the worker's log has the request's id"
    assert {each.resource["lianzao.process"] for each in collector.spans} == {"test"}
    assert {each.resource["service.name"] for each in collector.spans} == {"lianzao"}


def test_a_trace_goes_on_below_the_callers_span(collector: Collector) -> None:
    answer, _ = order_a_rule(HTTP_TRACEPARENT=f"00-{'c' * 32}-{'d' * 16}-01", HTTP_X_TRACE_ID="e" * 32)
    flushed()
    request = collector.one("POST /api/foundation/create_code_rule")
    assert (request.trace, request.parent) == ("c" * 32, "d" * 16) and answer["X-Trace-Id"] == "c" * 32
    order_a_rule(HTTP_TRACEPARENT=f"00-{'a' * 32}-{'d' * 16}-00")
    flushed()
    assert not [each for each in collector.spans if each.trace == "a" * 32], "whoever does not sample is heeded"


def test_deliveries_taken_together_stand_each_in_its_own_trace(collector: Collector) -> None:
    for trace in ("1" * 32, "2" * 32):
        with trail(trace=trace):
            ring_bell(ADMIN, where="gate")
    outbox.work_once()
    flushed()
    assert len(HEARD) == 1, "one call heard both"
    spans: list[Seen] = []
    for trace in ("1" * 32, "2" * 32):
        (order,) = [each for each in collector.spans if each.trace == trace and each.name.endswith("ring_bell")]
        (heard,) = [each for each in collector.spans if each.trace == trace and each.name.endswith("hear_bell")]
        assert heard.parent == order.id and heard.said["lianzao.outcome"] == "done"
        spans.append(heard)
    assert spans[0].links == () and spans[1].links == (spans[0].id,)


def test_refusals_and_failures_are_told_apart_and_nobodys_words_go_out(collector: Collector) -> None:
    with pytest.raises(RuleBroken):
        ring_bell(ADMIN, where="nowhere")
    ring_bell(ADMIN, where="broken")
    outbox.work_once()
    flushed()
    refused = next(each for each in collector.spans if each.said.get("lianzao.outcome") == "refused")
    assert refused.said["lianzao.code"] == "lot_on_hold" and not refused.bad
    failed = next(each for each in collector.spans if each.said.get("lianzao.outcome") == "failed")
    assert failed.bad and failed.said["error.type"] == "ValueError" and failed.said["lianzao.attempt"] == 1
    sent = b"".join(collector.raw)
    assert b"ring_bell" in sent
    for word in (b"Wang", b"L-4711", b"no such bell", b"broken"):
        assert word not in sent


def test_what_a_lost_transaction_undid_is_said_to_be_undone(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring_bell(ADMIN, where="attic")

    def lost(*_: object) -> None:
        raise Conflict("stale_version")

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "_mark", lost)
        with pytest.raises(Conflict):
            outbox.work_once()
    outbox.work_once()
    flushed()
    said = [each.said["lianzao.outcome"] for each in collector.spans if each.name.endswith("hear_bell")]
    assert said == ["undone", "done"]


def test_a_collector_that_is_away_stops_and_slows_nobody(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    ring_bell(ADMIN, where="hall")  # once before it is measured
    collector.refuse.set()
    with caplog.at_level(logging.WARNING):
        took: list[float] = []
        for round_ in range(2):
            (collector.hang if round_ else collector.refuse).set()
            for _ in range(30):
                began = time.perf_counter()
                ring_bell(ADMIN, where="hall")
                took.append(time.perf_counter() - began)
            outbox.work_once()
    assert max(took) < 1.0, "no order waits for a collector, which would take ten seconds"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM foundation_order WHERE command LIKE '%%ring_bell'")
        assert cursor.fetchone() == (61,)


def test_that_traces_are_lost_is_said_once(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    from opentelemetry.sdk.trace.export import SpanExportResult

    sender: Any = tracing._exporter({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address})
    results = iter([SpanExportResult.FAILURE] * 3 + [SpanExportResult.SUCCESS] * 2 + [SpanExportResult.FAILURE])
    sender.inner = type("Inner", (), {"export": lambda self, spans: next(results)})()
    with caplog.at_level(logging.WARNING):
        for _ in range(6):
            sender.export([])
    said = [record.message for record in caplog.records if record.name == "lianzao.tracing"]
    assert [line.split(" ")[0] + line.split(" ")[-1] for line in said] == [
        f"traces({collector.address})", "theagain", f"traces({collector.address})"
    ]  # fmt: skip


def test_off_an_event_says_no_trace_and_an_order_costs_no_statement_more() -> None:
    assert tracing.on is None
    ring_bell(ADMIN, where="yard")
    with connection.cursor() as cursor:
        cursor.execute("SELECT traceparent FROM foundation_event WHERE name LIKE '%%BellHeard'")
        assert cursor.fetchall() == [(None,)]


def test_a_site_that_is_planned_is_a_span_of_its_order(collector: Collector) -> None:
    unit = run(ADMIN, "access.create_site", {"code": "T1", "name": "T"})
    run(ADMIN, "planning.plan_site", {"site": str(unit.id)})
    flushed()
    order, plan = collector.one("planning.plan_site"), collector.one("plan")
    assert plan.parent == order.id and plan.said["lianzao.site_id"] == str(unit.id) and not plan.bad
