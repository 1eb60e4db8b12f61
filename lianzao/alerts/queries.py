"""Which watches there are, what waits in whose inbox, what the clock asks for."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, F, Q, QuerySet, Value, When

from lianzao.access import queries as access
from lianzao.alerts import rules
from lianzao.alerts.models import Alert, Notice, Watch
from lianzao.foundation import words
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import query
from lianzao.foundation.facts import every_event, facts_of, labels

LIVING = ("open", "taken")


# -- watches ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Active:
    """A watch that is switched on, its condition and ladder read."""

    watch: Watch
    holds: rules.Holds
    ladder: tuple[rules.Rung, ...]


@dataclass(frozen=True)
class Book:
    """All active watches, by the event they watch and by the events that resolve them."""

    by_event: Mapping[str, tuple[Active, ...]]
    by_resolving: Mapping[str, tuple[Active, ...]]


STAMP = "SELECT md5(string_agg(id::text || version || updated_at, ',' ORDER BY id)) FROM alerts_watch"
_lock = threading.Lock()
_book: tuple[tuple[Any, ...], Book] | None = None


def book() -> Book:
    """The active watches. Kept in the process; one small statement asks whether any watch has changed since."""
    global _book
    stamp = query(STAMP)[0]
    with _lock:
        if _book is None or _book[0] != stamp:
            _book = (stamp, _read_book())
        return _book[1]


def _read_book() -> Book:
    by_event: dict[str, list[Active]] = {}
    by_resolving: dict[str, list[Active]] = {}
    known = every_event()
    for watch in Watch.objects.filter(active=True, retired_at=None).order_by("code"):
        if watch.event not in known:
            continue  # its room was taken out; it is shown with the mark of an unknown event
        holds = rules.read_condition(watch.condition, facts_of(known[watch.event]))
        active = Active(watch, holds, rules.read_ladder(watch.ladder))
        by_event.setdefault(watch.event, []).append(active)
        for name in watch.resolved_by:
            by_resolving.setdefault(name, []).append(active)
    return Book(_frozen(by_event), _frozen(by_resolving))


def _frozen(found: Mapping[str, list[Active]]) -> dict[str, tuple[Active, ...]]:
    return {name: tuple(rows) for name, rows in found.items()}


# -- who is told ------------------------------------------------------------------------------------------------------


def people_of(roles: Iterable[str], persons: Iterable[UUID], site_id: UUID | None) -> set[UUID]:
    """Our own people who hold one of the roles at a site, and those named by person."""
    found = set(access.people_in_roles(roles, site_id)) if roles else set()
    return found | set(access.people_in_use(persons))


def people_of_last_resort(site_id: UUID | None) -> set[UUID]:
    """Who hears when a watch's own recipients do not exist: those who may change watches."""
    return set(access.people_with("alerts.change_watch", site_id))


# -- the inbox --------------------------------------------------------------------------------------------------------

SEVERITY_RANK = Case(
    When(alert__severity="critical", then=Value(0)), When(alert__severity="warning", then=Value(1)), default=Value(2)
)
LIVING_ALERT = Q(alert__status__in=LIVING)
SHOWS = ("open", "unread", "mine", "all")
COLUMNS = (
    "id", "alert_id", "read_at", "told_at", "alert__number", "alert__title", "alert__title_en", "alert__body",
    "alert__body_en", "alert__severity", "alert__status", "alert__subject_kind", "alert__subject_id", "alert__site_id",
    "alert__raised_at", "alert__last_at", "alert__due_at", "alert__repeats", "alert__event", "alert__closed_at",
)  # fmt: skip
OWN_COLUMNS = ("alert__cause_order_id", "alert__owner_id", "alert__step", "alert__watch_id", "alert__note")


def _told_to(by: Actor) -> QuerySet[Notice]:
    """A person's notices, those held back by quiet hours left out."""
    return Notice.objects.filter(person_id=by.id, told_at__isnull=False)


def _shown(rows: QuerySet[Notice], by: Actor, show: str) -> QuerySet[Notice]:
    if show == "unread":
        return rows.filter(LIVING_ALERT, read_at=None)
    if show == "mine":
        return rows.filter(alert__owner_id=by.id, alert__status="taken")
    if show == "open":
        return rows.filter(LIVING_ALERT)
    return rows


def inbox(by: Actor, language: str, show: str = "open", offset: int = 0, limit: int = 50) -> dict[str, Any]:
    """A person's notices with their alerts in his language: unread first, then what matters most and is due first.

    `show`: open (living), unread (and living: what is over rings for nobody), mine (taken by him), all.
    `counts` are of the whole inbox.
    """
    rows = _shown(_told_to(by), by, show)
    ordered = rows.annotate(rank=SEVERITY_RANK).order_by(
        Case(When(read_at=None, then=Value(0)), default=Value(1)),
        "rank",
        F("alert__due_at").asc(nulls_last=True),
        "-alert__last_at",
        "-id",
    )
    columns = COLUMNS if by.partner is not None else COLUMNS + OWN_COLUMNS
    page = list(ordered.values(*columns)[offset : offset + limit])
    owners = access.names_of({row["alert__owner_id"] for row in page if row.get("alert__owner_id")}, language)
    subjects = {
        (row["alert__subject_kind"], row["alert__subject_id"]) for row in page if row["alert__subject_id"] is not None
    }
    called = {} if by.partner is not None else labels(subjects)
    return {
        "rows": [_told(row, by, language, owners, called) for row in page],
        "total": rows.count(),
        "offset": offset,
        "limit": limit,
        "counts": counts(by),
    }


def counts(by: Actor) -> dict[str, int]:
    """What the bell shows: living alerts he has not read; all living; those he owns; what is overdue or critical."""
    living = LIVING_ALERT
    mine = Q(alert__owner_id=by.id, alert__status="taken")
    return _told_to(by).aggregate(
        unread=Count("id", filter=living & Q(read_at=None)),
        open=Count("id", filter=living),
        mine=Count("id", filter=mine),
        overdue=Count("id", filter=living & Q(alert__due_at__lt=by.now)),
        critical=Count("id", filter=living & Q(alert__severity="critical")),
    )


def _told(row: Mapping[str, Any], by: Actor, language: str, owners: Mapping[UUID, str], called: Any) -> dict[str, Any]:
    tail = "_en" if language.startswith("en") else ""
    due: datetime | None = row["alert__due_at"]
    living = row["alert__status"] in LIVING
    subject = (row["alert__subject_kind"], row["alert__subject_id"])
    told: dict[str, Any] = {
        "id": row["id"],
        "alert_id": row["alert_id"],
        "number": row["alert__number"],
        "title": row[f"alert__title{tail}"],
        "body": row[f"alert__body{tail}"],
        "severity": row["alert__severity"],
        "status": row["alert__status"],
        "event": row["alert__event"],
        "event_title": words.title(language, f"event.{row['alert__event'].partition('.')[2]}", row["alert__event"]),
        "subject": None,
        "site_id": row["alert__site_id"],
        "raised_at": row["alert__raised_at"],
        "last_at": row["alert__last_at"],
        "age_minutes": max(0, int((by.now - row["alert__raised_at"]).total_seconds() // 60)),
        "repeats": row["alert__repeats"],
        "due_at": due,
        "overdue": living and due is not None and due < by.now,
        "closed_at": row["alert__closed_at"],
        "read_at": row["read_at"],
        "told_at": row["told_at"],
    }
    if subject[1] is not None:
        label = called.get(subject)
        told["subject"] = {"kind": subject[0], "id": subject[1], "label": label.said(language) if label else ""}
    if by.partner is None:
        owner = row["alert__owner_id"]
        told["owner"] = None if owner is None else {"id": owner, "name": owners.get(owner, "")}
        told["mine"] = owner is not None and owner == by.id
        told["cause_order_id"] = row["alert__cause_order_id"]
        told["step"] = row["alert__step"]
        told["watch_id"] = row["alert__watch_id"]
        told["note"] = row["alert__note"]
    return told


# -- a site's alerts, on a wall ---------------------------------------------------------------------------------------

BOARD = """
SELECT severity, count(*), count(*) FILTER (WHERE status = 'open'), count(*) FILTER (WHERE due_at < %(now)s),
       count(*) FILTER (WHERE status = 'open' AND due_at < %(now)s)
FROM alerts_alert WHERE status IN ('open', 'taken') AND (site_id = %(site)s OR site_id IS NULL) GROUP BY severity
"""

RESPONSES = """
SELECT count(*), count(*) FILTER (WHERE due_at IS NULL OR taken_at <= due_at),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY greatest(extract(epoch FROM taken_at - starts_at), 0) / 60)
FROM alerts_alert WHERE taken_at >= %(from_at)s AND taken_at IS NOT NULL AND (site_id = %(site)s OR site_id IS NULL)
"""


def site_board(by: Actor, site_id: UUID, days: int = 7, most: int = 12) -> dict[str, Any]:
    """The alerts of a site nobody has settled: how many of each severity, how many of them nobody has taken, how many
    are past the time somebody was to answer; the latter first. And of those taken in the last days, after how many
    minutes half of them were, counted from when people were told.
    """
    given = {"site": site_id, "now": by.now, "from_at": by.now - timedelta(days=days)}
    found = {row[0]: row[1:] for row in query(BOARD, given)}
    taken, in_time, median = query(RESPONSES, given)[0]
    rows = list(
        Alert.objects.filter(Q(site_id=site_id) | Q(site_id=None), status__in=LIVING)
        .annotate(rank=Case(When(severity="critical", then=0), When(severity="warning", then=1), default=2))
        .order_by("rank", F("due_at").asc(nulls_last=True), "-last_at")[:most]
    )
    owners = access.names_of({row.owner_id for row in rows if row.owner_id is not None}, by.language)
    english = by.language.startswith("en")
    return {
        "severities": [
            dict(zip(("severity", "open", "nobody", "overdue", "unanswered"), (name, *found.get(name, (0, 0, 0, 0))),
                     strict=True))
            for name in ("critical", "warning", "info")
        ],
        "days": days,
        "taken": taken,
        "in_time": in_time,
        "median_minutes": None if median is None else round(float(median), 1),
        "rows": [
            {
                "id": row.id,
                "number": row.number,
                "title": (row.title_en or row.title) if english else row.title,
                "severity": row.severity,
                "status": row.status,
                "owner": None if row.owner_id is None else owners.get(row.owner_id),
                "raised_at": row.raised_at,
                "due_at": row.due_at,
                "overdue": row.due_at is not None and row.due_at < by.now,
                "repeats": row.repeats,
            }
            for row in rows
        ],
    }  # fmt: skip


# -- the clock --------------------------------------------------------------------------------------------------------

DUE = """
SELECT EXISTS (SELECT 1 FROM alerts_alert WHERE next_step_at <= %s)
    OR EXISTS (SELECT 1 FROM alerts_alert WHERE status IN ('open', 'taken') AND expires_at <= %s)
    OR EXISTS (SELECT 1 FROM alerts_notice n JOIN alerts_alert a ON a.id = n.alert_id
               WHERE n.told_at IS NULL AND a.starts_at <= %s AND a.status IN ('open', 'taken'))
"""


def clock_asks(now: datetime) -> bool:
    """Whether anything must be told late, passed on or expired at this instant."""
    return bool(query(DUE, [now, now, now])[0][0])


def living(rows: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], Alert]:
    """The open or taken alerts of watches and keys, locked until the order ends."""
    if not rows:
        return {}
    found = (
        Alert.objects.select_for_update(of=("self",))
        .filter(status__in=LIVING, watch_id__in={id for id, _ in rows}, key__in={key for _, key in rows})
        .order_by("id")
    )
    wanted = set(rows)
    return {(alert.watch_id, alert.key): alert for alert in found if (alert.watch_id, alert.key) in wanted}


def last_closed(watch_id: UUID, key: str) -> datetime | None:
    """When a matter was closed last, or None."""
    rows = Alert.objects.filter(watch_id=watch_id, key=key, closed_at__isnull=False)
    return rows.order_by("-closed_at").values_list("closed_at", flat=True).first()
