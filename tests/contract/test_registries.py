"""What every entity, command and event gets from its declaration, tested for all of them alike."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from lianzao.foundation import http, meta, registry, words
from lianzao.foundation.actor import ALL, Actor
from lianzao.foundation.command import Command
from lianzao.foundation.resource import Resource
from lianzao.values.time import uuid7

pytestmark = pytest.mark.django_db

registry.load()
import_module("project.urls")  # wires who is who, before a test says it otherwise
ADMIN = Actor(id=uuid7(), name="administrator", sites=ALL, rights=frozenset({"*"}), language="en")
NOBODY_RIGHTS = Actor(id=uuid7(), name="new hire", sites=ALL, rights=frozenset(), language="en")
FOREIGN = Actor(id=uuid7(), name="elsewhere", sites=frozenset({uuid7()}), rights=frozenset({"*"}), language="en")
PARTNER = Actor(
    id=uuid7(), name="supplier", kind="partner", sites=ALL, partner=uuid7(), rights=frozenset({"*"}), language="en"
)
OURS = registry.rooms()


def in_house(room: str) -> bool:
    return room in OURS


RESOURCES = sorted((each for each in registry.RESOURCES.values()), key=lambda each: each.kind)
COMMANDS = sorted((each for each in registry.COMMANDS.values() if in_house(each.room)), key=lambda each: each.key)
EVENTS = sorted(name for name in registry.EVENTS if in_house(name.partition(".")[0]))

As = Callable[[Actor | None], Client]


@pytest.fixture
def acting(monkeypatch: pytest.MonkeyPatch) -> Iterator[As]:
    """A client whose requests are an actor's; nobody's without one. Tokens need no CSRF, so the header is a token's."""

    def client(actor: Actor | None) -> Client:
        monkeypatch.setattr(http, "_identify", lambda request: actor)
        return Client(headers={"Authorization": "Bearer test"})

    yield client


# -- words ------------------------------------------------------------------------------------------------------------


def untranslated(told: Any, path: str = "") -> Iterator[str]:
    """Titles that are keys instead of words."""
    if isinstance(told, dict):
        title = told.get("title")
        if isinstance(title, str) and (title == "" or ("." in title and " " not in title and title.lower() == title)):
            yield f"{path}: {title}"
        for name, value in told.items():
            yield from untranslated(value, f"{path}/{name}")
    elif isinstance(told, list):
        for place, value in enumerate(told):
            yield from untranslated(value, f"{path}[{value.get('name', place) if isinstance(value, dict) else place}]")


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.kind)
def test_every_column_has_words_in_both_languages(resource: Resource) -> None:
    for language in words.LANGUAGES:
        assert list(untranslated(meta.told(ADMIN, resource, language), resource.kind)) == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.key)
def test_every_command_has_words_and_a_manual(command: Command[Any, Any]) -> None:
    assert len(command.manual) > 10
    for language in words.LANGUAGES:
        assert list(untranslated(meta.told_command(command, language), command.key)) == []


def test_every_event_has_words() -> None:
    missing = [name for name in EVENTS if not words.known(f"event.{name.partition('.')[2]}")]
    assert missing == []


def test_every_event_holds_ids_and_facts_only() -> None:
    for name in EVENTS:
        cls = registry.EVENTS[name]
        assert cls.__dataclass_params__.frozen, name
        assert all("models" not in str(field.type) for field in dataclasses.fields(cls)), name


def test_every_error_raised_in_the_house_has_words() -> None:
    import re
    from pathlib import Path

    raised: set[tuple[str, str]] = set()
    kinds = "DomainError|Invalid|RuleBroken|Conflict|NotFound|NotAllowed|NotKnown"
    pattern = re.compile(rf"\b(?:{kinds})\(\s*\"([a-z_]+)\"")
    for path in Path(words.HOUSE).rglob("*.py"):
        raised |= {(path.name, code) for code in pattern.findall(path.read_text("utf-8"))}
    assert sorted(each for each in raised if not words.known(f"error.{each[1]}")) == []


def test_no_word_is_empty_and_chinese_is_chinese() -> None:
    for key, (zh, en) in words.catalogue().items():
        assert zh.strip() and en.strip(), key
        assert not any("\u4e00" <= char <= "\u9fff" for char in en), key


# -- lists ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.kind)
def test_a_list_is_read_filtered_searched_sorted_and_exported(resource: Resource, acting: As) -> None:
    client = acting(ADMIN)
    path = f"/api/{resource.room}/{resource.entity}"
    with CaptureQueriesContext(connection) as seen:
        answer = client.get(path, {"limit": 50})
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert set(body) == {"rows", "total", "offset", "limit"}
    assert len(seen.captured_queries) <= 2, [each["sql"] for each in seen.captured_queries]
    assert client.get(path, {"q": "轴 x1"}).status_code == 200
    for name in resource.column_names:
        if meta.field_type(resource.field(name)) not in ("json", "list"):
            assert client.get(path, {"sort": f"-{name}"}).status_code == 200, name
    for name in resource.filter_names:
        assert client.get(path, {f"{name}__isnull": "true"}).status_code == 200, name
        assert client.get(path, {name: "\x00"}).status_code in (200, 422), name
    assert client.get(path, {"no_such_column": "1"}).status_code == 422
    assert client.get(path, {"sort": "no_such_column"}).status_code == 422
    assert client.get(path, {"limit": "100000"}).status_code == 422
    assert client.get(f"{path}/groups").json()["total"]["count"] == body["total"]
    for name in resource.column_names:
        wanted = 422 if meta.field_type(resource.field(name)) in ("json", "list") else 200
        answer = client.get(f"{path}/groups", {"by": name})
        assert answer.status_code == wanted, (name, answer.content)
        if wanted == 200:
            assert sum(each["count"] for each in answer.json()["groups"]) == body["total"], name
    for form in ("csv", "xlsx"):
        assert client.get(f"{path}/export", {"format": form}).status_code == 200
    assert client.get(f"{path}/{uuid7()}").status_code == 404


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.kind)
def test_a_list_is_refused_without_its_right(resource: Resource, acting: As) -> None:
    path = f"/api/{resource.room}/{resource.entity}"
    for tail in ("", "/groups", "/export", f"/{uuid7()}"):
        assert acting(None).get(path + tail).status_code == 401
        answer = acting(NOBODY_RIGHTS).get(path + tail)
        assert answer.status_code == 403 and answer.json()["code"] == "not_allowed"
        assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.kind)
def test_a_foreign_site_and_a_foreign_partner_see_no_row(resource: Resource, acting: As) -> None:
    path = f"/api/{resource.room}/{resource.entity}"
    if resource.site is not None:
        body = acting(FOREIGN).get(path).json()
        assert (body["rows"], body["total"]) == ([], 0)
        assert acting(FOREIGN).get(f"{path}/groups").json()["total"]["count"] == 0
    answer = acting(PARTNER).get(path)
    if resource.partner != "*":
        assert answer.status_code in (200, 403)
        if answer.status_code == 200:
            assert (answer.json()["rows"], answer.json()["total"]) == ([], 0)


# -- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.key)
def test_a_command_is_refused_to_nobody_and_malformed(command: Command[Any, Any], acting: As) -> None:
    path = f"/api/{command.room}/{command.name}"
    if any(each.required for each in command.parameters):
        answer = acting(ADMIN).post(path, {}, content_type="application/json")
        assert answer.status_code == 422, answer.content
        assert answer.json()["code"] == "field_missing" and answer.json()["field"]
    answer = acting(ADMIN).post(path, {"no_such_field": 1}, content_type="application/json")
    assert answer.status_code == 422 and answer.json()["code"] in ("unknown_field", "field_missing")
    assert acting(ADMIN).post(path, "{", content_type="application/json").status_code in (400, 422)
    if not any(each.required for each in command.parameters):
        assert acting(None).post(path, {}, content_type="application/json").status_code == 401
        assert acting(NOBODY_RIGHTS).post(path, {}, content_type="application/json").status_code == 403


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.key)
def test_a_command_names_nobody_it_cannot_find(command: Command[Any, Any], acting: As) -> None:
    """A first entity that does not exist is a 404 that names its kind, never a 500."""
    first = next(
        (each for each in command.parameters if each.entity is not None and not each.many and each.required), None
    )
    others = [each for each in command.parameters if each.required and each is not first]
    if first is None or others:
        return
    answer = acting(ADMIN).post(
        f"/api/{command.room}/{command.name}", json.dumps({first.name: str(uuid7())}), content_type="application/json"
    )
    assert answer.status_code == 404, answer.content
    assert answer.json()["code"] == "not_found"


# -- the whole --------------------------------------------------------------------------------------------------------


def test_the_openapi_document_names_every_command_and_list(acting: As) -> None:
    document = acting(ADMIN).get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for command in COMMANDS:
        assert f"/api/{command.room}/{command.name}" in document["paths"], command.key
    for resource in RESOURCES:
        assert f"/api/{resource.room}/{resource.entity}" in document["paths"], resource.kind


def test_meta_is_limited_to_the_viewers_rights(acting: As) -> None:
    assert acting(NOBODY_RIGHTS).get("/api/meta").json()["resources"] == {}
    whole = acting(ADMIN).get("/api/meta").json()
    assert set(whole["resources"]) == {each.kind for each in RESOURCES}
    assert {each.key for each in COMMANDS} <= set(whole["commands"])


def test_every_room_says_what_it_is_for() -> None:
    import importlib

    for room in OURS:
        text = importlib.import_module(f"lianzao.{room}").__doc__ or ""
        assert 2 <= len(text.strip().splitlines()) <= 12, room
        assert words.known(f"room.{room}"), room


# -- what screens are told --------------------------------------------------------------------------------------------


def test_meta_says_plurals_what_a_command_makes_and_what_plain_ids_are(acting: As) -> None:
    whole = acting(ADMIN).get("/api/meta", {"language": "en"}).json()
    kinds, commands = whole["resources"], whole["commands"]
    assert kinds["catalog.unit_conversion"]["titles"].endswith("s")
    assert all(each["titles"] for each in kinds.values())
    makers = {key: each["makes"] for key, each in commands.items() if each["makes"]}
    assert makers["catalog.create_item"] == "catalog.item"
    assert makers["sales.enter_order"] == "sales.sales_order"
    assert "sales.confirm_order" not in makers  # answers with the order it is about
    assert set(makers.values()) <= set(registry.RESOURCES)
    person = {each["name"]: each for each in kinds["access.person"]["columns"]}
    assert (person["partner_id"]["type"], person["partner_id"]["kind"]) == ("ref", "parties.party")
    given = {each["name"]: each for each in commands["access.create_person"]["params"]}
    assert (given["partner_id"]["type"], given["partner_id"]["kind"]) == ("ref", "parties.party")


def test_plain_ids_name_kinds_that_exist() -> None:
    for resource in RESOURCES:
        for name, kind in getattr(resource.model, "REFERENCES", {}).items():
            assert resource.field(name) is not None and kind in registry.RESOURCES, resource.kind


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_every_step_of_a_story_has_words(language: str) -> None:
    """Commands by their titles; what handlers write and who acts for the system, by the story or its room."""
    for key in (*registry.COMMANDS, *registry.HANDLERS):
        if not in_house(key.partition(".")[0]):
            continue
        assert meta.order_title(key, language) != key
        assert meta.system_title(key, language) != key
    assert meta.order_title("catalog.create_item", "en") == "New item"
