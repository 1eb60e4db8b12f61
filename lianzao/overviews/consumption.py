"""Part of `stock_use`: what is used against the bill, how right the books are, what was used that they did not have."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access import queries as access
from lianzao.foundation import lists, scope
from lianzao.foundation.entity import query
from lianzao.inventory.models import PendingMove
from lianzao.overviews.measuring import ITEM_COLUMNS, ITEM_WIDTH, Figures, share
from lianzao.overviews.order_360 import named, named_item
from lianzao.values.quantity import ZERO

#: Rows of a list; days of consumption shown, and of counts looked at; spans of consumption against the bill.
MOST, DAILY, COUNTED = 30, 14, 90
SPANS = (7, 30)

# -- consumption ------------------------------------------------------------------------------------------------------

#: What a finished order was allowed of a material for the good pieces it gave.
ALLOWED = "CASE WHEN m.fixed THEN m.planned_quantity ELSE m.planned_quantity * w.good_quantity / w.quantity END"

USE = f"""
WITH used AS (
    SELECT m.item_id, sum({ALLOWED}) FILTER (WHERE w.completed_at >= %(short_from)s) AS short_allowed,
           sum(m.issued_quantity) FILTER (WHERE w.completed_at >= %(short_from)s) AS short_used,
           sum({ALLOWED}) AS long_allowed, sum(m.issued_quantity) AS long_used,
           count(DISTINCT w.id) FILTER (WHERE w.completed_at >= %(short_from)s) AS short_orders,
           count(DISTINCT w.id) AS long_orders
    FROM production_work_order w JOIN production_work_order_material m ON m.work_order_id = w.id
    WHERE w.site_id = %(site)s AND w.completed_at >= %(long_from)s
    GROUP BY m.item_id
)
SELECT {ITEM_COLUMNS}, coalesce(x.short_allowed, 0), coalesce(x.short_used, 0), x.short_orders,
       x.long_allowed, x.long_used, x.long_orders, coalesce(p.standard_cost, 0)
FROM used x JOIN catalog_item i ON i.id = x.item_id JOIN catalog_unit u ON u.id = i.base_unit_id
LEFT JOIN catalog_item_site p ON p.item_id = i.id AND p.site_id = %(site)s
"""


def use(page: Figures, cost: bool) -> list[dict[str, Any]]:
    """Material used against the bill, of work orders completed in the last 7 and 30 days: what they were charged (not
    yet covered included, returned left out) against what the bill allows for the good pieces they gave, with planned
    material scrap. So what lost pieces took is a difference too. In % of what was allowed; its cost at standard cost.
    """
    found = query(USE, page.values(short_from=page.since(SPANS[0]), long_from=page.since(SPANS[1])))
    told = []
    for place, days in enumerate(SPANS):
        rows = []
        for row in found:
            allowed, used, orders = row[ITEM_WIDTH + 3 * place : ITEM_WIDTH + 3 * place + 3]
            if orders:
                allowed = allowed.quantize(Decimal("0.000001"))
                each = {
                    "item": page.item(*row[:ITEM_WIDTH]),
                    "allowed": allowed,
                    "used": used,
                    "difference": used - allowed,
                    "percent": share(used - allowed, allowed),
                    "orders": orders,
                    "cost": (used - allowed) * row[-1] if cost else None,
                }
                rows.append(each)
        # What costs most first; who may not see costs is given the greatest share first.
        rows.sort(key=lambda each: (-abs(each["cost"] if cost else each["percent"] or ZERO), each["item"]["code"]))
        over = sum((each["cost"] for each in rows), ZERO) if cost else None
        told.append({"days": days, "items": len(rows), "cost": over, "rows": rows[:MOST]})
    return told


DAILY_USE = """
SELECT (m.happened_at AT TIME ZONE %(zone)s)::date,
       sum(CASE WHEN t.location_kind = 'production' THEN m.value ELSE -m.value END)
FROM inventory_move m
JOIN plant_location s ON s.id = m.source_id
JOIN plant_location t ON t.id = m.target_id
JOIN production_work_order w ON w.id = m.cause_id AND w.item_id <> m.item_id
WHERE m.site_id = %(site)s AND m.happened_at >= %(from_at)s AND m.cause_kind = 'production.work_order'
  AND ((t.location_kind = 'production' AND NOT s.is_virtual) OR (s.location_kind = 'production' AND NOT t.is_virtual))
GROUP BY 1
"""


def daily(page: Figures) -> list[dict[str, Any]]:
    """What materials went into production each day, less what came back, at the value they were booked with."""
    found = dict(query(DAILY_USE, page.values(from_at=page.since(DAILY))))
    days = [page.day(place) for place in range(1 - DAILY, 1)]
    return [{"on": day, "value": found.get(day, ZERO)} for day in days]


# -- counts and what is not covered -----------------------------------------------------------------------------------

COUNTED_SQL = f"""
WITH told AS (
    SELECT (e.payload->>'item_id')::uuid AS item_id, (e.payload->>'lot_id')::uuid AS lot_id,
           (e.payload->>'location_id')::uuid AS location_id, (e.payload->>'booked')::numeric AS booked,
           (e.payload->>'counted')::numeric AS counted, (e.payload->>'difference')::numeric AS difference,
           e.payload->>'reason' AS reason, e.at, e.order_id
    FROM foundation_event e
    WHERE e.name = 'inventory.StockCounted' AND e.site_id = %(site)s AND e.at >= %(from_at)s
), valued AS (
    SELECT t.*, abs(t.difference) * coalesce(p.standard_cost, 0) AS cost
    FROM told t LEFT JOIN catalog_item_site p ON p.item_id = t.item_id AND p.site_id = %(site)s
), whole AS (
    SELECT count(*) AS counts, count(*) FILTER (WHERE difference = 0) AS alike, coalesce(sum(cost), 0) AS cost
    FROM valued
)
SELECT whole.counts, whole.alike, whole.cost, {ITEM_COLUMNS}, c.lot_id, l.number, a.code, c.booked, c.counted,
       c.difference, c.reason, c.at, c.order_id
FROM whole
LEFT JOIN (SELECT * FROM valued WHERE difference <> 0 ORDER BY at DESC LIMIT %(most)s) c ON true
LEFT JOIN catalog_item i ON i.id = c.item_id
LEFT JOIN catalog_unit u ON u.id = i.base_unit_id
LEFT JOIN inventory_lot l ON l.id = c.lot_id
LEFT JOIN plant_location a ON a.id = c.location_id
ORDER BY c.at DESC
"""


def counts(page: Figures, cost: bool) -> dict[str, Any]:
    """How right the books were: of the counts of the last 90 days the share that found what was booked. The value is
    that of all differences, surplus and loss added up. The latest differences first.
    """
    found = query(COUNTED_SQL, page.values(from_at=page.since(COUNTED), most=MOST))
    many, alike, value = found[0][:3]
    rows = [
        {
            "item": page.item(*row[3 : 3 + ITEM_WIDTH]),
            "lot": None if row[9] is None else {"id": row[9], "number": row[10]},
            "location": row[11],
            "booked": row[12],
            "counted": row[13],
            "difference": row[14],
            "reason": row[15],
            "at": row[16],
            "order_id": row[17],
        }
        for row in found
        if row[3] is not None
    ]
    return {
        "days": COUNTED,
        "counts": many,
        "alike": alike,
        "accuracy": share(alike, many),
        "value": value if cost else None,
        "rows": rows,
    }


def uncovered(page: Figures) -> dict[str, Any]:
    """Material that was used though the books had none there, and who is to clear it up; the oldest first."""
    wanted = scope.visible(page.by, PendingMove).filter(site_id=page.site_id, status="pending", reason="uncovered")
    rows = list(wanted.select_related("item__base_unit", "source").order_by("happened_at", "id")[:MOST])
    owners = access.names_of({row.owner_id for row in rows if row.owner_id is not None}, page.by.language)
    causes = lists.labels_of(page.by, [(row.cause_kind, row.cause_id) for row in rows])
    return {
        "count": wanted.count(),
        "rows": [
            {
                "id": row.id,
                "item": named_item(page.by, row.item),
                "quantity": row.quantity,
                "location": named(page.by, row.source),
                "owner": None if row.owner_id is None else owners.get(row.owner_id),
                "happened_at": row.happened_at,
                "cause": cause_in(causes, row.cause_kind, row.cause_id),
            }
            for row in rows
        ],
    }


def cause_in(labels: dict[tuple[str, UUID], dict[str, Any]], kind: str, id: UUID) -> dict[str, Any] | None:
    label = labels.get((kind, id))
    return None if label is None else {"kind": kind, "id": id, "number": label["number"]}
