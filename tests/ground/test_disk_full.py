"""The disk gets full under load, until PostgreSQL panics and cannot start: nothing is lost, and it goes on alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from project import progress
from project.config import ROOT
from project.supervisor import _whatever_becomes_of_it
from tests.processes import left
from tests.smalldisk import inside


@pytest.mark.slow
def test_what_was_acknowledged_is_kept_and_all_goes_on_when_there_is_room(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LIANZAO_")}
    environ |= {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "project.settings"}
    done = inside("tests.diskfull", str(tmp_path), environ=environ)
    assert done.returncode == 0, done.stdout + done.stderr[-8000:]
    seen = json.loads(done.stdout)
    assert "No space left" in seen["panic"] and seen["database"] == "down"
    assert seen["free"] < 256 * 1024  # whoever died of it has left some crumbs
    # Whoever asks is told in words, what he sent is not half there, and no process went.
    assert seen["told"].get("503 disk_full"), seen["told"]
    assert set(seen["told"]) <= {"503 disk_full", "503 unavailable", "409 busy"}, seen["told"]
    assert (seen["upload"]["status"], seen["upload"]["code"]) == (503, "disk_full")
    assert "Tell the administrator" in seen["upload"]["detail"] and seen["uploads left"] == []
    # The keeper is told what is wrong while the database runs, and when it has given up.
    assert seen["full"] == {"http": 503, "status": "not_ready", "checks": _checks("ok", "full")}
    assert seen["down"] == {"http": 503, "status": "not_ready", "checks": _checks("no_answer", "full")}
    assert "✗ disk: 0.0 GB free" in seen["doctor"] and "✗ database: The disk that holds" in seen["doctor"]
    assert seen["ready"] == {"http": 200, "status": "ok", "checks": _checks("ok", "ok")}
    assert seen["goes on after s"] < 10
    assert left(tmp_path / "data") == []


def _checks(database: str, disk: str) -> dict[str, str]:
    return {"database": database, "schema": database, "disk": disk}


class Full:
    """A stream onto a disk that is full."""

    def __init__(self) -> None:
        self.number = os.open("/dev/full", os.O_WRONLY)

    def write(self, text: str) -> int:
        return os.write(self.number, text.encode())

    def flush(self) -> None:
        os.fsync(self.number)


def test_a_log_that_cannot_be_written_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    full: Any = Full()
    with pytest.raises(OSError, match="No space left"):
        print("x", file=full)
    _whatever_becomes_of_it(lambda text: print(text, file=full, flush=True))("x")
    monkeypatch.setattr("sys.stderr", full)
    progress._say("x")
    monkeypatch.undo()
    os.close(full.number)
