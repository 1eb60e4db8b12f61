"""Why a demand is late: walk back along what really held it up, and nothing else.

A late slice is followed from its supply: what did the order wait for at its last operation, and so on back to the
fact behind it. Side branches that had slack are never entered.
"""

from __future__ import annotations

import numpy as np

from lianzao.engine.arithmetic import NEVER_S
from lianzao.engine.compiling import allocating, kernel
from lianzao.engine.netting import BUY
from lianzao.engine.placing import first_fit
from lianzao.engine.scheduling import pieces_of, supply_at
from lianzao.engine.state import Given, Work
from lianzao.engine.tables import Cells, Column

MATERIAL, OVERDUE, PURCHASING, MANUFACTURING, CAPACITY = 1, 2, 3, 4, 5
HOLD, SHORT, HORIZON, FENCE, SHIPPING = 6, 7, 8, 9, 10
TRACED_PEGS = 4


@kernel
def add_reason(
    w: Work,
    demand: int,
    kind: int,
    item: int,
    centre: int,
    receipt: int,
    seconds: int,
    since: int,
    until: int,
    quantity: int,
) -> None:
    """Note one cause of one demand's lateness."""
    row = w.count[4]
    if row >= w.reason.shape[0]:
        w.count[5] = 1
        return
    w.count[4] = row + 1
    reason = w.reason[row]
    reason[0], reason[1], reason[2], reason[3], reason[4] = demand, kind, item, centre, receipt
    reason[5], reason[6], reason[7], reason[8] = seconds, since, until, quantity


@kernel
def add_short(g: Given, w: Work, demand: int, item: int, since: int, quantity: int) -> None:
    """An item that is short for ever; stock on hold is named first."""
    if g.held[item] > 0:
        add_reason(w, demand, HOLD, item, -1, -1, 0, since, -1, quantity)
    add_reason(w, demand, SHORT, item, -1, -1, 0, since, -1, quantity)


@allocating
def trace_slices(g: Given, w: Work, slice_demand: Cells) -> None:
    """Give the reasons of all slices that come later than wanted. Slice s is requirement s."""
    stocks, now = g.numbers[2], g.numbers[0]
    for s in range(slice_demand.shape[0]):
        demand, item, need = slice_demand[s], w.req_item[s], w.req_need[s]
        if w.req_unfilled[s] > 0:
            add_short(g, w, demand, item, max(now, need), w.req_unfilled[s])
        if need < now:
            add_reason(w, demand, SHIPPING, item, -1, -1, now - need, need, now, w.req_quantity[s])
        traced, peg = 0, w.req_peg[s]
        while peg >= 0 and traced < TRACED_PEGS:
            supply = w.peg_supply[peg]
            if supply_at(g, w, supply) > max(need, now):
                trace_supply(g, w, demand, supply, max(need, now), w.peg_quantity[peg], stocks)
                traced += 1
            peg = w.peg_next[peg]


@kernel
def trace_supply(g: Given, w: Work, demand: int, supply: int, need: int, quantity: int, stocks: int) -> None:
    """Follow one late supply back to the facts that make it late."""
    now, receipts = g.numbers[0], g.numbers[3]
    for _ in range(64):
        order, at = supply - stocks, supply_at(g, w, supply)
        if order < 0:
            item = g.supply_item[supply]
            add_reason(w, demand, MATERIAL, item, -1, -1, at - need, need, at, quantity)
            return
        item = w.order_item[order]
        if order >= receipts and g.kind[item] == BUY:
            kind = FENCE if g.fence_s[item] > g.lead_s[item] else PURCHASING
            add_reason(w, demand, kind, item, -1, -1, at - now, now, at, quantity)
            add_hold(g, w, demand, item, need, at, quantity)
            return
        if order < receipts and is_plain(g, w, order):
            kind = OVERDUE if g.receipt_overdue[order] == 1 else MATERIAL
            add_reason(w, demand, kind, item, -1, order, at - need, need, at, quantity)
            add_hold(g, w, demand, item, need, at, quantity)
            return
        req = never_met(w, order) if at >= NEVER_S else binding_need(g, w, demand, order, quantity)
        if req < 0:
            return
        if req == w.count[1]:
            add_reason(w, demand, HORIZON, item, closed_centre(w, order), -1, 0, need, -1, quantity)
            return
        need = max(now, w.req_need[req])
        if w.req_unfilled[req] > 0:
            add_short(g, w, demand, w.req_item[req], need, quantity)
            return
        supply = latest_supply(g, w, req)


@kernel
def is_plain(g: Given, w: Work, order: int) -> bool:
    """True for an open receipt that comes at its own date: no operations, and no material later than that."""
    return w.order_ops[order] == 0 and w.order_finish[order] <= g.supply_at[g.numbers[2] + order]


@kernel
def add_hold(g: Given, w: Work, demand: int, item: int, since: int, until: int, quantity: int) -> None:
    """Stock of the item on hold would have helped."""
    if g.held[item] > 0:
        add_reason(w, demand, HOLD, item, -1, -1, until - since, since, until, quantity)


@kernel
def never_met(w: Work, order: int) -> int:
    """The need of an order that is never met; count[1] (one past the last) when the calendar is what ends."""
    for req in range(w.order_requirement[order], w.order_requirement[order] + w.order_requirements[order]):
        if w.req_ready[req] >= NEVER_S:
            return req
    return w.count[1]


@kernel
def closed_centre(w: Work, order: int) -> int:
    """The centre at which an order found no working time."""
    for k in range(w.order_ops[order]):
        place = w.order_op[order] + k
        if w.place_start[place] >= NEVER_S or w.place_end[place] <= -NEVER_S:
            return w.place_centre[place]
    return -1


@kernel
def latest_supply(g: Given, w: Work, req: int) -> int:
    """The supply a need waits for longest."""
    best, best_at, peg = -1, -NEVER_S, w.req_peg[req]
    while peg >= 0:
        at = supply_at(g, w, w.peg_supply[peg])
        if at > best_at:
            best, best_at = w.peg_supply[peg], at
        peg = w.peg_next[peg]
    return best


@kernel
def binding_need(g: Given, w: Work, demand: int, order: int, quantity: int) -> int:
    """Note what making the order took, and return the material it waited for (-1: it started at now)."""
    now, item = g.numbers[0], w.order_item[order]
    made, k = 0, w.order_ops[order] - 1
    until, since = w.order_finish[order], w.order_finish[order]
    operation = -1 if k >= 0 else 0
    while k >= 0:
        place = w.order_op[order] + k
        previous = now if k == 0 else w.place_end[place - 1] + w.place_wait[place - 1]
        base = max(now, w.place_ready[place], previous)
        if order < g.numbers[3] and g.rop_start_s[g.rop_first[order] + k] >= 0:
            base = max(base, g.rop_start_s[g.rop_first[order] + k])
        since = w.place_start[place]
        open_at = base
        centre = w.place_centre[place]
        if centre >= 0 and w.place_work[place] > 0:
            open_at = first_fit(g, centre, w.place_work[place], base, NEVER_S)[0]
        made += w.place_end[place] + w.place_wait[place] - since
        if since > open_at:
            wait = since - open_at
            add_reason(w, demand, CAPACITY, item, centre, committed(g, order), wait, open_at, since, quantity)
        if w.place_ready[place] > max(now, previous):
            operation = k
            break
        k -= 1
    if made > 0:
        add_reason(w, demand, MANUFACTURING, item, -1, committed(g, order), made, since, until, quantity)
    if operation < 0:
        return -1
    best, best_at = -1, now
    for req in range(w.order_requirement[order], w.order_requirement[order] + w.order_requirements[order]):
        fits = w.order_ops[order] == 0 or w.req_operation[req] == operation
        late = w.req_ready[req] > w.req_need[req]
        if fits and (w.req_ready[req] > best_at or (w.req_ready[req] == best_at and late and best >= 0)):
            best, best_at = req, w.req_ready[req]
    return best


@kernel
def committed(g: Given, order: int) -> int:
    """The open work order behind an order, -1 for a new one."""
    return order if order < g.numbers[3] else -1


@allocating
def delivery_pieces(g: Given, w: Work, slices: int, out: Column) -> int:
    """Rows of [slice, quantity, ready] into `out` (ready = NEVER_S: short); returns their number, -1 when full."""
    quantity, at = np.zeros(32, np.int64), np.zeros(32, np.int64)
    rows = 0
    for s in range(slices):
        pieces = pieces_of(g, w, s, quantity, at)
        left = w.req_quantity[s]
        if rows + pieces + 1 > out.shape[0]:
            return -1
        for p in range(pieces):
            out[rows, 0], out[rows, 1], out[rows, 2] = s, quantity[p], at[p]
            rows += 1
            left -= quantity[p]
        if left > 0:
            out[rows, 0], out[rows, 1], out[rows, 2] = s, left, NEVER_S
            rows += 1
    return rows


@allocating
def safety_short(g: Given, w: Work, safety: Cells) -> None:
    """Lower the safety stocks to what can be had at all."""
    quantity, at = np.zeros(32, np.int64), np.zeros(32, np.int64)
    for req in range(w.count[1]):
        if w.req_ckind[req] == 4:
            met = 0
            for p in range(pieces_of(g, w, req, quantity, at)):
                met += quantity[p]
            safety[w.req_item[req]] = met
