"""The first documents of a month, entered by two people at the same time."""

from __future__ import annotations

import threading
from uuid import uuid4

from django.db import connection, connections, transaction

FIRST = "SELECT lianzao_next_number(%s, %s)"


def take(kind: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(FIRST, [kind, "2026-12"])
        return int(cursor.fetchall()[0][0])


def test_the_first_number_of_a_period_may_be_wanted_by_two_at_once(fresh_database: str) -> None:
    for undone in (False, True):
        kind = f"test.{uuid4()}"
        found: list[int | Exception] = []

        def second(kind: str = kind, found: list[int | Exception] = found) -> None:
            try:
                found.append(take(kind))
            except Exception as error:  # noqa: BLE001 - the test looks at it
                found.append(error)
            finally:
                connections["default"].close()

        other = threading.Thread(target=second)
        with transaction.atomic():
            assert take(kind) == 1
            other.start()
            other.join(0.5)
            assert not found, "the second could not know yet whether the sequence will be there"
            transaction.set_rollback(undone)
        other.join(20)
        assert found == [1 if undone else 2]
