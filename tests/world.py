"""A small plant for stories: pumps from bodies from steel, two suppliers, two customers, four work centers, people.

It is Monday, 2 March 2026, 08:00 in Shanghai. Everything is made by public commands, as the product's own people would.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.db.models import Sum

from lianzao.access import commands as access
from lianzao.access.models import Role, Site
from lianzao.access.queries import actor_for
from lianzao.catalog.models import Item, Unit
from lianzao.engineering import commands as engineering
from lianzao.foundation import audit, clock, outbox, rebuild, registry
from lianzao.foundation.actor import Actor, system_actor
from lianzao.foundation.command import run
from lianzao.inventory import commands as inventory
from lianzao.inventory.models import Lot, Move
from lianzao.inventory.queries import on_hand, rebuild_balances
from lianzao.parties.models import Party
from lianzao.planning import commands as planning
from lianzao.planning.models import Outlook, PlanRun
from lianzao.plant import commands as plant
from lianzao.plant.models import Calendar, Location, Machine, WorkCenter
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import PurchaseOrder, PurchaseRequisition, ScheduleLine
from lianzao.sales import commands as sales
from lianzao.sales.models import SalesOrder, SalesOrderLine
from tests.conftest import close_connections, use_database
from tests.databases import TestGround

D = Decimal
NOW = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
PEOPLE = {
    "planner": "planner",
    "sales": "sales",
    "buyer": "buyer",
    "warehouse": "warehouse",
    "operator": "operator",
    "quality": "quality",
    "lead": "lead",
    "maintenance": "maintenance",
    "logistics": "logistics",
}


def day(number: int, month: int = 3) -> date:
    """A day of 2026."""
    return date(2026, month, number)


class House:
    """The plant, and short ways to talk to it."""

    site: Site
    site_id: UUID
    system: Actor
    pieces: Unit

    def __init__(self, *, stands: bool = False) -> None:
        """Build the plant, or, if it `stands` in this database already, just come in."""
        registry.load()
        clock.freeze(NOW)
        system = system_actor("the house of stories")
        if stands:
            self.site = Site.objects.get(code="SH")
            self.site_id = self.site.id
            self.system = system_actor("the house of stories", site=self.site_id)
            self.pieces = Unit.objects.get(code="pcs")
            return
        access.set_up_roles(system)
        self.site = run(
            system,
            "access.create_site",
            {"code": "SH", "name": "上海厂", "name_en": "Shanghai", "time_zone": "Asia/Shanghai", "currency": "CNY"},
        )
        self.site_id = self.site.id
        self.system = system_actor("the house of stories", site=self.site_id)
        plant.set_up_site(self.system, site_id=self.site_id)
        planning.set_up_policies(self.system, site=self.site)
        self._partners()
        self._people()
        self._places()
        self._items()
        self._engineering()

    # -- building ---------------------------------------------------------------------------------------------------

    def make(self, command: str, **body: Any) -> Any:
        """Carry out a generic command as the system."""
        plain = {name: str(value) if isinstance(value, UUID) else value for name, value in body.items()}
        return run(self.system, command, {name: _id(value) for name, value in plain.items()})

    def _partners(self) -> None:
        rows = [
            ("MILL", "华东钢厂", "East Mill", {"is_supplier": True}),
            ("BOLT", "精工紧固件", "Bolt Works", {"is_supplier": True}),
            ("ACME", "远景动力", "Acme Power", {"is_customer": True, "tier": 1}),
            ("ZETA", "星驰汽车", "Zeta Cars", {"is_customer": True, "tier": 2}),
            ("TRUCK", "顺达物流", "Truck Co", {"is_carrier": True}),
        ]
        for code, name, name_en, more in rows:
            self.make("parties.create_party", code=code, name=name, name_en=name_en, currency="CNY", **more)

    def _people(self) -> None:
        for login, role in PEOPLE.items():
            person = access.create_person(self.system, login=login, name=login, password=None)
            access.assign_role(self.system, person=person, role=Role.objects.get(code=role), site=self.site)
        for login, role, party in (("mill", "supplier", "MILL"), ("acme", "customer", "ACME")):
            person = access.create_person(self.system, login=login, name=login, partner_id=self.party(party).id)
            access.assign_role(self.system, person=person, role=Role.objects.get(code=role))

    def _places(self) -> None:
        calendar: Calendar = self.make("plant.create_calendar", code="DAY", name="白班")
        from datetime import time

        plant.set_shifts(
            self.system,
            calendar=calendar,
            shifts=[plant.ShiftHours(weekday, time(8), time(20), "白班") for weekday in range(6)],
        )
        for code, kind in (
            ("RECV", "receiving"),
            ("STORE", "store"),
            ("LINE", "line"),
            ("FG", "store"),
            ("SHIP", "shipping"),
            ("QUAR", "quarantine"),
        ):
            self.make("plant.create_location", code=code, name=code, site_id=self.site_id, location_kind=kind)
        for code in ("CUT", "MACHINE", "ASSEMBLE", "TEST"):
            center = self.make(
                "plant.create_work_center",
                code=code,
                name=code,
                site_id=self.site_id,
                calendar=calendar.id,
                line_location=self.location("LINE").id,
                output_location=self.location("FG").id,
            )
            self.make("plant.create_machine", code=f"{code}-1", name=f"{code} 1", work_center=center.id)
        self.make("production.create_scrap_reason", code="SCR", name="划伤", name_en="Scratched")
        self.make("equipment.create_stop_reason", code="BRK", name="故障", name_en="Breakdown")

    def _items(self) -> None:
        self.pieces = self.make("catalog.create_unit", code="pcs", name="件", name_en="piece")
        for code, supply, tracking, cost, more in (
            ("PUMP", "make", "lot", "120", {"safety": "0"}),
            ("BODY", "make", "lot", "40", {}),
            ("STEEL", "buy", "lot", "8", {"inspect": True}),
            ("SCREW", "buy", "none", "0.2", {}),
            ("MOTOR", "buy", "lot", "45", {}),
        ):
            item = self.make(
                "catalog.create_item",
                code=code,
                name=code,
                base_unit=self.pieces.id,
                supply=supply,
                tracking=tracking,
                step="1",
            )
            self.make(
                "catalog.create_item_site",
                item=item.id,
                site_id=self.site_id,
                standard_cost=cost,
                lead_time_days=5 if supply == "buy" else 0,
                store_location_id=self.location("STORE" if supply == "buy" else "FG").id,
                backflush=True,
                inspect_on_receipt=bool(more.get("inspect")),
            )
        for item, supplier, price, days in (
            ("STEEL", "MILL", "8", 7),
            ("SCREW", "BOLT", "0.2", 3),
            ("MOTOR", "BOLT", "45", 5),
        ):
            self.make(
                "procurement.create_supplier_item",
                item=self.item(item).id,
                supplier=self.party(supplier).id,
                price=price,
                currency="CNY",
                lead_time_days=days,
                preferred=True,
            )

    def _engineering(self) -> None:
        def bill(item: str, *lines: tuple[str, str, int]) -> None:
            engineering.enter_bom(
                self.system,
                item=self.item(item),
                revision="A",
                approve=True,
                lines=[
                    engineering.ComponentLine(component=self.item(code), quantity_per=D(per), operation_sequence=at)
                    for code, per, at in lines
                ],
            )

        def route(item: str, *steps: tuple[int, str, str, bool]) -> None:
            engineering.enter_routing(
                self.system,
                item=self.item(item),
                revision="A",
                approve=True,
                operations=[
                    engineering.OperationLine(
                        sequence=sequence,
                        name=center,
                        work_center=self.center(center),
                        run_minutes=D(run),
                        inspect=inspect,
                    )
                    for sequence, center, run, inspect in steps
                ],
            )

        bill("BODY", ("STEEL", "2", 10))
        bill("PUMP", ("BODY", "1", 10), ("SCREW", "6", 20), ("MOTOR", "1", 20))
        route("BODY", (10, "CUT", "1", False))
        route("PUMP", (10, "MACHINE", "2", False), (20, "ASSEMBLE", "3", False), (30, "TEST", "1", True))

    # -- names ------------------------------------------------------------------------------------------------------

    def by(self, login: str) -> Actor:
        """A person of the plant, at its site."""
        return actor_for(login, site=None if login in ("mill", "acme") else self.site_id)

    def item(self, code: str) -> Item:
        """An item by code."""
        return Item.objects.select_related("base_unit").get(code=code)

    def party(self, code: str) -> Party:
        """A party by code."""
        return Party.objects.get(code=code)

    def location(self, code: str) -> Location:
        """A location by code."""
        return Location.objects.get(code=code)

    def center(self, code: str) -> WorkCenter:
        """A work center by code."""
        return WorkCenter.objects.get(code=code)

    def machine(self, code: str) -> Machine:
        """A machine by code."""
        return Machine.objects.get(code=code)

    # -- time and news ----------------------------------------------------------------------------------------------

    def at(self, text: str) -> None:
        """Set the plant's clock, local time."""
        clock.freeze(datetime.fromisoformat(f"{text}:00+08:00").astimezone(UTC))

    def advance(self, **by: float) -> None:
        """Let the plant's clock go on."""
        clock.advance(timedelta(**by))

    def settle(self) -> None:
        """Carry out all news until it is quiet, without waiting for the windows in which news is gathered."""
        queues = sorted({handler.queue for handler in registry.HANDLERS.values()})
        for _ in range(60):
            outbox.Delivery.objects.filter(status="pending", attempts=0).update(due_at=datetime(2020, 1, 1, tzinfo=UTC))
            if not outbox.work_once(queues):
                return
        raise AssertionError("the news does not come to rest")

    # -- short ways -------------------------------------------------------------------------------------------------

    def stock(self, code: str) -> Decimal:
        """What of an item is usable at the site."""
        item = self.item(code)
        found = on_hand(self.site_id, [item.id])
        return found[item.id].usable if item.id in found else D(0)

    def opening(self, code: str, quantity: str, place: str = "STORE", lot: str = "") -> Lot | None:
        """Stock to begin with."""
        item = self.item(code)
        made = None
        if item.tracking == "lot":
            made = inventory.make_lot(self.system, item=item, number=lot or f"{code}-0", site_id=self.site_id)
        inventory.open_balance(
            self.system,
            lines=[inventory.Opening(location=self.location(place), item=item, quantity=D(quantity), lot=made)],
        )
        return made

    def order(
        self,
        customer: str,
        quantity: str,
        due: date,
        *,
        promised: date | None = None,
        item: str = "PUMP",
        priority: int = 50,
    ) -> SalesOrder:
        """A confirmed order."""
        order = sales.enter_order(
            self.by("sales"),
            customer=self.party(customer),
            requested_on=due,
            priority=priority,
            lines=[sales.OrderLine(item=self.item(item), quantity=D(quantity), price=D(300))],
        )
        sales.confirm_order(self.by("sales"), order=order, promised_on=promised or due)
        self.settle()
        return SalesOrder.objects.get(pk=order.id)

    def line(self, order: SalesOrder) -> SalesOrderLine:
        """An order's only line, as it stands."""
        return SalesOrderLine.objects.get(order=order)

    def projected(self, order: SalesOrder) -> datetime:
        """When the plan says an order's only line will be delivered."""
        at = self.line(order).projected_at
        assert at is not None
        return at

    def plan(self, why: str = "a story") -> PlanRun:
        """Plan the site from nothing but the facts, and let the news of it settle."""
        run_ = planning.plan_site(self.by("planner"), site=self.site, why=why)
        self.settle()
        return PlanRun.objects.get(pk=run_.id)

    def accept_all(self) -> None:
        """The planner accepts every planned order."""
        from lianzao.planning.models import Proposal

        open_ones = list(Proposal.objects.filter(status="open"))
        if open_ones:
            planning.accept_proposals(self.by("planner"), proposals=open_ones)
        self.settle()

    def buy_all(self, *, confirm: bool = True) -> list[PurchaseOrder]:
        """The buyer orders every requisition from its supplier and sends it; the supplier confirms the wished days."""
        buyer = self.by("buyer")
        waiting: dict[UUID, list[PurchaseRequisition]] = {}
        for each in PurchaseRequisition.objects.filter(status__in=("raised", "approved")):
            if each.status == "raised":
                procurement.approve_requisition(buyer, requisition=each)
            assert each.supplier_id is not None
            waiting.setdefault(each.supplier_id, []).append(each)
        made: list[PurchaseOrder] = []
        for supplier, requisitions in waiting.items():
            order = procurement.order_requisitions(
                buyer, requisitions=requisitions, supplier=Party.objects.get(pk=supplier)
            )
            procurement.send_order(buyer, order=PurchaseOrder.objects.get(pk=order.id))
            made.append(PurchaseOrder.objects.get(pk=order.id))
        self.settle()
        if confirm:
            for each in ScheduleLine.objects.filter(line__order__in=made):
                procurement.confirm_schedule(self.by("buyer"), schedule_line=each, confirmed_on=each.required_on)
            self.settle()
        return made

    def schedule(self, item: str) -> ScheduleLine:
        """The open delivery of an item, the first one."""
        return (
            ScheduleLine.objects.filter(line__item__code=item)
            .exclude(status__in=("received", "cancelled"))
            .order_by("id")[0]
        )

    # -- proof ------------------------------------------------------------------------------------------------------

    def prove(self) -> None:
        """Balances, outlooks and deliveries are what the facts say, from scratch."""
        assert rebuild_balances() == []
        for item in Move.objects.values_list("item_id", flat=True).distinct():
            moved = Move.objects.filter(item_id=item)
            by_place: dict[UUID, Decimal] = {}
            for name, sign in (("target_id", 1), ("source_id", -1)):
                for place, total in moved.values_list(name).annotate(total=Sum("quantity")):
                    by_place[place] = by_place.get(place, D(0)) + sign * total
            assert sum(by_place.values()) == 0
        for check in rebuild.CHECKS.values():
            assert list(check.find()) == [], check.name
        assert not outbox.Delivery.objects.filter(status="parked").exists()
        assert not outbox.Delivery.objects.filter(status="pending").exists()
        before = {each.demand_id: (each.projected_at, each.short_quantity) for each in Outlook.objects.all()}
        planning.plan_site(self.system, site=self.site, why="proof")
        after = {each.demand_id: (each.projected_at, each.short_quantity) for each in Outlook.objects.all()}
        assert after == before
        self.settle()

    def story(self, order_id: UUID) -> list[str]:
        """A cause chain as lines, indented by depth."""
        return [
            "  " * step.depth + step.command + "".join(f" → {told['event']}" for told in step.news)
            for step in audit.story(order_id)
        ]


def _id(value: Any) -> Any:
    return str(value.id) if hasattr(value, "id") else value


_built: dict[int, str] = {}


def _template(ground: TestGround) -> str:
    """A database in which the plant stands, built once in a test session; every test gets a copy of its own."""
    if id(ground) not in _built:
        name = ground.clone()
        use_database(ground, name)
        House().settle()
        close_connections()
        ground.shut(name)
        _built[id(ground)] = name
    return _built[id(ground)]


@pytest.fixture
def house(
    request: pytest.FixtureRequest, test_ground: TestGround, django_db_setup: None, django_db_blocker: Any
) -> Iterator[House]:
    """The plant in a database of its own, where everything really commits."""
    if {"db", "fresh_database"} & set(request.fixturenames):
        pytest.fail("the house brings its own database", pytrace=False)
    before = str(connections.databases["default"]["NAME"])
    name = ""
    try:
        with django_db_blocker.unblock():
            name = test_ground.clone(_template(test_ground))
            use_database(test_ground, name)
            yield House(stands=True)
            close_connections()
    finally:
        clock.freeze(None)
        use_database(test_ground, before)
        if name:
            test_ground.drop(name)
