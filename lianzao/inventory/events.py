"""News of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class StockMoved(Event):
    """Stock changed place because of `cause`; `location_ids` are the real locations whose balance changed."""

    site_id: UUID
    item_ids: tuple[UUID, ...]
    location_ids: tuple[UUID, ...]
    cause_kind: str
    cause_id: UUID
    order_id: UUID


@dataclass(frozen=True)
class UncoveredArrived(Event):
    """Stock came to a location from which something was used before it was there."""

    site_id: UUID
    location_id: UUID
    item_ids: tuple[UUID, ...]


@dataclass(frozen=True)
class IssueUncovered(Event):
    """The floor used what the ledger does not have at the location: somebody has to clear it up."""

    site_id: UUID
    item_id: UUID
    location_id: UUID
    quantity: Decimal
    cause_kind: str
    cause_id: UUID
    pending_move_id: UUID
    owner_id: UUID | None = None


@dataclass(frozen=True)
class IssueCovered(Event):
    """An issue that was uncovered is posted now, in whole or in part."""

    site_id: UUID
    item_id: UUID
    quantity: Decimal
    cause_kind: str
    cause_id: UUID
    pending_move_id: UUID


@dataclass(frozen=True)
class LotHeld(Event):
    """A lot may not be used any more until it is released. One news for each site that has some of it."""

    site_id: UUID | None
    item_id: UUID
    lot_id: UUID
    lot_number: str
    quantity: Decimal
    reason: str


@dataclass(frozen=True)
class LotReleased(Event):
    """A held lot may be used again."""

    site_id: UUID | None
    item_id: UUID
    lot_id: UUID
    lot_number: str
    quantity: Decimal


@dataclass(frozen=True)
class StockCounted(Event):
    """Somebody counted. `difference` = counted − booked; zero when the books were right."""

    site_id: UUID
    item_id: UUID
    lot_id: UUID | None
    location_id: UUID
    booked: Decimal
    counted: Decimal
    difference: Decimal
    reason: str


@dataclass(frozen=True)
class StockReserved(Event):
    """Stock was set aside for a document."""

    site_id: UUID
    item_id: UUID
    quantity: Decimal
    cause_kind: str
    cause_id: UUID


@dataclass(frozen=True)
class ReservationVoided(Event):
    """Stock that was set aside is free again."""

    site_id: UUID
    item_id: UUID
    quantity: Decimal
    cause_kind: str
    cause_id: UUID


@dataclass(frozen=True)
class PickTaskOpened(Event):
    """Somebody has to fetch something."""

    site_id: UUID
    pick_task_id: UUID
    item_id: UUID
    quantity: Decimal
    purpose_kind: str
    purpose_id: UUID
    due_at: datetime | None = None


@dataclass(frozen=True)
class PickTaskDone(Event):
    """A pick came to its end; `missing` > 0 when there was less than asked for."""

    site_id: UUID
    pick_task_id: UUID
    item_id: UUID
    picked: Decimal
    missing: Decimal
    purpose_kind: str
    purpose_id: UUID


@dataclass(frozen=True)
class PeriodClosed(Event):
    """Moves that happened before `closed_until` are refused from now on."""

    site_id: UUID
    closed_until: datetime


@dataclass(frozen=True)
class CountOpened(Event):
    """A place or an item is to be counted; `lines` say how much there is to look at."""

    site_id: UUID
    count_sheet_id: UUID
    location_id: UUID | None
    item_id: UUID | None
    lines: int


@dataclass(frozen=True)
class CountWaits(Event):
    """A count found so large a difference that a second person has to agree. `value`: plus and minus added up."""

    site_id: UUID
    count_sheet_id: UUID
    value: Decimal


@dataclass(frozen=True)
class CountBooked(Event):
    """A count is over; `differences` were booked."""

    site_id: UUID
    count_sheet_id: UUID
    differences: int
