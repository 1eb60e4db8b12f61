"""The store's figures by hand: what is free, set aside and held, where goods go, what to count, what is late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from lianzao.foundation import clock
from lianzao.inventory import commands as inventory
from lianzao.logistics.models import Shipment
from lianzao.overviews import shipping, stores
from lianzao.values.reference import Ref
from lianzao.values.time import uuid7
from tests.scenario.shopfloor import NOW, Floor

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def floor(db: None):
    yield Floor()
    clock.freeze(None)


def test_stock_is_told_free_set_aside_and_held(floor: Floor) -> None:
    first = floor.lot(floor.steel, "S1", expires_on=(NOW + timedelta(days=5)).date())
    second = floor.lot(floor.steel, "S2")
    floor.receive(floor.steel, "40", floor.store, first)
    floor.receive(floor.steel, "60", floor.store, second)
    floor.receive(floor.steel, "50", floor.quarantine, second)
    inventory.reserve_stock(
        floor.by, item=floor.steel, location=floor.store, quantity=D(30), cause=Ref("test.paper", uuid7())
    )
    told = stores.stock(floor.by, floor.site_id, item=floor.steel.id)
    # 30 are set aside without a lot: they come from S1, which expires first.
    rows = {(each["lot"]["number"], each["location"]["code"]): each for each in told["rows"]}
    assert told["rows"][0]["lot"]["number"] == "S1"
    assert {key: (row["free"], row["reserved"], row["held"]) for key, row in rows.items()} == {
        ("S1", "STORE"): (10, 30, 0),
        ("S2", "STORE"): (60, 0, 0),
        ("S2", "QUAR"): (0, 0, 50),
    }
    assert rows["S2", "QUAR"]["why_held"] == "quarantine"
    assert told["total"] == {"quantity": 150, "free": 70, "reserved": 30, "held": 50}
    inventory.hold_lot(floor.by, lot=first, reason="rust")
    told = stores.stock(floor.by, floor.site_id, lot=first.id)
    assert (told["rows"][0]["why_held"], told["total"]["free"], told["total"]["held"]) == ("held", 0, 40)
    clock.freeze(NOW + timedelta(days=40))
    told = stores.stock(floor.by, floor.site_id, lot=second.id, location=floor.store.id)
    assert [(each["why_held"], each["free"]) for each in told["rows"]] == [("expired", 0)]


def test_stock_is_found_by_what_people_type_and_not_at_other_sites(floor: Floor) -> None:
    floor.receive(floor.screw, "10", floor.store)
    floor.receive(floor.steel, "5", floor.line, floor.lot(floor.steel, "HEAT-7"))

    def found(q: str) -> list[tuple[str, str]]:
        told = stores.stock(floor.by, floor.site_id, q=q)
        return sorted((each["item"]["code"], each["location"]["code"]) for each in told["rows"])

    assert found("scre") == [("SCREW", "STORE")]
    assert found("heat") == [("STEEL", "LINE")]
    assert found("line") == [("STEEL", "LINE")]
    assert found("") == found("nothing like it") == []
    elsewhere = replace(floor.by, sites=frozenset(), memory={})
    assert stores.stock(elsewhere, floor.site_id, location=floor.store.id)["rows"] == []


def test_goods_that_came_in_are_sent_to_their_shelf_with_a_reason(floor: Floor) -> None:
    dock = floor.location("RECV", "receiving")
    lot = floor.lot(floor.steel, "S1")
    floor.receive(floor.steel, "10", dock, lot)
    floor.receive(floor.screw, "500", dock)
    rows = {each["item"]["code"]: each for each in stores.put_away(floor.by, floor.site_id)["rows"]}
    assert [(each["code"], each["why"]) for each in rows["STEEL"]["places"]] == [("STORE", "home")]
    floor.receive(floor.steel, "3", floor.out, lot)
    told = stores.places(floor.by, floor.site_id, floor.steel.id, lot.id)
    assert [(each["code"], each["why"], each["there"]) for each in told] == [
        ("OUT", "same_lot", 3),
        ("STORE", "home", 0),
    ]
    inventory.move_stock(floor.by, item=floor.steel, quantity=D(10), source=dock, target=floor.out, lot=lot)
    assert {each["item"]["code"] for each in stores.put_away(floor.by, floor.site_id)["rows"]} == {"SCREW"}


def test_doubtful_places_are_to_be_counted_first_and_not_twice(floor: Floor) -> None:
    floor.receive(floor.screw, "100", floor.store)
    floor.receive(floor.screw, "50", floor.out)
    task = inventory.open_pick_task(
        floor.by,
        item=floor.screw,
        quantity=D(20),
        target=floor.line,
        purpose=Ref("test.paper", uuid7()),
        source=floor.out,
    )
    inventory.confirm_pick(floor.by, task=task, quantity=D(5), finished=True)  # 15 were not there
    told = stores.counts(floor.by, floor.site_id)
    assert (told["wishes"][0]["location"]["code"], told["wishes"][0]["why"]) == ("OUT", "short_pick")
    assert {each["why"] for each in told["wishes"][1:]} == {"never"}
    sheet = inventory.open_count(floor.by, location=floor.out)
    told = stores.counts(floor.by, floor.site_id)
    assert "OUT" not in {each["location"]["code"] for each in told["wishes"]}
    assert [(each["number"], each["lines"], each["left"]) for each in told["sheets"]] == [(sheet.number, 1, 1)]
    line = sheet.lines.get()
    for _ in range(2):
        inventory.record_count(floor.by, line=line, counted=D(30))
        line.refresh_from_db()
    clock.freeze(NOW + timedelta(minutes=1))
    inventory.submit_count(floor.by, sheet=sheet)
    told = stores.counts(floor.by, floor.site_id)
    assert "OUT" not in {each["location"]["code"] for each in told["wishes"]}  # counted, and quiet since
    clock.freeze(NOW + timedelta(days=91))
    told = stores.counts(floor.by, floor.site_id)
    assert {each["location"]["code"]: (each["why"], each["days"]) for each in told["wishes"]}["OUT"] == ("cycle", 91)


@pytest.mark.parametrize(
    ("facts", "late"),
    [
        ({"status": "planned", "due_on": NOW.date() - timedelta(days=2)}, 2),
        ({"status": "packed", "due_on": NOW.date()}, 0),
        ({"status": "dispatched", "eta_at": NOW + timedelta(minutes=1)}, 0),
        ({"status": "dispatched", "eta_at": NOW - timedelta(hours=3)}, 1),
        ({"status": "dispatched", "eta_at": NOW - timedelta(days=3, hours=1)}, 3),
        ({"status": "delivered", "eta_at": NOW, "delivered_at": NOW}, 0),
        ({"status": "delivered", "eta_at": NOW, "delivered_at": NOW + timedelta(days=2)}, 2),
    ],
)
def test_a_shipment_is_late_by_what_counts_where_it_stands(facts: dict[str, object], late: int) -> None:
    shipment = Shipment(**{"due_on": NOW.date(), **facts})
    assert shipping.days_late(shipment, NOW, NOW.date()) == late
