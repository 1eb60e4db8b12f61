"""AdventureWorks comes in through mapping files: a small factory of its shape always, the real data where they are.

The real data are looked for in LIANZAO_SHARED/data/adventureworks, else in ../shared/data/adventureworks beside the
project; the summary of the run says which were tried.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

from lianzao.engine import solver, validator
from lianzao.foundation import audit, clock, registry
from lianzao.foundation.actor import Actor, system_actor
from lianzao.foundation.entity import Entity, external_id, query, set_external_ids
from lianzao.integration.connectors import adventureworks
from lianzao.integration.connectors.adventureworks import masters
from lianzao.integration.connectors.adventureworks.loading import import_folder, instant_of
from lianzao.integration.connectors.adventureworks.outlook import Outlook, plan_folder
from lianzao.integration.connectors.adventureworks.report import Report, reasons
from lianzao.integration.connectors.adventureworks.sieve import Sieve
from lianzao.integration.connectors.adventureworks.tables import Row
from lianzao.inventory.queries import on_hand, rebuild_balances
from lianzao.parties.models import Party
from lianzao.planning import commands as planning
from lianzao.planning import snapshot
from lianzao.procurement.models import PurchaseOrder, ScheduleLine, SupplierItem
from lianzao.production.models import OperationReport, WorkOrder
from lianzao.sales.models import SalesOrder, SalesOrderLine
from lianzao.values.errors import Conflict, Invalid
from lianzao.values.time import uuid7

D = Decimal
ROOT = Path(__file__).resolve().parents[2]
SMALL = ROOT / "tests" / "fixtures" / "adventureworks"
REAL = Path(os.environ.get("LIANZAO_SHARED") or ROOT.parent / "shared") / "data" / "adventureworks"
AS_OF = date(2014, 3, 31)
BY = system_actor("test of adventureworks")

#: What the small factory's import must name: file → row → reason.
ODD = {
    "UnitMeasure": {5: "unit_of_no_goods", 6: "row_twice"},
    "ProductVendor": {
        7: "vendor_inactive", 8: "agreement_without_price", 9: "minimum_above_maximum", 10: "unknown_product",
        11: "unknown_vendor", 12: "row_twice",
    },
    "BillOfMaterials": {
        2: "bom_without_assembly", 13: "component_discontinued", 14: "unknown_product", 15: "quantity_not_positive",
        16: "bom_circle", 17: "bom_rows_overlap", 18: "bom_of_bought_item", 19: "ends_before_it_starts",
        20: "assembly_discontinued", 21: "row_twice",
    },
    "ProductInventory": {
        10: "nothing_in_stock", 11: "quantity_negative", 12: "unknown_product", 13: "unknown_location", 14: "row_twice",
    },
    "SalesOrderLine": {
        8: "after_the_day", 9: "unknown_product", 10: "quantity_not_positive", 11: "price_not_positive",
        12: "customers_differ", 14: "row_twice",
    },
    "PurchaseOrderHeader": {
        4: "order_without_lines", 5: "after_the_day", 6: "unknown_vendor", 7: "order_without_lines",
        9: "ends_before_it_starts",
    },
    "PurchaseOrderDetail": {
        6: "rejected_order_was_received", 7: "after_the_day", 8: "order_refused", 9: "due_before_ordered",
        10: "received_more_than_ordered", 11: "rejected_more_than_received", 12: "price_not_positive",
        13: "quantity_not_positive", 14: "unknown_product", 15: "unknown_order", 17: "row_twice",
        18: "number_unreadable",
    },
    "WorkOrder": {
        7: "after_the_day", 8: "dates_missing", 9: "unknown_product", 10: "item_bought", 11: "quantity_not_positive",
        12: "made_more_than_ordered", 13: "scrap_without_reason", 14: "unknown_reason", 15: "ends_before_it_starts",
        16: "row_twice",
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def loaded() -> None:
    registry.load()


def bring(folder: Path = SMALL, **more: Any) -> Report:
    return import_folder(BY, folder, as_of=AS_OF, **more)


def left_out(report: Report) -> dict[str, dict[int | None, str]]:
    found: dict[str, dict[int | None, str]] = {}
    for finding in report.rejected:
        found.setdefault(finding.file, {})[finding.row] = finding.code
    return found


def everything() -> dict[str, Any]:
    """Every record of the house with its version, and how many rows the ledger and the external ids have."""
    found: dict[str, Any] = {}
    for model in apps.get_models():
        if issubclass(model, Entity):
            found[model._meta.label] = sorted(model._default_manager.values_list("pk", "version"))
    for table in ("inventory_move", "inventory_balance", "foundation_external_id"):
        found[table] = query(f"SELECT count(*) FROM {table}")[0][0]
    return found


@pytest.mark.django_db
def test_a_dry_run_names_every_odd_row_and_changes_nothing() -> None:
    before = everything()
    said: list[str] = []
    assert not adventureworks.load(BY, SMALL, as_of=AS_OF, dry_run=True, say=said.append)
    assert everything() == before
    assert audit.Order.objects.count() == 0
    report = bring(dry_run=True)
    assert left_out(report) == ODD
    for finding in report.rejected + report.remarks:
        for language in ("zh-CN", "en"):
            sentence = finding.said(language)
            assert "{" not in sentence and sentence != finding.code
    for finding in report.rejected:
        assert f"{finding.file}:{finding.row}: {finding.said('zh-CN')}" in said
    assert {finding.code for finding in report.remarks} == {
        "remark_other_unit", "remark_made_without_bom", "remark_no_routing_rule", "remark_sold_before_start",
    }  # fmt: skip


def test_every_reason_has_words_in_both_languages() -> None:
    source = "".join(path.read_text("utf-8") for path in Path(masters.__file__).parent.glob("*.py"))
    for code, (zh, en) in reasons().items():
        assert f'"{code}"' in source, code
        assert zh and en and zh != en


@pytest.mark.django_db
def test_what_began_before_the_day_and_ends_later_is_open_and_the_rest_is_history() -> None:
    report = bring()
    assert not report.failed
    orders = dict(SalesOrder.objects.values_list("number", "status"))
    assert orders == {
        "TS1": "closed", "TS2": "closed", "TS3": "confirmed", "TS4": "confirmed", "TS6": "confirmed", "TS7": "closed",
    }  # fmt: skip
    line = SalesOrderLine.objects.get(order__number="TS3")
    assert (line.requested_on, line.status, line.shipped_quantity) == (date(2014, 3, 31), "confirmed", 0)
    old = SalesOrderLine.objects.get(order__number="TS1", sequence=2)
    assert (old.status, old.delivered_quantity, old.delivered_on, old.amount) == ("closed", 3, None, 45)
    assert SalesOrder.objects.get(number="TS1").amount == 2 * 420 + 45
    purchases = dict(PurchaseOrder.objects.values_list("number", "status"))
    assert purchases == {"AW-PO-1": "closed", "AW-PO-2": "sent", "AW-PO-7": "sent"}
    coming = ScheduleLine.objects.get(line__order__number="AW-PO-2", line__sequence=1)
    assert (coming.status, coming.quantity, coming.received_quantity, coming.expected_on) == (
        "open", 40, 0, date(2014, 4, 7)
    )  # fmt: skip
    short = ScheduleLine.objects.get(line__order__number="AW-PO-1", line__sequence=2)
    assert (short.status, short.received_quantity) == ("closed", 18)
    work = dict(WorkOrder.objects.values_list("number", "status"))
    assert work == {
        "AW-WO-1": "closed", "AW-WO-2": "closed", "AW-WO-3": "released", "AW-WO-4": "released", "AW-WO-5": "released",
        "AW-WO-15": "closed",
    }  # fmt: skip
    scrapped = OperationReport.objects.select_related("scrap_reason").get(work_order__number="AW-WO-2")
    assert (scrapped.good, scrapped.scrap) == (9, 1)
    assert scrapped.scrap_reason is not None and scrapped.scrap_reason.code == "AW-2"
    assert {each.owner_system for each in WorkOrder.objects.all()} == {"adventureworks"}
    assert [external_id(WorkOrder.objects.get(number=f"AW-WO-{key}"), "adventureworks") for key in "15"] == ["1", "5"]
    assert external_id(SalesOrder.objects.get(number="TS1"), "adventureworks") == "TS1"
    assert external_id(short.line.order, "adventureworks") == "1" and external_id(short.line, "adventureworks") == "2"


@pytest.mark.django_db
def test_two_papers_cannot_have_one_external_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "must_run", lambda: None)
    set_external_ids(WorkOrder, "erp", [("1", uuid7()), ("2", uuid7())])
    for other in ([("3", uuid7()), ("2", uuid7())], [("4", uuid7()), ("4", uuid7())]):
        with pytest.raises(Conflict) as refusal:
            set_external_ids(WorkOrder, "erp", other)
        assert (refusal.value.code, refusal.value.facts["key"]) == ("external_id_taken", other[-1][0])


@pytest.mark.django_db
def test_an_open_work_order_is_frozen_as_if_it_were_made_today() -> None:
    bring()
    order = WorkOrder.objects.get(number="AW-WO-4")
    operations = list(order.operations.order_by("sequence").values_list("work_center__code", "run_minutes"))
    assert operations == [("AW-20", 14), ("AW-30", 6), ("AW-40", 12)]
    materials = dict(order.materials.values_list("item__code", "required_quantity"))
    assert materials == {"TT-1": 12, "PT-1": 16}
    bike = WorkOrder.objects.get(number="AW-WO-3")
    # The bill said two saddles until the end of May 2013.
    assert dict(bike.materials.values_list("item__code", "required_quantity")) == {"TF-R1": 4, "TW-1": 8, "SD-1": 4}
    assert bike.operations.get().run_minutes == 32, "four days of manufacture"
    assert bike.output_location is not None and bike.output_location.code == "AW-7"


@pytest.mark.django_db
def test_stock_vendors_and_items_say_what_the_tables_say() -> None:
    bring()
    assert rebuild_balances() == []
    bike = query(
        "SELECT i.id, s.site_id FROM catalog_item i JOIN catalog_item_site s ON s.item_id = i.id WHERE i.code = 'TB-R1'"
    )[0]
    assert on_hand(bike[1], [bike[0]])[bike[0]].available == 3
    rows = query(
        "SELECT i.code, u.code, i.weight_kg, s.lead_time_days, s.safety_stock FROM catalog_item i"
        " JOIN catalog_unit u ON u.id = i.base_unit_id JOIN catalog_item_site s ON s.item_id = i.id"
    )
    facts = {row[0]: row[1:] for row in rows}
    assert facts["TB-R1"] == ("EA", D("9.071847"), 4, 2)
    assert facts["TB-O1"][3] == 0, "what is not sold any more keeps no safety stock"
    assert facts["PT-1"] == ("OZ", None, 15, 0)
    assert Party.objects.get(code="CLOSED0001").blocked_at is not None
    offers = SupplierItem.objects.values_list("supplier__code", "item__code", "minimum", "price")
    assert ("WHEEL0001", "SP-1", D(100), D("0.05")) in set(offers)
    assert not [offer for offer in offers if offer[0] == "CLOSED0001"]


@pytest.mark.django_db
def test_a_second_import_changes_nothing() -> None:
    bring()
    before, orders = everything(), set(audit.Order.objects.values_list("pk", flat=True))
    again = bring()
    assert (again.created, again.changed) == (0, 0)
    assert {each.file: each.unchanged for each in again.files if each.kind == "sales.carried_over_line"} == {
        "SalesOrderLine": 8
    }
    assert everything() == before
    for order in audit.Order.objects.exclude(pk__in=orders):
        assert order.touched == [] and not [each for each in order.changes if "steps" not in each], order.command
    assert left_out(again) == ODD


@pytest.mark.django_db
def test_another_picture_of_stock_does_not_open_the_site_again(tmp_path: Path) -> None:
    bring()
    other = tmp_path / "aw"
    shutil.copytree(SMALL, other)
    text = (other / "ProductInventory.csv").read_text().replace("1,7,N/A,0,3,", "1,7,N/A,0,30,")
    (other / "ProductInventory.csv").write_text(text)
    before = everything()
    again = bring(other)
    assert everything() == before
    assert "opening_balance_stands" in {finding.code for finding in again.rejected}
    assert not again.failed


@pytest.mark.django_db
def test_a_row_the_house_refuses_is_told_by_its_row_and_the_rest_comes_in(tmp_path: Path) -> None:
    """Rules nobody wrote for AdventureWorks hold as well: here quantities in whole steps, in bulk and elsewhere."""
    other = tmp_path / "aw"
    shutil.copytree(SMALL, other)
    text = (other / "SalesOrderLine.csv").read_text().replace("SD-1,10,3,15", "SD-1,10,2.5,15")
    (other / "SalesOrderLine.csv").write_text(text)
    report = bring(other)
    assert left_out(report)["SalesOrderLine"][3] == "quantity_not_in_steps"
    assert not report.failed
    assert SalesOrderLine.objects.count() == 7


@pytest.mark.django_db
def test_a_packed_file_is_read_and_a_missing_one_is_named(tmp_path: Path) -> None:
    other = tmp_path / "aw"
    shutil.copytree(SMALL, other)
    (other / "Vendor.csv.gz").write_bytes(gzip.compress((other / "Vendor.csv").read_bytes()))
    (other / "Vendor.csv").unlink()
    assert not bring(other, dry_run=True).failed
    (other / "Vendor.csv.gz").unlink()
    with pytest.raises(Invalid) as refused:
        bring(other)
    assert refused.value.facts["file"] == "Vendor.csv"


@pytest.mark.django_db
def test_the_plan_holds_and_says_what_is_late_and_why() -> None:
    bring()
    outlook = plan_folder(BY, AS_OF)
    assert outlook.run.demands == outlook.open_lines == 4
    check_plan(outlook)
    late = {each.number: each for each in outlook.late}
    # A saddle is wanted in a week and takes ten days to buy. Nine bicycles in twelve days are in time: spokes at hand
    # are enough for the customer, and the shelf, which wants wheels too, waits for those that are bought.
    assert set(late) == {"TS6/5"} and late["TS6/5"].reasons
    lines = list(outlook.told("zh-CN"))
    assert any("TS6/5" in line for line in lines)


def check_plan(outlook: Outlook) -> None:
    """The plan breaks no rule of the validator; every late line has reasons, every shortage an item and a need."""
    now = instant_of(AS_OF)
    with clock.frozen(now):
        taken = snapshot.take(outlook.run.site_id, now)
    problem = snapshot.let_late_orders_start_sooner(taken.problem, solver.solve(taken.problem)) or taken.problem
    assert list(validator.faults(problem, planning.solve(taken))) == []
    assert len(taken.demands) == outlook.open_lines
    assert all(late.reasons for late in outlook.late)
    assert all(missing.quantity > 0 for missing in outlook.missing)
    assert all(0 <= load.percent <= 101 for load in outlook.loads)


def test_a_span_that_touches_another_does_not_overlap_it() -> None:
    def row(number: int, start: str, end: str) -> Row:
        cells = {
            "BillOfMaterialsID": str(number), "ProductAssemblyID": "1", "ComponentID": "2", "StartDate": start,
            "EndDate": end, "PerAssemblyQty": "1", "BOMLevel": "1",
        }  # fmt: skip
        return Row(number, cells)

    products = [
        Row(2, {"ProductID": each, "Name": each, "MakeFlag": "1", "DiscontinuedDate": ""}) for each in ("1", "2")
    ]
    sieve = Sieve("BillOfMaterials")
    rows = [row(2, "2013-01-01", "2013-05-31"), row(3, "2013-06-01", ""), row(4, "2013-05-31", "2013-06-30")]
    taken = masters.bills(sieve, rows, products, AS_OF)
    assert [(each.number, each["EffectiveUntil"]) for each in taken] == [(2, "2013-06-01"), (3, "")]
    assert [(finding.row, finding.code) for finding in sieve.rejected] == [(4, "bom_rows_overlap")]


# -- the real data ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def say_which(request: pytest.FixtureRequest) -> Iterator[None]:
    """The summary says whether the real data were there."""
    yield
    plugins = request.config.pluginmanager
    reporter, capture = plugins.get_plugin("terminalreporter"), plugins.get_plugin("capturemanager")
    if reporter is not None and capture is not None:
        chosen = any(item.name.startswith("test_the_real_data") for item in request.session.items)
        which = f"only (no real data in {REAL})" if not REAL.is_dir() else "only (real data were not asked for)"
        which = f"and the real data in {REAL}" if chosen and REAL.is_dir() else which
        with capture.global_and_fixture_disabled():
            reporter.write_line(f"\nAdventureWorks: the small factory {which}")


def lianzao(*words: str | Path) -> tuple[str, float]:
    """The command line as a user types it; its output and the seconds it took."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "project.cli", *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, time.monotonic() - began


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real AdventureWorks data are not in {REAL}")
def test_the_real_data_come_in_plan_and_come_in_again(fresh_database: str) -> None:
    """In processes of their own: it is the command line that is tried, and what it costs is its own."""
    given = ("import", "adventureworks", REAL, "--as-of", AS_OF.isoformat())
    dry, _ = lianzao(*given, "--dry-run")
    assert query("SELECT count(*) FROM catalog_item")[0][0] == 0
    rows = [line for line in dry.splitlines() if line.startswith(("WorkOrder:", "SalesOrderLine:", "BillOfMaterials:"))]
    assert len(rows) > 20_000, "every row that is left out is listed"
    told, seconds = lianzao(*given)
    print(told[-6000:], f"import and plan: {seconds:.1f} s")
    counts = {
        "SELECT count(*) FROM catalog_item": 504,
        "SELECT count(*) FROM engineering_bom_line": 2_576,
        "SELECT count(*) FROM plant_location WHERE NOT is_virtual": 14,
        "SELECT count(*) FROM parties_party WHERE is_supplier": 104,
        "SELECT count(*) FROM inventory_balance": 1_065,
        "SELECT count(*) FROM production_work_order WHERE status = 'released'": 1_336,
        "SELECT count(*) FROM production_work_order WHERE status = 'closed'": 64_199,
        "SELECT count(*) FROM procurement_purchase_order WHERE status = 'sent'": 68,
        "SELECT count(*) FROM sales_sales_order_line": 104_980,
        "SELECT count(*) FROM planning_plan_run": 1,
    }
    assert {sql: query(sql)[0][0] for sql in counts} == counts
    with clock.frozen(instant_of(AS_OF)):
        assert rebuild_balances() == []
    before = versions()
    again, _ = lianzao(*given)
    assert versions() == before
    assert "planned" not in again and "计划订单" not in again, "nothing came in, so nothing is planned"
    by: Actor = replace(BY, id=None)
    check_plan(plan_folder(by, AS_OF))


def versions() -> list[tuple[Any, ...]]:
    """How many records there are of each kind, and their versions together."""
    tables = [model._meta.db_table for model in apps.get_models() if issubclass(model, Entity)]
    return [(table, *query(f"SELECT count(*), coalesce(sum(version), 0) FROM {table}")[0]) for table in sorted(tables)]
