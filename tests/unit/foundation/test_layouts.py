"""The language of print layouts: right words and numbers, nothing that runs, and bars a reader can read."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzao.foundation import printing
from lianzao.foundation.printing import symbols, template
from lianzao.values.errors import Invalid
from lianzao.values.gs1 import SEPARATOR

D = Decimal


def filled(text: str, facts: dict[str, Any], language: str = "zh-CN") -> str:
    return template.parsed(text).filled(facts, language, "overviews.print")


def test_names_rows_and_conditions() -> None:
    text = (
        "<p>{{ number }} {{ word quantity }}</p>{{# lines }}<i>{{ place }} {{ item.code }} {{ number quantity }}"
        "{{? note }} {{ note }}{{/ note }}{{^ note }} –{{/ note }} of {{ number }}</i>{{/ lines }}"
    )
    facts = {
        "number": "SH-1",
        "lines": [
            {"item": {"code": "A"}, "quantity": D("1234.500"), "note": "ok"},
            {"item": {"code": "B"}, "quantity": D(0), "note": ""},
        ],
    }
    assert filled(text, facts) == "<p>SH-1 数量</p><i>1 A 1,234.5 ok of SH-1</i><i>2 B 0 – of SH-1</i>"
    assert "Quantity" in filled(text, facts, "en")


def test_days_and_instants_are_told_by_the_sites_clock() -> None:
    facts = {"at": datetime(2026, 3, 1, 17, 30, tzinfo=UTC), "on": date(2026, 3, 2), "time_zone": "Asia/Shanghai"}
    assert filled("{{ time at }}|{{ day at }}|{{ day on }}|{{ day none }}", facts) == (
        "2026-03-02 01:30|2026-03-02|2026-03-02|"
    )


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{ secret }}</style>"


def test_hostile_text_stays_text() -> None:
    made = filled("<p>{{ name }}</p>{{ bars name }}{{ qr name }}", {"name": HOSTILE, "secret": "S3CRET"})
    assert "<script" not in made and "<img" not in made and "S3CRET" not in made
    assert made.startswith(
        "<p>&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#x27;&amp;"
    )
    assert set(re.findall(r"<(\w+)", made)) == {"p", "svg", "path"}


@given(st.text(max_size=200))
def test_whatever_a_name_holds_no_tag_comes_of_it(text: str) -> None:
    assert "<" not in filled("{{ name }}", {"name": text})


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<SCRIPT src='//x'></SCRIPT>",
        "<p onclick='x()'>a</p>",
        "<img src='x'>",
        "<iframe></iframe>",
        "<a href='javascript:alert(1)'>a</a>",
        "<svg onload=alert(1)></svg>",
        "<link rel=stylesheet href='//x'>",
        "<meta http-equiv='refresh' content='0;url=//x'>",
        "<base href='//x'>",
        "<form action='//x'></form>",
        "<style>@import '//x';</style>",
        "<style>p{background:url(//x)}</style>",
        "<style>p{background:\\75rl(//x)}</style>",
        "<p style='background:url(//x)'>a</p>",
        "<style>p{color:{{ name }}}</style>",
        "<p class='{{ name }}'>a</p>",
        "<p style='{{ name }}'>a</p>",
        "<{{ name }}>",
        "<!-- a --><p>",
        "<p>a</p><",
        "<p>a</p><scr\x00ipt>",
        "<?xml ?><p>",
        "<math><p>a</p></math>",
        "<textarea><p>a</textarea>",
    ],
)
def test_a_layout_that_could_run_or_load_something_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"layout_(forbidden|wrong)"):
        template.parsed(text)


@pytest.mark.parametrize(
    "text",
    ["{{# lines }}", "{{/ lines }}", "{{# a }}{{/ b }}", "{{ shout name }}", "{{ name", "}} x", "{{ run() }}",
     "{{ a|safe }}", "{{# a }}" * 7 + "{{/ a }}" * 7],
)  # fmt: skip
def test_a_layout_that_is_wrong_says_so(text: str) -> None:
    with pytest.raises(Invalid, match="layout_wrong"):
        template.parsed(text)


def test_the_line_of_a_mistake_is_named() -> None:
    with pytest.raises(Invalid) as refused:
        template.parsed("<p>a</p>\n<p>b</p>\n{{ shout name }}")
    assert refused.value.facts["line"] == 3


def test_a_name_reaches_data_only() -> None:
    facts = {"name": "a", "sub": {"x": 1}, "rows": [1, 2]}
    for name in ("name.__class__", "sub.__class__", "sub.keys", "rows.0", "rows", "sub", "missing.deep"):
        assert filled(f"{{{{ {name} }}}}", facts) == ""


def test_what_is_printed_cannot_grow_without_end() -> None:
    text = "{{# a }}{{# a }}{{# a }}{{# a }}" + "x" * 50 + "{{/ a }}{{/ a }}{{/ a }}{{/ a }}"
    with pytest.raises(Invalid, match="layout_too_long"):
        filled(text, {"a": [{}] * 40})
    with pytest.raises(Invalid, match="layout_too_long"):
        template.parsed("x" * (template.MOST_SIGNS + 1))


def test_every_shipped_layout_is_harmless_and_says_its_words_in_both_languages() -> None:
    from lianzao.foundation import registry, words

    registry.load()
    assert len(printing.PAPERS) >= 6
    for name, paper in printing.PAPERS.items():
        text = printing.shipped(name)
        template.parsed(text)
        for word in re.findall(r"\{\{\s*word (\w+)", text):
            assert words.known(f"{paper.words}.{word}"), (name, word)


def read(values: list[int]) -> str:
    """What a reader makes of the values of Code 128: the check value first, then the signs."""
    *body, check, stop = values
    assert stop == symbols.STOP
    assert check == (body[0] + sum(weight * value for weight, value in enumerate(body[1:], 1))) % 103
    in_c, made = body[0] == symbols.START_C, ""
    for value in body[1:]:
        if value == symbols.FNC1:
            made += SEPARATOR
        elif in_c and value == symbols.CODE_B:
            in_c = False
        elif not in_c and value == symbols.CODE_C:
            in_c = True
        else:
            made += f"{value:02}" if in_c else chr(value + 32)
    return made


@given(st.text("0123456789ABab-/. " + SEPARATOR, min_size=1, max_size=40))
def test_bars_say_what_was_put_in(text: str) -> None:
    plain = text.replace(SEPARATOR, "") or "0"
    assert read(symbols.values_of(plain)) == plain
    assert read(symbols.values_of(text, gs1=True)) == SEPARATOR + text


def test_bars_are_those_of_the_standard() -> None:
    # The worked example of the standard's common explanation: "Wikipedia" has the check value 88.
    assert symbols.values_of("Wikipedia") == [104, 55, 73, 75, 73, 80, 69, 68, 73, 65, 88, 106]
    assert len(symbols.PATTERNS) == 107 and len(set(symbols.PATTERNS)) == 107
    assert all(sum(map(int, each)) == (13 if each == symbols.PATTERNS[106] else 11) for each in symbols.PATTERNS)
    # An SSCC takes 10 pairs: start, FNC1, 10 values, check, stop.
    assert len(symbols.values_of("00369012345678901237", gs1=True)) == 14
    assert symbols.code128("中文").startswith("<svg viewBox")  # what bars cannot say, a QR code does
