"""News of machines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class MachineStopped(Event):
    """A machine stands still. `expected_until` None: nobody knows yet."""

    site_id: UUID
    work_center_id: UUID
    machine_id: UUID
    reason_id: UUID | None
    planned: bool
    began_at: datetime
    expected_until: datetime | None = None


@dataclass(frozen=True)
class MachineStarted(Event):
    """A machine runs again. `stopped_minutes`: how long it stood, whole minutes; 0 if it did not."""

    site_id: UUID
    work_center_id: UUID
    machine_id: UUID
    began_at: datetime
    stopped_minutes: int = 0


@dataclass(frozen=True)
class MachineStateChanged(Event):
    """A machine went into setup or idles: it is there, but makes nothing."""

    site_id: UUID
    work_center_id: UUID
    machine_id: UUID
    state: str
    began_at: datetime


@dataclass(frozen=True)
class StopForecastChanged(Event):
    """A stop is expected to end at another time than told before."""

    site_id: UUID
    work_center_id: UUID
    machine_id: UUID
    old_until: datetime | None = None
    new_until: datetime | None = None


@dataclass(frozen=True)
class StopClassified(Event):
    """The reason of a stop was said, or corrected, afterwards."""

    site_id: UUID
    work_center_id: UUID
    machine_id: UUID
    machine_state_id: UUID
    reason_id: UUID
    planned: bool
