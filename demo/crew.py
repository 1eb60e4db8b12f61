"""The people at the machines: who is where in a shift, who comes and goes, who calls for help and who answers, what one
shift tells the next.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from demo.reading import document
from demo.scene import Scene
from lianzao.access.models import Person
from lianzao.plant.models import WorkCenter
from lianzao.plant.queries import ShiftSpan, shift_at
from lianzao.production import commands as production
from lianzao.production.floor_models import (
    HelpCall,
    HelpCause,
    Presence,
    ShiftConfirmation,
    ShiftNote,
    ShiftPost,
    WorkOrderStep,
)

#: Who answers a call, and what it turned out to be.
ANSWERS = {
    "material": ("warehouse", "已送到线边 brought to the line"),
    "machine": ("maintenance", "已调整 adjusted"),
    "quality": ("quality", "已判定可用 judged fit for use"),
    "tool": ("maintenance", "已换刀 tool changed"),
    "instruction": ("lead", "已说明 explained"),
    "other": ("lead", "已处理 dealt with"),
}
#: How likely somebody calls within an hour, and stays away from a shift.
CALL_CHANCE = 0.3
AWAY_CHANCE = 0.05


def shift_now(scene: Scene) -> ShiftSpan | None:
    """The shift that runs, if one does."""
    shift, _ = shift_at(scene.site_id, scene.now)
    return shift if scene.workday and shift.starts_at <= scene.now < shift.ends_at else None


def man(scene: Scene) -> None:
    """The lead posts the crew and confirms; everybody badges in where he is posted, and out when his shift is over."""
    crew = document("people")["crew"]
    people = {each.login: each for each in Person.objects.filter(login__in=[row["login"] for row in crew])}
    shift = shift_now(scene)
    ours = [each.id for each in people.values()]
    for stay in Presence.objects.filter(person_id__in=ours, left_at=None).select_related("person"):
        if (shift is None or stay.came_at < shift.starts_at) and not scene.busy(stay.id):
            scene.do(scene.actor(stay.person.login or ""), production.leave_station, presence=stay.id)
    if shift is None:
        return
    centers = {each.code: each.id for each in WorkCenter.objects.filter(site_id=scene.site_id)}
    posted = set(
        ShiftPost.objects.filter(site_id=scene.site_id, starts_at=shift.starts_at).values_list("person_id", flat=True)
    )
    here = set(Presence.objects.filter(person_id__in=ours, left_at=None).values_list("person_id", flat=True))
    confirmed = ShiftConfirmation.objects.filter(site_id=scene.site_id, starts_at=shift.starts_at).exists()
    for row in crew:
        person = people.get(row["login"])
        if person is None or row["shift"] != shift.name:
            continue
        if person.id not in posted and not confirmed:  # once it is confirmed, posts are the lead's at the screen
            scene.do(
                "lead", production.assign_to_shift, person=person.id, work_center=centers[row["work_center"]],
                starts_at=shift.starts_at, ends_at=shift.ends_at,
            )  # fmt: skip
        away = scene.chance(AWAY_CHANCE, f"away {row['login']} {shift.starts_at:%Y%m%d%H}")
        gone = Presence.objects.filter(person_id=person.id, came_at__gte=shift.starts_at).exists()
        if person.id not in here and not away and not gone:
            scene.do(scene.actor(row["login"]), production.come_to_station, work_center=centers[row["work_center"]])
    if not confirmed:
        scene.do(
            "lead", production.confirm_shift, site_id=scene.site_id, starts_at=shift.starts_at, ends_at=shift.ends_at
        )


def help_each_other(scene: Scene) -> None:
    """Calls are answered after some minutes and solved after some more; now and then there is a new one."""
    for call in HelpCall.objects.filter(site_id=scene.site_id, status__in=("open", "acknowledged")).order_by("number"):
        if scene.busy(call.id):
            continue
        who, what = ANSWERS[call.cause]
        minutes = scene.between((3, 12), f"answer {call.number}")
        if call.status == "open" and call.called_at + timedelta(minutes=minutes) <= scene.now:
            scene.do(who, production.acknowledge_call, help_call=call.id)
        elif call.status == "acknowledged" and call.acknowledged_at is not None:
            minutes = scene.between((8, 40), f"solve {call.number}")
            if call.acknowledged_at + timedelta(minutes=minutes) <= scene.now:
                scene.do(who, production.solve_call, help_call=call.id, answer=what)
    hour = scene.now.replace(minute=0, second=0, microsecond=0)
    key = f"call {hour:%Y%m%d%H}"
    if shift_now(scene) is None or not scene.chance(CALL_CHANCE, key):
        return
    if HelpCall.objects.filter(site_id=scene.site_id, called_at__gte=hour).exists():
        return
    stays = list(
        Presence.objects.filter(site_id=scene.site_id, left_at=None).select_related("person").order_by("person__login")
    )
    if stays:
        dice = scene.dice(key)
        stay, cause = dice.choice(stays), dice.choice([each.value for each in HelpCause])
        scene.do(
            scene.actor(stay.person.login or ""), production.call_for_help, work_center=stay.work_center_id, cause=cause
        )


def hand_over(scene: Scene) -> None:
    """In the last hour of a shift its lead writes to the next one, who sees to it within some hours."""
    shift = shift_now(scene)
    if shift is None:
        return
    for note in ShiftNote.objects.filter(site_id=scene.site_id, seen_to_at=None).order_by("written_at"):
        hours = scene.between((3, 6), f"note {note.written_at:%Y%m%d%H%M}")
        if note.written_at + timedelta(hours=hours) <= scene.now and not scene.busy(note.id):
            scene.do("lead", production.see_to_shift_note, shift_note=note.id)
    late = shift.ends_at - timedelta(hours=1)
    if scene.now >= late and not ShiftNote.objects.filter(site_id=scene.site_id, written_at__gte=late).exists():
        write_note(scene, f"hand over {shift.ends_at:%Y%m%d%H}")


def write_note(scene: Scene, key: str) -> None:
    """One of the things that shifts tell each other."""
    dice = scene.dice(key)
    text = dice.choice(document("people")["shift_notes"])
    scene.do("lead", production.write_shift_note, site_id=scene.site_id, text=text, important=dice.random() < 0.4)


def values_for(scene: Scene, operation_id: Any) -> list[production.StepReading]:
    """What an operator writes down at the required steps: within the limits, as a rule."""
    made: list[production.StepReading] = []
    for step in WorkOrderStep.objects.filter(operation_id=operation_id, required=True).order_by("position"):
        value = "yes" if step.capture == "check" else "OK"
        if step.capture == "number":
            low = step.lower if step.lower is not None else (step.upper or Decimal(0)) - 1
            high = step.upper if step.upper is not None else low + 1
            part = Decimal(str(round(scene.between((0.2, 0.8), f"value {step.id}"), 3)))
            value = f"{(low + (high - low) * part).quantize(Decimal('0.001')).normalize():f}"
        made.append(production.StepReading(step.id, value))
    return made
