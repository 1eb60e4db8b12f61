"""The processes of this machine, as /proc tells of them: for tests that kill and look what is left."""

from __future__ import annotations

import time
from pathlib import Path

from project import lifeline


def family(pid: int) -> dict[int, str]:
    """All descendants of a process, with their command lines."""
    parents: dict[int, int] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found: dict[int, str] = {}
    near = {pid}
    while near:
        near = {child for child, parent in parents.items() if parent in near}
        for child in near:
            try:
                found[child] = (Path("/proc") / str(child) / "cmdline").read_text().replace("\0", " ")
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def of_folder(folder: Path) -> list[str]:
    """The command lines of living processes that belong to a data folder."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                environ = (place / "environ").read_bytes()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if f"LIANZAO_DATA={folder}\0".encode() in environ and "project." in line:
                found.append(line)
    return found


def left(folder: Path) -> list[str]:
    """The processes of a data folder that outlive its supervisor, after the time each of them has to end."""
    until = time.monotonic() + lifeline.GRACE_S + 3
    while (found := of_folder(folder)) and time.monotonic() < until:
        time.sleep(0.1)
    return found
