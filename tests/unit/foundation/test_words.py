"""Words for many: the catalogue's, by English rule, and in Chinese the same."""

from __future__ import annotations

import pytest

from lianzao.foundation import words


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("Item", "Items"),
        ("Party", "Parties"),
        ("Purchase day", "Purchase days"),
        ("Bill of materials", "Bills of materials"),
        ("Box", "Boxes"),
        ("Branch", "Branches"),
        ("Shipment notice (ASN)", "Shipment notices (ASN)"),
        ("Reason for scrap", "Reasons for scrap"),
    ],
)
def test_plurals_by_rule(monkeypatch: pytest.MonkeyPatch, one: str, many: str) -> None:
    monkeypatch.setattr(words, "catalogue", lambda: {"room.thing": ("东西", one)})
    assert words.plural("room.thing", "en") == many
    assert words.plural("room.thing", "zh-CN") == "东西"


def test_the_catalogue_knows_better(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"room.thing": ("人", "Person"), "room.thing.plural": ("人员", "People")}
    monkeypatch.setattr(words, "catalogue", lambda: said)
    assert [words.plural("room.thing", language) for language in words.LANGUAGES] == ["人员", "People"]
