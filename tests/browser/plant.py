"""The plant of stories with doors for people: passwords, badges, a terminal; one order that late steel would hurt."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from lianzao.access import commands as access
from lianzao.access.models import Person, Role
from lianzao.catalog.models import ItemSite
from lianzao.flows.order_to_delivery import ship_order
from lianzao.foundation import clock
from lianzao.logistics.models import Shipment
from lianzao.production import commands as production
from lianzao.production.models import WorkOrder
from lianzao.sales.models import SalesOrder
from tests.world import NOW, House, day

PASSWORD = "correct-horse-9"
BADGES = {"operator": ("LZ-OP-001", "4816"), "lead": ("LZ-LD-001", "7093")}
NAMES = {
    "planner": ("林计划", "Lin Planner"),
    "sales": ("苏晓", "Su Xiao"),
    "buyer": ("白鹏", "Bai Peng"),
    "warehouse": ("王仓", "Wang Cang"),
    "operator": ("高强", "Gao Qiang"),
    "quality": ("齐真", "Qi Zhen"),
    "lead": ("李班长", "Li Lead"),
    "mill": ("钱钢", "Qian Gang"),
    "acme": ("冯磊", "Feng Lei"),
}


class Plant(House):
    """The house of stories on the shared clock, so that the product's own processes live in the same week."""

    #: At work: bodies to cut today, and the order that late steel would hurt; in a busy plant, what is to leave.
    today: WorkOrder
    sold: SalesOrder
    shipment: Shipment

    def __init__(self, *, stands: bool = False) -> None:
        super().__init__(stands=stands)
        if not stands:
            self._doors()
            self._inspection()
        today = WorkOrder.objects.filter(item__code="BODY", quantity=60).first()
        if today is not None:
            self.today = today
            self.sold = SalesOrder.objects.get(lines__quantity=100)
        shipment = Shipment.objects.first()
        if shipment is not None:
            self.shipment = shipment

    def _doors(self) -> None:
        admin = access.create_person(self.system, login="admin", name="系统管理员", name_en="Ada Admin")
        access.assign_role(self.system, person=admin, role=Role.objects.get(code="administrator"))
        for person in Person.objects.exclude(login=""):
            name, name_en = NAMES.get(person.login, (person.name, ""))
            access.change_person(self.system, person=person, name=name, name_en=name_en)
            person = access.set_password(self.system, person=person, password=PASSWORD)
            if person.login in BADGES:
                badge, pin = BADGES[person.login]
                access.set_badge(self.system, person=person, badge=badge, pin=pin)
        access.register_station(
            self.system,
            code="CUT",
            name="下料工位",
            name_en="Cutting",
            site=self.site,
            work_center_id=self.center("CUT").id,
        )

    def steel_comes_in_bundles(self, of: int) -> None:
        """Steel is bought in whole bundles only, so that there is some more than the plan needs."""
        rules = ItemSite.objects.get(item__code="STEEL")
        self.make("catalog.change_item_site", item_site=rules.id, lot_multiple=str(of))

    def go_to_work(self) -> None:
        """Bodies to cut today from steel that lies at the line, and an order that waits for steel on its way."""
        self.opening("STEEL", "120", "LINE", lot="STEEL-L1")
        now = self.by("planner").now
        today: WorkOrder = production.create_work_order(
            self.by("planner"), item=self.item("BODY"), quantity=Decimal(60), due_at=now + timedelta(hours=6), firm=True
        )
        self.settle()
        production.release_work_order(self.by("lead"), work_order=today)
        self.settle()
        self.order("ACME", "100", day(20))
        self.accept_all()
        self.buy_all()
        for each in WorkOrder.objects.filter(item__code="BODY", status="planned"):
            production.release_work_order(self.by("lead"), work_order=each)
        self.settle()

    def _inspection(self) -> None:
        """Steel is measured on receipt: three times its thickness."""
        plan = self.make(
            "quality.create_inspection_plan",
            code="IP-STEEL",
            name="钢材来料",
            name_en="Steel on receipt",
            item=self.item("STEEL").id,
            point="receipt",
            sample_pieces=3,
        )
        self.make(
            "quality.create_characteristic",
            plan=plan.id,
            sequence=10,
            name="厚度",
            name_en="Thickness",
            unit="mm",
            target="12",
            lower="11.8",
            upper="12.2",
            mandatory=True,
            samples=3,
        )

    def sell_more(self) -> None:
        """A second customer's order, bought for and not confirmed by the suppliers yet."""
        self.order("ZETA", "20", day(28))
        self.accept_all()
        self.buy_all(confirm=False)
        self._ready_to_leave()

    def _ready_to_leave(self) -> None:
        """Five pumps lie in the store, and are to leave for their customer."""
        self.opening("PUMP", "5", lot="PUMP-L1")
        self.shipment = ship_order(self.by("logistics"), order=self.order("ACME", "5", day(3)))
        self.settle()

    def open_the_doors(self) -> None:
        """From now on the clock is the shared one, and runs."""
        clock.freeze(None)
        clock.set_virtual(NOW, 1.0)
