"""`solve(problem) -> Plan`: pure, deterministic, usable on its own.

The first pass wants every demand on its due date and finds what is possible, and why not more; it is repeated until
open work orders that wait for material no longer ask for the rest of theirs too early. The following passes
aim at the dates found, so that everything beside the critical path becomes just in time and nothing is made or bought
for what cannot be delivered. They end when nothing changes, at the latest after `MOST_PASSES`; what would even then be
delivered after its last call is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lianzao.engine import results
from lianzao.engine.columns import MICRO, Demands, ItemKind, Items, Plan, Problem, ProblemError
from lianzao.engine.preparing import NEVER_S, prepare, working_memory
from lianzao.engine.scheduling import run_pass
from lianzao.engine.starving import newly_starved
from lianzao.engine.state import Given, Work
from lianzao.engine.tables import Column, Mask
from lianzao.engine.tracing import delivery_pieces, safety_short, trace_slices

MOST_PASSES = 6
MOST_RESTARTS = 8  # first passes until the open work orders have their material dates
MOST_REDATINGS = 3


@dataclass(frozen=True, eq=False)
class Slices:
    """Parts of demands with the date each is aimed at; `again` = 1: tried once more with what others left."""

    demand: Column
    quantity: Column
    need: Column
    again: Column

    def only(self, keep: Mask) -> Slices:
        """Those that are to be kept."""
        return Slices(self.demand[keep], self.quantity[keep], self.need[keep], self.again[keep])

    def same_as(self, other: Slices) -> bool:
        """True when both hold the same rows."""
        return all(
            np.array_equal(mine, theirs)
            for mine, theirs in (
                (self.demand, other.demand),
                (self.quantity, other.quantity),
                (self.need, other.need),
                (self.again, other.again),
            )
        )


def demand_ranks(demands: Demands) -> Column:
    """Place of each demand in the line: priority, then due, then row."""
    rank = np.empty(len(demands), np.int64)
    rank[np.lexsort((np.arange(len(demands)), demands.due_s, demands.priority))] = np.arange(len(demands))
    return rank


def first_slices(problem: Problem) -> Slices:
    """Every demand whole, wanted at the dock its shipping time before it is due."""
    demands = problem.demands
    rows = np.flatnonzero((demands.quantity > 0) & (demands.due_s <= problem.horizon_until_s))
    need = demands.due_s[rows] - demands.shipping_s[rows]
    return Slices(rows.astype(np.int64), demands.quantity[rows], need, np.zeros(rows.size, np.int64))


def last_call(demands: Demands) -> Column:
    """Per demand the instant after which it is not wanted any more; due itself is never too late."""
    return np.maximum(demands.latest_s, demands.due_s)


def in_time(problem: Problem, g: Given, work: Work, slices: Slices, plan: Plan) -> Mask:
    """Per slice whether the customer still wants what the plan delivers of it.

    What is one delivery, or part of a group, is wanted whole or not at all; else what comes in time stays.
    """
    demands, rows = problem.demands, int(work.count[2])
    wanted = last_call(demands)
    late = np.zeros(len(demands), bool)
    late[plan.deliveries.demand[plan.deliveries.delivered_s > wanted[plan.deliveries.demand]]] = True
    ready = np.full(slices.demand.size, -NEVER_S)
    own = np.flatnonzero(work.peg_req[:rows] < ready.size)  # the first needs are the slices
    np.maximum.at(ready, work.peg_req[own], results.supply_instants(g, work)[work.peg_supply[own]])
    apart = (demands.one_delivery == 0) & (demands.group < 0)
    comes = ready + demands.shipping_s[slices.demand] <= wanted[slices.demand]
    return ~late[slices.demand] | (apart[slices.demand] & comes)


def next_slices(problem: Problem, slices: Slices, pieces: Column, retry: bool) -> Slices:
    """Aim each piece at the date it can have; apply one delivery, groups and the latest date; drop what is short.

    With `retry`, what was short stays in the line once more, behind everybody, for what the others give back.
    """
    demands = problem.demands
    source, quantity, ready = pieces[:, 0], pieces[:, 1], pieces[:, 2]
    demand = slices.demand[source]
    at = np.where(ready >= NEVER_S, NEVER_S, np.maximum(ready, slices.need[source]))
    latest = np.full(len(demands), -NEVER_S)
    np.maximum.at(latest, demand, at)
    at = np.where(demands.one_delivery[demand] == 1, latest[demand], at)
    group = demands.group[demand]
    if np.any(group >= 0):
        together = np.full(int(group.max()) + 1, -NEVER_S)
        counted = (group >= 0) & (at < NEVER_S)
        np.maximum.at(together, group[counted], at[counted])
        at = np.where(counted, together[group], at)
    at = np.where(at > last_call(demands)[demand] - demands.shipping_s[demand], NEVER_S, at)
    short = at >= NEVER_S
    again = np.where(short, 1, slices.again[source])
    due = demands.due_s[demand] - demands.shipping_s[demand]
    at = np.where(short, due, at)
    if not retry:
        keep = ~short
        demand, quantity, at, again = demand[keep], quantity[keep], at[keep], again[keep]
    if demand.size == 0:
        nothing = np.empty(0, np.int64)
        return Slices(nothing, nothing, nothing, nothing)
    order = np.lexsort((again, at, demand))
    demand, quantity, at, again = demand[order], quantity[order], at[order], again[order]
    new = np.concatenate(([True], (np.diff(demand) != 0) | (np.diff(at) != 0) | (np.diff(again) != 0)))
    return Slices(demand[new], np.add.reduceat(quantity, np.flatnonzero(new)), at[new], again[new])


class Memory:
    """Working memory that grows when a pass does not fit."""

    def __init__(self, g: Given, demands: int) -> None:
        base = int(g.numbers[3]) + 4 * (demands + g.kind.shape[0]) + 64
        self.g = g
        self.sizes = [base, 3 * base + 4 * demands, 4 * base, 2 * base + g.rop_centre.shape[0]]
        self.work = working_memory(g, *self.sizes)

    def run(self, slices: Slices, rank: Column, safety: Column, material_ready: Column) -> Work:
        """One pass. Raises ProblemError "quantity_too_large" naming the item whose explosion overflows."""
        item = self.items[slices.demand]
        line = rank[slices.demand] + slices.again * (rank.size + 1)
        while True:
            run_pass(self.g, self.work, item, slices.quantity, slices.need, line, safety, material_ready)
            if self.work.count[5] == 0 and self.work.count[6] == 0 and self.g.numbers[1] == 1:
                trace_slices(self.g, self.work, slices.demand)
            if self.work.count[6] > 0:
                at = int(self.work.count[7])
                raise ProblemError("quantity_too_large", f"components of item {at} do not fit 62 bits", item=at)
            if self.work.count[5] == 0:
                return self.work
            self.sizes = [2 * size for size in self.sizes]
            self.work = working_memory(self.g, *self.sizes)

    items: Column = np.empty(0, np.int64)


def pieces_of_slices(g: Given, work: Work, slices: Slices) -> Column:
    """Rows [slice, quantity, ready] of what the pass achieved."""
    rows = 8 * slices.demand.size + 64
    while True:
        out = np.empty((rows, 3), np.int64)
        number = delivery_pieces(g, work, slices.demand.size, out)
        if number >= 0:
            return out[:number]
        rows *= 4


def ready_of_open_orders(g: Given, work: Work) -> Column:
    """Per remaining operation when its material came, then per receipt when it is finished."""
    operations, receipts = g.rop_centre.shape[0], int(g.numbers[3])
    return np.concatenate((work.place_ready[:operations], work.order_finish[:receipts]))


def settled_material(g: Given, before: Column, found: Column, starved: list[int]) -> Column:
    """Material dates of open work orders for another first pass: as found; never for starved orders; and as before for
    those that only wait for what a starved order holds."""
    ready = np.where((found >= NEVER_S) | (before >= NEVER_S), before, found)
    operations = g.rop_centre.shape[0]
    for order in starved:
        ready[g.rop_first[order] : g.rop_first[order + 1]] = NEVER_S
        ready[operations + order] = NEVER_S
    return ready


def solve(problem: Problem) -> Plan:
    """Plan everything: proposals, their places, pegs, deliveries, reasons, messages, shortages.

    Raises ProblemError when the columns contradict each other (see `preparing.prepare`).
    """
    g = prepare(problem)
    memory = Memory(g, len(problem.demands))
    memory.items = problem.demands.item.astype(np.int64)
    rank = demand_ranks(problem.demands)
    slices, safety = first_slices(problem), np.array(problem.items.safety_stock, np.int64)
    ready = np.full(g.rop_centre.shape[0] + len(problem.receipts), problem.now_s, np.int64)
    work = memory.run(slices, rank, safety, ready)
    lacking = results.shortages_of_orders(problem, g, work, rank, slices.demand)
    for turn in range(MOST_RESTARTS if problem.constrained else 0):
        starved = newly_starved(g, work)
        later = settled_material(g, ready, ready_of_open_orders(g, work) if turn < MOST_REDATINGS else ready, starved)
        if np.array_equal(later, ready):
            break
        ready = later
        work = memory.run(slices, rank, safety, ready)
    wanted = results.Wanted.of(problem, g, work, rank, slices.demand, pieces_of_slices(g, work, slices), lacking)
    reasons = [work.reason[: work.count[4]].copy()]
    passes = 1
    while problem.constrained and passes < MOST_PASSES:
        achieved = next_slices(problem, slices, pieces_of_slices(g, work, slices), retry=passes == 1)
        lower = safety.copy()
        safety_short(g, work, lower)
        later = np.where(ready >= NEVER_S, NEVER_S, ready_of_open_orders(g, work))  # never stays never
        if achieved.same_as(slices) and np.array_equal(lower, safety) and np.array_equal(later, ready):
            break
        slices, safety, ready = achieved, lower, later
        work = memory.run(slices, rank, safety, ready)
        reasons.append(work.reason[: work.count[4]].copy())
        passes += 1
    while True:
        plan = results.plan_of(problem, g, work, rank, slices.demand, np.concatenate(reasons), wanted, passes)
        if not problem.constrained or (keep := in_time(problem, g, work, slices, plan)).all():
            return plan
        # Dates did not come to rest: what the last pass brings after its last call is left out.
        slices = slices.only(keep)
        work = memory.run(slices, rank, safety, ready)
        reasons.append(work.reason[: work.count[4]].copy())
        passes += 1


def warm() -> None:
    """Compile or load the kernels, so that the first real plan is as fast as the others."""
    solve(Problem(0, Items.of(kind=[ItemKind.BUY], step=MICRO), Demands.of(item=[0], quantity=[MICRO], due_s=[0])))
