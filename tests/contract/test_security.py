"""What every answer and every order owes to security, whichever room it comes from: headers, cookies, CSRF, methods."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest
from django.test import Client

from lianzao.access import commands as access
from lianzao.foundation import http, registry
from project import pages
from tests.contract.test_bad_input import COMMANDS, RESOURCES
from tests.hostile import Plant
from tests.scenario.access.conftest import PASSWORD, SYSTEM, Door, door

__all__ = ["door"]
registry.load()
import_module("project.urls")
SESSION = "lianzao_session"


def directives(policy: str) -> dict[str, list[str]]:
    """A content security policy as data."""
    return {name: rest.split() for name, _, rest in (each.strip().partition(" ") for each in policy.split(";") if each)}


# -- headers ----------------------------------------------------------------------------------------------------------


def test_every_answer_has_the_headers_that_keep_browsers_careful(door: Door) -> None:
    browser = door.log_in("root")
    answers = {
        "a list": browser.get("catalog/item"),
        "a file": browser.get("catalog/item/export?format=csv"),
        "not found": browser.get("catalog/no_such_thing"),
        "refused": browser.get("catalog/item?no_such_filter=1"),
        "nobody": Client().get("/api/catalog/item"),
        "login": browser.answer,
        "a page": browser.client.get("/"),
        "no page": browser.client.get("/assets/nothing.js"),
        "wrong method": browser.client.delete("/api/catalog/item"),
        "health": browser.client.get("/healthz"),
    }
    for what, answer in answers.items():
        assert answer["X-Content-Type-Options"] == "nosniff", what
        assert answer["X-Frame-Options"] == "DENY", what
        assert answer["Referrer-Policy"] == "same-origin", what
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin", what
        assert "geolocation=()" in answer["Permissions-Policy"], what
        assert re.fullmatch("[0-9a-f]{32}", answer["X-Trace-Id"]), what
        policy = directives(answer["Content-Security-Policy"])
        assert policy["frame-ancestors"] == policy["object-src"] == ["'none'"], what
        assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == ["'self'"], what
        scripts = policy.get("script-src", policy["default-src"])
        assert "'self'" in scripts and not {"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:", "data:"} & set(
            scripts
        )
        assert "Server" not in answer and "X-Powered-By" not in answer, what
        assert answer["Content-Type"].partition(";")[0] != "application/octet-stream", what


def test_nothing_of_the_api_is_kept_by_caches(door: Door) -> None:
    browser = door.log_in("root")
    for path in ("catalog/item", "access/me", "meta", "catalog/item/export?format=xlsx", "no/such"):
        assert browser.get(path)["Cache-Control"] == "no-store", path


def test_the_pages_policy_differs_by_what_code_readers_need_and_no_more() -> None:
    page, house = directives(pages.POLICY), directives(http.HEADERS["Content-Security-Policy"])
    assert page.pop("script-src") == ["'self'", "'wasm-unsafe-eval'"]
    assert page.pop("worker-src") == page.pop("media-src") == ["'self'", "blob:"]
    assert page == house


def test_no_other_origin_is_invited(door: Door) -> None:
    for method in ("get", "options"):
        answer = getattr(door.log_in("root").client, method)(
            "/api/catalog/item", HTTP_ORIGIN="https://evil.example", HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST"
        )
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_a_foreign_host_name_is_refused(db: None, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["mes.example"]
    for path in ("/api/access/me", "/", "/healthz"):
        refused = Client(HTTP_HOST="evil.example").get(path)
        assert (refused.status_code, refused.json()["code"]) == (421, "host_unknown"), path
    assert Client(HTTP_HOST="mes.example").get("/api/access/me").status_code == 401


# -- cookies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "said", "secure"),
    [
        ("127.0.0.1", "https", True),
        ("127.0.0.1", "http", False),
        ("127.0.0.1", "", False),
        ("203.0.113.7", "https", False),
    ],
)
def test_the_session_cookie_is_for_https_alone_where_there_is_https(
    door: Door, peer: str, said: str, secure: bool
) -> None:
    """Only our own front door is believed when it says that the browser spoke HTTPS."""
    answer = door.log_in("root", REMOTE_ADDR=peer, HTTP_X_FORWARDED_PROTO=said).answer
    cookie = answer.cookies[SESSION]
    assert (bool(cookie["secure"]), cookie["httponly"], cookie["samesite"], cookie["path"]) == (
        secure,
        True,
        "Lax",
        "/",
    )
    assert cookie["domain"] == ""
    csrf = answer.cookies["csrftoken"]
    assert (bool(csrf["secure"]), csrf["samesite"], bool(csrf["httponly"])) == (secure, "Lax", False)


def test_a_session_is_new_with_every_login_and_a_planted_one_is_worth_nothing(door: Door) -> None:
    planted = Client(enforce_csrf_checks=True)
    planted.cookies[SESSION] = "planted-by-somebody-else-0123456789012345678901"
    first = door.log_in("root", client=planted).client.cookies[SESSION].value
    again = door.log_in("root").client.cookies[SESSION].value
    assert len({first, again, "planted-by-somebody-else-0123456789012345678901"}) == 3


def test_no_secret_is_in_an_address_or_an_answer(door: Door) -> None:
    browser = door.log_in("root")
    key = browser.client.cookies[SESSION].value
    for path in ("access/me", "access/sessions", "access/person", "foundation/deliveries", "meta"):
        text = browser.get(path).content.decode()
        assert key not in text and "argon2" not in text and PASSWORD not in text, path


# -- CSRF -------------------------------------------------------------------------------------------------------------


def test_no_order_is_taken_from_a_cookie_without_its_token(door: Door) -> None:
    """Every POST of the house, with a body as its own screen sends it."""
    browser = door.log_in("root")
    plant = Plant()
    taken = []
    for command in COMMANDS:
        answer = browser.post(f"{command.room}/{command.name}", plant.body(command), HTTP_X_CSRFTOKEN="")
        if answer.status_code == 422 and command.key == "foundation.import_file":
            continue  # its body is no JSON; the upload beside it is tried below
        if (answer.status_code, answer.json()["code"]) != (403, "csrf"):
            taken.append(f"{command.key}: {answer.status_code} {answer.content[:120]!r}")
    assert taken == []
    upload = browser.client.post("/api/foundation/import", {"kind": "catalog.unit"})
    assert (upload.status_code, upload.json()["code"]) == (403, "csrf")
    for path in ("access/logout", "access/end_session", "access/new_token", "access/bind_this_device"):
        body = {
            "session": "0" * 32,
            "station": "0" * 32,
            "name": "x",
            "rights": ["*"],
            "expires_at": "2026-12-31T00:00:00Z",
        }
        answer = browser.post(path, body, HTTP_X_CSRFTOKEN="")
        assert answer.status_code in (403, 422), path
    assert browser.get("access/me").status_code == 200


def test_reading_changes_nothing_and_other_methods_do_not_exist(door: Door) -> None:
    client = door.log_in("root").client
    for command in COMMANDS:
        answer = client.get(f"/api/{command.room}/{command.name}")
        assert answer.status_code in (404, 405), command.key
    for resource in RESOURCES:
        for method in ("put", "patch", "delete"):
            assert getattr(client, method)(f"/api/{resource.room}/{resource.entity}").status_code == 405, resource.kind


# -- demo logins ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forwarded", "status"), [("", 200), ("127.0.0.1", 200), ("203.0.113.7", 403), ("203.0.113.7, 127.0.0.1", 403)]
)
def test_demo_logins_are_refused_to_whoever_comes_from_elsewhere(
    door: Door, settings: Any, forwarded: str, status: int
) -> None:
    """The server listens on this machine alone, but another's proxy may let the world in."""
    settings.DEMO_LOGINS = None
    access.create_person(SYSTEM, login="demo", name="demo", password="demo", demo=True)
    answer = door.log_in("demo", "demo", HTTP_X_FORWARDED_FOR=forwarded).answer
    assert answer.status_code == status, answer.content
