"""What the screens of a wall share: who may see which part, days of a site, and the rule of a part that is hidden."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from lianzao.access.queries import site_zone
from lianzao.foundation.actor import Actor
from lianzao.values.time import local_date, start_of_day


def sees(by: Actor, *rights: str) -> bool:
    """Whether a part of a screen may be told to this viewer, who may see the screen.

    A wall display was given its screens whole by somebody who may see them; a person needs the rights of the rooms the
    figures come from. A part that is not told is None, never zero. What is masked (money) no display may see.
    """
    return by.kind == "device" or all(by.may(right) for right in rights)


def today_at(by: Actor, site_id: UUID) -> tuple[date, datetime, datetime, str]:
    """The local day of a site, when it began and when it ends, and the site's zone."""
    zone = site_zone(site_id)
    today = local_date(by.now, zone)
    return today, start_of_day(today, zone), start_of_day(today + timedelta(days=1), zone), zone
