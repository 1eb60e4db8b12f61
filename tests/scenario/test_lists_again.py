"""A list or record asked again, with other values or by others, answers what it should and is not compiled anew."""

from __future__ import annotations

from typing import Any

import pytest

from lianzao.access.models import Site
from lianzao.catalog.models import Item, ItemSite
from lianzao.foundation import fetching, lists, registry
from lianzao.foundation.actor import ALL, Actor, system_actor
from lianzao.foundation.command import run
from lianzao.values.errors import NotFound
from lianzao.values.time import uuid7

pytestmark = pytest.mark.django_db
NOBODY = uuid7()


@pytest.fixture
def by(db: None) -> Actor:
    """Everybody's actor, in a house with two sites and five items, of which two are kept at each site."""
    registry.load()
    by = system_actor("test")
    unit = run(by, "catalog.create_unit", {"code": "pc", "name": "件"})
    for number in range(2):
        run(by, "access.create_site", {"code": f"S{number}", "name": f"厂{number}", "time_zone": "Asia/Shanghai"})
    for number in range(5):
        item = run(by, "catalog.create_item", {
            "code": f"I{number}", "name": f"件{number}", "base_unit": str(unit.id),
            "supply": "make" if number % 2 else "buy", "tracking": "lot",
        })  # fmt: skip
        if number < 4:
            site = Site.objects.get(code=f"S{number % 2}")
            run(by, "catalog.create_item_site", {
                "item": str(item.id), "site_id": str(site.id), "standard_cost": f"{number}.50",
            })  # fmt: skip
    return by


def at_site(code: str) -> Actor:
    """Somebody who may see everything of one site."""
    site = Site.objects.get(code=code).id
    return Actor(id=NOBODY, name="x", sites=frozenset({site}), rights=frozenset({"*"}), site=site)


def codes(by: Actor, kind: str, **query: str) -> list[Any]:
    """The codes of a page's items, with its total."""
    page = lists.listing(by, registry.RESOURCES[kind], query)
    return [page["total"], *(row["code"] if "code" in row else row["item"]["code"] for row in page["rows"])]


def test_other_values_of_the_same_filter_find_other_rows(by: Actor) -> None:
    ids = list(Item.objects.order_by("code").values_list("id", flat=True))
    for number, id in enumerate(ids[:4]):
        assert codes(by, "catalog.item_site", item=str(id)) == [1, f"I{number}"]
        before = dict(fetching._kept)
        assert codes(by, "catalog.item_site", item=str(ids[4])) == [0]
        assert fetching._kept.keys() == before.keys(), "the same shape was compiled twice"
    assert codes(by, "catalog.item_site", standard_cost__gte="2.5") == [2, "I2", "I3"]
    assert codes(by, "catalog.item_site", standard_cost__gte="0.5") == [4, "I0", "I1", "I2", "I3"]


def test_values_that_are_few_are_told_apart(by: Actor) -> None:
    assert codes(by, "catalog.item", supply="make") == [2, "I1", "I3"]
    assert codes(by, "catalog.item", supply="buy") == [3, "I0", "I2", "I4"]
    assert codes(by, "catalog.item", supply__ne="buy") == [2, "I1", "I3"]
    assert codes(by, "catalog.item", supply="buy,make", sort="-code") == [5, "I4", "I3", "I2", "I1", "I0"]
    assert codes(by, "catalog.item", retired_at__isnull="0") == [0]
    assert codes(by, "catalog.item") == [5, "I0", "I1", "I2", "I3", "I4"]
    assert codes(by, "catalog.item", q="I3") == [1, "I3"]
    assert codes(by, "catalog.item", q="I4") == [1, "I4"]


def test_a_page_knows_the_total_of_all_pages(by: Actor) -> None:
    assert codes(by, "catalog.item", limit="2") == [5, "I0", "I1"]
    assert codes(by, "catalog.item", limit="2", offset="4") == [5, "I4"]
    assert codes(by, "catalog.item", limit="2", offset="6") == [5]


def test_what_one_person_asked_does_not_widen_what_another_sees(by: Actor) -> None:
    assert codes(by, "catalog.item_site") == [4, "I0", "I1", "I2", "I3"]
    assert codes(at_site("S0"), "catalog.item_site") == [2, "I0", "I2"]
    assert codes(at_site("S1"), "catalog.item_site") == [2, "I1", "I3"]
    nowhere = Actor(id=NOBODY, name="x", sites=frozenset(), rights=frozenset({"*"}))
    assert codes(nowhere, "catalog.item_site") == [0]
    partner = Actor(id=NOBODY, name="x", sites=ALL, rights=frozenset({"*"}), partner=uuid7())
    assert codes(partner, "catalog.item_site") == [0]


def test_records_are_found_by_their_own_id_and_scope(by: Actor) -> None:
    resource = registry.RESOURCES["catalog.item_site"]
    ids = {row["item"]["code"]: row["id"] for row in lists.listing(by, resource, {})["rows"]}
    for code, id in ids.items():
        assert lists.record(by, resource, id)["row"]["item"]["code"] == code
    assert lists.record(at_site("S0"), resource, ids["I2"])["row"]["item"]["code"] == "I2"
    with pytest.raises(NotFound):
        lists.record(at_site("S0"), resource, ids["I1"])


def test_a_command_of_another_does_not_reach_what_the_first_one_did(by: Actor) -> None:
    first, second = at_site("S0"), at_site("S1")
    kept = {each.site_id: each for each in ItemSite.objects.order_by("item__code")}
    for who, other in ((first, second), (second, first), (first, second)):
        assert who.site is not None and other.site is not None
        body = {"item_site": str(kept[who.site].id), "standard_cost": "9"}
        run(who, "catalog.change_item_site", body)
        with pytest.raises(NotFound):
            run(other, "catalog.change_item_site", body)
    before = dict(fetching._kept)
    run(
        first,
        "catalog.change_item_site",
        {"item_site": str(kept[Site.objects.get(code="S0").id].id), "standard_cost": "8"},
    )
    assert fetching._kept.keys() == before.keys(), "the same fetch was compiled twice"


def test_records_that_match_are_found_again_with_other_values(by: Actor) -> None:
    items = {item.code: item for item in Item.objects.all()}
    assert [item.code for item in fetching.matching(Item, "-code", supply="buy")] == ["I4", "I2", "I0"]
    before = dict(fetching._kept)
    assert [item.code for item in fetching.matching(Item, "-code", supply="make")] == ["I3", "I1"]
    assert fetching.matching(Item, "-code", supply="nothing of the kind") == []
    assert fetching._kept.keys() == before.keys(), "the same shape was compiled twice"
    # The same text, and the same object, for two columns; a missing value is a shape of its own.
    same = "I1"
    assert fetching.matching(Item, code=same, name=same) == []
    assert [item.code for item in fetching.matching(Item, code="I1", name="件1")] == ["I1"]
    assert len(fetching.matching(Item, retired_at=None, base_unit_id=items["I0"].base_unit_id)) == 5
    assert fetching.matching(Item, group_id=None, id=items["I2"].id) == [items["I2"]]
    with pytest.raises(TypeError):
        fetching.matching(Item, code__in="I1")


def test_records_that_match_come_with_what_they_point_to(by: Actor, django_assert_num_queries: Any) -> None:
    site = Site.objects.get(code="S0")
    with django_assert_num_queries(1):
        kept = fetching.matching(ItemSite, "id", along="item", lock=True, site_id=site.id, backflush=False)
        assert [(each.item.code, str(each.standard_cost)) for each in kept] == [("I0", "0.500000"), ("I2", "2.500000")]
    assert not kept[0]._state.adding and not kept[0].item._state.adding
    assert [each.group for each in fetching.matching(Item, "code", along="group", code="I0")] == [None]
    assert not fetching.matching(ItemSite, "id", along="item", lock=True, site_id=site.id, backflush=True)
