"""Material arrives early: the goods are in, so the waiting work order is pulled in, the pick task is on the phone,
sales sees the earlier date. One scan, within a second, without paper.

ArrivalAdvanced, GoodsReceived, LotReleased → request_replan → reschedule, DeliverySooner
goods usable in the store → line replenishment: fetch to the line what released work orders wait for
"""

from __future__ import annotations

from collections.abc import Sequence

from lianzao.flows.late_supply import replan
from lianzao.flows.line_supply import replenish
from lianzao.foundation.actor import Actor
from lianzao.foundation.outbox import Event, on
from lianzao.inventory.events import LotReleased
from lianzao.procurement.events import ArrivalAdvanced, GoodsReceiptReversed, GoodsReceived


@on(ArrivalAdvanced, GoodsReceived, GoodsReceiptReversed, key="site_id")
def replan_after_arrival(by: Actor, news: Sequence[Event]) -> None:
    """Goods came, or will come sooner: find out who can have his earlier."""
    replan(by, news)


@on(LotReleased, key="site_id")
def replan_after_release(by: Actor, news: Sequence[LotReleased]) -> None:
    """A lot may be used: it is stock now."""
    replan(by, [each for each in news if each.site_id is not None])


@on(GoodsReceived, LotReleased, key="site_id")
def fetch_what_waited(by: Actor, news: Sequence[GoodsReceived | LotReleased]) -> None:
    """What released work orders waited for is fetched to their line at once."""
    for site in dict.fromkeys(each.site_id for each in news if each.site_id is not None):
        replenish(by, site, items={each.item_id for each in news if each.site_id == site})
