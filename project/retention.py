"""How long the past is kept: old months of events are dropped, once a backup that holds them was verified.

The application may only add to events, and no function lets it drop any: so this is not the worker's housekeeping but
done by the process that makes backups, which alone connects as the owner.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from project import postgres
from project.config import Config

MONTH = re.compile(r"foundation_event_(\d{4})_(\d{2})")
PARTS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'public.foundation_event'::regclass ORDER BY 1
"""
#: A delivery that still waits or was parked must find its event.
NEEDED = """
SELECT EXISTS (SELECT 1 FROM foundation_delivery d JOIN foundation_event e ON e.id = d.event_id
WHERE d.status IN ('pending', 'parked') AND e.tableoid = to_regclass(%s))
"""


def forget_events(config: Config, now: datetime | None = None) -> list[str]:
    """Drop the months of events that are older than the setting says; gives their tables. Raises psycopg.Error."""
    if not config.keep_events_months:
        return []
    now = now or datetime.now(UTC)
    dropped = []
    with psycopg.connect(postgres.owner_url(config), autocommit=True, connect_timeout=10) as connection:
        connection.execute("SET lock_timeout = '5s'")
        for (name,) in connection.execute(PARTS).fetchall():
            month = MONTH.fullmatch(name)
            if month is None or _age(int(month[1]), int(month[2]), now) <= config.keep_events_months:
                continue
            if not _needed(connection, name):
                connection.execute(sql.SQL("DROP TABLE public.{}").format(sql.Identifier(name)))
                dropped.append(name)
    return dropped


def _age(year: int, month: int, now: datetime) -> int:
    """How many months lie between; a month itself is over only in the next."""
    return (now.year - year) * 12 + now.month - month


def _needed(connection: psycopg.Connection[Any], name: str) -> bool:
    row = connection.execute(NEEDED, [f"public.{name}"]).fetchone()
    return row is None or bool(row[0])
