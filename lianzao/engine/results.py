"""From the working memory of the last pass to the columns of a plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lianzao.engine import advising
from lianzao.engine.columns import (
    NEVER,
    NONE,
    ConsumerKind,
    Deliveries,
    ItemKind,
    Outcomes,
    Pegs,
    Placements,
    Plan,
    Problem,
    Proposals,
    ReasonKind,
    Reasons,
    Shortages,
    SupplyKind,
)
from lianzao.engine.netting import DEMAND, ORDER, SAFETY
from lianzao.engine.preparing import NEVER_S
from lianzao.engine.state import Given, Work
from lianzao.engine.tables import Column, Mask


def served_ranks(g: Given, work: Work, rank: Column, slice_demand: Column) -> tuple[Column, Column]:
    """Per requirement and per order the rank of the most important demand behind it (NEVER_S: none)."""
    requirements, pegs, stocks = int(work.count[1]), int(work.count[2]), int(g.numbers[2])
    kinds, consumers = work.req_ckind[:requirements], work.req_consumer[:requirements]
    of_req = np.full(requirements, NEVER_S)
    direct = kinds == DEMAND
    of_req[direct] = rank[slice_demand[consumers[direct]]]
    of_order = np.full(int(work.count[0]), NEVER_S)
    order, req = work.peg_supply[:pegs] - stocks, work.peg_req[:pegs]
    made = order >= 0
    level = g.level[work.req_item[req]]
    consumer_level = np.full(requirements, -1)
    by_order = kinds == ORDER
    consumer_level[by_order] = g.level[work.order_item[consumers[by_order]]]
    for depth in range(int(g.numbers[6]) + 1):
        here = made & (level == depth)
        np.minimum.at(of_order, order[here], of_req[req[here]])
        below = by_order & (consumer_level == depth)
        of_req[below] = of_order[consumers[below]]
    return of_req, of_order


@dataclass(frozen=True, eq=False)
class Wanted:
    """What the first pass wanted: the shortages, and when each open receipt was needed."""

    shortages: Shortages
    receipt_need: Column  # NEVER_S = by nobody
    receipt_demand: Column  # most important demand behind it, NONE = nobody or safety stock
    own_ready: Column  # per demand when it could leave if it waited for no other demand

    @classmethod
    def of(
        cls,
        problem: Problem,
        g: Given,
        work: Work,
        rank: Column,
        slice_demand: Column,
        pieces: Column,
        lacking: Shortages,
    ) -> Wanted:
        """Read the first pass; `pieces` are rows [slice, quantity, ready] of what it achieved, `lacking` what open work
        orders lacked before they were re-dated to their material."""
        own = problem.demands.due_s - problem.demands.shipping_s
        real = pieces[pieces[:, 2] < NEVER_S]
        np.maximum.at(own, slice_demand[real[:, 0]], real[:, 2])
        stocks, receipts, pegs = int(g.numbers[2]), int(g.numbers[3]), int(work.count[2])
        served, _ = served_ranks(g, work, rank, slice_demand)
        by_rank = np.append(np.argsort(rank, kind="stable"), NONE)
        supply, req = work.peg_supply[:pegs], work.peg_req[:pegs]
        need = np.full(receipts, NEVER_S)
        best = np.full(receipts, NEVER_S)
        open_receipt = (supply >= stocks) & (supply < stocks + receipts)
        row = supply[open_receipt] - stocks
        np.minimum.at(need, row, work.req_need[req[open_receipt]])
        np.minimum.at(best, row, served[req[open_receipt]])
        demand = by_rank[np.minimum(best, rank.size)]
        missing = missing_of(problem, g, work, by_rank[np.minimum(served, rank.size)])
        missing = missing.where(missing.consumer_kind != ConsumerKind.WORK_ORDER).joined(lacking)
        missing = missing.where(np.lexsort((np.arange(len(missing)), missing.need_s, missing.item)))
        return cls(missing, need, demand, own)


def missing_of(problem: Problem, g: Given, work: Work, hurts: Column) -> Shortages:
    """Needs that are met later than wanted, or not at all."""
    stocks, receipts = int(g.numbers[2]), int(g.numbers[3])
    requirements, pegs = int(work.count[1]), int(work.count[2])
    supply, req = work.peg_supply[:pegs], work.peg_req[:pegs]
    at = supply_instants(g, work)[supply]
    late = np.flatnonzero(at > np.maximum(work.req_need[req], problem.now_s))
    unfilled = np.flatnonzero(work.req_unfilled[:requirements] > 0)
    need_row = np.concatenate((req[late], unfilled))
    quantity = np.concatenate((work.peg_quantity[late], work.req_unfilled[unfilled]))
    ready = np.concatenate((np.where(at[late] >= NEVER_S, NEVER, at[late]), np.full(unfilled.size, NEVER)))
    source = np.concatenate((supply[late], np.full(unfilled.size, -1)))
    kind, consumer = work.req_ckind[need_row], work.req_consumer[need_row]
    ordered = kind == ORDER
    parent = np.where(ordered, work.order_item[np.where(ordered, consumer, 0)] if len(work.order_item) else 0, NONE)
    is_receipt = ordered & (consumer < receipts)
    consumer_kind = np.select(
        [kind == DEMAND, is_receipt, ordered],
        [ConsumerKind.DEMAND, ConsumerKind.WORK_ORDER, ConsumerKind.PROPOSAL],
        ConsumerKind.SAFETY,
    )
    consumer = np.select([kind == DEMAND, is_receipt, ordered], [hurts[need_row], consumer, NONE], consumer)
    supply_kind = np.select(
        [source < 0, source < stocks, source < stocks + receipts],
        [0, SupplyKind.STOCK, SupplyKind.RECEIPT],
        SupplyKind.PROPOSAL,
    )
    row = np.select([source < 0, source < stocks, source < stocks + receipts], [NONE, source, source - stocks], NONE)
    order = np.lexsort((np.arange(need_row.size), work.req_need[need_row], work.req_item[need_row]))
    return Shortages.of(
        item=work.req_item[need_row][order],
        quantity=quantity[order],
        need_s=work.req_need[need_row][order],
        ready_s=ready[order],
        consumer_kind=consumer_kind[order],
        consumer=consumer[order],
        parent=parent[order],
        demand=hurts[need_row][order],
        supply_kind=supply_kind[order],
        supply=row[order],
    )


def shortages_of_orders(problem: Problem, g: Given, work: Work, rank: Column, slice_demand: Column) -> Shortages:
    """What open work orders lack at the instant they would begin."""
    served, _ = served_ranks(g, work, rank, slice_demand)
    by_rank = np.append(np.argsort(rank, kind="stable"), NONE)
    missing = missing_of(problem, g, work, by_rank[np.minimum(served, rank.size)])
    return missing.where(missing.consumer_kind == ConsumerKind.WORK_ORDER)


def supply_instants(g: Given, work: Work) -> Column:
    """When each supply is there, by supply number."""
    stocks, orders = int(g.numbers[2]), int(work.count[0])
    return np.concatenate((g.supply_at[:stocks], work.order_finish[:orders]))


def living_orders(g: Given, work: Work) -> tuple[Mask, Mask]:
    """Which orders and pegs stay: orders that can never be finished go, with all that was planned only for them."""
    stocks, receipts = int(g.numbers[2]), int(g.numbers[3])
    orders, pegs = int(work.count[0]), int(work.count[2])
    alive = work.order_finish[:orders] < NEVER_S
    supply, req = work.peg_supply[:pegs], work.peg_req[:pegs]
    kind, consumer = work.req_ckind[req], work.req_consumer[req]
    by_order = kind == ORDER
    order = supply - stocks
    while True:
        good = np.ones(pegs, bool)
        good[by_order] = alive[consumer[by_order]]
        made = order >= 0
        good[made] &= alive[order[made]]
        served = np.zeros(orders, np.int64)
        wanted = np.zeros(orders, np.int64)
        np.add.at(wanted, order[made], 1)
        np.add.at(served, order[made & good], 1)
        useless = alive & (wanted > 0) & (served == 0)
        useless[:receipts] = False
        if not useless.any():
            return alive, good
        alive = alive & ~useless


def plan_of(
    problem: Problem,
    g: Given,
    work: Work,
    rank: Column,
    slice_demand: Column,
    reasons: Column,
    wanted: Wanted,
    passes: int,
) -> Plan:
    """Build the plan's columns, each sorted in one fixed way."""
    receipts = int(g.numbers[3])
    alive, good = living_orders(g, work)
    served = served_ranks(g, work, rank, slice_demand)[1]
    demand = np.append(np.argsort(rank, kind="stable"), NONE)[np.minimum(served, rank.size)]
    proposals, number = proposals_of(problem, g, work, alive, demand)
    placements = placements_of(problem, g, work, alive, number)
    pegs = pegs_of(problem, g, work, slice_demand, good, number)
    deliveries = deliveries_of(problem, pegs)
    outcomes = outcomes_of(problem, deliveries)
    grouped = waits_for_group(problem, wanted.own_ready, outcomes, reasons[:, 0])
    why = reasons_of(np.concatenate((reasons, grouped)), outcomes)
    ready = np.where(work.order_finish[:receipts] >= NEVER_S, NEVER, work.order_finish[:receipts])
    messages = advising.messages_of(problem, pegs, proposals, why, ready, wanted.receipt_need, wanted.receipt_demand)
    return Plan(
        proposals,
        placements,
        pegs,
        deliveries,
        outcomes,
        why,
        messages,
        wanted.shortages,
        ready,
        np.array(g.level),
        passes,
    )


def proposals_of(problem: Problem, g: Given, work: Work, alive: Mask, demand: Column) -> tuple[Proposals, Column]:
    """The new orders, sorted, and per order its proposal row (receipts keep their own row number)."""
    receipts, orders = int(g.numbers[3]), int(work.count[0])
    new = np.flatnonzero(alive[receipts:]) + receipts
    item, finish = work.order_item[new], work.order_finish[new]
    kind = g.kind[item]
    start = np.where(kind == ItemKind.BUY, finish - g.lead_s[item], 0)
    made = kind != ItemKind.BUY
    start[made] = work.place_start[work.order_op[new[made]]]
    order = np.lexsort((new, work.order_rank[new], work.order_quantity[new], start, finish, item))
    number = np.concatenate((np.arange(receipts), np.full(orders - receipts, NONE)))
    number[new[order]] = np.arange(new.size)
    table = Proposals.of(
        item=item[order],
        kind=kind[order],
        quantity=work.order_quantity[new][order],
        start_s=start[order],
        finish_s=finish[order],
        need_s=work.order_need[new][order],
        demand=demand[new][order],
        past=start[order] < problem.now_s,
    )
    return table, number


def placements_of(problem: Problem, g: Given, work: Work, alive: Mask, number: Column) -> Placements:
    """Where every operation stands, sorted by centre, machine and start."""
    receipts, rows = int(g.numbers[3]), int(work.count[3])
    keep = np.flatnonzero(alive[work.place_order[:rows]])
    order = work.place_order[keep]
    k = keep - work.order_op[order]
    ops = problem.receipt_operations
    own = ops.sequence[np.lexsort((ops.sequence, ops.receipt))]
    is_receipt = order < receipts
    sequence = np.zeros(keep.size, np.int64)
    sequence[is_receipt] = own[g.rop_first[order[is_receipt]] + k[is_receipt]]
    sequence[~is_receipt] = g.op_sequence[g.op_first[work.order_item[order[~is_receipt]]] + k[~is_receipt]]
    kind = np.where(is_receipt, SupplyKind.RECEIPT, SupplyKind.PROPOSAL)
    by = np.lexsort((k, number[order], kind, work.place_start[keep], work.place_machine[keep], work.place_centre[keep]))
    keep = keep[by]
    return Placements.of(
        supply_kind=kind[by],
        supply=number[order][by],
        sequence=sequence[by],
        centre=work.place_centre[keep],
        machine=work.place_machine[keep],
        start_s=work.place_start[keep],
        end_s=work.place_end[keep],
        work_s=work.place_work[keep],
    )


def pegs_of(problem: Problem, g: Given, work: Work, slice_demand: Column, good: Mask, number: Column) -> Pegs:
    """All pegs that hold, slices of one demand put together."""
    stocks, receipts = int(g.numbers[2]), int(g.numbers[3])
    rows = np.flatnonzero(good)
    supply, req = work.peg_supply[rows], work.peg_req[rows]
    ready = supply_instants(g, work)[supply]
    kind, consumer = work.req_ckind[req], work.req_consumer[req]
    order = np.where(kind == ORDER, consumer, 0)
    need = np.maximum(work.req_need[req], ready)
    if problem.constrained:
        need = np.maximum(need, np.where(kind == SAFETY, need, problem.now_s))
    taken = kind == ORDER
    if taken.any():
        has_ops = taken & (work.order_ops[order] > 0)
        need[has_ops] = work.place_start[work.order_op[order[has_ops]] + work.req_operation[req[has_ops]]]
        bare = taken & (work.order_ops[order] == 0)
        need[bare] = work.order_finish[order[bare]]
    demand = kind == DEMAND
    consumer = consumer.copy()
    consumer[demand] = slice_demand[consumer[demand]]
    due = problem.demands.due_s - problem.demands.shipping_s
    need[demand] = np.maximum(due[consumer[demand]], ready[demand])
    if problem.constrained:
        need[demand] = np.maximum(need[demand], problem.now_s)
    together(problem, consumer, need, demand)
    consumer_kind = np.select(
        [demand, taken & (order < receipts), taken],
        [ConsumerKind.DEMAND, ConsumerKind.WORK_ORDER, ConsumerKind.PROPOSAL],
        ConsumerKind.SAFETY,
    )
    consumer[taken] = number[consumer[taken]]
    supply_kind = np.select(
        [supply < stocks, supply < stocks + receipts], [SupplyKind.STOCK, SupplyKind.RECEIPT], SupplyKind.PROPOSAL
    )
    row = supply.copy()
    row[supply >= stocks] = number[supply[supply >= stocks] - stocks]
    item, quantity = work.req_item[req], work.peg_quantity[rows]
    by = np.lexsort((need, row, supply_kind, ready, item, consumer, consumer_kind))
    columns = [array[by] for array in (supply_kind, row, consumer_kind, consumer, item, ready, need)]
    if by.size == 0:
        return Pegs.empty()
    new = np.ones(by.size, bool)
    new[1:] = np.any([np.diff(array) != 0 for array in columns], axis=0)
    total = np.add.reduceat(quantity[by], np.flatnonzero(new))
    columns = [array[new] for array in columns]
    return Pegs.of(
        supply_kind=columns[0],
        supply=columns[1],
        consumer_kind=columns[2],
        consumer=columns[3],
        item=columns[4],
        quantity=total,
        ready_s=columns[5],
        need_s=columns[6],
    )


def together(problem: Problem, consumer: Column, need: Column, demand: Column) -> None:
    """Demands in one delivery, and groups of demands, leave when the last of them is ready."""
    demands = problem.demands
    rows = np.flatnonzero(demand)
    whole = rows[demands.one_delivery[consumer[rows]] == 1]
    if whole.size:
        last = np.full(len(demands), -NEVER_S)
        np.maximum.at(last, consumer[whole], need[whole])
        need[whole] = last[consumer[whole]]
    grouped = rows[demands.group[consumer[rows]] >= 0]
    if grouped.size:
        group = demands.group[consumer[grouped]]
        last = np.full(int(group.max()) + 1, -NEVER_S)
        np.maximum.at(last, group, need[grouped])
        need[grouped] = last[group]


def deliveries_of(problem: Problem, pegs: Pegs) -> Deliveries:
    """What reaches the customer when."""
    rows = np.flatnonzero(pegs.consumer_kind == ConsumerKind.DEMAND)
    demand = pegs.consumer[rows]
    at = pegs.need_s[rows] + problem.demands.shipping_s[demand]
    by = np.lexsort((pegs.supply[rows], pegs.supply_kind[rows], at, demand))
    rows = rows[by]
    return Deliveries.of(
        demand=demand[by],
        quantity=pegs.quantity[rows],
        delivered_s=at[by],
        supply_kind=pegs.supply_kind[rows],
        supply=pegs.supply[rows],
    )


def outcomes_of(problem: Problem, deliveries: Deliveries) -> Outcomes:
    """Delivered, short and late, per demand."""
    demands = problem.demands
    rows = len(demands)
    delivered, on_time = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    last = np.full(rows, NEVER)
    np.add.at(delivered, deliveries.demand, deliveries.quantity)
    in_time = deliveries.delivered_s <= demands.due_s[deliveries.demand]
    np.add.at(on_time, deliveries.demand[in_time], deliveries.quantity[in_time])
    late = np.zeros(rows, np.int64)
    if len(deliveries):
        latest = np.full(rows, -NEVER_S)
        np.maximum.at(latest, deliveries.demand, deliveries.delivered_s)
        some = latest > -NEVER_S
        last[some] = latest[some]
        late[some] = np.maximum(latest[some] - demands.due_s[some], 0)
    counted = demands.due_s <= problem.horizon_until_s
    return Outcomes.of(
        delivered=delivered,
        short=np.where(counted, demands.quantity - delivered, 0),
        on_time=on_time,
        projected_s=last,
        late_s=late,
    )


def waits_for_group(problem: Problem, ready: Column, outcomes: Outcomes, explained: Column) -> Column:
    """Reason rows for late demands that would have been ready before the last of their group.

    A demand that no trace explains also waits for its group: for the member that was traced.
    """
    demands = problem.demands
    rows: list[list[int]] = []
    known = set(explained.tolist())
    for demand in np.flatnonzero(((outcomes.late_s > 0) | (outcomes.short > 0)) & (demands.group >= 0)).tolist():
        members = np.flatnonzero((demands.group == demands.group[demand]) & (outcomes.delivered > 0))
        if members.size == 0:
            continue
        last = int(members[np.argmax(ready[members])])
        wait = int(ready[last] - ready[demand])
        if wait <= 0 and demand not in known:
            last = int(members[np.argmax(np.isin(members, explained))])
            wait = int(outcomes.late_s[demand])
        if wait > 0:
            rows.append(
                [
                    demand,
                    ReasonKind.DELIVERED_TOGETHER,
                    int(demands.item[last]),
                    NONE,
                    NONE,
                    wait,
                    int(ready[demand]),
                    int(ready[demand]) + wait,
                    int(demands.quantity[demand]),
                ]
            )
    return np.array(rows, np.int64).reshape(-1, 9)


def reasons_of(rows: Column, outcomes: Outcomes) -> Reasons:
    """One row per demand and cause, the heaviest first; only for demands that stay late or short."""
    if rows.shape[0] == 0:
        return Reasons.empty()
    hurt = (outcomes.late_s > 0) | (outcomes.short > 0)
    missing = (rows[:, 1] == ReasonKind.SHORT_FOR_EVER) | (rows[:, 1] == ReasonKind.BEYOND_HORIZON)
    rows = rows[hurt[rows[:, 0]] & (~missing | (outcomes.short[rows[:, 0]] > 0))]
    missing = (rows[:, 1] == ReasonKind.SHORT_FOR_EVER) | (rows[:, 1] == ReasonKind.BEYOND_HORIZON)
    weight: Column = np.asarray(np.where(missing, NEVER_S, rows[:, 5]), np.int64)
    same = np.lexsort((np.arange(len(rows)), -weight, rows[:, 4], rows[:, 3], rows[:, 2], rows[:, 1], rows[:, 0]))
    sorted_rows = rows[same]
    first = np.ones(same.size, bool)
    first[1:] = np.any(np.diff(sorted_rows[:, :5], axis=0) != 0, axis=1)
    rows, weight = sorted_rows[first], weight[same][first]
    by = np.lexsort((rows[:, 3], rows[:, 2], rows[:, 1], -weight, rows[:, 0]))
    rows = rows[by]
    starts = np.flatnonzero(np.concatenate(([True], np.diff(rows[:, 0]) != 0))) if rows.shape[0] else np.empty(0, int)
    lengths = np.asarray(np.diff(np.append(starts, rows.shape[0])), np.int64)
    place = np.arange(len(rows)) - np.asarray(np.repeat(starts, lengths), np.int64)
    return Reasons.of(
        demand=rows[:, 0],
        place=place,
        kind=rows[:, 1],
        item=rows[:, 2],
        centre=rows[:, 3],
        receipt=rows[:, 4],
        seconds=rows[:, 5],
        from_s=rows[:, 6],
        until_s=rows[:, 7],
        quantity=rows[:, 8],
    )
