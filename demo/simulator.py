"""The demo plant lives: its people do what is due, on the virtual clock, by the public commands only.

`step(now)` is one look around; `run(stop)` looks around again and again while the plant's clock runs. All state is in
the database, so a simulator that was stopped, or killed, goes on where the plant stands.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import close_old_connections

from demo import crew, dock, floor, office
from demo.reading import document
from demo.scene import Scene
from lianzao.access.queries import site_by_code
from lianzao.foundation import clock, registry
from lianzao.foundation.entity import query

log = logging.getLogger("lianzao.demo")

#: Plant seconds in a real one: a virtual minute each second.
SPEED = 60.0
#: How often the plant's time is written down, so that a restart does not jump.
HEARTBEAT_S = 5.0
SHORTEST_WAIT_S = 0.25
LONGEST_STEP = timedelta(hours=2)

Part = Callable[[Scene], None]
#: What is done at each look around, in this order: what came in the morning can be worked on at noon.
PARTS: dict[str, Part] = {
    "suppliers": office.suppliers,
    "receive": floor.receive,
    "inspect": floor.inspect,
    "put_away": floor.put_away,
    "customers": office.customers,
    "planner": office.planner,
    "buyer": office.buyer,
    "release": floor.release,
    "issue": floor.issue,
    "pick": floor.pick,
    "crew": crew.man,
    "machines": floor.run_machines,
    "operate": floor.operate,
    "help": crew.help_each_other,
    "hand_over": crew.hand_over,
    "close": floor.close,
    "ship": dock.ship,
}
#: Who keeps the goods moving when the offices are closed: used while the plant is built.
FLOOR_ONLY = ("receive", "inspect", "put_away", "release", "issue", "pick", "operate", "close")


@dataclass
class Simulator:
    """The people of one plant, and what they did so far."""

    site_id: UUID
    habits: dict[str, Any]
    last: datetime | None = None
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of_plant(cls, habits: dict[str, Any] | None = None) -> Simulator:
        """The people of the demo plant in this database."""
        registry.load()
        site = site_by_code(document("plant")["site"]["code"])
        return cls(site.id, document("people")["habits"] | (habits or {}))

    def step(self, now: datetime, parts: tuple[str, ...] | None = None) -> Scene:
        """Do what is due at an instant. A part that fails is logged, and the others go on."""
        passed = timedelta(minutes=5) if self.last is None else min(max(now - self.last, timedelta(0)), LONGEST_STEP)
        self.last = now
        scene = Scene(self.site_id, now, passed, self.habits)
        for name in parts or tuple(PARTS):
            try:
                PARTS[name](scene)
            except Exception:
                # A plant does not stop because one of its people stumbled; the log says who, and where.
                log.exception("the demo's part %s failed", name)
                scene.refused[f"{name} failed"] += 1
        self.done += scene.done
        self.refused += scene.refused
        return scene


_people: Simulator | None = None


def step(now: datetime) -> Scene:
    """One look around in the plant of this process's database."""
    global _people
    if _people is None or _people.last is None or now < _people.last:
        _people = Simulator.of_plant()
    return _people.step(now)


LAST_ORDER = "SELECT max(at) FROM (SELECT at FROM foundation_order ORDER BY recorded_at DESC LIMIT 200) latest"


def resume_clock(speed: float = SPEED) -> datetime:
    """Let the plant's time go on from where it stood when it was last written down; returns it.

    The clock of a plant that was switched off stands still: nobody wants to come back to a month of late orders.
    """
    rows = query("SELECT anchor FROM foundation_clock WHERE id = 1")
    last = query(LAST_ORDER)[0][0]
    known = [each for each in (rows[0][0] if rows else None, last) if each is not None]
    at = max(known, default=clock.real_now())
    clock.set_virtual(at, speed)
    return at


def run(
    stop: threading.Event | None = None,
    *,
    speed: float = SPEED,
    tick_s: float = 2.0,
    stopping: Callable[[], bool] | None = None,
) -> None:
    """Live until told to stop, by an event or by a question that answers yes. The plant's clock stands when it ends."""
    told = stop or threading.Event()
    people = Simulator.of_plant()
    at = resume_clock(speed)
    log.info("the demo plant lives from %s, %g times as fast", at.isoformat(timespec="minutes"), speed)
    waited = beat = 0.0
    try:
        while not told.wait(SHORTEST_WAIT_S) and not (stopping is not None and stopping()):
            waited += SHORTEST_WAIT_S
            if waited < tick_s:
                continue
            beat, waited = beat + waited, 0.0
            close_old_connections()
            people.step(clock.now())
            if beat >= HEARTBEAT_S:
                beat = 0.0
                clock.set_virtual(clock.now(), speed)
    finally:
        clock.set_virtual(clock.now(), 0)
        log.info("the demo plant rests; it did %s", dict(people.done.most_common(12)))
