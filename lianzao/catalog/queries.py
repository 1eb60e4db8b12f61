"""What others may ask about items. Functions that end in `_columns` give a dict of equally long lists, for planning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q

from lianzao.catalog import rules
from lianzao.catalog.models import Item, ItemSite, Unit, UnitConversion
from lianzao.foundation import fetching, packing
from lianzao.foundation.entity import query
from lianzao.values.errors import NotFound, RuleBroken
from lianzao.values.quantity import ZERO, Quantity


@dataclass(frozen=True)
class ItemFacts:
    """What the ledger and the papers need of an item."""

    id: UUID
    code: str
    name: str
    name_en: str
    base_unit: str
    supply: str
    tracking: str
    step: Decimal
    shelf_life_days: int | None
    retired: bool


@dataclass(frozen=True)
class SiteFacts:
    """How an item is kept, valued and planned at a site; all zero for an item without parameters there."""

    lead_time_days: int = 0
    lot_minimum: Decimal = ZERO
    lot_multiple: Decimal = ZERO
    lot_maximum: Decimal = ZERO
    fixed_lot: Decimal = ZERO
    cover_days: int = 0
    safety_stock: Decimal = ZERO
    safety_days: int = 0
    fence_days: int = 0
    standard_cost: Decimal = ZERO
    store_location_id: UUID | None = None
    backflush: bool = False
    inspect_on_receipt: bool = False


ITEM_COLUMNS = """
SELECT i.id, i.code, i.name, i.name_en, u.code, u.decimals, i.supply, i.tracking, i.step, i.shelf_life_days,
       i.group_id, i.retired_at IS NOT NULL
FROM catalog_item i
JOIN catalog_unit u ON u.id = i.base_unit_id
ORDER BY i.code
"""
ITEM_COLUMN_NAMES = (
    "item_id code name name_en base_unit decimals supply tracking step shelf_life_days group_id retired".split()
)

PLANNING_PARAMETERS = """
SELECT i.id, coalesce(s.lead_time_days, 0), coalesce(s.lot_minimum, 0), coalesce(s.lot_multiple, 0),
       coalesce(s.lot_maximum, 0), coalesce(s.fixed_lot, 0), coalesce(s.cover_days, 0), coalesce(s.safety_stock, 0),
       coalesce(s.safety_days, 0), coalesce(s.fence_days, 0), coalesce(s.standard_cost, 0), s.store_location_id,
       coalesce(s.backflush, false), coalesce(s.inspect_on_receipt, false), s.id IS NOT NULL
FROM catalog_item i
LEFT JOIN catalog_item_site s ON s.item_id = i.id AND s.site_id = %s
ORDER BY i.code
"""
PLANNING_PARAMETER_NAMES = (
    "item_id lead_time_days lot_minimum lot_multiple lot_maximum fixed_lot cover_days safety_stock safety_days "
    "fence_days standard_cost store_location_id backflush inspect_on_receipt given"
).split()


ITEM_FACTS = """
SELECT i.id, i.code, i.name, i.name_en, u.code, i.supply, i.tracking, i.step, i.shelf_life_days,
       i.retired_at IS NOT NULL
FROM catalog_item i
JOIN catalog_unit u ON u.id = i.base_unit_id
WHERE i.id = ANY(%s::uuid[])
"""


SITE_FACTS = f"""
SELECT item_id, {", ".join(SiteFacts.__dataclass_fields__)}
FROM catalog_item_site
WHERE site_id = %s AND item_id = ANY(%s::uuid[])
"""


def columns(names: Iterable[str], rows: list[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Rows as named columns."""
    listed = list(names)
    return {name: [row[place] for row in rows] for place, name in enumerate(listed)}


def item_columns(site_id: UUID) -> dict[str, list[Any]]:
    """All items, by code: what they are. `retired` ones too, because stock and orders of them may be left.

    Items are the same at every site; `site_id` only says for whom, so that a later split by site changes no caller.
    """
    return columns(ITEM_COLUMN_NAMES, query(ITEM_COLUMNS))


def planning_parameters(site_id: UUID) -> dict[str, list[Any]]:
    """How every item is planned at a site, in the order of `item_columns`; `given` is false where nobody said."""
    return columns(PLANNING_PARAMETER_NAMES, query(PLANNING_PARAMETERS, [site_id]))


def standard_cost(item_ids: Iterable[UUID], site_id: UUID) -> dict[UUID, Decimal]:
    """Standard cost per base unit at a site, in the site's currency; 0 where nobody set one."""
    wanted = list(item_ids)
    found = ItemSite.objects.filter(site_id=site_id, item_id__in=wanted).values_list("item_id", "standard_cost")
    return dict.fromkeys(wanted, ZERO) | dict(found)


def site_facts(item_ids: Iterable[UUID], site_id: UUID) -> dict[UUID, SiteFacts]:
    """How items are kept at a site, for each asked."""
    wanted = list(item_ids)
    rows = query(SITE_FACTS, [site_id, wanted])
    return dict.fromkeys(wanted, SiteFacts()) | {row[0]: SiteFacts(*row[1:]) for row in rows}


def item_facts(item_ids: Iterable[UUID]) -> dict[UUID, ItemFacts]:
    """What the ledger and the papers need of items, by id, with one statement."""
    return {row[0]: ItemFacts(*row) for row in query(ITEM_FACTS, [list(item_ids)])}


def item_codes(item_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Codes of items by id."""
    return dict(Item.objects.filter(pk__in=list(item_ids)).values_list("pk", "code"))


def item_by_code(code: str) -> Item:
    """The item people call by a code. Raises NotFound."""
    found = Item.objects.filter(code=code).first()
    if found is None:
        raise NotFound("not_found", entity="catalog.item", id=code)
    return found


def items_by_code(codes: Iterable[str]) -> dict[str, UUID]:
    """Ids of items by code."""
    return dict(Item.objects.filter(code__in=list(codes)).values_list("code", "pk"))


def convert(item: Item | UUID, quantity: Quantity, unit: str) -> Quantity:
    """A quantity of an item in another unit, the item's own conversions first. Exact but for the last rounding.

    Raises RuleBroken("no_conversion") when nothing leads from one unit to the other.
    """
    if quantity.unit == unit:
        return quantity
    item_id = item.id if isinstance(item, Item) else item
    rows = UnitConversion.objects.filter(Q(item_id=item_id) | Q(item_id=None)).values_list(
        "from_unit__code", "to_unit__code", "factor", "item_id"
    )
    known = [rules.Conversion(start, end, factor, own is not None) for start, end, factor, own in rows]
    factor = rules.conversion_factor(quantity.unit, unit, known)
    if factor is None:
        raise RuleBroken(
            "no_conversion", from_unit=quantity.unit, to_unit=unit, item=item_codes([item_id]).get(item_id, "")
        )
    return Quantity(rules.converted(quantity.amount, factor), unit)


def in_base_unit(item: Item, quantity: Quantity) -> Decimal:
    """A quantity in the item's base unit, which must fit its step. Raises RuleBroken."""
    amount = convert(item, quantity, item.base_unit.code).amount
    if not rules.fits_step(amount, item.step):
        raise RuleBroken("not_in_steps", field="quantity", item=item.code, value=amount, step=item.step)
    return amount


def rounded_up(amount: Decimal, step: Decimal) -> Decimal:
    """The smallest quantity that exists of an item with this step and is not less than the amount."""
    return rules.rounded_up(amount, step)


def unit_said(unit: Unit, language: str) -> str:
    """A unit as people write it behind a figure: by its code (pc, kg), in Chinese by its name (件, 千克)."""
    return unit.code if language.startswith("en") else unit.name or unit.code


def units_of(item_ids: Iterable[UUID], language: str) -> dict[UUID, str]:
    """The base units of items, as people write them."""
    ids = packing.array(list({*item_ids}))
    items = fetching.records_of("units_of", lambda: Item.objects.filter(pk__any=ids).select_related("base_unit"), [ids])
    return {item.id: unit_said(item.base_unit, language) for item in items}
