"""Quantities: a decimal amount in a unit, kept to six decimals as the ledger does (NUMERIC(20,6))."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

STEP = Decimal("0.000001")
ZERO = Decimal(0)
#: The most a paper or a place may speak of. More is a slip of the keyboard, and one such line would stop the planning
#: of its whole site.
LARGEST = Decimal(10**9)


def round_quantity(amount: Decimal) -> Decimal:
    """Round to the ledger's six decimals, half to even."""
    return amount.quantize(STEP, rounding=ROUND_HALF_EVEN)


def is_whole_multiple(amount: Decimal, step: Decimal) -> bool:
    """Whether `amount` is a whole number of `step` (step 0 allows anything)."""
    return step == 0 or amount % step == 0


@dataclass(frozen=True, order=False)
class Quantity:
    """An amount and its unit. Arithmetic is allowed between equal units only; anything else is a programming error."""

    amount: Decimal
    unit: str

    def __init__(self, amount: Decimal | int | str, unit: str) -> None:
        object.__setattr__(self, "amount", round_quantity(Decimal(amount)))
        object.__setattr__(self, "unit", unit)

    def _same(self, other: Quantity) -> None:
        if other.unit != self.unit:
            raise ValueError(f"cannot combine {self.unit} with {other.unit}")

    def __add__(self, other: Quantity) -> Quantity:
        self._same(other)
        return Quantity(self.amount + other.amount, self.unit)

    def __sub__(self, other: Quantity) -> Quantity:
        self._same(other)
        return Quantity(self.amount - other.amount, self.unit)

    def __mul__(self, factor: Decimal | int) -> Quantity:
        return Quantity(self.amount * factor, self.unit)

    def __lt__(self, other: Quantity) -> bool:
        self._same(other)
        return self.amount < other.amount

    def __le__(self, other: Quantity) -> bool:
        self._same(other)
        return self.amount <= other.amount

    def __bool__(self) -> bool:
        return self.amount != 0

    def __str__(self) -> str:
        return f"{self.amount.normalize():f} {self.unit}"
