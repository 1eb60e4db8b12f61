"""The database is away: people are told to try again, in their language; a bug stays a bug."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.test import Client
from psycopg import errors as pg

from lianzao.foundation import http


class Fails:
    """Who asks who he is meets this error of the database."""

    def __init__(self, cause: Exception | None) -> None:
        self.cause = cause

    def __call__(self, request: object) -> None:
        raise OperationalError("it said") from self.cause


@pytest.fixture(autouse=True)
def routes() -> None:
    """They are built, and the access room wired to them, at the first request."""
    from django.urls import get_resolver

    assert get_resolver().url_patterns


@pytest.mark.parametrize("cause", [None, pg.AdminShutdown("x"), pg.CannotConnectNow("x")])
@pytest.mark.parametrize(("language", "said"), [("zh-CN", "请稍候再试"), ("en", "try again")])
def test_a_database_that_is_away_is_told(
    monkeypatch: pytest.MonkeyPatch, cause: Exception | None, language: str, said: str
) -> None:
    monkeypatch.setattr(http, "_identify", Fails(cause))
    client = Client(raise_request_exception=False)
    answer = client.get("/api/catalog/item", headers={"accept-language": language})
    assert answer.status_code == 503 and answer["Retry-After"] == "1"
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "unavailable" and said in answer.json()["detail"]


def test_any_other_failure_is_a_bug_with_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_identify", Fails(pg.QueryCanceled("x")))
    answer = Client(raise_request_exception=False).get("/api/catalog/item")
    assert answer.status_code == 500 and answer.json()["code"] == "bug"
    assert answer.json()["trace_id"] == answer["X-Trace-Id"]
