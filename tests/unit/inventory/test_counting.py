"""What a count says, which places to count next, and where goods are put away."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest

from lianzao.inventory.rules import (
    Countable,
    Shelf,
    count_needs_approval,
    count_says,
    count_wishes,
    put_away_to,
)

D = Decimal


@pytest.mark.parametrize(
    ("booked", "counted", "again", "percent", "says"),
    [
        ("100", "100", False, "0", "agrees"),
        ("100", "99", False, "0", "recount"),
        ("100", "99", False, "1", "differs"),
        ("100", "98.9", False, "1", "recount"),
        ("100", "101", False, "1", "differs"),
        ("100", "80", True, "0", "differs"),
        ("100", "100", True, "0", "agrees"),
        ("0", "5", False, "50", "recount"),
        ("0", "0", False, "0", "agrees"),
    ],
)
def test_a_count_that_differs_is_counted_again_and_the_second_stands(
    booked: str, counted: str, again: bool, percent: str, says: str
) -> None:
    assert count_says(D(booked), D(counted), again, D(percent)) == says


def test_plus_and_minus_do_not_cancel_out() -> None:
    assert not count_needs_approval([D(500), D(-500)], D(500))
    assert count_needs_approval([D("500.01"), D("-500.01")], D(500))
    assert not count_needs_approval([], D(0))


def place(number: int, **facts: object) -> Countable:
    given = {"piles": 1, "days_since": 10, "moves_since": 0, "short_picks": 0, "uncovered": 0, **facts}
    return Countable(UUID(int=number), **given)  # type: ignore[arg-type]


def test_doubtful_places_are_counted_first() -> None:
    wishes = count_wishes(
        [
            place(1),  # counted lately, nothing happened
            place(2, days_since=None),
            place(3, days_since=120),
            place(4, moves_since=150),
            place(5, short_picks=1),
            place(6, uncovered=2),
            place(7, days_since=None, piles=0),  # nothing to count
            place(8, days_since=90),
        ],
        90,
    )
    assert [(wish.location_id.int, wish.why) for wish in wishes] == [
        (6, "uncovered"), (5, "short_pick"), (3, "cycle"), (8, "cycle"), (2, "never"), (4, "moves")
    ]  # fmt: skip


def shelf(number: int, **facts: object) -> Shelf:
    given = {"code": f"S{number}", "is_home": False, "same_lot": D(0), "same_item": D(0), "other_items": 0,
             "used_before": False, **facts}  # fmt: skip
    return Shelf(UUID(int=number), **given)  # type: ignore[arg-type]


def test_goods_go_to_their_lot_their_home_their_like_then_to_an_empty_place() -> None:
    shelves = [
        shelf(1),
        shelf(2, other_items=3),  # full of other things
        shelf(3, used_before=True),
        shelf(4, same_item=D(5), other_items=1),
        shelf(5, is_home=True, other_items=2),
        shelf(6, same_lot=D(1), same_item=D(1)),
        shelf(7, used_before=True, other_items=1),
    ]
    assert [(each.code, why) for each, why in put_away_to(shelves, 9)] == [
        ("S6", "same_lot"), ("S5", "home"), ("S4", "same_item"), ("S3", "before"), ("S1", "empty")
    ]  # fmt: skip
    assert put_away_to([shelves[1]]) == []
