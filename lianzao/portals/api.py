"""The two portal pages. Everything is read as the partner: scope and row security leave only his own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router

from lianzao.catalog.queries import unit_said
from lianzao.foundation import http, packing, printing, rowsecurity, scope, words
from lianzao.foundation.actor import Actor
from lianzao.logistics.models import Milestone, Shipment
from lianzao.overviews.purchase_360 import score
from lianzao.planning.queries import kinds_served
from lianzao.procurement.models import Asn, Chase, PurchaseOrder
from lianzao.sales.models import PromiseChange, SalesOrder, SalesOrderLine
from lianzao.values.errors import NotAllowed

router = Router(tags=["portals"])


def partner(request: HttpRequest, right: str) -> Actor:
    """The viewer, a partner's person with a right."""
    by = http.someone(request)
    if by.partner is None or not by.may(right):
        raise NotAllowed("not_allowed", right=right)
    return by


def _named(by: Actor, thing: Any) -> dict[str, Any]:
    return {"id": thing.id, "code": thing.code, "name": thing.said(by.language)}


@router.get("/supplier", operation_id="supplier_portal")
def supplier(request: HttpRequest) -> HttpResponse:
    """A supplier's own orders with what is to be confirmed and announced."""
    by = partner(request, "procurement.view_purchase_order")
    with rowsecurity.as_partner(by):
        orders = list(
            scope.visible(by, PurchaseOrder)
            .exclude(status__in=("draft", "cancelled"))
            .prefetch_related("lines__item__base_unit", "lines__schedule")
            .order_by("status", "-sent_at")[:100]
        )
        asns = list(scope.visible(by, Asn).prefetch_related("lines").order_by("-eta_at")[:50])
        asked = list(
            scope.visible(by, Chase)
            .filter(status="open")
            .select_related("schedule_line__line__order", "schedule_line__line__item__base_unit")
            .order_by("wanted_on", "id")[:100]
        )
        answer = {
            "orders": [told_purchase(by, each) for each in orders],
            "asked": [told_chase(by, each) for each in asked],
            "asns": [
                {
                    "id": each.id,
                    "number": each.number,
                    "purchase_order_id": each.purchase_order_id,
                    "status": each.status,
                    "eta_at": each.eta_at,
                    "delivery_note": each.delivery_note,
                    "quantity": sum((line.quantity for line in each.lines.all()), start=0),
                }
                for each in asns
            ],
        }
        mine = [line.id for order in orders for each in order.lines.all() for line in each.schedule.all()]
    # Past his own rows: only why his own deliveries matter, by kind, and how he did; nothing of whose orders they are.
    answer["matters"] = why_it_matters(by, mine)
    answer["score"] = score(by, by.partner)  # type: ignore[arg-type]
    return http.answer(answer)


def told_chase(by: Actor, chase: Chase) -> dict[str, Any]:
    """A question that waits for the supplier's answer."""
    line = chase.schedule_line
    return {
        "id": chase.id,
        "schedule_line_id": line.id,
        "order": line.line.order.number,
        "number": line.label,
        "item": _named(by, line.line.item),
        "unit": unit_said(line.line.item.base_unit, by.language),
        "quantity": line.open_quantity,
        "wanted_on": chase.wanted_on,
        "expected_on": line.expected_on,
        "message": chase.message,
        "chased_at": chase.chased_at,
    }


def why_it_matters(by: Actor, schedule_line_ids: list[UUID]) -> dict[str, dict[str, Any]]:
    """Of each delivery that something waits for: what, by kind only ("a customer's order"), and from when."""
    found: dict[str, dict[str, Any]] = {}
    for supply, kind, need_at in kinds_served(schedule_line_ids):
        told = found.setdefault(str(supply), {"who": [], "needed_at": need_at})
        room = kind.partition(".")[0]
        said = words.title(by.language, f"portals.matters.{room}", "portals.matters.other")
        if said not in told["who"]:
            told["who"].append(said)
        told["needed_at"] = min(told["needed_at"], need_at)
    return found


def told_purchase(by: Actor, order: PurchaseOrder) -> dict[str, Any]:
    """A purchase order as its supplier sees it."""
    return {
        "id": order.id,
        "number": order.number,
        "status": order.status,
        "ordered_on": order.ordered_on,
        "currency": order.currency,
        "lines": [
            {
                "id": line.id,
                "sequence": line.sequence,
                "item": _named(by, line.item),
                "supplier_code": line.supplier_code,
                "unit": unit_said(line.item.base_unit, by.language),
                "schedule": [
                    {
                        "id": each.id,
                        "sequence": each.sequence,
                        "status": each.status,
                        "quantity": each.quantity,
                        "required_on": each.required_on,
                        "confirmed_on": each.confirmed_on,
                        "expected_on": each.expected_on,
                        "announced_quantity": each.announced_quantity,
                        "received_quantity": each.received_quantity,
                    }
                    for each in line.schedule.all()
                    if each.status != "cancelled"
                ],
            }
            for line in order.lines.all()
        ],
    }


@router.get("/customer", operation_id="customer_portal")
def customer(request: HttpRequest) -> HttpResponse:
    """A customer's own orders, their dates, the offers that wait for his answer, his shipments."""
    by = partner(request, "sales.view_sales_order")
    with rowsecurity.as_partner(by):
        orders = scope.found(
            by, SalesOrder, lambda rows: rows.exclude(status="draft").order_by("-ordered_on", "-number")[:100]
        )
        lines: dict[Any, list[SalesOrderLine]] = {}
        for line in scope.found(
            by, SalesOrderLine,
            lambda rows, ids: rows.filter(order_id__any=ids).select_related("item", "unit").order_by("sequence"),
            packing.array([each.id for each in orders]),
        ):  # fmt: skip
            lines.setdefault(line.order_id, []).append(line)
        offers: dict[Any, list[dict[str, Any]]] = {}
        for each in scope.found(by, PromiseChange, lambda rows: rows.order_by("-offered_at")[:300]):
            offers.setdefault(each.line_id, []).append(
                {
                    "id": each.id,
                    "old_on": each.old_on,
                    "new_on": each.new_on,
                    "status": each.status,
                    "offered_at": each.offered_at,
                    "reasons": told_reasons(by, each.reasons),
                }
            )
        shipments = scope.found(by, Shipment, lambda rows: rows.exclude(status="cancelled").order_by("-due_on")[:100])
        steps: dict[Any, list[dict[str, Any]]] = {}
        for step in scope.found(by, Milestone, lambda rows: rows.order_by("happened_at")[:500]):
            told = {"milestone": step.milestone, "happened_at": step.happened_at, "place": step.place}
            steps.setdefault(step.shipment_id, []).append(told)
        return http.answer(
            {
                "orders": [told_order(by, each, lines.get(each.id, []), offers) for each in orders],
                "shipments": [
                    {
                        "id": each.id,
                        "number": each.number,
                        "status": each.status,
                        "due_on": each.due_on,
                        "dispatched_at": each.dispatched_at,
                        "eta_at": each.eta_at,
                        "delivered_at": each.delivered_at,
                        "receiver": each.receiver,
                        "tracking_number": each.tracking_number,
                        "milestones": steps.get(each.id, []),
                    }
                    for each in shipments
                ],
            }
        )


def told_reasons(by: Actor, reasons: list[dict[str, Any]]) -> list[str]:
    """Why a date moves, without the names of others' papers: of which kind the causes are, each once."""
    kinds = dict.fromkeys(str(each.get("kind", "")).partition(".")[0] or "other" for each in reasons)
    return [words.title(by.language, f"portals.reason.{kind}", "portals.reason.other") for kind in kinds]


def told_order(
    by: Actor, order: SalesOrder, lines: list[SalesOrderLine], offers: dict[Any, list[dict[str, Any]]]
) -> dict[str, Any]:
    """A sales order as its customer sees it: no projected dates, only our word and what we offer."""
    return {
        "id": order.id,
        "number": order.number,
        "reference": order.customer_reference,
        "status": order.status,
        "ordered_on": order.ordered_on,
        "lines": [
            {
                "id": line.id,
                "sequence": line.sequence,
                "item": _named(by, line.item),
                "unit": unit_said(line.unit, by.language),
                "quantity": line.quantity,
                "shipped_quantity": line.shipped_quantity,
                "delivered_quantity": line.delivered_quantity,
                "requested_on": line.requested_on,
                "promised_on": line.promised_on,
                "status": line.status,
                "promises": offers.get(line.id, []),
            }
            for line in lines
        ],
    }


@router.get("/print/{paper}/{uuid:id}", operation_id="portal_print")
def print_paper(request: HttpRequest, paper: str, id: UUID) -> HttpResponse:
    """A paper of the partner's own: a supplier's labels, a customer's delivery note."""
    by = partner(request, printing.of(paper).right)
    return http.answer({"html": printing.printed(by, paper, id)})
