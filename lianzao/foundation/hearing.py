"""Who hears what of the news: the topics of an event, an actor's ear, and the frames of the live line.

Nothing is sent that the listener could not also read: his sites, the rooms he may view, his masks; a partner hears only
news that names him, and of it only ids.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import orjson

from lianzao.foundation import packing, registry
from lianzao.foundation.actor import Actor
from lianzao.foundation.events import RecordChanged

#: Who may hear of an event on his portal; never itself sent to a partner.
PARTNERS = "partner_ids"
_BASE = ("id", "event", "at", "site_id", "topics")
_BARE = frozenset(_BASE)


@dataclass(frozen=True, eq=False)
class News:
    """One event as it was read from the table. `cursor` is the place in the line from which nothing after is missed."""

    id: UUID
    event: str
    at: datetime
    site_id: UUID | None
    payload: Mapping[str, Any]
    xid: int
    cursor: str
    topics: tuple[str, ...] = ()
    partners: frozenset[str] = frozenset()
    frames: dict[tuple[bool, frozenset[str]], bytes] = field(default_factory=dict)

    @property
    def room(self) -> str:
        """The room it is about: the one that told it, or that of the record which the machinery changed."""
        return (self.record_kind or self.event).partition(".")[0]

    @property
    def record_kind(self) -> str | None:
        """The kind of a record that changed by a generic command."""
        return str(self.payload["kind"]) if self.event == RecordChanged.wire_name else None


def kinds_by_entity() -> dict[str, tuple[str, ...]]:
    """entity → its kinds, from the registry: sales_order → (sales.sales_order,)."""
    found: dict[str, tuple[str, ...]] = {}
    for kind in sorted(registry.RESOURCES):
        entity = kind.partition(".")[2]
        found[entity] = (*found.get(entity, ()), kind)
    return found


def topics_of(event: str, payload: Mapping[str, Any], kinds: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """`<room>.<Event>`; `xxx:<uuid>` and `kind:<room>.xxx` for every field `xxx_id` and each of `xxx_ids`.

    A changed record is told to those who listen to it and to its kind, by whatever name its kind has.
    """
    topics = {event: None}
    if event == RecordChanged.wire_name:
        kind, id = str(payload["kind"]), payload.get("record_id")
        topics[f"kind:{kind}"] = None
        if id:
            topics[f"{kind.partition('.')[2]}:{id}"] = None
        if payload.get("site_id"):
            topics[f"site:{payload['site_id']}"] = None
        return tuple(topics)
    for name, value in payload.items():
        if not value:
            continue
        if name.endswith("_id"):
            entity, ids = name[:-3], [value]
        elif name.endswith("_ids") and isinstance(value, (list, tuple)):
            entity, ids = name[:-4], value
        else:
            continue
        topics.update((f"{entity}:{id}", None) for id in ids)
        topics.update((f"kind:{kind}", None) for kind in kinds.get(entity, ()))
    return tuple(topics)


class Ear:
    """What one actor may hear, worked out once and remembered while his rights stay as they are."""

    #: Numbers for what can be told apart in what actors may hear; there are as many as combinations of roles.
    _sights: ClassVar[dict[Hashable, int]] = {}

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        #: Equal for all who hear the same, and see the same of it.
        self.sight = self._sights.setdefault(
            (actor.kind == "device", actor.reach, actor.rights, actor.masks), len(self._sights)
        )
        self.partner = None if actor.partner is None else str(actor.partner)
        #: A device on a wall learns that something happened, nothing of what: it reads its own page again.
        self.device = actor.kind == "device"
        self._rooms: dict[str, bool] = {}
        self._masks: dict[str, frozenset[str]] = {}

    def hears(self, news: News) -> bool:
        """Whether he may know of it at all."""
        if self.device:
            return news.site_id in self.actor.sites and news.record_kind is None and self.sees_room(news.room)
        if news.site_id is not None and news.site_id not in self.actor.sites:
            return False
        if self.partner is not None and self.partner not in news.partners:
            return False
        kind = news.record_kind
        if kind is not None:
            resource = registry.RESOURCES.get(kind)
            return resource is not None and self.actor.may(resource.view_right)
        return self.sees_room(news.room)

    def sees_room(self, room: str) -> bool:
        """Whether he may view anything of a room."""
        if self.device:
            return self.actor.may(f"{room}.hear_news")
        if room not in self._rooms:
            self._rooms[room] = any(_views(held, room) for held in self.actor.rights)
        return self._rooms[room]

    def may_ask(self, topic: str) -> bool:
        """Whether a topic can ever bring him anything; what hangs on single records is decided with each event."""
        head, _, rest = topic.partition(":")
        if head == "kind":
            resource = registry.RESOURCES.get(rest)
            return resource is not None and self.actor.may(resource.view_right)
        if head == "site":
            return _is_id(rest) and UUID(rest) in self.actor.sites
        if rest:
            return _is_id(rest) and not self.device
        return "." in topic and self.sees_room(topic.partition(".")[0])

    def frame(self, news: News) -> bytes:
        """The event as bytes for this listener; the same bytes serve all with the same sight."""
        if self.device:
            return _bare(news)
        house = self.partner is None
        hidden = self._hidden(news) if house else frozenset()
        key = (house, hidden)
        made = news.frames.get(key)
        if made is None:
            made = news.frames[key] = _frame(news, _shown(news, house, hidden), house)
        return made

    def shown(self, name: str, facts: Any) -> Any:
        """What an event or an order of this name told, without what he may not read."""
        if not isinstance(facts, Mapping):
            return facts
        hidden = self._hidden_of(name.partition(".")[0], facts)
        return {fact: value for fact, value in facts.items() if fact not in hidden}

    def _hidden(self, news: News) -> frozenset[str]:
        return self._hidden_of(news.room, news.payload)

    def _hidden_of(self, room: str, told: Mapping[str, Any]) -> frozenset[str]:
        if room not in self._masks:
            self._masks[room] = _masked_names(self.actor, room)
        masks = self._masks[room]
        if not masks:
            return frozenset()
        facts = frozenset(name for name in told if not _is_reference(name))
        return facts if "*" in masks else masks & facts


def _views(held: str, room: str) -> bool:
    held_room, _, name = held.partition(".")
    if held == "*":
        return True
    return held_room in ("*", room) and (
        name.startswith("view_") or (name.endswith("*") and "view_".startswith(name[:-1]))
    )


def _masked_names(actor: Actor, room: str) -> frozenset[str]:
    """Names of facts he may not read in a room's news: news carries no entity, so any mask of the room counts."""
    names = {parts[2] for mask in actor.masks if len(parts := mask.split(".")) == 3 and parts[0] in ("*", room)}
    for resource in registry.RESOURCES.values():
        if resource.room == room and not actor.may(f"{room}.unmask_{resource.entity}"):
            names.update(resource.mask_names)
    return frozenset(names)


def _shown(news: News, house: bool, hidden: frozenset[str]) -> dict[str, Any]:
    payload = news.payload
    if house:
        return {name: value for name, value in payload.items() if name not in hidden and name not in _BASE}
    return {
        name: value for name, value in payload.items() if _is_reference(name) and name != PARTNERS and name not in _BASE
    }


def _frame(news: News, shown: dict[str, Any], house: bool) -> bytes:
    topics: Iterable[str] = news.topics
    if not house:
        topics = [topic for topic in topics if not topic.startswith("partner:")]
    data = {"id": news.id, "event": news.event, "at": news.at, "site_id": news.site_id, "topics": list(topics)}
    return message(news.event, data | shown, news.cursor)


def _bare(news: News) -> bytes:
    made = news.frames.get((False, _BARE))
    if made is None:
        data = {"id": news.id, "event": news.event, "at": news.at, "site_id": news.site_id, "topics": [news.event]}
        made = news.frames[False, _BARE] = message(news.event, data, news.cursor)
    return made


def message(event: str, data: Mapping[str, Any], cursor: str = "") -> bytes:
    """One message of text/event-stream."""
    head = f"id: {cursor}\n" if cursor else ""
    body = orjson.dumps(data, default=packing.plain, option=orjson.OPT_UTC_Z)
    return f"{head}event: {event}\n".encode() + b"data: " + body + b"\n\n"


def _is_reference(name: str) -> bool:
    return name.endswith(("_id", "_ids"))


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
