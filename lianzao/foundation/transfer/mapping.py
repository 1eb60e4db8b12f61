"""A mapping says, as data, how the columns of a file become the fields of a kind.

    {"kind": "catalog.item", "sheet": "", "header_row": 0, "time_zone": "Asia/Shanghai", "system": "sap",
     "fields": {"code": {"column": "物料号", "transforms": ["strip", "upper"]},
                "supply": {"column": "类型", "map": {"F": "buy", "E": "make"}},
                "base_unit": {"column": "单位", "lookup": "code"},
                "note": {"columns": ["文本1", "文本2"], "transforms": [{"concat": " / "}]},
                "tracking": {"value": "lot"}},
     "parts": {"sites": {"site_id": {"value": "SH"}, "lead_time_days": {"column": "提前期"}}},
     "external_key": {"column": "MATNR"}, "key": ["code"], "skip_when": [{"column": "删除", "equals": "X"}],
     "errors": "stop"}

`lookup`: how a reference is found: by "code" or "number" (default) or by "external" id in `system`. `errors`: "stop"
imports nothing if any row is wrong, "skip" leaves wrong rows out. Transforms, in order: "strip", "upper", "lower",
{"default": …}, {"date": "%d.%m.%Y"}, {"instant": …}, {"number": {"decimal": ",", "thousands": "."}},
{"scale": "0.001"}, {"concat": " "}, {"prefix": "…"}, {"replace": ["a", "b"]}.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from lianzao.foundation.transfer.columns import BadCell, Column, as_text
from lianzao.foundation.transfer.reading import Cell, Line
from lianzao.values.errors import Invalid

_UNSET = object()


@dataclass(frozen=True)
class Source:
    """Where a field's value comes from: columns of the file, or one value for all rows; then what is done with it."""

    columns: tuple[str, ...] = ()
    value: Any = _UNSET
    map: Mapping[str, Any] = field(default_factory=dict)
    transforms: tuple[Any, ...] = ()
    lookup: str = ""

    def cell(self, line: Line) -> Cell:
        """The value for a line. Raises BadCell."""
        found: Any = self.value
        if self.columns:
            cells = [line.cells.get(name) for name in self.columns]
            found = cells[0] if len(cells) == 1 else cells
        for transform in self.transforms:
            found = _transformed(transform, found)
        if isinstance(found, list):
            found = " ".join(as_text(each) for each in found if each is not None) or None
        if self.map and found is not None:
            text = as_text(found)
            found = self.map.get(text, self.map.get("*", found))
        return found

    def told(self) -> dict[str, Any]:
        """The source as data."""
        told: dict[str, Any] = {}
        if len(self.columns) == 1:
            told["column"] = self.columns[0]
        elif self.columns:
            told["columns"] = list(self.columns)
        if self.value is not _UNSET:
            told["value"] = self.value
        for name in ("map", "transforms", "lookup"):
            if getattr(self, name):
                told[name] = list(getattr(self, name)) if name == "transforms" else getattr(self, name)
        return told


@dataclass(frozen=True)
class Plan:
    """A mapping that was read and checked against a kind and a file."""

    kind: str
    fields: dict[str, Source]
    parts: dict[str, dict[str, Source]] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    system: str = ""
    external_key: Source | None = None
    skip_when: tuple[Mapping[str, Any], ...] = ()
    time_zone: str = ""
    sheet: str = ""
    header_row: int = 0
    skip_errors: bool = False
    ignored: tuple[str, ...] = ()

    def skips(self, line: Line) -> bool:
        """Whether a line is left out."""
        return any(_holds(condition, line) for condition in self.skip_when)

    def told(self) -> dict[str, Any]:
        """The plan as a mapping, for a person to look at and change."""
        told: dict[str, Any] = {
            "kind": self.kind,
            "fields": {name: source.told() for name, source in self.fields.items()},
        }
        if self.parts:
            told["parts"] = {
                part: {name: source.told() for name, source in sources.items()} for part, sources in self.parts.items()
            }
        for name in ("key", "system", "time_zone", "sheet", "header_row", "skip_when"):
            if getattr(self, name):
                told[name] = (
                    list(getattr(self, name)) if isinstance(getattr(self, name), tuple) else getattr(self, name)
                )
        if self.external_key is not None:
            told["external_key"] = self.external_key.told()
        if self.skip_errors:
            told["errors"] = "skip"
        return told


_KNOWN = set("kind fields parts key system external_key skip_when time_zone sheet header_row errors".split())


def read(given: Mapping[str, Any], kind: str, fields: Iterable[Column], parts: Mapping[str, Iterable[Column]]) -> Plan:
    """Read a mapping and check it against the columns a kind has. Raises Invalid naming what is wrong."""
    if not isinstance(given, Mapping) or set(given) - _KNOWN:
        unknown = sorted(set(given) - _KNOWN)[0] if isinstance(given, Mapping) else "mapping"
        raise Invalid("unknown_field", field=f"mapping.{unknown}")
    if given.get("kind", kind) != kind:
        raise Invalid("mapping_of_other_kind", field="mapping.kind", kind=str(given["kind"]))
    zone = str(given.get("time_zone", ""))
    if zone:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise Invalid("malformed", field="mapping.time_zone", reason=zone) from error
    header_row = given.get("header_row", 0)
    if not isinstance(header_row, int) or isinstance(header_row, bool) or header_row < 0:
        raise Invalid("malformed", field="mapping.header_row", reason=str(header_row))
    conditions = given.get("skip_when", [])
    if not isinstance(conditions, list) or not all(
        isinstance(each, Mapping) and "column" in each for each in conditions
    ):
        raise Invalid("malformed", field="mapping.skip_when", reason="[{column, equals | in | empty}]")
    for condition in conditions:
        if not isinstance(condition["column"], str) or not isinstance(condition.get("in", []), list):
            raise Invalid("malformed", field="mapping.skip_when", reason="[{column, equals | in | empty}]")
    external = given.get("external_key")
    if external is not None and not given.get("system"):
        raise Invalid("field_missing", field="mapping.system")
    for name, wanted in (("key", list), ("parts", Mapping), ("sheet", str), ("system", str), ("time_zone", str)):
        if name in given and not isinstance(given[name], wanted):
            raise Invalid("malformed", field=f"mapping.{name}", reason=str(given[name])[:80])
    key = given.get("key", [])
    if not _texts(key):
        raise Invalid("malformed", field="mapping.key", reason=str(key)[:80])
    if given.get("errors", "stop") not in ("stop", "skip"):
        raise Invalid("not_a_choice", field="mapping.errors")
    return Plan(
        kind=kind,
        fields=_sources(given.get("fields", {}), {each.name for each in fields}, "mapping.fields"),
        parts={
            name: _sources(_part(given, parts, name), {each.name for each in parts[name]}, f"mapping.parts.{name}")
            for name in given.get("parts", {})
        },
        key=tuple(given.get("key", ())),
        system=str(given.get("system", "")),
        external_key=None if external is None else _source(external, "mapping.external_key"),
        skip_when=tuple(conditions),
        time_zone=zone,
        sheet=str(given.get("sheet", "")),
        header_row=header_row,
        skip_errors=given.get("errors", "stop") == "skip",
    )


def _part(given: Mapping[str, Any], parts: Mapping[str, Iterable[Column]], name: str) -> Any:
    if name not in parts:
        raise Invalid("unknown_field", field=f"mapping.parts.{name}")
    return given["parts"][name]


def _sources(given: Any, known: set[str], place: str) -> dict[str, Source]:
    if not isinstance(given, Mapping):
        raise Invalid("malformed", field=place, reason="{field: {column}}")
    for name in given:
        if name not in known:
            raise Invalid("unknown_field", field=f"{place}.{name}")
    return {name: _source(source, f"{place}.{name}") for name, source in given.items()}


def _source(given: Any, place: str) -> Source:
    if isinstance(given, str):
        return Source(columns=(given,))
    if not isinstance(given, Mapping):
        raise Invalid("malformed", field=place, reason="{column}")
    unknown = set(given) - {"column", "columns", "value", "map", "transforms", "lookup"}
    if unknown:
        raise Invalid("unknown_field", field=f"{place}.{sorted(unknown)[0]}")
    for name, wanted in (("columns", list), ("transforms", list), ("map", Mapping)):
        if not isinstance(given.get(name, wanted() if wanted is list else {}), wanted):
            raise Invalid("malformed", field=f"{place}.{name}", reason=str(given[name])[:80])
    columns = tuple(given.get("columns", ())) or ((given["column"],) if "column" in given else ())
    if not _texts(columns):
        raise Invalid("malformed", field=f"{place}.column", reason=str(columns)[:80])
    if not columns and "value" not in given:
        raise Invalid("field_missing", field=f"{place}.column")
    if not _plain_cells([given.get("value"), *given.get("map", {}).values()]):
        raise Invalid("malformed", field=f"{place}.value", reason="text, number, yes or no")
    transforms = tuple(given.get("transforms", ()))
    for transform in transforms:
        name, argument = _named(transform)
        if name not in _TRANSFORMS or not _ARGUMENTS[name](argument):
            raise Invalid("malformed", field=f"{place}.transforms", reason=str(name)[:80])
    if given.get("lookup", "") not in ("", "code", "number", "external"):
        raise Invalid("malformed", field=f"{place}.lookup", reason=str(given["lookup"]))
    return Source(columns, given.get("value", _UNSET), given.get("map", {}), transforms, given.get("lookup", ""))


def _texts(given: Any) -> bool:
    return all(isinstance(each, str) for each in given)


def _plain_cells(given: Iterable[Any]) -> bool:
    return all(each is None or isinstance(each, (str, int, float)) for each in given)


def _named(transform: Any) -> tuple[Any, Any]:
    """A transform's name and argument; no name for what is none."""
    if isinstance(transform, str):
        return transform, None
    if isinstance(transform, Mapping) and len(transform) == 1:
        return next(iter(transform.items()))
    return "", None


def _is_number(given: Any) -> bool:
    try:
        return not isinstance(given, bool) and Decimal(str(given)).is_finite()
    except InvalidOperation:
        return False


def _is_form(given: Any) -> bool:
    return isinstance(given, str) and "\x00" not in given


def _is_signs(given: Any) -> bool:
    return given is None or (
        isinstance(given, Mapping) and set(given) <= {"decimal", "thousands"} and _texts(given.values())
    )


#: What each transform may be told.
_ARGUMENTS: dict[str, Any] = {
    "strip": lambda given: given is None,
    "upper": lambda given: given is None,
    "lower": lambda given: given is None,
    "prefix": lambda given: isinstance(given, str),
    "replace": lambda given: isinstance(given, list) and len(given) == 2 and _texts(given),
    "number": _is_signs,
    "scale": _is_number,
    "date": _is_form,
    "instant": _is_form,
    "concat": lambda given: isinstance(given, str),
    "default": lambda given: _plain_cells([given]),
}


# -- guessing ---------------------------------------------------------------------------------------------------------


def guessed(
    kind: str, headings: Sequence[str], fields: Sequence[Column], parts: Mapping[str, Sequence[Column]]
) -> Plan:
    """A mapping from headings alone: names and titles in any language, of the kind, else of its parts, else ignored."""
    own = _by_title(fields)
    inside = {part: _by_title(columns) for part, columns in parts.items()}
    taken: dict[str, Source] = {}
    of_parts: dict[str, dict[str, Source]] = {}
    ignored: list[str] = []
    for heading in headings:
        plain = _plain(heading)
        name = own.get(plain)
        if name is not None and name not in taken:
            taken[name] = Source(columns=(heading,))
            continue
        homes = [(part, titles[plain]) for part, titles in inside.items() if plain in titles]
        dotted = [(part, titles.get(_plain(heading.partition(".")[2]))) for part, titles in inside.items()
                  if heading.partition(".")[0].strip() == part]  # fmt: skip
        home = next(((part, name) for part, name in (*dotted, *homes[:1]) if name), None)
        if home is None or home[1] in of_parts.get(home[0], {}):
            ignored.append(heading)
        else:
            of_parts.setdefault(home[0], {})[home[1]] = Source(columns=(heading,))
    return Plan(kind=kind, fields=taken, parts=of_parts, ignored=tuple(ignored))


def _by_title(columns: Sequence[Column]) -> dict[str, str]:
    found: dict[str, str] = {}
    for column in columns:  # names win over titles: they are what our own exports fall back to
        found.setdefault(_plain(column.name), column.name)
        found.setdefault(_plain(column.target), column.name)
    for column in columns:
        for title in column.titles():
            found.setdefault(_plain(title), column.name)
            found.setdefault(_plain(f"{title} ({column.name})"), column.name)
    return found


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(sign for sign in folded if sign.isalnum() or sign == "%")


# -- conditions and transforms ----------------------------------------------------------------------------------------


def _holds(condition: Mapping[str, Any], line: Line) -> bool:
    text = as_text(line.cells.get(condition["column"]))
    if "equals" in condition:
        return text == as_text(condition["equals"])
    if "in" in condition:
        return text in {as_text(each) for each in condition["in"]}
    if "empty" in condition:
        return (text == "") == bool(condition["empty"])
    return text != ""


def _transformed(transform: Any, found: Any) -> Any:
    name, given = (transform, None) if isinstance(transform, str) else next(iter(transform.items()))
    if name == "concat":
        cells = found if isinstance(found, list) else [found]
        return str(given).join(as_text(each) for each in cells if as_text(each)) or None
    if name == "default":
        return given if found is None or as_text(found) == "" else found
    return None if found is None else _TRANSFORMS[name](found, given)


def _number(found: Any, given: Any) -> Any:
    if not isinstance(found, str):
        return found
    text = found.replace(" ", "").replace("\u00a0", "")
    given = given or {}
    text = text.replace(given.get("thousands", ",") or "\x00", "").replace(given.get("decimal", ".") or "\x00", ".")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise BadCell("not_a_number") from error


def _scale(found: Any, given: Any) -> Decimal:
    from lianzao.foundation.transfer.columns import Reading, number_of

    try:
        return number_of(found, Reading()) * Decimal(str(given))
    except ArithmeticError as error:
        raise BadCell("too_large") from error


def _date(found: Any, given: Any) -> Any:
    if not isinstance(found, str):
        return found
    try:
        return datetime.strptime(found, given).date()  # noqa: DTZ007 - a day has no zone
    except ValueError as error:
        raise BadCell("not_a_date") from error


def _instant(found: Any, given: Any) -> Any:
    if not isinstance(found, str):
        return found
    try:
        return datetime.strptime(found, given)  # noqa: DTZ007 - its zone is the mapping's
    except ValueError as error:
        raise BadCell("not_an_instant") from error


_TRANSFORMS: dict[str, Any] = {
    "strip": lambda found, given: as_text(found).strip(),
    "upper": lambda found, given: as_text(found).upper(),
    "lower": lambda found, given: as_text(found).lower(),
    "prefix": lambda found, given: f"{given}{as_text(found)}",
    "replace": lambda found, given: as_text(found).replace(given[0], given[1]),
    "number": _number,
    "scale": _scale,
    "date": _date,
    "instant": _instant,
    "concat": None,
    "default": None,
}
