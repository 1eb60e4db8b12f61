"""What plant tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class SiteSetUp(Event):
    """A site has its virtual locations, so stock can move there."""

    site_id: UUID


@dataclass(frozen=True)
class WorkingTimeChanged(Event):
    """Hours of a work center were closed, opened extra, or given back: what is scheduled there may have to move."""

    site_id: UUID
    work_center_id: UUID
    machine_id: UUID | None
    starts_at: datetime
    ends_at: datetime
    working: bool
    reason: str
