"""The home of a role: how many things need a decision, and the figures it starts the day with."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from lianzao.foundation import fetching, scope
from lianzao.foundation.actor import Actor
from lianzao.inventory.models import PickTask
from lianzao.logistics.models import Shipment
from lianzao.planning.models import ActionMessage, Outlook, Proposal, Shortage
from lianzao.procurement.models import Asn, PurchaseRequisition, ScheduleLine
from lianzao.production.floor_models import HelpCall
from lianzao.production.models import WorkOrder
from lianzao.quality.models import Inspection
from lianzao.sales.models import PromiseChange, SalesOrderLine


def home(by: Actor, site_id: UUID) -> dict[str, Any]:
    """Counts of what waits, only of what the viewer may see; each names the page that settles it."""
    told: list[dict[str, Any]] = []
    wanted: list[fetching.Counted] = []

    def count(right: str, name: str, model: Any, page: str, *, at: bool = True, **condition: Any) -> None:
        if by.may(right):
            told.append({"name": name, "page": page})
            wanted.append(
                fetching.Counted(
                    ("home", name, by.reach),
                    lambda: scope.visible(by, model).filter(**({"site_id": place} if at else {}), **condition),
                    [site_id] if at else [],
                    [place] if at else [],
                )
            )

    place = fetching.placed(site_id)
    count("planning.accept_remedy", "remedies", ActionMessage, "plan", status="open")
    count("planning.accept_proposal", "proposals", Proposal, "plan", status="open")
    count("planning.view_shortage", "shortages", Shortage, "plan")
    count("planning.view_outlook", "late_lines", Outlook, "plan", late_minutes__gt=0)
    count("procurement.order_requisitions", "requisitions", PurchaseRequisition, "buy",
          status__in=("raised", "approved"))  # fmt: skip
    count("procurement.confirm_schedule", "unconfirmed", ScheduleLine, "buy", at=False, status="open")
    count("sales.confirm_order", "open_lines", SalesOrderLine, "orders", at=False, status="confirmed")
    count("sales.offer_new_promise", "offers", PromiseChange, "orders", at=False, status="offered")
    count("procurement.receive_goods", "arrivals", Asn, "warehouse", status="announced")
    count("inventory.confirm_pick", "picks", PickTask, "warehouse", status="open")
    count("quality.accept_inspection", "inspections", Inspection, "quality", status="open")
    count("production.release_work_order", "work_orders", WorkOrder, "production",
          status__in=("planned", "firmed"))  # fmt: skip
    count("production.acknowledge_call", "help_calls", HelpCall, "shift", status="open")
    count("logistics.dispatch_shipment", "shipments", Shipment, "ship",
          status__in=("planned", "picking", "packed"))  # fmt: skip
    numbers = fetching.counts(wanted)
    return {"figures": [each | {"count": number} for each, number in zip(told, numbers, strict=True)]}
