"""The catalogue of words: each room's words.json, {"key": ["中文", "English"]}."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from string import Formatter

LANGUAGES = ("zh-CN", "en")
HOUSE = Path(__file__).resolve().parent.parent


class _Facts(dict[str, object]):
    """Facts of a sentence; one that is missing shows as its name, because an error message must never fail."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


@lru_cache(maxsize=1)
def catalogue() -> dict[str, tuple[str, str]]:
    """Every key of every room. A key said twice with different words is a mistake and raises."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(HOUSE.glob("*/words.json")):
        for key, (zh, en) in json.loads(path.read_text("utf-8")).items():
            if found.get(key, (zh, en)) != (zh, en):
                raise ValueError(f"{path}: {key} is said twice, differently")
            found[key] = (zh, en)
    return found


def known(key: str) -> bool:
    """Whether the catalogue has a key."""
    return key in catalogue()


def say(key: str, language: str = "zh-CN", **facts: object) -> str:
    """The words of a key in a language, its {facts} filled in. An unknown key says itself."""
    pair = catalogue().get(key)
    if pair is None:
        return key
    sentence = pair[0 if language.startswith("zh") else 1]
    if not facts:
        return sentence
    return Formatter().vformat(sentence, (), _Facts({name: _plain(value) for name, value in facts.items()}))


def _plain(value: object) -> object:
    from decimal import Decimal

    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value


def plural(key: str, language: str) -> str:
    """The words of a key for many: `<key>.plural` if the catalogue has it; in English by rule, in Chinese the same."""
    if known(f"{key}.plural"):
        return say(f"{key}.plural", language)
    one = say(key, language)
    if language.startswith("zh"):
        return one
    for link in (" of ", " for ", " at ", " in ", " ("):
        if link in one:
            head, rest = one.split(link, 1)
            return f"{_many(head)}{link}{rest}"
    return _many(one)


def _many(word: str) -> str:
    if word.endswith(("s", "x", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}s"


def title(language: str, *keys: str) -> str:
    """The words of the first key that is known."""
    for key in keys:
        if known(key):
            return say(key, language)
    return keys[0]


def field_keys(room: str, entity: str, field: str) -> tuple[str, str]:
    """Where the words of a field are looked up: its own, then the common ones."""
    return f"{room}.{entity}.{field}", f"field.{field}"


@lru_cache(maxsize=4096)
def choice_keys(room: str, field: str, value: str) -> tuple[str, ...]:
    """The words a room has for a value of a field of any of its entities: a parameter speaks as the column does."""
    start, end = f"{room}.", f".{field}.{value}"
    return tuple(key for key in catalogue() if key.startswith(start) and key.endswith(end))
