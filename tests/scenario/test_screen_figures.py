"""The walls' figures of stock, quality, suppliers and shipping: every one counted by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from lianzao.alerts.queries import site_board
from lianzao.catalog.models import ItemSite
from lianzao.foundation import clock
from lianzao.foundation.actor import Actor
from lianzao.inventory import commands as inventory
from lianzao.inventory.models import Lot
from lianzao.logistics import commands as logistics
from lianzao.logistics.models import MilestoneKind, Shipment
from lianzao.overviews.quality_trace import quality_reports, quality_trace
from lianzao.overviews.stock_use import stock_item, stock_use
from lianzao.overviews.supplier_performance import supplier_deliveries, supplier_performance
from lianzao.planning.models import Peg, Shortage
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import PurchaseOrder, ScheduleLine
from lianzao.production import commands as production
from lianzao.production.models import ScrapReason, WorkOrder
from lianzao.quality import commands as quality
from lianzao.quality.models import Inspection, Point
from tests.world import House, day, house

__all__ = ["house"]
D = Decimal


def manager(house: House) -> Actor:
    """Who may see everything."""
    return replace(house.by("planner"), rights=frozenset({"*"}), language="en", memory={})


def blind(house: House, *rooms: str) -> Actor:
    """Who may see the pages, but nothing of these rooms."""
    rights = {"overviews.*"} | {
        f"{room}.view_*"
        for room in ("inventory", "planning", "production", "procurement", "quality", "logistics", "alerts", "catalog")
        if room not in rooms
    }
    return replace(house.by("planner"), rights=frozenset(rights), memory={})


def code(row: Any) -> str:
    """An item's code, or a supplier's."""
    return (row.get("item") or row.get("supplier"))["code"]


def buy(house: House, supplier: str, item: str, quantity: str, on: int) -> PurchaseOrder:
    """A purchase order that is sent."""
    order = procurement.enter_purchase_order(
        house.by("buyer"),
        supplier=house.party(supplier),
        lines=[procurement.PurchaseLine(house.item(item), D(quantity), day(on))],
    )
    procurement.send_order(house.by("buyer"), order=order)
    return PurchaseOrder.objects.get(pk=order.id)


def schedule(order: PurchaseOrder) -> ScheduleLine:
    """The only delivery of an order."""
    return ScheduleLine.objects.get(line__order=order)


# -- stock ------------------------------------------------------------------------------------------------------------


def test_stock_by_state_and_what_it_is_worth(house: House) -> None:
    house.opening("STEEL", "100", lot="S1")
    house.opening("SCREW", "1000")
    house.opening("MOTOR", "10")
    bad = house.opening("STEEL", "20", lot="S2")
    assert bad is not None
    inventory.hold_lot(house.by("quality"), lot=bad, reason="锈")
    order = house.order("ACME", "1", day(20))
    inventory.reserve_stock(
        house.by("warehouse"),
        item=house.item("SCREW"),
        location=house.location("STORE"),
        quantity=D(30),
        cause=order.ref,
    )
    purchase = buy(house, "MILL", "STEEL", "50", 10)
    procurement.announce_shipment(
        house.by("buyer"), purchase_order=purchase, eta_at=clock.now() + timedelta(days=8), lines=None
    )
    house.settle()
    told = stock_use(manager(house), house.site_id)
    assert told["masked"] == []
    [row] = told["groups"]["rows"]
    assert (row["group"], row["items"], row["unit"]) == (None, 3, "pcs")
    # 100 steel + 970 screws + 10 motors are free; the rest is set aside, on hold, announced.
    assert row["quantity"] == {"free": 1080, "reserved": 30, "held": 20, "on_way": 50}
    assert row["value"] == {"free": 100 * 8 + 970 * D("0.2") + 10 * 45, "reserved": 6, "held": 160, "on_way": 400}
    assert told["groups"]["value"] == row["value"]

    # Of two units no sum is made.
    kilo = house.make("catalog.create_unit", code="kg", name="千克", unit_kind="mass")
    oil = house.make("catalog.create_item", code="OIL", name="OIL", base_unit=kilo.id, supply="buy", step="1")
    inventory.open_balance(
        house.system, lines=[inventory.Opening(location=house.location("STORE"), item=oil, quantity=D(5))]
    )
    [row] = stock_use(manager(house), house.site_id)["groups"]["rows"]
    assert (row["items"], row["unit"], row["quantity"]) == (4, None, None)

    # Who may not know what things cost is told quantities alone; who may not see stock, nothing, and that it is so.
    told = stock_use(blind(house), house.site_id)
    assert told["groups"]["value"] is None and told["groups"]["rows"][0]["value"] is None and told["daily"] is None
    assert told["masked"] == ["cost"]
    told = stock_use(blind(house, "inventory"), house.site_id)
    assert told["groups"] is None and told["slow"] is None and told["shortages"] is not None
    assert {"groups", "cover", "below_safety", "slow", "expiring", "counts", "uncovered"} <= set(told["masked"])


def test_how_long_stock_lasts_is_counted_against_the_planned_needs(house: House) -> None:
    house.opening("MOTOR", "10")
    house.opening("SCREW", "500")
    house.settle()
    Peg.objects.all().delete()
    Shortage.objects.all().delete()
    item, order = house.item("MOTOR"), house.order("ACME", "1", day(30))
    Peg.objects.all().delete()

    def need(code: str, quantity: str, at: str, kind: str = "production.work_order") -> None:
        when = datetime.fromisoformat(f"{at}:00+08:00")
        Peg.objects.create(
            site_id=house.site_id,
            supply_kind="catalog.item",
            supply_id=house.item(code).id,
            consumer_kind=kind,
            consumer_id=order.id,
            item_id=house.item(code).id,
            quantity=D(quantity),
            ready_at=when,
            need_at=when,
        )

    need("MOTOR", "4", "2026-03-03 08:00")
    need("MOTOR", "4", "2026-03-05 08:00")
    need("MOTOR", "5", "2026-03-09 23:30")  # 13 of 10: on the 9th, a week from the 2nd, the stock is not enough
    need("MOTOR", "7", "2026-03-20 08:00")  # beyond 14 days
    need("MOTOR", "50", "2026-03-02 09:00", kind="catalog.item")  # safety stock is no need
    need("SCREW", "60", "2026-03-04 08:00")
    need("BODY", "3", "2026-03-04 08:00")  # made when it is ordered
    purchase = buy(house, "BOLT", "MOTOR", "8", 11)
    told = stock_use(manager(house), house.site_id)["cover"]
    assert (told["items"], told["soon"]) == (2, 0)
    motor, screw = told["rows"]
    assert (code(motor), motor["usable"], motor["needed"], motor["days"]) == ("MOTOR", 10, 13, 7)
    assert motor["out_on"] == day(9)
    assert motor["next"] == {
        "kind": "procurement.purchase_order",
        "id": purchase.id,
        "number": purchase.number,
        "on": day(11),
        "quantity": 8,
    }
    assert (code(screw), screw["days"], screw["out_on"]) == ("SCREW", None, None)
    # What was needed yesterday is needed now.
    need("SCREW", "600", "2026-03-01 08:00")
    first = stock_use(manager(house), house.site_id)["cover"]["rows"][0]
    assert (code(first), first["days"]) == ("SCREW", 0)
    behind = stock_item(manager(house), house.site_id, item.id)
    assert [row["quantity"] for row in behind["needs"]] == [4, 4, 5, 7]
    assert [(row["location"]["code"], row["quantity"]) for row in behind["places"]] == [("STORE", 10)]

    row = ItemSite.objects.get(item=house.item("MOTOR"), site_id=house.site_id)
    house.make("catalog.change_item_site", item_site=row.id, safety_stock="15")
    below = stock_use(manager(house), house.site_id)["below_safety"]
    assert [(code(each), each["usable"], each["safety"], each["share"]) for each in below["rows"]] == [
        ("MOTOR", 10, 15, D("66.7"))
    ]


def test_slow_stock_lots_near_expiry_and_counts(house: House) -> None:
    steel = house.opening("STEEL", "100", lot="S1")
    house.opening("SCREW", "1000")
    house.opening("MOTOR", "10", lot="M1")
    assert steel is not None
    house.settle()
    house.at("2026-06-20 08:00")
    inventory.move_stock(
        house.by("warehouse"), item=house.item("SCREW"), quantity=D(5), source=house.location("STORE"),
        target=house.location("LINE"),
    )  # fmt: skip
    store = house.location("STORE")
    inventory.count_stock(
        house.by("warehouse"), location=store, item=house.item("STEEL"), counted=D(98), lot=steel, reason="短少"
    )
    motor = Lot.objects.get(number="M1")
    inventory.count_stock(house.by("warehouse"), location=store, item=house.item("MOTOR"), counted=D(10), lot=motor)
    told = stock_use(manager(house), house.site_id)
    # The count is no move: steel lies still since March, and motors too; the most valuable first.
    assert [(code(row), row["quantity"], row["value"]) for row in told["slow"]["rows"]] == [
        ("STEEL", 98, 784),
        ("MOTOR", 10, 450),
    ]
    assert (told["slow"]["items"], told["slow"]["value"]) == (2, 1234)
    assert told["counts"]["counts"] == 2 and told["counts"]["alike"] == 1
    assert told["counts"]["accuracy"] == D("50.0") and told["counts"]["value"] == 16
    [row] = told["counts"]["rows"]
    assert (code(row), row["booked"], row["counted"], row["difference"]) == ("STEEL", 100, 98, -2)
    # A count of more than 90 days ago counts no more.
    house.at("2026-09-20 08:00")
    told = stock_use(manager(house), house.site_id)
    assert (told["counts"]["counts"], told["counts"]["accuracy"]) == (0, None)

    for number, on in (("E-OLD", day(19, 9)), ("E-TODAY", day(20, 9)), ("E-30", day(20, 10)), ("E-31", day(21, 10))):
        lot = inventory.make_lot(
            house.system, item=house.item("MOTOR"), number=number, expires_on=on, site_id=house.site_id
        )
        inventory.open_balance(
            house.system,
            lines=[inventory.Opening(location=store, item=house.item("MOTOR"), quantity=D(2), lot=lot)],
        )
    told = stock_use(manager(house), house.site_id)["expiring"]
    assert [(row["lot"]["number"], row["days"]) for row in told["rows"]] == [
        ("E-OLD", -1),
        ("E-TODAY", 0),
        ("E-30", 30),
    ]
    assert (told["lots"], told["expired"], told["value"]) == (3, 1, 3 * 2 * 45)


def make_bodies(house: House) -> WorkOrder:
    """Ten bodies: eight good and two lost, then two good ones; 24 steel are taken of 22 at the line."""
    house.opening("STEEL", "22", place="LINE", lot="L1")
    house.settle()
    lead, operator = house.by("lead"), house.by("operator")
    order = production.create_work_order(
        lead, item=house.item("BODY"), quantity=D(10), due_at=clock.now() + timedelta(days=3)
    )
    production.release_work_order(lead, work_order=order)
    operation = order.operations.get()
    scratched = ScrapReason.objects.get(code="SCR")
    production.report_operation(operator, operation=operation, good=D(8), scrap=D(2), scrap_reason=scratched)
    production.report_operation(operator, operation=operation, good=D(2))
    house.settle()
    done = WorkOrder.objects.get(pk=order.id)
    assert done.status == "completed"
    return done


def test_use_against_the_bill_and_the_first_pass_yield(house: House) -> None:
    order = make_bodies(house)
    told = stock_use(manager(house), house.site_id)
    for span in told["use"]:
        [row] = span["rows"]
        # The bill allows 2 for each of 10 good bodies; the two lost ones took 4 more at 8 each.
        assert (code(row), row["allowed"], row["used"], row["difference"]) == ("STEEL", 20, 24, 4)
        assert (row["percent"], row["cost"], row["orders"], span["cost"]) == (D("20.0"), 32, 1, 32)
    # In the books are the 22 that were there; the other two wait for somebody to say where they came from.
    assert [row["value"] for row in told["daily"]][-1] == 22 * 8 and len(told["daily"]) == 14
    [open_one] = told["uncovered"]["rows"]
    assert (code(open_one), open_one["quantity"], open_one["cause"]["number"]) == ("STEEL", 2, order.number)
    [behind] = stock_item(manager(house), house.site_id, house.item("STEEL").id)["orders"]
    assert (behind["number"], behind["difference"]) == (order.number, 4)

    told = quality_trace(manager(house), house.site_id)
    yields = told["yields"]
    # 10 good of 12 reported.
    assert yields["total"] == {"good": 10, "scrap": 2, "rework": 0, "first_pass": D("83.3")}
    assert (yields["unit"], yields["reports"], yields["left_out"]) == ("pcs", 2, 0)
    assert yields["days"][-1]["first_pass"] == D("83.3") and yields["days"][0]["first_pass"] is None
    [center] = yields["centers"]
    assert center["work_center"]["code"] == "CUT" and center["days"][-1] == D("83.3") and len(center["days"]) == 14
    assert (told["scrap"]["quantity"], told["scrap"]["cost"]) == (2, 80)
    [reason] = told["scrap"]["rows"]
    assert (reason["reason"]["name"], reason["quantity"], reason["share"], reason["upto"]) == ("Scratched", 2, 100, 100)
    asked = {"work_center_id": house.center("CUT").id, "reason_id": None, "from_at": None}
    [report] = quality_reports(manager(house), house.site_id, **asked)["rows"]
    assert (report["work_order"]["number"], report["scrap"], report["person"]) == (order.number, 2, "operator")
    asked["work_center_id"] = house.center("TEST").id
    assert quality_reports(manager(house), house.site_id, **asked)["rows"] == []

    # A report that was taken back never was; a week later only the month knows of it.
    house.at("2026-03-12 08:00")
    week, month = stock_use(manager(house), house.site_id)["use"]
    assert (week["rows"], month["rows"][0]["used"]) == ([], 24)
    last = order.reports.get(scrap=0)
    production.reverse_report(house.by("lead"), report=last, reason="错")
    house.settle()
    assert quality_trace(manager(house), house.site_id)["yields"]["total"]["good"] == 8


def test_held_lots_tell_which_documents_they_touch(house: House) -> None:
    order = make_bodies(house)
    lot = Lot.objects.get(number="L1")
    house.opening("MOTOR", "5", lot="M1")
    free = Lot.objects.get(number="M1")
    inventory.adjust_stock(
        house.by("warehouse"), location=house.location("LINE"), item=house.item("STEEL"), difference=D(6), lot=lot,
        reason="找到",
    )  # fmt: skip
    for each in (lot, free):
        inventory.hold_lot(house.by("quality"), lot=each, reason="裂纹")
    inspection = quality.open_inspection(
        house.by("quality"), item=house.item("MOTOR"), lot=free, quantity=D(5), point=Point.RECEIPT,
        due_at=clock.now() + timedelta(hours=5),
    )  # fmt: skip
    house.settle()
    house.advance(hours=6)
    told = quality_trace(manager(house), house.site_id)
    first, second = told["held"]["rows"]
    assert (first["lot"]["number"], first["quantity"], first["documents"]) == ("L1", 6, 1)
    assert first["touches"] == [{"kind": "production.work_order", "id": order.id, "number": order.number}]
    assert (second["lot"]["number"], second["documents"], second["touches"]) == ("M1", 0, [])
    assert (told["held"]["lots"], told["held"]["documents"], told["held"]["value"]) == (2, 1, 6 * 8 + 5 * 45)
    found = told["inspections"]
    assert (found["open"], found["held"], found["overdue"]) == (1, 0, 1)
    [row] = found["rows"]
    assert (row["number"], row["age_hours"], row["overdue"], row["lot"]["number"]) == (inspection.number, 6, True, "M1")
    assert quality_trace(blind(house, "production"), house.site_id)["held"]["documents"] == 0
    told = quality_trace(blind(house, "quality", "alerts"), house.site_id)
    assert told["inspections"] is None and told["alerts"] is None
    assert told["masked"] == ["cost", "inspections", "incoming", "alerts"]


def test_alerts_of_a_site_by_severity_and_how_soon_they_were_taken(house: House) -> None:
    from lianzao.alerts import commands as alerts
    from lianzao.alerts.models import Alert

    house.opening("STEEL", "100", lot="S1")
    house.settle()
    assert [row["open"] for row in site_board(manager(house), house.site_id)["severities"]] == [0, 0, 0]
    watch = house.make(
        "alerts.create_watch", code="COUNT", name="盘点", event="inventory.StockCounted", severity="critical",
        roles=["planner"], title="盘点差异", title_en="Counted", due_minutes=30, key_fields=["lot_id"],
    )  # fmt: skip
    lot = Lot.objects.get(number="S1")
    house.settle()
    inventory.count_stock(
        house.by("warehouse"), location=house.location("STORE"), item=house.item("STEEL"), counted=D(90), lot=lot,
        reason="短少",
    )  # fmt: skip
    house.settle()
    alert = Alert.objects.get(watch=watch.id)
    house.advance(minutes=45)
    told = site_board(manager(house), house.site_id)
    assert told["severities"][0] == {"severity": "critical", "open": 1, "nobody": 1, "overdue": 1, "unanswered": 1}
    assert [(row["title"], row["overdue"], row["owner"]) for row in told["rows"]] == [("Counted", True, None)]
    alerts.take_alert(house.by("planner"), alert=alert)
    told = quality_trace(manager(house), house.site_id)["alerts"]
    assert told["severities"][0] == {"severity": "critical", "open": 1, "nobody": 0, "overdue": 1, "unanswered": 0}
    assert (told["taken"], told["in_time"], told["median_minutes"]) == (1, 0, 45.0)


# -- suppliers and shipping -------------------------------------------------------------------------------------------


def test_suppliers_are_held_to_their_first_word(house: House) -> None:
    steel = buy(house, "MILL", "STEEL", "50", 10)
    screws = buy(house, "BOLT", "SCREW", "100", 10)
    motors = buy(house, "BOLT", "MOTOR", "5", 15)
    house.at("2026-03-03 08:00")  # a day after they were asked
    procurement.confirm_schedule(house.by("mill"), schedule_line=schedule(steel), confirmed_on=day(12))
    house.settle()
    house.at("2026-03-10 10:00")
    receive(house, screws, "60")
    house.at("2026-03-12 23:00")
    receive(house, steel, "50", lot="S1")
    house.at("2026-03-13 10:00")
    receive(house, screws, "40", rejected="10")
    house.settle()
    house.at("2026-03-20 08:00")
    told = supplier_performance(manager(house), house.site_id)
    assert told["masked"] == []
    found = told["deliveries"]
    # Steel came on the day the mill had named, though we wanted it sooner; screws three days late; motors not at all.
    assert (found["due"], found["on_time"], found["share"]) == (3, 1, D("33.3"))
    assert [(code(row), row["due"], row["on_time"], row["missing"], row["share"]) for row in found["rows"]] == [
        ("BOLT", 2, 0, 1, D("0.0")),
        ("MILL", 1, 1, 0, D("100.0")),
    ]
    late = {each["name"]: each["count"] for each in found["lateness"]}
    assert late == {
        "early": 0, "on_day": 1, "days_1_2": 0, "days_3_5": 1, "days_6_10": 0, "longer": 0, "missing": 1,
    }  # fmt: skip
    behind = supplier_deliveries(manager(house), house.site_id, house.party("BOLT").id)["rows"]
    assert [(code(row), row["due_on"], row["full_on"], row["days_late"]) for row in behind] == [
        ("MOTOR", day(15), None, 5),
        ("SCREW", day(10), day(13), 3),
    ]
    # Asked on the 2nd, answered on the 3rd at the same hour; the motors nobody has confirmed for 18 days.
    said = told["confirmations"]
    assert (said["answered"], said["median_hours"], said["open"]) == (1, 24.0, 1)
    assert [(code(row), row["hours"]) for row in said["rows"]] == [("BOLT", 18 * 24)]
    # 10 of 110 screws were refused at the door.
    refused = {code(row): (row["delivered"], row["refused"], row["ppm"]) for row in told["refused"]["rows"]}
    assert refused == {"BOLT": (110, 10, 90909), "MILL": (50, 0, 0)}
    lot = Lot.objects.get(item__code="STEEL")
    for each in Inspection.objects.filter(lot=lot, status="open"):
        quality.reject_inspection(house.by("quality"), inspection=each, reason="锈")
    refused = quality_trace(manager(house), house.site_id)["incoming"]
    assert [(code(row), row["share"]) for row in refused["rows"]] == [("MILL", D("100.0")), ("BOLT", D("9.1"))]
    assert motors.number in told["expected"]["rows"][0]["number"]

    told = supplier_performance(blind(house, "quality"), house.site_id)
    assert told["refused"] is None and told["deliveries"] is not None and "refused" in told["masked"]


def receive(house: House, order: PurchaseOrder, quantity: str, *, rejected: str = "0", lot: str = "") -> None:
    """Take in so much of an order's only delivery."""
    procurement.receive_goods(
        house.by("warehouse"),
        purchase_order=PurchaseOrder.objects.get(pk=order.id),
        lines=[
            procurement.ReceivedLine(
                D(quantity),
                schedule_line=schedule(order),
                rejected=D(rejected),
                lot_number=lot,
                difference_reason="碰伤" if D(rejected) else "",
            )
        ],
    )


def test_what_is_expected_and_how_sure_that_is(house: House) -> None:
    buy(house, "BOLT", "MOTOR", "5", 4)  # overdue on the 6th
    late = buy(house, "MILL", "STEEL", "50", 8)
    procurement.confirm_schedule(house.by("mill"), schedule_line=schedule(late), confirmed_on=day(10))
    buy(house, "BOLT", "SCREW", "100", 12)  # nobody has confirmed it
    sure = buy(house, "BOLT", "SCREW", "70", 12)
    procurement.confirm_schedule(house.by("buyer"), schedule_line=schedule(sure), confirmed_on=day(12))
    buy(house, "BOLT", "SCREW", "70", 20)  # beyond 14 days
    house.settle()
    house.at("2026-03-06 08:00")
    found = supplier_performance(manager(house), house.site_id)["expected"]
    assert found["deliveries"] == 4
    days = {
        each["on"]: (each["deliveries"], each["overdue"], each["late"], each["unconfirmed"]) for each in found["by_day"]
    }
    assert days[day(6)] == (1, 1, 0, 0) and days[day(10)] == (1, 0, 1, 0) and days[day(12)] == (2, 0, 0, 1)
    assert sum(sum(each) for each in days.values()) == 7
    assert [code(row) for row in found["rows"]] == ["MOTOR", "STEEL", "SCREW", "SCREW"]
    assert [row["days_late"] for row in found["rows"]] == [0, 2, 0, 0]


def ship(house: House, due: int, quantity: str = "1", *, pack: bool = True) -> Shipment:
    """A shipment of an order of its own, packed."""
    order = house.order("ACME", quantity, day(due))
    line = house.line(order)
    shipment = logistics.plan_shipment(
        house.by("logistics"),
        customer=house.party("ACME"),
        lines=[logistics.ShipLine(line.ref, house.item("PUMP"), D(quantity), line.label, order.ref)],
        due_on=day(due),
        carrier=house.party("TRUCK"),
    )
    if pack:
        logistics.pick_shipment(house.by("logistics"), shipment=shipment)
        logistics.pack_shipment(house.by("logistics"), shipment=Shipment.objects.get(pk=shipment.id))
    return Shipment.objects.get(pk=shipment.id)


def test_shipments_on_their_way_and_how_long_they_took(house: House) -> None:
    house.opening("PUMP", "10", place="FG", lot="P1")
    house.settle()
    logistician = house.by("logistics")
    first, second = ship(house, 3), ship(house, 3)
    ship(house, 4)  # packed, and due on the 4th
    ship(house, 3, pack=False)  # to leave before the 4th, and nothing was done
    eta = clock.now() + timedelta(hours=24)
    for each in (first, second):
        logistics.dispatch_shipment(logistician, shipment=each, eta_at=eta)
    house.advance(hours=20)
    late = Shipment.objects.get(pk=second.id)
    # Later news does not make the first word truer.
    logistics.record_milestone(
        logistician, shipment=late, milestone=MilestoneKind.DELAYED, eta_at=eta + timedelta(hours=9)
    )
    logistics.record_proof(logistician, shipment=Shipment.objects.get(pk=first.id), receiver="王")
    house.settle()
    house.at("2026-03-04 08:00")
    told = supplier_performance(manager(house), house.site_id)["shipments"]
    assert {name: told[name] for name in ("due", "ready", "on_way", "today", "late", "proof")} == {
        "due": 1, "ready": 1, "on_way": 1, "today": 1, "late": 2, "proof": 1,
    }  # fmt: skip
    assert [row["late"] for row in told["rows"]] == [True, True, False]
    logistics.record_proof(logistician, shipment=Shipment.objects.get(pk=second.id), receiver="王")
    told = supplier_performance(manager(house), house.site_id)["transit"]
    [row] = told["rows"]
    # 20 and 48 hours against 24: one came on the day before its time, the other a day late.
    assert (row["carrier"]["code"], row["shipments"], row["on_time"], row["share"]) == ("TRUCK", 2, 1, D("50.0"))
    assert (row["planned_hours"], row["actual_hours"], row["worst_hours"]) == (24.0, 34.0, 24.0)
