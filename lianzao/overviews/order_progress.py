"""The screen of open orders: at which stage they are, which are late or at risk and why, whether promises are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.foundation import packing
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import query
from lianzao.overviews.order_360 import told_reasons
from lianzao.overviews.screens import sees, today_at
from lianzao.values.time import local_date

#: From the customer's word to his signature; an order stands where its slowest open line stands.
STAGES = ("ordered", "planned", "ready", "production", "quality", "packed", "shipped", "proved")
KEPT_DAYS = 30
TREND_WEEKS = 8
NEXT_DAYS = 7
PROVED_DAYS = 7
MOST_ROWS = 40

#: Every line on the way, with what is known of what serves it. The tree of supplies is walked once for all lines.
LINES = """
WITH RECURSIVE line AS (
    SELECT l.id, l.order_id, l.sequence, l.item_id, l.quantity, l.shipped_quantity, l.status,
           coalesce(l.promised_on, l.requested_on) AS due_on, l.promised_on, l.projected_at, l.unit_id
    FROM sales_sales_order_line l JOIN sales_sales_order o ON o.id = l.order_id
    WHERE o.site_id = %(site)s AND (l.status IN ('confirmed', 'shipped')
          OR (l.status IN ('delivered', 'closed') AND l.delivered_on > %(proved)s))
), walk AS (
    SELECT line.id AS line, p.supply_kind AS kind, p.supply_id AS id
    FROM line JOIN planning_peg p ON p.consumer_id = line.id WHERE line.status = 'confirmed'
    UNION
    SELECT walk.line, p.supply_kind, p.supply_id FROM walk JOIN planning_peg p ON p.consumer_id = walk.id
), made AS (
    SELECT walk.line, count(*) AS supplies,
           count(*) FILTER (WHERE walk.kind NOT IN ('production.work_order', 'catalog.item')) AS coming,
           count(*) FILTER (WHERE w.status = 'started' OR w.good_quantity > 0) AS started,
           bool_or(EXISTS (SELECT 1 FROM quality_inspection q WHERE q.status = 'open'
                           AND (q.source_id = w.id OR q.lot_id = w.lot_id))) AS inspected,
           sum(w.good_quantity) AS good, sum(w.quantity) AS wanted
    FROM walk LEFT JOIN production_work_order w ON walk.kind = 'production.work_order' AND w.id = walk.id
    GROUP BY walk.line
), short AS (
    SELECT DISTINCT ON (s.demand_id) s.demand_id AS line, jsonb_build_object(
               'item', CASE WHEN %(english)s AND i.name_en <> '' THEN i.name_en ELSE i.name END,
               'quantity', s.quantity, 'unit', CASE WHEN %(english)s THEN n.code ELSE n.name END,
               'need_at', s.need_at, 'ready_at', s.ready_at,
               'kind', s.supply_kind, 'id', s.supply_id, 'number', s.supply_number) AS told
    FROM planning_shortage s JOIN catalog_item i ON i.id = s.item_id JOIN catalog_unit n ON n.id = i.base_unit_id
    WHERE s.site_id = %(site)s AND s.demand_id IS NOT NULL
    ORDER BY s.demand_id, s.days_late DESC, s.need_at, s.id
)
SELECT line.id, line.order_id, o.number, line.sequence, o.priority, line.quantity, line.status, line.due_on,
       coalesce(u.projected_at, line.projected_at), coalesce(u.late_minutes, 0), coalesce(u.short_quantity, 0),
       u.reasons, u.demand_id IS NOT NULL, made.supplies, made.coming, made.started, coalesce(made.inspected, false),
       made.good, made.wanted, short.told,
       EXISTS (SELECT 1 FROM logistics_shipment_line sl JOIN logistics_shipment s ON s.id = sl.shipment_id
               WHERE sl.source_id = line.id AND s.status = 'packed'),
       line.shipped_quantity,
       CASE WHEN %(english)s AND c.name_en <> '' THEN c.name_en ELSE c.name END,
       CASE WHEN %(english)s AND i.name_en <> '' THEN i.name_en ELSE i.name END, i.code,
       CASE WHEN %(english)s THEN n.code ELSE n.name END
FROM line
JOIN sales_sales_order o ON o.id = line.order_id
JOIN parties_party c ON c.id = o.customer_id
JOIN catalog_item i ON i.id = line.item_id
JOIN catalog_unit n ON n.id = i.base_unit_id
LEFT JOIN planning_outlook u ON u.demand_id = line.id
LEFT JOIN made ON made.line = line.id
LEFT JOIN short ON short.line = line.id
ORDER BY o.priority, line.due_on, o.number, line.sequence
"""


@dataclass(frozen=True)
class Line:
    """A line on the way, as the statement brings it."""

    id: UUID
    order_id: UUID
    number: str
    sequence: int
    priority: int
    quantity: Decimal
    status: str
    due_on: date
    projected_at: datetime | None
    late_minutes: int
    short_quantity: Decimal
    reasons: list[dict[str, Any]] | None
    planned: bool
    supplies: int | None
    coming: int | None
    started: int | None
    inspected: bool
    good: Decimal | None
    wanted: Decimal | None
    short: dict[str, Any] | None
    packed: bool
    shipped_quantity: Decimal
    customer: str
    item: str
    item_code: str
    unit: str

    @property
    def stage(self) -> str:
        """Where the line stands: the furthest it has come, but never beyond what still holds it."""
        if self.status in ("delivered", "closed"):
            return "proved"
        if self.status == "shipped":
            return "shipped"
        if self.packed:
            return "packed"
        if self.inspected:
            return "quality"
        if self.started:
            return "production"
        if self.supplies and not self.coming and not self.short_quantity:
            return "ready"
        return "planned" if self.planned else "ordered"

    @property
    def open(self) -> bool:
        """Whether something is still owed."""
        return self.status in ("confirmed", "shipped")

    def late(self, today: date) -> bool:
        """Whether the plan misses our word, or the day has passed and the goods have not left."""
        return self.status == "confirmed" and (self.late_minutes > 0 or self.due_on < today)

    def at_risk(self, today: date) -> bool:
        """Not late, but something that it needs is missing at the day it is wanted."""
        return (
            self.status == "confirmed" and not self.late(today) and (self.short is not None or self.short_quantity > 0)
        )


#: The columns of the statement that come as JSON text: the plan's reasons, and what is missing.
JSON_PLACES = tuple(at for at, each in enumerate(fields(Line)) if each.name in ("reasons", "short"))


@dataclass
class Order:
    """A customer's order as a whole."""

    lines: list[Line] = field(default_factory=list)

    @property
    def stage(self) -> str:
        """Where its slowest open line stands; proved when nothing is open."""
        still = [line for line in self.lines if line.open] or self.lines
        return min((line.stage for line in still), key=STAGES.index)


def order_progress(by: Actor, site_id: UUID) -> dict[str, Any]:
    """The screen 订单进度跟踪 of a site."""
    today, day_began, _, zone = today_at(by, site_id)
    told: dict[str, Any] = dict.fromkeys(("stages", "totals", "rows", "more", "due", "kept", "changes"))
    told["today"] = today
    if sees(by, "sales.view_sales_order", "planning.view_outlook"):
        english = by.language.startswith("en")
        proved = today - timedelta(days=PROVED_DAYS)
        lines = read_lines(site_id, proved, english)
        told |= flow(lines, today) | threatened(by, lines, today, zone) | {"due": due_days(lines, today)}
    if sees(by, "sales.view_sales_order"):
        told["kept"] = kept(site_id, today)
    if sees(by, "sales.view_promise_change"):
        told["changes"] = promise_changes(by, site_id, day_began)
    return told


def read_lines(site_id: UUID, proved: date, english: bool) -> list[Line]:
    """Every line on the way, and those that were proved after a day."""
    rows = query(LINES, {"site": site_id, "proved": proved, "english": english})
    return [Line(*(packing.loads(each) if at in JSON_PLACES and each else each for at, each in enumerate(row)))
            for row in rows]  # fmt: skip


def flow(lines: Iterable[Line], today: date) -> dict[str, Any]:
    """How many orders stand at each stage, and how many of them are late or at risk."""
    orders: dict[UUID, Order] = {}
    for line in lines:
        orders.setdefault(line.order_id, Order()).lines.append(line)
    count, late, risk = Counter[str](), Counter[str](), Counter[str]()
    for order in orders.values():
        stage = order.stage
        count[stage] += 1
        if any(line.late(today) for line in order.lines):
            late[stage] += 1
        elif any(line.at_risk(today) for line in order.lines):
            risk[stage] += 1
    stages = [{"stage": stage, "orders": count[stage], "late": late[stage], "risk": risk[stage]} for stage in STAGES]
    still = [each for each in stages if each["stage"] != "proved"]
    totals = {name: sum(int(str(each[name])) for each in still) for name in ("orders", "late", "risk")}
    return {"stages": stages, "totals": totals}


def threatened(by: Actor, lines: Iterable[Line], today: date, zone: str) -> dict[str, Any]:
    """The lines that have to leave yet: the longest delay first, then what is at risk by its day, then all others."""
    late = [line for line in lines if line.late(today)]
    risk = [line for line in lines if line.at_risk(today)]
    late.sort(key=lambda line: (-minutes_late(line, today), line.priority, line.due_on))
    risk.sort(key=lambda line: (line.due_on, line.priority))
    known = {line.id for line in (*late, *risk)}
    fine = [line for line in lines if line.status == "confirmed" and line.id not in known]
    fine.sort(key=lambda line: (line.due_on, line.priority))
    names = sees(by, "parties.view_party")
    every = [*late, *risk, *fine]
    rows = [told_line(by, line, today, zone, names) for line in every[:MOST_ROWS]]
    return {"rows": rows, "more": max(0, len(every) - MOST_ROWS)}


def minutes_late(line: Line, today: date) -> int:
    """How late a line will be by the plan, at least what has already passed since its day."""
    return max(line.late_minutes, (today - line.due_on).days * 1440, 0)


def told_line(by: Actor, line: Line, today: date, zone: str, names: bool) -> dict[str, Any]:
    """A line of the list of what is threatened."""
    reasons = told_reasons(by, line.reasons or [])
    done = None
    if line.wanted:
        done = min(100, int(100 * (line.good or 0) / line.wanted))
    return {
        "id": line.id,
        "order_id": line.order_id,
        "number": line.number,
        "sequence": line.sequence,
        "customer": line.customer if names else None,
        "item": line.item,
        "item_code": line.item_code,
        "quantity": line.quantity,
        "unit": line.unit,
        "due_on": line.due_on,
        "projected_on": None if line.projected_at is None else local_date(line.projected_at, zone),
        "how": "late" if line.late(today) else "risk" if line.at_risk(today) else "on_time",
        "late_minutes": minutes_late(line, today) if line.late(today) else 0,
        "short_quantity": line.short_quantity,
        "stage": line.stage,
        "done_percent": done,
        "reason": reasons[0] if reasons else None,
        "missing": line.short,
    }


def due_days(lines: Iterable[Line], today: date) -> list[dict[str, Any]]:
    """How many lines are due on each of the next days, by how they stand."""
    made = {
        today + timedelta(days=after): {"on_time": 0, "risk": 0, "late": 0, "left": 0} for after in range(NEXT_DAYS)
    }
    for line in lines:
        if line.due_on not in made or not line.open:
            continue
        how = "left" if line.status == "shipped" else "late" if line.late(today) else "risk"
        made[line.due_on][how if how != "risk" or line.at_risk(today) else "on_time"] += 1
    return [{"on": on, **counts} for on, counts in made.items()]


KEPT = """
SELECT (%(today)s::date - l.delivered_on - 1) / 7 AS weeks_ago, count(*),
       count(*) FILTER (WHERE l.delivered_on <= coalesce(l.promised_on, l.requested_on)),
       count(*) FILTER (WHERE l.delivered_on >= %(month)s),
       count(*) FILTER (WHERE l.delivered_on >= %(month)s
                        AND l.delivered_on <= coalesce(l.promised_on, l.requested_on))
FROM sales_sales_order_line l JOIN sales_sales_order o ON o.id = l.order_id
WHERE o.site_id = %(site)s AND l.status IN ('delivered', 'closed') AND l.delivered_quantity >= l.quantity
  AND l.delivered_on >= %(from)s AND l.delivered_on < %(today)s
GROUP BY 1
"""


def kept(site_id: UUID, today: date) -> dict[str, Any]:
    """Lines delivered in full: how many by our word, in the last 30 whole days and week by week (None: none)."""
    values = {
        "site": site_id,
        "today": today,
        "month": today - timedelta(days=KEPT_DAYS),
        "from": today - timedelta(days=7 * TREND_WEEKS),
    }
    weeks = {row[0]: row[1:] for row in query(KEPT, values)}
    lines, on_time = (sum(row[at] for row in weeks.values()) for at in (2, 3))
    return {
        "days": KEPT_DAYS,
        "lines": lines,
        "on_time": on_time,
        "percent": percent(on_time, lines),
        "weeks": [
            {
                "until": today - timedelta(days=7 * ago + 1),
                "lines": weeks.get(ago, (0, 0))[0],
                "percent": percent(weeks.get(ago, (0, 0))[1], weeks.get(ago, (0, 0))[0]),
            }
            for ago in reversed(range(TREND_WEEKS))
        ],
    }


def percent(part: int, whole: int) -> float | None:
    """A share in percent with one decimal; None of nothing."""
    return round(100 * part / whole, 1) if whole else None


CHANGES = """
SELECT p.id, l.order_id, o.number, l.sequence, p.old_on, p.new_on, p.status, p.offered_at, p.reasons,
       CASE WHEN %(english)s AND c.name_en <> '' THEN c.name_en ELSE c.name END, count(*) OVER (),
       count(*) FILTER (WHERE p.old_on IS NOT NULL) OVER ()
FROM sales_promise_change p
JOIN sales_sales_order_line l ON l.id = p.line_id
JOIN sales_sales_order o ON o.id = l.order_id
JOIN parties_party c ON c.id = o.customer_id
WHERE o.site_id = %(site)s AND p.offered_at >= %(since)s AND p.old_on IS DISTINCT FROM p.new_on
  AND p.status <> 'withdrawn'
ORDER BY p.old_on IS NULL, p.new_on - p.old_on DESC, p.offered_at DESC
LIMIT 12
"""


def promise_changes(by: Actor, site_id: UUID, since: datetime) -> dict[str, Any]:
    """The dates that were promised anew today: those that moved back furthest first, first promises last."""
    values = {"site": site_id, "since": since, "english": by.language.startswith("en")}
    rows = query(CHANGES, values)
    names = sees(by, "parties.view_party")
    return {
        "total": rows[0][10] if rows else 0,
        "moved": rows[0][11] if rows else 0,
        "rows": [
            {
                "id": row[0],
                "order_id": row[1],
                "number": row[2],
                "sequence": row[3],
                "old_on": row[4],
                "new_on": row[5],
                "status": row[6],
                "at": row[7],
                "customer": row[9] if names else None,
            }
            for row in rows
        ],
    }
