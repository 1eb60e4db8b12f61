"""The command that takes a report back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.foundation import audit
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.entity import execute
from lianzao.foundation.outbox import publish
from lianzao.inventory import queries as inventory
from lianzao.inventory.commands import reverse_moves, void_pending
from lianzao.production import rules
from lianzao.production.events import ReportReversed
from lianzao.production.models import OperationReport, WorkOrderOperation
from lianzao.production.standing import Standing, required_now, stand
from lianzao.values.errors import Conflict, Invalid
from lianzao.values.quantity import ZERO

#: Line leads and planners hold it by production.*; operators do not.
REVERSE_ANY = "production.reverse_any_report"

TAKE_BACK = """
WITH operation AS (
    UPDATE production_work_order_operation o
    SET good_quantity = o.good_quantity - u.good, scrap_quantity = o.scrap_quantity - u.scrap,
        rework_quantity = o.rework_quantity - u.rework, status = u.status, version = o.version + 1,
        finished_at = CASE WHEN u.status = 'finished' THEN coalesce(o.finished_at, %(now)s::timestamptz) END,
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

    Everybody takes back what he reported himself; another's report needs the right production.reverse_any_report.
    Refused when later operations have used its pieces, or its finished goods have gone elsewhere.
    """
    if not reason.strip():
        raise Invalid("field_missing", field="reason")
    rules.check_reporter(by.id, (report.created_by, report.person_id), by.may(REVERSE_ANY))
    if report.reversed_at is not None:
        raise Conflict("already_reversed", document=report.label)
    operation = WorkOrderOperation.objects.get(pk=report.operation_id)
    standing = stand(report.work_order_id)
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
    required = required_now(standing, operation.sequence, -report.scrap)
    changed = [each for each in standing.materials if each.id in used or required[each.id] != each.required]
    last = rules.is_last(standing.operations, operation.sequence)
    passed = report.good + report.scrap
    left = rules.with_report(standing.operations, operation.sequence, rules.Report(-report.good, -report.scrap))
    stands = rules.stands(left, standing.quantity, over=False)
    beside = [each for each in standing.operations if each not in covered and stands[each.id] != each.status]
    none = [ZERO] * len(beside)
    values: dict[str, Any] = {
        "now": by.now, "by": by.id, "work_order": standing.id, "status": "started",
        "operations": [each.id for each in [*covered, *beside]],
        "good": [report.good if here else passed for here in points] + none,
        "scrap": [report.scrap if here else ZERO for here in points] + none,
        "rework": [report.rework if here else ZERO for here in points] + none,
        "statuses": [stands[each.id] for each in [*covered, *beside]],
        "materials": [each.id for each in changed],
        "used": [used.get(each.id, ZERO) for each in changed],
        "required": [required[each.id] for each in changed],
        "made": report.good if last else ZERO, "lost": report.scrap,
    }  # fmt: skip
    execute(TAKE_BACK, values)
    for each in beside:
        audit.note(operation.kind, each.id, {"status": each.status}, {"status": stands[each.id]})
    made = values["made"]
    before = {"good_quantity": standing.good, "scrap_quantity": standing.scrap, "status": standing.status}
    after = {
        "good_quantity": standing.good - made,
        "scrap_quantity": standing.scrap - report.scrap,
        "status": "started",
    }
    audit.note("production.work_order", standing.id, before, after)
