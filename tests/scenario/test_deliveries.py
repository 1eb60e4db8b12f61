"""Parked deliveries: administrators list them, read them, try them again, or drop them with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from lianzao.foundation import audit, commands, http, outbox
from lianzao.foundation.actor import ALL, Actor
from lianzao.foundation.command import command, run
from lianzao.foundation.numbering import CodeRule
from lianzao.foundation.outbox import Delivery, Event, on, publish
from lianzao.values.errors import Conflict, Invalid, NotAllowed, NotFound
from lianzao.values.time import uuid7

pytestmark = pytest.mark.django_db
import_module("project.urls")
ADMIN = Actor(id=uuid7(), name="admin", sites=ALL, rights=frozenset({"*"}), language="en")
VIEWER = Actor(id=uuid7(), name="viewer", sites=ALL, rights=frozenset({"*.view_*"}), language="en")

broken: list[str] = []
heard: list[UUID] = []


@dataclass(frozen=True)
class RulePriced(Event):
    rule_id: UUID
    price: str
    site_id: UUID | None = None


@command(hidden=True)
def price_rule(by: Actor, *, rule: CodeRule, site_id: UUID | None = None) -> CodeRule:
    """Tell news of a price (test only)."""
    publish(RulePriced(rule.id, "12.50", site_id))
    return rule


@on(RulePriced)
def book_price(by: Actor, news: list[RulePriced]) -> None:
    if broken:
        raise ValueError("no account for 12.50")
    heard.extend(each.rule_id for each in news)


@pytest.fixture
def parked() -> Delivery:
    """A delivery that failed until it was given up."""
    broken[:] = ["yes"]
    heard.clear()
    rule = run(ADMIN, "foundation.create_code_rule", {"entity_kind": "test.priced", "pattern": "P-{seq:4}"})
    price_rule(ADMIN, rule=rule)
    for _ in range(outbox.ATTEMPTS):
        outbox.work_once()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE foundation_delivery SET due_at = clock_timestamp() WHERE status = 'pending'")
    made = Delivery.objects.get(subscriber__endswith="book_price")
    assert made.status == "parked" and made.attempts == outbox.ATTEMPTS
    return made


@pytest.fixture
def acting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Actor], Client]:
    def client(actor: Actor) -> Client:
        monkeypatch.setattr(http, "_identify", lambda _: actor)
        return Client(headers={"Authorization": "Bearer test"})

    return client


def test_it_is_listed_and_read_with_its_event_and_error(parked: Delivery, acting: Callable[[Actor], Client]) -> None:
    client = acting(ADMIN)
    rows = client.get("/api/foundation/delivery", {"status": "parked"}).json()["rows"]
    assert [row["id"] for row in rows] == [str(parked.id)]
    assert rows[0]["event"]["name"].endswith("RulePriced") and "no account for 12.50" in rows[0]["error"]
    told = client.get(f"/api/foundation/delivery/{parked.id}").json()
    assert set(told["actions"]) == {"foundation.retry_delivery", "foundation.drop_delivery"}
    event = client.get(f"/api/foundation/event_row/{rows[0]['event']['id']}").json()["row"]
    assert event["payload"]["price"] == "12.50" and event["order_id"]


def test_who_may_only_look_sees_neither_payload_nor_traceback_and_may_do_nothing(
    parked: Delivery, acting: Callable[[Actor], Client]
) -> None:
    client = acting(VIEWER)
    told = client.get(f"/api/foundation/delivery/{parked.id}").json()
    assert told["row"]["error"] is None and told["actions"] == []
    event = client.get(f"/api/foundation/event_row/{parked.event_id}").json()["row"]
    assert event["payload"] is None
    with pytest.raises(NotAllowed):
        commands.retry_delivery(VIEWER, delivery_id=parked.id)


def test_tried_again_it_is_carried_out_once_its_cause_is_mended(
    parked: Delivery, acting: Callable[[Actor], Client]
) -> None:
    broken.clear()
    order = uuid7()
    answer = acting(ADMIN).post(
        "/api/foundation/retry_delivery",
        {"delivery_id": str(parked.id)},
        content_type="application/json",
        HTTP_IDEMPOTENCY_KEY=str(order),
    )
    assert answer.status_code == 200 and answer.json() == {"retried": 1}
    outbox.work_once()
    parked.refresh_from_db()
    assert parked.status == "done" and len(heard) == 1
    written = audit.Order.objects.get(id=order)
    assert written.actor_id == ADMIN.id and parked.id in written.touched
    assert written.changes[0]["before"] == {"status": "parked"}
    with pytest.raises(Conflict, match="wrong_status"):
        commands.retry_delivery(ADMIN, delivery_id=parked.id)
    outbox.work_once()
    assert len(heard) == 1


def test_dropped_it_needs_a_reason_and_is_never_carried_out(parked: Delivery) -> None:
    with pytest.raises(Invalid, match="field_missing"):
        commands.drop_delivery(ADMIN, delivery_id=parked.id, reason="  ")
    commands.drop_delivery(ADMIN, delivery_id=parked.id, reason="booked by hand")
    broken.clear()
    outbox.work_once()
    parked.refresh_from_db()
    assert parked.status == "dropped" and heard == []
    written = audit.history(parked.id)[0]
    assert written.body["reason"] == "booked by hand" and written.changes[0]["after"] == {"status": "dropped"}
    with pytest.raises(Conflict, match="wrong_status"):
        commands.drop_delivery(ADMIN, delivery_id=parked.id, reason="again")
    with pytest.raises(NotFound):
        commands.retry_delivery(ADMIN, delivery_id=uuid7())


def test_many_at_once_leave_alone_what_is_not_parked(parked: Delivery) -> None:
    assert commands.drop_deliveries(ADMIN, deliveries=[parked.id, uuid7()], reason="old") == {"dropped": 1}
    assert commands.retry_deliveries(ADMIN, deliveries=[parked.id]) == {"retried": 0}
