"""The home of a role: how many things need a decision, and the figures it starts the day with."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from lianzao.foundation import scope
from lianzao.foundation.actor import Actor
from lianzao.inventory.models import PickTask
from lianzao.logistics.models import Shipment
from lianzao.planning.models import ActionMessage, Outlook, Proposal, Shortage
from lianzao.procurement.models import Asn, PurchaseRequisition, ScheduleLine
from lianzao.production.models import WorkOrder
from lianzao.quality.models import Inspection
from lianzao.sales.models import PromiseChange, SalesOrderLine


def home(by: Actor, site_id: UUID) -> dict[str, Any]:
    """Counts of what waits, only of what the viewer may see; each names the page that settles it."""
    figures: list[dict[str, Any]] = []

    def count(right: str, name: str, model: Any, page: str, **condition: Any) -> None:
        if by.may(right):
            figures.append({"name": name, "count": scope.visible(by, model).filter(**condition).count(), "page": page})

    count("planning.accept_remedy", "remedies", ActionMessage, "plan", site_id=site_id, status="open")
    count("planning.accept_proposal", "proposals", Proposal, "plan", site_id=site_id, status="open")
    count("planning.view_shortage", "shortages", Shortage, "plan", site_id=site_id)
    count("planning.view_outlook", "late_lines", Outlook, "plan", site_id=site_id, late_minutes__gt=0)
    count("procurement.order_requisitions", "requisitions", PurchaseRequisition, "buy", site_id=site_id,
          status__in=("raised", "approved"))  # fmt: skip
    count("procurement.confirm_schedule", "unconfirmed", ScheduleLine, "buy", status="open")
    count("sales.confirm_order", "open_lines", SalesOrderLine, "orders", status="confirmed")
    count("sales.offer_new_promise", "offers", PromiseChange, "orders", status="offered")
    count("procurement.receive_goods", "arrivals", Asn, "warehouse", site_id=site_id, status="announced")
    count("inventory.confirm_pick", "picks", PickTask, "warehouse", site_id=site_id, status="open")
    count("quality.accept_inspection", "inspections", Inspection, "quality", site_id=site_id, status="open")
    count("production.release_work_order", "work_orders", WorkOrder, "production", site_id=site_id,
          status__in=("planned", "firmed"))  # fmt: skip
    count("logistics.dispatch_shipment", "shipments", Shipment, "ship", site_id=site_id,
          status__in=("planned", "picking", "packed"))  # fmt: skip
    return {"figures": figures}
