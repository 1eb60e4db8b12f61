"""Units, products, vendors, agreements, bills and stock: which rows are taken, and the columns worked out from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from lianzao.integration.connectors.adventureworks.sieve import Sieve
from lianzao.integration.connectors.adventureworks.tables import Row

#: Kilograms in a unit of weight, as in the international pound of 1959.
KILOGRAMS = {"LB": Decimal("0.45359237"), "G": Decimal("0.001"), "KG": Decimal(1)}
#: Temperature, density and percent are in the table of units, but nothing is counted in them.
NO_GOODS = {"C", "KGV", "PCT"}
#: Hours of a day: `Availability` is read as the hours all places of a location work in a day, night shift included.
HOURS = 24
WEEKDAYS = range(5)
STORES = ("7", "6", "5", "4", "3", "2", "1")


def units(sieve: Sieve, rows: Sequence[Row]) -> list[Row]:
    """Units that goods are counted in."""
    taken: list[Row] = []
    for row in sieve.once(rows, lambda row: row["UnitMeasureCode"].strip()):
        if row["UnitMeasureCode"].strip() in NO_GOODS:
            sieve.refuse(row, "unit_of_no_goods", unit=row["Name"])
        else:
            taken.append(row)
    return taken


def shifts(rows: Sequence[Row]) -> list[Row]:
    """The shifts on every working day; AdventureWorks does not say which days, so Monday to Friday."""
    named = {"Calendar": "AW-3SHIFT", "CalendarName": "三班制", "CalendarNameEn": "Three shifts"}
    return [row.also(Weekday=str(day), **named) for day in WEEKDAYS for row in rows]


def places(rows: Sequence[Row]) -> list[Row]:
    """Locations that have hours are work centers too, with as many places side by side as fill those hours."""
    found = [row.also(Places=str(max(1, int(Decimal(row["Availability"]) // HOURS)))) for row in rows]
    return [row for row in found if Decimal(row["Availability"]) > 0]


def products(sieve: Sieve, tables: Mapping[str, Sequence[Row]], as_of: date) -> list[Row]:
    """Products with their base unit, weight in kilograms, lead time and store.

    What is not sold any more keeps no safety stock: nobody fills up the shelf of a bicycle that left the catalog.
    """
    unit_of = {row["ComponentID"]: row["UnitMeasureCode"].strip() for row in tables["BillOfMaterials"]}
    active = {row["VendorID"] for row in tables["Vendor"] if row["ActiveFlag"] == "1"}
    days: dict[str, int] = {}
    for row in tables["ProductVendor"]:
        if row["VendorID"] in active and row["AverageLeadTime"].isdigit():
            known = days.get(row["ProductID"])
            days[row["ProductID"]] = min(int(row["AverageLeadTime"]), known if known is not None else 10**6)
    held: dict[str, set[str]] = {}
    for row in tables["ProductInventory"]:
        held.setdefault(row["ProductID"], set()).add(row["LocationID"])
    taken: list[Row] = []
    for row in sieve.once(tables["Product"], lambda row: row["ProductID"]):
        found = sieve.numbers(row, "SafetyStockLevel", "StandardCost", "Weight", "DaysToManufacture")
        if found is None:
            continue
        made = row["MakeFlag"] == "1"
        ended = bool(row["SellEndDate"]) and row.day("SellEndDate") <= as_of.isoformat()
        weight = found[2] * KILOGRAMS.get(row["WeightUnitMeasureCode"].strip(), Decimal(0))
        store = next((place for place in STORES if place in held.get(row["ProductID"], ())), "7" if made else "6")
        taken.append(
            row.also(
                BaseUnit=unit_of.get(row["ProductID"], "EA"),
                WeightKg=f"{weight:.6f}" if weight else "",
                LeadTimeDays=str(int(found[3]) if made else days.get(row["ProductID"], 0)),
                StoreLocation=store,
                SafetyStock="0" if ended else row["SafetyStockLevel"],
            )
        )
    return list(sieve.once(taken, lambda row: row["ProductNumber"]))


def vendors(sieve: Sieve, rows: Sequence[Row]) -> list[Row]:
    """Vendors, active or not: old orders name both."""
    return list(sieve.once(rows, lambda row: row["VendorID"]))


def agreements(sieve: Sieve, tables: Mapping[str, Sequence[Row]], products: Sequence[Row]) -> list[Row]:
    """What active vendors offer."""
    known = {row["ProductID"]: row for row in products}
    vendors = {row["VendorID"]: row for row in tables["Vendor"]}
    taken: list[Row] = []
    for row in sieve.once(tables["ProductVendor"], lambda row: (row["ProductID"], row["VendorID"])):
        product, vendor = known.get(row["ProductID"]), vendors.get(row["VendorID"])
        found = sieve.numbers(row, "StandardPrice", "MinOrderQty", "MaxOrderQty")
        if found is None:
            continue
        price, minimum, maximum = found
        if product is None:
            sieve.refuse(row, "unknown_product", product=row["ProductID"])
        elif vendor is None:
            sieve.refuse(row, "unknown_vendor", vendor=row["VendorID"])
        elif vendor["ActiveFlag"] != "1":
            sieve.refuse(row, "vendor_inactive", vendor=vendor["Name"])
        elif price <= 0:
            sieve.refuse(row, "agreement_without_price", price=row["StandardPrice"])
        elif minimum > maximum:
            sieve.refuse(row, "minimum_above_maximum", minimum=row["MinOrderQty"], maximum=row["MaxOrderQty"])
        else:
            if row["UnitMeasureCode"].strip() != product["BaseUnit"]:
                sieve.remark(row, "remark_other_unit", unit=row["UnitMeasureCode"].strip(), base=product["BaseUnit"])
            taken.append(row.also(Preferred="true" if vendor["PreferredVendorStatus"] == "1" else "false"))
    return taken


def bills(sieve: Sieve, rows: Sequence[Row], products: Sequence[Row], as_of: date) -> list[Row]:
    """Bill rows with the days they hold; those that ended stay, as history. The rows of one assembly stand together."""
    known = {row["ProductID"]: row for row in products}
    taken: list[Row] = []
    below: dict[str, set[str]] = {}
    spans: dict[tuple[str, str], list[tuple[str, str, int]]] = {}
    for row in sieve.once(rows, lambda row: row["BillOfMaterialsID"]):
        parent, component = row["ProductAssemblyID"], row["ComponentID"]
        if not _fits(sieve, row, known, as_of):
            continue
        start, end = row.day("StartDate"), row.day("EndDate")
        until = (date.fromisoformat(end) + timedelta(days=1)).isoformat() if end else ""
        other = next((one for one in spans.get((parent, component), ()) if _meet((start, until), one)), None)
        if other is not None:
            sieve.refuse(row, "bom_rows_overlap", other=other[2])
        elif _reaches(below, component, parent):
            sieve.refuse(row, "bom_circle", assembly=known[parent]["Name"], component=known[component]["Name"])
        else:
            below.setdefault(parent, set()).add(component)
            spans.setdefault((parent, component), []).append((start, until, row.number))
            taken.append(row.also(EffectiveFrom=start, EffectiveUntil=until))
    return sorted(taken, key=lambda row: (int(row["ProductAssemblyID"]), row.number))


def _fits(sieve: Sieve, row: Row, known: Mapping[str, Row], as_of: date) -> bool:
    """Whether a bill row makes sense by itself."""
    parent, component = row["ProductAssemblyID"], row["ComponentID"]
    found = sieve.numbers(row, "PerAssemblyQty")
    if found is None:
        return False
    start, end = row.day("StartDate"), row.day("EndDate")
    for product in (parent, component):
        if product and product not in known:
            sieve.refuse(row, "unknown_product", product=product)
            return False
    if not parent:
        sieve.refuse(row, "bom_without_assembly", component=known[component]["Name"])
    elif found[0] <= 0:
        sieve.refuse(row, "quantity_not_positive", quantity=row["PerAssemblyQty"])
    elif end and end < start:
        sieve.refuse(row, "ends_before_it_starts", start=start, end=end)
    elif known[parent]["MakeFlag"] != "1":
        sieve.refuse(row, "bom_of_bought_item", item=known[parent]["Name"])
    elif _discontinued(known[parent], as_of):
        sieve.refuse(row, "assembly_discontinued", item=known[parent]["Name"])
    elif _discontinued(known[component], as_of):
        sieve.refuse(row, "component_discontinued", item=known[component]["Name"])
    else:
        return True
    return False


def _discontinued(product: Row, as_of: date) -> bool:
    return bool(product["DiscontinuedDate"]) and product.day("DiscontinuedDate") <= as_of.isoformat()


def _meet(one: tuple[str, str], other: tuple[str, str, int]) -> bool:
    """Whether two half-open spans have a day in common; an empty end is open."""
    return (not other[1] or one[0] < other[1]) and (not one[1] or other[0] < one[1])


def _reaches(below: Mapping[str, set[str]], start: str, goal: str) -> bool:
    """Whether an item stands somewhere below another one, or is that one."""
    seen, waiting = {start}, [start]
    while waiting:
        item = waiting.pop()
        if item == goal:
            return True
        fresh = below.get(item, set()) - seen
        seen |= fresh
        waiting.extend(fresh)
    return False


def routings(
    sieve: Sieve, products: Sequence[Row], bills: Sequence[Row], tables: Mapping[str, Sequence[Row]],
    rules: Sequence[Mapping[str, Any]], as_of: date,
) -> list[Row]:  # fmt: skip
    """Operations of every product that is made, by the first of our rules that fits it."""
    groups = {row["ProductSubcategoryID"]: row for row in tables["ProductSubcategory"]}
    categories = {row["ProductCategoryID"]: row["Name"] for row in tables["ProductCategory"]}
    on = as_of.isoformat()
    with_bill = {row["ProductAssemblyID"] for row in bills if not row["EffectiveUntil"] or row["EffectiveUntil"] > on}
    found: list[Row] = []
    for row in products:
        if row["MakeFlag"] != "1":
            continue
        if row["ProductID"] not in with_bill:
            sieve.remark(row, "remark_made_without_bom", item=row["Name"])
        group = groups.get(row["ProductSubcategoryID"])
        facts = {
            "subcategory": group["Name"] if group else "",
            "category": categories.get(group["ProductCategoryID"], "") if group else "",
            "days": int(row["DaysToManufacture"]),
        }
        rule = next((rule for rule in rules if _applies(rule["when"], facts, row["Name"])), None)
        if rule is None:
            sieve.remark(row, "remark_no_routing_rule", item=row["Name"])
            continue
        found.extend(_operations(row, rule, max(1, facts["days"])))
    return found


def _applies(when: Mapping[str, Any], facts: Mapping[str, Any], name: str) -> bool:
    return all(
        any(word in name for word in wanted) if key == "name_contains" else facts[key] in wanted
        for key, wanted in when.items()
    )


def _operations(row: Row, rule: Mapping[str, Any], days: int) -> list[Row]:
    """The rule's operations; run and queue minutes are said per day of manufacture."""
    return [
        row.also(
            Sequence=str(place * 10),
            LocationID=str(one["location"]),
            Operation=one["name"],
            OperationEn=one["name_en"],
            SetupMinutes=str(one["setup_minutes"]),
            RunMinutes=str(Decimal(str(one["run_minutes_per_day"])) * days),
            QueueMinutes=str(one["queue_minutes_per_day"] * days),
        )
        for place, one in enumerate(rule["operations"], 1)
    ]


def stock(sieve: Sieve, tables: Mapping[str, Sequence[Row]], products: Sequence[Row], as_of: date) -> list[Row]:
    """What lies where, as the opening balance of the day; the table is one undated picture."""
    known = {row["ProductID"] for row in products}
    locations = {row["LocationID"] for row in tables["Location"]}
    taken: list[Row] = []
    for row in sieve.once(
        tables["ProductInventory"], lambda row: (row["ProductID"], row["LocationID"], row["Shelf"], row["Bin"])
    ):
        found = sieve.numbers(row, "Quantity")
        if found is None:
            continue
        if row["ProductID"] not in known:
            sieve.refuse(row, "unknown_product", product=row["ProductID"])
        elif row["LocationID"] not in locations:
            sieve.refuse(row, "unknown_location", location=row["LocationID"])
        elif found[0] < 0:
            sieve.refuse(row, "quantity_negative", quantity=row["Quantity"])
        elif found[0] == 0:
            sieve.refuse(row, "nothing_in_stock")
        else:
            taken.append(row.also(AsOf=as_of.isoformat()))
    return taken
