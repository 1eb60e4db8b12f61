"""Commands of the floor: start an operation, report what it yielded.

Reporting is the hot path. Its statements: lock the work order, read its operations and materials, (read the piles at
the line), post the moves (two); what it records is written with the audit row, by the order's last statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from lianzao.catalog.models import Item
from lianzao.foundation import audit, fetching, packing, words
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import READ, command
from lianzao.foundation.entity import OWN_SYSTEM, execute
from lianzao.foundation.outbox import publish
from lianzao.inventory import queries as inventory
from lianzao.inventory.commands import MoveLine, make_lot, make_pending, post_moves
from lianzao.inventory.pending import Uncovered
from lianzao.plant.models import Machine
from lianzao.production import rules
from lianzao.production.events import (
    OperationPaused,
    OperationReported,
    OperationStarted,
    ScrapReported,
    WorkOrderCompleted,
)
from lianzao.production.instructions import StepReading, readings_of, write_down
from lianzao.production.models import OperationReport, ScrapReason, WorkOrder, WorkOrderOperation
from lianzao.production.standing import Standing, required_now, stand
from lianzao.values.errors import Conflict, Invalid, RuleBroken
from lianzao.values.quantity import ZERO

#: What a report writes in production: operations, materials, the work order, and the report itself.
CARRY_INTO_OPERATIONS = """
UPDATE production_work_order_operation o
SET good_quantity = o.good_quantity + u.good, scrap_quantity = o.scrap_quantity + u.scrap,
    rework_quantity = o.rework_quantity + u.rework,
    started_at = CASE WHEN u.told THEN coalesce(o.started_at, u.happened_at) ELSE o.started_at END,
    finished_at = CASE WHEN u.status = 'finished' THEN u.happened_at END, status = u.status,
    version = o.version + 1, updated_at = %s::timestamptz, updated_by = %s::uuid
FROM (SELECT *, %s::timestamptz AS happened_at
      FROM unnest(%s::uuid[], %s::numeric[], %s::numeric[], %s::numeric[], %s::boolean[], %s::text[])
           AS u(id, good, scrap, rework, told, status)) u
WHERE o.id = u.id
"""
CARRY_INTO_MATERIALS = """
UPDATE production_work_order_material m
SET issued_quantity = m.issued_quantity + u.used, required_quantity = u.required, version = m.version + 1,
    updated_at = %s::timestamptz, updated_by = %s::uuid
FROM unnest(%s::uuid[], %s::numeric[], %s::numeric[]) AS u(id, used, required)
WHERE m.id = u.id
"""
CARRY_INTO_WORK_ORDER = """
UPDATE production_work_order w
SET good_quantity = w.good_quantity + u.made, scrap_quantity = w.scrap_quantity + u.lost, status = u.status,
    started_at = coalesce(w.started_at, u.happened_at),
    completed_at = CASE WHEN u.status = 'completed' THEN coalesce(w.completed_at, u.happened_at) END,
    lot_id = coalesce(w.lot_id, u.lot_id), version = w.version + 1, updated_at = %s::timestamptz, updated_by = %s::uuid
FROM (SELECT %s::timestamptz AS happened_at, %s::numeric AS made, %s::numeric AS lost, %s::text AS status,
             %s::uuid AS lot_id) u
WHERE w.id = %s::uuid
"""
INSERT_REPORT = """
INSERT INTO production_operation_report (id, version, created_at, created_by, updated_at, updated_by, owner_system,
    work_order_id, operation_id, good, scrap, rework, scrap_reason_id, person_id, station_id, happened_at, recorded_at,
    order_id, lots, used, note, reversed_at)
VALUES (%s, 1, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp(), %s, %s::uuid[], %s::jsonb,
    %s, NULL)
"""


@command(when={"status": ("waiting", "started")}, offline=True)
def start_operation(
    by: Actor,
    *,
    operation: WorkOrderOperation,
    machine: Machine | None = None,
    happened_at: datetime | None = None,
) -> WorkOrderOperation:
    """Start an operation, on a machine if it is named; its work order starts with it."""
    at = happened_at or by.now
    rules.check_time(at, by.now)
    order = WorkOrder.objects.select_for_update().get(pk=operation.work_order_id)
    if order.status not in ("released", "started"):
        raise Conflict("wrong_status", document=order.number, status=order.status, wanted="started")
    if machine is not None and machine.work_center_id != operation.work_center_id:
        raise RuleBroken("machine_of_other_center", field="machine", machine=machine.code)
    if operation.status == "waiting":
        operation.move_to("started")
        operation.started_at = at
    elif operation.status == "finished":
        operation.move_to("waiting")  # raises wrong_status, naming the state
    operation.machine = machine or operation.machine
    operation.save()
    if order.status == "released":
        order.move_to("started")
        order.started_at = at
        order.save()
    publish(OperationStarted(order.site_id, order.id, operation.id, operation.work_center_id, operation.machine_id, at))
    return operation


@command(when={"status": ("started",)})
def pause_operation(by: Actor, *, operation: WorkOrderOperation) -> WorkOrderOperation:
    """Put an operation aside: it waits again, with all that was reported, and another job may run here."""
    operation.move_to("waiting")
    operation.save()
    order = WorkOrder.objects.get(pk=operation.work_order_id)
    publish(OperationPaused(order.site_id, order.id, operation.id, operation.work_center_id))
    return operation


@command(hot=True, when={"status": ("waiting", "started", "finished")}, offline=True)
def report_operation(
    by: Actor,
    *,
    operation: WorkOrderOperation,
    good: Decimal = ZERO,
    scrap: Decimal = ZERO,
    scrap_reason: Annotated[ScrapReason, READ] | None = None,
    rework: Decimal = ZERO,
    lot: str = "",
    serials: list[str] | None = None,
    person_id: UUID | None = None,
    happened_at: datetime | None = None,
    note: str = "",
    values: list[StepReading] | None = None,
) -> OperationReport:
    """Report what an operation yielded, and post the material it used and made, in one step.

    Pieces are good, scrap (with a reason), or rework: those go through this operation again and are reported later.
    The operation before must have given enough good pieces, and no more than ordered within the site's tolerance may be
    reported. Materials deducted by report are taken from the line, first-expired-first-out; what the books do not have
    there is kept as an issue to be covered, unless the site refuses it; a lot found right at the station is taken
    before them. `values`: what the steps of the instruction want written down; without what they require there is no
    report. The last operation receives the finished goods:
    into the lot named, else the work order's. Reporting starts the work order, and completes it with the last piece.
    """
    at = happened_at or by.now
    rules.check_time(at, by.now)
    if scrap > 0 and scrap_reason is None:
        raise Invalid("scrap_needs_reason", field="scrap_reason")
    standing = stand(operation.work_order_id)
    if standing.status not in ("released", "started", "completed"):
        raise Conflict("wrong_status", document=standing.number, status=standing.status, wanted="started")
    readings = readings_of(operation, values or [])
    report = rules.Report(good, scrap, rework)
    rules.check_report(
        standing.operations, operation.sequence, report, quantity=standing.quantity,
        tolerance_percent=standing.tolerance, step=standing.step, keep_order=standing.keep_order,
    )  # fmt: skip
    last = rules.is_last(standing.operations, operation.sequence)
    covered = rules.covered_by(standing.operations, operation.sequence)
    takes = rules.backflush(standing.materials, covered, standing.operations, report, standing.quantity)
    moves, uncovered = _material_moves(by, standing, takes, at)
    lots = _finished_lots(by, standing, operation, good, lot, serials or [], at) if last and good else []
    moves += _product_moves(standing, good if last else ZERO, scrap, lots, at)
    if moves:
        post_moves(by, moves=moves, cause=standing.ref)
    if uncovered:
        make_pending(by, uncovered, standing.ref, site_id=standing.site_id, owner_id=standing.owner_id)
    complete = rules.is_complete(standing.good + (report.good if last else ZERO), standing.quantity)
    after = rules.with_report(standing.operations, operation.sequence, report)
    stands = rules.stands(after, standing.quantity, over=complete)
    outcome = _Outcome(last, complete, stands, covered, takes, uncovered, lots)
    made = _record(by, standing, operation, report, outcome, scrap_reason, person_id, at, note)
    write_down(standing, made, readings)
    _tell(standing, operation, made, outcome, scrap_reason)
    return made


@dataclass(frozen=True)
class _Outcome:
    """What a report means: is it the last operation, is the order complete with it, how all operations stand then,
    which ones it speaks for, what was used, into which lots."""

    last: bool
    complete: bool
    stands: Mapping[UUID, str]
    covered: Sequence[rules.Operation]
    takes: Sequence[rules.Take]
    uncovered: Sequence[Uncovered]
    lots: Sequence[tuple[UUID | None, Decimal]]


def _material_moves(
    by: Actor, standing: Standing, takes: Sequence[rules.Take], at: datetime
) -> tuple[list[MoveLine], list[Uncovered]]:
    """The moves of what a report used, from the piles at the line, and what the books do not have there."""
    if not takes:
        return [], []
    places = [place for take in takes if (place := standing.sources[take.material.id]) is not None]
    found = inventory.available_piles(
        standing.site_id, [take.material.item_id for take in takes], sorted(set(places)), at=by.now, mine=standing.id
    )
    moves: list[MoveLine] = []
    uncovered: list[Uncovered] = []
    for take in takes:
        item, place = take.material.item_id, standing.sources[take.material.id]
        if place is None:
            raise RuleBroken("no_material_location", document=standing.number, item=str(item))
        left = take.quantity
        checked = standing.checked[take.material.id]
        piles = list(enumerate(found[item]))
        if checked is not None:  # what was held to the scanner is what is used; the rest follows by expiry
            piles.sort(key=lambda each: each[1].lot_id != checked)
        for index, pile in piles:
            amount = min(left, pile.available) if pile.location_id == place else ZERO
            if amount > 0:
                moves.append(MoveLine(item, amount, place, standing.production_id, pile.lot_id, happened_at=at))
                found[item][index] = replace(pile, available=pile.available - amount)
                left -= amount
        if left > 0:
            uncovered.append(Uncovered(item, left, place, standing.production_id, at))
    if uncovered and standing.refuse_uncovered:
        raise RuleBroken("material_short", document=standing.number, item=_code(uncovered[0].item_id),
                         missing=uncovered[0].quantity)  # fmt: skip
    return moves, uncovered


def _code(item_id: UUID) -> str:
    return execute("SELECT code FROM catalog_item WHERE id = %s", [item_id])[0][0]


def _finished_lots(
    by: Actor,
    standing: Standing,
    operation: WorkOrderOperation,
    good: Decimal,
    lot: str,
    serials: Sequence[str],
    at: datetime,
) -> list[tuple[UUID | None, Decimal]]:
    """Into which lots the good pieces go, and how many into each; made when there is none yet.

    What is to be inspected at the last operation is held until the inspection accepts it.
    """
    if standing.tracking == "none":
        return [(None, good)]
    numbers = [lot or standing.number]
    if standing.tracking == "serial":
        rules.check_serials(serials, good)
        start = int(standing.good) + 1
        numbers = list(serials) or [f"{standing.number}-{start + index:04d}" for index in range(int(good))]
    elif not lot and standing.lot_id is not None:
        return [(standing.lot_id, good)]
    [item] = fetching.matching(Item, id=standing.item_id)
    each = Decimal(1) if standing.tracking == "serial" else good
    hold = _to_be_inspected() if operation.inspect else ""
    return [
        (
            make_lot(
                by, item=item, number=number, made_at=at, source_kind="production.work_order", source_id=standing.id,
                site_id=standing.site_id, hold_reason=hold,
            ).id,
            each,
        )
        for number in numbers
    ]  # fmt: skip


def _to_be_inspected() -> str:
    """The reason a lot is held until its inspection, in both languages of the house."""
    return " / ".join(words.say("production.to_be_inspected", language) for language in words.LANGUAGES)


def _product_moves(
    standing: Standing, good: Decimal, scrap: Decimal, lots: Sequence[tuple[UUID | None, Decimal]], at: datetime
) -> list[MoveLine]:
    """The moves of what a report made: good pieces to the output location, lost ones to scrap."""
    moves: list[MoveLine] = []
    if good:
        if standing.output_id is None:
            raise RuleBroken("no_output_location", document=standing.number)
        moves = [
            MoveLine(standing.item_id, amount, standing.production_id, standing.output_id, lot, happened_at=at)
            for lot, amount in lots
        ]
    if scrap:
        # Work in progress has no lot of its own before it is finished; the work order tells where it belongs.
        lot = standing.lot_id if standing.tracking == "lot" else None
        moves.append(MoveLine(standing.item_id, scrap, standing.production_id, standing.scrap_id, lot, happened_at=at))
    return moves


def _record(
    by: Actor,
    standing: Standing,
    operation: WorkOrderOperation,
    report: rules.Report,
    outcome: _Outcome,
    scrap_reason: ScrapReason | None,
    person_id: UUID | None,
    at: datetime,
    note: str,
) -> OperationReport:
    """Write the report and carry it into operations, materials and the work order, at the order's end."""
    order = audit.must_run()
    made = report.good if outcome.last else ZERO
    status = "completed" if outcome.complete else "started"
    used = {take.material.id: take.quantity for take in outcome.takes}
    required = required_now(standing, operation.sequence, report.scrap)
    changed = [each for each in standing.materials if each.id in used or required[each.id] != each.required]
    row = OperationReport(
        work_order_id=standing.id, operation=operation, good=report.good, scrap=report.scrap, rework=report.rework,
        scrap_reason=scrap_reason, person_id=person_id or by.id, station_id=by.station, happened_at=at,
        recorded_at=by.now,
        order_id=order.id, lots=[lot for lot, _ in outcome.lots if lot is not None], note=note[:200],
        used=[{"material": str(id), "quantity": f"{quantity:f}"} for id, quantity in used.items()],
    )  # fmt: skip
    row.stamp(order)
    points = [each.id == operation.id for each in outcome.covered]
    beside = _moved_beside(standing, outcome)
    none = [ZERO] * len(beside)
    spoken = [*outcome.covered, *beside]
    stamp = [by.now, by.id]
    audit.at_end([
        (CARRY_INTO_OPERATIONS, [
            *stamp, at,
            packing.array([each.id for each in spoken]),
            # What lies between report points passed on all pieces the point speaks of.
            packing.array([report.good if here else report.good + report.scrap for here in points] + none),
            packing.array([report.scrap if here else ZERO for here in points] + none),
            packing.array([report.rework if here else ZERO for here in points] + none),
            packing.array([True] * len(points) + [False] * len(beside)),
            packing.array([outcome.stands[each.id] for each in spoken]),
        ]),
        (CARRY_INTO_MATERIALS, [
            *stamp,
            packing.array([each.id for each in changed]),
            packing.array([used.get(each.id, ZERO) for each in changed]),
            packing.array([required[each.id] for each in changed]),
        ]),
        (CARRY_INTO_WORK_ORDER, [
            *stamp, at, made, report.scrap, status,
            row.lots[0] if row.lots and standing.tracking == "lot" else None, standing.id,
        ]),
        (INSERT_REPORT, [
            row.id, *stamp, *stamp, OWN_SYSTEM, standing.id, operation.id, report.good, report.scrap, report.rework,
            row.scrap_reason_id, row.person_id, row.station_id, at, order.id, packing.array(row.lots),
            packing.text(row.used), row.note,
        ]),
    ])  # fmt: skip
    row._state.adding = False
    _audit(standing, operation, row, made, status)
    for each in beside:
        audit.note(operation.kind, each.id, {"status": each.status}, {"status": outcome.stands[each.id]})
    return row


def _moved_beside(standing: Standing, outcome: _Outcome) -> list[rules.Operation]:
    """Operations the report does not speak for and which stand otherwise after it: those before it have to make good
    what it lost, and none has anything to do once the order is complete."""
    covered = {each.id for each in outcome.covered}
    return [each for each in standing.operations if each.id not in covered and outcome.stands[each.id] != each.status]


def _audit(standing: Standing, operation: WorkOrderOperation, row: OperationReport, made: Decimal, status: str) -> None:
    audit.note(row.kind, row.id, None, {"good": row.good, "scrap": row.scrap, "rework": row.rework, "used": row.used})
    audit.touch(operation.kind, operation.id)
    before = {"status": standing.status, "good_quantity": standing.good, "scrap_quantity": standing.scrap}
    after = {"status": status, "good_quantity": standing.good + made, "scrap_quantity": standing.scrap + row.scrap}
    audit.note("production.work_order", standing.id, before, after)


def _tell(
    standing: Standing,
    operation: WorkOrderOperation,
    row: OperationReport,
    outcome: _Outcome,
    reason: ScrapReason | None,
) -> None:
    last, finished = outcome.last, outcome.stands[operation.id] == "finished"
    publish(
        OperationReported(
            standing.site_id, standing.id, operation.id, row.id, standing.item_id, operation.work_center_id, row.good,
            row.scrap, row.rework, row.happened_at, last, finished, operation.inspect, tuple(row.lots), row.person_id,
        )
    )  # fmt: skip
    if row.scrap:
        publish(
            ScrapReported(
                standing.site_id, standing.id, operation.id, row.id, standing.item_id, operation.work_center_id,
                row.scrap, None if reason is None else reason.id, standing.due_at,
            )
        )  # fmt: skip
    total = standing.good + (row.good if last else ZERO)
    if standing.status != "completed" and outcome.complete:
        publish(
            WorkOrderCompleted(
                standing.site_id, standing.id, standing.item_id, total, standing.scrap + row.scrap, standing.due_at
            )
        )
