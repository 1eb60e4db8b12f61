"""Projections prove themselves: what is kept for speed must equal what the facts say when counted anew.

A room registers a check beside its projection; `lianzao rebuild` and the scenario tests run them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lianzao.foundation.actor import Actor

Finder = Callable[[], Sequence[object]]


@dataclass(frozen=True)
class Check:
    """A projection's proof: `find` gives what differs (each printable), `repair`, if there is one, sets it right."""

    name: str
    find: Finder
    repair: Callable[[Actor], object] | None = None


CHECKS: dict[str, Check] = {}


def proves(name: str, repair: Callable[[Actor], object] | None = None) -> Callable[[Finder], Finder]:
    """Register the proof of a projection, such as "inventory.balances". A name taken twice is a mistake."""

    def register(find: Finder) -> Finder:
        if name in CHECKS:
            raise ValueError(f"two proofs are called {name}")
        CHECKS[name] = Check(name, find, repair)
        return find

    return register
