"""What of items is seen, filtered, searched and written."""

from __future__ import annotations

from lianzao.catalog.models import Item, ItemGroup, ItemSite, Unit, UnitConversion
from lianzao.foundation.resource import Resource

Resource(
    Unit,
    columns="code name name_en unit_kind decimals",
    filters="unit_kind",
    search="code name name_en",
    writable="code name name_en unit_kind decimals",
    partner="*",
)
Resource(
    UnitConversion,
    columns="item from_unit to_unit factor",
    filters="item from_unit to_unit",
    writable="item from_unit to_unit factor",
    sort="item",
)
Resource(
    ItemGroup,
    columns="code name name_en parent",
    filters="parent",
    search="code name name_en",
    writable="code name name_en parent",
)
Resource(
    Item,
    columns="code name name_en specification group base_unit supply tracking step shelf_life_days weight_kg "
    "drawing_number gtin note",
    filters="group base_unit supply tracking",
    search="code name name_en specification drawing_number gtin",
    writable="code name name_en specification group base_unit supply tracking step shelf_life_days weight_kg "
    "drawing_number gtin note",
    parts=["sites", "conversions"],
    partner="*",
    partner_columns="code name name_en specification base_unit gtin",
)
Resource(
    ItemSite,
    columns="item site_id lead_time_days lot_minimum lot_multiple lot_maximum fixed_lot cover_days safety_stock "
    "safety_days fence_days standard_cost store_location_id backflush inspect_on_receipt",
    filters="item site_id backflush inspect_on_receipt",
    search="item__code item__name",
    writable="item site_id lead_time_days lot_minimum lot_multiple lot_maximum fixed_lot cover_days safety_stock "
    "safety_days fence_days standard_cost store_location_id backflush inspect_on_receipt",
    site="site_id",
    masks="standard_cost",
    sort="item",
)
