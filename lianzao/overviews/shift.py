"""The production lead's board (班前会看板): what this shift plans, makes and lacks, who is here, who calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access.queries import names_of, people_with
from lianzao.catalog.queries import units_of
from lianzao.equipment import queries as equipment
from lianzao.equipment.models import MachineState
from lianzao.foundation import scope
from lianzao.foundation.actor import Actor
from lianzao.overviews.floor import kit_states, told_calls, told_people, told_state
from lianzao.overviews.order_360 import named
from lianzao.plant.models import Machine, WorkCenter
from lianzao.plant.queries import ShiftSpan, shift_at
from lianzao.production import floor_queries as around
from lianzao.production.floor_queries import Hour, production_blocks

#: The next hours the board looks ahead, and how many jobs of a work center it names.
MOST_JOBS = 6
ZERO = Decimal(0)


def shift_board(by: Actor, site_id: UUID, *, following: bool = False) -> dict[str, Any]:
    """One shift of a site, the running one or the next: per work center plan, actual by the hour, people, stops, calls.

    What the viewer may not see of people and machines is left out.
    """
    now = by.now
    running, after = shift_at(site_id, now)
    shift = after if following else running
    centers = list(scope.visible(by, WorkCenter).filter(site_id=site_id, retired_at=None).order_by("code"))
    ids = [each.id for each in centers]
    machines: list[Machine] = []
    if by.may("equipment.view_machine_state"):
        machines = list(scope.visible(by, Machine).filter(work_center_id__in=ids, retired_at=None).order_by("code"))
    states = equipment.states_now([each.id for each in machines])
    work = around.shift_work(site_id, shift.starts_at, shift.ends_at)
    units = units_of([row["item_id"] for row in work], by.language)
    hours = around.hourly(site_id, shift.starts_at, shift.ends_at)
    begun = [row["work_order_id"] for row in work if row["order_status"] in ("released", "started")]
    kits = kit_states(by, site_id, begun)
    people = told_people(by, around.people_at(ids, now)) if by.may("production.view_presence") else []
    posts = around.posts(site_id, shift.starts_at) if by.may("production.view_shift_post") else []
    calls = told_calls(by, around.living_calls(ids)) if by.may("production.view_help_call") else []
    confirmed = around.confirmation(site_id, shift.starts_at)
    return {
        "now": now,
        "shift": told_shift(shift),
        "next": told_shift(after),
        "following": following,
        "hours": around.hours_of(shift.starts_at, shift.ends_at),
        "confirmed": None
        if confirmed is None
        else {
            "at": confirmed.confirmed_at,
            "people": confirmed.people,
            "by": _name(by, confirmed.confirmed_by),
        },
        "centers": [
            told_center(
                by, center, [row for row in work if row["work_center_id"] == center.id],
                [each for each in hours if each.work_center_id == center.id],
                [each for each in machines if each.work_center_id == center.id], states, kits, units,
            )
            | {
                "people": [each for each in people if each["work_center_id"] == center.id],
                "posts": [
                    {"id": each.id, "person_id": each.person_id, "name": each.person.said(by.language)}
                    for each in posts
                    if each.work_center_id == center.id
                ],
                "calls": [each for each in calls if each["work_center"]["id"] == center.id],
            }
            for center in centers
        ],
        "crew": told_crew(by, site_id) if by.may("production.assign_to_shift") else [],
        "notes": told_notes(by, site_id, running.starts_at) if by.may("production.view_shift_note") else [],
    }  # fmt: skip


def told_shift(shift: ShiftSpan) -> dict[str, Any]:
    """A shift by name, begin and end."""
    return {"name": shift.name, "starts_at": shift.starts_at, "ends_at": shift.ends_at}


def told_center(
    by: Actor,
    center: WorkCenter,
    work: Sequence[Mapping[str, Any]],
    hours: Sequence[Hour],
    machines: Sequence[Machine],
    states: Mapping[UUID, MachineState],
    kits: Mapping[UUID, list[dict[str, Any]]],
    units: Mapping[UUID, str],
) -> dict[str, Any]:
    """A work center in a shift: pieces planned and made, by the hour, its jobs, its machines."""
    english = by.language.startswith("en")
    doing = [states[each.id].state for each in machines if each.id in states]
    jobs = []
    for row in work:
        released = row["order_status"] in ("released", "started")
        kit = [
            each["state"]
            for each in kits.get(row["work_order_id"], [])
            if each["operation_sequence"] <= row["sequence"] and each["needed"] > 0
        ]
        blocks = production_blocks(row["available"], doing, kit, started=row["status"] == "started")
        jobs.append(
            {
                "operation_id": row["operation_id"],
                "work_order_id": row["work_order_id"],
                "number": row["number"],
                "sequence": row["sequence"],
                "name": (english and row["name_en"]) or row["name"],
                "item": (english and row["item_name_en"]) or row["item_name"],
                "unit": units.get(row["item_id"], ""),
                "quantity": row["quantity"],
                "good": row["good"],
                "planned": row["planned"],
                "status": row["status"],
                "planned_start_at": row["planned_start_at"],
                "planned_finish_at": row["planned_finish_at"],
                "due_at": row["due_at"],
                "late": row["planned_finish_at"] is not None and row["planned_finish_at"] > row["due_at"],
                "blocks": blocks if released else ["not_released"],
            }
        )
    open_jobs = [each for each in jobs if each["status"] != "finished"]
    return {
        "center": named(by, center),
        "planned": sum((row["planned"] for row in work), ZERO),
        "good": sum((each.good for each in hours), ZERO),
        "scrap": sum((each.scrap for each in hours), ZERO),
        "by_hour": [{"hour": each.hour, "good": each.good, "scrap": each.scrap} for each in hours],
        "jobs": open_jobs[:MOST_JOBS],
        "job_count": len(open_jobs),
        "stuck": sum(1 for each in open_jobs if each["blocks"] and each["status"] != "started"),
        "machines": [named(by, each) | told_state(by, states.get(each.id)) for each in machines],
    }


def told_crew(by: Actor, site_id: UUID) -> list[dict[str, Any]]:
    """Who may be given a post: those who come to stations at the site, and do not plan for others."""
    planners = {*people_with("planning.accept_proposal", site_id)}
    crew = [id for id in people_with("production.come_to_station", site_id) if id not in planners]
    names = names_of(crew, by.language)
    return sorted(({"id": id, "name": name} for id, name in names.items()), key=lambda each: each["name"])


def told_notes(by: Actor, site_id: UUID, since: datetime) -> list[dict[str, Any]]:
    """What was left for this shift, and what this one writes."""
    notes = around.shift_notes(site_id, since)
    names = names_of({id for each in notes for id in (each.written_by, each.seen_to_by) if id}, by.language)
    return [
        {
            "id": each.id,
            "text": each.text,
            "important": each.important,
            "work_center": None if each.work_center is None else named(by, each.work_center),
            "written_at": each.written_at,
            "written_by": names.get(each.written_by) if each.written_by else None,
            "seen_to_at": each.seen_to_at,
            "seen_to_by": names.get(each.seen_to_by) if each.seen_to_by else None,
        }
        for each in notes
    ]


def _name(by: Actor, person_id: UUID | None) -> str | None:
    return None if person_id is None else names_of([person_id], by.language).get(person_id)
