"""The store: what stands where and may be taken, what waits to be put away and where to, what is to be counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q

from lianzao.catalog.models import Item
from lianzao.foundation import registry, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.facts import labels
from lianzao.inventory import standing
from lianzao.inventory.models import CountLine, CountSheet, Lot
from lianzao.inventory.standing import Standing
from lianzao.overviews.order_360 import named, named_item
from lianzao.plant.models import Location
from lianzao.values.errors import NotFound
from lianzao.values.quantity import ZERO

MOST = 300
#: Kinds of places whose goods are on their way to a shelf.
BEFORE_SHELF = ("receiving",)


def stock(
    by: Actor,
    site_id: UUID,
    *,
    item: UUID | None = None,
    lot: UUID | None = None,
    location: UUID | None = None,
    q: str = "",
) -> dict[str, Any]:
    """Piles of an item, a lot or a place, or of all whose item, lot or place is like `q`; with what they add up to."""
    at_site = scope.visible(by, Location).filter(site_id=site_id)
    wanted: dict[str, Any] = {}
    if location is not None:
        wanted["location_ids"] = [location] if at_site.filter(pk=location).exists() else []
    if item is not None:
        wanted["item_ids"] = [item]
    if lot is not None:
        wanted["lot_ids"] = [lot]
    piles: list[Standing] = []
    words = q.strip()[:80]
    if wanted:
        piles = standing.standing(site_id, by.now, **wanted, most=MOST)
    elif words:
        like = Q(code__icontains=words) | Q(name__icontains=words) | Q(name_en__icontains=words)
        for kind, ids in (
            ("item_ids", scope.visible(by, Item).filter(like).values_list("id", flat=True)[:100]),
            ("lot_ids", scope.visible(by, Lot).filter(number__icontains=words).values_list("id", flat=True)[:100]),
            ("location_ids", at_site.filter(like).values_list("id", flat=True)[:100]),
        ):
            found = list(ids)
            if found:
                piles += standing.standing(site_id, by.now, **{kind: found}, most=MOST)  # type: ignore[arg-type]
    rows = list({(each.item_id, each.lot_id, each.location_id): each for each in piles}.values())[:MOST]
    items = _items(by, {each.item_id for each in rows})
    return {
        "rows": [told_pile(by, each, items[each.item_id]) for each in rows if each.item_id in items],
        "total": {
            "quantity": sum((each.quantity for each in rows), ZERO),
            "free": sum((each.free for each in rows), ZERO),
            "reserved": sum((each.reserved for each in rows if not each.why_held), ZERO),
            "held": sum((each.held for each in rows), ZERO),
        }
        if len({each.item_id for each in rows}) == 1
        else None,
    }


def _items(by: Actor, ids: Iterable[UUID]) -> dict[UUID, Item]:
    found = scope.visible(by, Item).filter(pk__in=list(ids)).select_related("base_unit")
    return {each.id: each for each in found}


def told_pile(by: Actor, pile: Standing, item: Item) -> dict[str, Any]:
    """One pile as a screen shows it."""
    english = by.language.startswith("en")
    return {
        "id": f"{pile.item_id}.{pile.lot_id or ''}.{pile.location_id}",
        "item": named_item(by, item),
        "tracking": item.tracking,
        "lot": None
        if pile.lot_id is None
        else {"id": pile.lot_id, "number": pile.lot_number, "status": pile.lot_status, "reason": pile.hold_reason},
        "location": {
            "id": pile.location_id,
            "code": pile.location_code,
            "name": (pile.location_name_en if english else pile.location_name) or pile.location_name,
            "kind": pile.location_kind,
        },
        "expires_on": pile.expires_on,
        "quantity": pile.quantity,
        "free": pile.free,
        "reserved": pile.reserved,
        "held": pile.held,
        "why_held": pile.why_held,
    }


def put_away(by: Actor, site_id: UUID) -> dict[str, Any]:
    """What stands where goods come in and is on nobody's list, with the best place for each and why."""
    piles = standing.standing(site_id, by.now, kinds=BEFORE_SHELF, most=MOST)
    items = _items(by, {each.item_id for each in piles})
    rows = []
    for each in piles:
        if each.item_id in items and each.quantity > 0:
            told = told_pile(by, each, items[each.item_id])
            rows.append(told | {"places": places(by, site_id, each.item_id, each.lot_id, most=1)})
    # What is held waits for its inspection first; it may be put away, but nobody is in a hurry for it.
    return {"rows": sorted(rows, key=lambda row: bool(row["why_held"]))}


def places(by: Actor, site_id: UUID, item_id: UUID, lot_id: UUID | None = None, most: int = 3) -> list[dict[str, Any]]:
    """Where to put an item (and lot) away, the best first, each with its reason."""
    found = standing.put_away_to(site_id, item_id, lot_id, most)
    known = {
        each.id: each for each in scope.visible(by, Location).filter(pk__in=[shelf.location_id for shelf, _ in found])
    }
    return [
        named(by, known[shelf.location_id]) | {"why": why, "there": shelf.same_item}
        for shelf, why in found
        if shelf.location_id in known
    ]


def counts(by: Actor, site_id: UUID) -> dict[str, Any]:
    """Counts that are open or wait for a second person, those booked of late, and what to count next."""
    shown = Q(status__in=("open", "waiting")) | Q(status="booked", booked_at__gte=by.now - timedelta(days=7))
    sheets = list(
        scope.visible(by, CountSheet)
        .filter(shown, site_id=site_id)
        .select_related("location", "item__base_unit")
        .order_by("status", "-id")[:100]
    )
    lines: dict[UUID, list[CountLine]] = {}
    for each in CountLine.objects.filter(sheet__in=sheets).only("sheet_id", "status", "value", "counter_id"):
        lines.setdefault(each.sheet_id, []).append(each)
    wishes = standing.count_suggestions(site_id, by.now)
    known = {
        each.id: each for each in scope.visible(by, Location).filter(pk__in=[wish.location_id for wish, _ in wishes])
    }
    return {
        "sheets": [
            {
                "id": each.id,
                "number": each.number,
                "status": each.status,
                "location": None if each.location is None else named(by, each.location),
                "item": None if each.item is None else named_item(by, each.item),
                "lines": len(lines.get(each.id, [])),
                "left": sum(1 for line in lines.get(each.id, []) if line.status in ("open", "recount")),
                "differs": sum(1 for line in lines.get(each.id, []) if line.status == "differs"),
                "mine": any(line.counter_id == by.id for line in lines.get(each.id, [])),
                "booked_at": each.booked_at,
            }
            for each in sheets
        ],
        "wishes": [
            {
                "location": named(by, known[wish.location_id]),
                "why": wish.why,
                "days": facts.days_since,
                "moves": facts.moves_since,
                "piles": facts.piles,
            }
            for wish, facts in wishes
            if wish.location_id in known
        ],
    }


def count_sheet(by: Actor, sheet_id: UUID) -> dict[str, Any]:
    """One count. Blind: what the books say is told only once it waits for approval or is over."""
    sheet = scope.visible(by, CountSheet).filter(pk=sheet_id).select_related("location", "item__base_unit").first()
    if sheet is None:
        raise NotFound("not_found", entity="inventory.count_sheet", id=str(sheet_id))
    lines: Sequence[CountLine] = list(
        sheet.lines.select_related("item__base_unit", "lot", "location").order_by("location__code", "sequence")
    )
    told = sheet.status in ("waiting", "booked")
    people = labels(("access.person", each.counter_id) for each in lines if each.counter_id is not None)
    hidden = scope.masked_of(by, registry.RESOURCES["inventory.count_line"])
    return {
        "id": sheet.id,
        "number": sheet.number,
        "status": sheet.status,
        "location": None if sheet.location is None else named(by, sheet.location),
        "item": None if sheet.item is None else named_item(by, sheet.item),
        "submitted_at": sheet.submitted_at,
        "mine": any(each.counter_id == by.id for each in lines),
        "lines": [
            {
                "id": each.id,
                "sequence": each.sequence,
                "item": named_item(by, each.item),
                "lot": None if each.lot is None else each.lot.number,
                "location": named(by, each.location),
                "status": each.status,
                "counted": each.counted if told or each.status in ("agrees", "differs") else None,
                "counted_at": each.counted_at,
                "counter": None if (who := people.get(("access.person", each.counter_id))) is None else who.name,  # type: ignore[arg-type]
                "reason": each.reason,
                "booked": each.booked if told and "booked" not in hidden else None,
                "difference": each.difference if told and "booked" not in hidden else None,
                "value": each.value if told and "value" not in hidden else None,
            }
            for each in lines
        ],
    }
