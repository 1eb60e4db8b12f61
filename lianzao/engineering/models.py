"""Bills of materials and routings: revisions of how an item is made."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from lianzao.catalog.models import Item
from lianzao.catalog.queries import item_codes
from lianzao.engineering import rules
from lianzao.foundation import audit
from lianzao.foundation.entity import Approvable, ChoiceField, Entity, Part, QuantityField, SiteField, query
from lianzao.plant.models import WorkCenter
from lianzao.values.errors import Conflict, Invalid, RuleBroken


class Revision(Approvable, Entity):
    """A revision of how an item is made, in effect from a day until another (half-open, site's local dates).

    Without a site it holds at every site that has no approved revision of its own.
    """

    locks = True
    item_id: UUID

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="%(class)ss")
    revision = models.CharField(max_length=20)
    code = models.CharField(max_length=90, unique=True, editable=False)
    site_id = SiteField(null=True, blank=True)
    effective_from = models.DateField(null=True, blank=True)
    effective_until = models.DateField(null=True, blank=True)
    note = models.CharField(max_length=400, blank=True)

    class Meta(Entity.Meta):
        abstract = True
        constraints = [
            models.UniqueConstraint(fields=["item", "revision"], name="engineering_%(class)s_once"),
            models.CheckConstraint(
                condition=Q(effective_from=None) | Q(effective_until=None) | Q(effective_until__gt=F("effective_from")),
                name="engineering_%(class)s_ends_later",
            ),
        ]
        indexes = [models.Index(fields=["item", "effective_from"], name="engineering_%(class)s_by_item")]

    def before_save(self) -> None:
        """Keep the code (item/revision); refuse a span that ends before it begins."""
        self.code = f"{self.item.code}/{self.revision}"
        if self.effective_from and self.effective_until and self.effective_until <= self.effective_from:
            raise Invalid("ends_before_it_starts", field="effective_until")

    def check_approve(self) -> None:
        """What is approved must not be in effect at the same time as another approved revision of the same site."""
        others = (
            type(self)
            ._default_manager.filter(item_id=self.item_id, site_id=self.site_id, approved_at__isnull=False)
            .exclude(pk=self.pk)
        )
        for other in others:
            if rules.spans_overlap(
                (self.effective_from, self.effective_until), (other.effective_from, other.effective_until)
            ):
                raise RuleBroken("revisions_overlap", document=self.code, other=other.code)


class Bom(Revision):
    """A bill of materials: what `base_quantity` of an item consists of."""

    lines: models.Manager[BomLine]

    base_quantity = QuantityField(default=Decimal(1))

    class Meta(Revision.Meta):
        db_table = "engineering_bom"
        constraints = [
            *Revision.Meta.constraints,
            models.CheckConstraint(condition=Q(base_quantity__gt=0), name="engineering_bom_base_quantity"),
        ]

    def before_save(self) -> None:
        """Refuse a base quantity that is not positive; look for circles when the order ends."""
        super().before_save()
        if Decimal(self.base_quantity) <= 0:
            raise Invalid("quantity_not_positive", field="base_quantity")
        if not self._state.adding:
            check_later("engineering.circles", self.id, check_circles)

    def check_approve(self) -> None:
        """A bill without lines says nothing, and one that contains itself could never be made."""
        super().check_approve()
        if not self.lines.exists():
            raise RuleBroken("revision_is_empty", document=self.code)
        check_circles({self.id})


class BomLine(Part):
    """A component: `quantity_per` for the bill's base quantity, or per order if `fixed`, in the component's base unit.

    `scrap_percent` of what is taken is lost: gross = net / (1 - scrap). Taken at the start of `operation_sequence`
    (0 = the first operation). Dates as on the bill, half-open.
    """

    locks = False
    bom_id: UUID
    component_id: UUID

    bom = models.ForeignKey(Bom, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField()
    component = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="used_in")
    quantity_per = QuantityField()
    scrap_percent = models.DecimalField(max_digits=7, decimal_places=4, default=Decimal(0))
    fixed = models.BooleanField(default=False)
    operation_sequence = models.PositiveIntegerField(default=0)
    effective_from = models.DateField(null=True, blank=True)
    effective_until = models.DateField(null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)

    class Meta(Part.Meta):
        db_table = "engineering_bom_line"
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["bom", "position"], name="engineering_bom_line_position"),
            models.CheckConstraint(condition=Q(quantity_per__gt=0), name="engineering_bom_line_quantity"),
            models.CheckConstraint(
                condition=Q(scrap_percent__gte=0, scrap_percent__lt=100), name="engineering_bom_line_scrap"
            ),
        ]
        indexes = [models.Index(fields=["component"], name="engineering_bom_line_used")]

    @property
    def label(self) -> str:
        """The component's code."""
        return self.component.code

    def before_save(self) -> None:
        """Refuse lines of an approved bill and figures that mean nothing; look for circles when the order ends."""
        refuse_if_approved(self.bom)
        problem = rules.line_problem(quantity_per=Decimal(self.quantity_per), scrap_percent=Decimal(self.scrap_percent))
        if problem:
            field, code = problem
            raise Invalid(code, field=field, value=Decimal(getattr(self, field)))
        if self.effective_from and self.effective_until and self.effective_until <= self.effective_from:
            raise Invalid("ends_before_it_starts", field="effective_until")
        check_later("engineering.circles", self.bom_id, check_circles)

    def delete(self, *args: Any, **options: Any) -> Any:
        """Remove the line; an approved bill keeps its lines."""
        refuse_if_approved(self.bom)
        return super().delete(*args, **options)


class Routing(Revision):
    """The operations by which an item is made."""

    operations: models.Manager[RoutingOperation]

    class Meta(Revision.Meta):
        db_table = "engineering_routing"

    def check_approve(self) -> None:
        """A routing needs operations, and one that reports the finished goods."""
        super().check_approve()
        operations = list(self.operations.select_related("work_center"))
        if not operations:
            raise RuleBroken("revision_is_empty", document=self.code)
        if not operations[-1].is_report_point:
            raise RuleBroken("last_operation_must_report", document=self.code, sequence=operations[-1].sequence)
        for operation in operations:
            if self.site_id is not None and operation.work_center.site_id != self.site_id:
                raise RuleBroken(
                    "work_center_of_other_site", document=self.code, work_center=operation.work_center.code
                )


class RoutingOperation(Part):
    """An operation. `setup_minutes` per order, `run_minutes` per base unit of the item, `queue_minutes` of wait before.

    At a report point good and scrap are reported; `inspect` asks for an inspection there.
    """

    locks = False
    routing_id: UUID
    work_center_id: UUID
    steps: models.Manager[RoutingStep]

    routing = models.ForeignKey(Routing, on_delete=models.CASCADE, related_name="operations")
    sequence = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    name_en = models.CharField(max_length=120, blank=True)
    work_center = models.ForeignKey(WorkCenter, on_delete=models.PROTECT, related_name="operations")
    setup_minutes = QuantityField(default=Decimal(0))
    run_minutes = QuantityField(default=Decimal(0))
    queue_minutes = QuantityField(default=Decimal(0))
    inspect = models.BooleanField(default=False)
    is_report_point = models.BooleanField(default=True)
    instruction = models.TextField(blank=True)

    class Meta(Part.Meta):
        db_table = "engineering_routing_operation"
        ordering = ["sequence"]
        constraints = [
            models.UniqueConstraint(fields=["routing", "sequence"], name="engineering_operation_sequence"),
            models.CheckConstraint(
                condition=Q(sequence__gte=1, setup_minutes__gte=0, run_minutes__gte=0, queue_minutes__gte=0),
                name="engineering_operation_not_negative",
            ),
        ]

    @property
    def label(self) -> str:
        """Sequence and name."""
        return f"{self.sequence} {self.name}"

    def before_save(self) -> None:
        """Refuse operations of an approved routing, and times below zero."""
        refuse_if_approved(self.routing)
        if self.sequence < 1:
            raise Invalid("quantity_not_positive", field="sequence")
        for field in ("setup_minutes", "run_minutes", "queue_minutes"):
            if Decimal(getattr(self, field)) < 0:
                raise Invalid("must_not_be_negative", field=field, value=Decimal(getattr(self, field)))

    def delete(self, *args: Any, **options: Any) -> Any:
        """Remove the operation; an approved routing keeps its operations."""
        refuse_if_approved(self.routing)
        return super().delete(*args, **options)


class Capture(models.TextChoices):
    """What a step of an instruction wants written down."""

    NONE = "none"
    NUMBER = "number"
    TEXT = "text"
    CHECK = "check"


class RoutingStep(Part):
    """A step of an operation's instruction: what to do, a picture or paper beside it, and what to write down.

    `link`: a picture or a paper, by its address. `lower`, `upper`: limits of a number, both included. `required`: the
    operation is not reported before it was written down. It belongs to the routing's revision, as its operation does.
    """

    locks = False
    operation_id: UUID

    operation = models.ForeignKey(RoutingOperation, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    text = models.CharField(max_length=400)
    text_en = models.CharField(max_length=400, blank=True)
    link = models.CharField(max_length=400, blank=True)
    capture = ChoiceField(Capture, default=Capture.NONE)
    unit_text = models.CharField(max_length=20, blank=True)
    lower = QuantityField(null=True, blank=True)
    upper = QuantityField(null=True, blank=True)
    required = models.BooleanField(default=False)

    class Meta(Part.Meta):
        db_table = "engineering_routing_step"
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["operation", "position"], name="engineering_step_position"),
            models.CheckConstraint(
                condition=Q(lower=None) | Q(upper=None) | Q(lower__lte=F("upper")), name="engineering_step_limits"
            ),
        ]

    @property
    def label(self) -> str:
        """Its place and its first words."""
        return f"{self.position} {self.text[:40]}"

    def before_save(self) -> None:
        """Refuse steps of an approved routing, and what a step cannot be. Raises Conflict or Invalid."""
        refuse_if_approved(self.operation.routing)
        rules.check_step(self.text, self.link, self.capture, self.lower, self.upper, required=self.required)


def refuse_if_approved(revision: Revision) -> None:
    """What is approved is fixed: a change is a new revision. Raises Conflict."""
    if revision.approved_at is not None:
        raise Conflict("approved_is_fixed", document=revision.code)


EDGES_BELOW = """
WITH RECURSIVE below (item_id) AS (
    SELECT item_id FROM engineering_bom WHERE id = ANY(%s::uuid[])
    UNION
    SELECT l.component_id
    FROM below
    JOIN engineering_bom b ON b.item_id = below.item_id
    JOIN engineering_bom_line l ON l.bom_id = b.id
)
SELECT b.item_id, l.component_id, greatest(b.effective_from, l.effective_from),
       least(b.effective_until, l.effective_until)
FROM below
JOIN engineering_bom b ON b.item_id = below.item_id
JOIN engineering_bom_line l ON l.bom_id = b.id
ORDER BY b.item_id, l.component_id
"""


def check_circles(bom_ids: set[UUID]) -> None:
    """Refuse an item that contains itself through bills on file, approved or not, on any day. Raises RuleBroken.

    Drafts count: whoever draws the circle should hear of it at once, not the one who approves.
    """
    edges = [rules.Edge(*row) for row in query(EDGES_BELOW, [list(bom_ids)])]
    found = rules.circle_on_some_day(edges)
    if found:
        codes = item_codes(cast("list[UUID]", found))
        raise RuleBroken("bom_circle", circle=" → ".join(codes[cast(UUID, item)] for item in found))


def check_later(key: str, id: UUID, check: Callable[[set[UUID]], None]) -> None:
    """Check once, at the end of the running order, everything it touched: an import saves a thousand lines."""
    order = audit.must_run()
    touched: set[UUID] | None = order.memory.get(key)
    if touched is None:
        touched = order.memory[key] = set()
        order.before_end.append(lambda: check(touched))
    touched.add(id)
