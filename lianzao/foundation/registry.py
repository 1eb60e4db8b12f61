"""What the rooms have declared: resources, commands, events, handlers. Filled by importing each room's files once."""

from __future__ import annotations

import importlib
import importlib.util
import threading
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import models

if TYPE_CHECKING:
    from lianzao.foundation.command import Command
    from lianzao.foundation.outbox import Handler
    from lianzao.foundation.resource import Resource

COMMANDS: dict[str, Command] = {}
RESOURCES: dict[str, Resource] = {}
EVENTS: dict[str, type[Any]] = {}
HANDLERS: dict[str, Handler] = {}

FILES = ("models", "events", "commands", "resources", "handlers", "api")
_loaded = False
_lock = threading.RLock()


def rooms() -> list[str]:
    """The rooms that stand, lowest floor first."""
    return [app.label for app in apps.get_app_configs() if app.name.startswith("lianzao.")]


def load() -> None:
    """Import every room's files, so that the registries are full. Harmless when called again."""
    global _loaded
    with _lock:
        if _loaded:
            return
        for room in rooms():
            for file in FILES:
                name = f"lianzao.{room}.{file}"
                if importlib.util.find_spec(name) is not None:
                    importlib.import_module(name)
        from lianzao.foundation.flow_files import import_stories

        import_stories()
        _loaded = True


def room_of(module: str) -> str:
    """The room a module belongs to: lianzao.sales.commands → sales."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "lianzao" else parts[0]


def snake(name: str) -> str:
    """SalesOrderLine → sales_order_line."""
    out = [name[0].lower()]
    for before, char in pairwise(name):
        if char.isupper() and not before.isupper():
            out.append("_")
        out.append(char.lower())
    return "".join(out)


@lru_cache(maxsize=1024)
def kind_of(model: type[models.Model]) -> str:
    """The kind of a model: "<room>.<entity>"."""
    return f"{model._meta.app_label}.{snake(model.__name__)}"


def model_of(kind: str) -> type[models.Model]:
    """The model of a kind. Raises KeyError when there is none."""
    room, _, entity = kind.partition(".")
    for model in apps.get_app_config(room).get_models():
        if snake(model.__name__) == entity:
            return model
    raise KeyError(kind)
