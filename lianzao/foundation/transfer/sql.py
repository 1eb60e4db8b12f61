"""Many rows with one statement: an array of texts for each column, cast there.

COPY would be refused on tables with row security, and rows as parameters run into the limit of 65,535.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from django.db import connection, models

from lianzao.foundation import audit, packing


def insert_rows(model: type[models.Model], fields: Sequence[models.Field[Any, Any]], rows: Sequence[Any]) -> None:
    """Write many new rows."""
    names = ", ".join(f'"{each.column}"' for each in fields)
    _execute(f'INSERT INTO "{model._meta.db_table}" ({names}) {_selected(fields)}', fields, rows)


def update_rows(model: type[models.Model], fields: Sequence[models.Field[Any, Any]], rows: Sequence[Any]) -> None:
    """Change columns of many rows, found by their id, with one statement."""
    key = model._meta.pk
    assert key is not None
    table = model._meta.db_table
    sets = ", ".join(f'"{each.column}" = given."{each.column}"' for each in fields)
    every = [key, *fields]
    found = f'"{table}"."{key.column}" = given."{key.column}"'
    _execute(f'UPDATE "{table}" SET {sets} FROM ({_selected(every)}) given WHERE {found}', every, rows)


def _selected(fields: Sequence[models.Field[Any, Any]]) -> str:
    casts = ", ".join(f'd.c{place}::{_sql_type(each)} AS "{each.column}"' for place, each in enumerate(fields))
    arrays = ", ".join("%s::text[]" for _ in fields)
    return f"SELECT {casts} FROM unnest({arrays}) AS d({', '.join(f'c{place}' for place in range(len(fields)))})"


def _sql_type(field: models.Field[Any, Any]) -> str:
    kind = field.db_type(connection) or "text"
    return "text" if kind.startswith("varchar") else "numeric" if kind.startswith("numeric") else kind


def _execute(sql: str, fields: Sequence[models.Field[Any, Any]], rows: Sequence[Any]) -> None:
    audit.must_run()
    columns = [[_literal_of(each, getattr(row, each.attname)) for row in rows] for each in fields]
    with connection.cursor() as cursor:
        cursor.execute(sql, columns)


def literal(value: Any) -> str | None:
    """A value as PostgreSQL reads it from text."""
    if value is None or isinstance(value, str):
        return value
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
