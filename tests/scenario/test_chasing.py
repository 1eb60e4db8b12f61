"""Chasing: the buyer asks, the supplier sees it on his portal with why it matters and nothing more, and answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lianzao.foundation.actor import Actor
from lianzao.foundation.command import run
from lianzao.overviews.buying import buy_board
from lianzao.overviews.purchase_360 import purchase_360, supplier_sheet
from lianzao.overviews.shipping import shipping_board
from lianzao.portals import api as portals
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import Chase, PurchaseOrder, ScheduleLine
from lianzao.values.errors import Conflict, Invalid, NotFound
from tests.world import House, day, house

__all__ = ["house"]


def bought(house: House) -> ScheduleLine:
    house.order("ACME", "100", day(20))
    house.accept_all()
    house.buy_all()
    return house.schedule("STEEL")


def supplier(house: House, line: ScheduleLine) -> Actor:
    """Somebody of the mill, with the rights of a supplier."""
    return replace(
        house.by("buyer"),
        kind="partner",
        partner=PurchaseOrder.objects.get(pk=line.line.order_id).supplier_id,
        rights=frozenset({"procurement.view_*", "procurement.answer_chase", "procurement.change_expected"}),
        memory={},
    )


def test_a_chase_is_seen_answered_and_kept(house: House) -> None:
    line = bought(house)
    buyer = house.by("buyer")
    first = procurement.chase_delivery(buyer, schedule_line=line, message="请尽快")
    second = procurement.chase_delivery(buyer, schedule_line=line, wanted_on=day(4), message="再催")
    first.refresh_from_db()
    assert (first.status, second.status, first.wanted_on, second.wanted_on) == (
        "replaced", "open", line.required_on, day(4)
    )  # fmt: skip
    mill = supplier(house, line)
    with pytest.raises(Invalid, match="field_missing"):
        procurement.answer_chase(mill, chase=second, answer=" ")
    procurement.answer_chase(mill, chase=second, answer="轧机故障", expected_on=day(25))
    line.refresh_from_db()
    assert line.expected_on == day(25)
    second.refresh_from_db()
    assert (second.status, second.answer, second.answered_on) == ("answered", "轧机故障", day(25))
    with pytest.raises(Conflict, match="wrong_status"):
        procurement.answer_chase(mill, chase=second, answer="noch einmal")
    row = next(each for each in buy_board(buyer, house.site_id)["deliveries"] if each["id"] == line.id)
    assert (row["chases"], row["chase"]["answer"]) == (2, "轧机故障")


def test_a_foreign_supplier_cannot_answer(house: House) -> None:
    line = bought(house)
    chase = procurement.chase_delivery(house.by("buyer"), schedule_line=line)
    other = replace(
        supplier(house, line), partner=PurchaseOrder.objects.get(supplier__code="BOLT").supplier_id, memory={}
    )
    with pytest.raises(NotFound):
        run(other, "procurement.answer_chase", {"chase": str(chase.id), "answer": "x"})
    assert Chase.objects.get(pk=chase.id).status == "open"


def test_several_are_chased_with_one_tap_and_nothing_of_a_closed_order(house: House) -> None:
    line = bought(house)
    bolts = list(ScheduleLine.objects.filter(line__order__supplier__code="BOLT"))
    assert procurement.chase_deliveries(house.by("buyer"), schedule_lines=[line, *bolts]) == {"chased": 1 + len(bolts)}
    procurement.close_order(house.by("buyer"), order=PurchaseOrder.objects.get(pk=line.line.order_id), why="不要了")
    line.refresh_from_db()
    with pytest.raises(Conflict, match="wrong_status"):
        procurement.chase_delivery(house.by("buyer"), schedule_line=line)


def test_why_a_date_matters_names_kinds_and_no_orders(house: House) -> None:
    line = bought(house)
    told = portals.why_it_matters(supplier(house, line), [line.id])[str(line.id)]
    assert told["who"] and set(told["who"]) <= {"客户订单在等它", "生产在等它", "已排的生产在等它", "有计划在等它"}
    assert "客户订单在等它" in told["who"]
    assert "SO-" not in str(told) and "ACME" not in str(told)


def test_purchase_360_tells_the_whole_story(house: House) -> None:
    line = bought(house)
    buyer = house.by("buyer")
    order = PurchaseOrder.objects.get(pk=line.line.order_id)
    procurement.confirm_schedule(buyer, schedule_line=line, confirmed_on=line.required_on)
    chase = procurement.chase_delivery(buyer, schedule_line=line)
    procurement.answer_chase(buyer, chase=chase, answer="明天发货")
    line.refresh_from_db()
    asn = procurement.announce_shipment(
        buyer,
        purchase_order=order,
        eta_at=house.system.now + timedelta(days=1),
        lines=[procurement.AnnouncedLine(schedule_line=line, lot_number="M-1")],
    )
    clerk = house.by("warehouse")
    procurement.receive_goods(clerk, asn=asn)
    house.settle()
    told = purchase_360(buyer, order.id)
    (told_line,) = told["lines"]
    (delivery,) = told_line["schedule"]
    assert told["order"]["number"] == order.number
    assert delivery["received_quantity"] == told_line["quantity"] and delivery["open_quantity"] == 0
    assert [each["answer"] for each in delivery["chases"]] == ["明天发货"]
    assert [each["number"] for each in told["notices"]] == [asn.number]
    assert told["receipts"][0]["lines"][0]["quantity"] == told_line["quantity"]
    assert told["stories"]
    with pytest.raises(NotFound):
        purchase_360(replace(buyer, sites=frozenset(), memory={}), order.id)


def test_a_suppliers_rate_is_counted_from_his_first_word(house: House) -> None:
    line = bought(house)
    buyer, clerk = house.by("buyer"), house.by("warehouse")
    order = PurchaseOrder.objects.get(pk=line.line.order_id)
    mill = supplier(house, line)
    whole = line.quantity
    # He confirms half for today and half for the day before yesterday's wish; the second half comes late by his word.
    procurement.confirm_schedule(buyer, schedule_line=line, confirmed_on=day(10), quantity=whole / 2)
    rest = ScheduleLine.objects.get(line=line.line_id, sequence=2)
    procurement.confirm_schedule(mill_confirms(mill), schedule_line=rest, confirmed_on=day(1))
    line.refresh_from_db()
    rest.refresh_from_db()
    procurement.receive_goods(
        clerk,
        purchase_order=order,
        lines=[
            procurement.ReceivedLine(whole / 2, schedule_line=line, lot_number="M-1"),
            procurement.ReceivedLine(whole / 2, schedule_line=rest, lot_number="M-2"),
        ],
    )
    sheet = supplier_sheet(buyer, order.supplier_id)
    # The clock stands on 2 March: the first half is in time for what was asked, the second a day after his word.
    assert (sheet["score"]["receipts"], sheet["score"]["on_time"], sheet["score"]["days_late"]) == (2, 0.5, 0.5)
    assert sheet["score"]["rejected_ppm"] == 0
    assert sheet["score"]["months"] == [{"month": "2026-03", "receipts": 2, "on_time": 0.5}]
    assert sheet["open"] == []


def mill_confirms(mill: Actor) -> Actor:
    return replace(mill, rights=mill.rights | {"procurement.confirm_schedule"}, memory={})


def test_the_logistics_board_shows_nothing_of_other_sites(house: House) -> None:
    logistics = house.by("logistics")
    board = shipping_board(logistics, house.site_id)
    assert board["shipments"] == [] and board["carriers"] == []
