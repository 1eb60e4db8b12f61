"""Lots, moves, balances, pending moves, pick tasks, counts, closed periods."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce

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
from lianzao.plant.models import Location
from lianzao.values.time import uuid7

#: Stands for "no lot" in the unique place of a balance, because NULLs are never equal.
NO_LOT = UUID(int=0)


class Lot(Entity):
    """A quantity of an item with one history; a serial number is a lot of one piece. Its number is unique per item."""

    LIFE = Lifecycle("usable", usable=["held", "scrapped"], held=["usable", "scrapped"], scrapped=["held"])

    item_id: UUID
    supplier_id: UUID | None

    number = models.CharField(max_length=60)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    status = StatusField(LIFE)
    supplier = models.ForeignKey(Party, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    supplier_lot = models.CharField(max_length=80, blank=True)
    made_at = models.DateTimeField(null=True, blank=True)
    expires_on = models.DateField(null=True, blank=True)
    hold_reason = models.CharField(max_length=200, blank=True)
    source_kind = models.CharField(max_length=80, blank=True)
    source_id = models.UUIDField(null=True, blank=True)

    class Meta(Entity.Meta):
        constraints = [models.UniqueConstraint(fields=["item", "number"], name="inventory_lot_once")]
        indexes = [
            models.Index(fields=["number"], name="inventory_lot_by_number"),
            models.Index(fields=["supplier_lot"], name="inventory_lot_by_supplier", condition=~Q(supplier_lot="")),
            models.Index(fields=["source_id"], name="inventory_lot_by_source"),
        ]


class Move(models.Model):
    """A quantity went from one location to another. Append-only; partitioned by the month inside its id.

    No foreign keys in the database: every writer would share-lock the same few rows of virtual locations, and masters
    are retired, never removed. `value`: total, at standard cost unless a price was given. `order_id`: the order that
    caused it (the exact report of a work order); `reverses`: the move it takes back.
    """

    item_id: UUID
    lot_id: UUID | None
    source_id: UUID
    target_id: UUID

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    site_id = SiteField()
    item = models.ForeignKey(Item, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    lot = models.ForeignKey(
        Lot, null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    quantity = QuantityField()
    source = models.ForeignKey(
        Location, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    target = models.ForeignKey(
        Location, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    value = MoneyField()
    happened_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    cause_kind = models.CharField(max_length=80)
    cause_id = models.UUIDField()
    order_id = models.UUIDField()
    reverses = models.UUIDField(null=True)

    class Meta:
        managed = False
        db_table = "inventory_move"


class Balance(models.Model):
    """What stands at a real location now: the sum of its moves, kept in step in the moves' own transaction."""

    item_id: UUID
    lot_id: UUID | None
    location_id: UUID

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    site_id = SiteField()
    item = models.ForeignKey(Item, on_delete=models.PROTECT, db_index=False, related_name="+")
    lot = models.ForeignKey(Lot, null=True, on_delete=models.PROTECT, related_name="+")
    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    quantity = QuantityField()

    class Meta:
        db_table = "inventory_balance"
        constraints = [
            models.UniqueConstraint(
                F("item"),
                F("location"),
                Coalesce("lot", Value(NO_LOT, output_field=models.UUIDField())),
                name="inventory_balance_place",
            ),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="inventory_balance_not_negative"),
        ]
        indexes = [models.Index(fields=["site_id", "item"], name="inventory_balance_by_site")]


class PendingReason(models.TextChoices):
    """Why a move is pending: set aside for a document, used before it was there, or to be staged at a line."""

    RESERVATION = "reservation"
    UNCOVERED = "uncovered"
    STAGING = "staging"


class PendingMove(Part):
    """A move to come: a reservation, or an issue the stock did not cover. Posted, voided or expired, never deleted.

    `cause`: the document it is for; `order_id`: the order that made it, which its moves will carry too; `owner_id`: the
    person who must clear it up. `quantity` is what is still pending; `posted_quantity` what became moves.
    """

    LIFE = Lifecycle("pending", pending=["posted", "void"])

    item_id: UUID
    lot_id: UUID | None
    source_id: UUID
    target_id: UUID

    site_id = SiteField()
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    lot = models.ForeignKey(Lot, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    quantity = QuantityField()
    posted_quantity = QuantityField(default=0)
    source = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    target = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    status = StatusField(LIFE)
    reason = ChoiceField(PendingReason)
    cause_kind = models.CharField(max_length=80)
    cause_id = models.UUIDField()
    order_id = models.UUIDField()
    owner_id = models.UUIDField(null=True, blank=True)
    happened_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta(Part.Meta):
        db_table = "inventory_pending_move"
        constraints = [models.CheckConstraint(condition=Q(quantity__gte=0), name="inventory_pending_not_negative")]
        indexes = [
            models.Index(fields=["item", "source"], name="inventory_pending_open", condition=Q(status="pending")),
            models.Index(fields=["site_id", "reason"], name="inventory_pending_by_site", condition=Q(status="pending")),
            models.Index(fields=["cause_id"], name="inventory_pending_by_cause"),
        ]

    @property
    def label(self) -> str:
        """What is pending, of which item."""
        return f"{self.reason} {self.quantity.normalize():f}"


class PickTask(Document):
    """Fetch a quantity from here to there, for a document: it is on somebody's phone until it is done."""

    NUMBER = "PT-{yy}{mm}-{seq:5}"
    LIFE = Lifecycle("open", open=["done", "short", "void"])

    item_id: UUID
    lot_id: UUID | None
    source_id: UUID
    target_id: UUID
    reservation_id: UUID | None

    status = StatusField(LIFE)
    purpose_kind = models.CharField(max_length=80)
    purpose_id = models.UUIDField()
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    lot = models.ForeignKey(Lot, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    quantity = QuantityField()
    picked_quantity = QuantityField(default=0)
    source = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    target = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    reservation = models.ForeignKey(PendingMove, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    assignee_id = models.UUIDField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta(Document.Meta):
        db_table = "inventory_pick_task"
        constraints = [models.CheckConstraint(condition=Q(quantity__gt=0), name="inventory_pick_task_positive")]
        indexes = [
            models.Index(fields=["site_id", "due_at"], name="inventory_pick_task_open", condition=Q(status="open")),
            models.Index(fields=["purpose_id"], name="inventory_pick_task_purpose"),
        ]


class StockPeriod(Part):
    """Up to when a site's books are closed: no move may have happened before."""

    site_id = SiteField(unique=True)
    closed_until = models.DateTimeField()

    class Meta(Part.Meta):
        db_table = "inventory_stock_period"


class CountPolicy(Entity):
    """How a site counts. Differences above `recount_percent` of the books are counted again; what differs by more than
    `approve_value` (at standard cost) waits for a second person; each place is suggested every `cycle_days`.
    """

    locks = False

    site_id = SiteField(unique=True)
    recount_percent = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal(0))
    approve_value = MoneyField(default=Decimal(500))
    cycle_days = models.PositiveSmallIntegerField(default=90)

    class Meta(Entity.Meta):
        db_table = "inventory_count_policy"
        constraints = [
            models.CheckConstraint(
                condition=Q(recount_percent__gte=0) & Q(approve_value__gte=0) & Q(cycle_days__gt=0),
                name="inventory_count_policy_sane",
            )
        ]

    @property
    def label(self) -> str:
        """After how many days a place is counted again."""
        return f"{self.cycle_days} d"


class CountSheet(Document):
    """A count of one place, or of one item wherever it stands: counted blind, again where it differs, then booked.

    Work goes on meanwhile: each line keeps what the books said at the instant it was counted, and the difference of
    that instant is what is booked, so that moves before and after it stand.
    """

    NUMBER = "CS-{yy}{mm}-{seq:5}"
    LIFE = Lifecycle("open", open=["waiting", "booked", "void"], waiting=["open", "booked", "void"])

    location_id: UUID | None
    item_id: UUID | None
    lines: models.Manager[CountLine]

    status = StatusField(LIFE)
    location = models.ForeignKey(Location, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    item = models.ForeignKey(Item, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    submitted_at = models.DateTimeField(null=True, editable=False)
    booked_at = models.DateTimeField(null=True, editable=False)
    approver_id = models.UUIDField(null=True, editable=False)
    note = models.CharField(max_length=200, blank=True)

    class Meta(Document.Meta):
        db_table = "inventory_count_sheet"
        indexes = [models.Index(fields=["site_id", "status"], name="inventory_count_by_state")]


class CountLine(Part):
    """One lot of an item at one place of a count. `booked` and `counted` are of the last time it was counted.

    `first_counted`: what the first count said, kept when it was counted again.
    """

    LIFE = Lifecycle("open", open=["agrees", "recount", "differs"], recount=["agrees", "differs"],
                     agrees=["recount"], differs=["recount"])  # fmt: skip

    sheet_id: UUID
    item_id: UUID
    lot_id: UUID | None
    location_id: UUID

    sheet = models.ForeignKey(CountSheet, on_delete=models.CASCADE, related_name="lines")
    sequence = models.PositiveSmallIntegerField()
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    lot = models.ForeignKey(Lot, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    status = StatusField(LIFE)
    booked = QuantityField(null=True, editable=False)
    counted = QuantityField(null=True, editable=False)
    first_counted = QuantityField(null=True, editable=False)
    value = MoneyField(default=Decimal(0), editable=False)
    counted_at = models.DateTimeField(null=True, editable=False)
    counter_id = models.UUIDField(null=True, editable=False)
    reason = models.CharField(max_length=200, blank=True)

    class Meta(Part.Meta):
        db_table = "inventory_count_line"
        constraints = [
            models.UniqueConstraint(
                F("sheet"),
                F("item"),
                F("location"),
                Coalesce("lot", Value(NO_LOT, output_field=models.UUIDField())),
                name="inventory_count_line_once",
            ),
            models.CheckConstraint(
                condition=Q(counted__isnull=True) | Q(counted__gte=0), name="inventory_counted_not_negative"
            ),
        ]
        indexes = [models.Index(fields=["location", "counted_at"], name="inventory_count_by_place")]

    @property
    def label(self) -> str:
        """Sheet and line."""
        return f"{self.sheet.number}/{self.sequence}"

    @property
    def difference(self) -> Decimal:
        """Counted less booked, at the instant it was last counted; zero while it was not."""
        return Decimal(0) if self.counted is None or self.booked is None else self.counted - self.booked
