"""The same rows as a life of a work order (tests/bench/life.py) leaves, written by plain SQL: the bench's reference.

`python -m tests.bench.plain_life SECONDS WORKER` lives one life through the commands, looks what rows each of its four
commits left, and then writes such rows over and over, with new ids: one INSERT for each table and commit, one UPDATE
for each table that was changed. No rules, no rights, no reading: the least a system must do that keeps these facts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

import django

django.setup()

import psycopg  # noqa: E402
from psycopg.types.string import TextLoader  # noqa: E402

from lianzao.production import commands as production  # noqa: E402
from lianzao.production.models import WorkOrderOperation  # noqa: E402
from lianzao.values.time import uuid7  # noqa: E402
from tests.bench.life import D, Shop, live, wait_for_all  # noqa: E402

TABLES = (
    "production_work_order", "production_work_order_operation", "production_work_order_material",
    "production_operation_report", "inventory_lot", "inventory_move", "inventory_balance", "foundation_event",
    "foundation_delivery", "foundation_order",
)  # fmt: skip
PICTURE = 4711


@dataclass(frozen=True)
class Write:
    """One statement of a commit, and the values of one life; ids made in that life stand in `made`."""

    sql: str
    values: list[Any]


class Picture:
    """All rows of the tables that this life can have touched, by table and id."""

    def __init__(self, connection: psycopg.Connection[Any], since: datetime) -> None:
        self.rows: dict[str, dict[UUID, tuple[Any, ...]]] = {}
        for table in TABLES:
            # Ids are UUIDv7: those of this life are greater than its beginning. Balances are few.
            first = UUID(int=(int(since.timestamp() * 1000) << 80))
            where = "" if table == "inventory_balance" else f"WHERE id >= '{first}'"
            found = connection.execute(f"SELECT id, {table}.* FROM {table} {where}").fetchall()  # type: ignore[arg-type]
            self.rows[table] = {row[0]: row[1:] for row in found}


def statements(
    before: Picture, after: Picture, columns: dict[str, list[tuple[str, str]]], made: dict[UUID, UUID]
) -> list[Write]:
    """What turned one picture into the next, as one INSERT and one UPDATE a table."""
    found: list[Write] = []
    for table in TABLES:
        known = columns[table]
        new = [row for id, row in after.rows[table].items() if id not in before.rows[table]]
        made.update({row[0]: row[0] for row in new})
        if new:
            one = "(" + ", ".join(f"%s::{kind}" for _, kind in known) + ")"
            names = ", ".join(name for name, _ in known)
            sql = f"INSERT INTO {table} ({names}) VALUES {', '.join([one] * len(new))}"
            found.append(Write(sql, [value for row in new for value in row]))
        changed = [
            (id, row) for id, row in after.rows[table].items()
            if id in before.rows[table] and before.rows[table][id] != row
        ]  # fmt: skip
        if not changed:
            continue
        places = [
            place for place in range(1, len(known))
            if any(before.rows[table][id][place] != row[place] for id, row in changed)
        ]  # fmt: skip
        if table == "inventory_balance":  # the same pile for every life: what changes is how much lies there
            place = [name for name, _ in known].index("quantity")
            rows = [(id, row[place] - before.rows[table][id][place]) for id, row in changed]
            sql = (
                f"UPDATE {table} t SET quantity = t.quantity + u.q FROM (VALUES "
                f"{', '.join(['(%s::uuid, %s::numeric)'] * len(rows))}) u(id, q) WHERE t.id = u.id"
            )
            found.append(Write(sql, [value for row in rows for value in row]))
            continue
        one = "(%s::uuid, " + ", ".join(f"%s::{known[place][1]}" for place in places) + ")"
        sets = ", ".join(f"{known[place][0]} = u.c{place}" for place in places)
        names = ", ".join(f"c{place}" for place in places)
        values = ", ".join([one] * len(changed))
        sql = f"UPDATE {table} t SET {sets} FROM (VALUES {values}) u(id, {names}) WHERE t.id = u.id"
        found.append(Write(sql, [value for id, row in changed for value in (id, *(row[place] for place in places))]))
    return found


def main() -> None:
    """Write such lives for the seconds asked; print how many."""
    seconds, worker = float(sys.argv[1]), int(sys.argv[2])
    shop = Shop.find()
    product = shop.products[worker % len(shop.products)]
    with psycopg.connect(os.environ["LIANZAO_DATABASE_URL"], autocommit=True) as connection:
        connection.adapters.register_loader("jsonb", TextLoader)
        connection.prepare_threshold = 1
        columns = {
            table: connection.execute(
                "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum", [table],
            ).fetchall()
            for table in TABLES
        }  # fmt: skip
        # What another worker's life leaves at the same time must not come into the picture.
        connection.execute("SELECT pg_advisory_lock(%s)", [PICTURE])
        live(shop, product)
        commits, made = _captured(connection, shop, product, columns)
        connection.execute("SELECT pg_advisory_unlock(%s)", [PICTURE])
        wait_for_all()
        count = 0
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            fresh = {id: uuid7() for id in made}
            number = f"P{worker}-{count}-{os.getpid()}"
            for commit in commits:
                with connection.transaction():
                    for write in commit:
                        connection.execute(write.sql, [_anew(value, fresh, number) for value in write.values])  # type: ignore[arg-type]
            count += 1
        print(json.dumps({"lives": count, "seconds": time.monotonic() - began}))


def _captured(
    connection: psycopg.Connection[Any], shop: Shop, product: Any, columns: dict[str, list[tuple[str, str]]]
) -> tuple[list[list[Write]], dict[UUID, UUID]]:
    since = datetime.now(UTC) - timedelta(milliseconds=1)
    order: Any = None

    def create() -> None:
        nonlocal order
        order = production.create_work_order(
            shop.by, item=product, quantity=D(10), due_at=datetime.now(UTC) + timedelta(days=3)
        )

    steps: list[Callable[[], object]] = [
        create,
        lambda: production.release_work_order(shop.by, work_order=order),
        lambda: production.issue_material(shop.by, work_order=order),
        lambda: production.report_operation(
            shop.by, operation=WorkOrderOperation.objects.get(work_order_id=order.id), good=D(10)
        ),
    ]
    commits: list[list[Write]] = []
    made: dict[UUID, UUID] = {}
    for step in steps:
        before = Picture(connection, since)
        step()
        commits.append(statements(before, Picture(connection, since), columns, made))
    # What workers did meanwhile to deliveries is not of this life.
    return [[each for each in commit if "UPDATE foundation_delivery" not in each.sql] for commit in commits], made


def _anew(value: Any, fresh: dict[UUID, UUID], number: str) -> Any:
    if isinstance(value, UUID):
        return fresh.get(value, value)
    if isinstance(value, list):
        return [_anew(each, fresh, number) for each in value]
    if isinstance(value, str) and value.startswith("WO-"):
        return number
    return value


if __name__ == "__main__":
    main()
