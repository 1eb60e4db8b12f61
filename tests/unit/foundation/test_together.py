"""Who asks while an answer is being worked out shares the next one, which begins after he asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from lianzao.foundation.together import Together


class Slow:
    """Work that takes until it is let go, and tells how often it was begun and what it saw."""

    def __init__(self) -> None:
        self.state = 0
        self.begun = 0
        self.gates: list[threading.Event] = []
        self.lock = threading.Lock()

    def __call__(self) -> int:
        with self.lock:
            self.begun += 1
            seen, gate = self.state, threading.Event()
            self.gates.append(gate)
        assert gate.wait(10)
        return seen


def asking(work: Callable[[], Any], found: list[Any]) -> threading.Thread:
    def ask() -> None:
        try:
            found.append(work())
        except Exception as error:  # noqa: BLE001 - the test looks at it
            found.append(error)

    made = threading.Thread(target=ask)
    made.start()
    return made


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_those_who_wait_share_one_answer_that_is_no_older_than_their_question() -> None:
    together: Together[int] = Together()
    slow, first, rest = Slow(), [], []
    one = asking(lambda: together("board", slow), first)
    until(lambda: slow.begun == 1)
    slow.state = 1  # changed after the first began, before the others ask
    others = [asking(lambda: together("board", slow), rest) for _ in range(7)]
    other_key: list[Any] = []
    apart = asking(lambda: together("list", slow), other_key)
    until(lambda: slow.begun == 2)
    time.sleep(0.05)
    assert slow.begun == 2, "only the other page may begin while this one is being worked out"
    for gate in list(slow.gates):
        gate.set()
    until(lambda: slow.begun == 3)
    slow.gates[2].set()
    for thread in [one, apart, *others]:
        thread.join(10)
    assert first == [0] and rest == [1] * 7 and other_key == [1] and slow.begun == 3
    assert not together._running and not together._next


def test_whoever_asks_when_nothing_runs_is_answered_anew() -> None:
    together: Together[int] = Together()
    count = iter(range(10))
    assert [together("board", lambda: next(count)) for _ in range(3)] == [0, 1, 2]


def test_a_failure_is_his_who_worked_and_the_others_try_themselves() -> None:
    together: Together[int] = Together()
    slow, first = Slow(), []
    one = asking(lambda: together("board", slow), first)
    until(lambda: slow.begun == 1)
    tries: list[int] = []

    def fails_once() -> int:
        tries.append(1)
        time.sleep(0.02)
        if len(tries) == 1:
            raise ValueError("broken")
        return 5

    found: list[Any] = []
    others = [asking(lambda: together("board", fails_once), found) for _ in range(3)]
    until(lambda: "board" in together._next)
    time.sleep(0.05)
    slow.gates[0].set()
    for thread in [one, *others]:
        thread.join(10)
    assert sorted(map(str, found)) == ["5", "5", "broken"] and len(tries) == 3
    assert together("board", lambda: 6) == 6


@pytest.mark.parametrize("seed", range(3))
def test_many_at_once_never_see_the_past(seed: int) -> None:
    together: Together[int] = Together()
    state, stale = [0], []
    stop = time.monotonic() + 0.5

    def ask() -> None:
        while time.monotonic() < stop:
            asked = state[0]
            if together("board", lambda: (time.sleep(0.001), state[0])[1]) < asked:
                stale.append(asked)

    def change() -> None:
        while time.monotonic() < stop:
            state[0] += 1
            time.sleep(0.0003)

    threads = [threading.Thread(target=ask) for _ in range(12)] + [threading.Thread(target=change)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert not stale and state[0] > 100
