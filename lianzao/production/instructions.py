"""What the steps of an instruction want written down, kept with the report it came with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from lianzao.foundation.entity import insert
from lianzao.foundation.outbox import publish
from lianzao.production import floor_rules
from lianzao.production.events import StepOutOfLimits
from lianzao.production.floor_models import StepValue, WorkOrderStep
from lianzao.production.models import OperationReport, WorkOrderOperation
from lianzao.production.standing import Standing
from lianzao.values.errors import Invalid

#: A step, what was written down at it, and whether that lies within its limits (None: it has none).
Reading = tuple[WorkOrderStep, str, bool | None]


@dataclass(frozen=True)
class StepReading:
    """What was written down at a step of the instruction: a number, a text, or yes and no for a check."""

    step: UUID
    value: str


def readings_of(operation: WorkOrderOperation, values: Sequence[StepReading]) -> list[Reading]:
    """What was written down with a report, checked against the steps; all that is required must be there by now.

    An operation without required steps and a report without values cost no statement.
    """
    if not values and not operation.required_steps:
        return []
    steps = {each.id: each for each in WorkOrderStep.objects.filter(operation=operation)}
    plain = {
        each.id: floor_rules.Step(each.id, each.capture, each.lower, each.upper, each.required)
        for each in steps.values()
    }
    made: list[Reading] = []
    for row, given in enumerate(values, 1):
        step = steps.get(given.step)
        if step is None:
            raise Invalid("step_of_other_operation", field="values", row=row)
        made.append((step, *floor_rules.reading(plain[step.id], given.value)))
    before = (
        StepValue.objects.filter(operation=operation, report__reversed_at=None).values_list("step_id", flat=True)
        if operation.required_steps
        else []
    )
    floor_rules.check_written(plain.values(), [given.step for given in values], before)
    return made


def write_down(
    standing: Standing,
    report: OperationReport,
    readings: Sequence[Reading],
) -> None:
    """Keep what was written down with its report; a value outside its limits is told."""
    insert(
        [
            StepValue(
                operation_id=report.operation_id, step=step, report=report, value=value, within=within,
                person_id=report.person_id, station_id=report.station_id, happened_at=report.happened_at,
            )
            for step, value, within in readings
        ]
    )  # fmt: skip
    for step, value, within in readings:
        if within is False:
            limits = floor_rules.limits_said(step.lower, step.upper, step.unit_text)
            publish(
                StepOutOfLimits(
                    standing.site_id, standing.id, report.operation_id, standing.item_id,
                    report.operation.work_center_id, step.text, value, limits, report.person_id,
                )
            )  # fmt: skip
