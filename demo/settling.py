"""Work off the news at once, in this process: what the worker processes do when the plant runs."""

from __future__ import annotations

import time

from lianzao.foundation import outbox

#: What was asked to wait longer than this is not waited for; a delivery that failed once is tried again within it.
LONGEST_WAIT_S = 0.8


def settle(*, plan: bool = True) -> int:
    """Carry out all that is due, waiting out the short pauses in which news of a moment is gathered.

    Without `plan`, requests for a new plan stay in their queue: the next settling with it answers them all at once.
    """
    queues = ("work", "plan") if plan else ("work",)
    taken = 0
    while True:
        taken += outbox.work_once(queues)
        due = outbox.next_due(queues)
        if due is None or due > LONGEST_WAIT_S:
            return taken
        time.sleep(max(due, 0) + 0.005)
