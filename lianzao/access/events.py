"""News of access. Short: who is concerned, and why; `live` closes streams of people whose rights changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class AccessChanged(Event):
    """What a person may do, or with what he proves himself, has changed."""

    person_id: UUID
    reason: str


@dataclass(frozen=True)
class StationRegistered(Event):
    """A terminal was bound to a browser, and its old key is worth nothing now."""

    site_id: UUID
    station_id: UUID


@dataclass(frozen=True)
class DisplayChanged(Event):
    """What a wall display shows, or whether it may show anything, has changed."""

    site_id: UUID
    display_id: UUID
    reason: str


@dataclass(frozen=True)
class OrderRefused(Event):
    """An order a terminal had kept was refused when it came in. `what` and `why` are said in both languages."""

    site_id: UUID
    refused_order_id: UUID
    person_id: UUID
    station_id: UUID | None
    room: str
    what: str
    what_en: str
    why: str
    why_en: str
    happened_at: datetime


@dataclass(frozen=True)
class RefusedOrderSettled(Event):
    """Somebody did a refused order again, or said why it is not to be done (`outcome`: redone or dismissed)."""

    site_id: UUID
    refused_order_id: UUID
    person_id: UUID
    outcome: str
