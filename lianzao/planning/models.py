"""The plan as it stands, the runs that made it, and the bounded policies that may act on it."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from django.db import models

from lianzao.catalog.models import Item
from lianzao.foundation.entity import (
    ChoiceField,
    Document,
    Entity,
    Lifecycle,
    MoneyField,
    Part,
    QuantityField,
    SiteField,
    StatusField,
)
from lianzao.parties.models import Party
from lianzao.plant.models import WorkCenter


class ProposalKind(models.TextChoices):
    """What a proposal would become."""

    BUY = "buy"
    MAKE = "make"


class Remedy(models.TextChoices):
    """What an action message asks for."""

    EXPEDITE = "expedite"
    DEFER = "defer"
    INCREASE = "increase"
    DECREASE = "decrease"
    CANCEL = "cancel"
    OVERDUE = "overdue"
    RESCHEDULE = "reschedule"
    PROMISE = "promise"


DECISION = Lifecycle("open", open=["accepted", "rejected", "gone"], rejected=["open", "gone"])
MODES = ("off", "suggest", "act")


class PlanRun(Document):
    """One run of the planner: why it ran, from what, how long it took, what came out, and what that changed."""

    parent_id: UUID | None

    NUMBER = "PR-{yy}{mm}{dd}-{seq:4}"
    locks = False

    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    why = models.CharField(max_length=200, blank=True)
    scope = models.CharField(max_length=12, default="full")
    now_at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField(default=0)
    demands = models.PositiveIntegerField(default=0)
    late_demands = models.PositiveIntegerField(default=0)
    short_demands = models.PositiveIntegerField(default=0)
    proposals = models.PositiveIntegerField(default=0)
    messages = models.PositiveIntegerField(default=0)
    shortages = models.PositiveIntegerField(default=0)
    difference = models.JSONField(default=dict)
    status = models.CharField(max_length=12, default="published")

    class Meta(Document.Meta):
        db_table = "planning_plan_run"
        indexes = [models.Index(fields=["site_id", "-id"], name="plan_run_by_site")]


class Proposal(Document):
    """A planned order: buy or make so much, to be there by then. A person or a bounded policy accepts or rejects it."""

    item_id: UUID
    supplier_id: UUID | None
    run_id: UUID

    NUMBER = "PP-{yy}{mm}-{seq:5}"

    run = models.ForeignKey(PlanRun, models.PROTECT, related_name="made")
    kind_of_order = ChoiceField(ProposalKind)
    item = models.ForeignKey(Item, models.PROTECT, related_name="+")
    quantity = QuantityField()
    start_at = models.DateTimeField()
    finish_at = models.DateTimeField()
    need_at = models.DateTimeField()
    late_minutes = models.PositiveIntegerField(default=0)
    supplier = models.ForeignKey(Party, models.PROTECT, null=True, related_name="+")
    price = MoneyField(null=True)
    cost = MoneyField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    demand_kind = models.CharField(max_length=60, blank=True)
    demand_id = models.UUIDField(null=True)
    cause = models.JSONField(default=list)
    status = StatusField(DECISION)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.UUIDField(null=True)
    decided_why = models.CharField(max_length=200, blank=True)

    class Meta(Document.Meta):
        db_table = "planning_proposal"
        indexes = [models.Index(fields=["site_id", "status"], name="proposal_by_status")]


class ActionMessage(Document):
    """What should change on something that is already ordered, released or promised, and for whose sake."""

    item_id: UUID
    partner_id: UUID | None

    NUMBER = "AM-{yy}{mm}-{seq:5}"

    run = models.ForeignKey(PlanRun, models.PROTECT, related_name="+")
    action = ChoiceField(Remedy)
    item = models.ForeignKey(Item, models.PROTECT, related_name="+")
    subject_kind = models.CharField(max_length=60)
    subject_id = models.UUIDField()
    subject_number = models.CharField(max_length=80)
    partner = models.ForeignKey(Party, models.PROTECT, null=True, related_name="+")
    from_at = models.DateTimeField(null=True)
    to_at = models.DateTimeField(null=True)
    from_quantity = QuantityField(null=True)
    to_quantity = QuantityField(null=True)
    demand_kind = models.CharField(max_length=60, blank=True)
    demand_id = models.UUIDField(null=True)
    committed = models.BooleanField(default=False)
    cause = models.JSONField(default=list)
    details = models.JSONField(default=dict)
    status = StatusField(DECISION)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.UUIDField(null=True)
    decided_why = models.CharField(max_length=200, blank=True)

    class Meta(Document.Meta):
        db_table = "planning_action_message"
        indexes = [
            models.Index(fields=["site_id", "status"], name="message_by_status"),
            models.Index(fields=["subject_id"], name="message_by_subject"),
        ]


class Outlook(Part):
    """How a demand will be served as the plan stands: when, how late, what stays short, and why."""

    item_id: UUID

    site_id = SiteField()
    run = models.ForeignKey(PlanRun, models.PROTECT, related_name="+")
    demand_kind = models.CharField(max_length=60)
    demand_id = models.UUIDField(unique=True)
    item = models.ForeignKey(Item, models.PROTECT, related_name="+")
    quantity = QuantityField()
    short_quantity = QuantityField(default=Decimal(0))
    due_at = models.DateTimeField()
    projected_at = models.DateTimeField(null=True)
    late_minutes = models.PositiveIntegerField(default=0)
    reasons = models.JSONField(default=list)
    slices = models.JSONField(default=list)

    class Meta(Entity.Meta):
        db_table = "planning_outlook"
        indexes = [models.Index(fields=["site_id", "-late_minutes"], name="outlook_by_lateness")]


class Peg(models.Model):
    """Which supply serves what, one level at a time. Rewritten by each run; not audited, because runs are."""

    id = models.BigAutoField(primary_key=True)
    site_id = models.UUIDField()
    supply_kind = models.CharField(max_length=60)
    supply_id = models.UUIDField()
    consumer_kind = models.CharField(max_length=60)
    consumer_id = models.UUIDField()
    item_id = models.UUIDField()
    quantity = QuantityField()
    ready_at = models.DateTimeField()
    need_at = models.DateTimeField()

    class Meta:
        db_table = "planning_peg"
        indexes = [
            models.Index(fields=["supply_id"], name="peg_by_supply"),
            models.Index(fields=["consumer_id"], name="peg_by_consumer"),
            models.Index(fields=["site_id"], name="peg_by_site"),
        ]


class Shortage(Part):
    """What is missing, when it is wanted, when it will be there, and which order it hurts, by how many days."""

    item_id: UUID

    locks = False

    site_id = SiteField()
    run = models.ForeignKey(PlanRun, models.PROTECT, related_name="+")
    item = models.ForeignKey(Item, models.PROTECT, related_name="+")
    quantity = QuantityField()
    need_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)
    consumer_kind = models.CharField(max_length=60, blank=True)
    consumer_id = models.UUIDField(null=True)
    consumer_number = models.CharField(max_length=80, blank=True)
    demand_kind = models.CharField(max_length=60, blank=True)
    demand_id = models.UUIDField(null=True)
    demand_number = models.CharField(max_length=80, blank=True)
    days_late = models.PositiveIntegerField(default=0)
    supply_kind = models.CharField(max_length=60, blank=True)
    supply_id = models.UUIDField(null=True)
    supply_number = models.CharField(max_length=80, blank=True)

    class Meta(Entity.Meta):
        db_table = "planning_shortage"
        indexes = [models.Index(fields=["site_id", "need_at"], name="shortage_by_need")]


class ScheduledOperation(models.Model):
    """An operation's place on the time line as the plan stands: a draft; the floor sees what was published to it."""

    id = models.BigAutoField(primary_key=True)
    site_id = models.UUIDField()
    supply_kind = models.CharField(max_length=60)
    supply_id = models.UUIDField()
    operation_id = models.UUIDField(null=True)
    sequence = models.PositiveIntegerField()
    work_center = models.ForeignKey(WorkCenter, models.CASCADE, null=True, related_name="+", db_constraint=False)
    machine_place = models.IntegerField(default=0)
    start_at = models.DateTimeField()
    finish_at = models.DateTimeField()
    work_minutes = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "planning_scheduled_operation"
        indexes = [
            models.Index(fields=["supply_id"], name="scheduled_by_supply"),
            models.Index(fields=["work_center", "start_at"], name="scheduled_by_center"),
            models.Index(fields=["site_id"], name="scheduled_by_site"),
        ]


class PolicyName(models.TextChoices):
    """The four things the product may do by itself, within limits."""

    REQUISITION = "requisition"
    LINE_REPLENISHMENT = "line_replenishment"
    RESCHEDULE = "reschedule"
    RELEASE_TO_SHIP = "release_to_ship"


class Policy(Part):
    """Whether a thing is done by itself: off, suggested, or done within limits. Mode off is the kill switch."""

    site_id = SiteField()
    name = ChoiceField(PolicyName)
    mode = models.CharField(max_length=8, default="suggest", choices=[(mode, mode) for mode in MODES])
    most_value = MoneyField(null=True)
    most_quantity = QuantityField(null=True)
    most_hours = models.PositiveIntegerField(null=True)
    most_per_day = models.PositiveIntegerField(null=True)

    class Meta(Entity.Meta):
        db_table = "planning_policy"
        constraints = [models.UniqueConstraint(fields=["site_id", "name"], name="policy_unique")]


class PolicyEntry(Part):
    """The log of a policy: what it did, suggested or left to a person, and why."""

    locks = False

    policy = models.ForeignKey(Policy, models.PROTECT, related_name="log")
    at = models.DateTimeField()
    outcome = models.CharField(max_length=12)
    subject_kind = models.CharField(max_length=60)
    subject_id = models.UUIDField()
    reason = models.CharField(max_length=80, blank=True)
    facts = models.JSONField(default=dict)

    class Meta(Entity.Meta):
        db_table = "planning_policy_entry"
        indexes = [models.Index(fields=["policy", "-at"], name="policy_entry_by_time")]


class NeedTrail(Part):
    """When a need arose and what became of it: the instants that cannot be recovered later.

    need arose → first warned → decided → ordered → confirmed → dated plan published → seen at the station
    """

    site_id = SiteField()
    subject_kind = models.CharField(max_length=60)
    subject_id = models.UUIDField(unique=True)
    arose_at = models.DateTimeField()
    warned_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    ordered_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    published_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta(Entity.Meta):
        db_table = "planning_need_trail"


class PublishedDate(models.Model):
    """The plan as published, to be held against what was done: every date that changed, at every run. Append-only."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(PlanRun, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    subject_kind = models.CharField(max_length=60)
    subject_id = models.UUIDField()
    what = models.CharField(max_length=24)
    old_at = models.DateTimeField(null=True)
    new_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "planning_published_date"
        indexes = [models.Index(fields=["subject_id", "id"], name="published_by_subject")]
