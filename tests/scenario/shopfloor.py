"""A small shop floor for the stories of inventory, production and equipment: one site, a store, a line, four items."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access.models import Site
from lianzao.catalog.models import Item
from lianzao.engineering.commands import (
    ComponentLine,
    OperationLine,
    approve_bom,
    approve_routing,
    enter_bom,
    enter_routing,
)
from lianzao.foundation import clock, outbox, registry
from lianzao.foundation.actor import Actor, system_actor
from lianzao.foundation.command import command, run
from lianzao.foundation.entity import query
from lianzao.inventory import commands as inventory
from lianzao.inventory.models import Lot
from lianzao.inventory.queries import balance_at, rebuild_balances
from lianzao.plant.commands import set_up_site
from lianzao.plant.models import Location, WorkCenter
from lianzao.plant.queries import virtual_location
from lianzao.production import commands as production
from lianzao.production.models import ScrapReason, WorkOrder, WorkOrderOperation
from lianzao.values.reference import Ref
from lianzao.values.time import uuid7

D = Decimal
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


@command(hidden=True)
def make_floor_site(by: Actor, *, code: str, time_zone: str) -> Site:
    """Make a site for these tests."""
    site = Site(code=code, name=code, time_zone=time_zone)
    site.save()
    return site


class Floor:
    """Steel (lots, expires) and screws (no lots) become bodies (lots), bodies become pumps (lots) in two operations."""

    def __init__(self) -> None:
        registry.load()
        clock.freeze(NOW)
        system = system_actor("the shop floor's tests")
        self.site_id: UUID = make_floor_site(system, code="SH", time_zone="Asia/Shanghai").id
        self.by = system_actor("the shop floor's tests", site=self.site_id)
        set_up_site(self.by, site_id=self.site_id)
        self.piece = run(self.by, "catalog.create_unit", {"code": "pc", "name": "件"})
        self.store = self.location("STORE", "store")
        self.line = self.location("LINE", "line")
        self.out = self.location("OUT", "store")
        self.quarantine = self.location("QUAR", "quarantine")
        self.steel = self.item("STEEL", "buy", tracking="lot", shelf_life_days=30, step="0.001", cost="2")
        self.screw = self.item("SCREW", "buy", cost="0.1")
        self.body = self.item("BODY", "make", tracking="lot", cost="10")
        self.pump = self.item("PUMP", "make", tracking="lot", cost="50")
        self.scratched: ScrapReason = run(self.by, "production.create_scrap_reason", {"code": "SCR", "name": "划伤"})

    def location(self, code: str, kind: str) -> Location:
        body = {"code": code, "name": code, "site_id": str(self.site_id), "location_kind": kind}
        return run(self.by, "plant.create_location", body)

    def item(self, code: str, supply: str, *, cost: str = "0", backflush: bool = True, **more: object) -> Item:
        body = {"code": code, "name": code, "base_unit": str(self.piece.id), "supply": supply, **more}
        item: Item = run(self.by, "catalog.create_item", body)
        site = {
            "item": str(item.id),
            "site_id": str(self.site_id),
            "standard_cost": cost,
            "backflush": backflush,
            "store_location_id": str(self.store.id),
        }
        run(self.by, "catalog.create_item_site", site)
        return item

    def center(self, code: str, **more: object) -> WorkCenter:
        body = {
            "code": code,
            "name": code,
            "site_id": str(self.site_id),
            "line_location": str(self.line.id),
            "output_location": str(self.out.id),
            **more,
        }
        return run(self.by, "plant.create_work_center", body)

    def engineer(self) -> None:
        """Body = 2 steel + 4 screws, one operation. Pump = 1 body + 6 screws, cut then fit (the screws at fitting)."""
        self.cutting, self.fitting = self.center("CUT"), self.center("FIT")
        self._bom(self.body, [(self.steel, "2", 10), (self.screw, "4", 10)])
        self._bom(self.pump, [(self.body, "1", 10), (self.screw, "6", 20)])
        self._routing(self.body, [(10, self.cutting)])
        self._routing(self.pump, [(10, self.cutting), (20, self.fitting)])

    def _bom(self, item: Item, lines: list[tuple[Item, str, int]]) -> None:
        rows = [
            ComponentLine(component=component, quantity_per=D(per), operation_sequence=sequence)
            for component, per, sequence in lines
        ]
        approve_bom(self.by, bom=enter_bom(self.by, item=item, revision="A", lines=rows))

    def _routing(self, item: Item, operations: list[tuple[int, WorkCenter]]) -> None:
        rows = [
            OperationLine(sequence=sequence, name=center.code, work_center=center, run_minutes=D(1))
            for sequence, center in operations
        ]
        approve_routing(self.by, routing=enter_routing(self.by, item=item, revision="A", operations=rows))

    def lot(self, item: Item, number: str, **more: Any) -> Lot:
        return inventory.make_lot(self.by, item=item, number=number, site_id=self.site_id, **more)

    def receive(self, item: Item, quantity: str, to: Location, lot: Lot | None = None, cause: Ref | None = None) -> Ref:
        """Goods of a supplier arrive; returns the receipt they came with."""
        receipt = cause or Ref("procurement.goods_receipt", uuid7())
        line = inventory.MoveLine(
            item.id, D(quantity), self.virtual("supplier"), to.id, None if lot is None else lot.id
        )
        inventory.post_moves(self.by, moves=[line], cause=receipt)
        return receipt

    def ship(self, item: Item, quantity: str, place: Location, lot: Lot | None) -> Ref:
        shipment = Ref("logistics.shipment", uuid7())
        line = inventory.MoveLine(item.id, D(quantity), place.id, self.virtual("customer"), lot.id if lot else None)
        inventory.post_moves(self.by, moves=[line], cause=shipment)
        return shipment

    def virtual(self, kind: str) -> UUID:
        return virtual_location(self.site_id, kind)

    def at(self, item: Item, place: Location, lot: Lot | None = None) -> Decimal:
        return balance_at(item.id, place.id, None if lot is None else lot.id)

    def order(self, item: Item, quantity: str, *, release: bool = True) -> WorkOrder:
        due = NOW.replace(day=20)
        order = production.create_work_order(self.by, item=item, quantity=D(quantity), due_at=due)
        return production.release_work_order(self.by, work_order=order) if release else order

    def operation(self, order: WorkOrder, sequence: int = 10) -> WorkOrderOperation:
        return WorkOrderOperation.objects.get(work_order=order, sequence=sequence)

    def report(
        self, order: WorkOrder, sequence: int, good: str, scrap: str = "0", *, tap: UUID | None = None, **more: Any
    ) -> Any:
        reason = self.scratched if D(scrap) else None
        return production.report_operation.ordered(tap)(
            self.by,
            operation=self.operation(order, sequence),
            good=D(good),
            scrap=D(scrap),
            scrap_reason=reason,
            **more,
        )

    def settle(self) -> None:
        """Let the workers do all that is due and not delayed."""
        while outbox.work_once():
            pass

    def prove(self) -> None:
        """Matter is a ledger: balances are the sums of moves, and per item everything adds up to nothing."""
        assert rebuild_balances() == []
        sums = query(
            "SELECT item_id, sum(quantity) FROM (SELECT item_id, quantity FROM inventory_move"
            " UNION ALL SELECT item_id, -quantity FROM inventory_move) ends GROUP BY item_id HAVING sum(quantity) <> 0"
        )
        assert sums == []
        assert query("SELECT 1 FROM inventory_balance WHERE quantity < 0") == []
