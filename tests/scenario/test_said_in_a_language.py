"""What screens say in the language of who looks: people in histories, stories and traces; units behind figures."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

import project.urls  # noqa: F401 - says who asks; before a test says otherwise
from lianzao.access import commands as access
from lianzao.access.models import Person
from lianzao.foundation import http
from lianzao.inventory.models import Lot
from lianzao.overviews import floor, order_360, trace
from lianzao.production import commands as production
from tests.world import House, day, house

__all__ = ["house"]


@pytest.fixture
def named(house: House) -> House:
    """The house, whose sales person and operator have names in both languages."""
    for login, name, name_en in (("sales", "苏晓", "Su Xiao"), ("operator", "高强", "Gao Qiang")):
        access.change_person(house.system, person=Person.objects.get(login=login), name=name, name_en=name_en)
    return house


def test_histories_and_stories_call_people_as_the_reader_does(named: House, monkeypatch: pytest.MonkeyPatch) -> None:
    order = named.order("ACME", "5", day(20))
    line = order.lines.get()

    def get(path: str, language: str) -> Any:
        client = Client(headers={"Authorization": "Bearer test", "Accept-Language": language})
        answer = client.get(path)
        assert answer.status_code == 200, answer.content
        return answer.json()

    monkeypatch.setattr(http, "_identify", lambda request: named.by("planner"))
    for language, name in (("en", "Su Xiao"), ("zh-CN", "苏晓")):
        history = get(f"/api/foundation/history/sales.sales_order/{order.id}", language)
        assert name in {each["actor"]["name"] for each in history}
        story = get(f"/api/foundation/story/{history[-1]['order_id']}", language)
        assert name in {each["actor"]["name"] for each in story}
        reader = replace(named.by("planner"), language=language)
        assert name in {each["actor"]["name"] for each in order_360.stories(reader, [line.id])}


def test_units_are_written_as_the_reader_writes_them(named: House) -> None:
    named.opening("STEEL", "50", "LINE", lot="STEEL-L1")
    order = production.create_work_order(
        named.by("planner"), item=named.item("BODY"), quantity=Decimal(60), due_at=named.system.now, firm=True
    )
    production.release_work_order(named.by("lead"), work_order=order)
    production.report_operation(
        named.by("operator"), operation=order.operations.order_by("sequence")[0], good=Decimal(60)
    )
    sold = named.order("ACME", "5", day(20))
    for language, unit, name in (("en", "pcs", "Gao Qiang"), ("zh-CN", "件", "高强")):
        lead = replace(named.by("lead"), language=language)
        (missing,) = floor.uncovered(lead, named.site_id)
        assert (missing["item"]["code"], missing["item"]["unit"]) == ("STEEL", unit)
        made = trace.trace(lead, Lot.objects.get(number=order.number).id, "back")
        assert {each["unit"] for each in made["edges"]} == {unit}
        assert name in {one for each in made["edges"] for one in each["persons"]}
        sales = replace(named.by("sales"), language=language)
        assert {each["unit"] for each in order_360.order_360(sales, sold.id)["lines"]} == {unit}
