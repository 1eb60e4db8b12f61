"""The logistics board: shipments due, ready, on the way and proved, the late ones first, and how carriers kept time."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q

from lianzao.access import queries as access
from lianzao.catalog.queries import unit_said
from lianzao.foundation import scope
from lianzao.foundation.actor import Actor
from lianzao.logistics import queries as logistics
from lianzao.logistics.models import Milestone, Shipment
from lianzao.overviews.order_360 import named
from lianzao.parties.models import Party
from lianzao.values.time import local_date

#: How long a proved shipment stays on the board, and how far back carriers are judged.
PROVED, JUDGED = timedelta(days=7), timedelta(days=91)
MOST = 300
OPEN = ("planned", "picking", "packed", "dispatched")


def column_of(status: str) -> str:
    """Where a shipment stands on the board."""
    return {"planned": "due", "picking": "due", "packed": "ready", "dispatched": "on_the_way"}.get(status, "proved")


def shipping_board(by: Actor, site_id: UUID) -> dict[str, Any]:
    """Shipments that are not over, and those proved in the last week."""
    today = local_date(by.now, access.site_zone(site_id))
    rows = list(
        scope.visible(by, Shipment)
        .filter(Q(status__in=OPEN) | Q(status="delivered", delivered_at__gte=by.now - PROVED), site_id=site_id)
        .select_related("customer", "carrier")
        .prefetch_related("lines__item__base_unit", "packages")
        .order_by("due_on", "id")[:MOST]
    )
    milestones: dict[UUID, list[Milestone]] = {}
    for each in Milestone.objects.filter(shipment__in=rows).order_by("happened_at", "id"):
        milestones.setdefault(each.shipment_id, []).append(each)
    scores = logistics.carrier_scores(site_id, today - JUDGED, today + timedelta(days=1))
    carriers = {
        each.id: each
        for each in scope.visible(by, Party).filter(pk__in=[row["carrier_id"] for row in scores if row["carrier_id"]])
    }
    return {
        "today": today,
        "shipments": [told(by, each, milestones.get(each.id, []), today) for each in rows],
        "carriers": [
            {
                "carrier": named(by, carriers[row["carrier_id"]]),
                "shipments": row["shipments"],
                "on_time": row["on_time"],
            }
            for row in scores
            if row["carrier_id"] in carriers
        ],
    }


def days_late(shipment: Shipment, now: datetime, today: date) -> int:
    """Whole days a shipment is behind: not left by its day, or not there when it was to arrive; 0 in time."""
    if shipment.status == "delivered":
        if shipment.delivered_at is None or shipment.eta_at is None or shipment.delivered_at <= shipment.eta_at:
            return 0
        return max(1, (shipment.delivered_at - shipment.eta_at).days)
    if shipment.status == "dispatched":
        if shipment.eta_at is None or shipment.eta_at >= now:
            return 0
        return max(1, (now - shipment.eta_at).days)
    return max(0, (today - shipment.due_on).days)


def told(by: Actor, shipment: Shipment, milestones: list[Milestone], today: date) -> dict[str, Any]:
    """A shipment as the board shows it."""
    lines = list(shipment.lines.all())
    packages = list(shipment.packages.all())
    return {
        "id": shipment.id,
        "number": shipment.number,
        "status": shipment.status,
        "column": column_of(shipment.status),
        "customer": named(by, shipment.customer),
        "carrier": None if shipment.carrier is None else named(by, shipment.carrier),
        "address": shipment.address or shipment.customer.address,
        "tracking_number": shipment.tracking_number,
        "due_on": shipment.due_on,
        "dispatched_at": shipment.dispatched_at,
        "eta_at": shipment.eta_at,
        "delivered_at": shipment.delivered_at,
        "receiver": shipment.receiver,
        "days_late": days_late(shipment, by.now, today),
        "packages": len(packages),
        "weight_kg": sum((each.weight_kg for each in packages if each.weight_kg is not None), start=0),
        "lines": [
            {
                "id": each.id,
                "order": each.source_label,
                "item": named(by, each.item),
                "unit": unit_said(each.item.base_unit, by.language),
                "quantity": each.quantity,
                "picked_quantity": each.picked_quantity,
            }
            for each in lines
        ],
        "milestones": [
            {
                "id": each.id,
                "milestone": each.milestone,
                "happened_at": each.happened_at,
                "place": each.place,
                "eta_at": each.eta_at,
                "note": each.note,
            }
            for each in milestones
        ],
    }
