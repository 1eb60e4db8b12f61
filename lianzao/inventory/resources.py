"""What of the ledger is seen, filtered and searched. Nothing is writable: the ledger has commands only."""

from __future__ import annotations

from typing import Any, cast

from lianzao.foundation.resource import Resource
from lianzao.inventory.models import (
    Balance,
    CountLine,
    CountPolicy,
    CountSheet,
    Lot,
    Move,
    PendingMove,
    PickTask,
    StockPeriod,
)

Resource(
    Lot,
    columns="number item status supplier supplier_lot made_at expires_on hold_reason source_kind source_id",
    filters="item status supplier supplier_lot expires_on source_id",
    search="number supplier_lot",
    partner="supplier",
    partner_columns="number item status supplier_lot made_at expires_on",
)
Resource(
    cast(Any, Move),
    columns="site_id item lot quantity source target value happened_at recorded_at cause_kind cause_id order_id"
    " reverses",
    filters="site_id item lot source target happened_at cause_kind cause_id order_id",
    site="site_id",
    masks="value",
    sort="-id",
)
Resource(
    cast(Any, Balance),
    columns="site_id item lot location quantity",
    filters="site_id item lot location quantity",
    site="site_id",
    sort="item",
)
Resource(
    PendingMove,
    columns="site_id item lot quantity posted_quantity source target status reason cause_kind cause_id owner_id due_at"
    " expires_at happened_at",
    filters="site_id item lot source status reason cause_id owner_id due_at expires_at",
    site="site_id",
    sort="-id",
)
Resource(
    PickTask,
    columns="number site_id status purpose_kind purpose_id item lot quantity picked_quantity source target assignee_id"
    " due_at done_at",
    filters="site_id status purpose_id item source target assignee_id due_at",
    search="number",
    site="site_id",
)
Resource(StockPeriod, columns="site_id closed_until", filters="site_id", site="site_id")
Resource(
    CountSheet,
    columns="number status location item submitted_at booked_at approver_id site_id note",
    filters="site_id status location item",
    search="number location__code item__code",
    site="site_id",
    parts=["lines"],
)
Resource(
    CountLine,
    columns="sheet sequence item lot location status booked counted first_counted value counted_at counter_id reason",
    filters="sheet status item lot location counted_at",
    site="sheet__site_id",
    masks="booked value",
    sort="sequence",
)
Resource(
    CountPolicy,
    columns="site_id recount_percent approve_value cycle_days",
    filters="site_id",
    writable="site_id recount_percent approve_value cycle_days",
    key="site_id",
    site="site_id",
)
