"""Many rows with one statement: one text for each column that differs, split and cast there.

COPY would be refused on tables with row security, and rows as parameters run into the limit of 65,535. A column that
says the same in all rows is sent once; the others are joined by a sign no value has, which is far quicker than arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.db import connection, models

from lianzao.foundation import audit, packing
from lianzao.foundation.entity import Entity
from lianzao.values.time import uuid7

#: Between values, and for a value that is null: signs no text of ours holds (one that does goes as an array).
_BETWEEN, _NULL = "\x1f", "\x1e"


def insert_rows(model: type[models.Model], fields: Sequence[models.Field[Any, Any]], rows: Sequence[Any]) -> None:
    """Write many new rows."""
    if not rows:
        return
    names = ", ".join(f'"{each.column}"' for each in fields)
    selected, values = _selected(fields, rows)
    _execute(f'INSERT INTO "{model._meta.db_table}" ({names}) {selected}', values)


def light_rows(model: type[Entity]) -> Callable[..., Any]:
    """A maker of new rows that are values and nothing else, with the model's defaults, id and stamp, for `insert_rows`.

    For rows by the hundred thousand: a model's instance costs ten times as much. Names are columns (item_id). No hook
    of the model runs: the room checks and completes such rows itself.
    """
    order = audit.must_run()
    blank = model()
    blank.stamp(order)
    defaults = blank.columns()

    def make(**values: Any) -> Any:
        return SimpleNamespace(**{**defaults, "id": uuid7(), **values})

    return make


def update_rows(model: type[models.Model], fields: Sequence[models.Field[Any, Any]], rows: Sequence[Any]) -> None:
    """Change columns of many rows, found by their id, with one statement."""
    if not rows:
        return
    key = model._meta.pk
    assert key is not None
    table = model._meta.db_table
    sets = ", ".join(f'"{each.column}" = given."{each.column}"' for each in fields)
    selected, values = _selected([key, *fields], rows)
    found = f'"{table}"."{key.column}" = given."{key.column}"'
    _execute(f'UPDATE "{table}" SET {sets} FROM ({selected}) given WHERE {found}', values)


def _selected(fields: Sequence[models.Field[Any, Any]], rows: Sequence[Any]) -> tuple[str, list[Any]]:
    """The statement that gives the rows, and its parameters."""
    casts: list[str] = []
    sources: list[str] = []
    once: list[Any] = []
    many: list[Any] = []
    for field in fields:
        column = [getattr(row, field.attname) for row in rows]
        first = column[0]
        if field.primary_key or any(value is not first and value != first for value in column):
            source, value = _many([_literal_of(field, each) for each in column])
            sources.append(source)
            many.append(value)
            casts.append(f'd.c{len(many)}::{_sql_type(field)} AS "{field.column}"')
        else:
            once.append(_literal_of(field, first))
            casts.append(f'%s::text::{_sql_type(field)} AS "{field.column}"')
    named = ", ".join(f"c{place + 1}" for place in range(len(many)))
    return f"SELECT {', '.join(casts)} FROM unnest({', '.join(sources)}) AS d({named})", [*once, *many]


def _many(values: list[str | None]) -> tuple[str, Any]:
    """How the texts of a column are sent: joined, or, if one of them holds our signs, as an array."""
    joined = _BETWEEN.join([_NULL if value is None else value for value in values])
    if joined.count(_BETWEEN) == len(values) - 1 and joined.count(_NULL) == values.count(None) and joined:
        return f"string_to_array(%s::text, '{_BETWEEN}', '{_NULL}')", joined
    return "%s::text[]", values


def _sql_type(field: models.Field[Any, Any]) -> str:
    """What a text is cast to, without the length: a cast to varchar(60) would cut, storing it there refuses."""
    kind = field.db_type(connection) or "text"
    if kind.startswith("varchar"):
        return "text[]" if kind.endswith("[]") else "text"
    return "numeric" if kind.startswith("numeric") else kind


def _execute(sql: str, values: Sequence[Any]) -> None:
    audit.must_run()
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def literal(value: Any) -> str | None:
    """A value as PostgreSQL reads it from text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, list):
        return "{" + ",".join(_quoted(literal(each)) for each in value) + "}"
    return str(value)


def _quoted(text: str | None) -> str:
    if text is None:
        return "NULL"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _literal_of(field: models.Field[Any, Any], value: Any) -> str | None:
    return packing.text(value) if isinstance(field, models.JSONField) and value is not None else literal(value)
