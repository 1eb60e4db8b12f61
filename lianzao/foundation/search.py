"""Search without extensions: each master keeps an array of terms (GIN); a question is a set of terms, all contained.

PostgreSQL brings neither Chinese word segmentation nor, in the embedded build, trigrams. So we cut terms ourselves:
Latin words and codes by their beginnings, Chinese by single characters and pairs, and Chinese again by its pinyin.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

#: No record keeps more terms than this; the first texts (code, name) come first, so a long description is what is cut.
MOST_TERMS = 300
LONGEST_WORD = 20
LONGEST_INITIALS = 10
_INNER_INITIALS = 6
_INNER_SYLLABLES = 3

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CHUNK = re.compile(r"\S+")
_PIECE = re.compile(rf"(?P<han>[{_HAN}]+)|(?P<word>[^\W_{_HAN}]+)")
_LETTERS_OR_DIGITS = re.compile(r"\d+|[^\d]+")


def terms(*texts: str) -> list[str]:
    """The terms under which a record with these texts is found: sorted, each once, at most `MOST_TERMS`."""
    found: dict[str, None] = {}
    for text in texts:
        for term in _terms_of(_plain(text or "")):
            found[term] = None
            if len(found) >= MOST_TERMS:
                return sorted(found)
    return sorted(found)


def query_terms(q: str) -> list[str]:
    """What a question asks for: a record matches if its terms contain all of these. Nothing to ask for gives []."""
    found: dict[str, None] = {}
    for piece in _PIECE.finditer(_plain(q)):
        han = piece["han"]
        if han is None:
            found[piece["word"][:LONGEST_WORD]] = None
        elif len(han) == 1:
            found[han] = None
        else:
            found.update(dict.fromkeys(_pairs(han)))
    return sorted(found)


def _plain(text: str) -> str:
    """Full-width to half-width, lower case, accents off (Größe is found by grosse and by größe)."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    if folded.isascii():
        return folded
    apart = unicodedata.normalize("NFD", folded)
    return unicodedata.normalize("NFC", "".join(sign for sign in apart if not unicodedata.combining(sign)))


def _terms_of(text: str) -> Iterator[str]:
    for chunk in _CHUNK.findall(text):
        words = []
        for piece in _PIECE.finditer(chunk):
            if piece["han"] is not None:
                yield from _han_terms(piece["han"])
            else:
                words.append(piece["word"])
        for word in words:
            yield from _beginnings(word)
            parts = _LETTERS_OR_DIGITS.findall(word)
            for part in parts[1:]:
                yield from _beginnings(part)
        if len(words) > 1:  # FG-1001 is found by fg1001 as well
            yield from _beginnings("".join(words))


def _beginnings(word: str) -> Iterator[str]:
    for end in range(1, min(len(word), LONGEST_WORD) + 1):
        yield word[:end]


def _pairs(run: str) -> Iterator[str]:
    for start in range(len(run) - 1):
        yield run[start : start + 2]


@lru_cache(maxsize=4096)
def _han_terms(run: str) -> tuple[str, ...]:
    """Characters, pairs and pinyin of a run of Chinese; names of goods repeat, so runs are remembered."""
    found = [*run, *_pairs(run)]
    syllables = _syllables(run)
    initials = "".join(syllable[0] for syllable in syllables)
    for start in range(len(syllables)):
        longest = _INNER_INITIALS if start else LONGEST_INITIALS
        for length in range(1, min(longest, len(syllables) - start) + 1):
            found.append(initials[start : start + length])
        for count in range(1, _INNER_SYLLABLES + 1):
            found.append("".join(syllables[start : start + count])[:LONGEST_WORD])
    found.extend(_beginnings("".join(syllables)))
    return tuple(dict.fromkeys(found))


def _syllables(run: str) -> list[str]:
    # Imported at first need: its dictionary takes a moment to load, and many processes never search Chinese.
    from pypinyin import lazy_pinyin

    return [syllable for syllable in lazy_pinyin(run, errors="ignore", v_to_u=False) if syllable]
