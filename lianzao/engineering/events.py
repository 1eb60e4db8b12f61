"""What engineering tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class BomApproved(Event):
    """A bill of materials counts from now on, for the days it is in effect."""

    bom_id: UUID
    item_id: UUID
    site_id: UUID | None
    revision: str
    effective_from: date | None


@dataclass(frozen=True)
class BomUnapproved(Event):
    """A bill of materials no longer counts."""

    bom_id: UUID
    item_id: UUID
    site_id: UUID | None
    revision: str


@dataclass(frozen=True)
class RoutingApproved(Event):
    """A routing counts from now on, for the days it is in effect."""

    routing_id: UUID
    item_id: UUID
    site_id: UUID | None
    revision: str
    effective_from: date | None


@dataclass(frozen=True)
class RoutingUnapproved(Event):
    """A routing no longer counts."""

    routing_id: UUID
    item_id: UUID
    site_id: UUID | None
    revision: str
