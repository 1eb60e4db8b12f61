"""Lists as files that can be read again: CSV and XLSX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import models

from lianzao.foundation import lists, packing, scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.resource import Resource
from lianzao.foundation.transfer.columns import Column, of_model, shown
from lianzao.foundation.transfer.reading import MOST_ROWS, Cell
from lianzao.foundation.transfer.upsert import attname_of, natural_key
from lianzao.values.errors import Invalid

CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def guarded(text: str) -> str:
    """Text a spreadsheet will not take for a formula; reading the file takes the apostrophe off again."""
    return f"'{text}" if _FORMULA.match(text) else text


Watch = Callable[[Iterable[Sequence[Cell]]], Iterable[Sequence[Cell]]]


def export_rows(
    by: Actor, resource: Resource, query: Mapping[str, str], form: str, *, watch: Watch | None = None
) -> tuple[bytes, str]:
    """The rows a list shows, as a file: (bytes, content type). `form`: csv or xlsx; `bom=0` leaves the mark out of CSV.

    `watch` is handed the rows on their way, to count them.

    Headings are in the actor's language. What he may not read is not in it. Raises Invalid for another form.
    """
    if form not in ("csv", "xlsx"):
        raise Invalid("not_a_choice", field="format", value=form)
    asked = {name: query[name] for name in query if name != "bom"}
    columns = exported(by, resource, asked.get("columns", ""))
    headings = titles(columns, by.language)
    rows: Iterable[Sequence[Cell]] = _rows(by, resource, asked, columns)
    rows = rows if watch is None else watch(rows)
    if form == "csv":
        return as_csv(headings, rows, bom=query.get("bom", "1") != "0"), CSV_TYPE
    return as_xlsx(headings, rows), XLSX_TYPE


def type_of(filename: str) -> str:
    """The content type of a file by its ending."""
    return XLSX_TYPE if filename.endswith(".xlsx") else CSV_TYPE


@dataclass(frozen=True)
class _Exported:
    column: Column
    path: str


def exported(by: Actor, resource: Resource, wanted: str = "") -> list[Column]:
    """The columns of an export: what the actor sees and an import could write; the id where nothing else names it."""
    names = list(scope.columns(by, resource))
    if by.partner is None:
        names += resource.writable_names
    if natural_key(resource) == ("id",):
        names.insert(0, "id")
    hidden = scope.masked(by, resource.kind, names, resource.mask_names)
    chosen = [name.strip() for name in wanted.split(",") if name.strip()]
    found: dict[str, Column] = {}
    for name in names:
        column = of_model(resource.model, name)
        if name not in hidden and column.name not in hidden and (not chosen or name in chosen):
            found.setdefault(column.name, column)
    # As the person has them in his list, if he says which.
    place = {name: number for number, name in enumerate(chosen)}
    return sorted(found.values(), key=lambda column: place.get(column.name, place.get(column.target, 0)))


def titles(columns: Sequence[Column], language: str) -> list[str]:
    """Headings; two columns of one title are told apart by their names."""
    words = [column.title(language) for column in columns]
    return [
        word if words.count(word) == 1 else f"{word} ({column.name})"
        for word, column in zip(words, columns, strict=True)
    ]


def _rows(by: Actor, resource: Resource, query: Mapping[str, str], columns: Sequence[Column]) -> Iterator[list[Cell]]:
    made = [_Exported(column, _path(column)) for column in columns]
    rows = lists.searched(by, resource, query)
    values = list(rows.values_list(*(each.path for each in made))[: MOST_ROWS + 1])
    if len(values) > MOST_ROWS:
        raise Invalid("too_many_rows", field="format", most=MOST_ROWS)
    codes = [_codes(each, (row[place] for row in values)) for place, each in enumerate(made)]
    for row in values:
        yield [
            shown(each.column, value if names is None else names.get(value, value), by.language)
            for each, value, names in zip(made, row, codes, strict=True)
        ]


def _path(column: Column) -> str:
    if isinstance(column.source, models.ForeignKey):
        return f"{column.source.name}__{column.by}" if column.by != "id" else column.source.attname
    return attname_of(column)


def _codes(each: _Exported, ids: Iterable[Any]) -> dict[Any, str] | None:
    """Codes of records that are known by plain ids (site, and what siblings hold)."""
    column = each.column
    if column.kind != "reference" or isinstance(column.source, models.ForeignKey) or column.model is None:
        return None
    known = column.model._default_manager.filter(pk__in={id for id in ids if id is not None})
    return dict(known.values_list("pk", column.by))


def as_csv(headings: Sequence[str], rows: Iterable[Sequence[Cell]], *, bom: bool = True) -> bytes:
    """CSV in UTF-8, with the mark that lets spreadsheets see that it is."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([guarded(heading) for heading in headings])
    for row in rows:
        writer.writerow([_csv_cell(cell) for cell in row])
    return text.getvalue().encode("utf-8-sig" if bom else "utf-8")


def _csv_cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Decimal):
        return packing.trimmed(cell)
    return guarded(cell) if isinstance(cell, str) else str(cell)


def as_xlsx(headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A workbook of one sheet: numbers as numbers, dates as dates, everything else as text."""
    from openpyxl import Workbook

    workbook = Workbook(write_only=True)
    page: Any = workbook.create_sheet("1")
    page.freeze_panes = "A2"
    page.append([_xlsx_cell(page, heading) for heading in headings])
    for row in rows:
        page.append([_xlsx_cell(page, cell) for cell in row])
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


def _xlsx_cell(page: Any, cell: Cell) -> Any:
    from openpyxl.cell import WriteOnlyCell

    if isinstance(cell, Decimal) and len(cell.as_tuple().digits) > 15:
        return packing.trimmed(cell)  # a spreadsheet keeps fifteen digits; text keeps them all
    if isinstance(cell, str):
        text = _UNPRINTABLE.sub("", cell)
        if not _FORMULA.match(text):
            return text
        made = WriteOnlyCell(page, text)  # said to be text, so it is no formula
        made.data_type = "s"
        return made
    if isinstance(cell, date):
        made: Any = WriteOnlyCell(page)
        made.value = cell
        made.number_format = "yyyy-mm-dd"
        return made
    return cell
