"""The buyer's page: what is wanted and why, what is on order and whom its lateness hurts, what is on its way."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from lianzao.foundation import scope
from lianzao.foundation.actor import Actor
from lianzao.overviews.floor import told_asn
from lianzao.overviews.order_360 import named, named_item
from lianzao.planning.models import ActionMessage, Shortage
from lianzao.procurement.models import Asn, Chase, PurchaseOrder, PurchaseRequisition, ScheduleLine

MOST = 300


def buy_board(by: Actor, site_id: UUID) -> dict[str, Any]:
    """Requisitions with their cause, orders not sent, deliveries to come and whom they hurt, shipments announced."""
    return {
        "requisitions": requisitions(by, site_id),
        "drafts": drafts(by, site_id),
        "deliveries": deliveries(by, site_id),
        "arrivals": [
            told_asn(by, each)
            | {"purchase_order": {"id": each.purchase_order_id, "number": each.purchase_order.number}}
            for each in scope.visible(by, Asn)
            .filter(site_id=site_id, status__in=("announced", "arrived"))
            .select_related("supplier", "purchase_order")
            .prefetch_related("lines__schedule_line__line__item__base_unit")
            .order_by("eta_at")[:MOST]
        ],
    }


def requisitions(by: Actor, site_id: UUID) -> list[dict[str, Any]]:
    """What is asked for and not ordered yet, the most urgent first."""
    rows = (
        scope.visible(by, PurchaseRequisition)
        .filter(site_id=site_id, status__in=("raised", "approved"))
        .select_related("item__base_unit", "supplier")
        .order_by("needed_on", "id")[:MOST]
    )
    return [
        {
            "id": each.id,
            "number": each.number,
            "status": each.status,
            "item": named_item(by, each.item),
            "quantity": each.quantity,
            "needed_on": each.needed_on,
            "supplier": None if each.supplier is None else named(by, each.supplier),
            "reason": each.reason,
            "note": each.note,
        }
        for each in rows
    ]


def drafts(by: Actor, site_id: UUID) -> list[dict[str, Any]]:
    """Orders written and not sent."""
    rows = (
        scope.visible(by, PurchaseOrder)
        .filter(site_id=site_id, status="draft")
        .select_related("supplier")
        .prefetch_related("lines")
        .order_by("-id")[:MOST]
    )
    return [
        {
            "id": each.id,
            "number": each.number,
            "supplier": named(by, each.supplier),
            "ordered_on": each.ordered_on,
            "lines": len(each.lines.all()),
        }
        for each in rows
    ]


def deliveries(by: Actor, site_id: UUID) -> list[dict[str, Any]]:
    """Deliveries to come, the first expected first, each with the orders it makes late and what the plan asks of it."""
    rows = list(
        scope.visible(by, ScheduleLine)
        .filter(line__order__site_id=site_id, status__in=("open", "confirmed", "announced"))
        .filter(line__order__status__in=("sent", "received"))
        .select_related("line__order__supplier", "line__item__base_unit")
        .order_by("expected_on", "id")[:MOST]
    )
    hurts = hurts_of(by, [each.id for each in rows])
    wishes = _wishes(by, [each.id for each in rows])
    asked = chases_of(by, [each.id for each in rows])
    return [
        {
            "id": each.id,
            "number": each.label,
            "status": each.status,
            "purchase_order": {"id": each.line.order_id, "number": each.line.order.number},
            "supplier": named(by, each.line.order.supplier),
            "item": named_item(by, each.line.item),
            "quantity": each.quantity,
            "open_quantity": each.open_quantity,
            "required_on": each.required_on,
            "confirmed_on": each.confirmed_on,
            "expected_on": each.expected_on,
            "days_late": max(0, (each.expected_on - each.required_on).days),
            "hurts": hurts.get(each.id, []),
            "wish": wishes.get(each.id),
            "chases": len(asked.get(each.id, [])),
            "chase": asked[each.id][0] if each.id in asked else None,
        }
        for each in rows
    ]


def chases_of(by: Actor, ids: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """What was asked of each delivery and what was answered, the last question first."""
    found: dict[UUID, list[dict[str, Any]]] = {}
    rows = scope.visible(by, Chase).filter(schedule_line_id__in=ids).order_by("-chased_at", "-id")
    for each in rows:
        found.setdefault(each.schedule_line_id, []).append(
            {
                "id": each.id,
                "status": each.status,
                "wanted_on": each.wanted_on,
                "message": each.message,
                "chased_at": each.chased_at,
                "answer": each.answer,
                "answered_on": each.answered_on,
                "answered_at": each.answered_at,
            }
        )
    return found


def hurts_of(by: Actor, ids: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """The demands that wait for each delivery, by its id."""
    found: dict[UUID, list[dict[str, Any]]] = {}
    if not by.may("planning.view_shortage"):
        return found
    rows = scope.visible(by, Shortage).filter(supply_kind="procurement.schedule_line", supply_id__in=ids)
    for each in rows.exclude(demand_id=None).order_by("need_at"):
        told = {"kind": each.demand_kind, "id": each.demand_id, "number": each.demand_number}
        if each.supply_id is not None and told not in found.setdefault(each.supply_id, []):
            found[each.supply_id].append(told)
    return found


def _wishes(by: Actor, ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    """What the plan asks of each delivery: sooner, later, more, less, or not at all."""
    if not by.may("planning.view_action_message"):
        return {}
    return {
        each.subject_id: {
            "id": each.id,
            "number": each.number,
            "action": each.action,
            "to_at": each.to_at,
            "to_quantity": each.to_quantity,
        }
        for each in scope.visible(by, ActionMessage).filter(subject_id__in=ids, status="open").order_by("-id")
    }
