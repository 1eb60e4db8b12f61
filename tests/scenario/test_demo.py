"""The demo plant: built by public commands, with one order a little late; it lives a day, and its books agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from demo import plant, simulator
from demo.plant import Credentials
from demo.settling import settle
from lianzao.access.models import Site
from lianzao.access.queries import actor_for
from lianzao.alerts.models import Alert, Notice
from lianzao.catalog.models import Item
from lianzao.foundation import clock, outbox, rebuild
from lianzao.foundation.audit import Order
from lianzao.foundation.entity import query
from lianzao.inventory.queries import rebuild_balances
from lianzao.planning.models import Outlook
from lianzao.planning.queries import outlooks_of
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import Asn, ScheduleLine
from lianzao.production.models import WorkOrder
from lianzao.sales.models import PromiseChange, SalesOrder, SalesOrderLine
from tests.conftest import close_connections, use_database
from tests.databases import TestGround

#: A Thursday: the plant opens on the Monday before.
START = datetime(2026, 3, 5, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def built(test_ground: TestGround, django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[str, Credentials]]:
    """The plant, built once; every test gets a copy."""
    before = str(connections.databases["default"]["NAME"])
    name = test_ground.clone()
    try:
        with django_db_blocker.unblock():
            use_database(test_ground, name)
            made = plant.build(start=START)
            close_connections()
        test_ground.shut(name)
        use_database(test_ground, before)
        yield name, made
    finally:
        use_database(test_ground, before)
        test_ground.drop(name)


@pytest.fixture
def works(built: tuple[str, Credentials], test_ground: TestGround, django_db_blocker: Any) -> Iterator[Credentials]:
    """The demo plant on its opening Monday, at eight."""
    before = str(connections.databases["default"]["NAME"])
    name = test_ground.clone(built[0])
    try:
        use_database(test_ground, name)
        with django_db_blocker.unblock(), clock.frozen(built[1].opened_at):
            yield built[1]
            close_connections()
    finally:
        use_database(test_ground, before)
        clock.forget()
        test_ground.drop(name)


LEDGER = """
SELECT item_id FROM (
    SELECT item_id, quantity FROM inventory_move UNION ALL SELECT item_id, -quantity FROM inventory_move
) sides GROUP BY item_id HAVING sum(quantity) <> 0
"""
LOST_LOTS = "SELECT 1 FROM inventory_balance WHERE quantity < 0"


def prove() -> None:
    """Matter is a ledger, projections agree with the facts, and no news was lost."""
    assert rebuild_balances() == []
    assert query(LEDGER) == [] and query(LOST_LOTS) == []
    for check in rebuild.CHECKS.values():
        assert list(check.find()) == [], check.name
    assert list(outbox.Delivery.objects.filter(status="parked").values_list("subscriber", "error")) == []
    assert not outbox.Delivery.objects.filter(status="pending").exists()


def late_lines() -> dict[str, int]:
    """Orders that will come after our word, or the customer's wish, and by how many local days."""
    found: dict[str, int] = {}
    for each in SalesOrderLine.objects.filter(status="confirmed", projected_at__isnull=False).select_related("order"):
        assert each.projected_at is not None
        days = (each.projected_at.astimezone(plant.ZONE).date() - each.due_on).days
        if days > 0:
            found[each.order.number] = max(days, found.get(each.order.number, 0))
    return found


def test_the_plant_stands_as_it_is_described(works: Credentials) -> None:
    assert works.opened_at == datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
    assert SalesOrder.objects.filter(status="confirmed").count() >= 25
    assert SalesOrder.objects.filter(status="closed").count() == 5
    assert SalesOrder.objects.filter(status="shipped").count() == 1
    states = Counter(WorkOrder.objects.values_list("status", flat=True))
    assert sum(states.values()) >= 12
    assert {"planned", "started", "closed"} <= set(states) and states["started"] >= 2
    arriving = Counter(ScheduleLine.objects.values_list("status", flat=True))
    assert {"open", "confirmed", "announced", "received"} <= set(arriving)
    held = query(
        "SELECT l.number FROM inventory_lot l WHERE l.status = 'held' AND l.source_kind = 'procurement.goods_receipt'"
    )
    assert held == [("XT-260119",)]
    assert Asn.objects.filter(status="announced").count() >= 4
    prove()


def test_the_roles_come_with_logins_that_may_do_their_work(works: Credentials) -> None:
    assert {each.login for each in works.logins} == {
        "admin", "planner", "sales", "buyer", "warehouse", "operator", "quality", "lead", "maintenance", "logistics",
        "manager", "supplier", "customer",
    }  # fmt: skip
    assert all(each.password == plant.PASSWORD for each in works.logins)
    assert actor_for("buyer").may("procurement.send_order")
    assert actor_for("supplier").partner is not None and not actor_for("supplier").may("sales.confirm_order")


def test_one_order_is_a_little_late_and_its_reason_is_the_purchase_that_slipped(works: Credentials) -> None:
    assert late_lines() == {works.hint.late_order: 2}
    line = SalesOrderLine.objects.get(order__number=works.hint.late_order)
    reasons = Outlook.objects.get(demand_id=line.id).reasons
    assert reasons[0]["reason"] == "material" and reasons[0]["number"].startswith(works.hint.late_purchase_order)


def test_moving_the_tight_shipment_by_three_days_hurts_the_order_it_serves(works: Credentials) -> None:
    asn = Asn.objects.get(pk=works.hint.asn_id)
    assert asn.number == works.hint.asn
    clock.advance(timedelta(hours=1))
    procurement.change_eta(
        actor_for("supplier"), asn=asn, eta_at=asn.eta_at + timedelta(days=3), reason="海关查验 held at customs"
    )
    settle()
    late = late_lines()
    assert late[works.hint.order] >= 1 and late[works.hint.late_order] == 2
    line = SalesOrderLine.objects.get(order_id=works.hint.order_id)
    reasons = outlooks_of([line.id])[line.id].reasons
    assert any(each.get("number", "").startswith(works.hint.purchase_order) for each in reasons)
    prove()


def living(login: str) -> Counter[str]:
    """What waits in somebody's inbox, by watch."""
    rows = Notice.objects.filter(person__login=login, alert__status__in=("open", "taken"))
    return Counter(rows.values_list("alert__watch__code", flat=True))


def living_shortages() -> set[str]:
    """The items whose shortage has a living alert."""
    rows = Alert.objects.filter(watch__code="shortage_found", status__in=("open", "taken"))
    return {Item.objects.get(pk=each).code for each in rows.values_list("subject_id", flat=True)}


def test_an_inbox_holds_little_and_all_of_it_needs_somebody(works: Credentials) -> None:
    for login in ("planner", "buyer", "sales", "manager", "quality"):
        assert living(login).total() <= 10, (login, living(login))
    # One order is late, for one part: the planner hears of the part, sales of the order.
    assert living("planner")["shortage_found"] == 1 and living("planner")["promise_broken_by_work"] == 0
    assert living("sales")["promise_broken"] == 1
    alert = Alert.objects.get(watch__code="shortage_found", status="open")
    assert works.hint.late_order in alert.title and "晚 2 天" in alert.title and "late by 2 d" in alert.title_en


def test_what_hurts_an_order_raises_one_alert_which_closes_when_it_is_over(works: Credentials) -> None:
    before = living_shortages()
    first = Asn.objects.get(pk=works.hint.asn_id).eta_at
    for days, hurt in ((3, True), (0, False), (4, True)):
        clock.advance(timedelta(hours=1))
        asn = Asn.objects.get(pk=works.hint.asn_id)
        eta = first + timedelta(days=days)
        procurement.change_eta(actor_for("supplier"), asn=asn, eta_at=eta, reason="customs")
        settle()
        assert (works.hint.order in late_lines()) is hurt, days
        broken = Alert.objects.filter(subject_id=works.hint.order_id, status="open", watch__code="promise_broken")
        assert broken.count() == int(hurt)
        assert len(living_shortages() - before) == int(hurt)
    prove()


def test_a_day_passes_and_everything_still_agrees(works: Credentials) -> None:
    people = simulator.Simulator.of_plant()
    now = works.opened_at
    for _ in range(32):  # sixteen hours of work, half an hour at a time
        now += timedelta(minutes=30)
        clock.freeze(now)
        people.step(now)
        settle()
    assert not [name for name in people.refused if name.endswith("failed")], people.refused
    assert people.done["production.report_operation"] > 20
    assert people.done["production.start_operation"] > 5
    assert people.done["procurement.confirm_schedule"] > 0
    assert people.done["sales.confirm_order"] > 0
    assert living("planner").total() <= 10, living("planner")
    prove()
    # What the plan says is what a plan from nothing but the facts says.
    before = {each.demand_id: (each.projected_at, each.short_quantity) for each in Outlook.objects.all()}
    from lianzao.planning import commands as planning

    planning.plan_site(actor_for("planner"), site=Site.objects.get(pk=works.site_id), why="proof")
    assert {each.demand_id: (each.projected_at, each.short_quantity) for each in Outlook.objects.all()} == before


def test_the_same_step_twice_changes_nothing(works: Credentials) -> None:
    people = simulator.Simulator.of_plant()
    now = works.opened_at + timedelta(hours=3)
    clock.freeze(now)
    for _ in range(6):
        people.step(now)
        settle()
    orders = Order.objects.filter(why="simulated").count()
    people.step(now)
    settle()
    assert Order.objects.filter(why="simulated").count() == orders


def test_what_a_person_works_on_is_left_alone_for_two_hours(works: Credentials) -> None:
    people = simulator.Simulator.of_plant()
    asn = Asn.objects.filter(status="announced").order_by("eta_at").first()
    assert asn is not None
    truck = asn.eta_at + timedelta(hours=1)
    clock.freeze(truck)
    procurement.record_arrival(actor_for("warehouse"), asn=asn)
    people.step(truck, ("receive",))
    assert Asn.objects.get(pk=asn.id).status == "arrived"
    later = truck + timedelta(hours=2, minutes=5)
    clock.freeze(later)
    people.step(later, ("receive",))
    assert Asn.objects.get(pk=asn.id).status == "closed"


def test_a_customer_who_was_offered_another_day_answers_as_himself(works: Credentials) -> None:
    assert not PromiseChange.objects.filter(status="offered").exists()
    from lianzao.sales import commands as sales

    line = SalesOrderLine.objects.filter(order__id=works.hint.order_id).get()
    assert line.promised_on is not None
    new_on = line.promised_on + timedelta(days=3)
    sales.offer_new_promise.ordered(why="simulated")(actor_for("sales"), line=line, new_on=new_on)
    people = simulator.Simulator.of_plant()
    for hour in (4, 28):
        now = works.opened_at + timedelta(hours=hour)
        clock.freeze(now)
        people.step(now, ("customers",))
    answered = PromiseChange.objects.filter(line=line).order_by("-offered_at").first()
    assert answered is not None and answered.status in ("accepted", "declined")
    assert answered.answered_by == actor_for("customer").id


def test_a_plant_that_was_switched_off_goes_on_where_it_stood(works: Credentials) -> None:
    clock.freeze(None)
    clock.forget()
    looks = iter(range(12))
    simulator.run(stopping=lambda: next(looks, None) is None, speed=600, tick_s=0.5)
    assert clock.rate() == 0
    stood = clock.now()
    assert works.opened_at < stood < works.opened_at + timedelta(hours=4)
    assert Order.objects.filter(why="simulated", at__gt=works.opened_at).exists()
    assert simulator.resume_clock(60) == stood
    assert clock.rate() == 60 and clock.now() - stood < timedelta(minutes=10)
    query("UPDATE foundation_clock SET anchor = anchor - interval '1 day', set_at = set_at - interval '7 days'")
    last = query("SELECT max(at) FROM foundation_order")[0][0]
    assert simulator.resume_clock(60) == last  # never before what was recorded, never a week ahead
