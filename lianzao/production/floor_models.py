"""What happens around the machine: instructions, material checks, calls for help, who is where, notes to the next."""

from __future__ import annotations

from uuid import UUID

from django.db import models
from django.db.models import F, Q

from lianzao.access.models import Person
from lianzao.engineering.models import Capture
from lianzao.foundation.entity import ChoiceField, Document, Lifecycle, Part, QuantityField, SiteField, StatusField
from lianzao.inventory.models import Lot
from lianzao.plant.models import Machine, WorkCenter
from lianzao.production.models import OperationReport, WorkOrder, WorkOrderMaterial, WorkOrderOperation


class WorkOrderStep(Part):
    """A step of an operation's instruction, frozen with the work order: what to do, and what to write down.

    `lower`, `upper`: limits of a number, both included. `required`: no report before it was written down.
    """

    locks = False
    operation_id: UUID

    operation = models.ForeignKey(WorkOrderOperation, on_delete=models.CASCADE, related_name="steps")
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
        db_table = "production_work_order_step"
        constraints = [models.UniqueConstraint(fields=["operation", "position"], name="production_step_position")]

    @property
    def label(self) -> str:
        """Its place and its first words."""
        return f"{self.position} {self.text[:40]}"


class StepValue(Part):
    """What was written down at a step, with the report it came with. `within`: inside its limits, if it has any."""

    locks = False
    operation_id: UUID
    step_id: UUID
    report_id: UUID

    operation = models.ForeignKey(WorkOrderOperation, on_delete=models.CASCADE, related_name="+")
    step = models.ForeignKey(WorkOrderStep, on_delete=models.CASCADE, related_name="values")
    report = models.ForeignKey(OperationReport, on_delete=models.CASCADE, related_name="values")
    value = models.CharField(max_length=120)
    within = models.BooleanField(null=True, blank=True)
    person_id = models.UUIDField(null=True, blank=True)
    station_id = models.UUIDField(null=True, blank=True)
    happened_at = models.DateTimeField()

    REFERENCES = {"person_id": "access.person", "station_id": "access.station"}

    class Meta(Part.Meta):
        db_table = "production_step_value"

    @property
    def label(self) -> str:
        """What was written down."""
        return self.value


class Verdict(models.TextChoices):
    """What a scanned lot is to a job."""

    RIGHT = "right"
    WRONG_ITEM = "wrong_item"
    WRONG_REVISION = "wrong_revision"
    HELD = "held"
    EXPIRED = "expired"
    USED_UP = "used_up"
    UNKNOWN = "unknown"


class MaterialCheck(Part):
    """That a lot was held against a job's materials before it was used (上料防错), and what came of it."""

    locks = False
    lot_id: UUID | None
    material_id: UUID | None

    site_id = SiteField()
    work_order = models.ForeignKey(WorkOrder, on_delete=models.CASCADE, related_name="checks")
    operation = models.ForeignKey(WorkOrderOperation, on_delete=models.CASCADE, related_name="+")
    material = models.ForeignKey(WorkOrderMaterial, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    lot = models.ForeignKey(Lot, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    scanned = models.CharField(max_length=80)
    verdict = ChoiceField(Verdict)
    person_id = models.UUIDField(null=True, blank=True)
    station_id = models.UUIDField(null=True, blank=True)
    happened_at = models.DateTimeField()

    REFERENCES = {"person_id": "access.person", "station_id": "access.station"}

    class Meta(Part.Meta):
        db_table = "production_material_check"
        indexes = [models.Index(fields=["site_id", "happened_at"], name="production_check_by_time")]

    @property
    def label(self) -> str:
        """What was scanned."""
        return self.scanned


class HelpCause(models.TextChoices):
    """Whom a call for help (安灯) is for."""

    MATERIAL = "material"
    MACHINE = "machine"
    QUALITY = "quality"
    TOOL = "tool"
    INSTRUCTION = "instruction"
    OTHER = "other"


class HelpCall(Document):
    """A call for help from a station: open until somebody says he comes, then until it is solved.

    A station has one living call for each cause: who presses again calls for the same thing.
    """

    NUMBER = "AN-{yy}{mm}-{seq:5}"
    LIFE = Lifecycle("open", open=["acknowledged", "solved", "withdrawn"], acknowledged=["solved", "withdrawn"])

    work_center_id: UUID
    machine_id: UUID | None
    operation_id: UUID | None

    status = StatusField(LIFE)
    cause = ChoiceField(HelpCause)
    work_center = models.ForeignKey(WorkCenter, on_delete=models.PROTECT, related_name="+")
    machine = models.ForeignKey(Machine, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    operation = models.ForeignKey(WorkOrderOperation, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    called_at = models.DateTimeField()
    called_by = models.UUIDField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.UUIDField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.UUIDField(null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)
    answer = models.CharField(max_length=200, blank=True)

    REFERENCES = {"called_by": "access.person", "acknowledged_by": "access.person", "ended_by": "access.person"}

    class Meta(Document.Meta):
        db_table = "production_help_call"
        constraints = [
            models.UniqueConstraint(
                fields=["work_center", "cause"],
                condition=Q(status__in=["open", "acknowledged"]),
                name="production_call_once",
            )
        ]
        indexes = [models.Index(fields=["site_id", "status", "called_at"], name="production_call_by_state")]


class Presence(Part):
    """Somebody is at a work center, from badging in until leaving. Nobody is at two at once; two may be at one."""

    person_id: UUID
    work_center_id: UUID

    site_id = SiteField()
    work_center = models.ForeignKey(WorkCenter, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    came_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta(Part.Meta):
        db_table = "production_presence"
        constraints = [
            models.UniqueConstraint(fields=["person"], condition=Q(left_at=None), name="production_presence_one"),
            models.CheckConstraint(
                condition=Q(left_at=None) | Q(left_at__gte=F("came_at")), name="production_presence_ends_later"
            ),
        ]
        indexes = [models.Index(fields=["work_center", "came_at"], name="production_presence_by_center")]

    @property
    def label(self) -> str:
        """Who."""
        return self.person.name


class ShiftPost(Part):
    """Who is to be where in one shift. A person has one post in a shift."""

    person_id: UUID
    work_center_id: UUID

    site_id = SiteField()
    work_center = models.ForeignKey(WorkCenter, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta(Part.Meta):
        db_table = "production_shift_post"
        constraints = [
            models.UniqueConstraint(fields=["person", "starts_at"], name="production_post_once"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="production_post_ends_later"),
        ]
        indexes = [models.Index(fields=["site_id", "starts_at"], name="production_post_by_shift")]

    @property
    def label(self) -> str:
        """Who."""
        return self.person.name


class ShiftConfirmation(Part):
    """That the lead confirmed a shift: who stands where is settled, `people` of them."""

    site_id = SiteField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    people = models.PositiveIntegerField(default=0)
    confirmed_at = models.DateTimeField()
    confirmed_by = models.UUIDField(null=True, blank=True)

    REFERENCES = {"confirmed_by": "access.person"}

    class Meta(Part.Meta):
        db_table = "production_shift_confirmation"
        constraints = [models.UniqueConstraint(fields=["site_id", "starts_at"], name="production_shift_confirmed_once")]


class ShiftNote(Part):
    """What one shift tells the next. It stays on the board until somebody has seen to it."""

    work_center_id: UUID | None

    site_id = SiteField()
    work_center = models.ForeignKey(WorkCenter, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=400)
    important = models.BooleanField(default=False)
    written_at = models.DateTimeField()
    written_by = models.UUIDField(null=True, blank=True)
    seen_to_at = models.DateTimeField(null=True, blank=True)
    seen_to_by = models.UUIDField(null=True, blank=True)

    REFERENCES = {"written_by": "access.person", "seen_to_by": "access.person"}

    class Meta(Part.Meta):
        db_table = "production_shift_note"
        indexes = [models.Index(fields=["site_id", "written_at"], name="production_note_by_time")]

    @property
    def label(self) -> str:
        """Its first words."""
        return self.text[:60]
