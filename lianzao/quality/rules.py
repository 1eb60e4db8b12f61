"""Decisions of inspection, on plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from lianzao.values.errors import Invalid, RuleBroken

ACCEPT = "accept"
HOLD = "hold"
INCOMPLETE = "incomplete"
HUNDRED = Decimal(100)


@dataclass(frozen=True)
class Limits:
    """What a characteristic demands. Without limits it is judged by eye: passed or not."""

    key: object
    name: str
    lower: Decimal | None = None
    upper: Decimal | None = None
    mandatory: bool = True
    samples: int = 1


@dataclass(frozen=True)
class Reading:
    """One measurement of a characteristic: a value, or for what is judged by eye only `passed`."""

    key: object
    value: Decimal | None
    passed: bool | None = None


@dataclass(frozen=True)
class Suggestion:
    """What the readings suggest, and why: characteristics out of their limits, and mandatory ones not yet measured."""

    decision: str
    failed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def within(value: Decimal, lower: Decimal | None, upper: Decimal | None) -> bool:
    """Whether a value lies within its limits; the limits themselves are good."""
    return (lower is None or value >= lower) and (upper is None or value <= upper)


def judge(limits: Limits, value: Decimal | None, passed: bool | None) -> bool:
    """Whether one reading is good. A characteristic with limits needs a value, one without needs a judgement.

    Raises Invalid naming what is missing.
    """
    if limits.lower is not None or limits.upper is not None:
        if value is None:
            raise Invalid("value_missing", field="value", characteristic=limits.name)
        return within(value, limits.lower, limits.upper)
    if passed is None:
        raise Invalid("judgement_missing", field="passed", characteristic=limits.name)
    return passed


def suggest(limits: Sequence[Limits], readings: Sequence[Reading]) -> Suggestion:
    """The decision the readings suggest: hold when one failed, else incomplete while a mandatory one is missing."""
    failed: list[str] = []
    missing: list[str] = []
    by_key: dict[object, list[Reading]] = {}
    for reading in readings:
        by_key.setdefault(reading.key, []).append(reading)
    for each in limits:
        found = by_key.get(each.key, [])
        if any(not judge(each, reading.value, reading.passed) for reading in found):
            failed.append(each.name)
        elif each.mandatory and len(found) < each.samples:
            missing.append(each.name)
    if failed:
        return Suggestion(HOLD, tuple(failed), tuple(missing))
    return Suggestion(INCOMPLETE, (), tuple(missing)) if missing else Suggestion(ACCEPT)


def sample_size(quantity: Decimal, pieces: int, percent: Decimal) -> Decimal:
    """How much to inspect of a lot: the greater of a number of pieces and a percentage, never more than there is."""
    share = (quantity * percent / HUNDRED).to_integral_value(ROUND_CEILING)
    return min(quantity, max(Decimal(pieces), share))


def check_accept(suggested: str, missing: Sequence[str], failed: Sequence[str], concession: str) -> bool:
    """Whether accepting is a concession (让步接收). Against the readings it needs a reason. Raises RuleBroken."""
    if suggested == ACCEPT:
        return False
    if not concession.strip():
        if failed:
            raise RuleBroken("accept_needs_concession", characteristics=", ".join(failed))
        raise RuleBroken("measurements_missing", characteristics=", ".join(missing))
    return True
