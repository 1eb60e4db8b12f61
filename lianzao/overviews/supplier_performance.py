"""供应商绩效与物流时效: how suppliers keep their word, what comes next and how sure that is, how goods travel.

How each figure is counted stands at its function. Spans are local days of the site.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import query
from lianzao.overviews.measuring import ITEM_COLUMNS, ITEM_WIDTH, Figures, per_million, share
from lianzao.values.quantity import ZERO

#: Rows of a list; days looked back for deliveries, days of expected receipts, days looked back for shipments.
MOST, BACK, AHEAD, SHIPPED = 40, 90, 14, 30
#: Lateness in days: the first day of each class. Days are after the day that was agreed.
CLASSES = (("early", None), ("on_day", 0), ("days_1_2", 1), ("days_3_5", 3), ("days_6_10", 6), ("longer", 11))


def supplier_performance(by: Actor, site_id: UUID) -> dict[str, Any]:
    """The figures of the page, as far as the viewer may see what is behind them."""
    page = Figures.of(by, site_id)
    orders, shipments = "procurement.view_schedule_line procurement.view_goods_receipt", "logistics.view_shipment"
    checked = "procurement.view_goods_receipt quality.view_inspection"
    told = {
        "deliveries": page.told("deliveries", orders, lambda: deliveries(page)),
        "confirmations": page.told("confirmations", "procurement.view_schedule_line", lambda: confirmations(page)),
        "refused": page.told("refused", checked, lambda: refused(page)),
        "expected": page.told("expected", "procurement.view_schedule_line", lambda: expected(page)),
        "shipments": page.told("shipments", shipments, lambda: shipments_now(page)),
        "transit": page.told("transit", shipments, lambda: transit(page)),
    }
    return page.head() | told | {"masked": page.masked}


def supplier_deliveries(by: Actor, site_id: UUID, supplier_id: UUID) -> dict[str, Any]:
    """The deliveries behind a supplier's figures, the latest day first."""
    page = Figures.of(by, site_id)
    rights = "procurement.view_schedule_line procurement.view_goods_receipt"
    given = page.values(from_on=page.day(-BACK), supplier=supplier_id)
    return {"rows": page.told("rows", rights, lambda: _lines(page, given)), "masked": page.masked}


# -- on time and in full ----------------------------------------------------------------------------------------------

#: Deliveries due in the span, each with the day agreed and the day on which all of it was there.
DUE = """
due AS (
    SELECT d.id, o.id AS order_id, o.number || '/' || l.sequence || '.' || d.sequence AS number, o.supplier_id,
           l.item_id, d.quantity, d.status, d.received_quantity, coalesce(f.first_on, d.required_on) AS due_on
    FROM procurement_schedule_line d
    JOIN procurement_purchase_order_line l ON l.id = d.line_id
    JOIN procurement_purchase_order o ON o.id = l.order_id AND o.site_id = %(site)s AND o.status <> 'draft'
    LEFT JOIN LATERAL (
        SELECT c.new_on AS first_on FROM procurement_arrival_change c
        WHERE c.schedule_line_id = d.id AND c.said_by = 'supplier' ORDER BY c.said_at, c.id LIMIT 1
    ) f ON true
    WHERE d.status <> 'cancelled'
      AND (d.required_on >= %(from_on)s::date - 180 OR d.expected_on >= %(from_on)s::date - 180)
), arrived AS (
    SELECT due.*, w.full_on
    FROM due LEFT JOIN LATERAL (
        SELECT min(on_day) AS full_on FROM (
            SELECT (g.happened_at AT TIME ZONE %(zone)s)::date AS on_day,
                   sum(r.quantity) OVER (ORDER BY g.happened_at, g.id, r.sequence) AS upto
            FROM procurement_goods_receipt_line r
            JOIN procurement_goods_receipt g ON g.id = r.receipt_id AND g.status = 'posted'
            WHERE r.schedule_line_id = due.id
        ) got WHERE upto >= due.quantity
    ) w ON true
    WHERE due.due_on >= %(from_on)s AND due.due_on < %(today)s
)"""

DELIVERIES = f"""
WITH {DUE}
SELECT a.supplier_id, p.code, p.name, p.name_en, count(*),
       count(*) FILTER (WHERE full_on <= due_on), count(*) FILTER (WHERE full_on IS NULL),
       count(*) FILTER (WHERE full_on < due_on), count(*) FILTER (WHERE full_on = due_on),
       count(*) FILTER (WHERE full_on - due_on BETWEEN 1 AND 2),
       count(*) FILTER (WHERE full_on - due_on BETWEEN 3 AND 5),
       count(*) FILTER (WHERE full_on - due_on BETWEEN 6 AND 10), count(*) FILTER (WHERE full_on - due_on > 10)
FROM arrived a JOIN parties_party p ON p.id = a.supplier_id
GROUP BY p.id, a.supplier_id
"""


def deliveries(page: Figures) -> dict[str, Any]:
    """On time in full (OTIF): of the deliveries due in the last 90 days, the share of which all that was ordered had
    been taken in by the day agreed. A delivery is one schedule line of a purchase order; the day agreed is the first
    the supplier named, else the one we asked for. Refused goods do not count as delivered; what has not come by its day
    counts as missed. The worst supplier first; and by how many days deliveries came late.
    """
    found = query(DELIVERIES, page.values(from_on=page.day(-BACK)))
    rows = [
        {
            "supplier": page.master(*row[:4]),
            "due": row[4],
            "on_time": row[5],
            "missing": row[6],
            "share": share(row[5], row[4]),
        }
        for row in found
    ]
    rows.sort(key=lambda each: (each["share"] or ZERO, -each["due"], each["supplier"]["code"]))
    due, on_time, missing = (sum(row[place] for row in found) for place in (4, 5, 6))
    late = [{"name": name, "count": sum(row[7 + place] for row in found)} for place, (name, _) in enumerate(CLASSES)]
    return {
        "days": BACK,
        "due": due,
        "on_time": on_time,
        "share": share(on_time, due),
        "suppliers": len(rows),
        "rows": rows[:MOST],
        "lateness": [*late, {"name": "missing", "count": missing}],
    }


LINES = f"""
WITH {DUE}
SELECT {ITEM_COLUMNS}, a.id, a.order_id, a.number, a.quantity, a.received_quantity, a.status, a.due_on, a.full_on,
       coalesce(a.full_on, %(today)s::date) - a.due_on
FROM arrived a JOIN catalog_item i ON i.id = a.item_id JOIN catalog_unit u ON u.id = i.base_unit_id
WHERE a.supplier_id = %(supplier)s
ORDER BY a.due_on DESC, a.number LIMIT 200
"""


def _lines(page: Figures, given: dict[str, Any]) -> list[dict[str, Any]]:
    names = ("id", "purchase_order_id", "number", "quantity", "received", "status", "due_on", "full_on", "days_late")
    return [
        {"item": page.item(*row[:ITEM_WIDTH])} | dict(zip(names, row[ITEM_WIDTH:], strict=True))
        for row in query(LINES, given)
    ]


# -- their word -------------------------------------------------------------------------------------------------------

UNANSWERED = """
SELECT p.id, p.code, p.name, p.name_en, count(*), min(o.sent_at)
FROM procurement_purchase_order o
JOIN procurement_purchase_order_line l ON l.order_id = o.id
JOIN procurement_schedule_line d ON d.line_id = l.id AND d.status = 'open' AND d.confirmed_on IS NULL
JOIN parties_party p ON p.id = o.supplier_id
WHERE o.site_id = %(site)s AND o.status = 'sent' AND o.sent_at IS NOT NULL
GROUP BY p.id ORDER BY min(o.sent_at), p.code
"""

ANSWERED = """
SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY hours), percentile_cont(0.9) WITHIN GROUP (ORDER BY hours)
FROM (
    SELECT extract(epoch FROM f.said_at - o.sent_at) / 3600 AS hours
    FROM procurement_purchase_order o
    JOIN procurement_purchase_order_line l ON l.order_id = o.id
    JOIN procurement_schedule_line d ON d.line_id = l.id AND d.confirmed_on IS NOT NULL
    JOIN LATERAL (
        SELECT c.said_at FROM procurement_arrival_change c
        WHERE c.schedule_line_id = d.id AND c.said_at >= o.sent_at ORDER BY c.said_at, c.id LIMIT 1
    ) f ON true
    WHERE o.site_id = %(site)s AND o.status IN ('sent', 'received', 'closed') AND o.sent_at >= %(from_at)s
) answered
"""


def confirmations(page: Figures) -> dict[str, Any]:
    """Deliveries of sent orders that nobody has confirmed, by supplier, since when; and how long confirming took, of
    the orders sent in the last 90 days: half of the deliveries were answered within `median_hours`, nine of ten within
    `slow_hours` (by the clock, nights and Sundays included).
    """
    answered, median, slow = query(ANSWERED, page.values(from_at=page.since(BACK)))[0]
    rows = [
        {
            "supplier": page.master(*row[:4]),
            "deliveries": row[4],
            "sent_at": row[5],
            "hours": int((page.now - row[5]).total_seconds() // 3600),
        }
        for row in query(UNANSWERED, page.values())
    ]
    return {
        "days": BACK,
        "open": sum(row["deliveries"] for row in rows),
        "oldest_hours": max((row["hours"] for row in rows), default=None),
        "answered": answered,
        "median_hours": None if median is None else round(float(median), 1),
        "slow_hours": None if slow is None else round(float(slow), 1),
        "rows": rows[:MOST],
    }


# -- what was refused -------------------------------------------------------------------------------------------------

REFUSED = """
WITH came AS (
    SELECT g.supplier_id, i.base_unit_id AS unit_id, count(*) AS lines, sum(r.quantity + r.rejected) AS delivered,
           sum(r.rejected) AS at_door
    FROM procurement_goods_receipt g
    JOIN procurement_goods_receipt_line r ON r.receipt_id = g.id
    JOIN catalog_item i ON i.id = r.item_id
    WHERE g.site_id = %(site)s AND g.status = 'posted' AND g.happened_at >= %(from_at)s
    GROUP BY 1, 2
), bad AS (
    SELECT q.supplier_id, i.base_unit_id AS unit_id, sum(q.quantity) AS rejected
    FROM quality_inspection q JOIN catalog_item i ON i.id = q.item_id
    WHERE q.site_id = %(site)s AND q.point = 'receipt' AND q.status = 'rejected' AND q.decided_at >= %(from_at)s
    GROUP BY 1, 2
), one_unit AS (
    SELECT DISTINCT ON (c.supplier_id) c.*, sum(c.lines) OVER (PARTITION BY c.supplier_id) AS all_lines
    FROM came c ORDER BY c.supplier_id, c.lines DESC, c.unit_id
)
SELECT p.id, p.code, p.name, p.name_en, u.code, u.name, c.lines, c.all_lines - c.lines, c.delivered,
       c.at_door + least(coalesce(b.rejected, 0), c.delivered - c.at_door)
FROM one_unit c
JOIN parties_party p ON p.id = c.supplier_id
JOIN catalog_unit u ON u.id = c.unit_id
LEFT JOIN bad b ON b.supplier_id = c.supplier_id AND b.unit_id = c.unit_id
"""


def refused(page: Figures) -> dict[str, Any]:
    """What suppliers delivered that was not good, in the last 90 days: refused at the door, or rejected by the incoming
    inspection, as a share of all they delivered: in % and in parts per million (PPM). Where a supplier delivers in
    several units (pieces, kg), of the unit most of his lines are in; `left_out` says how many lines are in others.
    """
    found = query(REFUSED, page.values(from_at=page.since(BACK)))
    rows = [
        {
            "supplier": page.master(*row[:4]),
            "unit": page.unit(row[4], row[5]),
            "lines": row[6],
            "left_out": row[7],
            "delivered": row[8],
            "refused": row[9],
            "share": share(row[9], row[8]),
            "ppm": per_million(row[9], row[8]),
        }
        for row in found
    ]
    rows.sort(key=lambda each: (-(each["ppm"] or 0), each["supplier"]["code"]))
    return {"days": BACK, "suppliers": len(rows), "rows": rows[:MOST]}


# -- what is to come --------------------------------------------------------------------------------------------------

#: Deliveries expected until a day, with what makes each uncertain: overdue, unconfirmed, later than wanted, and how
#: many needs wait for it in vain.
EXPECTED = """
coming AS (
    SELECT d.id, o.id AS order_id, o.number || '/' || l.sequence || '.' || d.sequence AS number, o.supplier_id,
           l.item_id, d.quantity - d.received_quantity AS quantity, d.required_on, d.expected_on, d.status,
           d.expected_on < %(today)s AS overdue, d.status = 'open' AS unconfirmed,
           greatest(d.expected_on - d.required_on, 0) AS days_late, coalesce(h.needs, 0) AS needs
    FROM procurement_purchase_order o
    JOIN procurement_purchase_order_line l ON l.order_id = o.id
    JOIN procurement_schedule_line d ON d.line_id = l.id AND d.status IN ('open', 'confirmed', 'announced')
     AND d.expected_on < %(until)s AND d.quantity > d.received_quantity
    LEFT JOIN LATERAL (
        SELECT count(DISTINCT s.demand_id) AS needs FROM planning_shortage s
        WHERE s.site_id = %(site)s AND s.supply_id = d.id AND s.supply_kind = 'procurement.schedule_line'
    ) h ON %(plan)s
    WHERE o.site_id = %(site)s AND o.status = 'sent'
)"""

EXPECTED_DAYS = f"""
WITH {EXPECTED}
SELECT greatest(expected_on, %(today)s::date), count(*), count(*) FILTER (WHERE overdue),
       count(*) FILTER (WHERE NOT overdue AND needs > 0),
       count(*) FILTER (WHERE NOT overdue AND needs = 0 AND days_late > 0),
       count(*) FILTER (WHERE NOT overdue AND needs = 0 AND days_late = 0 AND unconfirmed)
FROM coming GROUP BY 1
"""

EXPECTED_ROWS = f"""
WITH {EXPECTED}
SELECT {ITEM_COLUMNS}, p.id, p.code, p.name, p.name_en, c.id, c.order_id, c.number, c.quantity, c.required_on,
       c.expected_on, c.status, c.overdue, c.unconfirmed, c.days_late, c.needs
FROM coming c
JOIN catalog_item i ON i.id = c.item_id JOIN catalog_unit u ON u.id = i.base_unit_id
JOIN parties_party p ON p.id = c.supplier_id
ORDER BY c.needs DESC, c.overdue DESC, c.days_late DESC, c.unconfirmed DESC, c.expected_on, c.number LIMIT %(most)s
"""


def expected(page: Figures) -> dict[str, Any]:
    """Deliveries expected in the next 14 days, by day, those overdue with today; and the risky ones first. A delivery
    is risky when it is overdue, when orders wait for it that it makes late, when it comes after the day we need it, or
    when nobody has confirmed it. Each is counted once, under the first of these that holds.
    """
    plan = page.sees("planning.view_shortage")
    given = page.values(until=page.day(AHEAD), plan=plan, most=MOST)
    found = {row[0]: row[1:] for row in query(EXPECTED_DAYS, given)}
    days = []
    for place in range(AHEAD):
        count, overdue, hurting, late, unconfirmed = found.get(page.day(place), (0, 0, 0, 0, 0))
        days.append(
            {
                "on": page.day(place),
                "deliveries": count,
                "overdue": overdue,
                "hurting": hurting,
                "late": late,
                "unconfirmed": unconfirmed,
            }
        )
    names = (
        "id", "purchase_order_id", "number", "quantity", "required_on", "expected_on", "status", "overdue",
        "unconfirmed", "days_late", "needs",
    )  # fmt: skip
    rows = [
        {"item": page.item(*row[:ITEM_WIDTH]), "supplier": page.master(*row[ITEM_WIDTH : ITEM_WIDTH + 4])}
        | dict(zip(names, row[ITEM_WIDTH + 4 :], strict=True))
        for row in query(EXPECTED_ROWS, given)
    ]
    return {"days": AHEAD, "deliveries": sum(each["deliveries"] for each in days), "by_day": days, "rows": rows}


# -- what goes out ----------------------------------------------------------------------------------------------------

#: A shipment that is not over: where it stands. It is late when it should have left before today, or will arrive after
#: the time it was announced for, or that time is over without a proof.
GOING = """
going AS (
    SELECT s.id, s.number, s.status, s.customer_id, s.carrier_id, s.due_on, s.dispatched_at, s.eta_at,
           CASE s.status WHEN 'dispatched' THEN 'on_way' WHEN 'packed' THEN 'ready' ELSE 'due' END AS place,
           CASE s.status WHEN 'dispatched' THEN coalesce(s.eta_at < %(at)s, false) ELSE s.due_on < %(today)s END AS late
    FROM logistics_shipment s
    WHERE s.site_id = %(site)s AND s.status IN ('planned', 'picking', 'packed', 'dispatched')
)"""

SHIPMENTS = f"""
WITH {GOING}
SELECT place, count(*), count(*) FILTER (WHERE late), count(*) FILTER (WHERE place <> 'on_way' AND due_on = %(today)s)
FROM going GROUP BY place
"""

SHIPMENT_ROWS = f"""
WITH {GOING}
SELECT g.id, g.number, g.status, g.place, g.late, g.due_on, g.dispatched_at, g.eta_at, c.id, c.code, c.name, c.name_en,
       t.id, t.code, t.name, t.name_en
FROM going g JOIN parties_party c ON c.id = g.customer_id LEFT JOIN parties_party t ON t.id = g.carrier_id
WHERE g.late OR g.place <> 'due' OR g.due_on < %(until)s
ORDER BY g.late DESC, coalesce((g.eta_at AT TIME ZONE %(zone)s)::date, g.due_on), g.number LIMIT %(most)s
"""


def shipments_now(page: Figures) -> dict[str, Any]:
    """Shipments that are not over: due (to be packed), ready (packed), on the way. Late: should have left before today,
    or its time of arrival is over and there is no proof. Proof outstanding: those on the way whose time is over.
    """
    found = {row[0]: row[1:] for row in query(SHIPMENTS, page.values())}
    counted = {name: found.get(name, (0, 0, 0)) for name in ("due", "ready", "on_way")}
    names = ("id", "number", "status", "place", "late", "due_on", "dispatched_at", "eta_at")
    rows = [
        dict(zip(names, row[:8], strict=True))
        | {"customer": page.master(*row[8:12]), "carrier": page.master(*row[12:16])}
        for row in query(SHIPMENT_ROWS, page.values(until=page.day(AHEAD), most=MOST))
    ]
    return {
        **{name: each[0] for name, each in counted.items()},
        "today": sum(each[2] for each in counted.values()),
        "late": sum(each[1] for each in counted.values()),
        "proof": counted["on_way"][1],
        "rows": rows,
    }


TRANSIT = """
SELECT t.id, t.code, t.name, t.name_en, count(*),
       count(*) FILTER (WHERE (s.delivered_at AT TIME ZONE %(zone)s)::date
                           <= ((s.dispatched_at + e.planned) AT TIME ZONE %(zone)s)::date),
       avg(extract(epoch FROM e.planned)) / 3600, avg(extract(epoch FROM s.delivered_at - s.dispatched_at)) / 3600,
       max(extract(epoch FROM s.delivered_at - s.dispatched_at - e.planned)) / 3600
FROM logistics_shipment s
JOIN parties_party c ON c.id = s.customer_id
LEFT JOIN parties_party t ON t.id = s.carrier_id
LEFT JOIN (
    SELECT (x.payload->>'shipment_id')::uuid AS shipment_id, max((x.payload->>'eta_at')::timestamptz) AS eta_at
    FROM foundation_event x
    WHERE x.name = 'logistics.ShipmentDispatched' AND x.site_id = %(site)s
      AND x.at >= %(from_at)s::timestamptz - interval '60 days'
    GROUP BY 1
) n ON n.shipment_id = s.id
CROSS JOIN LATERAL (
    SELECT coalesce(n.eta_at - s.dispatched_at, make_interval(days => c.transit_days)) AS planned
) e
WHERE s.site_id = %(site)s AND s.status = 'delivered' AND s.due_on >= %(due_from)s AND s.delivered_at >= %(from_at)s
GROUP BY t.id ORDER BY count(*) DESC, t.code NULLS LAST
"""


def transit(page: Figures) -> dict[str, Any]:
    """How long goods travelled: of the shipments delivered in the last 30 days, by carrier, the mean hours from
    dispatch to the proof of delivery, against the time of arrival announced at dispatch (later news of it does not
    count; where it is not known any more, against the customer's transit days). On time: by that day.
    """
    given = page.values(from_at=page.since(SHIPPED), due_from=page.day(-SHIPPED - 365))
    rows = [
        {
            "carrier": page.master(*row[:4]),
            "shipments": row[4],
            "on_time": row[5],
            "share": share(row[5], row[4]),
            "planned_hours": round(float(row[6]), 1),
            "actual_hours": round(float(row[7]), 1),
            "worst_hours": round(max(float(row[8]), 0.0), 1),
        }
        for row in query(TRANSIT, given)
    ]
    shipments, on_time = (sum(row[name] for row in rows) for name in ("shipments", "on_time"))
    return {
        "days": SHIPPED,
        "shipments": shipments,
        "on_time": on_time,
        "share": share(on_time, shipments),
        "rows": rows[:MOST],
    }
