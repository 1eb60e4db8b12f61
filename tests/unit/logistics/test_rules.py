"""Rules of logistics."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzao.logistics import rules
from lianzao.logistics.rules import Available, Taken
from lianzao.values.errors import Invalid, RuleBroken


def test_check_digit_of_published_numbers():
    # GS1's own examples: an SSCC-18 and a GTIN-13.
    assert rules.check_digit("10614141123456789") == 7
    assert rules.check_digit("629104150021") == 3
    assert rules.is_sscc("106141411234567897")
    assert rules.is_sscc("(00)106141411234567897")
    assert rules.is_sscc("00106141411234567897")
    assert not rules.is_sscc("106141411234567896")
    assert not rules.is_sscc("1061414112345678")


@given(
    extension=st.integers(0, 9),
    prefix=st.text("0123456789", min_size=4, max_size=12),
    serial=st.integers(0, 9999),
)
def test_every_sscc_checks_and_says_its_prefix(extension, prefix, serial):
    code = rules.sscc(extension, prefix, serial)
    assert len(code) == 18
    assert rules.is_sscc(code)
    assert code[1:].startswith(prefix)
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    assert not rules.is_sscc(wrong)


def test_a_number_range_ends():
    assert rules.sscc(0, "690123456789", 9999).startswith("06901234567899999")
    with pytest.raises(RuleBroken, match="sscc_used_up"):
        rules.sscc(0, "690123456789", 10_000)
    with pytest.raises(Invalid, match="sscc_prefix"):
        rules.sscc(0, "69A", 1)
    with pytest.raises(Invalid, match="sscc_extension"):
        rules.sscc(10, "6901234", 1)


def test_first_expired_first_out_wherever_it_stands():
    stock = [
        Available("near, later", D(5), date(2026, 9, 1), rank=1),
        Available("far, sooner", D(3), date(2026, 6, 1), rank=9),
        Available("never expires", D(50), None, rank=0),
    ]
    taken, missing = rules.take(D(7), stock)
    assert taken == [Taken("far, sooner", D(3)), Taken("near, later", D(4))]
    assert missing == 0


def test_the_oldest_first_among_what_does_not_expire():
    old = Available("old", D(1), None, datetime(2026, 1, 1, tzinfo=UTC))
    new = Available("new", D(1), None, datetime(2026, 2, 1, tzinfo=UTC))
    assert [each.key for each in rules.take(D(2), [new, old])[0]] == ["old", "new"]


@given(
    needed=st.decimals(1, 100, places=2),
    piles=st.lists(st.decimals(0, 30, places=2), max_size=8),
)
def test_what_is_taken_and_missing_add_up(needed, piles):
    taken, missing = rules.take(needed, [Available(place, quantity) for place, quantity in enumerate(piles)])
    assert sum((each.quantity for each in taken), D(0)) + missing == needed
    assert all(0 < each.quantity <= piles[each.key] for each in taken)
    assert missing == max(needed - sum(piles, D(0)), D(0))


def test_not_more_is_picked_than_planned():
    assert rules.check_pick(D(10), D(4), D(6)) == 10
    with pytest.raises(RuleBroken, match="picked_too_much"):
        rules.check_pick(D(10), D(4), D(7))
    with pytest.raises(Invalid):
        rules.check_pick(D(10), D(4), D(0))


def test_weight_is_unknown_when_a_part_of_it_is():
    assert rules.weight([(D(10), D("0.5")), (D(2), D(3))]) == 11
    assert rules.weight([(D(10), D("0.5")), (D(2), None)]) is None


def test_picking_begins_with_the_first_pick():
    assert rules.picking_status([(D(10), D(0)), (D(5), D(0))]) == "planned"
    assert rules.picking_status([(D(10), D(0)), (D(5), D(1))]) == "picking"
