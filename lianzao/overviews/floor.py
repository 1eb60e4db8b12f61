"""The station, and the warehouse's phone: what to do next, here, with what is needed for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from lianzao.access.queries import names_of
from lianzao.catalog.models import Item
from lianzao.catalog.queries import unit_said, units_of
from lianzao.equipment import queries as equipment
from lianzao.equipment.models import MachineState
from lianzao.foundation import fetching, lists, packing, registry, scope
from lianzao.foundation.actor import Actor
from lianzao.inventory import queries as inventory
from lianzao.inventory.models import Balance, CountSheet, Lot, PendingMove, PickTask
from lianzao.logistics.models import Package, Shipment
from lianzao.overviews.order_360 import named, named_item
from lianzao.plant.models import Location, Machine, WorkCenter
from lianzao.procurement.models import Asn, PurchaseOrder, ScheduleLine
from lianzao.production import floor_queries as around
from lianzao.production import queries as production
from lianzao.production.floor_models import HelpCall, Presence
from lianzao.production.floor_queries import production_blocks
from lianzao.production.models import ScrapReason, WorkOrder, WorkOrderMaterial
from lianzao.quality.models import Inspection
from lianzao.values import gs1
from lianzao.values.errors import NotFound


def station(by: Actor, work_center_id: UUID) -> dict[str, Any]:
    """A work center's station: its queue with kit state, its machines, the scrap reasons to choose from."""
    found = scope.found(by, WorkCenter, lambda rows, id: rows.filter(pk=id), work_center_id)
    if not found:
        raise NotFound("not_found", entity="plant.work_center", id=str(work_center_id))
    center = found[0]
    queue = production.station_queue(center.id)
    kits = kit_states(by, center.site_id, [job.work_order_id for job in queue])
    units = units_of([job.item_id for job in queue], by.language)
    english = by.language.startswith("en")
    machines = told_machines(by, center.id)
    states = [each["state"] for each in machines]
    steps = around.steps_of([job.operation_id for job in queue], by.language)
    paces = around.paces(center.id, queue, by.now)
    jobs = []
    for job in queue:
        row = dataclasses.asdict(job) | {"unit": units.get(job.item_id, job.unit)}
        row["name"] = (job.name_en if english else job.name) or job.name
        row["item_name"] = (job.item_name_en if english else job.item_name) or job.item_name
        row["kit"] = kits.get(job.work_order_id, [])
        row["steps"] = steps.get(job.operation_id, [])
        row["pace"] = paces.get(job.operation_id)
        here = [each["state"] for each in row["kit"] if _used_at(each, job.sequence)]
        row["blocks"] = production_blocks(job.available, states, here, started=job.status == "started")
        jobs.append(row)
    return {
        "work_center": named(by, center) | {"site_id": center.site_id},
        "now": by.now,
        "jobs": jobs,
        "machines": machines,
        "scrap_reasons": [named(by, each) for each in fetching.matching(ScrapReason, "code", retired_at=None)],
        "people": told_people(by, around.people_at([center.id], by.now)) if by.may("production.view_presence") else [],
        "calls": told_calls(by, around.living_calls([center.id])) if by.may("production.view_help_call") else [],
    }


def _used_at(kit: dict[str, Any], sequence: int) -> bool:
    """Whether a material is used by the time an operation is done: what later ones take does not keep it waiting."""
    return kit["operation_sequence"] <= sequence and kit["needed"] > 0


def told_machines(by: Actor, work_center_id: UUID) -> list[dict[str, Any]]:
    """The machines of a work center with what they do now; one of which nobody ever said anything runs, as we know."""
    machines = scope.found(
        by,
        Machine,
        lambda rows, at: rows.filter(work_center_id=at, retired_at__isnull=True).order_by("code"),
        work_center_id,
    )
    states = equipment.states_now([each.id for each in machines])
    return [named(by, machine) | told_state(by, states.get(machine.id)) for machine in machines]


def told_state(by: Actor, state: MachineState | None) -> dict[str, Any]:
    """What a machine does now."""
    return {
        "state": "running" if state is None else state.state,
        "state_id": None if state is None else state.id,
        "since": None if state is None else state.began_at,
        "reason": None if state is None or state.reason is None else named(by, state.reason),
        "expected_until": None if state is None else state.expected_until,
    }


def told_people(by: Actor, present: Sequence[Presence]) -> list[dict[str, Any]]:
    """Who is there, since when."""
    return [
        {"id": each.id, "person_id": each.person_id, "name": each.person.said(by.language),
         "work_center_id": each.work_center_id, "since": each.came_at}
        for each in present
    ]  # fmt: skip


def told_calls(by: Actor, calls: Sequence[HelpCall]) -> list[dict[str, Any]]:
    """Calls for help that are not over, with the names of who called and who comes."""
    names = names_of({id for each in calls for id in (each.called_by, each.acknowledged_by) if id}, by.language)
    return [
        {
            "id": each.id,
            "number": each.number,
            "status": each.status,
            "cause": each.cause,
            "work_center": named(by, each.work_center),
            "called_at": each.called_at,
            "called_by": names.get(each.called_by) if each.called_by else None,
            "acknowledged_at": each.acknowledged_at,
            "acknowledged_by": names.get(each.acknowledged_by) if each.acknowledged_by else None,
            "note": each.note,
        }
        for each in calls
    ]


def uncovered(by: Actor, site_id: UUID) -> list[dict[str, Any]]:
    """Material that reports used though the books had none there, oldest first: to be found, moved, or counted."""
    rows = (
        scope.visible(by, PendingMove)
        .filter(site_id=site_id, status="pending", reason="uncovered")
        .select_related("item__base_unit", "source")
        .order_by("happened_at", "id")[:50]
    )
    return [
        {
            "id": each.id,
            "item": named_item(by, each.item),
            "source": named(by, each.source),
            "quantity": each.quantity,
            "happened_at": each.happened_at,
        }
        for each in rows
    ]


def kit_states(by: Actor, site_id: UUID, work_order_ids: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """Per work order its materials: still needed, at the line, free at the site (齐套)."""
    ids = packing.array(list({*work_order_ids}))
    materials = fetching.records_of(
        "kit_states",
        lambda: WorkOrderMaterial.objects.filter(work_order_id__any=ids)
        .select_related("item__base_unit").order_by("position"),
        [ids],
    )  # fmt: skip
    if not materials:
        return {}
    items = sorted({each.item_id for each in materials}, key=str)
    stock = inventory.on_hand(site_id, items, by.now)
    at_line = inventory.stock_at({each.source_id for each in materials if each.source_id is not None})
    made: dict[UUID, list[dict[str, Any]]] = {}
    for each in materials:
        needed = max(each.required_quantity - each.issued_quantity, each.required_quantity * 0)
        there = at_line.get((each.item_id, each.source_id), needed * 0) if each.source_id else needed * 0
        free = stock[each.item_id].available if each.item_id in stock else needed * 0
        made.setdefault(each.work_order_id, []).append(
            {
                "material_id": each.id,
                "operation_sequence": each.operation_sequence,
                "item": named_item(by, each.item),
                "needed": needed,
                "issued": each.issued_quantity,
                "at_line": there,
                "available": free,
                "state": "ready" if there >= needed else "in_store" if there + free >= needed else "missing",
            }
        )
    return made


def warehouse(by: Actor, site_id: UUID) -> dict[str, Any]:
    """The warehouse's phone: what comes, what to fetch, what to inspect, what to ship."""
    soon = by.now + timedelta(days=3)
    tasks = (
        scope.visible(by, PickTask)
        .filter(site_id=site_id, status="open")
        .select_related("item__base_unit", "lot", "source", "target")
        .order_by("due_at", "id")[:200]
    )
    purposes = lists.labels_of(by, [(each.purpose_kind, each.purpose_id) for each in tasks])
    arrivals = (
        scope.visible(by, Asn)
        .filter(site_id=site_id, status__in=("announced", "arrived"), eta_at__lte=soon)
        .select_related("supplier")
        .prefetch_related("lines__schedule_line__line__item__base_unit")
        .order_by("eta_at")[:100]
    )
    shipments = (
        scope.visible(by, Shipment)
        .filter(site_id=site_id, status__in=("planned", "picking", "packed"))
        .select_related("customer")
        .prefetch_related("lines__item__base_unit")
        .order_by("due_on")[:100]
    )
    inspections = (
        scope.visible(by, Inspection).filter(site_id=site_id, status="open").select_related("item__base_unit", "lot")
    )
    return {
        "picks": [
            {
                "id": each.id,
                "number": each.number,
                "item": named(by, each.item),
                "unit": unit_said(each.item.base_unit, by.language),
                "lot": None if each.lot is None else each.lot.number,
                "quantity": each.quantity - each.picked_quantity,
                "source": named(by, each.source),
                "target": named(by, each.target),
                "due_at": each.due_at,
                "purpose": purposes.get((each.purpose_kind, each.purpose_id), {}).get("number"),
                "purpose_kind": each.purpose_kind,
                "purpose_id": each.purpose_id,
            }
            for each in tasks
        ],
        "arrivals": [told_asn(by, each) for each in arrivals],
        "shipments": [
            {
                "id": each.id,
                "number": each.number,
                "status": each.status,
                "customer": named(by, each.customer),
                "due_on": each.due_on,
                "lines": [
                    {
                        "id": line.id,
                        "item": named(by, line.item),
                        "unit": unit_said(line.item.base_unit, by.language),
                        "quantity": line.quantity,
                        "picked_quantity": line.picked_quantity,
                    }
                    for line in each.lines.all()
                ],
            }
            for each in shipments
        ],
        "inspections": [
            {
                "id": each.id,
                "number": each.number,
                "item": named_item(by, each.item),
                "lot": None if each.lot is None else each.lot.number,
                "quantity": each.quantity,
                "point": each.point,
                "due_at": each.due_at,
            }
            for each in inspections.order_by("due_at", "id")[:100]
        ],
        "to_put_away": scope.visible(by, Balance)
        .filter(site_id=site_id, quantity__gt=0, location__location_kind="receiving")
        .count(),
        "open_counts": scope.visible(by, CountSheet).filter(site_id=site_id, status__in=("open", "waiting")).count(),
    }


def arrival(by: Actor, id: UUID) -> dict[str, Any]:
    """What is to be received: an announced shipment, whenever it was said to come (early goods are scanned at the door
    like any other), or what is open of a purchase order whose supplier announces nothing.
    """
    asn = (
        scope.visible(by, Asn)
        .filter(id=id)
        .select_related("supplier")
        .prefetch_related("lines__schedule_line__line__item__base_unit")
        .first()
    )
    if asn is not None:
        return told_asn(by, asn)
    order = scope.visible(by, PurchaseOrder).filter(id=id).exclude(status="draft").select_related("supplier").first()
    if order is None:
        raise NotFound("not_found", entity="procurement.asn", id=str(id))
    return told_order(by, order)


def told_order(by: Actor, order: PurchaseOrder) -> dict[str, Any]:
    """What may come of a purchase order without a shipment notice: its deliveries that are open and not announced."""
    lines = [
        each
        for each in ScheduleLine.objects.filter(line__order=order, status__in=("open", "confirmed"))
        .select_related("line__item__base_unit")
        .order_by("line__sequence", "sequence")
        if each.open_quantity > 0
    ]
    return {
        "id": order.id,
        "number": order.number,
        "kind": order.kind,
        "status": order.status if lines else "closed",
        "supplier": named(by, order.supplier),
        "eta_at": None,
        "delivery_note": "",
        "lines": [
            {
                "id": each.id,
                "item": named(by, each.line.item),
                "unit": unit_said(each.line.item.base_unit, by.language),
                "quantity": each.open_quantity,
                "lot_number": "",
                "asks_lot": each.line.item.tracking == "lot",
                "expires_on": None,
            }
            for each in lines
        ],
    }


def told_asn(by: Actor, asn: Asn) -> dict[str, Any]:
    """An announced shipment with its lines."""
    return {
        "id": asn.id,
        "number": asn.number,
        "kind": asn.kind,
        "status": asn.status,
        "supplier": named(by, asn.supplier),
        "eta_at": asn.eta_at,
        "delivery_note": asn.delivery_note,
        "lines": [
            {
                "id": line.id,
                "item": named(by, line.schedule_line.line.item),
                "unit": unit_said(line.schedule_line.line.item.base_unit, by.language),
                "quantity": line.quantity,
                "lot_number": line.lot_number,
                "asks_lot": False,
                "expires_on": line.expires_on,
            }
            for line in asn.lines.all()
        ],
    }


def scanned(by: Actor, code: str) -> list[dict[str, Any]]:
    """What a scanned code may mean: a paper of receiving or shipping, a task, a work order, a lot, an item, a place.

    Of a GS1 label the package counts, else the lot.
    """
    code = code.strip()
    parts = gs1.elements(code)
    code = parts.get("00") or parts.get("10") or code
    if not code or len(code) > 80:
        return []
    found: list[dict[str, Any]] = []
    for model, column in (
        (Asn, "number"),
        (PurchaseOrder, "number"),
        (PickTask, "number"),
        (WorkOrder, "number"),
        (Shipment, "number"),
        (Inspection, "number"),
        (CountSheet, "number"),
        (Lot, "number"),
        (Item, "code"),
        (Location, "code"),
    ):
        if not by.may(registry.RESOURCES[registry.kind_of(model)].view_right):
            continue
        for each in scope.visible(by, model).filter(**{column: code})[:5]:
            found.append({"kind": each.kind, "id": each.id, "number": each.label})
    if not found and by.may("logistics.view_shipment"):
        for package in scope.visible(by, Package).filter(sscc=code).select_related("shipment")[:1]:
            shipment = package.shipment
            found.append({"kind": shipment.kind, "id": shipment.id, "number": shipment.label})
    return found
