"""What catalog tells."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class StandardCostSet(Event):
    """An item has a new standard cost at a site; stock is valued by it from now on."""

    site_id: UUID
    item_id: UUID
    old_cost: Decimal
    new_cost: Decimal
