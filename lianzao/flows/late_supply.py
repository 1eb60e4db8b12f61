"""Supply is late, or will not come: plan again what it touches; what is within authority is done, the rest waits.

ArrivalDelayed → request_replan → (plan process) run → PromiseBroken, RemedyProposed, ProposalMade
→ within the policy's limits accepted here, else one button for the planner → floor, buyer and customer hear.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from lianzao.foundation.actor import Actor
from lianzao.foundation.command import by_id
from lianzao.foundation.outbox import Event, on
from lianzao.planning import commands as planning
from lianzao.planning.events import ProposalMade, RemedyProposed
from lianzao.planning.models import ActionMessage, PolicyName, Proposal
from lianzao.planning.queries import message, proposal
from lianzao.procurement.events import (
    ArrivalDelayed,
    PurchaseOrderClosed,
    PurchaseOrderRecalled,
    RequisitionRejected,
    ScheduleChanged,
    ScheduleConfirmed,
    ScheduleLineCancelled,
    ShipmentWithdrawn,
)


def replan(by: Actor, news: Sequence[Event]) -> None:
    """Ask for a new plan of the site the news is about, naming what happened and the items it touches."""
    items: set[UUID] = set()
    for each in news:
        one: UUID | None = getattr(each, "item_id", None)
        items |= {one} if one is not None else set(getattr(each, "item_ids", ()))
    names = list(dict.fromkeys(each.wire_name for each in news))
    site: UUID = getattr(news[0], "site_id")  # noqa: B009 - every event heard here has a site
    planning.request_replan(by, site_id=site, why=", ".join(names), item_ids=sorted(items, key=str))


@on(
    ArrivalDelayed,
    ScheduleLineCancelled,
    ScheduleChanged,
    ScheduleConfirmed,
    ShipmentWithdrawn,
    PurchaseOrderClosed,
    PurchaseOrderRecalled,
    RequisitionRejected,
    key="site_id",
)
def replan_after_delay(by: Actor, news: Sequence[Event]) -> None:
    """A supply moved or is gone: find out whom it hurts."""
    replan(by, news)


@on(ProposalMade)
def requisition_within_limits(by: Actor, news: Sequence[ProposalMade]) -> None:
    """A planned purchase within the policy's limits becomes a requisition by itself (自动请购)."""
    for each in news:
        found: Proposal | None = proposal(each.proposal_id, lock=True)
        if found is None or found.status != "open" or found.kind_of_order != "buy":
            continue
        wish = planning.Wish(value=found.cost, quantity=found.quantity)
        if planning.consult_policy(by, each.site_id, PolicyName.REQUISITION, wish, found):
            planning.accept_proposal(by, proposal=by_id(found.id), why="policy")


@on(RemedyProposed)
def reschedule_within_limits(by: Actor, news: Sequence[RemedyProposed]) -> None:
    """New times for a work order within the policy's limits are given by themselves; the station sees them at once."""
    for each in news:
        found: ActionMessage | None = message(each.action_message_id, lock=True)
        if found is None or found.status != "open" or found.action != "reschedule":
            continue
        wish = planning.Wish(hours=hours_moved(found), committed=found.committed)
        if planning.consult_policy(by, each.site_id, PolicyName.RESCHEDULE, wish, found):
            planning.accept_remedy(by, message=by_id(found.id), why="policy")


def hours_moved(found: ActionMessage) -> Decimal:
    """By how many hours a work order's end moves; its first dating counts as no move."""
    old = found.details.get("old_finish_at")
    if old is None:
        return Decimal(0)
    moved = datetime.fromisoformat(found.details["finish_at"]) - datetime.fromisoformat(old)
    return Decimal(abs(moved).total_seconds() / 3600).quantize(Decimal("0.1"))
