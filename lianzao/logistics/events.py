"""What logistics tells the house."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class ShipmentPlanned(Event):
    """Goods are to leave the house; the warehouse has to pick them."""

    site_id: UUID
    shipment_id: UUID
    customer_id: UUID
    number: str
    due_on: date
    item_ids: tuple[UUID, ...]
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ShipmentPicked(Event):
    """Everything of a shipment is picked."""

    site_id: UUID
    shipment_id: UUID
    customer_id: UUID


@dataclass(frozen=True)
class ShipmentPacked(Event):
    """A shipment stands packed and waits for its carrier."""

    site_id: UUID
    shipment_id: UUID
    customer_id: UUID
    packages: int
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ShipmentDispatched(Event):
    """A shipment left. Tuples belong together: `source_ids[i]` of `source_kinds[i]` got `quantities[i]`."""

    site_id: UUID
    shipment_id: UUID
    customer_id: UUID
    number: str
    source_kinds: tuple[str, ...]
    source_ids: tuple[UUID, ...]
    item_ids: tuple[UUID, ...]
    quantities: tuple[Decimal, ...]
    dispatched_at: datetime
    eta_at: datetime | None = None
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ShipmentReturned(Event):
    """A dispatched shipment came back undelivered; its goods are in stock again. Tuples as in ShipmentDispatched."""

    site_id: UUID
    shipment_id: UUID
    customer_id: UUID
    number: str
    source_kinds: tuple[str, ...]
    source_ids: tuple[UUID, ...]
    item_ids: tuple[UUID, ...]
    quantities: tuple[Decimal, ...]
    why: str
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class MilestoneReached(Event):
    """A carrier told where a shipment is."""

    site_id: UUID
    shipment_id: UUID
    customer_id: UUID
    milestone: str
    place: str
    happened_at: datetime
    eta_at: datetime | None = None
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ShipmentDelivered(Event):
    """The customer signed for a shipment. Tuples as in ShipmentDispatched."""

    site_id: UUID
    shipment_id: UUID
    customer_id: UUID
    number: str
    source_kinds: tuple[str, ...]
    source_ids: tuple[UUID, ...]
    item_ids: tuple[UUID, ...]
    quantities: tuple[Decimal, ...]
    receiver: str
    delivered_at: datetime
    partner_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ShipmentCancelled(Event):
    """A shipment will not leave; what was reserved for it is free."""

    site_id: UUID
    shipment_id: UUID
    customer_id: UUID
    item_ids: tuple[UUID, ...]
    why: str
