"""Nothing outlives the supervisor: a process it started ends when it is gone, even when that was killed hard.

On Linux the kernel tells at once (PR_SET_PDEATHSIG); elsewhere a thread looks once a second whose child we are. Who
does not heed it is killed.
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


def hold(hard: bool = False) -> None:
    """End (SIGTERM, later SIGKILL) when the parent does; only where a parent said so in the environment.

    `hard`: be killed at once. A worker of granian that is told twice to stop may wait for ever, holding Python's lock;
    and its parent has stopped it in order before it goes itself, unless that was killed.
    """
    said = os.environ.get(PARENT, "")
    if not said.isdigit():
        return
    told = signal.SIGKILL if hard else signal.SIGTERM
    by_kernel = sys.platform == "linux"
    if by_kernel:
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(told), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != int(said):  # it went just before we asked
            os.kill(os.getpid(), told)
        if hard:
            return
    order = [signal.SIGKILL] if by_kernel or hard else [told, signal.SIGKILL]
    threading.Thread(target=_watch, args=(int(said), order), name="lifeline", daemon=True).start()


def _watch(parent: int, order: list[signal.Signals]) -> None:
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(LOOK_S)
    for each in order:
        if each == signal.SIGKILL:
            pause.wait(GRACE_S)
        os.kill(os.getpid(), each)
