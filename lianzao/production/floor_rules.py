"""Pure decisions around the machine: what a scanned lot is to a job, what a value says, how far a job should be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from uuid import UUID

from lianzao.values.errors import Invalid, RuleBroken
from lianzao.values.quantity import ZERO

#: The longest value that may be written down at a step.
LONGEST_VALUE = 120


@dataclass(frozen=True)
class Scanned:
    """A lot as it is when it is scanned. `on_hand`: what the site still has of it."""

    item_id: UUID
    status: str
    expires_on: date | None
    on_hand: Decimal


def verdict_of(scanned: Scanned | None, wanted: Iterable[UUID], today: date, *, of_other_revision: bool = False) -> str:
    """What a scanned lot is to a job. `of_other_revision`: another revision of the product's bill takes its item.

    The first thing that is wrong counts: a wrong item is not looked at any further.
    """
    if scanned is None:
        return "unknown"
    if scanned.item_id not in set(wanted):
        return "wrong_revision" if of_other_revision else "wrong_item"
    if scanned.status == "held":
        return "held"
    if scanned.expires_on is not None and scanned.expires_on < today:
        return "expired"
    if scanned.status != "usable" or scanned.on_hand <= 0:
        return "used_up"
    return "right"


@dataclass(frozen=True)
class Step:
    """A step of an operation: what it wants written down, and within which limits."""

    id: UUID
    capture: str
    lower: Decimal | None = None
    upper: Decimal | None = None
    required: bool = False


def reading(step: Step, value: str) -> tuple[str, bool | None]:
    """A value as it is kept, and whether it lies within its step's limits (None: it has none). Raises Invalid."""
    text = value.strip()
    if not text:
        raise Invalid("field_missing", field="values")
    if len(text) > LONGEST_VALUE:
        raise Invalid("too_long", field="values", most=LONGEST_VALUE)
    if step.capture == "none":
        raise Invalid("step_takes_no_value", field="values")
    if step.capture == "check":
        if text not in ("yes", "no"):
            raise Invalid("not_a_choice", field="values", value=text)
        return text, text == "yes"
    if step.capture != "number":
        return text, None
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Invalid("not_a_number", field="values", value=text) from None
    if not number.is_finite():
        raise Invalid("not_a_number", field="values", value=text)
    if step.lower is None and step.upper is None:
        return text, None
    above = step.lower is None or number >= step.lower
    return text, above and (step.upper is None or number <= step.upper)


def check_written(steps: Iterable[Step], given: Iterable[UUID], before: Iterable[UUID]) -> None:
    """Whether all that is required at an operation was written down, now or with an earlier report. RuleBroken."""
    known = {*given, *before}
    missing = [step for step in steps if step.required and step.id not in known]
    if missing:
        raise RuleBroken("step_not_written_down", field="values", missing=len(missing))


def limits_said(lower: Decimal | None, upper: Decimal | None, unit: str) -> str:
    """The limits of a number as people say them."""
    tail = f" {unit}" if unit else ""
    if lower is not None and upper is not None:
        return f"{_plain(lower)}–{_plain(upper)}{tail}"
    if lower is not None:
        return f"≥ {_plain(lower)}{tail}"
    return f"≤ {_plain(upper)}{tail}" if upper is not None else ""


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def expected_by_now(
    quantity: Decimal, work: Iterable[tuple[int, int]], start: datetime, finish: datetime, now: datetime
) -> Decimal | None:
    """How many whole pieces an operation should have by now: by working time passed, of that planned.

    `work`: spans of working time in UTC seconds. None when no working time was planned.
    """
    spans = list(work)
    begin, end, at = int(start.timestamp()), int(finish.timestamp()), int(now.timestamp())
    planned = _within(spans, begin, end)
    if planned <= 0:
        return None
    passed = min(_within(spans, begin, min(at, end)), planned)
    return (quantity * passed / planned).to_integral_value(ROUND_FLOOR)


def minutes_each(work: Iterable[tuple[int, int]], start: datetime, last: datetime, pieces: Decimal) -> Decimal | None:
    """Minutes of working time each piece took, to a tenth, from the start to the last report. None: nothing to say."""
    seconds = _within(list(work), int(start.timestamp()), int(last.timestamp()))
    if pieces <= 0 or seconds <= 0:
        return None
    return (Decimal(seconds) / 60 / pieces).quantize(Decimal("0.1"))


def _within(spans: Iterable[tuple[int, int]], begin: int, end: int) -> int:
    return sum(max(0, min(stop, end) - max(start, begin)) for start, stop in spans)


def blocks(available: Decimal, machines: Sequence[str], kit: Sequence[str], *, started: bool) -> list[str]:
    """Why a job cannot be worked on now, the strongest reason first. Empty: it can.

    `machines`: the states of the work center's machines; `kit`: those of its materials (ready, in_store, missing).
    """
    found: list[str] = []
    if machines and all(state == "stopped" for state in machines):
        found.append("machine_down")
    if "missing" in kit:
        found.append("material_missing")
    if available <= ZERO:
        found.append("waits_before")
    if "in_store" in kit and not started:
        found.append("material_in_store")
    return found


def minutes(since: datetime, until: datetime) -> int:
    """Whole minutes between two instants, never below zero."""
    return max(0, int((until - since) // timedelta(minutes=1)))


def check_shift(starts_at: datetime, ends_at: datetime) -> None:
    """A shift ends after it begins and lasts a day at most. Raises Invalid."""
    if ends_at <= starts_at:
        raise Invalid("ends_before_it_starts", field="ends_at")
    if ends_at - starts_at > timedelta(days=1):
        raise Invalid("too_large", field="ends_at")
