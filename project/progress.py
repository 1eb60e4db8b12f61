"""Telling the person at the terminal what takes long. Standard library only: the bootstrap uses it too."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

QUIET_S = 2.0
#: Between two lines in a log; a terminal's one line is rewritten each second.
LOG_S = 10.0
AFRESH = "\r\033[K"


@contextlib.contextmanager
def telling(title: str, detail: Callable[[], str] = str, *, at_once: bool = False) -> Iterator[None]:
    """Say what goes on while the block runs, once it has taken two seconds or `at_once`; how long so far, and in all.

    `detail` adds what is known at the moment, such as who is waited for. Lines go to standard error.
    """
    began = time.monotonic()
    live = sys.stderr.isatty()
    done = threading.Event()
    said = threading.Event()

    def begin() -> None:
        said.set()
        _say(f"▸ {title} …", end="" if live else "\n")

    def tell() -> None:
        if done.wait(QUIET_S):
            return
        if not said.is_set():
            begin()
        while not done.wait(1.0 if live else LOG_S):
            spent, more = f"{time.monotonic() - began:.0f} s", detail()
            more = f" ({more})" if more else ""
            if live:
                _say(f"{AFRESH}▸ {title} … {spent}{more}", end="")
            else:
                _say(f"  … {spent}{more}")

    if at_once:
        begin()
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
        if said.is_set():
            _say(f"{AFRESH if live else ''}▸ {title}: {time.monotonic() - began:.1f} s")


def _say(text: str, end: str = "\n") -> None:
    with contextlib.suppress(OSError, ValueError):  # a log on a full disk must not end what runs
        print(text, end=end, file=sys.stderr, flush=True)
