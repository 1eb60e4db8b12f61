"""Which events a subscriber to everything wants at the moment, so that nobody writes deliveries for nothing.

What is wanted stands in tables (watches, endpoints). A process asks them every few seconds at most: what another one
has just begun to want may be missed until then, as if it had been wanted so much later. In the process that wrote the
change `forget` makes it count at once.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from time import monotonic
from typing import Any

from django.db import connection

ASK_AGAIN_S = 2.0


class Interest:
    """Answers whether an event is wanted. `statement` gives one text column: wire names, or patterns with `*`."""

    def __init__(self, statement: str) -> None:
        self.statement = statement
        self._patterns: frozenset[str] = frozenset()
        self._answers: dict[str, bool] = {}
        self._until = float("-inf")

    def forget(self) -> None:
        """Ask the tables at the next question."""
        self._until = float("-inf")

    def __call__(self, wire_name: str) -> bool:
        """Whether the event is wanted."""
        if monotonic() >= self._until:
            patterns = self._ask()
            if patterns != self._patterns:
                self._patterns, self._answers = patterns, {}
            self._until = monotonic() + ASK_AGAIN_S
        known = self._answers.get(wire_name)
        if known is None:
            known = any(fnmatchcase(wire_name, pattern) for pattern in self._patterns)
            self._answers[wire_name] = known
        return known

    def _ask(self) -> frozenset[str]:
        # The driver's own cursor: a look every few seconds is no statement of the order that happens to be running.
        connection.ensure_connection()
        driver: Any = connection.connection
        with connection.wrap_database_errors, driver.cursor() as cursor:
            cursor.execute(self.statement)
            return frozenset(row[0] for row in cursor.fetchall())
