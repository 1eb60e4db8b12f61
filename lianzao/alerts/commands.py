"""The only writers of alerts: switch watches, take, hand over, close and read alerts, and what the clock asks for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from lianzao.access import queries as access
from lianzao.access.models import Person, Site
from lianzao.alerts import queries, rules, telling
from lianzao.alerts.events import AlertTaken, NoticesRead
from lianzao.alerts.models import Alert, Notice, Watch, check_event
from lianzao.foundation import audit, outbox
from lianzao.foundation.actor import ALL, Actor
from lianzao.foundation.command import READ, command
from lianzao.foundation.entity import execute, query
from lianzao.foundation.facts import facts_of, labels
from lianzao.foundation.outbox import publish
from lianzao.foundation.resource import check_columns, complete
from lianzao.values.errors import Conflict, Invalid, NotAllowed, NotFound, RuleBroken

# -- watches ----------------------------------------------------------------------------------------------------------


@command
def switch_watch(by: Actor, *, watch: Watch, active: bool) -> Watch:
    """Switch a watch on or off. Alerts it has raised stay."""
    watch.active = active
    if active:
        watch.check_row()
    watch.save()
    return watch


@command
def set_up_watches(by: Actor) -> dict[str, int]:
    """Make the watches that come with the product, those that are missing; what you changed or retired stays yours."""
    shipped = json.loads(Path(__file__).with_name("watches.json").read_text("utf-8"))
    present = set(Watch.objects.values_list("code", flat=True))
    made = 0
    for given in shipped:
        if given["code"] in present:
            continue
        watch = Watch(**given)
        check_columns(watch, list(given))
        complete(watch)
        watch.save()
        made += 1
    return {"made": made, "kept": len(shipped) - made}


@dataclass(frozen=True)
class Example:
    """One event that would have raised an alert, or repeated one (`repeats` true)."""

    event_id: UUID
    at: Any
    title: str
    repeats: bool


@dataclass(frozen=True)
class Trial:
    """What a watch would have done: `events` looked at, how many fitted, how many alerts that were, the latest of them.

    `complete` is false when there were more events than are looked at; then the latest were.
    """

    events: int
    fitting: int
    alerts: int
    complete: bool
    examples: list[Example] = field(default_factory=list)


PAST = """
SELECT id, payload, at FROM foundation_event
WHERE name = %s AND at >= %s AND (%s OR site_id IS NULL OR site_id = ANY(%s::uuid[]))
ORDER BY id DESC LIMIT %s
"""
MOST_EVENTS = 50_000
EXAMPLES = 10


@command
def try_watch(
    by: Actor,
    *,
    event: str,
    condition: dict[str, Any],
    key_fields: list[str] | None = None,
    title: str = "",
    site: Site | None = None,
    days: int = 30,
) -> Trial:
    """Say how often a watch would have fired over the last days, without raising anything.

    Events with the same key count as one alert here, as if nobody had closed it in between. Only events of your sites
    are looked at, the latest 50,000 at most.
    """
    facts = check_event(event, "event")
    holds = rules.read_condition(condition, facts)
    keys = key_fields or []
    for name in keys:
        if name not in facts:
            raise Invalid("unknown_fact", field="key_fields", fact=name)
    if not 1 <= days <= 366:
        raise Invalid("too_small" if days < 1 else "too_large", field="days")
    everywhere = by.sites is ALL
    sites: list[UUID] = [] if by.sites is ALL else sorted(by.sites)  # type: ignore[arg-type]
    since = by.now - timedelta(days=days)
    rows = query(PAST, [event, since, everywhere, sites, MOST_EVENTS + 1])
    seen: set[str] = set()
    fitting: list[tuple[UUID, Any, Any, bool]] = []
    for id, payload, at in reversed(rows[:MOST_EVENTS]):
        made = outbox.read(event, payload)
        told = outbox.facts(made)
        if (site is None or told.get("site_id") == site.id) and holds(told):
            key = rules.key_of(told, keys, str(id))
            fitting.append((id, at, made, key in seen))
            seen.add(key)
    latest = list(reversed(fitting[-EXAMPLES:]))
    called = labels(ref for _, _, made, _ in latest for ref in telling.references(made))
    examples = [Example(id, at, _example(by, title, made, called), again) for id, at, made, again in latest]
    return Trial(min(len(rows), MOST_EVENTS), len(fitting), len(seen), len(rows) <= MOST_EVENTS, examples)


def _example(by: Actor, title: str, made: Any, called: Any) -> str:
    zone = telling.zone_of(getattr(made, "site_id", None))
    template = title or ", ".join(f"{name} {{{name}}}" for name in _sayable(type(made)))
    return rules.fill(template, telling.said_facts(made, called, by.language, zone))[:400]


def _sayable(event: type[Any]) -> list[str]:
    return [fact.reference or fact.name for fact in facts_of(event).values() if fact.kind or not fact.reference]


# -- alerts -----------------------------------------------------------------------------------------------------------


@command(when={"status": ("open",)})
def take_alert(by: Actor, *, alert: Alert) -> Alert:
    """Make an alert yours: you take care of it, and it climbs no further while its time has not run out."""
    owner = _person(by)
    if alert.status == "taken" and alert.owner_id != owner:
        name = access.names_of([alert.owner_id], by.language).get(alert.owner_id, "") if alert.owner_id else ""
        raise Conflict("alert_taken", number=alert.number, owner=name)
    _give(by, alert, owner)
    _read(by, [], owner, alert.id)
    return alert


@command(when={"status": ("open", "taken")})
def hand_over_alert(by: Actor, *, alert: Alert, person: Annotated[Person, READ], note: str = "") -> Alert:
    """Give an alert to somebody else, who takes care of it from now on."""
    if person.retired_at is not None or person.id not in access.people_with("alerts.take_alert", alert.site_id):
        raise RuleBroken("person_cannot_take", person=person.said(by.language))
    if note:
        alert.note = note
    _give(by, alert, person.id)
    telling.tell(alert, [person.id], step=alert.step, told_at=by.now)
    return alert


def _give(by: Actor, alert: Alert, owner: UUID) -> None:
    if alert.status != "taken":
        alert.move_to("taken")
    alert.owner_id, alert.taken_at = owner, by.now
    ladder = rules.read_ladder(alert.watch.ladder)
    overdue = alert.due_at if alert.step < len(ladder) else None
    alert.next_step_at = overdue if overdue is not None and overdue > by.now else None
    alert.save()
    told, _ = telling.audience(alert)
    publish(AlertTaken(alert.site_id, alert.id, owner, tuple(sorted({*told, owner}))))


@command(when={"status": ("open", "taken")})
def close_alert(by: Actor, *, alert: Alert, note: str = "") -> Alert:
    """Close an alert: it is taken care of. Whoever closes an alert that nobody took becomes its owner."""
    if alert.owner_id is None:
        alert.owner_id = _person(by)
    telling.close(by, alert, "done", note)
    return alert


def _person(by: Actor) -> UUID:
    """Who acts, if it is one of our people: a machine owns nothing."""
    if by.id is None or by.kind not in ("person", "token"):
        raise RuleBroken("owner_is_a_person")
    return by.id


# -- reading ----------------------------------------------------------------------------------------------------------

UNREAD = """
SELECT id FROM alerts_notice
WHERE person_id = %s AND read_at IS NULL AND told_at IS NOT NULL
  AND (%s OR id = ANY(%s::uuid[]) OR alert_id = %s)
ORDER BY id FOR UPDATE
"""
READ_NOW = """
UPDATE alerts_notice SET read_at = %s, version = version + 1, updated_at = %s, updated_by = %s
WHERE id = ANY(%s::uuid[])
"""


def _read(by: Actor, notices: list[UUID], person: UUID, alert: UUID | None = None, *, everything: bool = False) -> int:
    unread = [row[0] for row in query(UNREAD, [person, everything, notices, alert])]
    if unread:
        execute(READ_NOW, [by.now, by.now, by.id, unread])
        for id in unread:
            audit.note("alerts.notice", id, {"read_at": None}, {"read_at": by.now})
        publish(NoticesRead(person, (person,), () if by.partner is None else (by.partner,)))
    return len(unread)


@command(hidden=True)
def mark_read(by: Actor, *, notices: list[UUID]) -> dict[str, int]:
    """Mark your own notices as read. Raises NotFound for a notice that is not yours."""
    own = set(Notice.objects.filter(id__in=notices, person_id=by.id).values_list("id", flat=True))
    for id in notices:
        if by.id is None or id not in own:
            raise NotFound("not_found", entity="alerts.notice", id=str(id))
    return {"read": _read(by, notices, by.id) if by.id is not None and notices else 0}


@command(hidden=True)
def mark_all_read(by: Actor) -> dict[str, int]:
    """Mark everything in your inbox as read."""
    return {"read": 0 if by.id is None else _read(by, [], by.id, everything=True)}


# -- the clock --------------------------------------------------------------------------------------------------------

MOST_AT_ONCE = 200


@command(hidden=True)
def escalate_due(by: Actor) -> dict[str, int]:
    """Do what the clock asks: tell what quiet hours held back, pass on what nobody took, let go what is too old."""
    if by.kind != "system":
        raise NotAllowed("not_allowed", right="alerts.escalate_due")
    return {"told": _tell_held_back(by), "expired": _expire(by), "escalated": _climb(by)}


def _due(**when: Any) -> list[Alert]:
    """Alerts to act on now; one that somebody has in hand this moment is left for the next time."""
    rows = Alert.objects.select_for_update(of=("self",), skip_locked=True).select_related("watch")
    return list(rows.filter(status__in=queries.LIVING, **when).order_by("id")[:MOST_AT_ONCE])


def _tell_held_back(by: Actor) -> int:
    waiting = Notice.objects.filter(told_at=None, alert__starts_at__lte=by.now).values_list("alert_id", flat=True)
    told = 0
    for alert in _due(id__in=list(waiting.distinct()[:MOST_AT_ONCE])):
        for notice in Notice.objects.filter(alert=alert, told_at=None).order_by("id"):
            notice.told_at = by.now
            notice.save()
            told += 1
        telling.say_raised(alert, *telling.audience(alert))
    return told


def _expire(by: Actor) -> int:
    due = _due(expires_at__lte=by.now)
    for alert in due:
        telling.close(by, alert, "expired", "")
    return len(due)


def _climb(by: Actor) -> int:
    """One rung for each alert whose time has come, whatever number of rungs it is late."""
    due = _due(next_step_at__lte=by.now)
    for alert in due:
        ladder = rules.read_ladder(alert.watch.ladder)
        new: set[UUID] = set()
        if alert.step < len(ladder):
            rung = ladder[alert.step]
            alert.step += 1
            people = queries.people_of(rung.roles, rung.persons, alert.site_id)
            new = telling.tell(alert, people, step=alert.step, told_at=by.now)
        alert.next_step_at = rules.step_after(by.now, ladder, alert.step)
        alert.save()
        telling.say_raised(alert, new, {})
    return len(due)
