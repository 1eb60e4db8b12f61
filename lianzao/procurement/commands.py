"""The only writers of procurement, by the papers they are about: one door for all who call down."""

from __future__ import annotations

from lianzao.procurement.arrivals import (
    AnnouncedLine,
    announce_shipment,
    change_eta,
    change_expected,
    confirm_schedule,
    record_arrival,
    withdraw_shipment,
)
from lianzao.procurement.chasing import answer_chase, chase_deliveries, chase_delivery
from lianzao.procurement.orders import (
    Cause,
    PurchaseLine,
    approve_requisition,
    cancel_line,
    cancel_order,
    cancel_schedule_line,
    change_schedule_line,
    close_order,
    enter_purchase_order,
    order_requisitions,
    raise_requisition,
    recall_order,
    reject_requisition,
    send_order,
    unapprove_requisition,
)
from lianzao.procurement.receipts import ReceivedLine, receive_goods, reverse_receipt

__all__ = [
    "AnnouncedLine",
    "Cause",
    "PurchaseLine",
    "ReceivedLine",
    "announce_shipment",
    "answer_chase",
    "approve_requisition",
    "cancel_line",
    "cancel_order",
    "cancel_schedule_line",
    "change_eta",
    "change_expected",
    "change_schedule_line",
    "chase_deliveries",
    "chase_delivery",
    "close_order",
    "confirm_schedule",
    "enter_purchase_order",
    "order_requisitions",
    "raise_requisition",
    "recall_order",
    "receive_goods",
    "record_arrival",
    "reject_requisition",
    "reverse_receipt",
    "send_order",
    "unapprove_requisition",
    "withdraw_shipment",
]
