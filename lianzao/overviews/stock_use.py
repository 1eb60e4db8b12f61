"""库存状态与物料消耗: what lies where and is worth how much, how long it lasts, what is used against the bill.

How each figure is counted stands at its function. Quantities are in the item's base unit, values in the site's currency
at standard cost. All are of one site and of now, unless a span is named; days are the site's.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from lianzao.foundation import lists, packing, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import query
from lianzao.inventory.queries import ON_HAND, USABLE_KINDS
from lianzao.overviews.consumption import ALLOWED, SPANS, cause_in, counts, daily, uncovered, use
from lianzao.overviews.measuring import ITEM_COLUMNS, ITEM_WIDTH, Figures, share
from lianzao.overviews.shortages import told_shortage
from lianzao.planning.models import Shortage
from lianzao.values.quantity import ZERO

#: Rows of a list; days ahead of cover and shortages; days without a move that make stock slow; days to expiry.
MOST, AHEAD, SLOW, EXPIRY = 30, 14, 90, 30
STATES = ("free", "reserved", "held", "on_way")


def stock_use(by: Actor, site_id: UUID) -> dict[str, Any]:
    """The figures of the page, as far as the viewer may see what is behind them."""
    page = Figures.of(by, site_id)
    cost = page.sees_cost()
    stock = "inventory.view_balance"
    told = {
        "groups": page.told("groups", stock, lambda: groups(page, cost)),
        "cover": page.told("cover", f"{stock} planning.view_shortage", lambda: cover(page)),
        "below_safety": page.told("below_safety", stock, lambda: below_safety(page)),
        "shortages": page.told("shortages", "planning.view_shortage", lambda: shortages(page)),
        "slow": page.told("slow", f"{stock} inventory.view_move", lambda: slow(page, cost)),
        "expiring": page.told("expiring", f"{stock} inventory.view_lot", lambda: expiring(page, cost)),
        "use": page.told("use", "production.view_work_order_material", lambda: use(page, cost)),
        "daily": page.told("daily", "inventory.view_move inventory.unmask_move", lambda: daily(page)) if cost else None,
        "counts": page.told("counts", "inventory.view_move", lambda: counts(page, cost)),
        "uncovered": page.told("uncovered", "inventory.view_pending_move", lambda: uncovered(page)),
    }
    return page.head() | told | {"masked": page.masked}


def stock_item(by: Actor, site_id: UUID, item_id: UUID) -> dict[str, Any]:
    """The documents behind an item's figures: where it lies, what needs it, what comes, which orders used it."""
    page = Figures.of(by, site_id)
    given = page.values(item=item_id, from_at=page.since(SPANS[-1]))
    found = query(ITEM, given)
    if not found:
        return {"item": None, "masked": []}
    return {
        "item": page.item(*found[0]),
        "places": page.told("places", "inventory.view_balance", lambda: _places(page, given)),
        "needs": page.told("needs", "planning.view_shortage", lambda: _needs(page, given)),
        "orders": page.told("orders", "production.view_work_order_material", lambda: _orders(page, given)),
        "masked": page.masked,
    }


# -- stock by group and state -----------------------------------------------------------------------------------------

_KINDS = packing.array([*USABLE_KINDS, "quarantine"])

#: Per item: usable, held, set aside or used but not covered, and on its way to the site.
LEVELS = f"""
levels AS (
    SELECT coalesce(s.item_id, c.item_id) AS item_id, coalesce(s.usable, 0) AS usable, coalesce(s.held, 0) AS held,
           coalesce(s.reserved, 0) AS reserved, coalesce(c.quantity, 0) AS coming
    FROM ({ON_HAND}) s (item_id, usable, held, reserved)
    FULL JOIN (
        SELECT item_id, sum(quantity) AS quantity FROM (
            SELECT l.item_id, x.quantity - x.received_quantity AS quantity
            FROM procurement_asn a
            JOIN procurement_asn_line x ON x.asn_id = a.id AND x.quantity > x.received_quantity
            JOIN procurement_schedule_line d ON d.id = x.schedule_line_id
            JOIN procurement_purchase_order_line l ON l.id = d.line_id
            WHERE a.site_id = %(site)s AND a.status IN ('announced', 'arrived')
            UNION ALL
            SELECT b.item_id, b.quantity FROM inventory_balance b JOIN plant_location p ON p.id = b.location_id
            WHERE b.site_id = %(site)s AND b.quantity > 0 AND p.location_kind = 'transit'
        ) way GROUP BY item_id
    ) c ON c.item_id = s.item_id
)"""

GROUPS = f"""
WITH {LEVELS}, parted AS (
    SELECT l.item_id, greatest(l.usable - l.reserved, 0) AS free, least(l.usable, l.reserved) AS reserved, l.held,
           l.coming AS on_way, coalesce(p.standard_cost, 0) AS cost
    FROM levels l LEFT JOIN catalog_item_site p ON p.item_id = l.item_id AND p.site_id = %(site)s
    WHERE l.usable > 0 OR l.held > 0 OR l.coming > 0
)
SELECT g.id, g.code, g.name, g.name_en, count(*), min(u.code), min(u.name), count(DISTINCT u.id),
       sum(free), sum(reserved), sum(held), sum(on_way),
       sum(free * cost), sum(reserved * cost), sum(held * cost), sum(on_way * cost)
FROM parted
JOIN catalog_item i ON i.id = parted.item_id
JOIN catalog_unit u ON u.id = i.base_unit_id
LEFT JOIN catalog_item_group g ON g.id = i.group_id
GROUP BY g.id
ORDER BY sum((free + reserved + held + on_way) * cost) DESC, g.code
"""


def groups(page: Figures, cost: bool) -> dict[str, Any]:
    """Stock by item group and state. Free: usable and not set aside; reserved: set aside for a document, or used and
    not yet in the books; held: quarantined, locked or expired; on the way: announced by suppliers and not received, or
    in transit between places. Quantities only where a whole group has one unit: pieces and kilograms make no sum.
    """
    rows = []
    total = dict.fromkeys(STATES, ZERO)
    items = 0
    for id, code, name, name_en, count, unit, unit_name, units, *figures in query(GROUPS, _stock_values(page)):
        quantities, values = figures[:4], figures[4:]
        items += count
        for state, value in zip(STATES, values, strict=True):
            total[state] += value
        rows.append(
            {
                "group": page.master(id, code, name, name_en),
                "items": count,
                "unit": page.unit(unit, unit_name) if units == 1 else None,
                "quantity": dict(zip(STATES, quantities, strict=True)) if units == 1 else None,
                "value": dict(zip(STATES, values, strict=True)) if cost else None,
            }
        )
    if not cost:
        rows.sort(key=lambda row: -row["items"])
    return {"items": items, "value": total if cost else None, "rows": rows}


def _stock_values(page: Figures, **more: Any) -> dict[str, Any]:
    return page.values(kinds=_KINDS, items=None, most=MOST, **more)


# -- cover, safety stock, shortages -----------------------------------------------------------------------------------

#: What comes next of an item: the first purchase expected, or work order planned to finish.
NEXT_IN = """
LEFT JOIN LATERAL (
    SELECT kind, id, number, on_day, quantity FROM (
        (SELECT 'procurement.purchase_order' AS kind, o.id, o.number, d.expected_on AS on_day,
                d.quantity - d.received_quantity AS quantity
         FROM procurement_purchase_order_line l
         JOIN procurement_purchase_order o ON o.id = l.order_id AND o.site_id = %(site)s AND o.status = 'sent'
         JOIN procurement_schedule_line d ON d.line_id = l.id AND d.status IN ('open', 'confirmed', 'announced')
         WHERE l.item_id = i.id AND l.status = 'open' AND d.quantity > d.received_quantity
         ORDER BY d.expected_on LIMIT 1)
        UNION ALL
        (SELECT 'production.work_order', w.id, w.number,
                (coalesce(w.planned_finish_at, w.due_at) AT TIME ZONE %(zone)s)::date, w.quantity - w.good_quantity
         FROM production_work_order w
         WHERE w.item_id = i.id AND w.site_id = %(site)s AND w.status IN ('planned', 'firmed', 'released', 'started')
         ORDER BY coalesce(w.planned_finish_at, w.due_at) LIMIT 1)
    ) any_way ORDER BY on_day LIMIT 1
) n ON true
"""
NEXT_COLUMNS = "n.kind, n.id, n.number, n.on_day, n.quantity"

COVER = f"""
WITH stock (item_id, usable, held, reserved) AS ({ON_HAND}), needs AS (
    SELECT item_id, need_at, quantity FROM planning_peg WHERE site_id = %(site)s AND consumer_kind <> 'catalog.item'
    UNION ALL
    SELECT item_id, need_at, quantity FROM planning_shortage WHERE site_id = %(site)s AND supply_id IS NULL
), run AS (
    SELECT n.item_id, n.need_at, n.quantity,
           sum(n.quantity) OVER (PARTITION BY n.item_id ORDER BY n.need_at) AS upto, coalesce(s.usable, 0) AS usable
    FROM needs n
    JOIN catalog_item i ON i.id = n.item_id
    LEFT JOIN catalog_item_site p ON p.item_id = n.item_id AND p.site_id = %(site)s
    LEFT JOIN stock s ON s.item_id = n.item_id
    WHERE i.supply = 'buy' OR p.safety_stock > 0
), out AS (
    SELECT item_id, usable, min(need_at) FILTER (WHERE upto > usable) AS out_at,
           coalesce(sum(quantity) FILTER (WHERE need_at < %(until)s), 0) AS needed
    FROM run GROUP BY item_id, usable
), worst AS (
    SELECT *, count(*) OVER () AS items, count(*) FILTER (WHERE out_at < %(soon)s) OVER () AS soon,
           CASE WHEN out_at IS NOT NULL THEN greatest((out_at AT TIME ZONE %(zone)s)::date - %(today)s, 0) END AS days
    FROM out ORDER BY out_at NULLS LAST, needed DESC, item_id LIMIT %(most)s
)
SELECT {ITEM_COLUMNS}, w.usable, coalesce(p.safety_stock, 0), w.needed, (w.out_at AT TIME ZONE %(zone)s)::date, w.days,
       w.items, w.soon, {NEXT_COLUMNS}
FROM worst w
JOIN catalog_item i ON i.id = w.item_id
JOIN catalog_unit u ON u.id = i.base_unit_id
LEFT JOIN catalog_item_site p ON p.item_id = i.id AND p.site_id = %(site)s
{NEXT_IN}
ORDER BY w.out_at NULLS LAST, w.needed DESC, i.code
"""


def cover(page: Figures) -> dict[str, Any]:
    """How many days what is on hand lasts against the planned needs: up to the local day of the first need that usable
    stock does not cover any more, with nothing received meanwhile. Of bought items, and of made ones with a safety
    stock; the others are made when they are ordered. `days` null: stock covers all that is planned. Worst first.
    """
    given = _stock_values(page, until=page.until(AHEAD), soon=page.until(3))
    rows, items, soon = [], 0, 0
    for row in query(COVER, given):
        usable, safety, needed, out_on, days, items, soon = row[ITEM_WIDTH : ITEM_WIDTH + 7]
        rows.append(
            {
                "item": page.item(*row[:ITEM_WIDTH]),
                "usable": usable,
                "safety": safety,
                "needed": needed,
                "out_on": out_on,
                "days": days,
                "next": _next_in(page, row[ITEM_WIDTH + 7 :]),
            }
        )
    return {"ahead": AHEAD, "items": items, "soon": soon, "rows": rows}


def _next_in(page: Figures, row: tuple[Any, ...]) -> dict[str, Any] | None:
    kind, id, number, on, quantity = row
    right = {"procurement.purchase_order": "procurement.view_purchase_order"}.get(kind, "production.view_work_order")
    if kind is None or not page.sees(right):
        return None
    return {"kind": kind, "id": id, "number": number, "on": on, "quantity": quantity}


BELOW = f"""
WITH stock (item_id, usable, held, reserved) AS ({ON_HAND}), below AS (
    SELECT p.item_id, coalesce(s.usable, 0) AS usable, p.safety_stock, count(*) OVER () AS items
    FROM catalog_item_site p
    JOIN catalog_item i ON i.id = p.item_id AND i.retired_at IS NULL
    LEFT JOIN stock s ON s.item_id = p.item_id
    WHERE p.site_id = %(site)s AND p.safety_stock > coalesce(s.usable, 0)
    ORDER BY coalesce(s.usable, 0) / p.safety_stock, p.item_id LIMIT %(most)s
)
SELECT {ITEM_COLUMNS}, b.usable, b.safety_stock, b.items, {NEXT_COLUMNS}
FROM below b JOIN catalog_item i ON i.id = b.item_id JOIN catalog_unit u ON u.id = i.base_unit_id
{NEXT_IN}
ORDER BY b.usable / b.safety_stock, i.code
"""


def below_safety(page: Figures) -> dict[str, Any]:
    """Items whose usable stock is below their safety stock at the site, the emptiest first."""
    rows, items = [], 0
    for row in query(BELOW, _stock_values(page)):
        usable, safety, items = row[ITEM_WIDTH : ITEM_WIDTH + 3]
        rows.append(
            {
                "item": page.item(*row[:ITEM_WIDTH]),
                "usable": usable,
                "safety": safety,
                "share": share(usable, safety),
                "next": _next_in(page, row[ITEM_WIDTH + 3 :]),
            }
        )
    return {"items": items, "rows": rows}


SHORT = """
SELECT count(*), count(DISTINCT item_id) FROM planning_shortage WHERE site_id = %(site)s AND need_at < %(until)s
"""


def shortages(page: Figures) -> dict[str, Any]:
    """What the plan says will be missing when it is wanted, within 14 days: needs that no supply meets in time."""
    rows = scope.visible(page.by, Shortage).filter(site_id=page.site_id, need_at__lt=page.until(AHEAD))
    count, items = query(SHORT, page.values(until=page.until(AHEAD)))[0]
    told = rows.select_related("item__base_unit").order_by("need_at", "id")[:MOST]
    return {"ahead": AHEAD, "count": count, "items": items, "rows": [told_shortage(page.by, row) for row in told]}


# -- slow stock, lots near expiry -------------------------------------------------------------------------------------

#: The place of corrections is asked for once, so that the last move of each item is one step in its index.
SLOW_STOCK = f"""
WITH counted AS (
    SELECT coalesce(array_agg(id), '{{}}') AS ids FROM plant_location
    WHERE site_id = %(site)s AND location_kind = 'adjustment'
), there AS (
    SELECT b.item_id, sum(b.quantity) AS quantity
    FROM inventory_balance b JOIN plant_location a ON a.id = b.location_id
    WHERE b.site_id = %(site)s AND b.quantity > 0 AND a.location_kind <> 'transit' GROUP BY b.item_id
), still AS (
    SELECT t.item_id, t.quantity, m.happened_at AS last_at, t.quantity * coalesce(p.standard_cost, 0) AS value
    FROM there t
    LEFT JOIN catalog_item_site p ON p.item_id = t.item_id AND p.site_id = %(site)s
    LEFT JOIN LATERAL (
        SELECT x.happened_at FROM inventory_move x
        WHERE x.item_id = t.item_id AND x.site_id = %(site)s
          AND x.source_id <> ALL((SELECT ids FROM counted)::uuid[])
          AND x.target_id <> ALL((SELECT ids FROM counted)::uuid[])
        ORDER BY x.happened_at DESC LIMIT 1
    ) m ON true
    WHERE coalesce(m.happened_at < %(before)s, true)
), worst AS (
    SELECT *, count(*) OVER () AS items, sum(value) OVER () AS total FROM still
    ORDER BY CASE WHEN %(cost)s THEN value END DESC, last_at NULLS FIRST, item_id LIMIT %(most)s
)
SELECT {ITEM_COLUMNS}, w.quantity, w.last_at, w.value, w.items, w.total
FROM worst w JOIN catalog_item i ON i.id = w.item_id JOIN catalog_unit u ON u.id = i.base_unit_id
ORDER BY CASE WHEN %(cost)s THEN w.value END DESC, w.last_at NULLS FIRST, i.code
"""


def slow(page: Figures, cost: bool) -> dict[str, Any]:
    """Stock of items that did not move for 90 days: nothing came, went or was put elsewhere; what a count corrected is
    no move. The most valuable first, else what lies longest.
    """
    rows, items, total = [], 0, ZERO
    for row in query(SLOW_STOCK, page.values(before=page.since(SLOW + 1), cost=cost, most=MOST)):
        quantity, last_at, value, items, total = row[ITEM_WIDTH:]
        rows.append(
            {
                "item": page.item(*row[:ITEM_WIDTH]),
                "quantity": quantity,
                "last_at": last_at,
                "value": value if cost else None,
            }
        )
    return {"days": SLOW, "items": items, "value": total if cost else None, "rows": rows}


EXPIRING = f"""
WITH near AS (
    SELECT l.id AS lot_id, l.number, l.status, l.expires_on, l.item_id, sum(b.quantity) AS quantity
    FROM inventory_balance b
    JOIN plant_location a ON a.id = b.location_id
    JOIN inventory_lot l ON l.id = b.lot_id
    WHERE b.site_id = %(site)s AND b.quantity > 0 AND a.location_kind <> 'transit' AND l.expires_on < %(until)s
    GROUP BY l.id
), valued AS (
    SELECT n.*, n.quantity * coalesce(p.standard_cost, 0) AS value
    FROM near n LEFT JOIN catalog_item_site p ON p.item_id = n.item_id AND p.site_id = %(site)s
)
SELECT {ITEM_COLUMNS}, v.lot_id, v.number, v.status, v.expires_on, v.expires_on - %(today)s::date, v.quantity, v.value,
       count(*) OVER (), count(*) FILTER (WHERE v.expires_on < %(today)s) OVER (), sum(v.value) OVER ()
FROM valued v JOIN catalog_item i ON i.id = v.item_id JOIN catalog_unit u ON u.id = i.base_unit_id
ORDER BY v.expires_on, v.number LIMIT %(most)s
"""


def expiring(page: Figures, cost: bool) -> dict[str, Any]:
    """Lots on hand that expire within 30 days, or have; the first one first. The day of expiry itself is still good."""
    rows, lots, expired, total = [], 0, 0, ZERO
    for row in query(EXPIRING, page.values(until=page.day(EXPIRY + 1), most=MOST)):
        lot_id, number, status, expires_on, days, quantity, value, lots, expired, total = row[ITEM_WIDTH:]
        rows.append(
            {
                "item": page.item(*row[:ITEM_WIDTH]),
                "lot": {"id": lot_id, "number": number, "status": status},
                "expires_on": expires_on,
                "days": days,
                "quantity": quantity,
                "value": value if cost else None,
            }
        )
    return {"days": EXPIRY, "lots": lots, "expired": expired, "value": total if cost else None, "rows": rows}


# -- behind one item --------------------------------------------------------------------------------------------------

ITEM = f"SELECT {ITEM_COLUMNS} FROM catalog_item i JOIN catalog_unit u ON u.id = i.base_unit_id WHERE i.id = %(item)s"

PLACES = """
SELECT a.id, a.code, a.name, a.name_en, l.id, l.number, l.status, l.expires_on, b.quantity
FROM inventory_balance b JOIN plant_location a ON a.id = b.location_id LEFT JOIN inventory_lot l ON l.id = b.lot_id
WHERE b.site_id = %(site)s AND b.item_id = %(item)s AND b.quantity > 0 ORDER BY l.expires_on, a.code, l.number LIMIT 100
"""


def _places(page: Figures, given: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "location": page.master(*row[:4]),
            "lot": None if row[4] is None else {"id": row[4], "number": row[5], "status": row[6]},
            "expires_on": row[7],
            "quantity": row[8],
        }
        for row in query(PLACES, given)
    ]


NEEDS = """
SELECT need_at, quantity, consumer_kind, consumer_id FROM planning_peg
WHERE site_id = %(site)s AND item_id = %(item)s AND consumer_kind <> 'catalog.item'
UNION ALL
SELECT need_at, quantity, consumer_kind, consumer_id FROM planning_shortage
WHERE site_id = %(site)s AND item_id = %(item)s AND supply_id IS NULL
ORDER BY 1 LIMIT 100
"""


def _needs(page: Figures, given: dict[str, Any]) -> list[dict[str, Any]]:
    rows = query(NEEDS, given)
    labels = lists.labels_of(page.by, [(kind, id) for _, _, kind, id in rows if id is not None and kind])
    return [
        {"need_at": at, "quantity": quantity, "for": None if id is None else cause_in(labels, kind, id)}
        for at, quantity, kind, id in rows
    ]


ORDERS = f"""
SELECT w.id, w.number, w.completed_at, {ALLOWED}, m.issued_quantity
FROM production_work_order_material m JOIN production_work_order w ON w.id = m.work_order_id
WHERE m.item_id = %(item)s AND w.site_id = %(site)s AND w.completed_at >= %(from_at)s
ORDER BY abs(m.issued_quantity - {ALLOWED}) DESC, w.completed_at DESC LIMIT 100
"""


def _orders(page: Figures, given: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"id": id, "number": number, "completed_at": at, "allowed": allowed, "used": used, "difference": used - allowed}
        for id, number, at, allowed, used in query(ORDERS, given)
    ]
