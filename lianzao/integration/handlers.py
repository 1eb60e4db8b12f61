"""Every event is held against the endpoints; what fits becomes a post: the intent, written before anything is sent.

Sending is no part of the delivery: no transaction waits for another system (see sending.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from lianzao.foundation import audit, clock
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import insert
from lianzao.foundation.facts import every_event
from lianzao.foundation.outbox import Event, on
from lianzao.integration import queries
from lianzao.integration import sending as sending
from lianzao.integration.events import EndpointTested
from lianzao.integration.models import WANTED, Post

#: Everything but our own news, so that a failing endpoint makes no work for itself; and the test.
HEARD = (*(event for name, event in every_event().items() if not name.startswith("integration.")), EndpointTested)


def stream(event: Event) -> str:
    """Events of one name and site are taken together."""
    return f"{event.wire_name}:{getattr(event, 'site_id', None) or ''}"


@on(*HEARD, key=stream, within_ms=50, queue="hooks", wanted=WANTED)
def post_events(by: Actor, news: Sequence[Event]) -> None:
    """Write a post for each event and endpoint that wants it; what none wants costs one small statement."""
    endpoints = queries.endpoints_in_use()
    if not endpoints:
        return
    ids = [UUID(id) for id in audit.must_run().body["events"]]
    now = clock.real_now()
    insert(
        [
            Post(
                endpoint=endpoint,
                event_id=id,
                event=event.wire_name,
                site_id=getattr(event, "site_id", None),
                next_at=now,
            )
            for id, event in zip(ids, news, strict=True)
            for endpoint in endpoints
            if queries.gets(endpoint, event)
        ]
    )
