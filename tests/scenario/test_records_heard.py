"""Lists of master data hear of every change, and only who may see a record hears of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from lianzao.foundation import outbox, registry
from lianzao.foundation.actor import ALL, Actor, system_actor
from lianzao.foundation.command import run
from lianzao.foundation.events import RecordChanged
from lianzao.foundation.hearing import Ear, News, kinds_by_entity, topics_of
from lianzao.foundation.transfer import import_file
from lianzao.values.time import uuid7

pytestmark = pytest.mark.django_db
SYSTEM = system_actor("test of records")


def told() -> list[News]:
    """All news of changed records, as the live line reads it."""
    registry.load()
    kinds = kinds_by_entity()
    rows = outbox.EventRow.objects.filter(name=RecordChanged.wire_name).order_by("id")
    return [
        News(row.id, row.name, row.at, row.site_id, row.payload, row.xid, "", topics_of(row.name, row.payload, kinds))
        for row in rows
    ]


def ear(*rights: str, sites: Any = ALL, partner: UUID | None = None) -> Ear:
    return Ear(Actor(id=uuid7(), name="somebody", sites=sites, rights=frozenset(rights), partner=partner))


def test_a_change_is_told_to_the_record_and_its_list() -> None:
    unit = run(SYSTEM, "catalog.create_unit", {"code": "pc", "name": "件"})
    run(SYSTEM, "catalog.change_unit", {"unit": unit.id, "name": "个"})
    run(SYSTEM, "catalog.change_unit", {"unit": unit.id, "name": "个"})
    run(SYSTEM, "catalog.retire_unit", {"unit": unit.id})
    for news in told():
        assert {"kind:catalog.unit", f"unit:{unit.id}"} <= set(news.topics)
    assert len(told()) == 3  # the second change said what stood there already


def test_a_file_is_told_once_to_the_list_and_a_dry_run_is_not() -> None:
    data = "code,name\nkg,千克\ng,克\n".encode()
    import_file(SYSTEM, kind="catalog.unit", data=data, filename="units.csv", dry_run=True)
    assert told() == []
    import_file(SYSTEM, kind="catalog.unit", data=data, filename="units.csv", dry_run=False)
    import_file(SYSTEM, kind="catalog.unit", data=data, filename="units.csv", dry_run=False)
    assert [news.topics for news in told()] == [("foundation.RecordChanged", "kind:catalog.unit")]


def test_who_may_not_see_a_record_does_not_hear_of_it() -> None:
    site = run(SYSTEM, "access.create_site", {"code": "SZ", "name": "苏州", "time_zone": "Asia/Shanghai"})
    run(SYSTEM, "plant.create_area", {"code": "A", "name": "一车间", "site_id": str(site.id)})
    news = told()[-1]
    assert news.site_id == site.id and f"site:{site.id}" in news.topics
    assert ear("plant.view_area").hears(news)
    assert not ear("plant.view_machine", "foundation.view_order").hears(news)
    assert not ear("plant.*", sites=frozenset({uuid7()})).hears(news)
    assert not ear("plant.*", partner=uuid7()).hears(news)
    assert b'"kind":"plant.area"' in ear("plant.view_area").frame(news)
