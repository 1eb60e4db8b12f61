"""What is ordered of items beyond making and changing them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from lianzao.catalog.events import StandardCostSet
from lianzao.catalog.models import Item, ItemSite
from lianzao.foundation import entity
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.outbox import publish
from lianzao.foundation.scope import check_site
from lianzao.values.errors import Invalid


@dataclass(frozen=True)
class ItemCost:
    """A standard cost per base unit of an item."""

    item: Item
    cost: Decimal


@command
def set_standard_costs(by: Actor, *, site_id: UUID, costs: list[ItemCost]) -> dict[str, int]:
    """Set the standard costs of items at a site; stock is valued by them from now on.

    Items without planning parameters there get them, with the cost. Costs that stay as they are change nothing.
    """
    check_site(by, site_id)
    for row, line in enumerate(costs, start=1):
        if line.cost < 0:
            raise Invalid("must_not_be_negative", field="cost", row=row, value=line.cost)
    kept = {
        each.item_id: each for each in ItemSite.objects.filter(site_id=site_id, item__in=[one.item for one in costs])
    }
    made: list[ItemSite] = []
    changed = 0
    for line in costs:
        row_at_site = kept.get(line.item.id)
        if row_at_site is None:
            row_at_site = kept[line.item.id] = ItemSite(item=line.item, site_id=site_id, standard_cost=line.cost)
            made.append(row_at_site)
            old = Decimal(0)
        elif row_at_site.standard_cost != line.cost:
            old, row_at_site.standard_cost = row_at_site.standard_cost, line.cost
            if row_at_site not in made:
                row_at_site.save()
        else:
            continue
        changed += 1
        publish(StandardCostSet(site_id=site_id, item_id=line.item.id, old_cost=old, new_cost=line.cost))
    entity.insert(made)
    return {"changed": changed, "unchanged": len(costs) - changed}
