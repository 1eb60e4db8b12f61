"""Sales on the screen and on the wire."""

from __future__ import annotations

from lianzao.foundation.resource import Resource
from lianzao.sales.models import PromiseChange, SalesOrder, SalesOrderLine

Resource(
    SalesOrder,
    columns="number customer status customer_reference ordered_on priority ships_together currency amount site_id"
    " confirmed_at closed_at note",
    filters="status customer ordered_on priority site_id",
    search="number customer__name customer__name_en customer_reference",
    site="site_id",
    partner="customer",
    partner_columns="number customer status customer_reference ordered_on currency amount confirmed_at closed_at note",
    parts=["lines"],
    masks="amount",
)
Resource(
    SalesOrderLine,
    columns="order sequence item quantity unit typed_quantity price amount requested_on promised_on projected_at policy"
    " status reserved shipped_quantity delivered_quantity delivered_on note",
    filters="order item status requested_on promised_on projected_at policy",
    search="order__number item__code item__name item__name_en",
    site="order__site_id",
    partner="order__customer",
    partner_columns="order sequence item quantity unit typed_quantity price amount requested_on promised_on status"
    " shipped_quantity delivered_quantity delivered_on note",
    parts=["promises"],
    masks="price amount",
    sort="requested_on",
)
Resource(
    PromiseChange,
    columns="line old_on new_on reasons status offered_at told_at answered_at answered_by answer",
    filters="line status offered_at",
    site="line__order__site_id",
    partner="line__order__customer",
    masks="reasons",
    sort="-offered_at",
)
