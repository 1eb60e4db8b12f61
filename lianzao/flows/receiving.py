"""Goods come in: what has to be inspected becomes a task of quality, where it lies on hold until somebody decides.

GoodsReceived(inspect) → quality.open_inspection → accept: LotReleased → early_supply; hold: LotHeld → yield_and_quality
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from lianzao.foundation import link
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import by_id
from lianzao.foundation.outbox import on
from lianzao.planning import commands as planning
from lianzao.procurement.events import (
    GoodsReceiptReversed,
    GoodsReceived,
    PurchaseOrderSent,
    RequisitionRaised,
    ScheduleConfirmed,
)
from lianzao.quality import commands as quality
from lianzao.quality import queries as inspections
from lianzao.values.reference import Ref

#: How long an incoming inspection may take before planning counts on it no more: the day's work.
INSPECTION_WITHIN = timedelta(hours=8)


@on(GoodsReceived)
def inspect_what_came(by: Actor, news: Sequence[GoodsReceived]) -> None:
    """An inspection task for each lot that is on hold for it."""
    for each in news:
        if not each.inspect:
            continue
        quality.open_inspection(
            by,
            item=by_id(each.item_id),
            quantity=each.quantity,
            point=quality.Point.RECEIPT,
            site=by_id(each.site_id),
            lot=by_id(each.lot_id),
            location=by_id(each.location_id),
            supplier=by_id(each.supplier_id),
            source=Ref("procurement.goods_receipt", each.goods_receipt_id),
            due_at=each.happened_at + INSPECTION_WITHIN,
        )


@on(GoodsReceiptReversed)
def cancel_what_went_back(by: Actor, news: Sequence[GoodsReceiptReversed]) -> None:
    """What is not there any more needs no inspection."""
    for each in news:
        for inspection in inspections.inspections_of(Ref("procurement.goods_receipt", each.goods_receipt_id)):
            if inspection.status == "open":
                quality.cancel_inspection(by, inspection=by_id(inspection.id), why=each.why or "receipt reversed")


@on(RequisitionRaised, PurchaseOrderSent, ScheduleConfirmed)
def keep_the_trail(by: Actor, news: Sequence[RequisitionRaised | PurchaseOrderSent | ScheduleConfirmed]) -> None:
    """Remember when a need was ordered and confirmed."""
    for each in news:
        if isinstance(each, PurchaseOrderSent):
            for above in link.up(Ref("procurement.purchase_order", each.purchase_order_id), 2):
                if above.ref.kind == "procurement.purchase_requisition":
                    planning.note_need(by, subject_id=above.ref.id, instant="ordered_at")
        elif isinstance(each, ScheduleConfirmed):
            for above in link.up(Ref("procurement.purchase_order", each.purchase_order_id), 2):
                if above.ref.kind == "procurement.purchase_requisition":
                    planning.note_need(by, subject_id=above.ref.id, instant="confirmed_at")
