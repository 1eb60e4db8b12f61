"""Answering "when could we deliver?" (capable to promise), and taking proposals over as open orders."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lianzao.engine.columns import (
    NEVER,
    Commitment,
    ConsumerKind,
    Deliveries,
    ItemKind,
    Plan,
    Problem,
    Reasons,
    ReceiptKind,
    ReceiptOperations,
    ReceiptRequirements,
    Receipts,
    SupplyKind,
)
from lianzao.engine.replanning import replan
from lianzao.engine.tables import Column, Index


@dataclass(frozen=True)
class Promise:
    """The answer. `projected_s` is when the last piece arrives, NEVER when not all can be delivered."""

    projected_s: int
    on_time: bool
    delivered: int  # micro-units
    short: int
    deliveries: Deliveries  # slices of the trial demand
    reasons: Reasons  # why not earlier
    plan: Plan  # the whole plan with the trial demand as its last demand row
    hurts: tuple[int, ...]  # other demands that would come later (possible through shared lots and fences)


def promise(
    problem: Problem,
    plan: Plan,
    item: int,
    quantity: int,
    wanted_s: int,
    *,
    shipping_s: int = 0,
    one_delivery: bool = True,
    priority: int | None = None,
) -> Promise:
    """Try a demand behind everybody else (or at a priority of its own) on the same problem.

    `plan` is the plan of `problem`; only what the trial touches is planned anew. quantity in micro-units.
    """
    demands = problem.demands
    last = int(demands.priority.max()) + 1 if len(demands) else 0
    trial = type(demands).of(
        item=[item],
        quantity=quantity,
        due_s=wanted_s,
        shipping_s=shipping_s,
        priority=last if priority is None else priority,
        one_delivery=int(one_delivery),
    )
    row = len(demands)
    horizon = max(problem.horizon_until_s, wanted_s)
    tried = replan(replace(problem, demands=demands.joined(trial), horizon_until_s=horizon), plan, demands=[row])
    outcome = tried.outcomes.row(row)
    was, now = plan.outcomes, tried.outcomes
    later = (now.projected_s[:row] > was.projected_s) | (now.short[:row] > was.short)
    return Promise(
        projected_s=outcome["projected_s"] if outcome["short"] == 0 else NEVER,
        on_time=outcome["on_time"] == quantity,
        delivered=outcome["delivered"],
        short=outcome["short"],
        deliveries=tried.deliveries.where(tried.deliveries.demand == row),
        reasons=tried.reasons.where(tried.reasons.demand == row),
        plan=tried,
        hurts=tuple(np.flatnonzero(later).tolist()),
    )


def accept(
    problem: Problem, plan: Plan, proposals: Column | None = None, commitment: int = Commitment.FIRMED
) -> Problem:
    """The problem after accepting proposals (all of them, or these rows): they are open receipts now.

    Purchases are expected when the plan has them; work orders carry their operations with the places they were given
    and their components as requirements. Work orders that were open before keep the places this plan gives them: they
    would else ask for their material at once, and take it from the demands it was bought for. Planning again proposes
    nothing more for what was accepted.
    """
    rows = np.arange(len(plan.proposals)) if proposals is None else np.unique(np.asarray(proposals))
    taken = plan.proposals.where(rows)
    first = len(problem.receipts)
    number = np.full(len(plan.proposals), -1)
    number[rows] = first + np.arange(rows.size)
    kind = np.where(taken.kind == ItemKind.BUY, ReceiptKind.PURCHASE, ReceiptKind.WORK_ORDER)
    receipts = problem.receipts.joined(
        Receipts.of(
            item=taken.item, quantity=taken.quantity, expected_s=taken.finish_s, kind=kind, commitment=commitment
        )
    )
    places = plan.placements
    mine = places.where(places.supply_kind == SupplyKind.PROPOSAL)
    mine = mine.where(number[mine.supply] >= 0)
    operations = in_their_places(problem, plan).joined(
        ReceiptOperations.of(
            receipt=number[mine.supply],
            sequence=mine.sequence,
            centre=mine.centre,
            run_s=mine.work_s,
            wait_s=waits_of(problem, plan, mine.supply, mine.sequence),
            start_s=mine.start_s,
            machine=mine.machine,
        )
    )
    pegs = plan.pegs.where(plan.pegs.consumer_kind == ConsumerKind.PROPOSAL)
    pegs = pegs.where(number[pegs.consumer] >= 0) if len(number) else pegs
    requirements = problem.receipt_requirements.joined(
        ReceiptRequirements.of(
            receipt=number[pegs.consumer] if len(number) else [],
            item=pegs.item,
            quantity=pegs.quantity,
            sequence=sequences_of(plan, pegs.consumer, pegs.need_s),
        )
    )
    return replace(problem, receipts=receipts, receipt_operations=operations, receipt_requirements=requirements)


def in_their_places(problem: Problem, plan: Plan) -> ReceiptOperations:
    """The remaining operations of the open work orders, not before the places the plan gives them. What is on a machine
    stays there, and what can never be done stays without a place."""
    operations, places = problem.receipt_operations, plan.placements
    open_orders = places.where(places.supply_kind == SupplyKind.RECEIPT)
    at = {(row["supply"], row["sequence"]): row["start_s"] for row in open_orders.rows()}
    starts = [
        own if started else at.get(key, own)
        for key, started, own in zip(
            zip(operations.receipt.tolist(), operations.sequence.tolist(), strict=True),
            operations.started.tolist(),
            operations.start_s.tolist(),
            strict=True,
        )
    ]
    return operations.with_columns(start_s=starts)


def waits_of(problem: Problem, plan: Plan, supply: Index, sequence: Column) -> list[int]:
    """The wait after each operation of a proposal."""
    wait = {(int(row["item"]), row["sequence"]): row["wait_s"] for row in problem.routing.rows()}
    items = plan.proposals.item[supply].tolist()
    return [wait.get((item, number), 0) for item, number in zip(items, sequence.tolist(), strict=True)]


def sequences_of(plan: Plan, consumer: Index, need: Column) -> list[int]:
    """The operation of a proposal that takes a component at this instant."""
    places = plan.placements
    mine = places.supply_kind == SupplyKind.PROPOSAL
    at = {
        (supply, start): number
        for supply, start, number in zip(
            places.supply[mine].tolist(), places.start_s[mine].tolist(), places.sequence[mine].tolist(), strict=True
        )
    }
    return [at.get(key, 0) for key in zip(consumer.tolist(), need.tolist(), strict=True)]
