"""What the ledger decides, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzao.inventory.rules import (
    End,
    Facts,
    Pile,
    ceil_to_step,
    changes,
    check_line,
    fefo,
    floor_to_step,
    pick,
    pick_ends,
    set_aside,
    without,
)
from lianzao.values.errors import DomainError, Invalid

D = Decimal
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
SITE, ITEM, LOT = UUID(int=1), UUID(int=2), UUID(int=3)


def end(kind: str, number: int = 0) -> End:
    return End(UUID(int=100 + number + sum(map(ord, kind)) * 10), kind.upper(), kind, SITE)


STORE, LINE, PRODUCTION = end("store"), end("line", 1), end("production", 2)
LINE_OF = Facts(
    item_id=ITEM,
    item_code="A",
    tracking="none",
    step=D(1),
    standard_cost=D(1),
    quantity=D(2),
    source=STORE,
    target=LINE,
    happened_at=NOW,
)
TRACKED = replace(LINE_OF, tracking="lot", lot_id=LOT, lot_item_id=ITEM, lot_number="L1", lot_status="usable")


def code_of(facts: Facts) -> str:
    try:
        check_line(facts, NOW)
    except DomainError as refused:
        return refused.code
    return ""


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (LINE_OF, ""),
        (TRACKED, ""),
        (replace(LINE_OF, quantity=D(0)), "quantity_not_positive"),
        (replace(LINE_OF, quantity=D("1.5")), "quantity_not_in_steps"),
        (replace(LINE_OF, quantity=D("1.5"), step=D("0.5")), ""),
        (replace(LINE_OF, target=STORE), "move_goes_nowhere"),
        (replace(LINE_OF, source=end("supplier", 5), target=end("customer", 6)), "move_between_virtual"),
        (replace(LINE_OF, source=PRODUCTION, target=end("scrap", 6)), ""),
        (replace(TRACKED, source=PRODUCTION, target=end("scrap", 6), lot_id=None), ""),
        (replace(TRACKED, lot_id=None), "lot_needed"),
        (replace(TRACKED, lot_item_id=UUID(int=9)), "lot_of_other_item"),
        (replace(LINE_OF, lot_id=LOT), "lot_not_wanted"),
        (replace(TRACKED, tracking="serial"), "serial_is_one_piece"),
        (replace(LINE_OF, happened_at=NOW + timedelta(minutes=5)), ""),
        (replace(LINE_OF, happened_at=NOW + timedelta(minutes=5, seconds=1)), "happened_in_future"),
        (replace(LINE_OF, closed_until=NOW), ""),
        (replace(LINE_OF, closed_until=NOW + timedelta(seconds=1)), "period_closed"),
    ],
)
def test_what_may_be_posted(facts: Facts, code: str) -> None:
    assert code_of(facts) == code


@pytest.mark.parametrize("state", [{"lot_status": "held"}, {"expired": True}])
@pytest.mark.parametrize(
    ("source", "target", "allowed"),
    [
        ("store", "production", False),
        ("store", "customer", False),
        ("store", "shipping", False),
        ("store", "line", False),
        ("store", "quarantine", True),
        ("store", "scrap", True),
        ("receiving", "store", True),
        ("store", "supplier", True),
        ("store", "adjustment", True),
        ("production", "store", True),
    ],
)
def test_a_lot_that_may_not_be_used_may_still_be_put_aside(
    state: dict, source: str, target: str, allowed: bool
) -> None:
    facts = replace(TRACKED, source=end(source, 7), target=end(target, 8), **state)
    assert (code_of(facts) == "") is allowed
    assert code_of(replace(facts, is_reversal=True)) == ""


def test_a_scrapped_lot_only_leaves() -> None:
    assert code_of(replace(TRACKED, lot_status="scrapped")) == "lot_scrapped"
    assert code_of(replace(TRACKED, lot_status="scrapped", target=end("scrap", 3))) == ""


def test_changes_are_net_sorted_and_leave_virtual_locations_out() -> None:
    there, back = LINE_OF, replace(LINE_OF, source=LINE, target=STORE, quantity=D(2))
    assert changes([there, back]) == {}
    used = replace(TRACKED, target=PRODUCTION, quantity=D(3))
    found = changes([used, there])
    assert found == {(ITEM, LOT, STORE.id): D(-3), (ITEM, None, STORE.id): D(-2), (ITEM, None, LINE.id): D(2)}
    keys = [(item, lot.int if lot else -1, place) for item, lot, place in found]
    assert keys == sorted(keys)


def pile(number: str, quantity: str, expires: date | None = None, *, rank: int = 0, place: int = 50) -> Pile:
    lot = UUID(int=sum(ord(char) for char in number))
    return Pile(ITEM, lot, number, UUID(int=place), f"P{place}", expires, NOW, D(quantity), D(quantity), rank)


def test_first_expired_first_then_without_expiry_but_places_in_the_order_asked() -> None:
    piles = [pile("C", "1"), pile("B", "1", date(2026, 5, 1)), pile("A", "1", date(2026, 4, 1), rank=2)]
    assert [each.lot_number for each in fefo(piles)] == ["B", "C", "A"]


def test_a_pick_takes_whole_steps_and_says_what_is_missing() -> None:
    piles = [pile("A", "2.7"), pile("B", "5")]
    picks, missing = pick(piles, D(10), D(1))
    assert [(each.pile.lot_number, each.quantity) for each in picks] == [("A", D(2)), ("B", D(5))]
    assert missing == 3
    assert [each.available for each in without(piles, picks)] == [D("0.7"), D(0)]


def test_a_reservation_without_a_lot_takes_what_expires_first() -> None:
    piles = [pile("LATE", "5", date(2026, 6, 1)), pile("SOON", "5", date(2026, 4, 1)), pile("X", "5", place=51)]
    left = {each.lot_number: each.available for each in set_aside(piles, {UUID(int=50): D(7)})}
    assert left == {"SOON": 0, "LATE": 3, "X": 5}


@given(
    st.lists(st.decimals(0, 50, places=1), max_size=6),
    st.decimals(0, 100, places=1),
    st.sampled_from([D(0), D(1), D("0.5")]),
)
def test_picks_and_missing_add_up(amounts: list[Decimal], wanted: Decimal, step: Decimal) -> None:
    piles = [pile("ABCDEF"[place], str(amount)) for place, amount in enumerate(amounts)]
    picks, missing = pick(piles, wanted, step)
    assert sum((each.quantity for each in picks), D(0)) + missing == wanted
    assert all(0 < each.quantity <= each.pile.available for each in picks)
    if step:
        assert all(each.quantity % step == 0 for each in picks)


@given(st.decimals(0, 1000, places=3), st.sampled_from([D(0), D(1), D("0.25"), D("0.001")]))
def test_steps(quantity: Decimal, step: Decimal) -> None:
    low, high = floor_to_step(quantity, step), ceil_to_step(quantity, step)
    assert low <= quantity <= high and high - low in (0, step)


def test_how_a_pick_ends() -> None:
    assert pick_ends(D(10), D(4), D(6), finished=False) == "done"
    assert pick_ends(D(10), D(4), D(5), finished=False) == "open"
    assert pick_ends(D(10), D(4), D(5), finished=True) == "short"
    assert pick_ends(D(10), D(4), D(0), finished=True) == "short"
    for now, finished in ((D(7), False), (D(0), False), (D(-1), True)):
        with pytest.raises(Invalid):
            pick_ends(D(10), D(4), now, finished=finished)
