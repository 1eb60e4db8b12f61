"""The door of the planner: `Problem` (what is) goes in, `Plan` (what to do) comes out, both as columns.

Units, everywhere: quantities are int64 micro-units (1_000_000 = one unit), instants are int64 seconds UTC since 1970,
durations are seconds, run times are microseconds per unit, shares are ppm. A row's number is its identity: the caller
keeps the array of its own ids beside the table. -1 in an index or instant column means "none" or "never".
"""

# ruff: noqa: RUF009  (`number()` and `index()` make dataclass fields, as `field()` does)
from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

from lianzao.engine.tables import Column, Index, ProblemError, Table, index, number

__all__ = [
    "MICRO",
    "NEVER",
    "NONE",
    "Action",
    "Bom",
    "CentreHours",
    "Commitment",
    "ConsumerKind",
    "Deliveries",
    "DemandKind",
    "Demands",
    "ItemKind",
    "Items",
    "Messages",
    "Outcomes",
    "Pegs",
    "Placements",
    "Plan",
    "Problem",
    "ProblemError",
    "Proposals",
    "ReasonKind",
    "Reasons",
    "ReceiptKind",
    "ReceiptOperations",
    "ReceiptRequirements",
    "Receipts",
    "RoutingOperations",
    "Shortages",
    "Stock",
    "SupplyKind",
    "WorkCentres",
    "replace",
]

MICRO = 1_000_000
NONE = -1
NEVER = -1


class ItemKind(IntEnum):
    """How an item is replenished."""

    NONE = 0  # not at all: what is not in stock or on order is short for ever
    BUY = 1
    MAKE = 2
    PHANTOM = 3  # made in no time; its parents' needs pass straight through to its components, it is never stocked


class ReceiptKind(IntEnum):
    PURCHASE = 1
    WORK_ORDER = 2
    TRANSFER = 3


class Commitment(IntEnum):
    """How far an open receipt is bound; the planner never changes a receipt, it only sends messages about it."""

    PLANNED = 0  # a draft of ours
    FIRMED = 1  # frozen by a person
    RELEASED = 2  # work order released; purchase order approved
    SENT = 3  # the partner has it, or has confirmed it
    STARTED = 4  # work has begun; goods are on the way


class DemandKind(IntEnum):
    SALES = 1
    FORECAST = 2
    TRANSFER = 3
    SAFETY = 4
    OTHER = 5


class SupplyKind(IntEnum):
    STOCK = 1  # row of Stock
    RECEIPT = 2  # row of Receipts
    PROPOSAL = 3  # row of Proposals


class ConsumerKind(IntEnum):
    DEMAND = 1  # row of Demands
    PROPOSAL = 2  # row of Proposals (a component of a planned order)
    WORK_ORDER = 3  # row of Receipts (a component of an open work order)
    SAFETY = 4  # row of Items (its safety stock)


class ReasonKind(IntEnum):
    """Why a demand is late. Only causes on the critical path are given."""

    MATERIAL = 1  # an open receipt arrives too late (item, receipt)
    OVERDUE_RECEIPT = 2  # an open receipt should have come already (item, receipt)
    PURCHASING_LEAD_TIME = 3  # a new purchase takes this long (item)
    MANUFACTURING_LEAD_TIME = 4  # making takes this long (item)
    CAPACITY = 5  # the work centre was taken by more important or earlier bound work (centre, item)
    QUALITY_HOLD = 6  # stock exists but is on hold (item)
    SHORT_FOR_EVER = 7  # no stock, no receipt and no way to replenish (item)
    BEYOND_HORIZON = 8  # no working time left before the calendars end (centre, item)
    PLANNING_FENCE = 9  # a new order may not come inside the planning fence (item)
    SHIPPING = 10  # due before it could be shipped from now (item)
    DELIVERED_TOGETHER = 11  # waits for another demand of its group (item of that demand)


class Action(IntEnum):
    """What the planner proposes for an open receipt."""

    EXPEDITE = 1  # from_s -> to_s, earlier
    DEFER = 2  # from_s -> to_s, later
    INCREASE = 3  # from_quantity -> to_quantity, instead of a new proposal of the same day
    DECREASE = 4  # from_quantity -> to_quantity
    CANCEL = 5  # nobody needs it
    OVERDUE = 6  # expected before now and not received: ask for a new date


@dataclass(frozen=True, eq=False)
class Items(Table):
    """One row per item (of one site)."""

    kind: Column = number()  # ItemKind
    step: Column = number(1)  # smallest quantity that exists, micro-units; MICRO = whole units only
    lead_time_s: Column = number(0)  # BUY: order to receipt, calendar seconds; MAKE without routing: its duration
    safety_stock: Column = number(0)  # micro-units to keep; planned after every demand, even without demand
    lot_minimum: Column = number(0)  # micro-units; 0 = none
    lot_multiple: Column = number(0)  # micro-units; 0 = none
    lot_maximum: Column = number(0)  # micro-units; 0 = none; a bigger need becomes several orders
    lot_fixed: Column = number(0)  # micro-units; 0 = none; every order has exactly this quantity
    cover_s: Column = number(0)  # an order also covers the needs of the following `cover_s` seconds (POQ)
    fence_s: Column = number(0)  # planning fence: no new order finishes before now + fence
    count_late_s: Column = number(-1)  # an open receipt counts before a new order is planned when it comes at most
    #                                       this long after both the need and what a new order could reach; -1 = always


@dataclass(frozen=True, eq=False)
class Bom(Table):
    """One row per component of a parent."""

    parent: Index = index()  # Items row
    component: Index = index()  # Items row
    quantity: Column = number()  # micro-units of component ...
    per_quantity: Column = number(MICRO)  # ... for this many micro-units of parent (exact ratio, no rounding of 1/3)
    scrap_ppm: Column = number(0)  # share of the component lost: gross = net / (1 - scrap)
    effective_from_s: Column = number(-(2**62))  # half-open, judged at the start of the operation that takes it
    effective_until_s: Column = number(2**62)
    sequence: Column = number(0)  # taken at the start of this operation (0 or unknown = the first)
    fixed: Column = number(0)  # 1 = `quantity` is taken once per order, whatever the order's quantity


@dataclass(frozen=True, eq=False)
class RoutingOperations(Table):
    """One row per operation of an item's routing; duration on a centre = setup + run * quantity (or run when fixed)."""

    item: Index = index()
    sequence: Column = number()  # order of work; unique per item
    centre: Index = index(NONE)  # WorkCentres row; NONE = unlimited, round the clock
    setup_s: Column = number(0)
    run_us: Column = number(0)  # microseconds per unit; per order when fixed = 1
    fixed: Column = number(0)  # 1 = the run time does not depend on the quantity
    wait_s: Column = number(0)  # queue + move + wait after the operation, calendar seconds


@dataclass(frozen=True, eq=False)
class WorkCentres(Table):
    """One row per work centre."""

    machines: Column = number(1)  # alike machines side by side; 0 = unlimited, but only in the open hours


@dataclass(frozen=True, eq=False)
class CentreHours(Table):
    """Open hours over the horizon; stops are simply absent. An operation pauses while its centre is closed."""

    centre: Index = index()
    start_s: Column = number()
    end_s: Column = number()


@dataclass(frozen=True, eq=False)
class Stock(Table):
    """What is there (or surely will be without anyone's doing)."""

    item: Index = index()
    quantity: Column = number()
    available_s: Column = number(-(2**62))  # earlier than now = now
    held: Column = number(0)  # 1 = on quality hold: never used, but named as a reason


@dataclass(frozen=True, eq=False)
class Receipts(Table):
    """Open supplies: scheduled receipts in the planner's language."""

    item: Index = index()
    quantity: Column = number()  # still to come, micro-units
    expected_s: Column = number()  # when it is expected to be usable (with operations: its due date)
    kind: Column = number(ReceiptKind.PURCHASE)  # ReceiptKind
    commitment: Column = number(Commitment.SENT)  # Commitment


@dataclass(frozen=True, eq=False)
class ReceiptOperations(Table):
    """Remaining operations of open work orders. They get their place before anything new does."""

    receipt: Index = index()
    sequence: Column = number()
    centre: Index = index(NONE)
    setup_s: Column = number(0)  # remaining
    run_s: Column = number(0)  # remaining, for the whole remaining quantity
    wait_s: Column = number(0)
    started: Column = number(0)  # 1 = on the machine at now: goes first and does not wait for material
    start_s: Column = number(NEVER)  # not before this (the place it was given), NEVER = as soon as possible
    machine: Index = index(NONE)  # keep this machine, NONE = any


@dataclass(frozen=True, eq=False)
class ReceiptRequirements(Table):
    """What open work orders still have to take from stock (reserved or issued quantities are left out)."""

    receipt: Index = index()
    item: Index = index()
    quantity: Column = number()
    sequence: Column = number(0)  # operation at whose start it is taken (0 or unknown = the first remaining)


@dataclass(frozen=True, eq=False)
class Demands(Table):
    """Independent demand."""

    item: Index = index()
    quantity: Column = number()
    due_s: Column = number()  # when the customer wants it in hand
    priority: Column = number(0)  # lower = more important; ties by due, then by row
    kind: Column = number(DemandKind.SALES)
    one_delivery: Column = number(0)  # 1 = the whole quantity at once or not at all
    group: Index = index(NONE)  # demands of one group are delivered together (same number = same group)
    shipping_s: Column = number(0)  # from ready at the dock to the customer, calendar seconds
    latest_s: Column = number(2**62)  # what cannot be delivered until then is short (never before due)


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything the planner may know. Frozen: a what-if is a copy with changed columns (`dataclasses.replace`)."""

    now_s: int
    items: Items
    demands: Demands = field(default_factory=Demands.empty)
    bom: Bom = field(default_factory=Bom.empty)
    routing: RoutingOperations = field(default_factory=RoutingOperations.empty)
    centres: WorkCentres = field(default_factory=WorkCentres.empty)
    hours: CentreHours = field(default_factory=CentreHours.empty)
    stock: Stock = field(default_factory=Stock.empty)
    receipts: Receipts = field(default_factory=Receipts.empty)
    receipt_operations: ReceiptOperations = field(default_factory=ReceiptOperations.empty)
    receipt_requirements: ReceiptRequirements = field(default_factory=ReceiptRequirements.empty)
    horizon_until_s: int = 2**62  # demands due later are left out
    constrained: bool = True  # False: meet every date, break capacity and the past, and report it
    defer_tolerance_s: int = 86_400  # a receipt earlier than needed by no more than this gets no defer message


@dataclass(frozen=True, eq=False)
class Proposals(Table):
    """Planned orders, sorted by item, then finish, then start."""

    item: Index = index()
    kind: Column = number()  # ItemKind.BUY or MAKE (PHANTOM when sold as such)
    quantity: Column = number()
    start_s: Column = number()  # BUY: order by; MAKE: first operation starts
    finish_s: Column = number()  # usable
    need_s: Column = number()  # when it was wanted; finish > need = late
    demand: Index = index()  # most important demand it serves, NONE = safety stock or an open work order
    past: Column = number(0)  # 1 = starts before now (only unconstrained)


@dataclass(frozen=True, eq=False)
class Placements(Table):
    """Operations on the time line, of proposals and open work orders."""

    supply_kind: Column = number()  # SupplyKind.PROPOSAL or RECEIPT
    supply: Index = index()
    sequence: Column = number()
    centre: Index = index()  # NONE = no centre
    machine: Index = index()  # 0-based on its centre; NONE = unlimited
    start_s: Column = number()
    end_s: Column = number()  # may span closed time
    work_s: Column = number()  # working seconds between the two


@dataclass(frozen=True, eq=False)
class Pegs(Table):
    """Which supply serves what, one level at a time; walk them with `lianzao.engine.pegging`."""

    supply_kind: Column = number()  # SupplyKind
    supply: Index = index()
    consumer_kind: Column = number()  # ConsumerKind
    consumer: Index = index()
    item: Index = index()
    quantity: Column = number()
    ready_s: Column = number()  # when the supply is there
    need_s: Column = number()  # when the consumer takes it (constrained: >= ready_s)


@dataclass(frozen=True, eq=False)
class Deliveries(Table):
    """Projected deliveries: one row per demand and supply slice. Undelivered quantity is in Outcomes.short."""

    demand: Index = index()
    quantity: Column = number()
    delivered_s: Column = number()
    supply_kind: Column = number()
    supply: Index = index()


@dataclass(frozen=True, eq=False)
class Outcomes(Table):
    """One row per demand."""

    delivered: Column = number()  # micro-units, sooner or later
    short: Column = number()  # micro-units never delivered within the data given
    on_time: Column = number()  # micro-units delivered at or before due
    projected_s: Column = number()  # last delivery, NEVER when nothing is delivered
    late_s: Column = number()  # projected - due when positive, else 0 (short quantity does not count here)


@dataclass(frozen=True, eq=False)
class Reasons(Table):
    """Why demands are late or short; per demand ranked, the heaviest first."""

    demand: Index = index()
    place: Column = number()  # 0 = first
    kind: Column = number()  # ReasonKind
    item: Index = index()
    centre: Index = index()
    receipt: Index = index()
    seconds: Column = number()  # how long it holds the demand up (0 for short for ever)
    from_s: Column = number()  # the stretch of time it stands for, NEVER = open
    until_s: Column = number()
    quantity: Column = number()  # quantity of the demand it concerns


@dataclass(frozen=True, eq=False)
class Messages(Table):
    """Action messages about open receipts."""

    receipt: Index = index()
    action: Column = number()  # Action
    from_s: Column = number()
    to_s: Column = number()
    from_quantity: Column = number()
    to_quantity: Column = number()
    demand: Index = index()  # most important demand behind it, NONE = safety or nobody


@dataclass(frozen=True, eq=False)
class Shortages(Table):
    """What is missing, when, and whom it hurts: supply that comes after the instant it was first wanted."""

    item: Index = index()
    quantity: Column = number()
    need_s: Column = number()
    ready_s: Column = number()  # NEVER = not in sight
    consumer_kind: Column = number()  # ConsumerKind; PROPOSAL has consumer = NONE (re-dated in the final plan)
    consumer: Index = index()
    parent: Index = index()  # Items row of the order that waits, NONE for a demand or safety stock
    demand: Index = index()  # most important demand hurt, NONE = safety or nobody
    supply_kind: Column = number()  # what will cover it, 0 = nothing
    supply: Index = index()  # its row; NONE for a proposal


@dataclass(frozen=True, eq=False)
class Plan:
    """The answer. Same problem, same plan, to the last number."""

    proposals: Proposals
    placements: Placements
    pegs: Pegs
    deliveries: Deliveries
    outcomes: Outcomes
    reasons: Reasons
    messages: Messages
    shortages: Shortages
    receipt_ready_s: Column  # per receipt: when it is really usable, NEVER = not in sight
    low_level_code: Column  # per item: 0 = end item
    passes: int  # how often the plan was tightened
