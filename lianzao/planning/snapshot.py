"""Rooms → columns: all the planner may know of a site, read in one transaction, and the names behind the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

import numpy as np

from lianzao.access.queries import site_zone
from lianzao.catalog import queries as catalog
from lianzao.engine.columns import (
    MICRO,
    NEVER,
    NONE,
    Bom,
    CentreHours,
    Commitment,
    Demands,
    ItemKind,
    Items,
    Plan,
    Problem,
    ReceiptKind,
    ReceiptOperations,
    ReceiptRequirements,
    Receipts,
    RoutingOperations,
    Stock,
    WorkCentres,
)
from lianzao.engineering import queries as engineering
from lianzao.equipment import queries as equipment
from lianzao.inventory import queries as inventory
from lianzao.plant import queries as plant
from lianzao.procurement import queries as procurement
from lianzao.production import queries as production
from lianzao.quality import queries as quality
from lianzao.sales import queries as sales
from lianzao.values.errors import RuleBroken
from lianzao.values.time import start_of_day

DAY_S = 86_400
HORIZON = timedelta(days=400)
#: A stop whose end nobody knows is planned as if it ended after this; the first estimate re-plans it.
UNKNOWN_STOP = timedelta(hours=8)
#: No quantity of a plan may reach this: int64 micro-units, with room for sums.
MOST = Decimal(4_000_000_000_000)

KINDS = {"make": ItemKind.MAKE, "buy": ItemKind.BUY, "phantom": ItemKind.PHANTOM, "none": ItemKind.NONE}
COMMITMENTS = {
    "raised": Commitment.FIRMED,
    "approved": Commitment.FIRMED,
    "draft": Commitment.FIRMED,
    "sent": Commitment.SENT,
    "confirmed": Commitment.SENT,
    "announced": Commitment.STARTED,
    "planned": Commitment.PLANNED,
    "firmed": Commitment.FIRMED,
    "released": Commitment.RELEASED,
    "started": Commitment.STARTED,
}


@dataclass(frozen=True)
class Named:
    """A document behind a row: kind, id, what people call it, and its partner."""

    kind: str
    id: UUID
    number: str
    partner_id: UUID | None = None


@dataclass(frozen=True)
class Snapshot:
    """A problem and the names of its rows."""

    site_id: UUID
    now: datetime
    zone: str
    problem: Problem
    item_ids: list[UUID]
    item_codes: list[str]
    item_names: list[tuple[str, str]]
    centre_ids: list[UUID]
    centre_names: list[tuple[str, str]]
    receipts: list[Named]
    receipt_facts: list[dict[str, Any]]
    operation_ids: dict[tuple[int, int], UUID]
    demands: list[Named]
    demand_facts: list[dict[str, Any]]
    suppliers: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    stopped: dict[int, tuple[int, int]] = field(default_factory=dict)


def micro(quantity: Decimal) -> int:
    """A quantity in micro-units, exactly. Raises RuleBroken when it is too large to be planned."""
    if abs(quantity) >= MOST:
        raise RuleBroken("quantity_too_large_to_plan", quantity=quantity)
    return int((quantity * MICRO).to_integral_value(rounding=ROUND_HALF_UP))


def seconds(at: datetime) -> int:
    """An instant in whole seconds UTC."""
    return int(at.timestamp())


def instant(second: int) -> datetime:
    """The instant of a second."""
    return datetime.fromtimestamp(second, UTC)


def quantity(micro_units: int) -> Decimal:
    """Micro-units as a quantity."""
    return Decimal(int(micro_units)) / MICRO


def end_of_day(on: date, zone: str) -> int:
    """The last second of a local day: what is due on a day may come until then."""
    return seconds(start_of_day(on + timedelta(days=1), zone)) - 1


def take(site_id: UUID, now: datetime, extra_demand: Mapping[str, Any] | None = None) -> Snapshot:
    """Read a site. `extra_demand` (item_id, quantity, due_on, priority) is tried beside the real ones (a trial)."""
    zone = site_zone(site_id)
    items = _items(site_id, now)
    place = {id: row for row, id in enumerate(items.ids)}
    centres, centre_place = _centres(site_id, now)
    receipts = _receipts(site_id, place, centre_place, centres.open)
    demands = _demands(site_id, zone, place, extra_demand)
    problem = Problem(
        now_s=seconds(now),
        items=items.table,
        demands=demands.table,
        bom=_bom(site_id, now, place),
        routing=_routing(site_id, now, place, centre_place),
        centres=centres.table,
        hours=centres.hours,
        stock=_stock(site_id, place, now),
        receipts=receipts.table,
        receipt_operations=receipts.operations,
        receipt_requirements=receipts.requirements,
        horizon_until_s=seconds(now + HORIZON),
    )
    return Snapshot(
        site_id=site_id,
        now=now,
        zone=zone,
        problem=problem,
        item_ids=items.ids,
        item_codes=items.codes,
        item_names=items.names,
        centre_ids=centres.ids,
        centre_names=centres.names,
        receipts=receipts.named,
        receipt_facts=receipts.facts,
        operation_ids=receipts.operation_ids,
        demands=demands.named,
        demand_facts=demands.facts,
        suppliers=items.suppliers,
        stopped=centres.stopped,
    )


@dataclass(frozen=True)
class _ItemRows:
    table: Items
    ids: list[UUID]
    codes: list[str]
    names: list[tuple[str, str]]
    suppliers: dict[UUID, dict[str, Any]]


def _rows(columns: Mapping[str, Sequence[Any]]) -> Iterable[dict[str, Any]]:
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(names, values, strict=True))


def _items(site_id: UUID, now: datetime) -> _ItemRows:
    facts = catalog.item_columns(site_id)
    parameters = catalog.planning_parameters(site_id)
    suppliers = {each["item_id"]: each for each in _rows(procurement.supplier_columns(site_id))}
    by_item = {each["item_id"]: each for each in _rows(parameters)}
    kinds, steps, leads, safety, minimum, multiple, maximum, fixed, cover, fence = ([] for _ in range(10))  # type: ignore[var-annotated]
    for id, supply, step in zip(facts["item_id"], facts["supply"], facts["step"], strict=True):
        own, offer = by_item[id], suppliers.get(id, {})
        kinds.append(int(KINDS[supply]))
        steps.append(max(1, micro(step)))
        days = own["lead_time_days"]
        if supply == "buy" and offer.get("lead_time_days") is not None:
            days = offer["lead_time_days"]
        leads.append((days + own["safety_days"]) * DAY_S)
        safety.append(micro(own["safety_stock"]))
        minimum.append(micro(max(own["lot_minimum"], offer.get("minimum") or Decimal(0))))
        multiple.append(micro(own["lot_multiple"] or offer.get("multiple") or Decimal(0)))
        maximum.append(micro(own["lot_maximum"]))
        fixed.append(micro(own["fixed_lot"]))
        cover.append(own["cover_days"] * DAY_S)
        fence.append(own["fence_days"] * DAY_S)
    table = Items.of(
        kind=kinds,
        step=steps,
        lead_time_s=leads,
        safety_stock=safety,
        lot_minimum=minimum,
        lot_multiple=multiple,
        lot_maximum=maximum,
        lot_fixed=fixed,
        cover_s=cover,
        fence_s=fence,
    )
    names = list(zip(facts["name"], facts["name_en"], strict=True))
    return _ItemRows(table, list(facts["item_id"]), list(facts["code"]), names, suppliers)


def _bom(site_id: UUID, now: datetime, place: Mapping[UUID, int]) -> Bom:
    """Lines as exact ratios, or as quantities taken once per order."""
    rows = [row for row in _rows(engineering.bom_columns(site_id, now)) if row["item_id"] in place]
    return Bom.of(
        parent=[place[row["item_id"]] for row in rows],
        component=[place[row["component_id"]] for row in rows],
        quantity=[micro(row["quantity_per"]) for row in rows],
        per_quantity=[micro(row["base_quantity"]) for row in rows],
        scrap_ppm=[int(row["scrap_percent"] * 10_000) for row in rows],
        effective_from_s=[max(-(2**62), int(row["effective_from_s"])) for row in rows],
        effective_until_s=[min(2**62, int(row["effective_until_s"])) for row in rows],
        sequence=[row["operation_sequence"] or 0 for row in rows],
        fixed=[int(row["fixed"]) for row in rows],
    )


def _routing(
    site_id: UUID, now: datetime, place: Mapping[UUID, int], centre_place: Mapping[UUID, int]
) -> RoutingOperations:
    rows = [row for row in _rows(engineering.routing_columns(site_id, now)) if row["item_id"] in place]
    return RoutingOperations.of(
        item=[place[row["item_id"]] for row in rows],
        sequence=[row["sequence"] for row in rows],
        centre=[centre_place.get(row["work_center_id"], NONE) for row in rows],
        setup_s=[int(row["setup_minutes"] * 60) for row in rows],
        run_us=[int(row["run_minutes"] * 60_000_000) for row in rows],
        wait_s=[int(row["queue_minutes"] * 60) for row in rows],
    )


@dataclass(frozen=True)
class _CentreRows:
    table: WorkCentres
    hours: CentreHours
    open: dict[UUID, Hours]
    ids: list[UUID]
    names: list[tuple[str, str]]
    stopped: dict[int, tuple[int, int]]


def _centres(site_id: UUID, now: datetime) -> tuple[_CentreRows, dict[UUID, int]]:
    """Work centers with their open hours. A machine that stands still takes its share of the center's places: when all
    places of a center are down its hours are cut out; while some still run, the center has fewer places until the
    longest known stop ends.
    """
    columns = plant.work_center_columns(site_id)
    ids: list[UUID] = list(columns["work_center_id"])
    place = {id: row for row, id in enumerate(ids)}
    intervals = plant.working_intervals(ids, now - timedelta(days=1), now + HORIZON)
    down: dict[UUID, list[tuple[int, int]]] = {}
    for row in _rows(equipment.down_windows(site_id, now)):
        until = row["until_at"] or now + UNKNOWN_STOP
        down.setdefault(row["work_center_id"], []).append((seconds(row["from_at"]), seconds(until)))
    machines: list[int] = []
    centre, start, end = [], [], []  # type: ignore[var-annotated]
    known: dict[UUID, Hours] = {}
    standing_still: dict[int, tuple[int, int]] = {}
    for id, capacity, count in zip(ids, columns["capacity"], columns["machines"], strict=True):
        places = max(int(capacity or 0), 1)
        stopped = down.get(id, [])
        if stopped:
            standing_still[place[id]] = (min(first for first, _ in stopped), max(last for _, last in stopped))
        standing = min(len(stopped), places) if not count else min(len(stopped) * places // max(int(count), 1), places)
        closed: list[tuple[int, int]] = []
        if standing >= places and stopped:
            closed = [(min(first for first, _ in stopped), min(last for _, last in stopped))]
            standing = 0
        machines.append(max(places - standing, 1))
        found = intervals.get(id)
        spans = cut(list(zip(found.starts, found.ends, strict=True)) if found else [], closed)
        known[id] = Hours(spans)
        for first, last in spans:
            centre.append(place[id])
            start.append(first)
            end.append(last)
    table = WorkCentres.of(machines=machines)
    hours = CentreHours.of(centre=centre, start_s=start, end_s=end)
    names = list(zip(columns["name"], columns["name_en"], strict=True))
    return _CentreRows(table, hours, known, ids, names, standing_still), place


def cut(open_hours: Sequence[tuple[int, int]], closed: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Open hours without the closed stretches. All half-open, in seconds."""
    left = list(open_hours)
    for first, last in closed:
        remaining: list[tuple[int, int]] = []
        for start, end in left:
            if start < first:
                remaining.append((start, min(end, first)))
            if end > last:
                remaining.append((max(start, last), end))
        left = [(start, end) for start, end in remaining if start < end]
    return left


class Hours:
    """A center's open hours, to walk back from an end to the latest start."""

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self.starts = np.array([first for first, _ in spans], np.int64)
        self.ends = np.array([last for _, last in spans], np.int64)
        self.worked = np.concatenate(([0], np.cumsum(self.ends - self.starts)))

    def latest_start(self, end: int, work: int) -> int:
        """The latest second to begin `work` seconds to end by `end`; before the known hours, the first of them."""
        if self.starts.size == 0:
            return end - work
        row = int(np.searchsorted(self.starts, end, side="right")) - 1
        if row < 0:
            return int(self.starts[0])
        before = int(self.worked[row]) + min(end, int(self.ends[row])) - int(self.starts[row]) - work
        if before <= 0:
            return int(self.starts[0])
        row = int(np.searchsorted(self.worked, before, side="left")) - 1
        return int(self.starts[row]) + before - int(self.worked[row])


def latest_starts(
    operations: Sequence[Mapping[str, Any]], due: Mapping[UUID, int], hours: Mapping[UUID, Hours]
) -> dict[UUID, int]:
    """Per work order the latest start of its first remaining operation that meets the due date, were it alone."""
    at = dict(due)
    for row in reversed(operations):
        order = row["work_order_id"]
        work = int((row["setup_minutes"] + row["run_minutes"]) * 60)
        center = hours.get(row["work_center_id"])
        start = at[order] - work if center is None else center.latest_start(at[order], work)
        at[order] = start - int(row["queue_minutes"] * 60)
    return at


def _stock(site_id: UUID, place: Mapping[UUID, int], now: datetime) -> Stock:
    """What lies there, usable and held apart. What was used before it was booked is taken off, because it is gone; what
    only waits for its inspection counts from the instant that is due.
    """
    columns = inventory.stock_columns(site_id, now)
    inspecting: dict[UUID, list[tuple[Decimal, int]]] = {}
    for row in _rows(quality.inspecting_columns(site_id)):
        inspecting.setdefault(row["item_id"], []).append((row["quantity"], seconds(max(row["expected_at"], now))))
    gone: dict[UUID, Decimal] = {}
    for row in _rows(inventory.uncovered_columns(site_id, now)):
        gone[row["item_id"]] = gone.get(row["item_id"], Decimal(0)) + row["quantity"]
    item, amounts, available, held = [], [], [], []  # type: ignore[var-annotated]

    def add(id: UUID, amount: Decimal, at: int, on_hold: bool) -> None:
        if amount > 0:
            item.append(place[id])
            amounts.append(micro(amount))
            available.append(at)
            held.append(int(on_hold))

    for row in _rows(columns):
        id, amount = row["item_id"], row["quantity"]
        if id not in place:
            continue
        if not row["held"]:
            taken = min(amount, gone.get(id, Decimal(0)))
            gone[id] = gone.get(id, Decimal(0)) - taken
            add(id, amount - taken, seconds(now), False)
            continue
        for coming, at in inspecting.get(id, ()):
            part = min(coming, amount)
            add(id, part, at, False)
            amount -= part
        add(id, amount, seconds(now), True)
    return Stock.of(item=item, quantity=amounts, available_s=available, held=held)


@dataclass(frozen=True)
class _ReceiptRows:
    table: Receipts
    operations: ReceiptOperations
    requirements: ReceiptRequirements
    named: list[Named]
    facts: list[dict[str, Any]]
    operation_ids: dict[tuple[int, int], UUID]


def _receipts(
    site_id: UUID, place: Mapping[UUID, int], centre_place: Mapping[UUID, int], hours: Mapping[UUID, Hours]
) -> _ReceiptRows:
    """What is ordered already, from suppliers and from our own floor, with what remains to be done and taken.

    An open work order keeps the place the floor knows, or the latest one that still meets its due date, whichever is
    earlier: it is not pulled forward for nothing, and comes back when what delayed it is gone.
    """
    item, amount, expected, kind, commitment = [], [], [], [], []  # type: ignore[var-annotated]
    named: list[Named] = []
    facts: list[dict[str, Any]] = []
    for row in _rows(procurement.receipt_columns(site_id)):
        item.append(place[row["item_id"]])
        amount.append(micro(row["quantity"]))
        expected.append(seconds(row["expected_at"]))
        kind.append(int(ReceiptKind.PURCHASE))
        commitment.append(int(COMMITMENTS.get(row["commitment"], Commitment.SENT)))
        named.append(Named(row["kind"], row["id"], row["label"], row["supplier_id"]))
        facts.append(row)
    order_row: dict[UUID, int] = {}
    for row in _rows(production.work_order_columns(site_id)):
        order_row[row["work_order_id"]] = len(named)
        item.append(place[row["item_id"]])
        amount.append(micro(row["quantity"]))
        expected.append(seconds(row["due_at"]))
        kind.append(int(ReceiptKind.WORK_ORDER))
        commitment.append(int(COMMITMENTS.get(row["status"], Commitment.RELEASED)))
        named.append(Named("production.work_order", row["work_order_id"], row["number"]))
        facts.append(row)
    operation_ids: dict[tuple[int, int], UUID] = {}
    operations = [row for row in _rows(production.operation_columns(site_id)) if row["work_order_id"] in order_row]
    for row in operations:
        operation_ids[(order_row[row["work_order_id"]], row["sequence"])] = row["operation_id"]
    due = {id: expected[row] for id, row in order_row.items()}
    latest = latest_starts(operations, due, hours)
    not_before = [_not_before(row, latest) for row in _first_of_each(operations)]
    materials = [row for row in _rows(production.material_columns(site_id)) if row["work_order_id"] in order_row]
    return _ReceiptRows(
        Receipts.of(item=item, quantity=amount, expected_s=expected, kind=kind, commitment=commitment),
        ReceiptOperations.of(
            receipt=[order_row[row["work_order_id"]] for row in operations],
            sequence=[row["sequence"] for row in operations],
            centre=[centre_place.get(row["work_center_id"], NONE) for row in operations],
            setup_s=[int(row["setup_minutes"] * 60) for row in operations],
            run_s=[int(row["run_minutes"] * 60) for row in operations],
            wait_s=[int(row["queue_minutes"] * 60) for row in operations],
            started=[int(row["started"]) for row in operations],
            start_s=not_before,
        ),
        ReceiptRequirements.of(
            receipt=[order_row[row["work_order_id"]] for row in materials],
            item=[place[row["item_id"]] for row in materials],
            quantity=[micro(row["quantity"]) for row in materials],
            sequence=[row["operation_sequence"] or 0 for row in materials],
        ),
        named,
        facts,
        operation_ids,
    )


def let_late_orders_start_sooner(problem: Problem, plan: Plan) -> Problem | None:
    """The same problem, where open work orders that end late may begin as soon as they can. None: none is late.

    Keeping each order at its latest start is calm, but where many meet on one center somebody has to go first.
    """
    operations, receipts = problem.receipt_operations, problem.receipts
    ready, due = plan.receipt_ready_s, receipts.expected_s
    late = (ready > np.maximum(due, problem.now_s)) | (ready < 0)
    rows = late[operations.receipt] & (operations.start_s > problem.now_s) & (operations.machine == NONE)
    if not rows.any():
        return None
    starts = np.where(rows, NEVER, operations.start_s)
    return replace(problem, receipt_operations=replace(operations, start_s=starts))


def _first_of_each(operations: Sequence[dict[str, Any]]) -> Iterable[tuple[dict[str, Any], bool]]:
    seen: set[UUID] = set()
    for row in operations:
        yield row, row["work_order_id"] not in seen
        seen.add(row["work_order_id"])


def _not_before(told: tuple[dict[str, Any], bool], latest: Mapping[UUID, int]) -> int:
    """The earliest second an operation may be planned at; the others follow the first by themselves."""
    row, first = told
    planned = None if row["planned_start_at"] is None else seconds(row["planned_start_at"])
    if row["started"]:
        return NEVER
    if row["pinned"] and planned is not None:
        return planned
    if not first:
        return NEVER
    bound = latest[row["work_order_id"]]
    return max(0, bound if planned is None else min(bound, planned))


@dataclass(frozen=True)
class _DemandRows:
    table: Demands
    named: list[Named]
    facts: list[dict[str, Any]]


TRIAL = Named("planning.trial", UUID(int=0), "?")


def _demands(site_id: UUID, zone: str, place: Mapping[UUID, int], extra: Mapping[str, Any] | None) -> _DemandRows:
    rows = list(_rows(sales.demand_columns(site_id)))
    named = [Named("sales.sales_order_line", row["line_id"], row["label"], row["customer_id"]) for row in rows]
    if extra is not None:
        lowest = max((row["priority"] for row in rows), default=0) + 1
        rows.append(
            {
                "line_id": TRIAL.id,
                "order_id": TRIAL.id,
                "item_id": extra["item_id"],
                "quantity": extra["quantity"],
                "due_on": extra["due_on"],
                "priority": lowest if extra.get("priority") is None else extra["priority"],
                "partial": extra.get("partial", False),
                "together": False,
                "transit_days": extra.get("transit_days", 0),
                "promised_on": None,
                "requested_on": extra["due_on"],
                "label": TRIAL.number,
            }
        )
        named.append(TRIAL)
    groups: dict[UUID, int] = {}
    group = [groups.setdefault(row["order_id"], len(groups)) if row["together"] else NONE for row in rows]
    table = Demands.of(
        item=[place[row["item_id"]] for row in rows],
        quantity=[micro(row["quantity"]) for row in rows],
        due_s=[end_of_day(row["due_on"], zone) for row in rows],
        priority=[row["priority"] for row in rows],
        one_delivery=[int(not row["partial"]) for row in rows],
        group=group,
        shipping_s=[(row["transit_days"] or 0) * DAY_S for row in rows],
    )
    return _DemandRows(table, named, rows)
