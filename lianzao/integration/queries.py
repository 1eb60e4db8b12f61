"""Who gets which event, with which secrets, in which words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from lianzao.foundation import clock, outbox, packing
from lianzao.foundation.entity import query
from lianzao.foundation.facts import subject_of
from lianzao.foundation.outbox import Event
from lianzao.integration import rules
from lianzao.integration.events import EndpointTested
from lianzao.integration.models import Endpoint
from lianzao.values.errors import RuleBroken


def endpoints_in_use() -> list[Endpoint]:
    """The endpoints that are not retired; paused ones too, for their posts wait."""
    return list(Endpoint.objects.filter(retired_at=None).order_by("code"))


def gets(endpoint: Endpoint, event: Event) -> bool:
    """Whether an endpoint is sent an event."""
    if isinstance(event, EndpointTested):
        return event.endpoint_id == endpoint.id
    if event.wire_name.startswith("integration.") or not rules.wants(endpoint.events, event.wire_name):
        return False
    site_id: UUID | None = getattr(event, "site_id", None)
    if endpoint.site_id is not None and endpoint.site_id != site_id:
        return False
    return endpoint.partner_id is None or endpoint.partner_id in getattr(event, "partner_ids", ())


# -- secrets ----------------------------------------------------------------------------------------------------------


def master_key() -> str:
    """The installation's own key, from its environment or data folder."""
    return settings.CONFIG.kept_secret_key()


def secret_of(endpoint: Endpoint, generation: int | None = None) -> bytes:
    """The secret of an endpoint's generation (the current one if none is named)."""
    return rules.derive_secret(master_key(), endpoint.id, generation or endpoint.generation)


def secrets_of(endpoint: Endpoint) -> list[bytes]:
    """The secrets to sign with now, the newest first.

    Raises RuleBroken("signing_key_changed") when this installation's key is not the one the secret was given out under:
    every receiver would refuse what we sign, so that it must be seen and the secret rotated.
    """
    current = secret_of(endpoint)
    if rules.mark_of(current) != endpoint.key_mark:
        raise RuleBroken("signing_key_changed", endpoint=endpoint.code)
    if endpoint.old_until is not None and endpoint.old_until > clock.real_now() and endpoint.generation > 1:
        return [current, secret_of(endpoint, endpoint.generation - 1)]
    return [current]


@dataclass(frozen=True)
class Shown:
    """A secret as its owner is shown it; `until` None: the current one."""

    secret: str
    until: datetime | None


def shown_secrets(endpoint: Endpoint) -> list[Shown]:
    """The valid secrets of an endpoint, for the person who sets up the receiver."""
    found = secrets_of(endpoint)
    return [Shown(rules.written(secret), endpoint.old_until if place else None) for place, secret in enumerate(found)]


# -- bodies -----------------------------------------------------------------------------------------------------------

EVENTS = "SELECT id, name, at, site_id, payload FROM foundation_event WHERE id = ANY(%s::uuid[])"


def bodies(endpoint: Endpoint, event_ids: Iterable[UUID]) -> dict[UUID, bytes]:
    """The bodies to send to an endpoint, by event. An event that is no longer kept, or known, is left out."""
    made: dict[UUID, bytes] = {}
    for id, name, at, site_id, payload in query(EVENTS, [list(event_ids)]):
        told = body_of(endpoint, id, name, at, site_id, payload)
        if told is not None:
            made[id] = told
    return made


def body_of(endpoint: Endpoint, id: UUID, name: str, at: datetime, site_id: UUID | None, payload: Any) -> bytes | None:
    """One event as the body for an endpoint."""
    if name not in outbox.EVENTS:
        return None
    event = outbox.read(name, payload)
    facts = outbox.facts(event)
    subject = subject_of(event)
    if endpoint.partner_id is not None:
        facts = rules.ids_only(facts)
        if subject is not None and subject[1] not in facts.values():
            subject = None
    return packing.dumps(rules.envelope(id, name, at, site_id, subject, facts))
