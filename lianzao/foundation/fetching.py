"""Statements of lists and records, worked out once: Django's compiling costs more than PostgreSQL's answer.

A query of one shape (kind, columns, filters, order, sites, partner) differs from the next only in the values of its
filters. What was compiled is kept under the shape, with the places where the values stand, and run with new ones.
Values that are few (states, flags, sites) are part of the shape. Nothing of the answer is kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar, cast
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import Count, Value
from django.db.models.expressions import RawSQL
from django.db.models.query import get_related_populators  # type: ignore[attr-defined]

from lianzao.foundation import packing

Row = tuple[Any, ...]
M = TypeVar("M", bound=models.Model)

#: Shapes kept, those used last.
MOST = 1000
#: Values of these types are made anew for each request, so their places in the parameters are known by identity.
VARIABLE = (UUID, Decimal, datetime, date)
TOTAL = "total_of_all_pages"


@dataclass(frozen=True, slots=True)
class Making:
    """How records, and those fetched along with them (select_related), are made of the cells of a row."""

    model: type[models.Model]
    first: int
    end: int
    names: list[str]
    along: tuple[Any, ...]

    def made(self, rows: Sequence[Row]) -> list[Any]:
        """A record for each row."""
        found = [self.model.from_db(connection.alias, self.names, row[self.first : self.end]) for row in rows]
        for populator in self.along:
            for row, made in zip(rows, found, strict=True):
                populator.populate(row, made)
        return found


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL without LIMIT, its parameters, which of them are whose value, and what Django does to columns read."""

    sql: str
    parameters: tuple[Any, ...]
    places: tuple[tuple[int, int], ...]  # (parameter, variable value)
    converters: tuple[tuple[int, tuple[Callable[..., Any], ...], Any], ...]
    making: Making | None = None

    def given(self, values: Sequence[Any]) -> list[Any]:
        """The parameters for these values of the variable filters."""
        parameters = list(self.parameters)
        for parameter, value in self.places:
            parameters[parameter] = values[value]
        return parameters

    def run(self, values: Sequence[Any], limit: str) -> list[Row]:
        """The rows for these values of the variable filters."""
        with connection.cursor() as cursor:
            cursor.execute(self.sql + limit, self.given(values))
            rows: list[Row] = cursor.fetchall()
        return self._converted(rows) if self.converters else rows

    def _converted(self, rows: list[Row]) -> list[Row]:
        made: list[Row] = []
        for row in rows:
            cells = list(row)
            for place, functions, expression in self.converters:
                for function in functions:
                    cells[place] = function(cells[place], expression, connection)
            made.append(tuple(cells))
        return made


_kept: OrderedDict[Hashable, Statement | None] = OrderedDict()
_lock = threading.Lock()


def rows_of(
    shape: Hashable | None,
    build: Callable[[], models.QuerySet[Any]],
    paths: Sequence[str],
    values: Sequence[Any] = (),
    *,
    limit: int,
    offset: int = 0,
    total: bool = False,
) -> list[Row]:
    """A page of the rows that `build` describes, as tuples of `paths`; with `total` each ends in the number of all.

    `shape` must tell apart all that `build` makes of anything but the VARIABLE `values`; None: keep nothing.
    """
    statement = _statement(shape, build, paths, values, total)
    if statement is None:
        return []
    return statement.run(values, f" LIMIT {limit:d} OFFSET {offset:d}" if offset else f" LIMIT {limit:d}")


def records_of(
    shape: Hashable,
    build: Callable[[], models.QuerySet[M]],
    values: Sequence[UUID | str],
    places: Sequence[UUID | str] | None = None,
) -> list[M]:
    """The records that `build` describes, with those it selects along, locked if it says so; the rest as `rows_of`.

    `places` are what `build` puts where the values belong, if that is not the values themselves (see `placed`).
    """
    statement = _statement(shape, build, None, values if places is None else places, total=False)
    if statement is None or statement.making is None:
        return []
    return cast("list[M]", statement.making.made(statement.run(values, "")))


@dataclass(frozen=True, slots=True)
class Counted:
    """What is to be counted: the rows that `build` describes, for these values; see `records_of`."""

    shape: Hashable
    build: Callable[[], models.QuerySet[Any]]
    values: Sequence[UUID | str]
    places: Sequence[UUID | str]


def counts(wanted: Sequence[Counted]) -> list[int]:
    """How many rows there are of each, with one statement for all."""
    found: list[int | None] = []
    parts: list[str] = []
    parameters: list[Any] = []
    for each in wanted:

        def build(each: Counted = each) -> Any:
            return each.build().order_by().annotate(of=Value(1)).values("of").annotate(number=Count("pk"))

        statement = _statement(("count", each.shape), build, ["number"], each.places, total=False)
        found.append(0 if statement is None else None)
        if statement is not None:
            parts.append(f"({statement.sql})")
            parameters += statement.given(each.values)
    if parts:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(parts)}", parameters)
            rest = iter(cursor.fetchall()[0])
        return [next(rest) or 0 if each is None else each for each in found]
    return [0] * len(found)


class AnyOf(models.Lookup):  # type: ignore[type-arg]
    """`<id>__any=packing.array(ids)`: one parameter for however many ids, so that they all have one statement."""

    lookup_name = "any"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        """The condition."""
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s::uuid[])", [*parameters, self.rhs]


models.UUIDField.register_lookup(AnyOf)
models.ForeignKey.register_lookup(AnyOf)


class _Place(str):
    """A text that is itself and no other, so that its place among a statement's parameters is known by identity."""

    __slots__ = ()


def placed(value: UUID | str) -> UUID | str:
    """The same value as an object of its own, that no other parameter of a statement can be."""
    return UUID(int=value.int) if isinstance(value, UUID) else _Place(value)


def matching(
    model: type[M], *order: str, along: str = "", lock: bool = False, **equal: UUID | str | bool | int | None
) -> list[M]:
    """The records whose columns equal these values, in an order (`-` before a column: downwards); locked if asked.

    `along` is a reference whose records are fetched with them. For rooms' own searches on hot paths; who may see what
    is not asked here. Values must be of the column's own type: a reference's id goes by `<name>_id`.
    """
    names = _columns(model)
    other = cast("type[models.Model]", model._meta.get_field(along).related_model) if along else None
    behind = [] if other is None else _columns(other)
    values = [value for value in equal.values() if isinstance(value, (UUID, str))]
    places = [placed(value) for value in values]
    kinds = tuple((name, type(value) if isinstance(value, (UUID, str)) else value) for name, value in equal.items())

    def build() -> models.QuerySet[M]:
        rest = iter(places)
        wanted = {
            f"{name}__isnull" if value is None else name:
            True if value is None else next(rest) if isinstance(value, (UUID, str)) else value
            for name, value in equal.items()
        }  # fmt: skip
        return model._default_manager.filter(**wanted).order_by(*order)

    paths = [*names, *(f"{along}__{name}" for name in behind)]
    statement = _statement(("matching", model, order, along, kinds), build, paths, places, total=False)
    if statement is None or len(statement.places) != len(values):
        raise TypeError(f"no statement can be kept for {model.__name__} by {', '.join(equal)}")
    tail = f" FOR UPDATE OF {connection.ops.quote_name(model._meta.db_table)}" if lock else ""
    found: list[M] = []
    for row in statement.run(values, tail):
        made = model.from_db(connection.alias, names, row[: len(names)])
        if other is not None:
            known = row[len(names)] is not None
            theirs = other.from_db(connection.alias, behind, row[len(names) :]) if known else None
            made._state.fields_cache[along] = theirs  # type: ignore[attr-defined]
        found.append(made)
    return found


@lru_cache(maxsize=512)
def _columns(model: type[models.Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


_UNKNOWN: Any = object()


def _statement(
    shape: Hashable | None,
    build: Callable[[], models.QuerySet[Any]],
    paths: Sequence[str] | None,
    values: Sequence[Any],
    total: bool,
) -> Statement | None:
    """The statement of a shape: the one that is kept, or a new one, kept if the place of every value is known."""
    if shape is None:
        return _compiled(build(), paths, values, total)
    with _lock:
        found = _kept.get(shape, _UNKNOWN)
        if found is not _UNKNOWN:
            _kept.move_to_end(shape)
            return found
    made = _compiled(build(), paths, values, total)
    if made is None or {value for _, value in made.places} == {*range(len(values))}:
        with _lock:
            _kept[shape] = made
            if len(_kept) > MOST:
                _kept.popitem(last=False)
    return made


def _compiled(
    rows: models.QuerySet[Any], paths: Sequence[str] | None, values: Sequence[Any], total: bool
) -> Statement | None:
    """Without paths: whole records. None: whatever the values are, there is no such row (a person without sites)."""
    try:
        if total:
            inner, parameters = rows.order_by().values("pk").query.sql_with_params()
            count = RawSQL(f"SELECT count(*) FROM ({inner}) every", parameters, models.BigIntegerField())
            rows = rows.annotate(**{TOTAL: count})
            paths = (*(paths or ()), TOTAL)
        compiler = (rows if paths is None else rows.values_list(*paths)).query.get_compiler(connection=connection)
        sql, given = compiler.as_sql()
    except EmptyResultSet:
        return None
    places = tuple(
        (at, number) for at, parameter in enumerate(given) for number, value in enumerate(values) if parameter is value
    )
    expressions = [each[0] for each in compiler.select[: compiler.col_count or None]]
    converters = compiler.get_converters(expressions)
    kept = tuple((at, tuple(map(_quick, how)), of) for at, (how, of) in sorted(converters.items()))
    return Statement(sql, tuple(given), places, kept, _making(compiler) if paths is None else None)


def _making(compiler: Any) -> Making:
    """As Django's ModelIterable works it out for each query."""
    chosen = compiler.klass_info["select_fields"]
    first, end = chosen[0], chosen[-1] + 1
    names = [each[0].target.attname for each in compiler.select[first:end]]
    along = get_related_populators(compiler.klass_info, compiler.select, connection.alias)
    return Making(compiler.klass_info["model"], first, end, names, tuple(along))


def _quick(converter: Callable[..., Any]) -> Callable[..., Any]:
    """JSON columns are read by the reader that is four times as quick."""
    of = getattr(converter, "__self__", None)
    if isinstance(of, models.JSONField) and of.decoder is None and converter.__name__ == "from_db_value":
        return _json
    return converter


def _json(value: Any, expression: Any, connection: Any) -> Any:
    return packing.loads(value) if isinstance(value, (str, bytes)) else value
