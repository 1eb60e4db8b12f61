"""A house with two sites, an administrator, and a way to log in as anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from lianzao.access import commands, queries
from lianzao.access.models import Person, Role, Site
from lianzao.foundation.actor import Actor, system_actor
from lianzao.foundation.command import run

SYSTEM = system_actor("setup")
PASSWORD = "correct horse battery"


@dataclass
class Door:
    """What the tests of access ask of the house."""

    suzhou: Site
    wuhan: Site

    def role(self, code: str) -> Role:
        return Role.objects.get(code=code)

    def person(self, login: str, role: str = "", site: Site | None = None, **options: Any) -> Person:
        made = commands.create_person(SYSTEM, login=login, name=login, password=PASSWORD, **options)
        if role:
            commands.assign_role(SYSTEM, person=made, role=self.role(role), site=site)
        return made

    def by(self, login: str, site: Site | None = None) -> Actor:
        return queries.actor_for(login, site=site.id if site else None)

    def log_in(self, login: str, password: str = PASSWORD, client: Client | None = None, **headers: Any) -> Browser:
        browser = Browser(client or Client(enforce_csrf_checks=True))
        browser.answer = browser.post("access/login", {"login": login, "password": password}, **headers)
        return browser


class Browser:
    """A browser: cookies, and the CSRF header as our pages send it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.answer: Any = None

    def post(self, path: str, body: dict[str, Any], **headers: Any) -> Any:
        token = self.client.cookies.get("csrftoken")
        if token is not None:
            headers.setdefault("HTTP_X_CSRFTOKEN", token.value)
        return self.client.post(f"/api/{path}", body, content_type="application/json", **headers)

    def get(self, path: str, **headers: Any) -> Any:
        return self.client.get(f"/api/{path}", **headers)


def make_door() -> Door:
    commands.set_up_roles(SYSTEM)
    sites = [
        run(SYSTEM, "access.create_site", {"code": code, "name": name, "name_en": code})
        for code, name in (("SZ", "苏州工厂"), ("WH", "武汉工厂"))
    ]
    door = Door(*sites)
    door.person("root", "administrator")
    return door


@pytest.fixture
def door(db: None) -> Door:
    return make_door()


@pytest.fixture
def real_door(fresh_database: str) -> Iterator[Door]:
    """The same in a database of its own where everything really commits."""
    yield make_door()


@pytest.fixture
def later() -> Callable[[str, str], None]:
    """Let time pass for a table's column: `later("access_session.seen_at", "13 hours")`."""

    def move(column: str, interval: str) -> None:
        table, name = column.split(".")
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET {name} = {name} - interval '{interval}'")

    return move
