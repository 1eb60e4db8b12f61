"""Money: an amount in a currency, rounded once, at the line."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

#: Decimals of currencies that do not have two (ISO 4217).
DECIMALS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "BHD": 3, "KWD": 3, "TND": 3}


@dataclass(frozen=True)
class Money:
    """An amount and its ISO 4217 currency. Sums are allowed within one currency only."""

    amount: Decimal
    currency: str

    def rounded(self) -> Money:
        """Rounded to the currency's smallest coin, half up, as invoices are."""
        places = Decimal(1).scaleb(-DECIMALS.get(self.currency, 2))
        return Money(self.amount.quantize(places, rounding=ROUND_HALF_UP), self.currency)

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount + other.amount, self.currency)

    def __mul__(self, factor: Decimal | int) -> Money:
        return Money(self.amount * factor, self.currency)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"
