"""Reasons of stops, and the slices of machines' time."""

from __future__ import annotations

from uuid import UUID

from django.db import models
from django.db.models import F, Q

from lianzao.foundation.entity import ChoiceField, Master, Part, SiteField
from lianzao.plant.models import Machine


class MachineStatus(models.TextChoices):
    """What a machine does: makes, stands still, is being set up, waits for work."""

    RUNNING = "running"
    STOPPED = "stopped"
    SETUP = "setup"
    IDLE = "idle"


class StopReason(Master):
    """Why a machine stands still. `planned`: maintenance, cleaning; otherwise it counts against availability."""

    planned = models.BooleanField(default=False)

    class Meta(Master.Meta):
        db_table = "equipment_stop_reason"


class MachineState(Part):
    """A slice of a machine's time, half-open; the open one (no end) is what it does now. Slices never overlap.

    `expected_until`: when a stop is expected to end, as far as somebody knows. What was said wrongly is not edited: the
    slice is taken back (`reversed_at`), and those that stand in its place name it (`replaces`).
    """

    machine_id: UUID
    reason_id: UUID | None
    replaces_id: UUID | None

    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="+")
    site_id = SiteField()
    state = ChoiceField(MachineStatus)
    reason = models.ForeignKey(StopReason, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    expected_until = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)
    reversed_at = models.DateTimeField(null=True, blank=True)
    reversed_by = models.UUIDField(null=True, blank=True)
    replaces = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    REFERENCES = {"reversed_by": "access.person"}

    class Meta(Part.Meta):
        db_table = "equipment_machine_state"
        constraints = [
            models.UniqueConstraint(
                fields=["machine"], condition=Q(ended_at=None, reversed_at=None), name="equipment_state_one_open"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("began_at")), name="equipment_state_ends_later"
            ),
        ]
        indexes = [
            models.Index(fields=["machine", "began_at"], name="equipment_state_by_machine"),
            models.Index(fields=["site_id", "state"], name="equipment_state_open", condition=Q(ended_at=None)),
            models.Index(fields=["site_id", "began_at"], name="equipment_state_by_time"),
        ]

    @property
    def label(self) -> str:
        """Which machine, in what state."""
        return f"{self.machine.code} {self.state}"
