"""What nobody means but somebody types: one absurd line must not stop everybody else's work."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lianzao.foundation import outbox
from lianzao.inventory import commands as inventory
from lianzao.planning.models import PlanRun
from lianzao.procurement import commands as procurement
from lianzao.production import commands as production
from lianzao.sales import commands as sales
from lianzao.values.errors import Invalid
from tests.world import House, day, house

__all__ = ["house"]
ABSURD = Decimal(99_999_999_999_999)


def test_an_absurd_quantity_is_refused_where_it_is_typed_and_the_site_goes_on_planning(house: House) -> None:
    """The planner reckons in whole millionths: a line it cannot count used to park every plan of the site."""
    by, item, screw = house.system, house.item("BODY"), house.item("SCREW")
    line = sales.OrderLine(item=house.item("PUMP"), quantity=ABSURD)
    for order in (
        lambda: production.create_work_order(by, item=item, quantity=ABSURD, due_at=by.now, site=house.site),
        lambda: procurement.raise_requisition(by, item=screw, quantity=ABSURD, needed_on=day(20)),
        lambda: sales.enter_order(by, customer=house.party("ACME"), requested_on=day(20), lines=[line]),
        lambda: inventory.count_stock(by, location=house.location("LINE"), item=screw, counted=ABSURD, reason="x"),
    ):
        with pytest.raises(Invalid, match="too_large") as refused:
            order()
        assert refused.value.field in ("quantity", "typed_quantity", "counted")
    house.order("ACME", "10", day(20))
    assert PlanRun.objects.exists()
    assert not outbox.Delivery.objects.filter(status="parked").exists()
    assert not outbox.Delivery.objects.filter(status="pending").exists()
