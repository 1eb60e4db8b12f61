"""What sales tells the house."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class OrderEntered(Event):
    """An order was written down; it is not planned yet."""

    site_id: UUID
    sales_order_id: UUID
    customer_id: UUID
    number: str
    item_ids: tuple[UUID, ...]
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class OrderConfirmed(Event):
    """An order became demand: it is planned and promised from now on."""

    site_id: UUID
    sales_order_id: UUID
    customer_id: UUID
    number: str
    item_ids: tuple[UUID, ...]
    sales_order_line_ids: tuple[UUID, ...]
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class OrderLineChanged(Event):
    """Quantity, requested date or priority of a demand changed (a new line has no old quantity)."""

    site_id: UUID
    sales_order_id: UUID
    sales_order_line_id: UUID
    customer_id: UUID
    item_id: UUID
    old_quantity: Decimal
    new_quantity: Decimal
    old_requested_on: date | None
    new_requested_on: date
    why: str = ""
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class OrderLineCancelled(Event):
    """A line is no longer wanted."""

    site_id: UUID
    sales_order_id: UUID
    sales_order_line_id: UUID
    customer_id: UUID
    item_id: UUID
    quantity: Decimal
    why: str
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class PromiseMade(Event):
    """We gave our word for a date that needs no consent (the first one, or an earlier one)."""

    site_id: UUID
    sales_order_id: UUID
    sales_order_line_id: UUID
    customer_id: UUID
    item_id: UUID
    old_on: date | None
    new_on: date
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class PromiseOffered(Event):
    """A later date was offered to the customer, with the chain of reasons; he may accept or decline."""

    site_id: UUID
    sales_order_id: UUID
    sales_order_line_id: UUID
    promise_change_id: UUID
    customer_id: UUID
    item_id: UUID
    old_on: date | None
    new_on: date
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class PromiseAccepted(Event):
    """The customer agreed to the offered date; it is the promise now."""

    site_id: UUID
    sales_order_id: UUID
    sales_order_line_id: UUID
    promise_change_id: UUID
    customer_id: UUID
    item_id: UUID
    old_on: date | None
    new_on: date
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class PromiseDeclined(Event):
    """The customer did not agree; the old promise stands and somebody has to find another way."""

    site_id: UUID
    sales_order_id: UUID
    sales_order_line_id: UUID
    promise_change_id: UUID
    customer_id: UUID
    item_id: UUID
    old_on: date | None
    new_on: date
    why: str = ""
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class LineProjected(Event):
    """The planner's view of when a line will be delivered changed."""

    site_id: UUID
    sales_order_id: UUID
    sales_order_line_id: UUID
    customer_id: UUID
    item_id: UUID
    old_at: datetime | None
    new_at: datetime | None
    promised_on: date | None
    days_late: int | None


@dataclass(frozen=True)
class LineShipped(Event):
    """Goods of a line left the house (a negative quantity: they came back before they were delivered)."""

    site_id: UUID
    sales_order_id: UUID
    sales_order_line_id: UUID
    customer_id: UUID
    item_id: UUID
    quantity: Decimal
    open_quantity: Decimal
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class LineDelivered(Event):
    """The customer has goods of a line; `days_late` against the promise, negative when early."""

    site_id: UUID
    sales_order_id: UUID
    sales_order_line_id: UUID
    customer_id: UUID
    item_id: UUID
    quantity: Decimal
    delivered_on: date
    days_late: int | None
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class OrderClosed(Event):
    """An order is finished; what was not shipped is not owed any more."""

    site_id: UUID
    sales_order_id: UUID
    customer_id: UUID
    item_ids: tuple[UUID, ...]
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class OrderCancelled(Event):
    """An order is no longer wanted."""

    site_id: UUID
    sales_order_id: UUID
    customer_id: UUID
    item_ids: tuple[UUID, ...]
    why: str
    partner_ids: tuple[UUID, ...] = ()
