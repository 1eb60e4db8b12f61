"""What others may ask of procurement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from lianzao.access.queries import site_zone
from lianzao.foundation import clock
from lianzao.foundation.entity import query
from lianzao.procurement.models import ArrivalChange, Asn, PurchaseOrder, ScheduleLine, SupplierItem
from lianzao.values.errors import NotFound
from lianzao.values.time import local_date, start_of_day

RECEIPTS = (
    "kind",
    "id",
    "label",
    "item_id",
    "quantity",
    "expected_on",
    "expected_at",
    "required_on",
    "confirmed_on",
    "commitment",
    "purchase_order_id",
    "supplier_id",
    "asn_id",
)

#: `eta_at` counts for what is announced; the days of the rest are made instants by the site's zone afterwards.
RECEIPTS_SQL = """
SELECT 'procurement.schedule_line', s.id, o.number || '/' || l.sequence || '.' || s.sequence, l.item_id,
       s.quantity - s.received_quantity, s.expected_on, a.eta_at, s.required_on, s.confirmed_on,
       CASE WHEN o.status = 'draft' THEN 'draft' WHEN s.status = 'open' THEN 'sent' ELSE s.status END,
       o.id, o.supplier_id, a.id
FROM procurement_schedule_line s
JOIN procurement_purchase_order_line l ON l.id = s.line_id
JOIN procurement_purchase_order o ON o.id = l.order_id
LEFT JOIN LATERAL (
    SELECT n.id, n.eta_at FROM procurement_asn_line x JOIN procurement_asn n ON n.id = x.asn_id
    WHERE x.schedule_line_id = s.id AND n.status IN ('announced', 'arrived')
    ORDER BY n.eta_at DESC LIMIT 1
) a ON true
WHERE o.site_id = %(site_id)s AND o.status IN ('draft', 'sent') AND s.status IN ('open', 'confirmed', 'announced')
  AND s.quantity > s.received_quantity
UNION ALL
SELECT 'procurement.purchase_requisition', r.id, r.number, r.item_id, r.quantity, r.needed_on, NULL, r.needed_on, NULL,
       r.status, NULL, r.supplier_id, NULL
FROM procurement_purchase_requisition r
WHERE r.site_id = %(site_id)s AND r.status IN ('raised', 'approved')
ORDER BY 6, 2
"""


def receipt_columns(site_id: UUID) -> dict[str, list[Any]]:
    """What will come from suppliers, the earliest first: one entry per open schedule line or unordered requisition.

    Quantities are Decimals in the base unit, what has arrived is left out. `expected_at` is the shipment's estimated
    arrival when one is announced, else the beginning of the local day `expected_on`. `commitment` says how firm it is:
    raised, approved (requisitions), draft, sent, confirmed, announced. A requisition counts, so that a plan whose
    proposals were accepted does not propose them again.
    """
    rows = query(RECEIPTS_SQL, {"site_id": site_id})
    columns = zip(*rows, strict=True) if rows else ([] for _ in RECEIPTS)
    found = {name: list(column) for name, column in zip(RECEIPTS, columns, strict=True)}
    zone = site_zone(site_id)
    days: dict[date, Any] = {}
    for place, at in enumerate(found["expected_at"]):
        if at is None:
            on = found["expected_on"][place]
            found["expected_at"][place] = days.get(on) or days.setdefault(on, start_of_day(on, zone))
    return found


SUPPLIERS = (
    "item_id",
    "supplier_id",
    "supplier_item_id",
    "price",
    "currency",
    "lead_time_days",
    "transit_days",
    "minimum",
    "multiple",
    "share",
)
SUPPLIERS_SQL = """
SELECT DISTINCT ON (i.item_id) i.item_id, i.supplier_id, i.id, i.price, i.currency, i.lead_time_days, p.transit_days,
       i.minimum, i.multiple, i.share
FROM procurement_supplier_item i
JOIN parties_party p ON p.id = i.supplier_id
WHERE p.is_supplier AND p.retired_at IS NULL AND p.blocked_at IS NULL
  AND (i.valid_from IS NULL OR i.valid_from <= %(on)s) AND (i.valid_until IS NULL OR i.valid_until > %(on)s)
  AND (%(items)s::uuid[] IS NULL OR i.item_id = ANY(%(items)s::uuid[]))
ORDER BY i.item_id, i.preferred DESC, i.price, i.lead_time_days NULLS LAST, i.id
"""


def supplier_columns(site_id: UUID) -> dict[str, list[Any]]:
    """The supplier to take for each bought item today: the preferred one, then the cheapest, then the quickest.

    Prices are per base unit; quantities Decimals in the base unit, zero for no rule. `lead_time_days` None: the item's
    own at the site counts.
    """
    on = local_date(clock.now(), site_zone(site_id))
    rows = query(SUPPLIERS_SQL, {"on": on, "items": None})
    columns = zip(*rows, strict=True) if rows else ([] for _ in SUPPLIERS)
    return {name: list(column) for name, column in zip(SUPPLIERS, columns, strict=True)}


def best_suppliers(item_ids: Iterable[UUID], on: date) -> dict[UUID, UUID]:
    """The supplier to take for items on a day; items nobody sells are left out."""
    rows = query(SUPPLIERS_SQL, {"on": on, "items": list(item_ids)})
    return {row[0]: row[1] for row in rows}


def agreements(supplier_id: UUID, item_ids: Iterable[UUID], on: date) -> dict[UUID, SupplierItem]:
    """What is agreed with a supplier about items on a day."""
    rows = SupplierItem.objects.filter(supplier_id=supplier_id, item_id__in=list(item_ids))
    rows = rows.filter(Q(valid_from=None) | Q(valid_from__lte=on), Q(valid_until=None) | Q(valid_until__gt=on))
    return {each.item_id: each for each in rows}


def order(order_id: UUID) -> PurchaseOrder:
    """One purchase order. Raises NotFound."""
    found = PurchaseOrder.objects.select_related("supplier").filter(id=order_id).first()
    if found is None:
        raise NotFound("not_found", entity="procurement.purchase_order", id=str(order_id))
    return found


def schedule_lines(line_ids: Sequence[UUID]) -> dict[UUID, ScheduleLine]:
    """Schedule lines with their order lines and orders, by id; unknown ids are left out."""
    rows = ScheduleLine.objects.select_related("line__order", "line__item").filter(id__in=list(line_ids))
    return {each.id: each for each in rows}


def asn_by_number(number: str) -> Asn:
    """The shipment notice somebody scanned: our number, or the supplier's delivery note if only one open notice has it.

    Raises NotFound.
    """
    text = number.strip()
    found = Asn.objects.filter(number=text).first()
    if found is None:
        open_ones = list(Asn.objects.filter(delivery_note=text, status__in=("announced", "arrived"))[:2])
        found = open_ones[0] if text and len(open_ones) == 1 else None
    if found is None:
        raise NotFound("asn_unknown", number=text)
    return found


def arrival_history(schedule_line_id: UUID) -> list[ArrivalChange]:
    """Every change of when a delivery is expected, the first one first."""
    return list(ArrivalChange.objects.filter(schedule_line_id=schedule_line_id).order_by("said_at", "id"))


OVERDUE_SQL = """
SELECT s.id, o.id, o.number, o.supplier_id, l.item_id, s.quantity - s.received_quantity, s.expected_on, s.status
FROM procurement_schedule_line s
JOIN procurement_purchase_order_line l ON l.id = s.line_id
JOIN procurement_purchase_order o ON o.id = l.order_id
WHERE o.site_id = %s AND o.status = 'sent' AND s.status IN ('open', 'confirmed', 'announced') AND s.expected_on < %s
ORDER BY s.expected_on, o.number
"""
OVERDUE = "schedule_line_id purchase_order_id number supplier_id item_id quantity expected_on status".split()


def overdue_receipts(site_id: UUID, on: date) -> list[dict[str, Any]]:
    """Deliveries expected before a local day that have not come."""
    return [dict(zip(OVERDUE, row, strict=True)) for row in query(OVERDUE_SQL, [site_id, on])]


SCORE_SQL = """
SELECT o.supplier_id, count(*),
       count(*) FILTER (WHERE (g.happened_at AT TIME ZONE %(zone)s)::date <= coalesce(f.first_on, s.required_on)),
       count(*) FILTER (WHERE r.quantity + r.rejected = coalesce(r.announced_quantity, r.quantity + r.rejected)),
       coalesce(sum(r.quantity), 0), coalesce(sum(r.rejected), 0)
FROM procurement_goods_receipt_line r
JOIN procurement_goods_receipt g ON g.id = r.receipt_id AND g.status = 'posted'
JOIN procurement_schedule_line s ON s.id = r.schedule_line_id
JOIN procurement_purchase_order_line l ON l.id = s.line_id
JOIN procurement_purchase_order o ON o.id = l.order_id
LEFT JOIN LATERAL (
    SELECT c.new_on AS first_on FROM procurement_arrival_change c
    WHERE c.schedule_line_id = s.id AND c.said_by = 'supplier' ORDER BY c.said_at, c.id LIMIT 1
) f ON true
WHERE o.site_id = %(site_id)s AND g.happened_at >= %(from_at)s AND g.happened_at < %(until_at)s
GROUP BY o.supplier_id ORDER BY o.supplier_id
"""
SCORE = "supplier_id receipts on_time as_announced quantity rejected".split()


MONTHS_SQL = """
SELECT to_char(date_trunc('month', g.happened_at AT TIME ZONE s0.time_zone), 'YYYY-MM'), count(*),
       count(*) FILTER (WHERE (g.happened_at AT TIME ZONE s0.time_zone)::date <= coalesce(f.first_on, s.required_on)),
       count(*) FILTER (WHERE r.quantity + r.rejected = coalesce(r.announced_quantity, r.quantity + r.rejected)),
       coalesce(sum(r.quantity), 0), coalesce(sum(r.rejected), 0),
       avg(greatest((g.happened_at AT TIME ZONE s0.time_zone)::date - coalesce(f.first_on, s.required_on), 0))
FROM procurement_goods_receipt_line r
JOIN procurement_goods_receipt g ON g.id = r.receipt_id AND g.status = 'posted'
JOIN access_site s0 ON s0.id = g.site_id
JOIN procurement_schedule_line s ON s.id = r.schedule_line_id
LEFT JOIN LATERAL (
    SELECT c.new_on AS first_on FROM procurement_arrival_change c
    WHERE c.schedule_line_id = s.id AND c.said_by = 'supplier' ORDER BY c.said_at, c.id LIMIT 1
) f ON true
WHERE g.supplier_id = %s AND g.happened_at >= %s AND (%s::uuid[] IS NULL OR g.site_id = ANY(%s::uuid[]))
GROUP BY 1 ORDER BY 1
"""
MONTHS = "month receipts on_time as_announced quantity rejected days_late".split()


def supplier_months(supplier_id: UUID, since: datetime, site_ids: Sequence[UUID] | None = None) -> list[dict[str, Any]]:
    """How one supplier delivered, by the month at the site: receipts, on time against his first word, counts that
    agreed with the notice, quantity taken in and refused, days late on the average (early ones count as none).
    """
    sites = None if site_ids is None else list(site_ids)
    return [dict(zip(MONTHS, row, strict=True)) for row in query(MONTHS_SQL, [supplier_id, since, sites, sites])]


def supplier_scores(site_id: UUID, from_on: date, until_on: date) -> list[dict[str, Any]]:
    """How suppliers delivered on the local days [from_on, until_on): receipts, on time against their first word, counts
    that agreed with the notice, quantity taken in and refused at the door.
    """
    zone = site_zone(site_id)
    given = {
        "site_id": site_id,
        "zone": zone,
        "from_at": start_of_day(from_on, zone),
        "until_at": start_of_day(until_on, zone),
    }
    return [dict(zip(SCORE, row, strict=True)) for row in query(SCORE_SQL, given)]
