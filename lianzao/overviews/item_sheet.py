"""An item on one page: what it consists of, where it is used, its revisions, how it is made, stock, suppliers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access.queries import site_zone
from lianzao.catalog.queries import units_of
from lianzao.engineering import queries as engineering
from lianzao.engineering.models import Bom, Routing, RoutingOperation
from lianzao.foundation import lists, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.registry import RESOURCES
from lianzao.inventory import queries as inventory
from lianzao.overviews.order_360 import named
from lianzao.procurement.models import SupplierItem
from lianzao.values.errors import Invalid, RuleBroken
from lianzao.values.time import local_date

#: A tree of more rows is not read by anybody; the page says that it was cut off.
MOST = 2_000
SUPPLIER_FIELDS = ("price", "minimum", "multiple", "lead_time_days", "share", "preferred")


def item_sheet(by: Actor, item_id: UUID, site_id: UUID, quantity: Decimal = Decimal(1)) -> dict[str, Any]:
    """Everything of an item at a site; the tree is for a quantity. Raises NotFound when the viewer may not see it."""
    if not Decimal(0) < quantity < Decimal(10) ** 12:
        raise Invalid("out_of_range", field="quantity")
    told = lists.record(by, RESOURCES["catalog.item"], item_id)
    may_engineer = by.may("engineering.view_bom")
    tree, whole = _tree(by, item_id, site_id, quantity) if may_engineer else ([], True)
    used = _used(by, item_id, site_id) if may_engineer else []
    ids = {item_id, *(each["item_id"] for each in tree), *(each["item_id"] for each in used)}
    units = units_of(ids, by.language)
    stock = _stock(by, site_id, ids)
    for each in (*tree, *used):
        each["unit"] = units.get(each["item_id"], "")
        each["available"] = stock.get(each["item_id"], {}).get("available")
    return {
        "item": told["row"],
        "unit": units.get(item_id, ""),
        "actions": told["actions"],
        "links": told["links"],
        "parts": told["parts"],
        "quantity": quantity,
        "tree": tree,
        "whole": whole,
        "used": used,
        "boms": _revisions(by, Bom, item_id, site_id) if may_engineer else [],
        "routings": _revisions(by, Routing, item_id, site_id) if by.may("engineering.view_routing") else [],
        "operations": _operations(by, item_id, site_id) if by.may("engineering.view_routing") else [],
        "stock": stock.get(item_id),
        "suppliers": _suppliers(by, item_id) if by.may("procurement.view_supplier_item") else [],
    }


def _tree(by: Actor, item_id: UUID, site_id: UUID, quantity: Decimal) -> tuple[list[dict[str, Any]], bool]:
    """The indented bill in effect today for a quantity, and whether it is shown whole."""
    try:
        rows = engineering.explode(item_id, quantity, local_date(by.now, site_zone(site_id)), site_id)
    except RuleBroken:  # more rows than can be told
        return [], False
    return [_said(by, each) for each in rows[:MOST]], len(rows) <= MOST


def _hidden(by: Actor, kind: str, *names: str) -> frozenset[str]:
    """Which of these columns of a kind the viewer may not read."""
    return scope.masked(by, kind, names, RESOURCES[kind].mask_names)


def _said(by: Actor, row: Any) -> dict[str, Any]:
    """A row of an explosion or of uses; its quantity only for who may read those of bills."""
    told = dataclasses.asdict(row)
    if _hidden(by, "engineering.bom_line", "quantity_per"):
        told |= {name: None for name in ("quantity", "quantity_per") if name in told}
    name, english = told.pop("name"), told.pop("name_en")
    return told | {"name": (english if by.language.startswith("en") else name) or name}


def _used(by: Actor, item_id: UUID, site_id: UUID) -> list[dict[str, Any]]:
    rows = engineering.where_used(item_id, local_date(by.now, site_zone(site_id)))
    return [_said(by, each) for each in rows[:MOST]]


def _stock(by: Actor, site_id: UUID, ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """Usable, held, set aside and free, for those who may see stock."""
    if not by.may("inventory.view_balance") or _hidden(by, "inventory.balance", "quantity"):
        return {}
    return {
        id: {"usable": each.usable, "held": each.held, "reserved": each.reserved, "available": each.available}
        for id, each in inventory.on_hand(site_id, sorted(ids)).items()
    }


def _revisions(by: Actor, model: type[Bom | Routing], item_id: UUID, site_id: UUID) -> list[dict[str, Any]]:
    """All revisions, the newest first, with the one that counts today."""
    on = local_date(by.now, site_zone(site_id))
    find = engineering.bom_in_effect if model is Bom else engineering.routing_in_effect
    current = find(item_id, on, site_id)
    rows = scope.visible(by, model).filter(item_id=item_id).order_by("-pk")[:MOST]
    return [
        {
            "kind": each.kind,
            "id": each.id,
            "code": each.code,
            "revision": each.revision,
            "effective_from": each.effective_from,
            "effective_until": each.effective_until,
            "approved_at": each.approved_at,
            "note": each.note,
            "site_id": each.site_id,
            "current": current is not None and each.id == current.id,
        }
        for each in rows
    ]


def _operations(by: Actor, item_id: UUID, site_id: UUID) -> list[dict[str, Any]]:
    """The operations of the routing that counts today."""
    routing = engineering.routing_in_effect(item_id, local_date(by.now, site_zone(site_id)), site_id)
    if routing is None or not scope.visible(by, Routing).filter(pk=routing.id).exists():
        return []
    english = by.language.startswith("en")
    return [_operation(each, english, by) for each in engineering.operations_of(routing.id)]


def _operation(each: RoutingOperation, english: bool, by: Actor) -> dict[str, Any]:
    return {
        "id": each.id,
        "sequence": each.sequence,
        "name": (each.name_en if english else each.name) or each.name,
        "work_center": None if each.work_center is None else named(by, each.work_center),
        "setup_minutes": each.setup_minutes,
        "run_minutes": each.run_minutes,
        "queue_minutes": each.queue_minutes,
        "inspect": each.inspect,
        "is_report_point": each.is_report_point,
    }


def _suppliers(by: Actor, item_id: UUID) -> list[dict[str, Any]]:
    """Who may be asked for it, the preferred first; prices for those who may see them."""
    rows = scope.found(
        by, SupplierItem,
        lambda rows, item: rows.filter(item_id=item).select_related("supplier")
        .order_by("-preferred", "supplier__code"),
        item_id,
    )  # fmt: skip
    hidden = _hidden(by, "procurement.supplier_item", *SUPPLIER_FIELDS)
    return [
        scope.mask_row(
            {
                "id": each.id,
                "supplier": named(by, each.supplier),
                "supplier_code": each.supplier_code,
                "currency": each.currency,
                **{name: getattr(each, name) for name in SUPPLIER_FIELDS},
            },
            hidden,
        )
        for each in rows
    ]
