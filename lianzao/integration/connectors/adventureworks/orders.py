"""Sales, purchase and work orders: history, open orders, and what has not happened yet.

One rule decides for all three. The plant stands at the beginning of the day `as_of`: what began on a day before and
ends on that day or later is open; what ended before is history; what begins on that day or later is refused as future.
What the tables say of the later fate of an open order (received, stocked, scrapped) had not happened and is not taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from lianzao.integration.connectors.adventureworks.sieve import Sieve
from lianzao.integration.connectors.adventureworks.tables import Row

#: AdventureWorks promises every order for so many days after it was placed (SalesOrderHeader.DueDate).
DELIVERY_DAYS = 12
PURCHASE_REJECTED = "3"
#: Sales territories by country; the table itself is not among the files.
COUNTRIES = {"6": "CA", "7": "FR", "8": "DE", "9": "AU", "10": "GB"}
CHANNELS = {"reseller": ("R", "Reseller"), "internet": ("I", "Internet customer")}


def sales(sieve: Sieve, rows: Sequence[Row], products: Sequence[Row], as_of: date) -> list[Row]:
    """Order lines with their due day, and whether they are open."""
    start = {row["ProductNumber"]: row.day("SellStartDate") for row in products}
    on = as_of.isoformat()
    first: dict[str, Row] = {}
    dues: dict[str, str] = {}
    taken: list[Row] = []
    for row in sieve.once(rows, lambda row: (row["SalesOrderNumber"], row["Line"])):
        ordered = row.day("OrderDate")
        found = sieve.numbers(row, "OrderQty", "UnitPrice")
        if found is None:
            continue
        head = first.setdefault(row["SalesOrderNumber"], row)
        if ordered >= on:
            sieve.refuse(row, "after_the_day", on=ordered, as_of=on)
        elif row["ProductNumber"] not in start:
            sieve.refuse(row, "unknown_product", product=row["ProductNumber"])
        elif found[0] <= 0:
            sieve.refuse(row, "quantity_not_positive", quantity=row["OrderQty"])
        elif found[1] <= 0:
            sieve.refuse(row, "price_not_positive", price=row["UnitPrice"])
        elif (head["Channel"], head["CustomerKey"]) != (row["Channel"], row["CustomerKey"]):
            sieve.refuse(row, "customers_differ", order=row["SalesOrderNumber"], other=head.number)
        else:
            if ordered < start[row["ProductNumber"]]:
                sieve.remark(
                    row, "remark_sold_before_start", on=ordered, item=row["ProductNumber"],
                    start=start[row["ProductNumber"]],
                )  # fmt: skip
            due = dues.get(ordered) or dues.setdefault(ordered, _later(ordered, DELIVERY_DAYS))
            taken.append(
                row.also(
                    OrderDate=ordered, DueDate=due, Open=_open(due, on),
                    Customer=f"{row['Channel']} {row['CustomerKey']}",
                )
            )  # fmt: skip
    return taken


def customers(sales: Sequence[Row]) -> list[Row]:
    """Everybody the accepted orders name, once, in the order they first appear; on the row of that order."""
    found: dict[str, Row] = {}
    for row in sales:
        if row["Customer"] not in found:
            letter, word = CHANNELS.get(row["Channel"], (row["Channel"][:1].upper(), row["Channel"]))
            found[row["Customer"]] = row.also(
                Code=f"AW-{letter}{row['CustomerKey']}",
                Name=f"{word} {row['CustomerKey']}",
                Country=COUNTRIES.get(row["Territory"], "US"),
            )
    return list(found.values())


def purchases(
    heads: Sieve, lines: Sieve, tables: Mapping[str, Sequence[Row]], products: Sequence[Row], as_of: date
) -> list[Row]:
    """Purchase lines joined with their heads. An order is open until the day its vendor ships it."""
    on = as_of.isoformat()
    known = {row["ProductID"] for row in products}
    vendors = {row["VendorID"] for row in tables["Vendor"]}
    every = {row["PurchaseOrderID"] for row in tables["PurchaseOrderHeader"]}
    orders: dict[str, Row] = {}
    future: dict[str, str] = {}
    for row in heads.once(tables["PurchaseOrderHeader"], lambda row: row["PurchaseOrderID"]):
        ordered, ships = row.day("OrderDate"), row.day("ShipDate")
        if ordered >= on:
            future[row["PurchaseOrderID"]] = ordered
            heads.refuse(row, "after_the_day", on=ordered, as_of=on)
        elif row["VendorID"] not in vendors:
            heads.refuse(row, "unknown_vendor", vendor=row["VendorID"])
        elif ships and ships < ordered:
            heads.refuse(row, "ends_before_it_starts", start=ordered, end=ships)
        else:
            orders[row["PurchaseOrderID"]] = row.also(OrderDate=ordered, Open=_open(ships or "9999", on))
    taken: list[Row] = []
    sequence: dict[str, int] = {}
    for row in lines.once(tables["PurchaseOrderDetail"], lambda row: row["PurchaseOrderDetailID"]):
        order = row["PurchaseOrderID"]
        if order not in every:
            lines.refuse(row, "unknown_order", order=order)
        elif order in future:
            lines.refuse(row, "after_the_day", on=future[order], as_of=on)
        elif order not in orders:
            lines.refuse(row, "order_refused", order=order)
        elif _purchase_fits(lines, row, orders[order], known):
            sequence[order] = sequence.get(order, 0) + 1
            head = orders[order]
            fate = {"ReceivedQty": "0", "RejectedQty": "0"} if head["Open"] == "true" else {}
            taken.append(
                row.also(
                    Line=str(sequence[order]), VendorID=head["VendorID"], OrderDate=head["OrderDate"],
                    Open=head["Open"], DueDate=row.day("DueDate"), **fate,
                )
            )  # fmt: skip
    for order, head in orders.items():
        if order not in sequence:
            heads.refuse(head, "order_without_lines")
    return sorted(taken, key=lambda row: (int(row["PurchaseOrderID"]), int(row["Line"])))


def _purchase_fits(sieve: Sieve, row: Row, head: Row, products: set[str]) -> bool:
    found = sieve.numbers(row, "OrderQty", "UnitPrice", "ReceivedQty", "RejectedQty")
    if found is None:
        return False
    quantity, price, received, rejected = found
    if row["ProductID"] not in products:
        sieve.refuse(row, "unknown_product", product=row["ProductID"])
    elif quantity <= 0:
        sieve.refuse(row, "quantity_not_positive", quantity=row["OrderQty"])
    elif price <= 0:
        sieve.refuse(row, "price_not_positive", price=row["UnitPrice"])
    elif row.day("DueDate") < head["OrderDate"]:
        sieve.refuse(row, "due_before_ordered", due=row.day("DueDate"), ordered=head["OrderDate"])
    elif received > quantity:
        sieve.refuse(row, "received_more_than_ordered", received=row["ReceivedQty"], ordered=row["OrderQty"])
    elif rejected > received:
        sieve.refuse(row, "rejected_more_than_received", rejected=row["RejectedQty"], received=row["ReceivedQty"])
    elif head["Open"] == "false" and head["Status"] == PURCHASE_REJECTED and received > 0:
        sieve.refuse(row, "rejected_order_was_received", order=row["PurchaseOrderID"], received=row["ReceivedQty"])
    else:
        return True
    return False


def work(sieve: Sieve, rows: Sequence[Row], products: Sequence[Row], reasons: Sequence[Row], as_of: date) -> list[Row]:
    """Work orders, and whether they are open. Of an open one nothing is made yet, because the tables do not tell."""
    known = {row["ProductID"]: row for row in products}
    scrap = {row["ScrapReasonID"] for row in reasons}
    on = as_of.isoformat()
    taken: list[Row] = []
    for row in sieve.once(rows, lambda row: row["WorkOrderID"]):
        if _work_fits(sieve, row, known, scrap, on):
            end = row.day("EndDate")
            is_open = _open(end or "9999", on)
            fate = {"StockedQty": "0", "ScrappedQty": "0", "ScrapReasonID": "", "EndDate": ""}
            taken.append(
                row.also(
                    Open=is_open, StartDate=row.day("StartDate"), DueDate=row.day("DueDate"),
                    **(fate if is_open == "true" else {"EndDate": end}),
                )
            )  # fmt: skip
    return taken


def _work_fits(sieve: Sieve, row: Row, known: Mapping[str, Row], scrap: set[str], on: str) -> bool:
    start, end, due = row.day("StartDate"), row.day("EndDate"), row.day("DueDate")
    found = sieve.numbers(row, "OrderQty", "StockedQty", "ScrappedQty")
    if found is None:
        return False
    quantity, stocked, scrapped = found
    product, reason = known.get(row["ProductID"]), row["ScrapReasonID"]
    if not start or not due:
        sieve.refuse(row, "dates_missing")
    elif start >= on:
        sieve.refuse(row, "after_the_day", on=start, as_of=on)
    elif product is None:
        sieve.refuse(row, "unknown_product", product=row["ProductID"])
    elif product["MakeFlag"] != "1":
        sieve.refuse(row, "item_bought", item=product["Name"])
    elif quantity <= 0:
        sieve.refuse(row, "quantity_not_positive", quantity=row["OrderQty"])
    elif min(end or due, due) < start:
        sieve.refuse(row, "ends_before_it_starts", start=start, end=min(end or due, due))
    elif stocked + scrapped > quantity:
        sieve.refuse(row, "made_more_than_ordered", made=stocked, scrapped=scrapped, ordered=quantity)
    elif scrapped > 0 and not reason:
        sieve.refuse(row, "scrap_without_reason", scrapped=scrapped)
    elif reason and reason not in scrap:
        sieve.refuse(row, "unknown_reason", reason=reason)
    else:
        return True
    return False


def _open(ends: str, on: str) -> str:
    return "true" if ends >= on else "false"


def _later(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
