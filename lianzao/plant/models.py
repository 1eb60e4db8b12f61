"""Areas, locations, calendars, work centers, machines, skills."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from lianzao.foundation import audit
from lianzao.foundation.entity import ChoiceField, Master, MoneyField, Part, SiteField
from lianzao.plant import rules
from lianzao.values.errors import Invalid, RuleBroken

#: Set in the running order by `set_up_site`, which alone makes virtual locations: one of each kind for a site.
MAKING_VIRTUAL = "plant.making_virtual_locations"


class LocationKind(models.TextChoices):
    """What a location is for. The last six are virtual: the other side of a move, without a balance."""

    STORE = "store"
    LINE = "line"
    RECEIVING = "receiving"
    SHIPPING = "shipping"
    QUARANTINE = "quarantine"
    TRANSIT = "transit"
    SUPPLIER = "supplier"
    CUSTOMER = "customer"
    PRODUCTION = "production"
    SCRAP = "scrap"
    ADJUSTMENT = "adjustment"
    OPENING = "opening"


class Area(Master):
    """A part of a site: a hall, a floor, a line of work."""

    site_id = SiteField()
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")


class Location(Master):
    """Where goods can be. Virtual locations are made with the site, one of each kind."""

    parent_id: UUID | None

    site_id = SiteField()
    location_kind = ChoiceField(LocationKind, default=LocationKind.STORE)
    area = models.ForeignKey(Area, null=True, blank=True, on_delete=models.PROTECT, related_name="locations")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    is_virtual = models.BooleanField(default=False, editable=False)

    class Meta(Master.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["site_id", "location_kind"], condition=Q(is_virtual=True), name="plant_location_virtual_once"
            ),
            models.CheckConstraint(
                condition=Q(is_virtual=True, location_kind__in=rules.VIRTUAL_KINDS)
                | Q(is_virtual=False, location_kind__in=rules.REAL_KINDS),
                name="plant_location_virtual_by_kind",
            ),
        ]
        indexes = [
            *Master.Meta.indexes,
            models.Index(fields=["site_id", "location_kind"], name="plant_location_by_kind"),
        ]

    def before_save(self) -> None:
        """Derive `is_virtual`; a location never changes sides, because its moves would change meaning."""
        super().before_save()
        self.is_virtual = rules.is_virtual(self.location_kind)
        kept = self.__dict__.get("_kept")
        if kept and (kept["is_virtual"] != self.is_virtual or kept["site_id"] != self.site_id):
            raise RuleBroken("location_is_fixed", field="location_kind", location=self.code)
        if self._state.adding and self.is_virtual and not audit.must_run().memory.get(MAKING_VIRTUAL):
            raise RuleBroken("virtual_location_by_site", field="location_kind", location=self.code)
        if self.parent_id is not None and self.parent_id == self.id:
            raise Invalid("parent_of_itself", field="parent")


class Calendar(Master):
    """A week of shifts, in the local time of the site that uses it."""


class Shift(Part):
    """A shift of a weekday (0 = Monday) by the clock on the wall; one not ending later ends on the next day."""

    locks = False
    calendar_id: UUID

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="shifts")
    weekday = models.PositiveSmallIntegerField()
    starts_at = models.TimeField()
    ends_at = models.TimeField()
    name = models.CharField(max_length=60, blank=True)

    class Meta(Part.Meta):
        constraints = [
            models.UniqueConstraint(fields=["calendar", "weekday", "starts_at"], name="plant_shift_once"),
            models.CheckConstraint(condition=Q(weekday__lte=6), name="plant_shift_weekday"),
        ]

    @property
    def label(self) -> str:
        """Weekday and times."""
        return f"{self.weekday + 1} {self.starts_at:%H:%M}-{self.ends_at:%H:%M}"

    def before_save(self) -> None:
        """Refuse a weekday that is none; that no two shifts overlap is seen when the order ends."""
        if not 0 <= self.weekday <= 6:
            raise Invalid("not_a_weekday", field="weekday", value=self.weekday)
        _check_later("plant.shifts", self.calendar_id, check_shifts)


class WorkCenter(Master):
    """Where work is done. `capacity`: machines or places side by side; without a calendar it works round the clock.

    `line_location`: where its material lies ready. `output_location`: where finished goods go.
    """

    site_id = SiteField()
    area = models.ForeignKey(Area, null=True, blank=True, on_delete=models.PROTECT, related_name="work_centers")
    calendar = models.ForeignKey(Calendar, null=True, blank=True, on_delete=models.PROTECT, related_name="work_centers")
    capacity = models.PositiveSmallIntegerField(default=1)
    cost_rate = MoneyField(default=Decimal(0))
    line_location = models.ForeignKey(Location, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    output_location = models.ForeignKey(Location, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    line_location_id: UUID | None
    output_location_id: UUID | None

    class Meta(Master.Meta):
        db_table = "plant_work_center"
        constraints = [
            models.CheckConstraint(condition=Q(capacity__gte=1), name="plant_work_center_capacity"),
            models.CheckConstraint(condition=Q(cost_rate__gte=0), name="plant_work_center_cost_rate"),
        ]
        indexes = [*Master.Meta.indexes, models.Index(fields=["site_id"], name="plant_work_center_by_site")]

    def before_save(self) -> None:
        """Refuse a center without capacity, and locations that are virtual or at another site."""
        super().before_save()
        if self.capacity < 1:
            raise Invalid("quantity_not_positive", field="capacity")
        if Decimal(self.cost_rate) < 0:
            raise Invalid("must_not_be_negative", field="cost_rate", value=Decimal(self.cost_rate))
        for field in ("line_location", "output_location"):
            if getattr(self, f"{field}_id") is None:
                continue
            location: Location = getattr(self, field)
            if location.is_virtual:
                raise RuleBroken("location_is_virtual", field=field, location=location.code)
            if location.site_id != self.site_id:
                raise RuleBroken("location_of_other_site", field=field, location=location.code)


class Machine(Master):
    """One machine of a work center."""

    work_center = models.ForeignKey(WorkCenter, on_delete=models.PROTECT, related_name="machines")
    maker = models.CharField(max_length=120, blank=True)
    model_name = models.CharField(max_length=120, blank=True)
    serial_number = models.CharField(max_length=120, blank=True)

    work_center_id: UUID


class Skill(Master):
    """What somebody must be able to do for an operation."""

    expires_after_days = models.PositiveIntegerField(null=True, blank=True)


class CalendarException(Part):
    """A stretch of time that is closed, or worked extra, for a calendar, a work center or a machine (exactly one)."""

    locks = False
    calendar_id: UUID | None
    work_center_id: UUID | None
    machine_id: UUID | None

    calendar = models.ForeignKey(Calendar, null=True, blank=True, on_delete=models.CASCADE, related_name="exceptions")
    work_center = models.ForeignKey(
        WorkCenter, null=True, blank=True, on_delete=models.CASCADE, related_name="exceptions"
    )
    machine = models.ForeignKey(Machine, null=True, blank=True, on_delete=models.CASCADE, related_name="exceptions")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    working = models.BooleanField(default=False)
    reason = models.CharField(max_length=200, blank=True)

    class Meta(Part.Meta):
        db_table = "plant_calendar_exception"
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="plant_exception_ends_later"),
            models.CheckConstraint(
                condition=Q(calendar__isnull=False, work_center=None, machine=None)
                | Q(calendar=None, work_center__isnull=False, machine=None)
                | Q(calendar=None, work_center=None, machine__isnull=False),
                name="plant_exception_of_one",
            ),
            models.UniqueConstraint(
                fields=["calendar", "work_center", "machine", "starts_at", "ends_at"],
                name="plant_exception_once",
                nulls_distinct=False,
            ),
        ]

    @property
    def label(self) -> str:
        """From when to when."""
        return f"{self.starts_at:%Y-%m-%d %H:%M} – {self.ends_at:%Y-%m-%d %H:%M}"

    def before_save(self) -> None:
        """Refuse a span that ends before it begins, and one that belongs to nothing or to several."""
        if self.ends_at <= self.starts_at:
            raise Invalid("ends_before_it_starts", field="ends_at")
        owners = [self.calendar_id, self.work_center_id, self.machine_id]
        if sum(owner is not None for owner in owners) != 1:
            raise Invalid("exception_of_exactly_one", field="work_center")


def check_shifts(calendar_ids: set[UUID]) -> None:
    """Refuse shifts of one calendar that run at the same time. Raises RuleBroken naming both."""
    by_calendar: dict[UUID, list[Shift]] = {}
    for shift in Shift.objects.filter(calendar_id__in=calendar_ids).select_related("calendar"):
        by_calendar.setdefault(shift.calendar_id, []).append(shift)
    for shifts in by_calendar.values():
        both = rules.shifts_overlap([rules.ShiftTime(one.weekday, one.starts_at, one.ends_at) for one in shifts])
        if both is not None:
            names = [f"{one.weekday + 1} {one.starts_at:%H:%M}-{one.ends_at:%H:%M}" for one in both]
            raise RuleBroken("shifts_overlap", calendar=shifts[0].calendar.code, one=names[0], other=names[1])


def _check_later(key: str, id: UUID, check: Callable[[set[UUID]], None]) -> None:
    """Check once, at the end of the running order, everything it touched: an import saves a thousand rows."""
    order = audit.must_run()
    touched: set[UUID] | None = order.memory.get(key)
    if touched is None:
        touched = order.memory[key] = set()
        order.before_end.append(lambda: check(touched))
    touched.add(id)
