"""`lianzao serve` as process 1 of a container: whoever loses his parent is handed to it, and is buried."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.ground.test_supervisor import Serving, free_port, held, one
from tests.processes import family
from tests.served import furnished

#: What process 1 is to all, a "subreaper" is to its descendants; it stays one when it becomes another program.
AS_FIRST = """
import ctypes, os, sys
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
os.execv(sys.executable, [sys.executable, "-m", "project.cli", "serve"])
"""


@pytest.fixture
def first(tmp_path: Path) -> Iterator[Serving]:
    furnished(tmp_path)
    serving = Serving(tmp_path, free_port())
    serving.settings["LIANZAO_BACKUP_HOURS"] = "0"
    try:
        yield serving
    finally:
        if serving.process is not None:
            serving.process.send_signal(signal.SIGTERM)
            serving.process.wait(60)
        serving.cluster.destroy()


def dead(pid: int) -> list[int]:
    """Descendants that ended, and of whose end nobody took note."""
    found = []
    for child in family(pid):
        try:
            said = (Path("/proc") / str(child) / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += [child] if said == "Z" else []
    return found


@pytest.mark.slow
def test_orphans_are_buried_and_a_killed_database_is_seen_to_be_dead(first: Serving) -> None:
    first.start(sys.executable, "-c", AS_FIRST)
    assert first.process is not None
    pid = first.process.pid
    postmaster = first.cluster.status()["pid"]
    assert postmaster in family(pid), "the database is ours to bury"
    os.kill(postmaster, signal.SIGKILL)
    first.wait_for("the database ended; it starts again", 60)
    held(lambda: first.cluster.status()["running"])
    assert first.cluster.status()["pid"] != postmaster
    held(lambda: not dead(pid))
    web = one(pid, "processes web")
    os.kill(web, signal.SIGKILL)  # its worker, which serves, dies with it and is ours then
    first.wait_for("web 1 ended (signal SIGKILL)")
    held(lambda: not dead(pid))
    held(lambda: httpx.get(f"http://127.0.0.1:{first.port}/readyz", trust_env=False).status_code == 200)
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(60) == 0
