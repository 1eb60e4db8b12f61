"""Plan columns → rows people can read: ids for row numbers, decimals for micro-units, reasons as chains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np

from lianzao.engine.columns import (
    MICRO,
    NEVER,
    NONE,
    Action,
    Commitment,
    ConsumerKind,
    ItemKind,
    Plan,
    ReasonKind,
    ReceiptKind,
    SupplyKind,
)
from lianzao.engine.pegging import PegWalk
from lianzao.planning import rules
from lianzao.planning.snapshot import DAY_S, Snapshot, instant, quantity

FAR = 2**61


@dataclass
class ProposalRow:
    """A planned order as the run has it; `id` once it is known."""

    kind: str
    item_id: UUID
    quantity: Decimal
    start_at: datetime
    finish_at: datetime
    need_at: datetime
    late_minutes: int
    demand: int
    row: int
    id: UUID | None = None


@dataclass(frozen=True)
class MessageRow:
    """A change the run asks for."""

    action: str
    item_id: UUID
    subject_kind: str
    subject_id: UUID
    number: str
    partner_id: UUID | None
    from_at: datetime | None
    to_at: datetime | None
    from_quantity: Decimal | None
    to_quantity: Decimal | None
    demand: int
    committed: bool
    cause: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OutlookRow:
    """How a demand is served."""

    demand: int
    item_id: UUID
    quantity: Decimal
    short: Decimal
    due_at: datetime
    projected_at: datetime | None
    late_minutes: int
    reasons: list[dict[str, Any]]
    slices: list[dict[str, Any]]


@dataclass
class Reading:
    """A whole plan, readable."""

    proposals: list[ProposalRow]
    messages: list[MessageRow]
    outlooks: list[OutlookRow]
    shortages: list[dict[str, Any]]
    pegs: list[str]
    operations: list[str]


class Instants(dict[int, datetime]):
    """Instants by their second: a plan has few, each many times."""

    def __missing__(self, second: int) -> datetime:
        made = self[second] = instant(second)
        return made


def maybe(second: int) -> datetime | None:
    """An instant, or None for never."""
    return None if second == NEVER or abs(int(second)) >= FAR else instant(int(second))


def proposals(taken: Snapshot, plan: Plan, first: Mapping[tuple[int, int], int]) -> list[ProposalRow]:
    """Planned orders with the most important demand each one serves (of `first_demands`)."""
    table, make, supply = plan.proposals, int(ItemKind.MAKE), int(SupplyKind.PROPOSAL)
    columns = (table.kind, table.item, table.quantity, table.start_s, table.finish_s, table.need_s)
    at = Instants()
    return [
        ProposalRow(
            kind="make" if kind == make else "buy",
            item_id=taken.item_ids[item],
            quantity=quantity(amount),
            start_at=at[start],
            finish_at=at[finish],
            need_at=at[need],
            late_minutes=max(0, finish - need) // 60,
            demand=first.get((supply, row), NONE),
            row=row,
        )
        for row, (kind, item, amount, start, finish, need) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        )
    ]


def first_demands(plan: Plan) -> dict[tuple[int, int], int]:
    """For each supply the first demand reached by walking its pegs up: for whose sake it exists."""
    over: dict[tuple[int, int], list[tuple[int, int]]] = {}
    found: dict[tuple[int, int], int] = {}
    pegs = plan.pegs
    for kind, supply, consumer_kind, consumer in zip(
        pegs.supply_kind.tolist(),
        pegs.supply.tolist(),
        pegs.consumer_kind.tolist(),
        pegs.consumer.tolist(),
        strict=True,
    ):
        if consumer_kind == ConsumerKind.DEMAND:
            known = found.get((kind, supply))
            found[(kind, supply)] = consumer if known is None else min(known, consumer)
        elif consumer_kind in (ConsumerKind.PROPOSAL, ConsumerKind.WORK_ORDER):
            parent = int(SupplyKind.PROPOSAL if consumer_kind == ConsumerKind.PROPOSAL else SupplyKind.RECEIPT)
            over.setdefault((parent, consumer), []).append((kind, supply))
    waiting = list(found.items())
    while waiting:
        supply_key, demand = waiting.pop()
        for below in over.get(supply_key, ()):
            known = found.get(below)
            if known is None or demand < known:
                found[below] = demand
                waiting.append((below, demand))
    return found


ACTIONS = {
    Action.EXPEDITE: "expedite",
    Action.DEFER: "defer",
    Action.INCREASE: "increase",
    Action.DECREASE: "decrease",
    Action.CANCEL: "cancel",
    Action.OVERDUE: "overdue",
}


def messages(taken: Snapshot, plan: Plan) -> list[MessageRow]:
    """Action messages about open receipts. Work orders with operations get new times instead (see `reschedules`)."""
    table, receipts = plan.messages, taken.problem.receipts
    timed = set(taken.problem.receipt_operations.receipt.tolist())
    made: list[MessageRow] = []
    for row in range(len(table)):
        receipt = int(table.receipt[row])
        action = Action(int(table.action[row]))
        if receipt in timed and action in (Action.EXPEDITE, Action.DEFER, Action.OVERDUE):
            continue
        named = taken.receipts[receipt]
        made.append(
            MessageRow(
                action=ACTIONS[action],
                item_id=taken.item_ids[int(receipts.item[receipt])],
                subject_kind=named.kind,
                subject_id=named.id,
                number=named.number,
                partner_id=named.partner_id,
                from_at=maybe(int(table.from_s[row])),
                to_at=maybe(int(table.to_s[row])),
                from_quantity=quantity(table.from_quantity[row]),
                to_quantity=quantity(table.to_quantity[row]),
                demand=int(table.demand[row]),
                committed=int(receipts.commitment[receipt]) >= Commitment.SENT,
            )
        )
    return made


def reschedules(taken: Snapshot, plan: Plan, first: Mapping[tuple[int, int], int]) -> list[MessageRow]:
    """The times the plan gives to open work orders, one row each, with the places of their operations."""
    placed: dict[int, list[dict[str, Any]]] = {}
    table = plan.placements
    for row in np.flatnonzero(table.supply_kind == SupplyKind.RECEIPT):
        receipt, sequence = int(table.supply[row]), int(table.sequence[row])
        operation = taken.operation_ids.get((receipt, sequence))
        placed.setdefault(receipt, []).append(
            {
                "operation_id": None if operation is None else str(operation),
                "sequence": sequence,
                "start_at": instant(int(table.start_s[row])).isoformat(),
                "finish_at": instant(int(table.end_s[row])).isoformat(),
            }
        )
    receipts = taken.problem.receipts
    made: list[MessageRow] = []
    for receipt, operations in placed.items():
        if int(receipts.kind[receipt]) != ReceiptKind.WORK_ORDER:
            continue
        named, facts = taken.receipts[receipt], taken.receipt_facts[receipt]
        starts = min(datetime.fromisoformat(each["start_at"]) for each in operations)
        ends = max(datetime.fromisoformat(each["finish_at"]) for each in operations)
        made.append(
            MessageRow(
                action="reschedule",
                item_id=taken.item_ids[int(receipts.item[receipt])],
                subject_kind=named.kind,
                subject_id=named.id,
                number=named.number,
                partner_id=None,
                from_at=facts["planned_finish_at"],
                to_at=ends,
                from_quantity=None,
                to_quantity=None,
                demand=first.get((int(SupplyKind.RECEIPT), receipt), NONE),
                committed=False,
                details={
                    "start_at": starts.isoformat(),
                    "finish_at": ends.isoformat(),
                    "old_start_at": _iso(facts["planned_start_at"]),
                    "old_finish_at": _iso(facts["planned_finish_at"]),
                    "operations": sorted(operations, key=lambda each: each["sequence"]),
                    "started": facts["status"] == "started",
                    "pinned": bool(facts.get("pinned")),
                },
            )
        )
    return made


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


REASONS = {
    ReasonKind.MATERIAL: "material",
    ReasonKind.OVERDUE_RECEIPT: "overdue_receipt",
    ReasonKind.PURCHASING_LEAD_TIME: "purchasing_lead_time",
    ReasonKind.MANUFACTURING_LEAD_TIME: "manufacturing_lead_time",
    ReasonKind.CAPACITY: "capacity",
    ReasonKind.QUALITY_HOLD: "quality_hold",
    ReasonKind.SHORT_FOR_EVER: "short_for_ever",
    ReasonKind.BEYOND_HORIZON: "beyond_horizon",
    ReasonKind.PLANNING_FENCE: "planning_fence",
    ReasonKind.SHIPPING: "shipping",
    ReasonKind.DELIVERED_TOGETHER: "delivered_together",
}


def reasons(taken: Snapshot, plan: Plan) -> dict[int, list[dict[str, Any]]]:
    """Why each late demand is late, with the documents behind it: what happened first, the heaviest of it foremost."""
    table = plan.reasons
    made: dict[int, list[dict[str, Any]]] = {}
    order = np.lexsort((table.place, table.demand))
    for row in order.tolist():
        item, centre, receipt = int(table.item[row]), int(table.centre[row]), int(table.receipt[row])
        told: dict[str, Any] = {
            "reason": REASONS[ReasonKind(int(table.kind[row]))],
            "minutes": int(table.seconds[row]) // 60,
            "quantity": str(quantity(int(table.quantity[row]))),
            "from_at": _iso(maybe(int(table.from_s[row]))),
            "until_at": _iso(maybe(int(table.until_s[row]))),
        }
        if item != NONE:
            told |= {
                "item_id": str(taken.item_ids[item]),
                "item": taken.item_codes[item],
                "item_name": taken.item_names[item][0],
                "item_name_en": taken.item_names[item][1],
            }
        if centre != NONE:
            told |= {
                "work_center_id": str(taken.centre_ids[centre]),
                "work_center": taken.centre_names[centre][0],
                "work_center_en": taken.centre_names[centre][1],
            }
        if receipt != NONE:
            named = taken.receipts[receipt]
            told |= {"kind": named.kind, "id": str(named.id), "number": named.number}
        made.setdefault(int(table.demand[row]), []).append(told)
    stops = stops_behind(taken, plan, made)
    return {demand: rules.told_in_order(stops.get(demand, []), chain) for demand, chain in made.items()}


def stops_behind(taken: Snapshot, plan: Plan, late: dict[int, list[dict[str, Any]]]) -> dict[int, list[dict[str, Any]]]:
    """For late demands whose supplies stand on a center that is stopped now: the stop, and how long it lasts.

    The engine sees closed hours only; that they are a stop, and not a night, is known here.
    """
    if not taken.stopped or not late:
        return {}
    table, now = plan.placements, int(taken.problem.now_s)
    behind: dict[tuple[int, int], set[int]] = {}
    for row in range(len(table)):
        window = taken.stopped.get(int(table.centre[row]))
        if window is not None and int(table.end_s[row]) > now and int(table.start_s[row]) - DAY_S < window[1]:
            behind.setdefault((int(table.supply_kind[row]), int(table.supply[row])), set()).add(int(table.centre[row]))
    walk = PegWalk(plan)
    made: dict[int, list[dict[str, Any]]] = {}
    for (kind, supply), centres in behind.items():
        for end in walk.above(kind, supply):
            if end.consumer_kind == ConsumerKind.DEMAND and end.consumer in late:
                made.setdefault(end.consumer, []).extend(told_stop(taken, centre, now) for centre in sorted(centres))
    return {demand: [each for at, each in enumerate(told) if each not in told[:at]] for demand, told in made.items()}


def told_stop(taken: Snapshot, centre: int, now: int) -> dict[str, Any]:
    """A stop as a reason."""
    until = taken.stopped[centre][1]
    return {
        "reason": "machine_down",
        "minutes": max(0, until - now) // 60,
        "quantity": "0",
        "from_at": _iso(instant(taken.stopped[centre][0])),
        "until_at": _iso(instant(until)),
        "work_center_id": str(taken.centre_ids[centre]),
        "work_center": taken.centre_names[centre][0],
        "work_center_en": taken.centre_names[centre][1],
    }


def outlooks(taken: Snapshot, plan: Plan) -> list[OutlookRow]:
    """How each demand is served, with its slices and reasons."""
    why = reasons(taken, plan)
    slices: dict[int, list[dict[str, Any]]] = {}
    for row in range(len(plan.deliveries)):
        slices.setdefault(int(plan.deliveries.demand[row]), []).append(
            {
                "quantity": str(quantity(plan.deliveries.quantity[row])),
                "at": instant(int(plan.deliveries.delivered_s[row])).isoformat(),
            }
        )
    demands, table = taken.problem.demands, plan.outcomes
    return [
        OutlookRow(
            demand=row,
            item_id=taken.item_ids[int(demands.item[row])],
            quantity=quantity(demands.quantity[row]),
            short=quantity(table.short[row]),
            due_at=instant(int(demands.due_s[row])),
            projected_at=None if table.short[row] else maybe(table.projected_s[row]),
            late_minutes=int(table.late_s[row]) // 60,
            reasons=why.get(row, []),
            slices=slices.get(row, []),
        )
        for row in range(len(demands))
    ]


class Namer:
    """Kinds and ids of supplies and consumers."""

    def __init__(self, taken: Snapshot, rows: list[ProposalRow]) -> None:
        self.taken = taken
        self.rows = rows

    def supply(self, kind: int, row: int) -> tuple[str, UUID, str]:
        """The document behind a supply; stock is named by its item."""
        if kind == SupplyKind.RECEIPT:
            named = self.taken.receipts[row]
            return named.kind, named.id, named.number
        if kind == SupplyKind.PROPOSAL:
            made = self.rows[row]
            assert made.id is not None
            return "planning.proposal", made.id, ""
        item = int(self.taken.problem.stock.item[row])
        return "catalog.item", self.taken.item_ids[item], self.taken.item_codes[item]

    def consumer(self, kind: int, row: int) -> tuple[str, UUID, str]:
        """The document behind a consumer; safety stock is named by its item."""
        if kind == ConsumerKind.DEMAND:
            named = self.taken.demands[row]
            return named.kind, named.id, named.number
        if kind == ConsumerKind.WORK_ORDER:
            named = self.taken.receipts[row]
            return named.kind, named.id, named.number
        if kind == ConsumerKind.PROPOSAL:
            made = self.rows[row]
            assert made.id is not None
            return "planning.proposal", made.id, ""
        return "catalog.item", self.taken.item_ids[row], self.taken.item_codes[row]


def pegs(taken: Snapshot, plan: Plan, rows: list[ProposalRow]) -> list[str]:
    """Rows of planning_peg, as COPY reads them."""
    table, said, now = plan.pegs, _Said(taken, rows), int(taken.problem.now_s)
    columns = (table.supply_kind, table.supply, table.consumer_kind, table.consumer, table.item, table.quantity)
    columns = (*columns, table.ready_s, table.need_s)
    return [
        f"{said.site}\t{said.supplies[kind, supply]}\t{said.consumers[consumer_kind, consumer]}\t{said.items[item]}\t"
        f"{units(amount)}\t{said.at[max(FIRST, ready) if abs(ready) < FAR else now]}\t"
        f"{said.at[need if abs(need) < FAR else now]}\n"
        for kind, supply, consumer_kind, consumer, item, amount, ready, need in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]


def operations(taken: Snapshot, plan: Plan, rows: list[ProposalRow]) -> list[str]:
    """Rows of planning_scheduled_operation, as COPY reads them."""
    table, said, receipt = plan.placements, _Said(taken, rows), int(SupplyKind.RECEIPT)
    centres = [str(id) for id in taken.centre_ids]
    known = taken.operation_ids
    columns = (table.supply_kind, table.supply, table.sequence, table.centre, table.machine)
    columns = (*columns, table.start_s, table.end_s, table.work_s)
    made: list[str] = []
    for kind, supply, sequence, centre, machine, start, end, work in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        operation = known.get((supply, sequence)) if kind == receipt else None
        made.append(
            f"{said.site}\t{said.supplies[kind, supply]}\t{NULL if operation is None else operation}\t{sequence}\t"
            f"{NULL if centre == NONE else centres[centre]}\t{max(0, machine)}\t{said.at[start]}\t{said.at[end]}\t"
            f"{work // 60}\n"
        )
    return made


NULL = "\\N"
#: The first second of the year 1, before which there are no instants.
FIRST = -62_135_596_800


def units(micro_units: int) -> str:
    """Micro-units as COPY reads a quantity."""
    whole, rest = divmod(abs(micro_units), MICRO)
    return f"{'-' if micro_units < 0 else ''}{whole}.{rest:06d}"


class _Texts(dict[Any, str]):
    """Texts made once for each key."""

    def __init__(self, make: Callable[[Any], str]) -> None:
        super().__init__()
        self.make = make

    def __missing__(self, key: Any) -> str:
        made = self[key] = self.make(key)
        return made


class _Said:
    """What COPY is told of supplies, consumers, items and instants. Kinds, ids and instants need no escaping."""

    def __init__(self, taken: Snapshot, rows: list[ProposalRow]) -> None:
        names = Namer(taken, rows)

        def named(found: tuple[str, UUID, str]) -> str:
            return f"{found[0]}\t{found[1]}"

        self.site = str(taken.site_id)
        self.items = [str(id) for id in taken.item_ids]
        self.supplies = _Texts(lambda key: named(names.supply(*key)))
        self.consumers = _Texts(lambda key: named(names.consumer(*key)))
        self.at = _Texts(lambda second: instant(second).isoformat())


def shortages(taken: Snapshot, plan: Plan, rows: list[ProposalRow]) -> list[dict[str, Any]]:
    """What is missing: soonest first, with whom it hurts and what will cover it."""
    names, table = Namer(taken, rows), plan.shortages
    made: list[dict[str, Any]] = []
    for row in range(len(table)):
        told: dict[str, Any] = {
            "item_id": taken.item_ids[int(table.item[row])],
            "quantity": quantity(int(table.quantity[row])),
            "need_at": instant(int(table.need_s[row])),
            "ready_at": maybe(int(table.ready_s[row])),
        }
        kind, consumer = int(table.consumer_kind[row]), int(table.consumer[row])
        if kind and consumer != NONE:
            told["consumer_kind"], told["consumer_id"], told["consumer_number"] = names.consumer(kind, consumer)
        demand = int(table.demand[row])
        if demand != NONE:
            named = taken.demands[demand]
            told["demand_kind"], told["demand_id"], told["demand_number"] = named.kind, named.id, named.number
        supply_kind, supply = int(table.supply_kind[row]), int(table.supply[row])
        if supply_kind and supply != NONE:
            told["supply_kind"], told["supply_id"], told["supply_number"] = names.supply(supply_kind, supply)
        made.append(told)
    made.sort(key=lambda each: (each["need_at"], str(each["item_id"])))
    return made


def read(taken: Snapshot, plan: Plan) -> Reading:
    """All of it but what needs the proposals' ids (pegs, operations, shortages), which `complete` adds."""
    first = first_demands(plan)
    changes = messages(taken, plan) + reschedules(taken, plan, first)
    return Reading(proposals(taken, plan, first), changes, outlooks(taken, plan), [], [], [])


def complete(reading: Reading, taken: Snapshot, plan: Plan, ids: Mapping[int, UUID]) -> None:
    """Add what names proposals by id."""
    for each in reading.proposals:
        each.id = ids[each.row]
    reading.shortages = shortages(taken, plan, reading.proposals)
    reading.pegs = pegs(taken, plan, reading.proposals)
    reading.operations = operations(taken, plan, reading.proposals)
