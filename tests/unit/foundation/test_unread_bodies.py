"""A page that answers without its request's body must not leave it on the line, which would be closed under it."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from lianzao.foundation.http import doorman
from lianzao.values.errors import NotAllowed


def asked(body: BytesIO) -> HttpRequest:
    """A POST whose body comes from a stream we can look at."""
    made = RequestFactory().post("/api/access/offline_pass", data=b"", content_type="application/json")
    size = len(body.getvalue())
    return type(made)(made.environ | {"wsgi.input": body, "CONTENT_LENGTH": str(size), "HTTP_HOST": "127.0.0.1"})


@pytest.mark.parametrize("size", [2, 300_000])
def test_what_a_page_did_not_read_is_read_to_its_end(size: int) -> None:
    body = BytesIO(b"x" * size)
    assert doorman(lambda request: HttpResponse("ok"))(asked(body)).status_code == 200
    assert body.tell() == size


def test_also_where_the_page_refuses() -> None:
    def refuse(request: HttpRequest) -> HttpResponse:
        raise NotAllowed("not_allowed", right="access.offline_pass")

    body = BytesIO(b"{}")
    assert doorman(refuse)(asked(body)).status_code == 403
    assert body.tell() == 2


def test_what_a_page_read_is_left_alone() -> None:
    seen: list[bytes] = []

    def read(request: HttpRequest) -> HttpResponse:
        seen.append(request.body)
        return HttpResponse("ok")

    assert doorman(read)(asked(BytesIO(b"{}"))).status_code == 200
    assert seen == [b"{}"]
