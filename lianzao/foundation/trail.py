"""What the work in hand is about, so that every line of the log can say it: trace, order, command, delivery, event.

A request, a delivery and a job each open a trail; what is learned on the way (the order's id) is noted in it. Plain
Python: the front and the supervisor, which know no Django, log by it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

TRACE = re.compile(r"[0-9a-f]{32}")
_facts: ContextVar[dict[str, str] | None] = ContextVar("trail", default=None)


@contextmanager
def trail(**facts: object) -> Iterator[None]:
    """Open a trail for as long as the block runs; a trail inside another does not add to the outer one."""
    token = _facts.set({name: str(value) for name, value in facts.items()})
    try:
        yield
    finally:
        _facts.reset(token)


@contextmanager
def some_trail() -> Iterator[None]:
    """The trail that is open, or one of its own for the block."""
    if _facts.get() is not None:
        yield
        return
    with trail():
        yield


def note(**facts: object) -> None:
    """Add what was learned to the trail that is open; nothing happens when none is."""
    held = _facts.get()
    if held is not None:
        held.update((name, str(value)) for name, value in facts.items())


def facts() -> Mapping[str, str]:
    """What is known of the work in hand."""
    return _facts.get() or {}
