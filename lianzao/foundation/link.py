"""Links between documents of different rooms, with quantity and cause: 上查/下查 walk them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection, models

from lianzao.foundation import audit
from lianzao.foundation.entity import Entity
from lianzao.values.reference import Ref
from lianzao.values.time import uuid7


class Link(models.Model):
    """`target` was made from, or serves, `source`. No foreign keys: siblings do not know each other."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    source_kind = models.CharField(max_length=80)
    source_id = models.UUIDField()
    target_kind = models.CharField(max_length=80)
    target_id = models.UUIDField()
    quantity = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    why = models.CharField(max_length=80, blank=True)
    order_id = models.UUIDField()
    made_at = models.DateTimeField()

    class Meta:
        app_label = "foundation"
        db_table = "foundation_link"
        constraints = [
            models.UniqueConstraint(fields=["source_id", "target_id", "why"], name="link_unique"),
        ]
        indexes = [models.Index(fields=["target_id"], name="link_by_target")]


@dataclass(frozen=True)
class Linked:
    """A neighbour in the chain: which document, how far away, with what quantity."""

    ref: Ref
    quantity: Decimal | None
    why: str
    depth: int
    from_ref: Ref


def _ref(of: Entity | Ref) -> Ref:
    return of if isinstance(of, Ref) else of.ref


def add(source: Entity | Ref, target: Entity | Ref, quantity: Decimal | None = None, why: str = "") -> None:
    """Link two documents. Linking the same two again for the same reason changes the quantity only."""
    order = audit.must_run()
    left, right = _ref(source), _ref(target)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO foundation_link"
            " (id, source_kind, source_id, target_kind, target_id, quantity, why, order_id, made_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (source_id, target_id, why) DO UPDATE SET quantity = excluded.quantity",
            [uuid7(), left.kind, left.id, right.kind, right.id, quantity, why, order.id, order.at],
        )


def add_many(pairs: list[tuple[Entity | Ref, Entity | Ref, Decimal | None, str]]) -> None:
    """Link many pairs with one statement."""
    if not pairs:
        return
    order = audit.must_run()
    rows: list[list[Any]] = []
    for source, target, quantity, why in pairs:
        left, right = _ref(source), _ref(target)
        rows.append([uuid7(), left.kind, left.id, right.kind, right.id, quantity, why])
    columns = [list(column) for column in zip(*rows, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO foundation_link"
            " (id, source_kind, source_id, target_kind, target_id, quantity, why, order_id, made_at)"
            " SELECT u.*, %s::uuid, %s::timestamptz"
            " FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::text[], %s::uuid[], %s::numeric[], %s::text[]) u"
            " ON CONFLICT (source_id, target_id, why) DO UPDATE SET quantity = excluded.quantity",
            [order.id, order.at, *columns],
        )


WALK = """
WITH RECURSIVE walk AS (
    SELECT l.{far}_kind AS kind, l.{far}_id AS id, l.quantity, l.why, 1 AS depth, l.{near}_kind AS from_kind,
           l.{near}_id AS from_id, ARRAY[l.{near}_id, l.{far}_id] AS path
    FROM foundation_link l WHERE l.{near}_id = %(id)s
    UNION ALL
    SELECT l.{far}_kind, l.{far}_id, l.quantity, l.why, walk.depth + 1, l.{near}_kind, l.{near}_id, path || l.{far}_id
    FROM walk JOIN foundation_link l ON l.{near}_id = walk.id
    WHERE walk.depth < %(depth)s AND l.{far}_id <> ALL(path)
)
SELECT DISTINCT ON (depth, kind, id, from_id, why) kind, id, quantity, why, depth, from_kind, from_id
FROM walk ORDER BY depth, kind, id, from_id, why
"""


def _walk(of: Entity | Ref, near: str, far: str, depth: int) -> list[Linked]:
    with connection.cursor() as cursor:
        cursor.execute(WALK.format(near=near, far=far), {"id": _ref(of).id, "depth": depth})
        return [
            Linked(Ref(kind, id), quantity, why, steps, Ref(from_kind, from_id))
            for kind, id, quantity, why, steps, from_kind, from_id in cursor.fetchall()
        ]


def up(of: Entity | Ref, depth: int = 1) -> list[Linked]:
    """What a document was made from (上查)."""
    return _walk(of, "target", "source", depth)


def down(of: Entity | Ref, depth: int = 1) -> list[Linked]:
    """What was made from a document (下查)."""
    return _walk(of, "source", "target", depth)


BESIDE = """
SELECT true, source_kind, source_id, quantity, why, target_kind, target_id
FROM foundation_link WHERE target_id = %(id)s
UNION ALL
SELECT false, target_kind, target_id, quantity, why, source_kind, source_id
FROM foundation_link WHERE source_id = %(id)s
ORDER BY 2, 3, 5
"""


def beside(of: Entity | Ref) -> tuple[list[Linked], list[Linked]]:
    """What stands one step up, and one step down, by one statement."""
    found: tuple[list[Linked], list[Linked]] = ([], [])
    with connection.cursor() as cursor:
        cursor.execute(BESIDE, {"id": _ref(of).id})
        for upward, kind, id, quantity, why, from_kind, from_id in cursor.fetchall():
            found[not upward].append(Linked(Ref(kind, id), quantity, why, 1, Ref(from_kind, from_id)))
    return found


def chain(of: Entity | Ref, depth: int = 20) -> tuple[list[Linked], list[Linked]]:
    """The whole chain both ways."""
    return up(of, depth), down(of, depth)
