"""300 office users, 100 terminals and 20 partners at a realistic pace (tests/bench/office.py says which), two cores.

LOAD_SECONDS (600) at pace 1: p99 < 300 ms and memory flat. Then the pace is raised step by step, LOAD_STEP_SECONDS (60)
each, until p99 is above 300 ms: the figure at which it bends. LOAD_BEND=0 leaves that out.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from project.config import ROOT
from tests.bench.office import OFFICE, PARTNERS, SET_UP, TERMINALS
from tests.processes import family
from tests.served import Served, served

pytestmark = pytest.mark.bench
SECONDS = float(os.environ.get("LOAD_SECONDS", "600"))
STEP_S = float(os.environ.get("LOAD_STEP_SECONDS", "60"))
BEND = os.environ.get("LOAD_BEND", "1") == "1"
STEPS = (1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0)
P99_MS = 300.0
#: Memory is flat when in the second half a process grows by no more than this share or this much.
GROWTH, GROWTH_MB, KEPT_NEWS_MB = 0.10, 12.0, 64.0


def kind_of(line: str) -> str:
    """Which process of ours a command line is: web, live, work, plan, front, backup; nothing for others."""
    found = re.search(r"project\.processes (\w+)", line)
    return found[1] if found else ""


def resident(product: Served) -> dict[str, float]:
    """Megabytes that each process holds for itself (what it shares with others counted in parts), by kind."""
    found: dict[str, float] = {}
    for pid, line in family(product.process.pid).items():
        kind = kind_of(line)
        try:
            rollup = (Path("/proc") / str(pid) / "smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if kind:
            size = int(next(row for row in rollup.splitlines() if row.startswith("Pss:")).split()[1]) / 1024
            found[f"{kind} {pid}"] = size
    return found


def used(product: Served) -> dict[str, float]:
    """Seconds of processor that each kind of process has used, the database's together."""
    found: dict[str, float] = {}
    tick = os.sysconf("SC_CLK_TCK")
    postmaster = product.cluster.status()["pid"]
    lines = {**family(product.process.pid), **dict.fromkeys(family(postmaster), "postgres")}
    for pid, line in lines.items():
        kind = "postgres" if line == "postgres" else kind_of(line) or "other"
        try:
            parts = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[kind] = found.get(kind, 0.0) + (int(parts[11]) + int(parts[12])) / tick
    return found


def loaded(product: Served, plant: Path, seconds: float, pace: float) -> dict[str, Any]:
    """One run of the clients."""
    before = used(product)
    began = time.monotonic()
    order = [sys.executable, "-m", "tests.bench.office", str(product.port), str(plant), str(seconds), str(pace)]
    done = subprocess.run(order, cwd=ROOT, env=product.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout)
    whole = time.monotonic() - began
    after = used(product)
    said["cores"] = {kind: round((after[kind] - before.get(kind, 0.0)) / whole, 2) for kind in sorted(after)}
    return said


def table(said: dict[str, Any]) -> str:
    """For the reader."""
    lines = [f"{'':28}{'count':>8}{'p50':>9}{'p95':>9}{'p99':>9}{'most':>9}  ms"]
    for name, row in said["took"].items():
        lines.append(f"{name:28}{row['count']:>8}{row['p50']:>9}{row['p95']:>9}{row['p99']:>9}{row['most']:>9}")
    rate = said["took"]["all"]["count"] / said["seconds"]
    lines.append(f"{rate:.0f} requests/s, {said['heard'] / said['seconds']:.0f} news/s handed to live lines")
    lines.append(f"cores {said['cores']}, clients {said['client_core']} (late by {said['client_late_ms']} ms at most)")
    return "\n".join(lines + [f"refused {count} times: {what}" for what, count in said["refused"].items()])


def test_a_full_plant_is_answered_and_memory_stays_flat(tmp_path: Path) -> None:
    with served(tmp_path, {"LIANZAO_BACKUP_HOURS": "0"}) as product:
        plant = tmp_path / "plant.json"
        plant.write_text(product.inside(SET_UP))
        warm = loaded(product, plant, min(60.0, SECONDS / 4), 1.0)  # caches, pools, kernels
        assert not warm["refused"], warm["refused"]
        early = loaded(product, plant, SECONDS / 2, 1.0)
        before = resident(product)
        said = loaded(product, plant, SECONDS / 2, 1.0)
        after = resident(product)
        print(f"\nthe first half:\n{table(early)}")
        print(f"\n{OFFICE} office users, {TERMINALS} terminals, {PARTNERS} partners, second half of {SECONDS:.0f} s")
        print(table(said))
        for name, size in sorted(after.items()):
            print(f"{name:16} {before.get(name, 0.0):7.1f} MB → {size:7.1f} MB")
        bends = ""
        for pace in STEPS if BEND else ():
            step = loaded(product, plant, STEP_S, pace)
            rate, p99 = step["took"]["all"]["count"] / STEP_S, step["took"]["all"]["p99"]
            print(f"pace {pace:g}: {rate:.0f} requests/s, p99 {p99:.0f} ms, cores {step['cores']}")
            if p99 > P99_MS or step["refused"]:
                bends = f"it bends at pace {pace:g}: {rate:.0f} requests/s, p99 {p99:.0f} ms {step['refused']}"
                break
        print(bends or "it did not bend")
        assert not said["refused"] and not early["refused"]
        assert max(early["took"]["all"]["p99"], said["took"]["all"]["p99"]) < P99_MS
        grown = {name: (before[name], size) for name, size in after.items() if name in before}
        leaks = {
            name: pair
            for name, pair in grown.items()
            # The live line keeps the news of ten minutes, for whoever comes back; no more.
            if pair[1] > pair[0] * (1 + GROWTH)
            and pair[1] > pair[0] + (KEPT_NEWS_MB if name.startswith("live") else GROWTH_MB)
        }
        assert len(grown) == len(before) and not leaks, f"memory grows, or a process was started anew: {leaks}"
