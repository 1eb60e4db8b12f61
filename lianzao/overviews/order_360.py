"""Order 360: what was promised, what serves it from purchase to delivery, what threatens it, what is proposed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from lianzao.catalog.queries import unit_said, units_of
from lianzao.foundation import audit, lists, packing, scope, words
from lianzao.foundation.actor import Actor
from lianzao.foundation.meta import actor_names
from lianzao.foundation.registry import RESOURCES
from lianzao.logistics import queries as shipping
from lianzao.planning import queries as planning
from lianzao.planning.deciding import said
from lianzao.planning.models import ActionMessage, Outlook
from lianzao.procurement.models import ScheduleLine
from lianzao.production.models import WorkOrder, WorkOrderOperation
from lianzao.sales.models import PromiseChange, SalesOrderLine


def order_360(by: Actor, order_id: UUID) -> dict[str, Any]:
    """Everything of one sales order. Raises NotFound when it is not the viewer's."""
    head = lists.record(by, RESOURCES["sales.sales_order"], order_id)
    lines = scope.found(
        by, SalesOrderLine,
        lambda rows, order: rows.filter(order_id=order).select_related("item", "unit").order_by("sequence"), order_id,
    )  # fmt: skip
    ids = [line.id for line in lines]
    every = packing.array(ids)
    outlooks = planning.outlooks_of(ids)
    shipments: dict[UUID, list[dict[str, Any]]] = {}
    for each in shipping.shipments_of(ids):
        shipments.setdefault(each.pop("source_id"), []).append(each)
    messages = scope.found(
        by, ActionMessage,
        lambda rows, ids: rows.filter(demand_id__any=ids, status="open")
        .select_related("partner", "item__base_unit").order_by("to_at"), every,
    )  # fmt: skip
    promises: dict[UUID, list[PromiseChange]] = {}
    for each in scope.found(
        by, PromiseChange, lambda rows, ids: rows.filter(line_id__any=ids).order_by("offered_at"), every
    ):
        promises.setdefault(each.line_id, []).append(each)
    return {
        "order": head["row"],
        "actions": head["actions"],
        "links": head["links"],
        "lines": [
            told_line(by, line, outlooks.get(line.id), shipments.get(line.id, []), promises.get(line.id, []))
            for line in lines
        ],
        "remedies": [told_message(by, each) for each in messages],
        "stories": stories(by, ids),
    }


def named(by: Actor, thing: Any) -> dict[str, Any]:
    """A master by id, code and name in the viewer's language."""
    return {"id": thing.id, "code": thing.code, "name": thing.said(by.language)}


def named_item(by: Actor, item: Any) -> dict[str, Any]:
    """An item with the unit its quantities are in. Load it with `base_unit`."""
    return named(by, item) | {"unit": unit_said(item.base_unit, by.language)}


def told_line(
    by: Actor,
    line: SalesOrderLine,
    outlook: Outlook | None,
    shipments: list[dict[str, Any]],
    promises: list[PromiseChange],
) -> dict[str, Any]:
    """A line with its three dates, the reasons, the chain that serves it, its shipments and promises."""
    return {
        "id": line.id,
        "sequence": line.sequence,
        "item": named(by, line.item),
        "unit": unit_said(line.unit, by.language),
        "quantity": line.quantity,
        "shipped_quantity": line.shipped_quantity,
        "delivered_quantity": line.delivered_quantity,
        "requested_on": line.requested_on,
        "promised_on": line.promised_on,
        "projected_at": line.projected_at,
        "status": line.status,
        "outlook": None if outlook is None else told_outlook(by, outlook),
        "chain": chain(by, line.id),
        "shipments": shipments,
        "promises": [
            {
                "id": each.id,
                "old_on": each.old_on,
                "new_on": each.new_on,
                "reasons": each.reasons,
                "status": each.status,
                "offered_at": each.offered_at,
                "answered_at": each.answered_at,
            }
            for each in promises
        ],
    }


def told_outlook(by: Actor, outlook: Outlook) -> dict[str, Any]:
    """How a demand is served, its reasons as sentences."""
    return {
        "projected_at": outlook.projected_at,
        "due_at": outlook.due_at,
        "late_minutes": outlook.late_minutes,
        "short_quantity": outlook.short_quantity,
        "slices": outlook.slices,
        "reasons": told_reasons(by, outlook.reasons),
    }


def told_reasons(by: Actor, reasons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Reasons as sentences in the viewer's language, with the documents to open."""
    return [
        {
            "reason": each["reason"],
            "text": said(each, by.language),
            "kind": each.get("kind"),
            "id": each.get("id"),
            "number": each.get("number"),
            "minutes": each.get("minutes"),
            "until_at": each.get("until_at"),
        }
        for each in reasons
        if "reason" in each
    ]


def chain(by: Actor, demand_id: UUID) -> list[dict[str, Any]]:
    """What serves a demand, level by level: stock, work orders with their progress, purchases with their dates."""
    pegs = planning.pegs_under(demand_id)
    labels = lists.labels_of(by, [(each["supply_kind"], each["supply_id"]) for each in pegs])
    orders = _work_orders(by, {each["supply_id"] for each in pegs if each["supply_kind"] == "production.work_order"})
    bought = purchases(by, {each["supply_id"] for each in pegs if each["supply_kind"] == "procurement.schedule_line"})
    units = units_of([each["item_id"] for each in pegs], by.language)
    english = by.language.startswith("en")
    made: list[dict[str, Any]] = []
    for each in pegs:
        label = labels.get((each["supply_kind"], each["supply_id"]), {})
        made.append(
            {
                "depth": each["depth"],
                "kind": each["supply_kind"],
                "id": each["supply_id"],
                "for_kind": each["consumer_kind"],
                "for_id": each["consumer_id"],
                "item": {
                    "id": each["item_id"],
                    "code": each["item_code"],
                    "name": (each["item_name_en"] if english else each["item_name"]) or each["item_name"],
                    "unit": units.get(each["item_id"], ""),
                },
                "quantity": each["quantity"],
                "ready_at": each["ready_at"],
                "need_at": each["need_at"],
                "late": each["ready_at"] > each["need_at"],
                "number": label.get("number"),
                "status": label.get("status"),
                **orders.get(each["supply_id"], {}),
                **bought.get(each["supply_id"], {}),
            }
        )
    return made


def _work_orders(by: Actor, ids: set[UUID]) -> dict[UUID, dict[str, Any]]:
    if not ids:
        return {}
    operations: dict[UUID, list[dict[str, Any]]] = {}
    every = packing.array(list(ids))
    for each in scope.found(
        by, WorkOrderOperation,
        lambda rows, ids: rows.filter(work_order_id__any=ids).select_related("work_center").order_by("sequence"), every,
    ):  # fmt: skip
        operations.setdefault(each.work_order_id, []).append(
            {
                "id": each.id,
                "sequence": each.sequence,
                "name": (each.name_en if by.language.startswith("en") else each.name) or each.name,
                "work_center": None if each.work_center is None else each.work_center.said(by.language),
                "status": each.status,
                "good": each.good_quantity,
                "scrap": each.scrap_quantity,
                "planned_start_at": each.planned_start_at,
                "planned_finish_at": each.planned_finish_at,
            }
        )
    return {
        each.id: {
            "order_quantity": each.quantity,
            "good_quantity": each.good_quantity,
            "planned_start_at": each.planned_start_at,
            "planned_finish_at": each.planned_finish_at,
            "operations": operations.get(each.id, []),
        }
        for each in scope.found(by, WorkOrder, lambda rows, ids: rows.filter(pk__any=ids), every)
    }


def purchases(by: Actor, ids: set[UUID]) -> dict[UUID, dict[str, Any]]:
    """Deliveries to come with their order, supplier and dates, those the viewer may see."""
    if not ids:
        return {}
    rows = scope.found(
        by, ScheduleLine, lambda rows, ids: rows.filter(pk__any=ids).select_related("line__order__supplier"),
        packing.array(list(ids)),
    )  # fmt: skip
    return {
        each.id: {
            "number": each.label,
            "status": each.status,
            "purchase_order_id": each.line.order_id,
            "purchase_order": each.line.order.number,
            "supplier": named(by, each.line.order.supplier),
            "required_on": each.required_on,
            "confirmed_on": each.confirmed_on,
            "expected_on": each.expected_on,
        }
        for each in rows
    }


def told_message(by: Actor, message: ActionMessage) -> dict[str, Any]:
    """A proposed change with its cause as sentences."""
    return {
        "id": message.id,
        "number": message.number,
        "action": message.action,
        "status": message.status,
        "item": named_item(by, message.item),
        "subject_kind": message.subject_kind,
        "subject_id": message.subject_id,
        "subject_number": message.subject_number,
        "partner": None if message.partner is None else named(by, message.partner),
        "from_at": message.from_at,
        "to_at": message.to_at,
        "from_quantity": message.from_quantity,
        "to_quantity": message.to_quantity,
        "committed": message.committed,
        "demand_kind": message.demand_kind,
        "demand_id": message.demand_id,
        "serves": [each for each in message.cause if "reason" not in each],
        "reasons": told_reasons(by, message.cause),
        "details": message.details,
        "decided_at": message.decided_at,
    }


def stories(by: Actor, line_ids: list[UUID]) -> list[dict[str, Any]]:
    """The latest orders that touched the lines, each the door to its cause chain."""
    orders = audit.latest(line_ids)
    names = actor_names([(each.actor_kind, each.actor_id, each.actor_name) for each in orders], by.language)
    return [
        {
            "order_id": each.id,
            "command": each.command,
            "title": words.say(each.command, by.language) if words.known(each.command) else "",
            "actor": {"kind": each.actor_kind, "name": names[each.actor_kind, each.actor_id, each.actor_name]},
            "at": each.at,
            "why": each.why,
        }
        for each in orders
    ]
