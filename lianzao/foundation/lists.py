"""Lists and single records over HTTP, from the Resource alone: two statements for a list, few for a record."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from lianzao.foundation import link, packing, rowsecurity, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import Approvable, Entity, Master
from lianzao.foundation.registry import COMMANDS, RESOURCES, kind_of, model_of
from lianzao.foundation.resource import Resource
from lianzao.values.errors import Invalid, NotFound
from lianzao.values.text import has_unprintable
from lianzao.values.time import is_plausible

#: Numbers beyond these stand in no column.
MOST, MOST_WHOLE = Decimal("1e20"), 2**63 - 1
LIMIT = 500
LOOKUPS = {"gte", "lte", "gt", "lt", "in", "contains", "isnull", "ne"}
PLAIN = {"offset", "limit", "sort", "q", "format", "columns", "language"}
NAMES = ("code", "number", "name", "name_en")


@dataclass(frozen=True)
class Column:
    """A column to fetch: its API name, the paths behind it, and how the cell is made of them."""

    name: str
    paths: tuple[str, ...]
    reference: bool = False


def columns_of(model: type[Entity], names: tuple[str, ...]) -> list[Column]:
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
            made.append(Column(field.attname, (field.attname,)))
    return made


def reference(values: dict[str, Any], column: Column, language: str) -> dict[str, Any] | None:
    """The cell of a foreign key: id, code or number, name in the reader's language."""
    id = values[column.paths[0]]
    if id is None:
        return None
    cell: dict[str, Any] = {"id": id}
    names: dict[str, str] = {}
    for path in column.paths[1:]:
        name = path.rpartition("__")[2]
        if name in ("name", "name_en"):
            names[name] = values[path]
        else:
            cell[name] = values[path]
    if names:
        first, second = ("name_en", "name") if language.startswith("en") else ("name", "name_en")
        cell["name"] = names.get(first) or names.get(second, "")
    return cell


def cells(rows: list[dict[str, Any]], columns: list[Column], language: str) -> list[dict[str, Any]]:
    """Fetched values as API rows."""
    made: list[dict[str, Any]] = []
    for values in rows:
        row: dict[str, Any] = {}
        for column in columns:
            row[column.name] = (
                reference(values, column, language) if column.reference else packing.cell(values[column.paths[0]])
            )
        made.append(row)
    return made


def hidden(by: Actor, resource: Resource, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what this actor may not see."""
    names = scope.masked_of(by, resource)
    return [scope.mask_row(row, names) for row in rows] if names else rows


def _paths(columns: list[Column]) -> list[str]:
    return [path for column in columns for path in column.paths]


def always(resource: Resource) -> tuple[str, ...]:
    """What every row carries beside its columns."""
    # Facts that never change (moves, balances) have no version.
    known = {field.name for field in resource.model._meta.concrete_fields}
    extra = [name for name in ("id", "version") if name in known]
    if issubclass(resource.model, Approvable):
        extra.append("approved_at")
    if issubclass(resource.model, Master):
        extra.append("retired_at")
    return tuple(name for name in extra if name not in resource.column_names)


def listing(by: Actor, resource: Resource, query: Mapping[str, str]) -> dict[str, Any]:
    """A page of a list: rows, total, offset, limit."""
    offset = whole(query, "offset", 0, 0, 10_000_000)
    limit = whole(query, "limit", 100, 1, LIMIT)
    rows = searched(by, resource, query)
    names = scope.columns(by, resource)
    columns = columns_of(resource.model, (*always(resource), *names))
    values = list(rows.values(*_paths(columns))[offset : offset + limit])
    total = offset + len(values) if len(values) < limit and (values or offset == 0) else rows.order_by().count()
    return {
        "rows": hidden(by, resource, cells(values, columns, by.language)),
        "total": total,
        "offset": offset,
        "limit": limit,
    }


def searched(by: Actor, resource: Resource, query: Mapping[str, str]) -> models.QuerySet[Any]:
    """The rows an actor may see, filtered, searched and sorted as asked."""
    rows = scope.visible(by, resource.model)
    unseen = unseen_by(by, resource)
    for name, value in query.items():
        if name not in PLAIN:
            rows = rows.filter(condition(resource, name, value, unseen))
    if issubclass(resource.model, Master) and "retired_at" not in query and "retired_at__isnull" not in query:
        rows = rows.filter(retired_at__isnull=True)
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


def condition(resource: Resource, name: str, value: str, unseen: Collection[str] = ()) -> Q:
    """One filter of the query string. Raises Invalid for an unknown column or a value that does not fit."""
    field_name, _, lookup = name.partition("__")
    allowed = {*resource.filter_names, *resource.keys, "id", "retired_at", *resource.column_names}
    if field_name not in allowed or field_name in unseen or (lookup and lookup not in LOOKUPS):
        raise Invalid("unknown_filter", field=name)
    field = resource.field(field_name)
    if isinstance(field, models.JSONField) and lookup != "isnull":
        raise Invalid("unknown_filter", field=name)
    if lookup == "isnull":
        return Q(**{f"{field.attname}__isnull": value in ("1", "true")})
    if lookup == "in" or (
        not lookup and "," in value and (field.choices or isinstance(field, (models.ForeignKey, models.UUIDField)))
    ):
        return Q(**{f"{field.attname}__in": [typed(field, name, part) for part in value.split(",") if part]})
    if lookup == "contains":
        if isinstance(field, ArrayField):
            return Q(**{f"{field.attname}__contains": [typed(field.base_field, name, value)]})
        if not isinstance(field, (models.CharField, models.TextField)):
            raise Invalid("unknown_filter", field=name)
        typed(field, name, value)
        return Q(**{f"{field.attname}__icontains": value})
    if lookup == "ne":
        return ~Q(**{field.attname: typed(field, name, value)})
    return Q(**{f"{field.attname}__{lookup}" if lookup else field.attname: typed(field, name, value)})


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
    values = scope.visible(by, resource.model).filter(pk=id).values(*_paths(columns)).first()
    if values is None:
        raise NotFound("not_found", entity=resource.kind, id=str(id))
    row = hidden(by, resource, cells([values], columns, by.language))[0]
    # Partners may not read the table of links; `linked` shows only what they may see.
    with rowsecurity.as_application():
        up, down = link.up(_ref(resource, id)), link.down(_ref(resource, id))
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
    rows = model._default_manager.filter(**{f"{parent}_id": id})
    if own is not None:
        rows = scope.visible(by, model, rows)
    order = [
        each for each in ("sequence", "position", "id") if each in {field.name for field in model._meta.concrete_fields}
    ]
    made = cells(list(rows.order_by(*order).values(*_paths(columns))[:2000]), columns, by.language)
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
        for values in scope.visible(by, model).filter(pk__in=ids).values("id", *names):
            label: dict[str, Any] = {"number": values.get("number") or values.get("code") or str(values["id"])[:8]}
            if "name" in values:
                english = by.language.startswith("en")
                label["name"] = (values.get("name_en") if english else values["name"]) or values["name"]
            if "status" in values:
                label["status"] = values["status"]
            found[(kind, values["id"])] = label
    return found


def actions(by: Actor, resource: Resource, row: dict[str, Any]) -> list[str]:
    """The commands a document's page offers to this actor in the document's state."""
    made: list[str] = []
    approved = row.get("approved_at") is not None
    for key, each in COMMANDS.items():
        if each.subject != resource.kind or each.hidden or not by.may(each.right):
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
