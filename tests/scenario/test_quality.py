"""Stories of inspection: what is measured suggests the decision, and the decision acts on the lot at once."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from lianzao.foundation import clock, link
from lianzao.foundation.command import run
from lianzao.inventory import commands as inventory
from lianzao.inventory.models import Lot
from lianzao.inventory.queries import on_hand
from lianzao.procurement import commands as procurement
from lianzao.procurement.commands import ReceivedLine
from lianzao.quality import commands as quality
from lianzao.quality import queries
from lianzao.quality.commands import MeasuredValue
from lianzao.quality.models import Characteristic, Disposition, Inspection, InspectionPlan, Point
from lianzao.values.errors import Conflict, Invalid, RuleBroken
from lianzao.values.reference import Ref
from lianzao.values.time import uuid7
from tests.scenario.commerce import NOW, Trade, day

pytestmark = pytest.mark.django_db
D = Decimal


class Lab(Trade):
    """The plant, with a plan for steel on receipt: a diameter within limits (two samples), and a look."""

    def __init__(self) -> None:
        super().__init__()
        self.plan: InspectionPlan = self.make(
            "quality.inspection_plan",
            code="STEEL-IN",
            name="来料检验",
            item=self.steel,
            point="receipt",
            sample_pieces=5,
            duration_minutes=120,
        )
        self.diameter: Characteristic = self.make(
            "quality.characteristic",
            plan=self.plan,
            sequence=10,
            name="直径",
            unit="mm",
            lower="9.9",
            upper="10.1",
            samples=2,
        )
        self.look: Characteristic = self.make("quality.characteristic", plan=self.plan, sequence=20, name="外观")

    def arrive(self, quantity: str = "100") -> tuple[Lot, Ref]:
        order = self.buy(quantity, day(10))
        line = self.schedule(order)[0]
        receipt = procurement.receive_goods(
            self.by, purchase_order=order, lines=[ReceivedLine(D(quantity), schedule_line=line)]
        )
        return receipt.lines.get().lot, receipt.ref

    def inspect(self, lot: Lot, source: Ref | None = None) -> Inspection:
        return quality.open_inspection(
            self.by,
            item=self.steel,
            quantity=D(100),
            point=Point.RECEIPT,
            lot=lot,
            supplier=self.mill,
            source=source,
        )

    def measure(self, inspection: Inspection, *values: str, good: bool | None = True) -> Inspection:
        readings = [MeasuredValue(self.diameter, D(value), sample=place) for place, value in enumerate(values, 1)]
        if good is not None:
            readings.append(MeasuredValue(self.look, passed=good))
        return quality.record_measurements(self.by, inspection=inspection, measurements=readings)


@pytest.fixture
def lab(db: None) -> Iterator[Lab]:
    try:
        yield Lab()
    finally:
        clock.freeze(None)


def state(lot: Lot) -> tuple[str, str]:
    lot.refresh_from_db()
    return lot.status, lot.hold_reason


def test_goods_on_hold_are_inspected_and_released(lab: Lab) -> None:
    lot, receipt = lab.arrive()
    assert state(lot)[0] == "held"
    inspection = lab.inspect(lot, receipt)
    assert lab.inspect(lot, receipt).id == inspection.id  # the same receipt asks once
    assert (inspection.plan_id, inspection.sample_quantity, inspection.suggestion) == (lab.plan.id, 5, "incomplete")
    assert inspection.due_at == NOW.replace(hour=4)
    waiting = queries.inspecting_columns(lab.site_id)
    assert (waiting["lot_id"], waiting["quantity"], waiting["expected_at"]) == ([lot.id], [100], [inspection.due_at])
    assert [each.ref for each in link.up(inspection)] == [receipt]

    with pytest.raises(RuleBroken, match="measurements_missing"):
        quality.accept_inspection(lab.by, inspection=inspection)
    assert lab.measure(inspection, "10.0", good=None).suggestion == "incomplete"
    assert lab.measure(inspection, "10.0", "10.1").suggestion == "accept"
    quality.accept_inspection(lab.by, inspection=inspection)
    assert state(lot) == ("usable", "")
    assert on_hand(lab.site_id, [lab.steel.id])[lab.steel.id].usable == 100
    assert lab.news("InspectionAccepted")[0]["released"] is True
    assert queries.inspecting_columns(lab.site_id)["lot_id"] == []
    assert [value for _, value, _ in queries.measurement_series(lab.diameter.id)] == [D("10.0"), D("10.1")]


def test_a_failed_reading_suggests_hold_and_a_concession_needs_its_reason(lab: Lab) -> None:
    lot, receipt = lab.arrive()
    inspection = lab.measure(lab.inspect(lot, receipt), "10.0", "10.2")
    assert inspection.suggestion == "hold"
    assert lab.news("MeasurementsRecorded")[0]["failed"] == ["直径"]
    quality.hold_inspection(lab.by, inspection=inspection, reason="too thick")
    assert state(lot)[0] == "held"
    with pytest.raises(RuleBroken, match="accept_needs_concession"):
        quality.accept_inspection(lab.by, inspection=inspection)
    quality.accept_inspection(lab.by, inspection=inspection, concession="customer agreed by mail")
    inspection.refresh_from_db()
    assert (inspection.status, inspection.concession, inspection.reason) == (
        "accepted",
        True,
        "customer agreed by mail",
    )
    assert state(lot) == ("usable", "")


def test_a_sample_measured_again_replaces_the_first(lab: Lab) -> None:
    lot, receipt = lab.arrive()
    inspection = lab.measure(lab.inspect(lot, receipt), "10.5", "10.0")
    assert inspection.suggestion == "hold"
    again = quality.record_measurements(
        lab.by, inspection=inspection, measurements=[MeasuredValue(lab.diameter, D("10.05"), sample=1)]
    )
    assert again.suggestion == "accept"
    assert inspection.measurements.count() == 3


def test_goods_accepted_that_turn_out_wrong_are_held(lab: Lab) -> None:
    lot, receipt = lab.arrive()
    inspection = lab.measure(lab.inspect(lot, receipt), "10.0", "10.0")
    quality.accept_inspection(lab.by, inspection=inspection)
    quality.hold_inspection(lab.by, inspection=inspection, reason="rust seen in the store")
    assert state(lot) == ("held", "rust seen in the store")
    assert on_hand(lab.site_id, [lab.steel.id])[lab.steel.id].usable == 0
    quality.reject_inspection(lab.by, inspection=inspection, reason="rusty", disposition=Disposition.SCRAP)
    assert state(lot)[0] == "held"
    assert lab.news("InspectionRejected")[0]["disposition"] == "scrap"
    with pytest.raises(Conflict, match="wrong_status"):
        quality.accept_inspection(lab.by, inspection=inspection, concession="after all")


def test_accepting_lifts_only_its_own_hold(lab: Lab) -> None:
    lot, receipt = lab.arrive()
    inspection = lab.measure(lab.inspect(lot, receipt), "10.0", "10.0")
    inventory.release_lot(lab.by, lot=lot)
    inventory.hold_lot(lab.by, lot=lot, reason="customer complaint 17")
    quality.accept_inspection(lab.by, inspection=inspection)
    assert state(lot) == ("held", "customer complaint 17")
    assert lab.news("InspectionAccepted")[0]["released"] is False


def test_a_lot_is_free_only_after_its_last_inspection(lab: Lab) -> None:
    lot, receipt = lab.arrive()
    first = lab.measure(lab.inspect(lot, receipt), "10.0", "10.0")
    second = lab.measure(lab.inspect(lot, Ref("tests.complaint", uuid7())), "10.0", "10.0")
    quality.accept_inspection(lab.by, inspection=first)
    assert state(lot)[0] == "held"
    quality.accept_inspection(lab.by, inspection=second)
    assert state(lot)[0] == "usable"


def test_inspection_at_an_operation_holds_the_lot_if_asked(lab: Lab) -> None:
    lot = lab.stock(lab.pump, "10", lab.store, "P-1")
    assert lot is not None
    work_order = Ref("production.work_order", uuid7())
    inspection = quality.open_inspection(
        lab.by, item=lab.pump, quantity=D(10), point=Point.OPERATION, lot=lot, source=work_order, hold=True
    )
    assert state(lot)[0] == "held"
    assert inspection.plan_id is None
    assert inspection.suggestion == "accept"  # nothing to measure: the inspector decides by eye
    quality.accept_inspection(lab.by, inspection=inspection)
    assert state(lot) == ("usable", "")


def test_quarantined_goods_without_lots_leave_when_accepted(lab: Lab) -> None:
    cage = lab.location("CAGE", "quarantine")
    glass = lab.item("GLASS", cost="1", inspect=True)
    procurement.receive_goods(lab.by, purchase_order=lab.buy("10", day(10), item=glass))
    inspection = quality.open_inspection(
        lab.by, item=glass, quantity=D(10), point=Point.RECEIPT, location=cage, source=Ref("tests.receipt", uuid7())
    )
    assert queries.inspecting_columns(lab.site_id)["quantity"] == [10]
    quality.accept_inspection(lab.by, inspection=inspection, location=lab.store)
    assert (lab.at(glass, cage), lab.at(glass, lab.store)) == (0, 10)
    lab.prove()


def test_the_nearest_plan_is_taken(lab: Lab) -> None:
    group = lab.make("catalog.item_group", code="METAL", name="金属")
    run(lab.by, "catalog.change_item", {"item": str(lab.pump.id), "group": str(group.id)})
    general = lab.make("quality.inspection_plan", code="G", name="组", group=group, point="operation")
    lab.pump.refresh_from_db()
    assert queries.plan_for(lab.pump, "operation", 20).id == general.id  # type: ignore[union-attr]
    own = lab.make("quality.inspection_plan", code="P", name="泵", item=lab.pump, point="operation")
    at_20 = lab.make(
        "quality.inspection_plan", code="P20", name="泵20", item=lab.pump, point="operation", operation_sequence=20
    )
    assert queries.plan_for(lab.pump, "operation", 20).id == at_20.id  # type: ignore[union-attr]
    assert queries.plan_for(lab.pump, "operation", 10).id == own.id  # type: ignore[union-attr]
    assert queries.plan_for(lab.pump, "shipping") is None
    with pytest.raises(Invalid, match="plan_of_item_or_group"):
        lab.make("quality.inspection_plan", code="X", name="X", point="receipt")


def test_a_cancelled_inspection_lets_nothing_out(lab: Lab) -> None:
    lot, receipt = lab.arrive()
    inspection = lab.inspect(lot, receipt)
    quality.cancel_inspection(lab.by, inspection=inspection, why="receipt was reversed")
    assert state(lot)[0] == "held"
    with pytest.raises(Conflict, match="wrong_status"):
        lab.measure(inspection, "10")
