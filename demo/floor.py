"""The people of the floor: receiving, warehouse, quality, line lead, operators, machines.

Each function does what its people would do at this moment, and no more.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from demo.crew import values_for
from demo.scene import Scene
from lianzao.catalog.queries import site_facts
from lianzao.equipment import commands as equipment
from lianzao.equipment.models import MachineState, StopReason
from lianzao.foundation.entity import query
from lianzao.inventory import commands as inventory
from lianzao.inventory import queries as stock
from lianzao.inventory.models import Balance, PickTask
from lianzao.plant import queries as plant
from lianzao.plant.models import Machine
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import Asn
from lianzao.production import commands as production
from lianzao.production import queries as making
from lianzao.production.models import OperationReport, ScrapReason, WorkOrder, WorkOrderMaterial, WorkOrderOperation
from lianzao.quality import commands as quality
from lianzao.quality.models import Disposition, Inspection

D = Decimal
ZERO = D(0)


# -- goods in ---------------------------------------------------------------------------------------------------------


def receive(scene: Scene) -> None:
    """Trucks that stand at the gate are unloaded: one scan of the notice."""
    if not scene.open("receiving"):
        return
    for asn in Asn.objects.filter(site_id=scene.site_id, status__in=("announced", "arrived")).order_by("eta_at"):
        unload = timedelta(minutes=scene.between(scene.habits["receiving"]["unload_minutes"], asn.number))
        if asn.eta_at + unload <= scene.now and not scene.busy(asn.id, asn.purchase_order_id):
            scene.do("warehouse", procurement.receive_goods, asn=asn.id)


def put_away(scene: Scene) -> None:
    """What may be used is brought from the bay to its store."""
    if not scene.open("receiving"):
        return
    bays = plant.location_ids(scene.site_id, ["receiving"])
    items = list(Balance.objects.filter(location_id__in=bays, quantity__gt=0).values_list("item_id", flat=True))
    if not items:
        return
    piles = stock.available_piles(scene.site_id, sorted(set(items)), bays, at=scene.now)
    facts = site_facts(set(items), scene.site_id)
    for item, found in piles.items():
        target = facts[item].store_location_id
        for pile in found:
            if pile.available <= 0 or target is None or scene.busy(pile.lot_id):
                continue
            scene.do(
                "warehouse", inventory.move_stock, item=item, quantity=pile.available, source=pile.location_id,
                target=target, lot=pile.lot_id,
            )  # fmt: skip


def inspect(scene: Scene) -> None:
    """Inspectors measure and decide; what was held is looked at again."""
    habits = scene.habits["quality"]
    rows = Inspection.objects.filter(site_id=scene.site_id, status__in=("open", "held")).select_related("plan", "lot")
    for each in rows.order_by("created_at"):
        if not scene.workday or scene.busy(each.id, each.lot_id):
            continue
        if each.status == "held":
            if scene.open("office") and scene.waited(
                each.decided_at, habits["second_look_hours"][each.point], each.number
            ):
                _look_again(scene, each)
            continue
        minutes = scene.between(habits["decide_after_minutes"], each.number)
        if each.created_at + timedelta(minutes=minutes) <= scene.now:
            decide(scene, each, good=not scene.chance(habits["hold_chance"], f"hold {each.number}"))


def decide(scene: Scene, inspection: Inspection, *, good: bool) -> None:
    """Measure all there is to measure, within limits or not, and decide by it."""
    values = readings(scene, inspection, good=good)
    if (
        values
        and scene.do("quality", quality.record_measurements, inspection=inspection.id, measurements=values) is None
    ):
        return
    if good or not values:
        scene.do("quality", quality.accept_inspection, inspection=inspection.id)
    else:
        first = next(each for each in values if each["passed"] is not True)
        name = inspection.plan.characteristics.get(pk=first["characteristic"]).name if inspection.plan else ""
        scene.do("quality", quality.hold_inspection, inspection=inspection.id, reason=f"{name}超差 out of limits")


def readings(scene: Scene, inspection: Inspection, *, good: bool) -> list[dict[str, Any]]:
    """Believable readings for every characteristic and sample; one of them beyond its limit when it is not good."""
    if inspection.plan is None:
        return []
    made: list[dict[str, Any]] = []
    for each in inspection.plan.characteristics.order_by("sequence"):
        for sample in range(1, each.samples + 1):
            row: dict[str, Any] = {
                "characteristic": each.id,
                "value": None,
                "passed": None,
                "sample": sample,
                "note": "",
            }
            if each.lower is None and each.upper is None:
                row["passed"] = True
            else:
                low = each.lower if each.lower is not None else each.upper - 1
                high = each.upper if each.upper is not None else each.lower + 1
                middle = each.target if each.target is not None else (low + high) / 2
                part = D(str(round(scene.dice(f"{inspection.number} {each.sequence} {sample}").uniform(-0.6, 0.6), 3)))
                value = middle + part * ((high - middle) if part > 0 else (middle - low))
                if not good and not any(known["value"] is not None for known in made):
                    value = low - (high - low) / 10
                row["value"] = value.quantize(D("0.001"))
            made.append(row)
    return made


def _look_again(scene: Scene, inspection: Inspection) -> None:
    if scene.chance(scene.habits["quality"]["concession_chance"], f"concession {inspection.number}"):
        scene.do("quality", quality.accept_inspection, inspection=inspection.id, concession="让步接收 used as it is")
    else:
        scene.do(
            "quality", quality.reject_inspection, inspection=inspection.id, reason="复检不合格 failed again",
            disposition=Disposition.RETURN if inspection.point == "receipt" else Disposition.REWORK,
        )  # fmt: skip


# -- line lead and warehouse ------------------------------------------------------------------------------------------


def release(scene: Scene) -> None:
    """The lead releases what begins soon and has its material, and closes what is done."""
    if not scene.workday:
        return
    ahead = scene.now + timedelta(hours=scene.habits["lead"]["release_ahead_hours"])
    free = _free_material(scene)
    waiting = WorkOrder.objects.filter(site_id=scene.site_id, status__in=("planned", "firmed"))
    for order in waiting.filter(planned_start_at__lte=ahead).order_by("planned_start_at", "number"):
        needs: dict[UUID, Decimal] = {}
        for item, required in order.materials.values_list("item_id", "required_quantity"):
            needs[item] = needs.get(item, ZERO) + required
        if scene.busy(order.id) or any(free.get(item, ZERO) < needed for item, needed in needs.items()):
            continue
        if scene.do("lead", production.release_work_order, work_order=order.id) is not None:
            for item, needed in needs.items():
                free[item] -= needed


def _free_material(scene: Scene) -> dict[UUID, Decimal]:
    """Usable stock less what released work orders still take."""
    free = {item: each.usable for item, each in stock.on_hand(scene.site_id, None, scene.now).items()}
    open_needs = WorkOrderMaterial.objects.filter(
        work_order__site_id=scene.site_id, work_order__status__in=("released", "started")
    )
    for item, required, issued in open_needs.values_list("item_id", "required_quantity", "issued_quantity"):
        free[item] = free.get(item, ZERO) - max(required - issued, ZERO)
    return free


def close(scene: Scene) -> None:
    """Work orders that are done are closed after a while; those that cannot go on are closed short."""
    hours = scene.habits["lead"]["close_after_hours"]
    for order in WorkOrder.objects.filter(site_id=scene.site_id, status="completed").order_by("number"):
        if scene.waited(order.completed_at, hours, order.number) and not scene.busy(order.id):
            scene.do("lead", production.close_work_order, work_order=order.id)
    for order in WorkOrder.objects.filter(site_id=scene.site_id, status="started").order_by("number"):
        last = order.reports.filter(reversed_at=None).order_by("-happened_at").first()
        if last is None or last.happened_at + timedelta(hours=10) > scene.now or scene.busy(order.id):
            continue
        if order.good_quantity > 0 and not _has_work(order):
            scene.do("lead", production.close_work_order, work_order=order.id, reason="报废缺数 short by scrap")


def _has_work(order: WorkOrder) -> bool:
    """Whether pieces still lie before an operation that is not finished."""
    points = list(order.operations.filter(is_report_point=True).order_by("sequence"))
    before: Decimal | None = None
    for each in points:
        lost_later = sum((later.scrap_quantity for later in points if later.sequence > each.sequence), ZERO)
        come = order.quantity + lost_later if before is None else before - each.scrap_quantity
        if each.status != "finished" and come > each.good_quantity:
            return True
        before = each.good_quantity
    return False


def issue(scene: Scene) -> None:
    """The warehouse gives out what is not deducted by reports."""
    if not scene.workday or not 8 <= scene.local.hour < 24:
        return
    ahead = scene.now + timedelta(hours=scene.habits["warehouse"]["issue_ahead_hours"])
    rows = WorkOrder.objects.filter(site_id=scene.site_id, status__in=("released", "started"))
    for order in rows.filter(planned_start_at__lte=ahead).order_by("planned_start_at", "number"):
        missing = [
            item
            for item, required, issued in order.materials.filter(backflush=False).values_list(
                "item_id", "required_quantity", "issued_quantity"
            )
            if required > issued
        ]
        if not missing or scene.busy(order.id):
            continue
        on_hand = stock.on_hand(scene.site_id, missing, scene.now)
        if any(on_hand[item].usable > 0 for item in missing):
            scene.do("warehouse", production.issue_material, work_order=order.id, partial=True)


def pick(scene: Scene) -> None:
    """Pick tasks for the line, the most urgent first, as many as hands allow."""
    if not scene.workday or not 8 <= scene.local.hour < 24:
        return
    hands = max(1, round(scene.habits["warehouse"]["picks_per_hour"] * scene.passed.total_seconds() / 3600))
    tasks = PickTask.objects.filter(site_id=scene.site_id, status="open").order_by("due_at", "number")
    for task in tasks[: hands + 20]:
        if hands <= 0:
            return
        if scene.busy(task.id):
            continue
        left = task.quantity - task.picked_quantity
        if stock.balance_at(task.item_id, task.source_id, task.lot_id) < left:
            scene.do("warehouse", inventory.void_pick_task, task=task.id, reason="库位无货 not there")
        elif scene.do("warehouse", inventory.confirm_pick, task=task.id, quantity=left) is not None:
            hands -= 1


# -- operators and machines -------------------------------------------------------------------------------------------

LOOK_BACK = timedelta(days=4)


def operate(scene: Scene) -> None:
    """Operators start what is next and report what they made since they last did."""
    columns = plant.work_center_columns(scene.site_id)
    ids = list(columns["work_center_id"])
    spans = plant.working_intervals(ids, scene.now - LOOK_BACK, scene.now + timedelta(minutes=1))
    states = {
        each.machine_id: each
        for each in MachineState.objects.filter(site_id=scene.site_id, ended_at=None, reversed_at=None).select_related(
            "machine"
        )
    }
    machines: dict[UUID, list[UUID]] = {}
    for id, center in Machine.objects.filter(retired_at=None).order_by("code").values_list("id", "work_center_id"):
        machines.setdefault(center, []).append(id)
    reasons = list(ScrapReason.objects.filter(retired_at=None).order_by("code").values_list("id", flat=True))
    for center in ids:
        shifts = list(zip(spans[center].starts, spans[center].ends, strict=True)) if center in spans else []
        now_s = int(scene.now.timestamp())
        works = any(start <= now_s < end for start, end in shifts)
        queue = making.station_queue(center)
        busy: set[UUID | None] = set()
        for row in queue:
            if row.status == "started":
                state = states.get(row.machine_id) if row.machine_id else None
                if state is None or state.state != "stopped":
                    _report(scene, row, shifts, state, reasons)
                if row.available > 0 or _to_replace(row) > 0:
                    busy.add(row.machine_id)
        if not works:
            continue
        idle = [
            id
            for id in machines.get(center, [])
            if id not in busy and not (id in states and states[id].state == "stopped")
        ]
        _start(scene, queue, idle)


def _start(scene: Scene, queue: list[making.QueueRow], idle: list[UUID]) -> None:
    for row in queue:
        if not idle:
            return
        if row.status != "waiting" or row.available <= 0 or scene.busy(row.work_order_id, row.operation_id):
            continue
        if row.available < min(row.remaining, 4) or not _ready(row):
            continue
        if scene.do("operator", production.start_operation, operation=row.operation_id, machine=idle[0]) is not None:
            idle.pop(0)


def _ready(row: making.QueueRow) -> bool:
    """Whether the operation has its material: given out, or lying at the line."""
    first = WorkOrderOperation.objects.filter(work_order_id=row.work_order_id).order_by("sequence").first()
    at = [row.sequence, 0] if first is not None and first.id == row.operation_id else [row.sequence]
    lines = WorkOrderMaterial.objects.filter(work_order_id=row.work_order_id, operation_sequence__in=at)
    places: set[UUID] = set()
    wanted: list[tuple[UUID, UUID, Decimal]] = []
    for each in lines:
        left = each.required_quantity - each.issued_quantity
        if left <= 0:
            continue
        if not each.backflush or each.source_id is None:
            return False
        places.add(each.source_id)
        wanted.append((each.item_id, each.source_id, left))
    there = stock.stock_at(places) if places else {}
    return all(there.get((item, place), ZERO) >= left for item, place, left in wanted)


def _report(
    scene: Scene,
    row: making.QueueRow,
    shifts: list[tuple[int, int]],
    state: MachineState | None,
    reasons: list[UUID],
) -> None:
    """Report the pieces the time since the last report was enough for."""
    available = max(row.available, _to_replace(row))
    if available <= 0 or scene.busy(row.work_order_id, row.operation_id):
        return
    operation = WorkOrderOperation.objects.get(pk=row.operation_id)
    last = OperationReport.objects.filter(operation=operation, reversed_at=None).order_by("-happened_at").first()
    began: datetime = last.happened_at if last is not None else operation.started_at or scene.now
    if state is not None and state.state != "stopped" and began < state.began_at <= scene.now:
        began = state.began_at
    worked = _worked(shifts, began, scene.now)
    pace = scene.between(scene.habits["operators"]["pace"], str(row.work_order_number) + str(row.sequence))
    if last is None:
        worked -= float(operation.setup_minutes) * pace
    each = max(float(operation.run_minutes) * pace, 0.01)
    pieces = min(math.floor(worked / each), int(available))
    enough = worked >= scene.habits["operators"]["report_every_minutes"] or pieces >= int(available)
    if pieces < 1 or not enough:
        return
    key = f"scrap {row.work_order_number} {row.sequence} {row.good}"
    bad = 1 if pieces > 1 and scene.chance(scene.habits["operators"]["scrap_chance"], key) else 0
    given: dict[str, Any] = {"operation": row.operation_id, "good": D(pieces - bad), "scrap": D(bad)}
    if bad:
        given["scrap_reason"] = scene.dice(key).choice(reasons)
    if last is None and row.required_steps:
        given["values"] = values_for(scene, row.operation_id)
    scene.do("operator", production.report_operation, **given)


LOST = """
SELECT count(*) FILTER (WHERE sequence < %(sequence)s),
       coalesce(sum(scrap_quantity) FILTER (WHERE sequence > %(sequence)s), 0)
FROM production_work_order_operation WHERE work_order_id = %(order)s AND is_report_point
"""


def _to_replace(row: making.QueueRow) -> Decimal:
    """What the first operation makes again, because later ones lost it."""
    before, lost = query(LOST, {"order": row.work_order_id, "sequence": row.sequence})[0]
    return ZERO if before else max(row.quantity + lost - row.good, ZERO)


def _worked(shifts: list[tuple[int, int]], began: datetime, until: datetime) -> float:
    """Working minutes between two instants."""
    first, last = int(began.timestamp()), int(until.timestamp())
    return sum(max(0, min(end, last) - max(start, first)) for start, end in shifts) / 60


def switch_on(scene: Scene) -> None:
    """Machines of which nobody said anything yet are told to run: from then on their states are known."""
    known = set(MachineState.objects.filter(site_id=scene.site_id).values_list("machine_id", flat=True))
    machines = Machine.objects.filter(work_center__site_id=scene.site_id, retired_at=None)
    for machine in machines.exclude(id__in=known).order_by("code"):
        scene.do("maintenance", equipment.start_machine, machine=machine.id)


def run_machines(scene: Scene) -> None:
    """Machines stop now and then, and are brought back."""
    habits = scene.habits["machines"]
    if not scene.workday:
        return
    current = MachineState.objects.filter(site_id=scene.site_id, ended_at=None, reversed_at=None)
    states = {each.machine_id: each for each in current}
    reasons = {each.code: each for each in StopReason.objects.filter(retired_at=None).order_by("code")}
    unplanned = [each for each in reasons.values() if not each.planned]
    planned = [each for each in reasons.values() if each.planned]
    for machine in Machine.objects.filter(work_center__site_id=scene.site_id, retired_at=None).order_by("code"):
        if scene.busy(machine.id) or not 8 <= scene.local.hour < 24:
            continue
        state = states.get(machine.id)
        if state is not None and state.state == "stopped":
            if scene.busy(state.id):
                continue
            if state.expected_until is not None and state.expected_until <= scene.now:
                scene.do("maintenance", equipment.start_machine, machine=machine.id)
            continue
        key = f"stop {machine.code} {scene.now:%Y%m%d%H%M}"
        if not scene.chance(scene.passed.total_seconds() / 3600 / habits["hours_between_stops"], key):
            continue
        kind = planned if planned and scene.chance(habits["planned_share"], f"kind {key}") else unplanned
        reason = scene.dice(f"reason {key}").choice(kind)
        minutes = scene.between(habits["stop_minutes"], f"minutes {key}")
        scene.do(
            "operator", equipment.stop_machine, machine=machine.id, reason=reason.id,
            expected_until=scene.now + timedelta(minutes=round(minutes)),
        )  # fmt: skip
