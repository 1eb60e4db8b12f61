"""Papers and labels: a layout that is data, filled with what a document may say, as HTML with print styles.

A room higher up declares a paper (`paper(…)`): of which kind of record, and what of it may be named. The layout is a
text of HTML with names in braces (`template`); the one shipped stands beside it, an administrator's own in the table
`PrintLayout`. Nothing in a layout runs, loads or escapes: see `template` and `fence`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from lianzao.foundation import rowsecurity
from lianzao.foundation.actor import Actor
from lianzao.foundation.printing import template
from lianzao.foundation.printing.models import PrintLayout
from lianzao.values.errors import NotAllowed, NotFound

SHIPPED = Path(__file__).parent / "layouts"


@dataclass(frozen=True)
class Paper:
    """One kind of paper. `right` is needed to print it; `facts(by, id)` reads what its layout may name, as `by` may see
    it, or raises NotFound; `words` is where its own words stand in words.json.
    """

    name: str
    kind: str
    right: str
    facts: Callable[[Actor, UUID], dict[str, Any]]
    words: str = "overviews.print"
    #: Whether people of a partner may print it of their own records.
    for_partners: bool = False


PAPERS: dict[str, Paper] = {}


def paper(made: Paper) -> Paper:
    """Declare a paper; its shipped layout is `layouts/<name>.html`."""
    if made.name in PAPERS and PAPERS[made.name] != made:
        raise ValueError(f"two papers are called {made.name}")
    PAPERS[made.name] = made
    return made


def of(name: str) -> Paper:
    """A paper by its name. Raises NotFound."""
    found = PAPERS.get(name)
    if found is None:
        raise NotFound("not_found", entity="foundation.print_layout", id=name[:80])
    return found


@lru_cache
def shipped(name: str) -> str:
    """The layout a paper comes with."""
    return (SHIPPED / f"{of(name).name}.html").read_text("utf-8")


def layout(name: str) -> tuple[str, PrintLayout | None]:
    """The layout in force, and the administrator's record if there is one."""
    own = PrintLayout.objects.filter(paper=name).first()
    return (own.text if own is not None and own.text else shipped(name)), own


def facts_of(by: Actor, name: str, id: UUID) -> dict[str, Any]:
    """What the layout of a paper may name, of one record. Raises NotAllowed or NotFound."""
    made = of(name)
    if not by.may(made.right) or (by.partner is not None and not made.for_partners):
        raise NotAllowed("not_allowed", right=made.right)
    return made.facts(by, id)


def printed(by: Actor, name: str, id: UUID, text: str | None = None) -> str:
    """A paper of a record as one page of HTML, in the viewer's language; by `text` instead of its layout, to try it."""
    found = template.parsed(text if text is not None else layout(name)[0])
    with rowsecurity.as_partner(by):
        facts = facts_of(by, name, id)
    return found.filled(facts, by.language, of(name).words)
