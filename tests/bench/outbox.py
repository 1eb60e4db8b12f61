"""Deliveries for the bench of the outbox: `python -m tests.bench.outbox` is a worker that knows their handler.

Each piece of news leaves one row that can exist only once. One try in five fails, after it has written.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from uuid import UUID

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

import django

django.setup()

from lianzao.foundation.actor import Actor  # noqa: E402
from lianzao.foundation.command import command  # noqa: E402
from lianzao.foundation.entity import execute  # noqa: E402
from lianzao.foundation.outbox import Event, on, publish  # noqa: E402
from lianzao.values.time import uuid7  # noqa: E402
from project import processes  # noqa: E402

FAILS = 0.2
EFFECT = "INSERT INTO foundation_external_id (entity_kind, system, key, entity_id) VALUES ('bench', 'bench', %s, %s)"


@dataclass(frozen=True)
class ThingHappened(Event):
    """News of nothing (bench only)."""

    thing_id: UUID


@on(ThingHappened)
def leave_effect(by: Actor, news: list[ThingHappened]) -> None:
    """Leave the effect of each; one in five fails after it has."""
    for each in news:
        execute(EFFECT, [str(each.thing_id), each.thing_id])
    if random.random() < FAILS:
        raise ValueError("one in five")


@command(hidden=True)
def tell_things(by: Actor, *, count: int) -> None:
    """Tell so much news (bench only)."""
    for _ in range(count):
        publish(ThingHappened(uuid7()))


def main() -> None:
    """Work until told to stop."""
    processes.carry_on(("work",), processes.Stopping())


if __name__ == "__main__":
    # Under its module's name, so that the event and its handler are those of `tests.bench.outbox`.
    from tests.bench import outbox

    outbox.main()
