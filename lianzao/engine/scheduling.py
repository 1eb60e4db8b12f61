"""One pass of the planner: net and place from the end items down, then settle every order on the time line.

Top down, orders get a tentative just-in-time place, which gives their components' dates. Then all is cleared and
settled in the order of importance, components before what they go into: now the material dates are known, an order
keeps its just-in-time place when its material allows, else it goes to the first gap after its material.
"""

from __future__ import annotations

import numpy as np

from lianzao.engine.arithmetic import NEVER_S, down_to, times_ratio, up_to
from lianzao.engine.compiling import allocating, kernel
from lianzao.engine.netting import BUY, DEMAND, ORDER, add_requirement, net_item, run_seconds, soonest
from lianzao.engine.placing import first_fit, order_earliest, order_latest
from lianzao.engine.restocking import restock_item
from lianzao.engine.state import Given, Work
from lianzao.engine.tables import Cells

MOST_SLICES = 4


@allocating
def run_pass(
    g: Given,
    w: Work,
    slice_item: Cells,
    slice_quantity: Cells,
    slice_need: Cells,
    slice_rank: Cells,
    safety: Cells,
    material_ready: Cells,
) -> None:
    """Plan once for the given demand slices and safety stocks.

    `material_ready` holds, per remaining operation of an open work order, when its material came in the pass before.
    """
    clear(g, w)
    open_orders(g, w, material_ready)
    for s in range(slice_item.shape[0]):
        add_requirement(w, slice_item[s], slice_quantity[s], slice_need[s], slice_rank[s], DEMAND, s)
    for item in g.item_order:
        if w.item_req[item] < 0 and g.supply_first[item] == g.supply_first[item + 1]:
            continue
        first_new = net_item(g, w, item)
        w.item_new[item], w.item_new_end[item] = first_new, w.count[0]
        if w.count[5] > 0:
            return
        rank_receipts(g, w, item)
        tentative(g, w, first_new, g.numbers[5])
        if w.count[5] > 0 or w.count[6] > 0:
            return
    w.count[10] = w.count[1]
    for item in g.item_order:
        if safety[item] == 0 and w.item_req[item] < w.count[10]:
            continue
        first_new = restock_item(g, w, item, safety[item])
        if w.count[5] > 0:
            return
        tentative(g, w, first_new, g.numbers[5] + 1)
        if w.count[5] > 0 or w.count[6] > 0:
            return
    if g.numbers[1] == 1:
        settle(g, w)
    else:
        read_ready(g, w)


@allocating
def clear(g: Given, w: Work) -> None:
    """Forget the pass before."""
    w.count[:] = 0
    w.count[9] = g.numbers[2]
    w.item_req[:] = -1
    w.item_new[:] = 0
    w.item_new_end[:] = 0
    w.supply_pegged[:] = 0
    w.head[:] = -1
    w.tail[:] = -1


@kernel
def add_placement(w: Work, order: int, centre: int, work: int, wait: int) -> int:
    """Room for an operation of an order, not yet on the time line."""
    row = w.count[3]
    if row >= w.place_order.shape[0]:
        w.count[5] = 1
        return -1
    w.count[3] = row + 1
    w.place_order[row], w.place_centre[row], w.place_machine[row] = order, centre, -1
    w.place_start[row], w.place_end[row], w.place_work[row] = 0, 0, work
    w.place_wait[row], w.place_ready[row] = wait, -NEVER_S
    w.order_ops[order] += 1
    return row


@allocating
def open_orders(g: Given, w: Work, material_ready: Cells) -> None:
    """Take over the open receipts; work orders take their places on the machines."""
    receipts, stocks, now = g.numbers[3], g.numbers[2], g.numbers[0]
    w.count[0] = receipts
    for order in range(receipts):
        supply = stocks + order
        w.order_item[order], w.order_quantity[order] = g.supply_item[supply], g.supply_quantity[supply]
        w.order_need[order], w.order_finish[order] = g.supply_at[supply], g.supply_at[supply]
        w.order_rank[order] = g.receipt_rank[order] if g.receipt_rank[order] < 0 else NEVER_S
        w.order_op[order], w.order_ops[order] = w.count[3], 0
        w.order_requirement[order], w.order_requirements[order] = 0, 0
        w.order_profile[order], w.order_profiles[order] = -1, 0
        for row in range(g.rop_first[order], g.rop_first[order + 1]):
            place = add_placement(w, order, g.rop_centre[row], g.rop_work_s[row], g.rop_wait_s[row])
            if place < 0:
                return
            w.place_ready[place] = max(now, material_ready[row])
    for order in g.receipt_order:
        if w.order_ops[order] > 0:
            order_earliest(g, w, order)
        elif g.need_first[order] < g.need_first[order + 1]:
            ready = material_ready[material_ready.shape[0] - receipts + order]
            w.order_finish[order] = max(w.order_finish[order], ready)


@allocating
def rank_receipts(g: Given, w: Work, item: int) -> None:
    """Open work orders of this item hand their open component needs on, with the importance of what they serve."""
    stocks = g.numbers[2]
    for at in range(g.supply_first[item], g.supply_first[item + 1]):
        supply = g.supply_list[at]
        order = supply - stocks
        if order < 0:
            continue
        if w.order_rank[order] == NEVER_S:
            w.order_rank[order] = g.numbers[5]
        w.order_requirement[order] = w.count[1]
        if w.order_finish[order] >= NEVER_S:
            continue  # it was found that it can never be finished: it takes no material from others
        for row in range(g.need_first[order], g.need_first[order + 1]):
            operation, need = g.need_operation[row], w.order_finish[order]
            if w.order_ops[order] > 0:
                need = w.place_start[w.order_op[order] + operation]
            req = add_requirement(w, g.need_item[row], g.need_quantity[row], need, w.order_rank[order], ORDER, order)
            if req < 0:
                return
            w.req_operation[req] = operation
        w.order_requirements[order] = w.count[1] - w.order_requirement[order]


@allocating
def tentative(g: Given, w: Work, first_new: int, last_rank: int) -> None:
    """Give the new orders of an item a place, the most important first, and hand their component needs on. Orders that
    nobody needs get the last rank."""
    last = w.count[0]
    if first_new == last:
        return
    item = w.order_item[first_new]
    places = np.argsort(w.order_rank[first_new:last], kind="mergesort")
    for at in range(last - first_new):
        order = first_new + int(places[at])
        if w.order_rank[order] == NEVER_S:
            w.order_rank[order] = last_rank
        if g.kind[item] == BUY:
            w.order_finish[order] = max(w.order_need[order], soonest(g, item))
            continue
        w.order_op[order] = w.count[3]
        for op in range(g.op_first[item], g.op_first[item + 1]):
            work = g.op_setup_s[op] + run_seconds(g, op, w.order_quantity[order])
            if add_placement(w, order, g.op_centre[op], work, g.op_wait_s[op]) < 0:
                return
        place_new(g, w, order)
        explode(g, w, order)


@kernel
def place_new(g: Given, w: Work, order: int) -> None:
    """Place a new order just in time, else as early as possible; it is usable not before the planning fence."""
    if g.numbers[1] == 0:
        order_latest(g, w, order, w.order_need[order])
        return
    fence = g.numbers[0] + g.fence_s[w.order_item[order]]
    if not order_latest(g, w, order, max(w.order_need[order], fence)):
        order_earliest(g, w, order)
    w.order_finish[order] = max(w.order_finish[order], fence)


@kernel
def explode(g: Given, w: Work, order: int) -> None:
    """Write the component needs of a new order at the starts of the operations that take them."""
    item = w.order_item[order]
    w.order_requirement[order] = w.count[1]
    for line in range(g.bom_first[item], g.bom_first[item + 1]):
        operation = g.bom_operation[line]
        need = w.place_start[w.order_op[order] + operation]
        if need >= NEVER_S:
            need = max(g.numbers[0], w.order_need[order])
        if not g.bom_from[line] <= need < g.bom_until[line]:
            continue
        component = g.bom_component[line]
        quantity = 1 if g.bom_fixed[line] == 1 else w.order_quantity[order]
        gross = times_ratio(quantity, g.bom_numerator[line], g.bom_denominator[line], True)
        if gross < 0:
            w.count[6], w.count[7] = 1, item
            return
        gross = up_to(gross, g.step[component])
        req = add_requirement(w, component, gross, need, w.order_rank[order], ORDER, order)
        if req < 0:
            return
        w.req_operation[req] = operation
    w.order_requirements[order] = w.count[1] - w.order_requirement[order]


@allocating
def settle(g: Given, w: Work) -> None:
    """Place every order for good: the most important first, components before what they go into."""
    orders = w.count[0]
    deepest = g.numbers[6] + 1
    key = np.empty(orders, np.int64)
    for order in range(orders):
        key[order] = (w.order_rank[order] + 8) * deepest + (deepest - 1 - g.level[w.order_item[order]])
        for k in range(w.order_ops[order]):
            w.place_machine[w.order_op[order] + k] = -1
    w.head[:] = -1
    w.tail[:] = -1
    queue = np.empty(orders, np.int64)
    open_orders = g.receipt_order.shape[0]
    for at in range(open_orders):
        queue[at] = g.receipt_order[at]
    new = np.arange(g.numbers[3], orders)
    queue[open_orders:] = new[np.argsort(w.order_need[new], kind="mergesort")]
    in_order = queue[np.argsort(key[queue], kind="mergesort")]
    for at in range(orders):
        settle_order(g, w, int(in_order[at]))
    read_ready(g, w)


@allocating
def settle_order(g: Given, w: Work, order: int) -> None:
    """Place one order, knowing when its material comes."""
    now, receipts = g.numbers[0], g.numbers[3]
    ops, all_ready = w.order_ops[order], now
    if order < receipts and w.order_finish[order] >= NEVER_S and g.need_first[order] < g.need_first[order + 1]:
        return
    for k in range(ops):
        w.place_ready[w.order_op[order] + k] = now
    for req in range(w.order_requirement[order], w.order_requirement[order] + w.order_requirements[order]):
        ready = ready_of(g, w, req)
        w.req_ready[req] = ready
        all_ready = max(all_ready, ready)
        if ops > 0:
            place = w.order_op[order] + w.req_operation[req]
            w.place_ready[place] = max(w.place_ready[place], ready)
    if ops == 0:
        if w.order_requirements[order] > 0:
            w.order_finish[order] = max(w.order_finish[order], all_ready)
    elif order < receipts:
        order_earliest(g, w, order)
    else:
        place_new(g, w, order)
    if order >= receipts and ops > 0 and w.order_finish[order] > w.order_need[order]:
        slice_order(g, w, order)


@kernel
def ready_of(g: Given, w: Work, req: int) -> int:
    """When all of a need is there."""
    if w.req_unfilled[req] > 0:
        return NEVER_S
    ready, peg = -NEVER_S, w.req_peg[req]
    while peg >= 0:
        ready = max(ready, supply_at(g, w, w.peg_supply[peg]))
        peg = w.peg_next[peg]
    return ready


@kernel
def supply_at(g: Given, w: Work, supply: int) -> int:
    """When a supply is there."""
    stocks = g.numbers[2]
    return g.supply_at[supply] if supply < stocks else w.order_finish[supply - stocks]


@kernel
def read_ready(g: Given, w: Work) -> None:
    """Write on every need when it will be met."""
    for req in range(w.count[1]):
        w.req_ready[req] = ready_of(g, w, req)


@kernel
def pieces_of(g: Given, w: Work, req: int, quantity: Cells, at: Cells) -> int:
    """The pieces (quantity, instant) in which a need could be met if late orders were split; returns their number.

    Unfilled quantity is no piece. The last place of the arrays takes all that does not fit.
    """
    stocks, most, number = g.numbers[2], quantity.shape[0], 0
    peg = w.req_peg[req]
    while peg >= 0:
        supply = w.peg_supply[peg]
        order, start, left = supply - stocks, w.peg_offset[peg], w.peg_quantity[peg]
        if order < 0 or w.order_profile[order] < 0:
            number = add_piece(quantity, at, number, most, left, supply_at(g, w, supply))
        else:
            passed = 0
            first = w.order_profile[order]
            for p in range(first, first + w.order_profiles[order]):
                here = min(left, passed + w.profile_quantity[p] - start)
                if here > 0:
                    number = add_piece(quantity, at, number, most, here, w.profile_at[p])
                    start += here
                    left -= here
                passed += w.profile_quantity[p]
        peg = w.peg_next[peg]
    return number


@kernel
def add_piece(quantity: Cells, at: Cells, number: int, most: int, amount: int, instant: int) -> int:
    """Append a piece, or merge it with one of the same instant; returns the new number."""
    if amount <= 0 or instant >= NEVER_S:
        return number
    for p in range(number):
        if at[p] == instant:
            quantity[p] += amount
            return number
    if number == most:
        quantity[most - 1] += amount
        at[most - 1] = max(at[most - 1], instant)
        return number
    quantity[number], at[number] = amount, instant
    return number + 1


@allocating
def slice_order(g: Given, w: Work, order: int) -> None:
    """Note in which slices a late order could be finished if it were split by the arrival of its material.

    The next pass plans each slice as an order of its own. At most four slices, each as big as the lot rules demand.
    """
    first, number = w.order_requirement[order], w.order_requirements[order]
    item = w.order_item[order]
    if number == 0 or g.lot_fixed[item] > 0:
        return
    for line in range(g.bom_first[item], g.bom_first[item + 1]):
        if g.bom_fixed[line] == 1:
            return  # each slice would take the whole of it again
    quantity, at = np.zeros((number, 32), np.int64), np.zeros((number, 32), np.int64)
    sizes = np.zeros(number, np.int64)
    instants = np.empty(number * 32 + 1, np.int64)
    total = 0
    for r in range(number):
        sizes[r] = pieces_of(g, w, first + r, quantity[r], at[r])
        for p in range(sizes[r]):
            instants[total] = max(at[r, p], g.numbers[0])
            total += 1
    instants = np.unique(instants[:total])
    done, lots, start = 0, 0, w.count[8]
    for i in range(instants.shape[0]):
        kits = w.order_quantity[order]
        for r in range(number):
            there = 0
            for p in range(sizes[r]):
                if at[r, p] <= instants[i]:
                    there += quantity[r, p]
            kits = min(kits, times_ratio(there, w.order_quantity[order], w.req_quantity[first + r], False))
        if kits < w.order_quantity[order]:
            kits = down_to(down_to(kits, g.step[item]), g.lot_multiple[item])
            if lots == MOST_SLICES - 1 and i < instants.shape[0] - 1:
                continue
        if kits - done < max(g.lot_minimum[item], g.step[item]) and kits < w.order_quantity[order]:
            continue
        if kits <= done:
            continue
        if w.count[8] >= w.profile_quantity.shape[0]:
            w.count[5] = 1
            return
        finish = min(run_free(g, w, order, instants[i], kits - done), w.order_finish[order])
        if finish < NEVER_S:
            w.profile_quantity[w.count[8]], w.profile_at[w.count[8]] = kits - done, finish
            w.count[8] += 1
            lots += 1
            done = kits
    w.order_profile[order], w.order_profiles[order] = start, lots


@kernel
def run_free(g: Given, w: Work, order: int, ready: int, quantity: int) -> int:
    """When a slice of an order would be finished with its material at ready and free machines."""
    at, item = ready, w.order_item[order]
    for k in range(w.order_ops[order]):
        op = g.op_first[item] + k
        centre, work = g.op_centre[op], g.op_setup_s[op] + run_seconds(g, op, quantity)
        if centre >= 0 and work > 0:
            at = first_fit(g, centre, work, at, NEVER_S)[1]
            if at >= NEVER_S:
                return NEVER_S
        else:
            at += work
        at += g.op_wait_s[op]
    return at
