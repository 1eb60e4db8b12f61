"""Commands of the material check (上料防错): a lot is held against a job before it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from lianzao.catalog.queries import item_codes
from lianzao.engineering.queries import other_revision_using
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import READ, command
from lianzao.foundation.entity import execute
from lianzao.foundation.outbox import publish
from lianzao.inventory import queries as inventory
from lianzao.plant.queries import local_day
from lianzao.production import floor_rules, rules
from lianzao.production.events import MaterialChecked
from lianzao.production.floor_models import MaterialCheck, Verdict
from lianzao.production.models import WorkOrder, WorkOrderMaterial, WorkOrderOperation
from lianzao.values.errors import Conflict, Invalid

#: What carries the scanned code: lots by our number or the supplier's, and items whose code is on the box.
#: What one of the wanted items carries comes first: a supplier's number may stand for lots of several items.
SCANNED = """
SELECT l.item_id, l.id, l.number, l.status, l.expires_on,
       coalesce((SELECT sum(b.quantity) FROM inventory_balance b WHERE b.lot_id = l.id AND b.site_id = %(site)s), 0),
       l.expires_on >= %(today)s IS NOT FALSE AND l.status = 'usable' AS fit
FROM inventory_lot l WHERE l.number = %(code)s OR (l.supplier_lot = %(code)s AND l.supplier_lot <> '')
UNION ALL
SELECT i.id, NULL, i.code, 'usable', NULL,
       coalesce((SELECT sum(b.quantity) FROM inventory_balance b WHERE b.item_id = i.id AND b.site_id = %(site)s), 0),
       true
FROM catalog_item i WHERE i.code = %(code)s AND i.tracking = 'none'
"""


@dataclass(frozen=True)
class Checked:
    """What came of a check. `item`, `lot`: what was scanned, by code and number; `reason`: why it is held.

    `elsewhere`: the lot is right, but the books do not have it at the line: bring it, or book the move.
    """

    id: UUID
    verdict: str
    right: bool
    item: str
    lot: str
    reason: str
    elsewhere: bool
    expires_on: str
    wanted: list[str]


@command(when={"status": ("waiting", "started")})
def check_material(
    by: Actor,
    *,
    operation: Annotated[WorkOrderOperation, READ],
    code: str,
    happened_at: datetime | None = None,
) -> Checked:
    """Check whether a scanned lot (or the box of an item without lots) may be used at a job.

    Wrong item, another revision's item, held, expired, used up or unknown: the check is kept as a fact, whatever came
    of it. Reports of this work order take from the lot last found right first.
    """
    at = happened_at or by.now
    rules.check_time(at, by.now)
    code = code.strip()
    if not code:
        raise Invalid("field_missing", field="code")
    if len(code) > 80:
        raise Invalid("too_long", field="code", most=80)
    order = WorkOrder.objects.get(pk=operation.work_order_id)
    if order.status not in ("released", "started"):
        raise Conflict("wrong_status", document=order.number, status=order.status, wanted="started")
    materials = _materials_at(operation)
    found = _best(order, materials, code, at)
    right = found.verdict == Verdict.RIGHT
    material = next((each for each in materials if each.item_id == found.item_id), None) if found.item_id else None
    check = MaterialCheck(
        site_id=order.site_id, work_order=order, operation=operation, material=material, lot_id=found.lot_id,
        scanned=code, verdict=found.verdict, person_id=by.id, station_id=by.station, happened_at=at,
    )  # fmt: skip
    check.save()
    if right and material is not None and found.lot_id is not None and material.checked_lot_id != found.lot_id:
        material.checked_lot_id = found.lot_id
        material.save()
    publish(
        MaterialChecked(
            order.site_id, order.id, operation.id, operation.work_center_id, code, found.verdict, right, found.lot_id,
            by.id,
        )
    )  # fmt: skip
    codes = item_codes([*([found.item_id] if found.item_id else []), *(each.item_id for each in materials)])
    return Checked(
        check.id, found.verdict, right, codes.get(found.item_id, "") if found.item_id else "", found.number,
        _hold_reason(found.lot_id) if found.verdict == Verdict.HELD else "",
        right and not _at_line(found, material), found.expires_on,
        [codes[each.item_id] for each in materials],
    )  # fmt: skip


def _materials_at(operation: WorkOrderOperation) -> list[WorkOrderMaterial]:
    """What is used at an operation: its own materials; what names no operation belongs to the first."""
    every = list(
        WorkOrderMaterial.objects.select_for_update()
        .filter(work_order_id=operation.work_order_id)
        .order_by("position", "id")
    )
    sequences = sorted(
        WorkOrderOperation.objects.filter(work_order_id=operation.work_order_id).values_list("sequence", flat=True)
    )
    # What is taken at operations nobody reports is used with the next one that is reported.
    before = _previous_point(operation)
    here = [each for each in sequences if before < each <= operation.sequence]
    return [
        each
        for each in every
        if (each.operation_sequence if each.operation_sequence in sequences else sequences[0]) in here
    ]


def _previous_point(operation: WorkOrderOperation) -> int:
    points = WorkOrderOperation.objects.filter(
        work_order_id=operation.work_order_id, is_report_point=True, sequence__lt=operation.sequence
    ).values_list("sequence", flat=True)
    return max(points, default=-1)


@dataclass(frozen=True)
class _Found:
    """The best of what carries the code, and what it is to the job."""

    item_id: UUID | None
    lot_id: UUID | None
    number: str
    verdict: str
    expires_on: str


def _best(order: WorkOrder, materials: Sequence[WorkOrderMaterial], code: str, at: datetime) -> _Found:
    today = local_day(order.site_id, at)
    wanted = [each.item_id for each in materials]
    rows = execute(SCANNED, {"code": code, "site": order.site_id, "today": today})
    rows.sort(key=lambda row: (row[0] not in wanted, not row[6], row[5] <= 0, str(row[1])))
    if not rows:
        return _Found(None, None, code, Verdict.UNKNOWN, "")
    item, lot, number, status, expires, on_hand, _ = rows[0]
    other = item not in wanted and bool(other_revision_using(item, order.item_id, order.bom_id))
    scanned = floor_rules.Scanned(item, status, expires, on_hand)
    verdict = floor_rules.verdict_of(scanned, wanted, today, of_other_revision=other)
    return _Found(item, lot, number if lot else "", verdict, "" if expires is None else expires.isoformat())


def _hold_reason(lot_id: UUID | None) -> str:
    rows = execute("SELECT hold_reason FROM inventory_lot WHERE id = %s", [lot_id])
    return rows[0][0] if rows else ""


def _at_line(found: _Found, material: WorkOrderMaterial | None) -> bool:
    """Whether the books have it where the job takes it from."""
    if material is None or material.source_id is None or found.item_id is None:
        return True
    return inventory.balance_at(found.item_id, material.source_id, found.lot_id) > Decimal(0)
