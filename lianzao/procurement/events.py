"""What procurement tells the house."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class RequisitionRaised(Event):
    """Somebody, or the planner, wants something bought."""

    site_id: UUID
    purchase_requisition_id: UUID
    item_id: UUID
    quantity: Decimal
    needed_on: date
    supplier_id: UUID | None = None


@dataclass(frozen=True)
class RequisitionApproved(Event):
    """A requisition may be ordered."""

    site_id: UUID
    purchase_requisition_id: UUID
    item_id: UUID
    quantity: Decimal


@dataclass(frozen=True)
class RequisitionRejected(Event):
    """A requisition will not be ordered; the need stands."""

    site_id: UUID
    purchase_requisition_id: UUID
    item_id: UUID
    quantity: Decimal
    why: str


@dataclass(frozen=True)
class PurchaseOrderSent(Event):
    """A purchase order went to its supplier."""

    site_id: UUID
    purchase_order_id: UUID
    supplier_id: UUID
    number: str
    item_ids: tuple[UUID, ...]
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class PurchaseOrderRecalled(Event):
    """A sent order was taken back before the supplier answered it."""

    site_id: UUID
    purchase_order_id: UUID
    supplier_id: UUID
    number: str
    why: str
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class PurchaseOrderClosed(Event):
    """Nothing more is expected of an order (closed short, or cancelled)."""

    site_id: UUID
    purchase_order_id: UUID
    supplier_id: UUID
    item_ids: tuple[UUID, ...]
    why: str
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ScheduleConfirmed(Event):
    """The supplier gave his word for a day and a quantity; `split` when the rest became a schedule line of its own."""

    site_id: UUID
    purchase_order_id: UUID
    schedule_line_id: UUID
    supplier_id: UUID
    item_id: UUID
    quantity: Decimal
    required_on: date
    confirmed_on: date
    split: bool
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ScheduleChanged(Event):
    """We asked for another day or quantity; the supplier has to answer again."""

    site_id: UUID
    purchase_order_id: UUID
    schedule_line_id: UUID
    supplier_id: UUID
    item_id: UUID
    old_quantity: Decimal
    new_quantity: Decimal
    old_required_on: date
    new_required_on: date
    why: str
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ScheduleLineCancelled(Event):
    """A delivery will not come: `quantity` is what was still open."""

    site_id: UUID
    purchase_order_id: UUID
    schedule_line_id: UUID
    supplier_id: UUID
    item_id: UUID
    quantity: Decimal
    expected_on: date
    why: str
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ShipmentAnnounced(Event):
    """A supplier announced a shipment (ASN)."""

    site_id: UUID
    asn_id: UUID
    purchase_order_id: UUID
    supplier_id: UUID
    number: str
    eta_at: datetime
    item_ids: tuple[UUID, ...]
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ShipmentWithdrawn(Event):
    """An announced shipment will not come; its goods are open again."""

    site_id: UUID
    asn_id: UUID
    purchase_order_id: UUID
    supplier_id: UUID
    item_ids: tuple[UUID, ...]
    why: str
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ArrivalDelayed(Event):
    """Goods will come later than expected. `new_at` is the instant, when a shipment's arrival is known to the hour."""

    site_id: UUID
    schedule_line_id: UUID
    purchase_order_id: UUID
    supplier_id: UUID
    item_id: UUID
    quantity: Decimal
    old_on: date
    new_on: date
    days: int
    reason: str = ""
    asn_id: UUID | None = None
    old_at: datetime | None = None
    new_at: datetime | None = None
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ArrivalAdvanced(Event):
    """Goods will come, or came, earlier than expected; `days` earlier."""

    site_id: UUID
    schedule_line_id: UUID
    purchase_order_id: UUID
    supplier_id: UUID
    item_id: UUID
    quantity: Decimal
    old_on: date
    new_on: date
    days: int
    reason: str = ""
    asn_id: UUID | None = None
    old_at: datetime | None = None
    new_at: datetime | None = None
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class GoodsReceived(Event):
    """Goods of one schedule line came into the house. A lot to be inspected is on hold until quality decides.

    `early_days`: by how many days before they were expected; `open_quantity`: what is still owed on the schedule line.
    """

    site_id: UUID
    goods_receipt_id: UUID
    goods_receipt_line_id: UUID
    purchase_order_id: UUID
    schedule_line_id: UUID
    supplier_id: UUID
    item_id: UUID
    location_id: UUID
    quantity: Decimal
    rejected: Decimal
    open_quantity: Decimal
    early_days: int
    inspect: bool
    happened_at: datetime
    asn_id: UUID | None = None
    lot_id: UUID | None = None
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class GoodsReceiptReversed(Event):
    """A goods receipt was undone: its goods left the stock, its quantities are open again."""

    site_id: UUID
    goods_receipt_id: UUID
    supplier_id: UUID
    item_ids: tuple[UUID, ...]
    lot_ids: tuple[UUID, ...]
    why: str


@dataclass(frozen=True)
class DeliveryChased(Event):
    """The buyer asked where a delivery is, wanted by a day."""

    site_id: UUID
    chase_id: UUID
    schedule_line_id: UUID
    purchase_order_id: UUID
    supplier_id: UUID
    wanted_on: date
    message: str
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ChaseAnswered(Event):
    """A question about a delivery was answered; `answered_on`: when it will come."""

    site_id: UUID
    chase_id: UUID
    schedule_line_id: UUID
    purchase_order_id: UUID
    supplier_id: UUID
    answered_on: date
    answer: str
    partner_ids: tuple[UUID, ...] = ()
