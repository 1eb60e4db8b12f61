"""The planner's working memory: plain arrays in named tuples, so that compiled functions can take them.

`Given` does not change during a solve; `Work` is filled anew in every pass. Supplies are numbered 0..stocks-1 for
stock and stocks + order for orders; orders 0..receipts-1 are the open receipts, the rest are new.
"""

from __future__ import annotations

from typing import NamedTuple

from lianzao.engine.tables import Column


class Given(NamedTuple):
    """The problem, indexed for speed. `*_first` arrays have one more entry than rows they index (CSR)."""

    numbers: Column          # [now, constrained, stocks, receipts, demands, worst rank, deepest level]
    kind: Column
    step: Column
    lead_s: Column
    lot_minimum: Column
    lot_multiple: Column
    lot_maximum: Column
    lot_fixed: Column
    cover_s: Column
    fence_s: Column
    count_late_s: Column
    level: Column            # low-level code
    held: Column             # per item: quantity on hold
    item_order: Column       # items by low-level code
    bom_first: Column
    bom_component: Column
    bom_numerator: Column    # gross component per parent as a reduced ratio
    bom_denominator: Column
    bom_from: Column
    bom_until: Column
    bom_operation: Column    # 0-based place in the parent's routing
    op_first: Column
    op_centre: Column
    op_setup_s: Column
    op_run_us: Column
    op_fixed: Column
    op_wait_s: Column
    op_sequence: Column
    machines: Column         # per centre
    machine_first: Column    # per centre: its first row in `Work.head`
    hours_first: Column
    hours_start: Column
    hours_end: Column
    hours_before: Column     # working seconds of the centre before the interval
    supply_item: Column      # stock rows, then receipts
    supply_quantity: Column
    supply_at: Column        # stock: available; receipts: expected (never before now)
    supply_first: Column     # per item, into supply_list
    supply_list: Column
    receipt_overdue: Column
    receipt_rank: Column     # negative = committed, goes before everything; 0 = takes the rank of what it serves
    receipt_order: Column    # open work orders in the order in which they take their places
    rop_first: Column
    rop_centre: Column
    rop_work_s: Column
    rop_wait_s: Column
    rop_started: Column
    rop_start_s: Column
    rop_machine: Column
    need_first: Column       # components of open work orders
    need_item: Column
    need_quantity: Column
    need_operation: Column   # 0-based place among the remaining operations


class Work(NamedTuple):
    """One pass: orders, requirements, pegs, placements."""

    count: Column            # [orders, needs, pegs, placements, reasons, full, error, its item, profiles, stocks]
    # orders
    order_item: Column
    order_quantity: Column
    order_need: Column
    order_finish: Column
    order_rank: Column
    order_reserve: Column    # part put by for the safety stock: never pegged to a demand
    order_op: Column         # first row in placements
    order_ops: Column
    order_requirement: Column
    order_requirements: Column
    order_profile: Column    # first row in profile_*, -1 = all at order_finish
    order_profiles: Column
    # requirements (ckind: 1 demand slice, 2 order, 4 safety stock)
    req_item: Column
    req_quantity: Column
    req_need: Column
    req_rank: Column
    req_ckind: Column
    req_consumer: Column
    req_operation: Column
    req_ready: Column
    req_unfilled: Column
    req_next: Column         # next requirement of the same item
    req_peg: Column          # first peg
    req_last_peg: Column
    item_req: Column         # first requirement of an item
    # pegs
    peg_supply: Column
    peg_req: Column
    peg_quantity: Column
    peg_offset: Column       # quantity of the same supply pegged before this one
    peg_next: Column
    supply_pegged: Column
    # placements
    place_order: Column
    place_centre: Column
    place_machine: Column
    place_start: Column
    place_end: Column
    place_work: Column
    place_worked: Column     # worked seconds of the centre before it starts
    place_wait: Column
    place_ready: Column      # when the material of the operation is there
    place_next: Column       # next on the same machine
    place_previous: Column
    head: Column             # per machine
    tail: Column
    # output of an order in slices (what could be had earlier if the lot were split)
    profile_quantity: Column
    profile_at: Column
    # reasons: rows of [demand, kind, item, centre, receipt, seconds, from, until, quantity]
    reason: Column
