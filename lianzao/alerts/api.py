"""The inbox, the bell, and what a screen must know to write a watch. The rest follows from declarations."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router

from lianzao.alerts import queries, rules
from lianzao.foundation import clock, http, words
from lianzao.foundation.actor import Actor
from lianzao.foundation.facts import every_event, facts_of
from lianzao.overviews import quality_trace
from lianzao.values.errors import Invalid, NotAllowed

router = Router(tags=["alerts"])
# The page of quality on the walls shows what is open here; it lives on the floor below.
quality_trace.alerts_from(queries.site_board)


@router.get("/inbox", operation_id="alerts_inbox")
def inbox(request: HttpRequest, show: str = "open", offset: int = 0, limit: int = 50) -> HttpResponse:
    """My notices with their alerts in my language, unread first, and the counts of the bell.

    `show`: open (living), unread (and living), mine (I am the owner), all. Everybody may read what is his own.
    """
    by = _reader(request)
    if show not in queries.SHOWS:
        raise Invalid("not_a_choice", field="show")
    if offset < 0 or not 1 <= limit <= 200:
        raise Invalid("too_large" if limit > 200 else "too_small", field="limit" if offset >= 0 else "offset")
    with http.reading(by):
        return http.answer(queries.inbox(by, http.spoken(request), show, offset, limit))


@router.get("/inbox/counts", operation_id="alerts_inbox_counts")
def inbox_counts(request: HttpRequest) -> HttpResponse:
    """The counts of the bell alone."""
    by = _reader(request)
    with http.reading(by):
        return http.answer(queries.counts(by))


def _reader(request: HttpRequest) -> Actor:
    """Who asks, at the plant's instant: a partner's own role could not ask the clock."""
    by = http.someone(request)
    if by.id is None:
        raise NotAllowed("not_allowed", right="alerts.view_notice")
    return by.at_instant(clock.now())


@router.get("/events", operation_id="alerts_events")
def events(request: HttpRequest) -> HttpResponse:
    """What can be watched: every event with its fields, their types, and what may be asked of them."""
    by = http.someone(request)
    if not by.may("alerts.view_watch"):
        raise NotAllowed("not_allowed", right="alerts.view_watch")
    language = http.spoken(request)
    return http.answer(
        {
            "events": [
                {
                    "name": name,
                    "title": http.event_title(name, language),
                    "room": words.say(f"room.{name.partition('.')[0]}", language),
                    "help": (event.__doc__ or "").strip(),
                    "fields": [_field(fact, name, language) for fact in facts_of(event).values()],
                }
                for name, event in every_event().items()
                if not name.startswith("alerts.")
            ]
        }
    )


def _field(fact: Any, event: str, language: str) -> dict[str, Any]:
    room = event.partition(".")[0]
    keys = [f"field.{fact.name}", f"field.{fact.reference}", fact.kind, f"{room}.{fact.name}"]
    title = next((words.say(key, language) for key in keys if key and words.known(key)), fact.name)
    return {
        "name": fact.name,
        "title": title,
        "type": fact.type,
        "many": fact.many,
        "optional": fact.optional,
        "kind": fact.kind,
        "sentence": fact.reference or fact.name,
        "operators": list(rules.operators_of(fact)),
    }
