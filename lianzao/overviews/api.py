"""The pages that join rooms. Each needs the right to see what it is about; parts beyond the viewer are left out."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from lianzao.access.queries import sites_of
from lianzao.foundation import http, printing
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
    papers,
    pegging,
    plan_load,
    purchase_360,
    quality_trace,
    shift,
    shipping,
    shortages,
    stock_use,
    stores,
    supplier_performance,
    trace,
)
from lianzao.values.errors import Invalid, NotAllowed, NotFound

router = Router(tags=["overviews"])


class TriedLayout(Schema):
    """A layout somebody is writing, and the record he tries it on."""

    paper: str
    id: UUID
    text: str


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


@router.get("/screen/stock_use", operation_id="screen_stock_use")
def screen_stock_use(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """库存状态与物料消耗: stock by state, cover, what lies still, consumption against the bill."""
    by = screen_viewer(request, "stock_use")
    return http.shared(request, by, lambda: stock_use.stock_use(by, site_in_use(by, site)))


@router.get("/screen/stock_use/item/{uuid:item_id}", operation_id="screen_stock_use_item")
def stock_item(request: HttpRequest, item_id: UUID, site: UUID | None = None) -> HttpResponse:
    """What is behind an item's figures: places and lots, needs ahead, orders that used it."""
    by = own_people(request, "overviews.view_stock_use")
    return http.answer(stock_use.stock_item(by, site_in_use(by, site), item_id))


@router.get("/screen/quality_trace", operation_id="screen_quality_trace")
def screen_quality_trace(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """质量追溯与异常预警: first pass yield, scrap, open inspections, held lots, what suppliers brought."""
    by = screen_viewer(request, "quality_trace")
    return http.shared(request, by, lambda: quality_trace.quality_trace(by, site_in_use(by, site)))


@router.get("/screen/quality_trace/reports", operation_id="screen_quality_trace_reports")
def quality_reports(
    request: HttpRequest,
    site: UUID | None = None,
    work_center: UUID | None = None,
    reason: UUID | None = None,
    from_at: datetime | None = None,
) -> HttpResponse:
    """The reports behind yield and scrap."""
    by = own_people(request, "overviews.view_quality_trace")
    place = site_in_use(by, site)
    return http.answer(
        quality_trace.quality_reports(by, place, work_center_id=work_center, reason_id=reason, from_at=from_at)
    )


@router.get("/screen/supplier_performance", operation_id="screen_supplier_performance")
def supply_figures(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """供应商绩效与物流时效: on time in full, confirmations, refused goods, expected receipts, shipments."""
    by = screen_viewer(request, "supplier_performance")
    return http.shared(request, by, lambda: supplier_performance.supplier_performance(by, site_in_use(by, site)))


@router.get(
    "/screen/supplier_performance/supplier/{uuid:supplier_id}", operation_id="screen_supplier_performance_supplier"
)
def supplier_figures(request: HttpRequest, supplier_id: UUID, site: UUID | None = None) -> HttpResponse:
    """The deliveries behind a supplier's figures."""
    by = own_people(request, "overviews.view_supplier_performance")
    return http.answer(supplier_performance.supplier_deliveries(by, site_in_use(by, site), supplier_id))


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


@router.get("/purchase/{uuid:order_id}", operation_id="purchase_360")
def purchase(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Purchase order 360."""
    return http.answer(purchase_360.purchase_360(own_people(request, "procurement.view_purchase_order"), order_id))


@router.get("/supplier/{uuid:supplier_id}", operation_id="supplier_sheet")
def supplier(request: HttpRequest, supplier_id: UUID) -> HttpResponse:
    """A supplier's sheet."""
    return http.answer(purchase_360.supplier_sheet(own_people(request, "procurement.view_purchase_order"), supplier_id))


@router.get("/shipping", operation_id="shipping")
def shipping_board(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """Shipments due, ready, on the way, late, proved."""
    by = own_people(request, "logistics.view_shipment")
    return http.shared(request, by, lambda: shipping.shipping_board(by, site_in_use(by, site)))


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


@router.get("/stock", operation_id="stock")
def stock(
    request: HttpRequest,
    site: UUID | None = None,
    item: UUID | None = None,
    lot: UUID | None = None,
    location: UUID | None = None,
    q: str = "",
) -> HttpResponse:
    """What stands where: free, set aside, held."""
    by = own_people(request, "inventory.view_balance")
    return http.answer(stores.stock(by, site_in_use(by, site), item=item, lot=lot, location=location, q=q))


@router.get("/put_away", operation_id="put_away")
def put_away(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """What came in and waits for a shelf."""
    by = own_people(request, "inventory.view_balance")
    return http.shared(request, by, lambda: stores.put_away(by, site_in_use(by, site)))


@router.get("/places/{uuid:item_id}", operation_id="places")
def places(request: HttpRequest, item_id: UUID, site: UUID | None = None, lot: UUID | None = None) -> HttpResponse:
    """Where to put an item away, and why."""
    by = own_people(request, "inventory.view_balance")
    return http.answer({"places": stores.places(by, site_in_use(by, site), item_id, lot)})


@router.get("/counts", operation_id="counts")
def counts(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """Counts, and what to count next."""
    by = own_people(request, "inventory.view_count_sheet")
    return http.shared(request, by, lambda: stores.counts(by, site_in_use(by, site)))


@router.get("/count/{uuid:sheet_id}", operation_id="count_sheet")
def count_sheet(request: HttpRequest, sheet_id: UUID) -> HttpResponse:
    """One count, blind while it is open."""
    return http.answer(stores.count_sheet(own_people(request, "inventory.view_count_sheet"), sheet_id))


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


@router.get("/papers", operation_id="papers")
def papers_of(request: HttpRequest, kind: str = "") -> HttpResponse:
    """The papers that can be printed of a kind of record; without a kind, all."""
    by = http.someone(request)
    if by.partner is not None:
        raise NotAllowed("not_allowed", right="overviews.papers")
    kinds = [kind] if kind else dict.fromkeys(each.kind for each in printing.PAPERS.values())
    return http.answer({"papers": [one | {"kind": each} for each in kinds for one in papers.printable(by, each)]})


@router.get("/print/{paper}/{uuid:id}", operation_id="print_paper")
def print_paper(request: HttpRequest, paper: str, id: UUID) -> HttpResponse:
    """A paper of a record, as a page of HTML to be printed."""
    by = own_people(request, printing.of(paper).right)
    return http.answer({"html": printing.printed(by, paper, id)})


@router.get("/layout/{paper}", operation_id="print_layout")
def print_layout(request: HttpRequest, paper: str) -> HttpResponse:
    """The layout of a paper, the one shipped, and a record to try it on."""
    by = own_people(request, "foundation.view_print_layout")
    made = printing.of(paper)
    text, own = printing.layout(paper)
    return http.answer(
        {
            "paper": made.name,
            "kind": made.kind,
            "text": text,
            "shipped": printing.shipped(paper),
            "changed": own is not None and bool(own.text),
            "version": None if own is None else own.version,
            "changed_at": None if own is None else own.updated_at,
            "sample": papers.latest(by, made.kind) if by.may(made.right) else None,
        }
    )


@router.post("/try_layout", operation_id="try_print_layout")
def try_layout(request: HttpRequest, tried: TriedLayout) -> HttpResponse:
    """How a record would look in a layout that is not kept yet, and what the layout may name of it."""
    by = own_people(request, "foundation.write_print_layout")
    facts = printing.facts_of(by, tried.paper, tried.id)
    return http.answer({"html": printing.printed(by, tried.paper, tried.id, tried.text), "names": facts})


@router.get("/home", operation_id="home")
def role_home(request: HttpRequest, site: UUID | None = None) -> HttpResponse:
    """What waits for the viewer."""
    by = http.someone(request)
    if by.partner is not None:
        raise NotAllowed("not_allowed", right="overviews.home")
    return http.shared(request, by, lambda: home.home(by, site_in_use(by, site)))
