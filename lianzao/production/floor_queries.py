"""What others may ask of the floor around the machine: people, calls, steps, what a shift planned and made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.foundation.entity import query
from lianzao.plant.queries import working_intervals
from lianzao.production import floor_rules
from lianzao.production.floor_models import HelpCall, Presence, ShiftConfirmation, ShiftNote, ShiftPost
from lianzao.production.queries import QueueRow
from lianzao.values.quantity import ZERO

#: Who badged in longer ago forgot to leave: nobody works two shifts on end.
LONGEST_STAY = timedelta(hours=14)


def people_at(work_center_ids: Iterable[UUID], now: datetime) -> list[Presence]:
    """Who is at work centers now, who came first first."""
    rows = Presence.objects.filter(
        work_center_id__in=list(work_center_ids), left_at=None, came_at__gt=now - LONGEST_STAY
    )
    return list(rows.select_related("person").order_by("came_at", "id"))


def living_calls(work_center_ids: Iterable[UUID]) -> list[HelpCall]:
    """Calls for help that are not over, unanswered ones first, then the oldest."""
    rows = HelpCall.objects.filter(work_center_id__in=list(work_center_ids), status__in=("open", "acknowledged"))
    return sorted(rows.select_related("work_center"), key=lambda each: (each.status != "open", each.called_at))


STEPS = """
SELECT s.operation_id, s.id, s.position, s.text, s.text_en, s.link, s.capture, s.unit_text, s.lower, s.upper,
       s.required, v.value, v.within, v.happened_at
FROM production_work_order_step s
LEFT JOIN LATERAL (
    SELECT v.value, v.within, v.happened_at FROM production_step_value v
    JOIN production_operation_report r ON r.id = v.report_id AND r.reversed_at IS NULL
    WHERE v.step_id = s.id ORDER BY v.happened_at DESC, v.id DESC LIMIT 1
) v ON true
WHERE s.operation_id = ANY(%s::uuid[])
ORDER BY s.operation_id, s.position
"""


def steps_of(operation_ids: Iterable[UUID], language: str) -> dict[UUID, list[dict[str, Any]]]:
    """The steps of operations in a language, with what was last written down at each and still stands."""
    found: dict[UUID, list[dict[str, Any]]] = {}
    english = language.startswith("en")
    for operation, id, position, text, text_en, link, capture, unit, lower, upper, required, *last in query(
        STEPS, [list(operation_ids)]
    ):
        value, within, at = last
        found.setdefault(operation, []).append(
            {
                "id": id, "position": position, "text": (english and text_en) or text, "link": link,
                "capture": capture, "unit": unit, "lower": lower, "upper": upper, "required": required,
                "value": value, "within": within, "at": at,
            }
        )  # fmt: skip
    return found


LAST_REPORTS = """
SELECT r.operation_id, min(r.happened_at), max(r.happened_at), sum(r.good + r.scrap)
FROM production_operation_report r
WHERE r.operation_id = ANY(%s::uuid[]) AND r.reversed_at IS NULL
GROUP BY r.operation_id
"""


def paces(work_center_id: UUID, jobs: Sequence[QueueRow], now: datetime) -> dict[UUID, dict[str, Any]]:
    """How running jobs keep up with the plan: pieces they should have by now, and minutes each piece took so far.

    Only working time counts, both for the plan and for the pace. Jobs that have not begun have no pace.
    """
    running = [each for each in jobs if each.status == "started" and each.started_at is not None]
    if not running:
        return {}
    begins = [at for each in running for at in (each.planned_start_at, each.started_at) if at is not None]
    ends = [now, *(each.planned_finish_at for each in running if each.planned_finish_at is not None)]
    spans = _spans(working_intervals([work_center_id], min(begins), max(ends)).get(work_center_id))
    done = {row[0]: row[1:] for row in query(LAST_REPORTS, [[each.operation_id for each in running]])}
    told: dict[UUID, dict[str, Any]] = {}
    for each in running:
        expected = None
        if each.planned_start_at is not None and each.planned_finish_at is not None:
            expected = floor_rules.expected_by_now(
                each.quantity, spans, each.planned_start_at, each.planned_finish_at, now
            )
        minutes = None
        if each.operation_id in done and each.started_at is not None:
            _, last, pieces = done[each.operation_id]
            minutes = floor_rules.minutes_each(spans, each.started_at, last, pieces)
        told[each.operation_id] = {"expected": expected, "minutes_each": minutes}
    return told


def production_blocks(available: Decimal, machines: Sequence[str], kit: Sequence[str], *, started: bool) -> list[str]:
    """Why a job cannot be worked on now, the strongest reason first (see floor_rules.blocks)."""
    return floor_rules.blocks(available, machines, kit, started=started)


def _spans(intervals: Any) -> list[tuple[int, int]]:
    return [] if intervals is None else list(zip(intervals.starts, intervals.ends, strict=True))


SHIFT_WORK = """
SELECT o.work_center_id, o.id, o.work_order_id, w.number, o.sequence, o.name, o.name_en, i.code, i.name, i.name_en,
       i.id, w.quantity, o.good_quantity, o.scrap_quantity, o.status, o.planned_start_at, o.planned_finish_at,
       w.due_at, w.status, o.machine_id,
       CASE WHEN p.id IS NULL THEN greatest(w.quantity - o.good_quantity, 0)
            ELSE greatest(p.good_quantity - o.good_quantity - o.scrap_quantity, 0) END
FROM production_work_order_operation o
JOIN production_work_order w ON w.id = o.work_order_id
JOIN catalog_item i ON i.id = w.item_id
LEFT JOIN LATERAL (
    SELECT b.id, b.good_quantity FROM production_work_order_operation b
    WHERE b.work_order_id = o.work_order_id AND b.sequence < o.sequence AND b.is_report_point
    ORDER BY b.sequence DESC LIMIT 1
) p ON true
WHERE w.site_id = %(site)s AND o.is_report_point AND o.work_center_id IS NOT NULL
  AND w.status NOT IN ('cancelled', 'closed')
  AND (o.status = 'started' OR (o.planned_start_at < %(until)s AND o.planned_finish_at > %(from)s))
ORDER BY o.work_center_id, o.status <> 'started', o.planned_start_at NULLS LAST, w.number, o.sequence
LIMIT 2000
"""
SHIFT_NAMES: Sequence[str] = (
    "work_center_id operation_id work_order_id number sequence name name_en item_code item_name item_name_en item_id "
    "quantity good scrap status planned_start_at planned_finish_at due_at order_status machine_id available"
).split()


def shift_work(site_id: UUID, from_at: datetime, until_at: datetime) -> list[dict[str, Any]]:
    """The jobs a site plans in a span, and those that run; each with `planned`: the pieces of it planned in the span.

    A job's pieces are spread evenly over the working time it is planned for.
    """
    rows: list[dict[str, Any]] = [
        dict(zip(SHIFT_NAMES, row, strict=True))
        for row in query(SHIFT_WORK, {"site": site_id, "from": from_at, "until": until_at})
    ]
    timed = [row for row in rows if row["planned_start_at"] is not None and row["planned_finish_at"] is not None]
    if timed:
        begin = min(from_at, *(row["planned_start_at"] for row in timed))
        end = max(until_at, *(row["planned_finish_at"] for row in timed))
        work = working_intervals({row["work_center_id"] for row in timed}, begin, end)
    else:
        work = {}
    for row in rows:
        row["planned"] = ZERO
        if row in timed:
            spans = _spans(work.get(row["work_center_id"]))
            start, finish = row["planned_start_at"], row["planned_finish_at"]
            until = floor_rules.expected_by_now(row["quantity"], spans, start, finish, until_at) or ZERO
            before = floor_rules.expected_by_now(row["quantity"], spans, start, finish, from_at) or ZERO
            row["planned"] = until - before
    return rows


HOURLY = """
SELECT o.work_center_id, floor(extract(epoch FROM r.happened_at - %(from)s::timestamptz) / 3600)::int AS hour,
       sum(r.good), sum(r.scrap)
FROM production_operation_report r
JOIN production_work_order_operation o ON o.id = r.operation_id
JOIN production_work_order w ON w.id = r.work_order_id
WHERE w.site_id = %(site)s AND r.reversed_at IS NULL AND r.happened_at >= %(from)s AND r.happened_at < %(until)s
  AND o.work_center_id IS NOT NULL
GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Hour:
    """What a work center made in one hour of a shift; `hour` counts from the shift's begin."""

    work_center_id: UUID
    hour: int
    good: Decimal
    scrap: Decimal


def hourly(site_id: UUID, from_at: datetime, until_at: datetime) -> list[Hour]:
    """What work centers made in each hour of a span, by when it happened."""
    return [Hour(*row) for row in query(HOURLY, {"site": site_id, "from": from_at, "until": until_at})]


def hours_of(from_at: datetime, until_at: datetime) -> int:
    """How many hours a span has, the last begun one counted."""
    return max(1, -int((from_at - until_at) // timedelta(hours=1)))


def posts(site_id: UUID, starts_at: datetime) -> list[ShiftPost]:
    """Who is to be where in a shift."""
    rows = ShiftPost.objects.filter(site_id=site_id, starts_at=starts_at)
    return list(rows.select_related("person").order_by("person__name", "id"))


def confirmation(site_id: UUID, starts_at: datetime) -> ShiftConfirmation | None:
    """Whether a shift was confirmed, when and by whom."""
    return ShiftConfirmation.objects.filter(site_id=site_id, starts_at=starts_at).first()


def shift_notes(site_id: UUID, since: datetime) -> list[ShiftNote]:
    """Notes that nobody has seen to, and those written or seen to since an instant; important ones first."""
    rows = ShiftNote.objects.filter(site_id=site_id).select_related("work_center").order_by("-written_at")[:200]
    shown = [each for each in rows if each.seen_to_at is None or each.seen_to_at >= since]
    return sorted(shown, key=lambda each: (each.seen_to_at is not None, not each.important))


ON_MACHINES = """
SELECT DISTINCT ON (m.id) m.id, w.id, w.number, i.code, i.name, i.name_en, o.status, w.due_at, o.planned_start_at,
       o.planned_finish_at, w.planned_finish_at, w.quantity, o.good_quantity
FROM plant_machine m
JOIN production_work_order_operation o
  ON o.work_center_id = m.work_center_id AND (o.machine_id = m.id OR o.machine_id IS NULL)
JOIN production_work_order w ON w.id = o.work_order_id
JOIN catalog_item i ON i.id = w.item_id
WHERE m.id = ANY(%s::uuid[]) AND o.status <> 'finished' AND w.status IN ('planned', 'firmed', 'released', 'started')
ORDER BY m.id, o.status <> 'started', o.machine_id IS NULL, o.planned_start_at NULLS LAST, w.due_at, w.number
"""


@dataclass(frozen=True)
class OnMachine:
    """The job a machine runs, else the next one planned on it; what a stop of it hurts first."""

    machine_id: UUID
    work_order_id: UUID
    number: str
    item_code: str
    item_name: str
    item_name_en: str
    status: str
    due_at: datetime
    planned_start_at: datetime | None
    planned_finish_at: datetime | None
    order_finish_at: datetime | None
    quantity: Decimal
    good: Decimal


def on_machines(machine_ids: Sequence[UUID]) -> Mapping[UUID, OnMachine]:
    """What each machine works on, or would next."""
    return {row[0]: OnMachine(*row) for row in query(ON_MACHINES, [list(machine_ids)])}
