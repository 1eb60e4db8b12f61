"""Pure decisions of the ledger: what may move, in what order it is picked, what a count says. No database, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from uuid import UUID

from lianzao.values.errors import DomainError, Invalid, RuleBroken
from lianzao.values.quantity import LARGEST, ZERO, is_whole_multiple

#: Kinds of locations that hold no balance row.
VIRTUAL = frozenset({"supplier", "customer", "production", "scrap", "adjustment", "opening"})
#: Where a lot that may not be used must not go.
USES = frozenset({"production", "customer", "shipping", "line"})
#: Where a scrapped lot may still go.
ENDS = frozenset({"scrap", "adjustment", "quarantine", "supplier"})
#: How far a terminal's clock may run ahead of ours.
CLOCK_TOLERANCE = timedelta(minutes=5)

Place = tuple[UUID, UUID | None, UUID]  # item, lot, location


@dataclass(frozen=True)
class End:
    """A location as the ledger needs to know it."""

    id: UUID
    code: str
    kind: str
    site_id: UUID

    @property
    def is_real(self) -> bool:
        """Whether stock stands there."""
        return self.kind not in VIRTUAL


@dataclass(frozen=True)
class Facts:
    """What is known about one line to be posted. `tracking`: none, lot or serial. `expired` by the site's local day."""

    item_id: UUID
    item_code: str
    tracking: str
    step: Decimal
    standard_cost: Decimal
    quantity: Decimal
    source: End
    target: End
    happened_at: datetime
    lot_id: UUID | None = None
    lot_number: str = ""
    lot_item_id: UUID | None = None
    lot_status: str = ""
    expired: bool = False
    closed_until: datetime | None = None
    is_reversal: bool = False


def check_line(facts: Facts, now: datetime, row: int | None = None) -> None:
    """Whether a line may be posted. Raises Invalid or RuleBroken naming item, lot and location.

    A reversal is held to the same quantities, but not to the state of the lot: what was wrong must be correctable.
    """
    check_quantity(facts.quantity, facts.step, facts.item_code, row)
    if facts.source.id == facts.target.id:
        raise Invalid("move_goes_nowhere", field="target_id", row=row, location=facts.source.code)
    if not (facts.source.is_real or facts.target.is_real) and {facts.source.kind, facts.target.kind} != {
        "production",
        "scrap",
    }:
        raise Invalid(
            "move_between_virtual", field="target_id", row=row, source=facts.source.code, target=facts.target.code
        )
    check_time(facts.happened_at, now, facts.closed_until, row)
    check_tracking(facts, row)
    if not facts.is_reversal:
        check_lot_state(facts, row)


def check_quantity(quantity: Decimal, step: Decimal, item_code: str, row: int | None = None) -> None:
    """A quantity moves only if it is greater than zero and a whole number of the item's smallest step."""
    if quantity <= 0:
        raise Invalid("quantity_not_positive", field="quantity", row=row, item=item_code)
    if quantity >= LARGEST:
        raise Invalid("too_large", field="quantity", row=row)
    if not is_whole_multiple(quantity, step):
        raise Invalid("quantity_not_in_steps", field="quantity", row=row, item=item_code, quantity=quantity, step=step)


def check_time(happened_at: datetime, now: datetime, closed_until: datetime | None, row: int | None = None) -> None:
    """A fact cannot lie in the future (terminals' clocks may run a little ahead) nor in a closed period."""
    if happened_at > now + CLOCK_TOLERANCE:
        raise Invalid("happened_in_future", field="happened_at", row=row, happened_at=happened_at)
    if closed_until is not None and happened_at < closed_until:
        raise RuleBroken(
            "period_closed", field="happened_at", row=row, happened_at=happened_at, closed_until=closed_until
        )


def check_tracking(facts: Facts, row: int | None = None) -> None:
    """A tracked item needs its lot wherever it really stands; work in progress has none yet. A serial is one piece."""
    if facts.tracking == "none":
        if facts.lot_id is not None:
            raise RuleBroken("lot_not_wanted", field="lot_id", row=row, item=facts.item_code)
        return
    if facts.lot_id is None:
        if facts.source.is_real or facts.target.is_real:
            raise RuleBroken("lot_needed", field="lot_id", row=row, item=facts.item_code)
        return
    if facts.lot_item_id != facts.item_id:
        raise RuleBroken("lot_of_other_item", field="lot_id", row=row, item=facts.item_code, lot=facts.lot_number)
    if facts.tracking == "serial" and facts.quantity != 1:
        raise RuleBroken("serial_is_one_piece", field="quantity", row=row, item=facts.item_code, lot=facts.lot_number)


def check_lot_state(facts: Facts, row: int | None = None) -> None:
    """A held or expired lot is not used or shipped, but put aside, scrapped or sent back; production may yield it."""
    if facts.lot_id is None or facts.source.kind == "production":
        return
    where = facts.target.kind
    if facts.lot_status == "scrapped" and where not in ENDS:
        raise RuleBroken("lot_scrapped", field="lot_id", row=row, lot=facts.lot_number, item=facts.item_code)
    if facts.lot_status == "held" and where in USES:
        raise RuleBroken("lot_on_hold", field="lot_id", row=row, lot=facts.lot_number, item=facts.item_code)
    if facts.expired and where in USES:
        raise RuleBroken("lot_expired", field="lot_id", row=row, lot=facts.lot_number, item=facts.item_code)


def changes(lines: Iterable[Facts]) -> dict[Place, Decimal]:
    """The net change of every real balance, in the order in which all writers lock them; unchanged ones left out."""
    net: dict[Place, Decimal] = {}
    for line in lines:
        for end, sign in ((line.source, -1), (line.target, 1)):
            if end.is_real:
                place = (line.item_id, line.lot_id, end.id)
                net[place] = net.get(place, ZERO) + sign * line.quantity
    return {place: net[place] for place in sorted(net, key=_lock_order) if net[place]}


def _lock_order(place: Place) -> tuple[UUID, int, UUID]:
    item, lot, location = place
    return item, -1 if lot is None else lot.int, location


@dataclass(frozen=True)
class Short:
    """What was asked of a balance that does not have it."""

    item_code: str
    lot_number: str
    location_code: str
    missing: Decimal


def stock_short(shorts: Sequence[Short]) -> DomainError:
    """The refusal when balances do not suffice: the first in words, all as facts."""
    first = shorts[0]
    return RuleBroken(
        "stock_short",
        item=first.item_code,
        lot=first.lot_number,
        location=first.location_code,
        missing=first.missing,
        shorts=[
            {"item": each.item_code, "lot": each.lot_number, "location": each.location_code, "missing": each.missing}
            for each in shorts
        ],
    )


def serial_twice(number: str) -> DomainError:
    """The refusal when a serial number would stand in two places at once."""
    return RuleBroken("serial_twice", lot=number)


@dataclass(frozen=True)
class Pile:
    """A usable quantity of one lot at one location. `available` = on hand − set aside for others."""

    item_id: UUID
    lot_id: UUID | None
    lot_number: str
    location_id: UUID
    location_code: str
    expires_on: date | None
    made_at: datetime | None
    on_hand: Decimal
    available: Decimal
    rank: int = 0


@dataclass(frozen=True)
class Pick:
    """So much from this pile."""

    pile: Pile
    quantity: Decimal


def fefo(piles: Iterable[Pile]) -> list[Pile]:
    """First expired, first out: by place in the caller's order of locations, expiry, age, lot number, location."""
    return sorted(
        piles,
        key=lambda pile: (
            pile.rank,
            pile.expires_on or date.max,
            pile.made_at.timestamp() if pile.made_at else float("inf"),
            pile.lot_number,
            pile.location_code,
        ),
    )


def pick(piles: Iterable[Pile], wanted: Decimal, step: Decimal = ZERO) -> tuple[list[Pick], Decimal]:
    """Take `wanted` from the piles, FEFO, in whole steps. Returns the picks and what is missing."""
    picks: list[Pick] = []
    left = wanted
    for pile in fefo(piles):
        take = floor_to_step(min(left, pile.available), step)
        if take > 0:
            picks.append(Pick(pile, take))
            left -= take
        if left <= 0:
            break
    return picks, max(left, ZERO)


def floor_to_step(quantity: Decimal, step: Decimal) -> Decimal:
    """The greatest whole number of steps not above a quantity (step 0: any quantity)."""
    if step == 0:
        return quantity
    return (quantity / step).to_integral_value(ROUND_DOWN) * step


def ceil_to_step(quantity: Decimal, step: Decimal) -> Decimal:
    """The smallest whole number of steps not below a quantity (step 0: any quantity)."""
    if step == 0:
        return quantity
    return (quantity / step).to_integral_value(ROUND_CEILING) * step


def pick_ends(quantity: Decimal, picked: Decimal, now: Decimal, finished: bool) -> str:
    """The state of a pick task after `now` more was picked: open, done or short.

    Raises Invalid when more was picked than asked for, or nothing and it is not the end.
    """
    if now < 0 or (now == 0 and not finished):
        raise Invalid("quantity_not_positive", field="quantity")
    if picked + now > quantity:
        raise Invalid("picked_too_much", field="quantity", wanted=quantity, picked=picked + now)
    if picked + now == quantity:
        return "done"
    return "short" if finished else "open"


def set_aside(piles: Iterable[Pile], pooled: dict[UUID, Decimal]) -> list[Pile]:
    """Piles less the reservations that name no lot: they take from what expires first, as a pick would."""
    left = dict(pooled)
    kept: list[Pile] = []
    for pile in fefo(piles):
        taken = min(max(pile.available, ZERO), left.get(pile.location_id, ZERO))
        if taken:
            left[pile.location_id] -= taken
            pile = replace(pile, available=pile.available - taken)
        kept.append(pile)
    return kept


def without(piles: Iterable[Pile], picks: Iterable[Pick]) -> list[Pile]:
    """The piles after picks were taken from them."""
    taken = {(each.pile.lot_id, each.pile.location_id): each.quantity for each in picks}
    return [
        replace(pile, available=pile.available - taken.get((pile.lot_id, pile.location_id), ZERO)) for pile in piles
    ]


# -- counting ---------------------------------------------------------------------------------------------------------

#: What holds where a site said nothing about counting.
RECOUNT_PERCENT, APPROVE_VALUE, CYCLE_DAYS = ZERO, Decimal(500), 90


def count_says(booked: Decimal, counted: Decimal, again: bool, recount_percent: Decimal) -> str:
    """What a count of a line means: it agrees, it differs, or it differs so much that it is counted again first.

    The second count stands, whatever it says. A difference to books that say zero is always counted again.
    """
    difference = abs(counted - booked)
    if difference == 0:
        return "agrees"
    if again or (booked > 0 and difference * 100 <= booked * recount_percent):
        return "differs"
    return "recount"


def count_needs_approval(values: Iterable[Decimal], approve_value: Decimal) -> bool:
    """Whether a count is so far off that a second person must agree: plus and minus do not cancel out."""
    return any(abs(value) > approve_value for value in values)


@dataclass(frozen=True)
class Countable:
    """What is known of a place that might be counted. `uncovered`: issues its books could not cover."""

    location_id: UUID
    piles: int
    days_since: int | None
    moves_since: int
    short_picks: int
    uncovered: int


@dataclass(frozen=True)
class CountWish:
    """A place worth counting, why, and how much (more is sooner)."""

    location_id: UUID
    why: str
    weight: int


def count_wishes(places: Iterable[Countable], cycle_days: int) -> list[CountWish]:
    """Which places to count, the most doubtful first.

    Issues the books could not cover, then short picks: the books are known to be wrong there. Then what was not counted
    for a cycle, the longest first; then places with more than a hundred moves since the last count.
    """
    found: list[CountWish] = []
    for each in places:
        if each.uncovered:
            found.append(CountWish(each.location_id, "uncovered", 1_000_000 + each.uncovered))
        elif each.short_picks:
            found.append(CountWish(each.location_id, "short_pick", 500_000 + each.short_picks))
        elif each.piles and (each.days_since is None or each.days_since >= cycle_days):
            found.append(CountWish(each.location_id, "never" if each.days_since is None else "cycle",
                                   200_000 + (each.days_since or 0) * 10 + min(each.moves_since, 9)))  # fmt: skip
        elif each.moves_since > 100:
            found.append(CountWish(each.location_id, "moves", min(each.moves_since, 199_999)))
    return sorted(found, key=lambda wish: (-wish.weight, str(wish.location_id)))


# -- putting away -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shelf:
    """A place goods might be put away to, as far as it matters for one item and lot."""

    location_id: UUID
    code: str
    is_home: bool
    same_lot: Decimal
    same_item: Decimal
    other_items: int
    used_before: bool


def put_away_to(shelves: Iterable[Shelf], most: int = 3) -> list[tuple[Shelf, str]]:
    """Where to put goods away, the best first, each with its reason.

    To their own lot, so that one lot stands in one place; else to the item's fixed place; else to their like; else
    where the item stood before and nothing else stands now; else to an empty place.
    """

    def reason(shelf: Shelf) -> tuple[int, str] | None:
        if shelf.same_lot > 0:
            return 0, "same_lot"
        if shelf.is_home:
            return 1, "home"
        if shelf.same_item > 0:
            return 2, "same_item"
        if shelf.used_before and not shelf.other_items:
            return 3, "before"
        return None if shelf.other_items else (4, "empty")

    rated = [(found, shelf) for shelf in shelves if (found := reason(shelf)) is not None]
    rated.sort(key=lambda each: (each[0][0], each[1].other_items, each[1].code))
    return [(shelf, why) for (_, why), shelf in rated[:most]]
