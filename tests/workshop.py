"""A program for tests of workers: tells news of its own, and runs a worker that hears them.

`python -m tests.workshop tell KEY…` writes one event for each key; `work FOLDER` and `plan FOLDER` carry them out. The
handler writes a line into FOLDER/begun, makes a record, and then waits while FOLDER/hold exists: in the middle.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

import django

django.setup()

from lianzao.access.models import Site  # noqa: E402
from lianzao.foundation.actor import Actor, system_actor  # noqa: E402
from lianzao.foundation.command import command, run  # noqa: E402
from lianzao.foundation.outbox import Event, on, publish  # noqa: E402
from project import processes  # noqa: E402

FOLDER = Path()


@dataclass(frozen=True)
class PartMade(Event):
    key: str
    site_id: UUID | None = None


@dataclass(frozen=True)
class PlanAsked(Event):
    key: str
    site_id: UUID | None = None


@command(hidden=True)
def tell_parts(by: Actor, *, keys: list[str], plan: bool = False) -> None:
    """Tell news (test only). A key `a@SZ` is news of a site."""
    for each in keys:
        key, _, site = each.partition("@")
        kind = PlanAsked if plan else PartMade
        publish(kind(key, Site.objects.get(code=site).id if site else None))


@on(PartMade)
def take_part(by: Actor, news: list[PartMade]) -> None:
    _carry_out(by, news[0].key)


@on(PlanAsked, key="site_id", queue="plan")
def take_plan(by: Actor, news: list[PlanAsked]) -> None:
    for each in news:
        _carry_out(by, each.key)


def _carry_out(by: Actor, key: str) -> None:
    run(by, "foundation.create_code_rule", {"entity_kind": f"test.{key}", "pattern": "{seq:3}"})
    with (FOLDER / "begun").open("a") as file:
        file.write(f"{key} {os.getpid()}\n")
    while (FOLDER / "hold").exists():
        time.sleep(0.02)


def main() -> None:
    global FOLDER
    what, *more = sys.argv[1:]
    if what in ("tell", "ask"):
        tell_parts(system_actor("test"), keys=more, plan=what == "ask")
        return
    FOLDER = Path(more[0])
    stopping = processes.Stopping()
    ready = processes.Ready(sys.stdout.fileno())
    lease = processes.Lease() if what == "plan" else None
    processes.carry_on((what,), stopping, ready=ready, lease=lease)


if __name__ == "__main__":
    # Under its module's name, so that events and handlers are those of `tests.workshop` and not of `__main__`.
    from tests import workshop

    workshop.main()
