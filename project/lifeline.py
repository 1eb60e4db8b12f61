"""Nothing outlives the supervisor: a process it started ends when it is gone, even when that was killed hard.

On Linux the kernel tells at once (PR_SET_PDEATHSIG). Everywhere a thread looks once a second whose child we are: a
signal may come before who is to hear it listens, and whoever does not heed it is killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

PARENT = "LIANZAO_PARENT"
_PR_SET_PDEATHSIG = 1
LOOK_S = 1.0
GRACE_S = 12.0  # longer than any of ours takes to end in order


def environment() -> dict[str, str]:
    """What to add to the environment of a child that shall not outlive this process."""
    return {PARENT: str(os.getpid())}


def hold() -> None:
    """End (SIGTERM, later SIGKILL) when the parent does; only where a parent said so in the environment."""
    said = os.environ.get(PARENT, "")
    if not said.isdigit():
        return
    if sys.platform == "linux":
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    threading.Thread(target=_watch, args=(int(said),), name="lifeline", daemon=True).start()


def _watch(parent: int) -> None:
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)
    pause.wait(GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)
