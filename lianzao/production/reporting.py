"""Commands of the floor: start an operation, report what it yielded, take a report back.

Reporting is the hot path. Its statements: lock the work order, read its operations and materials, (read the piles at
the line), post the moves (three), record everything (one); beside them only what the machinery of orders needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from lianzao.catalog.models import Item
from lianzao.foundation import audit, packing, words
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import READ, command
from lianzao.foundation.entity import OWN_SYSTEM, execute
from lianzao.foundation.outbox import publish
from lianzao.inventory import queries as inventory
from lianzao.inventory.commands import MoveLine, make_lot, make_pending, post_moves, reverse_moves, void_pending
from lianzao.inventory.pending import Uncovered
from lianzao.plant.models import Machine
from lianzao.production import rules
from lianzao.production.events import (
    OperationReported,
    OperationStarted,
    ReportReversed,
    ScrapReported,
    WorkOrderCompleted,
)
from lianzao.production.models import OperationReport, ScrapReason, WorkOrder, WorkOrderOperation
from lianzao.values.errors import Conflict, Invalid, RuleBroken
from lianzao.values.quantity import ZERO
from lianzao.values.reference import Ref

LOCK_ORDER = """
SELECT w.number, w.site_id, w.status, w.item_id, w.quantity, w.good_quantity, w.scrap_quantity, w.lot_id, w.due_at,
       w.output_location_id, w.started_at, i.tracking, i.step, coalesce(r.over_report_percent, 0),
       coalesce(r.refuse_uncovered, false), coalesce(r.keep_order, true), r.uncovered_owner_id, p.id, x.id
FROM production_work_order w
JOIN catalog_item i ON i.id = w.item_id
LEFT JOIN production_production_rule r ON r.site_id = w.site_id
LEFT JOIN plant_location p ON p.site_id = w.site_id AND p.location_kind = 'production'
LEFT JOIN plant_location x ON x.site_id = w.site_id AND x.location_kind = 'scrap'
WHERE w.id = %s
FOR NO KEY UPDATE OF w
"""

#: Read after the lock, so that nobody else's report of this order is missed.
READ_ORDER = """
SELECT 'operation', o.id, o.sequence, o.is_report_point, o.good_quantity, o.scrap_quantity, 0, NULL, 0, false, NULL
FROM production_work_order_operation o WHERE o.work_order_id = %(id)s
UNION ALL
SELECT 'material', m.id, m.operation_sequence, m.backflush, m.planned_quantity, m.required_quantity, m.issued_quantity,
       m.item_id, i.step, m.fixed, m.source_id
FROM production_work_order_material m JOIN catalog_item i ON i.id = m.item_id WHERE m.work_order_id = %(id)s
ORDER BY 1, 3, 2
"""

#: Everything a report writes in production, at once.
RECORD = """
WITH operation AS (
    UPDATE production_work_order_operation o
    SET good_quantity = o.good_quantity + u.good, scrap_quantity = o.scrap_quantity + u.scrap,
        rework_quantity = o.rework_quantity + u.rework,
        started_at = coalesce(o.started_at, %(happened_at)s::timestamptz),
        finished_at = CASE WHEN u.finished THEN %(happened_at)s::timestamptz END,
        status = CASE WHEN u.finished THEN 'finished' ELSE 'started' END,
        version = o.version + 1, updated_at = %(now)s::timestamptz, updated_by = %(by)s::uuid
    FROM unnest(%(operations)s::uuid[], %(good)s::numeric[], %(scrap)s::numeric[], %(rework)s::numeric[],
                %(finished)s::boolean[]) AS u(id, good, scrap, rework, finished)
    WHERE o.id = u.id
), material AS (
    UPDATE production_work_order_material m
    SET issued_quantity = m.issued_quantity + u.used, required_quantity = u.required, version = m.version + 1,
        updated_at = %(now)s::timestamptz, updated_by = %(by)s::uuid
    FROM unnest(%(materials)s::uuid[], %(used)s::numeric[], %(required)s::numeric[]) AS u(id, used, required)
    WHERE m.id = u.id
), work_order AS (
    UPDATE production_work_order w
    SET good_quantity = w.good_quantity + %(made)s::numeric, scrap_quantity = w.scrap_quantity + %(lost)s::numeric,
        status = %(status)s::text, started_at = coalesce(w.started_at, %(happened_at)s::timestamptz),
        completed_at = CASE WHEN %(status)s::text = 'completed' THEN %(happened_at)s::timestamptz END,
        lot_id = coalesce(w.lot_id, %(lot)s::uuid), version = w.version + 1, updated_at = %(now)s::timestamptz,
        updated_by = %(by)s::uuid
    WHERE w.id = %(work_order)s::uuid
)
INSERT INTO production_operation_report (id, version, created_at, created_by, updated_at, updated_by, owner_system,
    work_order_id, operation_id, good, scrap, rework, scrap_reason_id, person_id, station_id, happened_at, recorded_at,
    order_id, lots, used, note, reversed_at)
VALUES (%(id)s, 1, %(now)s::timestamptz, %(by)s::uuid, %(now)s::timestamptz, %(by)s::uuid, %(owner)s,
    %(work_order)s::uuid, %(operation)s, %(report_good)s, %(report_scrap)s, %(report_rework)s, %(scrap_reason)s::uuid,
    %(person)s::uuid, %(station)s::uuid, %(happened_at)s::timestamptz, clock_timestamp(),
    %(order)s, %(lots)s::uuid[], %(used_json)s::jsonb, %(note)s, NULL)
"""


@dataclass(frozen=True)
class Standing:
    """A work order as it stands under our lock, with its rules, operations and materials."""

    id: UUID
    number: str
    site_id: UUID
    status: str
    item_id: UUID
    quantity: Decimal
    good: Decimal
    scrap: Decimal
    lot_id: UUID | None
    due_at: datetime
    output_id: UUID | None
    started_at: datetime | None
    tracking: str
    step: Decimal
    tolerance: Decimal
    refuse_uncovered: bool
    keep_order: bool
    owner_id: UUID | None
    production_id: UUID
    scrap_id: UUID
    operations: list[rules.Operation] = field(default_factory=list)
    materials: list[rules.Material] = field(default_factory=list)
    sources: dict[UUID, UUID | None] = field(default_factory=dict)

    @property
    def ref(self) -> Ref:
        """The work order as the cause of its moves."""
        return Ref("production.work_order", self.id)


def _stand(work_order_id: UUID) -> Standing:
    """Lock a work order and read it: two statements."""
    head = execute(LOCK_ORDER, [work_order_id])[0]
    standing = Standing(work_order_id, *head)
    for kind, id, sequence, flag, one, two, three, item, step, fixed, source in execute(
        READ_ORDER, {"id": work_order_id}
    ):
        if kind == "operation":
            standing.operations.append(rules.Operation(id, sequence, flag, one, two))
        else:
            standing.materials.append(rules.Material(id, item, sequence, one, two, three, step, fixed, flag))
            standing.sources[id] = source
    return standing


@command(when={"status": ("waiting", "started")})
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


@command(hot=True, when={"status": ("waiting", "started", "finished")})
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
) -> OperationReport:
    """Report what an operation yielded, and post the material it used and made, in one step.

    Pieces are good, scrap (with a reason), or rework: those go through this operation again and are reported later.
    The operation before must have given enough good pieces, and no more than ordered within the site's tolerance may be
    reported. Materials deducted by report are taken from the line, first-expired-first-out; what the books do not have
    there is kept as an issue to be covered, unless the site refuses it. The last operation receives the finished goods:
    into the lot named, else the work order's. Reporting starts the work order, and completes it with the last piece.
    """
    at = happened_at or by.now
    rules.check_time(at, by.now)
    if scrap > 0 and scrap_reason is None:
        raise Invalid("scrap_needs_reason", field="scrap_reason")
    standing = _stand(operation.work_order_id)
    if standing.status not in ("released", "started", "completed"):
        raise Conflict("wrong_status", document=standing.number, status=standing.status, wanted="started")
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
    made = _record(by, standing, operation, report, _Outcome(last, covered, takes, uncovered, lots), scrap_reason,
                   person_id, at, note)  # fmt: skip
    _tell(standing, operation, made, last, scrap_reason)
    return made


@dataclass(frozen=True)
class _Outcome:
    """What a report means: is it the last operation, which ones it speaks for, what was used, into which lots."""

    last: bool
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
        for index, pile in enumerate(found[item]):
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
    item = Item.objects.get(pk=standing.item_id)
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
    """Write the report, and carry it into operations, materials and the work order, with one statement."""
    order = audit.must_run()
    finished = rules.is_finished(standing.operations, operation.sequence, report, standing.quantity)
    made = report.good if outcome.last else ZERO
    status = "completed" if rules.is_complete(standing.good + made, standing.quantity) else "started"
    used = {take.material.id: take.quantity for take in outcome.takes}
    required = _required(standing, operation.sequence, report.scrap)
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
    execute(
        RECORD,
        {
            "happened_at": at, "now": by.now, "by": by.id, "owner": OWN_SYSTEM,
            "operations": [each.id for each in outcome.covered],
            # What lies between report points passed on all pieces the point speaks of.
            "good": [report.good if here else report.good + report.scrap for here in points],
            "scrap": [report.scrap if here else ZERO for here in points],
            "rework": [report.rework if here else ZERO for here in points],
            "finished": [finished] * len(points),
            "materials": [each.id for each in changed],
            "used": [used.get(each.id, ZERO) for each in changed],
            "required": [required[each.id] for each in changed],
            "made": made, "lost": report.scrap, "status": status, "work_order": standing.id,
            "lot": row.lots[0] if row.lots and standing.tracking == "lot" else None,
            "id": row.id, "operation": operation.id, "report_good": report.good, "report_scrap": report.scrap,
            "report_rework": report.rework, "scrap_reason": row.scrap_reason_id, "person": row.person_id,
            "station": row.station_id, "order": order.id, "lots": row.lots, "used_json": packing.text(row.used),
            "note": row.note,
        },
    )  # fmt: skip
    row._state.adding = False
    _audit(standing, operation, row, made, status)
    return row


def _required(standing: Standing, sequence: int, scrap: Decimal) -> dict[UUID, Decimal]:
    """What every material line needs now: lost pieces are made again."""
    if not scrap:
        return {each.id: each.required for each in standing.materials}
    return {
        each.id: rules.required_after(each, standing.operations, sequence, scrap, standing.quantity)
        for each in standing.materials
    }


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
    last: bool,
    reason: ScrapReason | None,
) -> None:
    report = rules.Report(row.good, row.scrap, row.rework)
    finished = rules.is_finished(standing.operations, operation.sequence, report, standing.quantity)
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
    if standing.status != "completed" and rules.is_complete(total, standing.quantity):
        publish(
            WorkOrderCompleted(
                standing.site_id, standing.id, standing.item_id, total, standing.scrap + row.scrap, standing.due_at
            )
        )


TAKE_BACK = """
WITH operation AS (
    UPDATE production_work_order_operation o
    SET good_quantity = o.good_quantity - u.good, scrap_quantity = o.scrap_quantity - u.scrap,
        rework_quantity = o.rework_quantity - u.rework, finished_at = NULL, status = u.status, version = o.version + 1,
        updated_at = %(now)s::timestamptz, updated_by = %(by)s::uuid
    FROM unnest(%(operations)s::uuid[], %(good)s::numeric[], %(scrap)s::numeric[], %(rework)s::numeric[],
                %(statuses)s::text[]) AS u(id, good, scrap, rework, status)
    WHERE o.id = u.id
), material AS (
    UPDATE production_work_order_material m
    SET issued_quantity = greatest(m.issued_quantity - u.used, 0), required_quantity = u.required,
        version = m.version + 1, updated_at = %(now)s::timestamptz, updated_by = %(by)s::uuid
    FROM unnest(%(materials)s::uuid[], %(used)s::numeric[], %(required)s::numeric[]) AS u(id, used, required)
    WHERE m.id = u.id
)
UPDATE production_work_order w
SET good_quantity = w.good_quantity - %(made)s::numeric, scrap_quantity = w.scrap_quantity - %(lost)s::numeric,
    status = %(status)s::text, completed_at = NULL, version = w.version + 1, updated_at = %(now)s::timestamptz,
    updated_by = %(by)s::uuid
WHERE w.id = %(work_order)s::uuid
"""


@command
def reverse_report(by: Actor, *, report: OperationReport, reason: str) -> OperationReport:
    """Take back a report: its moves are reversed, its quantities subtracted, what it left uncovered is void.

    Refused when later operations have used its pieces, or its finished goods have gone elsewhere.
    """
    if not reason.strip():
        raise Invalid("field_missing", field="reason")
    if report.reversed_at is not None:
        raise Conflict("already_reversed", document=report.label)
    operation = WorkOrderOperation.objects.get(pk=report.operation_id)
    standing = _stand(report.work_order_id)
    if standing.status not in ("started", "completed"):
        raise Conflict("wrong_status", document=standing.number, status=standing.status, wanted="started")
    rules.check_reversal(standing.operations, operation.sequence, report.good)
    void_pending(by, cause=standing.ref, order_id=report.order_id)
    if any(move.reverses is None for move in inventory.moves_of(standing.ref, report.order_id)):
        reverse_moves(by, cause=standing.ref, order_id=report.order_id)
    _take_back(by, standing, operation, report)
    report.reversed_at = by.now
    report.note = reason.strip()[:200]
    report.save()
    publish(
        ReportReversed(
            standing.site_id, standing.id, operation.id, report.id, standing.item_id, report.good, report.scrap
        )
    )
    return report


def _take_back(by: Actor, standing: Standing, operation: WorkOrderOperation, report: OperationReport) -> None:
    """Subtract a report from operations, materials and the work order."""
    covered = rules.covered_by(standing.operations, operation.sequence)
    points = [each.id == operation.id for each in covered]
    used = {UUID(each["material"]): Decimal(each["quantity"]) for each in report.used}
    required = _required(standing, operation.sequence, -report.scrap)
    changed = [each for each in standing.materials if each.id in used or required[each.id] != each.required]
    last = rules.is_last(standing.operations, operation.sequence)
    passed = report.good + report.scrap
    values: dict[str, Any] = {
        "now": by.now, "by": by.id, "work_order": standing.id, "status": "started",
        "operations": [each.id for each in covered],
        "good": [report.good if here else passed for here in points],
        "scrap": [report.scrap if here else ZERO for here in points],
        "rework": [report.rework if here else ZERO for here in points],
        "statuses": ["started"] * len(covered),
        "materials": [each.id for each in changed],
        "used": [used.get(each.id, ZERO) for each in changed],
        "required": [required[each.id] for each in changed],
        "made": report.good if last else ZERO, "lost": report.scrap,
    }  # fmt: skip
    execute(TAKE_BACK, values)
    made = values["made"]
    before = {"good_quantity": standing.good, "scrap_quantity": standing.scrap, "status": standing.status}
    after = {
        "good_quantity": standing.good - made,
        "scrap_quantity": standing.scrap - report.scrap,
        "status": "started",
    }
    audit.note("production.work_order", standing.id, before, after)
