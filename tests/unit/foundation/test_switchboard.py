"""Routes are found by their beginning as Django finds them one by one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, URLPattern, path

from lianzao.foundation.switchboard import Switchboard

ID = UUID("01970000-0000-7000-8000-000000000001")


def view(name: str) -> Any:
    """A view that can be told from others."""

    def act(_: HttpRequest, **__: object) -> HttpResponse:
        return HttpResponse(name)

    return act


def board() -> Switchboard:
    """A few routes as the API has them, two of which begin openly."""
    patterns: list[URLPattern] = [
        path("meta", view("meta"), name="meta"),
        path("sales/order", view("list"), name="list"),
        path("sales/order/export", view("export"), name="export"),
        path("sales/order/<uuid:id>", view("record"), name="record"),
        path("<room>/order", view("any"), name="any"),
        path("<room>/<rest>/here", view("here"), name="here"),
    ]
    return Switchboard("api/", patterns, "api", "api")


@pytest.mark.parametrize(
    ("asked", "name", "given"),
    [
        ("api/meta", "meta", {}),
        ("api/sales/order", "list", {}),
        ("api/sales/order/export", "export", {}),
        (f"api/sales/order/{ID}", "record", {"id": ID}),
        ("api/buying/order", "any", {"room": "buying"}),
        ("api/sales/order/here", "here", {"room": "sales", "rest": "order"}),
    ],
)
def test_each_path_finds_its_route_and_what_it_captures(asked: str, name: str, given: dict[str, object]) -> None:
    found = board().resolve(asked)
    assert (found.url_name, found.kwargs, found.namespaces) == (name, given, ["api"])


@pytest.mark.parametrize("asked", ["api/", "api/sales", "api/sales/order/no-id", "api/sales/order/", "other/meta", ""])
def test_what_has_no_route_is_not_found(asked: str) -> None:
    with pytest.raises(Resolver404):
        board().resolve(asked)
