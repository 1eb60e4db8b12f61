"""Rules of quality."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from lianzao.quality import rules
from lianzao.quality.rules import Limits, Reading
from lianzao.values.errors import Invalid, RuleBroken

LENGTH = Limits("length", "Length", D("9.9"), D("10.1"))
LOOK = Limits("look", "Look")
GLOSS = Limits("gloss", "Gloss", lower=D(60), mandatory=False)


def test_the_limits_themselves_are_good():
    assert rules.within(D("9.9"), D("9.9"), D("10.1"))
    assert rules.within(D("10.1"), D("9.9"), D("10.1"))
    assert not rules.within(D("10.100001"), D("9.9"), D("10.1"))
    assert rules.within(D(5), None, D(10))
    assert rules.within(D(5), D(1), None)


def test_measurements_suggest_the_decision():
    assert rules.suggest([LENGTH, LOOK], []).missing == ("Length", "Look")
    assert rules.suggest([LENGTH, LOOK], [Reading("length", D(10))]).decision == rules.INCOMPLETE
    good = [Reading("length", D(10)), Reading("look", None, True)]
    assert rules.suggest([LENGTH, LOOK, GLOSS], good).decision == rules.ACCEPT
    bad = rules.suggest([LENGTH, LOOK], [Reading("length", D("10.2"))])
    assert (bad.decision, bad.failed, bad.missing) == (rules.HOLD, ("Length",), ("Look",))
    assert rules.suggest([LOOK], [Reading("look", None, False)]).decision == rules.HOLD
    assert rules.suggest([GLOSS], [Reading("gloss", D(10))]).decision == rules.HOLD


def test_every_sample_counts():
    five = Limits("length", "Length", D(9), D(11), samples=3)
    two = [Reading("length", D(10)), Reading("length", D(10))]
    assert rules.suggest([five], two).decision == rules.INCOMPLETE
    assert rules.suggest([five], [*two, Reading("length", D(10))]).decision == rules.ACCEPT
    assert rules.suggest([five], [*two, Reading("length", D(12))]).decision == rules.HOLD


def test_a_reading_must_say_what_its_characteristic_asks():
    with pytest.raises(Invalid, match="value_missing"):
        rules.judge(LENGTH, None, True)
    with pytest.raises(Invalid, match="judgement_missing"):
        rules.judge(LOOK, D(1), None)


@pytest.mark.parametrize(
    ("quantity", "pieces", "percent", "expected"),
    [(1000, 5, 0, 5), (1000, 5, 1, 10), (3, 5, 0, 3), (150, 1, 1, 2)],
)
def test_sample_size(quantity, pieces, percent, expected):
    assert rules.sample_size(D(quantity), pieces, D(percent)) == expected


def test_accepting_against_the_readings_needs_a_concession():
    assert rules.check_accept(rules.ACCEPT, [], [], "") is False
    with pytest.raises(RuleBroken, match="accept_needs_concession"):
        rules.check_accept(rules.HOLD, [], ["Length"], "  ")
    with pytest.raises(RuleBroken, match="measurements_missing"):
        rules.check_accept(rules.INCOMPLETE, ["Look"], [], "")
    assert rules.check_accept(rules.HOLD, [], ["Length"], "customer agreed") is True
