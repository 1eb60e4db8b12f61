"""The planner's working memory: plain arrays in named tuples, so that compiled functions can take them.

`Given` does not change during a solve; `Work` is filled anew in every pass. Supplies are numbered 0..stocks-1 for
stock and stocks + order for orders; orders 0..receipts-1 are the open receipts, the rest are new.
"""

from __future__ import annotations

from typing import NamedTuple

from lianzao.engine.tables import Cells, Column


class Given(NamedTuple):
    """The problem, indexed for speed. `*_first` arrays have one more entry than rows they index (CSR)."""

    numbers: Cells  # [now, constrained, stocks, receipts, demands, worst rank, deepest level]
    kind: Cells
    step: Cells
    lead_s: Cells
    lot_minimum: Cells
    lot_multiple: Cells
    lot_maximum: Cells
    lot_fixed: Cells
    cover_s: Cells
    fence_s: Cells
    count_late_s: Cells
    level: Cells  # low-level code
    held: Cells  # per item: quantity on hold
    item_order: Cells  # items by low-level code
    bom_first: Cells
    bom_component: Cells
    bom_numerator: Cells  # gross component per parent as a reduced ratio
    bom_denominator: Cells
    bom_fixed: Cells  # 1 = the ratio is micro-units per order, whatever its quantity
    bom_from: Cells
    bom_until: Cells
    bom_operation: Cells  # 0-based place in the parent's routing
    op_first: Cells
    op_centre: Cells
    op_setup_s: Cells
    op_run_us: Cells
    op_fixed: Cells
    op_wait_s: Cells
    op_sequence: Cells
    machines: Cells  # per centre
    machine_first: Cells  # per centre: its first row in `Work.head`
    hours_first: Cells
    hours_start: Cells
    hours_end: Cells
    hours_before: Cells  # working seconds of the centre before the interval
    supply_item: Cells  # stock rows, then receipts
    supply_quantity: Cells
    supply_at: Cells  # stock: available; receipts: expected (never before now)
    supply_first: Cells  # per item, into supply_list
    supply_list: Cells
    receipt_overdue: Cells
    receipt_rank: Cells  # negative = committed, goes before everything; 0 = takes the rank of what it serves
    receipt_order: Cells  # open work orders in the order in which they take their places
    rop_first: Cells
    rop_centre: Cells
    rop_work_s: Cells
    rop_wait_s: Cells
    rop_started: Cells
    rop_start_s: Cells
    rop_machine: Cells
    need_first: Cells  # components of open work orders
    need_item: Cells
    need_quantity: Cells
    need_operation: Cells  # 0-based place among the remaining operations


class Work(NamedTuple):
    """One pass: orders, requirements, pegs, placements."""

    count: Cells  # pyright: ignore[reportIncompatibleMethodOverride]  # no tuple's count
    # [orders, needs, pegs, placements, reasons, full, error, its item, profiles, stocks, first need of safety stocks]
    # orders
    order_item: Cells
    order_quantity: Cells
    order_need: Cells
    order_finish: Cells
    order_rank: Cells
    order_op: Cells  # first row in placements
    order_ops: Cells
    order_requirement: Cells
    order_requirements: Cells
    order_profile: Cells  # first row in profile_*, -1 = all at order_finish
    order_profiles: Cells
    # requirements (ckind: 1 demand slice, 2 order, 4 safety stock)
    req_item: Cells
    req_quantity: Cells
    req_need: Cells
    req_rank: Cells
    req_ckind: Cells
    req_consumer: Cells
    req_operation: Cells
    req_ready: Cells
    req_unfilled: Cells
    req_next: Cells  # next requirement of the same item
    req_peg: Cells  # first peg
    req_last_peg: Cells
    item_req: Cells  # first requirement of an item
    item_new: Cells  # its first new order that serves demands or open work orders ...
    item_new_end: Cells  # ... and one past the last
    # pegs
    peg_supply: Cells
    peg_req: Cells
    peg_quantity: Cells
    peg_offset: Cells  # quantity of the same supply pegged before this one
    peg_next: Cells
    supply_pegged: Cells
    # placements
    place_order: Cells
    place_centre: Cells
    place_machine: Cells
    place_start: Cells
    place_end: Cells
    place_work: Cells
    place_worked: Cells  # worked seconds of the centre before it starts
    place_wait: Cells
    place_ready: Cells  # when the material of the operation is there
    place_next: Cells  # next on the same machine
    place_previous: Cells
    head: Cells  # per machine
    tail: Cells
    # output of an order in slices (what could be had earlier if the lot were split)
    profile_quantity: Cells
    profile_at: Cells
    # reasons: rows of [demand, kind, item, centre, receipt, seconds, from, until, quantity]
    reason: Column
