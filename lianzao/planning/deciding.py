"""What an accepted proposal or change does to the rooms below."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access.queries import site_zone
from lianzao.foundation import words
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import by_id
from lianzao.foundation.entity import Entity
from lianzao.parties import queries as parties
from lianzao.planning.models import ActionMessage, Proposal
from lianzao.planning.publishing import remember
from lianzao.procurement import commands as procurement
from lianzao.production import commands as production
from lianzao.sales import commands as sales
from lianzao.values.errors import RuleBroken
from lianzao.values.time import local_date


def carry_out_proposal(by: Actor, proposal: Proposal) -> Entity:
    """A requisition from a planned purchase, a work order from a planned production."""
    if proposal.kind_of_order == "buy":
        zone = site_zone(proposal.site_id)
        return procurement.raise_requisition(
            by,
            item=by_id(proposal.item_id),
            quantity=proposal.quantity,
            needed_on=max(local_date(proposal.finish_at, zone), local_date(by.now, zone)),
            site=by_id(proposal.site_id),
            supplier=by_id(proposal.supplier_id),
            reason=[
                procurement.Cause(text=each["number"], kind=each["kind"], id=each["id"])
                for each in proposal.cause
                if "number" in each
            ],
            source=proposal.ref,
        )
    return production.create_work_order(
        by,
        item=by_id(proposal.item_id),
        quantity=proposal.quantity,
        due_at=proposal.finish_at,
        start_at=max(proposal.start_at, by.now),
        site=by_id(proposal.site_id),
        source=proposal.ref,
        planned_start_at=proposal.start_at,
        planned_finish_at=proposal.finish_at,
    )


def carry_out_message(by: Actor, message: ActionMessage) -> None:
    """The change itself. Raises RuleBroken for what only a talk with the partner can change."""
    act = {
        "reschedule": _reschedule,
        "promise": _offer_promise,
        "expedite": _ask_supplier,
        "defer": _ask_supplier,
        "overdue": _chase,
        "cancel": _cancel,
        "increase": _resize,
        "decrease": _resize,
    }[message.action]
    act(by, message)


def _reschedule(by: Actor, message: ActionMessage) -> None:
    """New times for a work order and its operations. Its due date stays: that is what somebody needs it for."""
    production.reschedule(
        by,
        work_order=by_id(message.subject_id),
        operations=[
            production.OperationTime(
                operation=by_id(UUID(each["operation_id"])),
                start_at=datetime.fromisoformat(each["start_at"]),
                finish_at=datetime.fromisoformat(each["finish_at"]),
            )
            for each in message.details["operations"]
            if each["operation_id"] is not None
        ],
    )
    _remember(by, message, "start", message.details["old_start_at"], message.details["start_at"])
    _remember(by, message, "finish", message.details["old_finish_at"], message.details["finish_at"])


def _remember(by: Actor, message: ActionMessage, what: str, old: str | None, new: str) -> None:
    before = None if old is None else datetime.fromisoformat(old)
    remember(
        message.run, by.now, [(message.subject_kind, message.subject_id, what, before, datetime.fromisoformat(new))]
    )


def _offer_promise(by: Actor, message: ActionMessage) -> None:
    facts = parties.party_facts([message.partner_id]) if message.partner_id is not None else {}
    language = next((each.language for each in facts.values()), "zh-CN")
    sales.offer_new_promise(
        by,
        line=by_id(message.subject_id),
        new_on=date.fromisoformat(message.details["projected_on"]),
        reasons=[
            sales.Reason(text=said(each, language), kind=each.get("kind", ""), id=each.get("id", ""))
            for each in message.cause
            if "reason" in each
        ],
    )


def _day(message: ActionMessage) -> date:
    if message.to_at is None:
        raise RuleBroken("no_date_in_sight", document=message.subject_number)
    return local_date(message.to_at, site_zone(message.site_id))


def _ask_supplier(by: Actor, message: ActionMessage) -> None:
    """Ask for another day; the supplier has to answer, and until then his last word counts."""
    if message.subject_kind == "procurement.schedule_line":
        procurement.change_schedule_line(
            by, schedule_line=by_id(message.subject_id), required_on=_day(message), why=why(message)
        )
    elif message.subject_kind == "production.work_order":
        production.reschedule(by, work_order=by_id(message.subject_id), due_at=message.to_at)
    else:
        raise RuleBroken("change_it_there", document=message.subject_number)


def _chase(by: Actor, message: ActionMessage) -> None:
    """What should have come already: the supplier is asked for a new day, today at the earliest."""
    if message.subject_kind != "procurement.schedule_line":
        raise RuleBroken("change_it_there", document=message.subject_number)
    zone = site_zone(message.site_id)
    wanted = local_date(by.now, zone)
    if message.to_at is not None:
        wanted = max(wanted, local_date(message.to_at, zone))
    procurement.change_schedule_line(by, schedule_line=by_id(message.subject_id), required_on=wanted, why=why(message))


def _cancel(by: Actor, message: ActionMessage) -> None:
    if message.subject_kind == "procurement.schedule_line":
        procurement.cancel_schedule_line(by, schedule_line=by_id(message.subject_id), why=why(message))
    elif message.subject_kind == "procurement.purchase_requisition":
        procurement.reject_requisition(by, requisition=by_id(message.subject_id), why=why(message))
    else:
        production.cancel_work_order(by, work_order=by_id(message.subject_id), reason=why(message))


def _resize(by: Actor, message: ActionMessage) -> None:
    to: Decimal = message.to_quantity or Decimal(0)
    if message.subject_kind == "procurement.schedule_line":
        procurement.change_schedule_line(by, schedule_line=by_id(message.subject_id), quantity=to, why=why(message))
    elif message.subject_kind == "production.work_order":
        production.resize_work_order(by, work_order=by_id(message.subject_id), quantity=to)
    else:
        raise RuleBroken("change_it_there", document=message.subject_number)


def why(message: ActionMessage) -> str:
    """Why a change is asked for, in a few words: whose sake, by number."""
    numbers = [each["number"] for each in message.cause if each.get("number")]
    return f"{message.number} {' '.join(dict.fromkeys(numbers))}"[:200]


def said(reason: dict[str, Any], language: str) -> str:
    """A reason as a sentence."""
    english = language.startswith("en")
    facts = dict(reason)
    facts["item_name"] = (reason.get("item_name_en") if english else reason.get("item_name")) or reason.get("item", "")
    facts["work_center"] = (reason.get("work_center_en") if english else None) or reason.get("work_center", "")
    minutes = int(reason.get("minutes", 0))
    days, hours = divmod(minutes // 60, 24)
    unit = ("days_hours" if hours else "days") if days else "hours" if hours else "minutes"
    facts["duration"] = words.say(f"duration.{unit}", language, days=days, hours=hours, minutes=minutes)
    key = f"reason.{reason['reason']}"
    # Nothing is said of a duration that is none: the plan was laid around the cause.
    if minutes <= 0 and words.known(f"{key}.now"):
        key = f"{key}.now"
    return words.say(key, language, **facts)
