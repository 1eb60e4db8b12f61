"""What the people of the demo plant know at one moment, and how they act: by public commands, as themselves.

Chance is a function of a seed and a document's number, never of how often it was asked: the same plant takes the same
turns, and a simulator that was stopped goes on as if nothing had happened.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from lianzao.access.queries import actor_for, people_of_partner, site_zone
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import query
from lianzao.values.errors import DomainError

log = logging.getLogger("lianzao.demo")

#: The reason every order of the simulated people carries, so that it can be told from a person's at the screen.
SIMULATED = "simulated"

TOUCHED = """
SELECT DISTINCT t.id FROM foundation_order o CROSS JOIN LATERAL unnest(o.touched) AS t(id)
WHERE o.at > %s AND o.at <= %s AND o.actor_kind IN ('person', 'partner', 'token', 'device') AND o.why <> %s
"""
LOGIN_OF = "SELECT p.partner_id, p.login FROM access_person p WHERE p.retired_at IS NULL AND p.partner_id IS NOT NULL"


@dataclass
class Scene:
    """A moment of the plant: the time, how much passed since the last one, the habits, and the hands."""

    site_id: UUID
    now: datetime
    passed: timedelta
    habits: dict[str, Any]
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    _actors: dict[str, Actor] = field(default_factory=dict)

    # -- time ---------------------------------------------------------------------------------------------------------

    @cached_property
    def zone(self) -> ZoneInfo:
        """The site's zone."""
        return ZoneInfo(site_zone(self.site_id))

    @cached_property
    def local(self) -> datetime:
        """The clock on the wall."""
        return self.now.astimezone(self.zone)

    @property
    def today(self) -> date:
        """The local date."""
        return self.local.date()

    @property
    def workday(self) -> bool:
        """Whether it is not Sunday."""
        return self.local.weekday() != 6

    def open(self, habit: str) -> bool:
        """Whether a place with hours (office, receiving) is open now."""
        hours = self.habits[habit]
        return self.workday and hours["from"] <= self.local.hour < hours["until"]

    def at(self, on: date, hour: float) -> datetime:
        """An instant of a local day."""
        minutes = int(hour * 60)
        return datetime.combine(on, time(minutes // 60 % 24, minutes % 60), self.zone)

    def waited(self, since: datetime | None, hours: Iterable[float], key: str) -> bool:
        """Whether somebody who takes between two numbers of hours has had his time since."""
        return since is not None and self.now >= since + timedelta(hours=self.between(hours, key))

    # -- chance -------------------------------------------------------------------------------------------------------

    def dice(self, key: str) -> random.Random:
        """A generator of its own for each question."""
        return random.Random(f"{self.habits['seed']}:{key}")

    def chance(self, probability: float, key: str) -> bool:
        """Whether something happens."""
        return self.dice(key).random() < probability

    def between(self, bounds: Iterable[float], key: str) -> float:
        """A number between two."""
        low, high = bounds
        return self.dice(key).uniform(low, high)

    # -- hands --------------------------------------------------------------------------------------------------------

    def actor(self, login: str) -> Actor:
        """Somebody of the house at this site."""
        if login not in self._actors:
            self._actors[login] = actor_for(login, site=self.site_id)
        return self._actors[login]

    @cached_property
    def _partner_logins(self) -> dict[UUID, str]:
        return dict(query(LOGIN_OF))

    def voice_of(self, partner_id: UUID, otherwise: str) -> Actor:
        """A partner's own person if he has one who logs in, else the one of the house who writes down his word."""
        if people_of_partner(partner_id):
            return self.actor(self._partner_logins[partner_id])
        return self.actor(otherwise)

    @cached_property
    def touched(self) -> set[UUID]:
        """What people at screens changed lately: theirs to go on with."""
        since = self.now - timedelta(hours=self.habits["hands_off_hours"])
        return {row[0] for row in query(TOUCHED, [since, self.now, SIMULATED])}

    def busy(self, *ids: UUID | None) -> bool:
        """Whether somebody at a screen is at work on one of these records."""
        return any(id in self.touched for id in ids)

    def do(self, who: str | Actor, act: Callable[..., Any], /, **given: Any) -> Any:
        """Carry out a command as somebody; what the house refuses is counted and left. Returns None then."""
        by = self.actor(who) if isinstance(who, str) else who
        name = getattr(act, "key", str(act))
        try:
            answer = act(by, **given, _why=SIMULATED)
        except DomainError as error:
            self.refused[f"{name}: {error.code}"] += 1
            log.debug("%s refused: %s %s", name, error.code, error.facts)
            return None
        self.done[name] += 1
        return answer
