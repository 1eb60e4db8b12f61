"""Logistics on the screen and on the wire."""

from __future__ import annotations

from lianzao.foundation.resource import Resource
from lianzao.logistics.models import Milestone, Package, Shipment, ShipmentLine, ShipmentPick, SsccRange

Resource(
    SsccRange,
    columns="site_id company_prefix extension next_serial",
    filters="site_id",
    writable="site_id company_prefix extension next_serial",
    key="site_id",
    site="site_id",
)
Resource(
    Shipment,
    columns="number customer carrier status due_on address tracking_number dispatched_at eta_at delivered_at receiver"
    " site_id note",
    filters="status customer carrier due_on site_id",
    search="number customer__name customer__name_en tracking_number",
    site="site_id",
    partner="customer carrier",
    partner_columns="number customer carrier status due_on address tracking_number dispatched_at eta_at delivered_at"
    " receiver",
    parts=["lines", "packages", "milestones"],
)
Resource(
    ShipmentLine,
    columns="shipment sequence source_kind source_id source_label item quantity picked_quantity lot complete",
    filters="shipment item source_id",
    search="shipment__number item__code item__name source_label",
    site="shipment__site_id",
    partner="shipment__customer shipment__carrier",
    parts=["picks"],
    sort="sequence",
)
Resource(
    ShipmentPick,
    columns="line lot location quantity package reservation_id picked_at",
    filters="line lot package",
    site="line__shipment__site_id",
    sort="picked_at",
)
Resource(
    Package,
    columns="shipment sequence package_kind sscc weight_kg",
    filters="shipment sscc",
    search="sscc shipment__number",
    site="shipment__site_id",
    partner="shipment__customer shipment__carrier",
    sort="sequence",
)
Resource(
    Milestone,
    columns="shipment milestone happened_at place eta_at note",
    filters="shipment milestone happened_at",
    site="shipment__site_id",
    partner="shipment__customer shipment__carrier",
    sort="-happened_at",
)
