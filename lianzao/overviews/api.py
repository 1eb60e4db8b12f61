"""The pages that join rooms. Each needs the right to see what it is about; parts beyond the viewer are left out."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router

from lianzao.access.queries import sites_of
from lianzao.foundation import http
from lianzao.foundation.actor import Actor
from lianzao.overviews import (
    buying,
    floor,
    home,
    item_sheet,
    kitting,
    machines,
    order_360,
    order_progress,
    pegging,
    plan_load,
    shift,
    shortages,
    trace,
)
from lianzao.values.errors import Invalid, NotAllowed, NotFound

router = Router(tags=["overviews"])


def own_people(request: HttpRequest, right: str) -> Actor:
    """The viewer, one of the house, with a right."""
    by = http.someone(request)
    if by.partner is not None or not by.may(right):
        raise NotAllowed("not_allowed", right=right)
    return by


def site_in_use(by: Actor, given: UUID | None) -> UUID:
    """The site asked for, else the one in use, else the only one."""
    site = given or by.site
    if site is None:
        known = list(sites_of(by))
        if not known:
            raise Invalid("field_missing", field="site")
        site = known[0].id
    if site not in by.sites:
        raise NotFound("not_found", entity="access.site", id=str(site))
    return site


def screen_viewer(request: HttpRequest, name: str) -> Actor:
    """Who looks at a screen: one of the house with its right, or a wall display it was given to."""
    by = http.someone(request, devices=True)
    right = f"overviews.view_{name}"
    if by.partner is not None or not by.may(right):
        raise NotAllowed("not_allowed", right=right)
    return by


@router.get("/screen/order_progress", operation_id="screen_order_progress")
def screen_order_progress(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """Open orders by stage, what is late and why, promises kept, what is due, what was promised anew today."""
    by = screen_viewer(request, "order_progress")
    return http.shared(request, by, lambda: order_progress.order_progress(by, site_in_use(by, site)))


@router.get("/screen/plan_load", operation_id="screen_plan_load")
def screen_plan_load(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """Load by work center and day, today's plan and what was made, machines now, late operations, the next hours."""
    by = screen_viewer(request, "plan_load")
    return http.shared(request, by, lambda: plan_load.plan_load(by, site_in_use(by, site)))


@router.get("/order/{uuid:order_id}", operation_id="order_360")
def order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Order 360."""
    return http.answer(order_360.order_360(own_people(request, "sales.view_sales_order"), order_id))


@router.get("/plan", operation_id="plan_board")
def plan(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """Shortages, proposals, changes, policies and runs."""
    by = own_people(request, "planning.view_shortage")
    return http.shared(request, by, lambda: shortages.plan_board(by, site_in_use(by, site)))


@router.get("/item/{uuid:item_id}", operation_id="item_sheet")
def item(request: HttpRequest, item_id: UUID, site: UUID | None = None, quantity: Decimal = Decimal(1)) -> HttpResponse:
    """An item: bill, uses, revisions, operations, stock and suppliers."""
    by = own_people(request, "catalog.view_item")
    return http.answer(item_sheet.item_sheet(by, item_id, site_in_use(by, site), quantity))


@router.get("/kitting", operation_id="kitting")
def kits(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """The kits of what begins within fourteen days, and what is missing on which day."""
    by = own_people(request, "planning.view_shortage")
    return http.shared(request, by, lambda: kitting.kitting(by, site_in_use(by, site)))


@router.get("/pegging/{kind}/{uuid:document_id}", operation_id="pegging")
def pegs(request: HttpRequest, kind: str, document_id: UUID, site: UUID | None = None) -> HttpResponse:
    """What serves a document, and what it serves."""
    by = own_people(request, "planning.view_shortage")
    return http.answer(pegging.pegging(by, kind, document_id, site_in_use(by, site)))


@router.get("/buy", operation_id="buy_board")
def buy(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """Requisitions, orders to send, deliveries to come and whom they hurt, shipments announced."""
    by = own_people(request, "procurement.view_purchase_order")
    return http.shared(request, by, lambda: buying.buy_board(by, site_in_use(by, site)))


@router.get("/station/{uuid:work_center_id}", operation_id="station")
def station(request: HttpRequest, work_center_id: UUID) -> HttpResponse:
    """A station's queue."""
    by = own_people(request, "production.view_work_order")
    return http.shared(request, by, lambda: floor.station(by, work_center_id))


@router.get("/shift", operation_id="shift_board")
def shift_board(request: HttpRequest, site: UUID | None = None, following: bool = False) -> HttpResponse:
    """The production lead's board of this shift, or of the one that follows."""
    by = own_people(request, "production.view_work_order")
    return http.shared(request, by, lambda: shift.shift_board(by, site_in_use(by, site), following=following))


@router.get("/machines", operation_id="machine_wall")
def machine_wall(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """All machines: state, reason, what it hurts, the day so far, stops."""
    by = own_people(request, "equipment.view_machine_state")
    return http.shared(request, by, lambda: machines.machine_wall(by, site_in_use(by, site)))


@router.get("/warehouse", operation_id="warehouse")
def warehouse(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """The warehouse's phone."""
    by = own_people(request, "inventory.view_pick_task")
    return http.shared(request, by, lambda: floor.warehouse(by, site_in_use(by, site)))


@router.get("/uncovered", operation_id="uncovered")
def uncovered(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """Material that was used though the books had none there."""
    by = own_people(request, "inventory.view_pending_move")
    return http.answer({"rows": floor.uncovered(by, site_in_use(by, site))})


@router.get("/arrival/{uuid:asn_id}", operation_id="arrival")
def arrival(request: HttpRequest, asn_id: UUID) -> HttpResponse:
    """One announced shipment, or an order nobody announces, to be received."""
    return http.answer(floor.arrival(own_people(request, "inventory.view_pick_task"), asn_id))


@router.get("/scan", operation_id="scan")
def scan(request: HttpRequest, code: str) -> HttpResponse:
    """What a scanned code means."""
    return http.answer({"found": floor.scanned(own_people(request, "inventory.view_lot"), code)})


@router.get("/trace/{uuid:lot_id}", operation_id="trace")
def trace_lot(request: HttpRequest, lot_id: UUID, direction: str = "back") -> HttpResponse:
    """A lot's trace, back or forward."""
    if direction not in ("back", "forward"):
        raise Invalid("not_a_choice", field="direction")
    return http.answer(trace.trace(own_people(request, "inventory.view_lot"), lot_id, direction))


@router.get("/home", operation_id="home")
def role_home(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """What waits for the viewer."""
    by = http.someone(request)
    if by.partner is not None:
        raise NotAllowed("not_allowed", right="overviews.home")
    return http.shared(request, by, lambda: home.home(by, site_in_use(by, site)))
