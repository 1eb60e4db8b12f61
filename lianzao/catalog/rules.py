"""Units and steps: how a quantity in one unit becomes one in another, and how it fits an item's smallest quantity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from lianzao.values.quantity import STEP, is_whole_multiple


@dataclass(frozen=True)
class Conversion:
    """One `from_unit` is `factor` `to_unit`. `own` marks a conversion of the item itself (1 box = 12 pieces of it)."""

    from_unit: str
    to_unit: str
    factor: Decimal
    own: bool = False


def conversion_factor(from_unit: str, to_unit: str, conversions: Iterable[Conversion]) -> Fraction | None:
    """How many `to_unit` one `from_unit` is, through as few conversions as possible; the item's own go first.

    Exact: 1/3 stays a third until the quantity is rounded. None when no way leads from one unit to the other.
    """
    ways: dict[str, dict[str, Fraction]] = {}
    for conversion in sorted(conversions, key=lambda one: not one.own):
        if conversion.factor <= 0:
            continue
        factor = Fraction(conversion.factor)
        ways.setdefault(conversion.from_unit, {}).setdefault(conversion.to_unit, factor)
        ways.setdefault(conversion.to_unit, {}).setdefault(conversion.from_unit, 1 / factor)
    reached = {from_unit: Fraction(1)}
    front = [from_unit]
    while front and to_unit not in reached:
        following: list[str] = []
        for unit in front:
            for neighbor, factor in ways.get(unit, {}).items():
                if neighbor not in reached:
                    reached[neighbor] = reached[unit] * factor
                    following.append(neighbor)
        front = following
    return reached.get(to_unit)


def converted(amount: Decimal, factor: Fraction) -> Decimal:
    """An amount times an exact factor, rounded to the ledger's six decimals, half to even."""
    exact = Fraction(amount) * factor
    scaled = exact / Fraction(STEP)
    return Decimal(round(scaled)).scaleb(-6)


def rounded_up(amount: Decimal | Fraction, step: Decimal) -> Decimal:
    """The smallest multiple of the item's step that is not less than the amount (step 0: six decimals)."""
    unit = Fraction(step if step > 0 else STEP)
    count = -(-Fraction(amount) // unit)
    return (Decimal(count) * (step if step > 0 else STEP)).quantize(STEP, rounding=ROUND_HALF_EVEN)


def fits_step(amount: Decimal, step: Decimal) -> bool:
    """Whether a quantity can exist: a whole number of the item's smallest quantity."""
    return is_whole_multiple(amount, step)


def lot_sized(need: Decimal, *, minimum: Decimal, multiple: Decimal, maximum: Decimal, fixed: Decimal) -> list[Decimal]:
    """The order quantities that cover a need under an item's lot rules (0 = no such rule), each as few as possible.

    A fixed lot wins over all else. The minimum is counted before the multiple: 201 at least, in fifties, is 250.
    """
    if need <= 0:
        return []
    if fixed > 0:
        return [fixed] * int((need / fixed).to_integral_value(rounding=ROUND_CEILING))
    lots: list[Decimal] = []
    while need > 0:
        lot = max(need, minimum)
        if multiple > 0:
            lot = (lot / multiple).to_integral_value(rounding=ROUND_CEILING) * multiple
        if 0 < maximum < lot:
            lot = maximum
        lots.append(lot)
        need -= lot
    return lots


def lot_rule_problem(
    *, minimum: Decimal, multiple: Decimal, maximum: Decimal, fixed: Decimal, step: Decimal
) -> tuple[str, str] | None:
    """What is wrong with an item's lot rules: (field, code of the error), or None."""
    for field, value in (
        ("lot_minimum", minimum),
        ("lot_multiple", multiple),
        ("lot_maximum", maximum),
        ("fixed_lot", fixed),
    ):
        if value < 0:
            return field, "must_not_be_negative"
        if not fits_step(value, step):
            return field, "not_in_steps"
    if 0 < maximum < minimum:
        return "lot_maximum", "lot_maximum_below_minimum"
    if maximum > 0 and multiple > 0 and not is_whole_multiple(maximum, multiple):
        return "lot_maximum", "lot_maximum_not_a_multiple"
    return None
