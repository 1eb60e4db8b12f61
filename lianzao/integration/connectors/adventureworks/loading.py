"""Bring a folder in, file by file, each through its mapping: master data, stock, then orders and their history."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from lianzao.access import queries as access
from lianzao.engineering.commands import approve_boms, approve_routings
from lianzao.engineering.models import Bom, Routing
from lianzao.foundation import clock, registry
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import Command
from lianzao.foundation.entity import by_external_id
from lianzao.foundation.transfer import BULK, came_in_before, import_file
from lianzao.integration.connectors.adventureworks import masters, orders
from lianzao.integration.connectors.adventureworks.report import HERE, FileResult, Finding, Report
from lianzao.integration.connectors.adventureworks.sieve import Sieve
from lianzao.integration.connectors.adventureworks.tables import Row, read, written
from lianzao.inventory import queries as inventory
from lianzao.parties.commands import block_party
from lianzao.parties.models import Party
from lianzao.parties.queries import party_facts
from lianzao.plant.commands import set_up_site
from lianzao.procurement import history as _purchases  # noqa: F401 - declares its bulk import
from lianzao.production import history as _work  # noqa: F401 - declares its bulk import
from lianzao.sales import history as _sales  # noqa: F401 - declares its bulk import
from lianzao.values.time import start_of_day

SYSTEM = "adventureworks"
SITE = "AW"
ZONE = "America/Los_Angeles"
TABLES = (
    "UnitMeasure ProductCategory ProductSubcategory Shift Location Product ScrapReason Vendor ProductVendor"
    " BillOfMaterials ProductInventory SalesOrderLine PurchaseOrderHeader PurchaseOrderDetail WorkOrder"
).split()


class _Undo(Exception):
    """Takes back all that a dry run wrote."""


def instant_of(as_of: date) -> datetime:
    """Where the plant stands: the beginning of the day."""
    return start_of_day(as_of, ZONE)


def import_folder(by: Actor, folder: Path, *, as_of: date, dry_run: bool = False) -> Report:
    """Import a folder; nothing is planned yet. With `dry_run` everything is done and taken back.

    Raises Invalid naming a table that is missing. Everything happens at the instant `as_of` begins at the plant.
    """
    registry.load()
    work = _Import(by, folder, as_of, dry_run)
    try:
        with clock.frozen(instant_of(as_of)), transaction.atomic() if dry_run else nullcontext():
            work.run()
            if dry_run:
                raise _Undo
    except _Undo:
        pass  # all of it was a trial
    return work.report


class _Import:
    """One import: its tables, what was taken of each, and the report."""

    def __init__(self, by: Actor, folder: Path, as_of: date, dry_run: bool) -> None:
        self.by, self.as_of = by, as_of
        self.report = Report(as_of.isoformat(), dry_run)
        with self._timed(FileResult("*", "read")) as told:
            self.tables = {name: read(folder, name) for name in TABLES}
            told.rows = sum(len(rows) for rows in self.tables.values())
        self.report.read = {name: len(rows) for name, rows in self.tables.items()}

    def run(self) -> None:
        """All files, in the order they rest on each other."""
        self._plant()
        products = self._products()
        self._structure(products)
        self._stock(products)
        self._orders(products)

    # -- the parts ----------------------------------------------------------------------------------------------------

    def _plant(self) -> None:
        tables = self.tables
        self._bring("site", "site.csv", read(HERE, "site"))
        self.site_id = access.site_by_code(SITE).id
        set_up_site(self.by, site_id=self.site_id)
        with self._sieve("UnitMeasure") as sieve:
            self._bring("unit", "UnitMeasure", masters.units(sieve, tables["UnitMeasure"]))
        self._bring("category", "ProductCategory", tables["ProductCategory"])
        self._bring("subcategory", "ProductSubcategory", tables["ProductSubcategory"])
        self._bring("calendar", "Shift", masters.shifts(tables["Shift"]))
        self._bring("location", "Location", tables["Location"])
        self._bring("work_center", "Location", masters.places(tables["Location"]))
        self._bring("scrap_reason", "ScrapReason", tables["ScrapReason"])

    def _products(self) -> list[Row]:
        with self._sieve("Product") as sieve:
            products = masters.products(sieve, self.tables, self.as_of)
        self._bring("item", "Product", products)
        with self._sieve("Vendor") as sieve:
            self._bring("vendor", "Vendor", masters.vendors(sieve, self.tables["Vendor"]))
        self._block_inactive()
        with self._sieve("ProductVendor") as sieve:
            self._bring("vendor_item", "ProductVendor", masters.agreements(sieve, self.tables, products))
        return products

    def _block_inactive(self) -> None:
        """No new orders with vendors that are inactive; old ones keep naming them."""
        inactive = [f"vendor {row['VendorID']}" for row in self.tables["Vendor"] if row["ActiveFlag"] != "1"]
        for party_id, facts in party_facts(by_external_id(Party, SYSTEM, inactive).values()).items():
            if not facts.blocked:
                _run(self.by, block_party, party=party_id, reason="AdventureWorks: ActiveFlag 0")

    def _structure(self, products: Sequence[Row]) -> None:
        with self._sieve("BillOfMaterials") as sieve:
            bills = masters.bills(sieve, self.tables["BillOfMaterials"], products, self.as_of)
        self._bring("bill", "BillOfMaterials", bills)
        rules = json.loads((HERE / "routings.json").read_text("utf-8"))
        with self._sieve("Product") as sieve:
            routings = masters.routings(sieve, products, bills, self.tables, rules, self.as_of)
        self._bring("routing", "routings.json", routings)
        made = list(dict.fromkeys(row["ProductID"] for row in routings))
        parents = list(dict.fromkeys(row["ProductAssemblyID"] for row in bills))
        with self._timed(FileResult("*", "engineering.approve")) as told:
            boms = list(by_external_id(Bom, SYSTEM, parents).values())
            routes = list(by_external_id(Routing, SYSTEM, made).values())
            told.rows = len(boms) + len(routes)
            for command, name, ids in ((approve_boms, "boms", boms), (approve_routings, "routings", routes)):
                told.changed += _run(self.by, command, **{name: ids})["approved"] if ids else 0
            told.unchanged = told.rows - told.changed

    def _stock(self, products: Sequence[Row]) -> None:
        with self._sieve("ProductInventory") as sieve:
            stock = masters.stock(sieve, self.tables, products, self.as_of)
            opened = bool(inventory.stock_columns(self.site_id, instant_of(self.as_of))["item_id"])
            if opened and not self._came_in_before("stock", stock):
                # Another picture of stock than the one the site was opened with: a count is how that is corrected.
                for row in stock:
                    sieve.refuse(row, "opening_balance_stands")
                stock = []
        if stock:
            self._bring("stock", "ProductInventory", stock)

    def _orders(self, products: Sequence[Row]) -> None:
        tables, as_of = self.tables, self.as_of
        with self._sieve("SalesOrderLine") as sieve:
            sales = orders.sales(sieve, tables["SalesOrderLine"], products, as_of)
        self._bring("customer", "SalesOrderLine", orders.customers(sales))
        self._bring("sales_order", "SalesOrderLine", sales)
        with self._sieve("PurchaseOrderHeader") as heads, self._sieve("PurchaseOrderDetail") as lines:
            purchases = orders.purchases(heads, lines, tables, products, as_of)
        self._bring("purchase_order", "PurchaseOrderDetail", purchases)
        with self._sieve("WorkOrder") as sieve:
            work = orders.work(sieve, tables["WorkOrder"], products, tables["ScrapReason"], as_of)
        self._bring("work_order", "WorkOrder", work)

    # -- one file -----------------------------------------------------------------------------------------------------

    def _bring(self, name: str, file: str, rows: Sequence[Row]) -> None:
        """Import rows through a mapping; wrong ones are left out and told by their rows in the original file."""
        given = mapping(name)
        result = FileResult(file, given["kind"], rows=len(rows))
        with self._timed(result):
            left = list(rows)
            while True:
                answer = import_file(
                    self.by, kind=given["kind"], data=written(left, headings(given)), filename=f"{Path(file).stem}.csv",
                    mapping=given, dry_run=False,
                )  # fmt: skip
                bad = {error.row for error in answer.errors}
                self._tell_errors(file, left, answer.errors)
                # Bulk history is all or nothing: the rows without the wrong ones are a file of their own.
                if given["kind"] not in BULK or not bad or None in bad:
                    break
                left = [row for place, row in enumerate(left, 2) if place not in bad]
            result.created, result.changed = answer.created, answer.changed
            result.unchanged = len(left) - answer.created if given["kind"] in BULK else answer.unchanged
            result.stopped = None in bad or answer.error_count > len(answer.errors)

    def _came_in_before(self, name: str, rows: Sequence[Row]) -> bool:
        given = mapping(name)
        return came_in_before(given["kind"], written(rows, headings(given)), given)

    def _tell_errors(self, file: str, rows: Sequence[Row], errors: Sequence[Any]) -> None:
        for error in errors:
            row = rows[error.row - 2].number if error.row is not None and 2 <= error.row < len(rows) + 2 else None
            facts = {name: str(value) for name, value in {"field": error.field, **error.facts}.items()}
            self.report.rejected.append(Finding(file, row, error.code, facts, error.detail))

    @contextmanager
    def _sieve(self, file: str) -> Iterator[Sieve]:
        sieve = Sieve(file)
        with self._timed(FileResult(file, "check")) as told:
            yield sieve
        self.report.files.remove(told)
        self.report.rejected += sieve.rejected
        self.report.remarks += sieve.remarks

    @contextmanager
    def _timed(self, result: FileResult) -> Iterator[FileResult]:
        began, used = time.monotonic(), time.process_time()
        yield result
        result.seconds, result.cpu_seconds = time.monotonic() - began, time.process_time() - used
        self.report.files.append(result)


def _run(by: Actor, what: Command[Any, Any], **given: Any) -> Any:
    """A command given ids, as the API gives them."""
    return what.carry_out(by, given)


def mapping(name: str) -> dict[str, Any]:
    """A mapping file, as data; bulk history comes in as a whole, of other kinds the rows that are right."""
    given = json.loads((HERE / "mappings" / f"{name}.json").read_text("utf-8"))
    return {**given, "errors": "stop" if given["kind"] in BULK else "skip"}


def headings(given: Mapping[str, Any]) -> list[str]:
    """The headings a mapping reads."""
    sources = [*given["fields"].values(), *(one for part in given.get("parts", {}).values() for one in part.values())]
    if "external_key" in given:
        sources.append(given["external_key"])
    found: dict[str, None] = {}
    for source in sources:
        if isinstance(source, str):
            found[source] = None
        else:
            found |= dict.fromkeys([source["column"]] if "column" in source else source.get("columns", ()))
    return list(found)


__all__ = ["import_folder", "instant_of", "mapping"]
