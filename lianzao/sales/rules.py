"""Decisions of selling, on plain data."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from lianzao.values.errors import Invalid, RuleBroken

OPEN = "open"
CONFIRMED = "confirmed"
SHIPPED = "shipped"
DELIVERED = "delivered"
CLOSED = "closed"
CANCELLED = "cancelled"


def line_status(status: str, quantity: Decimal, shipped: Decimal, delivered: Decimal) -> str:
    """The state of a line after its quantities changed. Closed and cancelled stay what they are."""
    if status in (CLOSED, CANCELLED, OPEN):
        return status
    if delivered >= quantity:
        return DELIVERED
    return SHIPPED if shipped >= quantity else CONFIRMED


def order_status(status: str, lines: Iterable[str]) -> str:
    """The state of an order as its lines tell it: as far along as the line that is furthest behind.

    A cancelled line holds nothing back; an order of nothing but cancelled lines is cancelled.
    """
    if status in (CLOSED, CANCELLED, "draft"):
        return status
    living = [line for line in lines if line != CANCELLED]
    if not living:
        return CANCELLED
    if all(line in (DELIVERED, CLOSED) for line in living):
        return DELIVERED
    if all(line in (SHIPPED, DELIVERED, CLOSED) for line in living):
        return SHIPPED
    return CONFIRMED


def check_quantity_change(new: Decimal, shipped: Decimal, reserved: Decimal) -> None:
    """A line may not become smaller than what has left the house. Raises Invalid, RuleBroken."""
    if new <= 0:
        raise Invalid("quantity_not_positive", field="quantity")
    if new < shipped:
        raise RuleBroken("less_than_shipped", field="quantity", quantity=new, shipped=shipped)
    if new < shipped + reserved:
        raise RuleBroken("less_than_reserved", field="quantity", quantity=new, reserved=reserved, shipped=shipped)


def check_shipped(quantity: Decimal, shipped: Decimal, more: Decimal) -> Decimal:
    """What has been shipped in all after `more` left. Raises RuleBroken when that is more than was ordered."""
    if more <= 0:
        raise Invalid("quantity_not_positive", field="quantity")
    total = shipped + more
    if total > quantity:
        raise RuleBroken("shipped_more_than_ordered", field="quantity", ordered=quantity, shipped=total)
    return total


def check_delivered(shipped: Decimal, delivered: Decimal, more: Decimal) -> Decimal:
    """What has been delivered in all after `more` arrived. Raises RuleBroken when that is more than was shipped."""
    if more <= 0:
        raise Invalid("quantity_not_positive", field="quantity")
    total = delivered + more
    if total > shipped:
        raise RuleBroken("more_than_shipped", field="quantity", shipped=shipped, delivered=total)
    return total


def promise_needs_consent(old_on: date | None, new_on: date) -> bool:
    """A later date than the one we gave our word for needs the customer's consent; an equal or earlier one does not."""
    return old_on is not None and new_on > old_on


def check_cancel(shipped: Decimal) -> None:
    """What has left the house cannot be cancelled, only returned. Raises RuleBroken."""
    if shipped > 0:
        raise RuleBroken("already_shipped", shipped=shipped)


def days_between(earlier: date | None, later: date | None) -> int | None:
    """Whole days from one date to another; None when either is not known."""
    return None if earlier is None or later is None else (later - earlier).days
