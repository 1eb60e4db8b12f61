"""Random histories of the plant of stories: everything its people may order, in any order, as hypothesis likes.

A refusal in words is part of life; anything else that is raised is a defect. After each few steps and at the end the
books are proved from the moves alone: nothing is lost, nothing negative, the genealogy is whole and has no circle.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from graphlib import TopologicalSorter
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lianzao.equipment import commands as equipment
from lianzao.equipment.models import StopReason
from lianzao.foundation import clock, outbox, rebuild
from lianzao.foundation.entity import query
from lianzao.foundation.registry import COMMANDS
from lianzao.inventory import commands as inventory
from lianzao.inventory.models import Balance, Lot, PendingMove, PickTask
from lianzao.inventory.queries import rebuild_balances, trace_back, trace_forward
from lianzao.logistics import commands as logistics
from lianzao.logistics.models import Shipment, ShipmentLine, ShipmentPick
from lianzao.planning import commands as planning
from lianzao.planning.models import ActionMessage, Proposal
from lianzao.plant.models import Location
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import Asn, GoodsReceipt, PurchaseOrder, PurchaseRequisition, ScheduleLine
from lianzao.production import commands as production
from lianzao.production.models import OperationReport, ScrapReason, WorkOrder, WorkOrderMaterial, WorkOrderOperation
from lianzao.quality import commands as quality
from lianzao.quality.models import Inspection
from lianzao.sales import commands as sales
from lianzao.sales.models import PromiseChange, SalesOrder, SalesOrderLine
from lianzao.values.errors import DomainError
from tests.world import House, day

D = Decimal
PICK = st.integers(0, 10_000)
FEW = st.integers(1, 40).map(D)
ODD = st.sampled_from([D(0), D(-1), D("0.5"), D("0.000001"), D(1000), D("99999999999999")])
ANY = st.one_of(FEW, FEW.map(abs), st.integers(1, 6).map(D), ODD)
DAYS = st.integers(1, 30)
EARLIER = datetime(2020, 1, 1, tzinfo=UTC)
YES = st.booleans()
SELDOM = st.sampled_from([D(0), D(0), D(0), D(1), D(3)])
WAYS = st.sampled_from(
    ["pack", "pack", "pack short", "dispatch", "dispatch", "prove", "return", "unpack", "unpick", "cancel"]
)
MADE, BOUGHT = ("PUMP", "BODY"), ("STEEL", "SCREW", "MOTOR")

NEGATIVE = (
    "SELECT i.code, b.quantity FROM inventory_balance b JOIN catalog_item i ON i.id = b.item_id WHERE quantity < 0"
)
NOT_ZERO = """
SELECT item_id FROM (
    SELECT item_id, quantity FROM inventory_move UNION ALL SELECT item_id, -quantity FROM inventory_move
) sides GROUP BY item_id HAVING sum(quantity) <> 0
"""
#: What stands somewhere by the moves but not by the balances, or the other way round.
STRAY = """
WITH moved AS (
    SELECT item_id, lot_id, location_id, sum(quantity) AS quantity FROM (
        SELECT item_id, lot_id, target_id AS location_id, quantity FROM inventory_move
        UNION ALL SELECT item_id, lot_id, source_id, -quantity FROM inventory_move
    ) sides JOIN plant_location l ON l.id = location_id AND NOT l.is_virtual GROUP BY 1, 2, 3
)
SELECT coalesce(m.item_id, b.item_id), m.quantity, b.quantity
FROM moved m FULL JOIN inventory_balance b
  ON b.item_id = m.item_id AND b.location_id = m.location_id AND b.lot_id IS NOT DISTINCT FROM m.lot_id
WHERE coalesce(m.quantity, 0) <> coalesce(b.quantity, 0)
"""
#: By cause, item and lot: how much went into production (positive) or came out of it (negative), scrap left out.
PRODUCED = """
SELECT m.cause_id, m.item_id, m.lot_id,
       sum(CASE WHEN t.location_kind = 'production' THEN m.quantity ELSE -m.quantity END)
FROM inventory_move m JOIN plant_location s ON s.id = m.source_id JOIN plant_location t ON t.id = m.target_id
WHERE 'production' IN (s.location_kind, t.location_kind) AND 'scrap' NOT IN (s.location_kind, t.location_kind)
GROUP BY 1, 2, 3
"""


class PlantHistory(RuleBasedStateMachine):
    """One history of one plant. `open_plant` gives it a database of its own, `close_plant` takes that away."""

    done: ClassVar[Counter[str]] = Counter()
    refused: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.house, self.place = type(self).open_plant()
        self.steps = 0

    def teardown(self) -> None:
        """Prove everything, then give the database back."""
        try:
            self.prove_at_the_end()
        finally:
            type(self).close_plant(self.place)

    @staticmethod
    def open_plant() -> tuple[House, Any]:
        """A plant in a database of its own, and what `close_plant` needs to take it away."""
        raise NotImplementedError

    @staticmethod
    def close_plant(place: Any) -> None:
        """Take the database away."""
        raise NotImplementedError

    # -- how an order is given ----------------------------------------------------------------------------------------

    def order(self, command: Callable[..., Any], who: str, **given: Any) -> Any:
        """Give an order as somebody of the plant; a refusal in words is counted, and all else is a defect."""
        self.steps += 1
        name: str = getattr(command, "name")  # noqa: B009 - every command has one
        if any(value is None for key, value in given.items() if not key.startswith("maybe_")):
            return None
        given = {key.removeprefix("maybe_"): value for key, value in given.items()}
        try:
            made = command(self.house.by(who) if who != "system" else self.house.system, **given)
        except DomainError as error:
            self.refused[f"{name}: {error.code}"] += 1
            return None
        self.done[name] += 1
        return made

    def one(self, rows: QuerySet[Any], pick: int) -> Any:
        """One of the rows, by a number; None when there are none."""
        found = list(rows.order_by("pk")[:40])
        return found[pick % len(found)] if found else None

    def place_of(self, pick: int) -> Location:
        """A real place."""
        return self.one(Location.objects.filter(is_virtual=False), pick)

    def item_of(self, codes: tuple[str, ...], pick: int) -> Any:
        return self.house.item(codes[pick % len(codes)])

    # -- the beginning ------------------------------------------------------------------------------------------------

    @initialize()
    def stock_to_begin_with(self) -> None:
        self.house.opening("STEEL", "60", lot="S-0")
        self.house.opening("SCREW", "400", place="LINE")
        self.house.opening("MOTOR", "20", place="LINE", lot="M-0")
        self.house.opening("STEEL", "40", place="LINE", lot="S-1")
        self.house.opening("PUMP", "6", place="FG", lot="P-0")
        self.house.order("ACME", "5", day(9))
        self.house.order("ZETA", "12", day(20))
        self.house.accept_all()
        self.house.buy_all()
        for order in WorkOrder.objects.all():
            production.release_work_order(self.house.by("lead"), work_order=order)
        self.house.settle()

    # -- selling ------------------------------------------------------------------------------------------------------

    @rule(pick=PICK, quantity=ANY, days=DAYS, promise=YES, priority=st.sampled_from([1, 50, 99]))
    def sell(self, pick: int, quantity: Decimal, days: int, promise: bool, priority: int) -> None:
        due = (clock.now() + timedelta(days=days)).date()
        line = sales.OrderLine(item=self.item_of(MADE, pick), quantity=quantity, price=D(300))
        customer = self.house.party(("ACME", "ZETA")[pick % 2])
        order = self.order(
            sales.enter_order,
            "sales",
            customer=customer,
            requested_on=due,
            priority=priority,
            lines=[line],
        )
        self.order(sales.confirm_order, "sales", order=order, maybe_promised_on=due if promise else None)

    @rule(pick=PICK, quantity=ANY, days=DAYS)
    def change_line(self, pick: int, quantity: Decimal, days: int) -> None:
        line = self.one(SalesOrderLine.objects.all(), pick)
        due = (clock.now() + timedelta(days=days)).date()
        self.order(sales.change_line, "sales", line=line, quantity=quantity, requested_on=due)

    @rule(pick=PICK, how=st.sampled_from(["cancel", "close", "reopen"]))
    def end_order(self, pick: int, how: str) -> None:
        command = {"cancel": sales.cancel_order, "close": sales.close_order, "reopen": sales.reopen_order}[how]
        self.order(command, "sales", order=self.one(SalesOrder.objects.all(), pick), why="history")

    @rule(pick=PICK, days=DAYS, accept=YES)
    def new_promise(self, pick: int, days: int, accept: bool) -> None:
        line = self.one(SalesOrderLine.objects.exclude(status="cancelled"), pick)
        on = (clock.now() + timedelta(days=days)).date()
        self.order(sales.offer_new_promise, "sales", line=line, new_on=on)
        offer = self.one(PromiseChange.objects.filter(status="offered"), pick)
        command = sales.accept_promise if accept else sales.decline_promise
        self.order(command, "sales", promise=offer)

    # -- planning -----------------------------------------------------------------------------------------------------

    @rule()
    def plan(self) -> None:
        self.order(planning.plan_site, "planner", site=self.house.site, why="history")

    @rule(pick=PICK, many=YES, accept=YES)
    def decide(self, pick: int, many: bool, accept: bool) -> None:
        rows = Proposal.objects.filter(status="open")
        chosen = list(rows.order_by("pk")[:20]) if many else [each for each in [self.one(rows, pick)] if each]
        if not chosen:
            return
        if accept:
            self.order(planning.accept_proposals, "planner", proposals=chosen)
        else:
            self.order(planning.reject_proposal, "planner", proposal=chosen[0], why="history")

    @rule(pick=PICK, accept=YES)
    def remedy(self, pick: int, accept: bool) -> None:
        message = self.one(ActionMessage.objects.filter(status="open"), pick)
        if accept:
            self.order(planning.accept_remedy, "planner", message=message)
        else:
            self.order(planning.reject_remedy, "planner", message=message, why="history")

    # -- buying -------------------------------------------------------------------------------------------------------

    @rule(pick=PICK, quantity=ANY, days=DAYS)
    def buy(self, pick: int, quantity: Decimal, days: int) -> None:
        item = self.item_of(BOUGHT, pick)
        on = (clock.now() + timedelta(days=days)).date()
        self.order(procurement.raise_requisition, "buyer", item=item, quantity=quantity, needed_on=on)

    @rule(pick=PICK)
    def order_what_is_wished(self, pick: int) -> None:
        wish = self.one(PurchaseRequisition.objects.filter(status__in=("raised", "approved")), pick)
        if wish is not None and wish.status == "raised":
            self.order(procurement.approve_requisition, "buyer", requisition=wish)
        order = self.order(procurement.order_requisitions, "buyer", requisitions=[wish] if wish else None)
        self.order(procurement.send_order, "buyer", order=order)

    @rule(pick=PICK, quantity=st.one_of(st.none(), ANY), days=DAYS)
    def confirm_delivery(self, pick: int, quantity: Decimal | None, days: int) -> None:
        line = self.one(ScheduleLine.objects.exclude(status__in=("received", "cancelled", "closed")), pick)
        on = (clock.now() + timedelta(days=days)).date()
        self.order(
            procurement.confirm_schedule,
            "buyer",
            schedule_line=line,
            confirmed_on=on,
            maybe_quantity=quantity,
        )

    @rule(pick=PICK, quantity=ANY, days=DAYS)
    def change_delivery(self, pick: int, quantity: Decimal, days: int) -> None:
        line = self.one(ScheduleLine.objects.exclude(status__in=("received", "cancelled", "closed")), pick)
        on = (clock.now() + timedelta(days=days)).date()
        self.order(
            procurement.change_schedule_line,
            "buyer",
            schedule_line=line,
            required_on=on,
            quantity=quantity,
        )

    @rule(pick=PICK, part=st.one_of(st.none(), FEW), days=DAYS, lot=st.integers(0, 5))
    def announce(self, pick: int, part: Decimal | None, days: int, lot: int) -> None:
        order = self.one(PurchaseOrder.objects.filter(status="sent"), pick)
        lines = None
        if part is not None and order is not None:
            line = self.one(ScheduleLine.objects.filter(line__order=order), pick)
            lines = (
                [procurement.AnnouncedLine(schedule_line=line, quantity=part, lot_number=f"A-{lot}")] if line else None
            )
        self.order(procurement.announce_shipment, "buyer", purchase_order=order,
            eta_at=clock.now() + timedelta(days=days), maybe_lines=lines,
        )  # fmt: skip

    @rule(pick=PICK, days=DAYS, withdraw=YES)
    def change_shipment(self, pick: int, days: int, withdraw: bool) -> None:
        asn = self.one(Asn.objects.all(), pick)
        if withdraw:
            self.order(procurement.withdraw_shipment, "buyer", asn=asn, why="history")
        else:
            eta = clock.now() + timedelta(days=days)
            self.order(procurement.change_eta, "buyer", asn=asn, eta_at=eta, reason="history")

    @rule(pick=PICK, direct=YES, quantity=ANY)
    def receive(self, pick: int, direct: bool, quantity: Decimal) -> None:
        if not direct:
            asn = self.one(Asn.objects.filter(status__in=("announced", "arrived")), pick)
            self.order(procurement.receive_goods, "warehouse", asn=asn)
            return
        order = self.one(PurchaseOrder.objects.filter(status="sent"), pick)
        line = self.one(ScheduleLine.objects.filter(line__order=order), pick) if order is not None else None
        if line is None:
            return
        said = procurement.ReceivedLine(quantity=quantity, schedule_line=line, lot_number=f"R-{pick % 7}")
        self.order(procurement.receive_goods, "warehouse", purchase_order=order, lines=[said])

    @rule(pick=PICK)
    def undo_receipt(self, pick: int) -> None:
        receipt = self.one(GoodsReceipt.objects.filter(status="posted"), pick)
        self.order(procurement.reverse_receipt, "warehouse", receipt=receipt, why="history")

    @rule(pick=PICK, how=st.sampled_from(["cancel", "close", "recall", "cancel_line"]))
    def end_purchase(self, pick: int, how: str) -> None:
        order = self.one(PurchaseOrder.objects.all(), pick)
        if how == "cancel_line":
            line = self.one(ScheduleLine.objects.all(), pick)
            self.order(procurement.cancel_schedule_line, "buyer", schedule_line=line, why="history")
            return
        command = {
            "cancel": procurement.cancel_order,
            "close": procurement.close_order,
            "recall": procurement.recall_order,
        }
        self.order(command[how], "buyer", order=order, why="history")

    # -- quality ------------------------------------------------------------------------------------------------------

    @rule(pick=PICK, how=st.sampled_from(["accept", "accept", "hold", "reject", "scrap", "cancel"]))
    def inspect(self, pick: int, how: str) -> None:
        rows = Inspection.objects.filter(status__in=("open", "held", "accepted"))
        inspection, who = self.one(rows, pick), "quality"
        if how == "accept":
            self.order(quality.accept_inspection, who, inspection=inspection)
        elif how == "hold":
            self.order(quality.hold_inspection, who, inspection=inspection, reason="history")
        elif how == "cancel":
            self.order(quality.cancel_inspection, who, inspection=inspection, why="history")
        else:
            fate: Any = "scrap" if how == "scrap" else "return"
            self.order(
                quality.reject_inspection,
                who,
                inspection=inspection,
                reason="history",
                disposition=fate,
            )

    @rule(pick=PICK, how=st.sampled_from(["hold", "release", "release", "scrap"]))
    def handle_lot(self, pick: int, how: str) -> None:
        lot = self.one(Lot.objects.all(), pick)
        if how == "release":
            self.order(inventory.release_lot, "quality", lot=lot)
        else:
            command = inventory.hold_lot if how == "hold" else inventory.scrap_lot
            self.order(command, "warehouse", lot=lot, reason="history")

    # -- the floor ----------------------------------------------------------------------------------------------------

    @rule(pick=PICK, quantity=ANY, days=DAYS)
    def make_order(self, pick: int, quantity: Decimal, days: int) -> None:
        due = clock.now() + timedelta(days=days)
        self.order(
            production.create_work_order,
            "planner",
            item=self.item_of(MADE, pick),
            quantity=quantity,
            due_at=due,
        )

    @rule(pick=PICK, how=st.sampled_from(["release", "release", "withdraw", "close", "cancel", "reopen", "firm"]))
    def steer_order(self, pick: int, how: str) -> None:
        order = self.one(WorkOrder.objects.exclude(status__in=("cancelled",)), pick)
        simple = {
            "release": production.release_work_order, "withdraw": production.withdraw_work_order,
            "firm": production.firm_work_order, "reopen": production.reopen_work_order,
        }  # fmt: skip
        if how in simple:
            self.order(simple[how], "lead", work_order=order)
        else:
            command = production.close_work_order if how == "close" else production.cancel_work_order
            self.order(command, "lead", work_order=order, reason="history")

    @rule(pick=PICK, quantity=ANY)
    def resize(self, pick: int, quantity: Decimal) -> None:
        order = self.one(WorkOrder.objects.exclude(status__in=("cancelled", "closed")), pick)
        self.order(production.resize_work_order, "planner", work_order=order, quantity=quantity)

    @rule(
        pick=PICK,
        good=ANY,
        scrap=st.sampled_from([D(0), D(0), D(1), D(3)]),
        rework=st.sampled_from([D(0), D(0), D(1)]),
        lot=YES,
    )
    def report(self, pick: int, good: Decimal, scrap: Decimal, rework: Decimal, lot: bool) -> None:
        rows = WorkOrderOperation.objects.filter(work_order__status__in=("released", "started"))
        operation = self.one(rows, pick)
        reason = ScrapReason.objects.get() if scrap else None
        self.order(production.report_operation, "operator", operation=operation, good=good, scrap=scrap,
            rework=rework, maybe_scrap_reason=reason, lot=f"P-{pick % 5}" if lot else "",
        )  # fmt: skip

    @rule(pick=PICK)
    def report_all(self, pick: int) -> None:
        """As much as the floor usually reports: what is still open of an operation."""
        rows = WorkOrderOperation.objects.filter(work_order__status__in=("released", "started")).exclude(
            status="finished"
        )
        operation = self.one(rows, pick)
        if operation is not None:
            good = max(operation.work_order.quantity - operation.good_quantity, D(1))
            self.order(production.report_operation, "operator", operation=operation, good=good)

    @rule(pick=PICK)
    def take_back(self, pick: int) -> None:
        report = self.one(OperationReport.objects.filter(reversed_at__isnull=True), pick)
        self.order(production.reverse_report, "lead", report=report, reason="history")

    @rule(pick=PICK, quantity=st.one_of(st.none(), ANY))
    def issue(self, pick: int, quantity: Decimal | None) -> None:
        order = self.one(WorkOrder.objects.filter(status__in=("released", "started")), pick)
        material = self.one(WorkOrderMaterial.objects.filter(work_order=order), pick) if order is not None else None
        lines = [production.IssueLine(material=material, quantity=quantity)] if material is not None else None
        self.order(production.issue_material, "lead", work_order=order, lines=lines, partial=bool(pick % 2))

    @rule(pick=PICK, quantity=ANY)
    def give_back(self, pick: int, quantity: Decimal) -> None:
        material = self.one(WorkOrderMaterial.objects.filter(issued_quantity__gt=0), pick)
        if material is None:
            return
        lot = self.one(Lot.objects.filter(item=material.item), pick)
        line = production.ReturnLine(material=material, quantity=quantity, lot=lot)
        self.order(production.return_material, "lead", work_order=material.work_order, lines=[line])

    @rule(pick=PICK, start=YES, hours=st.integers(1, 48))
    def machine(self, pick: int, start: bool, hours: int) -> None:
        machine = self.house.machine(("CUT-1", "MACHINE-1", "ASSEMBLE-1", "TEST-1")[pick % 4])
        if start:
            self.order(equipment.start_machine, "maintenance", machine=machine)
        else:
            until = clock.now() + timedelta(hours=hours)
            self.order(
                equipment.stop_machine,
                "maintenance",
                machine=machine,
                reason=StopReason.objects.get(),
                expected_until=until,
            )

    # -- the store ----------------------------------------------------------------------------------------------------

    def pile(self, pick: int) -> Balance | None:
        return self.one(Balance.objects.filter(quantity__gt=0).select_related("item", "lot", "location"), pick)

    @rule(pick=PICK, to=PICK, quantity=ANY)
    def move(self, pick: int, to: int, quantity: Decimal) -> None:
        pile = self.pile(pick)
        if pile is not None:
            self.order(inventory.move_stock, "warehouse", item=pile.item, quantity=quantity, source=pile.location,
                target=self.place_of(to), maybe_lot=pile.lot,
            )  # fmt: skip

    @rule(pick=PICK, counted=ANY)
    def count(self, pick: int, counted: Decimal) -> None:
        pile = self.pile(pick)
        if pile is not None:
            self.order(inventory.count_stock, "warehouse", location=pile.location, item=pile.item, counted=counted,
                maybe_lot=pile.lot, reason="history",
            )  # fmt: skip

    @rule(pick=PICK, quantity=ANY, void=YES)
    def reserve(self, pick: int, quantity: Decimal, void: bool) -> None:
        if void:
            row = self.one(PendingMove.objects.filter(status="pending"), pick)
            self.order(inventory.void_reservation, "warehouse", reservation=row)
            return
        pile, order = self.pile(pick), self.one(SalesOrder.objects.all(), pick)
        if pile is not None and order is not None:
            self.order(inventory.reserve_stock, "warehouse", item=pile.item, location=pile.location,
                quantity=quantity, cause=order.ref, maybe_lot=pile.lot if pick % 2 else None,
            )  # fmt: skip

    @rule(pick=PICK, quantity=ANY, finished=YES)
    def confirm_pick(self, pick: int, quantity: Decimal, finished: bool) -> None:
        task = self.one(PickTask.objects.filter(status="open"), pick)
        self.order(inventory.confirm_pick, "warehouse", task=task, quantity=quantity, finished=finished)

    @rule(pick=PICK)
    def pick_all(self, pick: int) -> None:
        task = self.one(PickTask.objects.filter(status="open"), pick)
        if task is not None:
            self.order(
                inventory.confirm_pick,
                "warehouse",
                task=task,
                quantity=task.quantity - task.picked_quantity,
            )

    @rule(pick=PICK)
    def cover(self, pick: int) -> None:
        pending = self.one(PendingMove.objects.filter(status="pending", reason="uncovered"), pick)
        if pending is not None:
            self.order(inventory.cover_pending, "lead", location=pending.source, items=[pending.item])

    @rule(hours=st.integers(1, 72))
    def close_period(self, hours: int) -> None:
        until = clock.now() - timedelta(hours=hours)
        self.order(inventory.close_period, "warehouse", site_id=self.house.site_id, closed_until=until)

    # -- shipping -----------------------------------------------------------------------------------------------------

    @rule(pick=PICK, quantity=st.one_of(st.none(), ANY))
    def plan_shipment(self, pick: int, quantity: Decimal | None) -> None:
        line = self.one(
            SalesOrderLine.objects.filter(status__in=("confirmed", "shipped")).select_related("order", "item"), pick
        )
        if line is None:
            return
        wanted = line.quantity if quantity is None else quantity
        ship = logistics.ShipLine(source=line.ref, item=line.item, quantity=wanted, document=line.order.ref)
        self.order(
            logistics.plan_shipment,
            "logistics",
            customer=line.order.customer,
            lines=[ship],
            due_on=line.requested_on,
        )

    @rule(pick=PICK, part=st.one_of(st.none(), ANY))
    def pick_shipment(self, pick: int, part: Decimal | None) -> None:
        shipment = self.one(Shipment.objects.filter(status__in=("planned", "picking")), pick)
        if part is None:
            self.order(logistics.pick_shipment, "logistics", shipment=shipment)
        else:
            line = self.one(ShipmentLine.objects.filter(shipment=shipment), pick) if shipment is not None else None
            self.order(logistics.pick_shipment_line, "logistics", line=line, quantity=part)

    @rule(
        pick=PICK,
        how=st.sampled_from(
            ["pack", "pack short", "dispatch", "dispatch", "prove", "return", "unpack", "unpick", "cancel"]
        ),
    )
    def steer_shipment(self, pick: int, how: str) -> None:
        who, shipment = "logistics", self.one(Shipment.objects.exclude(status__in=("cancelled", "returned")), pick)
        if how == "unpick":
            row = self.one(ShipmentPick.objects.all(), pick)
            self.order(logistics.unpick, who, pick=row)
        elif how.startswith("pack"):
            self.order(logistics.pack_shipment, who, shipment=shipment, short=how == "pack short")
        elif how == "prove":
            self.order(logistics.record_proof, who, shipment=shipment, receiver="history")
        elif how in ("return", "cancel"):
            command = logistics.return_shipment if how == "return" else logistics.cancel_shipment
            self.order(command, who, shipment=shipment, why="history")
        else:
            command = logistics.dispatch_shipment if how == "dispatch" else logistics.unpack_shipment
            self.order(command, who, shipment=shipment)

    # -- approvals ----------------------------------------------------------------------------------------------------

    @rule(pick=PICK, approve=YES)
    def approve(self, pick: int, approve: bool) -> None:
        order = self.one(PurchaseOrder.objects.all(), pick)
        if order is None:
            return
        command = COMMANDS[f"procurement.{'approve' if approve else 'unapprove'}_purchase_order"]
        self.order(command, "system", purchase_order=order)

    # -- time and news ------------------------------------------------------------------------------------------------

    @rule(minutes=st.integers(1, 900))
    def time_goes_by(self, minutes: int) -> None:
        self.house.advance(minutes=minutes)

    @rule()
    def news_is_heard(self) -> None:
        self.house.settle()

    # -- proofs -------------------------------------------------------------------------------------------------------

    @invariant()
    def books_are_true(self) -> None:
        """Cheap enough for every few steps."""
        if self.steps % 4 == 0:
            assert query(NEGATIVE) == []
            assert query(STRAY) == []
            assert query(NOT_ZERO) == []
            self.genealogy_is_whole(traced=0)

    def genealogy_is_whole(self, traced: int = 20) -> None:
        """What came out of production is tied to all that went in, both ways, and nothing is made of itself."""
        took: dict[UUID, set[UUID]] = defaultdict(set)
        gave: dict[UUID, set[UUID]] = defaultdict(set)
        for cause, _, lot, net in query(PRODUCED):
            if lot is not None and net:
                (took if net > 0 else gave)[cause].add(lot)
        made_from: dict[UUID, set[UUID]] = defaultdict(set)
        for cause, lots in gave.items():
            for lot in lots:
                made_from[lot] |= took[cause]
        tuple(TopologicalSorter(made_from).static_order())  # raises CycleError
        for lot in sorted(made_from)[-traced:] if traced else ():
            assert set(trace_back(lot).lot_ids) - {lot} == reached(lot, made_from)
            for source in made_from[lot]:
                assert lot in trace_forward(source).lot_ids

    def prove_at_the_end(self) -> None:
        """Let all news settle, then count everything anew: what is kept for speed is what the facts say."""
        self.house.settle()
        while outbox.Delivery.objects.filter(status="pending").update(due_at=EARLIER):
            outbox.work_once(("work", "plan", "hooks"))  # what failed is tried until it succeeds or is parked
        assert query(NEGATIVE) == [] and query(STRAY) == [] and query(NOT_ZERO) == []
        self.genealogy_is_whole()
        assert rebuild_balances() == []
        for check in rebuild.CHECKS.values():
            assert list(check.find()) == [], check.name
        parked = outbox.Delivery.objects.filter(status="parked").values_list("subscriber", "error")
        assert [(name, error[-600:]) for name, error in parked] == []


def reached(lot: UUID, made_from: dict[UUID, set[UUID]]) -> set[UUID]:
    """All that a lot was made from, over all levels."""
    found: set[UUID] = set()
    ahead = [lot]
    while ahead:
        for each in made_from.get(ahead.pop(), ()):
            if each not in found:
                found.add(each)
                ahead.append(each)
    return found
