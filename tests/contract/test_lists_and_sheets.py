"""Groups of lists, many cells at once, work for many records, files in the background, ways of looking at lists.

Each with figures reckoned by hand, and tried by those who may see less: another site, a masked column, a right gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from lianzao.access import commands as access
from lianzao.access.models import Person, Role
from lianzao.access.queries import actor_for
from lianzao.catalog.models import Item, ItemSite
from lianzao.foundation import clock, http, registry, tasks
from lianzao.foundation.actor import Actor
from lianzao.foundation.audit import Order
from lianzao.foundation.command import run
from lianzao.sales.models import SalesOrder
from lianzao.values.time import uuid7
from tests.world import House, day

registry.load()
import_module("project.urls")  # wires who is who, before a test says it otherwise
As = Callable[[Actor | None], Client]


@pytest.fixture
def house(db: None) -> Iterator[House]:
    yield House()
    clock.freeze(None)


def engineer(house: House) -> Actor:
    """Somebody who keeps the masters; the house has none by itself."""
    if not Person.objects.filter(login="engineer").exists():
        person = access.create_person(house.system, login="engineer", name="工程师")
        access.assign_role(house.system, person=person, role=Role.objects.get(code="engineer"), site=house.site)
    return actor_for("engineer", site=house.site_id)


@pytest.fixture
def acting(monkeypatch: pytest.MonkeyPatch) -> Iterator[As]:
    def client(actor: Actor | None) -> Client:
        monkeypatch.setattr(http, "_identify", lambda request: actor)
        return Client(headers={"Authorization": "Bearer test"})

    yield client


def post(client: Client, path: str, body: Any) -> tuple[int, Any]:
    answer = client.post(f"/api/{path}", json.dumps(body, default=str), content_type="application/json")
    return answer.status_code, answer.json()


def sheet(by: Actor, kind: str, rows: list[dict[str, Any]], *, dry_run: bool = True) -> Any:
    return run(by, "foundation.change_sheet", {"kind": kind, "rows": rows, "dry_run": dry_run})


# -- groups -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def sold(house: House) -> House:
    """Two customers: 100 and 50 of one, 7 of the other."""
    house.order("ACME", "100", day(20))
    house.order("ACME", "50", day(21))
    house.order("ZETA", "7", day(22))
    return house


def test_groups_count_and_sum_what_the_list_shows(sold: House, acting: As) -> None:
    client = acting(sold.by("sales"))
    with CaptureQueriesContext(connection) as seen:
        found = client.get("/api/sales/sales_order_line/groups", {"by": "order"}).json()
    assert len(seen.captured_queries) <= 2 and "groups" in found, found
    assert [
        (each["values"]["order"]["number"][-1:], each["count"], each["sums"]["quantity"]) for each in found["groups"]
    ] == [
        ("1", 1, "100"),
        ("2", 1, "50"),
        ("3", 1, "7"),
    ]
    assert (
        found["total"]["count"] == 3 and found["total"]["sums"]["quantity"] == "157" and found["total"]["mixed"] == []
    )
    some = client.get("/api/sales/sales_order_line/groups", {"by": "requested_on__month", "quantity__lt": "60"}).json()
    assert [(each["values"], each["count"], each["sums"]["quantity"]) for each in some["groups"]] == [
        ({"requested_on__month": "2026-03-01"}, 2, "57")
    ]
    only = client.get("/api/sales/sales_order_line/groups").json()
    assert only["groups"] == [] and only["total"]["sums"]["quantity"] == "157"


def test_groups_stand_in_the_order_of_the_list(sold: House, acting: As) -> None:
    client = acting(sold.by("sales"))
    rows = client.get("/api/sales/sales_order", {"sort": "customer,number"}).json()["rows"]
    groups = client.get("/api/sales/sales_order/groups", {"by": "customer"}).json()["groups"]
    assert [each["values"]["customer"]["code"] for each in groups] == list(
        dict.fromkeys(row["customer"]["code"] for row in rows)
    )
    assert [each["count"] for each in groups] == [2, 1]


def test_figures_of_different_units_are_not_added_up(house: House, acting: As) -> None:
    """Sand is bought by the kilogram, motors by the piece: together they come to nothing one could say."""
    kilo = house.make("catalog.create_unit", code="kg", name="千克", name_en="kilogram")
    house.make("catalog.create_item", code="SAND", name="砂", supply="buy", base_unit=kilo.id, tracking="none")
    house.opening("SAND", "120", "LINE")
    house.opening("MOTOR", "8", "LINE", lot="M-1")
    client = acting(house.by("warehouse"))
    found = client.get("/api/inventory/balance/groups", {"by": "item"}).json()
    assert {each["values"]["item"]["code"]: each["sums"]["quantity"] for each in found["groups"]} == {
        "SAND": "120",
        "MOTOR": "8",
    }
    assert found["total"]["sums"]["quantity"] is None and found["total"]["mixed"] == ["quantity"]


def test_nobody_learns_a_masked_figure_by_grouping(sold: House, acting: As) -> None:
    """Who may not read prices may not put lines together by them, sum, filter or sort them."""
    mighty = sold.by("sales")
    blind = replace(
        mighty, masks=frozenset({"sales.sales_order_line.price", "sales.sales_order_line.quantity"}), memory={}
    )
    path = "/api/sales/sales_order_line"
    assert acting(mighty).get(f"{path}/groups", {"by": "price"}).status_code == 200
    client = acting(blind)
    for query in ({"by": "price"}, {"by": "order,quantity"}, {"quantity__gt": "1"}):
        answer = client.get(f"{path}/groups", query)
        assert answer.status_code == 422, query
    assert client.get(path, {"sort": "price"}).status_code == 422
    found = client.get(f"{path}/groups", {"by": "order"}).json()
    assert "quantity" not in found["sums"] and all("quantity" not in each["sums"] for each in found["groups"])
    told = client.get("/api/meta").json()["resources"]["sales.sales_order_line"]
    price = next(each for each in told["columns"] if each["name"] == "price")
    assert (price["filterable"], price["sortable"], price["masked"]) == (False, False, True)


def test_groups_end_at_the_reach_of_the_reader(sold: House, acting: As) -> None:
    elsewhere = replace(sold.by("sales"), sites=frozenset({uuid7()}), memory={})
    found = acting(elsewhere).get("/api/sales/sales_order/groups", {"by": "customer"}).json()
    assert found["groups"] == [] and found["total"]["count"] == 0
    nobody = replace(sold.by("sales"), sites=frozenset(), memory={})
    assert acting(nobody).get("/api/sales/sales_order/groups", {"by": "customer"}).json()["total"]["count"] == 0
    assert (
        acting(replace(elsewhere, rights=frozenset(), memory={})).get("/api/sales/sales_order/groups").status_code
        == 403
    )
    assert acting(None).get("/api/sales/sales_order/groups").status_code == 401


@pytest.mark.parametrize("by", ["nothing", "id", "customer,customer", "number__week", "a,b,c,d", "customer__name"])
def test_what_is_no_group_is_refused(by: str, house: House, acting: As) -> None:
    answer = acting(house.by("sales")).get("/api/sales/sales_order/groups", {"by": by})
    assert answer.status_code == 422 and answer.json()["field"]


# -- cells ------------------------------------------------------------------------------------------------------------


def test_a_try_writes_nothing_and_tells_each_cell(house: House) -> None:
    by = engineer(house)
    steel, motor = house.item("STEEL"), house.item("MOTOR")
    rows = [
        {"id": steel.id, "version": steel.version, "cells": {"name": "冷轧钢", "base_unit": "nonsense"}},
        {"id": motor.id, "version": motor.version, "cells": {"name": "电机 2"}},
    ]
    tried = sheet(by, "catalog.item", rows)
    assert [(each.state, [(one.field, one.code) for one in each.errors]) for each in tried.rows] == [
        ("refused", [("base_unit", "no_such_record")]),
        ("changed", []),
    ]
    assert tried.rows[1].before["name"] != "电机 2" and tried.rows[1].after["name"] == "电机 2"
    assert (tried.error_count, tried.written) == (1, False)
    assert Item.objects.get(pk=motor.id).name != "电机 2"
    # Not in earnest either: one wrong row and nothing is written, and the audit knows of no change.
    done = sheet(by, "catalog.item", rows, dry_run=False)
    assert not done.written and Item.objects.get(pk=motor.id).name != "电机 2"
    assert Order.objects.filter(command="foundation.change_sheet").latest("recorded_at").changes == []
    done = sheet(by, "catalog.item", rows[1:], dry_run=False)
    assert done.written and Item.objects.get(pk=motor.id).name == "电机 2"


def test_a_stale_row_is_refused_with_what_stands_there_now(house: House) -> None:
    by, steel = engineer(house), house.item("STEEL")
    run(by, "catalog.change_item", {"item": str(steel.id), "name": "钢甲"})
    tried = sheet(by, "catalog.item", [{"id": steel.id, "version": steel.version, "cells": {"name": "钢乙"}}])
    (row,) = tried.rows
    assert [(each.code) for each in row.errors] == ["stale_version"]
    assert row.before["name"] == "钢甲" and row.before["version"] == steel.version + 1


def test_pasted_rows_are_found_by_their_key_or_made(house: House) -> None:
    by = engineer(house)
    rows = [
        {"cells": {"code": "STEEL", "name": "钢材二"}},
        {"cells": {"code": "NEW-1", "name": "新件", "supply": "外购", "base_unit": "pcs", "tracking": "lot"}},
        {"cells": {"code": "NEW-1", "name": "又来"}},
    ]
    unit = house.item("MOTOR").base_unit.code
    rows[1]["cells"]["base_unit"] = unit
    tried = sheet(by, "catalog.item", rows)
    assert [each.state for each in tried.rows] == ["changed", "new", "refused"], tried
    assert tried.rows[2].errors[0].code == "row_twice" and tried.rows[2].errors[0].facts["other"] == 2
    done = sheet(by, "catalog.item", rows[:2], dry_run=False)
    assert done.written
    assert Item.objects.get(code="NEW-1").supply == "buy" and Item.objects.get(code="STEEL").name == "钢材二"


def test_numbers_are_read_as_people_write_them(house: House) -> None:
    by = house.by("planner")
    row = ItemSite.objects.get(item=house.item("STEEL"))
    cell = {"id": row.id, "version": row.version, "cells": {"safety_stock": "1,234.5"}}
    assert sheet(by, "catalog.item_site", [cell]).rows[0].after["safety_stock"] == "1234.5"
    comma = run(
        by,
        "foundation.change_sheet",
        {"kind": "catalog.item_site", "decimal_comma": True, "rows": [{**cell, "cells": {"safety_stock": "1.234,5"}}]},
    )
    assert comma.rows[0].after["safety_stock"] == "1234.5"
    assert (
        sheet(by, "catalog.item_site", [{**cell, "cells": {"safety_stock": "1,5"}}]).rows[0].errors[0].code
        == "not_a_number"
    )


def test_a_sheet_gives_no_right_nobody_had(house: House, acting: As) -> None:
    """Neither a change without its right, nor another site's row, nor a hidden column, nor one no command changes."""
    steel = house.item("STEEL")
    row = {"id": str(steel.id), "cells": {"name": "x"}}
    buyer = house.by("buyer")
    assert [each.code for each in sheet(buyer, "catalog.item", [row]).rows[0].errors] == ["column_is_read_only"]
    assert sheet(buyer, "catalog.item", [{"cells": {"code": "N", "name": "n"}}]).rows[0].errors[0].code == "no_new_rows"
    blind = replace(engineer(house), masks=frozenset({"catalog.item.name"}), memory={})
    refused = sheet(blind, "catalog.item", [row]).rows[0]
    assert [(each.field, each.code) for each in refused.errors] == [("name", "unknown_field")]
    house.order("ACME", "100", day(20))
    order = SalesOrder.objects.get()
    elsewhere = replace(house.by("sales"), sites=frozenset({uuid7()}), memory={})
    foreign = sheet(elsewhere, "sales.sales_order", [{"id": str(order.id), "cells": {"priority": 1}}]).rows[0]
    assert foreign.before is None and foreign.after is None and foreign.errors[0].code == "not_found"
    none = replace(buyer, rights=frozenset({"foundation.change_sheet"}), memory={})
    status, answer = post(acting(none), "foundation/change_sheet", {"kind": "catalog.item", "rows": [row]})
    assert (status, answer["code"]) == (403, "not_allowed")


def test_five_hundred_lines_with_thirty_seven_bad_ones(house: House) -> None:
    by = engineer(house)
    unit = house.item("MOTOR").base_unit.code
    rows = [
        {
            "cells": {
                "code": f"B-{n:03}",
                "name": "件",
                "supply": "buy",
                "base_unit": "??" if n < 37 else unit,
                "tracking": "none",
            }
        }
        for n in range(500)
    ]
    done = sheet(by, "catalog.item", rows, dry_run=False)
    assert done.error_count == 37 and not done.written
    assert {each.field for row in done.rows for each in row.errors} == {"base_unit"}
    assert not Item.objects.filter(code__startswith="B-").exists()


# -- one command on many ----------------------------------------------------------------------------------------------


def mine(by: Actor, id: str) -> dict[str, Any]:
    found = tasks.one(by.id or uuid7(), UUID(id))
    assert found is not None
    return found


def test_many_are_ordered_each_by_itself_and_told_one_by_one(house: House, acting: As) -> None:
    by = engineer(house)
    steel, motor = house.item("STEEL"), house.item("MOTOR")
    run(by, "catalog.retire_item", {"item": str(motor.id)})
    body = {"command": "catalog.retire_item", "records": [steel.id, motor.id], "body": {"reason": "old"}}
    status, begun = post(acting(by), "foundation/order_many", body)
    assert (status, begun["total"]) == (200, 2)
    assert mine(by, begun["task"])["state"] == "waiting"
    assert tasks.work_here() == 1
    told = acting(by).get(f"/api/foundation/tasks/{begun['task']}").json()
    assert (told["state"], told["done"], told["refused"]) == ("done", 2, 1)
    assert [(each["label"], each["state"], each.get("code")) for each in told["results"]] == [
        ("STEEL", "done", None),
        ("MOTOR", "refused", "already_retired"),
    ]
    assert told["results"][1]["detail"]
    assert Item.objects.get(pk=steel.id).retired_at is not None


def test_a_task_taken_up_again_does_nothing_twice(house: House) -> None:
    by, steel = engineer(house), house.item("STEEL")
    begun = run(by, "foundation.order_many", {"command": "catalog.retire_item", "records": [str(steel.id)]})
    tasks.work_here()
    tasks.Task.objects.filter(id=begun["task"]).update(
        state="running", done=0, results=[], leased_until="2000-01-01T00:00:00Z", ended_at=None
    )
    assert tasks.work_here() == 1
    told = mine(by, begun["task"])
    assert (told["state"], told["refused"], told["results"][0]["state"]) == ("done", 0, "done")
    assert Order.objects.filter(command="catalog.retire_item").count() == 1


def test_all_that_match_are_those_the_person_sees(house: House) -> None:
    by = engineer(house)
    wanted = Item.objects.filter(supply="buy", retired_at=None).count()
    begun = run(by, "foundation.order_many", {"command": "catalog.retire_item", "query": {"supply": "buy"}})
    assert begun["total"] == wanted > 1


def test_a_task_may_no_more_than_its_person_now_and_then(house: House) -> None:
    """A right taken away meanwhile is gone, and one that was not held then is not used."""
    steel = house.item("STEEL")
    by = engineer(house)
    begun = run(by, "foundation.order_many", {"command": "catalog.retire_item", "records": [str(steel.id)]})
    run(
        house.system,
        "access.change_role",
        {"role": str(Role.objects.get(code="engineer").id), "rights": ["catalog.view_*"]},
    )
    tasks.work_here()
    assert mine(by, begun["task"])["results"][0]["code"] == "not_allowed"
    held = {**tasks.held(by), "rights": ["catalog.view_*"]}
    then = tasks._remember(by.id, held)  # type: ignore[misc,arg-type]
    assert then is not None and not then.may("catalog.retire_item")
    assert Item.objects.get(pk=steel.id).retired_at is None


def test_nobody_reads_or_stops_another_persons_task(house: House, acting: As) -> None:
    by, other = engineer(house), house.by("buyer")
    begun = run(
        by, "foundation.order_many", {"command": "catalog.retire_item", "records": [str(house.item("STEEL").id)]}
    )
    client = acting(other)
    assert client.get("/api/foundation/tasks").json()["rows"] == []
    for tail in ("", "/file"):
        assert client.get(f"/api/foundation/tasks/{begun['task']}{tail}").status_code == 404
    assert post(client, "foundation/stop_task", {"task": begun["task"]})[0] == 404
    assert post(acting(by), "foundation/stop_task", {"task": begun["task"]})[1] == {"stopped": True}
    assert tasks.work_here() == 0


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("catalog.create_item", "not_for_many"),
        ("access.set_password", "not_for_many"),
        ("catalog.no_such", "no_such_command"),
        ("access.retire_person", "not_allowed"),
    ],
)
def test_what_is_not_for_many_is_refused(command: str, code: str, house: House, acting: As) -> None:
    by = engineer(house)
    mighty = replace(by, rights=by.rights | {"access.set_password"}, memory={})
    status, answer = post(acting(mighty), "foundation/order_many", {"command": command, "records": [str(uuid7())]})
    assert status >= 400 and answer["code"] == code


# -- files in the background ------------------------------------------------------------------------------------------


def test_an_export_keeps_filter_and_columns_and_hides_what_is_masked(house: House, acting: As) -> None:
    by = replace(engineer(house), masks=frozenset({"catalog.item.name_en"}), memory={})
    body = {"kind": "catalog.item", "format": "csv", "query": {"code": "STEEL", "columns": "name,code,name_en"}}
    status, begun = post(acting(by), "foundation/export_list", body)
    assert (status, begun["total"]) == (200, 1)
    assert acting(by).get(f"/api/foundation/tasks/{begun['task']}/file").status_code == 404
    tasks.work_here()
    answer = acting(by).get(f"/api/foundation/tasks/{begun['task']}/file")
    assert answer["Content-Type"].startswith("text/csv") and "item.csv" in answer["Content-Disposition"]
    head, row = answer.content.decode("utf-8-sig").split()
    assert head.count(",") == 1 and row == f"{house.item('STEEL').name},STEEL"


# -- ways of looking --------------------------------------------------------------------------------------------------


def views(acting: As, by: Actor, where: str = "catalog.item") -> dict[str, Any]:
    return acting(by).get(f"/api/access/views/{where}").json()


def test_a_view_is_ones_own_until_it_is_shared_with_a_role(house: House, acting: As) -> None:
    planner, buyer = house.by("planner"), house.by("buyer")
    role = Role.objects.get(code="buyer")
    recipe = {"filters": {"supply": "buy"}, "sort": "-code", "group": ["supply"]}
    given = {"list_name": "catalog.item", "name": " 外购  件 ", "recipe": recipe}
    saved = run(buyer, "access.save_view", {**given, "first": True})
    assert [(each["name"], each["own"], each["recipe"]) for each in views(acting, buyer)["rows"]] == [
        ("外购 件", True, recipe)
    ]
    assert views(acting, buyer)["first"] == str(saved.id)
    assert views(acting, planner)["rows"] == []
    status, answer = post(acting(planner), "access/save_view", {**given, "role": str(role.id)})
    assert (status, answer["code"]) == (403, "not_your_role")
    mate = access.create_person(house.system, login="mate", name="同事")
    access.assign_role(house.system, person=mate, role=role)
    run(buyer, "access.save_view", {**given, "view": str(saved.id), "role": str(role.id)})
    (shared,) = views(acting, actor_for("mate"))["rows"]
    assert (shared["own"], shared["role"]["id"], shared["owner"]) == (False, str(role.id), buyer.name)
    for command, body in (
        ("access.drop_view", {"view": shared["id"]}),
        ("access.save_view", {**given, "name": "b", "view": shared["id"]}),
    ):
        status, answer = post(acting(actor_for("mate")), command.replace(".", "/"), body)
        assert (status, answer["code"]) == (404, "not_found")
    run(actor_for("mate"), "access.open_with", {"list_name": "catalog.item", "view": shared["id"]})
    assert views(acting, actor_for("mate"))["first"] == shared["id"]
    run(buyer, "access.drop_view", {"view": str(saved.id)})
    assert views(acting, actor_for("mate"))["rows"] == []
    status, answer = post(acting(planner), "access/open_with", {"list_name": "catalog.item", "view": str(saved.id)})
    assert (status, answer["code"]) == (404, "not_found")


def test_two_views_of_one_name_are_refused(house: House, acting: As) -> None:
    by = house.by("buyer")
    given = {"list_name": "catalog.item", "name": "a", "recipe": {}}
    run(by, "access.save_view", given)
    assert post(acting(by), "access/save_view", given)[1]["code"] == "already_taken"
    assert post(acting(by), "access/save_view", {**given, "name": "  "})[1]["field"] == "name"
    assert (
        post(acting(by), "access/save_view", {**given, "name": "b", "recipe": {"x": "y" * 30_000}})[1]["code"]
        == "too_long"
    )


def test_settings_are_kept_with_the_person(house: House, acting: As) -> None:
    by = house.by("buyer")
    post(acting(by), "access/set_preferences", {"density": "compact", "shortcuts": False})
    person = Person.objects.get(pk=by.id)
    assert (person.density, person.shortcuts) == ("compact", False)
    told = acting(by).get("/api/access/me").json()["person"]
    assert (told["density"], told["shortcuts"]) == ("compact", False)
