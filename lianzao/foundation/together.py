"""Asked together, answered once: when news makes a hundred screens read the same page again, it is worked out once.

Whoever asks while the same page is being worked out waits for the next working-out, which begins after he asked, and
shares it with all who wait like him. So nobody is given anything older than what he would have read himself. What is
the same page is said by the caller's key: what is asked, and all of the asker that the answer depends on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

#: So long somebody waits for another's work before he does it himself.
PATIENCE_S = 10.0


class _Round(Generic[T]):
    """One working-out, and those who wait for it."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.answer: list[T] = []


class Together(Generic[T]):
    """Works things out, each once for all who ask for it meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Hashable, _Round[T]] = {}
        self._next: dict[Hashable, _Round[T]] = {}

    def __call__(self, key: Hashable, work: Callable[[], T]) -> T:
        """The answer, worked out now or shared. What fails fails for the one who worked; the others try themselves."""
        with self._lock:
            before = self._running.get(key)
            joined = self._next.get(key)
            mine: _Round[T] = _Round() if joined is None else joined
            if before is None:
                self._running[key] = mine
            elif joined is None:
                self._next[key] = mine
        if joined is not None:
            joined.done.wait(PATIENCE_S)
            return joined.answer[0] if joined.answer else work()
        if before is not None:
            before.done.wait(PATIENCE_S)
            with self._lock:
                # From here on whoever asks waits for the round after this one.
                self._next.pop(key, None)
                self._running[key] = mine
        try:
            answer = work()
            mine.answer.append(answer)
            return answer
        finally:
            with self._lock:
                if self._running.get(key) is mine:
                    del self._running[key]
            mine.done.set()
