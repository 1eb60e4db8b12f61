"""Commands of a work order's material: issued by hand, returned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from lianzao.foundation import audit, fetching
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import READ, command
from lianzao.foundation.entity import execute
from lianzao.foundation.outbox import publish
from lianzao.inventory import queries as inventory
from lianzao.inventory.commands import MoveLine, post_moves
from lianzao.inventory.models import Lot
from lianzao.plant.models import Location
from lianzao.plant.queries import virtual_location
from lianzao.production.events import MaterialIssued, MaterialReturned
from lianzao.production.models import WorkOrder, WorkOrderMaterial
from lianzao.values.errors import Conflict, Invalid, RuleBroken
from lianzao.values.quantity import ZERO


@dataclass(frozen=True)
class IssueLine:
    """So much of a material; the lot and place may be named, otherwise what expires first is taken."""

    material: WorkOrderMaterial
    quantity: Decimal | None = None
    lot: Annotated[Lot, READ] | None = None
    location: Location | None = None


@dataclass(frozen=True)
class ReturnLine:
    """So much of a material comes back, of which lot, to which place (by default where it is taken from)."""

    material: WorkOrderMaterial
    quantity: Decimal
    lot: Annotated[Lot, READ] | None = None
    location: Location | None = None


@dataclass(frozen=True)
class Issued:
    """What was issued of a material, and what was not there."""

    material_id: UUID
    item_id: UUID
    quantity: Decimal
    missing: Decimal


@command(when={"status": ("released", "started")}, offline=True)
def issue_material(
    by: Actor,
    *,
    work_order: WorkOrder,
    lines: list[IssueLine] | None = None,
    partial: bool = False,
    happened_at: datetime | None = None,
) -> list[Issued]:
    """Issue material to a work order: the lines named, or all that is outstanding and not deducted by reports.

    Lots are taken first-expired-first-out where none is named, from the material's place, then from other stores.
    `partial`: issue what is there; otherwise a shortage refuses the whole.
    """
    _refuse_unless_open(work_order)
    wanted = lines if lines is not None else _outstanding(work_order)
    if not wanted:
        raise RuleBroken("nothing_to_issue", document=work_order.number)
    piles = inventory.available_piles(
        work_order.site_id, [line.material.item_id for line in wanted], None, at=by.now, mine=work_order.id
    )
    target = virtual_location(work_order.site_id, "production")
    moves: list[MoveLine] = []
    answers: list[Issued] = []
    taken: dict[tuple[UUID, UUID | None, UUID], Decimal] = {}
    for row, line in enumerate(wanted, 1):
        _refuse_foreign(work_order, line.material, row)
        quantity = _open(line.material) if line.quantity is None else line.quantity
        picks, missing = _picks(line, quantity, piles[line.material.item_id], taken)
        if missing and not partial:
            raise RuleBroken("material_short", row=row, document=work_order.number, item=line.material.item.code,
                             missing=missing)  # fmt: skip
        moves += [
            MoveLine(line.material.item_id, amount, place, target, lot, happened_at=happened_at)
            for lot, place, amount in picks
        ]
        answers.append(Issued(line.material.id, line.material.item_id, quantity - missing, missing))
    if not moves:
        raise RuleBroken("nothing_to_issue", document=work_order.number)
    post_moves(by, moves=moves, cause=work_order.ref)
    _add_issued({each.material_id: each.quantity for each in answers if each.quantity}, by)
    publish(MaterialIssued(work_order.site_id, work_order.id, tuple(dict.fromkeys(move.item_id for move in moves))))
    return answers


def _refuse_unless_open(order: WorkOrder) -> None:
    if order.status not in ("released", "started", "completed"):
        raise Conflict("wrong_status", document=order.number, status=order.status, wanted="released")


def _refuse_foreign(order: WorkOrder, material: WorkOrderMaterial, row: int) -> None:
    if material.work_order_id != order.id:
        raise RuleBroken("material_of_other_order", row=row, document=order.number)


def _open(material: WorkOrderMaterial) -> Decimal:
    return max(material.required_quantity - material.issued_quantity, ZERO)


def _outstanding(order: WorkOrder) -> list[IssueLine]:
    found = fetching.matching(WorkOrderMaterial, "id", along="item", lock=True, work_order_id=order.id, backflush=False)
    return [IssueLine(each) for each in found if _open(each) > 0]


def _picks(
    line: IssueLine,
    quantity: Decimal,
    piles: Sequence[inventory.Pile],
    taken: dict[tuple[UUID, UUID | None, UUID], Decimal],
) -> tuple[list[tuple[UUID | None, UUID, Decimal]], Decimal]:
    """Lots, places and amounts for one line, and what is missing. `taken` remembers what earlier lines took."""
    if quantity <= 0:
        raise Invalid("quantity_not_positive", field="quantity")
    item = line.material.item_id
    place = None if line.location is None else line.location.id
    if line.lot is not None and place is not None:
        # Named outright: the ledger says whether it is there and may be used.
        return [(line.lot.id, place, quantity)], ZERO
    preferred = line.material.source_id
    fitting = [
        pile
        for pile in piles
        if (line.lot is None or pile.lot_id == line.lot.id) and (place is None or pile.location_id == place)
    ]
    if line.lot is not None and not fitting and preferred is not None:
        return [(line.lot.id, preferred, quantity)], ZERO
    picks: list[tuple[UUID | None, UUID, Decimal]] = []
    left = quantity
    for pile in sorted(fitting, key=lambda pile: pile.location_id != preferred):
        key = (item, pile.lot_id, pile.location_id)
        amount = min(left, pile.available - taken.get(key, ZERO))
        if amount > 0:
            picks.append((pile.lot_id, pile.location_id, amount))
            taken[key] = taken.get(key, ZERO) + amount
            left -= amount
    return picks, left


ADD_ISSUED = """
UPDATE production_work_order_material m
SET issued_quantity = m.issued_quantity + u.quantity, version = m.version + 1, updated_at = %s, updated_by = %s::uuid
FROM unnest(%s::uuid[], %s::numeric[]) AS u(id, quantity)
WHERE m.id = u.id
RETURNING m.id, m.issued_quantity - u.quantity, m.issued_quantity
"""


def _add_issued(quantities: dict[UUID, Decimal], by: Actor) -> None:
    """Write down what materials were used, with one statement."""
    ids = sorted(quantities)
    for id, before, after in execute(ADD_ISSUED, [by.now, by.id, ids, [quantities[each] for each in ids]]):
        audit.note("production.work_order_material", id, {"issued_quantity": before}, {"issued_quantity": after})


NET_ISSUED = """
SELECT coalesce(sum(CASE WHEN t.location_kind = 'production' THEN m.quantity ELSE -m.quantity END), 0)
FROM inventory_move m
JOIN plant_location s ON s.id = m.source_id
JOIN plant_location t ON t.id = m.target_id
WHERE m.cause_id = %s AND m.item_id = %s AND m.lot_id IS NOT DISTINCT FROM %s::uuid
  AND 'production' IN (s.location_kind, t.location_kind)
"""


@command(when={"status": ("released", "started", "completed")}, offline=True)
def return_material(
    by: Actor, *, work_order: WorkOrder, lines: list[ReturnLine], happened_at: datetime | None = None
) -> WorkOrder:
    """Bring back material that a work order did not use. No more of a lot can come back than went in."""
    _refuse_unless_open(work_order)
    source = virtual_location(work_order.site_id, "production")
    moves: list[MoveLine] = []
    back: dict[UUID, Decimal] = {}
    asked: dict[tuple[UUID, UUID | None], Decimal] = {}
    for row, line in enumerate(lines, 1):
        material = line.material
        _refuse_foreign(work_order, material, row)
        if line.quantity <= 0:
            raise Invalid("quantity_not_positive", field="quantity", row=row)
        lot = None if line.lot is None else line.lot.id
        key = (material.item_id, lot)
        asked[key] = asked.get(key, ZERO) + line.quantity
        went_in = execute(NET_ISSUED, [work_order.id, material.item_id, lot])[0][0]
        if asked[key] > went_in or line.quantity > material.issued_quantity:
            raise RuleBroken("returned_too_much", row=row, item=material.item.code, issued=went_in, wanted=asked[key])
        place = material.source_id if line.location is None else line.location.id
        if place is None:
            raise Invalid("field_missing", field="location", row=row)
        moves.append(MoveLine(material.item_id, line.quantity, source, place, lot, happened_at=happened_at))
        back[material.id] = back.get(material.id, ZERO) - line.quantity
    post_moves(by, moves=moves, cause=work_order.ref)
    _add_issued(back, by)
    publish(MaterialReturned(work_order.site_id, work_order.id, tuple(dict.fromkeys(move.item_id for move in moves))))
    return work_order
