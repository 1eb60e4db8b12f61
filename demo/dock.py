"""Goods out: what is due and lies there is planned, picked, packed, sent with the afternoon truck, and signed for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from demo.scene import Scene
from lianzao.flows import order_to_delivery
from lianzao.inventory import queries as stock
from lianzao.logistics import commands as logistics
from lianzao.logistics import queries as shipping
from lianzao.logistics.models import MilestoneKind, Shipment
from lianzao.parties.models import Party
from lianzao.sales import queries as orders

ZERO = Decimal(0)


def ship(scene: Scene) -> None:
    """What is due and lies there is planned, picked, packed, sent with the afternoon truck, and signed for."""
    if scene.open("office"):
        _plan_shipments(scene)
    acts: dict[str, Callable[[Scene, Shipment], None]] = {
        "planned": _pick_shipment, "picking": _pick_shipment, "packed": _dispatch, "dispatched": _prove,
    }  # fmt: skip
    for shipment in Shipment.objects.filter(site_id=scene.site_id, status__in=list(acts)).order_by("due_on", "number"):
        if not scene.busy(shipment.id):
            acts[shipment.status](scene, shipment)


def _plan_shipments(scene: Scene) -> None:
    lines = orders.open_lines(scene.site_id)
    planned = shipping.planned_quantities([each["line_id"] for each in lines])
    free = {item: each.available for item, each in stock.on_hand(scene.site_id, None, scene.now).items()}
    in_hand: dict[UUID, Decimal] = {}
    for each in lines:
        in_hand[each["item_id"]] = in_hand.get(each["item_id"], ZERO) + planned.get(each["line_id"], ZERO)
    free = {item: quantity - in_hand.get(item, ZERO) for item, quantity in free.items()}
    transit = dict(Party.objects.filter(is_customer=True).values_list("id", "transit_days"))
    soon = (scene.local + timedelta(hours=scene.habits["logistics"]["ship_ahead_hours"])).date()
    by_order: dict[UUID, list[dict[str, Any]]] = {}
    for each in lines:
        by_order.setdefault(each["order_id"], []).append(each)
    for order_id, found in by_order.items():
        due = min(each["promised_on"] or each["requested_on"] for each in found)
        owed: dict[UUID, Decimal] = {}
        for each in found:
            rest = each["open_quantity"] - planned.get(each["line_id"], ZERO)
            owed[each["item_id"]] = owed.get(each["item_id"], ZERO) + rest
        owed = {item: rest for item, rest in owed.items() if rest > 0}
        if not owed or due - timedelta(days=transit.get(found[0]["customer_id"], 0)) > soon or scene.busy(order_id):
            continue
        if any(free.get(item, ZERO) < rest for item, rest in owed.items()):
            continue
        if scene.do("logistics", order_to_delivery.ship_order, order=order_id) is not None:
            for item, rest in owed.items():
                free[item] -= rest


def _pick_shipment(scene: Scene, shipment: Shipment) -> None:
    if not scene.open("receiving"):
        return
    lines = list(shipment.lines.values_list("quantity", "picked_quantity"))
    if any(picked < quantity for quantity, picked in lines):
        if shipment.updated_at + timedelta(minutes=25) <= scene.now:
            scene.do("warehouse", logistics.pick_shipment, shipment=shipment.id)
    elif shipment.updated_at + timedelta(minutes=20) <= scene.now:
        scene.do("warehouse", logistics.pack_shipment, shipment=shipment.id)


def _dispatch(scene: Scene, shipment: Shipment) -> None:
    if not scene.workday or scene.local.hour < scene.habits["logistics"]["pickup_hour"]:
        return
    carriers = list(Party.objects.filter(is_carrier=True, retired_at=None).order_by("code").values_list("id", "code"))
    carrier, code = scene.dice(shipment.number).choice(carriers)
    number = f"{code[2:]}{scene.dice(shipment.number).randrange(10**9, 10**10)}"
    scene.do(
        "logistics", logistics.dispatch_shipment, shipment=shipment.id, carrier=carrier, tracking_number=number
    )  # fmt: skip


def _prove(scene: Scene, shipment: Shipment) -> None:
    sent = shipment.dispatched_at
    if sent is not None and sent + timedelta(hours=5) <= scene.now and not shipment.milestones.exists():
        scene.do(
            "logistics", logistics.record_milestone, shipment=shipment.id, milestone=MilestoneKind.IN_TRANSIT,
            place="中转中心",
        )  # fmt: skip
    if scene.waited(shipment.eta_at, scene.habits["logistics"]["proof_hours"], shipment.number):
        scene.do("logistics", logistics.record_proof, shipment=shipment.id, receiver="收货人 Receiving clerk")
