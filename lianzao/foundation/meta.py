"""What the screens need to know to draw lists, forms and buttons: the registries, limited to the viewer's rights."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models

from lianzao.foundation import scope, words
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import UNSET, Command, Parameter
from lianzao.foundation.entity import Approvable, MoneyField, QuantityField, SiteField
from lianzao.foundation.facts import labels
from lianzao.foundation.lists import part_columns
from lianzao.foundation.registry import COMMANDS, RESOURCES, kind_of, rooms
from lianzao.foundation.resource import Resource
from lianzao.values.reference import Ref

SITE_KIND = "access.site"


def meta(by: Actor, language: str) -> dict[str, Any]:
    """The whole, for one viewer in one language."""
    resources = {kind: told(by, each, language) for kind, each in RESOURCES.items() if by.may(each.view_right)}
    commands = {key: told_command(each, language) for key, each in COMMANDS.items() if by.may(each.right)}
    used = {kind.partition(".")[0] for kind in resources}
    return {
        "language": language,
        "resources": resources,
        "commands": commands,
        "rooms": [{"name": room, "title": words.say(f"room.{room}", language)} for room in rooms() if room in used],
    }


def told(by: Actor, resource: Resource, language: str) -> dict[str, Any]:
    """A resource for lists and forms."""
    room, entity = resource.room, resource.entity
    shown = scope.columns(by, resource)
    names = list(dict.fromkeys([*shown, *(each for each in resource.writable_names if by.partner is None)]))
    columns = []
    for name in names:
        column = told_field(resource.field(name), room, entity, language)
        column["listed"] = name in shown
        column["writable"] = name in resource.writable_names
        column["filterable"] = name in resource.filter_names
        column["sortable"] = column["type"] not in ("json", "list")
        columns.append(column)
    return {
        "room": room,
        "entity": entity,
        "title": words.say(f"{room}.{entity}", language),
        "titles": words.plural(f"{room}.{entity}", language),
        "key": resource.key,
        "columns": columns,
        "filters": list(resource.filter_names),
        "search": bool(resource.search_names),
        "sort": resource.sort,
        "parts": [
            {
                "name": name,
                "kind": kind_of(model),
                "title": words.title(language, f"{room}.{entity}.{name}", kind_of(model)),
                "columns": part_meta(by, model, resource, name, language),
            }
            for name, model in resource.part_models.items()
        ],
        "may": {
            "view": True,
            "create": bool(resource.writable) and by.may(f"{room}.create_{entity}"),
            "change": bool(resource.writable) and by.may(f"{room}.change_{entity}"),
            "retire": f"{room}.retire_{entity}" in COMMANDS and by.may(f"{room}.retire_{entity}"),
            "export": True,
            "import": bool(resource.writable)
            and by.may("foundation.import_file")
            and by.may(f"{room}.create_{entity}"),
        },
        "approvable": issubclass(resource.model, Approvable),
    }


def part_meta(by: Actor, model: type[Any], resource: Resource, name: str, language: str) -> list[dict[str, Any]]:
    """The columns of a document's rows."""
    parent: str = resource.model._meta.get_field(name).field.name  # type: ignore[union-attr]
    own = RESOURCES.get(kind_of(model))
    names = scope.columns(by, own) if own is not None else part_columns(model, parent)
    room, _, entity = kind_of(model).partition(".")
    fields = {each.name: each for each in model._meta.concrete_fields} | {
        each.attname: each for each in model._meta.concrete_fields
    }
    return [told_field(fields[each], room, entity, language) for each in names if each != parent]


def told_field(field: models.Field[Any, Any], room: str, entity: str, language: str) -> dict[str, Any]:
    """One column."""
    name = field.name if isinstance(field, models.ForeignKey) else field.attname
    told: dict[str, Any] = {
        "name": name,
        "title": words.title(language, *words.field_keys(room, entity, name)),
        "type": field_type(field),
        "required": not (field.null or field.blank or field.has_default()),
    }
    if field.help_text:
        told["help"] = str(field.help_text)
    if isinstance(field, models.ForeignKey):
        told["kind"] = kind_of(field.related_model)  # type: ignore[arg-type]
    referred = reference_kind(field)
    if referred is not None:
        told |= {"type": "ref", "kind": referred}
    if field.choices:
        flat: Any = field
        told["choices"] = choices([value for value, _ in flat.flatchoices], room, entity, name, language)
    if isinstance(field, models.DecimalField):
        told["decimals"] = field.decimal_places
    if isinstance(field, models.CharField) and field.max_length:
        told["max_length"] = field.max_length
    return told


def reference_kind(field: models.Field[Any, Any]) -> str | None:
    """The kind of record a plain id stands for: a site, or what the model's REFERENCES say."""
    if isinstance(field, SiteField):
        return SITE_KIND
    references: dict[str, str] = getattr(field.model, "REFERENCES", {}) if hasattr(field, "model") else {}
    return references.get(field.name)


def choices(values: list[Any], room: str, entity: str, name: str, language: str) -> list[dict[str, Any]]:
    """Values of a choice with their words."""
    return [
        {
            "value": value,
            "title": words.title(
                language,
                f"{room}.{entity}.{name}.{value}",
                *words.choice_keys(room, name, str(value)),
                f"choice.{value}",
            ),
        }
        for value in values
    ]


def field_type(field: models.Field[Any, Any]) -> str:
    """The kind of input and cell a column is."""
    if field.choices:
        return "choice"
    for field_class, name in (
        (models.ForeignKey, "ref"),
        (SiteField, "ref"),
        (MoneyField, "money"),
        (QuantityField, "quantity"),
        (models.DecimalField, "decimal"),
        (models.BooleanField, "boolean"),
        (models.IntegerField, "integer"),
        (models.DateTimeField, "instant"),
        (models.DateField, "date"),
        (models.TimeField, "time"),
        (models.JSONField, "json"),
        (ArrayField, "list"),
    ):
        if isinstance(field, field_class):
            return name
    return "text"


def told_command(each: Command[Any, Any], language: str) -> dict[str, Any]:
    """A command for buttons and forms."""
    entity = each.subject.partition(".")[2] if each.subject else ""
    return {
        "room": each.room,
        "name": each.name,
        "title": command_title(each, language),
        "help": each.manual.split("\n\n")[0].replace("\n", " "),
        "params": [told_parameter(each, one, entity, language) for one in each.parameters],
        "subject": each.subject,
        "makes": each.makes,
        "hidden": each.hidden,
        "offline": each.offline,
        "when": {name: list(states) for name, states in each.when.items()},
    }


#: Parameters that hold a plain id because their room may not know the record's: what they stand for.
PLAIN_IDS = {"site_id": SITE_KIND, "partner_id": "parties.party", "delivery_id": "foundation.delivery"}
GENERIC = ("create", "change", "retire", "approve", "unapprove")


def command_title(each: Command[Any, Any], language: str) -> str:
    """The words of a command: its own, or "verb + entity" for the generic ones."""
    if words.known(each.key):
        return words.say(each.key, language)
    verb, _, entity = each.name.partition("_")
    if verb in GENERIC:
        name = words.say(f"{each.room}.{entity}", language)
        return words.say(f"verb.{verb}", language, entity=name[:1].lower() + name[1:] if language == "en" else name)
    return each.key


def order_title(key: str, language: str) -> str:
    """The words of what was done: those of a command, or, where a story's own handler wrote it, of that."""
    made = COMMANDS.get(key)
    return command_title(made, language) if made is not None else system_title(key, language)


def system_title(name: str, language: str) -> str:
    """The words of a system actor (`flows.late_supply.replan`): its own, its file's, or its room's."""
    room = name.partition(".")[0]
    for key in (f"actor.{name}", f"actor.{name.rpartition('.')[0]}", f"room.{room}"):
        if words.known(key):
            return words.say(key, language)
    return words.say("actor.system", language) if "." in name else name


#: The kind of people; their room stands above us.
PERSON = "access.person"


def actor_names(acts: Iterable[tuple[str, UUID | None, str]], language: str) -> dict[tuple[str, UUID | None, str], str]:
    """What actors (kind, id, name as it was written down then) are called in a language.

    The system by the story or the room that acted; people as they are called now, or as then when they are gone.
    """
    wanted = set(acts)
    people = labels((PERSON, id) for kind, id, _ in wanted if kind != "system" and id is not None)
    made: dict[tuple[str, UUID | None, str], str] = {}
    for kind, id, name in wanted:
        known = people.get((PERSON, id)) if id is not None else None
        if kind == "system":
            made[kind, id, name] = system_title(name, language)
        else:
            made[kind, id, name] = (known.name_in(language) if known is not None else "") or name
    return made


def told_parameter(command: Command[Any, Any], one: Parameter, entity: str, language: str) -> dict[str, Any]:
    """One parameter."""
    room = command.room
    told: dict[str, Any] = {
        "name": one.name,
        "title": words.title(
            language,
            f"{room}.{command.name}.{one.name}",
            f"{room}.{entity}.{one.name}",
            f"field.{one.name}",
            f"{room}.{one.name}",
            *([kind_of(one.entity)] if one.entity is not None else []),
        ),
        "required": one.required,
    }
    if one.default is not UNSET and not one.required:
        told["default"] = one.default
    if one.many:
        told["type"] = "list"
        told["of"] = "ref" if one.entity is not None else "object" if one.shape is not None else scalar_type(one.scalar)
    elif one.entity is not None:
        told["type"] = "ref"
    elif one.shape is not None:
        told["type"] = "object"
    elif one.column is not None:
        told |= told_field(one.column, room, entity or command.name.partition("_")[2], language) | {
            "required": one.required,
            "name": one.name,
        }
    else:
        told["type"] = scalar_type(one.scalar)
        if one.name in PLAIN_IDS and one.scalar is UUID:
            told |= {"type": "ref", "kind": PLAIN_IDS[one.name]}
        if isinstance(one.scalar, type) and issubclass(one.scalar, enum.Enum):
            told["choices"] = choices([item.value for item in one.scalar], room, entity, one.name, language)
    if one.entity is not None:
        told["kind"] = kind_of(one.entity)
    if one.shape is not None:
        told["fields"] = [told_parameter(command, part, entity, language) for part in one.fields]
    return told


def scalar_type(scalar: Any) -> str:
    """The input of a plain parameter."""
    if isinstance(scalar, type) and issubclass(scalar, enum.Enum):
        return "choice"
    return {
        str: "text",
        int: "integer",
        bool: "boolean",
        Decimal: "decimal",
        date: "date",
        datetime: "instant",
        time: "time",
        UUID: "text",
        Ref: "reference",
    }.get(scalar, "json")
