"""Lists and single records over HTTP, from the Resource alone: two statements for a list, few for a record."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from lianzao.foundation import link, packing, rowsecurity, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import Command
from lianzao.foundation.entity import Approvable, Entity, Master
from lianzao.foundation.fetching import VARIABLE, Row, rows_of
from lianzao.foundation.registry import COMMANDS, RESOURCES, kind_of, model_of
from lianzao.foundation.resource import Resource
from lianzao.values.errors import Invalid, NotFound
from lianzao.values.text import has_unprintable
from lianzao.values.time import is_plausible

#: Numbers beyond these stand in no column.
MOST, MOST_WHOLE = Decimal("1e20"), 2**63 - 1
LIMIT = 500
PARTS_MOST = 2000
LOOKUPS = {"gte", "lte", "gt", "lt", "in", "contains", "isnull", "ne"}
PLAIN = {"offset", "limit", "sort", "q", "format", "columns", "language"}
NAMES = ("code", "number", "name", "name_en")


@dataclass(frozen=True)
class Column:
    """A column to fetch: its API name, the paths behind it, and how the cell is made of them."""

    name: str
    paths: tuple[str, ...]
    reference: bool = False
    decimal: bool = False


@lru_cache(maxsize=1024)
def columns_of(model: type[Entity], names: tuple[str, ...]) -> tuple[Column, ...]:
    """Columns to fetch; a foreign key brings the code or number and the name of what it points at."""
    made: list[Column] = []
    for name in names:
        field = next(each for each in model._meta.concrete_fields if name in (each.name, each.attname))
        if isinstance(field, models.ForeignKey):
            target = field.related_model
            has = {each.name for each in target._meta.get_fields()}  # type: ignore[union-attr]
            paths = (field.attname, *(f"{field.name}__{each}" for each in NAMES if each in has))
            made.append(Column(field.name, paths, reference=True))
        else:
            made.append(Column(field.attname, (field.attname,), decimal=isinstance(field, models.DecimalField)))
    return tuple(made)


def references(column: Column, values: Sequence[Sequence[Any]], language: str) -> list[dict[str, Any] | None]:
    """The cells of a foreign key: id, code or number, name in the reader's language. `values`: a row for each path."""
    names = [path.rpartition("__")[2] for path in column.paths]
    wanted = ("name_en", "name") if language.startswith("en") else ("name", "name_en")
    ways = [names.index(each) for each in wanted if each in names]
    plain = [(at, name) for at, name in enumerate(names) if at and name not in ("name", "name_en")]
    first, second = (ways[0], ways[-1]) if ways else (0, 0)
    found: list[dict[str, Any] | None] = []
    for row in zip(*values, strict=True):
        id = row[0]
        if id is None:
            found.append(None)
            continue
        cell = {"id": id}
        for at, name in plain:
            cell[name] = row[at]
        if first:
            cell["name"] = row[first] or row[second] or ""
        found.append(cell)
    return found


def cells(rows: Sequence[Row], columns: Sequence[Column], language: str) -> list[dict[str, Any]]:
    """Fetched values as API rows; a column at a time, because most need nothing done."""
    if not rows:
        return []
    values = list(zip(*rows, strict=True))
    made: list[Sequence[Any]] = []
    at = 0
    for column in columns:
        if column.reference:
            made.append(references(column, values[at : at + len(column.paths)], language))
        elif column.decimal:
            made.append([None if each is None else packing.trimmed(each) for each in values[at]])
        else:
            made.append(values[at])
        at += len(column.paths)
    names = [column.name for column in columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*made, strict=True)]


def hidden(by: Actor, resource: Resource, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what this actor may not see."""
    names = scope.masked_of(by, resource)
    return [scope.mask_row(row, names) for row in rows] if names else rows


def _paths(columns: Iterable[Column]) -> list[str]:
    return [path for column in columns for path in column.paths]


@lru_cache(maxsize=1024)
def _always(model: type[Entity]) -> tuple[str, ...]:
    # Facts that never change (moves, balances) have no version.
    known = {field.name for field in model._meta.concrete_fields}
    extra = [name for name in ("id", "version") if name in known]
    if issubclass(model, Approvable):
        extra.append("approved_at")
    if issubclass(model, Master):
        extra.append("retired_at")
    return tuple(extra)


def always(resource: Resource) -> tuple[str, ...]:
    """What every row carries beside its columns."""
    return tuple(name for name in _always(resource.model) if name not in resource.column_names)


def listing(by: Actor, resource: Resource, query: Mapping[str, str]) -> dict[str, Any]:
    """A page of a list: rows, total, offset, limit."""
    offset = whole(query, "offset", 0, 0, 10_000_000)
    limit = whole(query, "limit", 100, 1, LIMIT)
    unseen = unseen_by(by, resource)
    asked = filters_of(resource, query, unseen)
    order = sorting(resource, query.get("sort", ""), unseen)
    columns = columns_of(resource.model, (*always(resource), *scope.columns(by, resource)))
    searches = query.get("q", "").strip()
    shape = None if searches else ("list", resource.kind, columns, by.reach, *(each.shape for each in asked), *order)

    def build() -> models.QuerySet[Any]:
        rows = narrowed(scope.visible(by, resource.model), asked)
        return (rows.filter(search(resource, searches, unseen)) if searches else rows).order_by(*order)

    variables = [each.value for each in asked if each.varies]
    found = rows_of(shape, build, _paths(columns), variables, limit=limit, offset=offset, total=True)
    if found:
        total = found[0][-1]
    else:
        total = build().order_by().count() if offset else 0
    return {
        "rows": hidden(by, resource, cells([row[:-1] for row in found], columns, by.language)),
        "total": total,
        "offset": offset,
        "limit": limit,
    }


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition: a path with its lookup, the value, whether it is to hold or not."""

    path: str
    value: Any
    holds: bool = True

    @property
    def varies(self) -> bool:
        """Whether statements with other values are the same statement."""
        return isinstance(self.value, VARIABLE)

    @property
    def shape(self) -> Hashable:
        """What tells its statements apart."""
        value = tuple(self.value) if isinstance(self.value, list) else self.value
        return (self.path, self.holds, type(value), None if self.varies else value)

    @property
    def q(self) -> Q:
        """As Django says it."""
        made = Q(**{self.path: self.value})
        return made if self.holds else ~made


def filters_of(resource: Resource, query: Mapping[str, str], unseen: Collection[str] = ()) -> list[Filter]:
    """The conditions of a query string; retired masters are left out unless they are asked for."""
    asked = [condition(resource, name, value, unseen) for name, value in query.items() if name not in PLAIN]
    if issubclass(resource.model, Master) and "retired_at" not in query and "retired_at__isnull" not in query:
        asked.append(Filter("retired_at__isnull", True))
    return asked


def narrowed(rows: models.QuerySet[Any], asked: Iterable[Filter]) -> models.QuerySet[Any]:
    """The rows for which all of it holds."""
    conditions = [each.q for each in asked]
    return rows.filter(*conditions) if conditions else rows


def searched(by: Actor, resource: Resource, query: Mapping[str, str]) -> models.QuerySet[Any]:
    """The rows an actor may see, filtered, searched and sorted as asked."""
    unseen = unseen_by(by, resource)
    rows = narrowed(scope.visible(by, resource.model), filters_of(resource, query, unseen))
    asked = query.get("q", "").strip()
    if asked:
        rows = rows.filter(search(resource, asked, unseen))
    return rows.order_by(*sorting(resource, query.get("sort", ""), unseen))


def unseen_by(by: Actor, resource: Resource) -> frozenset[str]:
    """The columns an actor may neither read nor ask for: whoever may filter or sort by a price knows the price."""
    return scope.masked_of(by, resource) | (set(resource.column_names) - set(scope.columns(by, resource)))


def search(resource: Resource, asked: str, unseen: Collection[str] = ()) -> Q:
    """What the search box means: terms of a master (pinyin, bigrams), else a part of any searched column."""
    if len(asked) > 200:
        raise Invalid("too_long", field="q")
    if has_unprintable(asked):
        raise Invalid("unprintable", field="q")
    found = Q()
    if issubclass(resource.model, Master):
        from lianzao.foundation.search import query_terms

        terms = query_terms(asked)
        if terms:
            found |= Q(search_terms__contains=terms)
    for name in resource.search_names:
        if name.partition("__")[0] in unseen:
            continue
        found |= Q(**{f"{name}__icontains": asked})
    return found


def condition(resource: Resource, name: str, value: str, unseen: Collection[str] = ()) -> Filter:
    """One filter of the query string. Raises Invalid for an unknown column or a value that does not fit."""
    field_name, _, lookup = name.partition("__")
    allowed = {*resource.filter_names, *resource.keys, "id", "retired_at", *resource.column_names}
    if field_name not in allowed or field_name in unseen or (lookup and lookup not in LOOKUPS):
        raise Invalid("unknown_filter", field=name)
    field = resource.field(field_name)
    if isinstance(field, models.JSONField) and lookup != "isnull":
        raise Invalid("unknown_filter", field=name)
    if lookup == "isnull":
        return Filter(f"{field.attname}__isnull", value in ("1", "true"))
    if lookup == "in" or (
        not lookup and "," in value and (field.choices or isinstance(field, (models.ForeignKey, models.UUIDField)))
    ):
        return Filter(f"{field.attname}__in", [typed(field, name, part) for part in value.split(",") if part])
    if lookup == "contains":
        if isinstance(field, ArrayField):
            return Filter(f"{field.attname}__contains", [typed(field.base_field, name, value)])
        if not isinstance(field, (models.CharField, models.TextField)):
            raise Invalid("unknown_filter", field=name)
        typed(field, name, value)
        return Filter(f"{field.attname}__icontains", value)
    if lookup == "ne":
        return Filter(field.attname, typed(field, name, value), holds=False)
    return Filter(f"{field.attname}__{lookup}" if lookup else field.attname, typed(field, name, value))


def typed(field: models.Field[Any, Any], name: str, value: str) -> Any:
    """A filter's text as the column's type."""
    if has_unprintable(value) or len(value) > 500:
        raise Invalid("malformed", field=name)
    try:
        if isinstance(field, models.ForeignKey):
            return UUID(value)
        if isinstance(field, models.BooleanField):
            return {"true": True, "1": True, "false": False, "0": False}[value.lower()]
        found = field.to_python(value)
        if isinstance(found, Decimal) and not (found.is_finite() and abs(found) < MOST):
            raise ValueError
        if isinstance(found, int) and abs(found) > MOST_WHOLE:
            raise ValueError
        if isinstance(found, date) and not is_plausible(found):
            raise ValueError
        if isinstance(found, datetime) and found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        return found
    except (ValidationError, ValueError, KeyError, ArithmeticError, TypeError):
        raise Invalid("malformed", field=name, value=value[:80]) from None


def sorting(resource: Resource, asked: str, unseen: Collection[str] = ()) -> list[str]:
    """Columns to sort by, the id last so that pages never overlap."""
    order: list[str] = []
    for part in (asked or resource.sort).split(","):
        name = part.strip().lstrip("-")
        if not name:
            continue
        known = {*resource.column_names, *resource.keys, "id", "created_at", "updated_at"}
        if name not in known or (asked and name in unseen):
            raise Invalid("unknown_sort", field=name)
        field = resource.field(name)
        path = field.attname
        if isinstance(field, models.ForeignKey):
            has = {each.name for each in field.related_model._meta.get_fields()}  # type: ignore[union-attr]
            path = (
                f"{field.name}__{'code' if 'code' in has else 'number'}" if {"code", "number"} & has else field.attname
            )
        order.append(("-" if part.strip().startswith("-") else "") + path)
    return [*order, "id"]


def whole(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number of the query string within limits."""
    text = query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text[:12]) <= most:
        raise Invalid("malformed", field=name, value=text[:80])
    return int(text)


def record(by: Actor, resource: Resource, id: UUID) -> dict[str, Any]:
    """One record: its row, its parts, its links both ways, and what the actor may do with it now."""
    columns = columns_of(resource.model, (*always(resource), *scope.columns(by, resource)))
    found = rows_of(
        ("record", resource.kind, columns, by.reach),
        lambda: scope.visible(by, resource.model).filter(pk=id),
        _paths(columns),
        [id],
        limit=1,
    )
    if not found:
        raise NotFound("not_found", entity=resource.kind, id=str(id))
    row = hidden(by, resource, cells(found, columns, by.language))[0]
    # Partners may not read the table of links; `linked` shows only what they may see.
    with rowsecurity.as_application():
        up, down = link.beside(_ref(resource, id))
    return {
        "kind": resource.kind,
        "row": row,
        "parts": {name: part_rows(by, model, resource, name, id) for name, model in resource.part_models.items()},
        "links": {"up": linked(by, up), "down": linked(by, down)},
        "actions": actions(by, resource, row),
    }


def _ref(resource: Resource, id: UUID) -> Any:
    from lianzao.values.reference import Ref

    return Ref(resource.kind, id)


def part_rows(by: Actor, model: type[Entity], resource: Resource, name: str, id: UUID) -> list[dict[str, Any]]:
    """The rows of a document, as the actor may see them."""
    relation = resource.model._meta.get_field(name)
    parent: str = relation.field.name  # type: ignore[union-attr]
    own = RESOURCES.get(kind_of(model))
    names = scope.columns(by, own) if own is not None else part_columns(model, parent)
    columns = columns_of(model, ("id", *(each for each in names if each != parent)))
    has = {field.name for field in model._meta.concrete_fields}

    def build() -> models.QuerySet[Any]:
        rows = model._default_manager.filter(**{f"{parent}_id": id})
        if own is not None:
            rows = scope.visible(by, model, rows)
        return rows.order_by(*(each for each in ("sequence", "position", "id") if each in has))

    shape = ("parts", kind_of(model), parent, columns, by.reach if own is not None else None)
    made = cells(rows_of(shape, build, _paths(columns), [id], limit=PARTS_MOST), columns, by.language)
    return hidden(by, own, made) if own is not None else made


HIDDEN = {"created_at", "created_by", "updated_at", "updated_by", "owner_system", "search_terms", "version", "id"}


def part_columns(model: type[Entity], parent: str) -> tuple[str, ...]:
    """The columns of a part without a Resource of its own: all that people wrote."""
    return tuple(
        field.name for field in model._meta.concrete_fields if field.name not in HIDDEN and field.name != parent
    )


def linked(by: Actor, found: list[link.Linked]) -> list[dict[str, Any]]:
    """Neighbours in the chain of documents, only those the actor may see, by their numbers."""
    made: list[dict[str, Any]] = []
    labels = labels_of(by, [(each.ref.kind, each.ref.id) for each in found])
    for each in found:
        label = labels.get((each.ref.kind, each.ref.id))
        if label is not None:
            made.append(
                {
                    "kind": each.ref.kind,
                    "id": each.ref.id,
                    "depth": each.depth,
                    "why": each.why,
                    "quantity": None if each.quantity is None else packing.cell(each.quantity),
                    "from": {"kind": each.from_ref.kind, "id": each.from_ref.id},
                    **label,
                }
            )
    return made


def labels_of(by: Actor, refs: list[tuple[str, UUID]]) -> dict[tuple[str, UUID], dict[str, Any]]:
    """Number and state of documents by kind and id, one statement for each kind; what may not be seen is left out."""
    by_kind: dict[str, set[UUID]] = {}
    for kind, id in refs:
        by_kind.setdefault(kind, set()).add(id)
    found: dict[tuple[str, UUID], dict[str, Any]] = {}
    for kind, ids in by_kind.items():
        resource = RESOURCES.get(kind)
        if resource is None or not by.may(resource.view_right):
            continue
        model = model_of(kind)
        has = {field.name for field in model._meta.concrete_fields}
        names = [name for name in ("number", "code", "name", "name_en", "status") if name in has]
        wanted = packing.array(list(ids))
        rows = rows_of(
            ("labels_of", kind, by.reach),
            lambda model=model, wanted=wanted: scope.visible(by, model).filter(pk__any=wanted),
            ["id", *names],
            [wanted],
            limit=len(ids),
        )
        for values in (dict(zip(["id", *names], row, strict=True)) for row in rows):
            label: dict[str, Any] = {"number": values.get("number") or values.get("code") or str(values["id"])[:8]}
            if "name" in values:
                english = by.language.startswith("en")
                label["name"] = (values.get("name_en") if english else values["name"]) or values["name"]
            if "status" in values:
                label["status"] = values["status"]
            found[(kind, values["id"])] = label
    return found


@lru_cache(maxsize=8)
def _commands_on(_declared: int) -> dict[str, list[tuple[str, Command[Any, Any]]]]:
    """The commands offered at a record, by its kind."""
    made: dict[str, list[tuple[str, Command[Any, Any]]]] = {}
    for key, each in COMMANDS.items():
        if each.subject is not None and not each.hidden:
            made.setdefault(each.subject, []).append((key, each))
    return made


def actions(by: Actor, resource: Resource, row: dict[str, Any]) -> list[str]:
    """The commands a document's page offers to this actor in the document's state."""
    made: list[str] = []
    approved = row.get("approved_at") is not None
    for key, each in _commands_on(len(COMMANDS)).get(resource.kind, ()):
        if not by.may(each.right):
            continue
        if each.name == f"approve_{resource.entity}" and approved:
            continue
        if each.name == f"unapprove_{resource.entity}" and not approved:
            continue
        if each.name in (f"change_{resource.entity}", f"retire_{resource.entity}") and (
            approved or row.get("retired_at")
        ):
            continue
        if all(str(row.get(column)) in states for column, states in each.when.items()):
            made.append(key)
    return made
