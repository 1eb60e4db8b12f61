"""The screen of the plan and the load: work centers by day, today's plan and output, machines, late operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import query
from lianzao.overviews.order_progress import percent
from lianzao.overviews.screens import sees, today_at
from lianzao.plant.queries import Intervals, work_center_columns, working_intervals
from lianzao.values.time import local_date, start_of_day

LOAD_DAYS = 10
#: What has begun before is spread over its whole time, so that what is left of it counts and no more.
LONGEST_OPERATION = timedelta(days=14)
#: Holidays may lie between: so far is looked for ten working days.
LOOK_DAYS = 31
NEXT_HOURS = 8
MOST_ROWS = 40

Span = tuple[int, int]


def plan_load(by: Actor, site_id: UUID) -> dict[str, Any]:
    """The screen 生产计划与设备负荷 of a site."""
    today, day_began, day_ends, zone = today_at(by, site_id)
    centers = work_center_columns(site_id)
    ids: list[UUID] = centers["work_center_id"]
    english = by.language.startswith("en")
    names = {
        id: (name_en if english else name) or name or code
        for id, code, name, name_en in zip(ids, *(centers[each] for each in ("code", "name", "name_en")), strict=True)
    }
    told: dict[str, Any] = {"today": today, "now": by.now, "load": None, "hours": None, "machines": None, "late": None}
    told["next"] = None
    if sees(by, "planning.view_plan_run"):
        until = start_of_day(today + timedelta(days=LOOK_DAYS), zone)
        working = working_intervals(ids, by.now - LONGEST_OPERATION, until)
        placed = query(PLACED, {"site": site_id, "from": by.now, "until": until})
        capacity = dict(zip(ids, centers["capacity"], strict=True))
        told["load"] = load(names, capacity, working, placed, by.now, zone)
    if sees(by, "production.view_work_order"):
        values = {"site": site_id, "from": day_began, "until": day_ends}
        planned = query(PLANNED_TODAY, values)
        told["hours"] = hours(names, planned, query(MADE_TODAY, values), by.now, day_began, day_ends)
        told["late"] = late_operations(site_id, by, names)
        told["next"] = next_operations(site_id, by, names)
    if sees(by, "equipment.view_machine_state"):
        told["machines"] = machines(site_id, by, names)
    return told


# -- load by day ------------------------------------------------------------------------------------------------------

PLACED = """
SELECT o.work_center_id, o.start_at, o.finish_at, o.work_minutes
FROM planning_scheduled_operation o
WHERE o.site_id = %(site)s AND o.work_center_id IS NOT NULL AND o.finish_at > %(from)s AND o.start_at < %(until)s
"""


def load(
    names: Mapping[UUID, str],
    capacity: Mapping[UUID, int],
    working: Mapping[UUID, Intervals],
    placed: Iterable[Sequence[Any]],
    now: datetime,
    zone: str,
) -> dict[str, Any]:
    """Minutes planned and minutes there are, by work center and by each of the next ten days on which anybody works.

    Today counts from now on. An operation that runs over several days is spread by the time its center works on each.
    """
    days = working_days(working, now, zone)
    bounds = [(max(_s(now), _s(start_of_day(on, zone))), _s(start_of_day(on + timedelta(days=1), zone))) for on in days]
    spans = {id: list(zip(each.starts, each.ends, strict=True)) for id, each in working.items()}
    minutes = {id: [0.0] * len(days) for id in names}
    for center, start, finish, work in placed:
        if center not in minutes:
            continue
        for at, share in enumerate(spread(spans.get(center, []), (_s(start), _s(finish)), bounds, float(work))):
            minutes[center][at] += share
    rows = []
    for id, name in names.items():
        there = [capacity[id] * sum(_common(span, bound) for span in spans.get(id, [])) / 60 for bound in bounds]
        rows.append(
            {
                "id": id,
                "name": name,
                "cells": [
                    {
                        "planned": round(planned),
                        "capacity": round(most),
                        "percent": None if most < 1 else round(100 * planned / most),
                    }
                    for planned, most in zip(minutes[id], there, strict=True)
                ],
            }
        )
    rows.sort(key=lambda row: -max((cell["percent"] or 0 for cell in row["cells"]), default=0))
    return {"days": days, "rows": rows}


def working_days(working: Mapping[UUID, Intervals], now: datetime, zone: str) -> list[date]:
    """The next ten local days, today included, on which any center works."""
    found: set[date] = set()
    for each in working.values():
        for start, end in zip(each.starts, each.ends, strict=True):
            if end <= _s(now):
                continue
            on, last = local_date(_at(max(start, _s(now))), zone), local_date(_at(end - 1), zone)
            while on <= last:
                found.add(on)
                on += timedelta(days=1)
    return sorted(found)[:LOAD_DAYS]


def spread(spans: Sequence[Span], operation: Span, bounds: Sequence[Span], minutes: float) -> list[float]:
    """The minutes of an operation by day, by its working time on each; what lies before the first is gone.

    One that lies wholly outside of working time (an exception was made since) counts where it lies.
    """
    inside = [cut for span in spans if (cut := (max(span[0], operation[0]), min(span[1], operation[1])))[0] < cut[1]]
    if not inside:
        inside = [operation]
    whole = sum(end - start for start, end in inside)
    return [minutes * sum(_common(span, bound) for span in inside) / whole if whole else 0.0 for bound in bounds]


def _common(one: Span, other: Span) -> int:
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def _s(at: datetime) -> int:
    return int(at.timestamp())


def _at(second: int) -> datetime:
    return datetime.fromtimestamp(second, tz=ZoneInfo("UTC"))


# -- today by the hour ------------------------------------------------------------------------------------------------

PLANNED_TODAY = """
SELECT o.work_center_id, o.planned_start_at, o.planned_finish_at, w.quantity
FROM production_work_order_operation o JOIN production_work_order w ON w.id = o.work_order_id
WHERE w.site_id = %(site)s AND w.status NOT IN ('cancelled', 'planned') AND o.is_report_point
  AND o.planned_finish_at > %(from)s AND o.planned_start_at < %(until)s AND o.work_center_id IS NOT NULL
"""
MADE_TODAY = """
SELECT o.work_center_id, extract(epoch FROM r.happened_at - %(from)s)::int / 3600, sum(r.good), sum(r.scrap)
FROM production_operation_report r
JOIN production_work_order_operation o ON o.id = r.operation_id
JOIN production_work_order w ON w.id = r.work_order_id
WHERE w.site_id = %(site)s AND r.reversed_at IS NULL AND r.happened_at >= %(from)s AND r.happened_at < %(until)s
  AND o.work_center_id IS NOT NULL
GROUP BY 1, 2
"""


def hours(
    names: Mapping[UUID, str],
    planned: Iterable[Sequence[Any]],
    made: Iterable[Sequence[Any]],
    now: datetime,
    began: datetime,
    ends: datetime,
) -> dict[str, Any]:
    """Pieces planned and good pieces made, by work center and hour of the local day, and what was due until now.

    The plan is the one that was published to the floor: an operation's pieces lie evenly over its time.
    """
    first, count = _s(began), (_s(ends) - _s(began) + 3599) // 3600
    plan = {id: [0.0] * count for id in names}
    due = dict.fromkeys(names, 0.0)
    for center, start, finish, quantity in planned:
        if center not in plan:
            continue
        span = (_s(start), max(_s(finish), _s(start) + 1))
        per_second = float(quantity) / (span[1] - span[0])
        due[center] += per_second * _common(span, (first, _s(now)))
        for hour in range(count):
            plan[center][hour] += per_second * _common(span, (first + 3600 * hour, first + 3600 * (hour + 1)))
    good = {id: [Decimal(0)] * count for id in names}
    scrap = dict.fromkeys(names, Decimal(0))
    for center, hour, well, badly in made:
        if center in good:
            good[center][min(hour, count - 1)] += well
            scrap[center] += badly
    rows = [
        {
            "id": id,
            "name": name,
            "plan": [round(each, 1) for each in plan[id]],
            "good": good[id],
            "good_total": sum(good[id]),
            "scrap_total": scrap[id],
            "due": round(due[id], 1),
            "percent": percent(int(sum(good[id])), round(due[id])),
        }
        for id, name in names.items()
        if any(plan[id]) or any(good[id])
    ]
    rows.sort(key=lambda row: 1e9 if row["percent"] is None else float(str(row["percent"])))
    return {"hour_now": min(count - 1, max(0, (_s(now) - first) // 3600)), "count": count, "rows": rows}


# -- machines ---------------------------------------------------------------------------------------------------------

MACHINES = """
SELECT m.id, m.code, CASE WHEN %(english)s AND m.name_en <> '' THEN m.name_en ELSE m.name END, m.work_center_id,
       s.id, s.state, s.began_at, s.expected_until,
       CASE WHEN %(english)s AND r.name_en <> '' THEN r.name_en ELSE r.name END, coalesce(r.planned, false),
       EXISTS (SELECT 1 FROM production_work_order_operation o
               WHERE o.status = 'started' AND (o.machine_id = m.id
                     OR (o.machine_id IS NULL AND o.work_center_id = m.work_center_id)))
FROM plant_machine m
JOIN plant_work_center c ON c.id = m.work_center_id AND c.site_id = %(site)s AND c.retired_at IS NULL
LEFT JOIN equipment_machine_state s ON s.machine_id = m.id AND s.ended_at IS NULL
LEFT JOIN equipment_stop_reason r ON r.id = s.reason_id
WHERE m.retired_at IS NULL
ORDER BY m.code
"""
WORST_FIRST = {"stopped": 0, "setup": 1, "idle": 2, "running": 3}


def machines(site_id: UUID, by: Actor, names: Mapping[UUID, str]) -> dict[str, Any]:
    """What each machine does now, those that stand still first. Of whom nobody ever said: by whether work is begun."""
    rows = []
    for row in query(MACHINES, {"site": site_id, "english": by.language.startswith("en")}):
        id, code, name, center, state_id, state, began_at, expected, reason, planned, busy = row
        rows.append(
            {
                "id": id,
                "code": code,
                "name": name,
                "work_center": names.get(center),
                "state": state or ("running" if busy else "idle"),
                "state_id": state_id,
                "since": began_at,
                "reason": reason,
                "planned": planned,
                "expected_until": expected if expected is not None and expected > by.now else None,
            }
        )
    rows.sort(key=lambda row: (WORST_FIRST[row["state"]], row["planned"], row["code"]))
    counts = {state: sum(row["state"] == state for row in rows) for state in ("running", "setup", "idle", "stopped")}
    return {"counts": counts, "rows": rows}


# -- operations -------------------------------------------------------------------------------------------------------

_OPERATION = """
SELECT o.id, w.id, w.number, o.sequence, CASE WHEN %(english)s AND o.name_en <> '' THEN o.name_en ELSE o.name END,
       o.work_center_id, o.status, o.planned_start_at, o.planned_finish_at, w.quantity, o.good_quantity,
       CASE WHEN %(english)s AND i.name_en <> '' THEN i.name_en ELSE i.name END, count(*) OVER ()
FROM production_work_order_operation o
JOIN production_work_order w ON w.id = o.work_order_id
JOIN catalog_item i ON i.id = w.item_id
WHERE w.site_id = %(site)s AND w.status IN ('released', 'started') AND o.status <> 'finished'
"""
LATE = f"""{_OPERATION} AND (o.planned_finish_at < %(now)s OR (o.status = 'waiting' AND o.planned_start_at < %(now)s))
ORDER BY CASE WHEN o.planned_finish_at < %(now)s THEN o.planned_finish_at ELSE o.planned_start_at END, w.number
LIMIT {MOST_ROWS}
"""
NEXT = f"""{_OPERATION} AND o.status = 'waiting' AND o.planned_start_at >= %(now)s AND o.planned_start_at < %(until)s
ORDER BY o.planned_start_at, w.number LIMIT {MOST_ROWS}
"""


def late_operations(site_id: UUID, by: Actor, names: Mapping[UUID, str]) -> dict[str, Any]:
    """Released operations that should have ended, or begun, by now; the longest overdue first."""
    values = {"site": site_id, "now": by.now, "english": by.language.startswith("en")}
    return told_operations(query(LATE, values), names, by.now)


def next_operations(site_id: UUID, by: Actor, names: Mapping[UUID, str]) -> dict[str, Any]:
    """Released operations that begin within the next hours."""
    until = by.now + timedelta(hours=NEXT_HOURS)
    values = {"site": site_id, "now": by.now, "until": until, "english": by.language.startswith("en")}
    return told_operations(query(NEXT, values), names, by.now) | {"hours": NEXT_HOURS}


def told_operations(rows: Sequence[Sequence[Any]], names: Mapping[UUID, str], now: datetime) -> dict[str, Any]:
    """Operations of a list, with how many there are in all."""
    made = []
    for id, order_id, number, sequence, name, center, status, start, finish, quantity, good, item, _ in rows:
        ended = finish is not None and finish < now
        since = (finish if ended else start) or now
        made.append(
            {
                "id": id,
                "work_order_id": order_id,
                "number": number,
                "sequence": sequence,
                "name": name,
                "item": item,
                "work_center": names.get(center),
                "status": status,
                "planned_start_at": start,
                "planned_finish_at": finish,
                "quantity": quantity,
                "good_quantity": good,
                "overdue": "finish" if ended else "start",
                "late_minutes": max(0, int((now - since).total_seconds() // 60)),
            }
        )
    return {"total": rows[0][12] if rows else 0, "rows": made}
