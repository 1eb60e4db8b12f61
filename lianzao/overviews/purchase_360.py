"""Purchase order 360: what was ordered, confirmed, announced, received and inspected, whom its lateness hurts, what was
said about it; and the supplier's sheet: how he delivered, and what is open with him."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from lianzao.foundation import lists, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.registry import RESOURCES
from lianzao.overviews.buying import chases_of, hurts_of
from lianzao.overviews.floor import told_asn
from lianzao.overviews.order_360 import named, named_item, stories
from lianzao.parties.models import Party
from lianzao.procurement import queries as procurement
from lianzao.procurement.models import (
    ArrivalChange,
    Asn,
    GoodsReceipt,
    PurchaseOrderLine,
    ScheduleLine,
    SupplierItem,
)
from lianzao.quality.models import Inspection
from lianzao.values.errors import NotFound
from lianzao.values.quantity import ZERO

#: How far back a supplier's deliveries are judged.
JUDGED = timedelta(days=183)


def purchase_360(by: Actor, order_id: UUID) -> dict[str, Any]:
    """Everything of one purchase order. Raises NotFound when it is not the viewer's."""
    head = lists.record(by, RESOURCES["procurement.purchase_order"], order_id)
    hidden = scope.masked_of(by, RESOURCES["procurement.purchase_order_line"])
    lines = list(
        scope.visible(by, PurchaseOrderLine)
        .filter(order_id=order_id)
        .select_related("item__base_unit")
        .order_by("sequence")
    )
    schedule = list(
        scope.visible(by, ScheduleLine).filter(line__order_id=order_id).order_by("line__sequence", "sequence")
    )
    ids = [each.id for each in schedule]
    hurts, chases = hurts_of(by, ids), chases_of(by, ids)
    changes: dict[UUID, list[dict[str, Any]]] = {}
    for each in scope.visible(by, ArrivalChange).filter(schedule_line_id__in=ids).order_by("said_at", "id"):
        changes.setdefault(each.schedule_line_id, []).append(
            {
                "id": each.id,
                "old_on": each.old_on,
                "new_on": each.new_on,
                "reason": each.reason,
                "said_by": each.said_by,
                "said_at": each.said_at,
            }
        )
    planned: dict[UUID, list[ScheduleLine]] = {}
    for each in schedule:
        planned.setdefault(each.line_id, []).append(each)
    receipts = _receipts(by, order_id)
    return {
        "order": head["row"],
        "actions": head["actions"],
        "links": head["links"],
        "lines": [
            {
                "id": line.id,
                "sequence": line.sequence,
                "item": named_item(by, line.item),
                "supplier_code": line.supplier_code,
                "quantity": line.quantity,
                "price": None if "price" in hidden else line.price,
                "amount": None if "amount" in hidden else line.amount,
                "status": line.status,
                "schedule": [
                    {
                        "id": each.id,
                        "sequence": each.sequence,
                        "status": each.status,
                        "quantity": each.quantity,
                        "open_quantity": each.open_quantity,
                        "required_on": each.required_on,
                        "confirmed_on": each.confirmed_on,
                        "expected_on": each.expected_on,
                        "announced_quantity": each.announced_quantity,
                        "received_quantity": each.received_quantity,
                        "rejected_quantity": each.rejected_quantity,
                        "days_late": max(0, (each.expected_on - each.required_on).days) if each.open_quantity else 0,
                        "hurts": hurts.get(each.id, []),
                        "changes": changes.get(each.id, []),
                        "chases": chases.get(each.id, []),
                    }
                    for each in planned.get(line.id, [])
                ],
            }
            for line in lines
        ],
        "notices": [
            told_asn(by, each)
            for each in scope.visible(by, Asn)
            .filter(purchase_order_id=order_id)
            .select_related("supplier")
            .prefetch_related("lines__schedule_line__line__item__base_unit")
            .order_by("eta_at")
        ],
        "receipts": receipts,
        "inspections": _inspections(by, [each["id"] for each in receipts]),
        "stories": stories(by, [order_id, *ids]),
    }


def _receipts(by: Actor, order_id: UUID) -> list[dict[str, Any]]:
    """What came of the order."""
    rows = (
        scope.visible(by, GoodsReceipt)
        .filter(purchase_order_id=order_id)
        .prefetch_related("lines__item__base_unit", "lines__lot")
        .order_by("-happened_at")
    )
    return [
        {
            "id": each.id,
            "number": each.number,
            "status": each.status,
            "happened_at": each.happened_at,
            "delivery_note": each.delivery_note,
            "lines": [
                {
                    "id": line.id,
                    "item": named_item(by, line.item),
                    "lot": None if line.lot is None else {"id": line.lot_id, "number": line.lot.number},
                    "quantity": line.quantity,
                    "rejected": line.rejected,
                    "announced_quantity": line.announced_quantity,
                    "difference_reason": line.difference_reason,
                }
                for line in each.lines.all()
            ],
        }
        for each in rows
    ]


def _inspections(by: Actor, receipt_ids: list[UUID]) -> list[dict[str, Any]]:
    """The inspections of what came."""
    if not receipt_ids or not by.may("quality.view_inspection"):
        return []
    received = GoodsReceipt.objects.filter(pk__in=receipt_ids, lines__lot__isnull=False)
    lots = set(received.values_list("lines__lot_id", flat=True))
    rows = scope.visible(by, Inspection).filter(lot_id__in=lots, point="receiving").select_related("item", "lot")
    return [
        {
            "id": each.id,
            "number": each.number,
            "status": each.status,
            "item": named(by, each.item),
            "lot": None if each.lot is None else each.lot.number,
            "decided_at": each.decided_at,
            "reason": each.reason,
        }
        for each in rows.order_by("created_at")
    ]


def rate(part: Any, whole: Any) -> float | None:
    """A share, None of nothing."""
    return round(float(part) / float(whole), 4) if whole else None


def supplier_sheet(by: Actor, supplier_id: UUID) -> dict[str, Any]:
    """A supplier: how he kept his word by the month, what is open with him, what he sells us, what was asked of him."""
    party = scope.visible(by, Party).filter(pk=supplier_id, is_supplier=True).first()
    if party is None:
        raise NotFound("not_found", entity="parties.party", id=str(supplier_id))
    open_ones = list(
        scope.visible(by, ScheduleLine)
        .filter(line__order__supplier_id=supplier_id, status__in=("open", "confirmed", "announced"))
        .filter(line__order__status="sent")
        .select_related("line__order", "line__item__base_unit")
        .order_by("expected_on")[:200]
    )
    hurts, chases = hurts_of(by, [each.id for each in open_ones]), chases_of(by, [each.id for each in open_ones])
    hidden = scope.masked_of(by, RESOURCES["procurement.supplier_item"])
    return {
        "supplier": named(by, party)
        | {"phone": party.phone, "email": party.email, "address": party.address, "transit_days": party.transit_days},
        "score": score(by, supplier_id),
        "open": [
            {
                "id": each.id,
                "number": each.label,
                "purchase_order": {"id": each.line.order_id, "number": each.line.order.number},
                "item": named_item(by, each.line.item),
                "open_quantity": each.open_quantity,
                "required_on": each.required_on,
                "expected_on": each.expected_on,
                "status": each.status,
                "days_late": max(0, (each.expected_on - each.required_on).days),
                "hurts": hurts.get(each.id, []),
                "chases": len(chases.get(each.id, [])),
            }
            for each in open_ones
        ],
        "items": [
            {
                "id": each.id,
                "item": named_item(by, each.item),
                "supplier_code": each.supplier_code,
                "price": None if "price" in hidden else each.price,
                "currency": each.currency,
                "lead_time_days": each.lead_time_days,
                "minimum": each.minimum,
                "preferred": each.preferred,
            }
            for each in scope.visible(by, SupplierItem)
            .filter(supplier_id=supplier_id)
            .select_related("item__base_unit")
            .order_by("item__code")[:100]
        ],
    }


def score(by: Actor, supplier_id: UUID) -> dict[str, Any]:
    """How a supplier delivered in half a year at the viewer's sites; rates of nothing are none."""
    sites = None if by.partner == supplier_id or not isinstance(by.sites, frozenset) else list(by.sites)
    months = procurement.supplier_months(supplier_id, by.now - JUDGED, sites)
    total = {
        name: sum((each[name] for each in months), ZERO)
        for name in ("receipts", "on_time", "as_announced", "quantity", "rejected")
    }
    late = sum((each["days_late"] * each["receipts"] for each in months), ZERO)
    return {
        "receipts": int(total["receipts"]),
        "on_time": rate(total["on_time"], total["receipts"]),
        "as_announced": rate(total["as_announced"], total["receipts"]),
        "rejected_ppm": None
        if not total["quantity"] + total["rejected"]
        else round(float(total["rejected"] / (total["quantity"] + total["rejected"])) * 1_000_000),
        "days_late": rate(late, total["receipts"]),
        "months": [
            {"month": each["month"], "receipts": each["receipts"], "on_time": rate(each["on_time"], each["receipts"])}
            for each in months
        ],
    }
