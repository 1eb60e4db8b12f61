"""What a column of a file becomes: the types of models and commands, read from cells and written to them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models

from lianzao.foundation import packing, words
from lianzao.foundation.command import Parameter
from lianzao.foundation.entity import Entity, SiteField
from lianzao.foundation.registry import kind_of, model_of
from lianzao.foundation.transfer.reading import Cell
from lianzao.values.errors import Invalid
from lianzao.values.text import has_unprintable
from lianzao.values.time import is_plausible

SITE_KIND = "access.site"
YES = {"1", "true", "yes", "y", "x", "是", "√", "对", "有", "on"}
NO = {"0", "false", "no", "n", "否", "×", "错", "无", "off"}

Kind = Literal[
    "text", "number", "whole", "truth", "day", "instant", "time", "choice", "reference", "id", "list", "json"
]


@dataclass(frozen=True)
class Column:
    """A value a file may bring: what it is called, what it holds, and within which limits.

    `model`: what a reference points at, by its code or number. `target`: the name on the entity the value is set to.
    """

    name: str
    kind: Kind
    title_keys: tuple[str, ...]
    target: str
    null: bool = False
    required: bool = False
    longest: int | None = None
    digits: int = 20
    decimals: int = 6
    least: int = -(2**31)
    most: int = 2**31 - 1
    choices: dict[str, str] = field(default_factory=dict)
    model: type[models.Model] | None = None
    by: str = ""
    site: bool = False
    inner: Column | None = None
    validators: tuple[Callable[[Any], None], ...] = ()
    source: models.Field[Any, Any] | None = None

    def titles(self) -> list[str]:
        """What it may be called in a heading: its name, and its words in every language."""
        return [self.name, *(words.title(language, *self.title_keys) for language in words.LANGUAGES)]

    def title(self, language: str) -> str:
        """What it is called in a heading we write."""
        return words.title(language, *self.title_keys)


@dataclass(frozen=True)
class Reading:
    """How the cells of one file are to be understood."""

    language: str = "zh-CN"
    time_zone: str = ""
    decimal_comma: bool = False


class BadCell(Exception):
    """A cell that does not fit its column."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


@cache
def of_model(model: type[Entity], name: str) -> Column:
    """A column of a model."""
    source = next(each for each in model._meta.concrete_fields if name in (each.name, each.attname))
    room, _, entity = kind_of(model).partition(".")
    keys = (f"{room}.{entity}.{source.name}", f"field.{source.name}")
    references: dict[str, str] = getattr(model, "REFERENCES", {})
    plain = references.get(source.attname, SITE_KIND if isinstance(source, SiteField) else "")
    return _of_field(source, keys, f"{room}.{entity}", plain)


def of_parameter(parameter: Parameter, room: str, owner: str) -> Column:
    """A parameter of a command, or a field of its lines."""
    keys = (f"{room}.{owner}.{parameter.name}", f"field.{parameter.name}")
    required, null = parameter.required, parameter.optional or not parameter.required
    if parameter.entity is not None:
        by = natural_name(parameter.entity)
        return Column(parameter.name, "reference", keys, parameter.name, null, required, model=parameter.entity, by=by)
    if parameter.name == "site_id":
        site: Any = model_of(SITE_KIND)
        return Column(
            parameter.name, "reference", keys, parameter.name, null, required, model=site, by="code", site=True
        )
    if parameter.column is not None:
        made = _of_field(parameter.column, keys, f"{room}.{owner}", "")
        return Column(**{**made.__dict__, "name": parameter.name, "target": parameter.name, "required": required})
    kinds: dict[Any, Kind] = {
        Decimal: "number", int: "whole", bool: "truth", date: "day", datetime: "instant", time: "time", UUID: "id"
    }  # fmt: skip
    choices: dict[str, str] = {}
    if isinstance(parameter.scalar, type) and issubclass(parameter.scalar, models.TextChoices):
        choices = {value: f"choice.{value}" for value in parameter.scalar.values}
    kind: Kind = "choice" if choices else kinds.get(parameter.scalar, "text")
    return Column(parameter.name, kind, keys, parameter.name, null, required, longest=20_000, choices=choices)


def natural_name(model: type[models.Model]) -> str:
    """The column people name a record by: code or number, else its id."""
    names = {each.name for each in model._meta.concrete_fields}
    return "code" if "code" in names else "number" if "number" in names else "id"


_KINDS: tuple[tuple[type[models.Field[Any, Any]], Kind], ...] = (
    (models.BooleanField, "truth"),
    (models.DecimalField, "number"),
    (models.IntegerField, "whole"),
    (models.DateTimeField, "instant"),
    (models.DateField, "day"),
    (models.TimeField, "time"),
    (models.UUIDField, "id"),
    (models.JSONField, "json"),
    (ArrayField, "list"),
)


_TEXT: Kind = "text"
_SMALL = (models.SmallIntegerField, models.PositiveSmallIntegerField)
_POSITIVE = (models.PositiveIntegerField, models.PositiveSmallIntegerField, models.PositiveBigIntegerField)


def _of_field(source: models.Field[Any, Any], keys: tuple[str, ...], owner: str, plain: str) -> Column:
    common: dict[str, Any] = {
        "name": source.name,
        "title_keys": keys,
        "target": source.attname,
        "null": source.null,
        "required": not source.null and not source.has_default() and not source.blank,
        "source": source,
        # The limits of the type are checked here; these are the ones somebody wrote.
        "validators": tuple(getattr(source, "_validators", ())),
    }
    if isinstance(source, models.ForeignKey):
        model: Any = source.related_model
        return Column(kind="reference", model=model, by=natural_name(model), **{**common, "target": source.name})
    if plain:
        model = model_of(plain)
        return Column(kind="reference", model=model, by=natural_name(model), site=plain == SITE_KIND, **common)
    if source.choices:
        field_key = keys[0]
        choices = {
            str(value): f"{field_key}.{value}" if words.known(f"{field_key}.{value}") else f"choice.{value}"
            for value, _ in getattr(source, "flatchoices")  # noqa: B009 - unknown to the type stubs
        }
        return Column(kind="choice", choices=choices, **common)
    kind: Any = next((kind for each, kind in _KINDS if isinstance(source, each)), _TEXT)
    limits: dict[str, Any] = {}
    if isinstance(source, models.DecimalField):
        limits = {"digits": source.max_digits, "decimals": source.decimal_places}
    elif isinstance(source, models.IntegerField):
        bits = 15 if isinstance(source, _SMALL) else 63 if isinstance(source, models.BigIntegerField) else 31
        limits = {"most": 2**bits - 1, "least": 0 if isinstance(source, _POSITIVE) else -(2**bits)}
    elif kind == "list":
        limits = {"inner": _of_field(source.base_field, keys, owner, "")}  # type: ignore[attr-defined]
    elif kind == "text":
        limits = {"longest": source.max_length}
    return Column(kind=kind, **limits, **common)


# -- from cells -------------------------------------------------------------------------------------------------------


def parsed(column: Column, cell: Cell, how: Reading) -> Any:
    """The value of a cell that is not empty. References come as text (see upsert). Raises BadCell."""
    value = _READERS[column.kind](column, cell, how)
    for validator in column.validators:
        try:
            validator(value)
        except ValidationError as error:
            raise BadCell("malformed", reason=error.messages[0]) from error
    return value


def as_text(cell: Cell) -> str:
    """A cell as people read it: 12.0 is 12, a date is ISO."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, Decimal):
        return packing.trimmed(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() and cell.tzinfo is None else cell.isoformat()
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    return "" if cell is None else str(cell)


def _text(column: Column, cell: Cell, how: Reading) -> str:
    text = as_text(cell)
    if column.longest is not None and len(text) > column.longest:
        raise BadCell("too_long")
    if has_unprintable(text):
        raise BadCell("unprintable")
    return text


_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")


def number_of(cell: Cell, how: Reading) -> Decimal:
    """A cell as a decimal: 1,234.5 and １２ are read, 1,5 only in files with decimal commas. Raises BadCell."""
    if isinstance(cell, (bool, datetime, date, time)):
        raise BadCell("not_a_number")
    if isinstance(cell, float):
        # A spreadsheet keeps 0.3 as 0.30000000000000004: fifteen digits are what it shows and means.
        if not math.isfinite(cell):
            raise BadCell("not_a_number")
        return Decimal(f"{cell:.15g}")
    text = as_text(cell).replace("\u00a0", "").replace(" ", "")
    if how.decimal_comma:
        text = text.replace(".", "").replace(",", ".") if "," in text else text
    elif _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise BadCell("not_a_number") from error
    if not value.is_finite():
        raise BadCell("not_a_number")
    return value


def _number(column: Column, cell: Cell, how: Reading) -> Decimal:
    value = number_of(cell, how)
    if value.adjusted() >= column.digits - column.decimals:
        raise BadCell("too_large")
    rounded = round(value, column.decimals)
    if rounded != value:
        if not isinstance(cell, float):
            raise BadCell("too_precise")
        if abs(rounded - value) > abs(value) * Decimal("1e-12"):
            raise BadCell("too_precise")
    return rounded


def _whole(column: Column, cell: Cell, how: Reading) -> int:
    value = number_of(cell, how)
    if value != value.to_integral_value():
        raise BadCell("not_a_number")
    if value < column.least:
        raise BadCell("too_small")
    if value > column.most:
        raise BadCell("too_large")
    return int(value)


def _truth(column: Column, cell: Cell, how: Reading) -> bool:
    if isinstance(cell, bool):
        return cell
    text = as_text(cell).casefold()
    if text in YES or text in NO:
        return text in YES
    raise BadCell("not_a_yes_or_no")


_DAY_FORMS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日")


def _day(column: Column, cell: Cell, how: Reading) -> date:
    value = _any_day(cell)
    if not is_plausible(value):
        raise BadCell("out_of_calendar")
    return value


def _any_day(cell: Cell) -> date:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    if isinstance(cell, (int, float)) and not isinstance(cell, bool) and 1 <= cell < 2_958_466:
        return _excel_instant(cell).date()
    return _day_of(as_text(cell))


@lru_cache(maxsize=10_000)
def _day_of(text: str) -> date:
    """The day a text says; a file of orders says the same few days a hundred thousand times. Raises BadCell."""
    for form in _DAY_FORMS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text).date()
    except ValueError as error:
        raise BadCell("not_a_date") from error


def _excel_instant(serial: float) -> datetime:
    from openpyxl.utils.datetime import from_excel  # loaded with the first workbook: it takes a third of a second

    value = from_excel(serial)
    if not isinstance(value, datetime):
        raise BadCell("not_a_date")
    return value


def _instant(column: Column, cell: Cell, how: Reading) -> datetime:
    if isinstance(cell, datetime):
        value = cell
    elif isinstance(cell, date):
        value = datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001 - gets its zone below
    elif isinstance(cell, (int, float)) and not isinstance(cell, bool) and 1 <= cell < 2_958_466:
        value = _excel_instant(cell)
    else:
        try:
            value = datetime.fromisoformat(as_text(cell).replace("/", "-"))
        except ValueError as error:
            raise BadCell("not_an_instant") from error
    if not is_plausible(value):
        raise BadCell("out_of_calendar")
    if value.tzinfo is None:
        if not how.time_zone:  # a time without a zone is no time: the mapping must say whose clock it was
            raise BadCell("not_an_instant")
        value = value.replace(tzinfo=ZoneInfo(how.time_zone))
    return value.astimezone(UTC)


def _time(column: Column, cell: Cell, how: Reading) -> time:
    if isinstance(cell, datetime):
        return cell.time()
    if isinstance(cell, time):
        return cell
    text = as_text(cell)
    try:
        return time.fromisoformat(text.zfill(5) if re.fullmatch(r"\d:\d\d", text) else text)
    except ValueError as error:
        raise BadCell("not_a_time") from error


def _choice(column: Column, cell: Cell, how: Reading) -> str:
    text = as_text(cell)
    if text in column.choices:
        return text
    folded = text.casefold()
    for value, key in column.choices.items():
        if folded == value.casefold() or any(folded == words.say(key, each).casefold() for each in words.LANGUAGES):
            return value
    raise BadCell("not_a_choice", value=text[:80])


def _id(column: Column, cell: Cell, how: Reading) -> UUID:
    try:
        return UUID(as_text(cell))
    except ValueError as error:
        raise BadCell("not_an_id", value=as_text(cell)[:80]) from error


def _list(column: Column, cell: Cell, how: Reading) -> list[Any]:
    assert column.inner is not None
    return [parsed(column.inner, part.strip(), how) for part in as_text(cell).split("\n") if part.strip()]


def _json(column: Column, cell: Cell, how: Reading) -> Any:
    text = as_text(cell)
    if "\\u0000" in text or has_unprintable(text):
        raise BadCell("unprintable")
    try:
        return packing.loads(text)
    except ValueError as error:
        raise BadCell("malformed", reason=str(error)) from error


_READERS: dict[str, Callable[[Column, Cell, Reading], Any]] = {
    "text": _text,
    "number": _number,
    "whole": _whole,
    "truth": _truth,
    "day": _day,
    "instant": _instant,
    "time": _time,
    "choice": _choice,
    "reference": _text,
    "id": _id,
    "list": _list,
    "json": _json,
}


# -- to cells ---------------------------------------------------------------------------------------------------------


def shown(column: Column, value: Any, language: str) -> Cell:
    """A value as a file shows it; reading it again gives the same value."""
    if value is None:
        return None
    if column.kind == "truth":
        return words.say("choice.yes" if value else "choice.no", language) if words.known("choice.yes") else bool(value)
    if column.kind == "choice":
        word = words.say(column.choices.get(value, ""), language)
        doubled = [each for each, key in column.choices.items() if words.say(key, language) == word]
        return word if value in column.choices and doubled == [value] else value
    if column.kind == "number":
        return Decimal(packing.trimmed(value))
    if column.kind == "instant":
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if column.kind == "time":
        return value.isoformat()
    if column.kind == "list":
        return "\n".join(as_text(shown(column.inner, each, language)) for each in value)  # type: ignore[arg-type]
    if column.kind == "json":
        return packing.text(value)
    if column.kind in ("id", "reference"):
        return str(value)
    return value


def unknown_column(name: str) -> Invalid:
    """The refusal of a mapping that names a column there is none of."""
    return Invalid("unknown_field", field=name)
