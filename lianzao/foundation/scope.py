"""Which rows and columns an actor sees: by site, by partner, by field. The one place that decides; unset sees nothing.

Row security in PostgreSQL (`rowsecurity`) is the second wall behind it, built from the same paths.

- Rows: `Resource(site=…, partner=…)` are paths to the columns that decide. A resource without a site path whose rows
  carry a site of their own, or are parts of a document that has one, is bound by that. A row whose own site column is
  empty belongs to the whole house. A partner sees only resources with a partner path, and of them only his own rows
  (`partner="*"`: all); `partner="customer carrier"` means either.
- Columns: those in `Resource.masks` need the right `<room>.unmask_<entity>`; beside them a role may hide any column by
  `<room>.<entity>.<column>` in its masks (`*` stands for a whole part). A hidden column is given as null, and its name
  stands in the row's "masked". Partners see `partner_columns` only, if the resource names any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.db import models
from django.db.models.constants import LOOKUP_SEP

from lianzao.foundation import fetching, registry
from lianzao.foundation.actor import ALL, Actor
from lianzao.foundation.entity import SiteField
from lianzao.values.errors import Invalid, NotFound

if TYPE_CHECKING:
    from lianzao.foundation.resource import Resource

M = TypeVar("M", bound=models.Model)

#: A partner path that means: every partner may read every row.
EVERYBODY = "*"


@dataclass(frozen=True)
class Paths:
    """The paths that bind a model's rows; `site` "" means not bound to a site, `partner` () unseen by partners."""

    site: str
    partner: tuple[str, ...]


def visible(by: Actor, model: type[M], queryset: models.QuerySet[M] | None = None) -> models.QuerySet[M]:
    """The rows of a model an actor may see, of `queryset` if one is given.

    Raises LookupError for a model that no Resource declares, neither itself nor as parts of another.
    """
    rows: models.QuerySet[M] = model._default_manager.all() if queryset is None else queryset
    if by.sites is ALL and by.partner is None:
        return rows
    paths = paths_of(model)
    if by.sites is not ALL:
        rows = _at_sites(rows, model, paths.site, by.sites)
    if by.partner is not None:
        rows = _of_partner(rows, model, paths.partner, by.partner)
    return rows


def found(by: Actor, model: type[M], narrow: Callable[..., models.QuerySet[M]], *values: UUID | str) -> list[M]:
    """The records an actor may see, narrowed down; the statement is kept for the next who asks the same here.

    `narrow(rows, *values)` says which, and holds nothing else that changes: it is known by its place in the code. Ids
    and texts are values; several ids are one, `packing.array(ids)` for a condition `__any`.
    """
    wanted = counted(by, model, narrow, *values)
    return fetching.records_of(wanted.shape, wanted.build, wanted.values, wanted.places)


def counted(
    by: Actor, model: type[M], narrow: Callable[..., models.QuerySet[M]], *values: UUID | str
) -> fetching.Counted:
    """The same for `fetching.counts`."""
    code = getattr(narrow, "__code__", None)
    if code is None or narrow.__closure__:  # type: ignore[attr-defined]
        raise TypeError("what narrows is a plain function that takes all that changes as values")

    def build() -> models.QuerySet[M]:
        return narrow(visible(by, model), *places)

    places = [fetching.placed(value) for value in values]
    return fetching.Counted((code, model, by.reach), build, values, places)


def _at_sites(rows: models.QuerySet[M], model: type[M], path: str, sites: Any) -> models.QuerySet[M]:
    if not sites:
        return rows.none()
    if not path:
        return rows
    allowed = _through(model, path, models.Q(**{f"{path}__in": list(sites)}))
    if LOOKUP_SEP not in path and model._meta.get_field(path).null:  # type: ignore[union-attr]
        allowed |= models.Q(**{f"{path}__isnull": True})
    return rows.filter(allowed)


def _of_partner(rows: models.QuerySet[M], model: type[M], paths: tuple[str, ...], partner: UUID) -> models.QuerySet[M]:
    if not paths:
        return rows.none()
    if EVERYBODY in paths:
        return rows
    allowed = models.Q()
    for path in paths:
        allowed |= _through(model, path, models.Q(**{path: partner}))
    return rows.filter(allowed)


def _through(model: type[models.Model], path: str, condition: models.Q) -> models.Q:
    """The condition itself, or, where the path runs through many rows, a subquery: a join would repeat rows."""
    if any(hop.many for hop in hops_of(model, path)[0]):
        return models.Q(pk__in=model._default_manager.filter(condition).values("pk"))
    return condition


def site_of(entity: models.Model) -> UUID | None:
    """The site a record belongs to; None when it belongs to the whole house, or to several sites."""
    model = type(entity)
    path = paths_of(model).site
    if not path:
        return None
    if LOOKUP_SEP not in path:
        return getattr(entity, path)
    found = list(model._default_manager.filter(pk=entity.pk).values_list(path, flat=True).distinct()[:2])
    return found[0] if len(found) == 1 else None


# -- paths ------------------------------------------------------------------------------------------------------------


def paths_of(model: type[models.Model]) -> Paths:
    """The paths that bind a model's rows: its resource's, or those of the document it is a part of.

    Raises LookupError when no Resource says anything about it.
    """
    registry.load()
    return _paths(model, len(registry.RESOURCES))


@lru_cache(maxsize=1024)
def _paths(model: type[models.Model], _declared: int) -> Paths:
    own = registry.RESOURCES.get(registry.kind_of(model))
    above = _of_document(model)
    if own is None:
        if above is None:
            raise LookupError(f"no Resource declares {registry.kind_of(model)}, nor has it among its parts")
        return above
    site = own.site or _site_column(model) or (above.site if above is not None else "")
    return Paths(site, tuple((own.partner or "").split()))


def _site_column(model: type[models.Model]) -> str:
    return next((field.name for field in model._meta.concrete_fields if isinstance(field, SiteField)), "")


def _of_document(model: type[models.Model]) -> Paths | None:
    for resource in registry.RESOURCES.values():
        for name in resource.parts:
            relation: Any = resource.model._meta.get_field(name)
            if relation.related_model is model and resource.model is not model:
                head = relation.field.name + LOOKUP_SEP
                above = paths_of(resource.model)
                partner = tuple(path if path == EVERYBODY else head + path for path in above.partner)
                own_site = _site_column(model)
                return Paths(own_site or (head + above.site if above.site else ""), partner)
    return None


@dataclass(frozen=True)
class Hop:
    """One step of a path: from `source`'s column to `target`'s; `many` when one row leads to several."""

    source: type[models.Model]
    source_column: str
    target: type[models.Model]
    target_column: str
    many: bool


@lru_cache(maxsize=1024)
def hops_of(model: type[models.Model], path: str) -> tuple[tuple[Hop, ...], type[models.Model], str]:
    """A path as steps, then the model and column it ends at. Raises LookupError when it leads nowhere."""
    hops: list[Hop] = []
    here = model
    *way, last = path.split(LOOKUP_SEP)
    for name in way:
        relation: Any = _field(here, name, path)
        if not relation.is_relation or relation.many_to_many:
            raise LookupError(f"{here._meta.label}: {name} in {path} leads to no other record")
        target = relation.related_model
        if relation.concrete:
            hops.append(Hop(here, relation.column, target, relation.target_field.column, False))
        else:
            back = relation.field
            hops.append(Hop(here, back.target_field.column, target, back.column, not relation.one_to_one))
        here = target
    end: Any = _field(here, last, path)
    if not end.concrete:
        raise LookupError(f"{here._meta.label}: {last} in {path} is no column")
    return tuple(hops), here, end.column


def _field(model: type[models.Model], name: str, path: str) -> Any:
    if name == "pk":
        return model._meta.pk
    for field in model._meta.get_fields():
        if name in (field.name, getattr(field, "attname", None)):
            return field
    raise LookupError(f"{model._meta.label} has no {name} (path {path})")


# -- columns ----------------------------------------------------------------------------------------------------------


def columns(by: Actor, resource: Resource) -> tuple[str, ...]:
    """The columns of a resource an actor is shown at all, in their order."""
    limited = resource.partner_columns.split()
    if by.partner is None or not limited:
        return resource.column_names
    return tuple(name for name in resource.column_names if name in limited)


def part_columns(by: Actor, model: type[models.Model], names: Iterable[str]) -> tuple[str, ...]:
    """The same for a document's rows, by their own Resource if they have one."""
    own = registry.RESOURCES.get(registry.kind_of(model))
    if own is None or by.partner is None or not own.partner_columns:
        return tuple(names)
    limited = own.partner_columns.split()
    return tuple(name for name in names if name in limited)


def masked(by: Actor, kind: str, names: Iterable[str], masks: Iterable[str] = ()) -> frozenset[str]:
    """Which of the columns `names` of an entity kind an actor may not read.

    `masks` are the resource's own. A column is named as in the resource (`price`), wherever it is shown.
    """
    room, _, entity = kind.partition(".")
    own = frozenset() if by.may(f"{room}.unmask_{entity}") else frozenset(masks)
    return frozenset(name for name in names if name in own or _hidden_by_role(by, room, entity, name))


def masked_of(by: Actor, resource: Resource) -> frozenset[str]:
    """Which of a resource's columns an actor may not read."""
    if not by.masks and not resource.masks:
        return frozenset()
    return masked(by, resource.kind, resource.column_names, resource.mask_names)


def _hidden_by_role(by: Actor, room: str, entity: str, name: str) -> bool:
    for mask in by.masks:
        parts = mask.split(".")
        wanted = (room, entity, name)
        if len(parts) == 3 and all(held in ("*", part) for held, part in zip(parts, wanted, strict=True)):
            return True
    return False


def mask_row(row: dict[str, Any], hidden: Iterable[str]) -> dict[str, Any]:
    """A row with its hidden columns emptied, and named in "masked" if there are any."""
    names = sorted(name for name in hidden if name in row)
    if not names:
        return row
    return {**row, **dict.fromkeys(names), "masked": names}


# -- guards for commands ----------------------------------------------------------------------------------------------


def check_site(by: Actor, site_id: UUID, field: str = "site_id") -> UUID:
    """The site, if the actor may work there. Raises Invalid("foreign_site") naming the field."""
    if site_id not in by.sites:
        raise Invalid("foreign_site", field=field)
    return site_id


def check_partner(by: Actor, partner_id: UUID | None) -> UUID | None:
    """The partner, if the actor may act for it: our own people for any, a partner's people for their own.

    Raises NotFound: whether another partner's record exists is nobody's business.
    """
    if by.partner is not None and partner_id != by.partner:
        raise NotFound("not_found", entity="parties.party", id=str(partner_id))
    return partner_id


def problems() -> list[str]:
    """What the declarations say wrongly: paths that lead nowhere, columns that do not exist. For doctor and tests."""
    registry.load()
    found: list[str] = []
    for resource in registry.RESOURCES.values():
        try:
            paths = paths_of(resource.model)
            for path in (paths.site, *paths.partner):
                if path and path != EVERYBODY:
                    hops_of(resource.model, path)
        except LookupError as error:
            found.append(f"{resource.kind}: {error}")
        for name in (*resource.mask_names, *resource.partner_columns.split()):
            if name not in resource.column_names:
                found.append(f"{resource.kind}: {name} is masked or shown to partners but is no column of the resource")
        if resource.partner:
            found.extend(_unreadable(resource))
    return found


def _unreadable(resource: Resource) -> Iterable[str]:
    """References a partner is shown but could not read: the list would fail for him."""
    shown = resource.partner_columns.split() or resource.column_names
    for name in shown:
        if name not in resource.column_names:
            continue
        field = resource.field(name)
        target: Any = field.related_model if isinstance(field, models.ForeignKey) else None
        if target is None:
            continue
        own = registry.RESOURCES.get(registry.kind_of(target))
        if own is None or not own.partner:
            yield f"{resource.kind}: partners are shown {name}, but {registry.kind_of(target)} has no partner path"
