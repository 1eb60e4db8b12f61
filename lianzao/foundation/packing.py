"""JSON as the house writes it: decimals as strings, instants in UTC, ids as text."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import orjson
from django.db import models


def plain(value: Any) -> Any:
    """A value as JSON can hold it, for what orjson does not know by itself."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, models.Model):
        return str(value.pk)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    raise TypeError(f"no JSON form for {type(value).__name__}")


def dumps(value: Any) -> bytes:
    """JSON bytes."""
    return orjson.dumps(
        value, default=plain, option=orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
    )


def text(value: Any) -> str:
    """JSON text, for a jsonb parameter."""
    return dumps(value).decode()


def array(values: Sequence[Any]) -> str:
    """A flat list as PostgreSQL writes an array, for a parameter that the statement casts or compares.

    The driver's own way asks each element for its type and costs five times as much, which shows where a command has
    forty such parameters. Raises TypeError for elements it does not know.
    """
    kinds = {*map(type, values)}
    if kinds == {UUID}:  # most arrays are of ids; asking each for its type would cost as much as writing it
        return "{" + ",".join([f"{value.int:032x}" for value in values]) + "}"
    if len(kinds) == 1 and len(values) > 1 and isinstance(values[0], (str, datetime, int)):
        known = {value: _element(value) for value in {*values}}
        if len(known) * 2 < len(values):  # the same few over and over
            return "{" + ",".join([known[value] for value in values]) + "}"
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: Any) -> str:
    kind = type(value)
    if value is None:
        return "NULL"
    if kind is UUID:
        return cast(UUID, value).hex
    if kind is Decimal or kind is int:
        return str(value)
    if kind is bool:
        return "t" if value else "f"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (datetime, date, time)):
        return f'"{value.isoformat()}"'
    if isinstance(value, float):
        return repr(value)
    raise TypeError(f"no array of {kind.__name__}")


def loads(data: str | bytes) -> Any:
    """The value of JSON text."""
    return orjson.loads(data)


def trimmed(value: Decimal) -> str:
    """A decimal without trailing zeros: "2.500000" → "2.5", as screens and files show it."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def cell(value: Any) -> Any:
    """A field's value as the API sends it."""
    if isinstance(value, Decimal):
        return trimmed(value)
    if isinstance(value, datetime):
        return value
    return value
