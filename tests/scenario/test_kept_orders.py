"""Orders that a terminal keeps while the network is away: sealed, handed in once each, refused ones before a person."""

from __future__ import annotations

import base64
import secrets
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from lianzao.access import commands as access
from lianzao.access import passwords, sealing
from lianzao.access.models import Person, RefusedOrder, Station
from lianzao.access.sessions import open_session
from lianzao.alerts import commands as alerts
from lianzao.alerts.models import Alert, Notice
from lianzao.foundation import clock
from lianzao.foundation.audit import Order
from lianzao.production import commands as production
from lianzao.production.models import OperationReport, WorkOrder
from lianzao.values.errors import Invalid
from lianzao.values.time import uuid7
from tests.world import House, house

__all__ = ["house"]


class Device:
    """A terminal's browser: its station key, somebody's session, and what it keeps when the network is away."""

    def __init__(self, house: House, login: str, station: str = "") -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.person = Person.objects.get(login=login)
        self.station: Station | None = None
        if station:
            self.station = access.register_station(house.system, code=station, name=station, site=house.site)
            key = passwords.random_key()
            access.bind_station(house.system, station=self.station, device_key=key)
            self.client.cookies["lianzao_station"] = key
        opened = open_session(
            self.person.id, station_id=self.station.id if self.station else None, site_id=house.site.id
        )
        self.client.cookies["lianzao_session"] = opened.key
        self.client.get("/api/access/me")
        told = self.post("access/offline_pass", {})
        assert told.status_code == 200, told.content
        self.stay, self.key = told.json()["pass"], base64.b64decode(told.json()["key"])

    def post(self, path: str, body: dict[str, Any]) -> Any:
        token = self.client.cookies["csrftoken"].value
        return self.client.post(f"/api/{path}", body, content_type="application/json", HTTP_X_CSRFTOKEN=token)

    def leave(self) -> None:
        """Badge-out: from now on nobody here has a session, or the key."""
        assert self.post("access/logout", {}).status_code == 200
        self.client.cookies.pop("csrftoken")

    def keep(self, command: str, body: dict[str, Any], at: Any, sequence: int = 1) -> dict[str, Any]:
        """An order as it lies in the browser's store."""
        id = uuid7()
        content = {
            "command": command, "body": body, "happened_at": at.isoformat(), "device_at": at.isoformat(),
            "sequence": sequence,
        }  # fmt: skip
        return {
            "pass": self.stay,
            "order_id": str(id),
            "sealed": sealing.seal(self.key, secrets.token_bytes(12), id, content),
        }

    def hand_in(self, kept: dict[str, Any]) -> Any:
        return self.client.post("/api/access/hand_in", kept, content_type="application/json")


@pytest.fixture
def cutting(house: House) -> WorkOrder:
    """Bodies to cut from steel that lies at the line."""
    alerts.set_up_watches(house.system)
    house.opening("STEEL", "120", "LINE", lot="STEEL-L1")
    made: WorkOrder = production.create_work_order(
        house.by("planner"), item=house.item("BODY"), quantity=Decimal(60),
        due_at=house.by("planner").now + timedelta(hours=6), firm=True,
    )  # fmt: skip
    house.settle()
    production.release_work_order(house.by("lead"), work_order=made)
    house.settle()
    return made


def first(work_order: WorkOrder) -> str:
    return str(work_order.operations.order_by("sequence")[0].id)


def test_what_was_kept_is_done_once_at_the_time_of_the_act_also_after_badge_out(
    house: House, cutting: WorkOrder
) -> None:
    terminal = Device(house, "operator", "T1")
    did = clock.now()
    kept = [
        terminal.keep(
            "production.report_operation",
            {"operation": first(cutting), "good": str(good)},
            did + timedelta(minutes=good),
            good,
        )
        for good in (3, 4)
    ]
    assert terminal.station is not None
    terminal.leave()
    house.advance(hours=2)
    answers = [terminal.hand_in(each) for each in [*kept, kept[0]]]  # the first once more: its answer was lost
    assert [(each.status_code, each.json()["state"]) for each in answers] == [(200, "done")] * 3
    reports = list(OperationReport.objects.order_by("happened_at"))
    assert [(each.good, each.happened_at - did) for each in reports] == [
        (Decimal(3), timedelta(minutes=3)),
        (Decimal(4), timedelta(minutes=4)),
    ]
    assert {(each.person_id, each.station_id) for each in reports} == {(terminal.person.id, terminal.station.id)}
    assert {str(each.order_id) for each in reports} == {each["order_id"] for each in kept}
    assert not RefusedOrder.objects.exists()


def test_a_clock_that_runs_ahead_does_not_put_work_into_the_future(house: House, cutting: WorkOrder) -> None:
    terminal = Device(house, "operator", "T1")
    body = {"operation": first(cutting), "good": "1"}
    kept = terminal.keep("production.report_operation", body, clock.now() + timedelta(hours=3))
    assert terminal.hand_in(kept).json()["state"] == "done"
    assert OperationReport.objects.get().happened_at <= clock.now()


def test_a_refused_one_goes_to_the_lead_who_does_it_again(house: House, cutting: WorkOrder) -> None:
    terminal = Device(house, "operator", "T1")
    did = clock.now()
    kept = terminal.keep("production.report_operation", {"operation": first(cutting), "good": "600"}, did, 7)
    house.advance(minutes=30)
    answer = terminal.hand_in(kept).json()
    assert (answer["state"], answer["code"]) == ("filed", "more_than_ordered")
    assert terminal.hand_in(kept).json() == answer  # handed in again: the same paper
    paper = RefusedOrder.objects.get()
    assert (paper.number, paper.person_id, paper.happened_at, paper.sequence) == (
        answer["number"],
        terminal.person.id,
        did,
        7,
    )
    assert paper.body == {
        "operation": first(cutting),
        "good": "600",
        "happened_at": did.isoformat(),
        "person_id": str(terminal.person.id),
    }
    assert "60" in paper.refusal and "60" in paper.refusal_en
    house.settle()
    alert = Alert.objects.get(subject_id=paper.id)
    assert (
        alert.watch.code == "kept_order_refused" and terminal.person.name in alert.title and paper.refusal in alert.body
    )
    lead = Device(house, "lead")
    assert Notice.objects.filter(alert=alert, person=lead.person).exists()

    wrong = lead.post("access/redo_refused_order", {"refused_order": str(paper.id), "body": paper.body})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "more_than_ordered")
    for _ in range(2):  # a double tap
        right = lead.post(
            "access/redo_refused_order", {"refused_order": str(paper.id), "body": {**paper.body, "good": "6"}}
        )
        assert right.status_code == 200, right.content
    report = OperationReport.objects.get()
    assert (report.good, report.happened_at, report.person_id) == (Decimal(6), did, terminal.person.id)
    paper.refresh_from_db()
    assert (paper.status, paper.settled_by, paper.redone_order_id) == ("redone", lead.person.id, report.order_id)
    assert paper.number in Order.objects.get(id=report.order_id).why
    house.settle()
    alert.refresh_from_db()
    assert alert.status == "done"


def test_a_refused_one_may_be_dismissed_with_a_reason_by_the_lead_only(house: House, cutting: WorkOrder) -> None:
    terminal = Device(house, "operator", "T1")
    kept = terminal.keep("production.report_operation", {"operation": first(cutting), "good": "600"}, clock.now())
    terminal.hand_in(kept)
    paper = RefusedOrder.objects.get()
    no = terminal.post("access/redo_refused_order", {"refused_order": str(paper.id), "body": paper.body})
    assert no.status_code == 403
    with pytest.raises(Invalid):
        access.dismiss_refused_order(house.by("lead"), refused_order=paper, reason=" ")
    access.dismiss_refused_order(house.by("lead"), refused_order=paper, reason="数错了")
    paper.refresh_from_db()
    assert (paper.status, paper.reason) == ("dismissed", "数错了")
    late = Device(house, "lead").post("access/redo_refused_order", {"refused_order": str(paper.id), "body": paper.body})
    assert late.status_code == 409


@pytest.mark.parametrize("spoil", ["seal", "order_id", "pass", "content"])
def test_a_forged_seal_opens_nothing(house: House, cutting: WorkOrder, spoil: str) -> None:
    terminal, other = Device(house, "operator", "T1"), Device(house, "lead")
    kept = terminal.keep("production.report_operation", {"operation": first(cutting), "good": "1"}, clock.now())
    if spoil == "seal":
        data = bytearray(base64.b64decode(kept["sealed"]))
        data[20] ^= 1
        kept["sealed"] = base64.b64encode(bytes(data)).decode()
    elif spoil == "order_id":
        kept["order_id"] = str(uuid7())
    elif spoil == "pass":
        kept["pass"] = other.stay
    else:
        kept["sealed"] = base64.b64encode(b"x" * 80).decode()
    answer = terminal.hand_in(kept)
    assert (answer.status_code, answer.json()["code"]) == (422, "seal_broken")
    assert not OperationReport.objects.exists() and not RefusedOrder.objects.exists()


def test_who_may_no_longer_enter_and_a_terminal_taken_away_are_filed(house: House, cutting: WorkOrder) -> None:
    terminal = Device(house, "operator", "T1")
    body = {"operation": first(cutting), "good": "1"}
    carried = terminal.keep("production.report_operation", body, clock.now())
    terminal.client.cookies.pop("lianzao_station")
    assert terminal.hand_in(carried).json()["code"] == "station_taken_away"
    access.retire_person(house.system, person=terminal.person)
    shut_out = terminal.keep("production.report_operation", body, clock.now())
    assert terminal.hand_in(shut_out).json()["code"] == "person_shut_out"
    assert not OperationReport.objects.exists() and RefusedOrder.objects.count() == 2


def test_only_what_may_wait_is_taken_and_only_with_the_rights_of_the_person(house: House, cutting: WorkOrder) -> None:
    terminal = Device(house, "operator", "T1")
    for command, code in (
        ("production.close_work_order", "not_offline"),
        ("access.create_person", "not_offline"),
        ("procurement.receive_goods", "not_allowed"),
    ):
        kept = terminal.keep(command, {}, clock.now())
        assert terminal.hand_in(kept).json()["code"] == code, command
    assert Person.objects.filter(login="eve").count() == 0


def test_a_partner_and_a_token_are_given_no_pass(house: House) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies["lianzao_session"] = open_session(Person.objects.get(login="mill").id).key
    client.get("/api/access/me")
    token = client.cookies["csrftoken"].value
    answer = client.post("/api/access/offline_pass", {}, content_type="application/json", HTTP_X_CSRFTOKEN=token)
    assert answer.status_code == 403
    assert Client().post("/api/access/offline_pass", {}, content_type="application/json").status_code == 401


def test_a_pass_says_the_same_for_a_whole_stay_and_a_garbled_one_is_malformed(house: House) -> None:
    phone = Device(house, "warehouse")
    assert phone.post("access/offline_pass", {}).json()["pass"] == phone.stay
    assert sealing.written(sealing.read(phone.stay)) == phone.stay
    for text in ("", "1", phone.stay + ".1", phone.stay.replace("1.", "2.", 1), "1.x.y.z.a.b.c"):
        with pytest.raises(Invalid):
            sealing.read(text)
    assert sealing.key_of("a", phone.stay) != sealing.key_of("b", phone.stay)
    assert UUID(phone.stay.split(".")[2]) == phone.person.id
