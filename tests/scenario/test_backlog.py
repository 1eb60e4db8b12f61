"""A sudden backlog of deliveries on a table of which PostgreSQL believes that nothing waits in it."""

from __future__ import annotations

import json
from uuid import uuid4

from django.db import connection, transaction

from lianzao.foundation import outbox
from lianzao.foundation.outbox import TAKE

EVENT = """
INSERT INTO foundation_event (id, name, at, recorded_at, order_id, payload, xid)
VALUES (%s, 'test.Thing', now(), now(), gen_random_uuid(), '{}', 1)
"""
PENDING = """
INSERT INTO foundation_delivery (id, event_id, subscriber, key, status, attempts, error, made_at, due_at)
SELECT gen_random_uuid(), %s, 'test.hear', '', 'pending', 0, '', now(), now() - n * interval '1 second'
FROM generate_series(1, %s) n
"""


def test_taking_a_few_does_not_read_them_all(fresh_database: str) -> None:
    event = uuid4()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute(EVENT, [event])
        cursor.execute(PENDING, [event, 40_000])
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {TAKE}", [["test.hear"], outbox.TOGETHER])
        ((plan,),) = cursor.fetchall()
        told = (plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]
        assert told["Actual Rows"] == outbox.TOGETHER
        assert told["Shared Hit Blocks"] + told["Shared Read Blocks"] < 1000, "it read the whole backlog"
        cursor.execute(TAKE, [["test.hear"], 3])
        cursor.execute("SELECT min(due_at) FROM foundation_delivery")
        ((oldest,),) = cursor.fetchall()
        cursor.execute(TAKE, [["test.hear"], 1])
        (row,) = cursor.fetchall()
        cursor.execute("SELECT due_at FROM foundation_delivery WHERE id = %s", [row[0]])
        assert cursor.fetchall() == [(oldest,)], "the oldest first"
