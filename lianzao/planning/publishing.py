"""A plan into the tables: what stands is compared with what the run says, only the difference is written and told."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from lianzao.engine.columns import NONE, Plan
from lianzao.foundation import audit, entity
from lianzao.foundation.actor import Actor
from lianzao.foundation.outbox import publish
from lianzao.planning import reading, rules
from lianzao.planning.events import (
    DeliverySooner,
    PlanChanged,
    PromiseBroken,
    PromiseSafe,
    ProposalMade,
    RemedyGone,
    RemedyProposed,
    ShortageFound,
    ShortageOver,
)
from lianzao.planning.models import ActionMessage, Outlook, PlanRun, Proposal, PublishedDate, Shortage
from lianzao.planning.reading import MessageRow, OutlookRow, ProposalRow
from lianzao.planning.snapshot import Snapshot
from lianzao.sales import commands as sales
from lianzao.values.time import local_date, uuid7, uuid7_after


@dataclass
class Change:
    """What a run changes against its parent, told in the run and in the news."""

    run: PlanRun
    proposals_new: list[str] = field(default_factory=list)
    proposals_gone: list[str] = field(default_factory=list)
    proposals_changed: list[str] = field(default_factory=list)
    messages_new: list[str] = field(default_factory=list)
    messages_gone: list[str] = field(default_factory=list)
    demands: list[dict[str, Any]] = field(default_factory=list)
    work_orders: list[UUID] = field(default_factory=list)
    items: set[UUID] = field(default_factory=set)
    lines: list[UUID] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        """Whether the plan differs from its parent in anything people see."""
        return bool(
            self.proposals_new
            or self.proposals_gone
            or self.proposals_changed
            or self.messages_new
            or self.messages_gone
            or self.demands
        )


#: Changes nothing, but another who has not seen this run's successor can no longer follow it too.
FOLLOW = """
UPDATE planning_plan_run SET version = version
WHERE id = (SELECT id FROM planning_plan_run WHERE site_id = %s ORDER BY id DESC LIMIT 1) RETURNING id
"""


def _follow(site_id: UUID) -> UUID | None:
    """The run that the new one follows; None when it is the first.

    A planner that has waited for another's lock still sees the plant as it was before (REPEATABLE READ): here
    PostgreSQL refuses it (SerializationFailure), and it plans again from what stands now.
    """
    with connection.cursor() as cursor:
        cursor.execute(FOLLOW, [site_id])
        row = cursor.fetchone()
    return None if row is None else row[0]


def publish_plan(by: Actor, taken: Snapshot, plan: Plan, *, why: str, began: float, scope: str) -> PlanRun:
    """Write a run and what it changes. Returns the run."""
    parent = _follow(taken.site_id)
    read = reading.read(taken, plan)
    outcomes = plan.outcomes
    run = PlanRun(
        id=uuid7() if parent is None else uuid7_after(parent),
        site_id=taken.site_id,
        parent_id=parent,
        why=why[:200],
        scope=scope,
        now_at=taken.now,
        demands=len(read.outlooks),
        late_demands=int((outcomes.late_s > 0).sum()),
        short_demands=int((outcomes.short > 0).sum()),
        proposals=len(read.proposals),
        shortages=len(plan.shortages),
    )
    run.save()
    change = Change(run)
    ids = _proposals(by, taken, plan, read.proposals, change)
    reading.complete(read, taken, plan, ids)
    _outlooks(by, taken, read.outlooks, change)
    run.messages = _messages(by, taken, _wanted(taken, read.messages, read.outlooks), change)
    _shortages(taken, read.shortages, _lateness(taken, read.outlooks), change)
    _copy(PEG_TABLE, PEG_COLUMNS, taken.site_id, read.pegs)
    _copy(OPERATION_TABLE, OPERATION_COLUMNS, taken.site_id, read.operations)
    run.milliseconds = int((time.monotonic() - began) * 1000)
    run.difference = {
        "proposals": {"new": change.proposals_new, "gone": change.proposals_gone, "changed": change.proposals_changed},
        "messages": {"new": change.messages_new, "gone": change.messages_gone},
        "demands": change.demands,
    }
    run.save()
    if change.anything or parent is None:
        publish(
            PlanChanged(
                taken.site_id,
                run.id,
                run.number,
                why[:200],
                tuple(sorted(change.items, key=str))[:500],
                tuple(change.lines[:2000]),
                tuple(change.work_orders[:500]),
            )
        )
    return run


# -- planned orders ---------------------------------------------------------------------------------------------------


def _proposals(by: Actor, taken: Snapshot, plan: Plan, rows: list[ProposalRow], change: Change) -> dict[int, UUID]:
    """Give each planned order the number it had before, write what is new or different, end what is gone."""
    standing = {
        each.id: each
        for each in Proposal.objects.filter(site_id=taken.site_id, status__in=("open", "rejected")).select_for_update()
    }
    old = {
        id: rules.Wanted((each.item_id, each.kind_of_order), each.quantity, each.finish_at)
        for id, each in standing.items()
    }
    new = [rules.Wanted((row.item_id, row.kind), row.quantity, row.finish_at) for row in rows]
    fresh: list[Proposal] = []
    ids: dict[int, UUID] = {}
    blanks = entity.blanks(Proposal, site_id=taken.site_id, run=change.run)
    for row, known in zip(rows, rules.match(old, new), strict=True):
        proposal = standing.pop(known) if known is not None else next(blanks)
        before = None if known is None else (proposal.quantity, proposal.finish_at)
        _fill(taken, row, proposal)
        ids[row.row] = proposal.id
        if before is None:
            fresh.append(proposal)
            change.items.add(row.item_id)
            continue
        differs = before[0] != row.quantity or rules.moved(before[1], row.finish_at)
        if proposal.status == "rejected" and differs:
            proposal.move_to("open")
        if differs:
            change.proposals_changed.append(proposal.number)
            change.items.add(row.item_id)
            proposal.run = change.run
            proposal.save()
        elif before[1] != row.finish_at:
            _quietly(proposal)
    for proposal in standing.values():
        change.proposals_gone.append(proposal.number)
        change.items.add(proposal.item_id)
        proposal.move_to("gone")
        proposal.save()
    entity.insert(fresh)
    for proposal in fresh:
        change.proposals_new.append(proposal.number)
        publish(
            ProposalMade(
                taken.site_id, change.run.id, proposal.id, proposal.item_id, proposal.quantity, proposal.kind_of_order
            )
        )
    _trails(taken, fresh)
    return ids


def _quietly(proposal: Proposal) -> None:
    """A date that moved by minutes is kept true without an entry in the audit: nobody decided anything."""
    entity.execute(
        "UPDATE planning_proposal SET start_at = %s, finish_at = %s, need_at = %s, late_minutes = %s WHERE id = %s",
        [proposal.start_at, proposal.finish_at, proposal.need_at, proposal.late_minutes, proposal.id],
    )


def _fill(taken: Snapshot, row: ProposalRow, proposal: Proposal) -> None:
    proposal.kind_of_order, proposal.item_id = row.kind, row.item_id
    proposal.quantity = row.quantity
    proposal.start_at, proposal.finish_at, proposal.need_at = row.start_at, row.finish_at, row.need_at
    proposal.late_minutes = min(row.late_minutes, 2_000_000_000)
    offer = taken.suppliers.get(row.item_id) if row.kind == "buy" else None
    if offer is not None:
        proposal.supplier_id = offer["supplier_id"]
        proposal.price, proposal.currency = offer["price"], offer["currency"]
        proposal.cost = (offer["price"] * row.quantity).quantize(Decimal("0.01"))
    if row.demand != NONE:
        named = taken.demands[row.demand]
        proposal.demand_kind, proposal.demand_id = named.kind, named.id
        proposal.cause = [{"kind": named.kind, "id": str(named.id), "number": named.number}]
    else:
        proposal.demand_kind, proposal.demand_id, proposal.cause = "", None, []


def _trails(taken: Snapshot, fresh: Iterable[Proposal]) -> None:
    """Begin the trail of each new need: it arose with the news that made us plan, and is warned of now."""
    rows = [[uuid7(), proposal.id, proposal.kind] for proposal in fresh]
    if not rows:
        return
    order = audit.must_run()
    cause = order.cause or order.by.cause
    entity.execute(
        "INSERT INTO planning_need_trail (id, version, created_at, updated_at, owner_system, site_id, subject_kind,"
        " subject_id, arose_at, warned_at)"
        " SELECT u.id, 1, %(at)s, %(at)s, 'lianzao', %(site)s, u.kind, u.subject,"
        " coalesce((SELECT e.at FROM foundation_event e WHERE e.id = %(cause)s), %(at)s), %(at)s"
        " FROM unnest(%(ids)s::uuid[], %(subjects)s::uuid[], %(kinds)s::text[]) AS u(id, subject, kind)"
        " ON CONFLICT (subject_id) DO NOTHING",
        {
            "at": order.at,
            "site": taken.site_id,
            "cause": None if cause is None or cause.kind != "foundation.event" else cause.id,
            "ids": [row[0] for row in rows],
            "subjects": [row[1] for row in rows],
            "kinds": [row[2] for row in rows],
        },
    )


# -- demands ----------------------------------------------------------------------------------------------------------


def _outlooks(by: Actor, taken: Snapshot, rows: list[OutlookRow], change: Change) -> None:
    """Keep each demand's outlook, tell sales its projected date, and tell the house whose promise breaks or is safe."""
    standing = {each.demand_id: each for each in Outlook.objects.filter(site_id=taken.site_id)}
    projections: list[sales.Projection] = []
    fresh: list[Outlook] = []
    published: list[tuple[str, UUID, str, datetime | None, datetime | None]] = []
    for row in rows:
        named, facts = taken.demands[row.demand], taken.demand_facts[row.demand]
        outlook = standing.pop(named.id, None)
        old_at = outlook.projected_at if outlook is not None else None
        first = outlook is None
        outlook = outlook or Outlook(site_id=taken.site_id, demand_kind=named.kind, demand_id=named.id)
        moved = first or rules.moved(old_at, row.projected_at) or outlook.short_quantity != row.short
        changed = moved or outlook.reasons != row.reasons or outlook.quantity != row.quantity
        if not changed and old_at == row.projected_at:
            continue
        _keep(outlook, row, change.run)
        if first:
            fresh.append(outlook)
        else:
            outlook.save()
        projections.append(sales.Projection(named.id, row.projected_at))
        if changed:
            change.lines.append(named.id)  # whoever looks at it reads it again, also when only the reasons are others
        if not moved:
            continue
        published.append((named.kind, named.id, "projected", old_at, row.projected_at))
        old_on = None if old_at is None else local_date(old_at, taken.zone)
        new_on = None if row.projected_at is None else local_date(row.projected_at, taken.zone)
        change.items.add(row.item_id)
        change.demands.append(
            {
                "id": str(named.id),
                "number": named.number,
                "from": _day(old_on),
                "to": _day(new_on),
                "short": str(row.short),
            }
        )
        _tell_demand(taken, change, row, facts, named, old_on, new_on, first)
    entity.insert(fresh)
    if projections:
        sales.project_lines(by, projections=projections)
    remember(change.run, taken.now, published)
    gone = [each.id for each in standing.values()]
    if gone:
        entity.execute("DELETE FROM planning_outlook WHERE id = ANY(%s::uuid[])", [gone])


def _day(on: date | None) -> str | None:
    return None if on is None else on.isoformat()


def _keep(outlook: Outlook, row: OutlookRow, run: PlanRun) -> None:
    outlook.run = run
    outlook.item_id = row.item_id
    outlook.quantity, outlook.short_quantity = row.quantity, row.short
    outlook.due_at, outlook.projected_at = row.due_at, row.projected_at
    outlook.late_minutes = min(row.late_minutes, 2_000_000_000)
    outlook.reasons, outlook.slices = row.reasons, row.slices


def _tell_demand(
    taken: Snapshot,
    change: Change,
    row: OutlookRow,
    facts: dict[str, Any],
    named: Any,
    old_on: date | None,
    new_on: date | None,
    first: bool,
) -> None:
    promised: date | None = facts["promised_on"]
    ids = (taken.site_id, change.run.id, named.id, facts["order_id"], facts["customer_id"], row.item_id, named.number)
    if promised is not None:
        late = rules.days_late(promised, new_on)
        was_late = not first and (old_on is None or old_on > promised)
        if (late is None or late > 0) and new_on != old_on:
            days = OUT_OF_SIGHT if late is None else late
            publish(PromiseBroken(*ids, promised, new_on, days, short_item_id=_material_waited_for(row.reasons)))
            return
        if late is not None and late <= 0 and was_late and new_on is not None:
            publish(PromiseSafe(*ids, new_on))
            return
    if not first and new_on is not None and (old_on is None or new_on < old_on):
        publish(DeliverySooner(*ids, old_on, new_on, None if old_on is None else (old_on - new_on).days))


#: Days late of what is not in sight at all.
OUT_OF_SIGHT = 9999


def _material_waited_for(reasons: list[dict[str, Any]]) -> UUID | None:
    """The item a late demand waits for, when the first reason told is that something is not there."""
    first = reasons[0] if reasons else {}
    return UUID(str(first["item_id"])) if first.get("reason") in rules.WAITS and first.get("item_id") else None


def _lateness(taken: Snapshot, rows: list[OutlookRow]) -> dict[UUID, int]:
    """How many days each demand comes after its promise, or after its wish."""
    made: dict[UUID, int] = {}
    for row in rows:
        projected = None if row.projected_at is None else local_date(row.projected_at, taken.zone)
        days = rules.days_late(local_date(row.due_at, taken.zone), projected)
        made[taken.demands[row.demand].id] = OUT_OF_SIGHT if days is None else max(days, 0)
    return made


def remember(run: PlanRun, at: datetime, rows: list[tuple[str, UUID, str, datetime | None, datetime | None]]) -> None:
    """Keep what was published when: (kind, id, what, old instant, new instant)."""
    PublishedDate.objects.bulk_create(
        PublishedDate(run=run, at=at, subject_kind=kind, subject_id=id, what=what, old_at=old, new_at=new)
        for kind, id, what, old, new in rows
    )


# -- changes of what is ordered, released or promised -----------------------------------------------------------------


def _wanted(taken: Snapshot, rows: list[MessageRow], outlooks: list[OutlookRow]) -> list[MessageRow]:
    """The changes worth asking for: those whose dates moved enough, and a new promise for each broken one."""
    wanted = [row for row in rows if (_worth(row) if row.action == "reschedule" else _asked_for(row))]
    why = {row.demand: row.reasons for row in outlooks}
    wanted = [_with_cause(taken, row, why.get(row.demand, [])) for row in wanted]
    for row in outlooks:
        promised: date | None = taken.demand_facts[row.demand]["promised_on"]
        if promised is None or row.projected_at is None:
            continue
        new_on = local_date(row.projected_at, taken.zone)
        if new_on <= promised:
            continue
        named = taken.demands[row.demand]
        wanted.append(
            MessageRow(
                action="promise",
                item_id=row.item_id,
                subject_kind=named.kind,
                subject_id=named.id,
                number=named.number,
                partner_id=named.partner_id,
                from_at=datetime.combine(promised, datetime.min.time(), taken.now.tzinfo),
                to_at=datetime.combine(new_on, datetime.min.time(), taken.now.tzinfo),
                from_quantity=row.quantity,
                to_quantity=row.quantity,
                demand=row.demand,
                committed=True,
                cause=row.reasons,
                details={"promised_on": promised.isoformat(), "projected_on": new_on.isoformat()},
            )
        )
    return wanted


#: A supplier is not asked to come later for less than this.
WORTH_DEFERRING = timedelta(days=3)


def _asked_for(row: MessageRow) -> bool:
    """Whether a change of a purchase is worth a talk: days count, not hours; safety stock alone hurries nobody.

    A requisition is not ordered yet: the buyer sees the new day on it, only what is not needed any more is told.
    """
    if row.subject_kind == "procurement.purchase_requisition" and row.action != "cancel":
        return False
    if row.from_at is None or row.to_at is None:
        return True
    if row.action == "defer":
        return row.to_at - row.from_at >= WORTH_DEFERRING
    if row.action == "expedite":
        return row.demand != NONE and row.to_at.date() < row.from_at.date()
    return True


def _worth(row: MessageRow) -> bool:
    """Whether a work order's new times differ enough from those the floor has."""
    if row.details.get("pinned"):
        return False
    old_start, old_finish = row.details["old_start_at"], row.details["old_finish_at"]
    if old_start is None or old_finish is None:
        return True
    pairs = [(old_finish, row.details["finish_at"])]
    if not row.details["started"]:
        pairs.append((old_start, row.details["start_at"]))
    return any(rules.moved(datetime.fromisoformat(old), datetime.fromisoformat(new)) for old, new in pairs)


def _with_cause(taken: Snapshot, row: MessageRow, reasons: list[dict[str, Any]]) -> MessageRow:
    from dataclasses import replace

    if row.demand == NONE:
        return row
    named = taken.demands[row.demand]
    return replace(row, cause=[{"kind": named.kind, "id": str(named.id), "number": named.number}, *reasons[:3]])


def _messages(by: Actor, taken: Snapshot, rows: list[MessageRow], change: Change) -> int:
    """Keep one message per subject and action: renew it, leave it decided, or end it. Returns how many are open."""
    standing: dict[tuple[str, UUID], ActionMessage] = {}
    for each in (
        ActionMessage.objects.filter(site_id=taken.site_id, status__in=("open", "accepted", "rejected"))
        .select_for_update()
        .order_by("id")
    ):
        standing[(each.action, each.subject_id)] = each
    fresh: list[ActionMessage] = []
    count = 0
    for row in rows:
        known = standing.pop((row.action, row.subject_id), None)
        if known is not None and known.status != "open" and _same(known, row):
            continue
        count += 1
        message = known if known is not None and known.status == "open" else ActionMessage(site_id=taken.site_id)
        again = not message._state.adding
        if again and _same(message, row) and message.cause == row.cause:
            continue
        _describe(taken, message, row, change.run)
        if again:
            message.save()
        else:
            fresh.append(message)
        if row.action == "reschedule":
            change.work_orders.append(row.subject_id)
        change.items.add(row.item_id)
    entity.insert(fresh)
    for message in fresh:
        change.messages_new.append(message.number)
        publish(
            RemedyProposed(
                taken.site_id,
                change.run.id,
                message.id,
                message.item_id,
                message.action,
                message.subject_kind,
                message.subject_id,
            )
        )
    for message in standing.values():
        if message.status == "open":
            change.messages_gone.append(message.number)
            message.move_to("gone")
            message.save()
            publish(
                RemedyGone(
                    taken.site_id,
                    change.run.id,
                    message.id,
                    message.item_id,
                    message.action,
                    message.subject_kind,
                    message.subject_id,
                )
            )
    return count


def _same(message: ActionMessage, row: MessageRow) -> bool:
    """Whether a message asks for what it asked for before, but for minutes."""
    worth = rules.WORTH_MOVING if row.action == "reschedule" else timedelta(days=1)
    return not rules.moved(message.to_at, row.to_at, worth) and message.to_quantity == row.to_quantity


def _describe(taken: Snapshot, message: ActionMessage, row: MessageRow, run: PlanRun) -> None:
    message.run = run
    message.action, message.item_id = row.action, row.item_id
    message.subject_kind, message.subject_id, message.subject_number = row.subject_kind, row.subject_id, row.number
    message.partner_id = row.partner_id
    message.from_at, message.to_at = row.from_at, row.to_at
    message.from_quantity, message.to_quantity = row.from_quantity, row.to_quantity
    message.committed, message.cause, message.details = row.committed, row.cause, row.details
    if row.demand != NONE:
        named = taken.demands[row.demand]
        message.demand_kind, message.demand_id = named.kind, named.id
    else:
        message.demand_kind, message.demand_id = "", None


# -- shortages, pegs, places ------------------------------------------------------------------------------------------


STANDING = """
SELECT s.item_id, s.consumer_id, s.supply_id, s.need_at, s.ready_at, s.demand_id, s.days_late, r.now_at
FROM planning_shortage s JOIN planning_plan_run r ON r.id = s.run_id WHERE s.site_id = %s ORDER BY s.id
"""


def _shortages(taken: Snapshot, rows: list[dict[str, Any]], lateness: dict[UUID, int], change: Change) -> None:
    """Replace the list of what is missing; tell of each item what is new about it, and what is over."""
    standing = entity.query(STANDING, [taken.site_id])
    old = rules.by_item([rules.Short(*row[:-1]) for row in standing])
    old_now = standing[0][-1] if standing else taken.now
    entity.execute("DELETE FROM planning_shortage WHERE site_id = %s", [taken.site_id])
    order = audit.must_run()
    made = [Shortage(site_id=taken.site_id, run=change.run, **row) for row in rows]
    for each in made:
        each.days_late = lateness.get(each.demand_id, 0) if each.demand_id is not None else 0
        each.stamp(order)
    Shortage.objects.bulk_create(made)
    shorts = {
        rules.Short(
            each.item_id, each.consumer_id, each.supply_id, each.need_at, each.ready_at, each.demand_id, each.days_late
        ): each
        for each in made
    }  # fmt: skip
    now = rules.by_item(list(shorts))
    for item, found in now.items():
        worst = rules.worst(found)
        if item not in old or rules.told_again(rules.worst(old[item]), old_now, worst, taken.now):
            hurt = {each.demand for each in found if each.days_late > 0}
            publish(_found(taken, change, shorts[worst], len(hurt)))
    for item in old:
        if item not in now and isinstance(item, UUID):
            publish(ShortageOver(taken.site_id, change.run.id, item))


def _found(taken: Snapshot, change: Change, each: Shortage, orders: int) -> ShortageFound:
    late = None if each.ready_at is None else int((each.ready_at - each.need_at).total_seconds() // 3600)
    return ShortageFound(
        taken.site_id,
        change.run.id,
        each.item_id,
        each.quantity,
        each.need_at,
        each.ready_at,
        each.demand_id,
        each.demand_number,
        late_hours=late,
        ahead_hours=int((each.need_at - taken.now).total_seconds() // 3600),
        days_late=each.days_late,
        orders=orders,
    )


PEG_TABLE = "planning_peg"
PEG_COLUMNS = "site_id, supply_kind, supply_id, consumer_kind, consumer_id, item_id, quantity, ready_at, need_at"
OPERATION_TABLE = "planning_scheduled_operation"
OPERATION_COLUMNS = (
    "site_id, supply_kind, supply_id, operation_id, sequence, work_center_id, machine_place, start_at, finish_at,"
    " work_minutes"
)


def _copy(table: str, columns: str, site_id: UUID, rows: list[str]) -> None:
    """Replace a site's rows by COPY. The rows are its text already: the driver would ask each value for its type."""
    with connection.cursor() as opened:
        cursor: Any = opened
        cursor.execute(f"DELETE FROM {table} WHERE site_id = %s", [site_id])
        if rows:
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                copy.write("".join(rows))
