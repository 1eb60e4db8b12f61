"""Files as people send them, and files sent by people who mean harm."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from lianzao.foundation.transfer import reading
from lianzao.foundation.transfer.columns import BadCell, Column, Reading, parsed
from lianzao.foundation.transfer.mapping import Source, guessed
from lianzao.foundation.transfer.reading import Line, read
from lianzao.foundation.transfer.writing import as_csv, as_xlsx, guarded
from lianzao.values.errors import Invalid

D = Decimal


def rows(data: bytes, **more: object) -> list[dict[str, object]]:
    return [line.cells for line in read(data, "f", **more).lines]  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings(encoding: str) -> None:
    assert rows("编码,名称\n1,深沟球轴承\n".encode(encoding)) == [{"编码": "1", "名称": "深沟球轴承"}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter: str) -> None:
    text = f'"a,;b"{delimiter}c{delimiter}d\n1{delimiter}"x\ny"{delimiter}\n'
    assert rows(text.encode()) == [{"a,;b": "1", "c": "x\ny"}]


def test_row_numbers_are_those_of_the_file() -> None:
    table = read(b'\n\ncode,name\n1,"two\nlines"\n\n2,x\n', "f")
    assert [line.number for line in table.lines] == [4, 7]


def test_a_heading_row_further_down() -> None:
    assert rows(b"Report of March\n\ncode,name\n1,x\n", header_row=3) == [{"code": "1", "name": "x"}]


def test_headings_twice_or_missing_lose_no_cell() -> None:
    assert rows(b"a,,a\n1,2,3\n") == [{"a": "1", "#2": "2", "a #3": "3"}]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file_is_empty"),
        (b"\n\n", "file_is_empty"),
        (b"a,b\n\x81\x20,1\n\xff\xff", "file_encoding"),
        (b"a\x00b,c\n", "file_encoding"),
        (b"\xd0\xcf\x11\xe0rest", "file_is_old_excel"),
        (b"PK\x03\x04broken", "file_damaged"),
        (",".join("abcdefghij" * 31).encode(), "too_many_columns"),
        (b"a\n" + b"x" * 40_000, "too_long"),
    ],
)
def test_refused_files(data: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(data, "f")
    assert (refused.value.code, refused.value.field) == (code, "file")


def workbook(fill) -> bytes:
    book = Workbook()
    fill(book.active)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_merged_cells_dates_and_numbers_as_text() -> None:
    def fill(page) -> None:
        page.append(["item", "rev", "component", "per", "from"])
        page.append(["TOP", "A", "00017", 0.1 + 0.2, date(2026, 3, 2)])
        page.append([None, None, "P2", 3, datetime(2026, 3, 3, 8, 30)])
        page.merge_cells("A2:A3")
        page.merge_cells("B2:B3")

    first, second = rows(workbook(fill))
    assert (first["item"], second["item"], second["rev"]) == ("TOP", "TOP", "A")
    assert first["component"] == "00017"
    how = Reading()
    number = Column("n", "number", (), "n")
    assert parsed(number, first["per"], how) == D("0.3")  # type: ignore[arg-type]
    assert parsed(Column("d", "day", (), "d"), first["from"], how) == date(2026, 3, 2)  # type: ignore[arg-type]
    assert parsed(Column("t", "text", (), "t"), second["per"], how) == "3"  # type: ignore[arg-type]


def test_a_named_sheet() -> None:
    data = workbook(lambda page: page.append(["a"]))
    with pytest.raises(Invalid, match="no_such_sheet"):
        read(data, "f", sheet="Nowhere")


def bomb(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def test_a_bomb_is_refused_before_it_unpacks() -> None:
    data = bomb("xl/worksheets/sheet1.xml", b"0" * 30_000_000)
    with pytest.raises(Invalid, match="file_too_large"):
        read(data, "f")


def test_own_entities_are_refused() -> None:
    with pytest.raises(Invalid, match="file_damaged"):
        read(bomb("xl/workbook.xml", b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x/>'), "f")


def test_too_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_ROWS", 2)
    with pytest.raises(Invalid, match="too_many_rows"):
        read(b"a\n1\n2\n3\n", "f")


#: Text as a person can type it into a cell: no control signs, nothing around it that is stripped.
typed = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n'=+-@"), min_size=1).filter(
    lambda text: text == text.strip()
)


@settings(deadline=None)
@given(st.lists(typed, min_size=1, max_size=5))
def test_text_survives_both_forms_and_is_no_formula(texts: list[str]) -> None:
    headings = [f"h{place}" for place in range(len(texts))]
    for data in (as_csv(headings, iter([list(texts)])), as_xlsx(headings, iter([list(texts)]))):
        assert list(rows(data)[0].values()) == texts
    assert all(guarded(text)[0] not in "=+-@\t\r" for text in texts)


numbers = st.decimals(-(10**13), 10**13, places=6, allow_nan=False)


@settings(deadline=None)
@given(numbers)
def test_numbers_survive_both_forms(number: Decimal) -> None:
    column = Column("n", "number", (), "n")
    for data in (as_csv(["n"], iter([[number]])), as_xlsx(["n"], iter([[number]]))):
        assert parsed(column, rows(data)[0]["n"], Reading()) == number  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("number", "1,234.5", D("1234.5")),
        ("number", "１２.5", D("12.5")),
        ("number", "-0.000001", D("-0.000001")),
        ("whole", "12.0", 12),
        ("whole", 12.0, 12),
        ("truth", "是", True),
        ("truth", "No", False),
        ("day", "2026/3/2", date(2026, 3, 2)),
        ("day", "20260302", date(2026, 3, 2)),
        ("day", 46083, date(2026, 3, 2)),
        ("day", "2026年3月2日", date(2026, 3, 2)),
        ("time", "8:30", datetime(2026, 1, 1, 8, 30).time()),
    ],
)
def test_cells(kind: str, cell: object, value: object) -> None:
    assert parsed(Column("x", kind, (), "x"), cell, Reading()) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "cell", "code"),
    [
        ("number", "1,5", "not_a_number"),
        ("number", "NaN", "not_a_number"),
        ("number", "1e30", "too_large"),
        ("number", "0.0000001", "too_precise"),
        ("whole", "1.5", "not_a_number"),
        ("whole", "99999999999", "too_large"),
        ("truth", "perhaps", "not_a_yes_or_no"),
        ("day", "31.02.2026", "not_a_date"),
        ("instant", "2026-03-02 08:00", "not_an_instant"),
        ("id", "17", "not_an_id"),
    ],
)
def test_wrong_cells(kind: str, cell: str, code: str) -> None:
    with pytest.raises(BadCell) as refused:
        parsed(Column("x", kind, (), "x"), cell, Reading())  # type: ignore[arg-type]
    assert refused.value.code == code


def test_a_local_time_needs_a_zone_and_gets_it() -> None:
    how = Reading(time_zone="Asia/Shanghai")
    found = parsed(Column("x", "instant", (), "x"), "2026-03-02 08:00", how)
    assert found.isoformat() == "2026-03-02T00:00:00+00:00"


def test_decimal_commas_only_where_the_file_says_so() -> None:
    assert parsed(Column("x", "number", (), "x"), "1.234,5", Reading(decimal_comma=True)) == D("1234.5")


@pytest.mark.parametrize(
    ("transforms", "cell", "value"),
    [
        (("strip", "upper"), " ab ", "AB"),
        (({"default": "7"},), None, "7"),
        (({"date": "%d.%m.%Y"},), "02.03.2026", date(2026, 3, 2)),
        (({"number": {"decimal": ",", "thousands": "."}},), "1.234,5", D("1234.5")),
        (({"scale": "0.001"},), "1250", D("1.250")),
        (({"replace": ["-", ""]}, {"prefix": "X"}), "a-b", "Xab"),
    ],
)
def test_transforms(transforms: tuple[object, ...], cell: str | None, value: object) -> None:
    assert Source(columns=("c",), transforms=transforms).cell(Line(2, {"c": cell})) == value


def test_a_map_may_say_what_all_else_becomes() -> None:
    source = Source(columns=("c",), map={"F": "buy", "*": "none"})
    assert [source.cell(Line(2, {"c": each})) for each in ("F", "Q", None)] == ["buy", "none", None]


def test_headings_are_guessed_in_any_writing() -> None:
    columns = [
        Column("item", "text", ("field.item",), "item_id"),
        Column("lead_time_days", "whole", ("no.words",), "lead_time_days"),
    ]
    plan = guessed("x", ["物料", "Lead Time (days)", "colour"], columns, {})
    assert {name: source.columns for name, source in plan.fields.items()} == {
        "item": ("物料",),
        "lead_time_days": ("Lead Time (days)",),
    }
    assert plan.ignored == ("colour",)
