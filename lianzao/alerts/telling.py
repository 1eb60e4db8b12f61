"""From news to alerts: which watches fit, one living alert for one matter, who is told, in which words.

Called inside an order (the handler's, or the clock's); everything it writes is that order's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings

from lianzao.access import queries as access
from lianzao.alerts import queries, rules
from lianzao.alerts.events import AlertClosed, AlertRaised
from lianzao.alerts.models import Alert, Channel, Notice, Severity, Watch, plain
from lianzao.alerts.queries import Active
from lianzao.foundation import audit, outbox, words
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import execute, insert, query
from lianzao.foundation.facts import Label, facts_of, labels, subject_of
from lianzao.foundation.outbox import Event, publish
from lianzao.values.time import uuid7

LANGUAGES = ("zh-CN", "en")
ORDERS = "SELECT id, order_id FROM foundation_event WHERE id = ANY(%s::uuid[])"
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('alerts:' || %s, 0))"


@dataclass
class Matter:
    """One watch and key, and the events of this moment that concern it."""

    active: Active
    key: str
    events: list[tuple[UUID, Event]] = field(default_factory=list)

    @property
    def watch(self) -> Watch:
        return self.active.watch


def hear(by: Actor, news: Sequence[tuple[UUID, Event]]) -> None:
    """Hold news against the watches: raise, repeat, or resolve alerts. Of one matter the latest news counts.

    A watch that names its own event in `resolved_by` is over when that event comes and does not fit any more.
    """
    known = queries.book()
    matters: dict[tuple[UUID, str], Matter] = {}
    resolved: dict[tuple[UUID, str], tuple[UUID, Event]] = {}
    for id, event in news:
        facts = outbox.facts(event)
        for active in known.by_event.get(event.wire_name, ()):
            if fits(active, facts):
                key = rules.key_of(facts, active.watch.key_fields, str(id))
                pair = (active.watch.id, key)
                matters.setdefault(pair, Matter(active, key)).events.append((id, event))
                if event.wire_name in active.watch.resolved_by:
                    resolved.pop(pair, None)
        for active in known.by_resolving.get(event.wire_name, ()):
            if event.wire_name == active.watch.event and fits(active, facts):
                continue
            pair = (active.watch.id, rules.key_of(facts, active.watch.key_fields, ""))
            resolved[pair] = (id, event)
            matters.pop(pair, None)
    if not matters and not resolved:
        return
    # A fixed order of locks: two workers never wait for each other, and one matter never gets two alerts.
    for watch_id, key in sorted({*matters, *resolved}, key=str):
        execute(LOCK, [f"{watch_id}|{key}"])
    living = queries.living([*matters, *resolved])
    for pair, (_, event) in resolved.items():
        if pair in living:
            close(by, living.pop(pair), "done", event.wire_name)
    raise_all(by, list(matters.values()), living)


def fits(active: Active, facts: Mapping[str, Any]) -> bool:
    """Whether a watch fires for an event with these facts."""
    bound = active.watch.site_id
    return (bound is None or bound == facts.get("site_id")) and active.holds(facts)


def raise_all(by: Actor, matters: Sequence[Matter], living: Mapping[tuple[UUID, str], Alert]) -> None:
    """New alerts, and those that are told again."""
    if not matters:
        return
    called = labels(refs for matter in matters for _, event in matter.events[-1:] for refs in references(event))
    orders = dict(query(ORDERS, [[id for matter in matters for id, _ in matter.events]]))
    for matter in matters:
        known = living.get((matter.watch.id, matter.key))
        if known is not None:
            repeat(by, matter, known, called)
        elif not is_quiet(by, matter):
            raise_alert(by, matter, called, orders.get(matter.events[-1][0]))


def is_quiet(by: Actor, matter: Matter) -> bool:
    """Whether this matter was closed so recently that its watch keeps still."""
    if not matter.watch.quiet_minutes:
        return False
    closed = queries.last_closed(matter.watch.id, matter.key)
    return closed is not None and by.now < closed + timedelta(minutes=matter.watch.quiet_minutes)


# -- words ------------------------------------------------------------------------------------------------------------


def references(event: Event) -> Iterable[tuple[str, UUID]]:
    """The records an event names, by kind and id."""
    for fact in facts_of(type(event)).values():
        if fact.reference and fact.kind:
            value = getattr(event, fact.name)
            yield from ((fact.kind, id) for id in (value if fact.many else [value]) if id is not None)


def zone_of(site_id: UUID | None) -> ZoneInfo:
    """The clock that sentences are written by."""
    name = access.site_zone(site_id) if site_id is not None else settings.CONFIG.time_zone
    return ZoneInfo(name)


def sentences(watch: Watch, event: Event, called: Mapping[tuple[str, UUID], Label], zone: ZoneInfo) -> dict[str, str]:
    """Title and body in both languages, as the alert's columns."""
    made: dict[str, str] = {}
    for language in LANGUAGES:
        said = said_facts(event, called, language, zone)
        tail = "_en" if language == "en" else ""
        made[f"title{tail}"] = rules.fill(getattr(watch, f"title{tail}") or watch.title, said)[:400]
        made[f"body{tail}"] = rules.fill(getattr(watch, f"body{tail}") or watch.body, said)
    return made


def said_facts(event: Event, called: Mapping[tuple[str, UUID], Label], language: str, zone: ZoneInfo) -> dict[str, str]:
    """Every fact of an event as words; a record by what people call it."""
    said: dict[str, str] = {}
    for fact in facts_of(type(event)).values():
        value = getattr(event, fact.name)
        choice = f"choice.{value}" if fact.type == "text" and not fact.many else ""
        said[fact.name] = words.say(choice, language) if words.known(choice) else rules.say_fact(value, language, zone)
        if fact.reference:
            ids = [each for each in (value if fact.many else [value]) if each is not None]
            names = [called[(fact.kind, id)].said(language) for id in ids if (fact.kind, id) in called]
            said.setdefault(fact.reference, rules.say_fact(tuple(names), language, zone))
    return said


# -- raising ----------------------------------------------------------------------------------------------------------


def raise_alert(
    by: Actor, matter: Matter, called: Mapping[tuple[str, UUID], Label], cause_order_id: UUID | None
) -> Alert:
    """Make an alert of a matter and tell its people."""
    watch, (event_id, event) = matter.watch, matter.events[-1]
    site_id: UUID | None = getattr(event, "site_id", None)
    zone = zone_of(site_id)
    starts_at = by.now
    if watch.severity != Severity.CRITICAL:
        starts_at = rules.quiet_end(by.now, zone, watch.quiet_from, watch.quiet_until)
    subject = subject_of(event, watch.subject_field)
    alert = Alert(
        id=uuid7(),
        site_id=site_id,
        watch=watch,
        severity=watch.severity,
        key=matter.key,
        facts=plain(outbox.facts(event)),
        event=event.wire_name,
        event_id=event_id,
        cause_order_id=cause_order_id,
        subject_kind=subject[0] if subject else "",
        subject_id=subject[1] if subject else None,
        raised_at=by.now,
        starts_at=starts_at,
        last_at=by.now,
        repeats=len(matter.events) - 1,
        due_at=None if watch.due_minutes is None else starts_at + timedelta(minutes=watch.due_minutes),
        next_step_at=rules.next_step_at(starts_at, matter.active.ladder, 0),
        expires_at=starts_at + timedelta(hours=watch.expire_hours),
        **sentences(watch, event, called, zone),
    )
    alert.save()
    ours = queries.people_of(watch.roles, watch.persons, site_id)
    partners = partners_told(watch, event)
    if not ours and (watch.roles or watch.persons):
        ours = first_of_ladder(matter.active, site_id) or queries.people_of_last_resort(site_id)
    told_at = by.now if starts_at <= by.now else None
    tell(alert, ours.union(*partners.values()), step=0, told_at=told_at)
    say_raised(alert, ours if told_at else set(), partners if told_at else {})
    return alert


def partners_told(watch: Watch, event: Event) -> dict[UUID, set[UUID]]:
    """The people of every partner whom the event lists, if the watch speaks to partners."""
    if not watch.to_partners:
        return {}
    listed: tuple[UUID, ...] = getattr(event, "partner_ids", ())
    found = {partner: set(access.people_of_partner(partner)) for partner in listed}
    return {partner: people for partner, people in found.items() if people}


def first_of_ladder(active: Active, site_id: UUID | None) -> set[UUID]:
    """The people of the lowest rung that has any."""
    for rung in active.ladder:
        found = queries.people_of(rung.roles, rung.persons, site_id)
        if found:
            return found
    return set()


def tell(alert: Alert, persons: Iterable[UUID], *, step: int, told_at: datetime | None) -> set[UUID]:
    """Give people their notices; who has one already keeps it. Returns who is new."""
    known = set(Notice.objects.filter(alert=alert).values_list("person_id", flat=True))
    new = set(persons) - known
    insert(
        [
            Notice(
                alert=alert,
                person_id=person,
                site_id=alert.site_id,
                channel=Channel.INBOX,
                step=step,
                told_at=told_at,
            )
            for person in sorted(new)
        ]
    )
    return new


def say_raised(alert: Alert, ours: Iterable[UUID], partners: Mapping[UUID, Iterable[UUID]]) -> None:
    """Tell the news of an alert: once for the house, and once for each partner, who must not learn of the others."""

    def news(persons: Iterable[UUID], *partner: UUID) -> AlertRaised:
        people = tuple(sorted(persons))
        return AlertRaised(
            alert.site_id, alert.id, alert.watch_id, alert.severity, people, alert.repeats, alert.step, partner
        )

    publish(news(ours))
    for partner, people in sorted(partners.items()):
        publish(news(people, partner))


UNREAD = """
UPDATE alerts_notice n SET read_at = NULL, version = n.version + 1, updated_at = %s
FROM (SELECT id, read_at FROM alerts_notice WHERE alert_id = %s AND read_at IS NOT NULL
      AND person_id IS DISTINCT FROM %s ORDER BY id FOR UPDATE) was
WHERE n.id = was.id RETURNING n.id, was.read_at
"""


def repeat(by: Actor, matter: Matter, alert: Alert, called: Mapping[tuple[str, UUID], Label]) -> None:
    """It happened again: count it; if the words changed, it is unread again for all but its owner."""
    event = matter.events[-1][1]
    said = sentences(matter.watch, event, called, zone_of(alert.site_id))
    changed = any(getattr(alert, name) != text for name, text in said.items())
    alert.repeats += len(matter.events)
    alert.last_at = by.now
    alert.facts = plain(outbox.facts(event))
    for name, text in said.items():
        setattr(alert, name, text)
    alert.save()
    if not changed:
        return
    for id, read_at in execute(UNREAD, [by.now, alert.id, alert.owner_id]):
        audit.note("alerts.notice", id, {"read_at": read_at}, {"read_at": None})
    ours, partners = audience(alert)
    say_raised(alert, ours, partners)


def audience(alert: Alert) -> tuple[set[UUID], dict[UUID, set[UUID]]]:
    """Who was told of an alert: our own people, and those of each partner."""
    ours: set[UUID] = set()
    partners: dict[UUID, set[UUID]] = {}
    rows = Notice.objects.filter(alert=alert, told_at__isnull=False).values_list("person_id", "person__partner_id")
    for person, partner in rows:
        (ours if partner is None else partners.setdefault(partner, set())).add(person)
    return ours, partners


def close(by: Actor, alert: Alert, status: str, note: str) -> None:
    """Close an alert (done or expired); everybody's bell hears it."""
    alert.move_to(status)
    alert.closed_at, alert.closed_by, alert.note = by.now, by.id, note
    alert.next_step_at = None
    alert.save()
    ours, partners = audience(alert)
    publish(AlertClosed(alert.site_id, alert.id, status, tuple(sorted(ours))))
    for partner, people in sorted(partners.items()):
        publish(AlertClosed(alert.site_id, alert.id, status, tuple(sorted(people)), (partner,)))
