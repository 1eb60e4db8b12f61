"""Stories of alerts: who hears what, who takes care of it, and who hears next when nobody does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

import project.urls  # noqa: F401 - says who asks; before a test says otherwise
from lianzao.access import commands as access
from lianzao.access.models import Person, Role
from lianzao.access.queries import actor_for
from lianzao.alerts import commands as alerts
from lianzao.alerts import jobs, telling
from lianzao.alerts.models import Alert, Notice, Watch
from lianzao.foundation import audit, clock, http, outbox
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import run
from lianzao.inventory import commands as inventory
from lianzao.procurement import commands as procurement
from lianzao.values.errors import Conflict, Invalid, NotAllowed, NotFound, RuleBroken
from lianzao.values.time import uuid7
from tests.scenario.commerce import Trade, day

pytestmark = pytest.mark.django_db
D = Decimal


class House(Trade):
    """The trading site with its people and the shipped watches."""

    def __init__(self) -> None:
        super().__init__()
        access.set_up_roles(self.by)
        self.people: dict[str, Person] = {}
        for login, role in (
            ("bo", "buyer"),
            ("pia", "planner"),
            ("max", "manager"),
            ("qi", "quality"),
            ("wu", "warehouse"),
        ):
            self.hire(login, role)
        self.hire("mill", "supplier", partner_id=self.mill.id)
        self.hire("forge", "supplier", partner_id=self.forge.id)
        alerts.set_up_watches(self.by)

    def hire(self, login: str, role: str, **more: Any) -> Person:
        person = access.create_person(self.by, login=login, name=f"名{login}", name_en=login.title(), **more)
        access.assign_role(self.by, person=person, role=Role.objects.get(code=role), site=self.site)
        self.people[login] = person
        return person

    def actor(self, login: str) -> Actor:
        return replace(actor_for(login, site=self.site_id), kind="partner" if login in ("mill", "forge") else "person")

    def told(self, watch: str) -> set[str]:
        rows = Notice.objects.filter(alert__watch__code=watch, told_at__isnull=False)
        return set(rows.values_list("person__login", flat=True))

    def alert(self, watch: str) -> Alert:
        return Alert.objects.get(watch__code=watch)

    def settle(self) -> None:
        """Let the work queue run dry; alerts collect news for 50 ms."""
        for _ in range(4):
            time.sleep(0.06)
            if not outbox.work_once(("work",)):
                return

    def delayed(self, to: int = 20) -> None:
        order = self.buy("100", day(9))
        self.line_of_order = self.schedule(order)[0]
        procurement.change_expected(self.by, schedule_line=self.line_of_order, expected_on=day(to), reason="Storm")
        self.settle()


@pytest.fixture
def house(db: None) -> Iterator[House]:
    try:
        yield House()
    finally:
        clock.freeze(None)


@pytest.fixture
def inbox_of(house: House, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The inbox of a login, over HTTP."""

    def read(login: str, language: str = "zh-CN", **query: Any) -> Any:
        monkeypatch.setattr(http, "_identify", lambda request: house.actor(login))
        client = Client(headers={"Authorization": "Bearer test", "Accept-Language": language})
        answer = client.get("/api/alerts/inbox", query)
        assert answer.status_code == 200, answer.content
        return answer.json()

    return read


# -- from news to people ----------------------------------------------------------------------------------------------


def test_a_delay_reaches_the_buyer_in_his_language_with_its_cause(house: House, inbox_of: Callable[..., Any]) -> None:
    house.delayed()
    assert house.told("arrival_delayed") == {"bo"}
    body = inbox_of("bo")
    row = next(each for each in body["rows"] if each["event"] == "procurement.ArrivalDelayed")
    assert row["title"] == "MILL 的 STEEL 晚 11 天到"
    assert "原定 2026-03-09，现为 2026-03-20。原因：Storm" in row["body"]
    assert row["subject"]["kind"] == "procurement.purchase_order" and row["subject"]["label"].startswith("PO-")
    assert (row["severity"], row["status"], row["owner"], row["overdue"]) == ("warning", "open", None, False)
    assert row["event_title"] and row["read_at"] is None
    story = [step.command for step in audit.story(UUID(row["cause_order_id"]))]
    assert "procurement.change_expected" in story and "alerts.handlers.watch_events" in story
    english = next(r for r in inbox_of("bo", "en")["rows"] if r["alert_id"] == row["alert_id"])
    assert english["title"] == "STEEL of MILL comes later by 11 d"
    assert body["counts"]["unread"] == body["counts"]["open"] == body["total"]
    assert inbox_of("qi")["total"] == 0


def test_the_same_matter_again_is_one_alert_unread_again(house: House) -> None:
    house.delayed()
    alert = house.alert("arrival_delayed")
    alerts.mark_all_read(house.actor("bo"))
    assert not Notice.objects.filter(alert=alert, read_at=None).exists()
    house.line_of_order.refresh_from_db()
    procurement.change_expected(house.by, schedule_line=house.line_of_order, expected_on=day(25), reason="Customs")
    house.settle()
    again = house.alert("arrival_delayed")
    assert (again.id, again.repeats, again.number) == (alert.id, 1, alert.number)
    assert "2026-03-25" in again.body and "Customs" in again.body_en
    assert Notice.objects.filter(alert=alert, read_at=None).count() == 1


def test_what_is_over_closes_its_alert_by_itself(house: House, inbox_of: Callable[..., Any]) -> None:
    lot = house.stock(house.steel, "50", house.store, "L1")
    assert lot is not None
    inventory.hold_lot(house.by, lot=lot, reason="rust")
    house.settle()
    assert house.told("lot_held") == {"qi", "pia"}
    assert inbox_of("qi")["counts"]["unread"] == 1
    lot.refresh_from_db()
    inventory.release_lot(house.by, lot=lot)
    house.settle()
    alert = house.alert("lot_held")
    assert (alert.status, alert.note, alert.next_step_at, alert.closed_by) == (
        "done",
        "inventory.LotReleased",
        None,
        None,
    )
    over = inbox_of("qi", show="all")
    assert (over["total"], over["counts"]["unread"], over["counts"]["open"]) == (1, 0, 0)
    assert [inbox_of("qi", show=show)["total"] for show in ("open", "unread")] == [0, 0]
    assert house.news("AlertClosed")[-1]["person_ids"] == sorted(str(house.people[p].id) for p in ("qi", "pia"))
    lot.refresh_from_db()
    inventory.hold_lot(house.by, lot=lot, reason="rust again")
    house.settle()
    assert Alert.objects.filter(watch__code="lot_held").count() == 2


def test_without_a_fitting_watch_hearing_costs_one_statement(house: House) -> None:
    facts = {"site_id": str(house.site_id), "item_id": str(house.steel.id), "old_cost": "1", "new_cost": "2"}
    event = outbox.read("catalog.StandardCostSet", facts)
    telling.hear(house.by, [(uuid7(), event)])
    with CaptureQueriesContext(connection) as seen:
        telling.hear(house.by, [(uuid7(), event)] * 50)
    assert len(seen.captured_queries) == 1


def test_a_watch_whose_people_do_not_exist_falls_to_the_ladder(house: House) -> None:
    house.people["bo"].refresh_from_db()
    access.retire_person(house.by, person=house.people["bo"])
    house.delayed()
    assert house.told("arrival_delayed") == {"pia"}  # the first rung of its ladder


def test_one_matter_raised_twice_at_once_counts_as_one(house: House) -> None:
    order = house.buy("100", day(9))
    line = house.schedule(order)[0]
    for to in (15, 18):
        procurement.change_expected(house.by, schedule_line=line, expected_on=day(to), reason="Storm")
        line.refresh_from_db()
    house.settle()
    alert = house.alert("arrival_delayed")
    assert alert.repeats == 1 and "2026-03-18" in alert.body


# -- owners -----------------------------------------------------------------------------------------------------------


def test_an_alert_has_one_owner_from_taking_to_closing(house: House, inbox_of: Callable[..., Any]) -> None:
    house.delayed()
    alert = house.alert("arrival_delayed")
    bo, pia = house.actor("bo"), house.actor("pia")
    alerts.take_alert(bo, alert=alert)
    taken = house.alert("arrival_delayed")
    assert (taken.status, taken.owner_id) == ("taken", bo.id)
    assert Notice.objects.get(alert=alert, person_id=bo.id).read_at is not None
    assert inbox_of("bo", show="mine")["rows"][0]["mine"] is True
    with pytest.raises(Conflict, match="alert_taken"):
        alerts.take_alert(pia, alert=alert)
    with pytest.raises(RuleBroken, match="person_cannot_take"):
        alerts.hand_over_alert(bo, alert=alert, person=house.people["mill"])
    alerts.hand_over_alert(bo, alert=alert, person=house.people["pia"], note="please")
    assert house.alert("arrival_delayed").owner_id == pia.id
    assert house.told("arrival_delayed") == {"bo", "pia"}
    alerts.close_alert(pia, alert=alert, note="ordered elsewhere")
    done = house.alert("arrival_delayed")
    assert (done.status, done.owner_id, done.closed_by, done.note) == ("done", pia.id, pia.id, "ordered elsewhere")
    with pytest.raises(Conflict, match="wrong_status"):
        alerts.take_alert(pia, alert=alert)
    assert house.news("AlertTaken")[-1]["owner_id"] == str(pia.id)


def test_closing_what_nobody_took_makes_an_owner_and_a_machine_is_none(house: House) -> None:
    house.delayed()
    alert = house.alert("arrival_delayed")
    with pytest.raises(RuleBroken, match="owner_is_a_person"):
        alerts.close_alert(house.by, alert=alert)
    alerts.close_alert(house.actor("max"), alert=alert)
    assert house.alert("arrival_delayed").owner_id == house.people["max"].id


def test_rights_keep_watches_with_the_manager_and_alerts_at_their_site(house: House) -> None:
    house.delayed()
    alert = house.alert("arrival_delayed")
    with pytest.raises(NotAllowed):
        alerts.switch_watch(house.actor("bo"), watch=alert.watch, active=False)
    alerts.switch_watch(house.actor("max"), watch=alert.watch, active=False)
    elsewhere = replace(house.actor("bo"), sites=frozenset({UUID(int=7)}), memory={})
    with pytest.raises(NotFound):
        alerts.take_alert(elsewhere, alert=alert.id)  # type: ignore[arg-type]
    with pytest.raises(NotAllowed):
        alerts.take_alert(house.actor("mill"), alert=alert)
    with pytest.raises(NotAllowed):
        alerts.escalate_due(house.actor("max"))


def test_nobody_reads_the_notices_of_others(house: House) -> None:
    house.delayed()
    notice = Notice.objects.get(alert__watch__code="arrival_delayed")
    with pytest.raises(NotFound):
        alerts.mark_read(house.actor("pia"), notices=[notice.id])
    assert alerts.mark_read(house.actor("bo"), notices=[notice.id]) == {"read": 1}
    assert alerts.mark_read(house.actor("bo"), notices=[notice.id]) == {"read": 0}


# -- the clock --------------------------------------------------------------------------------------------------------


def test_an_untaken_alert_climbs_its_ladder_and_expires(house: House) -> None:
    house.delayed()
    assert jobs.escalate(clock.now()) == {"told": 0, "expired": 0, "escalated": 0}
    assert jobs.escalate(house.later(minutes=119))["escalated"] == 0
    assert jobs.escalate(house.later(minutes=1))["escalated"] == 1
    assert house.told("arrival_delayed") == {"bo", "pia"}
    assert jobs.escalate(house.later(minutes=359))["escalated"] == 0
    assert jobs.escalate(house.later(minutes=1))["escalated"] == 1
    assert house.told("arrival_delayed") == {"bo", "pia", "max"}
    raised = house.news("AlertRaised")
    assert [each["step"] for each in raised if each["alert_id"] == str(house.alert("arrival_delayed").id)] == [0, 1, 2]
    assert jobs.escalate(house.later(days=8))["expired"] >= 1
    assert house.alert("arrival_delayed").status == "expired"
    assert jobs.escalate(house.later(days=8)) == {"told": 0, "expired": 0, "escalated": 0}


def test_a_taken_alert_rests_until_it_is_overdue(house: House, inbox_of: Callable[..., Any]) -> None:
    house.delayed()
    alerts.take_alert(house.actor("bo"), alert=house.alert("arrival_delayed"))
    assert jobs.escalate(house.later(hours=7))["escalated"] == 0
    assert inbox_of("bo")["counts"]["overdue"] == 0
    assert jobs.escalate(house.later(hours=1, minutes=1))["escalated"] == 1
    assert house.told("arrival_delayed") == {"bo", "pia"}
    assert inbox_of("bo")["counts"]["overdue"] == 1


def test_quiet_hours_hold_the_bell_not_the_alert(house: House, inbox_of: Callable[..., Any]) -> None:
    clock.freeze(clock.now().replace(hour=14))  # ten at night in Shanghai
    procurement.raise_requisition(house.by, item=house.screw, quantity=D(5), needed_on=day(20), reason=[])
    house.settle()
    alert = house.alert("requisition_raised")
    assert alert.starts_at == alert.raised_at + timedelta(hours=9)
    assert house.told("requisition_raised") == set() and inbox_of("bo")["total"] == 0
    assert jobs.escalate(house.later(hours=8, minutes=59))["told"] == 0
    assert jobs.escalate(house.later(minutes=1))["told"] == 1
    assert inbox_of("bo")["total"] == 1
    assert house.news("AlertRaised")[-1]["person_ids"] == [str(house.people["bo"].id)]
    assert alert.due_at == alert.starts_at + timedelta(hours=8)


def test_a_watch_keeps_still_for_a_while_after_closing(house: House) -> None:
    watch = Watch.objects.get(code="lot_held")
    run(house.by, "alerts.change_watch", {"watch": str(watch.id), "quiet_minutes": 60, "resolved_by": []})
    lot = house.stock(house.steel, "50", house.store, "L1")
    assert lot is not None

    def hold_and_release() -> None:
        lot.refresh_from_db()
        inventory.hold_lot(house.by, lot=lot, reason="rust")
        lot.refresh_from_db()
        inventory.release_lot(house.by, lot=lot)
        house.settle()

    hold_and_release()
    alerts.close_alert(house.actor("qi"), alert=house.alert("lot_held"))
    house.later(minutes=30)
    hold_and_release()
    assert Alert.objects.filter(watch=watch).count() == 1
    house.later(minutes=31)
    hold_and_release()
    assert Alert.objects.filter(watch=watch).count() == 2


# -- partners ---------------------------------------------------------------------------------------------------------


def test_a_supplier_hears_of_his_own_orders_only_and_no_more_than_the_words(
    house: House, inbox_of: Callable[..., Any]
) -> None:
    house.buy("100", day(9))
    house.settle()
    assert house.told("partner_order_sent") == {"mill"}
    row = inbox_of("mill", "en")["rows"][0]
    assert row["title"].startswith("New purchase order PO-") and row["subject"]["kind"] == "procurement.purchase_order"
    assert not {"cause_order_id", "owner", "watch_id", "facts", "note", "step"} & set(row)
    assert inbox_of("forge")["total"] == 0
    raised = [each for each in house.news("AlertRaised") if each["alert_id"] == row["alert_id"]]
    assert [(each["person_ids"], each["partner_ids"]) for each in raised] == [
        ([], []),
        ([str(house.people["mill"].id)], [str(house.mill.id)]),
    ]
    assert alerts.mark_all_read(house.actor("mill")) == {"read": 1}


def test_the_wall_shows_a_partner_his_alerts_alone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.buy("100", day(9))
    house.delayed()
    rights = frozenset({"alerts.view_notice", "alerts.view_alert"})
    for login, count in (("mill", 2), ("forge", 0)):
        actor = replace(house.actor(login), rights=rights, memory={})
        monkeypatch.setattr(http, "_identify", lambda request, actor=actor: actor)
        client = Client(headers={"Authorization": "Bearer test"})
        for entity in ("alert", "notice"):
            body = client.get(f"/api/alerts/{entity}").json()
            assert body["total"] == count, body
        for row in client.get("/api/alerts/alert").json()["rows"]:
            assert not {"facts", "cause_order_id", "watch", "owner", "note"} & set(row)


# -- watches as data --------------------------------------------------------------------------------------------------


def test_shipped_watches_come_once_and_what_people_changed_stays(house: House) -> None:
    count = Watch.objects.count()
    assert count == 27
    watch = Watch.objects.get(code="scrap_over_limit")
    wider = {"field": "scrap", "op": "gt", "value": 50}
    run(house.actor("max"), "alerts.change_watch", {"watch": str(watch.id), "condition": wider})
    assert alerts.set_up_watches(house.by) == {"made": 0, "kept": 27}
    assert Watch.objects.get(code="scrap_over_limit").condition == wider


WORDLESS = {"title": "x", "title_en": "x", "body": "", "body_en": "", "key_fields": [], "resolved_by": []}
NO_PARTNERS = {**WORDLESS, "event": "planning.ShortageFound", "to_partners": True, "subject_field": ""}


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"event": "sales.NoSuch"}, "no_such_event", "event"),
        ({"event": "alerts.AlertRaised"}, "no_such_event", "event"),
        ({"condition": {"field": "days", "op": "gt", "value": "many"}}, "condition_value", "condition.value"),
        ({"condition": []}, "condition_malformed", "condition"),
        ({"title": "{item.code}"}, "unknown_fact", "title"),
        ({"body_en": "{nothing}"}, "unknown_fact", "body_en"),
        ({"key_fields": ["partner_ids"]}, "unknown_fact", "key_fields"),
        ({"subject_field": "days"}, "unknown_fact", "subject_field"),
        ({"resolved_by": ["sales.OrderClosed"]}, "unknown_fact", "resolved_by"),
        ({"roles": []}, "nobody_to_tell", "roles"),
        ({"roles": ["emperor"]}, "no_such_record", "roles"),
        ({"persons": ["01890000-0000-7000-8000-000000000001"]}, "no_such_record", "persons"),
        ({"ladder": [{"after_minutes": 5, "roles": ["emperor"]}]}, "no_such_record", "roles"),
        ({"ladder": "high"}, "ladder_malformed", "ladder"),
        (NO_PARTNERS, "no_partners_in_event", "to_partners"),
        ({"quiet_from": "20:00"}, "field_missing", "quiet_until"),
        ({"expire_hours": 0}, "too_small", "expire_hours"),
        ({"severity": "loud"}, "not_a_choice", "severity"),
    ],
)  # fmt: skip
def test_a_watch_that_would_fail_is_refused_when_it_is_saved(
    house: House, change: dict[str, Any], code: str, field: str
) -> None:
    watch = Watch.objects.get(code="arrival_delayed")
    with pytest.raises(Invalid) as refused:
        run(house.actor("max"), "alerts.change_watch", {"watch": str(watch.id), **change})
    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_new_watch_works_from_the_next_event_on(house: House) -> None:
    run(
        house.actor("max"),
        "alerts.create_watch",
        {
            "code": "long_delay", "name": "长延迟", "event": "procurement.ArrivalDelayed", "severity": "critical",
            "condition": {"all": [{"field": "days", "op": "ge", "value": 10}, {"field": "item_id", "op": "eq",
                          "value": str(house.steel.id)}]},
            "persons": [str(house.people["qi"].id)], "title": "晚 {days} 天", "title_en": "{days} days late",
        },
    )  # fmt: skip
    house.delayed(to=18)
    assert house.told("long_delay") == set()
    house.delayed(to=19)
    assert house.told("long_delay") == {"qi"}


def test_a_dry_run_says_what_a_watch_would_have_done(house: House) -> None:
    for to in (11, 20, 25):
        house.delayed(to=to)
    before = Alert.objects.count()
    trial = alerts.try_watch(
        house.actor("max"),
        event="procurement.ArrivalDelayed",
        condition={"field": "days", "op": "gt", "value": 5},
        key_fields=["item_id"],
        title="{item}: {days}",
    )
    assert (trial.events, trial.fitting, trial.alerts, trial.complete) == (3, 2, 1, True)
    assert [(each.title, each.repeats) for each in trial.examples] == [("STEEL: 16", True), ("STEEL: 11", False)]
    assert Alert.objects.count() == before
    elsewhere = replace(house.actor("max"), sites=frozenset({UUID(int=7)}), memory={})
    assert alerts.try_watch(elsewhere, event="procurement.ArrivalDelayed", condition={}).events == 0
    house.later(days=31)
    assert alerts.try_watch(house.actor("max"), event="procurement.ArrivalDelayed", condition={}).events == 0


def test_what_can_be_watched_is_told_with_types_and_kinds(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_identify", lambda request: house.actor("max"))
    body = Client(headers={"Authorization": "Bearer test"}).get("/api/alerts/events").json()
    events = {each["name"]: {field["name"]: field for field in each["fields"]} for each in body["events"]}
    delayed = events["procurement.ArrivalDelayed"]
    assert delayed["supplier_id"]["kind"] == "parties.party" and delayed["supplier_id"]["sentence"] == "supplier"
    assert "gt" in delayed["days"]["operators"] and "gt" not in delayed["reason"]["operators"]
    assert events["equipment.MachineStopped"]["reason_id"]["kind"] == "equipment.stop_reason"
    assert events["production.ScrapReported"]["operation_id"]["kind"] == "production.work_order_operation"
    assert "alerts.AlertRaised" not in events
