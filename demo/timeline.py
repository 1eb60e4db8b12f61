"""What happened in the plant before it opens to visitors, day by day, from the files of demo/data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from demo import crew, floor, office
from demo.masters import Masters
from demo.reading import Days, document, grouped, table
from demo.scene import Scene
from demo.settling import settle
from lianzao.flows import order_to_delivery
from lianzao.foundation import clock
from lianzao.logistics import commands as logistics
from lianzao.logistics.models import MilestoneKind
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import Asn, ScheduleLine
from lianzao.production import commands as production
from lianzao.production.models import WorkOrder
from lianzao.quality.models import Inspection
from lianzao.sales import commands as sales

D = Decimal


@dataclass
class Timeline:
    """Steps at their instants. Papers are remembered by the reference the files call them by."""

    masters: Masters
    days: Days
    steps: list[tuple[datetime, int, Callable[[Scene], None]]] = field(default_factory=list)
    papers: dict[str, Any] = field(default_factory=dict)

    def at(self, when: datetime, act: Callable[[Scene], None]) -> None:
        """Plan a step."""
        self.steps.append((when, len(self.steps), act))

    def scene(self, now: datetime) -> Scene:
        """A moment with everybody's usual habits."""
        return Scene(self.masters.site_id, now, timedelta(hours=1), document("people")["habits"])

    def play(self, until: datetime) -> None:
        """Carry out what is due until an instant, each step at its own; news is worked off in between."""
        due = sorted(step for step in self.steps if step[0] < until)
        self.steps = [step for step in self.steps if step[0] >= until]
        for when, _, act in due:
            clock.freeze(when)
            act(self.scene(when))
            settle(plan=False)

    # -- purchases ----------------------------------------------------------------------------------------------------

    def purchases(self) -> None:
        """Purchase orders: ordered, confirmed, announced, received."""
        for ref, rows in grouped(table("purchases"), "ref").items():
            first, day = rows[0], int(rows[0]["ordered"])
            self.at(self.days.at(day, "11:00"), self._order(ref, rows))
            if first["confirmed"]:
                self.at(self.days.at(day + 1, "14:00"), self._confirm(ref, rows))
            if first["announced"]:
                self.at(self.days.at(first["announced"], "16:00"), self._announce(ref, rows))
            if first["slip"]:
                self.at(self.days.at(-2, "16:30"), self._slip(ref, first))
            if first["received"]:
                arrives = self.days.moment(first["eta"])
                self.at(arrives + timedelta(minutes=25), self._receive(ref, first))

    def _order(self, ref: str, rows: list[dict[str, str]]) -> Callable[[Scene], None]:
        def act(scene: Scene) -> None:
            lines = [
                procurement.PurchaseLine(
                    self.masters.items[row["item"]], D(row["quantity"]), self.days.day(row["required"])
                )
                for row in rows
            ]
            order = procurement.enter_purchase_order(
                scene.actor("buyer"), supplier=self.masters.parties[rows[0]["supplier"]], lines=lines
            )
            self.papers[ref] = procurement.send_order(scene.actor("buyer"), order=order)

        return act

    def _schedule(self, ref: str) -> list[ScheduleLine]:
        rows = ScheduleLine.objects.filter(line__order=self.papers[ref])
        return list(rows.select_related("line__order__supplier", "line__item").order_by("line__sequence"))

    def _confirm(self, ref: str, rows: list[dict[str, str]]) -> Callable[[Scene], None]:
        def act(scene: Scene) -> None:
            voice = scene.voice_of(self.papers[ref].supplier_id, "buyer")
            for row, line in zip(rows, self._schedule(ref), strict=True):
                procurement.confirm_schedule(
                    voice, schedule_line=line, confirmed_on=self.days.day(row["confirmed"])
                )  # fmt: skip

        return act

    def _announce(self, ref: str, rows: list[dict[str, str]]) -> Callable[[Scene], None]:
        def act(scene: Scene) -> None:
            voice = scene.voice_of(self.papers[ref].supplier_id, "buyer")
            lines = [
                office.announced(line, scene.today, row["lot"])
                for row, line in zip(rows, self._schedule(ref), strict=True)
            ]
            self.papers[f"{ref} asn"] = procurement.announce_shipment(
                voice,
                purchase_order=self.papers[ref],
                lines=lines,
                eta_at=self.days.moment(rows[0]["eta"]),
                carrier=self.masters.parties["T-STW"],
                delivery_note=f"DN-{ref[1:]}-{rows[0]['supplier'][2:]}",
            )

        return act

    def _slip(self, ref: str, row: dict[str, str]) -> Callable[[Scene], None]:
        def act(scene: Scene) -> None:
            voice = scene.voice_of(self.papers[ref].supplier_id, "buyer")
            for line in self._schedule(ref):
                procurement.change_expected(
                    voice,
                    schedule_line=line,
                    expected_on=self.days.day(row["slip"]),
                    reason="模具维修 die under repair",
                )

        return act

    def _receive(self, ref: str, row: dict[str, str]) -> Callable[[Scene], None]:
        def act(scene: Scene) -> None:
            asn: Asn = self.papers[f"{ref} asn"]
            receipt = procurement.receive_goods(scene.actor("warehouse"), asn=asn.id)
            settle(plan=False)
            rows = Inspection.objects.filter(source_id=receipt.id, status="open").select_related("plan")
            for inspection in rows:
                floor.decide(scene, inspection, good=row["verdict"] != "hold")
            floor.put_away(scene)

        return act

    # -- sales --------------------------------------------------------------------------------------------------------

    def sales(self) -> None:
        """Sales orders: entered and confirmed; the early ones shipped and delivered."""
        for place, (ref, rows) in enumerate(grouped(table("sales"), "ref").items()):
            first = rows[0]
            self.at(self.days.at(first["ordered"], f"{9 + place % 8:02d}:{place % 6}0"), self._sell(ref, rows))
            if first["shipped"]:
                self.at(self.days.at(first["shipped"], "16:10"), self._ship(ref, first))
            if first["delivered"]:
                self.at(self.days.at(first["delivered"], "14:20"), self._prove(ref, first))

    def _sell(self, ref: str, rows: list[dict[str, str]]) -> Callable[[Scene], None]:
        first = rows[0]

        def act(scene: Scene) -> None:
            lines = [
                sales.OrderLine(self.masters.items[row["item"]], D(row["quantity"]), price=D(row["price"]))
                for row in rows
            ]
            order = sales.enter_order(
                scene.actor("sales"),
                customer=self.masters.parties[first["customer"]],
                lines=lines,
                requested_on=self.days.day(first["requested"]),
                customer_reference=first["reference"],
            )
            promise = None if first["promise"] in ("plan", "none") else self.days.day(first["promise"])
            self.papers[ref] = sales.confirm_order(scene.actor("sales"), order=order, promised_on=promise)

        return act

    def _ship(self, ref: str, row: dict[str, str]) -> Callable[[Scene], None]:
        def act(scene: Scene) -> None:
            shipment = order_to_delivery.ship_order(scene.actor("logistics"), order=self.papers[ref])
            logistics.pick_shipment(scene.actor("warehouse"), shipment=shipment)
            logistics.pack_shipment(scene.actor("warehouse"), shipment=shipment)
            arrives = self.days.at(row["delivered"] or row["requested"], "13:00")
            self.papers[f"{ref} shipment"] = logistics.dispatch_shipment(
                scene.actor("logistics"),
                shipment=shipment,
                carrier=self.masters.parties["T-STW" if row["customer"] != "C-NAV" else "T-JHT"],
                tracking_number=f"ST{row['reference'][-4:]}{ref[1:]}88",
                eta_at=arrives,
            )
            if not row["delivered"]:
                logistics.record_milestone(
                    scene.actor("logistics"), shipment=shipment, milestone=MilestoneKind.PICKED_UP, place="联造示范工厂"
                )

        return act

    def _prove(self, ref: str, row: dict[str, str]) -> Callable[[Scene], None]:
        def act(scene: Scene) -> None:
            contact = {each["code"]: each["contact"] for each in document("partners")["customers"]}
            logistics.record_proof(
                scene.actor("logistics"), shipment=self.papers[f"{ref} shipment"], receiver=contact[row["customer"]]
            )

        return act

    # -- work that is done --------------------------------------------------------------------------------------------

    def work_orders(self) -> None:
        """Work orders that were made, worked and closed before today."""
        for number, row in enumerate(table("work_orders")):
            ref = f"W{number}"
            made, finished = self.days.at(row["made"], "08:20"), self.days.at(row["finished"], "18:00")
            self.at(made, self._make(ref, row, finished))
            operations = document_operations(row["item"])
            when = made
            for place in range(operations):
                share = (place + 1) / (operations + 1)
                last = place == operations - 1
                when = finished if last else max(when, _awake(made + (finished - made) * share, self.days))
                self.at(when, self._work(ref, place, last))

    def _make(self, ref: str, row: dict[str, str], due_at: datetime) -> Callable[[Scene], None]:
        def act(scene: Scene) -> None:
            order = production.create_work_order(
                scene.actor("planner"),
                item=self.masters.items[row["item"]],
                quantity=D(row["quantity"]),
                due_at=due_at,
                start_at=scene.now,
            )
            production.release_work_order(scene.actor("lead"), work_order=order)
            settle(plan=False)
            floor.pick(self.scene(scene.now))
            if order.materials.filter(backflush=False).exists():
                production.issue_material(scene.actor("warehouse"), work_order=order)
            self.papers[ref] = order

        return act

    def _work(self, ref: str, place: int, last: bool) -> Callable[[Scene], None]:
        def act(scene: Scene) -> None:
            order = WorkOrder.objects.get(pk=self.papers[ref].pk)
            operation = order.operations.select_related("work_center").order_by("sequence")[place]
            production.start_operation(
                scene.actor("operator"),
                operation=operation,
                machine=operation.work_center.machines.order_by("code").first(),
                happened_at=scene.now - timedelta(hours=3),
            )
            production.report_operation(
                scene.actor("operator"), operation=operation, good=order.quantity,
                values=crew.values_for(scene, operation.id),
            )  # fmt: skip
            if not last:
                return
            settle(plan=False)
            for inspection in Inspection.objects.filter(source_id=order.id, status="open").select_related("plan"):
                floor.decide(scene, inspection, good=True)
            production.close_work_order(scene.actor("lead"), work_order=order)

        return act


def document_operations(item: str) -> int:
    """How many operations an item's routing has."""
    return sum(row["item"] == item for row in table("routings"))


def _awake(when: datetime, days: Days) -> datetime:
    """The same instant within the shifts: nobody reports at night or on Sunday."""
    local = when.astimezone(days.zone)
    if local.hour < 8:
        local = local.replace(hour=8, minute=30)
    return local + timedelta(days=1) if local.weekday() == 6 else local
