"""Shipments, what is picked and packed for them, and what happened on their way."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from lianzao.catalog.models import Item
from lianzao.foundation.entity import (
    ChoiceField,
    Document,
    Entity,
    Lifecycle,
    Part,
    QuantityField,
    SiteField,
    StatusField,
)
from lianzao.inventory.models import Lot
from lianzao.parties.models import Party
from lianzao.plant.models import Location
from lianzao.values.quantity import ZERO

SHIPMENT_LIFE = Lifecycle(
    "planned",
    planned=["picking", "packed", "cancelled"],
    picking=["planned", "packed", "cancelled"],
    packed=["picking", "dispatched", "cancelled"],
    dispatched=["delivered", "returned"],
)


class MilestoneKind(models.TextChoices):
    """What a carrier tells on the way."""

    PICKED_UP = "picked_up"
    IN_TRANSIT = "in_transit"
    CUSTOMS = "customs"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELAYED = "delayed"
    FAILED = "failed"


class PackageKind(models.TextChoices):
    """How goods are packed."""

    CARTON = "carton"
    PALLET = "pallet"
    CRATE = "crate"
    BAG = "bag"


class SsccRange(Entity):
    """The number range a site takes its SSCCs from: its GS1 company prefix and the next serial."""

    site_id = SiteField(unique=True)
    company_prefix = models.CharField(max_length=12)
    extension = models.PositiveSmallIntegerField(default=0)
    next_serial = models.BigIntegerField(default=1)

    class Meta(Entity.Meta):
        db_table = "logistics_sscc_range"
        constraints = [
            models.CheckConstraint(
                condition=Q(extension__lte=9) & Q(next_serial__gte=0), name="logistics_sscc_range_digits"
            )
        ]

    @property
    def label(self) -> str:
        """The prefix."""
        return self.company_prefix

    def check_row(self) -> None:
        """Refuse a prefix that gives no SSCC."""
        from lianzao.logistics.rules import sscc

        sscc(self.extension, self.company_prefix, self.next_serial)


class Shipment(Document):
    """Goods that leave together for one customer. Its moves carry it as their cause."""

    NUMBER: ClassVar[str] = "SH-{yy}{mm}-{seq:5}"

    customer = models.ForeignKey(Party, models.PROTECT, related_name="+")
    carrier = models.ForeignKey(Party, models.PROTECT, null=True, blank=True, related_name="+")
    status = StatusField(SHIPMENT_LIFE)
    due_on = models.DateField()
    address = models.CharField(max_length=400, blank=True)
    tracking_number = models.CharField(max_length=60, blank=True)
    dispatched_at = models.DateTimeField(null=True, editable=False)
    eta_at = models.DateTimeField(null=True, editable=False)
    delivered_at = models.DateTimeField(null=True, editable=False)
    receiver = models.CharField(max_length=120, blank=True, editable=False)
    note = models.TextField(blank=True)

    customer_id: UUID
    carrier_id: UUID | None
    lines: models.Manager[Any]
    packages: models.Manager[Any]
    milestones: models.Manager[Any]

    class Meta(Entity.Meta):
        indexes = [
            models.Index(fields=["site_id", "status", "due_on"], name="logistics_shipment_by_state"),
            models.Index(fields=["customer", "status"], name="logistics_shipment_by_customer"),
        ]


class ShipmentLine(Part):
    """What a shipment brings of one thing it serves (a sales order line, by kind and id). `lot`: only this one."""

    shipment = models.ForeignKey(Shipment, models.CASCADE, related_name="lines")
    sequence = models.PositiveSmallIntegerField()
    source_kind = models.CharField(max_length=80)
    source_id = models.UUIDField()
    source_label = models.CharField(max_length=80, blank=True)
    item = models.ForeignKey(Item, models.PROTECT, related_name="+")
    quantity = QuantityField()
    picked_quantity = QuantityField(default=ZERO, editable=False)
    lot = models.ForeignKey(Lot, models.PROTECT, null=True, blank=True, related_name="+")
    #: The customer takes this line in one delivery only, so it is not packed short.
    complete = models.BooleanField(default=False)

    shipment_id: UUID
    item_id: UUID
    lot_id: UUID | None
    picks: models.Manager[Any]

    class Meta(Entity.Meta):
        db_table = "logistics_shipment_line"
        indexes = [models.Index(fields=["source_id"], name="logistics_line_by_source")]
        constraints = [
            models.UniqueConstraint(fields=["shipment", "sequence"], name="logistics_line_sequence_unique"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0) & Q(picked_quantity__gte=0) & Q(picked_quantity__lte=F("quantity")),
                name="logistics_line_picked_within",
            ),
        ]

    @property
    def label(self) -> str:
        """Shipment and line."""
        return f"{self.shipment.number}/{self.sequence}"


class Package(Part):
    """A package with its SSCC (none while the site has no GS1 prefix); weights in kg."""

    shipment = models.ForeignKey(Shipment, models.CASCADE, related_name="packages")
    sequence = models.PositiveSmallIntegerField()
    package_kind = ChoiceField(PackageKind, default=PackageKind.CARTON)
    sscc = models.CharField(max_length=18, null=True, unique=True)
    weight_kg = QuantityField(null=True)

    shipment_id: UUID
    picks: models.Manager[Any]

    class Meta(Entity.Meta):
        constraints = [
            models.UniqueConstraint(fields=["shipment", "sequence"], name="logistics_package_sequence_unique")
        ]

    @property
    def label(self) -> str:
        """The SSCC, or shipment and number."""
        return self.sscc or f"{self.shipment.number}#{self.sequence}"


class ShipmentPick(Part):
    """Stock taken for a line: which lot from where, reserved until dispatch; `package` once it is packed."""

    line = models.ForeignKey(ShipmentLine, models.CASCADE, related_name="picks")
    lot = models.ForeignKey(Lot, models.PROTECT, null=True, related_name="+")
    location = models.ForeignKey(Location, models.PROTECT, related_name="+")
    quantity = QuantityField()
    package = models.ForeignKey(Package, models.SET_NULL, null=True, related_name="picks")
    reservation_id = models.UUIDField(null=True, editable=False)
    picked_at = models.DateTimeField()

    line_id: UUID
    lot_id: UUID | None
    location_id: UUID
    package_id: UUID | None

    class Meta(Entity.Meta):
        db_table = "logistics_shipment_pick"
        constraints = [models.CheckConstraint(condition=Q(quantity__gt=0), name="logistics_pick_positive")]


class Milestone(Part):
    """One thing that happened to a shipment on its way."""

    shipment = models.ForeignKey(Shipment, models.CASCADE, related_name="milestones")
    milestone = ChoiceField(MilestoneKind)
    happened_at = models.DateTimeField()
    place = models.CharField(max_length=120, blank=True)
    eta_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=200, blank=True)

    shipment_id: UUID

    class Meta(Entity.Meta):
        indexes = [models.Index(fields=["shipment", "happened_at"], name="logistics_milestone_by_time")]
