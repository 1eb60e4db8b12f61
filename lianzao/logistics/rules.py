"""Decisions of shipping, on plain data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from lianzao.values.errors import Invalid, RuleBroken
from lianzao.values.quantity import ZERO

SSCC_DIGITS = 18


def check_digit(digits: str) -> int:
    """The GS1 check digit of a number without it: weights 3 and 1 from the right (GS1 General Specifications, 7.9).

    >>> check_digit("37612345000000001")
    6
    """
    if not digits.isdigit():
        raise ValueError(f"{digits!r} is not a number")
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return -total % 10


def sscc(extension: int, company_prefix: str, serial: int) -> str:
    """A serial shipping container code: extension digit, GS1 company prefix, serial reference, check digit; 18 digits.

    Raises Invalid for a prefix that is none, RuleBroken when the serial no longer fits: the number range is used up.
    """
    if not 0 <= extension <= 9:
        raise Invalid("sscc_extension", field="extension")
    if not company_prefix.isdigit() or not 4 <= len(company_prefix) <= 12:
        raise Invalid("sscc_prefix", field="company_prefix")
    width = SSCC_DIGITS - 2 - len(company_prefix)
    if serial < 0 or serial >= 10**width:
        raise RuleBroken("sscc_used_up", prefix=company_prefix)
    body = f"{extension}{company_prefix}{serial:0{width}d}"
    return f"{body}{check_digit(body)}"


def is_sscc(text: str) -> bool:
    """Whether a scanned text is an SSCC whose check digit is right; a leading (00) of a GS1-128 label is allowed."""
    digits = text.removeprefix("(00)")
    if len(digits) == SSCC_DIGITS + 2 and digits.startswith("00"):
        digits = digits[2:]
    return len(digits) == SSCC_DIGITS and digits.isdigit() and check_digit(digits[:-1]) == int(digits[-1])


@dataclass(frozen=True)
class Available:
    """Stock that may be picked. `rank`: how early the place is looked at among goods that expire alike."""

    key: object
    quantity: Decimal
    expires_on: date | None = None
    made_at: datetime | None = None
    rank: int = 0


@dataclass(frozen=True)
class Taken:
    """What to take of one piece of stock."""

    key: object
    quantity: Decimal


def take(needed: Decimal, stock: Iterable[Available]) -> tuple[list[Taken], Decimal]:
    """What to pick, first expired first out over all places (then the oldest, the nearest), and what is missing."""
    picks: list[Taken] = []
    rest = needed
    for each in sorted(stock, key=_fefo):
        quantity = min(each.quantity, rest)
        if quantity > 0:
            picks.append(Taken(each.key, quantity))
            rest -= quantity
    return picks, max(rest, ZERO)


def _fefo(each: Available) -> tuple[date, float, int, str]:
    age = each.made_at.timestamp() if each.made_at is not None else float("inf")
    return each.expires_on or date.max, age, each.rank, str(each.key)


def check_pick(quantity: Decimal, picked: Decimal, more: Decimal) -> Decimal:
    """What is picked of a line in all. Raises RuleBroken when that is more than is to be shipped."""
    if more <= 0:
        raise Invalid("quantity_not_positive", field="quantity")
    total = picked + more
    if total > quantity:
        raise RuleBroken("picked_too_much", field="quantity", wanted=quantity, picked=total)
    return total


def weight(pieces: Sequence[tuple[Decimal, Decimal | None]], tare: Decimal = ZERO) -> Decimal | None:
    """Gross weight in kg from quantities and unit weights; None when a unit weight is not known."""
    if any(unit is None for _, unit in pieces):
        return None
    return tare + sum((quantity * unit for quantity, unit in pieces if unit is not None), ZERO)


def picking_status(quantities: Sequence[tuple[Decimal, Decimal]]) -> str:
    """The state of a shipment by (planned, picked) of its lines, before it is packed."""
    return "picking" if any(picked > 0 for _, picked in quantities) else "planned"
