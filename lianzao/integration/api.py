"""The description of all events, and the one door by which a secret is shown. The rest follows from commands."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router

from lianzao.foundation import http
from lianzao.integration import asyncapi, commands, queries
from lianzao.integration.models import Endpoint
from lianzao.values.errors import NotAllowed

router = Router(tags=["integration"])


@router.get("/asyncapi.json", operation_id="integration_asyncapi")
def events(request: HttpRequest) -> HttpResponse:
    """Every event as AsyncAPI 3.0, for our own people and their systems."""
    by = http.someone(request)
    if by.partner is not None:
        raise NotAllowed("not_allowed", right="integration.view_endpoint")
    return http.answer(asyncapi.document(http.spoken(request)))


@router.post("/endpoint/{uuid:id}/secret", operation_id="integration_endpoint_secret")
def secret(request: HttpRequest, id: UUID) -> HttpResponse:
    """The secrets an endpoint's receiver must know: the current one, and during a rotation the one before.

    Every showing is in the audit; the secret is not. Needs the right `integration.show_secret`, and no token will do.
    """
    by = http.someone(request)
    commands.show_secret(by, endpoint=id, _order_id=http.order_id_of(request))  # type: ignore[arg-type]
    endpoint = Endpoint.objects.get(pk=id)
    return http.answer({"secrets": queries.shown_secrets(endpoint)})
