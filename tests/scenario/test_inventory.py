"""Stories of the ledger, in a real database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from lianzao.foundation import clock
from lianzao.foundation.command import run
from lianzao.foundation.entity import query
from lianzao.foundation.transfer import import_file
from lianzao.inventory import commands as inventory
from lianzao.inventory import queries
from lianzao.inventory.models import Balance, Lot, Move, PendingMove, PickTask
from lianzao.values.errors import Conflict, Invalid, NotFound, RuleBroken
from lianzao.values.reference import Ref
from lianzao.values.time import uuid7, uuid7_time
from tests.scenario.shopfloor import NOW, Floor

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def floor(db: None):
    yield Floor()
    clock.freeze(None)


def line(floor: Floor, item, quantity: str, source, target, lot=None, **more) -> inventory.MoveLine:
    ids = [place if not hasattr(place, "id") else place.id for place in (source, target)]
    return inventory.MoveLine(item.id, D(quantity), ids[0], ids[1], lot.id if lot else None, **more)


def test_a_receipt_stands_in_the_books_and_the_supplier_has_no_balance(floor: Floor) -> None:
    lot = floor.lot(floor.steel, "S1")
    receipt = floor.receive(floor.steel, "100", floor.store, lot)
    assert floor.at(floor.steel, floor.store, lot) == 100
    (move,) = queries.moves_of(receipt)
    assert move.value == 200 and move.happened_at == NOW and move.cause_kind == "procurement.goods_receipt"
    assert lot.expires_on == (NOW + timedelta(days=30)).date()
    floor.prove()


def test_posting_ten_moves_takes_two_statements(floor: Floor) -> None:
    floor.receive(floor.screw, "1000", floor.store)
    moves = [line(floor, floor.screw, "10", floor.store, floor.line) for _ in range(10)]
    with CaptureQueriesContext(
        connection,
    ) as seen:
        inventory.post_moves(floor.by, moves=moves, cause=Ref("test.paper", uuid7()))
    touching = [each["sql"] for each in seen if "inventory_" in each["sql"] or "catalog_item" in each["sql"]]
    assert len(touching) == 2, touching
    assert floor.at(floor.screw, floor.line) == 100
    floor.prove()


def test_what_is_not_there_cannot_go_and_nothing_of_the_order_stays(floor: Floor) -> None:
    floor.receive(floor.screw, "5", floor.store)
    moves = [
        line(floor, floor.screw, "3", floor.store, floor.line),
        line(floor, floor.screw, "4", floor.store, floor.out),
    ]
    with pytest.raises(RuleBroken, match="stock_short") as refused:
        inventory.post_moves(floor.by, moves=moves, cause=Ref("test.paper", uuid7()))
    assert refused.value.facts["item"] == "SCREW" and refused.value.facts["missing"] == 2
    assert refused.value.facts["location"] == "STORE"
    assert floor.at(floor.screw, floor.store) == 5 and floor.at(floor.screw, floor.line) == 0
    floor.prove()


def test_lots_are_enforced(floor: Floor) -> None:
    body_lot = floor.lot(floor.body, "B1")
    for lot, code in ((None, "lot_needed"), (body_lot, "lot_of_other_item")):
        with pytest.raises(RuleBroken, match=code):
            floor.receive(floor.steel, "1", floor.store, lot)
    with pytest.raises(RuleBroken, match="lot_not_wanted"):
        floor.receive(floor.screw, "1", floor.store, body_lot)
    with pytest.raises(Invalid, match="quantity_not_in_steps"):
        floor.receive(floor.screw, "1.5", floor.store)
    with pytest.raises(Invalid, match="quantity_not_positive"):
        floor.receive(floor.screw, "0", floor.store)


def test_a_held_lot_is_not_used_but_may_be_put_aside_and_a_correction_is_always_possible(floor: Floor) -> None:
    lot = floor.lot(floor.steel, "S1")
    floor.receive(floor.steel, "10", floor.store, lot)
    issue = Ref("production.work_order", uuid7())
    use = line(floor, floor.steel, "2", floor.store, floor.virtual("production"), lot)
    inventory.post_moves(floor.by, moves=[use], cause=issue)
    inventory.hold_lot(floor.by, lot=lot, reason="rust")
    with pytest.raises(RuleBroken, match="lot_on_hold"):
        inventory.post_moves(floor.by, moves=[use], cause=issue)
    with pytest.raises(RuleBroken, match="lot_on_hold"):
        inventory.move_stock(floor.by, item=floor.steel, quantity=D(1), source=floor.store, target=floor.line, lot=lot)
    inventory.move_stock(
        floor.by, item=floor.steel, quantity=D(8), source=floor.store, target=floor.quarantine, lot=lot
    )
    inventory.reverse_moves(floor.by, cause=issue)
    assert floor.at(floor.steel, floor.store, lot) == 2 and floor.at(floor.steel, floor.quarantine, lot) == 8
    with pytest.raises(RuleBroken, match="nothing_to_reverse"):
        inventory.reverse_moves(floor.by, cause=issue)
    stock = queries.on_hand(floor.site_id, [floor.steel.id])[floor.steel.id]
    assert (stock.usable, stock.held) == (0, 10)
    inventory.release_lot(floor.by, lot=Lot.objects.get(pk=lot.pk))
    stock = queries.on_hand(floor.site_id, [floor.steel.id])[floor.steel.id]
    assert (stock.usable, stock.held) == (2, 8)
    inventory.scrap_lot(floor.by, lot=Lot.objects.get(pk=lot.pk), reason="rust through")
    assert floor.at(floor.steel, floor.store, lot) == 0
    floor.prove()


def test_an_expired_lot_is_not_used(floor: Floor) -> None:
    lot = floor.lot(floor.steel, "S1", expires_on=NOW.date())
    floor.receive(floor.steel, "10", floor.store, lot)
    use = line(floor, floor.steel, "2", floor.store, floor.virtual("production"), lot)
    inventory.post_moves(floor.by, moves=[use], cause=Ref("test.paper", uuid7()))
    # 17:00 UTC is one o'clock of the next day in Shanghai.
    clock.freeze(NOW.replace(hour=17))
    with pytest.raises(RuleBroken, match="lot_expired"):
        inventory.post_moves(floor.by, moves=[use], cause=Ref("test.paper", uuid7()))
    assert queries.available_lots(floor.site_id, floor.steel.id) == []


def test_time_is_kept_the_future_and_closed_periods_are_refused(floor: Floor) -> None:
    soon = line(floor, floor.screw, "1", floor.virtual("supplier"), floor.store, happened_at=NOW + timedelta(minutes=4))
    late = line(floor, floor.screw, "1", floor.virtual("supplier"), floor.store, happened_at=NOW + timedelta(minutes=6))
    past = line(floor, floor.screw, "1", floor.virtual("supplier"), floor.store, happened_at=NOW - timedelta(days=3))
    cause = Ref("test.paper", uuid7())
    inventory.post_moves(floor.by, moves=[soon, past], cause=cause)
    with pytest.raises(Invalid, match="happened_in_future"):
        inventory.post_moves(floor.by, moves=[late], cause=cause)
    inventory.close_period(floor.by, site_id=floor.site_id, closed_until=NOW - timedelta(days=1))
    with pytest.raises(RuleBroken, match="period_closed"):
        inventory.post_moves(floor.by, moves=[past], cause=cause)
    with pytest.raises(RuleBroken, match="period_closed"):
        inventory.close_period(floor.by, site_id=floor.site_id, closed_until=NOW - timedelta(days=2))


def test_moves_cannot_be_edited_removed_or_truncated(floor: Floor) -> None:
    floor.receive(floor.screw, "5", floor.store)
    for sql in (
        "UPDATE inventory_move SET quantity = 9",
        "DELETE FROM inventory_move",
        "TRUNCATE inventory_move",
    ):
        refused = pytest.raises(DatabaseError, match=r"append-only|permission denied")
        with refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    assert Move.objects.get().quantity == 5


def test_moves_lie_in_the_partition_of_their_month(floor: Floor) -> None:
    floor.receive(floor.screw, "5", floor.store)
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tableoid::regclass::text FROM inventory_move")
        found = cursor.fetchall()
    assert len(found) == 1 and found[0][0].startswith("inventory_move_2")


def test_the_same_tap_twice_is_one_stock(floor: Floor) -> None:
    order = uuid7()
    said = {"item": floor.screw.id, "quantity": "5", "source": floor.store.id, "target": floor.line.id}
    floor.receive(floor.screw, "9", floor.store)
    first = run(floor.by, "inventory.move_stock", said, order_id=order)
    again = run(floor.by, "inventory.move_stock", said, order_id=order)
    assert [str(id) for id in first.move_ids] == list(again.move_ids)
    assert floor.at(floor.screw, floor.line) == 5
    with pytest.raises(Conflict, match="order_id_reused"):
        run(floor.by, "inventory.rebuild_balances", {}, order_id=order)


def test_counting_posts_the_difference_and_tells_it(floor: Floor) -> None:
    floor.receive(floor.screw, "50", floor.store)
    agreed = inventory.count_stock(floor.by, location=floor.store, item=floor.screw, counted=D(50))
    assert agreed.difference == 0
    with pytest.raises(RuleBroken, match="count_needs_reason"):
        inventory.count_stock(floor.by, location=floor.store, item=floor.screw, counted=D(47))
    found = inventory.count_stock(floor.by, location=floor.store, item=floor.screw, counted=D(47), reason="box torn")
    assert (found.booked, found.counted, found.difference) == (50, 47, -3)
    assert floor.at(floor.screw, floor.store) == 47
    inventory.adjust_stock(floor.by, location=floor.store, item=floor.screw, difference=D(2), reason="found below")
    assert floor.at(floor.screw, floor.store) == 49
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payload->>'difference' FROM foundation_event WHERE name = 'inventory.StockCounted' ORDER BY id"
        )
        assert [D(row[0]) for row in cursor.fetchall()] == [0, -3]
    floor.prove()


def test_reserved_stock_is_offered_to_nobody_else(floor: Floor) -> None:
    floor.receive(floor.screw, "10", floor.store)
    mine, other = Ref("sales.sales_order_line", uuid7()), Ref("sales.sales_order_line", uuid7())
    kept = inventory.reserve_stock(floor.by, item=floor.screw, location=floor.store, quantity=D(7), cause=mine)
    with pytest.raises(RuleBroken, match="not_available") as refused:
        inventory.reserve_stock(floor.by, item=floor.screw, location=floor.store, quantity=D(4), cause=other)
    assert refused.value.facts["available"] == 3
    stock = queries.on_hand(floor.site_id, [floor.screw.id])[floor.screw.id]
    assert (stock.usable, stock.reserved, stock.available) == (10, 7, 3)
    assert queries.available_lots(floor.site_id, floor.screw.id, mine=mine.id)[0].available == 10
    inventory.post_pending(floor.by, pending=kept, quantity=D(5))
    assert floor.at(floor.screw, floor.store) == 5
    assert queries.on_hand(floor.site_id)[floor.screw.id].available == 3
    inventory.void_reservation(floor.by, reservation=PendingMove.objects.get(pk=kept.pk))
    assert queries.on_hand(floor.site_id)[floor.screw.id].available == 5
    with pytest.raises(Conflict, match="wrong_status"):
        inventory.post_pending(floor.by, pending=PendingMove.objects.get(pk=kept.pk))
    floor.prove()


def test_a_reservation_expires(floor: Floor) -> None:
    floor.receive(floor.screw, "10", floor.store)
    cause = Ref("sales.quote", uuid7())
    inventory.reserve_stock(
        floor.by,
        item=floor.screw,
        location=floor.store,
        quantity=D(7),
        cause=cause,
        expires_at=NOW + timedelta(hours=1),
    )
    clock.advance(timedelta(hours=2))
    assert queries.on_hand(floor.site_id)[floor.screw.id].available == 10
    assert inventory.expire_reservations(floor.by) == 1
    assert PendingMove.objects.get().status == "void"


def test_first_expired_first_out(floor: Floor) -> None:
    for number, days in (("LATE", 20), ("SOON", 5), ("MID", 9)):
        lot = floor.lot(floor.steel, number, expires_on=(NOW + timedelta(days=days)).date())
        floor.receive(floor.steel, "10", floor.store, lot)
    picks, missing = queries.pick_suggestion(floor.site_id, floor.steel.id, D(25))
    assert [(pick.pile.lot_number, pick.quantity) for pick in picks] == [("SOON", 10), ("MID", 10), ("LATE", 5)]
    assert missing == 0
    inventory.hold_lot(floor.by, lot=Lot.objects.get(number="SOON"), reason="check")
    _, missing = queries.pick_suggestion(floor.site_id, floor.steel.id, D(25))
    assert missing == 5


def test_a_pick_is_confirmed_by_scan_and_a_short_one_is_told(floor: Floor) -> None:
    early = floor.lot(floor.steel, "EARLY", expires_on=(NOW + timedelta(days=3)).date())
    floor.receive(floor.steel, "10", floor.store, floor.lot(floor.steel, "LATE"))
    floor.receive(floor.steel, "8", floor.store, early)
    order = Ref("production.work_order", uuid7())
    task = inventory.open_pick_task(floor.by, item=floor.steel, quantity=D(6), target=floor.line, purpose=order)
    assert task.lot == early and task.source_id == floor.store.id and task.number.startswith("PT-2603-")
    with pytest.raises(RuleBroken, match="wrong_scan"):
        inventory.confirm_pick(floor.by, task=task, quantity=D(6), scanned="LATE")
    task = inventory.confirm_pick(floor.by, task=task, quantity=D(2), scanned="EARLY")
    assert task.status == "open" and floor.at(floor.steel, floor.line, early) == 2
    with pytest.raises(Invalid, match="picked_too_much"):
        inventory.confirm_pick(floor.by, task=task, quantity=D(5))
    task = inventory.confirm_pick(floor.by, task=task, quantity=D(1), finished=True)
    assert task.status == "short" and task.picked_quantity == 3
    with connection.cursor() as cursor:
        cursor.execute("SELECT payload->>'missing' FROM foundation_event WHERE name = 'inventory.PickTaskDone'")
        assert [D(row[0]) for row in cursor.fetchall()] == [3]
    with pytest.raises(Conflict, match="wrong_status"):
        inventory.confirm_pick(floor.by, task=PickTask.objects.get(pk=task.pk), quantity=D(1))
    floor.prove()


def test_a_serial_number_stands_in_one_place_only(floor: Floor) -> None:
    motor = floor.item("MOTOR", "buy", tracking="serial")
    serial = floor.lot(motor, "M-1")
    floor.receive(motor, "1", floor.store, serial)
    with pytest.raises(RuleBroken, match="serial_is_one_piece"):
        floor.receive(motor, "2", floor.store, floor.lot(motor, "M-2"))
    with pytest.raises(RuleBroken, match="serial_twice"):
        floor.receive(motor, "1", floor.out, serial)


def test_opening_stock_and_planning_columns(floor: Floor) -> None:
    lot = floor.lot(floor.steel, "OLD", hold_reason="unknown origin")
    lines = [
        inventory.Opening(floor.store, floor.steel, D(4), lot),
        inventory.Opening(floor.store, floor.screw, D(400), value=D(30)),
    ]
    inventory.open_balance(floor.by, lines=lines)
    columns = queries.stock_columns(floor.site_id)
    rows = sorted(zip(columns["item_id"], columns["quantity"], columns["held"], strict=True))
    assert rows == sorted([(floor.steel.id, D(4), True), (floor.screw.id, D(400), False)])
    assert Move.objects.get(item=floor.screw).value == 30


def test_rebuild_finds_and_repairs_a_wrong_balance(floor: Floor) -> None:
    floor.receive(floor.screw, "10", floor.store)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_balance SET quantity = 12")
    (wrong,) = queries.rebuild_balances()
    assert (wrong.balance, wrong.moves) == (12, 10)
    assert len(inventory.rebuild_balances(floor.by).differences) == 1
    assert floor.at(floor.screw, floor.store) == 10
    floor.prove()


def test_another_site_is_not_touched(floor: Floor) -> None:
    floor.receive(floor.screw, "10", floor.store)
    stranger = replace(floor.by, sites=frozenset({uuid7()}))
    with pytest.raises(NotFound):
        inventory.post_moves(
            stranger, moves=[line(floor, floor.screw, "1", floor.store, floor.line)], cause=Ref("test.paper", uuid7())
        )


def test_history_comes_in_by_file_under_the_same_rules(floor: Floor) -> None:
    supplier = query("SELECT code FROM plant_location WHERE id = %s", [floor.virtual("supplier")])[0][0]
    head = "item,quantity,source,target,happened_at,lot_number,value\n"
    rows = [
        f"STEEL,10,{supplier},STORE,2025-11-03T08:00:00+08:00,OLD-1,33",
        "STEEL,4,STORE,LINE,2025-11-02T08:00:00+08:00,OLD-1,",
        f"SCREW,100,{supplier},STORE,2025-12-01T08:00:00+08:00,,",
    ]
    done = import_file(
        floor.by, kind="inventory.past_move", data=(head + "\n".join(rows)).encode(), filename="m.csv", dry_run=False
    )
    assert (done.created, list(done.errors)) == (3, [])
    lot = Lot.objects.get(number="OLD-1")
    assert floor.at(floor.steel, floor.store, lot) == 6 and floor.at(floor.steel, floor.line, lot) == 4
    moves = list(Move.objects.order_by("id"))
    assert [move.quantity for move in moves] == [4, 10, 100] and moves[1].value == 33
    assert [uuid7_time(move.id) for move in moves] == [move.happened_at for move in moves]
    bad = f"{head}{rows[0]}\nSTEEL,50,STORE,LINE,2025-11-05T08:00:00+08:00,OLD-1,\n"
    refused = import_file(floor.by, kind="inventory.past_move", data=bad.encode(), filename="n.csv", dry_run=False)
    assert refused.created == 0 and refused.errors[0].code == "stock_short"
    wrong = head + "SCREW,1.5,STORE,LINE,2025-11-05T08:00:00+08:00,,\nSCREW,1,STORE,LINE,2025-11-05T08:00:00+08:00,,\n"
    refused = import_file(floor.by, kind="inventory.past_move", data=wrong.encode(), filename="o.csv", dry_run=False)
    assert (refused.errors[0].code, refused.errors[0].row) == ("quantity_not_in_steps", 2)
    assert Move.objects.count() == 3
    floor.prove()


def test_the_books_are_kept_in_order(floor: Floor) -> None:
    lot = floor.lot(floor.steel, "S1")
    floor.receive(floor.steel, "5", floor.store, lot)
    inventory.move_stock(floor.by, item=floor.steel, quantity=D(5), source=floor.store, target=floor.line, lot=lot)
    cause = Ref("sales.quote", uuid7())
    soon = NOW + timedelta(minutes=1)
    inventory.reserve_stock(
        floor.by, item=floor.steel, location=floor.line, quantity=D(1), cause=cause, lot=lot, expires_at=soon
    )
    clock.advance(timedelta(hours=1))
    kept = inventory.keep_books(floor.by)
    assert (kept.expired, kept.covered, kept.dropped) == (1, 0, 1)
    assert Balance.objects.count() == 1
    inventory.move_stock(floor.by, item=floor.steel, quantity=D(2), source=floor.line, target=floor.store, lot=lot)
    assert floor.at(floor.steel, floor.store, lot) == 2
    floor.prove()
