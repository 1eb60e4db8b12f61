"""Handing in what a terminal kept while the network was away: each order once, as its person, at the time of the act.

A seal is as good as the session it was made in: it names the person, the terminal and the stay. What the person may do
is looked up now, as for any order. What is refused now was believed done: it is filed for somebody who decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from lianzao.access import queries, sealing
from lianzao.access.refused import file_refused_order
from lianzao.foundation import clock, words
from lianzao.foundation.actor import Actor, system_actor
from lianzao.foundation.command import Command, run
from lianzao.foundation.registry import COMMANDS
from lianzao.values.errors import Conflict, DomainError, Invalid, NotAllowed, NotKnown, RuleBroken, Unavailable
from lianzao.values.time import parse_instant

#: A device's clock was compared with ours at login; it may have drifted since.
DRIFT = timedelta(minutes=10)
#: Refusals that say "not now": the terminal keeps the order and hands it in again.
LATER = ("busy", "unavailable", "disk_full")


@dataclass(frozen=True)
class Outcome:
    """What became of an order handed in: `done`, or `filed` under a number, with the sentence it was refused with."""

    state: str
    number: str = ""
    refusal: str = ""


STAY = "SELECT id, person_id, station_id, site_id, opened_at, ends_at FROM access_session WHERE id = %s"


def pass_of(by: Actor) -> tuple[str, bytes, datetime]:
    """The pass of the stay in use, its key, and when it ends. Raises NotAllowed for whoever has no stay of our own."""
    if by.kind != "person" or by.session is None:
        raise NotAllowed("not_allowed", right="access.offline_pass")
    with connection.cursor() as cursor:
        cursor.execute(STAY, [by.session])
        found = cursor.fetchone()
    if found is None:
        raise NotKnown("not_known")
    id, person, station, site, opened_at, ends_at = found
    text = sealing.written(sealing.Pass(id, person, station, site or by.site, opened_at, ends_at))
    return text, sealing.key_of(settings.SECRET_KEY, text), ends_at


def hand_in(text: str, order_id: UUID, sealed: str, station_key: str = "") -> Outcome:
    """Carry out one kept order. Raises Invalid for a seal that does not open, Unavailable and its like for "later"."""
    stay = sealing.read(text)
    content = sealing.opened(sealing.key_of(settings.SECRET_KEY, text), order_id, sealed)
    told = _Told.read(content)
    by = queries.actor_of_stay(stay.person, stay.station, stay.site)
    try:
        by = _admitted(by, stay, station_key)
        at = _time_of(told, stay)
        run(by, told.command, _body(told, at), order_id=order_id)
    except DomainError as error:
        if isinstance(error, Unavailable) or error.code in LATER:
            raise
        return _filed(stay, told, order_id, error)
    return Outcome("done")


@dataclass(frozen=True)
class _Told:
    """What the browser sealed."""

    command: str
    body: dict[str, Any]
    happened_at: datetime
    device_at: datetime | None
    sequence: int

    @classmethod
    def read(cls, content: dict[str, Any]) -> _Told:
        """Raises Invalid: only our own screens can seal, so this is a mistake of theirs."""
        try:
            command, body, sequence = content["command"], content["body"], int(content.get("sequence") or 0)
            happened_at = parse_instant(content["happened_at"])
            device_at = parse_instant(content["device_at"]) if content.get("device_at") else None
        except (KeyError, TypeError, ValueError, DomainError):
            raise Invalid("malformed", field="sealed") from None
        if not isinstance(command, str) or not isinstance(body, dict) or not 0 <= sequence < 2**62:
            raise Invalid("malformed", field="sealed")
        return cls(command, body, happened_at, device_at, sequence)


def _admitted(by: Actor | None, stay: sealing.Pass, station_key: str) -> Actor:
    """The person, if he may still log in, and the terminal still is one. Raises RuleBroken."""
    if by is None:
        names = queries.names_of([stay.person])
        raise RuleBroken("person_shut_out", person=names.get(stay.person, str(stay.person)))
    if stay.station is not None:
        station = queries.station_by_key(station_key)
        if station is None or station.id != stay.station:
            raise RuleBroken("station_taken_away")
    return by


def _time_of(told: _Told, stay: sealing.Pass) -> datetime:
    """The instant of the act: never later than now; within the stay, as far as clocks agree. Raises RuleBroken."""
    at = min(told.happened_at, clock.now())
    # Under a virtual clock a stay's own times, which are real, say nothing about the plant's.
    if not clock.is_virtual() and not stay.opened_at - DRIFT <= at <= stay.ends_at + DRIFT:
        raise RuleBroken("outside_pass", happened_at=at.astimezone(UTC).isoformat(timespec="minutes"))
    return at


def _body(told: _Told, at: datetime) -> dict[str, Any]:
    """The order's body, with the time of the act where the order has a place for it. Raises Invalid."""
    made: Command[Any, Any] | None = COMMANDS.get(told.command)
    if made is None or not made.offline:
        raise Invalid("not_offline", command=told.command)
    timed = any(each.name == "happened_at" for each in made.parameters)
    return {**told.body, "happened_at": at.isoformat()} if timed else told.body


def _filed(stay: sealing.Pass, told: _Told, order_id: UUID, error: DomainError) -> Outcome:
    said = {
        language: words.say(
            f"error.{error.code}",
            language,
            **{
                name: words.title(language, str(value), f"choice.{value}") if name in ("status", "wanted") else value
                for name, value in error.facts.items()
            },
            **({} if error.field is None else {"field": error.field}),
        )
        for language in ("zh-CN", "en")
    }
    site_id = stay.site or next(iter(queries.site_ids()), None)
    if site_id is None:
        raise Conflict("busy")
    made = file_refused_order.ordered(cause=None)(
        system_actor("access.kept_orders"),
        site_id=site_id,
        command=told.command,
        body=_body_as_filed(told, stay),
        order_id=order_id,
        person=stay.person,  # type: ignore[arg-type]
        station=stay.station,  # type: ignore[arg-type]
        happened_at=min(told.happened_at, clock.now()),
        device_at=told.device_at,
        sequence=told.sequence,
        code=error.code,
        refusal=said["zh-CN"],
        refusal_en=said["en"],
    )
    return Outcome("filed", made.number, error.code)


def _body_as_filed(told: _Told, stay: sealing.Pass) -> dict[str, Any]:
    """What is to be done again: as ordered, at the time of the act, by who did the work where the order says it."""
    made = COMMANDS.get(told.command)
    names = {each.name for each in made.parameters} if made is not None else set()
    body = dict(told.body)
    if "happened_at" in names:
        body["happened_at"] = min(told.happened_at, clock.now()).isoformat()
    if "person_id" in names:
        body.setdefault("person_id", str(stay.person))
    return body
