"""The product over HTTP: routes from the registries, problem+json for errors, OpenAPI 3.1 by Django Ninja.

`POST /api/<room>/<command>` with `Idempotency-Key` = order id; `GET /api/<room>/<entity>`; `/api/meta`.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import logging
import re
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from decimal import InvalidOperation
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.core.exceptions import DisallowedHost, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, DataError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.urls import URLResolver
from ninja import Body as NinjaBody
from ninja import NinjaAPI, Router
from ninja.errors import HttpError, ValidationError
from ninja.utils import check_csrf

from lianzao.foundation import (
    audit,
    clock,
    figures,
    grouping,
    lists,
    packing,
    registry,
    rowsecurity,
    scope,
    tracing,
    transfer,
    words,
)
from lianzao.foundation import link as links
from lianzao.foundation import meta as metadata
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import PYDANTIC, Command, told_answer
from lianzao.foundation.hearing import Ear
from lianzao.foundation.resource import Resource
from lianzao.foundation.switchboard import Switchboard
from lianzao.foundation.together import Together
from lianzao.foundation.trail import TRACE, trail
from lianzao.values.errors import (
    Conflict,
    DomainError,
    Invalid,
    Misdirected,
    NotAllowed,
    NotFound,
    NotKnown,
    TooMuch,
    Unavailable,
)
from lianzao.values.reference import Ref

log = logging.getLogger("lianzao.http")
SAFE = ("GET", "HEAD", "OPTIONS")
_identify: Callable[[HttpRequest], Actor | None] | None = None


def identify_by(function: Callable[[HttpRequest], Actor | None]) -> None:
    """Wiring: who answers "who is this?" (the access room does)."""
    global _identify
    _identify = function


def someone(request: HttpRequest, *, devices: bool = False) -> Actor:
    """The actor of a request, asked for once. Raises NotKnown; NotAllowed when a browser's CSRF token does not fit.

    A device on a wall gets in only where `devices` says so, whatever it may see there.
    """
    if not hasattr(request, "actor"):
        request.actor = _identify(request) if _identify is not None else None  # type: ignore[attr-defined]
        asked = language_of(request)
        by: Actor | None = request.actor  # type: ignore[attr-defined]
        by_cookie = by is not None and "Authorization" not in request.headers
        if by_cookie and request.method not in SAFE and check_csrf(request, lambda: None) is not None:
            raise NotAllowed("csrf")
        if by is not None and asked and asked != by.language:
            from dataclasses import replace

            request.actor = replace(by, language=asked)  # type: ignore[attr-defined]
    actor: Actor | None = request.actor  # type: ignore[attr-defined]
    if actor is None:
        raise NotKnown("not_known")
    if actor.kind == "device" and not devices:
        raise NotAllowed("not_for_devices")
    return actor


def language_of(request: HttpRequest) -> str:
    """The language asked for by query or header; empty when none was."""
    asked = request.GET.get("language") or request.headers.get("Accept-Language", "")
    first = asked.split(",")[0].strip().lower()
    if first.startswith("zh"):
        return "zh-CN"
    return "en" if first.startswith("en") else ""


def spoken(request: HttpRequest) -> str:
    """The language to answer in."""
    actor: Actor | None = getattr(request, "actor", None)
    return language_of(request) or (actor.language if actor is not None else "zh-CN")


def answer(data: Any, status: int = 200) -> HttpResponse:
    """A JSON answer."""
    return HttpResponse(packing.dumps(data), status=status, content_type="application/json")


_together: Together[bytes] = Together()


def shared(request: HttpRequest, by: Actor, work: Callable[[], Any]) -> HttpResponse:
    """A JSON answer that all who ask for it at the same time, and may see the same, are given together.

    For what depends on nothing of the asker but his rights, his reach, his language and the site in use.
    """
    seen_by = (by.kind, by.sites, by.partner, by.rights, by.masks, by.language, by.site)
    made = _together((request.get_full_path(), seen_by), lambda: packing.dumps(work()))
    return HttpResponse(made, content_type="application/json")


def problem(request: HttpRequest, error: DomainError) -> HttpResponse:
    """An expected failure as problem+json (RFC 9457), its sentence in the reader's language."""
    language = spoken(request)
    facts = {name: value for name, value in error.facts.items() if name != "reason"}
    said = {
        name: words.title(language, str(value), f"choice.{value}") if name in ("status", "wanted", "entity") else value
        for name, value in error.facts.items()
    }
    if error.field is not None:
        said["field"] = field_title(request, error.field, language)
    sentence = words.say(f"error.{error.code}", language, **said)
    in_row = error.row is not None
    body: dict[str, Any] = {
        "type": f"https://lianzao.example/problems/{error.code}",
        "title": sentence,
        "status": error.status,
        "code": error.code,
        "detail": words.say("error.in_row", language, row=error.row, sentence=sentence) if in_row else sentence,
        "facts": facts,
        "trace_id": trace_id(request),
    }
    if error.field is not None:
        body["field"] = error.field
    if error.row is not None:
        body["row"] = error.row
    made = answer(body, error.status)
    made["Content-Type"] = "application/problem+json"
    return made


def field_title(request: HttpRequest, field: str, language: str) -> str:
    """What a field is called on the screen of the command it was sent to; its own name when it has no words."""
    _, _, rest = request.path.partition("/api/")
    room, _, name = rest.partition("/")
    last = field.rpartition(".")[2]
    made = registry.COMMANDS.get(f"{room}.{name}")
    entity = made.subject.partition(".")[2] if made is not None and made.subject is not None else name
    keys = [f"{room}.{name}.{last}", *words.field_keys(room, entity, last)]
    if made is not None and made.makes is not None:
        keys.insert(1, f"{made.makes}.{last}")
    found = words.title(language, *keys, last)
    return field if found in (keys[0], last) else found


def trace_id(request: HttpRequest) -> str:
    """The id that ties an answer to the log: the one the front gave, which logs by it too, else one of our own."""
    if not hasattr(request, "trace"):
        given = request.headers.get("X-Trace-Id", "")
        said = None if tracing.on is None else tracing.caller_of(request.headers.get("traceparent", ""))
        if said is not None:  # the front passes on only what a proxy we believe says
            given = said[0]
        # Random in all its bits, because traces are sampled by some of them.
        request.trace = given if TRACE.fullmatch(given) else secrets.token_hex(16)  # type: ignore[attr-defined]
    return str(request.trace)  # type: ignore[attr-defined]


def reading(by: Actor) -> AbstractContextManager[Any]:
    """The second wall around a partner's read: row security in a transaction of its own."""
    return rowsecurity.as_partner(by) if by.partner is not None else nullcontext()


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'self'; frame-ancestors 'none'; form-action 'self'",
}


METHODS = frozenset(("GET", "HEAD", "POST", "OPTIONS"))
ANSWERED = figures.Histogram(
    "lianzao_http_seconds", "How long the web processes took to answer, by method and status.", ("method", "status")
)


def check_host(request: HttpRequest) -> None:
    """Answer only to our own names (LIANZAO_ALLOWED_HOSTS): a page of another name must not speak with our voice."""
    try:
        request.get_host()
    except DisallowedHost:
        raise Misdirected("host_unknown") from None


def _told(span: tracing.Work, request: HttpRequest, response: HttpResponse) -> None:
    """End a request's span: by its route, because the address itself may hold what is somebody's."""
    matched = request.resolver_match
    route = "" if matched is None else f"/{matched.route}"
    status = response.status_code
    span.end(
        bad=status >= 500,
        name=f"{request.method if request.method in METHODS else 'other'} {route}".strip(),
        http__route=route,
        http__response__status_code=status,
    )


def read_to_the_end(request: HttpRequest) -> None:
    """Take in a body the page did not ask for.

    Who answers and leaves it unread has the connection closed under him; the caller is told that the process stopped.
    """
    try:
        if not getattr(request, "_read_started", True):
            while request.read(65_536):
                pass
    except UnreadablePostError:
        pass  # the caller went away: nobody waits for this answer


def doorman(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """The one middleware: the host asked for, trace id, security headers, and expected failures outside Ninja."""

    def handle(request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        with trail(trace=trace_id(request)):
            span = None
            if tracing.on is not None:
                method = request.method if request.method in METHODS else "other"
                span = tracing.on.request(str(method), request.headers.get("traceparent", ""))
            try:
                check_host(request)
                response = get_response(request)
            except DomainError as error:
                response = problem(request, error)
            except BaseException:
                if span is not None:
                    span.end(bad=True)
                raise
            if span is not None:
                _told(span, request, response)
        ANSWERED.observe(
            time.perf_counter() - began,
            method=request.method if request.method in METHODS else "other",
            status=f"{response.status_code // 100}xx",
        )
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.path.startswith("/api/"):
            response.headers.setdefault("Cache-Control", "no-store")
        response["X-Trace-Id"] = trace_id(request)
        read_to_the_end(request)
        if not response.streaming:  # a length known saves the frames of a chunked body on both sides of the front
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response

    return handle


api = NinjaAPI(
    title="联造 Lianzao",
    version="1",
    description="An integrated MES that links the whole supply chain. Every command and every list of the product.",
    docs_url=None,
    openapi_url="/openapi.json",
    urls_namespace="lianzao",
)


@api.exception_handler(DomainError)
def _expected(request: HttpRequest, error: DomainError) -> HttpResponse:
    return problem(request, error)


@api.exception_handler(ValidationError)
def _malformed(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first: Any = error.errors[0]
    place = [part for part in first["loc"][1:] if part != "body"]
    row = next((int(part) + 1 for part in place if isinstance(part, int)), None)
    field = ".".join(str(part) for part in place if isinstance(part, str)) or "body"
    return problem(
        request, Invalid(PYDANTIC.get(first["type"], "malformed"), field=field, row=row, reason=first["msg"])
    )


@api.exception_handler(HttpError)
def _refused(request: HttpRequest, error: HttpError) -> HttpResponse:
    return problem(request, Invalid("malformed", field="body", reason=str(error)))


@api.exception_handler(RequestDataTooBig)
def _too_big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return problem(request, TooMuch("body_too_large", most=settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024 // 1024))


@api.exception_handler(SuspiciousOperation)
@api.exception_handler(MultiPartParserError)
@api.exception_handler(UnreadablePostError)
def _garbled(request: HttpRequest, error: Exception) -> HttpResponse:
    return problem(request, Invalid("malformed", field="body", reason=type(error).__name__))


@api.exception_handler(DataError)
@api.exception_handler(InvalidOperation)
@api.exception_handler(OverflowError)
def _too_large(request: HttpRequest, error: Exception) -> HttpResponse:
    """Every figure was within its own limits, but what they come to is not: nothing was written."""
    log.warning("figures too large %s at %s: %s", trace_id(request), request.path, str(error).splitlines()[:1])
    return problem(request, Invalid("figures_too_large"))


@api.exception_handler(Exception)
def _bug(request: HttpRequest, error: Exception) -> HttpResponse:
    """A bug: nothing is told but the trace id; the log has the rest."""
    if isinstance(error, DatabaseError) and "canceling statement due to lock timeout" in str(error):
        return problem(request, Conflict("busy"))
    if _is_full(error) or _is_away(error):
        log.warning("the database is away, or a disk is full: %s", str(error).strip())
        made = problem(request, Unavailable("disk_full" if _is_full(error) else "unavailable"))
        made["Retry-After"] = "1"
        return made
    log.exception("bug %s at %s %s", trace_id(request), request.method, request.path)
    body = {
        "type": "about:blank",
        "title": words.say("error.bug", spoken(request), trace_id=trace_id(request)),
        "status": 500,
        "code": "bug",
        "detail": words.say("error.bug", spoken(request), trace_id=trace_id(request)),
        "facts": {},
        "trace_id": trace_id(request),
    }
    made = answer(body, 500)
    made["Content-Type"] = "application/problem+json"
    return made


def _is_full(error: Exception) -> bool:
    """Whether a disk has no room left: the database's, or ours for an upload."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, DatabaseError) and getattr(error.__cause__, "sqlstate", None) == "53100"


def _is_away(error: Exception) -> bool:
    """Whether the database could not be reached, went away in the middle, or its disk fails."""
    if not isinstance(error, (OperationalError, InterfaceError)):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    return state is None or state[:2] in ("08", "53", "58") or state in ("57P01", "57P02", "57P03")


def broken(request: HttpRequest) -> HttpResponse:
    """What Django answers to an exception that reached it: the same as Ninja does (urls: `handler500`)."""
    error = sys.exc_info()[1]
    return _bug(request, error if isinstance(error, Exception) else RuntimeError("no exception"))


PROBLEM = {"description": "Refused", "content": {"application/problem+json": {"schema": {"type": "object"}}}}
KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "format": "uuid"},
    "description": "The order id, a UUIDv7 made by the client: a retry with the same id is harmless.",
}


def add_command(router: Router, made: Command[Any, Any]) -> None:
    """The route of a command."""

    def carry_out(request: HttpRequest, body: Any) -> HttpResponse:
        by = someone(request)
        data = checked_again(made, body)
        done = made.carry_out(by, data, order_id=order_id_of(request), versions=versions_of(request, made, data))
        return answer(told_answer(done))

    carry_out.__name__ = f"{made.room}_{made.name}"
    carry_out.__annotations__ = {"request": HttpRequest, "body": made.body, "return": Any}
    carry_out.__defaults__ = (NinjaBody(...),)  # type: ignore[operator]
    router.post(
        f"/{made.name}",
        operation_id=f"{made.room}_{made.name}",
        summary=made.key,
        description=made.manual,
        tags=[made.room],
        openapi_extra={
            "parameters": [KEY_HEADER],
            "responses": {200: {"description": "Done"}, 422: PROBLEM, 409: PROBLEM},
        },
    )(carry_out)


def checked_again(made: Command[Any, Any], body: Any) -> dict[str, Any]:
    """The body Ninja has validated, as plain values of what was given."""
    from lianzao.foundation.command import _dumped

    return {name: _dumped(getattr(body, name)) for name in body.model_fields_set}


def order_id_of(request: HttpRequest) -> UUID | None:
    """The order id a client made."""
    given = request.headers.get("Idempotency-Key")
    if not given:
        return None
    try:
        return UUID(given)
    except ValueError:
        raise Invalid("not_an_id", field="Idempotency-Key") from None


def versions_of(request: HttpRequest, made: Command[Any, Any], data: Mapping[str, Any]) -> dict[UUID, int]:
    """The version of the subject that the client has read (If-Match), if it says."""
    given = request.headers.get("If-Match", "").strip().strip('"')
    if not given or given == "*":
        return {}
    if not re.fullmatch("[0-9]{1,10}", given):
        raise Invalid("malformed", field="If-Match")
    first = next((each for each in made.parameters if each.entity is not None and not each.many), None)
    if first is None or not isinstance(data.get(first.name), UUID):
        return {}
    return {data[first.name]: int(given)}


def add_resource(router: Router, resource: Resource) -> None:
    """The routes of a resource: list, groups, record, export."""
    name = resource.entity
    filters = [
        {"name": each, "in": "query", "schema": {"type": "string"}}
        for each in ("offset", "limit", "sort", "q", *resource.filter_names)
    ]

    def listing(request: HttpRequest) -> HttpResponse:
        by = allowed(request, resource)

        def rows() -> Any:
            with reading(by):
                return lists.listing(by, resource, request.GET)  # type: ignore[arg-type]

        return shared(request, by, rows)

    def groups(request: HttpRequest) -> HttpResponse:
        by = allowed(request, resource)

        def rows() -> Any:
            with reading(by):
                return grouping.groups(by, resource, request.GET)  # type: ignore[arg-type]

        return shared(request, by, rows)

    def record(request: HttpRequest, id: UUID) -> HttpResponse:
        by = allowed(request, resource)
        with reading(by):
            return answer(lists.record(by, resource, id))

    def export(request: HttpRequest) -> HttpResponse:
        by = allowed(request, resource)
        form = request.GET.get("format", "csv")
        with reading(by):
            data, content_type = transfer.export_rows(by, resource, request.GET, form)  # type: ignore[arg-type]
        made = HttpResponse(data, content_type=content_type)
        made["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
        return made

    for function, route, what in (
        (listing, f"/{name}", "list"),
        (groups, f"/{name}/groups", "groups"),
        (export, f"/{name}/export", "export"),
        (record, f"/{name}/{{uuid:id}}", "get"),
    ):
        function.__name__ = f"{what}_{resource.room}_{name}"
        router.get(
            route,
            operation_id=f"{resource.room}_{what}_{name}",
            summary=f"{resource.kind} {what}",
            tags=[resource.room],
            openapi_extra={"parameters": filters} if what != "get" else None,
        )(function)


def allowed(request: HttpRequest, resource: Resource) -> Actor:
    """The actor, who must hold the right to see this."""
    by = someone(request)
    if not by.may(resource.view_right):
        raise NotAllowed("not_allowed", right=resource.view_right)
    return by


def _meta(request: HttpRequest) -> HttpResponse:
    by = someone(request)
    return answer(metadata.meta(by, spoken(request)))


def _clock(request: HttpRequest) -> HttpResponse:
    return answer({"now": clock.now(), "rate": clock.rate(), "virtual": clock.is_virtual()})


def _story(request: HttpRequest, order_id: UUID) -> HttpResponse:
    by = someone(request)
    if not by.may("foundation.view_order"):
        raise NotAllowed("not_allowed", right="foundation.view_order")
    steps = [] if by.partner is not None else [step for step in audit.story(order_id) if step.is_for(by)]
    if all(step.order_id != order_id for step in steps):  # another site's, or none at all: the same answer
        steps = []
    names = metadata.actor_names([(step.actor_kind, step.actor_id, step.actor_name) for step in steps], spoken(request))
    return answer([told_step(step, names, spoken(request), Ear(by)) for step in steps])


def told_step(
    step: audit.Step, names: Mapping[tuple[str, UUID | None, str], str], language: str, ear: Ear
) -> dict[str, Any]:
    """A step of a story, with its words, without the facts that the reader may not see."""
    return {
        "order_id": step.order_id,
        "command": step.command,
        "title": metadata.order_title(step.command, language),
        "actor": {
            "kind": step.actor_kind,
            "name": names[step.actor_kind, step.actor_id, step.actor_name],
        },
        "at": step.at,
        "recorded_at": step.recorded_at,
        "why": step.why,
        "answer": ear.shown(step.command, step.answer),
        "depth": step.depth,
        "parent_id": step.parent_id,
        "because": None
        if step.because is None
        else {"event": step.because, "title": event_title(step.because, language), "facts": step.because_facts},
        "news": [each | {"title": event_title(each["event"], language)} for each in step.news],
    }


def event_title(wire_name: str, language: str) -> str:
    """The words of an event."""
    return words.title(language, f"event.{wire_name.partition('.')[2]}", wire_name)


def _history(request: HttpRequest, kind: str, id: UUID) -> HttpResponse:
    by = someone(request)
    resource = registry.RESOURCES.get(kind)
    if resource is None or not by.may(resource.view_right) or by.partner is not None:
        raise NotFound("not_found", entity=kind, id=str(id))
    if not scope.visible(by, resource.model).filter(pk=id).exists():
        raise NotFound("not_found", entity=kind, id=str(id))
    orders = audit.history(id)
    acts = [(each.actor_kind, each.actor_id, each.actor_name) for each in orders]
    names = metadata.actor_names(acts, spoken(request))
    return answer(
        [
            {
                "order_id": order.id,
                "command": order.command,
                "title": metadata.order_title(order.command, spoken(request)),
                "actor": {
                    "kind": order.actor_kind,
                    "name": names[order.actor_kind, order.actor_id, order.actor_name],
                    "id": order.actor_id,
                },
                "at": order.at,
                "why": order.why,
                "changes": told_changes(by, resource, [each for each in order.changes if each.get("id") == str(id)]),
            }
            for order in orders
        ]
    )


def told_changes(by: Actor, resource: Resource, changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Before and after, without what this actor may not see."""
    names = scope.masked_of(by, resource)
    return [
        {
            when: {
                name: value
                for name, value in each[when].items()
                if name.removesuffix("_id") not in names and name not in names
            }
            for when in ("before", "after")
            if when in each
        }
        for each in changes
    ]


def _chain(request: HttpRequest, kind: str, id: UUID) -> HttpResponse:
    by = someone(request)
    resource = registry.RESOURCES.get(kind)
    if resource is None or not by.may(resource.view_right):
        raise NotFound("not_found", entity=kind, id=str(id))
    with reading(by):
        if not scope.visible(by, resource.model).filter(pk=id).exists():
            raise NotFound("not_found", entity=kind, id=str(id))
    up, down = links.chain(Ref(kind, id))
    with reading(by):
        return answer({"up": lists.linked(by, up), "down": lists.linked(by, down)})


def _import(request: HttpRequest) -> HttpResponse:
    by = someone(request)
    kind = request.POST.get("kind", "")
    upload = request.FILES.get("file")
    if upload is None:
        raise Invalid("field_missing", field="file")
    mapping = request.POST.get("mapping")
    try:
        parsed = None if not mapping else orjson.loads(mapping)
    except orjson.JSONDecodeError:
        raise Invalid("malformed", field="mapping") from None
    if parsed is not None and not isinstance(parsed, dict):
        raise Invalid("malformed", field="mapping")
    result = transfer.import_file(
        by,
        kind=kind,
        data=upload.read(),
        filename=upload.name or "",
        mapping=parsed,
        dry_run=request.POST.get("dry_run", "true") not in ("false", "0"),
    )
    return answer(told_answer(result))


class Rooms:
    """Builds the API once, when the first route is asked for."""

    built = False

    @classmethod
    def build(cls) -> None:
        """Mount every room's commands, resources and own routes."""
        if cls.built:
            return
        registry.load()
        for room in registry.rooms():
            router = Router()
            name = f"lianzao.{room}.api"
            if importlib.util.find_spec(name) is not None:
                api.add_router(f"/{room}/", importlib.import_module(name).router)
            for made in registry.COMMANDS.values():
                if made.room == room:
                    add_command(router, made)
            for resource in registry.RESOURCES.values():
                if resource.room == room:
                    add_resource(router, resource)
            api.add_router(f"/{room}/", router)
        api.get("/meta", operation_id="meta", tags=["foundation"])(_meta)
        api.get("/clock", operation_id="clock", tags=["foundation"])(_clock)
        api.get("/foundation/story/{uuid:order_id}", operation_id="story", tags=["foundation"])(_story)
        api.get("/foundation/history/{kind}/{uuid:id}", operation_id="history", tags=["foundation"])(_history)
        api.get("/foundation/chain/{kind}/{uuid:id}", operation_id="chain", tags=["foundation"])(_chain)
        api.post("/foundation/import", operation_id="import_file", tags=["foundation"])(_import)
        cls.built = True


def routes() -> list[URLResolver]:
    """All routes of the API."""
    Rooms.build()
    patterns, app_name, namespace = api.urls
    return [Switchboard("api/", patterns, app_name, namespace)]
