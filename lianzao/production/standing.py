"""A work order as it stands under our lock: what reports and their reversals decide upon."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from lianzao.foundation import audit
from lianzao.foundation.entity import execute
from lianzao.production import rules
from lianzao.production.models import WorkOrder
from lianzao.values.reference import Ref

LOCK_ORDER = """
SELECT w.number, w.site_id, w.status, w.item_id, w.quantity, w.good_quantity, w.scrap_quantity, w.lot_id, w.due_at,
       w.output_location_id, w.started_at, i.tracking, i.step, coalesce(r.over_report_percent, 0),
       coalesce(r.refuse_uncovered, false), coalesce(r.keep_order, true), r.uncovered_owner_id, p.id, x.id
FROM production_work_order w
JOIN catalog_item i ON i.id = w.item_id
LEFT JOIN production_production_rule r ON r.site_id = w.site_id
LEFT JOIN plant_location p ON p.site_id = w.site_id AND p.location_kind = 'production'
LEFT JOIN plant_location x ON x.site_id = w.site_id AND x.location_kind = 'scrap'
WHERE w.id = %s
FOR NO KEY UPDATE OF w
"""

#: Read after the lock, so that nobody else's report of this order is missed.
READ_ORDER = """
SELECT 'operation', o.id, o.sequence, o.is_report_point, o.good_quantity, o.scrap_quantity, 0, NULL, 0,
       o.started_at IS NOT NULL, NULL, o.status, NULL
FROM production_work_order_operation o WHERE o.work_order_id = %(id)s
UNION ALL
SELECT 'material', m.id, m.operation_sequence, m.backflush, m.planned_quantity, m.required_quantity, m.issued_quantity,
       m.item_id, i.step, m.fixed, m.source_id, '', m.checked_lot_id
FROM production_work_order_material m JOIN catalog_item i ON i.id = m.item_id WHERE m.work_order_id = %(id)s
ORDER BY 1, 3, 2
"""


@dataclass(frozen=True)
class Standing:
    """A work order as it stands under our lock, with its rules, operations and materials."""

    id: UUID
    number: str
    site_id: UUID
    status: str
    item_id: UUID
    quantity: Decimal
    good: Decimal
    scrap: Decimal
    lot_id: UUID | None
    due_at: datetime
    output_id: UUID | None
    started_at: datetime | None
    tracking: str
    step: Decimal
    tolerance: Decimal
    refuse_uncovered: bool
    keep_order: bool
    owner_id: UUID | None
    production_id: UUID
    scrap_id: UUID
    operations: list[rules.Operation] = field(default_factory=list)
    materials: list[rules.Material] = field(default_factory=list)
    sources: dict[UUID, UUID | None] = field(default_factory=dict)
    #: The lot of a material that was last found right at the station.
    checked: dict[UUID, UUID | None] = field(default_factory=dict)

    @property
    def ref(self) -> Ref:
        """The work order as the cause of its moves."""
        return Ref("production.work_order", self.id)


def stand(work_order_id: UUID) -> Standing:
    """Lock a work order and read it: two statements."""
    head = execute(LOCK_ORDER, [work_order_id])[0]
    standing = Standing(work_order_id, *head)
    for kind, id, sequence, flag, one, two, three, item, step, mark, source, status, lot in execute(
        READ_ORDER, {"id": work_order_id}
    ):
        if kind == "operation":
            standing.operations.append(rules.Operation(id, sequence, flag, one, two, status, mark))
        else:
            standing.materials.append(rules.Material(id, item, sequence, one, two, three, step, mark, flag))
            standing.sources[id] = source
            standing.checked[id] = lot
    return standing


def stand_operations(order: WorkOrder, *, over: bool) -> None:
    """Bring an order's operations to where they stand after its quantity or its state changed (see rules.stands)."""
    rows = list(order.operations.select_for_update().order_by("sequence", "id"))
    read = [
        rules.Operation(
            each.id, each.sequence, each.is_report_point, each.good_quantity, each.scrap_quantity, each.status,
            each.started_at is not None,
        )
        for each in rows
    ]  # fmt: skip
    now = rules.stands(read, order.quantity, over=over)
    for each in rows:
        if now[each.id] != each.status:
            each.move_to(now[each.id])
            each.finished_at = audit.must_run().at if each.status == "finished" else None
            each.save()


def required_now(standing: Standing, sequence: int, scrap: Decimal) -> dict[UUID, Decimal]:
    """What every material line needs now: lost pieces are made again."""
    if not scrap:
        return {each.id: each.required for each in standing.materials}
    return {
        each.id: rules.required_after(each, standing.operations, sequence, scrap, standing.quantity)
        for each in standing.materials
    }
