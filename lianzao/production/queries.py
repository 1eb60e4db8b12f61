"""What others may ask production. `*_columns` are equally long lists, for planning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.foundation import entity, fetching
from lianzao.foundation.entity import query
from lianzao.inventory import queries as inventory
from lianzao.production.models import ProductionRule, WorkOrder
from lianzao.values.quantity import ZERO

#: States in which a work order is a supply to come.
OPEN = ["planned", "firmed", "released", "started"]


def rule_of(site_id: UUID) -> ProductionRule:
    """How a site runs its floor; the defaults if nobody said."""
    return next(iter(fetching.matching(ProductionRule, site_id=site_id)), None) or ProductionRule(site_id=site_id)


def _columns(names: str, rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(names.split())}


WORK_ORDERS = """
SELECT w.id, w.number, w.item_id, greatest(w.quantity - w.good_quantity, 0), w.quantity, w.good_quantity,
       w.scrap_quantity, w.status, w.start_at, w.due_at, w.planned_start_at, w.planned_finish_at, w.pinned, w.priority,
       w.source_kind, w.source_id
FROM production_work_order w
WHERE w.site_id = %s AND w.status = ANY(%s) AND w.quantity > w.good_quantity
ORDER BY w.due_at, w.id
"""


def work_order_columns(site_id: UUID) -> dict[str, list[Any]]:
    """Open work orders as supplies. `quantity`: good pieces still to come, base unit of the item."""
    return _columns(
        "work_order_id number item_id quantity ordered_quantity good_quantity scrap_quantity status start_at due_at"
        " planned_start_at planned_finish_at pinned priority source_kind source_id",
        query(WORK_ORDERS, [site_id, OPEN]),
    )


#: What an operation must still put through: enough good ones, and what later operations lost made again.
OPERATIONS = """
SELECT o.id, o.work_order_id, o.sequence, o.work_center_id, o.machine_id,
       CASE WHEN o.status = 'waiting' THEN o.setup_minutes ELSE 0 END, o.run_minutes * todo.pieces, o.queue_minutes,
       o.status, o.status = 'started', todo.pieces, o.run_minutes, o.good_quantity, o.scrap_quantity,
       o.planned_start_at, o.planned_finish_at, o.pinned, o.started_at
FROM production_work_order_operation o
JOIN production_work_order w ON w.id = o.work_order_id
CROSS JOIN LATERAL (
    SELECT greatest(w.quantity + coalesce(sum(l.scrap_quantity), 0) - o.good_quantity, 0) AS pieces
    FROM production_work_order_operation l
    WHERE l.work_order_id = o.work_order_id AND l.sequence > o.sequence AND l.is_report_point
) todo
WHERE w.site_id = %s AND w.status = ANY(%s) AND w.quantity > w.good_quantity AND o.status <> 'finished'
ORDER BY o.work_order_id, o.sequence
"""


def operation_columns(site_id: UUID) -> dict[str, list[Any]]:
    """Operations still to be done of open work orders. `quantity`: good pieces it still has to give.

    Minutes: setup still to do (none once started), run for all pieces to come, queue before it; `run_minutes_each`: per
    piece.
    """
    return _columns(
        "operation_id work_order_id sequence work_center_id machine_id setup_minutes run_minutes queue_minutes status"
        " started quantity run_minutes_each good_quantity scrap_quantity planned_start_at planned_finish_at pinned"
        " started_at",
        query(OPERATIONS, [site_id, OPEN]),
    )


MATERIALS = """
SELECT m.id, m.work_order_id, m.item_id, m.operation_sequence, greatest(m.required_quantity - m.issued_quantity, 0),
       m.required_quantity, m.issued_quantity, m.backflush
FROM production_work_order_material m
JOIN production_work_order w ON w.id = m.work_order_id
WHERE w.site_id = %s AND w.status = ANY(%s) AND m.required_quantity > m.issued_quantity
ORDER BY m.work_order_id, m.position
"""


def material_columns(site_id: UUID) -> dict[str, list[Any]]:
    """What open work orders still have to take from stock. `quantity` in the component's base unit.

    What was used but not booked yet is not here: it is in `inventory.queries.uncovered_columns`, a demand of now.
    """
    return _columns(
        "material_id work_order_id item_id operation_sequence quantity required_quantity issued_quantity backflush",
        query(MATERIALS, [site_id, OPEN]),
    )


STATION_QUEUE = """
SELECT o.id, o.sequence, o.name, o.name_en, o.status, o.work_order_id, w.number, w.status, w.item_id, i.code, i.name,
       i.name_en, u.code, w.quantity, o.good_quantity, o.scrap_quantity, o.rework_quantity,
       greatest(w.quantity - o.good_quantity, 0),
       CASE WHEN p.id IS NULL THEN greatest(w.quantity - o.good_quantity, 0)
            ELSE greatest(p.good_quantity - o.good_quantity - o.scrap_quantity, 0) END,
       o.machine_id, o.planned_start_at, o.planned_finish_at, w.due_at, w.priority, o.inspect, o.run_minutes,
       o.started_at, o.instruction, o.required_steps
FROM production_work_order_operation o
JOIN production_work_order w ON w.id = o.work_order_id
JOIN catalog_item i ON i.id = w.item_id
JOIN catalog_unit u ON u.id = i.base_unit_id
LEFT JOIN LATERAL (
    SELECT b.id, b.good_quantity FROM production_work_order_operation b
    WHERE b.work_order_id = o.work_order_id AND b.sequence < o.sequence AND b.is_report_point
    ORDER BY b.sequence DESC LIMIT 1
) p ON true
WHERE o.work_center_id = %s AND o.status <> 'finished' AND o.is_report_point AND w.status IN ('released', 'started')
ORDER BY o.status <> 'started', o.planned_start_at NULLS LAST, w.due_at, w.priority, w.number, o.sequence
LIMIT %s
"""


@dataclass(frozen=True)
class QueueRow:
    """A job of a station. `available`: pieces that have come from the operation before and can be worked on now."""

    operation_id: UUID
    sequence: int
    name: str
    name_en: str
    status: str
    work_order_id: UUID
    work_order_number: str
    work_order_status: str
    item_id: UUID
    item_code: str
    item_name: str
    item_name_en: str
    unit: str
    quantity: Decimal
    good: Decimal
    scrap: Decimal
    rework: Decimal
    remaining: Decimal
    available: Decimal
    machine_id: UUID | None
    planned_start_at: datetime | None
    planned_finish_at: datetime | None
    due_at: datetime
    priority: int
    inspect: bool
    run_minutes: Decimal
    started_at: datetime | None
    instruction: str
    required_steps: int


def station_queue(work_center_id: UUID, limit: int = 100) -> list[QueueRow]:
    """The jobs of a work center: what is running first, then in planned order."""
    return [QueueRow(*row) for row in query(STATION_QUEUE, [work_center_id, limit])]


@dataclass(frozen=True)
class Shortage:
    """A material a work order cannot have now. `missing` = still needed − free at the site."""

    material_id: UUID
    item_id: UUID
    item_code: str
    needed: Decimal
    available: Decimal
    missing: Decimal


def material_shortages(work_order: WorkOrder, at: datetime | None = None) -> list[Shortage]:
    """Which materials of a work order are short, judged by what is free at the site now (齐套检查)."""
    rows = list(
        work_order.materials.order_by("position").values_list(
            "id", "item_id", "item__code", "required_quantity", "issued_quantity"
        )
    )
    stock = inventory.on_hand(work_order.site_id, sorted({row[1] for row in rows}), at)
    free = {item: each.available for item, each in stock.items()}
    found: list[Shortage] = []
    for id, item, code, required, issued in rows:
        needed = max(required - issued, ZERO)
        missing = max(needed - free[item], ZERO)
        if missing:
            found.append(Shortage(id, item, code, needed, free[item], missing))
        free[item] = max(free[item] - needed, ZERO)
    return found


REPORTS = """
SELECT r.id, r.work_order_id, w.number, o.id, o.sequence, o.name, o.name_en, c.code, m.code, r.good, r.scrap, r.rework,
       r.person_id, p.name, r.station_id, r.happened_at, r.order_id, r.lots, r.reversed_at
FROM production_operation_report r
JOIN production_work_order w ON w.id = r.work_order_id
JOIN production_work_order_operation o ON o.id = r.operation_id
LEFT JOIN plant_work_center c ON c.id = o.work_center_id
LEFT JOIN plant_machine m ON m.id = o.machine_id
LEFT JOIN access_person p ON p.id = r.person_id
WHERE r.work_order_id = ANY(%s::uuid[])
ORDER BY w.number, o.sequence, r.happened_at, r.id
"""


@dataclass(frozen=True)
class ReportRow:
    """What a trace shows of a report: operation, place, machine, person, lots made."""

    report_id: UUID
    work_order_id: UUID
    work_order_number: str
    operation_id: UUID
    sequence: int
    operation: str
    operation_en: str
    work_center: str | None
    machine: str | None
    good: Decimal
    scrap: Decimal
    rework: Decimal
    person_id: UUID | None
    person: str | None
    station_id: UUID | None
    happened_at: datetime
    order_id: UUID
    lots: list[UUID]
    reversed_at: datetime | None


def reports_of(work_order_ids: Iterable[UUID]) -> list[ReportRow]:
    """Who did what on which machine for work orders: the operations and persons of a trace."""
    return [ReportRow(*row) for row in query(REPORTS, [list(work_order_ids)])]


LINE_NEEDS = """
SELECT m.id, m.work_order_id, w.number, m.item_id, greatest(m.required_quantity - m.issued_quantity, 0), m.source_id,
       coalesce(min(o.planned_start_at), w.planned_start_at, w.due_at)
FROM production_work_order_material m
JOIN production_work_order w ON w.id = m.work_order_id
JOIN plant_location l ON l.id = m.source_id AND l.location_kind = 'line'
LEFT JOIN production_work_order_operation o ON o.work_order_id = w.id AND o.status <> 'finished'
WHERE w.site_id = %(site)s AND w.status IN ('released', 'started') AND m.required_quantity > m.issued_quantity
  AND (%(items)s::uuid[] IS NULL OR m.item_id = ANY(%(items)s::uuid[]))
  AND (%(orders)s::uuid[] IS NULL OR w.id = ANY(%(orders)s::uuid[]))
GROUP BY m.id, w.id
ORDER BY 7, w.number, m.position
"""


@dataclass(frozen=True)
class LineNeed:
    """What a released work order takes from its line: `open_quantity` is still to be used, wanted by `need_at`."""

    material_id: UUID
    work_order_id: UUID
    work_order_number: str
    item_id: UUID
    open_quantity: Decimal
    line_id: UUID
    need_at: datetime


def line_needs(
    site_id: UUID, item_ids: Iterable[UUID] | None = None, work_order_ids: Iterable[UUID] | None = None
) -> list[LineNeed]:
    """What released work orders still take from line-side places, the most urgent first."""
    given = {
        "site": site_id,
        "items": None if item_ids is None else list(item_ids),
        "orders": None if work_order_ids is None else list(work_order_ids),
    }
    return [LineNeed(*row) for row in query(LINE_NEEDS, given)]


def work_order(work_order_id: UUID) -> WorkOrder:
    """A work order by id. Raises NotFound."""
    return entity.get(WorkOrder, work_order_id)
