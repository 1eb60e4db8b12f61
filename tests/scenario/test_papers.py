"""Papers of real records: right words, right numbers, hostile names as text, each only to whom may see the record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lianzao.flows.order_to_delivery import ship_order
from lianzao.foundation import commands as foundation
from lianzao.foundation import printing
from lianzao.logistics import commands as logistics
from lianzao.overviews import papers
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import PurchaseOrder
from lianzao.production.models import WorkOrder
from lianzao.values.errors import Conflict, Invalid, NotAllowed, NotFound
from tests.world import House, day, house

__all__ = ["house"]

HOSTILE = "<script>alert(1)</script>&\"'{{ number }}"


def test_a_traveller_has_its_operations_codes_and_materials(house: House) -> None:
    house.order("ACME", "100", day(20))
    house.accept_all()
    item = house.item("PUMP")
    house.make("catalog.change_item", item=item.id, name=HOSTILE, name_en="Pump <b>4</b>")
    order = WorkOrder.objects.filter(item=item).first()
    assert order is not None
    planner = house.by("planner")
    zh = printing.printed(replace(planner, language="zh-CN"), "work_order_traveller", order.id)
    assert f"生产流转卡 {order.number}" in zh and "&lt;script&gt;alert(1)&lt;/script&gt;" in zh and "<script" not in zh
    assert "{{ number }}" in zh  # what a name holds is never read as a name
    operations = list(order.operations.order_by("sequence"))  # type: ignore[attr-defined]
    assert zh.count('class="qr"') == 1 + len(operations)
    facts = printing.facts_of(planner, "work_order_traveller", order.id)
    assert [each["code"] for each in facts["operations"]] == [f"{order.number}/{each.sequence}" for each in operations]
    assert {each["item"]["code"]: each["required"] for each in facts["materials"]} == {
        each.item.code: each.required_quantity
        for each in order.materials.select_related("item")  # type: ignore[attr-defined]
    }
    en = printing.printed(replace(planner, language="en"), "work_order_traveller", order.id)
    assert f"Order traveller {order.number}" in en and "Pump &lt;b&gt;4&lt;/b&gt;" in en and "流转卡" not in en
    with pytest.raises(NotFound):
        printing.printed(replace(planner, sites=frozenset(), memory={}), "work_order_traveller", order.id)
    with pytest.raises(NotAllowed):
        blind = replace(planner, rights=frozenset({"sales.*"}), memory={})
        printing.printed(blind, "work_order_traveller", order.id)


def test_a_delivery_note_says_what_lies_in_the_packages_and_is_the_customers_own(house: House) -> None:
    lot = house.opening("PUMP", "5", lot="PUMP-L1")
    assert lot is not None
    clerk = house.by("logistics")
    house.make("logistics.create_sscc_range", site_id=house.site_id, company_prefix="6901234", extension=3)
    shipment = ship_order(clerk, order=house.order("ACME", "5", day(3)))
    logistics.pick_shipment(clerk, shipment=shipment)
    shipment.refresh_from_db()
    logistics.pack_shipment(clerk, shipment=shipment)
    note = printing.printed(replace(clerk, language="en"), "delivery_note", shipment.id)
    sscc = shipment.packages.get().sscc
    assert "Delivery note" in note and "PUMP-L1 × 5" in note and str(sscc) in note and "Acme Power" in note
    labels = printing.printed(replace(clerk, language="en"), "package_label", shipment.id)
    assert f"(00){sscc}" in labels and labels.count('class="bars"') == 1

    def customer(party: str) -> object:
        return replace(
            clerk,
            kind="partner",
            partner=house.party(party).id,
            rights=frozenset({"logistics.view_shipment"}),
            memory={},
        )

    assert "Acme" in printing.printed(replace(customer("ACME"), language="en"), "delivery_note", shipment.id)  # type: ignore[type-var,arg-type]
    with pytest.raises(NotFound):
        printing.printed(customer("ZETA"), "delivery_note", shipment.id)  # type: ignore[arg-type]
    with pytest.raises(NotAllowed):  # how we label our packages is not the customer's to print
        printing.printed(customer("ACME"), "package_label", shipment.id)  # type: ignore[arg-type]


def test_a_suppliers_labels_carry_lot_and_quantity(house: House) -> None:
    house.order("ACME", "100", day(20))
    house.accept_all()
    house.buy_all()
    line = house.schedule("STEEL")
    order = PurchaseOrder.objects.get(pk=line.line.order_id)
    asn = procurement.announce_shipment(
        house.by("buyer"),
        purchase_order=order,
        eta_at=house.system.now + timedelta(days=2),
        lines=[procurement.AnnouncedLine(schedule_line=line, lot_number="M-1")],
    )
    mill = replace(
        house.by("buyer"),
        kind="partner",
        partner=order.supplier_id,
        rights=frozenset({"procurement.view_*"}),
        memory={},
    )
    facts = printing.facts_of(mill, "notice_label", asn.id)
    assert facts["lines"][0]["gs1_shown"] == f"(10)M-1(37){line.quantity:.0f}"
    assert f"(10)M-1(37){line.quantity:.0f}" in printing.printed(mill, "notice_label", asn.id)
    other = replace(mill, partner=house.party("BOLT").id, memory={})
    with pytest.raises(NotFound):
        printing.printed(other, "notice_label", asn.id)
    assert [each["paper"] for each in papers.printable(mill, "procurement.asn")] == ["notice_label"]


def test_lot_and_place_have_labels(house: House) -> None:
    lot = house.opening("STEEL", "120", lot="S-77")
    assert lot is not None
    made = printing.printed(replace(house.by("warehouse"), language="en"), "lot_label", lot.id)
    assert "S-77" in made and "120 " in made and 'class="bars"' in made
    place = house.location("STORE")
    assert "STORE" in printing.printed(house.by("warehouse"), "location_label", place.id)


def test_a_layout_is_changed_tried_and_set_back(house: House) -> None:
    place = house.location("STORE")
    admin, clerk = house.system, house.by("warehouse")
    foundation.write_print_layout(admin, paper="location_label", text="<p>Place {{ code }}</p>")
    assert printing.printed(clerk, "location_label", place.id) == "<p>Place STORE</p>"
    for text, code in (
        ("<script>x()</script>", "layout_forbidden"),
        ("<p>{{# code }}</p>", "layout_wrong"),
        ("  ", "field_missing"),
    ):
        with pytest.raises(Invalid, match=code):
            foundation.write_print_layout(admin, paper="location_label", text=text)
    with pytest.raises(NotFound):
        foundation.write_print_layout(admin, paper="../secret", text="<p>a</p>")
    assert printing.printed(clerk, "location_label", place.id) == "<p>Place STORE</p>"
    assert printing.printed(clerk, "location_label", place.id, "<i>{{ code }}</i>") == "<i>STORE</i>"
    layout = foundation.reset_print_layout(admin, paper="location_label")
    assert layout.version == 2 and printing.layout("location_label")[0] == printing.shipped("location_label")
    with pytest.raises(Conflict, match="layout_is_shipped"):
        foundation.reset_print_layout(admin, paper="location_label")
