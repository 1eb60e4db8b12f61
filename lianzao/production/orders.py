"""Commands of the work order as a paper: made, firmed, released, moved in time, closed, cancelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from lianzao.access.models import Site
from lianzao.catalog.models import Item
from lianzao.catalog.queries import SiteFacts, item_facts, site_facts
from lianzao.engineering import queries as engineering
from lianzao.engineering.models import Bom, Routing, RoutingOperation, RoutingStep
from lianzao.foundation import audit, fetching, link
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import READ, command
from lianzao.foundation.entity import execute, insert
from lianzao.foundation.outbox import publish
from lianzao.foundation.scope import check_site
from lianzao.inventory.commands import void_pending
from lianzao.plant.models import WorkCenter
from lianzao.plant.queries import local_day, location_ids
from lianzao.production import queries, rules
from lianzao.production.events import (
    OperationsScheduled,
    WorkOrderCancelled,
    WorkOrderClosed,
    WorkOrderCreated,
    WorkOrderReleased,
    WorkOrderRescheduled,
    WorkOrderResized,
)
from lianzao.production.floor_models import WorkOrderStep
from lianzao.production.models import WorkOrder, WorkOrderMaterial, WorkOrderOperation
from lianzao.production.standing import stand_operations
from lianzao.values.errors import Invalid, RuleBroken
from lianzao.values.quantity import is_whole_multiple
from lianzao.values.reference import Ref


@command
def create_work_order(
    by: Actor,
    *,
    item: Item,
    quantity: Decimal,
    due_at: datetime,
    start_at: datetime | None = None,
    site: Site | None = None,
    source: Ref | None = None,
    bom: Annotated[Bom, READ] | None = None,
    routing: Annotated[Routing, READ] | None = None,
    planned_start_at: datetime | None = None,
    planned_finish_at: datetime | None = None,
    priority: int = 50,
    firm: bool = False,
    note: str = "",
) -> WorkOrder:
    """Make a work order: its bill and routing are frozen as they are in effect on the day it starts.

    Phantoms are replaced by their components. `source`: the document it is made for. Without a site, the one in use.
    An item without a routing gets one operation, so that it can be reported.
    """
    site_id = by.site if site is None else site.id
    if site_id is None:
        raise Invalid("field_missing", field="site")
    check_site(by, site_id, "site")
    if item.supply not in ("make", "phantom"):
        raise RuleBroken("item_not_made", field="item", item=item.code)
    _check_quantity(item, quantity)
    if start_at is not None and start_at > due_at:
        raise Invalid("ends_before_it_starts", field="due_at")
    on = local_day(site_id, max(start_at or by.now, by.now))
    bom = bom or engineering.bom_in_effect(item.id, on, site_id)
    routing = routing or engineering.routing_in_effect(item.id, on, site_id)
    steps = engineering.operations_of(routing.id) if routing is not None else []
    needs = engineering.materials(item.id, quantity, on, site_id, bom) if bom is not None else []
    facts = site_facts({item.id, *(need.item_id for need in needs)}, site_id)
    last = steps[-1].work_center if steps else None
    order = WorkOrder(
        site_id=site_id, item=item, quantity=quantity, bom=bom, routing=routing, start_at=start_at, due_at=due_at,
        planned_start_at=planned_start_at or start_at, planned_finish_at=planned_finish_at or due_at, priority=priority,
        source_kind=source.kind if source else "", source_id=source.id if source else None, note=note,
        status="firmed" if firm else "planned",
        output_location_id=(last and last.output_location_id) or facts[item.id].store_location_id,
    )  # fmt: skip
    order.save()
    operations = _freeze_operations(order, steps, {} if routing is None else engineering.steps_of(routing.id))
    _freeze_materials(order, needs, facts, operations)
    if source is not None:
        link.add(source, order, quantity, "made for")
    publish(WorkOrderCreated(site_id, order.id, item.id, quantity, due_at))
    return order


def _check_quantity(item: Item, quantity: Decimal) -> None:
    if quantity <= 0:
        raise Invalid("quantity_not_positive", field="quantity")
    if not is_whole_multiple(quantity, item.step):
        raise Invalid("quantity_not_in_steps", field="quantity", item=item.code, quantity=quantity, step=item.step)


def _freeze_operations(
    order: WorkOrder, steps: Sequence[RoutingOperation], instructions: Mapping[UUID, Sequence[RoutingStep]]
) -> list[WorkOrderOperation]:
    """Copy the routing's operations with their instructions; the last one always reports: it makes the goods."""
    made = [
        WorkOrderOperation(
            work_order=order, sequence=each.sequence, name=each.name, name_en=each.name_en,
            work_center=each.work_center, setup_minutes=each.setup_minutes, run_minutes=each.run_minutes,
            queue_minutes=each.queue_minutes, inspect=each.inspect, instruction=each.instruction,
            is_report_point=each.is_report_point or each is steps[-1],
            required_steps=sum(step.required for step in instructions.get(each.id, ())),
        )
        for each in steps
    ] or [WorkOrderOperation(work_order=order, sequence=10, name="生产", name_en="Make")]  # fmt: skip
    insert(made)
    insert(
        [
            WorkOrderStep(
                operation=operation, position=step.position, text=step.text, text_en=step.text_en, link=step.link,
                capture=step.capture, unit_text=step.unit_text, lower=step.lower, upper=step.upper,
                required=step.required,
            )
            for operation, each in zip(made, steps, strict=False)
            for step in instructions.get(each.id, ())
        ]
    )  # fmt: skip
    return made


def _freeze_materials(
    order: WorkOrder,
    needs: Sequence[engineering.Material],
    facts: Mapping[UUID, SiteFacts],
    operations: Sequence[WorkOrderOperation],
) -> None:
    """Copy what the bill takes, one level, with the place each material is taken from."""
    centers = {each.sequence: each.work_center for each in operations}
    made: list[WorkOrderMaterial] = []
    stores: list[UUID] | None = None
    for position, need in enumerate(needs, 1):
        fact = facts[need.item_id]
        center = centers.get(need.operation_sequence, operations[0].work_center)
        place = _place(fact.backflush, center, fact.store_location_id, ())
        if place is None:
            stores = location_ids(order.site_id, ["store"]) if stores is None else stores
            place = next(iter(stores), None)
        made.append(
            WorkOrderMaterial(
                work_order=order, position=position, item_id=need.item_id, operation_sequence=need.operation_sequence,
                planned_quantity=need.quantity, required_quantity=need.quantity, fixed=need.fixed,
                backflush=fact.backflush, source_id=place,
            )
        )  # fmt: skip
    insert(made)


def _place(backflush: bool, center: WorkCenter | None, store: UUID | None, stores: Sequence[UUID]) -> UUID | None:
    """Where a material is taken from: what is deducted by report lies at the line, what is issued lies in its store."""
    line = None if center is None else center.line_location_id
    wanted = [line, store] if backflush else [store, line]
    return next((place for place in (*wanted, *stores) if place is not None), None)


@command(when={"status": ("planned",)})
def firm_work_order(by: Actor, *, work_order: WorkOrder) -> WorkOrder:
    """Firm a work order: planning may no longer change or remove it by itself."""
    work_order.move_to("firmed")
    work_order.save()
    return work_order


@command(when={"status": ("firmed",)})
def unfirm_work_order(by: Actor, *, work_order: WorkOrder) -> WorkOrder:
    """Give a firmed work order back to planning."""
    work_order.move_to("planned")
    work_order.save()
    return work_order


@command(when={"status": ("planned", "firmed")})
def release_work_order(by: Actor, *, work_order: WorkOrder) -> WorkOrder:
    """Release a work order: it appears in the queues of its stations, and material may be issued.

    Refused when a material has no place to be taken from, the item is out of use, the finished goods have no place to
    go, or, if the site wants it so, material is short.
    """
    item = item_facts({work_order.item_id})[work_order.item_id]
    if item.retired:
        raise RuleBroken("item_retired", item=item.code)
    if work_order.output_location_id is None:
        raise RuleBroken("no_output_location", document=work_order.number)
    placeless = fetching.matching(WorkOrderMaterial, "id", along="item", work_order_id=work_order.id, source_id=None)
    if placeless:
        raise RuleBroken("no_material_location", document=work_order.number, item=placeless[0].item.code)
    if queries.rule_of(work_order.site_id).refuse_release_short:
        short = queries.material_shortages(work_order, at=by.now)
        if short:
            raise RuleBroken("material_short", document=work_order.number, item=short[0].item_code,
                             missing=short[0].missing, shorts=short)  # fmt: skip
    work_order.move_to("released")
    work_order.released_at = by.now
    work_order.save()
    publish(
        WorkOrderReleased(work_order.site_id, work_order.id, work_order.item_id, work_order.quantity, work_order.due_at)
    )
    return work_order


@command(when={"status": ("released",)})
def withdraw_work_order(by: Actor, *, work_order: WorkOrder) -> WorkOrder:
    """Take back a release, as long as nothing was issued or reported."""
    _refuse_if_touched(work_order)
    work_order.move_to("firmed")
    work_order.released_at = None
    work_order.save()
    return work_order


def _refuse_if_touched(order: WorkOrder) -> None:
    """What has used material or yielded something cannot be undone as if it had never been."""
    if order.materials.filter(issued_quantity__gt=0).exists():
        raise RuleBroken("material_still_issued", document=order.number)
    if order.reports.filter(reversed_at__isnull=True).exists():
        raise RuleBroken("already_reported", document=order.number)


@command(when={"status": ("planned", "firmed", "released", "started")})
def resize_work_order(by: Actor, *, work_order: WorkOrder, quantity: Decimal) -> WorkOrder:
    """Change how much a work order makes; its materials follow in proportion, those taken once per order do not."""
    _check_quantity(work_order.item, quantity)
    if work_order.status in ("completed", "closed", "cancelled"):
        work_order.move_to("started" if work_order.status == "completed" else "planned")
    if quantity <= work_order.good_quantity:
        raise RuleBroken("less_than_made", field="quantity", document=work_order.number, good=work_order.good_quantity)
    old = work_order.quantity
    for material in work_order.materials.select_related("item").select_for_update(of=("self",)).order_by("id"):
        if not material.fixed:
            step = material.item.step
            material.required_quantity = rules.ceil_to_step(material.required_quantity * quantity / old, step)
            material.planned_quantity = rules.ceil_to_step(material.planned_quantity * quantity / old, step)
            material.save()
    work_order.quantity = quantity
    work_order.save()
    stand_operations(work_order, over=False)
    publish(WorkOrderResized(work_order.site_id, work_order.id, work_order.item_id, old, quantity))
    return work_order


@dataclass(frozen=True)
class OperationTime:
    """When an operation is planned, and on which machine. `pinned`: planning leaves it there."""

    operation: UUID
    start_at: datetime
    finish_at: datetime
    machine: UUID | None = None
    pinned: bool = False


SET_TIMES = """
UPDATE production_work_order_operation o
SET planned_start_at = u.starts_at, planned_finish_at = u.ends_at, machine_id = coalesce(u.machine_id, o.machine_id),
    pinned = o.pinned OR u.pinned, version = o.version + 1, updated_at = %s, updated_by = %s::uuid
FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[], %s::uuid[], %s::boolean[])
     AS u(id, starts_at, ends_at, machine_id, pinned)
JOIN production_work_order_operation q ON q.id = u.id
JOIN production_work_order w ON w.id = q.work_order_id
WHERE o.id = u.id AND w.site_id = %s AND o.status <> 'finished' AND (%s::uuid IS NULL OR w.id = %s::uuid)
RETURNING o.work_order_id, o.id
"""

SET_SPANS = """
UPDATE production_work_order w
SET planned_start_at = span.starts_at, planned_finish_at = span.ends_at, version = w.version + 1, updated_at = %s,
    updated_by = %s::uuid
FROM (SELECT work_order_id, min(planned_start_at) AS starts_at, max(planned_finish_at) AS ends_at
      FROM production_work_order_operation WHERE work_order_id = ANY(%s::uuid[]) GROUP BY work_order_id) span
WHERE w.id = span.work_order_id
"""


@command(hidden=True)
def schedule_operations(by: Actor, *, site_id: UUID, times: list[OperationTime]) -> int:
    """Give many operations their times and machines at once (planning's result). Finished ones are left alone."""
    check_site(by, site_id)
    orders = _set_times(by, site_id, times, None)
    if orders:
        publish(OperationsScheduled(site_id, tuple(orders)))
    return len(orders)


def _set_times(by: Actor, site_id: UUID, times: Sequence[OperationTime], order_id: UUID | None) -> list[UUID]:
    """Write planned times with one statement, and their span to the work orders; returns these."""
    for row, time in enumerate(times, 1):
        if time.finish_at < time.start_at:
            raise Invalid("ends_before_it_starts", field="finish_at", row=row)
    # In the order of ids, as everybody else locks them.
    ranked = sorted(times, key=lambda time: time.operation)
    rows = execute(
        SET_TIMES,
        [
            by.now, by.id, [time.operation for time in ranked], [time.start_at for time in ranked],
            [time.finish_at for time in ranked], [time.machine for time in ranked],
            [time.pinned for time in ranked], site_id, order_id, order_id,
        ],
    )  # fmt: skip
    orders = sorted({row[0] for row in rows})
    execute(SET_SPANS, [by.now, by.id, orders])
    for id in orders:
        audit.touch("production.work_order", id)
    audit.note("production.schedule", site_id, None, {"operations": len(rows), "work_orders": len(orders)})
    return orders


@command(when={"status": ("planned", "firmed", "released", "started")})
def reschedule(
    by: Actor,
    *,
    work_order: WorkOrder,
    start_at: datetime | None = None,
    due_at: datetime | None = None,
    operations: list[OperationTime] | None = None,
    pinned: bool | None = None,
) -> WorkOrder:
    """Move a work order in time: start, due date, its operations' planned times. `pinned`: planning leaves it."""
    if work_order.status not in ("planned", "firmed", "released", "started"):
        work_order.move_to("planned")  # raises wrong_status, naming the state
    old_start, old_due = work_order.start_at, work_order.due_at
    work_order.start_at = start_at or work_order.start_at
    work_order.due_at = due_at or work_order.due_at
    starts = work_order.start_at
    if starts is not None and starts > work_order.due_at:
        raise Invalid("ends_before_it_starts", field="due_at")
    if pinned is not None:
        work_order.pinned = pinned
    if not operations:
        work_order.planned_start_at = start_at or work_order.planned_start_at
        work_order.planned_finish_at = due_at or work_order.planned_finish_at
    work_order.save()
    if operations:
        _set_times(by, work_order.site_id, operations, work_order.id)
        work_order.refresh_from_db()
    publish(
        WorkOrderRescheduled(
            work_order.site_id, work_order.id, work_order.item_id, old_due, work_order.due_at, old_start,
            work_order.start_at,
        )
    )  # fmt: skip
    return work_order


@command(when={"status": ("released", "started", "completed")})
def close_work_order(by: Actor, *, work_order: WorkOrder, reason: str = "") -> WorkOrder:
    """Close a work order: nothing more is expected of it. Closing it short needs a reason, and planning hears of it."""
    missing = work_order.open_quantity
    if missing > 0 and not reason.strip():
        raise RuleBroken("close_short_needs_reason", field="reason", document=work_order.number, missing=missing)
    work_order.move_to("closed")
    work_order.closed_at = by.now
    work_order.save()
    stand_operations(work_order, over=True)
    void_pending(by, cause=work_order.ref, uncovered=False)
    publish(WorkOrderClosed(work_order.site_id, work_order.id, work_order.item_id, work_order.good_quantity, missing))
    return work_order


@command(when={"status": ("closed",)})
def reopen_work_order(by: Actor, *, work_order: WorkOrder) -> WorkOrder:
    """Open a closed work order again, because something was forgotten."""
    work_order.move_to("completed" if work_order.open_quantity == 0 else "started")
    work_order.closed_at = None
    work_order.save()
    stand_operations(work_order, over=work_order.status == "completed")
    return work_order


@command(when={"status": ("planned", "firmed", "released")})
def cancel_work_order(by: Actor, *, work_order: WorkOrder, reason: str) -> WorkOrder:
    """Cancel a work order nothing was issued to or reported at; otherwise return the material, or close it short."""
    if not reason.strip():
        raise Invalid("field_missing", field="reason")
    _refuse_if_touched(work_order)
    work_order.move_to("cancelled")
    work_order.save()
    void_pending(by, cause=work_order.ref)
    publish(
        WorkOrderCancelled(work_order.site_id, work_order.id, work_order.item_id, work_order.quantity, reason.strip())
    )
    return work_order
