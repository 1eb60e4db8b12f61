"""Bills of materials by hand and by property."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzao.engineering import rules
from lianzao.engineering.rules import (
    Component,
    circle,
    explosion,
    in_effect,
    low_level_codes,
    materials,
    spans_overlap,
    totals,
)

D = Decimal


def book(*lines: Component):
    return lambda item: [line for line in lines if line.parent == item]


def line(parent: str, item: str, per: str, **more: object) -> Component:
    return Component(line=f"{parent}>{item}", parent=parent, item=item, quantity_per=D(per), **more)  # type: ignore[arg-type]


def test_half_open() -> None:
    start, end = date(2026, 3, 1), date(2026, 4, 1)
    assert in_effect(start, end, start)
    assert not in_effect(start, end, end)
    assert in_effect(None, None, end)
    assert not spans_overlap((start, end), (end, None))
    assert spans_overlap((start, end), (None, None))
    assert spans_overlap((start, None), (date(2026, 3, 31), end))


def test_base_quantity_scrap_and_step() -> None:
    paint = line("door", "paint", "2.5", base_quantity=D(100), scrap_percent=D(20), step=D("0.001"))
    (need,) = materials("door", D(7), book(paint))
    assert need.quantity == D("0.219")  # 7 * 2.5 / 100 / 0.8 = 0.21875


def test_fixed_per_order() -> None:
    setup = line("door", "sheet", "3", fixed=True, step=D(1))
    assert [need.quantity for need in materials("door", D(500), book(setup))] == [D(3)]


def test_a_third_of_three_is_one() -> None:
    thirds = line("box", "lid", "1", base_quantity=D(3), step=D(1))
    assert materials("box", D(3), book(thirds))[0].quantity == 1
    assert materials("box", D(4), book(thirds))[0].quantity == 2


def test_phantoms_pass_through_unrounded_at_the_operation_they_are_taken_at() -> None:
    lines = book(
        line("car", "kit", "0.5", phantom=True, operation_sequence=20, step=D(1)),
        line("kit", "bolt", "3", operation_sequence=10, step=D(1)),
        line("kit", "inner", "1", phantom=True),
        line("inner", "nut", "2", step=D(1)),
        line("car", "wheel", "4", step=D(1)),
    )
    needs = materials("car", D(1), lines)
    assert [(need.component.item, need.quantity, need.operation_sequence, need.level) for need in needs] == [
        ("bolt", D(2), 20, 2),
        ("nut", D(1), 20, 3),
        ("wheel", D(4), 0, 1),
    ]


def test_an_explosion_rounds_at_every_real_level() -> None:
    lines = book(
        line("car", "axle", "0.4", step=D(1)),
        line("axle", "pin", "2.5", step=D(1)),
    )
    rows = explosion("car", D(3), lines)
    assert [(need.component.item, need.quantity, need.level) for need in rows] == [("axle", D(2), 1), ("pin", D(5), 2)]
    assert totals(rows) == {"axle": D(2), "pin": D(5)}


def test_an_explosion_refuses_a_circle() -> None:
    with pytest.raises(ValueError, match="circle"):
        explosion("a", D(1), book(line("a", "b", "1"), line("b", "a", "1")))


def test_an_explosion_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_ROWS", 3)
    with pytest.raises(ValueError, match="too_long"):
        explosion("a", D(1), book(*(line("a", f"c{n}", "1") for n in range(4))))


def test_the_circle_is_named_in_order() -> None:
    assert circle({"a": ["b"], "b": ["c", "d"], "c": ["e"], "d": ["b"]}) == ["b", "d", "b"]
    assert circle({"a": ["a"]}) == ["a", "a"]
    assert circle({"a": ["b", "c"], "b": ["c"]}) == []


graphs = st.dictionaries(st.integers(0, 7), st.lists(st.integers(0, 7), unique=True, max_size=4), max_size=8)


@given(graphs)
def test_a_circle_is_found_exactly_when_no_order_of_levels_exists(graph: dict[int, list[int]]) -> None:
    everyone = {*graph, *(child for below in graph.values() for child in below)}
    found = circle(graph)
    assert bool(found) == (len(low_level_codes(graph)) < len(everyone) or _has_circle(graph))
    for parent, child in pairwise(found):
        assert child in graph[parent]
    if found:
        assert found[0] == found[-1]
    else:
        levels = low_level_codes(graph)
        assert all(levels[child] > levels[parent] for parent, below in graph.items() for child in below)


def _has_circle(graph: dict[int, list[int]]) -> bool:
    reach = {item: set(below) for item, below in graph.items()}
    for _ in range(9):
        reach = {item: below.union(*(reach.get(child, set()) for child in below)) for item, below in reach.items()}
    return any(item in below for item, below in reach.items())


@given(st.decimals(D("0.001"), D(1000), places=3), st.decimals(D("0.001"), D(50), places=3), st.integers(0, 99))
def test_what_is_taken_less_scrap_is_enough(quantity: Decimal, per: Decimal, scrap: int) -> None:
    one = line("p", "c", str(per), scrap_percent=D(scrap), step=D("0.01"))
    (need,) = materials("p", quantity, book(one))
    kept = Fraction(need.quantity) * (1 - Fraction(scrap, 100))
    assert kept >= Fraction(quantity) * Fraction(per)
    assert kept - Fraction(quantity) * Fraction(per) < Fraction(1, 100)


def test_a_circle_over_time_is_none() -> None:
    april = date(2026, 4, 1)
    until, after = rules.Edge("a", "b", None, april), rules.Edge("b", "a", april, None)
    assert rules.circle_on_some_day([until, after]) == []
    assert rules.circle_on_some_day([until, rules.Edge("b", "a", date(2026, 3, 31), None)]) == ["a", "b", "a"]


def test_an_empty_phantom_is_not_forgotten() -> None:
    needs = materials("car", D(2), book(line("car", "kit", "1", phantom=True)))
    assert [(need.component.item, need.quantity) for need in needs] == [("kit", D(2))]
