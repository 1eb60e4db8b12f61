"""A small trading plant for the stories of commerce: one site, three items, suppliers, customers, a carrier."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access.models import Site
from lianzao.catalog.models import Item
from lianzao.foundation import clock, packing, registry
from lianzao.foundation.actor import Actor, system_actor
from lianzao.foundation.command import command, run
from lianzao.foundation.entity import query
from lianzao.foundation.outbox import EventRow
from lianzao.inventory import commands as inventory
from lianzao.inventory.models import Lot
from lianzao.inventory.queries import balance_at, rebuild_balances
from lianzao.parties.models import Party
from lianzao.plant.commands import set_up_site
from lianzao.plant.models import Location
from lianzao.plant.queries import virtual_location
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import PurchaseOrder, ScheduleLine
from lianzao.sales import commands as sales
from lianzao.sales.models import SalesOrder, SalesOrderLine
from lianzao.values.reference import Ref
from lianzao.values.time import uuid7

D = Decimal
#: Monday, 2 March 2026, ten o'clock in Shanghai.
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)


def day(number: int) -> date:
    """A day of March 2026."""
    return date(2026, 3, number)


@command(hidden=True)
def make_trading_site(by: Actor, *, code: str) -> Site:
    """Make a site for these tests."""
    site = Site(code=code, name=code, time_zone="Asia/Shanghai", currency="CNY")
    site.save()
    return site


class Trade:
    """Steel (lots, inspected on receipt) and screws (no lots) are bought; pumps (lots) are sold in boxes of 4."""

    def __init__(self) -> None:
        registry.load()
        clock.freeze(NOW)
        self.site: Site = make_trading_site(system_actor("tests of trade"), code="SH")
        self.site_id: UUID = self.site.id
        self.by = system_actor("tests of trade", site=self.site_id)
        set_up_site(self.by, site_id=self.site_id)
        self.piece = self.make("catalog.unit", code="pc", name="件")
        self.box = self.make("catalog.unit", code="box", name="箱")
        self.receiving = self.location("RCV", "receiving")
        self.store = self.location("STORE", "store")
        self.shipping = self.location("SHIP", "shipping")
        self.steel = self.item("STEEL", tracking="lot", cost="2", inspect=True, step="0.001")
        self.screw = self.item("SCREW", cost="0.1")
        self.pump = self.item("PUMP", tracking="lot", cost="50", weight_kg="2.5")
        self.make("catalog.unit_conversion", item=self.pump, from_unit=self.box, to_unit=self.piece, factor="4")
        self.mill = self.party("MILL", is_supplier=True, currency="CNY")
        self.forge = self.party("FORGE", is_supplier=True, currency="USD")
        self.dealer = self.party("DEALER", is_customer=True, transit_days=2)
        self.builder = self.party("BUILDER", is_customer=True)
        self.truck = self.party("TRUCK", is_carrier=True)
        self.make(
            "procurement.supplier_item",
            supplier=self.mill,
            item=self.steel,
            price="2.5",
            minimum="100",
            multiple="50",
            lead_time_days=7,
            over_percent="5",
            supplier_code="M-77",
        )

    # -- masters --------------------------------------------------------------------------------------------------

    def make(self, kind: str, **body: Any) -> Any:
        room, _, entity = kind.partition(".")
        plain = {
            name: str(getattr(value, "id", value)) if hasattr(value, "id") else value for name, value in body.items()
        }
        return run(self.by, f"{room}.create_{entity}", plain)

    def location(self, code: str, kind: str) -> Location:
        return self.make("plant.location", code=code, name=code, site_id=str(self.site_id), location_kind=kind)

    def item(self, code: str, *, cost: str, inspect: bool = False, **more: Any) -> Item:
        item = self.make("catalog.item", code=code, name=code, base_unit=self.piece, supply="buy", **more)
        self.make(
            "catalog.item_site", item=item, site_id=str(self.site_id), standard_cost=cost, inspect_on_receipt=inspect
        )
        return item

    def party(self, code: str, **more: Any) -> Party:
        return self.make("parties.party", code=code, name=code, **more)

    # -- people ---------------------------------------------------------------------------------------------------

    def partner(self, party: Party, *rights: str) -> Actor:
        """Somebody who logs in for a partner, with just these rights."""
        return Actor(
            id=uuid7(),
            name=party.code,
            kind="partner",
            sites=frozenset({self.site_id}),
            partner=party.id,
            rights=frozenset(rights),
            site=self.site_id,
        )

    def with_rights(self, *rights: str) -> Actor:
        return replace(self.by, id=uuid7(), kind="person", rights=frozenset(rights), memory={})

    # -- what happened --------------------------------------------------------------------------------------------

    def news(self, name: str) -> list[dict[str, Any]]:
        """The facts of every piece of news of a name, the first one first."""
        rows = EventRow.objects.filter(name__endswith=f".{name}").order_by("id").values_list("payload", flat=True)
        return [packing.loads(row) if isinstance(row, str) else row for row in rows]

    def later(self, **by: int) -> datetime:
        """Let time pass."""
        clock.advance(timedelta(**by))
        return clock.now()

    def at(self, item: Item, place: Location, lot: Lot | None = None) -> Decimal:
        return balance_at(item.id, place.id, None if lot is None else lot.id)

    def stock(self, item: Item, quantity: str, place: Location, number: str = "", **more: Any) -> Lot | None:
        """Goods that are simply there."""
        lot = inventory.make_lot(self.by, item=item, number=number, site_id=self.site_id, **more) if number else None
        source = virtual_location(self.site_id, "opening")
        line = inventory.MoveLine(item.id, D(quantity), source, place.id, None if lot is None else lot.id)
        inventory.post_moves(self.by, moves=[line], cause=Ref("tests.opening", uuid7()))
        return lot

    def sell(self, *lines: sales.OrderLine, confirmed: bool = True, **more: Any) -> SalesOrder:
        order = sales.enter_order(
            self.by, customer=more.pop("customer", self.dealer), lines=list(lines), requested_on=day(20), **more
        )
        return sales.confirm_order(self.by, order=order) if confirmed else order

    def line(self, order: SalesOrder, sequence: int = 1) -> SalesOrderLine:
        return order.lines.select_related("order", "item").get(sequence=sequence)

    def buy(self, quantity: str, on: date, *, item: Item | None = None, sent: bool = True) -> PurchaseOrder:
        order = procurement.enter_purchase_order(
            self.by, supplier=self.mill, lines=[procurement.PurchaseLine(item or self.steel, D(quantity), on)]
        )
        return procurement.send_order(self.by, order=order) if sent else order

    def schedule(self, order: PurchaseOrder) -> list[ScheduleLine]:
        rows = ScheduleLine.objects.select_related("line__order", "line__item").filter(line__order=order)
        return list(rows.order_by("line__sequence", "sequence"))

    def prove(self) -> None:
        """Matter is a ledger: balances are the sums of moves, and per item everything adds up to nothing."""
        assert rebuild_balances() == []
        sums = query(
            "SELECT item_id FROM (SELECT item_id, quantity FROM inventory_move"
            " UNION ALL SELECT item_id, -quantity FROM inventory_move) sides GROUP BY item_id HAVING sum(quantity) <> 0"
        )
        assert sums == []
