"""Pure decisions: what a report may say, what material it used, what is still to do. No database, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from uuid import UUID

from lianzao.values.errors import Invalid, RuleBroken
from lianzao.values.quantity import STEP, ZERO, is_whole_multiple

#: How far a terminal's clock may run ahead of ours.
CLOCK_TOLERANCE = timedelta(minutes=5)


def check_time(happened_at: datetime, now: datetime) -> None:
    """A fact cannot lie in the future. Raises Invalid."""
    if happened_at > now + CLOCK_TOLERANCE:
        raise Invalid("happened_in_future", field="happened_at", happened_at=happened_at)


@dataclass(frozen=True)
class Operation:
    """An operation of a work order as its reports left it. Quantities in the base unit of the item made.

    `begun`: it was started or reported once, whatever was taken back since.
    """

    id: UUID
    sequence: int
    is_report_point: bool
    good: Decimal = ZERO
    scrap: Decimal = ZERO
    status: str = "waiting"
    begun: bool = False

    @property
    def processed(self) -> Decimal:
        """What has left the operation, good or not."""
        return self.good + self.scrap


@dataclass(frozen=True)
class Report:
    """What a report says: pieces that are good, lost, and sent back to be done again at the same operation."""

    good: Decimal
    scrap: Decimal = ZERO
    rework: Decimal = ZERO


def previous_point(operations: Sequence[Operation], sequence: int) -> Operation | None:
    """The report point before an operation; what lies between is reported with it."""
    before = [each for each in operations if each.is_report_point and each.sequence < sequence]
    return max(before, key=lambda each: each.sequence, default=None)


def covered_by(operations: Sequence[Operation], sequence: int) -> list[Operation]:
    """The operations a report at a report point speaks for: itself, and those since the point before it."""
    point = previous_point(operations, sequence)
    after = -1 if point is None else point.sequence
    return [each for each in operations if after < each.sequence <= sequence]


def is_last(operations: Sequence[Operation], sequence: int) -> bool:
    """Whether an operation makes the finished goods."""
    return sequence == max(each.sequence for each in operations)


def most_input(
    operations: Sequence[Operation], sequence: int, quantity: Decimal, tolerance_percent: Decimal
) -> Decimal:
    """How many pieces may go through an operation in all.

    Enough for the order's quantity within tolerance, and for replacing what was lost here and after. From the second
    report point on, never more than the point before gave as good.
    """
    lost = sum((each.scrap for each in operations if each.sequence >= sequence and each.is_report_point), ZERO)
    most = quantity * (1 + tolerance_percent / 100) + lost
    before = previous_point(operations, sequence)
    return most if before is None else min(most, before.good)


def check_report(
    operations: Sequence[Operation],
    sequence: int,
    report: Report,
    *,
    quantity: Decimal,
    tolerance_percent: Decimal,
    step: Decimal,
    keep_order: bool = True,
) -> None:
    """Whether a report may stand. Raises Invalid for figures that mean nothing, RuleBroken for what cannot be true."""
    for name, value in (("good", report.good), ("scrap", report.scrap), ("rework", report.rework)):
        if value < 0:
            raise Invalid("must_not_be_negative", field=name, value=value)
        if not is_whole_multiple(value, step):
            raise Invalid("report_not_in_steps", field=name, value=value, step=step)
    if report.good + report.scrap + report.rework == 0:
        raise Invalid("report_is_empty", field="good")
    here = next(each for each in operations if each.sequence == sequence)
    if not here.is_report_point:
        raise RuleBroken("not_a_report_point", sequence=sequence)
    asked = here.processed + report.good + report.scrap + report.rework
    before = previous_point(operations, sequence)
    if keep_order and before is not None and asked > before.good:
        raise RuleBroken("more_than_previous", field="good", sequence=sequence, previous=before.sequence,
                         most=max(before.good - here.processed, ZERO))  # fmt: skip
    # What is lost with this report may be replaced too, so it does not count against the order's quantity.
    pool = list(operations) if keep_order else [each for each in operations if each.sequence >= sequence]
    most = most_input(pool, sequence, quantity, tolerance_percent) + report.scrap
    if asked > most:
        raise RuleBroken("more_than_ordered", field="good", sequence=sequence, most=max(most - here.processed, ZERO),
                         quantity=quantity, tolerance=tolerance_percent)  # fmt: skip


def check_reporter(by: UUID | None, reporters: Iterable[UUID | None], may_any: bool) -> None:
    """Whether somebody may take a report back: who made it or did the work, else who holds the right. RuleBroken."""
    if not may_any and (by is None or by not in set(reporters)):
        raise RuleBroken("report_of_somebody_else")


def check_reversal(operations: Sequence[Operation], sequence: int, good: Decimal) -> None:
    """Whether a report may be taken back: later operations must not have used its pieces. Raises RuleBroken."""
    here = next(each for each in operations if each.sequence == sequence)
    later = [each for each in operations if each.is_report_point and each.sequence > sequence]
    if later:
        following = min(later, key=lambda each: each.sequence)
        if following.processed > here.good - good:
            raise RuleBroken("reported_later", sequence=sequence, later=following.sequence)


@dataclass(frozen=True)
class Material:
    """A material line of a work order. `planned`: for the order's quantity, scrap included, when it was frozen."""

    id: UUID
    item_id: UUID
    operation_sequence: int
    planned: Decimal
    required: Decimal
    issued: Decimal
    step: Decimal
    fixed: bool = False
    backflush: bool = True


@dataclass(frozen=True)
class Take:
    """So much of a material line is used by a report."""

    material: Material
    quantity: Decimal


def needed(material: Material, pieces: Decimal, quantity: Decimal) -> Decimal:
    """What `pieces` of an order for `quantity` take of a material, in whole steps: parts add up without drift."""
    if pieces <= 0:
        return ZERO
    if material.fixed:
        return material.planned
    return ceil_to_step(material.planned * pieces / quantity, material.step)


def backflush(
    materials: Iterable[Material],
    covered: Sequence[Operation],
    operations: Sequence[Operation],
    report: Report,
    quantity: Decimal,
) -> list[Take]:
    """What a report used of the materials of the operations it speaks for: scrap uses as much as good, rework nothing.

    Material issued by hand beforehand is used up first. Sequence 0, or one no operation has, means the first operation.
    """
    first = min(each.sequence for each in operations)
    known = {each.sequence for each in operations}
    point = covered[-1]
    before, after = point.processed, point.processed + report.good + report.scrap
    here = {each.sequence for each in covered}
    takes: list[Take] = []
    for material in materials:
        sequence = material.operation_sequence if material.operation_sequence in known else first
        if not material.backflush or sequence not in here:
            continue
        used_now = needed(material, after, quantity) - needed(material, before, quantity)
        not_yet = needed(material, after, quantity) - material.issued
        take = max(min(used_now, not_yet), ZERO)
        if take:
            takes.append(Take(material, take))
    return takes


def required_after(
    material: Material, operations: Sequence[Operation], sequence: int, scrap: Decimal, quantity: Decimal
) -> Decimal:
    """What a material line needs after `scrap` pieces were lost at an operation: lost pieces are made again.

    Everything taken up to that operation is needed again for them; a fixed quantity is not.
    """
    first = min(each.sequence for each in operations)
    known = {each.sequence for each in operations}
    at = material.operation_sequence if material.operation_sequence in known else first
    if material.fixed or at > sequence:
        return material.required
    lost = sum((each.scrap for each in operations if each.is_report_point and each.sequence >= at), ZERO)
    return max(needed(material, quantity + lost + scrap, quantity), ZERO)


def ceil_to_step(quantity: Decimal, step: Decimal) -> Decimal:
    """The smallest whole number of steps not below a quantity (step 0: the ledger's six decimals)."""
    unit = step if step > 0 else STEP
    return ((quantity / unit).to_integral_value(ROUND_CEILING) * unit).quantize(STEP)


def is_complete(good: Decimal, quantity: Decimal) -> bool:
    """Whether an order has made what it should."""
    return good >= quantity


def with_report(operations: Sequence[Operation], sequence: int, report: Report) -> list[Operation]:
    """The operations as a report at a point leaves them; one with negative quantities takes a report back.

    What lies between report points passed on all pieces the point speaks of.
    """
    covered = {each.id for each in covered_by(operations, sequence)}
    made: list[Operation] = []
    for each in operations:
        if each.id not in covered:
            made.append(each)
        elif each.sequence == sequence:
            made.append(replace(each, good=each.good + report.good, scrap=each.scrap + report.scrap, begun=True))
        else:
            made.append(replace(each, good=each.good + report.good + report.scrap, begun=True))
    return made


def is_finished(operations: Sequence[Operation], point: Operation, quantity: Decimal) -> bool:
    """Whether a report point gave as many good pieces as the order asks for, and as later operations lost."""
    later = (each.scrap for each in operations if each.sequence > point.sequence and each.is_report_point)
    return point.good >= quantity + sum(later, ZERO)


def stands(operations: Sequence[Operation], quantity: Decimal, *, over: bool) -> dict[UUID, str]:
    """How each operation stands, decided by the whole order: a loss further on gives an operation work again.

    `over`: nothing more is expected of the order (it is completed or closed), so nothing is left to do anywhere.
    """
    made: dict[UUID, str] = {}
    for point in operations:
        if not point.is_report_point:
            continue
        finished = over or is_finished(operations, point, quantity)
        for each in covered_by(operations, point.sequence):
            made[each.id] = "finished" if finished else "started" if each.begun else "waiting"
    for each in operations:  # after the last report point nobody speaks for an operation but the order
        made.setdefault(each.id, "finished" if over else each.status)
    return made


def check_serials(serials: Sequence[str], good: Decimal) -> None:
    """One serial number for each good piece, none twice. Raises Invalid."""
    if len(set(serials)) != len(serials):
        raise Invalid("serial_named_twice", field="serials")
    if serials and Decimal(len(serials)) != good:
        raise Invalid("serials_do_not_match", field="serials", good=good, serials=len(serials))
