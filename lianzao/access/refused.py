"""Commands about orders that were refused when a terminal handed them in: filed, done again, or dismissed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from lianzao.access.events import OrderRefused, RefusedOrderSettled
from lianzao.access.models import Person, RefusedOrder, Station
from lianzao.foundation import words
from lianzao.foundation.actor import Actor
from lianzao.foundation.audit import Order
from lianzao.foundation.command import READ, command
from lianzao.foundation.outbox import publish
from lianzao.foundation.resource import check_columns
from lianzao.values.errors import Conflict, Invalid, NotAllowed, NotFound


@command(hidden=True)
def file_refused_order(
    by: Actor,
    *,
    site_id: UUID,
    command: str,
    body: dict[str, Any],
    order_id: UUID,
    person: Annotated[Person, READ],
    station: Annotated[Station, READ] | None = None,
    happened_at: datetime,
    device_at: datetime | None = None,
    sequence: int = 0,
    code: str,
    refusal: str,
    refusal_en: str,
) -> RefusedOrder:
    """Put an order that was refused when a terminal handed it in before somebody who decides. For the door only.

    The same order is filed once, however often it is handed in.
    """
    if by.kind != "system":
        raise NotAllowed("not_allowed", right="access.file_refused_order")
    known = RefusedOrder.objects.filter(order_id=order_id).first()
    if known is not None:
        return known
    made = RefusedOrder(
        site_id=site_id, command=command[:120], body=body, order_id=order_id, person=person, station=station,
        happened_at=happened_at, device_at=device_at, sequence=sequence, code=code[:80], refusal=refusal[:400],
        refusal_en=refusal_en[:400],
    )  # fmt: skip
    made.save()
    publish(
        OrderRefused(
            site_id,
            made.id,
            person.id,
            None if station is None else station.id,
            command.partition(".")[0],
            words.say(command, "zh-CN"),
            words.say(command, "en"),
            made.refusal,
            made.refusal_en,
            happened_at,
        )
    )
    return made


@command(when={"status": ("open",)})
def dismiss_refused_order(by: Actor, *, refused_order: RefusedOrder, reason: str) -> RefusedOrder:
    """Say that a refused order is not to be done after all, and why; whoever ordered it may ask you."""
    if not reason.strip():
        raise Invalid("field_missing", field="reason")
    refused_order.reason = reason.strip()
    check_columns(refused_order, ["reason"])
    return _settled(by, refused_order, "dismissed")


@command(hidden=True, when={"status": ("open",)})
def settle_refused_order(by: Actor, *, refused_order: RefusedOrder, redone_order_id: UUID) -> RefusedOrder:
    """Note that a refused order was done again, by which order. What was done again is ordered beside it."""
    done = Order.objects.filter(id=redone_order_id, actor_id=by.id, command=refused_order.command).exists()
    if not done:
        raise NotFound("order_not_carried_out", redone_order_id=str(redone_order_id))
    refused_order.redone_order_id = redone_order_id
    return _settled(by, refused_order, "redone")


def _settled(by: Actor, refused: RefusedOrder, outcome: str) -> RefusedOrder:
    if refused.status != "open":
        raise Conflict("wrong_status", document=refused.number, status=refused.status, wanted=outcome)
    refused.move_to(outcome)
    refused.settled_at, refused.settled_by = by.now, by.id
    refused.save()
    publish(RefusedOrderSettled(refused.site_id, refused.id, refused.person_id, outcome))
    return refused
