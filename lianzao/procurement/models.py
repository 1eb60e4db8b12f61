"""What suppliers offer, what we ask of them, what they promise, announce and bring."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from lianzao.catalog.models import Item, Unit
from lianzao.foundation.entity import (
    Approvable,
    ChoiceField,
    Document,
    Entity,
    Lifecycle,
    MoneyField,
    Part,
    QuantityField,
    StatusField,
)
from lianzao.inventory.models import Lot
from lianzao.parties.models import Party
from lianzao.plant.models import Location
from lianzao.values.errors import Conflict, RuleBroken
from lianzao.values.quantity import ZERO

REQUISITION_LIFE = Lifecycle(
    "raised", raised=["approved", "rejected"], approved=["raised", "ordered", "rejected"], ordered=["approved"]
)
ORDER_LIFE = Lifecycle(
    "draft",
    draft=["sent", "cancelled"],
    sent=["draft", "received", "closed", "cancelled"],
    received=["sent", "closed"],
)
LINE_LIFE = Lifecycle("open", open=["closed", "cancelled"])
SCHEDULE_LIFE = Lifecycle(
    "open",
    open=["confirmed", "announced", "received", "closed", "cancelled"],
    confirmed=["open", "announced", "received", "closed", "cancelled"],
    announced=["open", "confirmed", "received", "closed"],
    received=["open", "confirmed", "announced", "closed"],
)
ASN_LIFE = Lifecycle(
    "announced", announced=["arrived", "closed", "withdrawn"], arrived=["announced", "closed"], closed=["announced"]
)
CHASE_LIFE = Lifecycle("open", open=["answered", "replaced"])
RECEIPT_LIFE = Lifecycle("posted", posted=["reversed"])


class SaidBy(models.TextChoices):
    """Who changed an expected arrival."""

    SUPPLIER = "supplier"
    BUYER = "buyer"
    CARRIER = "carrier"
    SYSTEM = "system"


class SupplierItem(Entity):
    """What a supplier asks for an item: price per base unit, least quantity, multiple, time. Not locked."""

    locks = False

    supplier = models.ForeignKey(Party, models.PROTECT, related_name="+")
    item = models.ForeignKey(Item, models.PROTECT, related_name="+")
    supplier_code = models.CharField(max_length=60, blank=True)
    price = MoneyField(default=Decimal(0))
    currency = models.CharField(max_length=3, default="CNY")
    minimum = QuantityField(default=ZERO)
    multiple = QuantityField(default=ZERO)
    lead_time_days = models.PositiveSmallIntegerField(null=True, blank=True)
    #: Percent of the need this supplier should get when several share an item.
    share = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal(100))
    preferred = models.BooleanField(default=False)
    #: Percent by which a delivery may exceed the order.
    over_percent = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal(0))
    valid_from = models.DateField(null=True, blank=True)
    valid_until = models.DateField(null=True, blank=True)

    supplier_id: UUID
    item_id: UUID

    class Meta(Entity.Meta):
        db_table = "procurement_supplier_item"
        constraints = [
            models.UniqueConstraint(fields=["supplier", "item"], name="supplier_item_unique"),
            models.CheckConstraint(
                condition=Q(price__gte=0) & Q(minimum__gte=0) & Q(multiple__gte=0) & Q(over_percent__gte=0),
                name="supplier_item_not_negative",
            ),
            models.CheckConstraint(condition=Q(share__gte=0) & Q(share__lte=100), name="supplier_item_share"),
        ]

    @property
    def label(self) -> str:
        """Supplier and item."""
        return f"{self.supplier.code}/{self.item.code}"


class PurchaseRequisition(Document):
    """A wish to buy, from a person or from the plan. `reason` is the cause chain: [{"text", "kind", "id"}]."""

    NUMBER: ClassVar[str] = "PR-{yy}{mm}-{seq:5}"

    item = models.ForeignKey(Item, models.PROTECT, related_name="+")
    quantity = QuantityField()
    needed_on = models.DateField()
    supplier = models.ForeignKey(Party, models.PROTECT, null=True, blank=True, related_name="+")
    status = StatusField(REQUISITION_LIFE)
    reason = models.JSONField(default=list, blank=True)
    source_kind = models.CharField(max_length=80, blank=True)
    source_id = models.UUIDField(null=True, blank=True)
    rejected_why = models.CharField(max_length=200, blank=True, editable=False)
    note = models.TextField(blank=True)

    item_id: UUID
    supplier_id: UUID | None

    class Meta(Entity.Meta):
        db_table = "procurement_purchase_requisition"
        indexes = [models.Index(fields=["site_id", "status", "item"], name="requisition_by_state")]
        constraints = [models.CheckConstraint(condition=Q(quantity__gt=0), name="requisition_positive")]


class PurchaseOrder(Document, Approvable):
    """What we ordered from one supplier. Approved and sent, it binds."""

    NUMBER: ClassVar[str] = "PO-{yy}{mm}-{seq:5}"

    supplier = models.ForeignKey(Party, models.PROTECT, related_name="+")
    status = StatusField(ORDER_LIFE)
    ordered_on = models.DateField()
    currency = models.CharField(max_length=3)
    #: What one unit of the order's currency is worth in the site's currency.
    exchange_rate = models.DecimalField(max_digits=18, decimal_places=8, default=Decimal(1))
    amount = MoneyField(default=Decimal(0), editable=False)
    location = models.ForeignKey(Location, models.PROTECT, null=True, blank=True, related_name="+")
    sent_at = models.DateTimeField(null=True, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)
    note = models.TextField(blank=True)

    supplier_id: UUID
    location_id: UUID | None
    asns: models.Manager[Any]
    receipts: models.Manager[Any]
    lines: models.Manager[Any]

    class Meta(Entity.Meta):
        db_table = "procurement_purchase_order"
        indexes = [
            models.Index(fields=["site_id", "status"], name="purchase_order_by_state"),
            models.Index(fields=["supplier", "status"], name="purchase_order_by_supplier"),
        ]
        constraints = [models.CheckConstraint(condition=Q(exchange_rate__gt=0), name="purchase_order_rate_positive")]

    def check_approve(self) -> None:
        """An order without lines, or one that is over, cannot be approved."""
        if self.status != "draft":
            raise Conflict("wrong_status", document=self.label, status=self.status, wanted="approved")
        if not self.lines.exclude(status="cancelled").exists():
            raise RuleBroken("order_without_lines", order=self.label)

    def check_unapprove(self) -> None:
        """Once it was sent the supplier relies on it: recall it instead."""
        if self.status != "draft":
            raise Conflict("order_already_sent", order=self.label)


class PurchaseOrderLine(Part):
    """One item of an order. `quantity` is in the base unit; `price` is per unit as typed; `amount` is rounded money."""

    order = models.ForeignKey(PurchaseOrder, models.CASCADE, related_name="lines")
    sequence = models.PositiveSmallIntegerField()
    item = models.ForeignKey(Item, models.PROTECT, related_name="+")
    supplier_code = models.CharField(max_length=60, blank=True)
    quantity = QuantityField()
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+")
    typed_quantity = QuantityField()
    price = MoneyField(default=Decimal(0))
    amount = MoneyField(default=Decimal(0), editable=False)
    over_percent = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal(0))
    status = StatusField(LINE_LIFE, editable=False)
    note = models.CharField(max_length=200, blank=True)

    order_id: UUID
    item_id: UUID
    unit_id: UUID
    schedule: models.Manager[Any]

    class Meta(Entity.Meta):
        db_table = "procurement_purchase_order_line"
        indexes = [models.Index(fields=["item", "status"], name="purchase_line_by_item")]
        constraints = [
            models.UniqueConstraint(fields=["order", "sequence"], name="purchase_line_sequence_unique"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0) & Q(typed_quantity__gt=0) & Q(price__gte=0), name="purchase_line_positive"
            ),
        ]

    @property
    def label(self) -> str:
        """Order number and line."""
        return f"{self.order.number}/{self.sequence}"


class ScheduleLine(Part):
    """One delivery of an order line: needed, confirmed and expected on days of their own, announced, received."""

    line = models.ForeignKey(PurchaseOrderLine, models.CASCADE, related_name="schedule")
    sequence = models.PositiveSmallIntegerField()
    quantity = QuantityField()
    required_on = models.DateField()
    confirmed_on = models.DateField(null=True, editable=False)
    expected_on = models.DateField(editable=False)
    confirmed_quantity = QuantityField(null=True, editable=False)
    announced_quantity = QuantityField(default=ZERO, editable=False)
    received_quantity = QuantityField(default=ZERO, editable=False)
    rejected_quantity = QuantityField(default=ZERO, editable=False)
    status = StatusField(SCHEDULE_LIFE, editable=False)

    line_id: UUID
    asn_lines: models.Manager[Any]
    receipt_lines: models.Manager[Any]
    changes: models.Manager[Any]
    chases: models.Manager[Any]

    class Meta(Entity.Meta):
        db_table = "procurement_schedule_line"
        indexes = [models.Index(fields=["status", "expected_on"], name="schedule_by_state")]
        constraints = [
            models.UniqueConstraint(fields=["line", "sequence"], name="schedule_sequence_unique"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="schedule_positive"),
            models.CheckConstraint(
                condition=Q(received_quantity__gte=0) & Q(announced_quantity__gte=0) & Q(rejected_quantity__gte=0),
                name="schedule_not_negative",
            ),
        ]

    @property
    def label(self) -> str:
        """Order number, line and delivery."""
        return f"{self.line.label}.{self.sequence}"

    @property
    def open_quantity(self) -> Decimal:
        """What is still to come, in the base unit."""
        if self.status in ("received", "closed", "cancelled"):
            return ZERO
        return max(self.quantity - self.received_quantity, ZERO)


class ArrivalChange(Part):
    """One change of an expected arrival, for ever: from which day to which, how much, who said so and why."""

    schedule_line = models.ForeignKey(ScheduleLine, models.CASCADE, related_name="changes")
    asn_id = models.UUIDField(null=True)
    old_on = models.DateField(null=True)
    new_on = models.DateField()
    new_at = models.DateTimeField(null=True)
    quantity = QuantityField()
    reason = models.CharField(max_length=200, blank=True)
    said_by = ChoiceField(SaidBy)
    said_at = models.DateTimeField()

    schedule_line_id: UUID

    class Meta(Entity.Meta):
        db_table = "procurement_arrival_change"
        indexes = [models.Index(fields=["schedule_line", "said_at"], name="arrival_change_by_line")]


class Chase(Part):
    """Once we asked a supplier where a delivery is: for which day, with which words, and what he answered."""

    schedule_line = models.ForeignKey(ScheduleLine, models.CASCADE, related_name="chases")
    status = StatusField(CHASE_LIFE, editable=False)
    wanted_on = models.DateField()
    message = models.CharField(max_length=400, blank=True)
    chased_at = models.DateTimeField()
    chaser_id = models.UUIDField(null=True)
    answer = models.CharField(max_length=400, blank=True)
    answered_on = models.DateField(null=True)
    answered_at = models.DateTimeField(null=True)
    answered_by = models.UUIDField(null=True)

    schedule_line_id: UUID

    class Meta(Entity.Meta):
        db_table = "procurement_chase"
        indexes = [models.Index(fields=["schedule_line", "chased_at"], name="chase_by_line")]

    @property
    def label(self) -> str:
        """The delivery that was asked for."""
        return self.schedule_line.label


class Asn(Document):
    """A supplier's notice of a shipment on its way, packed how, with which lots (发货通知/送货单)."""

    NUMBER: ClassVar[str] = "ASN-{yy}{mm}-{seq:5}"

    supplier = models.ForeignKey(Party, models.PROTECT, related_name="+")
    purchase_order = models.ForeignKey(PurchaseOrder, models.PROTECT, related_name="asns")
    status = StatusField(ASN_LIFE)
    eta_at = models.DateTimeField()
    first_eta_at = models.DateTimeField(editable=False)
    carrier = models.ForeignKey(Party, models.PROTECT, null=True, blank=True, related_name="+")
    delivery_note = models.CharField(max_length=60, blank=True)
    tracking_number = models.CharField(max_length=60, blank=True)
    arrived_at = models.DateTimeField(null=True, editable=False)
    note = models.TextField(blank=True)

    supplier_id: UUID
    purchase_order_id: UUID
    carrier_id: UUID | None
    lines: models.Manager[Any]

    class Meta(Entity.Meta):
        indexes = [models.Index(fields=["site_id", "status", "eta_at"], name="asn_by_state")]


class AsnLine(Part):
    """What one shipment brings of one schedule line, lot by lot, in the base unit."""

    asn = models.ForeignKey(Asn, models.CASCADE, related_name="lines")
    sequence = models.PositiveSmallIntegerField()
    schedule_line = models.ForeignKey(ScheduleLine, models.PROTECT, related_name="asn_lines")
    quantity = QuantityField()
    received_quantity = QuantityField(default=ZERO, editable=False)
    lot_number = models.CharField(max_length=60, blank=True)
    made_on = models.DateField(null=True, blank=True)
    expires_on = models.DateField(null=True, blank=True)
    sscc = models.CharField(max_length=18, blank=True)

    asn_id: UUID
    schedule_line_id: UUID

    class Meta(Entity.Meta):
        db_table = "procurement_asn_line"
        constraints = [
            models.UniqueConstraint(fields=["asn", "sequence"], name="asn_line_sequence_unique"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="asn_line_positive"),
            models.CheckConstraint(
                condition=Q(expires_on__isnull=True) | Q(made_on__isnull=True) | Q(expires_on__gte=F("made_on")),
                name="asn_line_expires_after_made",
            ),
        ]

    @property
    def label(self) -> str:
        """Shipment notice and line."""
        return f"{self.asn.number}/{self.sequence}"


class GoodsReceipt(Document):
    """What truly arrived; its moves carry it as their cause."""

    NUMBER: ClassVar[str] = "GR-{yy}{mm}-{seq:5}"

    supplier = models.ForeignKey(Party, models.PROTECT, related_name="+")
    purchase_order = models.ForeignKey(PurchaseOrder, models.PROTECT, related_name="receipts")
    asn = models.ForeignKey(Asn, models.PROTECT, null=True, related_name="receipts")
    status = StatusField(RECEIPT_LIFE)
    happened_at = models.DateTimeField()
    delivery_note = models.CharField(max_length=60, blank=True)
    note = models.TextField(blank=True)

    supplier_id: UUID
    purchase_order_id: UUID
    asn_id: UUID | None
    lines: models.Manager[Any]

    class Meta(Entity.Meta):
        db_table = "procurement_goods_receipt"
        indexes = [models.Index(fields=["site_id", "happened_at"], name="goods_receipt_by_time")]


class GoodsReceiptLine(Part):
    """What arrived of one schedule line in one lot: taken in, refused at the door, why it differs."""

    receipt = models.ForeignKey(GoodsReceipt, models.CASCADE, related_name="lines")
    sequence = models.PositiveSmallIntegerField()
    schedule_line = models.ForeignKey(ScheduleLine, models.PROTECT, related_name="receipt_lines")
    asn_line = models.ForeignKey(AsnLine, models.PROTECT, null=True, related_name="receipt_lines")
    item = models.ForeignKey(Item, models.PROTECT, related_name="+")
    lot = models.ForeignKey(Lot, models.PROTECT, null=True, related_name="+")
    location = models.ForeignKey(Location, models.PROTECT, related_name="+")
    quantity = QuantityField()
    rejected = QuantityField(default=ZERO)
    announced_quantity = QuantityField(null=True)
    difference_reason = models.CharField(max_length=200, blank=True)
    value = MoneyField(default=Decimal(0))
    inspect = models.BooleanField(default=False)

    receipt_id: UUID
    schedule_line_id: UUID
    asn_line_id: UUID | None
    item_id: UUID
    lot_id: UUID | None
    location_id: UUID

    class Meta(Entity.Meta):
        db_table = "procurement_goods_receipt_line"
        constraints = [
            models.UniqueConstraint(fields=["receipt", "sequence"], name="receipt_line_sequence_unique"),
            models.CheckConstraint(condition=Q(quantity__gte=0) & Q(rejected__gte=0), name="receipt_line_not_negative"),
        ]

    @property
    def label(self) -> str:
        """Receipt and line."""
        return f"{self.receipt.number}/{self.sequence}"
