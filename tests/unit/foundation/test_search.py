"""Whoever types the beginning of a word, some characters or their pinyin finds the record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzao.foundation.search import MOST_TERMS, query_terms, terms

BEARING = frozenset(terms("FG-1001", "深沟球轴承6204", "Deep groove ball bearing", "Größe"))


@pytest.mark.parametrize(
    "asked",
    [
        "fg10",
        "FG-1001",
        "fg1001",
        "1001",
        "轴承",
        "球",
        "qzc",
        "sgqzc",
        "qiuzhou",
        "shengouq",
        "6204",
        "ball deep",
        "größe",
        "grosse",
        "ＦＧ",
    ],
)
def test_found(asked: str) -> None:
    assert query_terms(asked)
    assert set(query_terms(asked)) <= BEARING


@pytest.mark.parametrize("asked", ["fg1002", "承轴", "轴球", "zcq", "earing", "轴承 6205"])
def test_not_found(asked: str) -> None:
    assert not set(query_terms(asked)) <= BEARING


def test_an_empty_question_asks_for_nothing() -> None:
    assert query_terms("  -- ") == []


@given(st.text(max_size=60))
def test_every_text_is_found_by_itself(text: str) -> None:
    kept = terms(text)
    assert kept == sorted(set(kept))
    if len(kept) < MOST_TERMS:
        assert set(query_terms(text)) <= set(kept)


def test_a_long_text_stays_bounded() -> None:
    assert len(terms("深沟球轴承" * 400, "word " * 5, " ".join(f"w{n}" for n in range(2000)))) <= MOST_TERMS
