"""Procurement on the screen and on the wire."""

from __future__ import annotations

from lianzao.foundation.resource import Resource
from lianzao.procurement.models import (
    ArrivalChange,
    Asn,
    AsnLine,
    Chase,
    GoodsReceipt,
    GoodsReceiptLine,
    PurchaseOrder,
    PurchaseOrderLine,
    PurchaseRequisition,
    ScheduleLine,
    SupplierItem,
)

Resource(
    SupplierItem,
    columns="supplier item supplier_code price currency minimum multiple lead_time_days share preferred over_percent"
    " valid_from valid_until",
    filters="supplier item preferred valid_until",
    search="item__code item__name supplier__name supplier_code",
    writable="supplier item supplier_code price currency minimum multiple lead_time_days share preferred over_percent"
    " valid_from valid_until",
    key="supplier item",
    partner="supplier",
    partner_columns="supplier item supplier_code price currency minimum multiple lead_time_days valid_from valid_until",
    masks="price",
)
Resource(
    PurchaseRequisition,
    columns="number item quantity needed_on supplier status reason site_id source_kind source_id rejected_why note",
    filters="status item supplier needed_on site_id",
    search="number item__code item__name item__name_en",
    site="site_id",
)
Resource(
    PurchaseOrder,
    columns="number supplier status ordered_on currency exchange_rate amount location site_id approved_at approved_by"
    " sent_at closed_at note",
    filters="status supplier ordered_on site_id",
    search="number supplier__name supplier__name_en",
    site="site_id",
    partner="supplier",
    partner_columns="number supplier status ordered_on currency amount sent_at closed_at note",
    parts=["lines"],
    masks="amount",
)
Resource(
    PurchaseOrderLine,
    columns="order sequence item supplier_code quantity unit typed_quantity price amount over_percent status note",
    filters="order item status",
    search="order__number item__code item__name",
    site="order__site_id",
    partner="order__supplier",
    parts=["schedule"],
    masks="price amount",
    sort="sequence",
)
Resource(
    ScheduleLine,
    columns="line sequence quantity required_on confirmed_on expected_on confirmed_quantity announced_quantity"
    " received_quantity rejected_quantity status",
    filters="line status required_on expected_on confirmed_on",
    search="line__order__number line__item__code line__item__name",
    site="line__order__site_id",
    partner="line__order__supplier",
    parts=["changes"],
    sort="expected_on",
)
Resource(
    ArrivalChange,
    columns="schedule_line asn_id old_on new_on new_at quantity reason said_by said_at",
    filters="schedule_line said_by said_at",
    site="schedule_line__line__order__site_id",
    partner="schedule_line__line__order__supplier",
    sort="-said_at",
)
Resource(
    Chase,
    columns="schedule_line status wanted_on message chased_at chaser_id answer answered_on answered_at answered_by",
    filters="schedule_line status wanted_on chased_at",
    search="message answer schedule_line__line__order__number",
    site="schedule_line__line__order__site_id",
    partner="schedule_line__line__order__supplier",
    partner_columns="schedule_line status wanted_on message chased_at answer answered_on answered_at",
    sort="-chased_at",
)
Resource(
    Asn,
    columns="number supplier purchase_order status eta_at first_eta_at carrier delivery_note tracking_number arrived_at"
    " site_id note",
    filters="status supplier purchase_order eta_at carrier site_id",
    search="number delivery_note tracking_number supplier__name",
    site="site_id",
    partner="supplier carrier",
    parts=["lines"],
)
Resource(
    AsnLine,
    columns="asn sequence schedule_line quantity received_quantity lot_number made_on expires_on sscc",
    filters="asn schedule_line lot_number",
    search="lot_number sscc asn__number",
    site="asn__site_id",
    partner="asn__supplier asn__carrier",
    sort="sequence",
)
Resource(
    GoodsReceipt,
    columns="number supplier purchase_order asn status happened_at delivery_note site_id note",
    filters="status supplier purchase_order asn happened_at site_id",
    search="number delivery_note supplier__name",
    site="site_id",
    partner="supplier",
    parts=["lines"],
)
Resource(
    GoodsReceiptLine,
    columns="receipt sequence schedule_line asn_line item lot location quantity rejected announced_quantity"
    " difference_reason value inspect",
    filters="receipt item lot location",
    search="receipt__number item__code item__name lot__number",
    site="receipt__site_id",
    partner="receipt__supplier",
    partner_columns="receipt sequence schedule_line asn_line item quantity rejected announced_quantity"
    " difference_reason",
    masks="value",
    sort="sequence",
)
