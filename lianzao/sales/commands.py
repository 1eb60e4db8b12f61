"""The only writers of sales, by the papers they are about: one door for all who call down."""

from __future__ import annotations

from lianzao.sales.orders import (
    OrderLine,
    add_line,
    cancel_line,
    cancel_order,
    change_line,
    close_order,
    confirm_order,
    enter_order,
    reopen_order,
    set_priority,
)
from lianzao.sales.promises import (
    Projection,
    Reason,
    accept_promise,
    decline_promise,
    mark_promise_told,
    offer_new_promise,
    project_line,
    project_lines,
    promise_line,
    record_delivered,
    record_reserved,
    record_returned,
    record_shipped,
)

__all__ = [
    "OrderLine",
    "Projection",
    "Reason",
    "accept_promise",
    "add_line",
    "cancel_line",
    "cancel_order",
    "change_line",
    "close_order",
    "confirm_order",
    "decline_promise",
    "enter_order",
    "mark_promise_told",
    "offer_new_promise",
    "project_line",
    "project_lines",
    "promise_line",
    "record_delivered",
    "record_reserved",
    "record_returned",
    "record_shipped",
    "reopen_order",
    "set_priority",
]
