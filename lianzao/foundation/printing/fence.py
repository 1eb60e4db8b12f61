"""What a layout's markup may hold: tags that show text, and styles that load nothing. Everything else is refused.

The screens show a printed page in a frame without scripts besides; this is the wall before that one.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from lianzao.values.errors import Invalid

#: Stands where a name was: names are text, never part of a tag or a style.
HOLE = "\ue000"

TAGS = frozenset(
    "html head title meta style body header footer main section article div span p h1 h2 h3 h4 strong b em i small sub"
    " sup ul ol li dl dt dd table caption colgroup col thead tbody tfoot tr th td br hr".split()
)
ATTRIBUTES = frozenset("class id lang dir colspan rowspan span scope style charset title".split())
#: Styles that fetch or run, in any writing: a backslash can spell a word so that it is not read.
BAD_STYLE = re.compile(r"url\s*\(|image-set|@import|@font-face|expression|behavior|-moz-binding|javascript|\\|<", re.I)


class _Guard(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.in_style = False

    def refuse(self, what: str) -> None:
        raise Invalid("layout_forbidden", field="text", line=self.getpos()[0], what=what[:60])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.refuse(f"<{tag}>")
        for name, value in attrs:
            if name not in ATTRIBUTES or (tag == "meta" and name != "charset"):
                self.refuse(f"{tag} {name}")
            if HOLE in (value or ""):
                self.refuse(f"{tag} {name} {{{{ }}}}")
            if name == "style" and BAD_STYLE.search(value or ""):
                self.refuse(f"{tag} style")
        if tag == "style":
            self.in_style = True

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.in_style = False

    def handle_endtag(self, tag: str) -> None:
        if tag not in TAGS:
            self.refuse(f"</{tag}>")
        if tag == "style":
            self.in_style = False

    def handle_data(self, data: str) -> None:
        if self.in_style and (HOLE in data or BAD_STYLE.search(data)):
            self.refuse("style")
        if "<" in data:
            self.refuse("<")

    def handle_comment(self, data: str) -> None:
        self.refuse("<!--")

    def handle_pi(self, data: str) -> None:
        self.refuse("<?")

    def unknown_decl(self, data: str) -> None:
        self.refuse("<![")

    def handle_decl(self, decl: str) -> None:
        if decl.strip().lower() != "doctype html":
            self.refuse("<!")


def check(markup: str) -> None:
    """Refuse markup that could run, load or hide something. Raises Invalid("layout_forbidden", line=…, what=…)."""
    if "\x00" in markup:
        raise Invalid("layout_forbidden", field="text", line=1, what="\\0")
    guard = _Guard()
    guard.feed(markup)
    guard.close()
    if guard.rawdata:
        guard.refuse(guard.rawdata)
