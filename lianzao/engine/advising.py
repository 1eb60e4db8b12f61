"""Action messages: what to ask for about open receipts. The planner itself changes none of them."""

from __future__ import annotations

import numpy as np

from lianzao.engine.arithmetic import NEVER_S
from lianzao.engine.columns import (
    NONE,
    Action,
    Commitment,
    ConsumerKind,
    Messages,
    Pegs,
    Problem,
    Proposals,
    Reasons,
    SupplyKind,
)
from lianzao.engine.tables import Column

Message = tuple[int, int, int, int, int, int, int]


def lot_for(problem: Problem, item: int, quantity: int) -> int:
    """The quantity one would order for this need by the item's lot rules (maximum left aside)."""
    items = problem.items
    if items.lot_fixed[item] > 0:
        fixed = int(items.lot_fixed[item])
        return -(-quantity // fixed) * fixed
    for size in (max(int(items.step[item]), 1), max(int(items.lot_multiple[item]), 1)):
        quantity = -(-max(quantity, int(items.lot_minimum[item])) // size) * size
    return quantity


def messages_of(
    problem: Problem, pegs: Pegs, proposals: Proposals, reasons: Reasons, ready: Column, wanted: Column, demand: Column
) -> Messages:
    """Overdue, cancel, decrease, expedite, defer and increase messages, by receipt.

    `wanted` is when each receipt was needed before lateness was accepted (NEVER_S: by nobody), `demand` who wanted it.
    Expedite is said only of a receipt that holds a demand up, or keeps the safety stock waiting; defer looks at the
    final plan, safety stock included.
    """
    receipts = problem.receipts
    rows = len(receipts)
    mine = pegs.supply_kind == SupplyKind.RECEIPT
    pegged, need = np.zeros(rows, np.int64), np.full(rows, NEVER_S)
    np.add.at(pegged, pegs.supply[mine], pegs.quantity[mine])
    np.minimum.at(need, pegs.supply[mine], pegs.need_s[mine])
    critical = np.zeros(rows, bool)
    critical[reasons.receipt[reasons.receipt >= 0]] = True
    safety = mine & (pegs.consumer_kind == ConsumerKind.SAFETY)
    critical[pegs.supply[safety]] = True
    said: list[Message] = []
    for receipt in range(rows):
        said.extend(
            about(
                problem,
                receipt,
                int(pegged[receipt]),
                int(need[receipt]),
                bool(critical[receipt]),
                int(ready[receipt]),
                int(wanted[receipt]),
                int(demand[receipt]),
            )
        )
    said.extend(increases(problem, proposals))
    said.sort()
    table = np.array(said, np.int64).reshape(-1, 7)
    names = ("receipt", "action", "from_s", "to_s", "from_quantity", "to_quantity", "demand")
    return Messages.of(**{name: table[:, at] for at, name in enumerate(names)})


def about(
    problem: Problem, receipt: int, pegged: int, need: int, critical: bool, ready: int, wanted: int, demand: int
) -> list[Message]:
    """The messages about one open receipt."""
    expected, quantity = int(problem.receipts.expected_s[receipt]), int(problem.receipts.quantity[receipt])
    now, said = problem.now_s, list[Message]()
    if expected < now:
        said.append((receipt, Action.OVERDUE, expected, now, quantity, quantity, demand))
    if quantity > 0 and pegged == 0 and wanted >= NEVER_S:
        said.append((receipt, Action.CANCEL, expected, expected, quantity, 0, NONE))
        return said
    useful = lot_for(problem, int(problem.receipts.item[receipt]), pegged)
    if pegged > 0 and useful < quantity:
        said.append((receipt, Action.DECREASE, expected, expected, quantity, useful, demand))
    comes = max(expected, now) if ready < 0 else ready
    if critical and wanted < comes and max(wanted, now) < comes:
        said.append((receipt, Action.EXPEDITE, comes, max(wanted, now), quantity, quantity, demand))
    elif problem.constrained and NEVER_S > need > comes + problem.defer_tolerance_s:
        said.append((receipt, Action.DEFER, comes, need, quantity, quantity, demand))
    return said


def increases(problem: Problem, proposals: Proposals) -> list[Message]:
    """Receipts not yet with the partner that could be raised instead of placing another order of about the same day."""
    receipts, said = problem.receipts, list[Message]()
    raised: set[int] = set()
    soft: dict[int, list[int]] = {}
    for receipt in np.flatnonzero((receipts.commitment < Commitment.RELEASED) & (receipts.quantity > 0)).tolist():
        soft.setdefault(int(receipts.item[receipt]), []).append(receipt)
    if not soft:
        return said
    for row in np.flatnonzero(np.isin(proposals.item, list(soft))).tolist():
        for receipt in soft[int(proposals.item[row])]:
            expected = int(receipts.expected_s[receipt])
            if receipt not in raised and abs(expected - int(proposals.finish_s[row])) <= problem.defer_tolerance_s:
                quantity = int(receipts.quantity[receipt])
                more = quantity + int(proposals.quantity[row])
                said.append((receipt, Action.INCREASE, expected, expected, quantity, more, NONE))
                raised.add(receipt)
                break
    return said
