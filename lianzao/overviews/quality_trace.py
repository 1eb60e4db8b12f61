"""质量追溯与异常预警: what was good at the first pass, why pieces were lost, what is on hold and whom that touches.

How each figure is counted stands at its function. Alerts live on the floor above, which says how to ask for them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access import queries as access
from lianzao.foundation import lists, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import query
from lianzao.foundation.registry import RESOURCES
from lianzao.overviews.measuring import ITEM_COLUMNS, ITEM_WIDTH, Figures, share
from lianzao.overviews.order_360 import named, named_item
from lianzao.overviews.supplier_performance import refused
from lianzao.quality.models import Inspection
from lianzao.values.quantity import ZERO

#: Rows of a list; days of yield and scrap.
MOST, DAYS = 30, 14
OPEN = ("open", "held")
#: Kinds of documents a held lot may touch: what used it or waits for it, what it left with.
TOUCHED = ("production.work_order", "logistics.shipment")


_alerts: Callable[[Actor, UUID], dict[str, Any]] | None = None


def alerts_from(function: Callable[[Actor, UUID], dict[str, Any]]) -> None:
    """Set who tells which alerts of a site are open; called by the room of alerts."""
    global _alerts
    _alerts = function


def quality_trace(by: Actor, site_id: UUID) -> dict[str, Any]:
    """The figures of the page, as far as the viewer may see what is behind them."""
    page = Figures.of(by, site_id)
    cost = page.sees_cost()
    reports = "production.view_operation_report"
    produced = page.told("yields", reports, lambda: yields(page))
    told = {
        "yields": produced,
        "scrap": page.told("scrap", reports, lambda: scrap(page, cost, produced["unit_id"] if produced else None)),
        "inspections": page.told("inspections", "quality.view_inspection", lambda: inspections(page)),
        "held": page.told("held", "inventory.view_lot inventory.view_balance", lambda: held(page, cost)),
        "incoming": page.told(
            "incoming",
            "procurement.view_goods_receipt quality.view_inspection",
            lambda: refused(page),
        ),
    }
    told["alerts"] = page.told("alerts", "alerts.view_alert", lambda: _alerts(by, site_id) if _alerts else None)
    return page.head() | {"days": DAYS} | told | {"masked": page.masked}


def quality_reports(
    by: Actor, site_id: UUID, *, work_center_id: UUID | None, reason_id: UUID | None, from_at: datetime | None
) -> dict[str, Any]:
    """The reports behind yield and scrap: of a work center, of a reason, or all; what lost most first."""
    page = Figures.of(by, site_id)
    given = page.values(
        from_at=page.since(DAYS) if from_at is None else from_at, center=work_center_id, reason=reason_id, most=200
    )
    rows = page.told("reports", "production.view_operation_report", lambda: _reports(page, given))
    return {"rows": rows, "masked": page.masked}


# -- yield and scrap --------------------------------------------------------------------------------------------------

REPORTED = """
FROM production_operation_report r
JOIN production_work_order w ON w.id = r.work_order_id AND w.site_id = %(site)s
JOIN production_work_order_operation o ON o.id = r.operation_id
JOIN catalog_item i ON i.id = w.item_id
JOIN catalog_unit u ON u.id = i.base_unit_id
WHERE r.happened_at >= %(from_at)s AND r.happened_at <= %(at)s AND r.reversed_at IS NULL
"""

YIELDS = f"""
SELECT y.*, c.code, c.name, c.name_en FROM (
    SELECT (r.happened_at AT TIME ZONE %(zone)s)::date AS on_day, o.work_center_id, u.id AS unit_id, u.code AS unit,
           u.name AS unit_name, count(*) AS reports, sum(r.good) AS good, sum(r.scrap) AS scrap, sum(r.rework) AS rework
    {REPORTED}
    GROUP BY 1, 2, 3
) y LEFT JOIN plant_work_center c ON c.id = y.work_center_id
"""


def yields(page: Figures) -> dict[str, Any]:
    """First pass yield: of the pieces that were reported, the share that was good at that pass: good ÷ (good + scrap +
    rework), at each operation, in %. A piece that is worked again counts as not good at the first pass and again at its
    next. By day and by work center, over 14 days. Where things are counted in several units (pieces, kg), only those of
    the unit most reports are in: `left_out` says how many reports are in others.
    """
    found = query(YIELDS, page.values(from_at=page.since(DAYS)))
    by_unit: dict[UUID, int] = {}
    for row in found:
        by_unit[row[2]] = by_unit.get(row[2], 0) + row[5]
    unit_id = max(by_unit, key=lambda each: (by_unit[each], str(each))) if by_unit else None
    rows = [row for row in found if row[2] == unit_id]
    days = {page.day(place): [ZERO, ZERO, ZERO] for place in range(1 - DAYS, 1)}
    centers: dict[UUID | None, dict[str, Any]] = {}
    for on, center_id, _, _, _, reports, *figures, code, name, name_en in rows:
        center = centers.setdefault(
            center_id,
            {
                "work_center": page.master(center_id, code, name, name_en),
                "reports": 0,
                "sums": [ZERO, ZERO, ZERO],
                "days": {},
            },
        )
        center["reports"] += reports
        center["days"][on] = figures
        for place, figure in enumerate(figures):
            center["sums"][place] += figure
            if on in days:
                days[on][place] += figure
    total = [sum((sums[place] for sums in days.values()), ZERO) for place in range(3)]
    told = [
        {"work_center": each["work_center"], "reports": each["reports"]}
        | _yield(each["sums"])
        | {"days": [_first_pass(each["days"][day]) if day in each["days"] else None for day in days]}
        for each in centers.values()
    ]
    told.sort(key=lambda each: (each["first_pass"] is None, each["first_pass"] or ZERO, str(each["work_center"])))
    return {
        "unit": page.unit(rows[0][3], rows[0][4]) if rows else None,
        "unit_id": unit_id,
        "reports": by_unit.get(unit_id, 0) if unit_id else 0,
        "left_out": sum(by_unit.values()) - (by_unit[unit_id] if unit_id else 0),
        "total": _yield(total),
        "days": [{"on": day} | _yield(sums) for day, sums in days.items()],
        "centers": told,
    }


def _first_pass(figures: list[Decimal]) -> Decimal | None:
    return share(figures[0], sum(figures, ZERO))


def _yield(figures: list[Decimal]) -> dict[str, Any]:
    good, lost, again = figures
    return {"good": good, "scrap": lost, "rework": again, "first_pass": _first_pass(figures)}


SCRAP = f"""
SELECT s.*, x.code, x.name, x.name_en FROM (
    SELECT r.scrap_reason_id, count(*), sum(r.scrap) AS quantity,
           sum(r.scrap * coalesce(p.standard_cost, 0)) AS cost
    {REPORTED.replace("WHERE", "LEFT JOIN catalog_item_site p ON p.item_id = i.id AND p.site_id = %(site)s WHERE")}
      AND r.scrap > 0 AND u.id = %(unit)s
    GROUP BY 1
) s LEFT JOIN production_scrap_reason x ON x.id = s.scrap_reason_id
ORDER BY s.quantity DESC, x.code
"""


def scrap(page: Figures, cost: bool, unit_id: UUID | None) -> dict[str, Any]:
    """Pieces lost by reason over 14 days, the most first, each with the share of all that it and those before it make.
    In the unit of the yield; the cost is that of the finished item at standard cost, so an upper bound.
    """
    rows: list[dict[str, Any]] = []
    found = query(SCRAP, page.values(from_at=page.since(DAYS), unit=unit_id)) if unit_id is not None else []
    total = sum((row[2] for row in found), ZERO)
    upto = ZERO
    for id, reports, quantity, value, code, name, name_en in found:
        upto += quantity
        rows.append(
            {
                "reason": page.master(id, code, name, name_en),
                "reports": reports,
                "quantity": quantity,
                "share": share(quantity, total),
                "upto": share(upto, total),
                "cost": value if cost else None,
            }
        )
    whole = sum((row[3] for row in found), ZERO)
    return {"quantity": total, "cost": whole if cost else None, "rows": rows}


REPORT_ROWS = f"""
SELECT r.id, r.happened_at, r.good, r.scrap, r.rework, u.code, u.name, w.id, w.number, o.sequence, o.name, o.name_en,
       x.id, x.code, x.name, x.name_en, r.person_id
{REPORTED.replace("WHERE", "LEFT JOIN production_scrap_reason x ON x.id = r.scrap_reason_id WHERE")}
  AND (%(center)s::uuid IS NULL OR o.work_center_id = %(center)s)
  AND (%(reason)s::uuid IS NULL OR r.scrap_reason_id = %(reason)s)
  AND (r.scrap > 0 OR r.rework > 0)
ORDER BY r.scrap + r.rework DESC, r.happened_at DESC LIMIT %(most)s
"""


def _reports(page: Figures, given: dict[str, Any]) -> list[dict[str, Any]]:
    rows = query(REPORT_ROWS, given)
    people = access.names_of({row[16] for row in rows if row[16] is not None}, page.by.language)
    return [
        {
            "id": row[0],
            "happened_at": row[1],
            "good": row[2],
            "scrap": row[3],
            "rework": row[4],
            "unit": page.unit(row[5], row[6]),
            "work_order": {"id": row[7], "number": row[8]},
            "operation": f"{row[9]} {page.said(row[10], row[11])}",
            "reason": page.master(*row[12:16]),
            "person": people.get(row[16]),
        }
        for row in rows
    ]


# -- inspections and held lots ----------------------------------------------------------------------------------------


def inspections(page: Figures) -> dict[str, Any]:
    """Inspections that nobody decided, and those on hold: since when, due when, with whom. What is due first."""
    wanted = scope.visible(page.by, Inspection).filter(site_id=page.site_id, status__in=OPEN)
    rows = list(wanted.select_related("item__base_unit", "lot", "supplier").order_by("due_at", "id")[:MOST])
    people = access.names_of({row.inspector_id for row in rows if row.inspector_id is not None}, page.by.language)
    counted = query(COUNTED, page.values())[0]
    return {
        "open": counted[0],
        "held": counted[1],
        "overdue": counted[2],
        "oldest_at": counted[3],
        "rows": [
            {
                "id": row.id,
                "number": row.number,
                "status": row.status,
                "point": row.point,
                "item": named_item(page.by, row.item),
                "lot": None if row.lot is None else {"id": row.lot.id, "number": row.lot.number},
                "quantity": row.quantity,
                "supplier": None if row.supplier is None else named(page.by, row.supplier),
                "opened_at": row.created_at,
                "age_hours": int((page.now - row.created_at).total_seconds() // 3600),
                "due_at": row.due_at,
                "overdue": row.due_at is not None and row.due_at < page.now,
                "owner": None if row.inspector_id is None else people.get(row.inspector_id),
            }
            for row in rows
        ],
    }


COUNTED = """
SELECT count(*) FILTER (WHERE status = 'open'), count(*) FILTER (WHERE status = 'held'),
       count(*) FILTER (WHERE due_at < %(at)s), min(created_at)
FROM quality_inspection WHERE site_id = %(site)s AND status IN ('open', 'held')
"""

HELD = f"""
WITH there AS (
    SELECT l.id, sum(b.quantity) AS quantity
    FROM inventory_lot l
    JOIN inventory_balance b ON b.lot_id = l.id AND b.site_id = %(site)s AND b.quantity > 0
    WHERE l.status = 'held' GROUP BY l.id
), touched AS (
    SELECT t.id AS lot_id, m.cause_kind AS kind, m.cause_id AS document_id
    FROM there t
    JOIN inventory_move m ON m.lot_id = t.id AND m.site_id = %(site)s
    JOIN plant_location g ON g.id = m.target_id AND g.location_kind IN ('production', 'customer')
    LEFT JOIN production_work_order w ON w.id = m.cause_id AND w.item_id = m.item_id
    WHERE w.id IS NULL
    UNION
    SELECT t.id, p.cause_kind, p.cause_id FROM there t
    JOIN inventory_pending_move p ON p.lot_id = t.id AND p.site_id = %(site)s AND p.status = 'pending'
), counted AS (
    SELECT lot_id, count(*) AS documents, array_agg(kind) AS kinds, array_agg(document_id) AS ids
    FROM touched WHERE kind = ANY(%(kinds)s::text[]) GROUP BY lot_id
)
SELECT {ITEM_COLUMNS}, l.id, l.number, l.hold_reason, t.quantity, t.quantity * coalesce(p.standard_cost, 0),
       coalesce(c.documents, 0), c.kinds, c.ids, count(*) OVER (),
       (SELECT count(DISTINCT document_id) FROM touched WHERE kind = ANY(%(kinds)s::text[])),
       sum(t.quantity * coalesce(p.standard_cost, 0)) OVER (),
       (SELECT count(DISTINCT s.demand_id) FROM planning_shortage s
        WHERE s.site_id = %(site)s AND s.item_id = i.id AND s.days_late > 0)
FROM there t
JOIN inventory_lot l ON l.id = t.id
JOIN catalog_item i ON i.id = l.item_id
JOIN catalog_unit u ON u.id = i.base_unit_id
LEFT JOIN catalog_item_site p ON p.item_id = i.id AND p.site_id = %(site)s
LEFT JOIN counted c ON c.lot_id = l.id
ORDER BY coalesce(c.documents, 0) DESC, l.number LIMIT %(most)s
"""


def held(page: Figures, cost: bool) -> dict[str, Any]:
    """Lots on hold that are on hand, and the documents each touches: work orders that used it, shipments it left with,
    and what it is set aside for; kinds the viewer may not see are not counted. `waiting`: orders that the plan makes
    late for want of the item. What touches most first.
    """
    kinds = [kind for kind in TOUCHED if page.sees(RESOURCES[kind].view_right)]
    found = query(HELD, page.values(kinds=kinds, most=MOST))
    shown: list[tuple[str, UUID]] = [(kind, id) for row in found for kind, id in _papers(row)]
    labels = lists.labels_of(page.by, shown)
    lots, documents, total = found[0][14:17] if found else (0, 0, ZERO)
    plan = page.sees("planning.view_shortage")
    return {
        "lots": lots,
        "documents": documents,
        "value": total if cost else None,
        "rows": [
            {
                "item": page.item(*row[:ITEM_WIDTH]),
                "lot": {"id": row[6], "number": row[7]},
                "reason": row[8],
                "quantity": row[9],
                "value": row[10] if cost else None,
                "documents": row[11],
                "waiting": row[17] if plan else None,
                "touches": [
                    {"kind": kind, "id": id, "number": labels[kind, id]["number"]}
                    for kind, id in _papers(row)
                    if (kind, id) in labels
                ],
            }
            for row in found
        ],
    }


def _papers(row: tuple[Any, ...]) -> list[tuple[str, UUID]]:
    """The first documents that a held lot touches, by kind and id."""
    kinds: list[str] = row[12] or []
    ids: list[UUID] = row[13] or []
    return list(zip(kinds, ids, strict=True))[:6]
