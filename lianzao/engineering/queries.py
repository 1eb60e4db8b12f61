"""What others may ask about bills of materials and routings. Only approved revisions count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access.queries import site_zone
from lianzao.catalog.queries import columns, item_facts
from lianzao.engineering import rules
from lianzao.engineering.models import Bom, Routing, RoutingOperation, RoutingStep
from lianzao.foundation import fetching
from lianzao.foundation.entity import query
from lianzao.values.errors import RuleBroken
from lianzao.values.time import local_date

#: The one revision of an item that counts on a day at a site. A site with approved revisions of its own uses only
#: those; asked for no site, a revision for all sites goes before one of a single site.
IN_EFFECT = """
SELECT b.* FROM engineering_{table} b
WHERE b.item_id = {item} AND b.approved_at IS NOT NULL
  AND (b.effective_from IS NULL OR b.effective_from <= %(on)s)
  AND (b.effective_until IS NULL OR b.effective_until > %(on)s)
  AND (%(site)s::uuid IS NULL OR b.site_id = %(site)s
       OR (b.site_id IS NULL AND NOT EXISTS (
           SELECT FROM engineering_{table} o
           WHERE o.item_id = b.item_id AND o.site_id = %(site)s AND o.approved_at IS NOT NULL)))
ORDER BY b.site_id IS NOT NULL, b.effective_from DESC NULLS LAST, b.id
LIMIT 1
"""


@dataclass(frozen=True)
class Material:
    """What an order takes of one component, or a row of an indented explosion. Quantities in the component's base unit.

    `operation_sequence` 0 means the first operation. `level` 1 stands directly below the item asked for. `fixed`: taken
    once per order, whatever its quantity.
    """

    line_id: UUID
    parent_id: UUID
    item_id: UUID
    code: str
    name: str
    name_en: str
    base_unit: str
    supply: str
    quantity: Decimal
    operation_sequence: int
    level: int
    fixed: bool = False


@dataclass(frozen=True)
class Use:
    """Where an item is used: directly (level 1) or inside what is. `quantity_per`: net, for one unit of `item_id`."""

    level: int
    item_id: UUID
    code: str
    name: str
    name_en: str
    bom_id: UUID
    bom_code: str
    approved: bool
    component_id: UUID
    quantity_per: Decimal


def bom_in_effect(item_id: UUID, on: date, site_id: UUID | None = None) -> Bom | None:
    """The approved bill of materials of an item on a day (at a site), if there is one."""
    return next(
        iter(Bom.objects.raw(_in_effect("bom", "%(item)s"), {"item": item_id, "on": on, "site": site_id})), None
    )


def routing_in_effect(item_id: UUID, on: date, site_id: UUID | None = None) -> Routing | None:
    """The approved routing of an item on a day (at a site), if there is one."""
    sql = _in_effect("routing", "%(item)s")
    return next(iter(Routing.objects.raw(sql, {"item": item_id, "on": on, "site": site_id})), None)


def operations_of(routing_id: UUID) -> list[RoutingOperation]:
    """The operations of a routing in their order, with their work centers."""
    return fetching.matching(RoutingOperation, "sequence", along="work_center", routing_id=routing_id)


def steps_of(routing_id: UUID) -> dict[UUID, list[RoutingStep]]:
    """The steps of instruction of a routing's operations, by operation, in their order."""
    found: dict[UUID, list[RoutingStep]] = {}
    for step in RoutingStep.objects.filter(operation__routing_id=routing_id).order_by("position"):
        found.setdefault(step.operation_id, []).append(step)
    return found


REVISIONS_USING = """
SELECT b.code FROM engineering_bom_line l JOIN engineering_bom b ON b.id = l.bom_id
WHERE l.component_id = %s AND b.item_id = %s AND b.id IS DISTINCT FROM %s::uuid ORDER BY b.code LIMIT 1
"""


def other_revision_using(component_id: UUID, item_id: UUID, bom_id: UUID | None) -> str:
    """Another revision of an item's bill that takes a component; empty when none does."""
    rows = query(REVISIONS_USING, [component_id, item_id, bom_id])
    return rows[0][0] if rows else ""


LINES_BELOW = """
WITH RECURSIVE below (item_id, bom_id) AS (
    SELECT %(item)s::uuid, (SELECT id FROM ({first}) first)
    UNION
    SELECT l.component_id, (SELECT id FROM ({next}) following)
    FROM below
    JOIN engineering_bom_line l ON l.bom_id = below.bom_id
      AND (l.effective_from IS NULL OR l.effective_from <= %(on)s)
      AND (l.effective_until IS NULL OR l.effective_until > %(on)s)
    JOIN catalog_item c ON c.id = l.component_id
    WHERE {descend}
)
SELECT l.id, below.item_id, l.component_id, l.quantity_per, b.base_quantity, l.scrap_percent, l.fixed,
       l.operation_sequence, l.position
FROM below
JOIN engineering_bom b ON b.id = below.bom_id
JOIN engineering_bom_line l ON l.bom_id = b.id
  AND (l.effective_from IS NULL OR l.effective_from <= %(on)s)
  AND (l.effective_until IS NULL OR l.effective_until > %(on)s)
ORDER BY l.position, l.id
"""


def materials(
    item_id: UUID, quantity: Decimal, on: date, site_id: UUID | None = None, bom: Bom | None = None
) -> list[Material]:
    """What one order for `quantity` of an item takes: one level, phantoms replaced by their components.

    By the bill in effect on a day (at a site), or by `bom`. Quantities include scrap and are rounded up to the
    component's step. Two statements, however deep the phantoms are nested.
    """
    lines = _lines(item_id, on, site_id, bom, descend="c.supply = 'phantom'")
    return _told(lines, rules.materials(item_id, quantity, _by_parent(lines)))


def explode(item_id: UUID, quantity: Decimal, on: date, site_id: UUID | None = None) -> list[Material]:
    """All that stands below an item, indented: each component directly after its parent, phantoms shown.

    Quantities are those of orders that make exactly what is needed: nothing is taken from stock, each level is rounded
    up to the component's step. Two statements. Raises RuleBroken for more than 50,000 rows.
    """
    lines = _lines(item_id, on, site_id, None, descend="true")
    try:
        needs = rules.explosion(item_id, quantity, _by_parent(lines))
    except ValueError as error:
        raise RuleBroken(f"explosion_{error}", most=rules.MOST_ROWS) from error
    return _told(lines, needs)


def explosion_totals(item_id: UUID, quantity: Decimal, on: date, site_id: UUID | None = None) -> dict[UUID, Decimal]:
    """The sum of an explosion per item, phantoms left out."""
    found: dict[UUID, Decimal] = {}
    for row in explode(item_id, quantity, on, site_id):
        if row.supply != "phantom":
            found[row.item_id] = found.get(row.item_id, Decimal(0)) + row.quantity
    return found


WHERE_USED = """
WITH RECURSIVE used (level, item_id, bom_id, component_id, per, path) AS (
    SELECT 1, b.item_id, b.id, l.component_id,
           CASE WHEN l.fixed THEN 0 ELSE l.quantity_per / b.base_quantity END, ARRAY[l.component_id, b.item_id]
    FROM engineering_bom_line l
    JOIN engineering_bom b ON b.id = l.bom_id
    WHERE l.component_id = %(item)s AND {counts}
    UNION ALL
    SELECT used.level + 1, b.item_id, b.id, l.component_id,
           CASE WHEN l.fixed THEN 0 ELSE used.per * l.quantity_per / b.base_quantity END, used.path || b.item_id
    FROM used
    JOIN engineering_bom_line l ON l.component_id = used.item_id
    JOIN engineering_bom b ON b.id = l.bom_id
    WHERE b.item_id <> ALL(used.path) AND used.level < 50 AND {counts}
)
SELECT min(used.level), used.item_id, used.bom_id, b.code, b.approved_at IS NOT NULL, used.component_id,
       round(sum(used.per), 6)
FROM used JOIN engineering_bom b ON b.id = used.bom_id
GROUP BY used.item_id, used.bom_id, b.code, b.approved_at, used.component_id
ORDER BY 1, b.code
"""
COUNTS_ON = """b.approved_at IS NOT NULL
  AND (b.effective_from IS NULL OR b.effective_from <= %(on)s)
  AND (b.effective_until IS NULL OR b.effective_until > %(on)s)
  AND (l.effective_from IS NULL OR l.effective_from <= %(on)s)
  AND (l.effective_until IS NULL OR l.effective_until > %(on)s)"""


def where_used(item_id: UUID, on: date | None = None) -> list[Use]:
    """What an item goes into, directly and through others, nearest first: in effect on a day, or on file at all."""
    sql = WHERE_USED.format(counts="true" if on is None else COUNTS_ON)
    rows = query(sql, {"item": item_id} if on is None else {"item": item_id, "on": on})
    items = item_facts({row[1] for row in rows})
    return [
        Use(level, item, items[item].code, items[item].name, items[item].name_en, *rest) for level, item, *rest in rows
    ]


#: Open ends of a span, in seconds, for planning's int64 columns.
BEGINNING, NEVER = -(2**62), 2**62
LOCAL_DAY_S = "coalesce(extract(epoch FROM ({day})::timestamp AT TIME ZONE %(zone)s)::bigint, {open})"
OF_SITE = """b.approved_at IS NOT NULL AND (b.effective_until IS NULL OR b.effective_until > %(today)s)
  AND (b.site_id = %(site)s OR (b.site_id IS NULL AND NOT EXISTS (
      SELECT FROM engineering_{table} o
      WHERE o.item_id = b.item_id AND o.site_id = %(site)s AND o.approved_at IS NOT NULL)))"""

BOM_COLUMNS = f"""
SELECT b.item_id, l.component_id, l.quantity_per, b.base_quantity, l.scrap_percent, l.fixed, l.operation_sequence,
       {LOCAL_DAY_S.format(day="greatest(b.effective_from, l.effective_from)", open=BEGINNING)},
       {LOCAL_DAY_S.format(day="least(b.effective_until, l.effective_until)", open=NEVER)},
       b.id, l.id
FROM engineering_bom b
JOIN engineering_bom_line l ON l.bom_id = b.id AND (l.effective_until IS NULL OR l.effective_until > %(today)s)
WHERE {OF_SITE.format(table="bom")}
ORDER BY b.item_id, b.effective_from NULLS FIRST, l.position, l.id
"""
BOM_NAMES = (
    "item_id component_id quantity_per base_quantity scrap_percent fixed operation_sequence effective_from_s "
    "effective_until_s bom_id line_id"
).split()

ROUTING_COLUMNS = f"""
SELECT r.item_id, o.sequence, o.work_center_id, o.setup_minutes, o.run_minutes, o.queue_minutes, o.inspect,
       o.is_report_point, r.id, o.id
FROM (
    SELECT DISTINCT ON (b.item_id) b.id, b.item_id
    FROM engineering_routing b
    WHERE {OF_SITE.format(table="routing")}
    ORDER BY b.item_id, coalesce(b.effective_from <= %(today)s, true) DESC, b.effective_from, b.id
) r
JOIN engineering_routing_operation o ON o.routing_id = r.id
ORDER BY r.item_id, o.sequence
"""
ROUTING_NAMES = (
    "item_id sequence work_center_id setup_minutes run_minutes queue_minutes inspect is_report_point routing_id "
    "operation_id"
).split()


def bom_columns(site_id: UUID, now: datetime) -> dict[str, list[Any]]:
    """All approved lines a site uses now or later, as equally long lists. Spans in UTC seconds, half-open.

    Gross quantity = quantity_per / base_quantity * parent / (1 - scrap_percent / 100), or per order if `fixed`.
    """
    return columns(BOM_NAMES, query(BOM_COLUMNS, _at(site_id, now)))


def routing_columns(site_id: UUID, now: datetime) -> dict[str, list[Any]]:
    """The operations of each item's routing at a site: the one in effect now, else the next to be."""
    return columns(ROUTING_NAMES, query(ROUTING_COLUMNS, _at(site_id, now)))


def _at(site_id: UUID, now: datetime) -> dict[str, Any]:
    zone = site_zone(site_id)
    return {"site": site_id, "zone": zone, "today": local_date(now, zone)}


def _in_effect(table: str, item: str) -> str:
    return IN_EFFECT.format(table=table, item=item)


def _lines(item_id: UUID, on: date, site_id: UUID | None, bom: Bom | None, descend: str) -> list[rules.Component]:
    first = "SELECT %(bom)s::uuid AS id" if bom is not None else _in_effect("bom", "%(item)s::uuid")
    sql = LINES_BELOW.format(first=first, next=_in_effect("bom", "l.component_id"), descend=descend)
    given: dict[str, Any] = {"item": item_id, "on": on, "site": site_id}
    if bom is not None:
        given["bom"] = bom.id
    rows = query(sql, given)
    facts = item_facts({row[2] for row in rows})
    return [
        rules.Component(
            line=line,
            parent=parent,
            item=facts[component],
            quantity_per=per,
            base_quantity=base,
            scrap_percent=scrap,
            fixed=fixed,
            phantom=facts[component].supply == "phantom",
            step=facts[component].step,
            operation_sequence=sequence,
            position=position,
        )
        for line, parent, component, per, base, scrap, fixed, sequence, position in rows
    ]


def _by_parent(lines: Sequence[rules.Component]) -> Any:
    found: dict[Any, list[rules.Component]] = {}
    for line in lines:
        found.setdefault(line.parent, []).append(line)
    # The item asked for is known by its id, those below by their facts.
    return lambda item: found.get(getattr(item, "id", item), [])


def _told(lines: Sequence[rules.Component], needs: Sequence[rules.Need]) -> list[Material]:
    told: list[Material] = []
    for need in needs:
        item: Any = need.component.item
        line: Any = need.component
        told.append(
            Material(
                line_id=line.line,
                parent_id=line.parent,
                item_id=item.id,
                code=item.code,
                name=item.name,
                name_en=item.name_en,
                base_unit=item.base_unit,
                supply=item.supply,
                quantity=need.quantity,
                operation_sequence=need.operation_sequence,
                level=need.level,
                fixed=line.fixed,
            )
        )
    return told
