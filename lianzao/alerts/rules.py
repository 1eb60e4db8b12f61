"""Pure decisions of alerts: conditions and sentences written as data, ladders, quiet hours.

A condition is {"all": [...]}, {"any": [...]}, {"not": ...} or {"field", "op", "value"}; {} always holds. It is typed by
the fields of the event it watches and read once, so that a mistake shows when it is saved and never when it matters.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any, Protocol, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from lianzao.values.errors import Invalid
from lianzao.values.time import parse_instant


class Field(Protocol):
    """What of an event's field a condition must know."""

    @property
    def type(self) -> str:
        """text, id, number, whole, yes_no, date, instant or record."""
        ...

    @property
    def many(self) -> bool:
        """Whether it holds several."""
        ...


Holds = Callable[[Mapping[str, Any]], bool]
DEEPEST = 5
MOST_PARTS = 50
ORDERED = ("number", "whole", "date", "instant")
#: What can be asked of a field of a type; of one that holds several, see MANY.
OPERATORS: dict[str, tuple[str, ...]] = {
    "text": ("eq", "ne", "in", "not_in", "contains", "starts_with", "empty", "filled"),
    "id": ("eq", "ne", "in", "not_in", "empty", "filled"),
    "yes_no": ("eq", "ne", "empty", "filled"),
    **dict.fromkeys(ORDERED, ("eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "empty", "filled")),
    "record": ("empty", "filled"),
}
MANY = ("has", "has_not", "empty", "filled")


def operators_of(field: Field) -> tuple[str, ...]:
    """What can be asked of a field."""
    return MANY if field.many and field.type != "record" else OPERATORS[field.type]


# -- conditions -------------------------------------------------------------------------------------------------------


def read_condition(given: Any, fields: Mapping[str, Field], place: str = "condition") -> Holds:
    """A condition as a function of an event's fields. Raises Invalid naming the place that is wrong."""
    if not isinstance(given, Mapping):
        raise Invalid("condition_malformed", field=place)
    body = cast("Mapping[str, Any]", given)
    if not body:
        return lambda facts: True
    _measure(body, place)
    return _read(body, fields, place)


def _measure(body: Any, place: str) -> None:
    """Refuse what is too deep or too long, before walking it any further."""
    level: list[Any] = [body]
    parts = 0
    for _ in range(DEEPEST):
        level = [inner for each in level for inner in _inside(each)]
        parts += len(level)
        if parts > MOST_PARTS:
            raise Invalid("condition_too_long", field=place, most=MOST_PARTS)
    if level:
        raise Invalid("condition_too_deep", field=place, most=DEEPEST)


def _inside(body: Any) -> list[Any]:
    if not isinstance(body, Mapping):
        return []
    found: list[Any] = []
    for name, value in cast("Mapping[str, Any]", body).items():
        if name in ("all", "any") and isinstance(value, list):
            found.extend(cast("list[Any]", value))
        elif name == "not":
            found.append(value)
    return found


def _read(body: Any, fields: Mapping[str, Field], place: str) -> Holds:
    if not isinstance(body, Mapping):
        raise Invalid("condition_malformed", field=place)
    given = cast("Mapping[str, Any]", body)
    names = set(given)
    if names == {"all"} or names == {"any"}:
        word = next(iter(names))
        inner = given[word]
        if not isinstance(inner, list) or not inner:
            raise Invalid("condition_malformed", field=f"{place}.{word}")
        parts = [
            _read(each, fields, f"{place}.{word}[{number}]") for number, each in enumerate(cast("list[Any]", inner))
        ]
        if word == "all":
            return lambda facts: all(part(facts) for part in parts)
        return lambda facts: any(part(facts) for part in parts)
    if names == {"not"}:
        part = _read(given["not"], fields, f"{place}.not")
        return lambda facts: not part(facts)
    return _read_comparison(given, fields, place)


def _read_comparison(given: Mapping[str, Any], fields: Mapping[str, Field], place: str) -> Holds:
    if not {"field", "op"} <= set(given) or set(given) - {"field", "op", "value"}:
        raise Invalid("condition_malformed", field=place)
    name, op = str(given["field"]), str(given["op"])
    field = fields.get(name)
    if field is None:
        raise Invalid("unknown_fact", field=f"{place}.field", fact=name)
    if op not in operators_of(field):
        raise Invalid("condition_operator", field=f"{place}.op", op=op, fact=name)
    if op in ("empty", "filled"):
        wanted = op == "empty"
        return lambda facts: (facts.get(name) in (None, "", ())) is wanted
    if "value" not in given:
        raise Invalid("field_missing", field=f"{place}.value")
    value = given["value"]
    if op in ("in", "not_in"):
        if not isinstance(value, list) or not value:
            raise Invalid("condition_value", field=f"{place}.value", fact=name)
        several = [_value(each, field, name, place) for each in cast("list[Any]", value)]
        return _membership(name, op, several)
    return _comparison(name, op, _value(value, field, name, place))


def _membership(name: str, op: str, several: Sequence[Any]) -> Holds:
    if op == "in":
        return lambda facts: facts.get(name) in several
    return lambda facts: facts.get(name) is not None and facts[name] not in several


def _comparison(name: str, op: str, value: Any) -> Holds:
    compare = _COMPARISONS[op]

    def holds(facts: Mapping[str, Any]) -> bool:
        found = facts.get(name)
        return found is not None and compare(found, value)

    return holds


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda found, value: found == value,
    "ne": lambda found, value: found != value,
    "lt": lambda found, value: found < value,
    "le": lambda found, value: found <= value,
    "gt": lambda found, value: found > value,
    "ge": lambda found, value: found >= value,
    "contains": lambda found, value: value.casefold() in found.casefold(),
    "starts_with": lambda found, value: found.casefold().startswith(value.casefold()),
    "has": lambda found, value: value in found,
    "has_not": lambda found, value: value not in found,
}


def _value(given: Any, field: Field, name: str, place: str) -> Any:
    """The value of a condition as the field's type."""
    try:
        return _typed(given, field.type)
    except (ValueError, TypeError, InvalidOperation):
        raise Invalid("condition_value", field=f"{place}.value", fact=name) from None


READERS: dict[str, Callable[[str], Any]] = {
    "id": UUID,
    "date": date.fromisoformat,
    "instant": parse_instant,
    "text": str,
}


def _typed(given: Any, kind: str) -> Any:
    if kind == "yes_no":
        if not isinstance(given, bool):
            raise TypeError
        return given
    if isinstance(given, bool):
        raise TypeError
    if kind in ("number", "whole"):
        number = Decimal(str(given))
        if not number.is_finite() or (kind == "whole" and number != int(number)):
            raise ValueError
        return number if kind == "number" else int(number)
    if not isinstance(given, str):
        raise TypeError
    readers: dict[str, Callable[[str], Any]] = {
        "id": UUID,
        "date": date.fromisoformat,
        "instant": parse_instant,
        "text": str,
    }
    return readers[kind](given)


# -- sentences --------------------------------------------------------------------------------------------------------

PLACE = re.compile(r"\{([^{}]*)\}")


def check_sentence(template: str, known: Iterable[str], field: str) -> None:
    """Refuse a sentence that speaks of what the event does not tell. Raises Invalid naming field and fact."""
    names = set(known)
    for name in PLACE.findall(template):
        if name not in names:
            raise Invalid("unknown_fact", field=field, fact=name)
    if "{" in PLACE.sub("", template) or "}" in PLACE.sub("", template):
        raise Invalid("malformed", field=field)


def fill(template: str, said: Mapping[str, str]) -> str:
    """A sentence with its facts filled in. Nothing of a fact is ever read as a template."""
    return PLACE.sub(lambda place: said.get(place.group(1), place.group(0)), template)


def say_fact(value: Any, language: str, zone: ZoneInfo) -> str:
    """A fact as a sentence shows it: days and instants by the site's clock, numbers without trailing zeros."""
    chinese = language.startswith("zh")
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return ("是" if value else "否") if chinese else ("yes" if value else "no")
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M}"
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
    if isinstance(value, (tuple, list)):
        several = [say_fact(each, language, zone) for each in cast("Sequence[Any]", value)]
        return ("、" if chinese else ", ").join(several) or "—"
    return str(value)


# -- one alert for one thing ------------------------------------------------------------------------------------------

LONGEST_KEY = 180
MOST_KEY_FIELDS = 4


def key_of(facts: Mapping[str, Any], key_fields: Sequence[str], own: str) -> str:
    """What makes two events the same matter: the site and the watch's key fields; `own` when it names none."""
    if not key_fields:
        return own
    parts = [str(facts.get("site_id") or ""), *(str(facts.get(name)) for name in key_fields)]
    key = "|".join(parts)
    return key if len(key) <= LONGEST_KEY else f"#{hashlib.sha256(key.encode()).hexdigest()}"


# -- the ladder -------------------------------------------------------------------------------------------------------

MOST_RUNGS = 8
LONGEST_MINUTES = 60 * 24 * 30


@dataclass(frozen=True)
class Rung:
    """Who hears next when an alert was not taken for so many minutes."""

    after_minutes: int
    roles: tuple[str, ...] = ()
    persons: tuple[UUID, ...] = ()


def read_ladder(given: Any, field: str = "ladder") -> tuple[Rung, ...]:
    """A ladder from data, lowest rung first. Raises Invalid naming the rung that is wrong."""
    if not isinstance(given, list):
        raise Invalid("ladder_malformed", field=field)
    rows = cast("list[Any]", given)
    if len(rows) > MOST_RUNGS:
        raise Invalid("too_many", field=field)
    rungs = [_read_rung(each, f"{field}[{number}]") for number, each in enumerate(rows)]
    for before, after in pairwise(rungs):
        if after.after_minutes <= before.after_minutes:
            raise Invalid("ladder_order", field=field)
    return tuple(rungs)


def _read_rung(given: Any, place: str) -> Rung:
    if not isinstance(given, Mapping):
        raise Invalid("ladder_malformed", field=place)
    row = cast("Mapping[str, Any]", given)
    unknown = set(row) - {"after_minutes", "roles", "persons"}
    minutes = row.get("after_minutes")
    if unknown or not isinstance(minutes, int) or isinstance(minutes, bool) or not 0 <= minutes <= LONGEST_MINUTES:
        raise Invalid("ladder_malformed", field=place)
    roles, persons = _texts(row.get("roles", []), place), _texts(row.get("persons", []), place)
    if not roles and not persons:
        raise Invalid("ladder_malformed", field=place)
    try:
        return Rung(minutes, roles, tuple(UUID(each) for each in persons))
    except ValueError:
        raise Invalid("not_an_id", field=f"{place}.persons") from None


def _texts(given: Any, place: str) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(each, str) and each for each in cast("list[Any]", given)):
        raise Invalid("ladder_malformed", field=place)
    return tuple(cast("list[str]", given))


def next_step_at(starts_at: datetime, ladder: Sequence[Rung], step: int) -> datetime | None:
    """When the rung after `step` rungs is due if nobody takes the alert; None at the top."""
    return starts_at + timedelta(minutes=ladder[step].after_minutes) if step < len(ladder) else None


def step_after(now: datetime, ladder: Sequence[Rung], step: int) -> datetime | None:
    """When the next rung is due after one was climbed at `now`: the rungs keep their distance, however late it was."""
    if step >= len(ladder):
        return None
    before = ladder[step - 1].after_minutes if step else 0
    return now + timedelta(minutes=ladder[step].after_minutes - before)


def quiet_end(now: datetime, zone: ZoneInfo, quiet_from: time | None, quiet_until: time | None) -> datetime:
    """When people may be told: now, or the end of the quiet hours it lies in. They may run over midnight."""
    if quiet_from is None or quiet_until is None or quiet_from == quiet_until:
        return now
    local = now.astimezone(zone)
    clock = local.time()
    over_midnight = quiet_from > quiet_until
    inside = (clock >= quiet_from or clock < quiet_until) if over_midnight else quiet_from <= clock < quiet_until
    if not inside:
        return now
    day = local.date() + timedelta(days=1 if over_midnight and clock >= quiet_from else 0)
    end = datetime.combine(day, quiet_until, tzinfo=zone)
    return end.astimezone(now.tzinfo)
