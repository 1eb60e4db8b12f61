"""One line for each entity; routes, rights, lists, exchange of files, search and screens follow from it.

Resource(Item, columns="code name group base_unit", filters="group supply", search="code name", writable="code name …")
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import models

from lianzao.foundation import clock, outbox, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import UNSET, Command, Parameter, register
from lianzao.foundation.entity import Approvable, Entity, Master, SiteField
from lianzao.foundation.events import RecordChanged
from lianzao.foundation.registry import RESOURCES, kind_of, room_of
from lianzao.values.errors import Conflict, Invalid


def words_of(text: str) -> tuple[str, ...]:
    """Names in a string, as a tuple."""
    return tuple(text.split())


@dataclass
class Resource:
    """What of an entity is seen, filtered, searched and written; how rows are bound to a site and to a partner.

    `site` and `partner` are paths to the columns that decide who sees a row: None means not bound to a site, and
    unseen by partners; partner="*" means every partner may read it. `partner_columns` limits what partners see.
    `parts` are the related names of its rows. `masks` need the right `<room>.unmask_<entity>`.
    """

    model: type[Entity]
    columns: str
    filters: str = ""
    search: str = ""
    writable: str = ""
    key: str = ""
    site: str | None = None
    partner: str | None = None
    partner_columns: str = ""
    parts: tuple[str, ...] | list[str] = ()
    masks: str = ""
    sort: str = ""

    def __post_init__(self) -> None:
        self.room = room_of(self.model.__module__)
        self.kind = kind_of(self.model)
        self.entity = self.kind.partition(".")[2]
        if not self.key:
            self.key = "code" if issubclass(self.model, Master) else "number" if self._has("number") else "id"
        if not self.sort:
            self.sort = ",".join(self.keys) if self.key != "number" else "-number"
        if self.kind in RESOURCES:
            raise ValueError(f"{self.kind} is declared twice")
        RESOURCES[self.kind] = self
        declare_commands(self)

    def _has(self, name: str) -> bool:
        return any(field.name == name for field in self.model._meta.get_fields())

    @property
    def view_right(self) -> str:
        """The right to see it."""
        return f"{self.room}.view_{self.entity}"

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the natural key: one, or several together."""
        return words_of(self.key)

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The columns shown, in order."""
        return words_of(self.columns)

    @cached_property
    def fields(self) -> dict[str, models.Field[Any, Any]]:
        """The model fields behind the columns, by the name the API uses (a foreign key by its own name)."""
        return {name: self.field(name) for name in self.column_names}

    def field(self, name: str) -> models.Field[Any, Any]:
        """A model field; `site_id` style names find their field too."""
        for field in self.model._meta.concrete_fields:
            if name in (field.name, field.attname):
                return field
        raise ValueError(f"{self.kind} has no column {name}")

    @cached_property
    def writable_names(self) -> tuple[str, ...]:
        """The columns of generic create and change."""
        return words_of(self.writable)

    @cached_property
    def filter_names(self) -> tuple[str, ...]:
        """The columns one may filter by."""
        return words_of(self.filters)

    @cached_property
    def search_names(self) -> tuple[str, ...]:
        """The columns the search box looks into."""
        return words_of(self.search)

    @cached_property
    def mask_names(self) -> tuple[str, ...]:
        """The columns shown to few."""
        return words_of(self.masks)

    @cached_property
    def part_models(self) -> dict[str, type[Entity]]:
        """The rows of a document by their related name."""
        return {name: self.model._meta.get_field(name).related_model for name in self.parts}  # type: ignore[misc]


def _column_parameter(resource: Resource, name: str, *, changing: bool) -> Parameter:
    """A writable column as a parameter: a change that leaves it out keeps it; a new row takes its default."""
    field = resource.field(name)
    default: Any = inspect.Parameter.empty
    if changing or field.has_default():
        default = UNSET
    elif field.null:
        default = None
    elif field.blank and isinstance(field, (models.CharField, models.TextField)):
        default = ""
    target = field.related_model if isinstance(field, models.ForeignKey) else None
    if isinstance(target, type) and issubclass(target, Entity):
        return Parameter(name, target, entity=target, optional=field.null, locks=False, default=default)
    return Parameter(name, Any, column=field, optional=field.null, default=default)


def declare_commands(resource: Resource) -> None:
    """The generic commands of a writable resource, and those of approval."""
    model, room, entity = resource.model, resource.room, resource.entity
    if resource.writable:
        writable = resource.writable_names
        create = [_column_parameter(resource, name, changing=False) for name in writable]
        change = [_column_parameter(resource, name, changing=True) for name in writable]
        this = Parameter(entity, model, entity=model, locks=True)
        declare(
            room,
            f"create_{entity}",
            _creator(resource),
            create,
            f"Make a new {said(entity)}.",
            makes=resource.kind,
        )
        declare(
            room,
            f"change_{entity}",
            _changer(resource),
            [this, *change],
            f"Change {said(entity, article=True)}.",
            subject=resource.kind,
        )
        if issubclass(model, Master):
            why = Parameter("reason", str, scalar=str, default="")
            declare(
                room,
                f"retire_{entity}",
                _retirer(entity),
                [this, why],
                f"Take {said(entity, article=True)} out of use; its history stays.",
                subject=resource.kind,
            )
    if issubclass(model, Approvable):
        this = Parameter(entity, model, entity=model, locks=True)
        declare(
            room,
            f"approve_{entity}",
            _approver(entity),
            [this],
            f"Approve a {said(entity)} (审核).",
            subject=resource.kind,
        )
        declare(
            room,
            f"unapprove_{entity}",
            _unapprover(entity),
            [this],
            f"Take back the approval of a {said(entity)} (反审核).",
            subject=resource.kind,
        )


def said(entity: str, *, article: bool = False) -> str:
    """sales_order → sales order; with its article: a sales order, an item."""
    name = entity.replace("_", " ")
    return f"{'an' if name[0] in 'aeio' else 'a'} {name}" if article else name


def declare(
    room: str,
    name: str,
    function: Callable[..., Any],
    parameters: list[Parameter],
    manual: str,
    subject: str | None = None,
    makes: str | None = None,
) -> None:
    """Register a command that no one wrote by hand, unless a room wrote one of that name itself."""
    from lianzao.foundation.registry import COMMANDS

    if f"{room}.{name}" in COMMANDS:
        return
    function.__name__ = name
    function.__doc__ = manual
    register(Command(room, name, f"{room}.{name}", function, parameters, manual, subject=subject, makes=makes))


def check_columns(entity: Entity, names: list[str]) -> None:
    """The model's own limits, as an Invalid that names the field."""
    from django.core.exceptions import ValidationError

    for name in names:
        field = next(each for each in entity._meta.concrete_fields if name in (each.name, each.attname))
        if isinstance(field, models.ForeignKey):
            continue
        try:
            field.clean(getattr(entity, field.attname), entity)
        except ValidationError as error:
            raise Invalid("malformed", field=name, reason=error.messages[0]) from error


def check_unique(entity: Entity) -> None:
    """Refuse a natural key that is taken, before the database does, so that the field is named."""
    for field in entity._meta.concrete_fields:
        if not field.unique or field.primary_key:
            continue
        value = getattr(entity, field.attname)
        if value in (None, ""):
            continue
        taken = type(entity)._default_manager.filter(**{field.attname: value}).exclude(pk=entity.pk).exists()
        if taken:
            raise Conflict("already_taken", field=field.name, value=str(value))
    for constraint in entity._meta.constraints:
        if (
            not isinstance(constraint, models.UniqueConstraint)
            or constraint.condition is not None
            or not constraint.fields
        ):
            continue
        lookup = {name: getattr(entity, entity._meta.get_field(name).attname) for name in constraint.fields}  # type: ignore[union-attr]
        if None in lookup.values():
            continue
        if type(entity)._default_manager.filter(**lookup).exclude(pk=entity.pk).exists():
            raise Conflict(
                "already_taken", field=constraint.fields[-1], value=" / ".join(str(each) for each in lookup.values())
            )


def _set(entity: Entity, given: dict[str, Any]) -> None:
    for name, value in given.items():
        setattr(entity, name, value)


def _guard_site(by: Actor, entity: Entity) -> None:
    for field in entity._meta.concrete_fields:
        if isinstance(field, SiteField):
            site: UUID | None = getattr(entity, field.attname)
            if site is not None and site not in by.sites:
                raise Invalid("foreign_site", field=field.name)


def _creator(resource: Resource) -> Callable[..., Entity]:
    def create(by: Actor, **given: Any) -> Entity:
        entity = resource.model()
        _set(entity, given)
        _guard_site(by, entity)
        check_columns(entity, list(given))
        complete(entity)
        check_unique(entity)
        entity.save()
        tell_changed(entity)
        return entity

    return create


def _changer(resource: Resource) -> Callable[..., Entity]:
    def change(by: Actor, **given: Any) -> Entity:
        entity: Entity = given.pop(resource.entity)
        if isinstance(entity, Approvable) and entity.approved_at is not None:
            raise Conflict("approved_is_fixed", document=entity.label)
        _set(entity, given)
        _guard_site(by, entity)
        check_columns(entity, list(given))
        complete(entity)
        check_unique(entity)
        version = entity.version
        entity.save()
        if entity.version > version:  # what is equal was not written
            tell_changed(entity)
        return entity

    return change


def complete(entity: Entity) -> None:
    """The room's own check of a row (method `check_row`), if it has one."""
    check = getattr(entity, "check_row", None)
    if callable(check):
        check()


def tell_changed(entity: Entity) -> None:
    """Tell that a generic command wrote this record."""
    outbox.publish(RecordChanged(entity.kind, entity.id, scope.site_of(entity)))


def _retirer(name: str) -> Callable[..., Entity]:
    def retire(by: Actor, **given: Any) -> Entity:
        entity: Any = given[name]
        if entity.retired_at is not None:
            raise Conflict("already_retired", document=entity.label)
        entity.retired_at = clock.now()
        entity.retired_why = given.get("reason", "")[:200]
        entity.save()
        tell_changed(entity)
        return entity

    return retire


def _approver(name: str) -> Callable[..., Entity]:
    def approve(by: Actor, **given: Any) -> Entity:
        entity: Any = given[name]
        if entity.approved_at is not None:
            raise Conflict("already_approved", document=entity.label)
        entity.check_approve()
        entity.approved_at, entity.approved_by = by.now, by.id
        entity.on_approve()
        entity.save()
        tell_changed(entity)
        return entity

    return approve


def _unapprover(name: str) -> Callable[..., Entity]:
    def unapprove(by: Actor, **given: Any) -> Entity:
        entity: Any = given[name]
        if entity.approved_at is None:
            raise Conflict("not_approved", document=entity.label)
        entity.check_unapprove()
        entity.approved_at = entity.approved_by = None
        entity.on_unapprove()
        entity.save()
        tell_changed(entity)
        return entity

    return unapprove
