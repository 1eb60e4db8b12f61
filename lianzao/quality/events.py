"""What quality tells the house."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class InspectionOpened(Event):
    """Something waits for an inspector."""

    site_id: UUID
    inspection_id: UUID
    number: str
    item_id: UUID
    quantity: Decimal
    point: str
    source_kind: str = ""
    source_id: UUID | None = None
    lot_id: UUID | None = None


@dataclass(frozen=True)
class MeasurementsRecorded(Event):
    """An inspector typed measurements; `suggestion` is what they say so far (accept, hold, incomplete)."""

    site_id: UUID
    inspection_id: UUID
    item_id: UUID
    suggestion: str
    failed: tuple[str, ...] = ()
    lot_id: UUID | None = None


@dataclass(frozen=True)
class InspectionAccepted(Event):
    """Inspected and good, or accepted by concession; `released` when the lot may be used now."""

    site_id: UUID
    inspection_id: UUID
    number: str
    item_id: UUID
    quantity: Decimal
    point: str
    released: bool
    concession: bool
    source_kind: str = ""
    source_id: UUID | None = None
    lot_id: UUID | None = None


@dataclass(frozen=True)
class InspectionHeld(Event):
    """Inspected and not good enough to be used without a decision; the lot is locked."""

    site_id: UUID
    inspection_id: UUID
    number: str
    item_id: UUID
    quantity: Decimal
    point: str
    reason: str
    source_kind: str = ""
    source_id: UUID | None = None
    lot_id: UUID | None = None


@dataclass(frozen=True)
class InspectionRejected(Event):
    """Inspected and refused for good: the lot stays locked until it is scrapped or sent back (`disposition`)."""

    site_id: UUID
    inspection_id: UUID
    number: str
    item_id: UUID
    quantity: Decimal
    point: str
    reason: str
    disposition: str
    source_kind: str = ""
    source_id: UUID | None = None
    lot_id: UUID | None = None


@dataclass(frozen=True)
class InspectionCancelled(Event):
    """An inspection is not needed any more (its receipt was reversed)."""

    site_id: UUID
    inspection_id: UUID
    item_id: UUID
    why: str
    lot_id: UUID | None = None
