"""Commands of sales about dates and deliveries: promise, offer, accept, project, shipped, delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access import queries as access
from lianzao.foundation import audit, entity, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.outbox import publish
from lianzao.sales import rules
from lianzao.sales.events import (
    LineDelivered,
    LineProjected,
    LineShipped,
    PromiseAccepted,
    PromiseDeclined,
    PromiseOffered,
)
from lianzao.sales.models import PromiseChange, SalesOrder, SalesOrderLine
from lianzao.sales.orders import locked_order, make_promise
from lianzao.values.errors import Conflict, Invalid
from lianzao.values.quantity import ZERO
from lianzao.values.time import local_date


@dataclass(frozen=True)
class Reason:
    """One link of the chain from a late date to its first cause; `kind` and `id` name the document it lies with."""

    text: str
    kind: str = ""
    id: str = ""


def _chain(reasons: Sequence[Reason]) -> list[dict[str, str]]:
    return [{"text": each.text, "kind": each.kind, "id": each.id} for each in reasons]


def _owed(line: SalesOrderLine) -> None:
    if line.status != "confirmed":
        raise Conflict("wrong_status", document=line.label, status=line.status, wanted="confirmed")


@command
def promise_line(
    by: Actor, *, line: SalesOrderLine, promised_on: date, reasons: list[Reason] | None = None
) -> SalesOrderLine:
    """Give our word for the day a line will be at the customer's.

    For the first promise and for an earlier one. A later day than the one promised has to be offered to the customer:
    use "offer a new promise".
    """
    locked_order(line)
    _owed(line)
    if rules.promise_needs_consent(line.promised_on, promised_on):
        raise Conflict("promise_needs_consent", line=line.label, promised_on=line.promised_on)
    if line.promised_on == promised_on:
        return line
    _withdraw_offer(line)
    make_promise(by, line, promised_on, _chain(reasons or []))
    return line


def _withdraw_offer(line: SalesOrderLine) -> None:
    """An unanswered offer is replaced by what comes after it."""
    for offer in line.promises.select_for_update().filter(status="offered"):
        offer.move_to("withdrawn")
        offer.save()


@command
def offer_new_promise(
    by: Actor, *, line: SalesOrderLine, new_on: date, reasons: list[Reason] | None = None
) -> PromiseChange:
    """Offer the customer another day, with the chain of reasons. Our word stands until he accepts.

    An unanswered offer is replaced; offering the same day again changes nothing.
    """
    order = locked_order(line)
    _owed(line)
    if line.promised_on == new_on:
        raise Invalid("promise_unchanged", field="new_on", promised_on=new_on)
    standing = line.promises.select_for_update().filter(status="offered").first()
    if standing is not None and standing.new_on == new_on:
        return standing
    _withdraw_offer(line)
    offer = PromiseChange(
        line=line, old_on=line.promised_on, new_on=new_on, reasons=_chain(reasons or []), offered_at=by.now
    )
    offer.save()
    publish(
        PromiseOffered(
            order.site_id,
            order.id,
            line.id,
            offer.id,
            order.customer_id,
            line.item_id,
            line.promised_on,
            new_on,
            (order.customer_id,),
        )
    )
    return offer


def _answered(by: Actor, offer: PromiseChange, status: str, answer: str) -> tuple[SalesOrder, SalesOrderLine]:
    """Write down a customer's answer; the customer's own people may give it, and ours on his behalf."""
    line = entity.get(SalesOrderLine, offer.line_id, lock=True)
    order = locked_order(line)
    scope.check_partner(by, order.customer_id)
    offer.line = line
    offer.move_to(status)
    offer.answered_at, offer.answered_by, offer.answer = by.now, by.id, answer[:200]
    offer.told_at = offer.told_at or by.now
    offer.save()
    return order, line


@command(when={"status": ("offered",)})
def accept_promise(by: Actor, *, promise: PromiseChange, answer: str = "") -> PromiseChange:
    """Accept an offered day: from now on it is the promise. The customer does it, or we write down his word."""
    order, line = _answered(by, promise, "accepted", answer)
    line.promised_on = promise.new_on
    line.save()
    publish(
        PromiseAccepted(
            order.site_id,
            order.id,
            line.id,
            promise.id,
            order.customer_id,
            line.item_id,
            promise.old_on,
            promise.new_on,
            (order.customer_id,),
        )
    )
    return promise


@command(when={"status": ("offered",)})
def decline_promise(by: Actor, *, promise: PromiseChange, answer: str = "") -> PromiseChange:
    """Decline an offered day: the old promise stands, and sales has to find another way."""
    order, line = _answered(by, promise, "declined", answer)
    publish(
        PromiseDeclined(
            order.site_id,
            order.id,
            line.id,
            promise.id,
            order.customer_id,
            line.item_id,
            promise.old_on,
            promise.new_on,
            answer,
            (order.customer_id,),
        )
    )
    return promise


@command(when={"status": ("offered",)}, hidden=True)
def mark_promise_told(by: Actor, *, promise: PromiseChange) -> PromiseChange:
    """Note that the customer was told of an offer (the message was delivered, or he opened it)."""
    if promise.told_at is None:
        promise.told_at = by.now
        promise.save()
    return promise


@dataclass(frozen=True)
class Projection:
    """When a line will be delivered as planning sees it; None when it does not see it delivered at all."""

    line_id: UUID
    projected_at: datetime | None


PROJECT = """
WITH new AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(ats)s::timestamptz[]) AS u(id, projected_at)
), changed AS (
    SELECT l.id, l.projected_at AS old_at, new.projected_at AS new_at
    FROM sales_sales_order_line l JOIN new ON new.id = l.id
    WHERE l.status = 'confirmed' AND l.projected_at IS DISTINCT FROM new.projected_at
    ORDER BY l.id FOR NO KEY UPDATE OF l
)
UPDATE sales_sales_order_line l
SET projected_at = changed.new_at, version = l.version + 1, updated_at = %(now)s, updated_by = %(by)s
FROM changed, sales_sales_order o
WHERE l.id = changed.id AND o.id = l.order_id AND (%(sites)s::uuid[] IS NULL OR o.site_id = ANY(%(sites)s::uuid[]))
RETURNING l.id, o.site_id, o.id, o.customer_id, l.item_id, changed.old_at, changed.new_at,
          coalesce(l.promised_on, l.requested_on)
"""


@command(hidden=True)
def project_lines(by: Actor, *, projections: list[Projection]) -> dict[str, int]:
    """Take over planning's view of when lines will be delivered, all with one statement.

    News is told only where the local day changed: minutes tremble with every run. Answers how many lines changed.
    """
    given = {
        "ids": [each.line_id for each in projections],
        "ats": [each.projected_at for each in projections],
        "now": by.now,
        "by": by.id,
        "sites": sorted(by.sites) if isinstance(by.sites, frozenset) else None,
    }
    rows = entity.execute(PROJECT, given) if projections else []
    zones: dict[Any, str] = {}
    for line_id, site_id, order_id, customer_id, item_id, old_at, new_at, due_on in rows:
        audit.note("sales.sales_order_line", line_id, {"projected_at": old_at}, {"projected_at": new_at})
        zone = zones.get(site_id) or zones.setdefault(site_id, access.site_zone(site_id))
        old_on = None if old_at is None else local_date(old_at, zone)
        new_on = None if new_at is None else local_date(new_at, zone)
        if old_on != new_on:
            late = rules.days_between(due_on, new_on)
            publish(LineProjected(site_id, order_id, line_id, customer_id, item_id, old_at, new_at, due_on, late))
    return {"changed": len(rows)}


@command(hidden=True)
def project_line(by: Actor, *, line: SalesOrderLine, projected_at: datetime | None) -> SalesOrderLine:
    """Take over planning's view of when one line will be delivered."""
    project_lines(by, projections=[Projection(line.id, projected_at)])
    line.refresh_from_db()
    return line


@command(hidden=True)
def record_reserved(by: Actor, *, line: SalesOrderLine, quantity: Decimal) -> SalesOrderLine:
    """Note how much stock is set aside for a line in all."""
    if quantity < 0:
        raise Invalid("must_not_be_negative", field="quantity", value=quantity)
    line.reserved = quantity
    line.save()
    return line


def _settle(order: SalesOrder, line: SalesOrderLine) -> None:
    """Bring the states of line and order in step with the line's quantities."""
    line.status = rules.line_status(line.status, line.quantity, line.shipped_quantity, line.delivered_quantity)
    line.save()
    order.status = rules.order_status(order.status, list(order.lines.values_list("status", flat=True)))
    order.save()


@command(hidden=True)
def record_shipped(by: Actor, *, line: SalesOrderLine, quantity: Decimal) -> SalesOrderLine:
    """Note that goods of a line left the house (told by shipping).

    They have left whatever became of the line before the news was heard: taken back, cancelled or closed, it stays so,
    and what was shipped stands on it, until the goods come back or the line is confirmed again.
    """
    order = locked_order(line)
    line.shipped_quantity = rules.check_shipped(line.quantity, line.shipped_quantity, quantity)
    line.reserved = max(line.reserved - quantity, ZERO)
    _settle(order, line)
    _tell_shipped(order, line, quantity)
    return line


@command(hidden=True)
def record_returned(by: Actor, *, line: SalesOrderLine, quantity: Decimal) -> SalesOrderLine:
    """Note that shipped goods of a line came back undelivered: they are owed again."""
    order = locked_order(line)
    if quantity <= 0:
        raise Invalid("quantity_not_positive", field="quantity")
    if line.shipped_quantity - quantity < line.delivered_quantity:
        raise Conflict("more_than_under_way", line=line.label, quantity=quantity)
    line.shipped_quantity -= quantity
    _settle(order, line)
    _tell_shipped(order, line, -quantity)
    return line


def _tell_shipped(order: SalesOrder, line: SalesOrderLine, quantity: Decimal) -> None:
    publish(
        LineShipped(
            order.site_id,
            order.id,
            line.id,
            order.customer_id,
            line.item_id,
            quantity,
            line.open_quantity,
            (order.customer_id,),
        )
    )


@command(hidden=True)
def record_delivered(
    by: Actor, *, line: SalesOrderLine, quantity: Decimal, delivered_at: datetime | None = None
) -> SalesOrderLine:
    """Note that the customer has goods of a line (told by shipping). With the last line the order is delivered."""
    order = locked_order(line)
    line.delivered_quantity = rules.check_delivered(line.shipped_quantity, line.delivered_quantity, quantity)
    delivered_on = local_date(delivered_at or by.now, access.site_zone(order.site_id))
    line.delivered_on = delivered_on
    _settle(order, line)
    publish(
        LineDelivered(
            order.site_id,
            order.id,
            line.id,
            order.customer_id,
            line.item_id,
            quantity,
            delivered_on,
            rules.days_between(line.due_on, delivered_on),
            (order.customer_id,),
        )
    )
    return line
