"""The only writers of planning: run the planner, decide about what it proposes, set the policies."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, models

from lianzao.access.models import Site
from lianzao.access.queries import site_zone
from lianzao.catalog.models import Item
from lianzao.engine.columns import Plan
from lianzao.foundation import clock, entity, figures, link, tracing
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import UNSET, command
from lianzao.foundation.outbox import publish
from lianzao.parties import queries as parties
from lianzao.planning import rules, snapshot
from lianzao.planning.deciding import carry_out_message, carry_out_proposal, said
from lianzao.planning.events import ProposalDecided, RemedyDecided, ReplanRequested
from lianzao.planning.models import ActionMessage, PlanRun, Policy, PolicyEntry, PolicyName, Proposal
from lianzao.planning.publishing import publish_plan
from lianzao.planning.reading import reasons as read_reasons
from lianzao.planning.rules import Wish
from lianzao.values.errors import Conflict, Invalid
from lianzao.values.reference import Ref
from lianzao.values.time import local_date


@command(hidden=True)
def request_replan(
    by: Actor, *, site_id: UUID, why: str, item_ids: list[UUID] | None = None, full: bool = False
) -> dict[str, Any]:
    """Ask for a new plan because something it rests on changed. Requests of a moment are answered together."""
    publish(ReplanRequested(site_id, why[:200], tuple(item_ids or ()), full))
    return {}


@command
def plan_site(by: Actor, *, site: Site, why: str = "") -> PlanRun:
    """Plan a site now, from nothing but the facts."""
    return replan(by, site.id, why or "by hand")


def solve(taken: snapshot.Snapshot) -> Plan:
    """The engine's answer. It is loaded when it is first asked, so that processes that never plan start faster."""
    from lianzao.engine import solver

    plan = solver.solve(taken.problem)
    relaxed = snapshot.let_late_orders_start_sooner(taken.problem, plan)
    if relaxed is None:
        return plan
    sooner = solver.solve(relaxed)
    return sooner if lateness(sooner) < lateness(plan) else plan


def lateness(plan: Plan) -> int:
    """How late all demands are together, in seconds; what is never delivered counts as a year."""
    return int(plan.outcomes.late_s.sum()) + int((plan.outcomes.short > 0).sum()) * 365 * 86_400


REPLANNED = figures.Histogram(
    "lianzao_replan_seconds",
    "How long planning a site took, from the snapshot to the published difference.",
    bounds=(0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0),
)
LEASE = "SELECT pg_advisory_xact_lock(hashtextextended('planning:' || %s, 0))"


def replan(by: Actor, site_id: UUID, why: str) -> PlanRun:
    """Take a snapshot, solve, publish. One planner works on a site at a time. Call inside a command or handler."""
    entity.execute(LEASE, [str(site_id)])
    began = time.monotonic()
    with tracing.planning(site_id):
        taken = snapshot.take(site_id, by.now)
        plan = solve(taken)
        run = publish_plan(by, taken, plan, why=why, began=began, scope="full")
    REPLANNED.observe(time.monotonic() - began)
    return run


# -- decisions --------------------------------------------------------------------------------------------------------


@command
def accept_proposals(by: Actor, *, proposals: list[Proposal], why: str = "") -> dict[str, Any]:
    """Accept planned orders: requisitions are raised and work orders made from them."""
    return {"made": [_accept_proposal(by, proposal, why) for proposal in proposals]}


@command(when={"status": ("open", "rejected")})
def accept_proposal(by: Actor, *, proposal: Proposal, why: str = "") -> dict[str, Any]:
    """Accept a planned order: a requisition is raised, or a work order made, from it."""
    return _accept_proposal(by, proposal, why)


def _accept_proposal(by: Actor, proposal: Proposal, why: str) -> dict[str, Any]:
    if proposal.status == "rejected":
        proposal.move_to("open")
    proposal.move_to("accepted")
    _decided(by, proposal, why)
    made = carry_out_proposal(by, proposal)
    if proposal.demand_id is not None:
        link.add(Ref(proposal.demand_kind, proposal.demand_id), made, proposal.quantity, "serves")
    note_instant(proposal.id, "decided_at", by.now)
    carry_trail(proposal.id, made.kind, made.id)
    publish(ProposalDecided(proposal.site_id, proposal.id, proposal.item_id, True, made.kind, made.id))
    return {"proposal": proposal.number, "kind": made.kind, "id": made.id, "number": made.label}


@command(when={"status": ("open",)})
def reject_proposal(by: Actor, *, proposal: Proposal, why: str) -> Proposal:
    """Reject a planned order; it stays away until its quantity or date changes."""
    proposal.move_to("rejected")
    _decided(by, proposal, why)
    publish(ProposalDecided(proposal.site_id, proposal.id, proposal.item_id, False))
    return proposal


@command(when={"status": ("open",)})
def accept_remedy(by: Actor, *, message: ActionMessage, why: str = "") -> ActionMessage:
    """Accept a change: the work order gets new times, the supplier is asked, or the customer is offered a new date."""
    message.move_to("accepted")
    _decided(by, message, why)
    carry_out_message(by, message)
    publish(_remedy(message, True))
    return message


@command(when={"status": ("open",)})
def reject_remedy(by: Actor, *, message: ActionMessage, why: str) -> ActionMessage:
    """Reject a change; it is not asked for again until it becomes another one."""
    message.move_to("rejected")
    _decided(by, message, why)
    publish(_remedy(message, False))
    return message


def _remedy(message: ActionMessage, accepted: bool) -> RemedyDecided:
    return RemedyDecided(
        message.site_id, message.id, message.item_id, message.action, accepted, message.subject_kind, message.subject_id
    )


def _decided(by: Actor, what: Proposal | ActionMessage, why: str) -> None:
    what.decided_at, what.decided_by, what.decided_why = by.now, by.id, why[:200]
    what.save()


# -- the trail of a need ----------------------------------------------------------------------------------------------

INSTANTS = ("warned_at", "decided_at", "ordered_at", "confirmed_at", "published_at", "seen_at")


def note_instant(subject_id: UUID, instant: str, at: datetime) -> None:
    """Remember when something happened to a need, the first time it does."""
    if instant not in INSTANTS:
        raise ValueError(instant)
    entity.execute(
        f"UPDATE planning_need_trail SET {instant} = coalesce({instant}, %s), updated_at = %s WHERE subject_id = %s",
        [at, at, subject_id],
    )


def carry_trail(from_id: UUID, kind: str, id: UUID) -> None:
    """The trail goes on with the document made from the one before."""
    entity.execute(
        "UPDATE planning_need_trail SET subject_kind = %s, subject_id = %s WHERE subject_id = %s"
        " AND NOT EXISTS (SELECT 1 FROM planning_need_trail t WHERE t.subject_id = %s)",
        [kind, id, from_id, id],
    )


@command(hidden=True)
def note_need(
    by: Actor, *, subject_id: UUID, instant: str, new_kind: str = "", new_id: UUID | None = None
) -> dict[str, Any]:
    """Remember an instant of a need's trail; with a new document the trail goes on under it."""
    if instant not in INSTANTS:
        raise Invalid("not_a_choice", field="instant")
    note_instant(subject_id, instant, by.now)
    if new_id is not None:
        carry_trail(subject_id, new_kind, new_id)
    return {}


# -- policies ---------------------------------------------------------------------------------------------------------

DEFAULTS: dict[str, dict[str, Any]] = {
    "requisition": {"mode": "suggest", "most_value": Decimal(20_000), "most_per_day": 100},
    "line_replenishment": {"mode": "act", "most_per_day": 500},
    "reschedule": {"mode": "suggest", "most_hours": 48, "most_per_day": 200},
    "release_to_ship": {"mode": "suggest", "most_per_day": 100},
}


@command
def set_up_policies(by: Actor, *, site: Site) -> dict[str, Any]:
    """Give a site the four policies with cautious limits, if it has none."""
    made = [
        Policy(site_id=site.id, name=name, **limits)
        for name, limits in DEFAULTS.items()
        if not Policy.objects.filter(site_id=site.id, name=name).exists()
    ]
    entity.insert(made)
    return {"made": len(made)}


@command
def set_policy(
    by: Actor,
    *,
    policy: Policy,
    mode: str,
    most_value: Decimal | None = UNSET,  # type: ignore[assignment]
    most_quantity: Decimal | None = UNSET,  # type: ignore[assignment]
    most_hours: int | None = UNSET,  # type: ignore[assignment]
    most_per_day: int | None = UNSET,  # type: ignore[assignment]
) -> Policy:
    """Switch a policy off, let it suggest, or let it act within limits. Off is the kill switch: it holds at once."""
    if mode not in ("off", "suggest", "act"):
        raise Invalid("not_a_choice", field="mode")
    policy.mode = mode
    given = {
        "most_value": most_value,
        "most_quantity": most_quantity,
        "most_hours": most_hours,
        "most_per_day": most_per_day,
    }
    for name, value in given.items():
        if value is not UNSET:
            if value is not None and value < 0:
                raise Invalid("too_small", field=name)
            setattr(policy, name, value)
    policy.save()
    return policy


def consult_policy(by: Actor, site_id: UUID, name: PolicyName, wish: Wish, subject: entity.Entity) -> bool:
    """Whether a policy acts on a subject now; what it decided is logged. Call inside a command or handler."""
    policy = Policy.objects.filter(site_id=site_id, name=name.value).select_for_update().first()
    if policy is None:
        return False
    since = by.now - timedelta(days=1)
    done = PolicyEntry.objects.filter(policy=policy, outcome="act", at__gte=since).count() if policy.most_per_day else 0
    limits = rules.Limits(policy.mode, policy.most_value, policy.most_quantity, policy.most_hours, policy.most_per_day)
    verdict = rules.consult(limits, replace(wish, done_today=done))
    if verdict.outcome != "off":
        PolicyEntry(
            policy=policy,
            at=by.now,
            outcome=verdict.outcome,
            subject_kind=subject.kind,
            subject_id=subject.id,
            reason=verdict.reason,
            facts={
                name: None if value is None else str(value)
                for name, value in (("value", wish.value), ("quantity", wish.quantity), ("hours", wish.hours))
            }
            | {"number": subject.label},
        ).save()
    return verdict.outcome == "act"


# -- promises ---------------------------------------------------------------------------------------------------------


#: A ship round the world and back.
MOST_TRANSIT_DAYS = 365


@dataclass(frozen=True)
class Promise:
    """A date that can be kept, and why it is not earlier; whom it would hurt."""

    item_id: UUID
    quantity: Decimal
    wanted_on: date
    possible_on: date | None
    reasons: list[dict[str, Any]]
    hurt: list[dict[str, Any]]


@command
def try_promise(
    by: Actor,
    *,
    site: Site,
    item: Item,
    quantity: Decimal,
    wanted_on: date,
    transit_days: int = 0,
    rush: bool = False,
) -> Promise:
    """Try a promise: when could so much be delivered, why not earlier, and, as a rush order, whom would it hurt?

    Nothing is changed. Without `rush` the trial stands behind all orders; with it, before them.
    """
    if quantity <= 0:
        raise Invalid("quantity_not_positive", field="quantity")
    if not 0 <= transit_days <= MOST_TRANSIT_DAYS:
        raise Invalid("out_of_range", field="transit_days")
    if item.retired_at is not None:
        raise Conflict("already_retired", document=item.code)
    zone = site_zone(site.id)
    priority = -1 if rush else None
    taken = snapshot.take(
        site.id,
        by.now,
        {
            "item_id": item.id,
            "quantity": quantity,
            "due_on": max(wanted_on, local_date(by.now, zone)),
            "priority": priority,
            "transit_days": transit_days,
        },
    )
    plan = solve(taken)
    row = len(taken.demands) - 1
    at = int(plan.outcomes.projected_s[row])
    short = int(plan.outcomes.short[row])
    possible = None if short or at < 0 else local_date(snapshot.instant(at), zone)
    return Promise(
        item.id,
        quantity,
        wanted_on,
        possible,
        [each | {"text": said(each, by.language)} for each in read_reasons(taken, plan).get(row, [])],
        _hurt(by, taken, plan) if rush else [],
    )


def _hurt(by: Actor, taken: snapshot.Snapshot, plan: Any) -> list[dict[str, Any]]:
    """The lines that would come later than the plan says now, and by how many days."""
    from lianzao.planning.models import Outlook

    standing = {each.demand_id: each for each in Outlook.objects.filter(site_id=taken.site_id)}
    hurt: list[dict[str, Any]] = []
    for row, named in enumerate(taken.demands[:-1]):
        outlook = standing.get(named.id)
        at = int(plan.outcomes.projected_s[row])
        if outlook is None:
            continue
        new_on = None if at < 0 or plan.outcomes.short[row] else local_date(snapshot.instant(at), taken.zone)
        old_on = None if outlook.projected_at is None else local_date(outlook.projected_at, taken.zone)
        if new_on == old_on or (new_on is not None and old_on is not None and new_on <= old_on):
            continue
        hurt.append(
            {
                "kind": named.kind,
                "id": named.id,
                "number": named.number,
                "customer_id": named.partner_id,
                "from_on": old_on,
                "to_on": new_on,
                "promised_on": taken.demand_facts[row]["promised_on"],
                "days": None if new_on is None or old_on is None else (new_on - old_on).days,
            }
        )
    facts = parties.party_facts({each["customer_id"] for each in hurt if each["customer_id"] is not None})
    for each in hurt:
        known = facts.get(each["customer_id"])
        english = by.language.startswith("en") and known is not None and known.name_en
        each["customer"] = "" if known is None else known.name_en if english else known.name
    return hurt


# -- housekeeping -----------------------------------------------------------------------------------------------------

FORGOTTEN_AT_ONCE = 5000


def _runs_to_forget() -> str:
    """SQL for the ids of old runs on which nothing rests: no proposal, message or projection; never a site's latest."""
    kept = " ".join(
        f"AND NOT EXISTS (SELECT 1 FROM {each.related_model._meta.db_table} o WHERE o.{each.field.column} = r.id)"
        for each in PlanRun._meta.get_fields(include_hidden=True)
        if isinstance(each, models.ManyToOneRel) and each.related_model is not PlanRun
    )
    return (
        f"SELECT r.id FROM planning_plan_run r WHERE r.created_at < %s::timestamptz {kept}"
        " AND EXISTS (SELECT 1 FROM planning_plan_run n WHERE n.site_id = r.site_id AND n.id > r.id)"
        f" ORDER BY r.id LIMIT {FORGOTTEN_AT_ONCE}"
    )


def are_runs_to_forget(days: int) -> bool:
    """Whether any run is older than so many days and stands for nothing any more."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS ({_runs_to_forget()})", [clock.now() - timedelta(days=days)])
        row = cursor.fetchone()
    return row is not None and bool(row[0])


@command(hidden=True, right="foundation.keep_house")
def forget_plan_runs(by: Actor, *, older_than_days: int) -> dict[str, int]:
    """Remove planning runs that are older than so many days and to which nothing refers any more.

    What a run proposed, or a date it published, keeps the run. At most some thousands at once.
    """
    if older_than_days < 7:
        raise Invalid("too_small", field="older_than_days")
    with connection.cursor() as cursor:
        cursor.execute(_runs_to_forget(), [by.now - timedelta(days=older_than_days)])
        ids = [row[0] for row in cursor.fetchall()]
        # The next run names the one before it; that one is then the first of what is kept.
        cursor.execute("UPDATE planning_plan_run SET parent_id = NULL WHERE parent_id = ANY(%s::uuid[])", [ids])
        cursor.execute("DELETE FROM planning_plan_run WHERE id = ANY(%s::uuid[])", [ids])
    return {"forgotten": len(ids)}
