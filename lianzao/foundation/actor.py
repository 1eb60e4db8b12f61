"""Who acts: a person, a partner's person, a token, a device, or the system itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from lianzao.values.reference import Ref


class _All:
    """Every site: for administrators and for the system itself."""

    def __contains__(self, site_id: object) -> bool:
        return True

    def __repr__(self) -> str:
        return "ALL"


ALL: Final = _All()


def right_matches(held: str, wanted: str) -> bool:
    """Whether a held right covers a wanted one; `*` stands for any run of characters in the room or the name."""
    if held == wanted or held == "*":
        return True
    if "*" not in held:
        return False
    held_room, _, held_name = held.partition(".")
    wanted_room, _, wanted_name = wanted.partition(".")
    return held_room in ("*", wanted_room) and (
        held_name == wanted_name or (held_name.endswith("*") and wanted_name.startswith(held_name[:-1]))
    )


@dataclass(frozen=True)
class Actor:
    """Who acts, with what rights, where, and since when this order runs.

    `sites` limits rows by site, `partner` limits them to one party's own; `site` is the site in use; `now` is the
    instant of the running command (virtual clock); `cause` is what made the system act.
    """

    id: UUID | None
    name: str
    kind: Literal["person", "partner", "token", "device", "system"] = "person"
    sites: frozenset[UUID] | _All = frozenset()
    partner: UUID | None = None
    rights: frozenset[str] = frozenset()
    masks: frozenset[str] = frozenset()
    language: str = "zh-CN"
    site: UUID | None = None
    session: UUID | None = None
    station: UUID | None = None
    cause: Ref | None = None
    at: datetime | None = None
    memory: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    @property
    def reach(self) -> tuple[frozenset[UUID] | _All, UUID | None]:
        """What decides which rows he sees (`scope`): whoever has the same reach sees the same rows."""
        return self.sites, self.partner

    @property
    def now(self) -> datetime:
        """The instant of the running command; outside a command, the clock's."""
        if self.at is not None:
            return self.at
        from lianzao.foundation import clock

        return clock.now()

    def may(self, right: str) -> bool:
        """Whether the actor holds a right such as "sales.confirm_order"."""
        known = self.memory.get(right)
        if known is None:
            known = any(right_matches(held, right) for held in self.rights)
            self.memory[right] = known
        return known

    def at_instant(self, instant: datetime) -> Actor:
        """The same actor, at the instant of a command."""
        return replace(self, at=instant)


def system_actor(name: str, *, cause: Ref | None = None, site: UUID | None = None) -> Actor:
    """The product acting by itself: a story in flows, a job, the planner. Its name says which."""
    return Actor(
        id=None, name=name, kind="system", sites=ALL, rights=frozenset({"*"}), cause=cause, site=site, language="zh-CN"
    )
