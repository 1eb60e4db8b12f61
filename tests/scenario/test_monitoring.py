"""What a monitor sees: alive, ready, figures; who may see them; and that the log can be followed by its ids."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from lianzao.access import commands as access
from lianzao.access import passwords, queries
from lianzao.access.models import Role
from lianzao.foundation import audit, figures, http, outbox
from lianzao.foundation.actor import ALL, Actor, system_actor
from lianzao.foundation.command import command, run
from lianzao.foundation.numbering import CodeRule
from lianzao.foundation.outbox import Event, on, publish
from lianzao.foundation.trail import trail
from lianzao.values.time import uuid7
from project import migrating, monitoring
from project.logs import JsonLines, TextLines

pytestmark = pytest.mark.django_db
ADMIN = Actor(id=uuid7(), name="admin", sites=ALL, rights=frozenset({"*"}))
LOCAL: Any = {"HTTP_X_LIANZAO_LOCAL": "1"}


@dataclass(frozen=True)
class RuleSeen(Event):
    rule_id: UUID


@command(hidden=True)
def see_rule(by: Actor, *, rule: CodeRule) -> CodeRule:
    """Tell news of a rule (test only)."""
    publish(RuleSeen(rule.id))
    return rule


@on(RuleSeen)
def fail_at_rule(by: Actor, news: list[RuleSeen]) -> None:
    raise ValueError("the mapping has no such unit")


def a_rule() -> CodeRule:
    return run(ADMIN, "foundation.create_code_rule", {"entity_kind": "test.watched", "pattern": "W-{seq:4}"})


def lines(caplog: pytest.LogCaptureFixture, form: logging.Formatter) -> list[str]:
    return [form.format(record) for record in caplog.records]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIANZAO_DATA", str(tmp_path))
    return monitoring.folder()


def samples(text: str) -> dict[str, float]:
    said = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in said)}


def test_alive_and_ready_are_two_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    assert client.get("/healthz").json() == {"status": "ok"}
    with connection.cursor() as cursor:
        cursor.execute(migrating.RECORDED)
        recorded = cursor.fetchone()
    monkeypatch.setattr(monitoring, "_wanted", [recorded[0] if recorded else None])
    assert client.get("/readyz").json() == {"status": "ok", "checks": {"database": "ok", "schema": "ok", "disk": "ok"}}
    monkeypatch.setattr(monitoring, "_wanted", ["lianzao schema of tomorrow"])
    answer = client.get("/readyz")
    assert answer.status_code == 503 and answer.json()["checks"]["schema"] == "of_another_version"
    assert client.get("/healthz").status_code == 200


def test_figures_are_for_this_machine_and_for_who_holds_the_right(watched: Path) -> None:
    assert Client().get("/metrics").status_code == 401
    assert Client().get("/metrics", **LOCAL).status_code == 200
    person = access.create_person(system_actor("setup"), login="monitor", name="monitor", password="correct horse 9")
    ends = datetime.now(UTC) + timedelta(days=30)

    def token(right: str) -> Any:
        key = passwords.random_key()
        access.issue_token(
            queries.actor_for("monitor"),
            name=right,
            digest=passwords.digest(key),
            rights=[right],
            expires_at=ends,
        )
        return {"HTTP_AUTHORIZATION": f"Bearer {key}"}

    access.set_up_roles(system_actor("setup"))
    access.assign_role(system_actor("setup"), person=person, role=Role.objects.get(code="administrator"), site=None)
    assert Client().get("/metrics", **token("sales.view_sales_order")).status_code == 403
    assert Client().get("/metrics", **token(monitoring.RIGHT)).status_code == 200


def test_figures_tell_of_queues_commands_and_deliveries_of_all_processes(watched: Path) -> None:
    rule = a_rule()
    see_rule(ADMIN, rule=rule)
    see_rule(ADMIN, rule=rule)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE foundation_delivery SET due_at = due_at - interval '90 seconds'")
        cursor.execute(
            "UPDATE foundation_delivery SET status = 'parked' WHERE id = (SELECT min(id::text)::uuid"
            " FROM foundation_delivery WHERE subscriber LIKE '%%fail_at_rule')"
        )
    figures.Writer(watched, "web").write()
    figures.Writer(watched, "work").write()
    answer = Client().get("/metrics", **LOCAL)
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    found = samples(answer.content.decode())
    assert found['lianzao_up{process="web"}'] == 1 and found['lianzao_up{process="work"}'] == 1
    assert found['lianzao_parked_deliveries{queue="work"}'] == 1
    assert found['lianzao_queue_depth{queue="work"}'] >= 1 and found['lianzao_queue_depth{queue="plan"}'] == 0
    assert 89 < found['lianzao_queue_age_seconds{queue="work"}'] < 200
    assert found["lianzao_database_up"] == 1
    key = 'process="web",command="tests.see_rule"'
    done = found[f'lianzao_commands_total{{{key},outcome="done"}}']
    assert done >= 2 and found[f"lianzao_command_seconds_count{{{key}}}"] == done


def test_a_slow_command_is_told_with_its_order(caplog: pytest.LogCaptureFixture, settings: Any) -> None:
    settings.SLOW_COMMAND_S = 0.0
    order = uuid7()
    with trail(trace="f" * 32), caplog.at_level(logging.INFO, "lianzao"):
        run(ADMIN, "foundation.create_code_rule", {"entity_kind": "test.slow", "pattern": "S-{seq:4}"}, order_id=order)
        text, plain = lines(caplog, JsonLines())[-1], lines(caplog, TextLines())[-1]
    said = json.loads(text)
    assert said["order"] == str(order) and said["command"] == "foundation.create_code_rule"
    assert said["trace"] == "f" * 32 and said["seconds"] >= 0 and said["level"] == "warning"
    assert f"order={order}" in plain and "slow: foundation.create_code_rule took" in plain


def test_the_trace_id_of_a_bug_is_shown_and_found_in_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_identify", lambda _: ADMIN)
    order = uuid7()
    told: list[str] = []

    class Keeps(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(JsonLines().format(record))

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(audit, "write", broken)
    handler = Keeps()
    logging.getLogger("lianzao").addHandler(handler)
    client = Client(raise_request_exception=False)
    try:
        answer = client.post(
            "/api/foundation/create_code_rule",
            {"entity_kind": "test.bug", "pattern": "B-{seq:4}"},
            content_type="application/json",
            HTTP_IDEMPOTENCY_KEY=str(order),
            HTTP_X_TRACE_ID="0123456789abcdef" * 2,
        )
    finally:
        logging.getLogger("lianzao").removeHandler(handler)
    assert answer.status_code == 500 and answer.json()["trace_id"] == "0123456789abcdef" * 2
    assert answer["X-Trace-Id"] == answer.json()["trace_id"] and answer.json()["trace_id"] in answer.json()["detail"]
    said = [json.loads(line) for line in told if "bug" in line]
    assert said and said[-1]["trace"] == answer.json()["trace_id"] and said[-1]["order"] == str(order)
    assert "ZeroDivisionError: a bug" in said[-1]["error"]


def test_a_delivery_that_fails_is_told_with_its_event_and_order() -> None:
    told: list[dict[str, Any]] = []

    class Keeps(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(json.loads(JsonLines().format(record)))

    see_rule(ADMIN, rule=a_rule())
    handler = Keeps()
    logging.getLogger("lianzao").addHandler(handler)
    try:
        outbox.work_once()
    finally:
        logging.getLogger("lianzao").removeHandler(handler)
    delivery = outbox.Delivery.objects.get(subscriber__endswith="fail_at_rule")
    said = next(line for line in told if line["message"] == "delivery failed")
    assert said["delivery"] == str(delivery.id) and said["event"] == str(delivery.event_id) and said["order"]
    assert said["command"].endswith("fail_at_rule") and "no such unit" in said["error"]


def test_a_trace_id_that_is_none_is_not_taken(watched: Path) -> None:
    for given in ("x" * 32, "0" * 31, 'a" onload="', "A" * 32):
        answer = Client().get("/healthz", HTTP_X_TRACE_ID=given)
        assert answer["X-Trace-Id"] != given and len(answer["X-Trace-Id"]) == 32
