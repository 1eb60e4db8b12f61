"""The language of layouts: HTML with names in braces, and nothing that runs.

`{{ name }}`           the text of a name, escaped; `{{ line.item }}` a name inside a name
`{{ day name }}` `{{ time name }}` `{{ number name }}`   a date, an instant, a quantity, written for the reader
`{{ word lot }}`       a word of the product in the reader's language
`{{ qr name }}` `{{ bars name }}`   a QR code; a Code 128 (of a GS1 label: what `lianzao.values.gs1` made)
`{{# lines }}…{{/ lines }}`   once for each row; inside, a name means the row's first, then what is around it
`{{? name }}…{{/ name }}`, `{{^ name }}…{{/ name }}`   only if there is one; only if there is none

What a name stands for is always text: it is escaped, cannot hold markup, and is never a program.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from lianzao.foundation import words
from lianzao.foundation.printing import fence, symbols
from lianzao.values.errors import Invalid

#: What a layout may be at most, and what may come out of it: longer is a mistake.
MOST_SIGNS, MOST_PRINTED, MOST_DEPTH = 100_000, 5_000_000, 6

_TAG = re.compile(r"\{\{\s*([#?^/]?)\s*([A-Za-z_][\w.]*(?:\s+[A-Za-z_][\w.]*)?)\s*\}\}")
_FORMS = ("day", "time", "number", "word", "qr", "bars")


@dataclass(frozen=True)
class Text:
    """Markup as it stands."""

    markup: str


@dataclass(frozen=True)
class Name:
    """A value, written in a form ("": as text)."""

    form: str
    name: str


@dataclass
class Block:
    """What is repeated (#), or stands only if (?) or unless (^) there is something."""

    sign: str
    name: str
    inside: list[Text | Name | Block] = field(default_factory=list)


Node = Text | Name | Block


@dataclass(frozen=True)
class Template:
    """A layout that was found harmless."""

    nodes: Sequence[Node]

    def filled(self, facts: dict[str, Any], language: str, words_at: str) -> str:
        """The layout with what it names. Raises Invalid("layout_too_long")."""
        out: list[str] = []
        _fill(self.nodes, [facts], _Writer(language, words_at, str(facts.get("time_zone") or "UTC")), out, [0])
        return "".join(out)


def parsed(text: str) -> Template:
    """A layout, read and found harmless. Raises Invalid("layout_wrong", line=…, what=…)."""
    if len(text) > MOST_SIGNS:
        raise Invalid("layout_too_long", field="text")
    fence.check(_TAG.sub(fence.HOLE, text))
    top: list[Node] = []
    stack: list[Block] = []
    at = 0
    for found in _TAG.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        here = stack[-1].inside if stack else top
        if found.start() > at:
            here.append(Text(_plain(text[at : found.start()], line)))
        at = found.end()
        sign, said = found[1], found[2].split()
        if sign == "/":
            if not stack or stack[-1].name != said[0]:
                raise Invalid("layout_wrong", field="text", line=line, what=found[0])
            stack.pop()
        elif sign:
            if len(stack) >= MOST_DEPTH or len(said) != 1:
                raise Invalid("layout_wrong", field="text", line=line, what=found[0])
            block = Block(sign, said[0])
            here.append(block)
            stack.append(block)
        else:
            form, name = said if len(said) == 2 else ("", said[0])
            if form and form not in _FORMS:
                raise Invalid("layout_wrong", field="text", line=line, what=found[0])
            here.append(Name(form, name))
    if stack:
        raise Invalid("layout_wrong", field="text", line=text.count("\n") + 1, what="{{/ " + stack[-1].name + " }}")
    top.append(Text(_plain(text[at:], text.count("\n") + 1)))
    return Template(top)


def _plain(markup: str, line: int) -> str:
    """Markup between names: braces left over are a name that was mistyped."""
    if "{{" in markup or "}}" in markup:
        raise Invalid("layout_wrong", field="text", line=line, what="{{ }}")
    return markup


@dataclass(frozen=True)
class _Writer:
    language: str
    words_at: str
    time_zone: str

    def write(self, form: str, value: Any) -> str:
        """One value as markup."""
        if form == "word":
            return html.escape(words.title(self.language, f"{self.words_at}.{value}", f"field.{value}"))
        if value is None or value == "":
            return ""
        if form == "qr":
            return symbols.qr(str(value))
        if form == "bars":
            return symbols.code128(str(value))
        return html.escape(self._said(form, value))

    def _said(self, form: str, value: Any) -> str:
        if isinstance(value, bool):
            return "✓" if value else "–"
        if isinstance(value, Decimal):
            return f"{value.normalize():,f}" if form == "number" else f"{value.normalize():f}"
        if isinstance(value, datetime):
            from zoneinfo import ZoneInfo

            local = value.astimezone(ZoneInfo(self.time_zone))
            return f"{local:%Y-%m-%d}" if form == "day" else f"{local:%Y-%m-%d %H:%M}"
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, (dict, list, tuple)):
            return ""
        return str(value)


def _find(scopes: Sequence[Any], name: str) -> Any:
    first, *rest = name.split(".")
    for scope in reversed(scopes):
        if isinstance(scope, dict) and first in scope:
            value = scope[first]
            for part in rest:
                value = value.get(part) if isinstance(value, dict) else None
            return value
    return None


def _fill(nodes: Sequence[Node], scopes: list[Any], writer: _Writer, out: list[str], size: list[int]) -> None:
    for node in nodes:
        if isinstance(node, Block):
            value = _find(scopes, node.name)
            there = bool(value) or (isinstance(value, Decimal | int) and not isinstance(value, bool))
            if node.sign == "#":
                rows = value if isinstance(value, (list, tuple)) else [value] if there else []
                for place, row in enumerate(rows, 1):
                    inner = {**row, "place": place} if isinstance(row, dict) else {"this": row, "place": place}
                    _fill(node.inside, [*scopes, inner], writer, out, size)
            elif there == (node.sign == "?"):
                _fill(node.inside, scopes, writer, out, size)
            continue
        made = (
            node.markup
            if isinstance(node, Text)
            else writer.write(node.form, node.name if node.form == "word" else _find(scopes, node.name))
        )
        out.append(made)
        size[0] += len(made)
        if size[0] > MOST_PRINTED:
            raise Invalid("layout_too_long", field="text")
