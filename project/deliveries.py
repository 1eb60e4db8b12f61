"""Parked deliveries at the command line. The house is open when these are called."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from lianzao.foundation import commands
from lianzao.foundation.actor import Actor
from lianzao.foundation.outbox import Delivery
from project.programs import GroundError

SHOWN = 200


def listed(status: str, subscriber: str) -> list[str]:
    """Lines: id, when it was made, subscriber, event, tries, the last line of the error."""
    rows = _of(Delivery.objects.filter(status=status), subscriber).select_related("event").order_by("made_at")[:SHOWN]
    return [
        f"{str(each.id).replace('-', '')[-12:]}  {each.made_at.astimezone(UTC):%Y-%m-%d %H:%M}  {each.subscriber}  "
        f"{each.event.name}  {each.attempts} tries  {_last(each.error)}"
        for each in rows
    ]


def _of(rows: QuerySet[Delivery], subscriber: str) -> QuerySet[Delivery]:
    return rows.filter(subscriber=subscriber) if subscriber else rows


def _last(error: str) -> str:
    lines = [line for line in error.splitlines() if line.strip()]
    return lines[-1].strip()[:160] if lines else ""


def shown(part: str) -> list[str]:
    """One delivery in full."""
    each = Delivery.objects.select_related("event").get(id=_one(part))
    event: Any = each.event
    payload = event.payload if not isinstance(event.payload, str) else json.loads(event.payload)
    return [
        f"delivery    {each.id}",
        f"status      {each.status}, {each.attempts} tries",
        f"made        {each.made_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        f"subscriber  {each.subscriber}" + (f"   key {each.key}" if each.key else ""),
        f"event       {event.name} {event.id}",
        f"order       {event.order_id}",
        "payload",
        *(f"  {line}" for line in json.dumps(payload, ensure_ascii=False, indent=2).splitlines()),
        "error",
        *(f"  {line}" for line in (each.error or "none").splitlines()),
    ]


def chosen(parts: Sequence[str], subscriber: str) -> list[UUID]:
    """The parked deliveries that are meant. Raises GroundError when an id means none, or several."""
    if parts:
        return [_one(part) for part in parts]
    return list(_of(Delivery.objects.filter(status="parked"), subscriber).values_list("id", flat=True))


def _one(part: str) -> UUID:
    if len(part) == 32:
        found = list(Delivery.objects.filter(id=UUID(part)).values_list("id", flat=True))
    else:
        known = Delivery.objects.exclude(status="done").values_list("id", flat=True)
        found = [id for id in known if id.hex.startswith(part) or id.hex.endswith(part)]
    if len(found) != 1:
        raise GroundError(f"{'several deliveries have' if found else 'there is no delivery with'} the id {part}")
    return found[0]


def retry(by: Actor, ids: Sequence[UUID]) -> int:
    """How many wait again."""
    return int(commands.retry_deliveries(by, deliveries=list(ids))["retried"])


def drop(by: Actor, ids: Sequence[UUID], reason: str) -> int:
    """How many were dropped."""
    return int(commands.drop_deliveries(by, deliveries=list(ids), reason=reason)["dropped"])
