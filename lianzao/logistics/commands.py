"""The only writer of logistics: plan, pick and pack a shipment. What happens after the gate is in `transport.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from lianzao.access.models import Site
from lianzao.catalog import queries as catalog
from lianzao.catalog.models import Item
from lianzao.foundation import entity, link, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import READ, command
from lianzao.foundation.outbox import publish
from lianzao.inventory import commands as inventory
from lianzao.inventory.models import Lot, PendingMove
from lianzao.logistics import queries, rules
from lianzao.logistics.events import ShipmentCancelled, ShipmentPacked, ShipmentPicked, ShipmentPlanned
from lianzao.logistics.models import Package, PackageKind, Shipment, ShipmentLine, ShipmentPick, SsccRange
from lianzao.logistics.transport import dispatch_shipment, record_milestone, record_proof, return_shipment
from lianzao.parties import queries as parties
from lianzao.parties.models import Party
from lianzao.plant.models import Location
from lianzao.values.errors import Conflict, Invalid, RuleBroken
from lianzao.values.quantity import ZERO, Quantity
from lianzao.values.reference import Ref

__all__ = [
    "PackedPackage",
    "ShipLine",
    "cancel_shipment",
    "dispatch_shipment",
    "pack_shipment",
    "pick_shipment",
    "pick_shipment_line",
    "plan_shipment",
    "record_milestone",
    "record_proof",
    "return_shipment",
    "unpack_shipment",
    "unpick",
]


@dataclass(frozen=True)
class ShipLine:
    """What to ship of one thing (base unit): `source` is the sales order line it serves, `document` its order.

    `lot`: only this lot will do. `complete`: the customer takes it in one delivery only.
    """

    source: Ref
    item: Item
    quantity: Decimal
    label: str = ""
    document: Ref | None = None
    lot: Annotated[Lot, READ] | None = None
    complete: bool = False


@command
def plan_shipment(
    by: Actor,
    *,
    customer: Party,
    lines: list[ShipLine],
    due_on: date,
    site: Site | None = None,
    carrier: Party | None = None,
    address: str = "",
    note: str = "",
) -> Shipment:
    """Plan a shipment: what is to leave together for one customer, and by which local day."""
    parties.check_customer(customer)
    if carrier is not None:
        parties.check_carrier(carrier)
    if not lines:
        raise Invalid("field_missing", field="lines")
    site_id = by.site if site is None else site.id
    if site_id is None:
        raise Invalid("field_missing", field="site")
    shipment = Shipment(
        customer=customer,
        carrier=carrier,
        site_id=scope.check_site(by, site_id, "site"),
        due_on=due_on,
        address=address or customer.address,
        note=note,
    )
    shipment.save()
    entity.insert([_line(shipment, place, each) for place, each in enumerate(lines, 1)])
    served: dict[Ref, Decimal] = {}
    for each in lines:
        served[each.document or each.source] = served.get(each.document or each.source, ZERO) + each.quantity
    link.add_many([(source, shipment, quantity, "") for source, quantity in served.items()])
    items = tuple(dict.fromkeys(each.item.id for each in lines))
    publish(ShipmentPlanned(site_id, shipment.id, customer.id, shipment.number, due_on, items, (customer.id,)))
    return shipment


def _line(shipment: Shipment, sequence: int, given: ShipLine) -> ShipmentLine:
    if given.quantity <= 0:
        raise Invalid("quantity_not_positive", field="quantity", row=sequence)
    if given.lot is not None and given.lot.item_id != given.item.id:
        raise RuleBroken("lot_of_other_item", field="lot", row=sequence, lot=given.lot.number, item=given.item.code)
    return ShipmentLine(
        shipment=shipment,
        sequence=sequence,
        source_kind=given.source.kind,
        source_id=given.source.id,
        source_label=given.label,
        item=given.item,
        quantity=catalog.in_base_unit(given.item, Quantity(given.quantity, given.item.base_unit.code)),
        lot=given.lot,
        complete=given.complete,
    )


def _check_pickable(shipment: Shipment) -> None:
    if shipment.status not in ("planned", "picking"):
        raise Conflict("wrong_status", document=shipment.label, status=shipment.status, wanted="picking")


def _settle(shipment: Shipment) -> None:
    """Bring the state in step with what is picked; tells when everything is."""
    lines = list(shipment.lines.values_list("quantity", "picked_quantity"))
    shipment.status = rules.picking_status(lines)
    shipment.save()
    if all(picked == quantity for quantity, picked in lines):
        publish(ShipmentPicked(shipment.site_id, shipment.id, shipment.customer_id))


def _pick(by: Actor, line: ShipmentLine, quantity: Decimal, lot: Lot | None, location: Location) -> ShipmentPick:
    """Set the goods aside for the shipment, so that nobody else takes them. The caller saves the line."""
    line.picked_quantity = rules.check_pick(line.quantity, line.picked_quantity, quantity)
    if line.lot_id is not None and (lot is None or lot.id != line.lot_id):
        raise RuleBroken("other_lot_wanted", field="lot", lot=str(line.lot))
    reservation = inventory.reserve_stock(
        by, item=line.item, location=location, quantity=quantity, lot=lot, cause=line.shipment.ref
    )
    pick = ShipmentPick(
        line=line, lot=lot, location=location, quantity=quantity, reservation_id=reservation.id, picked_at=by.now
    )
    pick.save()
    return pick


def _free_for(by: Actor, lines: Sequence[ShipmentLine]) -> None:
    """What was set aside for the things a shipment serves is set aside for the shipment from now on."""
    for line in lines:
        inventory.void_pending(by, cause=Ref(line.source_kind, line.source_id))


@command
def pick_shipment_line(
    by: Actor,
    *,
    line: ShipmentLine,
    quantity: Decimal | None = None,
    lot: Annotated[Lot, READ] | None = None,
    location: Location | None = None,
) -> ShipmentLine:
    """Pick goods for a line: by scan of lot and location, or without them first expired first out.

    Without a quantity all that is still to pick. The goods are set aside for the shipment; they leave the books when it
    is dispatched. Raises RuleBroken("pick_short") when there is not enough.
    """
    shipment = entity.get(Shipment, line.shipment_id, lock=True)
    line.shipment = shipment
    _check_pickable(shipment)
    _free_for(by, [line])
    wanted = line.quantity - line.picked_quantity if quantity is None else quantity
    if wanted <= 0:
        raise Invalid("quantity_not_positive", field="quantity")
    if location is not None:
        _pick(by, line, wanted, lot, location)
    else:
        steps, _ = queries.pick_list(shipment.id, line.id)
        _pick_steps(by, line, [each for each in steps if lot is None or each.lot_id == lot.id], wanted)
    line.save()
    _settle(shipment)
    return line


def _pick_steps(by: Actor, line: ShipmentLine, steps: Sequence[queries.ToPick], wanted: Decimal) -> None:
    rest = wanted
    for each in steps:
        quantity = min(each.quantity, rest)
        if quantity <= 0:
            break
        lot = None if each.lot_id is None else entity.get(Lot, each.lot_id)
        _pick(by, line, quantity, lot, entity.get(Location, each.location_id))
        rest -= quantity
    if rest > 0:
        raise RuleBroken("pick_short", item=line.item.code, missing=rest)


@command(when={"status": ("planned", "picking")})
def pick_shipment(by: Actor, *, shipment: Shipment) -> Shipment:
    """Pick all that is there for a shipment, first expired first out. What is missing stays to be picked.

    Raises RuleBroken("nothing_to_pick") when nothing at all is there.
    """
    _check_pickable(shipment)
    lines = {each.id: each for each in shipment.lines.select_for_update(of=("self",)).select_related("item", "lot")}
    _free_for(by, list(lines.values()))
    steps, _ = queries.pick_list(shipment.id)
    if not steps:
        raise RuleBroken("nothing_to_pick", shipment=shipment.label)
    by_line: dict[UUID, list[queries.ToPick]] = {}
    for each in steps:
        by_line.setdefault(each.shipment_line_id, []).append(each)
    for id, found in by_line.items():
        lines[id].shipment = shipment
        _pick_steps(by, lines[id], found, sum((each.quantity for each in found), ZERO))
        lines[id].save()
    _settle(shipment)
    return shipment


@command
def unpick(by: Actor, *, pick: ShipmentPick) -> ShipmentLine:
    """Put picked goods back: they are free for others again."""
    line = entity.get(ShipmentLine, pick.line_id, lock=True)
    shipment = entity.get(Shipment, line.shipment_id, lock=True)
    _check_pickable(shipment)
    if pick.reservation_id is not None:
        inventory.void_reservation(by, reservation=entity.get(PendingMove, pick.reservation_id, lock=True))
    line.picked_quantity -= pick.quantity
    line.save()
    pick.delete()
    _settle(shipment)
    return line


@dataclass(frozen=True)
class PackedPackage:
    """A package and the picks in it; weight in kg, reckoned from the items when not given."""

    picks: list[ShipmentPick]
    kind: PackageKind = PackageKind.CARTON
    weight_kg: Decimal | None = None


@command(when={"status": ("picking",)})
def pack_shipment(
    by: Actor, *, shipment: Shipment, packages: list[PackedPackage] | None = None, short: bool = False
) -> Shipment:
    """Pack what was picked: into one package, or as said. Each gets its SSCC from the site's number range.

    Everything picked must be packed once. A shipment of which something is missing is packed only when `short` says so,
    and never short of a line its customer takes in one delivery only.
    """
    lines = list(shipment.lines.select_related("item").order_by("sequence"))
    picks = {
        each.id: each for each in ShipmentPick.objects.filter(line__shipment=shipment).select_related("line__item")
    }
    if not picks:
        raise RuleBroken("nothing_picked", shipment=shipment.label)
    for line in lines:
        missing = line.quantity - line.picked_quantity
        if missing > 0 and (line.complete or not short):
            raise RuleBroken("line_not_complete", line=line.label, missing=missing)
    wanted = _contents(picks, packages)
    codes = _ssccs(shipment.site_id, len(wanted))
    for place, (given, inside) in enumerate(wanted, 1):
        reckoned = rules.weight([(each.quantity, each.line.item.weight_kg) for each in inside])
        package = Package(
            shipment=shipment,
            sequence=place,
            package_kind=given.kind,
            sscc=codes[place - 1] if codes else None,
            weight_kg=reckoned if given.weight_kg is None else given.weight_kg,
        )
        package.save()
        for each in inside:
            each.package = package
            each.save()
    shipment.move_to("packed")
    shipment.save()
    publish(ShipmentPacked(shipment.site_id, shipment.id, shipment.customer_id, len(wanted), (shipment.customer_id,)))
    return shipment


def _contents(
    picks: dict[UUID, ShipmentPick], packages: list[PackedPackage] | None
) -> list[tuple[PackedPackage, list[ShipmentPick]]]:
    """What lies in which package; every pick exactly once."""
    if packages is None:
        return [(PackedPackage([]), list(picks.values()))]
    seen: set[UUID] = set()
    wanted: list[tuple[PackedPackage, list[ShipmentPick]]] = []
    for row, given in enumerate(packages, 1):
        ids = [each.id for each in given.picks]
        if not ids:
            raise Invalid("package_empty", field="packages", row=row)
        if any(id not in picks for id in ids):
            raise RuleBroken("pick_of_other_shipment", field="packages", row=row)
        if seen & set(ids) or len(set(ids)) < len(ids):
            raise RuleBroken("pick_packed_twice", field="packages", row=row)
        seen.update(ids)
        wanted.append((given, [picks[id] for id in ids]))
    if seen != set(picks):
        raise RuleBroken("picks_not_packed", field="packages", missing=len(picks) - len(seen))
    return wanted


def _ssccs(site_id: UUID, count: int) -> list[str]:
    """The next SSCCs of a site; none when the site has no GS1 prefix. Two packers wait for each other here."""
    numbers = SsccRange.objects.select_for_update().filter(site_id=site_id).first()
    if numbers is None:
        return []
    first = numbers.next_serial
    codes = [rules.sscc(numbers.extension, numbers.company_prefix, first + place) for place in range(count)]
    numbers.next_serial = first + count
    numbers.save()
    return codes


@command(when={"status": ("packed",)})
def unpack_shipment(by: Actor, *, shipment: Shipment) -> Shipment:
    """Open the packages again, to pick or pack differently. Their SSCCs are not used again."""
    shipment.move_to("picking")
    for package in shipment.packages.all():
        for pick in package.picks.all():
            pick.package = None
            pick.save()
        package.delete()
    shipment.save()
    return shipment


@command(when={"status": ("planned", "picking", "packed")})
def cancel_shipment(by: Actor, *, shipment: Shipment, why: str) -> Shipment:
    """Cancel a shipment that has not left; what was set aside for it is free again."""
    if not why.strip():
        raise Invalid("field_missing", field="why")
    shipment.move_to("cancelled")
    shipment.save()
    inventory.void_pending(by, cause=shipment.ref)
    items = tuple(dict.fromkeys(shipment.lines.order_by("sequence").values_list("item_id", flat=True)))
    publish(ShipmentCancelled(shipment.site_id, shipment.id, shipment.customer_id, items, why))
    return shipment
