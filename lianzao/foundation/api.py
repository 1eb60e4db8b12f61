"""Routes that do not follow from a resource or a command: deliveries that wait or were parked."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router

from lianzao.foundation import http
from lianzao.foundation.outbox import Delivery
from lianzao.values.errors import NotAllowed

router = Router(tags=["foundation"])


@router.get("/deliveries", operation_id="deliveries")
def deliveries(request: HttpRequest, status: str = "parked", limit: int = 200) -> HttpResponse:
    """Deliveries by status (pending, done, parked), oldest first, with the error of those that failed."""
    by = http.someone(request)
    if not by.may("foundation.retry_deliveries"):
        raise NotAllowed("not_allowed", right="foundation.retry_deliveries")
    rows: list[dict[str, Any]] = list(
        Delivery.objects.filter(status=status)
        .order_by("made_at")[: min(max(limit, 1), 500)]
        .values("id", "event_id", "subscriber", "key", "status", "due_at", "made_at", "attempts", "error")
    )
    return http.answer({"rows": rows, "total": Delivery.objects.filter(status=status).count()})
