"""Rows put together by what they have in common, with how many they are and what they come to: one statement.

Groups are made of the very rows the list of the same query shows its reader: the same site, partner, filters and
search. A column he may not read can be no group, and no sum is made of it.

A sum is made where adding up means something: quantities and money that all have one unit or currency. Where a group
holds several, its sum is left out and named in `mixed`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import EmptyResultSet
from django.db import models
from django.db.models import Count, F, Sum, Value
from django.db.models.functions import TruncDate, TruncMonth, TruncWeek

from lianzao.foundation import lists, packing, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import Entity, MoneyField, QuantityField
from lianzao.foundation.resource import Resource
from lianzao.values.errors import Invalid
from lianzao.values.time import is_zone

#: So many columns at most stand in line, one below the other; so many groups are told.
DEEPEST = 3
MOST = 1000
#: A column of times is put together by what of them is alike.
STEPS: Mapping[str, Any] = {"day": TruncDate, "week": TruncWeek, "month": TruncMonth}
#: Figures of one piece, figures that say how something is done, and times: adding them up says nothing, or no unit.
EACH = tuple(
    "price rate factor per_ share percent multiple minimum maximum fixed safety level step weight typed_ base_quantity"
    " _minutes".split()
)


@dataclass(frozen=True)
class Level:
    """One column in line: its name as asked, the paths behind it, and the column whose cells they make."""

    name: str
    column: lists.Column
    field: models.Field[Any, Any]
    step: str = ""


@dataclass(frozen=True)
class Adding:
    """A column that can be added up, and the path to the unit or currency its figures are in."""

    name: str
    path: str
    unit: str


def groups(by: Actor, resource: Resource, query: Mapping[str, str]) -> dict[str, Any]:
    """The groups of a list's rows by the columns in `by` (none: only the total row), in the list's own order.

    `by=status,customer` or `by=due_at__week` with `zone`. Raises Invalid("unknown_group") for a column that cannot be
    a group or that the reader may not see.
    """
    unseen = lists.unseen_by(by, resource)
    zone = _zone(query.get("zone", ""))
    levels = [_level(resource, name, unseen) for name in _asked(query.get("by", ""))]
    adding = [each for each in _adding(resource) if each.name not in unseen]
    plain = {name: value for name, value in query.items() if name not in ("by", "zone", "sort")}
    rows = lists.searched(by, resource, plain).order_by()
    found = list(_grouped(rows, levels, adding, _order(resource, levels, unseen), zone))
    total = next(iter(_grouped(rows, [], adding, [], zone)), None) if levels else (found or [None])[0]
    return {
        "by": [each.name for each in levels],
        "sums": [each.name for each in adding],
        "groups": _told(by, found[:MOST], levels, adding) if levels else [],
        "complete": len(found) <= MOST,
        "total": _figures(total, adding) if total is not None else {"count": 0, "sums": {}, "mixed": []},
    }


def _asked(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if len(names) > DEEPEST:
        raise Invalid("too_many", field="by", most=DEEPEST)
    if len(set(names)) < len(names):
        raise Invalid("unknown_group", field=names[-1])
    return names


def _zone(name: str) -> ZoneInfo:
    if name and not is_zone(name):
        raise Invalid("time_zone_unknown", field="zone", time_zone=name[:60])
    return ZoneInfo(name or "UTC")


def _level(resource: Resource, asked: str, unseen: Collection[str]) -> Level:
    name, _, step = asked.partition("__")
    if name not in resource.column_names or name in unseen:
        raise Invalid("unknown_group", field=name)
    field = resource.field(name)
    timed = isinstance(field, models.DateField)  # instants too
    if isinstance(field, (models.JSONField, ArrayField)) or (step and (not timed or step not in STEPS)):
        raise Invalid("unknown_group", field=asked)
    if isinstance(field, models.DateTimeField) and not step:
        step = "day"
    (column,) = lists.columns_of(resource.model, (name,))
    return Level(asked, column, field, step)


def _order(resource: Resource, levels: Sequence[Level], unseen: Collection[str]) -> list[str]:
    if not levels:
        return []
    order = lists.sorting(resource, ",".join(each.name.partition("__")[0] for each in levels), unseen)
    return order[:-1]  # the id makes an order of rows, not of groups


def _grouped(
    rows: models.QuerySet[Any], levels: Sequence[Level], adding: Sequence[Adding], order: Sequence[str], zone: ZoneInfo
) -> Iterator[tuple[Any, ...]]:
    """The rows of the statement: the paths of each level, the count, then sum and number of units of each column."""
    paths: list[str] = []
    sorted_by = list(order)
    for number, level in enumerate(levels):
        if level.step:
            cut = STEPS[level.step]
            options = {"tzinfo": zone} if isinstance(level.field, models.DateTimeField) else {}
            rows = rows.annotate(**{f"step_{number}": cut(level.column.paths[0], **options)})
            paths.append(f"step_{number}")
            sorted_by[number] = f"step_{number}"
        else:
            paths += level.column.paths
    figures: dict[str, Any] = {"rows_in_group": Count("pk")}
    for number, each in enumerate(adding):
        figures[f"sum_{number}"] = Sum(each.path)
        figures[f"units_{number}"] = Count(each.unit, distinct=True)
    made = rows.values(*paths) if paths else rows.annotate(all_rows=Value(1)).values("all_rows")
    made = made.annotate(**figures).order_by(*(F(each).asc() for each in sorted_by))
    try:
        yield from made.values_list(*paths, *figures)[: MOST + 1]
    except EmptyResultSet:
        return


def _told(
    by: Actor, found: Sequence[tuple[Any, ...]], levels: Sequence[Level], adding: Sequence[Adding]
) -> list[dict[str, Any]]:
    if not found:
        return []
    width = sum(1 if each.step else len(each.column.paths) for each in levels)
    plain = [
        lists.Column(each.name, ("step",)) if each.step else lists.Column(each.name, each.column.paths,
        each.column.reference, each.column.decimal)
        for each in levels
    ]  # fmt: skip
    values = lists.cells([row[:width] for row in found], plain, by.language)
    made: list[dict[str, Any]] = []
    for row, cells in zip(found, values, strict=True):
        for level in levels:  # a week is told by its first day, however it was cut
            cell = cells[level.name]
            if level.step and cell is not None and hasattr(cell, "hour"):
                cells[level.name] = cell.date()
        made.append({"values": cells, **_figures(row[width:], adding)})
    return made


def _figures(row: Sequence[Any], adding: Sequence[Adding]) -> dict[str, Any]:
    """Count, sums, and the columns whose figures have several units."""
    count, *rest = row[-1 - 2 * len(adding) :]
    sums: dict[str, str | None] = {}
    mixed: list[str] = []
    for number, each in enumerate(adding):
        total, units = rest[2 * number], rest[2 * number + 1]
        if units > 1:
            mixed.append(each.name)
        sums[each.name] = None if total is None or units > 1 else packing.trimmed(total)
    return {"count": count, "sums": sums, "mixed": mixed}


# -- what can be added up ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _additive(model: type[Entity], names: tuple[str, ...]) -> tuple[Adding, ...]:
    found: list[Adding] = []
    for name in names:
        field = next(each for each in model._meta.concrete_fields if name in (each.name, each.attname))
        if any(word in name for word in EACH):
            continue
        if isinstance(field, QuantityField):
            unit = _path(model, ("unit", "base_unit"))
        elif isinstance(field, MoneyField):
            unit = _path(model, ("currency",))
        else:
            continue
        if unit:
            found.append(Adding(field.attname, field.attname, unit))
    return tuple(found)


def _adding(resource: Resource) -> tuple[Adding, ...]:
    return _additive(resource.model, resource.column_names)


def adding_names(by: Actor, resource: Resource) -> list[str]:
    """The columns whose sums this reader is told."""
    unseen = scope.masked_of(by, resource)
    shown = scope.columns(by, resource)
    return [each.name for each in _adding(resource) if each.name in shown and each.name not in unseen]


#: Where the unit of a row's figures is looked for: with itself, with its item, its lot's item, its document.
WAYS = ("", "item", "lot", "lot__item", "line", "order_line", "schedule", "order", "work_order", "work_order__item")


def _path(model: type[models.Model], ends: Sequence[str]) -> str:
    """The way from a row to the unit or currency its figures are in; empty if it knows none."""
    for way in WAYS:
        here: Any = model
        for name in way.split("__") if way else ():
            field = next((each for each in here._meta.concrete_fields if each.name == name), None)
            here = field.related_model if isinstance(field, models.ForeignKey) else None
            if here is None:
                break
        if here is None:
            continue
        for end in ends:
            field = next((each for each in cast(Any, here)._meta.concrete_fields if each.name == end), None)
            if field is not None:
                return f"{way}__{field.attname}" if way else field.attname
    return ""
