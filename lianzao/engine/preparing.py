"""From the columns of a problem to the indexed arrays of the kernels; contradictions are refused by name."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import cast

import numpy as np

from lianzao.engine.arithmetic import NEVER_S
from lianzao.engine.columns import MICRO, Commitment, ItemKind, Problem, ProblemError
from lianzao.engine.state import Given, Work
from lianzao.engine.tables import Column, Index

PPM = 1_000_000
LARGEST_RATIO = 2**61


def grouped(rows: int, owner: Index | Column) -> Column:
    """CSR offsets of rows that are already sorted by owner: group i is offsets[i]:offsets[i + 1]."""
    offsets = np.zeros(rows + 1, np.int64)
    np.cumsum(np.bincount(owner, minlength=rows), out=offsets[1:])
    return offsets


def check(problem: Problem) -> None:
    """Refuse indices that point nowhere, negative quantities and closed-before-open hours.

    Raises ProblemError "no_such_row", "negative", "hours_backwards", "hours_overlap", "scrap".
    """
    items, receipts, centres = len(problem.items), len(problem.receipts), len(problem.centres)
    refers = [
        ("bom", "parent", items, False),
        ("bom", "component", items, False),
        ("routing", "item", items, False),
        ("routing", "centre", centres, True),
        ("hours", "centre", centres, False),
        ("stock", "item", items, False),
        ("receipts", "item", items, False),
        ("receipt_operations", "receipt", receipts, False),
        ("receipt_operations", "centre", centres, True),
        ("receipt_requirements", "receipt", receipts, False),
        ("receipt_requirements", "item", items, False),
        ("demands", "item", items, False),
    ]
    for table, column, rows, may_be_none in refers:
        array = getattr(getattr(problem, table), column)
        wrong = np.flatnonzero((array < (-1 if may_be_none else 0)) | (array >= rows))
        if wrong.size:
            raise ProblemError(
                "no_such_row",
                f"{table}.{column} names a row that is not there",
                table=table,
                column=column,
                row=int(wrong[0]),
            )
    positive = [
        (
            "items",
            (
                "lead_time_s",
                "safety_stock",
                "lot_minimum",
                "lot_multiple",
                "lot_maximum",
                "lot_fixed",
                "cover_s",
                "fence_s",
            ),
        ),
        ("bom", ("quantity", "scrap_ppm")),
        ("routing", ("setup_s", "run_us", "wait_s")),
        ("stock", ("quantity",)),
        ("receipts", ("quantity",)),
        ("receipt_operations", ("setup_s", "run_s", "wait_s")),
        ("receipt_requirements", ("quantity",)),
        ("demands", ("quantity", "shipping_s")),
        ("centres", ("machines",)),
    ]
    for table, names in positive:
        for column in names:
            wrong = np.flatnonzero(getattr(getattr(problem, table), column) < 0)
            if wrong.size:
                raise ProblemError(
                    "negative", f"{table}.{column} is negative", table=table, column=column, row=int(wrong[0])
                )
    if np.any(problem.bom.per_quantity <= 0):
        raise ProblemError(
            "negative",
            "bom.per_quantity is not positive",
            table="bom",
            column="per_quantity",
            row=int(np.flatnonzero(problem.bom.per_quantity <= 0)[0]),
        )
    if np.any(problem.bom.scrap_ppm >= PPM):
        raise ProblemError(
            "scrap",
            "all of a component would be lost",
            table="bom",
            column="scrap_ppm",
            row=int(np.flatnonzero(problem.bom.scrap_ppm >= PPM)[0]),
        )
    if np.any(problem.hours.end_s <= problem.hours.start_s):
        raise ProblemError(
            "hours_backwards",
            "hours end before they start",
            table="hours",
            column="end_s",
            row=int(np.flatnonzero(problem.hours.end_s <= problem.hours.start_s)[0]),
        )


class Line:
    """One component of a parent after phantoms are passed through; `ratio` is gross component per parent, exact, and
    gross micro-units per order when `fixed`."""

    __slots__ = ("component", "fixed", "from_s", "operation", "ratio", "until_s")

    def __init__(self, component: int, ratio: Fraction, fixed: bool, operation: int, from_s: int, until_s: int) -> None:
        self.component = component
        self.fixed = fixed
        self.ratio = ratio
        self.operation = operation
        self.from_s = from_s
        self.until_s = until_s


def flat_bom(problem: Problem, places: list[dict[int, int]]) -> list[list[Line]]:
    """Per parent its components, phantoms replaced by what they consist of.

    Raises ProblemError "bom_circle" when a phantom contains itself.
    """
    bom, kinds = problem.bom, problem.items.kind.tolist()

    own: list[list[Line]] = [[] for _ in kinds]
    columns = zip(
        bom.parent.tolist(),
        bom.component.tolist(),
        bom.quantity.tolist(),
        bom.per_quantity.tolist(),
        bom.scrap_ppm.tolist(),
        bom.effective_from_s.tolist(),
        bom.effective_until_s.tolist(),
        bom.sequence.tolist(),
        bom.fixed.tolist(),
        strict=True,
    )
    rows = cast("Iterable[tuple[int, ...]]", columns)
    for parent, component, quantity, per, scrap, from_s, until_s, sequence, fixed in rows:
        ratio = Fraction(quantity * PPM, (1 if fixed else per) * (PPM - scrap))
        own[parent].append(Line(component, ratio, fixed != 0, places[parent].get(sequence, 0), from_s, until_s))
    if not any(kind == ItemKind.PHANTOM for kind in kinds):
        return own

    def through(line: Line, above: tuple[int, ...]) -> list[Line]:
        if kinds[line.component] != ItemKind.PHANTOM:
            return [line]
        if line.component in above:
            raise ProblemError("bom_circle", "a phantom contains itself", table="bom", item=line.component)
        lines: list[Line] = []
        for below in own[line.component]:
            from_s, until_s = max(line.from_s, below.from_s), min(line.until_s, below.until_s)
            if from_s < until_s:
                # What a phantom takes once per order, its parent takes once per order.
                ratio = below.ratio if below.fixed else line.ratio * below.ratio
                fixed = below.fixed or line.fixed
                merged = Line(below.component, ratio, fixed, line.operation, from_s, until_s)
                lines.extend(through(merged, (*above, line.component)))
        return lines

    return [[deeper for line in lines for deeper in through(line, ())] for lines in own]


def low_level_codes(problem: Problem, lines: list[list[Line]]) -> Column:
    """Per item how deep below an end item it is used, over BOMs and open work orders.

    Raises ProblemError "bom_circle" naming an item that needs itself.
    """
    below: list[set[int]] = [{line.component for line in of} for of in lines]
    made: list[int] = problem.receipts.item.tolist()
    needs = problem.receipt_requirements
    receipts: list[int] = needs.receipt.tolist()
    for receipt, item in zip(receipts, needs.item.tolist(), strict=True):
        below[made[receipt]].add(item)
    above = [0] * len(below)
    for components in below:
        for component in components:
            above[component] += 1
    level = np.zeros(len(below), np.int64)
    free = [item for item, parents in enumerate(above) if parents == 0]
    for item in free:
        for component in below[item]:
            level[component] = max(level[component], level[item] + 1)
            above[component] -= 1
            if above[component] == 0:
                free.append(component)
    if len(free) < len(below):
        circle = min(item for item, parents in enumerate(above) if parents > 0)
        raise ProblemError("bom_circle", f"item {circle} is part of itself", table="bom", item=circle)
    return level


def routing_columns(problem: Problem) -> tuple[dict[str, Column], list[dict[int, int]]]:
    """Operations by item and sequence (one without a centre for makes without routing), and sequence -> place."""
    routing, items = problem.routing, problem.items
    has = np.zeros(len(items), bool)
    has[routing.item] = True
    bare = np.flatnonzero(~has & ((items.kind == ItemKind.MAKE) | (items.kind == ItemKind.PHANTOM)))
    lead = np.where(items.kind[bare] == ItemKind.MAKE, items.lead_time_s[bare], 0)
    zero = np.zeros(bare.size, np.int64)
    owner = np.concatenate((routing.item.astype(np.int64), bare))
    sequence = np.concatenate((routing.sequence, zero))
    order = np.lexsort((sequence, owner))
    columns = {
        "op_first": grouped(len(items), owner),
        "op_centre": np.concatenate((routing.centre.astype(np.int64), zero - 1))[order],
        "op_setup_s": np.concatenate((routing.setup_s, lead))[order],
        "op_run_us": np.concatenate((routing.run_us, zero))[order],
        "op_fixed": np.concatenate((routing.fixed, zero))[order],
        "op_wait_s": np.concatenate((routing.wait_s, zero))[order],
        "op_sequence": sequence[order],
    }
    places: list[dict[int, int]] = [{} for _ in range(len(items))]
    owners: list[int] = owner[order].tolist()
    numbers: list[int] = sequence[order].tolist()
    for item, number in zip(owners, numbers, strict=True):
        places[item][number] = len(places[item])
    return columns, places


def bom_columns(lines: list[list[Line]]) -> dict[str, Column]:
    """The flat BOM as CSR. Raises ProblemError "ratio_too_fine" when an exact ratio does not fit 61 bits."""
    flat = [line for of in lines for line in of]
    for parent, of in enumerate(lines):
        for line in of:
            if max(line.ratio.numerator, line.ratio.denominator) >= LARGEST_RATIO:
                raise ProblemError("ratio_too_fine", "a quantity per parent needs more than 61 bits", item=parent)
    first = np.zeros(len(lines) + 1, np.int64)
    np.cumsum(np.array([len(of) for of in lines], np.int64), out=first[1:])
    return {
        "bom_first": first,
        "bom_component": np.array([line.component for line in flat], np.int64),
        "bom_numerator": np.array([line.ratio.numerator for line in flat], np.int64),
        "bom_denominator": np.array([line.ratio.denominator for line in flat], np.int64),
        "bom_fixed": np.array([int(line.fixed) for line in flat], np.int64),
        "bom_from": np.array([line.from_s for line in flat], np.int64),
        "bom_until": np.array([line.until_s for line in flat], np.int64),
        "bom_operation": np.array([line.operation for line in flat], np.int64),
    }


def centre_columns(problem: Problem) -> dict[str, Column]:
    """Calendars as CSR with the working seconds before each interval. Raises ProblemError "hours_overlap"."""
    hours, centres = problem.hours, problem.centres
    order = np.lexsort((hours.start_s, hours.centre))
    owner, start, end = hours.centre[order].astype(np.int64), hours.start_s[order], hours.end_s[order]
    clash = np.flatnonzero((owner[1:] == owner[:-1]) & (start[1:] < end[:-1]))
    if clash.size:
        raise ProblemError(
            "hours_overlap", "open hours of a centre overlap", table="hours", centre=int(owner[clash[0]])
        )
    first = grouped(len(centres), owner)
    before = np.zeros(start.size + 1, np.int64)
    np.cumsum(end - start, out=before[1:])
    before = before[:-1] - before[first[owner]] if start.size else before[:-1]
    machine_first = np.zeros(len(centres) + 1, np.int64)
    np.cumsum(centres.machines, out=machine_first[1:])
    return {
        "machines": centres.machines.copy(),
        "machine_first": machine_first,
        "hours_first": first,
        "hours_start": start.copy(),
        "hours_end": end.copy(),
        "hours_before": before,
    }


def supply_columns(problem: Problem) -> dict[str, Column]:
    """Usable stock and open receipts as one numbering, and which belong to an item."""
    now, items = problem.now_s, len(problem.items)
    usable = np.where(problem.stock.held == 0, problem.stock.quantity, 0)
    at = np.concatenate((problem.stock.available_s, problem.receipts.expected_s))
    overdue = (problem.receipts.expected_s < now).astype(np.int64)
    owner = np.concatenate((problem.stock.item, problem.receipts.item)).astype(np.int64)
    held = np.bincount(problem.stock.item, weights=None, minlength=items) * 0
    np.add.at(held, problem.stock.item[problem.stock.held != 0], problem.stock.quantity[problem.stock.held != 0])
    return {
        "supply_item": owner,
        "supply_quantity": np.concatenate((usable, problem.receipts.quantity)),
        "supply_at": np.maximum(at, now),
        "supply_first": grouped(items, owner),
        "supply_list": np.argsort(owner, kind="stable"),
        "receipt_overdue": overdue,
        "held": held.astype(np.int64),
    }


def receipt_columns(problem: Problem) -> dict[str, Column]:
    """Remaining operations and needs of open work orders, and the order in which they take their places."""
    receipts, ops, needs = problem.receipts, problem.receipt_operations, problem.receipt_requirements
    rows = len(receipts)
    order = np.lexsort((ops.sequence, ops.receipt))
    owner = ops.receipt[order].astype(np.int64)
    first = grouped(rows, owner)
    place = {
        (int(owner[row]), int(ops.sequence[order[row]])): row - int(first[owner[row]]) for row in range(owner.size)
    }
    need_order = np.argsort(needs.receipt, kind="stable")
    operation = np.array(
        [place.get((int(needs.receipt[row]), int(needs.sequence[row])), 0) for row in need_order], np.int64
    )
    machine = ops.machine[order].astype(np.int64)
    centre = ops.centre[order].astype(np.int64)
    limit = np.where(centre >= 0, problem.centres.machines[centre] if len(problem.centres) else 0, 0)
    started = np.zeros(rows, bool)
    started[owner[ops.started[order] == 1]] = True
    rank = np.zeros(rows, np.int64)
    rank[receipts.commitment == Commitment.FIRMED] = -1
    rank[(receipts.commitment == Commitment.RELEASED) | (receipts.commitment == Commitment.SENT)] = -2
    rank[(receipts.commitment == Commitment.STARTED) | started] = -3
    begins = receipts.expected_s.copy()
    placed = np.flatnonzero(ops.start_s[order] >= 0)[::-1]
    begins[owner[placed]] = ops.start_s[order][placed]
    return {
        "receipt_rank": rank,
        "receipt_order": np.lexsort((np.arange(rows), begins, ~started)),
        "rop_first": first,
        "rop_centre": centre,
        "rop_work_s": (ops.setup_s + ops.run_s)[order],
        "rop_wait_s": ops.wait_s[order],
        "rop_started": ops.started[order],
        "rop_start_s": ops.start_s[order],
        "rop_machine": np.where(machine < limit, machine, -1),
        "need_first": grouped(rows, needs.receipt),
        "need_item": needs.item[need_order].astype(np.int64),
        "need_quantity": needs.quantity[need_order],
        "need_operation": operation,
    }


def prepare(problem: Problem) -> Given:
    """Check a problem and index it. Raises ProblemError (see `check`, `flat_bom`, `low_level_codes`)."""
    check(problem)
    items = problem.items
    routing, places = routing_columns(problem)
    lines = flat_bom(problem, places)
    level = low_level_codes(problem, lines)
    total = float(problem.demands.quantity.sum()) + float(problem.stock.quantity.sum())
    if total + float(problem.receipts.quantity.sum()) + float(items.safety_stock.sum()) > 4.0e18:
        raise ProblemError("quantity_too_large", "the quantities do not fit 62 bits of micro-units")
    deepest = int(level.max()) if level.size else 0
    numbers = [
        problem.now_s,
        int(problem.constrained),
        len(problem.stock),
        len(problem.receipts),
        len(problem.demands),
        2 * len(problem.demands) + 2,
        deepest,
    ]
    arrays: dict[str, Column] = {
        "numbers": np.array(numbers, np.int64),
        "kind": items.kind,
        "step": np.maximum(items.step, 1),
        "lead_s": items.lead_time_s,
        "lot_minimum": items.lot_minimum,
        "lot_multiple": items.lot_multiple,
        "lot_maximum": items.lot_maximum,
        "lot_fixed": items.lot_fixed,
        "cover_s": items.cover_s,
        "fence_s": items.fence_s,
        "count_late_s": items.count_late_s,
        "level": level,
        "item_order": np.argsort(level, kind="stable"),
        **routing,
        **bom_columns(lines),
        **centre_columns(problem),
        **supply_columns(problem),
        **receipt_columns(problem),
    }
    # One memory layout for all, so that the kernels are compiled once: own, writable, contiguous, int64.
    return Given(**{name: np.array(array, dtype=np.int64, order="C") for name, array in arrays.items()})


def working_memory(g: Given, orders: int, requirements: int, pegs: int, placements: int) -> Work:
    """Empty memory for one pass, with room for so many rows."""
    stocks, machines = int(g.numbers[2]), int(g.machine_first[-1])
    sizes = {
        "count": 12,
        "item_req": g.kind.shape[0],
        "item_new": g.kind.shape[0],
        "item_new_end": g.kind.shape[0],
        "head": machines,
        "tail": machines,
        "supply_pegged": stocks + orders,
        "profile_quantity": 4 * orders,
        "profile_at": 4 * orders,
    }
    size_of = {"order": orders, "req": requirements, "peg": pegs, "place": placements}
    arrays = {
        name: np.zeros(sizes[name] if name in sizes else size_of.get(name.split("_")[0], 0), np.int64)
        for name in Work._fields
        if name != "reason"
    }
    return Work(**arrays, reason=np.zeros((4 * orders + 64, 9), np.int64))  # pyright: ignore[reportArgumentType]


__all__ = ["MICRO", "NEVER_S", "check", "grouped", "prepare", "working_memory"]
