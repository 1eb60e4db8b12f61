"""Any bytes as a file, any JSON as a mapping, any cell in any column: read, or refused in words; never a bug."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, time
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from lianzao.foundation.transfer import mapping
from lianzao.foundation.transfer.columns import BadCell, Column, Kind, Reading, as_text, parsed
from lianzao.foundation.transfer.reading import Line, read
from lianzao.foundation.transfer.writing import as_csv
from lianzao.values.errors import Invalid

MANY = settings(max_examples=300, deadline=None)
HEADINGS = ["code", "名称", "n", "#4"]
COLUMNS = [Column("code", "text", ("no.words",), "code", longest=60), Column("n", "number", ("no.words",), "n")]
PARTS = {"lines": [Column("position", "whole", ("no.words",), "position")]}

plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
anything = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
transforms = st.one_of(
    st.sampled_from(["strip", "upper", "lower", "number", "scale", "date", "concat", "no such"]),
    st.dictionaries(st.sampled_from(sorted(mapping._TRANSFORMS)), anything, min_size=1, max_size=2),
    anything,
)
sources = st.one_of(
    st.sampled_from(HEADINGS),
    st.fixed_dictionaries(
        {},
        optional={
            "column": st.sampled_from(HEADINGS) | anything,
            "columns": st.lists(st.sampled_from(HEADINGS), max_size=3) | anything,
            "value": anything,
            "map": st.dictionaries(st.text(max_size=3), anything, max_size=3) | anything,
            "transforms": st.lists(transforms, max_size=3) | anything,
            "lookup": st.sampled_from(["", "code", "external", "other"]) | anything,
        },
    ),
    anything,
)
mappings = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.just("x") | anything,
        "fields": st.dictionaries(st.sampled_from(["code", "n", "no_such"]), sources, max_size=3) | anything,
        "parts": st.dictionaries(st.sampled_from(["lines", "other"]), anything, max_size=2) | anything,
        "key": st.lists(st.sampled_from(["code", "n"])) | anything,
        "system": st.just("sap") | anything,
        "external_key": sources,
        "skip_when": st.lists(st.fixed_dictionaries({"column": st.sampled_from(HEADINGS)}, optional={
            "equals": anything, "in": anything, "empty": anything})) | anything,
        "time_zone": st.sampled_from(["Asia/Shanghai", "Mars/Olympus", "../../etc/passwd", "\x00"]) | anything,
        "sheet": anything,
        "header_row": anything,
        "errors": st.sampled_from(["stop", "skip", "perhaps"]) | anything,
    },
)  # fmt: skip
cells = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.dates(), st.datetimes(), st.times(),
    st.sampled_from(
        ["1e999999", "-1e-999999", "9" * 400, "٣", "２０２６-03-02", "0001-01-01", "9999-12-31T23:59-14:00"]
    ),
)  # fmt: skip


@MANY
@given(mappings, st.lists(cells, min_size=4, max_size=4))
def test_a_mapping_is_understood_or_refused_by_its_place(given_: dict[str, Any], row: list[Any]) -> None:
    try:
        plan = mapping.read(given_, "x", COLUMNS, PARTS)
    except Invalid as refused:
        assert refused.field is not None and refused.field.startswith("mapping.")
        return
    line = Line(2, dict(zip(HEADINGS, row, strict=True)))
    plan.skips(line)
    plan.told()
    every = [*plan.fields.values(), *(each for part in plan.parts.values() for each in part.values())]
    for source in [*every, *([plan.external_key] if plan.external_key else [])]:
        try:
            as_text(source.cell(line))
        except BadCell:
            continue


@MANY
@given(st.sampled_from(get_args(Kind)), cells, st.booleans())
def test_a_cell_is_read_or_refused_whatever_the_column(kind: Any, cell: Any, comma: bool) -> None:
    column = Column("x", kind, ("no.words",), "x", longest=20, inner=Column("x", "text", ("no.words",), "x"))
    try:
        value = parsed(column, cell, Reading(time_zone="Europe/Berlin", decimal_comma=comma))
    except BadCell as refused:
        assert refused.code
        return
    if isinstance(value, (date, datetime)):
        assert 1900 <= value.year <= 2200
    if isinstance(value, str):
        assert "\x00" not in value


@MANY
@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda data: b"PK\x03\x04" + data))
def test_any_bytes_are_a_table_or_refused_as_a_file(data: bytes) -> None:
    try:
        table = read(data, "f")
    except Invalid as refused:
        assert refused.field == "file"
        return
    assert table.headings


def _workbook() -> bytes:
    book = Workbook()
    page: Any = book.active
    page.append(["code", "name", "on", "at"])
    page.append(["a", 0.1, date(2026, 3, 2), time(8, 30)])
    page.append([None, 17, datetime(2026, 3, 2, 8), True])
    page.merge_cells("A2:A3")
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


#: Made once: a workbook holds the second it was made in.
WORKBOOK = _workbook()


@MANY
@given(st.data())
def test_a_workbook_that_was_damaged_on_its_way_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(WORKBOOK)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    try:
        read(bytes(whole[:cut]) if data.draw(st.booleans()) else bytes(whole), "f")
    except Invalid as refused:
        assert refused.field == "file"


@MANY
@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_a_spreadsheet_never_takes_what_we_write_for_a_formula(texts: list[str]) -> None:
    headings = [f"h{place}" for place in range(len(texts))]
    written = as_csv(headings, iter([list(texts)])).decode("utf-8-sig", "surrogatepass")
    row = list(csv.reader(io.StringIO(written, newline="")))[1:]
    for cell in (cell for line in row for cell in line):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
