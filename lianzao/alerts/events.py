"""What alerts tells. `person_ids` name whose bell changes; a partner's people are told of apart from our own."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class AlertRaised(Event):
    """Something needs somebody, or has come to need more people; `repeats` counts how often it happened again."""

    site_id: UUID | None
    alert_id: UUID
    watch_id: UUID
    severity: str
    person_ids: tuple[UUID, ...] = ()
    repeats: int = 0
    step: int = 0
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class AlertTaken(Event):
    """Somebody made an alert his own, or was given it."""

    site_id: UUID | None
    alert_id: UUID
    owner_id: UUID
    person_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class AlertClosed(Event):
    """An alert is done (`status` done) or nobody needed it any more (expired)."""

    site_id: UUID | None
    alert_id: UUID
    status: str
    person_ids: tuple[UUID, ...] = ()
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class NoticesRead(Event):
    """A person read notices; his other screens may count again."""

    person_id: UUID
    person_ids: tuple[UUID, ...] = ()
    partner_ids: tuple[UUID, ...] = ()
