"""The machinery by itself, on the one entity it has: audit, replay, versions, links, numbers, news."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from lianzao.foundation import audit, link, numbering, outbox
from lianzao.foundation.actor import ALL, Actor, system_actor
from lianzao.foundation.command import command, run
from lianzao.foundation.entity import get
from lianzao.foundation.numbering import CodeRule, next_number
from lianzao.foundation.outbox import Event, on, publish
from lianzao.values.errors import Conflict, Invalid, NotAllowed
from lianzao.values.time import uuid7

pytestmark = pytest.mark.django_db

ADMIN = Actor(id=uuid7(), name="admin", sites=ALL, rights=frozenset({"*"}))
told: list[str] = []


@dataclass(frozen=True)
class RuleMade(Event):
    rule_id: UUID
    pattern: str


@command(hidden=True)
def tell_rule(by: Actor, *, rule: CodeRule) -> CodeRule:
    """Tell news of a rule (test only)."""
    publish(RuleMade(rule_id=rule.id, pattern=rule.pattern))
    publish(RuleMade(rule_id=rule.id, pattern=rule.pattern))
    return rule


@on(RuleMade, key="rule_id")
def hear_rule(by: Actor, news: list[RuleMade]) -> None:
    told.append(f"{len(news)} {news[0].pattern}")
    if news[0].pattern.startswith("BAD"):
        raise ValueError("no")


@on(RuleMade, when=lambda made: made.pattern.startswith("SEEN"))
def write_when_it_matters(by: Actor, news: list[RuleMade]) -> None:
    """Leaves something behind before it may fail, to see what survives."""
    for each in news:
        run(by, "foundation.create_code_rule", {"entity_kind": f"seen.{uuid7().hex}", "pattern": each.pattern})
        if "FAIL" in each.pattern:
            raise ValueError("after writing")


def make(pattern: str = "T-{seq:4}", kind: str = "test.thing", **options: object) -> CodeRule:
    return run(ADMIN, "foundation.create_code_rule", {"entity_kind": kind, "pattern": pattern}, **options)


def test_only_a_command_writes() -> None:
    with pytest.raises(RuntimeError, match="only a command writes"):
        CodeRule(entity_kind="x", pattern="{seq:3}").save()


def test_a_right_is_needed() -> None:
    with pytest.raises(NotAllowed):
        run(Actor(id=uuid7(), name="nobody"), "foundation.create_code_rule", {"entity_kind": "a", "pattern": "{seq:3}"})


def test_the_audit_tells_before_and_after() -> None:
    rule = make()
    run(ADMIN, "foundation.change_code_rule", {"code_rule": rule.id, "pattern": "U-{seq:4}"}, why="year end")
    last, first = audit.history(rule.id)
    assert last.why == "year end" and last.actor_id == ADMIN.id
    assert last.changes[0]["before"] == {"pattern": "T-{seq:4}"}
    assert last.changes[0]["after"] == {"pattern": "U-{seq:4}"}
    assert first.changes[0]["after"]["entity_kind"] == "test.thing"
    assert get(CodeRule, rule.id).version == 2


def test_the_same_order_id_gives_the_same_answer_once() -> None:
    order = uuid7()
    rule = make(order_id=order)
    again: Any = make(order_id=order)
    assert again["id"] == str(rule.id) and again.entity == rule
    assert CodeRule.objects.filter(entity_kind="test.thing").count() == 1
    with pytest.raises(Conflict, match="order_id_reused"):
        run(ADMIN, "foundation.change_code_rule", {"code_rule": rule.id, "pattern": "U-{seq:4}"}, order_id=order)


def test_a_stale_version_is_refused() -> None:
    rule = make()
    run(ADMIN, "foundation.change_code_rule", {"code_rule": rule.id, "pattern": "U-{seq:4}"}, versions={rule.id: 1})
    with pytest.raises(Conflict, match="stale_version"):
        run(ADMIN, "foundation.change_code_rule", {"code_rule": rule.id, "pattern": "V-{seq:4}"}, versions={rule.id: 1})


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"entity_kind": "a"}, "field_missing", "pattern"),
        ({"entity_kind": "a", "pattern": "{seq:3}", "more": 1}, "unknown_field", "more"),
        ({"entity_kind": "a" * 81, "pattern": "{seq:3}"}, "too_long", "entity_kind"),
        ({"entity_kind": 5, "pattern": "{seq:3}"}, "not_a_text", "entity_kind"),
        ({"entity_kind": "a", "pattern": "no sequence"}, "code_rule_pattern", "pattern"),
    ],
)
def test_bad_input_names_its_field(body: dict[str, object], code: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        run(ADMIN, "foundation.create_code_rule", body)
    assert (refused.value.code, refused.value.field) == (code, field)


def test_the_past_cannot_be_edited() -> None:
    rule = make()
    for sql in ("UPDATE foundation_order SET why = 'x'", "DELETE FROM foundation_event", "TRUNCATE foundation_order"):
        refused = pytest.raises(Exception, match=r"append-only|permission denied")
        with refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    assert audit.history(rule.id)


def test_links_walk_both_ways() -> None:
    one, two, three = (make(kind=f"test.{name}") for name in ("one", "two", "three"))

    @command(hidden=True)
    def join_rules(by: Actor, *, rule: CodeRule) -> CodeRule:
        """Link three rules (test only)."""
        link.add(one, two, why="makes")
        link.add_many([(two, three, None, "makes")])
        return rule

    join_rules(ADMIN, rule=one)
    up, down = link.chain(two)
    assert [each.ref.id for each in up] == [one.id] and [each.ref.id for each in down] == [three.id]
    assert [(each.ref.id, each.depth) for each in link.down(one, 5)] == [(two.id, 1), (three.id, 2)]


def test_numbers_follow_the_rule_and_rise() -> None:
    numbers: list[str] = []

    @command(hidden=True)
    def take_numbers(by: Actor, *, rule: CodeRule) -> CodeRule:
        """Take numbers (test only)."""
        numbers.extend(next_number(CodeRule, None) for _ in range(3))
        return rule

    rule = run(
        ADMIN, "foundation.create_code_rule", {"entity_kind": "foundation.code_rule", "pattern": "R{yy}-{seq:3}"}
    )
    take_numbers(ADMIN, rule=rule)
    heads = {number[:4] for number in numbers}
    tails = [int(number[4:]) for number in numbers]
    assert len(heads) == 1 and tails == list(range(tails[0], tails[0] + 3))


def test_a_rule_changed_by_another_process_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = make(kind="foundation.code_rule", pattern="OLD-{seq:4}")
    assert numbering.pattern_of(CodeRule) == "OLD-{seq:4}"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE foundation_code_rule SET pattern = 'NEW-{seq:4}' WHERE id = %s", [rule.id])
    assert numbering.pattern_of(CodeRule) == "OLD-{seq:4}", "not each number asks the table"
    later = monotonic() + numbering.ASK_AGAIN_S
    monkeypatch.setattr(numbering, "monotonic", lambda: later)
    assert numbering.pattern_of(CodeRule) == "NEW-{seq:4}"
    numbering._rules.clear()


def test_news_with_one_key_is_heard_once_and_its_story_is_told() -> None:
    told.clear()
    rule = make(kind="test.news")
    order = uuid7()
    run(ADMIN, tell_rule.key, {"rule": rule.id}, order_id=order)
    assert outbox.work_once() == 1
    assert told == ["2 T-{seq:4}"]
    assert outbox.work_once() == 0
    assert [step.command for step in audit.story(order)] == [tell_rule.key]


def test_a_handler_that_fails_is_retried_and_then_parked() -> None:
    rule = make(kind="test.bad", pattern="BAD-{seq:4}")
    tell_rule(ADMIN, rule=rule)
    for _ in range(outbox.ATTEMPTS):
        outbox.Delivery.objects.filter(status="pending").update(due_at="2020-01-01T00:00Z")
        outbox.work_once()
    parked = outbox.Delivery.objects.filter(status="parked")
    assert parked.count() == 2 and "ValueError: no" in parked[0].error
    retried = run(ADMIN, "foundation.retry_deliveries", {"deliveries": [each.id for each in parked]})
    assert retried == {"retried": 2}


def test_of_a_backlog_what_fails_leaves_the_others_alone() -> None:
    patterns = ("SEEN-{seq:1}", "SEEN-FAIL-{seq:1}", "SEEN-{seq:2}", "T-{seq:3}")
    for number, pattern in enumerate(patterns):
        tell_rule(ADMIN, rule=make(kind=f"test.backlog{number}", pattern=pattern))
    own = outbox.Delivery.objects.filter(subscriber__endswith="write_when_it_matters")
    assert own.count() == 6, "what does not concern a handler is no delivery of his"
    assert outbox.work_once() == 6 + 4, "two pieces of news of one rule are one taking for who hears by key"
    made = CodeRule.objects.filter(entity_kind__startswith="seen.").values_list("pattern", flat=True)
    assert sorted(made) == ["SEEN-{seq:1}"] * 2 + ["SEEN-{seq:2}"] * 2
    assert sorted(own.values_list("status", "attempts")) == [("done", 1)] * 4 + [("pending", 1)] * 2
    assert all("after writing" in each.error for each in own.filter(status="pending"))


def test_the_system_has_every_right() -> None:
    assert system_actor("flows.late_supply").may("anything.at_all")
