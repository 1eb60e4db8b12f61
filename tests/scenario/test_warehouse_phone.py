"""The warehouse's phone: goods that come before their day are taken in like any other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lianzao.inventory.models import Lot
from lianzao.overviews import floor
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import Asn, PurchaseOrder, ScheduleLine
from lianzao.values.errors import NotFound
from tests.world import House, day, house

__all__ = ["house"]


def announced(house: House) -> Asn:
    """Steel announced for ten days from now."""
    house.order("ACME", "100", day(20))
    house.accept_all()
    house.buy_all()
    steel = house.schedule("STEEL")
    return procurement.announce_shipment(
        house.by("buyer"),
        purchase_order=PurchaseOrder.objects.get(id=steel.line.order_id),
        eta_at=house.system.now + timedelta(days=10),
        lines=[procurement.AnnouncedLine(schedule_line=steel, lot_number="M-1")],
    )


def test_early_goods_are_not_listed_but_found_by_their_notice_and_received(house: House) -> None:
    asn = announced(house)
    clerk = house.by("warehouse")
    assert floor.warehouse(clerk, house.site_id)["arrivals"] == []
    told = floor.arrival(clerk, asn.id)
    assert (told["number"], told["status"], told["lines"][0]["lot_number"]) == (asn.number, "announced", "M-1")
    procurement.receive_goods(clerk, asn=asn)
    assert floor.arrival(clerk, asn.id)["status"] == "closed"


def test_goods_nobody_announced_are_found_by_their_order_and_received(house: House) -> None:
    announced(house)
    clerk = house.by("warehouse")
    order = PurchaseOrder.objects.get(supplier__code="BOLT")
    assert floor.scanned(clerk, order.number) == [{"kind": order.kind, "id": order.id, "number": order.number}]
    told = floor.arrival(clerk, order.id)
    assert (told["number"], told["kind"], told["status"]) == (order.number, order.kind, "sent")
    assert {(each["item"]["code"], each["asks_lot"]) for each in told["lines"]} == {("SCREW", False), ("MOTOR", True)}
    procurement.receive_goods(
        clerk,
        purchase_order=order,
        lines=[
            procurement.ReceivedLine(
                each["quantity"],
                schedule_line=ScheduleLine.objects.get(pk=each["id"]),
                lot_number="B-9" if each["asks_lot"] else "",
            )
            for each in told["lines"]
        ],
    )
    assert Lot.objects.get(item__code="MOTOR").supplier_lot == "B-9"
    told = floor.arrival(clerk, order.id)
    assert (told["status"], told["lines"]) == ("closed", [])
    steel = PurchaseOrder.objects.get(supplier__code="MILL")
    assert floor.arrival(clerk, steel.id)["lines"] == []  # it is announced: it comes by its notice


def test_nobody_opens_a_notice_of_another_site(house: House) -> None:
    asn = announced(house)
    with pytest.raises(NotFound):
        floor.arrival(replace(house.by("warehouse"), sites=frozenset()), asn.id)
