"""What to inspect and how; what was measured and decided."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from lianzao.catalog.models import Item, ItemGroup
from lianzao.foundation.entity import (
    ChoiceField,
    Document,
    Entity,
    Lifecycle,
    Master,
    Part,
    QuantityField,
    StatusField,
)
from lianzao.inventory.models import Lot
from lianzao.parties.models import Party
from lianzao.plant.models import Location
from lianzao.quality.rules import Limits
from lianzao.values.errors import Invalid
from lianzao.values.quantity import ZERO

INSPECTION_LIFE = Lifecycle(
    "open",
    open=["accepted", "held", "rejected", "cancelled"],
    held=["accepted", "rejected"],
    accepted=["held"],
)


class Point(models.TextChoices):
    """Where in the flow of goods an inspection stands: on receipt, at an operation, before shipping."""

    RECEIPT = "receipt"
    OPERATION = "operation"
    SHIPPING = "shipping"


class Disposition(models.TextChoices):
    """What becomes of rejected goods."""

    RETURN = "return"
    SCRAP = "scrap"
    REWORK = "rework"
    SORT = "sort"


class Suggested(models.TextChoices):
    """What the measurements suggest."""

    ACCEPT = "accept"
    HOLD = "hold"
    INCOMPLETE = "incomplete"


class InspectionPlan(Master):
    """What to inspect of an item, or of a group of items, at one point; for an operation also at which step."""

    item = models.ForeignKey(Item, models.PROTECT, null=True, blank=True, related_name="+")
    group = models.ForeignKey(ItemGroup, models.PROTECT, null=True, blank=True, related_name="+")
    point = ChoiceField(Point, default=Point.RECEIPT)
    operation_sequence = models.PositiveIntegerField(null=True, blank=True)
    sample_pieces = models.PositiveIntegerField(default=1)
    sample_percent = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal(0))
    #: How long an inspection takes from opening to decision; planning counts on it.
    duration_minutes = models.PositiveIntegerField(default=0)
    instruction = models.TextField(blank=True)

    item_id: UUID | None
    group_id: UUID | None
    characteristics: models.Manager[Any]

    class Meta(Master.Meta):
        db_table = "quality_inspection_plan"
        constraints = [
            models.CheckConstraint(
                condition=Q(item__isnull=False, group__isnull=True) | Q(item__isnull=True, group__isnull=False),
                name="quality_plan_item_or_group",
            ),
            models.CheckConstraint(
                condition=Q(sample_percent__gte=0) & Q(sample_percent__lte=100), name="quality_plan_percent"
            ),
        ]

    def before_save(self) -> None:
        """Refuse a plan for nothing, or for both an item and a group."""
        super().before_save()
        if (self.item_id is None) == (self.group_id is None):
            raise Invalid("plan_of_item_or_group", field="item")


class Characteristic(Part):
    """A property to measure, with its limits; without limits it is judged by eye."""

    locks = False

    plan = models.ForeignKey(InspectionPlan, models.CASCADE, related_name="characteristics")
    sequence = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=120)
    name_en = models.CharField(max_length=120, blank=True)
    unit = models.CharField(max_length=20, blank=True)
    target = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    lower = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    upper = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    mandatory = models.BooleanField(default=True)
    samples = models.PositiveSmallIntegerField(default=1)
    method = models.CharField(max_length=200, blank=True)

    plan_id: UUID

    class Meta(Part.Meta):
        constraints = [
            models.UniqueConstraint(fields=["plan", "sequence"], name="quality_characteristic_once"),
            models.CheckConstraint(
                condition=Q(lower=None) | Q(upper=None) | Q(upper__gte=F("lower")), name="quality_characteristic_limits"
            ),
        ]

    @property
    def label(self) -> str:
        """Its name."""
        return self.name

    def before_save(self) -> None:
        """Refuse limits that no value can meet."""
        if self.lower is not None and self.upper is not None and Decimal(self.upper) < Decimal(self.lower):
            raise Invalid("upper_below_lower", field="upper")

    def limits(self) -> Limits:
        """The limits as the rules read them."""
        return Limits(self.id, self.name, self.lower, self.upper, self.mandatory, self.samples)


class Inspection(Document):
    """Something to inspect, and what was decided. `source_kind`/`source_id` name what called for it."""

    NUMBER: ClassVar[str] = "QI-{yy}{mm}-{seq:5}"

    item = models.ForeignKey(Item, models.PROTECT, related_name="+")
    lot = models.ForeignKey(Lot, models.PROTECT, null=True, related_name="+")
    quantity = QuantityField()
    sample_quantity = QuantityField(default=ZERO)
    point = ChoiceField(Point)
    plan = models.ForeignKey(InspectionPlan, models.PROTECT, null=True, related_name="+")
    supplier = models.ForeignKey(Party, models.PROTECT, null=True, related_name="+")
    #: Where goods without a lot wait in quarantine; goods with a lot are locked by their lot, wherever they stand.
    location = models.ForeignKey(Location, models.PROTECT, null=True, related_name="+")
    #: The hold this inspection may lift: a lot that is held for another reason stays held.
    hold_reason = models.CharField(max_length=200, blank=True, editable=False)
    source_kind = models.CharField(max_length=80, blank=True)
    source_id = models.UUIDField(null=True)
    status = StatusField(INSPECTION_LIFE)
    suggestion = ChoiceField(Suggested, default=Suggested.INCOMPLETE, editable=False)
    due_at = models.DateTimeField(null=True)
    inspector_id = models.UUIDField(null=True, editable=False)
    decided_at = models.DateTimeField(null=True, editable=False)
    reason = models.CharField(max_length=200, blank=True, editable=False)
    concession = models.BooleanField(default=False, editable=False)
    disposition = ChoiceField(Disposition, blank=True, editable=False)
    note = models.TextField(blank=True)

    item_id: UUID
    lot_id: UUID | None
    plan_id: UUID | None
    supplier_id: UUID | None
    location_id: UUID | None
    measurements: models.Manager[Any]

    class Meta(Entity.Meta):
        indexes = [
            models.Index(fields=["site_id", "status", "due_at"], name="quality_inspection_by_state"),
            models.Index(fields=["lot"], name="quality_inspection_by_lot"),
            models.Index(fields=["source_id"], name="quality_inspection_by_source"),
        ]
        constraints = [models.CheckConstraint(condition=Q(quantity__gt=0), name="quality_inspection_positive")]


class Measurement(Part):
    """One reading of one characteristic. Reading a sample again replaces the first; the audit keeps both."""

    inspection = models.ForeignKey(Inspection, models.CASCADE, related_name="measurements")
    characteristic = models.ForeignKey(Characteristic, models.PROTECT, related_name="+")
    sample = models.PositiveSmallIntegerField(default=1)
    value = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    passed = models.BooleanField()
    measured_at = models.DateTimeField()
    note = models.CharField(max_length=200, blank=True)

    inspection_id: UUID
    characteristic_id: UUID

    class Meta(Part.Meta):
        constraints = [
            models.UniqueConstraint(fields=["inspection", "characteristic", "sample"], name="quality_measurement_once")
        ]
