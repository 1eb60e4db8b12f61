"""Netting one item: what exists first, by importance; then new orders, in time. The safety stock comes when all items
are done (see `restocking`).

Existing supply is promised by importance against the cumulative supply (available to promise), so an important late
need never takes what only an unimportant early one could use, unless there is not enough for both. The pegs are
then written first come, first served in time, so stock is used before receipts.
"""

from __future__ import annotations

import numpy as np

from lianzao.engine.arithmetic import NEVER_S, down_to, up_to
from lianzao.engine.compiling import allocating, kernel
from lianzao.engine.state import Given, Work
from lianzao.engine.tables import Cells, Column

BUY, MAKE, PHANTOM = 1, 2, 3
DEMAND, ORDER, SAFETY = 1, 2, 4


@kernel
def add_requirement(w: Work, item: int, quantity: int, need: int, rank: int, ckind: int, consumer: int) -> int:
    """A need for an item; returns its row (or -1 and marks the memory as full)."""
    row = w.count[1]
    if row >= w.req_item.shape[0]:
        w.count[5] = 1
        return -1
    w.count[1] = row + 1
    w.req_item[row], w.req_quantity[row], w.req_need[row], w.req_rank[row] = item, quantity, need, rank
    w.req_ckind[row], w.req_consumer[row], w.req_operation[row] = ckind, consumer, 0
    w.req_ready[row], w.req_unfilled[row] = need, 0
    w.req_peg[row], w.req_last_peg[row] = -1, -1
    w.req_next[row] = w.item_req[item]
    w.item_req[item] = row
    return row


@kernel
def add_peg(w: Work, supply: int, req: int, quantity: int) -> None:
    """Let a supply serve a need; pegs of one supply follow each other in its quantity."""
    row = w.count[2]
    if row >= w.peg_supply.shape[0]:
        w.count[5] = 1
        return
    w.count[2] = row + 1
    w.peg_supply[row], w.peg_req[row], w.peg_quantity[row], w.peg_next[row] = supply, req, quantity, -1
    w.peg_offset[row] = w.supply_pegged[supply]
    w.supply_pegged[supply] += quantity
    order = supply - w.count[9]
    if order >= 0:  # an order is as important as the most important need it serves
        w.order_rank[order] = min(w.order_rank[order], w.req_rank[req])
    if w.req_peg[req] < 0:
        w.req_peg[req] = row
    else:
        w.peg_next[w.req_last_peg[req]] = row
    w.req_last_peg[req] = row


@kernel
def add_order(w: Work, item: int, quantity: int, need: int) -> int:
    """A new order; returns its number (or -1 and marks the memory as full)."""
    order = w.count[0]
    if order >= w.order_item.shape[0]:
        w.count[5] = 1
        return -1
    w.count[0] = order + 1
    w.order_item[order], w.order_quantity[order], w.order_need[order] = item, quantity, need
    w.order_finish[order], w.order_rank[order] = need, NEVER_S
    w.order_op[order], w.order_ops[order] = 0, 0
    w.order_requirement[order], w.order_requirements[order] = 0, 0
    w.order_profile[order], w.order_profiles[order] = -1, 0
    return order


@kernel
def work_of_lot(g: Given, item: int, quantity: int) -> int:
    """Seconds an order takes with every machine free and open: setups, runs and waits."""
    total = 0
    for op in range(g.op_first[item], g.op_first[item + 1]):
        total += g.op_setup_s[op] + g.op_wait_s[op] + run_seconds(g, op, quantity)
    return total


@kernel
def run_seconds(g: Given, op: int, quantity: int) -> int:
    """Run time of an operation, rounded up to a second (a float: exact below 2**53 microsecond-units)."""
    if g.op_fixed[op] == 1:
        return (g.op_run_us[op] + 999_999) // 1_000_000
    if g.op_run_us[op] == 0:
        return 0
    return int(np.ceil(round(float(g.op_run_us[op]) * float(quantity) / 1.0e6) / 1.0e6))


@kernel
def soonest(g: Given, item: int) -> int:
    """The earliest instant a new order could be there if all went well."""
    now = g.numbers[0]
    if g.numbers[1] == 0:
        return -NEVER_S
    if g.kind[item] == BUY:
        return now + max(g.lead_s[item], g.fence_s[item])
    return now + max(g.fence_s[item], work_of_lot(g, item, max(g.step[item], g.lot_minimum[item], g.lot_fixed[item])))


@kernel
def lot_limit(g: Given, item: int, quantity: int, need: int) -> int:
    """The largest sensible order. Beyond the lot maximum this is policy: where capacity is unlimited and one order
    would be late, the need is met by parallel orders just small enough to be in time (at most fifty)."""
    limit = g.lot_maximum[item] if g.lot_maximum[item] > 0 else NEVER_S
    if g.kind[item] != MAKE or g.numbers[1] == 0:
        return limit
    fixed_s, per_unit_us = 0, 0
    for op in range(g.op_first[item], g.op_first[item + 1]):
        if g.op_centre[op] >= 0:
            return limit
        fixed_s += g.op_setup_s[op] + g.op_wait_s[op]
        if g.op_fixed[op] == 1:
            fixed_s += run_seconds(g, op, quantity)
        else:
            per_unit_us += g.op_run_us[op]
    room = need - g.numbers[0]
    if per_unit_us == 0 or room <= fixed_s or work_of_lot(g, item, quantity) <= room:
        return limit
    fits = int(float(room - fixed_s) * 1.0e12 / float(per_unit_us))
    fits = down_to(down_to(fits, g.step[item]), g.lot_multiple[item])
    if fits < max(g.lot_minimum[item], g.step[item]) or fits <= 0 or quantity // fits >= 50:
        return limit
    return min(limit, fits)


@kernel
def make_orders(g: Given, w: Work, item: int, quantity: int, need: int) -> None:
    """Plan the orders that bring at least this quantity, by the item's lot rules."""
    step = g.step[item]
    if g.lot_fixed[item] > 0:
        size = g.lot_fixed[item]
        for _ in range((quantity + size - 1) // size):
            if add_order(w, item, size, need) < 0:
                return
        return
    quantity = max(up_to(quantity, step), g.lot_minimum[item])
    quantity = up_to(up_to(quantity, g.lot_multiple[item]), step)
    limit = lot_limit(g, item, quantity, need)
    while quantity > 0:
        size = quantity
        if size > limit:
            size = max(down_to(down_to(limit, g.lot_multiple[item]), step), g.lot_minimum[item], step)
        if add_order(w, item, size, need) < 0:
            return
        quantity -= size
        if 0 < quantity < g.lot_minimum[item]:
            quantity = up_to(up_to(g.lot_minimum[item], g.lot_multiple[item]), step)


@allocating
def sorted_requirements(w: Work, item: int) -> Column:
    """The needs of an item by importance, then date, then row."""
    number, row = 0, w.item_req[item]
    while row >= 0:
        number += 1
        row = w.req_next[row]
    rows = np.empty(number, np.int64)
    row = w.item_req[item]
    for at in range(number - 1, -1, -1):  # the list runs backwards
        rows[at] = row
        row = w.req_next[row]
    if number > 1:
        rows = rows[np.argsort(w.req_need[rows], kind="mergesort")]
        rows = rows[np.argsort(w.req_rank[rows], kind="mergesort")]
    return rows


@allocating
def existing_supplies(g: Given, w: Work, item: int) -> tuple[Column, Column]:
    """Stock and open receipts that will come, by date: (supply numbers, instants)."""
    stocks = g.numbers[2]
    first, last = g.supply_first[item], g.supply_first[item + 1]
    supplies = np.empty(last - first, np.int64)
    instants = np.empty(last - first, np.int64)
    number = 0
    for k in range(first, last):
        supply = g.supply_list[k]
        at = g.supply_at[supply] if supply < stocks else w.order_finish[supply - stocks]
        if at < NEVER_S:
            supplies[number], instants[number] = supply, at
            number += 1
    order = np.argsort(instants[:number], kind="mergesort")
    return supplies[:number][order], instants[:number][order]


@allocating
def net_item(g: Given, w: Work, item: int) -> int:
    """Net all needs of an item against what exists, plan new orders for the rest; returns the first new order."""
    rows = sorted_requirements(w, item)
    supplies, instants = existing_supplies(g, w, item)
    first_new = w.count[0]
    n, k = rows.shape[0], supplies.shape[0]
    free = np.empty(k, np.int64)
    total = 0
    for j in range(k):
        total += g.supply_quantity[int(supplies[j])]
        free[j] = total
    # Promise existing supply: cover_* = quantity taken from supplies up to position.
    # A promise either completes a need or exhausts a position, so there are at most n + k.
    cover_req, cover_quantity = np.empty(n + k, np.int64), np.empty(n + k, np.int64)
    cover_position = np.empty(n + k, np.int64)
    covers, opens = 0, 0
    open_req, open_quantity = np.empty(n, np.int64), np.empty(n, np.int64)
    fresh = soonest(g, item)
    for i in range(n):
        req = int(rows[i])
        left, need = w.req_quantity[req], w.req_need[req]
        position = int(np.searchsorted(instants, need, side="right")) - 1
        limit = NEVER_S
        if g.kind[item] != 0 and g.count_late_s[item] >= 0:
            limit = max(need, fresh) + g.count_late_s[item]
        for j in range(max(position, 0), k):
            if left == 0 or (j > position and instants[j] > limit):
                break
            room = int(free[j:].min())
            take = min(room, left)
            if take > 0:
                free[j:] -= take
                cover_req[covers], cover_quantity[covers] = req, take
                cover_position[covers] = j
                covers += 1
                left -= take
        if left > 0:
            open_req[opens], open_quantity[opens] = req, left
            opens += 1
    peg_existing(g, w, supplies, cover_req[:covers], cover_quantity[:covers], cover_position[:covers])
    if g.kind[item] == 0:
        for i in range(opens):
            w.req_unfilled[open_req[i]] = open_quantity[i]
    else:
        plan_new(g, w, item, open_req[:opens], open_quantity[:opens])
    return first_new


@allocating
def peg_existing(g: Given, w: Work, supplies: Cells, req: Cells, quantity: Cells, position: Column) -> None:
    """Write the promises down first come, first served: the cumulative check makes every peg in time."""
    at = 0
    left = g.supply_quantity[supplies[0]] if supplies.shape[0] else 0
    places = np.argsort(position, kind="mergesort")
    for k in range(position.shape[0]):
        i = int(places[k])
        need = quantity[i]
        while need > 0:
            take = min(need, left)
            if take > 0:
                add_peg(w, supplies[at], req[i], take)
                need -= take
                left -= take
            if left == 0 and need > 0:
                at += 1
                left = g.supply_quantity[supplies[at]]


@allocating
def plan_new(g: Given, w: Work, item: int, open_req: Column, open_quantity: Column) -> None:
    """Walk through time and order what is missing; peg the new orders to the open needs."""
    if open_req.shape[0] == 0:
        return
    by_time = np.argsort(w.req_need[open_req], kind="mergesort")
    req, want = open_req[by_time], open_quantity[by_time]
    instant = w.req_need[req]
    surplus = 0  # of new orders, unpegged
    giver, given = w.count[0], 0  # the new order that gives next, and what it has given
    for e in range(req.shape[0]):
        wanted = want[e]
        if wanted > surplus:
            quantity = look_ahead(g, item, e, instant, want, want[:0], -NEVER_S, wanted - surplus)
            before = w.count[0]
            make_orders(g, w, item, quantity, instant[e])
            if w.count[5] > 0:
                return
            for order in range(before, w.count[0]):
                surplus += w.order_quantity[order]
        surplus -= wanted
        while wanted > 0:
            take = min(wanted, w.order_quantity[giver] - given)
            if take > 0:
                add_peg(w, g.numbers[2] + giver, req[e], take)
                wanted -= take
                given += take
            else:
                giver, given = giver + 1, 0


@kernel
def look_ahead(g: Given, item: int, e: int, instant: Cells, want: Cells, fall: Cells, below: int, lack: int) -> int:
    """What an order at event e should bring: the highest lack within the time it covers anyway.

    A purchase that cannot come before its lead time covers all that is wanted until then; `cover_s` adds a period.
    `lack` is what event e finds missing, `below` by how much the stock is below the safety stock there, `fall` by how
    much it falls at each event (empty: no safety stock).
    """
    until = instant[e]
    peak = max(lack, below + lack)
    if g.kind[item] == BUY:
        until = max(until, soonest(g, item))
    elif g.cover_s[item] == 0:
        return peak  # lot for lot: one order per need
    until = max(until, instant[e] + g.cover_s[item])
    for later in range(e + 1, instant.shape[0]):
        if instant[later] > until:
            break
        lack += want[later]
        if fall.shape[0] > 0:
            below += fall[later]
        peak = max(peak, lack, below + lack)
    return peak
