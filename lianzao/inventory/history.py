"""Moves of the time before the system, by the hundred thousand: under the ledger's own rules, one order for a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from lianzao.catalog.models import Item
from lianzao.foundation import audit
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import insert
from lianzao.foundation.transfer import bulk
from lianzao.inventory.ledger import MoveLine, post
from lianzao.inventory.models import Lot
from lianzao.plant.models import Location
from lianzao.values.reference import Ref


@dataclass(frozen=True)
class PastMove:
    """A move that happened before. `lot_number`: made if the item has no lot of that number. `value`: total."""

    item: Item
    quantity: Decimal
    source: Location
    target: Location
    happened_at: datetime
    lot_number: str = ""
    value: Decimal | None = None


@bulk("inventory.past_move", PastMove, right="inventory.post_moves")
def take_history(by: Actor, rows: Sequence[PastMove]) -> int:
    """Post past moves. Balances must come out at zero or more when all of them are posted, not in between: the order
    of old records is seldom exact. Returns how many were posted."""
    lots = _lots(rows)
    lines = [
        MoveLine(
            row.item.id,
            row.quantity,
            row.source.id,
            row.target.id,
            lots.get((row.item.id, row.lot_number.strip())),
            row.value,
            row.happened_at,
        )
        for row in rows
    ]
    return len(post(by, lines, Ref("foundation.order", audit.must_run().id), past=True).move_ids)


def _lots(rows: Sequence[PastMove]) -> dict[tuple[UUID, str], UUID]:
    """The lots the rows name, by item and number; those that are missing are made, as old as their first move."""
    first: dict[tuple[UUID, str], datetime] = {}
    for row in rows:
        number = row.lot_number.strip()
        if number:
            key = (row.item.id, number)
            first[key] = min(row.happened_at, first.get(key, row.happened_at))
    found = {
        (item, number): id
        for id, item, number in Lot.objects.filter(
            item_id__in={item for item, _ in first}, number__in={number for _, number in first}
        ).values_list("id", "item_id", "number")
    }
    missing = [key for key in first if key not in found]
    made = insert([Lot(item_id=item, number=number, made_at=first[(item, number)]) for item, number in missing])
    return found | {(lot.item_id, lot.number): lot.id for lot in made}
