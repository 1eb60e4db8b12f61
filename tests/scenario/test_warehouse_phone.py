"""The warehouse's phone: goods that come before their day are taken in like any other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lianzao.overviews import floor
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import Asn, PurchaseOrder
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


def test_nobody_opens_a_notice_of_another_site(house: House) -> None:
    asn = announced(house)
    with pytest.raises(NotFound):
        floor.arrival(replace(house.by("warehouse"), sites=frozenset()), asn.id)
