"""All machines of a site: what they do now, since when and why, what it hurts, and their day so far."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from lianzao.equipment import queries as equipment
from lianzao.equipment.models import MachineState, StopReason
from lianzao.foundation import fetching, scope
from lianzao.foundation.actor import Actor
from lianzao.overviews.floor import told_state
from lianzao.overviews.order_360 import named
from lianzao.plant.models import Machine
from lianzao.plant.queries import day_bounds, local_day, machine_working_intervals
from lianzao.production import floor_queries as around

#: Stops of so many days are listed for correction.
MOST_STOPS = 200


def machine_wall(by: Actor, site_id: UUID) -> dict[str, Any]:
    """The state wall: stopped machines first; per machine the day's slices and its availability so far.

    A machine of which nobody ever said anything has no signal: it is not called running here.
    """
    now = by.now  # once: a figure of a moment is not made of two
    from_at, until_at = day_bounds(site_id, local_day(site_id, now))
    machines = list(
        scope.visible(by, Machine)
        .filter(work_center__site_id=site_id, retired_at=None)
        .select_related("work_center")
        .order_by("work_center__code", "code")
    )
    ids = [each.id for each in machines]
    states = equipment.states_now(ids)
    slices = equipment.state_slices(ids, from_at, now, now)
    working = machine_working_intervals(ids, from_at, now)
    spans = {id: list(zip(found.starts, found.ends, strict=True)) for id, found in working.items()}
    shares = equipment.availabilities(slices, spans)
    jobs = around.on_machines(ids) if by.may("production.view_work_order") else {}
    english = by.language.startswith("en")
    reasons = {each.id: named(by, each) for each in fetching.matching(StopReason, "code")}
    rows = []
    for machine in machines:
        state = states.get(machine.id)
        job = jobs.get(machine.id)
        share = shares[machine.id]
        rows.append(
            named(by, machine)
            | told_state(by, state)
            | {
                "state": "no_signal" if state is None else state.state,
                "note": "" if state is None else state.note,
                "work_center": named(by, machine.work_center),
                "job": None
                if job is None
                else {
                    "work_order_id": job.work_order_id,
                    "number": job.number,
                    "item": (english and job.item_name_en) or job.item_name,
                    "status": job.status,
                    "due_at": job.due_at,
                    "planned_start_at": job.planned_start_at,
                    "finish_at": job.order_finish_at or job.planned_finish_at,
                    "late": (finish := job.order_finish_at or job.planned_finish_at) is not None
                    and finish > job.due_at,
                    "quantity": job.quantity,
                    "good": job.good,
                },
                "today": [
                    {
                        "id": each.machine_state_id,
                        "state": each.state,
                        "planned": each.planned,
                        "from": each.began_at,
                        "until": each.ended_at,
                        "reason": None if each.reason_id is None else reasons.get(each.reason_id),
                    }
                    for each in slices
                    if each.machine_id == machine.id
                ],
                "availability": None if share.share is None else round(share.share, 4),
                "running_s": share.running,
                "busy_s": share.busy,
                "unknown_s": max(0, share.working - share.known),
            }
        )
    order = {"stopped": 0, "setup": 1, "idle": 2, "no_signal": 3, "running": 4}
    rows.sort(key=lambda row: order[row["state"]])
    return {
        "now": now,
        "from": from_at,
        "until": until_at,
        "working": [list(span) for span in _common(spans)],
        "machines": rows,
        "stops": told_stops(by, site_id),
        "stop_reasons": [
            named(by, each) | {"planned": each.planned}
            for each in fetching.matching(StopReason, "code", retired_at=None)
        ],
    }


def told_stops(by: Actor, site_id: UUID) -> list[dict[str, Any]]:
    """The last stops that stand, latest first, each with whether it corrects an earlier word."""
    stops = (
        scope.visible(by, MachineState)
        .filter(site_id=site_id, state="stopped", reversed_at=None)
        .select_related("machine", "reason")
        .order_by("-began_at", "-id")[:MOST_STOPS]
    )
    return [
        {
            "id": each.id,
            "machine": named(by, each.machine),
            "began_at": each.began_at,
            "ended_at": each.ended_at,
            "reason": None if each.reason is None else named(by, each.reason) | {"planned": each.reason.planned},
            "note": each.note,
            "corrects": each.replaces_id is not None,
        }
        for each in stops
    ]


def _common(spans: dict[UUID, list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """The working time most machines share, to draw behind their day."""
    kept = [tuple(each) for each in spans.values()]
    return list(max(kept, key=kept.count, default=()))
