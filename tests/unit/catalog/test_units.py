"""Units, steps and lot rules by hand and by property."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzao.catalog.rules import (
    Conversion,
    conversion_factor,
    converted,
    fits_step,
    lot_rule_problem,
    lot_sized,
    rounded_up,
)

D = Decimal
GENERAL = [Conversion("t", "kg", D(1000)), Conversion("kg", "g", D(1000)), Conversion("box", "pc", D(10))]


def test_a_chain_both_ways() -> None:
    assert conversion_factor("t", "g", GENERAL) == 1_000_000
    assert conversion_factor("g", "t", GENERAL) == Fraction(1, 1_000_000)
    assert conversion_factor("kg", "kg", []) == 1


def test_the_items_own_conversion_wins() -> None:
    assert conversion_factor("box", "pc", [*GENERAL, Conversion("box", "pc", D(12), own=True)]) == 12


def test_no_way() -> None:
    assert conversion_factor("pc", "kg", GENERAL) is None


def test_a_third_stays_exact() -> None:
    factor = conversion_factor("pc", "roll", [Conversion("roll", "pc", D(3))])
    assert factor is not None and factor == Fraction(1, 3)
    assert converted(D(6), factor) == D(2)
    assert converted(D(1), factor) == D("0.333333")


amounts = st.decimals(0, 10**6, places=6)
steps = st.sampled_from([D("0.000001"), D("0.001"), D("0.25"), D(1), D(5)])


@given(amounts, steps)
def test_rounding_up_gives_the_next_quantity_that_exists(amount: Decimal, step: Decimal) -> None:
    up = rounded_up(amount, step)
    assert up >= amount
    assert up - amount < step
    assert fits_step(up, step)


whole = st.integers(0, 300).map(Decimal)


@given(st.integers(1, 2000).map(Decimal), whole, whole, whole, whole)
def test_lots_cover_the_need(
    need: Decimal, minimum: Decimal, multiple: Decimal, maximum: Decimal, fixed: Decimal
) -> None:
    if lot_rule_problem(minimum=minimum, multiple=multiple, maximum=maximum, fixed=fixed, step=D(1)):
        return
    lots = lot_sized(need, minimum=minimum, multiple=multiple, maximum=maximum, fixed=fixed)
    assert sum(lots) >= need
    assert sum(lots[:-1]) < need
    for lot in lots:
        if fixed:
            assert lot == fixed
            continue
        assert lot >= minimum
        assert not multiple or lot % multiple == 0
        assert not maximum or lot <= maximum


def test_an_over_need_with_minimum_and_multiple() -> None:
    assert lot_sized(D(90), minimum=D(125), multiple=D(100), maximum=D(0), fixed=D(0)) == [D(200)]
    assert lot_sized(D(20), minimum=D(50), multiple=D(3), maximum=D(0), fixed=D(0)) == [D(51)]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"minimum": D(-1)}, ("lot_minimum", "must_not_be_negative")),
        ({"minimum": D(10), "maximum": D(5)}, ("lot_maximum", "lot_maximum_below_minimum")),
        ({"multiple": D(4), "maximum": D(10)}, ("lot_maximum", "lot_maximum_not_a_multiple")),
        ({"fixed": D("1.5")}, ("fixed_lot", "not_in_steps")),
        ({"minimum": D(4), "multiple": D(4), "maximum": D(8)}, None),
    ],
)
def test_contradicting_lot_rules(rule: dict[str, Decimal], problem: tuple[str, str] | None) -> None:
    none = {"minimum": D(0), "multiple": D(0), "maximum": D(0), "fixed": D(0)}
    assert lot_rule_problem(**{**none, **rule}, step=D(1)) == problem
