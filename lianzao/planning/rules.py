"""Pure decisions of planning: what a policy allows, which proposal is which, what moved enough to be told."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

#: A new time for a work order is proposed when its start or end moves by at least this much: less is noise.
WORTH_MOVING = timedelta(minutes=30)


@dataclass(frozen=True)
class Limits:
    """A policy: its mode, and the most it may do by itself. None: no limit of that kind."""

    mode: str
    most_value: Decimal | None = None
    most_quantity: Decimal | None = None
    most_hours: int | None = None
    most_per_day: int | None = None


@dataclass(frozen=True)
class Wish:
    """What would be done: its value and quantity, by how many hours something moves, how often it was done today."""

    value: Decimal | None = None
    quantity: Decimal | None = None
    hours: Decimal | None = None
    done_today: int = 0
    committed: bool = False


@dataclass(frozen=True)
class Verdict:
    """`outcome`: act, suggest or off. `reason`: the limit that kept it from acting, if one did."""

    outcome: str
    reason: str = ""


def consult(limits: Limits, wish: Wish) -> Verdict:
    """Whether a policy acts by itself. What is committed to a partner never changes without a person."""
    if limits.mode == "off":
        return Verdict("off", "switched_off")
    if limits.mode == "suggest":
        return Verdict("suggest", "suggest_only")
    if wish.committed:
        return Verdict("suggest", "committed_to_partner")
    over = (
        ("value_over_limit", wish.value, limits.most_value),
        ("quantity_over_limit", wish.quantity, limits.most_quantity),
        ("hours_over_limit", wish.hours, None if limits.most_hours is None else Decimal(limits.most_hours)),
    )
    for reason, asked, most in over:
        if most is not None and (asked is None or asked > most):
            return Verdict("suggest", reason)
    if limits.most_per_day is not None and wish.done_today >= limits.most_per_day:
        return Verdict("suggest", "count_over_limit")
    return Verdict("act")


K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Wanted:
    """A planned order as the new run has it, or as it stood: what makes it the same order to a person."""

    group: Hashable
    quantity: Decimal
    finish_at: datetime


def _equal(one: Wanted, other: Wanted) -> bool:
    return one.quantity == other.quantity and one.finish_at == other.finish_at


def _as_much(one: Wanted, other: Wanted) -> bool:
    return one.quantity == other.quantity


def _any(one: Wanted, other: Wanted) -> bool:
    return True


def match(old: Mapping[K, Wanted], new: Sequence[Wanted]) -> list[K | None]:
    """Which standing proposal each new one continues, so that its number, and a decision about it, stay.

    The same item and kind with the same quantity and date first, then the same quantity, then the nearest date.
    """
    free: dict[Hashable, list[K]] = {}
    for key, each in old.items():
        free.setdefault(each.group, []).append(key)
    found: list[K | None] = [None] * len(new)
    for alike in (_equal, _as_much, _any):
        for place, each in enumerate(new):
            if found[place] is not None:
                continue
            candidates = [key for key in free.get(each.group, ()) if alike(old[key], each)]
            if candidates:
                best = min(candidates, key=lambda key: abs(old[key].finish_at - each.finish_at))
                free[each.group].remove(best)
                found[place] = best
    return found


def moved(old: datetime | None, new: datetime | None, worth: timedelta = WORTH_MOVING) -> bool:
    """Whether a date changed enough to bother a person with it."""
    if old is None or new is None:
        return old is not new
    return abs(new - old) >= worth


def days_late(promised_on: date, projected_on: date | None) -> int | None:
    """Days after the promise; zero or less is on time; None when it is not in sight at all."""
    return None if projected_on is None else (projected_on - promised_on).days


#: A shortage is told again when its date moved by more than this.
SHORTAGE_MOVED = timedelta(hours=4)
#: A need nearer than this is near: a shortage that was told of before is told again when its need comes so near.
NEAR = timedelta(days=14)


@dataclass(frozen=True)
class Short:
    """One shortage: who lacks what, when it will be there, what brings it, and how late that makes an order."""

    item: Hashable
    consumer: Hashable | None
    supply: Hashable | None
    need_at: datetime
    ready_at: datetime | None
    demand: Hashable | None
    days_late: int = 0


def beginnings(shorts: Sequence[Short]) -> list[Short]:
    """Where the trouble of each order begins: down from who waits to what comes last, as far as that lacks something.

    Of several things one consumer lacks, only the last to come holds it up.
    """
    lacked: dict[Hashable, list[Short]] = {}
    for each in shorts:
        lacked.setdefault(each.consumer, []).append(each)
    brought = {each.supply for each in shorts if each.supply is not None}
    found: dict[Short, None] = {}
    for consumer, rows in lacked.items():
        if consumer is None or consumer not in brought:
            for demand in dict.fromkeys(each.demand for each in rows):
                found[_beginning([each for each in rows if each.demand == demand], lacked)] = None
    return list(found)


def _beginning(rows: Sequence[Short], lacked: Mapping[Hashable, Sequence[Short]]) -> Short:
    seen: set[Hashable] = set()
    while True:
        last = max(rows, key=lambda each: (each.ready_at is None, each.ready_at or each.need_at, each.days_late))
        if last.supply is None or last.supply in seen or last.supply not in lacked:
            return last
        seen.add(last.supply)
        rows = lacked[last.supply]


def worst(shorts: Sequence[Short]) -> Short:
    """The shortage to tell of: the one that makes its order latest, then the one wanted first."""
    return min(shorts, key=lambda each: (-each.days_late, each.need_at))


def by_item(shorts: Sequence[Short]) -> dict[Hashable, list[Short]]:
    """The beginnings that hold up an order, by item."""
    found: dict[Hashable, list[Short]] = {}
    for each in beginnings(shorts):
        if each.demand is not None:
            found.setdefault(each.item, []).append(each)
    return found


def told_again(old: Short, old_now: datetime, new: Short, now: datetime) -> bool:
    """Whether a shortage is news against what was said before: other order, other lateness, other date, or near now."""
    near_now = new.need_at - now <= NEAR < old.need_at - old_now
    return (
        near_now
        or (old.demand, old.days_late) != (new.demand, new.days_late)
        or moved(old.ready_at, new.ready_at, SHORTAGE_MOVED)
    )


#: Told last, however long they take: a lead time was known when the order was planned; what happened since is news.
LEAD_TIMES = ("purchasing_lead_time", "manufacturing_lead_time", "shipping")
#: What an order waits for whether its machines run or stand.
WAITS = ("material", "overdue_receipt", "purchasing_lead_time", "planning_fence", "quality_hold", "short_for_ever")


def told_in_order(stops: Sequence[dict[str, Any]], chain: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Why a demand is late, as people tell it: what happened first, then what has to be done for it, step by step.

    `chain` comes heaviest first. A stop that is over before the material is there has delayed nothing and is not told.
    Instants are ISO texts in UTC; none as the end of a wait means that no end is in sight.
    """
    ends = [each["until_at"] for each in chain if each["reason"] in WAITS]
    told = [stop for stop in stops if not any(end is None or end > stop["until_at"] for end in ends)]
    told += [each for each in chain if each["reason"] not in LEAD_TIMES]
    steps = [each for each in chain if each["reason"] in LEAD_TIMES]
    return told + sorted(steps, key=lambda each: each["until_at"] or "")
