"""The people of the offices, ours and the partners': suppliers, buyer, planner, sales, customers."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from demo.scene import Scene
from lianzao.catalog.models import Item
from lianzao.flows import order_to_delivery
from lianzao.parties.models import Party
from lianzao.planning import commands as planning
from lianzao.planning import queries as plans
from lianzao.procurement import commands as procurement
from lianzao.procurement import queries as buying
from lianzao.procurement.models import Asn, PurchaseRequisition, ScheduleLine
from lianzao.sales import commands as sales
from lianzao.sales.models import PromiseChange, SalesOrder, SalesOrderLine

D = Decimal

#: What the planner asks suppliers and customers for; the rest of the messages is left to people at the screen.
DECIDED_BY_PLANNER = ("reschedule", "expedite", "overdue", "promise", "increase")
#: A truck that is ordered is not sent back for a few days: these are refused as long as they are about deliveries.
KEPT_BY_PLANNER = ("defer", "decrease")

KEPT = "整车到货，不改 a full truck, kept as it is"


def _next_workday(on: date) -> date:
    return on + timedelta(days=1) if on.weekday() == 6 else on


# -- suppliers --------------------------------------------------------------------------------------------------------


def suppliers(scene: Scene) -> None:
    """Suppliers confirm what was ordered, announce what they ship, and sometimes say that it comes later."""
    if not scene.open("office"):
        return
    rows = ScheduleLine.objects.filter(line__order__site_id=scene.site_id, line__order__status="sent")
    rows = rows.select_related("line__order__supplier", "line__item").order_by("expected_on", "line__order__number")
    _confirm(scene, [each for each in rows if each.status == "open"])
    _announce(scene, [each for each in rows if each.status == "confirmed"])
    _slip(scene)


def _confirm(scene: Scene, lines: list[ScheduleLine]) -> None:
    habits = scene.habits["suppliers"]
    for each in lines:
        order = each.line.order
        asked_at = max(order.sent_at or scene.now, each.updated_at)
        if scene.busy(order.id, each.id) or not scene.waited(asked_at, habits["confirm_after_hours"], each.label):
            continue
        on, reason = each.required_on, ""
        if each.expected_on > each.required_on and not scene.chance(
            habits["sooner_chance"], f"sooner {each.label} {each.required_on}"
        ):
            on = each.expected_on  # asked to come sooner, and cannot
        if scene.chance(habits["late_chance"], f"late {each.label}"):
            on += timedelta(days=round(scene.between(habits["late_days"], f"days {each.label}")))
            reason = "产能紧张 short of capacity"
        on = _next_workday(max(on, scene.today + timedelta(days=1)))
        voice = scene.voice_of(order.supplier_id, "buyer")
        scene.do(voice, procurement.confirm_schedule, schedule_line=each.id, confirmed_on=on, reason=reason)


def _announce(scene: Scene, lines: list[ScheduleLine]) -> None:
    habits = scene.habits["suppliers"]
    soon = scene.today + timedelta(days=habits["announce_days_before"])
    together: dict[tuple[UUID, date], list[ScheduleLine]] = {}
    for each in lines:
        if each.expected_on <= soon and each.open_quantity > 0:
            together.setdefault((each.line.order_id, each.expected_on), []).append(each)
    carriers = list(
        Party.objects.filter(is_carrier=True, retired_at=None).order_by("code").values_list("id", flat=True)
    )
    for (order_id, on), found in together.items():
        order = found[0].line.order
        if scene.busy(order_id, *[each.id for each in found]):
            continue
        key = f"{order.number} {on}"
        hour = scene.between(habits["arrive_at_hours"], key)
        eta_at = max(scene.at(_next_workday(on), round(hour * 2) / 2), scene.now + timedelta(hours=3))
        scene.do(
            scene.voice_of(order.supplier_id, "buyer"), procurement.announce_shipment, purchase_order=order_id,
            lines=[announced(each, scene.today) for each in found], eta_at=eta_at,
            carrier=scene.dice(key).choice(carriers), delivery_note=f"DN{order.number[-5:]}-{on:%m%d}",
        )  # fmt: skip


def announced(line: ScheduleLine, made_on: date, lot: str = "") -> dict[str, Any]:
    """All that is open of a delivery, in one lot if its item has lots."""
    item = line.line.item
    number = ""
    if item.tracking != "none":
        number = lot or f"{line.line.order.supplier.code[2:]}-{made_on:%y%m%d}-{line.line.sequence}{line.sequence}"
    return {
        "schedule_line": line.id, "quantity": line.open_quantity, "lot_number": number, "made_on": None,
        "expires_on": None, "sscc": "",
    }  # fmt: skip


def _slip(scene: Scene) -> None:
    """Now and then a truck is late: its notice says so, once."""
    habits = scene.habits["suppliers"]
    rows = Asn.objects.filter(site_id=scene.site_id, status="announced", eta_at__gt=scene.now + timedelta(hours=2))
    for asn in rows.order_by("number"):
        if asn.eta_at != asn.first_eta_at or scene.busy(asn.id, asn.purchase_order_id):
            continue
        if asn.created_at + timedelta(hours=6) > scene.now or not scene.chance(habits["eta_slip_chance"], asn.number):
            continue
        later = asn.eta_at + timedelta(hours=round(scene.between(habits["eta_slip_hours"], f"slip {asn.number}")))
        if later.astimezone(scene.zone).weekday() == 6:
            later += timedelta(days=1)
        voice = scene.voice_of(asn.supplier_id, "buyer")
        scene.do(voice, procurement.change_eta, asn=asn.id, eta_at=later, reason="路上堵车 held up on the road")


# -- buyer and planner ------------------------------------------------------------------------------------------------


def buyer(scene: Scene) -> None:
    """The buyer approves requisitions and orders them, one paper for each supplier."""
    if not scene.open("office"):
        return
    habits = scene.habits["buyer"]
    rows = PurchaseRequisition.objects.filter(site_id=scene.site_id)
    for each in rows.filter(status="raised").order_by("number"):
        if scene.waited(each.created_at, habits["approve_after_hours"], each.number) and not scene.busy(each.id):
            scene.do("buyer", procurement.approve_requisition, requisition=each.id)
    approved = [
        each for each in rows.filter(status="approved").order_by("needed_on", "number") if not scene.busy(each.id)
    ]
    best = buying.best_suppliers([each.item_id for each in approved], scene.today)
    baskets: dict[UUID, list[PurchaseRequisition]] = {}
    for each in approved:
        supplier = each.supplier_id or best.get(each.item_id)
        if supplier is not None:
            baskets.setdefault(supplier, []).append(each)
    for supplier, basket in baskets.items():
        oldest = min(each.updated_at for each in basket)
        if scene.now < oldest + timedelta(hours=habits["bundle_hours"]):
            continue
        order = scene.do(
            "buyer", procurement.order_requisitions, requisitions=[each.id for each in basket], supplier=supplier
        )
        if order is not None:
            scene.do("buyer", procurement.send_order, order=order.id)


def planner(scene: Scene) -> None:
    """The planner accepts planned orders whose time has come, and the changes the plan asks for."""
    if not scene.open("office"):
        return
    habits = scene.habits["planner"]
    ahead = {"make": habits["make_ahead_days"], "buy": habits["buy_ahead_days"]}
    chosen = [
        each.id
        for each in plans.open_proposals(scene.site_id)
        if each.start_at <= scene.now + timedelta(days=ahead.get(each.kind_of_order, 0))
        and scene.waited(each.created_at, habits["decide_after_hours"], each.number)
        and not scene.busy(each.id, each.item_id)
    ]
    if chosen:
        scene.do("planner", planning.accept_proposals, proposals=chosen)
    for each in plans.open_messages(scene.site_id):
        if scene.busy(each.id, each.subject_id, each.demand_id):
            continue
        patience = "talk_after_hours" if each.action == "promise" else "decide_after_hours"
        if not scene.waited(each.created_at, habits[patience], each.number):
            continue
        if each.action in DECIDED_BY_PLANNER:
            scene.do("planner", planning.accept_remedy, message=each.id)
        elif (
            scene.local.hour == habits["tidy_hour"]
            and each.action in KEPT_BY_PLANNER
            and each.subject_kind.startswith("procurement.")
        ):
            scene.do("planner", planning.reject_remedy, message=each.id, why=KEPT)


# -- sales and customers ----------------------------------------------------------------------------------------------


def customers(scene: Scene) -> None:
    """Customers order, and answer offers of another day; sales confirms and promises."""
    if not scene.open("office"):
        return
    _answer(scene)
    _new_orders(scene)
    _promise(scene)


def _answer(scene: Scene) -> None:
    habits = scene.habits["customers"]
    offers = PromiseChange.objects.filter(status="offered", line__order__site_id=scene.site_id)
    for each in offers.select_related("line__order").order_by("offered_at"):
        order = each.line.order
        key = f"{each.line.label} {each.new_on}"
        if scene.busy(each.id, order.id, each.line_id) or not scene.waited(
            each.offered_at, habits["answer_after_hours"], key
        ):
            continue
        voice = scene.voice_of(order.customer_id, "sales")
        accepts = scene.chance(habits["accept_chance"], f"accept {key}")
        act = sales.accept_promise if accepts else sales.decline_promise
        answer = "可以接受 agreed" if accepts else "请按原日期 keep the date"
        scene.do(voice, act, promise=each.id, answer=answer)


def _new_orders(scene: Scene) -> None:
    """So many orders a day; each has a number of its own, so that none is entered twice."""
    habits = scene.habits["customers"]
    rate = float(habits["orders_per_day"])
    count = int(rate) + int(scene.chance(rate - int(rate), f"orders {scene.today}"))
    for place in range(1, count + 1):
        reference = f"EDI-{scene.today:%y%m%d}-{place:02d}"
        dice = scene.dice(reference)
        if scene.now < scene.at(scene.today, dice.uniform(9, 17)):
            continue
        if SalesOrder.objects.filter(customer_reference=reference).exists():
            continue
        _enter(scene, reference)


def _enter(scene: Scene, reference: str) -> None:
    habits = scene.habits["customers"]
    dice = scene.dice(f"order {reference}")
    known = SalesOrderLine.objects.filter(order__site_id=scene.site_id, price__gt=0).exclude(status="cancelled")
    habitual = sorted(set(known.values_list("order__customer_id", "item_id", "price")), key=str)
    if not habitual:
        return
    customer, item_id, price = dice.choice(habitual)
    low, high = habits["requested_in_days"]
    wanted = _next_workday(scene.today + timedelta(days=dice.randint(low, high)))
    line = sales.OrderLine(Item.objects.get(pk=item_id), D(dice.choice(habits["sizes"])), price=price)
    order = scene.do(
        "sales", sales.enter_order, customer=customer, lines=[line], requested_on=wanted, customer_reference=reference,
    )  # fmt: skip
    if order is not None:
        scene.do("sales", sales.confirm_order, order=order.id)


def _promise(scene: Scene) -> None:
    """Sales gives its word for what the plan has seen."""
    habits = scene.habits["customers"]
    rows = SalesOrder.objects.filter(site_id=scene.site_id, status="confirmed")
    waiting = rows.filter(lines__promised_on=None, lines__projected_at__isnull=False, lines__status="confirmed")
    for order in waiting.distinct().order_by("number"):
        confirmed: datetime | None = order.confirmed_at
        if scene.waited(confirmed, habits["promise_after_hours"], order.number) and not scene.busy(order.id):
            scene.do("sales", order_to_delivery.promise_order, order=order.id)
