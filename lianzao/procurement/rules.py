"""Decisions of buying, on plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from lianzao.values.errors import Invalid, RuleBroken
from lianzao.values.quantity import ZERO, round_quantity

#: An arrival on the day that moves by less than this is no news: carriers' estimates tremble.
TREMBLE = timedelta(minutes=30)
HUNDRED = Decimal(100)

DELAYED = "delayed"
ADVANCED = "advanced"


def delay_matters(
    old_on: date | None,
    new_on: date,
    *,
    old_at: datetime | None = None,
    new_at: datetime | None = None,
    tremble: timedelta = TREMBLE,
) -> str | None:
    """Whether a change of an expected arrival is news: DELAYED, ADVANCED, or None when nothing depends on it.

    Days are compared first; on the same day the instants are, if both are known and differ by more than `tremble`.
    """
    if old_on is None:
        return None
    if new_on != old_on:
        return DELAYED if new_on > old_on else ADVANCED
    if old_at is None or new_at is None or abs(new_at - old_at) <= tremble:
        return None
    return DELAYED if new_at > old_at else ADVANCED


def early_days(expected_on: date | None, arrived_on: date) -> int:
    """By how many whole days goods came before they were expected; 0 when on time, late, or never expected."""
    return 0 if expected_on is None else max((expected_on - arrived_on).days, 0)


def order_quantity(needed: Decimal, minimum: Decimal = ZERO, multiple: Decimal = ZERO) -> Decimal:
    """The smallest quantity a supplier sells that covers the need: at least `minimum`, then whole multiples.

    A multiple counts from zero, so minimum 125 and multiple 100 make 200 of a need of 90. Zero means no rule.
    """
    if needed <= 0:
        raise Invalid("quantity_not_positive", field="quantity")
    wanted = max(needed, minimum)
    if multiple > 0:
        wanted = (wanted / multiple).to_integral_value(ROUND_CEILING) * multiple
    return round_quantity(wanted)


def check_confirmed(quantity: Decimal, received: Decimal, announced: Decimal, confirmed: Decimal) -> Decimal:
    """What remains of a schedule line that was confirmed for a part; it becomes a line of its own. Raises RuleBroken.

    Nobody confirms more than was asked for, nor less than what is on the way or here already.
    """
    if confirmed <= 0:
        raise Invalid("quantity_not_positive", field="quantity")
    if confirmed > quantity:
        raise RuleBroken("confirmed_too_much", field="quantity", ordered=quantity, confirmed=confirmed)
    if confirmed < max(received, announced):
        raise RuleBroken(
            "confirmed_too_little", field="quantity", announced=max(received, announced), confirmed=confirmed
        )
    return quantity - confirmed


def most_allowed(quantity: Decimal, over_percent: Decimal) -> Decimal:
    """The most that may arrive on a line: what was ordered and the agreed over-delivery."""
    return round_quantity(quantity * (HUNDRED + over_percent) / HUNDRED)


def check_announced(quantity: Decimal, announced: Decimal, more: Decimal, over_percent: Decimal) -> Decimal:
    """What is announced of a schedule line in all. Raises RuleBroken beyond the agreed over-delivery."""
    if more <= 0:
        raise Invalid("quantity_not_positive", field="quantity")
    total = announced + more
    if total > most_allowed(quantity, over_percent):
        raise RuleBroken("announced_too_much", field="quantity", ordered=quantity, announced=total)
    return total


def check_received(quantity: Decimal, received: Decimal, more: Decimal, over_percent: Decimal) -> Decimal:
    """What is received of a schedule line in all. Raises RuleBroken beyond the agreed over-delivery."""
    if more < 0:
        raise Invalid("must_not_be_negative", field="quantity", value=more)
    total = received + more
    most = most_allowed(quantity, over_percent)
    if total > most:
        raise RuleBroken("received_too_much", field="quantity", ordered=quantity, received=total, most=most)
    return total


def check_difference(announced: Decimal | None, counted: Decimal, rejected: Decimal, reason: str) -> None:
    """A count that differs from the shipment notice needs a reason. Raises Invalid."""
    if counted < 0 or rejected < 0:
        raise Invalid("must_not_be_negative", field="quantity", value=min(counted, rejected))
    if announced is not None and counted + rejected != announced and not reason.strip():
        raise Invalid("difference_reason_missing", field="difference_reason", announced=announced, counted=counted)
    if rejected > 0 and not reason.strip():
        raise Invalid("difference_reason_missing", field="difference_reason", announced=announced, counted=counted)


def schedule_status(
    status: str, quantity: Decimal, confirmed: Decimal | None, announced: Decimal, received: Decimal
) -> str:
    """The state of a schedule line after its quantities changed. Closed and cancelled stay what they are."""
    if status in ("closed", "cancelled"):
        return status
    if received >= quantity:
        return "received"
    if announced > received:
        return "announced"
    return "confirmed" if confirmed is not None else "open"


def order_status(status: str, schedule: Sequence[str]) -> str:
    """The state of an order as its schedule tells it: received when nothing is open, cancelled when nothing is left."""
    if status in ("draft", "closed", "cancelled"):
        return status
    living = [line for line in schedule if line != "cancelled"]
    if not living:
        return "cancelled"
    return "received" if all(line in ("received", "closed") for line in living) else "sent"


@dataclass(frozen=True)
class Need:
    """A quantity needed on a day; `tag` is whatever the caller wants to find again."""

    needed_on: date
    quantity: Decimal
    tag: object = None


def schedule_needs(needs: Sequence[Need], minimum: Decimal, multiple: Decimal) -> list[tuple[date, Decimal]]:
    """Needs of one item as delivery dates of one order line: one per day, the rounding up goes to the last.

    The sum follows the supplier's minimum and multiple; each day gets at least what it needs.
    """
    by_day: dict[date, Decimal] = {}
    for need in needs:
        by_day[need.needed_on] = by_day.get(need.needed_on, ZERO) + need.quantity
    total = sum(by_day.values(), ZERO)
    surplus = order_quantity(total, minimum, multiple) - total
    days = sorted(by_day)
    by_day[days[-1]] += surplus
    return [(day, by_day[day]) for day in days]


def receipt_value(received: Decimal, ordered: Decimal, amount: Decimal, exchange_rate: Decimal) -> Decimal:
    """What received goods are worth in the site's currency: their share of the line's amount, rounded once."""
    return round_quantity(received * amount * exchange_rate / ordered)
