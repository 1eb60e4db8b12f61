"""Made-up plants: small ones for property tests, larger ones for measuring. Same seed, same plant."""

from __future__ import annotations

from typing import Any

import numpy as np

from lianzao.engine.columns import (
    MICRO,
    Bom,
    CentreHours,
    Commitment,
    Demands,
    ItemKind,
    Items,
    Problem,
    ReceiptKind,
    ReceiptOperations,
    ReceiptRequirements,
    Receipts,
    RoutingOperations,
    Stock,
    WorkCentres,
)

DAY, HOUR = 86_400, 3_600
NOW = 1_700_000_000 // DAY * DAY


def hours_of(centres: int, days: int, since_h: int = 6, until_h: int = 22) -> CentreHours:
    """Weekdays from six to ten at night, for every centre."""
    open_days = [day for day in range(-1, days) if day % 7 not in (5, 6)]
    centre = np.repeat(np.arange(centres), len(open_days))
    day = np.tile(np.array(open_days), centres) * DAY + NOW
    return CentreHours.of(centre=centre, start_s=day + since_h * HOUR, end_s=day + until_h * HOUR)


def small(seed: int) -> Problem:
    """A dozen items on three levels with all sorts of lot rules, stock, receipts, work orders and demands."""
    r = np.random.default_rng(seed)
    count = 12
    level = np.array([0] * 4 + [1] * 4 + [2] * 4)
    kind = np.where(level < 2, ItemKind.MAKE, ItemKind.BUY)
    kind[r.integers(8, 12)] = r.choice([ItemKind.NONE, ItemKind.BUY])
    kind[r.integers(4, 8)] = r.choice([ItemKind.MAKE, ItemKind.PHANTOM])
    fixed = np.where(r.random(count) < 0.1, r.integers(1, 6, count) * 5, 0)
    items = Items.of(
        kind=kind,
        step=MICRO,
        lead_time_s=r.integers(0, 9, count) * DAY,
        safety_stock=sparse(r, count, 0.2, 6),
        lot_minimum=sparse(r, count, 0.2, 8),
        lot_multiple=sparse(r, count, 0.2, 4),
        lot_maximum=np.where(r.random(count) < 0.1, 40, 0) * MICRO,
        lot_fixed=fixed * MICRO,
        cover_s=np.where(r.random(count) < 0.2, 7 * DAY, 0),
        fence_s=np.where(r.random(count) < 0.1, 3 * DAY, 0),
    )
    pairs = [
        (parent, child)
        for parent in range(8)
        for child in range(12)
        if level[child] > level[parent] and r.random() < 0.3
    ]
    made = [item for item in range(8) if kind[item] == ItemKind.MAKE and r.random() < 0.8]
    operations = [(item, 10 * (k + 1)) for item in made for k in range(int(r.integers(1, 4)))]
    routing = RoutingOperations.of(
        item=[o[0] for o in operations],
        sequence=[o[1] for o in operations],
        centre=r.integers(-1, 3, len(operations)),
        setup_s=r.integers(0, 3, len(operations)) * 1800,
        run_us=r.integers(0, 3600, len(operations)) * 1_000_000,
        fixed=r.integers(0, 2, len(operations)),
        wait_s=r.integers(0, 2, len(operations)) * HOUR,
    )
    demands = int(r.integers(1, 9))
    stocks, receipts = int(r.integers(0, 10)), int(r.integers(0, 8))
    receipt_item = r.integers(0, 12, receipts)
    work = [row for row in range(receipts) if kind[receipt_item[row]] == ItemKind.MAKE]
    requirement = [
        (row, int(child))
        for row in work
        for parent, child in pairs
        if parent == receipt_item[row] and kind[child] != ItemKind.PHANTOM
    ]
    return Problem(
        NOW,
        items,
        Demands.of(
            item=r.integers(0, 12, demands),
            quantity=r.integers(1, 40, demands) * MICRO,
            due_s=NOW + r.integers(-2, 40, demands) * DAY,
            priority=r.integers(0, 3, demands),
            one_delivery=r.integers(0, 2, demands),
            shipping_s=r.integers(0, 2, demands) * DAY,
            latest_s=np.where(r.random(demands) < 0.1, NOW + 30 * DAY, 2**62),
            group=np.where(r.random(demands) < 0.2, 0, -1),
        ),
        bom=Bom.of(
            parent=[p for p, _ in pairs],
            component=[c for _, c in pairs],
            quantity=r.integers(1, 4, len(pairs)) * MICRO,
            scrap_ppm=sparse(r, len(pairs), 0.2, 10) // 100,
            sequence=r.choice([0, 10, 20], len(pairs)),
            fixed=np.random.default_rng(seed + 1).random(len(pairs)) < 0.1,  # its own dice: the rest stays as it was
        ),
        routing=routing,
        centres=WorkCentres.of(machines=r.integers(0, 3, 3)),
        hours=hours_of(3, 200),
        stock=Stock.of(
            item=r.integers(0, 12, stocks),
            quantity=r.integers(0, 60, stocks) * MICRO,
            available_s=NOW + r.integers(-3, 4, stocks) * DAY,
            held=r.random(stocks) < 0.2,
        ),
        receipts=Receipts.of(
            item=receipt_item,
            quantity=r.integers(1, 50, receipts) * MICRO,
            expected_s=NOW + r.integers(-3, 20, receipts) * DAY,
            kind=np.where(np.isin(np.arange(receipts), work), ReceiptKind.WORK_ORDER, ReceiptKind.PURCHASE),
            commitment=r.integers(Commitment.PLANNED, Commitment.SENT + 1, receipts),
        ),
        receipt_operations=ReceiptOperations.of(
            receipt=work, sequence=10, centre=r.integers(-1, 3, len(work)), run_s=r.integers(1, 20, len(work)) * HOUR
        ),
        receipt_requirements=ReceiptRequirements.of(
            receipt=[row for row, _ in requirement],
            item=[child for _, child in requirement],
            quantity=r.integers(1, 20, len(requirement)) * MICRO,
        ),
    )


def sparse(r: Any, count: int, share: float, top: int) -> Any:
    """Whole units up to `top` for some rows, 0 for the rest."""
    return np.where(r.random(count) < share, r.integers(1, top + 1, count), 0) * MICRO


def large(
    items: int, levels: int, demands: int, centres: int, per_parent: int, receipts: int, seed: int = 1
) -> Problem:
    """A plant for measuring: levels of equal size, every made item with two operations, capacity about fitting."""
    r = np.random.default_rng(seed)
    level = np.arange(items) * levels // items
    kind = np.where(level == levels - 1, ItemKind.BUY, ItemKind.MAKE)
    parents = np.repeat(np.flatnonzero(level < levels - 1), per_parent)
    first = np.array([np.flatnonzero(level == deep)[0] for deep in range(levels)] + [items])
    low, high = first[level[parents] + 1], first[level[parents] + 2]
    made = np.repeat(np.flatnonzero(kind == ItemKind.MAKE), 2)
    sold = r.integers(0, first[1], demands)
    receipt_item = r.integers(first[levels - 1], items, receipts)
    return Problem(
        NOW,
        Items.of(
            kind=kind,
            step=MICRO,
            lead_time_s=np.where(kind == ItemKind.BUY, r.integers(3, 20, items), 0) * DAY,
            safety_stock=np.where(r.random(items) < 0.3, 20 * MICRO, 0),
            cover_s=np.where(level > 0, 7 * DAY, 0),
        ),
        Demands.of(
            item=sold,
            quantity=r.integers(1, 30, demands) * MICRO,
            due_s=NOW + r.integers(2, 120, demands) * DAY,
            priority=r.integers(1, 4, demands),
            shipping_s=DAY,
        ),
        bom=Bom.of(parent=parents, component=r.integers(low, high), quantity=r.integers(1, 4, parents.size) * MICRO),
        routing=RoutingOperations.of(
            item=made,
            sequence=np.tile([10, 20], made.size // 2),
            centre=r.integers(0, centres, made.size),
            setup_s=900,
            run_us=r.integers(10, 60, made.size) * 1_000_000,
        ),
        centres=WorkCentres.of(machines=np.full(centres, 2)),
        hours=hours_of(centres, 400),
        stock=Stock.of(item=np.arange(items), quantity=r.integers(0, 60, items) * MICRO),
        receipts=Receipts.of(
            item=receipt_item,
            quantity=r.integers(10, 200, receipts) * MICRO,
            expected_s=NOW + r.integers(0, 60, receipts) * DAY,
        ),
    )
