"""The safety stock: planned when every demand and every open work order has its supply, with what they leave.

What demands hold stays theirs: the safety stock, and the components made or bought only for it, take nothing but what
is unpegged, and then new orders that stand behind everybody. So the plan for the demands is the same with the safety
stock and without it. A purchase of theirs that comes on the same day may grow, for that makes nobody wait.
"""

from __future__ import annotations

import numpy as np

from lianzao.engine.arithmetic import NEVER_S, up_to
from lianzao.engine.compiling import allocating, kernel
from lianzao.engine.netting import (
    BUY,
    SAFETY,
    add_peg,
    add_requirement,
    existing_supplies,
    look_ahead,
    make_orders,
    soonest,
)
from lianzao.engine.state import Given, Work
from lianzao.engine.tables import Cells, Column


@allocating
def restock_item(g: Given, w: Work, item: int, safety: int) -> int:
    """Plan the safety stock of an item, and its needs as a component of what is made for safety stocks; returns the
    first new order."""
    first_new = w.count[0]
    rows = needs_of_safety(w, item)
    supplies, instants = existing_supplies(g, w, item)
    open_quantity = take_left(g, w, item, rows, supplies, instants)
    open_req = rows[open_quantity > 0]
    open_quantity = open_quantity[open_quantity > 0]
    dip = g.numbers[0]
    if g.kind[item] == 0:
        for i in range(open_req.shape[0]):
            w.req_unfilled[open_req[i]] = open_quantity[i]
    else:
        dip = order_up(g, w, item, safety, open_req, open_quantity, supplies)
    if safety > 0 and w.count[5] == 0:
        peg_safety(g, w, item, safety, dip, supplies, first_new)
    return first_new


@allocating
def needs_of_safety(w: Work, item: int) -> Column:
    """The needs of an item that came after those of the demands, by date, then row."""
    number, row = 0, w.item_req[item]
    while row >= w.count[10]:
        number += 1
        row = w.req_next[row]
    rows = np.empty(number, np.int64)
    row = w.item_req[item]
    for at in range(number - 1, -1, -1):  # the list runs backwards
        rows[at] = row
        row = w.req_next[row]
    return rows[np.argsort(w.req_need[rows], kind="mergesort")]


@allocating
def take_left(g: Given, w: Work, item: int, rows: Cells, supplies: Cells, instants: Cells) -> Column:
    """Give the needs what nobody holds: in time first, then what comes late but counts; returns what stays open."""
    n, existing, stocks = len(rows), len(supplies), g.numbers[2]
    left = np.empty(n, np.int64)
    fresh = soonest(g, item)
    first = 0
    for i in range(n):
        need, open_quantity = w.req_need[rows[i]], w.req_quantity[rows[i]]
        limit = NEVER_S
        if g.kind[item] != 0 and g.count_late_s[item] >= 0:
            limit = max(need, fresh) + g.count_late_s[item]
        while first < existing and w.supply_pegged[supplies[first]] >= g.supply_quantity[supplies[first]]:
            first += 1
        for surplus in (False, True):  # of existing supply until the need, of new orders in time, then late existing
            if surplus:
                for order in range(w.item_new[item], w.item_new_end[item]):
                    if open_quantity == 0:
                        break
                    room = w.order_quantity[order] - w.supply_pegged[stocks + order]
                    if room > 0 and w.order_finish[order] <= max(need, fresh):
                        take = min(room, open_quantity)
                        add_peg(w, stocks + order, rows[i], take)
                        open_quantity -= take
            for j in range(first, existing):
                if open_quantity == 0 or instants[j] > (limit if surplus else need):
                    break
                take = min(open_quantity, g.supply_quantity[supplies[j]] - w.supply_pegged[supplies[j]])
                if take > 0:
                    add_peg(w, supplies[j], rows[i], take)
                    open_quantity -= take
        left[i] = open_quantity
    return left


@allocating
def level_changes(g: Given, w: Work, item: int, supplies: Cells) -> tuple[int, Column, Column]:
    """(stock to begin with, instants, falls) of the stock as planned so far.

    Existing supply counts from the start, as do new orders than which no other could come sooner; other new orders
    count when they were wanted (a negative fall).
    """
    now, stocks, fresh = g.numbers[0], g.numbers[2], soonest(g, item)
    first, last = w.item_new[item], w.item_new_end[item]
    number, row = last - first, w.item_req[item]
    while row >= 0:
        peg = w.req_peg[row]
        while peg >= 0:
            number += 1
            peg = w.peg_next[peg]
        row = w.req_next[row]
    instants, falls = np.empty(number, np.int64), np.empty(number, np.int64)
    at = 0
    for order in range(first, last):
        counts = now if w.order_finish[order] <= fresh else max(now, w.order_need[order])
        instants[at], falls[at] = counts, -w.order_quantity[order]
        at += 1
    row = w.item_req[item]
    while row >= 0:
        peg = w.req_peg[row]
        while peg >= 0:
            supply = w.peg_supply[peg]
            taken = max(now, w.req_need[row])
            if supply < stocks:
                taken = max(taken, g.supply_at[supply])
            elif supply < stocks + g.numbers[3]:
                taken = max(taken, w.order_finish[supply - stocks])
            instants[at], falls[at] = taken, w.peg_quantity[peg]
            at += 1
            peg = w.peg_next[peg]
        row = w.req_next[row]
    level = 0
    for supply in supplies:
        level += g.supply_quantity[supply]
    return level, instants, falls


@allocating
def order_up(
    g: Given, w: Work, item: int, safety: int, open_req: Column, open_quantity: Column, supplies: Cells
) -> int:
    """Walk through time and order what is missing for the open needs and what the stock lacks to the safety stock.

    Returns the instant at which the stock first falls below the safety stock (now when it never does).
    """
    now, stocks = g.numbers[0], g.numbers[2]
    level, changes, opens = 0, 0, open_req.shape[0]
    instants, falls = open_quantity[:0], open_quantity[:0]
    if safety > 0:
        level, instants, falls = level_changes(g, w, item, supplies)
        changes = instants.shape[0] + 1
    if changes + opens == 0:
        return now
    instant, fall = np.zeros(changes + opens, np.int64), np.zeros(changes + opens, np.int64)
    want = np.zeros(changes + opens, np.int64)
    if safety > 0:
        instant[0] = now
        instant[1:changes], fall[1:changes] = instants, falls
    for i in range(opens):
        instant[changes + i], want[changes + i] = w.req_need[open_req[i]], open_quantity[i]
    by_time = np.argsort(instant, kind="mergesort")
    instant, fall, want = instant[by_time], fall[by_time], want[by_time]
    purchase, purchases = w.item_new[item], w.item_new_end[item]
    gain = np.zeros(purchases - purchase, np.int64)
    dip, dipped, spare = now, False, 0  # spare: ordered here, neither wanted nor put by
    first_new = w.count[0]
    for e in range(instant.shape[0]):
        level -= fall[e]
        wanted = want[e]
        if wanted == 0 and e + 1 < instant.shape[0] and instant[e + 1] == instant[e]:
            continue  # what comes and goes at one instant is looked at together
        below = safety - level if safety > 0 else -NEVER_S
        if wanted > spare or below + wanted > spare:
            if not dipped and below + wanted > spare:
                dip, dipped = instant[e], True
            quantity = look_ahead(g, item, e, instant, want, fall, below, wanted - spare)
            grown = 0
            if g.kind[item] == BUY and purchase < purchases:
                comes = max(instant[e], soonest(g, item))
                while purchase + 1 < purchases and w.order_finish[purchase + 1] <= comes:
                    purchase += 1
                if w.order_finish[purchase] == comes:
                    grown = grow(g, w, item, purchase, quantity)
                    gain[purchase - w.item_new[item]] += grown
            if grown == 0:
                before = w.count[0]
                make_orders(g, w, item, quantity, instant[e])
                if w.count[5] > 0:
                    return dip
                for order in range(before, w.count[0]):
                    grown += w.order_quantity[order]
            put_by = max(0, min(below, spare + grown - wanted))
            spare += grown - put_by
            level += put_by
        spare -= wanted
    giver, new = w.item_new[item], first_new
    for i in range(opens):  # first wanted, first served: what is put by for the safety stock comes last
        wanted = open_quantity[i]
        while wanted > 0:
            old = giver < purchases and (new >= w.count[0] or w.order_need[giver] <= w.order_need[new])
            order = giver if old else new
            room = gain[giver - w.item_new[item]] if old else w.order_quantity[new] - w.supply_pegged[stocks + new]
            take = min(wanted, room)
            if take > 0:
                add_peg(w, stocks + order, open_req[i], take)
                wanted -= take
                if old:
                    gain[giver - w.item_new[item]] -= take
            elif old:
                giver += 1
            else:
                new += 1
    return dip


@kernel
def grow(g: Given, w: Work, item: int, order: int, quantity: int) -> int:
    """Raise a purchase by at least a quantity, within its lot rules; returns by how much, 0 when they forbid it."""
    if g.lot_fixed[item] > 0:
        return 0
    size = up_to(up_to(w.order_quantity[order] + quantity, g.lot_multiple[item]), g.step[item])
    if g.lot_maximum[item] > 0 and size > g.lot_maximum[item]:
        return 0
    grown = size - w.order_quantity[order]
    w.order_quantity[order] = size
    return grown


@kernel
def peg_safety(g: Given, w: Work, item: int, safety: int, dip: int, supplies: Cells, first_new: int) -> None:
    """Give what nobody else took to the safety stock, earliest first; the rest of it is unfilled."""
    stocks = g.numbers[2]
    req = add_requirement(w, item, safety, dip, g.numbers[5] + 1, SAFETY, item)
    if req < 0:
        return
    left = safety
    for supply in supplies:
        take = min(left, g.supply_quantity[supply] - w.supply_pegged[supply])
        if take > 0:
            add_peg(w, supply, req, take)
            left -= take
    old, new = w.item_new[item], first_new
    while left > 0 and (old < w.item_new_end[item] or new < w.count[0]):
        if new >= w.count[0] or (old < w.item_new_end[item] and w.order_need[old] <= w.order_need[new]):
            order, old = old, old + 1
        else:
            order, new = new, new + 1
        take = min(left, w.order_quantity[order] - w.supply_pegged[stocks + order])
        if take > 0:
            add_peg(w, stocks + order, req, take)
            left -= take
    w.req_unfilled[req] = left
