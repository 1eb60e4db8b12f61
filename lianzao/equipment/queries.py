"""What others may ask about machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from lianzao.equipment import rules
from lianzao.equipment.models import MachineState
from lianzao.foundation.entity import query

DOWN = """
SELECT s.machine_id, m.work_center_id, s.began_at, s.expected_until, s.reason_id, coalesce(r.planned, false)
FROM equipment_machine_state s
JOIN plant_machine m ON m.id = s.machine_id AND m.retired_at IS NULL
LEFT JOIN equipment_stop_reason r ON r.id = s.reason_id
WHERE s.site_id = %s AND s.ended_at IS NULL AND s.reversed_at IS NULL AND s.state = 'stopped'
ORDER BY m.work_center_id, s.machine_id
"""


def down_windows(site_id: UUID, now: datetime) -> dict[str, list[Any]]:
    """Machines that stand still now, as columns: machine_id, work_center_id, from_at, until_at, reason_id, planned.

    `until_at` None: nobody knows when it ends, or the expected end has passed without a start.
    """
    rows = query(DOWN, [site_id])
    return {
        "machine_id": [row[0] for row in rows],
        "work_center_id": [row[1] for row in rows],
        "from_at": [row[2] for row in rows],
        "until_at": [rules.down_until(row[3], now) for row in rows],
        "reason_id": [row[4] for row in rows],
        "planned": [row[5] for row in rows],
    }


def state_now(machine_id: UUID) -> MachineState | None:
    """What a machine does now; None when nobody ever said."""
    return (
        MachineState.objects.filter(machine_id=machine_id, ended_at=None, reversed_at=None)
        .select_related("reason")
        .first()
    )


def states_now(machine_ids: Sequence[UUID]) -> dict[UUID, MachineState]:
    """What machines do now, with the reasons; a machine of which nobody ever said anything is not in it."""
    rows = MachineState.objects.filter(machine_id__in=list(machine_ids), ended_at=None, reversed_at=None)
    return {each.machine_id: each for each in rows.select_related("reason")}


SLICES = """
SELECT s.id, s.machine_id, m.work_center_id, s.state, s.reason_id, coalesce(r.planned, false),
       greatest(s.began_at, %(from)s), least(coalesce(s.ended_at, %(now)s), %(until)s)
FROM equipment_machine_state s
JOIN plant_machine m ON m.id = s.machine_id
LEFT JOIN equipment_stop_reason r ON r.id = s.reason_id
WHERE s.machine_id = ANY(%(machines)s::uuid[]) AND s.reversed_at IS NULL
  AND s.began_at < %(until)s AND coalesce(s.ended_at, %(now)s) > %(from)s
  AND s.began_at < coalesce(s.ended_at, %(now)s)
ORDER BY s.machine_id, s.began_at
"""


@dataclass(frozen=True)
class StateSlice:
    """A machine's state cut to the span asked for; an open one ends now."""

    machine_state_id: UUID
    machine_id: UUID
    work_center_id: UUID
    state: str
    reason_id: UUID | None
    planned: bool
    began_at: datetime
    ended_at: datetime

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.ended_at - self.began_at).total_seconds()


def state_slices(machine_ids: Sequence[UUID], from_at: datetime, until_at: datetime, now: datetime) -> list[StateSlice]:
    """What machines did between two instants: the ground of OEE and of the stop charts."""
    values = {"machines": list(machine_ids), "from": from_at, "until": until_at, "now": now}
    return [StateSlice(*row) for row in query(SLICES, values)]


@dataclass(frozen=True)
class Availability:
    """How a machine used a span, in seconds, and its availability after ISO 22400: production time by busy time.

    `busy`: working time less planned stops (PBT); `running`: what of it the machine ran (APT). `known`: how much of
    the working time anybody told a state for. `share` is None where less than all of it is known, or none was planned:
    a figure over unknown time would be a guess.
    """

    running: int
    busy: int
    known: int
    working: int
    share: float | None


def availabilities(
    slices: Sequence[StateSlice], working: Mapping[UUID, Sequence[tuple[int, int]]]
) -> dict[UUID, Availability]:
    """The availability of machines over the spans they were to work (UTC seconds), from their slices."""
    of_machine: dict[UUID, list[StateSlice]] = {}
    for each in slices:
        of_machine.setdefault(each.machine_id, []).append(each)
    return {
        machine: Availability(
            *rules.availability(
                [
                    (each.state, each.planned, int(each.began_at.timestamp()), int(each.ended_at.timestamp()))
                    for each in of_machine.get(machine, [])
                ],
                spans,
            )
        )
        for machine, spans in working.items()
    }
