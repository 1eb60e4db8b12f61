"""Commands of chasing: ask a supplier where a delivery is, and his answer. All of it is kept, for the next time."""

from __future__ import annotations

from datetime import date

from lianzao.foundation import entity, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.outbox import publish
from lianzao.procurement.arrivals import change_expected
from lianzao.procurement.events import ChaseAnswered, DeliveryChased
from lianzao.procurement.models import Chase, ScheduleLine
from lianzao.procurement.orders import order_of
from lianzao.values.errors import Conflict, Invalid


@command
def chase_delivery(
    by: Actor, *, schedule_line: ScheduleLine, wanted_on: date | None = None, message: str = ""
) -> Chase:
    """Ask the supplier for a delivery: he sees it at once on his portal, with the day it is wanted by.

    Without a day, the one the order asks for. What was asked before and is not answered is replaced by this.
    """
    order = order_of(schedule_line)
    if order.status != "sent" or schedule_line.status not in ("open", "confirmed", "announced"):
        raise Conflict("wrong_status", document=schedule_line.label, status=schedule_line.status, wanted="open")
    for before in Chase.objects.select_for_update().filter(schedule_line=schedule_line, status="open"):
        before.move_to("replaced")
        before.save()
    made = Chase(
        schedule_line=schedule_line,
        wanted_on=wanted_on or schedule_line.required_on,
        message=message.strip()[:400],
        chased_at=by.now,
        chaser_id=by.id,
    )
    made.save()
    publish(
        DeliveryChased(
            order.site_id, made.id, schedule_line.id, order.id, order.supplier_id, made.wanted_on, made.message,
            (order.supplier_id,),
        )
    )  # fmt: skip
    return made


@command
def chase_deliveries(by: Actor, *, schedule_lines: list[ScheduleLine], message: str = "") -> dict[str, int]:
    """Ask for several deliveries with one message, each for the day its order asks for."""
    if not schedule_lines:
        raise Invalid("field_missing", field="schedule_lines")
    for each in schedule_lines:
        chase_delivery(by, schedule_line=each, message=message)
    return {"chased": len(schedule_lines)}


@command(when={"status": ("open",)})
def answer_chase(by: Actor, *, chase: Chase, answer: str, expected_on: date | None = None) -> Chase:
    """Answer: what is the matter, and when it will come if that is another day than said before.

    The supplier answers on his portal; the buyer may write down what he was told on the phone.
    """
    if not answer.strip():
        raise Invalid("field_missing", field="answer")
    line = entity.get(ScheduleLine, chase.schedule_line_id, lock=True)
    order = order_of(line)
    scope.check_partner(by, order.supplier_id)
    chase.move_to("answered")
    chase.answer = answer.strip()[:400]
    chase.answered_at, chase.answered_by = by.now, by.id
    if expected_on is not None and expected_on != line.expected_on:
        change_expected(by, schedule_line=line, expected_on=expected_on, reason=chase.answer[:200])
    answered_on = expected_on or line.expected_on
    chase.answered_on = answered_on
    chase.save()
    publish(
        ChaseAnswered(
            order.site_id, chase.id, line.id, order.id, order.supplier_id, answered_on, chase.answer,
            (order.supplier_id,),
        )
    )  # fmt: skip
    return chase
