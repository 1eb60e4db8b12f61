"""Conditions, sentences, ladders and quiet hours of alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal as D
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzao.alerts import rules
from lianzao.values.errors import Invalid

SHANGHAI = ZoneInfo("Asia/Shanghai")
ITEM = UUID("01890000-0000-7000-8000-000000000001")


@dataclass(frozen=True)
class Field:
    type: str
    many: bool = False


FIELDS = {
    "days": Field("whole"),
    "quantity": Field("number"),
    "reason": Field("text"),
    "planned": Field("yes_no"),
    "new_on": Field("date"),
    "at": Field("instant"),
    "item_id": Field("id"),
    "item_ids": Field("id", many=True),
}
FACTS = {
    "days": 3,
    "quantity": D("12.5"),
    "reason": "Storm at the port",
    "planned": False,
    "new_on": date(2026, 3, 9),
    "at": datetime(2026, 3, 2, 2, tzinfo=UTC),
    "item_id": ITEM,
    "item_ids": (ITEM,),
    "site_id": None,
}


def compare(field, op, value=None):
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, True),
        (compare("days", "gt", 2), True),
        (compare("days", "gt", 3), False),
        (compare("quantity", "le", "12.5"), True),
        (compare("quantity", "ne", 12.5), False),
        (compare("planned", "eq", False), True),
        (compare("new_on", "lt", "2026-03-10"), True),
        (compare("at", "ge", "2026-03-02T10:00:00+08:00"), True),
        (compare("reason", "contains", "PORT"), True),
        (compare("reason", "starts_with", "port"), False),
        (compare("reason", "filled"), True),
        (compare("item_id", "in", [str(ITEM)]), True),
        (compare("item_id", "not_in", [str(ITEM)]), False),
        (compare("item_ids", "has", str(ITEM)), True),
        (compare("item_ids", "has_not", str(ITEM)), False),
        ({"all": [compare("days", "gt", 2), compare("planned", "eq", True)]}, False),
        ({"any": [compare("days", "gt", 2), compare("planned", "eq", True)]}, True),
        ({"not": {"any": [compare("days", "lt", 2), compare("planned", "eq", True)]}}, True),
    ],
)
def test_a_condition_holds_or_not(condition, expected):
    assert rules.read_condition(condition, FIELDS)(FACTS) is expected


def test_what_is_not_told_never_compares_but_is_empty():
    nothing = dict.fromkeys(FACTS)
    for op in ("eq", "ne", "lt", "gt"):
        assert rules.read_condition(compare("days", op, 1), FIELDS)(nothing) is False
    assert rules.read_condition(compare("item_id", "not_in", [str(ITEM)]), FIELDS)(nothing) is False
    assert rules.read_condition(compare("days", "empty"), FIELDS)(nothing) is True


@pytest.mark.parametrize(
    ("condition", "code", "field"),
    [
        ([], "condition_malformed", "condition"),
        ({"all": []}, "condition_malformed", "condition.all"),
        ({"all": [1]}, "condition_malformed", "condition.all[0]"),
        ({"field": "days"}, "condition_malformed", "condition"),
        ({"all": [compare("days", "gt", 1)], "any": []}, "condition_malformed", "condition"),
        (compare("color", "eq", "red"), "unknown_fact", "condition.field"),
        (compare("planned", "gt", True), "condition_operator", "condition.op"),
        (compare("item_ids", "eq", str(ITEM)), "condition_operator", "condition.op"),
        (
            {"any": [compare("days", "gt", 1), compare("days", "gt", "many")]},
            "condition_value",
            "condition.any[1].value",
        ),
        (compare("days", "gt", "1.5"), "condition_value", "condition.value"),
        (compare("days", "gt", True), "condition_value", "condition.value"),
        (compare("quantity", "gt", "NaN"), "condition_value", "condition.value"),
        (compare("quantity", "gt", [1]), "condition_value", "condition.value"),
        (compare("planned", "eq", "no"), "condition_value", "condition.value"),
        (compare("new_on", "eq", "tomorrow"), "condition_value", "condition.value"),
        (compare("item_id", "in", "abc"), "condition_value", "condition.value"),
        ({"field": "days", "op": "gt"}, "field_missing", "condition.value"),
    ],
)
def test_a_wrong_condition_is_refused_by_its_place(condition, code, field):
    with pytest.raises(Invalid) as refused:
        rules.read_condition(condition, FIELDS)
    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_condition_can_be_neither_too_deep_nor_too_long():
    deep = compare("days", "gt", 1)
    for _ in range(rules.DEEPEST):
        deep = {"not": deep}
    with pytest.raises(Invalid, match="condition_too_deep"):
        rules.read_condition(deep, FIELDS)
    assert rules.read_condition(deep["not"], FIELDS)(FACTS) is True
    with pytest.raises(Invalid, match="condition_too_long"):
        rules.read_condition({"any": [compare("days", "gt", 1)] * 51}, FIELDS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["days", "gt", "all", "reason", "2026-01-01"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["all", "any", "not", "field", "op", "value"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_read_or_refused_and_never_breaks(condition):
    try:
        holds = rules.read_condition(condition, FIELDS)
    except Invalid:
        return
    assert holds(FACTS) in (True, False)


def test_sentences_speak_of_facts_only():
    rules.check_sentence("{item} {days}", ["item", "days"], "title")
    for wrong in ("{color}", "{item.code}", "{item!r}", "{0}", "{}"):
        with pytest.raises(Invalid, match="unknown_fact"):
            rules.check_sentence(wrong, ["item"], "title")
    for wrong in ("{item", "item}"):
        with pytest.raises(Invalid, match="malformed"):
            rules.check_sentence(wrong, ["item"], "title")


def test_a_fact_that_looks_like_a_place_is_left_as_it_is():
    assert rules.fill("{reason}, {days}", {"reason": "{days}", "days": "3"}) == "{days}, 3"


@pytest.mark.parametrize(
    ("value", "chinese", "english"),
    [
        (D("12.500000"), "12.5", "12.5"),
        (D("0E-6"), "0", "0"),
        (D("1200"), "1200", "1200"),
        (True, "是", "yes"),
        (None, "—", "—"),
        (date(2026, 3, 9), "2026-03-09", "2026-03-09"),
        (datetime(2026, 3, 2, 20, 30, tzinfo=UTC), "2026-03-03 04:30", "2026-03-03 04:30"),
        (("A", "B"), "A、B", "A, B"),
        ((), "—", "—"),
    ],
)
def test_facts_are_said_as_people_write_them(value, chinese, english):
    assert rules.say_fact(value, "zh-CN", SHANGHAI) == chinese
    assert rules.say_fact(value, "en", SHANGHAI) == english


def test_the_same_matter_has_the_same_key():
    assert rules.key_of(FACTS, [], "event 1") == "event 1"
    assert rules.key_of(FACTS, ["item_id"], "1") == rules.key_of(FACTS | {"days": 9}, ["item_id"], "2")
    assert rules.key_of(FACTS, ["item_id"], "1") != rules.key_of(FACTS | {"site_id": uuid4()}, ["item_id"], "1")
    assert len(rules.key_of({"reason": "x" * 5000}, ["reason"], "")) < 200


def test_a_ladder_goes_up():
    ladder = rules.read_ladder([{"after_minutes": 0, "roles": ["lead"]}, {"after_minutes": 30, "persons": [str(ITEM)]}])
    assert ladder == (rules.Rung(0, ("lead",)), rules.Rung(30, (), (ITEM,)))
    for wrong, code in (
        ({}, "ladder_malformed"),
        ([{"after_minutes": 1}], "ladder_malformed"),
        ([{"after_minutes": -1, "roles": ["a"]}], "ladder_malformed"),
        ([{"after_minutes": True, "roles": ["a"]}], "ladder_malformed"),
        ([{"after_minutes": 1, "roles": ["a"], "color": 1}], "ladder_malformed"),
        ([{"after_minutes": 1, "persons": ["Mr Li"]}], "not_an_id"),
        ([{"after_minutes": 5, "roles": ["a"]}] * 2, "ladder_order"),
        ([{"after_minutes": 5, "roles": ["a"]}] * 9, "too_many"),
    ):
        with pytest.raises(Invalid, match=code):
            rules.read_ladder(wrong)


def test_rungs_keep_their_distance_however_late_the_climb_was():
    ladder = (rules.Rung(10, ("a",)), rules.Rung(40, ("b",)))
    start = datetime(2026, 3, 2, 8, tzinfo=UTC)
    assert rules.next_step_at(start, ladder, 0) == start.replace(minute=10)
    assert rules.next_step_at(start, ladder, 2) is None
    late = start.replace(hour=12)
    assert rules.step_after(late, ladder, 1) == late.replace(minute=30)
    assert rules.step_after(late, ladder, 2) is None


@pytest.mark.parametrize(
    ("local", "ends"),
    [
        ("2026-03-02T19:59", None),
        ("2026-03-02T20:00", "2026-03-03T07:00"),
        ("2026-03-02T23:59", "2026-03-03T07:00"),
        ("2026-03-03T00:01", "2026-03-03T07:00"),
        ("2026-03-03T07:00", None),
    ],
)
def test_quiet_hours_run_over_midnight_by_the_sites_clock(local, ends):
    now = datetime.fromisoformat(local).replace(tzinfo=SHANGHAI).astimezone(UTC)
    end = rules.quiet_end(now, SHANGHAI, time(20), time(7))
    assert end == (now if ends is None else datetime.fromisoformat(ends).replace(tzinfo=SHANGHAI))


def test_quiet_hours_of_one_day_and_none():
    now = datetime(2026, 3, 2, 12, 30, tzinfo=SHANGHAI)
    assert rules.quiet_end(now, SHANGHAI, time(12), time(13)) == now.replace(hour=13, minute=0)
    assert rules.quiet_end(now, SHANGHAI, None, None) == now
    assert rules.quiet_end(now, SHANGHAI, time(12), time(12)) == now
