"""The planner's page: what is missing, whom it hurts, what is proposed, what the last runs changed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from lianzao.foundation import packing, scope, words
from lianzao.foundation.actor import Actor
from lianzao.overviews.order_360 import named, named_item, told_message, told_reasons
from lianzao.planning.models import ActionMessage, Outlook, PlanRun, Policy, Proposal, Shortage
from lianzao.sales.models import SalesOrderLine

#: Rows of a kind, and runs, that the board shows at most.
MOST, RUNS = 300, 20
UNITS = ("item__base_unit",)


def plan_board(by: Actor, site_id: UUID) -> dict[str, Any]:
    """Late demands, shortages, planned orders, changes, policies and runs of a site, the most urgent first."""
    runs = [
        told_run(by, each)
        for each in scope.found(
            by, PlanRun, lambda rows, site: rows.filter(site_id=site).order_by("-id")[:RUNS], site_id
        )
    ]
    shortages = scope.found(
        by, Shortage,
        lambda rows, site: rows.filter(site_id=site).select_related(*UNITS).order_by("need_at")[:MOST], site_id,
    )  # fmt: skip
    proposals = scope.found(
        by, Proposal,
        lambda rows, site: rows.filter(site_id=site, status="open")
        .select_related("supplier", *UNITS).order_by("start_at")[:MOST], site_id,
    )  # fmt: skip
    messages = scope.found(
        by, ActionMessage,
        lambda rows, site: rows.filter(site_id=site, status="open")
        .select_related("partner", *UNITS).order_by("to_at")[:MOST], site_id,
    )  # fmt: skip
    policies = scope.found(by, Policy, lambda rows, site: rows.filter(site_id=site).order_by("name"), site_id)
    return {
        "run": runs[0] if runs else None,
        "late": late_demands(by, site_id),
        "shortages": [told_shortage(by, each) for each in shortages],
        "proposals": [told_proposal(by, each) for each in proposals],
        "messages": [told_message(by, each) for each in messages],
        "policies": [
            {
                "id": each.id,
                "version": each.version,
                "name": each.name,
                "mode": each.mode,
                "most_value": each.most_value,
                "most_quantity": each.most_quantity,
                "most_hours": each.most_hours,
                "most_per_day": each.most_per_day,
            }
            for each in policies
        ],
        "runs": runs,
    }


def told_why(by: Actor, why: str) -> str:
    """Why a run ran: the names of events as people say them, once each; other words as they were given."""
    told: dict[str, None] = {}
    for each in why.split(", "):
        key = "overviews.by_hand" if each == "by hand" else f"event.{each.rpartition('.')[2]}"
        told[words.say(key, by.language) if words.known(key) else each] = None
    return ", ".join(told)


def told_run(by: Actor, run: PlanRun) -> dict[str, Any]:
    """A run in short, with what it changed."""
    return {
        "id": run.id,
        "number": run.number,
        "why": told_why(by, run.why),
        "now_at": run.now_at,
        "made_at": run.created_at,
        "milliseconds": run.milliseconds,
        "demands": run.demands,
        "late_demands": run.late_demands,
        "proposals": run.proposals,
        "messages": run.messages,
        "shortages": run.shortages,
        "difference": run.difference,
    }


def late_demands(by: Actor, site_id: UUID) -> list[dict[str, Any]]:
    """Who is hurt, by how much, and why; the latest first."""
    outlooks = scope.found(
        by, Outlook,
        lambda rows, site: rows.filter(site_id=site).exclude(late_minutes=0, short_quantity=0)
        .select_related("item__base_unit").order_by("-late_minutes")[:200], site_id,
    )  # fmt: skip
    lines = {
        line.id: line
        for line in scope.found(
            by, SalesOrderLine, lambda rows, ids: rows.filter(pk__any=ids).select_related("order__customer"),
            packing.array([each.demand_id for each in outlooks]),
        )
    }  # fmt: skip
    return [
        {
            "id": each.demand_id,
            "order_id": lines[each.demand_id].order_id,
            "number": f"{lines[each.demand_id].order.number}/{lines[each.demand_id].sequence}",
            "customer": named(by, lines[each.demand_id].order.customer),
            "priority": lines[each.demand_id].order.priority,
            "item": named_item(by, each.item),
            "quantity": each.quantity,
            "short_quantity": each.short_quantity,
            "promised_on": lines[each.demand_id].promised_on,
            "requested_on": lines[each.demand_id].requested_on,
            "projected_at": each.projected_at,
            "late_minutes": each.late_minutes,
            "reasons": told_reasons(by, each.reasons),
        }
        for each in outlooks
        if each.demand_id in lines
    ]


def told_shortage(by: Actor, each: Shortage) -> dict[str, Any]:
    """What is missing, when it is wanted and when it comes, whom it hurts, what covers it."""
    return {
        "id": each.id,
        "item": named_item(by, each.item),
        "quantity": each.quantity,
        "need_at": each.need_at,
        "ready_at": each.ready_at,
        "consumer": _ref(each.consumer_kind, each.consumer_id, each.consumer_number),
        "demand": _ref(each.demand_kind, each.demand_id, each.demand_number),
        "supply": _ref(each.supply_kind, each.supply_id, each.supply_number),
    }


def _ref(kind: str, id: UUID | None, number: str) -> dict[str, Any] | None:
    return None if not kind else {"kind": kind, "id": id, "number": number}


def told_proposal(by: Actor, each: Proposal) -> dict[str, Any]:
    """A planned order with its cost, if the viewer may see costs."""
    row = {
        "id": each.id,
        "version": each.version,
        "number": each.number,
        "kind_of_order": each.kind_of_order,
        "item": named_item(by, each.item),
        "quantity": each.quantity,
        "start_at": each.start_at,
        "finish_at": each.finish_at,
        "need_at": each.need_at,
        "late_minutes": each.late_minutes,
        "supplier": None if each.supplier is None else named(by, each.supplier),
        "price": each.price,
        "cost": each.cost,
        "currency": each.currency,
        "cause": each.cause,
    }
    hidden = scope.masked(by, "planning.proposal", ("price", "cost"), ("price", "cost"))
    return scope.mask_row(row, hidden)
