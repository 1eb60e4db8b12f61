"""What every command costs and leaves behind, watched in all tests that run commands.

Each run of a command is counted in statements (savepoints left out), whether it stands alone or joins another one.
The most a command needed is compared with `tests/contract/statements.json`: growth beyond `allowed` fails the test that
saw it.
Whoever means it says `LIANZAO_TEST_PIN=1` and runs the same tests: then the file is written anew from what was seen.

Each command that stands alone must leave exactly one audit row: who, why, because of what, and every record it wrote.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from lianzao.foundation import audit, registry
from lianzao.foundation.command import Command, Replayed

PINNED = Path(__file__).parent / "contract" / "statements.json"
PINNING = os.environ.get("LIANZAO_TEST_PIN") == "1"
#: Frames of transactions; how many there are hangs on the test, not on the command.
FRAME = re.compile(r"\s*(SAVEPOINT|RELEASE|ROLLBACK|SET CONSTRAINTS)(?:[\sA-Z]*\"(\w+)\")?")
WRITE = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)\"?", re.IGNORECASE)
#: The shared clock is read every few seconds: no command's own.
UNCOUNTED = re.compile(r"\s*SELECT anchor, set_at, rate FROM foundation_clock")
#: What a command may write without telling it in `changes`: the machinery's own rows, and what is no record of the
#: plant's: sessions and counters of wrong passwords, what a planning run worked out, rows of a what-if.
UNTOLD = re.compile(r"foundation_|access_session|access_login|planning_")

AUDITED = """
SELECT command, actor_id, actor_kind, cause_kind, cause_id, jsonb_array_length(changes)
FROM foundation_order WHERE id = %s
"""


def allowed(pinned: int) -> int:
    """Half as many again and six: caches and how much a test gives a command to do move a count; an N+1 does more."""
    return pinned + pinned // 2 + 6


@dataclass
class Frame:
    """One run of a command while it lasts: its statements, the tables it wrote, its audit rows."""

    key: str
    statements: int = 0
    tables: set[str] = field(default_factory=set)
    rows: list[audit.Running] = field(default_factory=list)

    saved: dict[str, set[str]] = field(default_factory=dict)

    def count(self, sql: str, rows: int) -> None:
        """Note one statement and how many rows it touched; what is taken back was not written."""
        frame = FRAME.match(sql)
        if frame:
            if frame[1] == "SAVEPOINT":
                self.saved[frame[2]] = set(self.tables)
            elif frame[1] == "ROLLBACK":
                self.tables = self.saved.get(frame[2], self.tables)
            return
        if not UNCOUNTED.match(sql):
            self.statements += 1
        written = WRITE.match(sql)
        if written and rows > 0:
            self.tables.add(written[1].lower())


def pinned() -> dict[str, int]:
    """The most statements each command may need."""
    return json.loads(PINNED.read_text("utf-8"))["commands"] if PINNED.exists() else {}


class Recorder:
    """Watches all commands of the process."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self.limits = limits
        self.most: dict[str, int] = {}
        self.faults: list[str] = []
        self._here = threading.local()
        self._lock = threading.Lock()

    @property
    def frames(self) -> list[Frame]:
        """The commands running in this thread, outermost first."""
        if not hasattr(self._here, "frames"):
            self._here.frames = []
        return self._here.frames

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch from now on."""
        once, called, write = Command._once, Command.__call__, audit.write

        def watched_once(command: Command[..., Any], *args: Any, **options: Any) -> Any:
            with self._frame(command.key) as frame:
                answer = once(command, *args, **options)
            self._count(frame)
            if not isinstance(answer, Replayed):
                self._audited(command.key, frame)
            return answer

        def watched_call(command: Command[..., Any], *args: Any, **given: Any) -> Any:
            if audit.running() is None:
                return called(command, *args, **given)
            with self._frame(command.key) as frame:
                answer = called(command, *args, **given)
            self._count(frame)
            return answer

        def watched_write(order: audit.Running, answer: Any, *beside: Any) -> None:
            write(order, answer, *beside)
            if self.frames:
                self.frames[0].rows.append(order)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Command, "_once", watched_once)
            patch.setattr(Command, "__call__", watched_call)
            patch.setattr(audit, "write", watched_write)
            yield

    @contextmanager
    def _frame(self, key: str) -> Iterator[Frame]:
        frame = Frame(key)

        def counted(run: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
            try:
                return run(sql, params, many, context)
            finally:
                frame.count(str(sql), context["cursor"].rowcount)

        self.frames.append(frame)
        try:
            with connection.execute_wrapper(counted):
                yield frame
        finally:
            self.frames.pop()

    def _count(self, frame: Frame) -> None:
        key = frame.key
        if key.partition(".")[0] not in registry.rooms():
            return  # commands that tests declare
        with self._lock:
            self.most[key] = max(self.most.get(key, 0), frame.statements)
        limit = self.limits.get(key)
        if limit is not None and frame.statements > allowed(limit) and not PINNING:
            self._fault(
                f"{key} needed {frame.statements} statements, {PINNED.name} says {limit} and allows {allowed(limit)}; "
                "if that is meant, run the same tests with LIANZAO_TEST_PIN=1 and commit the file"
            )

    def _audited(self, key: str, frame: Frame) -> None:
        if [order.command for order in frame.rows] != [key]:
            self._fault(f"{key} left audit rows of {[order.command for order in frame.rows]}, not just its own")
            return
        order = frame.rows[0]
        cause = order.cause or order.by.cause
        meant = (key, order.by.id, order.by.kind, cause.kind if cause else "", cause.id if cause else None)
        driver: Any = connection.connection  # the driver's own cursor: tests that count statements must not see ours
        told = driver.execute(AUDITED, [order.id]).fetchall()
        if told != [(*meant, len(order.changes))]:
            self._fault(f"{key} is told as {told}, but was {meant} with {len(order.changes)} changes")
        untold = sorted(table for table in frame.tables if not UNTOLD.match(table))
        if untold and not order.changes and not order.touched:
            self._fault(f"{key} wrote {', '.join(untold)} and told no change")

    def _fault(self, text: str) -> None:
        with self._lock:
            self.faults.append(text)

    def taken_faults(self) -> list[str]:
        """The faults found since the last asking."""
        with self._lock:
            faults, self.faults = self.faults, []
        return faults

    def pin(self) -> None:
        """Write what was seen into the file: higher and lower counts of the commands that ran."""
        kept = json.loads(PINNED.read_text("utf-8")) if PINNED.exists() else {"commands": {}, "never": {}}
        known = set(registry.COMMANDS)
        commands = {key: count for key, count in {**kept["commands"], **self.most}.items() if key in known}
        never = {key: why for key, why in kept["never"].items() if key in known and key not in commands}
        made = {"commands": dict(sorted(commands.items())), "never": dict(sorted(never.items()))}
        PINNED.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
