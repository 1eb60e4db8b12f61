"""Commands of counting: open a sheet, count it blind, count again what differs, approve what is large, book it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from lianzao.access.models import Site
from lianzao.catalog import queries as catalog
from lianzao.catalog.models import Item
from lianzao.foundation import audit, entity, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import READ, command
from lianzao.foundation.entity import execute, insert
from lianzao.foundation.outbox import publish
from lianzao.inventory import rules
from lianzao.inventory.events import CountBooked, CountOpened, CountWaits, StockCounted
from lianzao.inventory.ledger import MoveLine, post
from lianzao.inventory.models import NO_LOT, Balance, CountLine, CountPolicy, CountSheet, Lot
from lianzao.plant.models import Location
from lianzao.plant.queries import virtual_location
from lianzao.values.errors import Conflict, Invalid, RuleBroken
from lianzao.values.quantity import ZERO

#: More lines are not one person's count.
MOST_LINES = 500

LOCK_BALANCE = """
SELECT quantity FROM inventory_balance WHERE item_id = %s AND location_id = %s
AND coalesce(lot_id, '00000000-0000-0000-0000-000000000000') = %s FOR NO KEY UPDATE
"""


@command
def open_count(
    by: Actor, *, location: Location | None = None, item: Item | None = None, site: Site | None = None, note: str = ""
) -> CountSheet:
    """Open a count of a place, or of an item wherever it stands at the site.

    The sheet lists what to look at, without quantities: what the books say is written down only when a line is counted.
    Raises Conflict("count_open") when the same is being counted already.
    """
    if (location is None) == (item is None):
        raise Invalid("count_place_or_item", field="location")
    if location is not None and location.is_virtual:
        raise Invalid("location_is_virtual", field="location")
    site_id = location.site_id if location is not None else (site.id if site is not None else by.site)
    if site_id is None:
        raise Invalid("field_missing", field="site")
    scope.check_site(by, site_id, "site")
    # Two who open the same count at once: the second is told of the first.
    execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [str((location or item).id)])  # type: ignore[union-attr]
    known = CountSheet.objects.filter(site_id=site_id, location=location, item=item, status__in=("open", "waiting"))
    if (standing := known.first()) is not None:
        raise Conflict("count_open", document=standing.number)
    sheet = CountSheet(site_id=site_id, location=location, item=item, note=note)
    sheet.save()
    piles = Balance.objects.filter(site_id=site_id, quantity__gt=0)
    piles = piles.filter(location=location) if location is not None else piles.filter(item=item)
    order = ("location__code", "item__code", "lot__number", "id")
    rows = list(piles.order_by(*order).values_list("item_id", "lot_id", "location_id")[: MOST_LINES + 1])
    if len(rows) > MOST_LINES:
        raise RuleBroken("count_too_long", most=MOST_LINES)
    insert(
        [
            CountLine(sheet=sheet, sequence=place, item_id=item_id, lot_id=lot_id, location_id=location_id)
            for place, (item_id, lot_id, location_id) in enumerate(rows, 1)
        ]
    )
    publish(CountOpened(site_id, sheet.id, sheet.location_id, sheet.item_id, len(rows)))
    return sheet


def _open_sheet(sheet_id: object) -> CountSheet:
    sheet = entity.get(CountSheet, sheet_id, lock=True)  # type: ignore[arg-type]
    if sheet.status != "open":
        raise Conflict("wrong_status", document=sheet.label, status=sheet.status, wanted="open")
    return sheet


def _policy(sheet: CountSheet) -> tuple[Decimal, Decimal]:
    """From which percent a difference is counted again, and from which value a second person must agree."""
    found = CountPolicy.objects.filter(site_id=sheet.site_id).first()
    if found is None:
        return rules.RECOUNT_PERCENT, rules.APPROVE_VALUE
    return found.recount_percent, found.approve_value


@command
def record_count(by: Actor, *, line: CountLine, counted: Decimal, reason: str = "") -> CountLine:
    """Say what was counted of a line. What differs is counted a second time; the second count stands.

    The answer says whether it agrees or is to be counted again, never what the books say.
    """
    sheet = _open_sheet(line.sheet_id)
    line.sheet = sheet
    if line.status not in ("open", "recount"):
        raise Conflict("wrong_status", document=line.label, status=line.status, wanted="open")
    _count(by, sheet, line, counted, reason)
    line.save()
    return line


def _count(by: Actor, sheet: CountSheet, line: CountLine, counted: Decimal, reason: str) -> None:
    if counted < 0:
        raise Invalid("must_not_be_negative", field="counted", value=counted)
    if counted:
        rules.check_quantity(counted, line.item.step, line.item.code)
    rows = execute(LOCK_BALANCE, [line.item_id, line.location_id, line.lot_id or NO_LOT])
    booked = rows[0][0] if rows else ZERO
    again = line.status == "recount"
    said = rules.count_says(booked, counted, again, _policy(sheet)[0])
    if again:
        line.first_counted = line.counted
    cost = catalog.standard_cost([line.item_id], sheet.site_id).get(line.item_id, ZERO)
    line.booked, line.counted, line.value = booked, counted, (counted - booked) * cost
    line.counted_at, line.counter_id = by.now, by.id
    line.reason = reason.strip()[:200] or line.reason
    if said != line.status:
        line.move_to(said)


@command
def count_found(
    by: Actor,
    *,
    sheet: CountSheet,
    item: Item,
    counted: Decimal,
    lot: Annotated[Lot, READ] | None = None,
    location: Location | None = None,
    reason: str = "",
) -> CountLine:
    """Count something the sheet does not list: it stands there although the books do not say so.

    Like any difference it is counted a second time before it is believed.
    """
    if sheet.status != "open":
        raise Conflict("wrong_status", document=sheet.label, status=sheet.status, wanted="open")
    place = location or sheet.location
    if place is None:
        raise Invalid("field_missing", field="location")
    if place.is_virtual or place.site_id != sheet.site_id or (sheet.location_id not in (None, place.id)):
        raise RuleBroken("not_of_this_count", field="location", document=sheet.label)
    if sheet.item_id not in (None, item.id):
        raise RuleBroken("not_of_this_count", field="item", document=sheet.label)
    if item.tracking != "none" and lot is None:
        raise RuleBroken("lot_needed", field="lot", item=item.code)
    if item.tracking == "none" and lot is not None:
        raise RuleBroken("lot_not_wanted", field="lot", item=item.code)
    if lot is not None and lot.item_id != item.id:
        raise RuleBroken("lot_of_other_item", field="lot", lot=lot.number, item=item.code)
    known = CountLine.objects.filter(sheet=sheet, item=item, lot=lot, location=place).first()
    if known is not None:
        raise Conflict("count_line_known", document=sheet.label, item=item.code)
    last = sheet.lines.order_by("-sequence").values_list("sequence", flat=True).first() or 0
    if last >= MOST_LINES:
        raise RuleBroken("count_too_long", most=MOST_LINES)
    line = CountLine(sheet=sheet, sequence=last + 1, item=item, lot=lot, location=place)
    line.save()
    _count(by, sheet, line, counted, reason)
    line.save()
    return line


@command(when={"status": ("open",)})
def submit_count(by: Actor, *, sheet: CountSheet) -> CountSheet:
    """Hand in a count. Differences are booked at once; large ones wait until a second person approves."""
    if sheet.status != "open":
        raise Conflict("wrong_status", document=sheet.label, status=sheet.status, wanted="open")
    lines = _lines(sheet)
    left = sum(1 for each in lines if each.status in ("open", "recount"))
    if left:
        raise RuleBroken("count_not_finished", document=sheet.label, left=left)
    sheet.submitted_at = by.now
    if rules.count_needs_approval([each.value for each in lines], _policy(sheet)[1]):
        sheet.move_to("waiting")
        sheet.save()
        publish(CountWaits(sheet.site_id, sheet.id, sum((abs(each.value) for each in lines), ZERO)))
        return sheet
    return _book(by, sheet, lines)


def _lines(sheet: CountSheet) -> list[CountLine]:
    return list(
        CountLine.objects.select_for_update(of=("self",))
        .filter(sheet=sheet)
        .select_related("item", "lot", "location")
        .order_by("sequence")
    )


@command(when={"status": ("waiting",)})
def approve_count(by: Actor, *, sheet: CountSheet) -> CountSheet:
    """Agree to the large differences of a count, which books them. Not by somebody who counted."""
    if sheet.status != "waiting":
        raise Conflict("wrong_status", document=sheet.label, status=sheet.status, wanted="waiting")
    lines = _lines(sheet)
    if by.id in {each.counter_id for each in lines}:
        raise RuleBroken("count_own_approval", document=sheet.label)
    sheet.approver_id = by.id
    return _book(by, sheet, lines)


def _book(by: Actor, sheet: CountSheet, lines: list[CountLine]) -> CountSheet:
    """Post what differs, each difference as it was at the instant of its count, with the sheet as cause."""
    other = virtual_location(sheet.site_id, "adjustment")
    moves = [
        MoveLine(
            line.item_id,
            abs(line.difference),
            other if line.difference > 0 else line.location_id,
            line.location_id if line.difference > 0 else other,
            line.lot_id,
        )
        for line in lines
        if line.difference
    ]
    if moves:
        run = audit.must_run()
        run.why = run.why or sheet.number
        post(by, moves, sheet.ref)
    for line in lines:
        publish(
            StockCounted(
                sheet.site_id, line.item_id, line.lot_id, line.location_id, line.booked or ZERO, line.counted or ZERO,
                line.difference, line.reason,
            )
        )  # fmt: skip
    sheet.move_to("booked")
    sheet.booked_at = by.now
    sheet.save()
    publish(CountBooked(sheet.site_id, sheet.id, len(moves)))
    return sheet


@command
def ask_recount(by: Actor, *, line: CountLine) -> CountLine:
    """Have a line counted once more, before its count is booked: somebody doubts it, or its stock has gone since."""
    sheet = entity.get(CountSheet, line.sheet_id, lock=True)
    line.sheet = sheet
    if sheet.status not in ("open", "waiting"):
        raise Conflict("wrong_status", document=sheet.label, status=sheet.status, wanted="open")
    line.move_to("recount")
    line.save()
    if sheet.status == "waiting":
        sheet.move_to("open")
        sheet.submitted_at = None
    sheet.save()
    publish(CountOpened(sheet.site_id, sheet.id, sheet.location_id, sheet.item_id, 1))
    return line


@command(when={"status": ("open", "waiting")})
def void_count(by: Actor, *, sheet: CountSheet, why: str) -> CountSheet:
    """Throw a count away: nothing of it is booked."""
    if not why.strip():
        raise Invalid("field_missing", field="why")
    sheet.move_to("void")
    sheet.note = why.strip()[:200]
    sheet.save()
    publish(CountBooked(sheet.site_id, sheet.id, 0))
    return sheet
