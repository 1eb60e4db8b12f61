"""The papers and labels we print: what each may say of its record, as far as the viewer may see it."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model

from lianzao.access import queries as access
from lianzao.foundation import registry, scope, words
from lianzao.foundation.actor import Actor
from lianzao.foundation.printing import PAPERS, Paper, paper
from lianzao.inventory.models import Balance, Lot
from lianzao.logistics.models import Shipment, ShipmentPick
from lianzao.overviews.order_360 import named, named_item
from lianzao.plant.models import Location
from lianzao.procurement.models import Asn
from lianzao.production.models import WorkOrder
from lianzao.values import gs1
from lianzao.values.errors import NotFound
from lianzao.values.quantity import ZERO

M = TypeVar("M", bound=Model)


def _one(by: Actor, model: type[M], id: UUID, *along: str) -> M:
    """The record, if the viewer may see it. Raises NotFound."""
    rows = scope.visible(by, model).filter(pk=id)
    found = (rows.select_related(*along) if along else rows).first()
    if found is None:
        raise NotFound("not_found", entity=model._meta.label_lower, id=str(id))
    return found


def _around(by: Actor, site_id: UUID | None) -> dict[str, Any]:
    """What every paper may name: the site and its clock, when and by whom it is printed."""
    site = None if site_id is None else access.site(site_id)
    return {
        "site": "" if site is None else site.said(by.language),
        "time_zone": "UTC" if site is None else site.time_zone,
        "printed_at": by.now,
        "printed_by": by.name,
    }


def traveller(by: Actor, id: UUID) -> dict[str, Any]:
    """A work order with its operations, each with a code to scan, and its materials."""
    order = _one(by, WorkOrder, id, "item__base_unit", "lot")
    english = by.language.startswith("en")
    return _around(by, order.site_id) | {
        "number": order.number,
        "item": named_item(by, order.item),
        "quantity": order.quantity,
        "lot": "" if order.lot is None else order.lot.number,
        "start_at": order.planned_start_at or order.start_at,
        "due_at": order.due_at,
        "note": order.note,
        "operations": [
            {
                "sequence": each.sequence,
                "code": f"{order.number}/{each.sequence}",
                "name": (each.name_en if english else each.name) or each.name,
                "work_center": None if each.work_center is None else named(by, each.work_center),
                "setup_minutes": each.setup_minutes,
                "run_minutes": each.run_minutes,
                "start_at": each.planned_start_at,
                "inspect": each.inspect,
                "instruction": each.instruction,
            }
            for each in order.operations.select_related("work_center").order_by("sequence")  # type: ignore[attr-defined]
        ],
        "materials": [
            {
                "position": each.position,
                "item": named_item(by, each.item),
                "required": each.required_quantity,
                "issued": each.issued_quantity,
                "place": None if each.source is None else named(by, each.source),
            }
            for each in order.materials.select_related("item__base_unit", "source").order_by("position")  # type: ignore[attr-defined]
        ],
    }


def shipment(by: Actor, id: UUID) -> dict[str, Any]:
    """A shipment: to whom, what of which lot, in which packages; of what was picked, else of what is planned."""
    found = _one(by, Shipment, id, "customer", "carrier")
    lots: dict[UUID, list[dict[str, Any]]] = {}
    if by.partner is None:
        picks = ShipmentPick.objects.filter(line__shipment=found, lot__isnull=False).select_related("lot")
        for each in picks.order_by("pk"):
            if each.lot is not None:
                lots.setdefault(each.line_id, []).append({"number": each.lot.number, "quantity": each.quantity})
    packages = list(found.packages.order_by("sequence"))
    gone = found.status not in ("planned", "picking")
    return _around(by, found.site_id) | {
        "number": found.number,
        "customer": named(by, found.customer),
        "address": found.address or found.customer.address,
        "carrier": None if found.carrier is None else named(by, found.carrier),
        "tracking_number": found.tracking_number,
        "dispatched_at": found.dispatched_at,
        "eta_at": found.eta_at,
        "delivered_at": found.delivered_at,
        "receiver": found.receiver,
        "lines": [
            {
                "sequence": line.sequence,
                "item": named_item(by, line.item),
                "order": line.source_label,
                "quantity": line.picked_quantity if gone else line.quantity,
                "lots": lots.get(line.id, []),
            }
            for line in found.lines.select_related("item__base_unit").order_by("sequence")
            if not gone or line.picked_quantity > 0
        ],
        "packages": [
            {
                "sequence": each.sequence,
                "of": len(packages),
                "sscc": each.sscc or "",
                "kind": words.title(by.language, f"logistics.package.package_kind.{each.package_kind}"),
                "weight": each.weight_kg,
                "gs1": f"]C1{gs1.element_string({'00': each.sscc})}" if each.sscc else each.label,
                "gs1_shown": gs1.shown({"00": each.sscc}) if each.sscc else each.label,
            }
            for each in packages
        ],
    }


def lot_label(by: Actor, id: UUID) -> dict[str, Any]:
    """A lot, with what of it stands at the sites the viewer sees."""
    lot = _one(by, Lot, id, "item__base_unit")
    standing = scope.visible(by, Balance).filter(lot=lot).values_list("quantity", flat=True)
    return _around(by, by.site) | {
        "number": lot.number,
        "item": named_item(by, lot.item),
        "quantity": sum(standing, ZERO),
        "made_at": lot.made_at,
        "expires_on": lot.expires_on,
        "supplier_lot": lot.supplier_lot,
        "status": words.title(by.language, f"choice.{lot.status}"),
    }


def location_label(by: Actor, id: UUID) -> dict[str, Any]:
    """A place."""
    place = _one(by, Location, id)
    return _around(by, place.site_id) | {"code": place.code, "name": place.said(by.language)}


def notice(by: Actor, id: UUID) -> dict[str, Any]:
    """A shipment notice: a label for each line, with a GS1 code of its SSCC, lot and quantity."""
    asn = _one(by, Asn, id, "supplier", "purchase_order")
    lines = list(asn.lines.select_related("schedule_line__line__item__base_unit").order_by("sequence"))
    return _around(by, asn.site_id) | {
        "number": asn.number,
        "supplier": named(by, asn.supplier),
        "order": asn.purchase_order.number,
        "eta_at": asn.eta_at,
        "lines": [
            {
                "of": len(lines),
                "item": named_item(by, each.schedule_line.line.item),
                "lot": each.lot_number,
                "quantity": each.quantity,
                "expires_on": each.expires_on,
            }
            | _coded(each.sscc, each.lot_number, each.quantity, asn.number)
            for each in lines
        ],
    }


def _coded(sscc: str, lot: str, quantity: Any, number: str) -> dict[str, str]:
    """What the bars of a supplier's label say: package, lot, and the count if it is whole; else the notice's number."""
    parts: dict[str, str] = {}
    if len(sscc) == 18:
        parts["00"] = sscc
    if lot and len(lot) <= 20 and lot.isascii() and lot.isprintable():
        parts["10"] = lot
    if parts and quantity == quantity.to_integral_value() and quantity < 10**8:
        parts["37"] = f"{quantity:.0f}"
    if not parts:
        return {"gs1": number, "gs1_shown": number}
    return {"gs1": f"]C1{gs1.element_string(parts)}", "gs1_shown": gs1.shown(parts)}


paper(Paper("work_order_traveller", "production.work_order", "production.view_work_order", traveller))
paper(Paper("delivery_note", "logistics.shipment", "logistics.view_shipment", shipment, for_partners=True))
paper(Paper("package_label", "logistics.shipment", "logistics.view_shipment", shipment))
paper(Paper("lot_label", "inventory.lot", "inventory.view_lot", lot_label))
paper(Paper("location_label", "plant.location", "plant.view_location", location_label))
paper(Paper("notice_label", "procurement.asn", "procurement.view_asn", notice, for_partners=True))


def printable(by: Actor, kind: str) -> list[dict[str, str]]:
    """The papers of a kind of record the viewer may print."""
    return [
        {"paper": each.name, "title": words.say(f"{each.words}.{each.name}", by.language)}
        for each in PAPERS.values()
        if each.kind == kind and by.may(each.right) and (by.partner is None or each.for_partners)
    ]


def latest(by: Actor, kind: str) -> UUID | None:
    """A record to try a layout on: the newest of its kind the viewer may see."""
    return scope.visible(by, registry.model_of(kind)).order_by("-id").values_list("pk", flat=True).first()
