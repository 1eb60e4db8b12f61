"""Stories of shipping: planned, picked first expired first out, packed with SSCCs, dispatched, proved, or sent back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from lianzao.foundation import clock, link
from lianzao.inventory.commands import hold_lot, release_lot, reserve_stock
from lianzao.inventory.queries import moves_of, on_hand, trace_forward
from lianzao.logistics import commands as logistics
from lianzao.logistics import queries
from lianzao.logistics.commands import PackedPackage, ShipLine
from lianzao.logistics.models import MilestoneKind, PackageKind, Shipment, ShipmentPick
from lianzao.plant.queries import virtual_location
from lianzao.sales.commands import OrderLine
from lianzao.sales.models import SalesOrder
from lianzao.values.errors import Conflict, Invalid, NotAllowed, NotFound, RuleBroken
from tests.scenario.commerce import Trade, day

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def trade(db: None) -> Iterator[Trade]:
    try:
        yield Trade()
    finally:
        clock.freeze(None)


def plan(trade: Trade, order: SalesOrder, *, complete: bool = False) -> Shipment:
    lines = [
        ShipLine(line.ref, line.item, line.quantity, line.label, order.ref, complete=complete)
        for line in order.lines.select_related("order", "item").order_by("sequence")
    ]
    return logistics.plan_shipment(trade.by, customer=order.customer, lines=lines, due_on=day(5), carrier=trade.truck)


def picks(shipment: Shipment) -> list[ShipmentPick]:
    return list(ShipmentPick.objects.select_related("lot", "location").filter(line__shipment=shipment).order_by("pk"))


def test_from_the_order_to_the_proof(trade: Trade) -> None:
    trade.make("logistics.sscc_range", site_id=str(trade.site_id), company_prefix="6901234", next_serial=41)
    late = trade.stock(trade.pump, "8", trade.shipping, "P-LATE", expires_on=day(30))
    soon = trade.stock(trade.pump, "5", trade.store, "P-SOON", expires_on=day(12))
    trade.stock(trade.screw, "100", trade.store)
    order = trade.sell(OrderLine(trade.pump, D(9)), OrderLine(trade.screw, D(20)))
    shipment = plan(trade, order)
    assert [(each.ref, each.quantity) for each in link.up(shipment)] == [(order.ref, 29)]
    line = trade.line(order)
    assert queries.planned_quantities([line.id]) == {line.id: 9}

    logistics.pick_shipment(trade.by, shipment=shipment)
    taken = [(pick.lot.number if pick.lot else None, pick.location.code, pick.quantity) for pick in picks(shipment)]
    # What expires sooner goes first, although the other stands nearer.
    assert sorted(taken, key=str) == [("P-LATE", "SHIP", 4), ("P-SOON", "STORE", 5), (None, "STORE", 20)]
    stock = on_hand(trade.site_id, [trade.pump.id])[trade.pump.id]
    assert (stock.usable, stock.reserved, stock.available) == (13, 9, 4)
    assert len(trade.news("ShipmentPicked")) == 1

    pumps, screws = [pick for pick in picks(shipment) if pick.lot], [pick for pick in picks(shipment) if not pick.lot]
    logistics.pack_shipment(
        trade.by,
        shipment=shipment,
        packages=[PackedPackage(pumps, PackageKind.PALLET), PackedPackage(screws, weight_kg=D(3))],
    )
    pallet, carton = shipment.packages.order_by("sequence")
    assert (pallet.sscc[:8], pallet.sscc[8:17]) == ("06901234", "000000041")
    assert (pallet.weight_kg, carton.weight_kg) == (D("22.5"), 3)
    assert queries.package_by_sscc(f"(00){carton.sscc}").id == carton.id

    logistics.dispatch_shipment(trade.by, shipment=shipment, tracking_number="T-1")
    shipment.refresh_from_db()
    assert shipment.eta_at == clock.now() + timedelta(days=2)  # the customer's transit days
    moves = moves_of(shipment.ref)
    assert {move.target.id for move in moves} == {virtual_location(trade.site_id, "customer")}
    assert sum(move.quantity for move in moves) == 29
    assert on_hand(trade.site_id, [trade.pump.id])[trade.pump.id].available == 4
    left = trade.news("ShipmentDispatched")[0]
    assert left["source_ids"] == [str(line.id), str(trade.line(order, 2).id)]
    assert [D(quantity) for quantity in left["quantities"]] == [9, 20]
    assert set(left["partner_ids"]) == {str(trade.dealer.id), str(trade.truck.id)}
    assert trace_forward(soon.id) and trace_forward(late.id)  # type: ignore[union-attr]
    assert queries.planned_quantities([line.id]) == {}

    carrier = trade.partner(trade.truck, "logistics.record_milestone", "logistics.record_proof")
    trade.later(hours=20)
    slower = clock.now() + timedelta(days=3)
    logistics.record_milestone(carrier, shipment=shipment, milestone=MilestoneKind.DELAYED, place="武汉", eta_at=slower)
    shipment.refresh_from_db()
    assert shipment.eta_at == slower
    with pytest.raises(Invalid, match="before_dispatch"):
        early = clock.now() - timedelta(days=1)
        logistics.record_proof(carrier, shipment=shipment, receiver="王", happened_at=early)
    trade.later(days=3)
    logistics.record_proof(carrier, shipment=shipment, receiver="王五")
    done = trade.news("ShipmentDelivered")[0]
    assert (done["receiver"], done["source_ids"]) == ("王五", left["source_ids"])
    shipment.refresh_from_db()
    assert (shipment.status, shipment.delivered_at) == ("delivered", clock.now())
    trade.prove()


def test_picked_goods_are_nobody_elses(trade: Trade) -> None:
    trade.stock(trade.pump, "10", trade.store, "P-1")
    first = plan(trade, trade.sell(OrderLine(trade.pump, D(8))))
    second = plan(trade, trade.sell(OrderLine(trade.pump, D(8))))
    logistics.pick_shipment(trade.by, shipment=first)
    logistics.pick_shipment(trade.by, shipment=second)
    assert second.lines.get().picked_quantity == 2
    with pytest.raises(RuleBroken, match="nothing_to_pick"):
        logistics.pick_shipment(trade.by, shipment=second)
    with pytest.raises(RuleBroken, match="not_available"):
        logistics.pick_shipment_line(
            trade.by, line=second.lines.get(), quantity=D(1), lot=picks(first)[0].lot, location=trade.store
        )
    logistics.cancel_shipment(trade.by, shipment=first, why="customer waits")
    logistics.pick_shipment(trade.by, shipment=second)
    assert second.lines.get().picked_quantity == 8
    assert on_hand(trade.site_id, [trade.pump.id])[trade.pump.id].reserved == 8


def test_what_was_set_aside_for_the_order_line_goes_to_its_shipment(trade: Trade) -> None:
    trade.stock(trade.screw, "10", trade.store)
    order = trade.sell(OrderLine(trade.screw, D(10)))
    reserve_stock(trade.by, item=trade.screw, location=trade.store, quantity=D(10), cause=trade.line(order).ref)
    shipment = plan(trade, order)
    logistics.pick_shipment(trade.by, shipment=shipment)
    assert shipment.lines.get().picked_quantity == 10
    assert on_hand(trade.site_id, [trade.screw.id])[trade.screw.id].reserved == 10


def test_packing_short_must_be_wanted_and_allowed(trade: Trade) -> None:
    trade.stock(trade.screw, "6", trade.store)
    shipment = plan(trade, trade.sell(OrderLine(trade.screw, D(10))))
    with pytest.raises(RuleBroken, match="nothing_picked"):
        logistics.pack_shipment(trade.by, shipment=shipment, short=True)
    logistics.pick_shipment(trade.by, shipment=shipment)
    with pytest.raises(RuleBroken, match="line_not_complete"):
        logistics.pack_shipment(trade.by, shipment=shipment)
    logistics.pack_shipment(trade.by, shipment=shipment, short=True)
    assert shipment.packages.get().sscc is None  # the site has no GS1 prefix
    logistics.dispatch_shipment(trade.by, shipment=shipment)
    assert [D(each) for each in trade.news("ShipmentDispatched")[0]["quantities"]] == [6]

    trade.stock(trade.screw, "6", trade.store)
    whole = plan(trade, trade.sell(OrderLine(trade.screw, D(10))), complete=True)
    logistics.pick_shipment(trade.by, shipment=whole)
    with pytest.raises(RuleBroken, match="line_not_complete"):
        logistics.pack_shipment(trade.by, shipment=whole, short=True)


def test_every_pick_is_packed_exactly_once(trade: Trade) -> None:
    trade.stock(trade.pump, "4", trade.store, "P-1")
    trade.stock(trade.pump, "4", trade.store, "P-2")
    shipment = plan(trade, trade.sell(OrderLine(trade.pump, D(8))))
    logistics.pick_shipment(trade.by, shipment=shipment)
    one, two = picks(shipment)
    for packages, code in (
        ([PackedPackage([one])], "picks_not_packed"),
        ([PackedPackage([one, two]), PackedPackage([two])], "pick_packed_twice"),
        ([PackedPackage([one, two]), PackedPackage([])], "package_empty"),
    ):
        with pytest.raises((RuleBroken, Invalid), match=code):
            logistics.pack_shipment(trade.by, shipment=shipment, packages=packages)
    logistics.pack_shipment(trade.by, shipment=shipment)
    logistics.unpack_shipment(trade.by, shipment=shipment)
    logistics.unpick(trade.by, pick=picks(shipment)[0])
    line = shipment.lines.get()
    assert line.picked_quantity == 4
    assert shipment.packages.count() == 0
    assert on_hand(trade.site_id, [trade.pump.id])[trade.pump.id].reserved == 4


def test_a_scan_picks_what_it_says(trade: Trade) -> None:
    lot = trade.stock(trade.pump, "10", trade.store, "P-1")
    other = trade.stock(trade.pump, "10", trade.store, "P-2")
    order = trade.sell(OrderLine(trade.pump, D(4)))
    line = trade.line(order)
    wanted = ShipLine(line.ref, trade.pump, D(4), lot=other)
    shipment = logistics.plan_shipment(trade.by, customer=trade.dealer, lines=[wanted], due_on=day(5))
    to_pick = shipment.lines.get()
    with pytest.raises(RuleBroken, match="other_lot_wanted"):
        logistics.pick_shipment_line(trade.by, line=to_pick, quantity=D(1), lot=lot, location=trade.store)
    with pytest.raises(RuleBroken, match="picked_too_much"):
        logistics.pick_shipment_line(trade.by, line=to_pick, quantity=D(5), lot=other, location=trade.store)
    logistics.pick_shipment_line(trade.by, line=to_pick)
    assert [pick.lot_id for pick in picks(shipment)] == [other.id]  # type: ignore[union-attr]


def test_a_lot_held_after_picking_does_not_leave(trade: Trade) -> None:
    lot = trade.stock(trade.pump, "4", trade.store, "P-1")
    assert lot is not None
    shipment = plan(trade, trade.sell(OrderLine(trade.pump, D(4))))
    logistics.pick_shipment(trade.by, shipment=shipment)
    logistics.pack_shipment(trade.by, shipment=shipment)
    hold_lot(trade.by, lot=lot, reason="crack found")
    with pytest.raises(RuleBroken, match="lot_on_hold"):
        logistics.dispatch_shipment(trade.by, shipment=shipment)
    shipment.refresh_from_db()
    assert shipment.status == "packed"
    release_lot(trade.by, lot=lot)
    logistics.dispatch_shipment(trade.by, shipment=shipment)
    trade.prove()


def test_an_undelivered_shipment_comes_back_into_stock(trade: Trade) -> None:
    trade.stock(trade.pump, "4", trade.store, "P-1")
    shipment = plan(trade, trade.sell(OrderLine(trade.pump, D(4))))
    with pytest.raises(Conflict, match="wrong_status"):
        logistics.dispatch_shipment(trade.by, shipment=shipment)
    logistics.pick_shipment(trade.by, shipment=shipment)
    logistics.pack_shipment(trade.by, shipment=shipment)
    logistics.dispatch_shipment(trade.by, shipment=shipment)
    assert on_hand(trade.site_id, [trade.pump.id])[trade.pump.id].usable == 0
    logistics.return_shipment(trade.by, shipment=shipment, why="nobody at home")
    assert on_hand(trade.site_id, [trade.pump.id])[trade.pump.id].available == 4
    assert trade.news("ShipmentReturned")[0]["why"] == "nobody at home"
    trade.prove()


def test_a_partner_sees_and_touches_only_his_shipments(trade: Trade) -> None:
    trade.stock(trade.screw, "10", trade.store)
    shipment = plan(trade, trade.sell(OrderLine(trade.screw, D(10))))
    logistics.pick_shipment(trade.by, shipment=shipment)
    logistics.pack_shipment(trade.by, shipment=shipment)
    logistics.dispatch_shipment(trade.by, shipment=shipment)
    builder = trade.partner(trade.builder, "logistics.record_proof")
    with pytest.raises(NotFound):
        logistics.record_proof(builder, shipment=shipment, receiver="me")
    with pytest.raises(NotAllowed):
        logistics.return_shipment(trade.partner(trade.truck), shipment=shipment, why="no")
