"""News of production. Quantities in the base unit of the work order's item (of the material, where one is named)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class WorkOrderCreated(Event):
    """A work order was made, with its bill and routing frozen."""

    site_id: UUID
    work_order_id: UUID
    item_id: UUID
    quantity: Decimal
    due_at: datetime


@dataclass(frozen=True)
class WorkOrderReleased(Event):
    """Work may begin and material may be issued."""

    site_id: UUID
    work_order_id: UUID
    item_id: UUID
    quantity: Decimal
    due_at: datetime


@dataclass(frozen=True)
class WorkOrderRescheduled(Event):
    """A work order's times changed."""

    site_id: UUID
    work_order_id: UUID
    item_id: UUID
    old_due_at: datetime
    new_due_at: datetime
    old_start_at: datetime | None = None
    new_start_at: datetime | None = None


@dataclass(frozen=True)
class WorkOrderResized(Event):
    """A work order's quantity changed."""

    site_id: UUID
    work_order_id: UUID
    item_id: UUID
    old_quantity: Decimal
    new_quantity: Decimal


@dataclass(frozen=True)
class MaterialIssued(Event):
    """Material went into a work order."""

    site_id: UUID
    work_order_id: UUID
    item_ids: tuple[UUID, ...]


@dataclass(frozen=True)
class MaterialReturned(Event):
    """Material came back from a work order."""

    site_id: UUID
    work_order_id: UUID
    item_ids: tuple[UUID, ...]


@dataclass(frozen=True)
class OperationStarted(Event):
    """Work on an operation began."""

    site_id: UUID
    work_order_id: UUID
    operation_id: UUID
    work_center_id: UUID | None
    machine_id: UUID | None
    happened_at: datetime


@dataclass(frozen=True)
class OperationReported(Event):
    """An operation yielded something. `finished`: nothing is left to do; `inspect`: an inspection is asked for."""

    site_id: UUID
    work_order_id: UUID
    operation_id: UUID
    report_id: UUID
    item_id: UUID
    work_center_id: UUID | None
    good: Decimal
    scrap: Decimal
    rework: Decimal
    happened_at: datetime
    is_last: bool
    finished: bool
    inspect: bool
    lot_ids: tuple[UUID, ...] = ()
    person_id: UUID | None = None


@dataclass(frozen=True)
class ScrapReported(Event):
    """Something was lost at an operation."""

    site_id: UUID
    work_order_id: UUID
    operation_id: UUID
    report_id: UUID
    item_id: UUID
    work_center_id: UUID | None
    scrap: Decimal
    reason_id: UUID | None
    due_at: datetime


@dataclass(frozen=True)
class ReportReversed(Event):
    """A report was taken back, with all it posted."""

    site_id: UUID
    work_order_id: UUID
    operation_id: UUID
    report_id: UUID
    item_id: UUID
    good: Decimal
    scrap: Decimal


@dataclass(frozen=True)
class WorkOrderCompleted(Event):
    """The whole quantity is made."""

    site_id: UUID
    work_order_id: UUID
    item_id: UUID
    good: Decimal
    scrap: Decimal
    due_at: datetime


@dataclass(frozen=True)
class WorkOrderClosed(Event):
    """A work order came to its end; `missing` > 0 when it made less than it should."""

    site_id: UUID
    work_order_id: UUID
    item_id: UUID
    good: Decimal
    missing: Decimal


@dataclass(frozen=True)
class WorkOrderCancelled(Event):
    """A work order will not be made."""

    site_id: UUID
    work_order_id: UUID
    item_id: UUID
    quantity: Decimal
    reason: str


@dataclass(frozen=True)
class OperationsScheduled(Event):
    """Operations of work orders got their times and machines."""

    site_id: UUID
    work_order_ids: tuple[UUID, ...]
