"""Walking a plan along its pegs: from a demand down to what feeds it, from a supply up to whom it serves."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from lianzao.engine.columns import ConsumerKind, Plan, SupplyKind

Node = tuple[int, int]


@dataclass(frozen=True)
class Source:
    """A supply below a demand or order; quantity in micro-units of its own item; level 1 = directly."""

    supply_kind: int
    supply: int
    item: int
    quantity: int
    ready_s: int
    level: int


@dataclass(frozen=True)
class Served:
    """A consumer above a supply. `quantity` is what it takes from the order or supply just below it on the way."""

    consumer_kind: int
    consumer: int
    item: int
    quantity: int
    need_s: int
    level: int


@dataclass(frozen=True)
class Ends:
    """The ends of the way up from a supply: demand rows (most important callers sort them) and safety stock items."""

    demands: tuple[int, ...]
    safety_items: tuple[int, ...]


def _consumer_of(supply_kind: int, supply: int) -> Node | None:
    """The supply as a consumer of components: proposals and open work orders are both."""
    if supply_kind == SupplyKind.PROPOSAL:
        return (ConsumerKind.PROPOSAL, supply)
    return (ConsumerKind.WORK_ORDER, supply) if supply_kind == SupplyKind.RECEIPT else None


def _supply_of(consumer_kind: int, consumer: int) -> Node | None:
    """The consumer as a supply of what it makes."""
    if consumer_kind == ConsumerKind.PROPOSAL:
        return (SupplyKind.PROPOSAL, consumer)
    return (SupplyKind.RECEIPT, consumer) if consumer_kind == ConsumerKind.WORK_ORDER else None


class PegWalk:
    """The pegs of one plan, indexed both ways. Build once, ask often."""

    def __init__(self, plan: Plan) -> None:
        self._rows = plan.pegs.rows()
        self._by_consumer: dict[Node, list[int]] = defaultdict(list)
        self._by_supply: dict[Node, list[int]] = defaultdict(list)
        for at, peg in enumerate(self._rows):
            self._by_consumer[(peg["consumer_kind"], peg["consumer"])].append(at)
            self._by_supply[(peg["supply_kind"], peg["supply"])].append(at)

    def below(self, consumer_kind: int, consumer: int) -> list[Source]:
        """All that feeds a consumer, level by level; each order on the way is opened once."""
        found: list[Source] = []
        seen: set[Node] = set()
        wave: list[Node] = [(consumer_kind, consumer)]
        level = 0
        while wave:
            level += 1
            following: list[Node] = []
            for node in wave:
                for at in self._by_consumer.get(node, []):
                    peg = self._rows[at]
                    found.append(
                        Source(peg["supply_kind"], peg["supply"], peg["item"], peg["quantity"], peg["ready_s"], level)
                    )
                    below = _consumer_of(peg["supply_kind"], peg["supply"])
                    if below is not None and below not in seen:
                        seen.add(below)
                        following.append(below)
            wave = following
        return found

    def above(self, supply_kind: int, supply: int) -> list[Served]:
        """All that a supply serves, level by level: "what does this receipt hurt"."""
        found: list[Served] = []
        seen: set[Node] = set()
        wave: list[Node] = [(supply_kind, supply)]
        level = 0
        while wave:
            level += 1
            following: list[Node] = []
            for node in wave:
                for at in self._by_supply.get(node, []):
                    peg = self._rows[at]
                    found.append(
                        Served(
                            peg["consumer_kind"], peg["consumer"], peg["item"], peg["quantity"], peg["need_s"], level
                        )
                    )
                    above = _supply_of(peg["consumer_kind"], peg["consumer"])
                    if above is not None and above not in seen:
                        seen.add(above)
                        following.append(above)
            wave = following
        return found

    def ends(self, supply_kind: int, supply: int) -> Ends:
        """The demands and safety stocks that a supply serves in the end, without repeats."""
        above = self.above(supply_kind, supply)
        return Ends(
            tuple(sorted({row.consumer for row in above if row.consumer_kind == ConsumerKind.DEMAND})),
            tuple(sorted({row.consumer for row in above if row.consumer_kind == ConsumerKind.SAFETY})),
        )


def sources(plan: Plan, supply_kind: int, supply: int) -> list[Source]:
    """All that feeds an order (nothing for stock and purchases)."""
    node = _consumer_of(supply_kind, supply)
    return PegWalk(plan).below(*node) if node is not None else []
