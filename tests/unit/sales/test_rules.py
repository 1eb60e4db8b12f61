"""Rules of sales."""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D

import pytest

from lianzao.sales import rules
from lianzao.values.errors import Invalid, RuleBroken


@pytest.mark.parametrize(
    ("status", "quantity", "shipped", "delivered", "expected"),
    [
        ("open", 10, 0, 0, "open"),
        ("confirmed", 10, 0, 0, "confirmed"),
        ("confirmed", 10, 9, 9, "confirmed"),
        ("confirmed", 10, 10, 3, "shipped"),
        ("shipped", 10, 10, 10, "delivered"),
        ("shipped", 12, 10, 10, "confirmed"),  # the customer wants more: the line is owed again
        ("closed", 10, 4, 4, "closed"),
        ("cancelled", 10, 0, 0, "cancelled"),
    ],
)
def test_line_status_follows_its_quantities(status, quantity, shipped, delivered, expected):
    assert rules.line_status(status, D(quantity), D(shipped), D(delivered)) == expected


@pytest.mark.parametrize(
    ("status", "lines", "expected"),
    [
        ("draft", ["open"], "draft"),
        ("confirmed", ["confirmed", "delivered"], "confirmed"),
        ("confirmed", ["shipped", "delivered", "cancelled"], "shipped"),
        ("shipped", ["delivered", "delivered"], "delivered"),
        ("delivered", ["confirmed", "delivered"], "confirmed"),
        ("confirmed", ["cancelled"], "cancelled"),
        ("closed", ["confirmed"], "closed"),
    ],
)
def test_order_is_as_far_as_the_line_furthest_behind(status, lines, expected):
    assert rules.order_status(status, lines) == expected


def test_line_cannot_become_smaller_than_what_left_or_is_reserved():
    rules.check_quantity_change(D(7), D(5), D(2))
    with pytest.raises(RuleBroken, match="less_than_shipped"):
        rules.check_quantity_change(D(4), D(5), D(0))
    with pytest.raises(RuleBroken, match="less_than_reserved"):
        rules.check_quantity_change(D(6), D(5), D(2))
    with pytest.raises(Invalid):
        rules.check_quantity_change(D(0), D(0), D(0))


def test_nothing_is_shipped_beyond_the_order_nor_delivered_beyond_what_was_shipped():
    assert rules.check_shipped(D(10), D(4), D(6)) == 10
    with pytest.raises(RuleBroken, match="shipped_more_than_ordered"):
        rules.check_shipped(D(10), D(4), D("6.000001"))
    assert rules.check_delivered(D(6), D(2), D(4)) == 6
    with pytest.raises(RuleBroken, match="more_than_shipped"):
        rules.check_delivered(D(6), D(2), D(5))
    with pytest.raises(Invalid):
        rules.check_delivered(D(6), D(2), D(0))


def test_only_a_later_promise_needs_consent():
    promised = date(2026, 3, 10)
    assert rules.promise_needs_consent(promised, date(2026, 3, 11))
    assert not rules.promise_needs_consent(promised, promised)
    assert not rules.promise_needs_consent(promised, date(2026, 3, 9))
    assert not rules.promise_needs_consent(None, date(2026, 3, 11))


def test_what_left_the_house_is_not_cancelled():
    rules.check_cancel(D(0))
    with pytest.raises(RuleBroken, match="already_shipped"):
        rules.check_cancel(D(1))
