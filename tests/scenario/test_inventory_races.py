"""The ledger under several writers, and under whatever comes to somebody's mind."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from lianzao.foundation import clock
from lianzao.foundation.command import run
from lianzao.foundation.entity import query
from lianzao.inventory import commands as inventory
from lianzao.inventory.models import Balance
from lianzao.inventory.queries import available_lots, on_hand, rebuild_balances
from lianzao.values.errors import RuleBroken
from lianzao.values.reference import Ref
from lianzao.values.time import uuid7
from tests.scenario.shopfloor import Floor

D = Decimal


@pytest.fixture
def floor(fresh_database: str):
    yield Floor()
    clock.freeze(None)


def together(*works: Any) -> list[Any]:
    """Do things at the same time, each on a connection of its own; gives what each returned or raised."""
    gate = threading.Barrier(len(works))
    found: list[Any] = [None] * len(works)

    def run(place: int, work: Any) -> None:
        try:
            gate.wait(timeout=20)
            found[place] = work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            found[place] = error
        finally:
            connections["default"].close()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return found


def test_two_issues_race_for_the_last_pieces_and_one_wins(floor: Floor) -> None:
    for _ in range(4):
        floor.receive(floor.screw, "10", floor.store)
        move = inventory.MoveLine(floor.screw.id, D(10), floor.store.id, floor.line.id)

        def take(move: inventory.MoveLine = move) -> Any:
            return inventory.post_moves(floor.by, moves=[move], cause=Ref("test.paper", uuid7()))

        found = together(take, take)
        assert sum(isinstance(each, inventory.Posted) for each in found) == 1, found
        (refused,) = [each for each in found if isinstance(each, Exception)]
        assert isinstance(refused, RuleBroken) and refused.code == "stock_short", refused
    assert floor.at(floor.screw, floor.store) == 0 and floor.at(floor.screw, floor.line) == 40
    floor.prove()


def deadlocks() -> int:
    """How many deadlocks this database has seen."""
    query("SELECT pg_stat_clear_snapshot()")
    return query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")[0][0]


def test_writers_that_cross_each_other_do_not_get_stuck(floor: Floor) -> None:
    floor.receive(floor.screw, "100", floor.store)
    floor.receive(floor.screw, "100", floor.line)
    there = inventory.MoveLine(floor.screw.id, D(1), floor.store.id, floor.line.id)
    back = inventory.MoveLine(floor.screw.id, D(1), floor.line.id, floor.store.id)

    def carry(move: inventory.MoveLine) -> int:
        for _ in range(15):
            inventory.post_moves(floor.by, moves=[move], cause=Ref("test.paper", uuid7()))
        return 15

    before = deadlocks()
    assert together(lambda: carry(there), lambda: carry(back), lambda: carry(there)) == [15, 15, 15]
    assert deadlocks() == before
    assert floor.at(floor.screw, floor.store) == 85
    floor.prove()


def test_two_reservations_race_for_the_same_pieces(floor: Floor) -> None:
    floor.receive(floor.screw, "10", floor.store)

    def reserve() -> Any:
        return inventory.reserve_stock(
            floor.by,
            item=floor.screw,
            location=floor.store,
            quantity=D(7),
            cause=Ref("sales.sales_order_line", uuid7()),
        )

    found = together(reserve, reserve)
    (refused,) = [each for each in found if isinstance(each, Exception)]
    assert isinstance(refused, RuleBroken) and refused.code == "not_available", refused


def test_one_order_id_tapped_on_two_connections_is_one_stock(floor: Floor) -> None:
    floor.receive(floor.screw, "10", floor.store)
    order = uuid7()
    said = {"item": floor.screw.id, "quantity": "4", "source": floor.store.id, "target": floor.line.id}

    def tap() -> Any:
        return run(floor.by, "inventory.move_stock", said, order_id=order)

    found = together(tap, tap)
    assert not [each for each in found if isinstance(each, Exception)], found
    assert floor.at(floor.screw, floor.line) == 4
    floor.prove()


def test_two_reversals_of_one_paper_take_it_back_once(floor: Floor) -> None:
    receipt = floor.receive(floor.screw, "10", floor.store)
    found = together(*[lambda: inventory.reverse_moves(floor.by, cause=receipt)] * 2)
    (refused,) = [each for each in found if isinstance(each, Exception)]
    assert isinstance(refused, RuleBroken) and refused.code == "nothing_to_reverse", refused
    assert floor.at(floor.screw, floor.store) == 0
    floor.prove()


def test_two_terminals_report_the_last_pieces_of_one_order(floor: Floor) -> None:
    floor.engineer()
    floor.receive(floor.steel, "50", floor.line, floor.lot(floor.steel, "S1"))
    floor.receive(floor.screw, "100", floor.line)
    order = floor.order(floor.body, "10")
    operation = floor.operation(order)

    def report() -> object:
        return run(floor.by, "production.report_operation", {"operation": operation.id, "good": "6"})

    found = together(report, report)
    (refused,) = [each for each in found if isinstance(each, Exception)]
    assert isinstance(refused, RuleBroken) and refused.code == "more_than_ordered", refused
    order.refresh_from_db()
    assert order.good_quantity == 6 and floor.at(floor.screw, floor.line) == 76
    floor.prove()


class Ledger(RuleBasedStateMachine):
    """Moves, reversals, reservations and counts in any order, beside a model of plain dictionaries."""

    floor: Floor

    def __init__(self) -> None:
        super().__init__()
        self.floor = type(self).floor
        self.item = self.floor.item(f"ITEM-{uuid7().hex[-12:]}", "buy")
        self.places = [self.floor.store, self.floor.line, self.floor.out]
        self.stock = {place.id: 0 for place in self.places}
        self.reserved = {place.id: 0 for place in self.places}
        self.papers: list[tuple[Ref, list[tuple[Any, Any, int]]]] = []

    def _post(self, legs: list[tuple[Any, Any, int]], cause: Ref) -> None:
        lines = [inventory.MoveLine(self.item.id, D(quantity), source, target) for source, target, quantity in legs]
        after = dict(self.stock)
        for source, target, quantity in legs:
            if source in after:
                after[source] -= quantity
            if target in after:
                after[target] += quantity
        try:
            inventory.post_moves(self.floor.by, moves=lines, cause=cause)
        except RuleBroken as refused:
            assert refused.code == "stock_short" and min(after.values()) < 0
            return
        assert min(after.values()) >= 0
        self.stock = after
        self.papers.append((cause, legs))

    @rule(place=st.integers(0, 2), quantity=st.integers(1, 20))
    def receive(self, place: int, quantity: int) -> None:
        self._post([(self.floor.virtual("supplier"), self.places[place].id, quantity)], Ref("test.receipt", uuid7()))

    @rule(legs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(1, 15)), min_size=1, max_size=4))
    def move(self, legs: list[tuple[int, int, int]]) -> None:
        ends = [*(place.id for place in self.places), self.floor.virtual("production")]
        made = [(ends[source], ends[target], quantity) for source, target, quantity in legs if source != target]
        if made:
            self._post(made, Ref("test.paper", uuid7()))

    @precondition(lambda self: self.papers)
    @rule(which=st.integers(0, 50))
    def reverse(self, which: int) -> None:
        cause, legs = self.papers[which % len(self.papers)]
        after = dict(self.stock)
        for source, target, quantity in legs:
            if source in after:
                after[source] += quantity
            if target in after:
                after[target] -= quantity
        try:
            inventory.reverse_moves(self.floor.by, cause=cause)
        except RuleBroken as refused:
            assert refused.code == "stock_short" and min(after.values()) < 0
            return
        self.stock = after
        self.papers.remove((cause, legs))

    @rule(place=st.integers(0, 2), quantity=st.integers(1, 10))
    def reserve(self, place: int, quantity: int) -> None:
        location = self.places[place]
        free = max(self.stock[location.id] - self.reserved[location.id], 0)
        try:
            inventory.reserve_stock(
                self.floor.by, item=self.item, location=location, quantity=D(quantity), cause=Ref("test.wish", uuid7())
            )
        except RuleBroken as refused:
            assert refused.code == "not_available" and quantity > free
            return
        assert quantity <= free
        self.reserved[location.id] += quantity

    @rule(place=st.integers(0, 2), counted=st.integers(0, 30))
    def count(self, place: int, counted: int) -> None:
        location = self.places[place]
        found = inventory.count_stock(
            self.floor.by, location=location, item=self.item, counted=D(counted), reason="counted"
        )
        assert found.difference == counted - self.stock[location.id]
        self.stock[location.id] = counted

    @invariant()
    def books_agree(self) -> None:
        live = dict(Balance.objects.filter(item=self.item).values_list("location_id", "quantity"))
        assert {place: live.get(place, 0) for place in self.stock} == self.stock
        assert all(quantity >= 0 for quantity in live.values())
        assert rebuild_balances() == []
        free = sum(max(self.stock[place] - self.reserved[place], 0) for place in self.stock)
        piles = available_lots(self.floor.site_id, self.item.id, [place.id for place in self.places])
        assert sum(max(pile.available, 0) for pile in piles) == free
        assert on_hand(self.floor.site_id, [self.item.id])[self.item.id].usable == sum(self.stock.values())

    def teardown(self) -> None:
        self.floor.prove()


@pytest.mark.django_db
def test_the_ledger_keeps_its_promises_whatever_is_done(db: None) -> None:
    Ledger.floor = Floor()
    try:
        checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
        run_state_machine_as_test(
            Ledger,
            settings=settings(
                max_examples=12, stateful_step_count=14, deadline=None, suppress_health_check=checks, derandomize=True
            ),
        )
    finally:
        clock.freeze(None)
