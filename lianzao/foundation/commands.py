"""What administrators do to the machinery, and the long work that everybody may order for himself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from lianzao.foundation import lists, meta, outbox, printing, sheets, tasks, transfer, words
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import SECRET_WORDS, Command, checked, command
from lianzao.foundation.printing import template
from lianzao.foundation.printing.models import PrintLayout
from lianzao.foundation.registry import COMMANDS, RESOURCES, model_of
from lianzao.foundation.resource import Resource
from lianzao.values.errors import Conflict, DomainError, Invalid, NotAllowed, NotFound
from lianzao.values.time import uuid7

__all__ = ["sheets"]

DELIVERY = "foundation.delivery"


@command(subject=DELIVERY, when={"status": ("parked",)})
def retry_delivery(by: Actor, *, delivery_id: UUID) -> dict[str, int]:
    """Put a parked delivery back into the queue, after its cause was mended.

    It has all its tries again. Raises Conflict("wrong_status") when it is not parked.
    """
    _all_moved(outbox.retry_parked([delivery_id]), delivery_id, "pending")
    return {"retried": 1}


@command(subject=DELIVERY, when={"status": ("parked",)})
def drop_delivery(by: Actor, *, delivery_id: UUID, reason: str) -> dict[str, int]:
    """Give a parked delivery up: what it should have caused will not happen by itself.

    The reason stays in the audit, the delivery as dropped. Raises Conflict("wrong_status") when it is not parked.
    """
    _with_reason(reason)
    _all_moved(outbox.drop_parked([delivery_id]), delivery_id, "dropped")
    return {"dropped": 1}


@command(hidden=True)
def retry_deliveries(by: Actor, *, deliveries: list[UUID]) -> dict[str, int]:
    """Put parked deliveries back into the queue, after their cause was mended; those not parked are left alone."""
    return {"retried": len(outbox.retry_parked(deliveries))}


@command(hidden=True)
def drop_deliveries(by: Actor, *, deliveries: list[UUID], reason: str) -> dict[str, int]:
    """Give parked deliveries up, for a reason that stays in the audit; those not parked are left alone."""
    _with_reason(reason)
    return {"dropped": len(outbox.drop_parked(deliveries))}


# -- long work for oneself --------------------------------------------------------------------------------------------

#: Records of one task.
MOST_AT_ONCE = 2000


@command(hidden=True)
def order_many(
    by: Actor,
    *,
    command: str,
    records: list[UUID] | None = None,
    query: dict[str, Any] | None = None,
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Carry out one command on many records as a task: those named, or all that a list shows for a query.

    Each record is an order of its own, done or refused with the reason. The records are looked up now, under your own
    reach. Raises NotFound for an unknown command, Invalid when it is about no record or needs more than is given.
    """
    _for_a_person(by)
    made, resource, subject = _about_one(by, command)
    given = dict(body or {})
    found = _records(by, resource, records, query)
    if not found:
        raise Invalid("nothing_selected", field="records")
    checked(made, {subject: str(found[0]), **given})
    labels = lists.labels_of(by, [(resource.kind, id) for id in found])
    asked = {
        "command": command,
        "subject": subject,
        "body": given,
        "records": [
            {"id": str(id), "order": str(uuid7()), "label": labels.get((resource.kind, id), {}).get("number", "")}
            for id in found
        ],
    }
    title = meta.command_title(made, by.language)
    return {"task": str(tasks.begin(by, "many", asked, title=title, total=len(found))), "total": len(found)}


@command(hidden=True)
def export_list(by: Actor, *, kind: str, query: dict[str, Any] | None = None, format: str = "xlsx") -> dict[str, Any]:
    """Write what a list shows for a query into a file, as a task; `columns` in the query says which, in which order.

    Raises NotFound for an unknown list, Invalid for another format than csv and xlsx, or a query that does not fit.
    """
    _for_a_person(by)
    resource = RESOURCES.get(kind)
    if resource is None:
        raise NotFound("no_such_kind", kind=kind)
    if not by.may(resource.view_right):
        raise NotAllowed("not_allowed", right=resource.view_right)
    if format not in ("csv", "xlsx"):
        raise Invalid("not_a_choice", field="format", value=format[:20])
    asked = _texts(query)
    with tasks.seen_by(by):
        total = lists.searched(by, resource, asked).count()
    title = words.plural(resource.kind, by.language)
    made = tasks.begin(
        by,
        "export",
        {"kind": kind, "query": asked, "format": format},
        title=title,
        total=total,
        filename=f"{resource.entity}.{format}",
    )
    return {"task": str(made), "total": total}


@command(hidden=True)
def stop_task(by: Actor, *, task: UUID) -> dict[str, bool]:
    """Let a task of yours go no further; what it has done stays done. Raises NotFound when it is not yours."""
    _for_a_person(by)
    assert by.id is not None
    if tasks.one(by.id, task) is None:
        raise NotFound("not_found", entity="foundation.task", id=str(task))
    return {"stopped": tasks.stop(by.id, task)}


def _for_a_person(by: Actor) -> None:
    """Programs order one by one and wait for the answer; a task belongs to somebody who looks after it."""
    if by.id is None or by.kind not in ("person", "partner"):
        raise NotAllowed("tasks_are_for_people")


def _about_one(by: Actor, key: str) -> tuple[Command[Any, Any], Resource, str]:
    """The command, the list of the records it is about, and the parameter that names one."""
    made = COMMANDS.get(key)
    if made is None:
        raise NotFound("no_such_command", command=key[:120])
    if not by.may(made.right):
        raise NotAllowed("not_allowed", right=made.right)
    resource = RESOURCES.get(made.subject or "")
    subject = next(
        (
            each.name
            for each in made.parameters
            if resource is not None and each.entity is resource.model and not each.many and each.required
        ),
        None,
    )
    secret = any(SECRET_WORDS & {each.name, *each.name.split("_")} for each in made.parameters)
    if resource is None or subject is None or made.hidden or secret:
        raise Invalid("not_for_many", field="command")
    if not by.may(resource.view_right):
        raise NotAllowed("not_allowed", right=resource.view_right)
    return made, resource, subject


def _records(by: Actor, resource: Resource, records: list[UUID] | None, query: dict[str, Any] | None) -> list[UUID]:
    """The records meant, as far as the actor sees them, in the list's order. Raises Invalid for too many."""
    asked = _texts(query)
    with tasks.seen_by(by):
        if records is not None:
            if len(records) > MOST_AT_ONCE:
                raise Invalid("too_many", field="records", most=MOST_AT_ONCE)
            rows = lists.scope.visible(by, model_of(resource.kind)).filter(pk__in=records)
        else:
            rows = lists.searched(by, resource, asked)
        found = list(rows.values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
    if len(found) > MOST_AT_ONCE:
        raise Invalid("too_many", field="query", most=MOST_AT_ONCE)
    if records is None:
        return found
    seen = set(found)
    missing = next((id for id in records if id not in seen), None)
    if missing is not None:
        raise NotFound("not_found", entity=resource.kind, id=str(missing))
    return list(dict.fromkeys(records))


def _texts(query: dict[str, Any] | None) -> dict[str, str]:
    """A list's query as its address would say it."""
    asked: dict[str, str] = {}
    for name, value in (query or {}).items():
        if not isinstance(value, str) or len(value) > 20_000:
            raise Invalid("malformed", field=f"query.{name[:60]}")
        if value and name not in ("limit", "offset", "by", "zone"):
            asked[name] = value
    return asked


@tasks.way("many")
def carry_out_many(work: tasks.Work) -> None:
    """One order for each record; what a rule refuses is told with the record and hinders no other."""
    made = COMMANDS[work.asked["command"]]
    for each in work.asked["records"][work.done :]:
        result: dict[str, Any] = {"id": each["id"], "label": each["label"], "state": "done"}
        try:
            made.carry_out(
                work.by,
                checked(made, {work.asked["subject"]: each["id"], **work.asked["body"]}),
                order_id=UUID(each["order"]),
            )
        except DomainError as error:
            facts = {
                name: words.title(work.by.language, str(value), f"choice.{value}")
                if name in ("status", "wanted", "entity")
                else value
                for name, value in error.facts.items()
            }
            said = {"field": error.field or "", **facts}
            detail = words.say(f"error.{error.code}", work.by.language, **said)
            result |= {"state": "refused", "code": error.code, "detail": detail}
        work.step(result)


@tasks.way("export")
def write_export(work: tasks.Work) -> None:
    """The list as a file, with what the person may see now."""
    resource = RESOURCES[work.asked["kind"]]
    if not work.by.may(resource.view_right):
        raise NotAllowed("not_allowed", right=resource.view_right)
    work.done = 0

    def watch(rows: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
        # Inside a partner's wall no progress can be written down: his lists are short.
        return rows if work.by.partner is not None else tasks.counted(work, rows)

    with tasks.seen_by(work.by):
        work.file, _ = transfer.export_rows(work.by, resource, work.asked["query"], work.asked["format"], watch=watch)


def _with_reason(reason: str) -> None:
    if not reason.strip():
        raise Invalid("field_missing", field="reason")


def _all_moved(moved: Sequence[UUID], id: UUID, wanted: str) -> None:
    if moved:
        return
    status = outbox.Delivery.objects.filter(id=id).values_list("status", flat=True).first()
    if status is None:
        raise NotFound("not_found", entity=DELIVERY, id=str(id))
    raise Conflict("wrong_status", document=str(id)[:8], status=status, wanted=wanted)


@command(hidden=True)
def write_print_layout(by: Actor, *, paper: str, text: str) -> PrintLayout:
    """Give a paper another layout: HTML with names in braces, which is checked to be harmless before it is kept.

    What it was before stays in the audit. Raises Invalid("layout_wrong" | "layout_forbidden") naming the line.
    """
    made = printing.of(paper)
    if not text.strip():
        raise Invalid("field_missing", field="text")
    template.parsed(text)
    layout = PrintLayout.objects.select_for_update().filter(paper=made.name).first() or PrintLayout(paper=made.name)
    layout.text = text
    layout.save()
    return layout


@command(hidden=True)
def reset_print_layout(by: Actor, *, paper: str) -> PrintLayout:
    """Let a paper look as it was shipped again. The layout it had stays in the audit."""
    layout = PrintLayout.objects.select_for_update().filter(paper=printing.of(paper).name).first()
    if layout is None or not layout.text:
        raise Conflict("layout_is_shipped", paper=paper)
    layout.text = ""
    layout.save()
    return layout
