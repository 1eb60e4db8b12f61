"""Trace: from a lot to everything it was made from, or to everything and everyone it reached, on one page."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from lianzao.access import queries as access
from lianzao.catalog.queries import units_of
from lianzao.foundation import audit, lists, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.meta import actor_names
from lianzao.inventory import queries as inventory
from lianzao.inventory.models import Lot
from lianzao.logistics.models import Shipment
from lianzao.overviews.order_360 import named
from lianzao.plant.models import Location
from lianzao.procurement.models import GoodsReceipt
from lianzao.production import queries as production
from lianzao.quality.models import Inspection
from lianzao.values.errors import NotFound

RECEIPT, SHIPMENT = "procurement.goods_receipt", "logistics.shipment"


def trace(by: Actor, lot_id: UUID, direction: str) -> dict[str, Any]:
    """`direction` back: what a lot was made from; forward: what it went into. With operations, people, inspections."""
    lot = scope.visible(by, Lot).filter(pk=lot_id).select_related("item").first()
    if lot is None:
        raise NotFound("not_found", entity="inventory.lot", id=str(lot_id))
    found = inventory.trace_forward(lot.id) if direction == "forward" else inventory.trace_back(lot.id)
    english = by.language.startswith("en")
    causes = found.causes + [(end.cause_kind, end.cause_id) for end in (*found.came_from, *found.reached)]
    labels = lists.labels_of(by, causes)
    partners = partners_of(by, labels)
    acted = audit.acted({id for edge in found.edges for id in edge.order_ids})
    names = actor_names(acted.values(), by.language)
    units = units_of([lot.item_id, *(edge.item_id for edge in found.edges)], by.language)
    edges = []
    for edge in found.edges:
        row = edge._asdict()
        row["item_name"] = (edge.item_name_en if english else edge.item_name) or edge.item_name
        row["unit"] = units.get(edge.item_id, "")
        row["persons"] = sorted({names[acted[id]] for id in edge.order_ids if id in acted})
        row["cause_number"] = labels.get((edge.cause_kind or "", edge.cause_id or lot.id), {}).get("number")
        if row["cause_number"] is None:  # a paper of another site: that there is a link, and nothing of the paper
            row |= {"cause_id": None, "persons": [], "order_ids": []}
        edges.append(row)
    orders = [id for kind, id in found.causes if kind == "production.work_order" and (kind, id) in labels]
    reports = production.reports_of(orders) if orders else []
    people = access.names_of({each.person_id for each in reports if each.person_id is not None}, by.language)
    places = set(scope.visible(by, Location).values_list("id", flat=True))
    inspections = (
        scope.visible(by, Inspection)
        .filter(lot_id__in=found.lot_ids)
        .select_related("lot", "item")
        .order_by("created_at")
        if by.may("quality.view_inspection")
        else []
    )
    return {
        "lot": {"id": lot.id, "number": lot.number, "status": lot.status, "supplier_lot": lot.supplier_lot,
                "item": {"id": lot.item_id, "code": lot.item.code, "name": lot.item.said(by.language)}},
        "direction": direction,
        "whole": found.whole,
        "edges": edges,
        "came_from": [told_end(end, labels, partners) for end in found.came_from],
        "reached": [told_end(end, labels, partners) for end in found.reached],
        "remains": [dataclasses.asdict(each) for each in found.remains if each.location_id in places],
        "operations": [
            dataclasses.asdict(each) | {"person": people.get(each.person_id, each.person) if each.person_id else None}
            for each in reports
        ],
        "inspections": [
            {
                "id": each.id,
                "number": each.number,
                "lot": None if each.lot is None else each.lot.number,
                "point": each.point,
                "status": each.status,
                "decided_at": each.decided_at,
            }
            for each in inspections
        ],
    }  # fmt: skip


def partners_of(by: Actor, papers: Iterable[tuple[str, UUID]]) -> dict[UUID, dict[str, Any]]:
    """Who sent or got the goods of a receipt or a shipment."""
    ids = {kind: [id for each, id in papers if each == kind] for kind in (RECEIPT, SHIPMENT)}
    receipts = GoodsReceipt.objects.filter(id__in=ids[RECEIPT]).select_related("supplier")
    shipments = Shipment.objects.filter(id__in=ids[SHIPMENT]).select_related("customer")
    return {each.id: named(by, each.supplier) for each in receipts} | {
        each.id: named(by, each.customer) for each in shipments
    }


def told_end(
    end: Any, labels: dict[tuple[str, UUID], dict[str, Any]], partners: dict[UUID, dict[str, Any]]
) -> dict[str, Any]:
    """Where a lot entered or left the plant: by which paper, from or to whom."""
    number = labels.get((end.cause_kind, end.cause_id), {}).get("number")
    return dataclasses.asdict(end) | {
        "number": number,
        "cause_id": None if number is None else end.cause_id,
        "partner": partners.get(end.cause_id),
    }
