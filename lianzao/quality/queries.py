"""What others may ask of quality."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.catalog.models import Item
from lianzao.foundation.entity import query
from lianzao.quality.models import Inspection, InspectionPlan, Measurement
from lianzao.values.errors import NotFound
from lianzao.values.reference import Ref

PLAN_SQL = """
SELECT p.id FROM quality_inspection_plan p
WHERE p.retired_at IS NULL AND p.point = %(point)s
  AND (p.item_id = %(item_id)s OR p.group_id = %(group_id)s::uuid)
  AND (p.operation_sequence IS NULL OR p.operation_sequence = %(sequence)s::int)
ORDER BY p.item_id IS NOT NULL DESC, p.operation_sequence IS NOT NULL DESC, p.code
LIMIT 1
"""


def plan_for(item: Item, point: str, operation_sequence: int | None = None) -> InspectionPlan | None:
    """The plan to inspect an item by: its own before its group's, the one for this operation before a general one."""
    given = {"point": point, "item_id": item.id, "group_id": item.group_id, "sequence": operation_sequence}
    rows = query(PLAN_SQL, given)
    return InspectionPlan.objects.get(id=rows[0][0]) if rows else None


def inspection(inspection_id: UUID) -> Inspection:
    """One inspection. Raises NotFound."""
    found = Inspection.objects.select_related("item", "lot", "plan").filter(id=inspection_id).first()
    if found is None:
        raise NotFound("not_found", entity="quality.inspection", id=str(inspection_id))
    return found


def open_inspections(site_id: UUID, lot_ids: Iterable[UUID] | None = None) -> list[Inspection]:
    """What waits for an inspector at a site, the most urgent first."""
    rows = Inspection.objects.filter(site_id=site_id, status="open").select_related("item", "lot")
    if lot_ids is not None:
        rows = rows.filter(lot_id__in=list(lot_ids))
    return list(rows.order_by("due_at", "created_at"))


def inspections_of(source: Ref) -> list[Inspection]:
    """The inspections a document called for, the first one first."""
    return list(Inspection.objects.filter(source_kind=source.kind, source_id=source.id).order_by("created_at"))


def inspections_of_lot(lot_id: UUID) -> list[Inspection]:
    """Everything that was ever inspected of a lot."""
    return list(Inspection.objects.filter(lot_id=lot_id).order_by("created_at"))


INSPECTING_SQL = """
SELECT DISTINCT ON (coalesce(i.lot_id, i.id)) i.id, i.item_id, i.lot_id,
       CASE WHEN i.lot_id IS NULL THEN i.quantity ELSE (
           SELECT coalesce(sum(b.quantity), 0) FROM inventory_balance b
           WHERE b.lot_id = i.lot_id AND b.site_id = i.site_id) END,
       coalesce(i.due_at, i.created_at)
FROM quality_inspection i
LEFT JOIN inventory_lot t ON t.id = i.lot_id
WHERE i.site_id = %s AND i.status = 'open' AND (t.status = 'held' OR (i.lot_id IS NULL AND i.location_id IS NOT NULL))
ORDER BY coalesce(i.lot_id, i.id), i.due_at DESC NULLS LAST
"""
INSPECTING = ("inspection_id", "item_id", "lot_id", "quantity", "expected_at")


def inspecting_columns(site_id: UUID) -> dict[str, list[Any]]:
    """Stock on hold only because it waits for its inspection: planning counts it as coming at `expected_at`.

    Quantities are Decimals in the base unit, of lots what is still there. Held for other reasons is not in it.
    """
    rows = query(INSPECTING_SQL, [site_id])
    columns = zip(*rows, strict=True) if rows else ([] for _ in INSPECTING)
    return {name: list(column) for name, column in zip(INSPECTING, columns, strict=True)}


def measurement_series(characteristic_id: UUID, limit: int = 200) -> list[tuple[datetime, Decimal, bool]]:
    """The latest readings of a characteristic, oldest first: (when, value, good), for control charts."""
    rows = Measurement.objects.filter(characteristic_id=characteristic_id, value__isnull=False)
    latest = rows.order_by("-measured_at", "-id").values_list("measured_at", "value", "passed")[:limit]
    return list(latest)[::-1]


YIELD_SQL = """
SELECT i.supplier_id, count(*), count(*) FILTER (WHERE i.status = 'accepted' AND NOT i.concession),
       coalesce(sum(i.quantity), 0), coalesce(sum(i.quantity) FILTER (WHERE i.status IN ('held', 'rejected')), 0)
FROM quality_inspection i
WHERE i.site_id = %s AND i.point = 'receipt' AND i.decided_at >= %s AND i.decided_at < %s
GROUP BY i.supplier_id
"""
YIELD = "supplier_id inspections accepted quantity refused".split()


def incoming_quality(site_id: UUID, from_at: datetime, until_at: datetime) -> list[dict[str, Any]]:
    """Inspections on receipt decided in [from, until) per supplier: how many, accepted at first, quantity, refused."""
    return [dict(zip(YIELD, row, strict=True)) for row in query(YIELD_SQL, [site_id, from_at, until_at])]
