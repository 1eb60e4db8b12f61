"""Open work orders that can never be finished: found early, so that they do not keep material from others."""

from __future__ import annotations

import numpy as np

from lianzao.engine.arithmetic import NEVER_S
from lianzao.engine.state import Given, Work


def newly_starved(g: Given, work: Work) -> list[int]:
    """Receipts whose material never comes, and not only because another starved order before them holds it."""
    receipts = int(g.numbers[3])
    has_needs = work.order_requirements[:receipts] > 0
    dead = np.flatnonzero((work.order_finish[:receipts] >= NEVER_S) & has_needs)
    if dead.size == 0:
        return []
    dead = dead[np.lexsort((dead, work.order_need[dead], work.order_rank[dead]))]
    starved: list[int] = []
    held: set[int] = set()
    for order in dead.tolist():
        missing, taken = material_of(g, work, order)
        if missing and not missing & held:
            starved.append(order)
        held |= taken
    return sorted(starved)


def material_of(g: Given, work: Work, order: int) -> tuple[set[int], set[int]]:
    """(items that are short below an order, items of which existing supply is pegged below it)."""
    stocks, receipts = int(g.numbers[2]), int(g.numbers[3])
    missing: set[int] = set()
    taken: set[int] = set()
    waiting, seen = [order], {order}
    while waiting:
        parent = waiting.pop()
        first = int(work.order_requirement[parent])
        for req in range(first, first + int(work.order_requirements[parent])):
            if work.req_unfilled[req] > 0:
                missing.add(int(work.req_item[req]))
            peg = int(work.req_peg[req])
            while peg >= 0:
                below = int(work.peg_supply[peg]) - stocks
                if below < receipts:
                    taken.add(int(work.req_item[req]))
                if below >= 0 and below not in seen:
                    seen.add(below)
                    waiting.append(below)
                peg = int(work.peg_next[peg])
    return missing, taken
