"""What a bill of materials means: what is in effect, how much is needed, and that nothing contains itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from lianzao.values.errors import Invalid
from lianzao.values.quantity import STEP

Id = TypeVar("Id")
#: An indented explosion longer than this is refused: nobody reads it, and it would eat the memory of the server.
MOST_ROWS = 50_000


@dataclass(frozen=True)
class Component:
    """A line of a bill of materials, and what its component is.

    Takes `quantity_per` for every `base_quantity` of the parent, or per order if `fixed`. `scrap_percent` of it is
    lost: gross = net / (1 - scrap). `step` is the smallest quantity of the component; a `phantom` is never stocked.
    """

    line: object
    parent: object
    item: object
    quantity_per: Decimal
    base_quantity: Decimal = Decimal(1)
    scrap_percent: Decimal = Decimal(0)
    fixed: bool = False
    phantom: bool = False
    step: Decimal = Decimal(0)
    operation_sequence: int = 0
    position: int = 0


@dataclass(frozen=True)
class Need:
    """How much of an item an order takes: at which operation, from which line, how deep below the order."""

    component: Component
    quantity: Decimal
    level: int
    operation_sequence: int
    path: tuple[object, ...] = field(default=())


def in_effect(effective_from: date | None, effective_until: date | None, on: date) -> bool:
    """Whether a half-open span of dates holds a day; an open end is for ever."""
    return (effective_from is None or effective_from <= on) and (effective_until is None or on < effective_until)


def spans_overlap(one: tuple[date | None, date | None], other: tuple[date | None, date | None]) -> bool:
    """Whether two half-open spans of dates share a day."""
    starts_before = one[0] is None or other[1] is None or one[0] < other[1]
    ends_after = other[0] is None or one[1] is None or other[0] < one[1]
    return starts_before and ends_after


def gross(component: Component, quantity: Fraction) -> Fraction:
    """The exact quantity of a component for a quantity of its parent, scrap included."""
    net = Fraction(component.quantity_per)
    if not component.fixed:
        net = net * quantity / Fraction(component.base_quantity)
    return net / (1 - Fraction(component.scrap_percent) / 100)


def in_steps(quantity: Fraction, step: Decimal) -> Decimal:
    """A quantity rounded up to the item's smallest quantity (step 0: the ledger's six decimals)."""
    unit = step if step > 0 else STEP
    count = -(-quantity // Fraction(unit))
    return (Decimal(count) * unit).quantize(STEP)


def materials(item: object, quantity: Decimal, lines_of: Callable[[object], Sequence[Component]]) -> list[Need]:
    """What one order for `quantity` of `item` takes: its components, with phantoms replaced by theirs.

    A phantom's own quantity is not rounded (it never exists by itself), and its components are taken at the operation
    the phantom is taken at. A phantom without components in effect stays a need itself, so that nothing is forgotten in
    silence. The same component on several lines stays several needs.
    """
    found: list[Need] = []

    def take(parent: object, amount: Fraction, level: int, sequence: int | None, path: tuple[object, ...]) -> None:
        for line in lines_of(parent):
            at = line.operation_sequence if sequence is None else sequence
            needed = gross(line, amount)
            if line.phantom and line.item not in path and lines_of(line.item):
                take(line.item, needed, level + 1, at, (*path, line.item))
            else:
                found.append(Need(line, in_steps(needed, line.step), level, at, (*path, line.item)))

    take(item, Fraction(quantity), 1, None, (item,))
    return found


def explosion(item: object, quantity: Decimal, lines_of: Callable[[object], Sequence[Component]]) -> list[Need]:
    """The whole tree below an order, indented: each component directly after its parent, phantoms shown.

    Quantities of real components are rounded up to their step at every level, because an order at that level would be.
    Raises ValueError("circle") or ValueError("too_long").
    """
    found: list[Need] = []

    def descend(parent: object, amount: Fraction, level: int, path: tuple[object, ...]) -> None:
        for line in lines_of(parent):
            if line.item in path:
                raise ValueError("circle")
            if len(found) >= MOST_ROWS:
                raise ValueError("too_long")
            exact = gross(line, amount)
            needed = in_steps(exact, Decimal(0) if line.phantom else line.step)
            way = (*path, line.item)
            found.append(Need(line, needed, level, line.operation_sequence, way))
            descend(line.item, exact if line.phantom else Fraction(needed), level + 1, way)

    descend(item, Fraction(quantity), 1, (item,))
    return found


def totals(needs: Iterable[Need]) -> dict[object, Decimal]:
    """The sum per item over an explosion, phantoms left out."""
    found: dict[object, Decimal] = {}
    for need in needs:
        if not need.component.phantom:
            found[need.component.item] = found.get(need.component.item, Decimal(0)) + need.quantity
    return found


def circle(children: Mapping[Id, Iterable[Id]]) -> list[Id]:
    """A chain of items each of which contains the next, the last being the first again; [] if there is none."""
    done: set[Id] = set()
    for root in children:
        if root in done:
            continue
        path: list[Id] = [root]
        on_path = {root}
        ways = [iter(children.get(root, ()))]
        while ways:
            step = next(ways[-1], None)
            if step is None:
                ways.pop()
                last = path.pop()
                on_path.discard(last)
                done.add(last)
            elif step in on_path:
                return [*path[path.index(step) :], step]
            elif step not in done:
                path.append(step)
                on_path.add(step)
                ways.append(iter(children.get(step, ())))
    return []


def low_level_codes(children: Mapping[Id, Iterable[Id]]) -> dict[Id, int]:
    """Per item the deepest level it stands at, 0 = contained in nothing. The structure must be free of circles."""
    levels: dict[Id, int] = {}
    parents: dict[Id, int] = {}
    for parent, below in children.items():
        parents.setdefault(parent, 0)
        for child in below:
            parents[child] = parents.get(child, 0) + 1
    front = [item for item, count in parents.items() if count == 0]
    levels.update(dict.fromkeys(front, 0))
    while front:
        item = front.pop()
        for child in children.get(item, ()):
            levels[child] = max(levels.get(child, 0), levels[item] + 1)
            parents[child] -= 1
            if parents[child] == 0:
                front.append(child)
    return levels


@dataclass(frozen=True)
class Edge:
    """Somewhere on file a parent contains a component, from a day on until another (half-open, None = open)."""

    parent: object
    component: object
    effective_from: date | None = None
    effective_until: date | None = None


def circle_on_some_day(edges: Sequence[Edge]) -> list[object]:
    """A circle that is in effect on at least one day, or [].

    Items that only contained each other at different times form none. A circle holds on the latest of its beginnings,
    so only days on which an edge begins need looking at, and those only if there is a circle regardless of dates.
    """
    if not circle(_children(edges)):
        return []
    for day in sorted({edge.effective_from or date.min for edge in edges}):
        found = circle(_children([edge for edge in edges if in_effect(edge.effective_from, edge.effective_until, day)]))
        if found:
            return found
    return []


def _children(edges: Iterable[Edge]) -> dict[object, list[object]]:
    found: dict[object, list[object]] = {}
    for edge in edges:
        found.setdefault(edge.parent, []).append(edge.component)
    return found


def line_problem(*, quantity_per: Decimal, scrap_percent: Decimal) -> tuple[str, str] | None:
    """What is wrong with a line of a bill of materials: (field, code of the error), or None."""
    if quantity_per <= 0:
        return "quantity_per", "quantity_not_positive"
    if not 0 <= scrap_percent < 100:
        return "scrap_percent", "scrap_out_of_range"
    return None


#: Where a picture or a paper beside a step may lie: with us, or at an address a browser opens without asking.
LINKS = ("/", "https://", "http://")


def check_step(
    text: str, link: str, capture: str, lower: Decimal | None, upper: Decimal | None, *, required: bool
) -> None:
    """Whether a step of an instruction means something. Raises Invalid naming the field."""
    if not text.strip():
        raise Invalid("field_missing", field="text")
    if link and (not link.startswith(LINKS) or link.startswith("//")):
        raise Invalid("link_not_allowed", field="link")
    if capture != "number" and (lower is not None or upper is not None):
        raise Invalid("limits_without_number", field="lower" if lower is not None else "upper")
    if lower is not None and upper is not None and lower > upper:
        raise Invalid("limits_crossed", field="upper")
    if required and capture == "none":
        raise Invalid("nothing_to_write_down", field="required")
