"""Nothing outlives its parent, also who lost the signal that said so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from project.config import ROOT

CHILD = """
import os, signal, subprocess, sys, time
from project import lifeline
if sys.argv[1] == "parent":
    child = subprocess.Popen([sys.executable, "-c", sys.argv[2], "child"], env=os.environ | lifeline.environment())
    print(child.pid, flush=True)
    time.sleep(60)
else:
    lifeline.LOOK_S, lifeline.GRACE_S = 0.1, 0.5 if os.environ["HOLDS"] != "hard" else 60
    if os.environ["HOLDS"] != "heeding":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    lifeline.hold(hard=os.environ["HOLDS"] == "hard")
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("holds", ["heeding", "deaf", "hard"])
def test_a_child_ends_when_its_parent_was_killed_whether_it_heeds_the_signal_or_not(holds: str) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "HOLDS": holds}
    order = [sys.executable, "-c", CHILD, "parent", CHILD]
    parent = subprocess.Popen(order, env=environ, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline() == "held\n"
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until = time.monotonic() + 10
    while (Path("/proc") / str(pid)).exists():
        if (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break
        assert time.monotonic() < until, "it lives on"
        time.sleep(0.05)
