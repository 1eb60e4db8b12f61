"""A reference to any document by kind and id, where a foreign key would break the floors."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Ref:
    """`kind` is "<room>.<entity>", e.g. "sales.sales_order"."""

    kind: str
    id: UUID

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"
