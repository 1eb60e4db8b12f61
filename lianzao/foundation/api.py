"""Routes that do not follow from a resource or a command: deliveries that wait or were parked, one's own tasks."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router

from lianzao.foundation import http, tasks, transfer
from lianzao.foundation.outbox import Delivery
from lianzao.values.errors import NotAllowed, NotFound

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


@router.get("/tasks", operation_id="tasks")
def my_tasks(request: HttpRequest) -> HttpResponse:
    """The tasks I ordered, the latest first: how far they are and how many records were refused."""
    by = http.someone(request)
    return http.answer({"rows": [] if by.id is None else tasks.of_person(by.id)})


@router.get("/tasks/{uuid:id}", operation_id="task")
def my_task(request: HttpRequest, id: UUID) -> HttpResponse:
    """One task of mine, with what became of each record."""
    by = http.someone(request)
    found = tasks.one(by.id, id) if by.id is not None else None
    if found is None:
        raise NotFound("not_found", entity="foundation.task", id=str(id))
    return http.answer(found)


@router.get("/tasks/{uuid:id}/file", operation_id="task_file")
def my_task_file(request: HttpRequest, id: UUID) -> HttpResponse:
    """The file a task of mine made."""
    by = http.someone(request)
    found = tasks.file_of(by.id, id) if by.id is not None else None
    if found is None:
        raise NotFound("not_found", entity="foundation.task", id=str(id))
    name, data = found
    made = HttpResponse(data, content_type=transfer.type_of(name))
    made["Content-Disposition"] = f'attachment; filename="{name}"'
    return made
