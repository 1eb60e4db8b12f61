"""What planning tells of shortages: where the trouble begins, once for each item, and again when it is news."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lianzao.planning.rules import NEAR, Short, beginnings, by_item, told_again, worst

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def short(item: str, consumer: str | None, supply: str | None, ready: int, need: int = 0, late: int = 2) -> Short:
    """A shortage in days from now, of the order SO."""
    return Short(item, consumer, supply, NOW + timedelta(days=need), NOW + timedelta(days=ready), "SO", late)


PUMP = short("PUMP", "SO", "WO-PUMP", 9, 7)
BODY = short("BODY", "WO-PUMP", "WO-BODY", 6, 3)
STEEL = short("STEEL", "WO-BODY", "PO", 4, 1)
SCREW = short("SCREW", "WO-PUMP", "PO-2", 5, 3)


def test_trouble_begins_where_nothing_below_is_missing() -> None:
    assert beginnings([PUMP, BODY, STEEL]) == [STEEL]


def test_of_several_things_only_the_last_to_come_holds_an_order_up() -> None:
    assert beginnings([PUMP, BODY, STEEL, SCREW]) == [STEEL]
    late_screw = short("SCREW", "WO-PUMP", "PO-2", 8, 3)
    assert beginnings([PUMP, BODY, STEEL, late_screw]) == [late_screw]
    never = replace(SCREW, ready_at=None)
    assert beginnings([PUMP, BODY, STEEL, never]) == [never]


def test_a_shortage_far_down_stands_for_itself_when_the_order_lacks_nothing() -> None:
    other = replace(BODY, consumer="WO-OTHER", supply=None, demand="SO-2")
    assert set(beginnings([PUMP, STEEL, other])) == {PUMP, STEEL, other}
    assert set(by_item([other, replace(other, item="X", consumer=None, demand=None)])) == {"BODY"}


def test_supplies_that_wait_for_each_other_do_not_hold_up_the_telling() -> None:
    one, other = short("A", "WO-B", "WO-A", 5), short("B", "WO-A", "WO-B", 6)
    assert beginnings([short("C", "SO", "WO-B", 7), one, other])[0] in (one, other)


def test_an_item_is_told_by_the_order_it_hurts_most() -> None:
    soon, hurting = replace(STEEL, demand="SO-1", days_late=0), replace(STEEL, demand="SO-2", days_late=3)
    assert worst([soon, hurting]) is hurting
    assert worst([hurting, replace(hurting, need_at=NOW - timedelta(days=1))]).need_at < NOW


def test_what_was_told_is_told_again_only_when_it_is_news() -> None:
    later = NOW + timedelta(hours=1)
    assert not told_again(STEEL, NOW, STEEL, later)
    moved = timedelta(hours=3)
    assert not told_again(STEEL, NOW, replace(STEEL, ready_at=NOW + timedelta(days=4) + moved), later)
    assert told_again(STEEL, NOW, replace(STEEL, ready_at=NOW + timedelta(days=5)), later)
    assert told_again(STEEL, NOW, replace(STEEL, days_late=0), later)
    assert told_again(STEEL, NOW, replace(STEEL, demand="SO-2"), later)
    far = replace(STEEL, need_at=NOW + NEAR + timedelta(hours=1))
    assert not told_again(far, NOW, far, NOW) and told_again(far, NOW, far, NOW + timedelta(hours=2))
