"""What is ordered of engineering: new revisions, their lines, approval."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeVar

from lianzao.catalog.models import Item
from lianzao.engineering.events import BomApproved, BomUnapproved, RoutingApproved, RoutingUnapproved
from lianzao.engineering.models import (
    Bom,
    BomLine,
    Capture,
    Revision,
    Routing,
    RoutingOperation,
    RoutingStep,
    refuse_if_approved,
)
from lianzao.foundation import entity
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.outbox import publish
from lianzao.plant.models import WorkCenter
from lianzao.values.errors import Conflict, Invalid, RuleBroken

R = TypeVar("R", bound=Revision)


@dataclass(frozen=True)
class ComponentLine:
    """A component: so much for the bill's base quantity, or per order if `fixed`; `scrap_percent` of it is lost."""

    component: Item
    quantity_per: Decimal
    scrap_percent: Decimal = Decimal(0)
    fixed: bool = False
    operation_sequence: int = 0
    effective_from: date | None = None
    effective_until: date | None = None
    note: str = ""


@dataclass(frozen=True)
class OperationLine:
    """An operation: `run_minutes` per base unit of the item, the other times per order."""

    sequence: int
    name: str
    work_center: WorkCenter
    name_en: str = ""
    setup_minutes: Decimal = Decimal(0)
    run_minutes: Decimal = Decimal(0)
    queue_minutes: Decimal = Decimal(0)
    inspect: bool = False
    is_report_point: bool = True
    instruction: str = ""


@dataclass(frozen=True)
class StepLine:
    """A step of an instruction; `capture` is what it wants written down, `lower` and `upper` limits of a number."""

    text: str
    text_en: str = ""
    link: str = ""
    capture: Capture = Capture.NONE
    unit_text: str = ""
    lower: Decimal | None = None
    upper: Decimal | None = None
    required: bool = False


@command
def set_bom_lines(by: Actor, *, bom: Bom, lines: list[ComponentLine]) -> Bom:
    """Give a bill of materials these lines, and no others, in this order. An approved bill is refused."""
    refuse_if_approved(bom)
    for line in BomLine.objects.filter(bom=bom).select_related("bom"):
        line.delete()
    entity.insert([_line(bom, place * 10, line) for place, line in enumerate(lines, start=1)])
    return bom


@command
def set_routing_operations(by: Actor, *, routing: Routing, operations: list[OperationLine]) -> Routing:
    """Give a routing these operations, and no others. An approved routing is refused."""
    refuse_if_approved(routing)
    if len({one.sequence for one in operations}) < len(operations):
        raise Invalid("sequence_twice", field="operations")
    kept: dict[int, list[RoutingStep]] = {}
    for step in RoutingStep.objects.filter(operation__routing=routing).select_related("operation__routing"):
        kept.setdefault(step.operation.sequence, []).append(step)
        step.delete()
    for operation in RoutingOperation.objects.filter(routing=routing).select_related("routing"):
        operation.delete()
    made = entity.insert([_operation(routing, one) for one in operations])
    # An operation that stays keeps its instruction.
    entity.insert([_copied(step, RoutingStep(operation=one)) for one in made for step in kept.get(one.sequence, [])])
    return routing


@command
def set_operation_steps(by: Actor, *, routing_operation: RoutingOperation, steps: list[StepLine]) -> RoutingOperation:
    """Give an operation of a routing these steps of instruction, and no others, in this order.

    Work orders freeze the steps when they are made. An approved routing is refused: instructions change by revision.
    """
    refuse_if_approved(routing_operation.routing)
    for step in RoutingStep.objects.filter(operation=routing_operation).select_related("operation__routing"):
        step.delete()
    entity.insert(
        [
            RoutingStep(
                operation=routing_operation,
                position=place * 10,
                text=one.text.strip(),
                text_en=one.text_en.strip(),
                link=one.link.strip(),
                capture=one.capture,
                unit_text=one.unit_text.strip(),
                lower=one.lower,
                upper=one.upper,
                required=one.required,
            )
            for place, one in enumerate(steps, start=1)
        ]
    )
    return routing_operation


@command
def enter_bom(
    by: Actor,
    *,
    item: Item,
    revision: str,
    lines: list[ComponentLine],
    base_quantity: Decimal = Decimal(1),
    effective_from: date | None = None,
    effective_until: date | None = None,
    approve: bool = False,
) -> Bom:
    """Write a bill of materials with its lines in one go, and approve it at once if asked to."""
    bom = Bom(
        item=item,
        revision=_new_revision(Bom, item, revision),
        base_quantity=base_quantity,
        effective_from=effective_from,
        effective_until=effective_until,
    )
    bom.save()
    entity.insert([_line(bom, place * 10, line) for place, line in enumerate(lines, start=1)])
    if approve:
        approve_bom(by, bom=bom)
    return bom


@command
def enter_routing(
    by: Actor,
    *,
    item: Item,
    revision: str,
    operations: list[OperationLine],
    effective_from: date | None = None,
    effective_until: date | None = None,
    approve: bool = False,
) -> Routing:
    """Write a routing with its operations in one go, and approve it at once if asked to."""
    routing = Routing(
        item=item,
        revision=_new_revision(Routing, item, revision),
        effective_from=effective_from,
        effective_until=effective_until,
    )
    routing.save()
    entity.insert([_operation(routing, one) for one in operations])
    if approve:
        approve_routing(by, routing=routing)
    return routing


@command
def copy_bom(by: Actor, *, bom: Bom, revision: str, effective_from: date | None = None) -> Bom:
    """Begin a new revision of a bill of materials as a copy of this one, not yet approved."""
    copy = Bom(
        item=bom.item,
        revision=_new_revision(Bom, bom.item, revision),
        site_id=bom.site_id,
        base_quantity=bom.base_quantity,
        effective_from=effective_from,
        note=bom.note,
    )
    copy.save()
    entity.insert([_copied(line, BomLine(bom=copy)) for line in bom.lines.select_related("component")])
    return copy


@command
def copy_routing(by: Actor, *, routing: Routing, revision: str, effective_from: date | None = None) -> Routing:
    """Begin a new revision of a routing as a copy of this one, not yet approved."""
    copy = Routing(
        item=routing.item,
        revision=_new_revision(Routing, routing.item, revision),
        site_id=routing.site_id,
        effective_from=effective_from,
        note=routing.note,
    )
    copy.save()
    for one in routing.operations.all():
        made = _copied(one, RoutingOperation(routing=copy))
        made.save()
        entity.insert([_copied(step, RoutingStep(operation=made)) for step in one.steps.all()])
    return copy


@command
def approve_bom(by: Actor, *, bom: Bom, end_previous: bool = False) -> Bom:
    """Approve a bill of materials (审核): from now on it counts on the days it is in effect, and is fixed.

    With `end_previous` the revision in effect so far ends on the day this one begins.
    """
    _approve(by, bom, end_previous)
    publish(
        BomApproved(
            bom_id=bom.id,
            item_id=bom.item_id,
            site_id=bom.site_id,
            revision=bom.revision,
            effective_from=bom.effective_from,
        )
    )
    return bom


@command
def approve_routing(by: Actor, *, routing: Routing, end_previous: bool = False) -> Routing:
    """Approve a routing (审核): from now on it counts on the days it is in effect, and is fixed.

    With `end_previous` the revision in effect so far ends on the day this one begins.
    """
    _approve(by, routing, end_previous)
    publish(
        RoutingApproved(
            routing_id=routing.id,
            item_id=routing.item_id,
            site_id=routing.site_id,
            revision=routing.revision,
            effective_from=routing.effective_from,
        )
    )
    return routing


@command
def approve_boms(by: Actor, *, boms: list[Bom]) -> dict[str, int]:
    """Approve several bills of materials, all or none; those approved already are passed over."""
    waiting = [bom for bom in boms if bom.approved_at is None]
    for bom in waiting:
        approve_bom(by, bom=bom)
    return {"approved": len(waiting)}


@command
def approve_routings(by: Actor, *, routings: list[Routing]) -> dict[str, int]:
    """Approve several routings, all or none; those approved already are passed over."""
    waiting = [routing for routing in routings if routing.approved_at is None]
    for routing in waiting:
        approve_routing(by, routing=routing)
    return {"approved": len(waiting)}


@command
def unapprove_bom(by: Actor, *, bom: Bom) -> Bom:
    """Take back the approval of a bill of materials (反审核): it no longer counts, and may be changed.

    Work orders keep the copy they were made with.
    """
    _unapprove(bom)
    publish(BomUnapproved(bom_id=bom.id, item_id=bom.item_id, site_id=bom.site_id, revision=bom.revision))
    return bom


@command
def unapprove_routing(by: Actor, *, routing: Routing) -> Routing:
    """Take back the approval of a routing (反审核): it no longer counts, and may be changed.

    Work orders keep the copy they were made with.
    """
    _unapprove(routing)
    publish(
        RoutingUnapproved(
            routing_id=routing.id, item_id=routing.item_id, site_id=routing.site_id, revision=routing.revision
        )
    )
    return routing


def _approve(by: Actor, revision: Revision, end_previous: bool) -> None:
    if revision.approved_at is not None:
        raise Conflict("already_approved", document=revision.code)
    if end_previous:
        _end_previous(revision)
    revision.check_approve()
    revision.approved_at, revision.approved_by = by.now, by.id
    revision.save()


def _end_previous(revision: Revision) -> None:
    """Let the approved revisions that began earlier and have no end before this one's beginning end on that day."""
    begins = revision.effective_from
    if begins is None:
        raise RuleBroken("needs_a_beginning", field="effective_from", document=revision.code)
    others = type(revision)._default_manager.select_for_update(of=("self",)).order_by("pk")
    for other in others.filter(item_id=revision.item_id, site_id=revision.site_id, approved_at__isnull=False):
        begins_earlier = other.effective_from is None or other.effective_from < begins
        if begins_earlier and (other.effective_until is None or other.effective_until > begins):
            other.effective_until = begins
            other.save()


def _unapprove(revision: Revision) -> None:
    if revision.approved_at is None:
        raise Conflict("not_approved", document=revision.code)
    revision.check_unapprove()
    revision.approved_at = revision.approved_by = None
    revision.save()


def _new_revision(model: type[R], item: Item, revision: str) -> str:
    """A revision's name that the item does not have yet. Raises Invalid or Conflict."""
    revision = revision.strip()
    if not revision:
        raise Invalid("field_missing", field="revision")
    if model._default_manager.filter(item=item, revision=revision).exists():
        raise Conflict("already_taken", field="revision", value=f"{item.code}/{revision}")
    return revision


def _line(bom: Bom, position: int, given: ComponentLine) -> BomLine:
    return BomLine(
        bom=bom,
        position=position,
        component=given.component,
        quantity_per=given.quantity_per,
        scrap_percent=given.scrap_percent,
        fixed=given.fixed,
        operation_sequence=given.operation_sequence,
        effective_from=given.effective_from,
        effective_until=given.effective_until,
        note=given.note,
    )


def _operation(routing: Routing, given: OperationLine) -> RoutingOperation:
    return RoutingOperation(
        routing=routing,
        sequence=given.sequence,
        name=given.name,
        name_en=given.name_en,
        work_center=given.work_center,
        setup_minutes=given.setup_minutes,
        run_minutes=given.run_minutes,
        queue_minutes=given.queue_minutes,
        inspect=given.inspect,
        is_report_point=given.is_report_point,
        instruction=given.instruction,
    )


_STAMPS = ("id", "version", "created_at", "created_by", "updated_at", "updated_by", "owner_system")
_OWN = (*_STAMPS, "bom_id", "routing_id", "operation_id")
P = TypeVar("P", BomLine, RoutingOperation, RoutingStep)


def _copied(source: P, copy: P) -> P:
    for field in source._meta.concrete_fields:
        if field.attname not in _OWN:
            setattr(copy, field.attname, getattr(source, field.attname))
    return copy
