"""How a trace walks: it ends at a circle, goes through shared lots once, and says when it was cut off."""

from __future__ import annotations

import itertools
from decimal import Decimal
from uuid import UUID

import pytest

from lianzao.inventory import commands as inventory
from lianzao.inventory import genealogy
from lianzao.inventory.models import Lot
from lianzao.inventory.queries import trace_back, trace_forward
from lianzao.plant.models import Location
from lianzao.plant.queries import virtual_location
from lianzao.values.reference import Ref
from lianzao.values.time import uuid7
from tests.bench.life import Shop

pytestmark = pytest.mark.django_db


class Line:
    """A line where lots are made of lots, one piece of each."""

    def __init__(self) -> None:
        self.shop = Shop.build(backflush=(False,))
        self.item = self.shop.products[0]
        line = Location.objects.get(code="LINE")
        self.line, self.site = line.id, line.site_id
        self.production = virtual_location(self.site, "production")

    def bought(self, number: str) -> Lot:
        """A lot from a supplier, plenty of it."""
        lot = inventory.make_lot(self.shop.by, item=self.item, number=number, site_id=self.site)
        supplier = virtual_location(self.site, "supplier")
        self.move(lot.id, supplier, self.line, Ref("procurement.goods_receipt", uuid7()), 100)
        return lot

    def move(self, lot: UUID, source: UUID, target: UUID, cause: Ref, quantity: int = 1) -> None:
        """One move."""
        moved = inventory.MoveLine(self.item.id, Decimal(quantity), source, target, lot)
        inventory.post_moves(self.shop.by, moves=[moved], cause=cause)

    def make(self, made: Lot, *parts: Lot) -> UUID:
        """One lot of others."""
        cause = Ref("production.work_order", uuid7())
        for part in parts:
            self.move(part.id, self.line, self.production, cause)
        self.move(made.id, self.production, self.line, cause)
        return cause.id


@pytest.fixture
def line(db: None) -> Line:
    return Line()


def edges(trace: genealogy.Trace) -> list[tuple[int, str | None, UUID | None]]:
    return [(each.depth, each.lot_number, each.cause_id) for each in trace.edges]


def test_a_circle_ends_the_trace(line: Line) -> None:
    first, second = line.bought("A"), line.bought("B")
    there, back = line.make(second, first), line.make(first, second)
    found = trace_back(second.id)
    assert edges(found) == [(0, "B", None), (1, "A", there), (2, "B", back)] and found.whole
    assert set(found.lot_ids) == {first.id, second.id}


def test_a_lot_reached_by_two_ways_is_walked_once_and_both_ways_are_told(line: Line) -> None:
    steel, left, right, whole = (line.bought(each) for each in ("STEEL", "LEFT", "RIGHT", "WHOLE"))
    one, two = line.make(left, steel), line.make(right, steel)
    last = line.make(whole, left, right)
    assert set(edges(trace_back(whole.id))) == {
        (0, "WHOLE", None), (1, "LEFT", last), (1, "RIGHT", last), (2, "STEEL", one), (2, "STEEL", two),
    }  # fmt: skip
    assert {end.lot_id for end in trace_back(whole.id).came_from} == {steel.id, left.id, right.id, whole.id}
    assert set(edges(trace_forward(steel.id))) == {
        (0, "STEEL", None), (1, "LEFT", one), (1, "RIGHT", two), (2, "WHOLE", last),
    }  # fmt: skip


def test_a_trace_that_is_cut_off_says_so(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = [line.bought(f"L{number}") for number in range(5)]
    for made, part in itertools.pairwise(chain):
        line.make(made, part)
    assert trace_back(chain[0].id).whole and len(trace_back(chain[0].id).edges) == 5
    near = trace_back(chain[0].id, depth=2)
    assert not near.whole and [each.lot_number for each in near.edges] == ["L0", "L1", "L2"]
    assert {end.lot_id for end in near.came_from} == {each.id for each in chain[:3]}
    assert trace_back(chain[0].id, depth=4).whole
    monkeypatch.setattr(genealogy, "MAX_EDGES", 3)
    short = trace_back(chain[0].id)
    assert not short.whole and len(short.edges) == 4


def test_what_was_returned_leaves_no_edge(line: Line) -> None:
    part, other, made = line.bought("PART"), line.bought("OTHER"), line.bought("MADE")
    cause = line.make(made, part, other)
    line.move(part.id, line.production, line.line, Ref("production.work_order", cause))
    assert edges(trace_back(made.id)) == [(0, "MADE", None), (1, "OTHER", cause)]
    assert edges(trace_forward(part.id)) == [(0, "PART", None)]
