"""What others may ask of logistics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.foundation.entity import query
from lianzao.inventory import queries as stock
from lianzao.logistics import rules
from lianzao.logistics.models import Package, Shipment, ShipmentLine
from lianzao.plant import queries as plant
from lianzao.values.errors import NotFound

#: Where shipping looks for goods: what stands ready first, then the store, then what has just come.
PICK_FROM = ("shipping", "store", "receiving")

PLANNED_SQL = """
SELECT l.source_id, sum(CASE WHEN s.status IN ('planned', 'picking') THEN l.quantity ELSE l.picked_quantity END)
FROM logistics_shipment_line l JOIN logistics_shipment s ON s.id = l.shipment_id
WHERE l.source_id = ANY(%s::uuid[]) AND s.status IN ('planned', 'picking', 'packed')
GROUP BY l.source_id
"""


def planned_quantities(source_ids: Iterable[UUID]) -> dict[UUID, Decimal]:
    """What is already on shipments that have not left, by what they serve: nobody should plan it twice."""
    return dict(query(PLANNED_SQL, [list(source_ids)]))


SHIPMENTS_SQL = """
SELECT l.source_id, s.id, s.number, s.status, s.due_on, s.dispatched_at, s.eta_at, s.delivered_at,
       sum(CASE WHEN s.status IN ('planned', 'picking') THEN l.quantity ELSE l.picked_quantity END)
FROM logistics_shipment_line l JOIN logistics_shipment s ON s.id = l.shipment_id
WHERE l.source_id = ANY(%s::uuid[]) AND s.status <> 'cancelled'
GROUP BY l.source_id, s.id
ORDER BY s.number
"""
SHIPMENTS = "source_id id number status due_on dispatched_at eta_at delivered_at quantity".split()


def shipments_of(source_ids: Iterable[UUID]) -> list[dict[str, Any]]:
    """The shipments that serve some sales order lines, and how much of each line they carry."""
    return [dict(zip(SHIPMENTS, row, strict=True)) for row in query(SHIPMENTS_SQL, [list(source_ids)])]


def pick_locations(site_id: UUID) -> list[UUID]:
    """Where shipping looks for goods, in order of preference."""
    return [each for kind in PICK_FROM for each in plant.location_ids(site_id, [kind])]


@dataclass(frozen=True)
class ToPick:
    """One step of a pick list; `lot_id` None for goods without lots."""

    shipment_line_id: UUID
    item_id: UUID
    lot_id: UUID | None
    lot_number: str
    location_id: UUID
    location_code: str
    quantity: Decimal


def pick_list(shipment_id: UUID, line_id: UUID | None = None) -> tuple[list[ToPick], dict[UUID, Decimal]]:
    """What is still to pick for a shipment (or one line of it) and where, and what is missing by shipment line.

    First expired, first out, over all places shipping looks at.
    """
    shipment_ = shipment(shipment_id)
    lines = [each for each in shipment_lines(shipment_id) if line_id in (None, each.id)]
    places = pick_locations(shipment_.site_id)
    piles = stock.available_piles(shipment_.site_id, list({line.item_id for line in lines}), places)
    known = {(pile.item_id, pile.lot_id, pile.location_id): pile for found in piles.values() for pile in found}
    left = {key: pile.available for key, pile in known.items()}
    steps: list[ToPick] = []
    missing: dict[UUID, Decimal] = {}
    for line in lines:
        usable = [
            rules.Available(key, left[key], pile.expires_on, pile.made_at, pile.rank)
            for key, pile in known.items()
            if pile.item_id == line.item_id and line.lot_id in (None, pile.lot_id)
        ]
        taken, short = rules.take(line.quantity - line.picked_quantity, usable)
        for each in taken:
            pile = known[each.key]  # type: ignore[index]
            left[each.key] -= each.quantity  # type: ignore[index]
            steps.append(
                ToPick(
                    line.id,
                    line.item_id,
                    pile.lot_id,
                    pile.lot_number,
                    pile.location_id,
                    pile.location_code,
                    each.quantity,
                )
            )
        if short > 0:
            missing[line.id] = short
    return steps, missing


def shipment(shipment_id: UUID) -> Shipment:
    """One shipment. Raises NotFound."""
    found = Shipment.objects.select_related("customer", "carrier").filter(id=shipment_id).first()
    if found is None:
        raise NotFound("not_found", entity="logistics.shipment", id=str(shipment_id))
    return found


def shipment_lines(shipment_id: UUID) -> list[ShipmentLine]:
    """The lines of a shipment."""
    return list(ShipmentLine.objects.select_related("item").filter(shipment_id=shipment_id).order_by("sequence"))


def package_by_sscc(sscc: str) -> Package:
    """The package somebody scanned, with or without the (00) of its label. Raises NotFound."""
    text = sscc.strip().removeprefix("(00)")
    if len(text) == 20 and text.startswith("00"):
        text = text[2:]
    found = Package.objects.select_related("shipment").filter(sscc=text).first()
    if found is None:
        raise NotFound("package_unknown", sscc=sscc)
    return found


ON_TIME_SQL = """
SELECT s.carrier_id, count(*), count(*) FILTER (WHERE s.delivered_at <= s.eta_at)
FROM logistics_shipment s
WHERE s.site_id = %s AND s.status = 'delivered' AND s.due_on >= %s AND s.due_on < %s
GROUP BY s.carrier_id
"""


def carrier_scores(site_id: UUID, from_on: date, until_on: date) -> list[dict[str, Any]]:
    """Shipments due in [from_on, until_on) and delivered, per carrier: how many, and how many by the announced time."""
    return [
        {"carrier_id": carrier, "shipments": count, "on_time": on_time}
        for carrier, count, on_time in query(ON_TIME_SQL, [site_id, from_on, until_on])
    ]
