"""Sales orders, their lines, and the history of what was promised."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from lianzao.catalog.models import Item, Unit
from lianzao.foundation.entity import (
    ChoiceField,
    Document,
    Entity,
    Lifecycle,
    MoneyField,
    Part,
    QuantityField,
    StatusField,
)
from lianzao.parties.models import Party
from lianzao.values.quantity import ZERO

ORDER_LIFE = Lifecycle(
    "draft",
    draft=["confirmed", "cancelled"],
    confirmed=["draft", "shipped", "delivered", "closed", "cancelled"],
    shipped=["confirmed", "delivered", "closed"],
    delivered=["confirmed", "shipped", "closed"],
)
LINE_LIFE = Lifecycle(
    "open",
    open=["confirmed", "cancelled"],
    confirmed=["open", "shipped", "delivered", "closed", "cancelled"],
    shipped=["confirmed", "delivered", "closed"],
    delivered=["confirmed", "shipped", "closed"],
)
PROMISE_LIFE = Lifecycle("offered", offered=["accepted", "declined", "withdrawn"], made=[])


class DeliveryPolicy(models.TextChoices):
    """Whether a customer takes a line in several deliveries."""

    PARTIAL = "partial"
    COMPLETE = "complete"


class SalesOrder(Document):
    """What a customer ordered. Confirmed, it is demand."""

    NUMBER: ClassVar[str] = "SO-{yy}{mm}-{seq:4}"

    customer = models.ForeignKey(Party, models.PROTECT, related_name="+")
    status = StatusField(ORDER_LIFE)
    customer_reference = models.CharField(max_length=80, blank=True)
    ordered_on = models.DateField()
    #: 1 is the most important; among equals the earlier date comes first.
    priority = models.PositiveSmallIntegerField(default=50)
    #: All lines in one delivery, on the date of the latest.
    ships_together = models.BooleanField(default=False)
    currency = models.CharField(max_length=3)
    amount = MoneyField(default=Decimal(0), editable=False)
    confirmed_at = models.DateTimeField(null=True, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)
    note = models.TextField(blank=True)

    customer_id: UUID
    lines: models.Manager[Any]

    class Meta(Entity.Meta):
        db_table = "sales_sales_order"
        indexes = [
            models.Index(fields=["site_id", "status"], name="sales_order_by_state"),
            models.Index(fields=["customer", "status"], name="sales_order_by_customer"),
        ]
        constraints = [models.CheckConstraint(condition=Q(priority__gte=1), name="sales_order_priority_from_one")]


class SalesOrderLine(Part):
    """One item of an order. `quantity` is in the item's base unit; `typed_quantity` and `unit` are the paper's."""

    order = models.ForeignKey(SalesOrder, models.CASCADE, related_name="lines")
    sequence = models.PositiveSmallIntegerField()
    item = models.ForeignKey(Item, models.PROTECT, related_name="+")
    quantity = QuantityField()
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+")
    typed_quantity = QuantityField()
    price = MoneyField(default=Decimal(0))
    amount = MoneyField(default=Decimal(0), editable=False)
    requested_on = models.DateField()
    promised_on = models.DateField(null=True, editable=False)
    projected_at = models.DateTimeField(null=True, editable=False)
    policy = ChoiceField(DeliveryPolicy, default=DeliveryPolicy.PARTIAL)
    status = StatusField(LINE_LIFE, editable=False)
    reserved = QuantityField(default=ZERO, editable=False)
    shipped_quantity = QuantityField(default=ZERO, editable=False)
    delivered_quantity = QuantityField(default=ZERO, editable=False)
    delivered_on = models.DateField(null=True, editable=False)
    note = models.CharField(max_length=200, blank=True)

    order_id: UUID
    item_id: UUID
    unit_id: UUID
    promises: models.Manager[Any]

    class Meta(Entity.Meta):
        db_table = "sales_sales_order_line"
        indexes = [models.Index(fields=["item", "status"], name="sales_line_by_item")]
        constraints = [
            models.UniqueConstraint(fields=["order", "sequence"], name="sales_line_sequence_unique"),
            models.CheckConstraint(condition=Q(quantity__gt=0) & Q(typed_quantity__gt=0), name="sales_line_positive"),
            models.CheckConstraint(
                condition=Q(shipped_quantity__lte=F("quantity")) & Q(delivered_quantity__lte=F("shipped_quantity")),
                name="sales_line_shipped_in_order",
            ),
            models.CheckConstraint(condition=Q(reserved__gte=0), name="sales_line_reserved_positive"),
        ]

    @property
    def label(self) -> str:
        """Order number and line, as people say it."""
        return f"{self.order.number}/{self.sequence}"

    @property
    def open_quantity(self) -> Decimal:
        """What is still owed, in the base unit."""
        return ZERO if self.status in ("closed", "cancelled") else self.quantity - self.shipped_quantity

    @property
    def due_on(self) -> date:
        """The date to plan for: our word, before it is given the customer's wish."""
        return self.promised_on or self.requested_on


class PromiseChange(Part):
    """One change of a promise, for ever: from which date to which, why, who was told and what he answered.

    `reasons` is the chain from effect to first cause, each a mapping with at least `text`, mostly also `kind` and `id`.
    """

    line = models.ForeignKey(SalesOrderLine, models.CASCADE, related_name="promises")
    old_on = models.DateField(null=True)
    new_on = models.DateField()
    reasons = models.JSONField(default=list)
    status = StatusField(PROMISE_LIFE)
    offered_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    answered_by = models.UUIDField(null=True)
    answer = models.CharField(max_length=200, blank=True)

    line_id: UUID

    class Meta(Entity.Meta):
        db_table = "sales_promise_change"
        indexes = [models.Index(fields=["line", "offered_at"], name="promise_by_line")]
        constraints = [
            models.UniqueConstraint(fields=["line"], condition=Q(status="offered"), name="promise_one_open_offer")
        ]

    @property
    def label(self) -> str:
        """What was changed, in short."""
        return f"{self.line.label}: {self.old_on or '-'} > {self.new_on}"
