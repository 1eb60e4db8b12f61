"""Is the kit complete? What the orders that begin soon still take, from where, and what is missing on which day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access.queries import site_zone
from lianzao.catalog.queries import units_of
from lianzao.foundation import lists, packing, scope
from lianzao.foundation.actor import Actor
from lianzao.overviews.order_360 import named_item, purchases, told_message
from lianzao.planning import queries as planning
from lianzao.planning.models import ActionMessage, Proposal, Shortage
from lianzao.production.models import WorkOrder
from lianzao.values.time import local_date, start_of_day

#: So many days ahead, and so many orders at most.
DAYS, MOST = 14, 200
STOCK = "catalog.item"
#: From good to bad; a kit stands as its worst part.
STATES = ("complete", "coming", "late", "never")


def kitting(by: Actor, site_id: UUID) -> dict[str, Any]:
    """The orders of the next fourteen days with their kits, the worst first; what is missing by item and day.

    Those that begin within these days, and those that should and cannot, because the plan has them wait for material.

    A part is `complete` (all of it is in stock), `coming` (the rest comes when it is needed), `late` (the plan had to
    wait for it: it comes after the order should begin), or `never` (nothing covers it). A kit stands as its worst part.
    """
    zone = site_zone(site_id)
    first = local_date(by.now, zone)
    days = [first + timedelta(days=number) for number in range(DAYS)]
    until = start_of_day(days[-1] + timedelta(days=1), zone)
    shortages = scope.found(
        by, Shortage,
        lambda rows, site: rows.filter(site_id=site).select_related("item__base_unit").order_by("need_at", "pk"),
        site_id,
    )  # fmt: skip
    waiting = {each.consumer_id for each in shortages if each.consumer_id is not None and each.need_at < until}
    begun = planning.starts(site_id, until, sorted(waiting), MOST)
    orders = _orders(by, site_id, begun)
    kits = planning.kits(site_id, [each["id"] for each in orders])
    supplies = {(each["supply_kind"], each["supply_id"]) for each in kits if each["supply_kind"] != STOCK}
    parts = _parts(by, kits, shortages, numbers_of(by, supplies))
    messages = scope.found(
        by, ActionMessage,
        lambda rows, site, ids: rows.filter(site_id=site, subject_id__any=ids, status="open")
        .select_related("partner", "item__base_unit").order_by("to_at"),
        site_id, packing.array(sorted(id for _, id in supplies)),
    )  # fmt: skip
    rows = sorted(
        (_told(each, parts.get(each["id"], [])) for each in orders), key=lambda each: -STATES.index(each["state"])
    )
    return {
        "orders": rows,
        "states": {state: sum(each["state"] == state for each in rows) for state in STATES},
        "remedies": [told_message(by, each) for each in messages],
        "days": days,
        "missing": missing(by, shortages, days, zone),
        "more": len(begun) == MOST,
    }


def _orders(by: Actor, site_id: UUID, begun: dict[UUID, tuple[str, datetime, datetime]]) -> list[dict[str, Any]]:
    """The work orders and planned orders among these that the viewer may see, in the order of their starts."""
    ids = packing.array(list(begun))
    found: list[dict[str, Any]] = [
        {
            "kind": "production.work_order", "id": each.id, "number": each.number, "status": each.status,
            "item": named_item(by, each.item), "quantity": each.quantity, "due_at": each.due_at,
        }
        for each in scope.found(
            by, WorkOrder,
            lambda rows, site, ids: rows.filter(site_id=site, pk__any=ids).select_related("item__base_unit"),
            site_id, ids,
        )
    ] if by.may("production.view_work_order") else []  # fmt: skip
    found += [
        {
            "kind": "planning.proposal", "id": each.id, "number": each.number, "status": each.status,
            "item": named_item(by, each.item), "quantity": each.quantity, "due_at": each.need_at,
        }
        for each in scope.found(
            by, Proposal,
            lambda rows, site, ids: rows.filter(site_id=site, pk__any=ids, status="open", kind_of_order="make")
            .select_related("item__base_unit"),
            site_id, ids,
        )
    ]  # fmt: skip
    for each in found:
        _, each["start_at"], each["finish_at"] = begun[each["id"]]
    return sorted(found, key=lambda each: (each["start_at"], each["number"]))


def numbers_of(by: Actor, refs: set[tuple[str, UUID]]) -> dict[tuple[str, UUID], str]:
    """What people call these papers, those the viewer may see."""
    known = lists.labels_of(by, sorted(refs, key=str))
    bought = purchases(by, {id for kind, id in known if kind == "procurement.schedule_line"})
    return {each: bought.get(each[1], label)["number"] for each, label in known.items()}


def _parts(
    by: Actor, kits: list[dict[str, Any]], shortages: list[Shortage], numbers: dict[tuple[str, UUID], str]
) -> dict[UUID, list[dict[str, Any]]]:
    """The parts of each order's kit with what they come from."""
    short: dict[tuple[UUID, UUID], list[Shortage]] = {}
    for each in shortages:
        if each.consumer_id is not None:
            short.setdefault((each.consumer_id, each.item_id), []).append(each)
    orders = {each["order_id"] for each in kits}
    units = units_of({each["item_id"] for each in kits}, by.language)
    english = by.language.startswith("en")
    made: dict[tuple[UUID, UUID], dict[str, Any]] = {}
    for each in kits:
        item = {
            "id": each["item_id"],
            "code": each["item_code"],
            "name": (each["item_name_en"] if english else each["item_name"]) or each["item_name"],
            "unit": units.get(each["item_id"], ""),
        }
        part = made.setdefault((each["order_id"], each["item_id"]), _part(item, each["need_at"]))
        part["quantity"] += each["quantity"]
        part["need_at"] = min(part["need_at"], each["need_at"])
        if each["supply_kind"] == STOCK:
            part["in_stock"] += each["quantity"]
            continue
        part["state"] = "coming"
        part["ready_at"] = max(part["ready_at"] or each["ready_at"], each["ready_at"])
        supply = (each["supply_kind"], each["supply_id"])
        part["supplies"].append(
            {
                "kind": supply[0],
                "id": supply[1],
                "number": numbers.get(supply),
                "quantity": each["quantity"],
                "ready_at": each["ready_at"],
            }
        )
    for (order_id, item_id), causes in short.items():
        if order_id not in orders:
            continue
        part = made.setdefault((order_id, item_id), _part(named_item(by, causes[0].item), causes[0].need_at))
        part["state"] = "late"
        part["need_at"] = min(part["need_at"], *(each.need_at for each in causes))
        for each in causes:
            if each.ready_at is None:
                part["state"] = "never"
                part["never"] += each.quantity
                part["quantity"] += each.quantity
    parts: dict[UUID, list[dict[str, Any]]] = {}
    for (order_id, _), part in made.items():
        parts.setdefault(order_id, []).append(part)
    return parts


def _part(item: dict[str, Any], need_at: datetime) -> dict[str, Any]:
    return {
        "item": item,
        "quantity": Decimal(0),
        "in_stock": Decimal(0),
        "never": Decimal(0),
        "need_at": need_at,
        "ready_at": None,
        "state": "complete",
        "supplies": [],
    }


def _told(order: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """An order with its kit: what is not in stock first, the worst first."""
    ready = [each["ready_at"] for each in parts if each["ready_at"]]
    state = max((each["state"] for each in parts), key=STATES.index, default="complete")
    return order | {
        "state": state,
        "complete_at": None if state == "never" or not ready else max(ready),
        "parts": sorted(parts, key=lambda each: (-STATES.index(each["state"]), each["need_at"], each["item"]["code"])),
    }


def missing(by: Actor, shortages: list[Shortage], days: list[date], zone: str) -> list[dict[str, Any]]:
    """How much of each item is missing at the end of each day: needed by then, and not there until later or never."""
    rows: dict[UUID, dict[str, Any]] = {}
    for each in shortages:
        needed = local_date(each.need_at, zone)
        ready = None if each.ready_at is None else local_date(each.ready_at, zone)
        if needed > days[-1] or (ready is not None and ready <= days[0]):
            continue
        row = rows.setdefault(
            each.item_id, {"item": named_item(by, each.item), "amounts": [Decimal(0)] * len(days), "causes": []}
        )
        for place, day in enumerate(days):
            if needed <= day and (ready is None or day < ready):
                row["amounts"][place] += each.quantity
        row["causes"].append(
            {
                "quantity": each.quantity, "need_at": each.need_at, "ready_at": each.ready_at,
                "consumer": _ref(each.consumer_kind, each.consumer_id, each.consumer_number),
                "demand": _ref(each.demand_kind, each.demand_id, each.demand_number),
                "supply": _ref(each.supply_kind, each.supply_id, each.supply_number),
            }
        )  # fmt: skip
    found = [each for each in rows.values() if any(each["amounts"])]
    first = {each["item"]["id"]: next(place for place, of in enumerate(each["amounts"]) if of) for each in found}
    return sorted(found, key=lambda each: (first[each["item"]["id"]], each["item"]["code"]))


def _ref(kind: str, id: UUID | None, number: str) -> dict[str, Any] | None:
    return None if not kind else {"kind": kind, "id": id, "number": number}
