"""Rules of procurement."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzao.procurement import rules
from lianzao.values.errors import Invalid, RuleBroken

MON, TUE = date(2026, 3, 2), date(2026, 3, 3)
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


def test_a_later_day_is_a_delay_and_an_earlier_one_an_advance():
    assert rules.delay_matters(MON, TUE) == rules.DELAYED
    assert rules.delay_matters(TUE, MON) == rules.ADVANCED
    assert rules.delay_matters(MON, MON) is None
    assert rules.delay_matters(None, MON) is None


def test_on_one_day_hours_matter_but_trembling_does_not():
    hour = timedelta(hours=3)
    assert rules.delay_matters(MON, MON, old_at=NOON, new_at=NOON + hour) == rules.DELAYED
    assert rules.delay_matters(MON, MON, old_at=NOON, new_at=NOON - hour) == rules.ADVANCED
    assert rules.delay_matters(MON, MON, old_at=NOON, new_at=NOON + timedelta(minutes=30)) is None
    assert rules.delay_matters(MON, MON, old_at=None, new_at=NOON) is None
    # The day decides, even when the instant is not known.
    assert rules.delay_matters(MON, TUE, old_at=NOON, new_at=NOON + timedelta(minutes=1)) == rules.DELAYED


def test_early_days_are_never_negative():
    assert rules.early_days(TUE, MON) == 1
    assert rules.early_days(MON, TUE) == 0
    assert rules.early_days(None, MON) == 0


@pytest.mark.parametrize(
    ("needed", "minimum", "multiple", "expected"),
    [("90", "125", "100", "200"), ("100", "0", "0", "100"), ("101", "0", "50", "150"), ("3", "5", "0", "5")],
)
def test_order_quantity_by_minimum_and_multiple(needed, minimum, multiple, expected):
    assert rules.order_quantity(D(needed), D(minimum), D(multiple)) == D(expected)


@given(
    needed=st.decimals("0.001", 10_000, places=3),
    minimum=st.decimals(0, 1000, places=0),
    multiple=st.decimals(0, 500, places=0),
)
def test_order_quantity_covers_the_need_with_the_fewest_multiples(needed, minimum, multiple):
    quantity = rules.order_quantity(needed, minimum, multiple)
    assert quantity >= max(needed, minimum)
    if multiple > 0:
        assert quantity % multiple == 0
        assert quantity - multiple < max(needed, minimum)


def test_needs_of_one_day_are_one_delivery_and_the_surplus_comes_last():
    needs = [rules.Need(TUE, D(30)), rules.Need(MON, D(40)), rules.Need(TUE, D(20))]
    assert rules.schedule_needs(needs, D(0), D(50)) == [(MON, D(40)), (TUE, D(60))]
    assert rules.schedule_needs(needs, D(0), D(0)) == [(MON, D(40)), (TUE, D(50))]


def test_a_part_confirmed_leaves_the_rest():
    assert rules.check_confirmed(D(100), D(0), D(0), D(60)) == 40
    with pytest.raises(RuleBroken, match="confirmed_too_much"):
        rules.check_confirmed(D(100), D(0), D(0), D(101))
    with pytest.raises(RuleBroken, match="confirmed_too_little"):
        rules.check_confirmed(D(100), D(30), D(50), D(40))


def test_over_delivery_only_as_agreed():
    assert rules.check_received(D(100), D(60), D(45), D(5)) == 105
    with pytest.raises(RuleBroken, match="received_too_much"):
        rules.check_received(D(100), D(60), D(46), D(5))
    with pytest.raises(RuleBroken, match="announced_too_much"):
        rules.check_announced(D(100), D(0), D(101), D(0))


def test_a_count_that_differs_needs_a_reason():
    rules.check_difference(D(100), D(100), D(0), "")
    rules.check_difference(D(100), D(95), D(5), "five broken")
    rules.check_difference(None, D(7), D(0), "")
    with pytest.raises(Invalid, match="difference_reason_missing"):
        rules.check_difference(D(100), D(95), D(0), " ")
    with pytest.raises(Invalid, match="difference_reason_missing"):
        rules.check_difference(None, D(95), D(5), "")
    with pytest.raises(Invalid, match="must_not_be_negative"):
        rules.check_difference(D(100), D(-1), D(0), "what?")


@pytest.mark.parametrize(
    ("status", "quantity", "confirmed", "announced", "received", "expected"),
    [
        ("open", 10, None, 0, 0, "open"),
        ("open", 10, 10, 0, 0, "confirmed"),
        ("confirmed", 10, 10, 10, 0, "announced"),
        ("announced", 10, 10, 10, 10, "received"),
        ("announced", 10, 10, 6, 6, "confirmed"),
        ("announced", 10, None, 6, 6, "open"),
        ("received", 10, 10, 10, 0, "announced"),
        ("cancelled", 10, 10, 0, 0, "cancelled"),
    ],
)
def test_schedule_status_follows_its_quantities(status, quantity, confirmed, announced, received, expected):
    known = None if confirmed is None else D(confirmed)
    assert rules.schedule_status(status, D(quantity), known, D(announced), D(received)) == expected


def test_order_status_follows_its_schedule():
    assert rules.order_status("sent", ["received", "cancelled"]) == "received"
    assert rules.order_status("received", ["received", "announced"]) == "sent"
    assert rules.order_status("sent", ["cancelled"]) == "cancelled"
    assert rules.order_status("draft", ["open"]) == "draft"


def test_value_of_received_goods_is_their_share_of_the_line_in_the_sites_currency():
    # 10 boxes of 12 for 100 USD each at 7.2 are 60 CNY a piece.
    assert rules.receipt_value(D(30), D(120), D(1000), D("7.2")) == D(1800)
    # Rounded once: 7 pieces for 0.88 are worth 0.88, not 7 times a rounded price.
    assert rules.receipt_value(D(7), D(7), D("0.88"), D(1)) == D("0.88")
