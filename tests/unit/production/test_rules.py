"""What production decides, without a database."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzao.production.rules import (
    Material,
    Operation,
    Report,
    backflush,
    check_report,
    check_reporter,
    check_reversal,
    check_serials,
    covered_by,
    is_finished,
    is_last,
    most_input,
    needed,
    required_after,
    stands,
    with_report,
)
from lianzao.values.errors import DomainError, Invalid, RuleBroken

D = Decimal


def operation(sequence: int, good: str = "0", scrap: str = "0", *, point: bool = True) -> Operation:
    return Operation(UUID(int=sequence), sequence, point, D(good), D(scrap))


def material(sequence: int = 10, planned: str = "200", **more: object) -> Material:
    values: dict = {"required": D(planned), "issued": D(0), "step": D(1), **more}
    return Material(UUID(int=900 + sequence), UUID(int=800), sequence, D(planned), **values)


CUT, POLISH, FIT = operation(10), operation(15, point=False), operation(20)
WAY = [CUT, POLISH, FIT]


def code_of(operations: list[Operation], sequence: int, report: Report, **more: object) -> str:
    rules: dict = {"quantity": D(100), "tolerance_percent": D(0), "step": D(1), **more}
    try:
        check_report(operations, sequence, report, **rules)
    except DomainError as refused:
        return refused.code
    return ""


def test_a_report_speaks_for_what_lies_since_the_point_before() -> None:
    assert [each.sequence for each in covered_by(WAY, 10)] == [10]
    assert [each.sequence for each in covered_by(WAY, 20)] == [15, 20]
    assert is_last(WAY, 20) and not is_last(WAY, 10)


@pytest.mark.parametrize(
    ("operations", "sequence", "report", "code"),
    [
        (WAY, 10, Report(D(100)), ""),
        (WAY, 10, Report(D(101)), "more_than_ordered"),
        (WAY, 10, Report(D(95), D(5)), ""),
        (WAY, 10, Report(D(100), D(5)), ""),
        (WAY, 10, Report(D(0)), "report_is_empty"),
        (WAY, 10, Report(D(-1), D(2)), "must_not_be_negative"),
        (WAY, 10, Report(D("0.5")), "report_not_in_steps"),
        (WAY, 15, Report(D(1)), "not_a_report_point"),
        (WAY, 20, Report(D(1)), "more_than_previous"),
        ([operation(10, "60"), FIT], 20, Report(D(60)), ""),
        ([operation(10, "60"), FIT], 20, Report(D(60), rework=D(1)), "more_than_previous"),
        ([operation(10, "100"), operation(20, "0", "4")], 10, Report(D(4)), ""),
        ([operation(10, "100"), operation(20, "0", "4")], 10, Report(D(5)), "more_than_ordered"),
        ([operation(10, "95", "5")], 10, Report(D(5)), ""),
        ([operation(10, "95", "5")], 10, Report(D(6)), "more_than_ordered"),
    ],
)
def test_what_may_be_reported(operations: list[Operation], sequence: int, report: Report, code: str) -> None:
    assert code_of(operations, sequence, report) == code


def test_tolerance_and_free_order() -> None:
    assert code_of(WAY, 10, Report(D(105)), tolerance_percent=D(5)) == ""
    assert code_of(WAY, 10, Report(D(106)), tolerance_percent=D(5)) == "more_than_ordered"
    assert code_of(WAY, 20, Report(D(50)), keep_order=False) == ""
    assert code_of(WAY, 20, Report(D(101)), keep_order=False) == "more_than_ordered"


def test_a_report_is_taken_back_only_if_nobody_used_it() -> None:
    way = [operation(10, "50"), operation(20, "28", "2")]
    check_reversal(way, 10, D(20))
    with pytest.raises(RuleBroken, match="reported_later"):
        check_reversal(way, 10, D(21))
    check_reversal(way, 20, D(28))


def test_backflush_takes_for_good_and_scrap_of_the_operations_spoken_for() -> None:
    materials = [material(10, "200"), material(15, "100"), material(20, "300"), material(0, "50"), material(99, "10")]
    report = Report(D(9), D(1), rework=D(7))
    at_cut = backflush(materials, covered_by(WAY, 10), WAY, report, D(100))
    assert [(take.material.operation_sequence, take.quantity) for take in at_cut] == [(10, 20), (0, 5), (99, 1)]
    at_fit = backflush(materials, covered_by(WAY, 20), WAY, report, D(100))
    assert [(take.material.operation_sequence, take.quantity) for take in at_fit] == [(15, 10), (20, 30)]


def test_backflush_leaves_what_is_issued_by_hand_and_uses_up_what_was_issued_before() -> None:
    by_hand = material(10, "200", backflush=False)
    ahead = material(10, "200", issued=D(15))
    assert backflush([by_hand], [CUT], [CUT], Report(D(10)), D(100)) == []
    (take,) = backflush([ahead], [CUT], [CUT], Report(D(10)), D(100))
    assert take.quantity == 5


def test_what_was_returned_is_not_taken_again() -> None:
    here = operation(10, "50")
    returned = material(10, "200", issued=D(90))
    (take,) = backflush([returned], [here], [here], Report(D(10)), D(100))
    assert take.quantity == 20


def test_a_fixed_quantity_is_taken_with_the_first_report_only() -> None:
    grease = material(10, "3", fixed=True)
    (take,) = backflush([grease], [CUT], [CUT], Report(D(1)), D(100))
    assert take.quantity == 3
    begun = operation(10, "1")
    assert backflush([replace(grease, issued=D(3))], [begun], [begun], Report(D(50)), D(100)) == []


@given(
    st.integers(1, 60),
    st.decimals("0.001", 300, places=3),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=12),
    st.sampled_from([D(1), D("0.25"), D("0.001")]),
)
def test_many_small_reports_use_exactly_what_one_big_one_does(
    quantity: int, planned: Decimal, reports: list[tuple[int, int]], step: Decimal
) -> None:
    line = material(10, "1", step=step)
    line = replace(line, planned=planned, required=planned)
    here, used = operation(10), D(0)
    for good, scrap in reports:
        report = Report(D(good), D(scrap))
        for take in backflush([replace(line, issued=used)], [here], [here], report, D(quantity)):
            used += take.quantity
        here = replace(here, good=here.good + good, scrap=here.scrap + scrap)
    assert used == needed(line, here.processed, D(quantity))


def test_lost_pieces_are_made_again_from_the_materials_they_had_in_them() -> None:
    way = [operation(10, "100"), operation(20, "90")]
    assert required_after(material(10, "200"), way, 20, D(5), D(100)) == 210
    assert required_after(material(20, "600"), way, 20, D(5), D(100)) == 630
    assert required_after(material(20, "600"), way, 10, D(5), D(100)) == 600
    assert required_after(material(10, "7", fixed=True), way, 20, D(5), D(100)) == 7
    lost = [operation(10, "100", "3"), operation(20, "90", "5")]
    assert required_after(material(10, "200"), lost, 20, D(-5), D(100)) == 206


def test_when_an_operation_is_finished() -> None:
    way = [operation(10, "90"), operation(20, "85", "5")]
    assert not is_finished(way, replace(way[0], good=D(100)), D(100))
    assert is_finished(way, replace(way[0], good=D(105)), D(100))
    assert most_input(way, 10, D(100), D(0)) == 105 and most_input(way, 20, D(100), D(0)) == 90


def told(way: list[Operation], quantity: int = 100, *, over: bool = False) -> list[str]:
    made = stands(way, D(quantity), over=over)
    return [made[each.id] for each in way]


def test_a_loss_further_on_gives_a_finished_operation_work_again() -> None:
    way = with_report(WAY, 10, Report(D(100)))
    assert told(way) == ["finished", "waiting", "waiting"]
    way = with_report(way, 20, Report(D(95), D(5)))
    assert [(each.good, each.scrap) for each in way] == [(100, 0), (100, 0), (95, 5)]
    assert told(way) == ["started", "started", "started"]
    way = with_report(with_report(way, 10, Report(D(5))), 20, Report(D(5)))
    assert told(way) == ["finished"] * 3


def test_nothing_is_left_to_do_at_an_order_that_is_over() -> None:
    begun = with_report(WAY, 10, Report(D(40)))
    assert told(begun) == ["started", "waiting", "waiting"]
    assert told(begun, over=True) == ["finished"] * 3
    assert told(with_report(begun, 10, Report(-D(40)))) == ["started", "waiting", "waiting"]  # it was begun


def test_an_operation_after_the_last_report_point_ends_with_its_order() -> None:
    way = [*WAY, operation(30, point=False)]
    assert told(with_report(way, 20, Report(D(1))))[-1] == "waiting"
    assert told(way, over=True)[-1] == "finished"


def test_serials() -> None:
    check_serials([], D(3))
    check_serials(["A", "B"], D(2))
    for serials in (["A", "A"], ["A"]):
        with pytest.raises(Invalid):
            check_serials(serials, D(2))


def test_a_report_is_taken_back_by_who_made_it_or_may_any() -> None:
    me, other = UUID(int=1), UUID(int=2)
    check_reporter(me, [me, None], False)
    check_reporter(me, [other, me], False)
    check_reporter(None, [other], True)
    for by in (me, None):
        with pytest.raises(RuleBroken, match="report_of_somebody_else"):
            check_reporter(by, [other, None], False)
