"""What planning tells the house."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class ReplanRequested(Event):
    """Something that the plan rests on changed."""

    site_id: UUID
    why: str
    item_ids: tuple[UUID, ...] = ()
    full: bool = False


@dataclass(frozen=True)
class PlanChanged(Event):
    """A run was published; the ids say what it touched."""

    site_id: UUID
    plan_run_id: UUID
    number: str
    why: str
    item_ids: tuple[UUID, ...] = ()
    sales_order_line_ids: tuple[UUID, ...] = ()
    work_order_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ShortageFound(Event):
    """Something will be missing that was not missing before, or whom it hurts and when is not what was said before.

    Told once for an item, of its worst shortage, and only where the trouble begins: what is missing because something
    it is made of is missing is not told. `late_hours`: from need to ready. `ahead_hours`: from now to the need.
    `days_late`: of the order it hurts most, against its promise or wish. `orders`: how many it makes late.
    """

    site_id: UUID
    plan_run_id: UUID
    item_id: UUID
    quantity: Decimal
    need_at: datetime
    ready_at: datetime | None
    demand_id: UUID | None = None
    demand_number: str = ""
    late_hours: int | None = None
    ahead_hours: int = 0
    days_late: int = 0
    orders: int = 0


@dataclass(frozen=True)
class ShortageOver(Event):
    """Nothing that an order waits for begins with this item any more."""

    site_id: UUID
    plan_run_id: UUID
    item_id: UUID


@dataclass(frozen=True)
class PromiseBroken(Event):
    """As the plan stands, a promise will not be kept (or will be broken by more, or less, than was said before).

    `short_item_id`: what it waits for, when it is material; empty when it is the work itself.
    """

    site_id: UUID
    plan_run_id: UUID
    sales_order_line_id: UUID
    sales_order_id: UUID
    customer_id: UUID
    item_id: UUID
    number: str
    promised_on: date
    projected_on: date | None
    days_late: int
    action_message_id: UUID | None = None
    short_item_id: UUID | None = None


@dataclass(frozen=True)
class PromiseSafe(Event):
    """A promise that was in danger can be kept again."""

    site_id: UUID
    plan_run_id: UUID
    sales_order_line_id: UUID
    sales_order_id: UUID
    customer_id: UUID
    item_id: UUID
    number: str
    projected_on: date


@dataclass(frozen=True)
class DeliverySooner(Event):
    """A line can be delivered earlier than was thought."""

    site_id: UUID
    plan_run_id: UUID
    sales_order_line_id: UUID
    sales_order_id: UUID
    customer_id: UUID
    item_id: UUID
    number: str
    old_on: date | None
    new_on: date
    days_sooner: int | None = None


@dataclass(frozen=True)
class ProposalMade(Event):
    """A new planned order waits for a decision."""

    site_id: UUID
    plan_run_id: UUID
    proposal_id: UUID
    item_id: UUID
    quantity: Decimal
    kind_of_order: str


@dataclass(frozen=True)
class RemedyProposed(Event):
    """A change of something ordered, released or promised waits for a decision."""

    site_id: UUID
    plan_run_id: UUID
    action_message_id: UUID
    item_id: UUID
    action: str
    subject_kind: str
    subject_id: UUID


@dataclass(frozen=True)
class RemedyGone(Event):
    """A change that waited for a decision is not needed any more."""

    site_id: UUID
    plan_run_id: UUID
    action_message_id: UUID
    item_id: UUID
    action: str
    subject_kind: str
    subject_id: UUID


@dataclass(frozen=True)
class ProposalDecided(Event):
    """A person or a policy accepted or rejected a planned order."""

    site_id: UUID
    proposal_id: UUID
    item_id: UUID
    accepted: bool
    made_kind: str = ""
    made_id: UUID | None = None


@dataclass(frozen=True)
class RemedyDecided(Event):
    """A person or a policy accepted or rejected a change."""

    site_id: UUID
    action_message_id: UUID
    item_id: UUID
    action: str
    accepted: bool
    subject_kind: str
    subject_id: UUID
