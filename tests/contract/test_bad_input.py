"""Whatever is sent: a plain sentence in the reader's language naming the field, never a bug, nothing half-written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client

from lianzao.foundation import http, registry
from lianzao.foundation.actor import ALL, Actor
from lianzao.foundation.command import Command
from lianzao.foundation.resource import Resource
from lianzao.values.time import uuid7
from tests.hostile import KEPT, Plant, Wrong, nested, surrogate_safe, wrong_values
from tests.recorder import Recorder
from tests.scenario.test_demo import built, works

registry.load()
import_module("project.urls")
COMMANDS = sorted(
    (each for each in registry.COMMANDS.values() if each.room in registry.rooms()), key=lambda each: each.key
)
BY = Actor(id=uuid7(), name="somebody", sites=ALL, rights=frozenset({"*"}), language="en")
__all__ = ["built", "works"]
#: A fact of a sentence that nobody filled in.
UNFILLED = re.compile(r"\{[a-z_]+\}")


class _TakenBack(Exception):
    """Ends a try: whatever was written is taken back."""


def sent(
    client: Client, command: Command[Any, Any], body: dict[str, Any], look: Callable[[], None] | None = None
) -> Any:
    """What a command answers; `look` may see what it wrote before that is taken back."""
    try:
        with transaction.atomic():
            answer = client.post(
                f"/api/{command.room}/{command.name}", surrogate_safe(body), content_type="application/json"
            )
            if look is not None:
                look()
            raise _TakenBack
    except _TakenBack:
        return answer


def faults(command: Command[Any, Any], body: dict[str, Any], field: str, wrong: Wrong, answer: Any) -> Iterator[str]:
    """What is not as it should be in an answer to a wrong body."""
    where = f"{command.key}.{field} = {wrong.what}"
    if answer.status_code >= 500:
        yield f"{where}: {answer.status_code} {answer.content[:300]!r}"
        return
    if answer.status_code == 200:
        if wrong.refused:
            yield f"{where}: taken, {answer.content[:200]!r}"
        return
    told = answer.json()
    if answer["Content-Type"] != "application/problem+json" or not told.get("detail"):
        yield f"{where}: no problem+json {answer.content[:200]!r}"
        return
    if told["detail"].startswith("error.") or UNFILLED.search(told["detail"]):
        yield f"{where}: no words for {told['code']}: {told['detail']}"
    if wrong.refused and answer.status_code == 422 and not _names(told, field):
        yield f"{where}: {told['code']} names {told.get('field')} instead"


def _names(told: dict[str, Any], field: str) -> bool:
    said = str(told.get("field", ""))
    return field in said.split(".") or said == field


def rows_written() -> tuple[Any, ...]:
    """How many orders and events there are: a refusal leaves neither."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM foundation_order), (SELECT count(*) FROM foundation_event)")
        return cursor.fetchall()[0]


def cases(command: Command[Any, Any], plant: Plant) -> Iterator[tuple[str, dict[str, Any], Wrong]]:
    """Every wrong body of a command: field, body, what is wrong with it."""
    good = plant.body(command)
    yield "no_such_field", {**good, "no_such_field": 1}, Wrong("unknown field", 1)
    for each in command.parameters:
        if each.required:
            yield each.name, {name: value for name, value in good.items() if name != each.name}, Wrong("missing", None)
        for wrong in wrong_values(each):
            yield each.name, {**good, each.name: wrong.value}, wrong
        for inner, value, wrong in nested(each, plant):
            yield inner, {**good, each.name: value}, wrong


@pytest.mark.parametrize("room", sorted({each.room for each in COMMANDS}))
def test_no_bad_input_is_taken_or_is_a_bug(
    room: str, works: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each parameter of each command of a room, wrong in every way, the rest of the body as it should be."""
    monkeypatch.setattr(http, "_identify", lambda request: BY)
    client = Client(headers={"Authorization": "Bearer test"})
    plant = Plant()
    before = rows_written()
    found: list[str] = []
    tried = 0
    for command in COMMANDS:
        if command.room != room:
            continue
        for field, body, wrong in cases(command, plant):
            answer = sent(client, command, body)
            tried += 1
            found.extend(faults(command, body, field, wrong, answer))
    assert rows_written() == before
    # The demo plant is larger than the tests the counts were pinned with; that a trial is audited still counts.
    assert [each for each in recorder.taken_faults() if "statements" not in each] == []
    print(f"{room}: {tried} wrong bodies")
    assert not found, f"{len(found)} of {tried}:\n" + "\n".join(found[:200])


# -- questions --------------------------------------------------------------------------------------------------------

RESOURCES = sorted(registry.RESOURCES.values(), key=lambda each: each.kind)
HOSTILE = ("\x00", "a\x00b", "' OR 1=1 --", "%_\\", "9" * 23, "1e400", "NaN", "-0", "\u202e", "٣", "x" * 600)
LOOKUPS = ("", "__gte", "__lt", "__in", "__contains", "__ne", "__isnull", "__regex", "__year", "__id__gt")


@pytest.mark.django_db
@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.kind)
def test_no_question_to_a_list_is_a_bug(resource: Resource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_identify", lambda request: BY)
    client = Client(headers={"Authorization": "Bearer test"})
    path = f"/api/{resource.room}/{resource.entity}"
    ways = [f"{name}{lookup}" for name in resource.column_names for lookup in LOOKUPS]
    asked = [(way, HOSTILE[(turn + step) % len(HOSTILE)]) for turn, way in enumerate(ways) for step in (0, 4)]
    asked += [("q", value) for value in HOSTILE]
    asked += [(name, value) for name in ("offset", "limit", "sort") for value in (*HOSTILE, "-1", "1.5", "id,-id")]
    asked += [
        ("created_by__login", "x"),
        ("id__in", ","),
        ("id__in", "," * 400),
        ("columns", "\x00"),
        ("language", "\x00"),
    ]
    found = []
    for name, value in asked:
        answer = client.get(path, {name: value})
        if answer.status_code not in (200, 422):
            found.append(f"{name}={value!r}: {answer.status_code}")
        elif answer.status_code == 422 and not answer.json().get("field"):
            found.append(f"{name}={value!r}: {answer.json()['code']} names no field")
    assert found == []
    assert client.get(f"{path}/export", {"format": "exe"}).status_code == 422
    for id in ("17", "..%2f..%2fetc%2fpasswd", "%00", "x" * 300):
        assert client.get(f"{path}/{id}").status_code == 404


# -- bodies -----------------------------------------------------------------------------------------------------------

UNIT = "/api/catalog/create_unit"


@pytest.fixture
def client(db: None, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(http, "_identify", lambda request: BY)
    return Client(headers={"Authorization": "Bearer test"})


def post(client: Client, data: bytes, path: str = UNIT, **headers: Any) -> Any:
    return client.post(path, data, content_type="application/json", **headers)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"code": NaN}',
        b"[" * 100_000,
        b'{"code": ' + b'{"a": ' * 5_000 + b"1" + b"}" * 5_000 + b"}",
        b'{"code": ' + b"9" * 5_000 + b"}",
    ],
    ids=["empty", "cut", "null", "list", "text", "no utf-8", "NaN", "deep list", "deep object", "long number"],
)
def test_a_body_that_is_no_order_is_refused_in_words(client: Client, data: bytes) -> None:
    answer = post(client, data)
    assert answer.status_code == 422, answer.content
    told = answer.json()
    assert told["code"] in ("malformed", "field_missing", "not_a_text") and told["field"] in ("body", "code")
    assert "error." not in told["detail"]


def test_ten_megabytes_are_too_much_and_the_answer_says_how_much_is_not(client: Client) -> None:
    answer = post(client, b'{"code": "' + b"x" * (10 * 1024 * 1024) + b'"}')
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert "10 MB" in answer.json()["detail"]


@pytest.mark.parametrize("header", ["not-an-id", "\x00", "0" * 5000, "{}"])
def test_an_order_id_that_is_none_is_refused(client: Client, header: str) -> None:
    answer = post(client, b'{"code": "kg", "name": "kg"}', HTTP_IDEMPOTENCY_KEY=header)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "not_an_id", "Idempotency-Key")


@pytest.mark.parametrize("header", ["x", "-1", "1.5", "²", "9" * 5000])
def test_a_version_that_is_none_is_refused(client: Client, header: str) -> None:
    answer = post(client, b'{"unit": "%s"}' % str(uuid7()).encode(), "/api/catalog/retire_unit", HTTP_IF_MATCH=header)
    assert (answer.status_code, answer.json()["field"]) == (422, "If-Match"), answer.content


def test_hostile_text_is_kept_as_it_is_and_asked_for_as_text(client: Client) -> None:
    for number, text in enumerate(KEPT):
        body = surrogate_safe({"code": f"U{number}", "name": text})
        assert post(client, body).status_code == 200, text
        row = client.get("/api/catalog/unit", {"code": f"U{number}"}).json()["rows"][0]
        assert row["name"] == text
        assert client.get("/api/catalog/unit", {"q": text}).status_code == 200
        found = client.get("/api/catalog/unit", {"name__contains": text}).json()
        assert [each["code"] for each in found["rows"]] == [f"U{number}"]


def test_a_refusal_speaks_the_readers_language_and_calls_the_field_by_its_name(client: Client) -> None:
    body = surrogate_safe({"code": "kg", "name": "\x07"})
    english = post(client, body, HTTP_ACCEPT_LANGUAGE="en").json()
    chinese = post(client, body, HTTP_ACCEPT_LANGUAGE="zh-CN").json()
    assert english["field"] == chinese["field"] == "name"
    assert english["detail"] == "“Name” contains control characters that cannot be printed; remove them and try again."
    assert chinese["detail"] == "“名称”含有不能打印的控制字符，请删去后再试。"


def test_a_wrong_line_is_named_by_its_row(works: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_identify", lambda request: BY)
    client = Client(headers={"Authorization": "Bearer test"})
    command = registry.COMMANDS["sales.enter_order"]
    body = Plant().body(command)
    body["lines"] = [body["lines"][0], {**body["lines"][0], "quantity": "1.0000001"}]
    told = client.post(
        "/api/sales/enter_order", surrogate_safe(body), content_type="application/json", HTTP_ACCEPT_LANGUAGE="en"
    ).json()
    assert (told["code"], told["field"], told["row"]) == ("too_precise", "lines.quantity", 2)
    assert told["detail"].startswith('Row 2: "Quantity"')


def test_what_the_house_writes_is_no_page_and_no_script(client: Client) -> None:
    """Text of users goes out as JSON with its type fixed, and a file by its name only."""
    answer = client.get("/api/catalog/unit", {"q": "<script>"})
    assert answer["Content-Type"] == "application/json" and answer["X-Content-Type-Options"] == "nosniff"
    refused = client.get("/api/catalog/unit", {"<script>": "1"})
    assert refused["Content-Type"] == "application/problem+json"
    assert client.get("/api/catalog/unit/export")["Content-Disposition"] == 'attachment; filename="unit.csv"'


def test_an_upload_that_is_none_is_refused(client: Client) -> None:
    path = "/api/foundation/import"
    assert client.post(path, {"kind": "catalog.unit"}).json()["field"] == "file"
    for data, kind in (
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"x", "multipart/form-data"),
        (b"{}", "application/json"),
    ):
        answer = client.post(path, data, content_type=kind)
        assert answer.status_code == 422, (kind, answer.content)
    many = {f"field{number}": "x" for number in range(1_500)}
    assert client.post(path, many).status_code == 422
    file = SimpleUploadedFile("a.csv", b"code,name\nx,y\n")
    for mapping in (
        "{",
        "[]",
        "5",
        '{"fields": 5}',
        '{"fields": {"code": 5}}',
        '{"key": 5}',
        '{"parts": []}',
        "[" * 50_000,
    ):
        answer = client.post(path, {"kind": "catalog.unit", "file": file, "mapping": mapping})
        file.seek(0)
        assert answer.status_code == 422 and answer.json()["field"].startswith("mapping"), (
            mapping[:20],
            answer.content,
        )
    assert client.post(path, {"kind": "no\x00.such", "file": file}).status_code in (404, 422)
