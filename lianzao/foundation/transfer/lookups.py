"""Records by what a file calls them, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from lianzao.foundation import scope
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import ExternalId
from lianzao.foundation.registry import kind_of
from lianzao.foundation.transfer.columns import Column

BATCH = 2_000


def references(by: Actor, column: Column, wanted: set[str], lookup: str, system: str) -> dict[str, Any]:
    """Records by what a file calls them: code, number, id, or another system's key. Only those the actor may see."""
    assert column.model is not None
    model, name = column.model, "id" if column.by == "id" else column.by
    if not wanted:
        return {}
    try:
        rows = scope.visible(by, model)
    except LookupError:
        rows = model._default_manager.all()
    found: dict[str, Any] = {}
    for batch in batches(sorted(wanted)):
        if lookup == "external":
            keys = ExternalId.objects.filter(entity_kind=kind_of(model), system=system, key__in=batch)
            ids = dict(keys.values_list("key", "entity_id"))
            records = rows.in_bulk(list(ids.values()))
            found |= {key: records[id] for key, id in ids.items() if id in records}
        elif name == "id":
            ids = {text: id for text in batch if (id := _uuid(text)) is not None}
            records = rows.in_bulk(list(ids.values()))
            found |= {text: records[id] for text, id in ids.items() if id in records}
        else:
            for record in rows.filter(**{f"{name}__in": batch}):
                found[str(getattr(record, name))] = record
    return found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def batches(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Slices of at most BATCH rows."""
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
