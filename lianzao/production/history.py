"""Work orders taken over from another system: closed ones as history, open ones as work to do; set by set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access.queries import site_zone
from lianzao.catalog.models import Item
from lianzao.catalog.queries import SiteFacts, site_facts
from lianzao.engineering import queries as engineering
from lianzao.engineering.models import Bom, Routing, RoutingOperation
from lianzao.foundation import audit
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import Entity, set_external_ids
from lianzao.foundation.transfer import bulk
from lianzao.foundation.transfer.lookups import batches
from lianzao.foundation.transfer.sql import insert_rows, light_rows
from lianzao.plant.queries import local_day, location_ids
from lianzao.production.models import OperationReport, ScrapReason, WorkOrder, WorkOrderMaterial, WorkOrderOperation
from lianzao.production.orders import _place
from lianzao.values.errors import Invalid, RuleBroken
from lianzao.values.quantity import ZERO, is_whole_multiple
from lianzao.values.time import start_of_day


@dataclass(frozen=True)
class CarriedOverOrder:
    """A work order of the time before, in the item's base unit. Days are the site's; it is due by the end of `due_on`.

    `is_open`: released, with bill and routing as they are in effect today, nothing issued; else it is closed, with one
    operation and one report that say what it gave. `system`: its owner, who calls it `external_key`.
    """

    site_id: UUID
    number: str
    item: Item
    quantity: Decimal
    start_on: date
    due_on: date
    completed_on: date | None = None
    good_quantity: Decimal = ZERO
    scrap_quantity: Decimal = ZERO
    scrap_reason: ScrapReason | None = None
    is_open: bool = False
    system: str = "file"
    external_key: str = ""


@bulk("production.carried_over_order", CarriedOverOrder, right="production.release_work_order")
def carry_over_work_orders(by: Actor, rows: Sequence[CarriedOverOrder]) -> int:
    """Write work orders; one whose number is known stays as it is. Returns how many were made."""
    fresh: dict[str, CarriedOverOrder] = {}
    for place, row in enumerate(rows, 1):
        _check(place, row)
        if row.number in fresh:
            raise Invalid("row_twice", field="number", row=place, other=row.number)
        fresh[row.number] = row
    for batch in batches(list(fresh)):
        for number in WorkOrder.objects.filter(number__in=batch).values_list("number", flat=True):
            del fresh[number]
    taking = _Taking(by)
    for row in fresh.values():
        if row.is_open:
            taking.open(row)
        else:
            taking.closed(row)
    taking.write()
    return len(fresh)


def _check(place: int, row: CarriedOverOrder) -> None:
    if row.item.supply not in ("make", "phantom"):
        raise RuleBroken("item_not_made", field="item", row=place, item=row.item.code)
    if row.quantity <= 0:
        raise Invalid("quantity_not_positive", field="quantity", row=place)
    if not is_whole_multiple(row.quantity, row.item.step):
        raise Invalid(
            "quantity_not_in_steps", field="quantity", row=place, item=row.item.code, quantity=row.quantity,
            step=row.item.step,
        )  # fmt: skip
    for name in ("good_quantity", "scrap_quantity"):
        if getattr(row, name) < 0:
            raise Invalid("must_not_be_negative", field=name, row=place, value=getattr(row, name))
    if row.due_on < row.start_on:
        raise Invalid("ends_before_it_starts", field="due_on", row=place)


@dataclass(frozen=True)
class _Made:
    """How an item is made today: what every open order of it is frozen with."""

    bom: Bom | None
    routing: Routing | None
    operations: list[RoutingOperation]


class _Taking:
    """The rows of all tables, collected order by order and written table by table."""

    def __init__(self, by: Actor) -> None:
        self.by = by
        self.running = audit.must_run()
        self.orders: list[Any] = []
        self.keys: dict[str, list[tuple[str, UUID]]] = {}  # system → what it calls which order
        self.operations: list[Any] = []
        self.materials: list[Any] = []
        self.reports: list[Any] = []
        self.new_order, self.new_report = light_rows(WorkOrder), light_rows(OperationReport)
        self.new_operation, self.new_material = light_rows(WorkOrderOperation), light_rows(WorkOrderMaterial)
        self.days: dict[tuple[UUID, date], datetime] = {}
        self.made: dict[tuple[UUID, UUID], _Made] = {}
        self.needs: dict[tuple[UUID, UUID, Decimal], list[engineering.Material]] = {}
        self.facts: dict[tuple[UUID, UUID], SiteFacts] = {}
        self.stores: dict[UUID, list[UUID]] = {}

    def _at(self, row: CarriedOverOrder, on: date) -> datetime:
        """The instant a local day began at the site."""
        known = self.days.get((row.site_id, on))
        return known or self.days.setdefault((row.site_id, on), start_of_day(on, site_zone(row.site_id)))

    def _order(self, row: CarriedOverOrder, status: str) -> Any:
        start_at = self._at(row, row.start_on)
        due_at = self._at(row, row.due_on + timedelta(days=1)) - timedelta(seconds=1)
        order = self.new_order(
            number=row.number, site_id=row.site_id, status=status, item_id=row.item.id, quantity=row.quantity,
            start_at=start_at, due_at=due_at, planned_start_at=start_at, planned_finish_at=due_at, released_at=start_at,
            owner_system=row.system,
        )  # fmt: skip
        self.orders.append(order)
        if row.external_key:
            self.keys.setdefault(row.system, []).append((row.external_key, order.id))
        return order

    def closed(self, row: CarriedOverOrder) -> None:
        """An order that is over: what it gave, in one report on the day it was done."""
        order = self._order(row, "closed")
        done_at = max(self._at(row, row.completed_on or row.due_on), self._at(row, row.start_on))
        order.started_at, order.completed_at, order.closed_at = order.start_at, done_at, done_at
        order.planned_finish_at = max(order.due_at, done_at)
        order.good_quantity, order.scrap_quantity = row.good_quantity, row.scrap_quantity
        operation = self.new_operation(
            work_order_id=order.id, sequence=10, name="全部工序", name_en="All operations", status="finished",
            good_quantity=row.good_quantity, scrap_quantity=row.scrap_quantity, started_at=order.start_at,
            finished_at=done_at, owner_system=row.system,
        )  # fmt: skip
        self.operations.append(operation)
        self.reports.append(
            self.new_report(
                work_order_id=order.id, operation_id=operation.id, good=row.good_quantity, scrap=row.scrap_quantity,
                scrap_reason_id=row.scrap_reason.id if row.scrap_reason else None, happened_at=done_at,
                recorded_at=self.by.now, order_id=self.running.id, owner_system=row.system,
            )
        )  # fmt: skip

    def open(self, row: CarriedOverOrder) -> None:
        """An order that is on the floor: frozen as it would be if it were made today, and released."""
        order = self._order(row, "released")
        made = self._how(row)
        order.bom_id, order.routing_id = made.bom and made.bom.id, made.routing and made.routing.id
        order.good_quantity, order.scrap_quantity = row.good_quantity, row.scrap_quantity
        last = made.operations[-1].work_center if made.operations else None
        fact = self._facts(row.site_id, [row.item.id])[0]
        order.output_location_id = (last and last.output_location_id) or fact.store_location_id
        self.operations += [
            self.new_operation(
                work_order_id=order.id, sequence=each.sequence, name=each.name, name_en=each.name_en,
                work_center_id=each.work_center_id, setup_minutes=each.setup_minutes, run_minutes=each.run_minutes,
                queue_minutes=each.queue_minutes, inspect=each.inspect, instruction=each.instruction,
                is_report_point=each.is_report_point or each is made.operations[-1], owner_system=row.system,
            )
            for each in made.operations
        ] or [self.new_operation(work_order_id=order.id, sequence=10, name="生产", name_en="Make")]  # fmt: skip
        self._take_materials(order, row, made)

    def _how(self, row: CarriedOverOrder) -> _Made:
        key = (row.site_id, row.item.id)
        if key not in self.made:
            on = local_day(row.site_id, self.by.now)
            routing = engineering.routing_in_effect(row.item.id, on, row.site_id)
            self.made[key] = _Made(
                engineering.bom_in_effect(row.item.id, on, row.site_id),
                routing,
                engineering.operations_of(routing.id) if routing is not None else [],
            )
        return self.made[key]

    def _take_materials(self, order: WorkOrder, row: CarriedOverOrder, made: _Made) -> None:
        if made.bom is None:
            return
        key = (row.site_id, row.item.id, row.quantity)
        if key not in self.needs:
            on = local_day(row.site_id, self.by.now)
            self.needs[key] = engineering.materials(row.item.id, row.quantity, on, row.site_id, made.bom)
        if row.site_id not in self.stores:
            self.stores[row.site_id] = location_ids(row.site_id, ["store"])
        needs = self.needs[key]
        facts = self._facts(row.site_id, [need.item_id for need in needs])
        centers = {each.sequence: each.work_center for each in made.operations}
        first = made.operations[0].work_center if made.operations else None
        for position, (need, fact) in enumerate(zip(needs, facts, strict=True), 1):
            center = centers.get(need.operation_sequence, first)
            self.materials.append(
                self.new_material(
                    work_order_id=order.id, position=position, item_id=need.item_id, fixed=need.fixed,
                    operation_sequence=need.operation_sequence, planned_quantity=need.quantity,
                    required_quantity=need.quantity, backflush=fact.backflush, owner_system=row.system,
                    source_id=_place(fact.backflush, center, fact.store_location_id, self.stores[row.site_id]),
                )
            )  # fmt: skip

    def _facts(self, site_id: UUID, item_ids: Sequence[UUID]) -> list[SiteFacts]:
        """How items are kept at the site, asked once for each item."""
        missing = [id for id in item_ids if (site_id, id) not in self.facts]
        if missing:
            self.facts |= {(site_id, id): fact for id, fact in site_facts(missing, site_id).items()}
        return [self.facts[(site_id, id)] for id in item_ids]

    def write(self) -> None:
        """All rows, table by table, under one entry of the audit."""
        every: list[tuple[type[Entity], Sequence[Any]]] = [
            (WorkOrder, self.orders), (WorkOrderOperation, self.operations), (WorkOrderMaterial, self.materials),
            (OperationReport, self.reports),
        ]  # fmt: skip
        for model, made in every:
            for batch in batches(made):
                insert_rows(model, model._meta.concrete_fields, batch)
        for system, keys in self.keys.items():
            set_external_ids(WorkOrder, system, keys)
        self.running.changes.append({"kind": "production.work_order", "created": len(self.orders)})
