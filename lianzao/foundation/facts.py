"""What an event is made of, read from its dataclass: names, types, and which record an id means.

Rules written as data, webhooks and the description of all events need it; nobody writes it down a second time.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import models

from lianzao.foundation import registry
from lianzao.foundation.registry import kind_of, model_of, snake

TYPES: dict[Any, str] = {
    UUID: "id",
    str: "text",
    bool: "yes_no",
    int: "whole",
    Decimal: "number",
    datetime: "instant",
    date: "date",
}


@dataclass(frozen=True)
class Fact:
    """One field of an event. `kind` is the kind of record an id means ("" when nobody can tell)."""

    name: str
    type: str
    many: bool = False
    optional: bool = False
    required: bool = True
    kind: str = ""

    @property
    def reference(self) -> str:
        """What the record is called in a sentence: item_id → item. Empty when it is no reference."""
        for tail in ("_ids", "_id"):
            if self.type == "id" and self.name.endswith(tail):
                return self.name.removesuffix(tail)
        return ""


def every_event() -> dict[str, type[Any]]:
    """Every event of every room that stands, by wire name in order, however far the rooms have been loaded."""
    for room in registry.rooms():
        name = f"lianzao.{room}.events"
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
    return dict(sorted(registry.EVENTS.items()))


@lru_cache(maxsize=1024)
def facts_of(event: type[Any]) -> Mapping[str, Fact]:
    """The fields of an event, in their order."""
    hints = typing.get_type_hints(event)
    room = registry.room_of(event.__module__)
    found: dict[str, Fact] = {}
    for part in dataclasses.fields(event):
        kind, many, optional = _read(hints[part.name])
        required = part.default is dataclasses.MISSING and part.default_factory is dataclasses.MISSING
        fact = Fact(part.name, TYPES.get(kind, "record"), many, optional, required)
        if fact.reference:
            fact = dataclasses.replace(fact, kind=kind_of_reference(room, fact.reference))
        found[part.name] = fact
    return types.MappingProxyType(found)


def _read(hint: Any) -> tuple[Any, bool, bool]:
    """A type hint as (type, many, optional)."""
    many = optional = False
    while True:
        origin = typing.get_origin(hint)
        if origin in (types.UnionType, typing.Union):
            optional = True
            hint = next(each for each in typing.get_args(hint) if each is not type(None))
        elif origin in (tuple, list):
            many = True
            hint = typing.get_args(hint)[0]
        else:
            return hint, many, optional


def kind_of_reference(room: str, name: str) -> str:
    """Which kind of record a room calls so: its own entity, the house's only one, or what columns of that name mean.

    `customer` is no entity, but sales has a column `customer` that leads to a party. Empty when it is not clear.
    """
    entities = _entities().get(name, ())
    own = [kind for kind in entities if kind.startswith(f"{room}.")]
    if own or len(entities) == 1:
        return (own or list(entities))[0]
    targets = _columns().get(name, ())
    inside = {target for home, target in targets if home == room}
    everywhere = {target for _, target in targets}
    for meant in (inside, everywhere):
        if len(meant) == 1:
            return next(iter(meant))
    return ""


@lru_cache(maxsize=1)
def _entities() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for model in _models():
        name = snake(model.__name__)
        found[name] = (*found.get(name, ()), kind_of(model))
    return found


@lru_cache(maxsize=1)
def _columns() -> dict[str, tuple[tuple[str, str], ...]]:
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for model in _models():
        for field in model._meta.concrete_fields:
            if isinstance(field, models.ForeignKey):
                target: Any = field.related_model
                found[field.name] = (*found.get(field.name, ()), (model._meta.app_label, kind_of(target)))
    return found


def _models() -> Iterable[type[models.Model]]:
    return (model for room in registry.rooms() for model in apps.get_app_config(room).get_models())


def subject_of(event: Any, field: str = "") -> tuple[str, UUID] | None:
    """The record an event is about, by kind and id: that of `field`, else one of the event's own room, else the first.

    A field `xxx_kind` beside `xxx_id` says the kind itself. None when the event names no record.
    """
    known = facts_of(type(event))
    room = registry.room_of(type(event).__module__)
    ids = [fact for fact in known.values() if fact.reference and not fact.many and fact.name != "site_id"]
    chosen = [fact for fact in ids if fact.name == field]
    chosen += [fact for fact in ids if fact.kind.startswith(f"{room}.")] + ids
    for fact in chosen:
        id = getattr(event, fact.name)
        kind = getattr(event, f"{fact.reference}_kind", "") or fact.kind
        if id is not None and kind:
            return kind, id
    return None


@dataclass(frozen=True)
class Label:
    """What people call a record: its number or code, and its name in both languages if it has one."""

    number: str
    name: str = ""
    name_en: str = ""

    def name_in(self, language: str) -> str:
        """The name in a language, or in the other one."""
        return (self.name_en or self.name) if language.startswith("en") else (self.name or self.name_en)

    def said(self, language: str) -> str:
        """Number and name in a language."""
        name = self.name_in(language)
        return self.number if not name or name == self.number else f"{self.number} {name}"


def labels(refs: Iterable[tuple[str, UUID]]) -> dict[tuple[str, UUID], Label]:
    """What records are called, one statement for each kind. Those without number, code or name are left out.

    It looks past rights: for sentences the product writes to people whom an administrator chose.
    """
    wanted: dict[str, set[UUID]] = {}
    for kind, id in refs:
        wanted.setdefault(kind, set()).add(id)
    found: dict[tuple[str, UUID], Label] = {}
    for kind, ids in sorted(wanted.items()):
        try:
            model = model_of(kind)
        except LookupError:
            continue
        has = {field.name for field in model._meta.concrete_fields}
        number = next((name for name in ("number", "code", "name") if name in has), None)
        if number is None:
            continue
        names = [name for name in ("name", "name_en") if name in has]
        for row in model._default_manager.filter(pk__in=ids).values("pk", number, *names):
            found[(kind, row["pk"])] = Label(str(row[number]), row.get("name") or "", row.get("name_en") or "")
    return found
