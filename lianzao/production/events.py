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
class OperationPaused(Event):
    """Work on an operation was put aside."""

    site_id: UUID
    work_order_id: UUID
    operation_id: UUID
    work_center_id: UUID | None


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


@dataclass(frozen=True)
class StepOutOfLimits(Event):
    """A value written down at a step lies outside its limits. `limits`: as people say them."""

    site_id: UUID
    work_order_id: UUID
    operation_id: UUID
    item_id: UUID
    work_center_id: UUID | None
    step: str
    value: str
    limits: str
    person_id: UUID | None = None


@dataclass(frozen=True)
class MaterialChecked(Event):
    """A lot was held against a job's materials. `right`: it may be used there; else `verdict` says why not."""

    site_id: UUID
    work_order_id: UUID
    operation_id: UUID
    work_center_id: UUID | None
    scanned: str
    verdict: str
    right: bool
    lot_id: UUID | None = None
    person_id: UUID | None = None


@dataclass(frozen=True)
class HelpCalled(Event):
    """Somebody at a station calls for help. `again`: the call was open already."""

    site_id: UUID
    help_call_id: UUID
    number: str
    cause: str
    work_center_id: UUID
    machine_id: UUID | None
    note: str
    again: bool = False
    person_id: UUID | None = None


@dataclass(frozen=True)
class HelpAcknowledged(Event):
    """Somebody said that he comes. `waited_minutes`: from the call until then, whole minutes."""

    site_id: UUID
    help_call_id: UUID
    number: str
    cause: str
    work_center_id: UUID
    waited_minutes: int
    person_id: UUID | None = None


@dataclass(frozen=True)
class HelpEnded(Event):
    """A call for help is over: solved, or withdrawn by the station. `minutes`: from the call until then."""

    site_id: UUID
    help_call_id: UUID
    number: str
    cause: str
    work_center_id: UUID
    solved: bool
    minutes: int
    answer: str = ""


@dataclass(frozen=True)
class PersonCame(Event):
    """Somebody badged in at a work center."""

    site_id: UUID
    work_center_id: UUID
    person_id: UUID
    came_at: datetime


@dataclass(frozen=True)
class PersonLeft(Event):
    """Somebody left a work center."""

    site_id: UUID
    work_center_id: UUID
    person_id: UUID
    left_at: datetime


@dataclass(frozen=True)
class ShiftStaffed(Event):
    """Who stands where in a shift changed, or was confirmed."""

    site_id: UUID
    starts_at: datetime
    confirmed: bool = False


@dataclass(frozen=True)
class ShiftNoteWritten(Event):
    """A note to the next shift was written, or seen to."""

    site_id: UUID
    shift_note_id: UUID
    important: bool
    seen_to: bool = False
    work_center_id: UUID | None = None
