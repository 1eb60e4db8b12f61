"""Stories of buying: from the wish to the goods on hold for their inspection, and all that goes wrong between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from lianzao.foundation import clock, link
from lianzao.foundation.command import run
from lianzao.inventory.models import Lot
from lianzao.inventory.queries import moves_of, on_hand
from lianzao.plant.queries import virtual_location
from lianzao.procurement import commands as procurement
from lianzao.procurement import queries
from lianzao.procurement.commands import AnnouncedLine, Cause, PurchaseLine, ReceivedLine
from lianzao.procurement.models import Asn, GoodsReceipt, PurchaseRequisition
from lianzao.values.errors import Conflict, Invalid, NotAllowed, NotFound, RuleBroken
from lianzao.values.time import uuid7
from tests.scenario.commerce import NOW, Trade, day

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def trade(db: None) -> Iterator[Trade]:
    try:
        yield Trade()
    finally:
        clock.freeze(None)


def noon(number: int) -> datetime:
    """Twelve o'clock in Shanghai on a day of March."""
    return datetime(2026, 3, number, 4, tzinfo=UTC)


def requisition(trade: Trade, quantity: str, on: int, **more: Any) -> PurchaseRequisition:
    made = procurement.raise_requisition(
        trade.by,
        item=trade.steel,
        quantity=D(quantity),
        needed_on=day(on),
        reason=[Cause("SO-1 needs it", "sales.sales_order", "x")],
        **more,
    )
    return made if more.get("approved") else procurement.approve_requisition(trade.by, requisition=made)


def test_the_whole_way_from_the_wish_to_the_goods(trade: Trade) -> None:
    first, second = requisition(trade, "80", 12), requisition(trade, "40", 16)
    order = procurement.order_requisitions(trade.by, requisitions=[first, second])
    assert order.supplier_id == trade.mill.id  # the only one who sells it
    # 120 needed, in fifties: 150; the surplus comes with the last delivery.
    line = order.lines.get()
    assert (line.quantity, line.supplier_code, line.price) == (150, "M-77", D("2.5"))
    assert (line.amount, order.amount) == (D("375.00"), D("375.00"))
    assert [(each.required_on, each.quantity) for each in trade.schedule(order)] == [(day(12), 80), (day(16), 70)]
    first.refresh_from_db()
    assert first.status == "ordered"
    assert {each.ref.id for each in link.up(order)} == {first.id, second.id}

    procurement.send_order(trade.by, order=order)
    assert trade.news("PurchaseOrderSent")[0]["partner_ids"] == [str(trade.mill.id)]

    # The mill can bring 50 of the first 80 on the day, and splits.
    mill = trade.partner(
        trade.mill, "procurement.confirm_schedule", "procurement.announce_shipment", "procurement.change_eta"
    )
    early, _ = trade.schedule(order)
    procurement.confirm_schedule(mill, schedule_line=early, confirmed_on=day(12), quantity=D(50))
    early, rest, _ = sorted(trade.schedule(order), key=lambda each: (each.required_on, each.sequence))
    assert (early.quantity, early.status, early.confirmed_on) == (50, "confirmed", day(12))
    assert (rest.quantity, rest.status, rest.expected_on, rest.confirmed_on) == (30, "open", day(12), None)
    assert trade.news("ArrivalDelayed") == []
    procurement.confirm_schedule(mill, schedule_line=rest, confirmed_on=day(18), reason="no coil")
    delayed = trade.news("ArrivalDelayed")[-1]
    assert (delayed["old_on"], delayed["new_on"], delayed["days"]) == ("2026-03-12", "2026-03-18", 6)
    assert (delayed["schedule_line_id"], delayed["item_id"]) == (str(rest.id), str(trade.steel.id))
    assert (delayed["supplier_id"], D(delayed["quantity"])) == (str(trade.mill.id), 30)

    # It announces the 50, in two lots, for the thirteenth: a day late.
    asn = procurement.announce_shipment(
        mill,
        purchase_order=order,
        eta_at=noon(13),
        lines=[
            AnnouncedLine(early, D(20), "H-1", expires_on=day(31)),
            AnnouncedLine(early, D(30), "H-2"),
        ],
        delivery_note="DN-9",
    )
    assert trade.news("ArrivalDelayed")[-1]["days"] == 1
    # And then the truck breaks down: three days more.
    procurement.change_eta(mill, asn=asn, eta_at=noon(16), reason="truck broke down")
    told = trade.news("ArrivalDelayed")[-1]
    assert (told["old_on"], told["new_on"], told["reason"]) == ("2026-03-13", "2026-03-16", "truck broke down")
    assert told["asn_id"] == str(asn.id)
    history = [(each.old_on, each.new_on, each.said_by) for each in queries.arrival_history(early.id)]
    assert history == [
        (day(12), day(12), "supplier"),
        (day(12), day(13), "supplier"),
        (day(13), day(16), "supplier"),
    ]

    # One scan takes it all in.
    clock.freeze(noon(16))
    receipt = procurement.receive_goods(trade.by, asn=queries.asn_by_number(asn.number))
    assert isinstance(receipt, GoodsReceipt)
    rows = list(receipt.lines.order_by("sequence"))
    assert [(row.quantity, row.lot.number, row.lot.supplier_lot) for row in rows] == [
        (20, "H-1", "H-1"),
        (30, "H-2", "H-2"),
    ]
    assert rows[0].lot.expires_on == day(31)
    assert {row.lot.status for row in rows} == {"held"}  # to be inspected
    stock = on_hand(trade.site_id, [trade.steel.id])[trade.steel.id]
    assert (stock.usable, stock.held) == (0, 50)
    moves = moves_of(receipt.ref)
    assert {move.source.id for move in moves} == {virtual_location(trade.site_id, "supplier")}
    assert [move.value for move in moves] == [D(50), D(75)]  # at the order's price, not the standard cost
    asn.refresh_from_db()
    early.refresh_from_db()
    assert (asn.status, early.status, early.received_quantity) == ("closed", "received", 50)
    came = trade.news("GoodsReceived")
    assert [(each["inspect"], each["early_days"]) for each in came] == [(True, 0), (True, 0)]
    above, _ = link.chain(receipt)
    assert {each.ref.kind for each in above} == {
        "procurement.asn",
        "procurement.purchase_order",
        "procurement.purchase_requisition",
    }
    trade.prove()


def test_a_scan_twice_receives_once(trade: Trade) -> None:
    order = trade.buy("100", day(10))
    asn = procurement.announce_shipment(trade.by, purchase_order=order, eta_at=noon(10))
    tap = uuid7()
    first = procurement.receive_goods.carry_out(trade.by, {"asn": asn.id}, order_id=tap)
    again = procurement.receive_goods.carry_out(trade.by, {"asn": asn.id}, order_id=tap)
    assert again.id == first.id
    assert on_hand(trade.site_id, [trade.steel.id])[trade.steel.id].held == 100
    with pytest.raises(Conflict, match="asn_not_open"):
        procurement.receive_goods(trade.by, asn=asn)


def test_early_goods_say_how_early_and_close_the_order(trade: Trade) -> None:
    order = trade.buy("100", day(10))
    asn = procurement.announce_shipment(trade.by, purchase_order=order, eta_at=noon(10))
    assert trade.news("ArrivalAdvanced") == []
    procurement.receive_goods(trade.by, asn=asn)  # on the second
    assert trade.news("GoodsReceived")[0]["early_days"] == 8
    order.refresh_from_db()
    assert order.status == "received"


def test_an_earlier_arrival_is_told_too(trade: Trade) -> None:
    order = trade.buy("100", day(10))
    (line,) = trade.schedule(order)
    procurement.confirm_schedule(trade.by, schedule_line=line, confirmed_on=day(6))
    advanced = trade.news("ArrivalAdvanced")[0]
    assert (advanced["old_on"], advanced["new_on"], advanced["days"]) == ("2026-03-10", "2026-03-06", 4)
    procurement.change_expected(trade.by, schedule_line=line, expected_on=day(9), reason="the mill rang up")
    assert trade.news("ArrivalDelayed")[0]["days"] == 3
    with pytest.raises(Invalid, match="field_missing"):
        procurement.change_expected(trade.by, schedule_line=line, expected_on=day(12), reason=" ")


def test_what_the_notice_leaves_out_becomes_a_delivery_of_its_own(trade: Trade) -> None:
    order = trade.buy("100", day(10))
    (line,) = trade.schedule(order)
    procurement.confirm_schedule(trade.by, schedule_line=line, confirmed_on=day(11))
    procurement.announce_shipment(trade.by, purchase_order=order, eta_at=noon(9), lines=[AnnouncedLine(line, D(60))])
    announced, rest = trade.schedule(order)
    assert (announced.quantity, announced.announced_quantity, announced.expected_on) == (60, 60, day(9))
    assert (rest.quantity, rest.status, rest.expected_on, rest.confirmed_on) == (40, "confirmed", day(11), day(11))
    columns = queries.receipt_columns(trade.site_id)
    assert columns["commitment"] == ["announced", "confirmed"]
    assert columns["quantity"] == [60, 40]
    # What is announced is known to the hour; the rest counts from the beginning of its day in Shanghai.
    assert columns["expected_at"] == [noon(9), datetime(2026, 3, 10, 16, tzinfo=UTC)]


def test_a_short_count_needs_a_reason_and_leaves_the_rest_open(trade: Trade) -> None:
    order = trade.buy("100", day(10))
    asn = procurement.announce_shipment(trade.by, purchase_order=order, eta_at=noon(10))
    notice = asn.lines.get()
    with pytest.raises(Invalid, match="difference_reason_missing"):
        procurement.receive_goods(trade.by, asn=asn, lines=[ReceivedLine(D(90), asn_line=notice)])
    counted = ReceivedLine(D(90), asn_line=notice, rejected=D(4), difference_reason="6 missing, 4 rusty")
    receipt = procurement.receive_goods(trade.by, asn=asn, lines=[counted])
    row = receipt.lines.get()
    assert (row.quantity, row.rejected, row.announced_quantity) == (90, 4, 100)
    (line,) = trade.schedule(order)
    assert (line.status, line.open_quantity, line.rejected_quantity) == ("open", 10, 4)
    assert D(trade.news("GoodsReceived")[0]["open_quantity"]) == 10
    order.refresh_from_db()
    assert order.status == "sent"
    # The rest comes without a notice.
    procurement.receive_goods(trade.by, purchase_order=order, lines=[ReceivedLine(D(10), schedule_line=line)])
    order.refresh_from_db()
    assert order.status == "received"
    trade.prove()


def test_more_than_ordered_only_within_the_agreed_excess(trade: Trade) -> None:
    order = trade.buy("100", day(10))
    (line,) = trade.schedule(order)
    with pytest.raises(RuleBroken, match="received_too_much"):
        procurement.receive_goods(
            trade.by, purchase_order=order, lines=[ReceivedLine(D("105.001"), schedule_line=line)]
        )
    assert on_hand(trade.site_id, [trade.steel.id])[trade.steel.id].held == 0
    procurement.receive_goods(trade.by, purchase_order=order, lines=[ReceivedLine(D(105), schedule_line=line)])
    assert on_hand(trade.site_id, [trade.steel.id])[trade.steel.id].held == 105


def test_a_lot_number_used_before_does_not_mix_two_arrivals(trade: Trade) -> None:
    for _ in range(2):
        order = trade.buy("100", day(10))
        line = trade.schedule(order)[0]
        procurement.receive_goods(
            trade.by, purchase_order=order, lines=[ReceivedLine(D(100), schedule_line=line, lot_number="H-1")]
        )
    lots = list(Lot.objects.filter(item=trade.steel).order_by("created_at"))
    assert [lot.supplier_lot for lot in lots] == ["H-1", "H-1"]
    assert lots[0].number == "H-1"
    assert lots[1].number.startswith("H-1-GR-")


def test_goods_without_lots_wait_for_inspection_in_quarantine(trade: Trade) -> None:
    glass = trade.item("GLASS", cost="1", inspect=True)
    order = trade.buy("10", day(10), item=glass)
    with pytest.raises(RuleBroken, match="no_quarantine_location"):
        procurement.receive_goods(trade.by, purchase_order=order)
    cage = trade.location("CAGE", "quarantine")
    procurement.receive_goods(trade.by, purchase_order=order)
    assert trade.at(glass, cage) == 10
    assert on_hand(trade.site_id, [glass.id])[glass.id].usable == 0


def test_a_receipt_by_mistake_is_undone_and_can_be_scanned_again(trade: Trade) -> None:
    order = trade.buy("100", day(10))
    asn = procurement.announce_shipment(trade.by, purchase_order=order, eta_at=noon(10))
    receipt = procurement.receive_goods(trade.by, asn=asn)
    procurement.reverse_receipt(trade.by, receipt=receipt, why="wrong truck")
    assert on_hand(trade.site_id, [trade.steel.id])[trade.steel.id].held == 0
    (line,) = trade.schedule(order)
    assert (line.status, line.received_quantity, line.announced_quantity) == ("announced", 0, 100)
    order.refresh_from_db()
    assert order.status == "sent"
    with pytest.raises(Conflict, match="wrong_status"):
        procurement.reverse_receipt(trade.by, receipt=receipt, why="again")
    procurement.receive_goods(trade.by, asn=asn)
    assert on_hand(trade.site_id, [trade.steel.id])[trade.steel.id].held == 100
    trade.prove()


def test_a_withdrawn_notice_opens_its_goods_again(trade: Trade) -> None:
    order = trade.buy("100", day(10))
    asn = procurement.announce_shipment(trade.by, purchase_order=order, eta_at=noon(9))
    mill = trade.partner(trade.mill, "procurement.withdraw_shipment")
    procurement.withdraw_shipment(mill, asn=asn, why="wrong goods loaded")
    (line,) = trade.schedule(order)
    assert (line.status, line.announced_quantity) == ("open", 0)
    assert trade.news("ShipmentWithdrawn")[0]["why"] == "wrong goods loaded"
    assert Asn.objects.get(id=asn.id).status == "withdrawn"


def test_a_supplier_acts_on_his_own_orders_only(trade: Trade) -> None:
    order = trade.buy("100", day(10))
    (line,) = trade.schedule(order)
    forge = trade.partner(trade.forge, "procurement.confirm_schedule", "procurement.announce_shipment")
    with pytest.raises(NotFound):
        procurement.confirm_schedule(forge, schedule_line=line, confirmed_on=day(10))
    with pytest.raises(NotFound):
        procurement.announce_shipment(forge, purchase_order=order, eta_at=noon(10))
    mill = trade.partner(trade.mill, "procurement.confirm_schedule")
    with pytest.raises(NotAllowed):
        procurement.receive_goods(mill, purchase_order=order)


def test_approval_and_its_way_back(trade: Trade) -> None:
    order = trade.buy("100", day(10), sent=False)
    clerk = trade.with_rights("procurement.send_order")
    with pytest.raises(RuleBroken, match="may_not_approve"):
        procurement.send_order(clerk, order=order)
    run(trade.by, "procurement.approve_purchase_order", {"purchase_order": str(order.id)})
    run(trade.by, "procurement.unapprove_purchase_order", {"purchase_order": str(order.id)})
    run(trade.by, "procurement.approve_purchase_order", {"purchase_order": str(order.id)})
    procurement.send_order(clerk, order=order)
    with pytest.raises(Conflict, match="order_already_sent"):
        run(trade.by, "procurement.unapprove_purchase_order", {"purchase_order": str(order.id)})
    procurement.recall_order(trade.by, order=order, why="wrong price")
    order.refresh_from_db()
    assert (order.status, order.approved_at) == ("draft", None)
    procurement.send_order(trade.by, order=order)
    (line,) = trade.schedule(order)
    procurement.confirm_schedule(trade.by, schedule_line=line, confirmed_on=day(10))
    with pytest.raises(RuleBroken, match="supplier_relies_on_it"):
        procurement.recall_order(trade.by, order=order, why="changed our mind")


def test_changing_what_we_need_asks_the_supplier_again(trade: Trade) -> None:
    order = trade.buy("100", day(10))
    (line,) = trade.schedule(order)
    procurement.confirm_schedule(trade.by, schedule_line=line, confirmed_on=day(12))
    procurement.change_schedule_line(trade.by, schedule_line=line, required_on=day(8), quantity=D(120), why="rush")
    (line,) = trade.schedule(order)
    assert (line.status, line.confirmed_on, line.required_on, line.quantity) == ("open", None, day(8), 120)
    assert line.expected_on == day(12)  # until he answers, he comes when he said
    order.refresh_from_db()
    assert (order.lines.get().quantity, order.amount) == (120, D("300.00"))
    changed = trade.news("ScheduleChanged")[0]
    assert (D(changed["old_quantity"]), D(changed["new_quantity"])) == (100, 120)


def test_cancelling_gives_the_requisitions_back(trade: Trade) -> None:
    wish = requisition(trade, "100", 12, approved=True)
    order = procurement.order_requisitions(trade.by, requisitions=[wish], supplier=trade.mill)
    procurement.send_order(trade.by, order=order)
    procurement.cancel_order(trade.by, order=order, why="customer gone")
    wish.refresh_from_db()
    assert wish.status == "approved"
    assert D(trade.news("ScheduleLineCancelled")[0]["quantity"]) == 100
    columns = queries.receipt_columns(trade.site_id)
    assert (columns["kind"], columns["commitment"]) == (["procurement.purchase_requisition"], ["approved"])


def test_nothing_is_cancelled_while_its_goods_are_on_the_way(trade: Trade) -> None:
    order = trade.buy("100", day(10))
    procurement.announce_shipment(trade.by, purchase_order=order, eta_at=noon(10))
    for act in (procurement.cancel_order, procurement.close_order):
        with pytest.raises(RuleBroken, match="goods_on_the_way"):
            act(trade.by, order=order, why="no need")
    with pytest.raises(RuleBroken, match="goods_on_the_way"):
        procurement.cancel_schedule_line(trade.by, schedule_line=trade.schedule(order)[0], why="no need")


def test_closing_short_gives_up_the_rest(trade: Trade) -> None:
    order = trade.buy("100", day(10))
    (line,) = trade.schedule(order)
    procurement.receive_goods(trade.by, purchase_order=order, lines=[ReceivedLine(D(70), schedule_line=line)])
    with pytest.raises(Invalid, match="field_missing"):
        procurement.close_order(trade.by, order=order)
    procurement.close_order(trade.by, order=order, why="mill is out of steel")
    assert queries.receipt_columns(trade.site_id)["id"] == []
    assert D(trade.news("ScheduleLineCancelled")[0]["quantity"]) == 30


def test_money_is_rounded_once_at_the_line_and_valued_in_the_sites_currency(trade: Trade) -> None:
    order = procurement.enter_purchase_order(
        trade.by,
        supplier=trade.forge,
        exchange_rate=D("7.2"),
        lines=[
            PurchaseLine(trade.pump, D(3), day(10), unit=trade.box, price=D("33.333")),
            PurchaseLine(trade.screw, D(7), day(10), price=D("0.125")),
        ],
    )
    assert order.currency == "USD"
    assert [line.amount for line in order.lines.order_by("sequence")] == [D("100.00"), D("0.88")]
    assert order.amount == D("100.88")
    assert order.lines.get(sequence=1).quantity == 12  # three boxes of four
    procurement.send_order(trade.by, order=order)
    receipt = procurement.receive_goods(trade.by, purchase_order=order)
    values = [move.value for move in moves_of(receipt.ref)]
    assert values == [D("720.00"), D("6.336")]  # 100 × 7.2; 0.88 × 7.2


def test_the_best_supplier_is_preferred_then_cheap_then_quick(trade: Trade) -> None:
    assert queries.supplier_columns(trade.site_id)["supplier_id"] == [trade.mill.id]
    cheaper = trade.make(
        "procurement.supplier_item", supplier=trade.forge, item=trade.steel, price="2", valid_from=str(day(1))
    )
    columns = queries.supplier_columns(trade.site_id)
    assert (columns["supplier_id"], columns["price"]) == ([trade.forge.id], [2])
    run(trade.by, "procurement.change_supplier_item", {"supplier_item": str(cheaper.id), "valid_until": str(day(2))})
    assert queries.supplier_columns(trade.site_id)["supplier_id"] == [trade.mill.id]


def test_a_wish_must_be_possible(trade: Trade) -> None:
    with pytest.raises(RuleBroken, match="not_a_supplier"):
        procurement.raise_requisition(
            trade.by, item=trade.steel, quantity=D(1), needed_on=day(5), supplier=trade.dealer
        )
    with pytest.raises(RuleBroken, match="not_in_steps"):
        procurement.raise_requisition(trade.by, item=trade.screw, quantity=D("1.5"), needed_on=day(5))
    wish = procurement.raise_requisition(trade.by, item=trade.screw, quantity=D(1), needed_on=day(5))
    with pytest.raises(Conflict, match="wrong_status"):
        procurement.order_requisitions(trade.by, requisitions=[wish], supplier=trade.mill)
    procurement.reject_requisition(trade.by, requisition=wish, why="enough of them")
    assert clock.now() == NOW
