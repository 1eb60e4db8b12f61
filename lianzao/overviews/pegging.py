"""What serves a document and what it serves, level by level; for an item, which supply goes to which need."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from lianzao.catalog.queries import units_of
from lianzao.foundation import lists, packing, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.registry import RESOURCES
from lianzao.overviews.order_360 import chain, named, purchases, told_outlook
from lianzao.planning import queries as planning
from lianzao.planning.models import Outlook
from lianzao.sales.models import SalesOrderLine
from lianzao.values.errors import Invalid, NotAllowed

LINE, ITEM, DELIVERY = "sales.sales_order_line", "catalog.item", "procurement.schedule_line"
#: The papers that are pegged.
KINDS = (
    LINE, ITEM, DELIVERY, "procurement.purchase_requisition", "production.work_order", "planning.proposal",
)  # fmt: skip
MOST = 500
UNNAMED: dict[str, Any] = {"number": None, "name": "", "status": None}


def pegging(by: Actor, kind: str, id: UUID, site_id: UUID) -> dict[str, Any]:
    """Both ways from a document. Raises NotFound when the viewer may not see it, Invalid for a kind never pegged."""
    if kind not in KINDS:
        raise Invalid("not_a_choice", field="kind")
    if not by.may(RESOURCES[kind].view_right):
        raise NotAllowed("not_allowed", right=RESOURCES[kind].view_right)
    lists.record(by, RESOURCES[kind], id)
    label = _labels(by, {(kind, id)})[kind, id]
    subject = {"kind": kind, "id": id, **label, "line": _lines(by, [id]).get(id) if kind == LINE else None}
    if kind == ITEM:
        pegs = planning.pegs_of_item(site_id, id, MOST)
        return {"subject": subject, "under": [], "over": [], "pegs": _told(by, pegs), "more": len(pegs) == MOST}
    return {
        "subject": subject,
        "under": chain(by, id),
        "over": _told(by, planning.pegs_over(id)),
        "pegs": [],
        "more": False,
    }


def _told(by: Actor, pegs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pegs with their papers by number; a customer's line with who ordered it, what was promised and what comes."""
    refs = {(each[f"{end}_kind"], each[f"{end}_id"]) for each in pegs for end in ("supply", "consumer")}
    labels = _labels(by, {each for each in refs if each[0] != ITEM})
    lines = _lines(by, [id for kind, id in refs if kind == LINE])
    units = units_of({each["item_id"] for each in pegs}, by.language)
    english = by.language.startswith("en")
    made: list[dict[str, Any]] = []
    for each in pegs:
        supply, consumer = ((each[f"{end}_kind"], each[f"{end}_id"]) for end in ("supply", "consumer"))
        made.append(
            {
                "depth": each["depth"],
                "supply": {"kind": supply[0], "id": supply[1], **labels.get(supply, UNNAMED)},
                "consumer": {"kind": consumer[0], "id": consumer[1], **labels.get(consumer, UNNAMED)},
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
                "line": lines.get(consumer[1]),
            }
        )
    return made


def _labels(by: Actor, refs: set[tuple[str, UUID]]) -> dict[tuple[str, UUID], dict[str, Any]]:
    """Number, name and state of documents; what the viewer may not see has none of them."""
    known = lists.labels_of(by, sorted(refs, key=str))
    deliveries = purchases(by, {id for kind, id in known if kind == DELIVERY})
    lines = _lines(by, [id for kind, id in known if kind == LINE])
    told: dict[tuple[str, UUID], dict[str, Any]] = {}
    for each in refs:
        told[each] = UNNAMED | {name: value for name, value in known.get(each, {}).items() if name in UNNAMED}
        if each[1] in deliveries:
            told[each]["number"] = deliveries[each[1]]["number"]
        elif each[1] in lines:
            told[each]["number"] = lines[each[1]]["number"]
    return told


def _lines(by: Actor, ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    """Lines of sales orders the viewer may see, with their outlook."""
    if not ids or not by.may("sales.view_sales_order"):
        return {}
    every = packing.array(sorted(ids))
    outlooks: dict[UUID, Outlook] = planning.outlooks_of(sorted(ids)) if by.may("planning.view_outlook") else {}
    return {
        each.id: {
            "order_id": each.order_id,
            "number": f"{each.order.number}/{each.sequence}",
            "customer": named(by, each.order.customer),
            "priority": each.order.priority,
            "promised_on": each.promised_on,
            "requested_on": each.requested_on,
            "outlook": told_outlook(by, outlooks[each.id]) if each.id in outlooks else None,
        }
        for each in scope.found(
            by, SalesOrderLine, lambda rows, ids: rows.filter(pk__any=ids).select_related("order__customer"), every
        )
    }
