"""The one subscription: alerts hear everything, and hold it against the watches."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from lianzao.alerts import jobs as jobs
from lianzao.alerts import telling
from lianzao.alerts.models import WANTED
from lianzao.foundation import audit
from lianzao.foundation.actor import Actor
from lianzao.foundation.facts import every_event
from lianzao.foundation.outbox import Event, on

#: Everything but our own news: an alert about alerts would feed itself.
HEARD = tuple(event for name, event in every_event().items() if not name.startswith("alerts."))


def stream(event: Event) -> str:
    """Events of one name and site are taken together: one look at the watches serves them all."""
    return f"{event.wire_name}:{getattr(event, 'site_id', None) or ''}"


@on(*HEARD, key=stream, within_ms=50, wanted=WANTED)
def watch_events(by: Actor, news: Sequence[Event]) -> None:
    """Raise, repeat or resolve alerts; a watch that does not fit costs one small statement."""
    telling.hear(by, list(zip(event_ids(), news, strict=True)))


def event_ids() -> list[UUID]:
    """The ids of the events being handed over, in their order: the running order names them."""
    return [UUID(id) for id in audit.must_run().body["events"]]
