"""Stories live one to a file in lianzao/flows; they are found by their place, so a new story needs no registration."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil

ROOMS_OF_STORIES = ("flows",)


def import_stories() -> None:
    """Import every file of the rooms that hold stories."""
    for room in ROOMS_OF_STORIES:
        if importlib.util.find_spec(f"lianzao.{room}") is None:
            continue
        package = importlib.import_module(f"lianzao.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name != "migrations":
                importlib.import_module(f"lianzao.{room}.{module.name}")
