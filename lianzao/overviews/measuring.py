"""What the pages of figures share: the span of local days, shares of two numbers, masters told from columns, and what
of a page is beyond the viewer.

A figure whose records the viewer may not see is null, and its name stands in the page's "masked": the screens say so
(无权限), they never show zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from lianzao.access.queries import site
from lianzao.foundation import scope
from lianzao.foundation.actor import Actor
from lianzao.overviews.screens import sees
from lianzao.values.time import local_date, start_of_day

T = TypeVar("T")


@dataclass
class Figures:
    """One page's figures: for whom, of which site, at which instant, and what was left out."""

    by: Actor
    site_id: UUID
    now: datetime
    zone: str
    currency: str
    masked: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, by: Actor, site_id: UUID) -> Figures:
        """The figures of a site as of now."""
        place = site(site_id)
        return cls(by, site_id, by.now, place.time_zone, place.currency)

    @property
    def today(self) -> date:
        """The site's day."""
        return local_date(self.now, self.zone)

    def day(self, distance: int) -> date:
        """A local day so far from today (negative: before)."""
        return self.today + timedelta(days=distance)

    def since(self, days: int) -> datetime:
        """The instant at which the span of so many local days ending with today begins."""
        return start_of_day(self.day(1 - days), self.zone)

    def until(self, days: int) -> datetime:
        """The instant at which the span of so many local days beginning with today ends."""
        return start_of_day(self.day(days), self.zone)

    def told(self, name: str, rights: str, work: Callable[[], T]) -> T | None:
        """A figure, if the viewer holds all these rights; otherwise nothing, and its name among the masked."""
        if self.sees(rights):
            return work()
        self.masked.append(name)
        return None

    def sees(self, rights: str) -> bool:
        """Whether the viewer may be told what stands on records of these rights."""
        return sees(self.by, *rights.split())

    def sees_cost(self) -> bool:
        """Whether the viewer may know what things cost; says "cost" among the masked if not."""
        hidden = scope.masked(self.by, "catalog.item_site", ("standard_cost",), ("standard_cost",))
        if hidden and "cost" not in self.masked:
            self.masked.append("cost")
        return not hidden

    def values(self, **more: Any) -> dict[str, Any]:
        """What statements are given: site, instant, zone, today; and more."""
        return {"site": self.site_id, "at": self.now, "zone": self.zone, "today": self.today, **more}

    def head(self) -> dict[str, Any]:
        """What every page says of itself."""
        return {"site_id": self.site_id, "at": self.now, "today": self.today, "currency": self.currency}

    def said(self, name: str, name_en: str) -> str:
        """A name in the viewer's language, the other one when it is missing."""
        return (name_en or name) if self.by.language.startswith("en") else (name or name_en)

    def master(self, id: UUID | None, code: str, name: str, name_en: str) -> dict[str, Any] | None:
        """A master told from its columns."""
        return None if id is None else {"id": id, "code": code, "name": self.said(name, name_en)}

    def item(self, id: UUID, code: str, name: str, name_en: str, unit: str, unit_name: str) -> dict[str, Any]:
        """An item told from the columns of ITEM_COLUMNS."""
        return {"id": id, "code": code, "name": self.said(name, name_en), "unit": self.unit(unit, unit_name)}

    def unit(self, code: str | None, name: str | None) -> str | None:
        """A unit as people write it: by its code, in Chinese by its name."""
        return code if self.by.language.startswith("en") else name or code


#: An item `i` with its base unit `u`, as `Figures.item` reads it.
ITEM_COLUMNS = "i.id, i.code, i.name, i.name_en, u.code, u.name"
ITEM_WIDTH = 6


def share(part: Any, whole: Any) -> Decimal | None:
    """A part of a whole in percent, to one tenth; nothing when there is no whole."""
    return None if not whole else (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.1"))


def per_million(part: Any, whole: Any) -> int | None:
    """A part of a whole in parts per million; nothing when there is no whole."""
    return None if not whole else round(Decimal(part) * 1_000_000 / Decimal(whole))
