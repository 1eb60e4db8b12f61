"""What the ledger does about its own news."""

from __future__ import annotations

from collections.abc import Sequence

from lianzao.foundation.actor import Actor
from lianzao.foundation.outbox import on
from lianzao.inventory.commands import cover_pending
from lianzao.inventory.events import UncoveredArrived


@on(UncoveredArrived, key="location_id")
def cover_what_arrived(by: Actor, news: Sequence[UncoveredArrived]) -> None:
    """Post what the floor used before the books had it, now that stock is there."""
    items = sorted({item for each in news for item in each.item_ids})
    cover_pending(by, location=news[0].location_id, items=items)  # type: ignore[arg-type]
