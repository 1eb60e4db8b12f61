"""What integration tells. Never sent to endpoints themselves, except the test."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class EndpointTested(Event):
    """Somebody wants to see whether an endpoint answers."""

    endpoint_id: UUID
    person_id: UUID | None = None


@dataclass(frozen=True)
class EndpointPaused(Event):
    """An endpoint gets nothing for now; its posts wait. `by_itself`: it said it is gone, or failed for too long."""

    endpoint_id: UUID
    by_itself: bool
    why: str


@dataclass(frozen=True)
class PostParked(Event):
    """A post was given up after its last try; it waits for a person to replay it."""

    endpoint_id: UUID
    post_id: UUID
    event_name: str
    attempts: int
    error: str
