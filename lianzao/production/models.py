"""Work orders, their materials, operations and reports; scrap reasons; the rules of a site.

What happens around the machine (steps, checks, calls, people, notes) stands in `floor_models`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from lianzao.catalog.models import Item
from lianzao.engineering.models import Bom, Routing
from lianzao.foundation.entity import (
    Document,
    Lifecycle,
    Master,
    Part,
    QuantityField,
    SiteField,
    StatusField,
)
from lianzao.inventory.models import Lot
from lianzao.plant.models import Location, Machine, WorkCenter

if TYPE_CHECKING:
    from lianzao.production.floor_models import WorkOrderStep


class ScrapReason(Master):
    """Why pieces were lost."""

    class Meta(Master.Meta):
        db_table = "production_scrap_reason"


class ProductionRule(Part):
    """How a site runs its floor. Without a row the defaults hold.

    `over_report_percent`: so much more than ordered may be reported. `refuse_uncovered`: a report is refused when the
    line has too little material (otherwise it is kept as an issue to be covered, with `uncovered_owner_id`, the line
    lead). `keep_order`: an operation may not report more than the one before gave. `refuse_release_short`: a work order
    is not released before its material is there.
    """

    site_id = SiteField(unique=True)
    over_report_percent = models.DecimalField(max_digits=7, decimal_places=4, default=Decimal(0))
    refuse_uncovered = models.BooleanField(default=False)
    keep_order = models.BooleanField(default=True)
    refuse_release_short = models.BooleanField(default=False)
    uncovered_owner_id = models.UUIDField(null=True, blank=True)

    class Meta(Part.Meta):
        db_table = "production_production_rule"
        constraints = [
            models.CheckConstraint(
                condition=Q(over_report_percent__gte=0, over_report_percent__lte=100), name="production_rule_percent"
            )
        ]


class WorkOrder(Document):
    """An order to make a quantity of an item by an instant. Bill and routing are frozen when it is made.

    `source`: what it is made for (a sales order line, a proposal). `lot`: the lot its goods go into, once there is one.
    `pinned`: planning leaves its times alone.
    """

    NUMBER = "WO-{yy}{mm}-{seq:5}"
    LIFE = Lifecycle(
        "planned",
        planned=["firmed", "released", "cancelled"],
        firmed=["planned", "released", "cancelled"],
        released=["started", "firmed", "closed", "cancelled"],
        started=["completed", "released", "closed"],
        completed=["closed", "started"],
        closed=["started", "completed"],
    )

    item_id: UUID
    bom_id: UUID | None
    routing_id: UUID | None
    lot_id: UUID | None
    output_location_id: UUID | None
    operations: models.Manager[WorkOrderOperation]
    materials: models.Manager[WorkOrderMaterial]
    reports: models.Manager[OperationReport]

    status = StatusField(LIFE)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    quantity = QuantityField()
    bom = models.ForeignKey(Bom, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    routing = models.ForeignKey(Routing, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    start_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField()
    planned_start_at = models.DateTimeField(null=True, blank=True)
    planned_finish_at = models.DateTimeField(null=True, blank=True)
    pinned = models.BooleanField(default=False)
    priority = models.PositiveSmallIntegerField(default=50)
    good_quantity = QuantityField(default=Decimal(0))
    scrap_quantity = QuantityField(default=Decimal(0))
    lot = models.ForeignKey(Lot, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    output_location = models.ForeignKey(Location, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    source_kind = models.CharField(max_length=80, blank=True)
    source_id = models.UUIDField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=400, blank=True)

    class Meta(Document.Meta):
        db_table = "production_work_order"
        constraints = [models.CheckConstraint(condition=Q(quantity__gt=0), name="production_work_order_quantity")]
        indexes = [
            models.Index(fields=["site_id", "status", "due_at"], name="production_order_by_state"),
            models.Index(fields=["item"], name="production_order_by_item"),
            models.Index(fields=["source_id"], name="production_order_by_source"),
            models.Index(fields=["site_id", "completed_at"], name="production_order_by_end"),
        ]

    @property
    def open_quantity(self) -> Decimal:
        """What is still to be made."""
        return max(self.quantity - self.good_quantity, Decimal(0))


class WorkOrderMaterial(Part):
    """What a work order takes of one component, frozen.

    `planned_quantity`: for the order's quantity, material scrap included; `required_quantity`: with lost pieces made
    again; `issued_quantity`: used so far, less returns, including what the ledger could not book yet. A fixed line is
    taken once per order. `source`: where it is taken from (any store or line of the site if empty). `checked_lot`: the
    lot last found right at the station; reports take from it first.
    """

    work_order_id: UUID
    item_id: UUID
    source_id: UUID | None
    checked_lot_id: UUID | None

    work_order = models.ForeignKey(WorkOrder, on_delete=models.CASCADE, related_name="materials")
    position = models.PositiveIntegerField()
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    operation_sequence = models.PositiveIntegerField(default=0)
    planned_quantity = QuantityField()
    required_quantity = QuantityField()
    issued_quantity = QuantityField(default=Decimal(0))
    fixed = models.BooleanField(default=False)
    backflush = models.BooleanField(default=False)
    source = models.ForeignKey(Location, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    checked_lot = models.ForeignKey(Lot, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta(Part.Meta):
        db_table = "production_work_order_material"
        constraints = [
            models.UniqueConstraint(fields=["work_order", "position"], name="production_material_position"),
            models.CheckConstraint(
                condition=Q(planned_quantity__gte=0, required_quantity__gte=0, issued_quantity__gte=0),
                name="production_material_not_negative",
            ),
        ]
        indexes = [models.Index(fields=["item"], name="production_material_by_item")]

    @property
    def label(self) -> str:
        """The component's code."""
        return self.item.code


class WorkOrderOperation(Part):
    """An operation of a work order, frozen, with what was reported at it.

    `setup_minutes` per order, `run_minutes` per piece, `queue_minutes` of wait before. `rework_quantity`: pieces that
    were sent back into it, in all. `required_steps`: how many of its steps must be written down before it is reported.
    """

    LIFE = Lifecycle(
        "waiting", waiting=["started", "finished"], started=["waiting", "finished"], finished=["started", "waiting"]
    )

    work_order_id: UUID
    work_center_id: UUID | None
    machine_id: UUID | None
    reports: models.Manager[OperationReport]
    steps: models.Manager[WorkOrderStep]

    work_order = models.ForeignKey(WorkOrder, on_delete=models.CASCADE, related_name="operations")
    sequence = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    name_en = models.CharField(max_length=120, blank=True)
    work_center = models.ForeignKey(WorkCenter, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    machine = models.ForeignKey(Machine, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    setup_minutes = QuantityField(default=Decimal(0))
    run_minutes = QuantityField(default=Decimal(0))
    queue_minutes = QuantityField(default=Decimal(0))
    inspect = models.BooleanField(default=False)
    is_report_point = models.BooleanField(default=True)
    status = StatusField(LIFE)
    good_quantity = QuantityField(default=Decimal(0))
    scrap_quantity = QuantityField(default=Decimal(0))
    rework_quantity = QuantityField(default=Decimal(0))
    planned_start_at = models.DateTimeField(null=True, blank=True)
    planned_finish_at = models.DateTimeField(null=True, blank=True)
    pinned = models.BooleanField(default=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    instruction = models.TextField(blank=True)
    required_steps = models.PositiveSmallIntegerField(default=0)

    class Meta(Part.Meta):
        db_table = "production_work_order_operation"
        constraints = [
            models.UniqueConstraint(fields=["work_order", "sequence"], name="production_operation_sequence"),
            models.CheckConstraint(
                condition=Q(good_quantity__gte=0, scrap_quantity__gte=0, rework_quantity__gte=0),
                name="production_operation_positive",
            ),
            models.CheckConstraint(
                condition=Q(planned_start_at=None)
                | Q(planned_finish_at=None)
                | Q(planned_finish_at__gte=F("planned_start_at")),
                name="production_operation_in_time",
            ),
        ]
        indexes = [
            models.Index(fields=["work_center", "status", "planned_start_at"], name="production_operation_queue")
        ]

    @property
    def label(self) -> str:
        """Sequence and name."""
        return f"{self.sequence} {self.name}"


class OperationReport(Part):
    """What an operation yielded, as the floor said it. Never edited: a mistake is taken back as a whole.

    `order_id`: the order that made it, carried by its moves. `used`: per material line what it took
    ([material id, quantity, of it uncovered]), so that taking it back is exact. `required`: what scrap added to them.
    """

    work_order_id: UUID
    operation_id: UUID
    scrap_reason_id: UUID | None

    work_order = models.ForeignKey(WorkOrder, on_delete=models.CASCADE, related_name="reports")
    operation = models.ForeignKey(WorkOrderOperation, on_delete=models.CASCADE, related_name="reports")
    good = QuantityField(default=Decimal(0))
    scrap = QuantityField(default=Decimal(0))
    rework = QuantityField(default=Decimal(0))
    scrap_reason = models.ForeignKey(ScrapReason, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    person_id = models.UUIDField(null=True, blank=True)
    station_id = models.UUIDField(null=True, blank=True)
    happened_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    order_id = models.UUIDField(db_index=True)
    lots = ArrayField(models.UUIDField(), default=list, blank=True)
    used = models.JSONField(default=list, blank=True)
    note = models.CharField(max_length=200, blank=True)
    reversed_at = models.DateTimeField(null=True, blank=True)

    class Meta(Part.Meta):
        db_table = "production_operation_report"
        indexes = [
            models.Index(fields=["work_order", "happened_at"], name="production_report_by_time"),
            models.Index(fields=["happened_at"], name="production_report_by_day"),
        ]

    @property
    def label(self) -> str:
        """Good + scrap."""
        return f"{self.good.normalize():f} + {self.scrap.normalize():f}"


from lianzao.production import floor_models as floor_models  # noqa: E402  (Django finds a room's tables here)
