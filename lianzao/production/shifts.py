"""Commands of people on the floor: who is at a work center, who is to be where in a shift, notes between shifts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from lianzao.access.models import Person
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.entity import execute
from lianzao.foundation.outbox import publish
from lianzao.foundation.scope import check_site
from lianzao.plant.models import WorkCenter
from lianzao.production import floor_rules
from lianzao.production.events import PersonCame, PersonLeft, ShiftNoteWritten, ShiftStaffed
from lianzao.production.floor_models import Presence, ShiftConfirmation, ShiftNote, ShiftPost
from lianzao.values.errors import Conflict, Invalid, RuleBroken


def _alone(what: str, key: object) -> None:
    """People and sites are not locked by a command: who changes the same thing queues on a lock of its own."""
    execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{what}:{key}"])


@command
def come_to_station(by: Actor, *, work_center: WorkCenter) -> Presence:
    """Say that you are at a work center; you have left the one where you were. Saying it twice changes nothing.

    Others who are there stay: two may work at one station.
    """
    if by.id is None or by.kind != "person":
        raise RuleBroken("only_people_come")
    _alone("presence", by.id)
    there = Presence.objects.filter(person_id=by.id, left_at=None).select_related("person").first()
    if there is not None and there.work_center_id == work_center.id:
        return there
    if there is not None:
        _leave(by, there)
    presence = Presence(site_id=work_center.site_id, work_center=work_center, person_id=by.id, came_at=by.now)
    presence.save()
    publish(PersonCame(presence.site_id, work_center.id, by.id, by.now))
    return presence


@command
def leave_station(by: Actor, *, presence: Presence) -> Presence:
    """Say that somebody has left a work center: yourself, or who forgot to say it."""
    if presence.left_at is not None:
        raise Conflict("left_already")
    return _leave(by, presence)


def _leave(by: Actor, presence: Presence) -> Presence:
    presence.left_at = by.now
    presence.save()
    publish(PersonLeft(presence.site_id, presence.work_center_id, presence.person_id, by.now))
    return presence


@command
def assign_to_shift(
    by: Actor, *, person: Person, work_center: WorkCenter, starts_at: datetime, ends_at: datetime
) -> ShiftPost:
    """Say where somebody is to be in a shift; who has a post in it already is moved."""
    check_site(by, work_center.site_id, "work_center")
    floor_rules.check_shift(starts_at, ends_at)
    if person.retired_at is not None or person.partner_id is not None:
        raise RuleBroken("not_one_of_us", field="person", person=person.name)
    _alone("post", person.id)
    post = ShiftPost.objects.filter(person=person, starts_at=starts_at).first() or ShiftPost(
        person=person, starts_at=starts_at
    )
    post.site_id, post.work_center, post.ends_at = work_center.site_id, work_center, ends_at
    post.save()
    publish(ShiftStaffed(post.site_id, starts_at))
    return post


@command
def remove_from_shift(by: Actor, *, shift_post: ShiftPost) -> None:
    """Take somebody's post in a shift away."""
    site_id, starts_at = shift_post.site_id, shift_post.starts_at
    shift_post.delete()
    publish(ShiftStaffed(site_id, starts_at))


@command
def confirm_shift(by: Actor, *, site_id: UUID, starts_at: datetime, ends_at: datetime) -> ShiftConfirmation:
    """Confirm a shift: who stands where is settled. It may be confirmed again after a change."""
    check_site(by, site_id)
    floor_rules.check_shift(starts_at, ends_at)
    _alone("shift", site_id)
    row = ShiftConfirmation.objects.filter(site_id=site_id, starts_at=starts_at).first() or ShiftConfirmation(
        site_id=site_id, starts_at=starts_at
    )
    row.ends_at = ends_at
    row.people = ShiftPost.objects.filter(site_id=site_id, starts_at=starts_at).count()
    row.confirmed_at, row.confirmed_by = by.now, by.id
    row.save()
    publish(ShiftStaffed(site_id, starts_at, confirmed=True))
    return row


@command
def write_shift_note(
    by: Actor, *, site_id: UUID, text: str, work_center: WorkCenter | None = None, important: bool = False
) -> ShiftNote:
    """Write what the next shift must know; it stays on the board until somebody has seen to it."""
    check_site(by, site_id)
    text = text.strip()
    if not text:
        raise Invalid("field_missing", field="text")
    if len(text) > 400:
        raise Invalid("too_long", field="text", most=400)
    if work_center is not None and work_center.site_id != site_id:
        raise Invalid("foreign_site", field="work_center")
    note = ShiftNote(
        site_id=site_id, work_center=work_center, text=text, important=important, written_at=by.now, written_by=by.id
    )
    note.save()
    publish(ShiftNoteWritten(site_id, note.id, important, False, note.work_center_id))
    return note


@command
def see_to_shift_note(by: Actor, *, shift_note: ShiftNote) -> ShiftNote:
    """Say that a note was seen to."""
    if shift_note.seen_to_at is not None:
        raise Conflict("seen_to_already")
    shift_note.seen_to_at, shift_note.seen_to_by = by.now, by.id
    shift_note.save()
    publish(ShiftNoteWritten(shift_note.site_id, shift_note.id, shift_note.important, True, shift_note.work_center_id))
    return shift_note
