"""What others may ask of planning."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from lianzao.foundation import fetching, packing
from lianzao.foundation.entity import query
from lianzao.planning.models import (
    ActionMessage,
    NeedTrail,
    Outlook,
    PlanRun,
    Policy,
    Proposal,
    Shortage,
)


def latest_run(site_id: UUID) -> PlanRun | None:
    """The run whose plan stands."""
    return PlanRun.objects.filter(site_id=site_id).order_by("-id").first()


def outlook_of(demand_id: UUID) -> Outlook | None:
    """How a demand will be served."""
    return Outlook.objects.filter(demand_id=demand_id).first()


def outlooks_of(demand_ids: list[UUID]) -> dict[UUID, Outlook]:
    """The same for several demands."""
    ids = packing.array(demand_ids)
    found = fetching.records_of(
        "outlooks_of", lambda: Outlook.objects.filter(demand_id__any=ids).select_related("item"), [ids]
    )
    return {each.demand_id: each for each in found}


def shortages(site_id: UUID) -> list[Shortage]:
    """What is missing, soonest first."""
    return list(Shortage.objects.filter(site_id=site_id).select_related("item").order_by("need_at", "id"))


def open_proposals(site_id: UUID) -> list[Proposal]:
    """Planned orders that wait for a decision, the most urgent first."""
    rows = Proposal.objects.filter(site_id=site_id, status="open")
    return list(rows.select_related("item", "supplier").order_by("start_at", "id"))


def open_messages(site_id: UUID) -> list[ActionMessage]:
    """Changes that wait for a decision."""
    rows = ActionMessage.objects.filter(site_id=site_id, status="open")
    return list(rows.select_related("item", "partner").order_by("to_at", "id"))


def messages_about(subject_id: UUID) -> list[ActionMessage]:
    """All changes ever proposed for a document, latest first."""
    return list(ActionMessage.objects.filter(subject_id=subject_id).order_by("-id"))


def policy_of(site_id: UUID, name: str) -> Policy | None:
    """A site's policy by name."""
    return Policy.objects.filter(site_id=site_id, name=name).first()


def trail_of(subject_id: UUID) -> NeedTrail | None:
    """The instants of a need."""
    return NeedTrail.objects.filter(subject_id=subject_id).first()


PEGS_DOWN = """
WITH RECURSIVE walk AS (
    SELECT p.*, 1 AS depth, ARRAY[p.consumer_id, p.supply_id] AS path FROM planning_peg p WHERE p.consumer_id = %(id)s
    UNION ALL
    SELECT p.*, walk.depth + 1, walk.path || p.supply_id
    FROM walk JOIN planning_peg p ON p.consumer_id = walk.supply_id
    WHERE walk.depth < 12 AND p.supply_id <> ALL(walk.path)
)
SELECT w.supply_kind, w.supply_id, w.consumer_kind, w.consumer_id, w.item_id, i.code, i.name, i.name_en, w.quantity,
       w.ready_at, w.need_at, w.depth
FROM walk w JOIN catalog_item i ON i.id = w.item_id ORDER BY w.depth, w.ready_at
"""
PEGS_UP = (
    PEGS_DOWN.replace("p.consumer_id = %(id)s", "p.supply_id = %(id)s")
    .replace("p.consumer_id = walk.supply_id", "p.supply_id = walk.consumer_id")
    .replace("walk.path || p.supply_id", "walk.path || p.consumer_id")
    .replace("p.supply_id <> ALL", "p.consumer_id <> ALL")
)
PEG_NAMES = (
    "supply_kind supply_id consumer_kind consumer_id item_id item_code item_name item_name_en quantity ready_at"
    " need_at depth"
).split()


def pegs_under(consumer_id: UUID) -> list[dict[str, Any]]:
    """Everything that serves a demand or an order, level by level."""
    return [dict(zip(PEG_NAMES, row, strict=True)) for row in query(PEGS_DOWN, {"id": consumer_id})]


def pegs_over(supply_id: UUID) -> list[dict[str, Any]]:
    """Everything that a supply serves, up to the customers: who is hurt when it slips."""
    return [dict(zip(PEG_NAMES, row, strict=True)) for row in query(PEGS_UP, {"id": supply_id})]


PEGS_OF_ITEM = """
SELECT p.supply_kind, p.supply_id, p.consumer_kind, p.consumer_id, p.item_id, i.code, i.name, i.name_en, p.quantity,
       p.ready_at, p.need_at, 1
FROM planning_peg p JOIN catalog_item i ON i.id = p.item_id
WHERE p.site_id = %(site)s AND p.item_id = %(item)s
ORDER BY p.need_at, p.ready_at, p.id LIMIT %(most)s
"""


def pegs_of_item(site_id: UUID, item_id: UUID, most: int) -> list[dict[str, Any]]:
    """Which supply of an item serves which need of it at a site, in the order of the needs; no more than `most`."""
    rows = query(PEGS_OF_ITEM, {"site": site_id, "item": item_id, "most": most})
    return [dict(zip(PEG_NAMES, row, strict=True)) for row in rows]


#: What comes from stock is one row for an order and item; what is still to come is one for each supply.
KITS = """
SELECT p.consumer_id, p.item_id, i.code, i.name, i.name_en, p.supply_kind, p.supply_id, sum(p.quantity),
       max(p.ready_at), min(p.need_at)
FROM planning_peg p JOIN catalog_item i ON i.id = p.item_id
WHERE p.consumer_id = ANY(%(orders)s::uuid[]) AND p.site_id = %(site)s
GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 3, 9
"""
KIT_NAMES = (
    "order_id item_id item_code item_name item_name_en supply_kind supply_id quantity ready_at need_at"
).split()


def kits(site_id: UUID, order_ids: list[UUID]) -> list[dict[str, Any]]:
    """What work orders and planned orders still take and from where: stock (kind `catalog.item`) or what comes."""
    rows = query(KITS, {"site": site_id, "orders": packing.array(order_ids)})
    return [dict(zip(KIT_NAMES, row, strict=True)) for row in rows]


STARTS = """
SELECT supply_kind, supply_id, min(start_at), max(finish_at) FROM planning_scheduled_operation
WHERE site_id = %(site)s GROUP BY supply_kind, supply_id
HAVING min(start_at) < %(until)s OR supply_id = ANY(%(besides)s::uuid[])
ORDER BY 3, 2 LIMIT %(most)s
"""


def starts(
    site_id: UUID, until_at: datetime, besides: list[UUID], most: int
) -> dict[UUID, tuple[str, datetime, datetime]]:
    """Orders that begin before an instant as the plan stands, and others besides: kind, first start, last finish."""
    rows = query(STARTS, {"site": site_id, "until": until_at, "besides": packing.array(besides), "most": most})
    return {id: (kind, start, finish) for kind, id, start, finish in rows}


SERVED = """
WITH RECURSIVE walk AS (
    SELECT p.supply_id AS root, p.consumer_kind, p.consumer_id, p.need_at, 1 AS depth
    FROM planning_peg p WHERE p.supply_id = ANY(%s::uuid[])
    UNION
    SELECT walk.root, p.consumer_kind, p.consumer_id, p.need_at, walk.depth + 1
    FROM walk JOIN planning_peg p ON p.supply_id = walk.consumer_id WHERE walk.depth < 12
)
SELECT root, consumer_kind, min(depth), min(need_at) FROM walk GROUP BY root, consumer_kind ORDER BY 1, 3, 2
"""


def kinds_served(supply_ids: list[UUID]) -> list[tuple[UUID, str, datetime]]:
    """What kinds of things wait for supplies, near ones first, and from when: (supply, kind of consumer, need). Kinds
    only, so that it may be told to somebody who must not know whose orders they are.
    """
    return [(root, kind, need_at) for root, kind, _, need_at in query(SERVED, [supply_ids])] if supply_ids else []


SCHEDULE = """
SELECT o.supply_kind, o.supply_id, o.operation_id, o.sequence, o.work_center_id, o.machine_place, o.start_at,
       o.finish_at, o.work_minutes
FROM planning_scheduled_operation o
WHERE o.site_id = %(site)s AND o.finish_at > %(from)s AND o.start_at < %(until)s
  AND (%(center)s::uuid IS NULL OR o.work_center_id = %(center)s)
ORDER BY o.work_center_id, o.start_at
"""
SCHEDULE_NAMES = (
    "supply_kind supply_id operation_id sequence work_center_id machine_place start_at finish_at work_minutes"
).split()


def schedule(
    site_id: UUID, from_at: datetime, until_at: datetime, work_center_id: UUID | None = None
) -> list[dict[str, Any]]:
    """Operations as planned between two instants."""
    rows = query(SCHEDULE, {"site": site_id, "from": from_at, "until": until_at, "center": work_center_id})
    return [dict(zip(SCHEDULE_NAMES, row, strict=True)) for row in rows]


def proposal(proposal_id: UUID, *, lock: bool = False) -> Proposal | None:
    """A planned order by id; locked for a decision that follows at once."""
    rows = Proposal.objects.filter(pk=proposal_id)
    return (rows.select_for_update(of=("self",)) if lock else rows).first()


def message(message_id: UUID, *, lock: bool = False) -> ActionMessage | None:
    """A change by id; locked for a decision that follows at once."""
    rows = ActionMessage.objects.filter(pk=message_id)
    return (rows.select_for_update(of=("self",)) if lock else rows).first()


PUBLISHED = """
SELECT p.at, p.what, p.old_at, p.new_at, r.number, r.why
FROM planning_published_date p JOIN planning_plan_run r ON r.id = p.run_id
WHERE p.subject_id = %s ORDER BY p.id
"""


def published_dates(subject_id: UUID) -> list[dict[str, Any]]:
    """Every date that was published for a document, in order: what we knew when."""
    names = ("at", "what", "old_at", "new_at", "run", "why")
    return [dict(zip(names, row, strict=True)) for row in query(PUBLISHED, [subject_id])]


ADHERENCE = """
SELECT w.id, w.number, w.planned_finish_at, w.due_at, w.completed_at,
       (SELECT count(*) FROM planning_published_date p WHERE p.subject_id = w.id AND p.what = 'finish')
FROM production_work_order w
WHERE w.site_id = %s AND w.completed_at >= %s AND w.completed_at < %s
ORDER BY w.completed_at
"""


def schedule_adherence(site_id: UUID, from_at: datetime, until_at: datetime) -> list[dict[str, Any]]:
    """Work orders finished in a span: last published finish, due date, what was done, how often it moved."""
    names = ("work_order_id", "number", "published_finish_at", "due_at", "completed_at", "times_moved")
    return [dict(zip(names, row, strict=True)) for row in query(ADHERENCE, [site_id, from_at, until_at])]
