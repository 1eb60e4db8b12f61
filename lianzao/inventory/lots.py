"""Commands of lots: made, held, released, scrapped."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from lianzao.catalog.models import Item
from lianzao.foundation import fetching
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.entity import execute
from lianzao.foundation.outbox import publish
from lianzao.inventory.events import LotHeld, LotReleased
from lianzao.inventory.ledger import MoveLine, post
from lianzao.inventory.models import Lot
from lianzao.parties.models import Party
from lianzao.plant.queries import local_day, virtual_location
from lianzao.values.errors import Invalid, NotFound, RuleBroken
from lianzao.values.quantity import ZERO


@command
def make_lot(
    by: Actor,
    *,
    item: Item,
    number: str = "",
    supplier: Party | None = None,
    supplier_lot: str = "",
    made_at: datetime | None = None,
    expires_on: date | None = None,
    hold_reason: str = "",
    source_kind: str = "",
    source_id: UUID | None = None,
    site_id: UUID | None = None,
) -> Lot:
    """Make a lot, or find the one that has this number already.

    Without a number it gets one from the day and its own id. Without an expiry it expires `shelf_life_days` after it
    was made. `hold_reason`: it is made on hold (for example "to be inspected") until it is released.
    """
    if item.tracking == "none":
        raise RuleBroken("lot_not_wanted", field="item", item=item.code)
    number = number.strip()
    known = fetching.matching(Lot, item_id=item.id, number=number) if number else []
    if known:
        return known[0]
    made = made_at or by.now
    if expires_on is None and item.shelf_life_days is not None:
        place = site_id or by.site
        day = local_day(place, made) if place is not None else made.date()
        expires_on = day + timedelta(days=item.shelf_life_days)
    lot = Lot(
        item=item,
        supplier=supplier,
        supplier_lot=supplier_lot.strip(),
        made_at=made,
        expires_on=expires_on,
        status="held" if hold_reason else "usable",
        hold_reason=hold_reason,
        source_kind=source_kind,
        source_id=source_id,
    )
    lot.number = number or f"L{made:%y%m%d}-{lot.id.hex[-8:].upper()}"
    lot.save()
    return lot


WHERE_IT_IS = """
SELECT site_id, sum(quantity) FROM inventory_balance WHERE lot_id = %s AND quantity > 0 GROUP BY site_id ORDER BY 1
"""


def _where(lot: Lot) -> list[tuple[UUID, Decimal]]:
    """The sites that have some of a lot, with the quantity."""
    return [(row[0], row[1]) for row in execute(WHERE_IT_IS, [lot.id])]


def _check_here(by: Actor, lot: Lot) -> None:
    """Lots are known to the whole house, but handled where they lie. Raises NotFound, as if it were not there."""
    sites = [site for site, _ in _where(lot)]
    if sites and not any(site in by.sites for site in sites):
        raise NotFound("not_found", entity="inventory.lot", id=str(lot.id))


@command(when={"status": ("usable",)})
def hold_lot(by: Actor, *, lot: Lot, reason: str) -> Lot:
    """Hold a lot: it may not be used or shipped until it is released. It may be moved aside, scrapped or sent back."""
    if not reason.strip():
        raise Invalid("field_missing", field="reason")
    _check_here(by, lot)
    lot.move_to("held")
    lot.hold_reason = reason.strip()[:200]
    lot.save()
    for site, quantity in _where(lot) or [(by.site, ZERO)]:
        publish(LotHeld(site, lot.item_id, lot.id, lot.number, quantity, lot.hold_reason))
    return lot


@command(when={"status": ("held",)})
def release_lot(by: Actor, *, lot: Lot) -> Lot:
    """Release a held lot: it may be used again."""
    _check_here(by, lot)
    lot.move_to("usable")
    lot.hold_reason = ""
    lot.save()
    for site, quantity in _where(lot) or [(by.site, ZERO)]:
        publish(LotReleased(site, lot.item_id, lot.id, lot.number, quantity))
    return lot


STANDING = """
SELECT b.item_id, b.location_id, b.quantity, b.site_id FROM inventory_balance b
WHERE b.lot_id = %s AND b.quantity > 0 ORDER BY b.location_id FOR NO KEY UPDATE
"""


@command(when={"status": ("usable", "held")})
def scrap_lot(by: Actor, *, lot: Lot, reason: str) -> Lot:
    """Scrap all that is left of a lot, wherever it stands."""
    if not reason.strip():
        raise Invalid("field_missing", field="reason")
    _check_here(by, lot)
    if any(site not in by.sites for site, _ in _where(lot)):
        raise RuleBroken("lot_at_other_sites", lot=lot.number)
    lot.move_to("scrapped")
    lot.hold_reason = reason.strip()[:200]
    lot.save()
    lines = [
        MoveLine(item, quantity, place, virtual_location(site, "scrap"), lot.id)
        for item, place, quantity, site in execute(STANDING, [lot.id])
    ]
    post(by, lines, lot.ref)
    return lot
