"""Replanning after news: only what the news touches, with the same answer as a full solve; and what changed.

Two items belong together when one goes into the other, when an open work order takes one for the other, when they
compete for a work centre of limited capacity, or when demands for them are delivered as one group. Such a closure is
planned without looking at the rest, because nothing in it depends on the rest. That is why the merged plan equals a
full solve to the last number.
"""

# ruff: noqa: RUF009  (`number()` and `index()` make dataclass fields, as `field()` does)
from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from lianzao.engine.columns import ConsumerKind, Plan, Problem, SupplyKind
from lianzao.engine.solver import solve
from lianzao.engine.tables import Column, Index, Mask, Table, index, number

FULL_FROM = 0.6  # a closure with more than this share of the items is planned whole: cutting out would cost more


def closures(problem: Problem) -> Column:
    """Per item the number of its closure: items with the same number may influence each other."""
    items, limited = len(problem.items), problem.centres.machines > 0
    parent = list(range(items + len(problem.centres)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def join(one: int, other: int) -> None:
        a, b = root(one), root(other)
        parent[max(a, b)] = min(a, b)

    made = problem.receipts.item
    pairs = [
        (problem.bom.parent, problem.bom.component),
        (made[problem.receipt_requirements.receipt], problem.receipt_requirements.item),
    ]
    for centre, item in (
        (problem.routing.centre, problem.routing.item),
        (problem.receipt_operations.centre, made[problem.receipt_operations.receipt]),
    ):
        rows = np.flatnonzero(centre >= 0)
        rows = rows[limited[centre[rows]]]
        pairs.append((item[rows], centre[rows] + items))
    grouped = np.flatnonzero(problem.demands.group >= 0)
    by_group = grouped[np.argsort(problem.demands.group[grouped], kind="stable")]
    same = np.flatnonzero(np.diff(problem.demands.group[by_group]) == 0)
    of = problem.demands.item[by_group]
    pairs.append((of[same], of[same + 1]))
    for left, right in pairs:
        for one, other in zip(left.tolist(), right.tolist(), strict=True):
            join(one, other)
    return np.array([root(item) for item in range(items)], np.int64)


def touched_items(
    problem: Problem, previous: Plan, items: Iterable[int], supplies: Iterable[int], demands: Iterable[int]
) -> set[int]:
    """The items named by the news (supplies are Receipts rows), as row numbers."""
    del previous  # the closure over items contains the closure over its pegs
    return (
        {int(item) for item in items}
        | {int(problem.receipts.item[row]) for row in supplies}
        | {int(problem.demands.item[row]) for row in demands}
    )


def replan(
    problem: Problem,
    previous: Plan,
    *,
    items: Iterable[int] = (),
    supplies: Iterable[int] = (),
    demands: Iterable[int] = (),
) -> Plan:
    """The plan of the changed problem, computed only where the news reaches.

    `problem` is the problem after the news, with the same row numbers as before (rows may have been added at the end;
    a row that is gone keeps its place with quantity 0). `now_s` must be that of the previous plan when anything is to
    be reused: time passing touches everything, so then call `solve`. Name every item, receipt and demand whose facts
    changed; for a changed calendar name the items made there, for changed stock the item.
    """
    closure = closures(problem)
    touched = {int(closure[item]) for item in touched_items(problem, previous, items, supplies, demands)}
    inside = np.isin(closure, list(touched))
    if inside.mean() > FULL_FROM or previous.low_level_code.shape[0] != len(problem.items):
        return solve(problem)
    return merged(problem, previous, solve(only(problem, inside)), inside)


def only(problem: Problem, inside: Mask) -> Problem:
    """The same problem without demand, stock, receipts and safety stock of items outside. Rows keep their numbers."""

    def quiet(table: Table, column: str = "quantity") -> Table:
        values = getattr(table, column)
        keep = inside[table.columns()["item"]]
        return table.with_columns(**{column: np.where(keep, values, 0)})

    operations, needs = problem.receipt_operations, problem.receipt_requirements
    made = problem.receipts.item
    items = problem.items
    return replace(
        problem,
        items=items.with_columns(safety_stock=np.where(inside, items.safety_stock, 0)),
        demands=quiet(problem.demands),
        stock=quiet(problem.stock),
        receipts=quiet(problem.receipts),
        receipt_operations=operations.where(inside[made[operations.receipt]]),
        receipt_requirements=needs.where(inside[made[needs.receipt]]),
    )


def merged(problem: Problem, previous: Plan, part: Plan, inside: Mask) -> Plan:
    """The previous plan outside the closure, the new one inside, rows sorted as `solve` sorts them."""
    old, new = previous, part
    receipt_inside, demand_inside = inside[problem.receipts.item], inside[problem.demands.item]
    old_keep, new_keep = ~inside[old.proposals.item], inside[new.proposals.item]
    proposals = old.proposals.where(old_keep).joined(new.proposals.where(new_keep))
    order = np.argsort(proposals.item, kind="stable")
    place = np.empty(len(proposals), np.int64)
    place[order] = np.arange(len(proposals))
    kept = int(old_keep.sum())
    old_row, new_row = np.full(len(old.proposals), -1), np.full(len(new.proposals), -1)
    old_row[old_keep], new_row[new_keep] = place[:kept], place[kept:]

    def side(table: Table, keep: Mask, rows: Column) -> Table:
        table = table.where(keep)
        changed: dict[str, Column] = {}
        for kind, row, code in (
            ("supply_kind", "supply", SupplyKind.PROPOSAL),
            ("consumer_kind", "consumer", ConsumerKind.PROPOSAL),
        ):
            columns = table.columns()
            if kind in columns and len(rows):
                mine = (columns[kind] == code) & (columns[row] >= 0)
                changed[row] = np.where(mine, rows[np.where(mine, columns[row], 0)], columns[row])
        return table.with_columns(**changed)

    def both(name: str, item_of: Callable[[Plan, Table], Mask], by: tuple[str, ...]) -> Table:
        sides: list[Table] = []
        for plan, rows, wanted in ((old, old_row, False), (new, new_row, True)):
            table: Table = getattr(plan, name)
            sides.append(side(table, item_of(plan, table) == wanted, rows))
        table = sides[0].joined(sides[1])
        columns = table.columns()
        return table.where(np.lexsort(tuple(columns[column] for column in reversed(by)))) if by else table

    def placed(plan: Plan, table: Table) -> Mask:
        columns = table.columns()
        is_receipt = columns["supply_kind"] == SupplyKind.RECEIPT
        result = np.zeros(len(table), bool)
        result[is_receipt] = receipt_inside[columns["supply"][is_receipt]]
        result[~is_receipt] = inside[plan.proposals.item[columns["supply"][~is_receipt]]]
        return result

    def by_item(_plan: Plan, table: Table) -> Mask:
        return inside[table.columns()["item"]]

    def by_demand(_plan: Plan, table: Table) -> Mask:
        return demand_inside[table.columns()["demand"]]

    def by_receipt(_plan: Plan, table: Table) -> Mask:
        return receipt_inside[table.columns()["receipt"]]

    demands, receipts = len(problem.demands), len(problem.receipts)
    outcomes = new.outcomes.with_columns(
        **{
            name: np.where(demand_inside, column, grown(getattr(old.outcomes, name), demands))
            for name, column in new.outcomes.columns().items()
        }
    )
    return Plan(
        proposals=proposals.where(order),
        placements=both("placements", placed, ("centre", "machine", "start_s", "supply_kind", "supply", "sequence")),  # pyright: ignore[reportArgumentType]
        pegs=both("pegs", by_item, ("consumer_kind", "consumer", "item", "ready_s", "supply_kind", "supply", "need_s")),  # pyright: ignore[reportArgumentType]
        deliveries=both("deliveries", by_demand, ("demand", "delivered_s", "supply_kind", "supply")),  # pyright: ignore[reportArgumentType]
        outcomes=outcomes,
        reasons=both("reasons", by_demand, ("demand", "place")),  # pyright: ignore[reportArgumentType]
        messages=both("messages", by_receipt, ("receipt", "action", "from_s", "to_s")),  # pyright: ignore[reportArgumentType]
        shortages=both("shortages", by_item, ("item", "need_s")),  # pyright: ignore[reportArgumentType]
        receipt_ready_s=np.where(receipt_inside, new.receipt_ready_s, grown(old.receipt_ready_s, receipts)),
        low_level_code=new.low_level_code,
        passes=max(old.passes, new.passes),
    )


def grown(column: Column, rows: int) -> Column:
    """The column with room for rows that were added since (their values come from the new side)."""
    return np.concatenate((column, np.zeros(rows - column.shape[0], np.int64)))


@dataclass(frozen=True, eq=False)
class DemandChanges(Table):
    """Demands whose outcome changed; seconds > 0 = later."""

    demand: Index = index()
    old_projected_s: Column = number()  # NEVER = was not delivered
    new_projected_s: Column = number()
    seconds: Column = number()  # new - old, 0 when one of them is NEVER
    old_short: Column = number()
    new_short: Column = number()


@dataclass(frozen=True, eq=False)
class OperationChanges(Table):
    """Operations that moved, came or went (work orders by their row; proposals matched by item, quantity and turn)."""

    supply_kind: Column = number()
    item: Index = index()
    supply: Index = index()  # Receipts row, or Proposals row of the new plan (NONE when gone)
    sequence: Column = number()
    old_start_s: Column = number()  # NEVER = new
    new_start_s: Column = number()  # NEVER = gone
    old_machine: Index = index()
    new_machine: Index = index()


@dataclass(frozen=True, eq=False)
class ProposalChanges(Table):
    """Proposals that moved, came or went, matched by item, quantity and turn."""

    item: Index = index()
    quantity: Column = number()
    old: Index = index()  # row in the old plan, NONE = new
    new: Index = index()  # row in the new plan, NONE = gone
    old_finish_s: Column = number()
    new_finish_s: Column = number()


@dataclass(frozen=True)
class Difference:
    """What changed between two plans of one site."""

    demands: DemandChanges
    proposals: ProposalChanges
    operations: OperationChanges


def difference(old: Plan, new: Plan) -> Difference:
    """Which demands got earlier or later and by how much, and which proposals and operations moved.

    Row numbers of demands and receipts must mean the same in both (rows may have been added at the end).
    """
    rows = len(new.outcomes)
    was, short = grown(old.outcomes.projected_s, rows), grown(old.outcomes.short, rows)
    was[len(old.outcomes) :] = -1
    now = new.outcomes.projected_s
    changed = np.flatnonzero((was != now) | (short != new.outcomes.short))
    both = (was[changed] >= 0) & (now[changed] >= 0)
    demands = DemandChanges.of(
        demand=changed,
        old_projected_s=was[changed],
        new_projected_s=now[changed],
        seconds=np.where(both, now[changed] - was[changed], 0),
        old_short=short[changed],
        new_short=new.outcomes.short[changed],
    )
    pairs = paired(old, new)
    moved = [
        (item, quantity, a, b)
        for item, quantity, a, b in pairs
        if a < 0 or b < 0 or old.proposals.row(a) != new.proposals.row(b)
    ]
    proposals = ProposalChanges.of(
        item=[row[0] for row in moved],
        quantity=[row[1] for row in moved],
        old=[row[2] for row in moved],
        new=[row[3] for row in moved],
        old_finish_s=[int(old.proposals.finish_s[row[2]]) if row[2] >= 0 else -1 for row in moved],
        new_finish_s=[int(new.proposals.finish_s[row[3]]) if row[3] >= 0 else -1 for row in moved],
    )
    return Difference(demands, proposals, operation_changes(old, new, pairs))


def paired(old: Plan, new: Plan) -> list[tuple[int, int, int, int]]:
    """(item, quantity, old row, new row), -1 where there is no partner; in turn among equals."""
    waiting: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row, key in enumerate(zip(old.proposals.item.tolist(), old.proposals.quantity.tolist(), strict=True)):
        waiting[key].append(row)
    pairs: list[tuple[int, int, int, int]] = []
    for row, key in enumerate(zip(new.proposals.item.tolist(), new.proposals.quantity.tolist(), strict=True)):
        mates = waiting[key]
        pairs.append((*key, mates.pop(0) if mates else -1, row))
    pairs.extend((*key, row, -1) for key, mates in waiting.items() for row in mates)
    return sorted(pairs)


def operation_changes(old: Plan, new: Plan, pairs: list[tuple[int, int, int, int]]) -> OperationChanges:
    """Operations whose start or machine differs."""
    partner = {a: b for _, _, a, b in pairs if a >= 0 and b >= 0}
    items = {b: item for item, _, _, b in pairs if b >= 0}
    gone = {a: item for item, _, a, b in pairs if b < 0}

    def places(plan: Plan) -> dict[tuple[int, int, int], tuple[int, int]]:
        table = plan.placements
        columns = (table.supply_kind, table.supply, table.sequence, table.start_s, table.machine)
        return {(k, s, q): (start, m) for k, s, q, start, m in zip(*(c.tolist() for c in columns), strict=True)}

    before: dict[tuple[int, int, int], tuple[int, int]] = {}
    lost: list[list[int]] = []
    for (kind, supply, sequence), (start, machine) in places(old).items():
        if kind == SupplyKind.RECEIPT:
            before[(kind, supply, sequence)] = (start, machine)
        elif supply in partner:
            before[(kind, partner[supply], sequence)] = (start, machine)
        else:
            lost.append([kind, gone.get(supply, -1), -1, sequence, start, -1, machine, -1])
    after = places(new)
    rows = lost
    for key, (start, machine) in after.items():
        was = before.pop(key, (-1, -1))
        if was != (start, machine):
            item = items.get(key[1], -1) if key[0] == SupplyKind.PROPOSAL else -1
            rows.append([key[0], item, key[1], key[2], was[0], start, was[1], machine])
    rows.extend([key[0], -1, key[1], key[2], start, -1, machine, -1] for key, (start, machine) in before.items())
    table = np.array(sorted(rows), np.int64).reshape(-1, 8)
    names = ("supply_kind", "item", "supply", "sequence", "old_start_s", "new_start_s", "old_machine", "new_machine")
    return OperationChanges.of(**{name: table[:, at] for at, name in enumerate(names)})
