"""Files as tables: CSV in the encodings and with the delimiters people really send, and XLSX; within limits."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from lianzao.values.errors import Invalid

MOST_BYTES = 64 * 1024 * 1024
MOST_ROWS = 1_000_000
MOST_COLUMNS = 300
LONGEST_CELL = 32_767
#: What an XLSX may unpack to, in all; a real workbook seldom shrinks to a hundredth.
MOST_UNPACKED = 1024 * 1024 * 1024
MOST_RATIO = 200
DELIMITERS = ",;\t|"

Cell = str | int | float | Decimal | bool | datetime | date | time | None

#: Text that a spreadsheet would take for a formula gets an apostrophe in front (see writing.guarded); here it goes off.
_GUARDED = re.compile(r"'+[=+\-@\t\r]")
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]*?\bref="([A-Z]+[0-9]+:[A-Z]+[0-9]+)"')


@dataclass(frozen=True)
class Line:
    """A row of a file: its number there (the first is 1) and its cells by heading."""

    number: int
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Table:
    """What a file says: headings and rows. `decimal_comma`: numbers in it may be written 1,5."""

    headings: list[str]
    lines: list[Line]
    decimal_comma: bool = False


def read(data: bytes, filename: str, *, sheet: str = "", header_row: int = 0) -> Table:
    """Read a CSV or XLSX file. `header_row` 0: the first row with anything in it.

    Raises Invalid (field "file") when it is too big, damaged, in no known encoding, or has no rows.
    """
    if len(data) > MOST_BYTES:
        raise Invalid("file_too_large", field="file", most=MOST_BYTES // 1024 // 1024)
    if data[:4] == b"PK\x03\x04":
        return _table(_xlsx_rows(data, sheet), header_row)
    if data[:4] == b"\xd0\xcf\x11\xe0":
        raise Invalid("file_is_old_excel", field="file")
    text = decoded(data)
    first_line = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = sniffed(first_line)
    table = _table(_csv_rows(text, delimiter), header_row)
    return Table(table.headings, table.lines, decimal_comma=delimiter == ";")


def decoded(data: bytes) -> str:
    """Text of a file: by its byte order mark, else UTF-8, else GB18030. Raises Invalid."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return _strictly(data, encoding)
    try:
        return _strictly(data, "utf-8")
    except Invalid:
        return _strictly(data, "gb18030")


def _strictly(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Invalid("file_encoding", field="file") from error
    if "\x00" in text:
        raise Invalid("file_encoding", field="file")
    return text


def sniffed(line: str) -> str:
    """The delimiter of a heading line: the one that stands in it most often outside quotes."""
    bare = re.sub(r'"[^"]*"', "", line)
    return max(DELIMITERS, key=lambda sign: (bare.count(sign), -DELIMITERS.index(sign)))


def _csv_rows(text: str, delimiter: str) -> Iterator[tuple[int, list[Cell]]]:
    csv.field_size_limit(LONGEST_CELL * 4)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    number = 1
    try:
        for row in reader:
            yield number, [_unguarded(cell.strip()) or None for cell in row]
            number = reader.line_num + 1
    except csv.Error as error:
        raise Invalid("file_damaged", field="file", row=number, reason=str(error)) from error


def _unguarded(text: str) -> str:
    return text[1:] if text[:1] == "'" and _GUARDED.match(text) else text


def _xlsx_rows(data: bytes, sheet: str) -> Iterator[tuple[int, list[Cell]]]:
    """The rows of a sheet. A workbook may turn out to be damaged at any place, as late as in its last cell."""
    try:
        yield from _sheet_rows(data, sheet)
    except Invalid:
        raise
    except Exception as error:  # openpyxl raises whatever its ZIP and XML readers do
        raise Invalid("file_damaged", field="file", reason=type(error).__name__) from error


def _sheet_rows(data: bytes, sheet: str) -> Iterator[tuple[int, list[Cell]]]:
    from openpyxl import load_workbook  # loaded with the first workbook: it takes a third of a second

    _refuse_bombs(data)
    workbook = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    try:
        if sheet and sheet not in workbook.sheetnames:
            raise Invalid("no_such_sheet", field="sheet", sheet=sheet)
        page: Any = workbook[sheet] if sheet else workbook.worksheets[0]
        merged = _merged_cells(data, getattr(page, "_worksheet_path", ""))
        page.reset_dimensions()  # files often lie about their size
        values: dict[tuple[int, int], Cell] = {}
        for number, row in enumerate(page.iter_rows(values_only=True), start=1):
            cells: list[Cell] = [value.strip() or None if isinstance(value, str) else value for value in row]
            for place, top in merged.get(number, {}).items():
                if len(cells) < place:
                    cells.extend([None] * (place - len(cells)))
                if top == (number, place):
                    values[top] = cells[place - 1]
                else:
                    cells[place - 1] = values.get(top)
            yield number, cells
    finally:
        workbook.close()


def _refuse_bombs(data: bytes) -> None:
    """Refuse a workbook that unpacks to more than a server can hold, or declares entities of its own."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile as error:
        raise Invalid("file_damaged", field="file", reason="zip") from error
    with archive:
        unpacked = 0
        for part in archive.infolist():
            unpacked += part.file_size
            if unpacked > MOST_UNPACKED or part.file_size > 1024 * 1024 + MOST_RATIO * max(part.compress_size, 1):
                raise Invalid("file_too_large", field="file", most=MOST_UNPACKED // 1024 // 1024)
            if part.filename.endswith((".xml", ".rels")):
                with archive.open(part) as opened:
                    if b"<!DOCTYPE" in opened.read(4096).upper():
                        raise Invalid("file_damaged", field="file", reason="DOCTYPE")


def _merged_cells(data: bytes, path: str) -> dict[int, dict[int, tuple[int, int]]]:
    """Row → column → the cell whose value it shows; the streaming reader of openpyxl does not tell."""
    found: dict[int, dict[int, tuple[int, int]]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if path not in archive.namelist():
            return found
        raw = archive.read(path)
    covered = 0
    for match in _MERGED.finditer(raw, max(raw.rfind(b"sheetData>"), 0)):
        from openpyxl.utils import range_boundaries

        left, top, right, bottom = range_boundaries(match[1].decode())
        covered += (right - left + 1) * (bottom - top + 1)  # type: ignore[operator]
        if covered > MOST_ROWS or right > MOST_COLUMNS:  # type: ignore[operator]
            raise Invalid("too_many_columns", field="file", most=MOST_COLUMNS)
        for row in range(top, bottom + 1):  # type: ignore[arg-type,operator]
            for column in range(left, right + 1):  # type: ignore[arg-type,operator]
                found.setdefault(row, {})[column] = (top, left)  # type: ignore[assignment]
    return found


def _table(rows: Iterator[tuple[int, list[Cell]]], header_row: int) -> Table:
    headings: list[str] = []
    lines: list[Line] = []
    for number, cells in rows:
        while cells and cells[-1] is None:
            cells.pop()
        if not cells or (not headings and number < header_row):
            continue
        if len(cells) > MOST_COLUMNS:
            raise Invalid("too_many_columns", field="file", row=number, most=MOST_COLUMNS)
        if any(isinstance(cell, str) and len(cell) > LONGEST_CELL for cell in cells):
            raise Invalid("too_long", field="file", row=number)
        if not headings:
            headings = _headings(cells)
            continue
        if len(lines) >= MOST_ROWS:
            raise Invalid("too_many_rows", field="file", most=MOST_ROWS)
        lines.append(Line(number, dict(zip(headings, cells, strict=False))))
    if not headings:
        raise Invalid("file_is_empty", field="file")
    return Table(headings, lines)


def _headings(cells: Sequence[Cell]) -> list[str]:
    """Names of the columns; one that stands twice or is missing is numbered, so that no cell is lost."""
    found: list[str] = []
    for place, cell in enumerate(cells, start=1):
        name = str(cell).strip() if cell is not None else f"#{place}"
        found.append(name if name not in found else f"{name} #{place}")
    return found
