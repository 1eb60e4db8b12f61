"""What parties tells."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class PartyBlocked(Event):
    """No new order may be given to or taken from this party."""

    party_id: UUID
    reason: str


@dataclass(frozen=True)
class PartyUnblocked(Event):
    """Orders with this party are allowed again."""

    party_id: UUID
