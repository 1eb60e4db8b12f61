"""Bad input, made from the registries: what a valid body looks like, and every way in which a field can be wrong."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models

from lianzao.foundation.command import Command, Parameter
from lianzao.foundation.entity import Entity
from lianzao.values.reference import Ref
from lianzao.values.time import uuid7

NOW = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
#: Text of people who mean harm, or of files that were damaged on their way.
KEPT = (
    "'; DROP TABLE foundation_order; --",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "مرحبا \u202eפמיט\u202c",
    '=HYPERLINK("http://x","y")',
    "{0.__class__} %s %(x)s {{7*7}} ${jndi:ldap://x}",
    "👩‍🏭🏭\u0301\u200b",
)
#: Years no plant plans for; a step over the end of the calendar is an OverflowError.
BEYOND = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
REFUSED = ("a\x00b", "\x07bell", "\x1b[31mred", "\x7f")


@dataclass(frozen=True)
class Wrong:
    """One wrong value: `refused` when no rule of a room could ever take it; the answer must then name the field."""

    what: str
    value: Any
    refused: bool = True


def kind_of_value(each: Parameter) -> str:
    """What a parameter holds, in one word."""
    if each.entity is not None:
        return "record"
    if each.shape is not None:
        return "shape"
    if each.column is not None:
        column = each.column
        if column.choices:
            return "choice"
        for cls, kind in (
            (models.BooleanField, "truth"), (models.DecimalField, "number"), (models.IntegerField, "whole"),
            (models.DateTimeField, "instant"), (models.DateField, "day"), (models.TimeField, "time"),
            (models.UUIDField, "id"), (models.JSONField, "json"), (ArrayField, "list"),
        ):  # fmt: skip
            if isinstance(column, cls):
                return kind
        return "text"
    scalar = each.scalar
    if isinstance(scalar, type) and issubclass(scalar, enum.Enum):
        return "choice"
    kinds = {
        bool: "truth", Decimal: "number", int: "whole", datetime: "instant", date: "day", time: "time", UUID: "id",
        Ref: "ref", str: "text", bytes: "bytes",
    }  # fmt: skip
    return kinds.get(scalar, "json")


class Plant:
    """Where a valid body takes its records from: one of each kind, remembered."""

    def __init__(self) -> None:
        self._known: dict[type[Entity], list[UUID]] = {}

    def records(self, model: type[Entity]) -> list[UUID]:
        """Some records of a kind."""
        if model not in self._known:
            self._known[model] = list(model._default_manager.order_by("-pk").values_list("pk", flat=True)[:20])
        return self._known[model]

    def value(self, each: Parameter, turn: int = 0) -> Any:
        """A value as the product's own screens would send it."""
        single = self._single(each, turn)
        return [single] if each.many else single

    def _single(self, each: Parameter, turn: int) -> Any:
        kind = kind_of_value(each)
        if kind == "record":
            assert each.entity is not None
            found = self.records(each.entity)
            return str(found[turn % len(found)]) if found else str(uuid7())
        if kind == "shape":
            return {part.name: self.value(part, turn) for part in each.fields if part.required}
        if kind == "choice":
            if each.column is not None:
                return next(value for value, _ in each.column.flatchoices)  # type: ignore[attr-defined]
            return next(iter(each.scalar)).value
        if kind == "id":
            return self._plain_id(each.name, turn)
        if kind == "text":
            longest = getattr(each.column, "max_length", None) or 200
            return f"{each.name} {turn}"[:longest]
        plain: dict[str, Any] = {
            "truth": True, "number": "1", "whole": 1, "instant": "2026-03-09T00:00:00Z", "day": "2026-03-09",
            "time": "08:00:00", "json": {}, "list": [], "bytes": "code\n1\n",
            "ref": {"kind": "sales.sales_order", "id": str(uuid7())},
        }  # fmt: skip
        return plain[kind]

    def _plain_id(self, name: str, turn: int) -> str:
        from lianzao.access.models import Site
        from lianzao.foundation import registry

        if name in ("site", "site_id"):
            return str(self.records(Site)[0])
        entity = name.removesuffix("_id")
        for kind in registry.RESOURCES:
            if kind.endswith(f".{entity}"):
                found = self.records(registry.RESOURCES[kind].model)
                if found:
                    return str(found[turn % len(found)])
        return str(uuid7())

    def body(self, command: Command[Any, Any], turn: int = 0) -> dict[str, Any]:
        """All a command needs, and nothing else."""
        return {each.name: self.value(each, turn) for each in command.parameters if each.required}


def wrong_values(each: Parameter) -> Iterator[Wrong]:
    """Every way in which a value of this parameter can be wrong."""
    kind = kind_of_value(each)
    found = list(_wrong(kind, each))
    if each.many:
        yield Wrong("no list", "x")
        yield Wrong("a null in the list", [None])
        for wrong in found:
            yield Wrong(f"in a list: {wrong.what}", [wrong.value], wrong.refused)
    else:
        yield from found


def _wrong(kind: str, each: Parameter) -> Iterator[Wrong]:
    if kind not in ("text", "json", "bytes"):
        yield Wrong("an object", {"a": 1}, kind != "list")
    if kind == "text":
        longest = getattr(each.column, "max_length", None)
        choice_like = bool(getattr(each.column, "choices", None))
        for text in REFUSED:
            yield Wrong(f"unprintable {text!r}", text)
        yield Wrong("half of a pair", "\ud800")
        yield Wrong("very long", "长" * 20_001)
        if longest:
            yield Wrong("one too long", "x" * (longest + 1))
        else:
            yield Wrong("long", "y" * 5_000, False)
        yield Wrong("a number", 7)
        yield Wrong("empty", "", False)
        for text in KEPT:
            yield Wrong(f"kept {text[:12]!r}", text, choice_like)
    elif kind == "number":
        places = getattr(each.column, "decimal_places", None) or 6
        for value in ("NaN", "Infinity", "-Infinity", "1e400", "abc", "", True, f"1.{'0' * places}1", "1e20", [1]):
            yield Wrong(f"{value!r}", value)
        for value in ("-1", "0", "99999999999999.999999", "-99999999999999.999999", "0.000001"):
            yield Wrong(f"{value}", value, False)
    elif kind == "whole":
        for value in ("abc", 1.5, True, 2**31, -(2**31) - 1, 2**70):
            yield Wrong(f"{value!r}", value)
        for value in (-1, 0, 2**31 - 1 if not isinstance(each.column, models.SmallIntegerField) else 32767):
            yield Wrong(f"{value}", value, False)
    elif kind in ("day", "instant"):
        for value in (
            "soon",
            "2026-02-30",
            "20260309",
            1_772_000_000,
            True,
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
        ):
            yield Wrong(f"{value!r}", value)
        if kind == "instant":
            yield Wrong("without a zone", "2026-03-09T08:00:00")
            for value in ("1900-01-01T00:00:00Z", "2199-12-31T00:00:00Z"):
                yield Wrong(value, value, False)
        else:
            for value in ("1900-01-01", "2199-12-31"):
                yield Wrong(value, value, False)
    elif kind == "time":
        yield Wrong("25:00", "25:00")
    elif kind == "truth":
        yield Wrong("maybe", "maybe")
    elif kind in ("record", "id"):
        for value in ("17", "' OR 1=1", 5, "../../etc/passwd", "a\x00"):
            yield Wrong(f"{value!r}", value)
        yield Wrong("nobody", str(uuid7()), kind == "record")
        yield Wrong("all zeros", "0" * 32, kind == "record")
    elif kind == "choice":
        yield Wrong("no such choice", "no such choice")
        yield Wrong("NUL", "\x00")
    elif kind == "ref":
        yield Wrong("no kind", {"id": str(uuid7())})
        yield Wrong("NUL kind", {"kind": "a\x00", "id": str(uuid7())})
        yield Wrong("unknown kind", {"kind": "no.such", "id": str(uuid7())})
    elif kind == "json":
        yield Wrong("NUL inside", {"a": ["\x00"]})
        yield Wrong("NUL as a name", {"\x00": 1})
    elif kind == "shape":
        yield Wrong("nothing in it", {}, any(part.required for part in each.fields))
        yield Wrong("an unknown field", {"no_such_field": 1})


def nested(each: Parameter, plant: Plant) -> Iterator[tuple[str, Any, Wrong]]:
    """For lines: each field of a line wrong in turn, the others right. Gives field, the whole value, what is wrong."""
    if each.shape is None:
        return
    whole: Mapping[str, Any] = {part.name: plant.value(part) for part in each.fields if part.required}
    for part in each.fields:
        for wrong in wrong_values(part):
            value = {**whole, part.name: wrong.value}
            yield part.name, [value] if each.many else value, wrong


def surrogate_safe(body: Mapping[str, Any]) -> bytes:
    """JSON as a careless program writes it: halves of a pair as escapes."""
    import json

    def plain(value: Any) -> Any:
        return str(value) if isinstance(value, (Decimal, UUID, date, datetime)) else dataclasses.asdict(value)

    return json.dumps(body, ensure_ascii=True, default=plain).encode()
