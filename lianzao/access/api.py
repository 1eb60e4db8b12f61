"""Logging in and out, who am I, my sessions, my tokens, and the terminal's own door. The rest follows from commands."""

from __future__ import annotations

import base64
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware, get_token, rotate_token
from ninja import Router, Schema
from pydantic import Field

from lianzao.access import commands, handing_in, passwords, queries, rules, sessions
from lianzao.access.models import Display, RefusedOrder, Station
from lianzao.access.queries import SESSION_COOKIE, STATION_COOKIE
from lianzao.foundation import http, scope
from lianzao.foundation.actor import Actor, system_actor
from lianzao.foundation.command import Moment, Printable, run, told_answer
from lianzao.values.errors import Conflict, NotAllowed, NotFound, NotKnown

router = Router(tags=["access"])
http.identify_by(queries.actor_of)

STATION_COOKIE_S = 5 * 365 * 24 * 3600

Login = Annotated[str, Field(min_length=1, max_length=200), Printable]
Secret = Annotated[str, Field(min_length=1, max_length=400), Printable]


class LoginBody(Schema):
    """Login and password."""

    login: Login
    password: Secret


class BadgeBody(Schema):
    """A scanned badge and its PIN, at the terminal this browser is bound to."""

    badge: Login
    pin: Annotated[str, Field(min_length=1, max_length=20), Printable]
    station: Annotated[str, Field(max_length=60), Printable] = ""


class SessionBody(Schema):
    """One of one's own sessions."""

    session: UUID


class TokenBody(Schema):
    """A new token: its name, its rights, the instant it ends; for whom, if not for oneself."""

    name: Annotated[str, Field(min_length=1, max_length=120), Printable]
    rights: Annotated[list[str], Field(min_length=1, max_length=200)]
    expires_at: Moment
    person: UUID | None = None


class StationBody(Schema):
    """The terminal this browser is to become."""

    station: UUID


class DisplayBody(Schema):
    """The wall display a link is wanted for."""

    display: UUID


class LinkBody(Schema):
    """The code of a link, as typed or as it stood in the address."""

    code: Annotated[str, Field(min_length=1, max_length=40), Printable]


class KeptBody(Schema):
    """An order kept while the network was away: its pass, its id, and what was sealed under the pass."""

    offline_pass: Annotated[str, Field(min_length=1, max_length=400, alias="pass"), Printable]
    order_id: UUID
    sealed: Annotated[str, Field(min_length=1, max_length=200_000), Printable]


class RedoBody(Schema):
    """A refused order, and what is to be ordered instead."""

    refused_order: UUID
    body: dict[str, Any]


@router.post("/login", operation_id="access_login")
def login(request: HttpRequest, body: LoginBody) -> HttpResponse:
    """Log in by login and password; the session's key comes as a cookie. 401 when refused, 423 with seconds to wait."""
    _refuse_foreign_page(request)
    opened = sessions.log_in(body.login, body.password, address=_address(request), agent=_agent(request))
    return _welcome(request, opened)


@router.post("/login_badge", operation_id="access_login_badge")
def login_badge(request: HttpRequest, body: BadgeBody) -> HttpResponse:
    """Log in at a registered terminal by badge and PIN. 401 when refused, 423 with seconds to wait."""
    _refuse_foreign_page(request)
    opened = sessions.log_in_with_badge(
        request.COOKIES.get(STATION_COOKIE, ""),
        body.badge,
        body.pin,
        station=body.station,
        address=_address(request),
        agent=_agent(request),
    )
    return _welcome(request, opened)


@router.post("/logout", operation_id="access_logout")
def logout(request: HttpRequest) -> HttpResponse:
    """End the session in use. Harmless without one."""
    try:
        by = http.someone(request)
    except NotKnown:
        by = None
    if by is not None and by.session is not None and by.id is not None:
        sessions.end_session(by.session, by.id)
    response = http.answer({})
    response.set_cookie(SESSION_COOKIE, "", max_age=0, httponly=True, samesite="Lax")
    return response


@router.get("/me", operation_id="access_me")
def me(request: HttpRequest) -> HttpResponse:
    """Who I am, what I may do, where, and the CSRF token. 401 before login (the token's cookie comes all the same)."""
    _read_csrf_cookie(request)
    try:
        by = http.someone(request)
    except NotKnown as error:
        return _with_csrf(request, http.problem(request, error))
    return _with_csrf(request, http.answer(_told(request, by)))


@router.get("/this_device", operation_id="access_this_device")
def this_device(request: HttpRequest) -> HttpResponse:
    """The terminal this browser is bound to: what its login page shows. 404 when it is none."""
    _read_csrf_cookie(request)
    found = queries.station_by_key(request.COOKIES.get(STATION_COOKIE, ""))
    if found is None:
        raise NotFound("station_unknown")
    return _with_csrf(request, http.answer(found))


@router.post("/bind_this_device", operation_id="access_bind_this_device")
def bind_this_device(request: HttpRequest, body: StationBody) -> HttpResponse:
    """Make this browser a terminal: its key is kept in a cookie here and nowhere else."""
    by = http.someone(request)
    key = passwords.random_key()
    bound: Station = commands.bind_station(by, station=body.station, device_key=key)  # type: ignore[arg-type]
    response = http.answer(queries.station_facts(bound.id))
    _set_cookie(request, response, STATION_COOKIE, key, STATION_COOKIE_S)
    return response


@router.post("/new_display_link", operation_id="access_new_display_link")
def new_display_link(request: HttpRequest, body: DisplayBody) -> HttpResponse:
    """A link for a wall display. The answer shows its code once; we keep its digest only, for half an hour."""
    by = http.someone(request)
    code = passwords.new_link_code()
    made: Display = commands.link_display(by, display=body.display, digest=passwords.digest(code))  # type: ignore[arg-type]
    return http.answer({"id": made.id, "code": code, "until": made.link_until})


@router.post("/open_display", operation_id="access_open_display")
def open_display(request: HttpRequest, body: LinkBody) -> HttpResponse:
    """Become a wall display by its link. The answer holds the key, once; 401 when the link is unknown or used up."""
    _refuse_foreign_page(request)
    code = rules.plain_link(body.code)
    display = sessions.display_of_link(code, address=_address(request))
    key = passwords.new_display_key()
    opened: Display = commands.connect_display(
        system_actor("access.display_door"),
        display=display,  # type: ignore[arg-type]
        link_digest=passwords.digest(code),
        key_digest=passwords.digest(key),
    )
    return http.answer({"id": opened.id, "key": key})


@router.get("/this_display", operation_id="access_this_display")
def this_display(request: HttpRequest) -> HttpResponse:
    """What this wall display shows, where and how. 401 when its key is unknown, expired or revoked."""
    by = http.someone(request, devices=True)
    if by.kind != "device" or by.id is None:
        raise NotFound("display_unknown")
    return http.answer(queries.display_facts(by.id))


@router.get("/sessions", operation_id="access_sessions")
def my_sessions(request: HttpRequest) -> HttpResponse:
    """My open sessions, latest use first; `current` marks this one."""
    by = http.someone(request)
    rows = queries.open_sessions(by.id, by.session) if by.id is not None else []
    return http.answer({"rows": rows, "total": len(rows)})


@router.post("/end_session", operation_id="access_end_session")
def end_my_session(request: HttpRequest, body: SessionBody) -> HttpResponse:
    """End one of my sessions, on whatever device."""
    by = http.someone(request)
    if by.kind == "token":
        raise NotAllowed("token_by_person_only")
    if by.id is None or not sessions.end_session(body.session, by.id):
        raise NotFound("session_unknown")
    return http.answer({})


@router.post("/new_token", operation_id="access_new_token")
def new_token(request: HttpRequest, body: TokenBody) -> HttpResponse:
    """Make an API token. The answer shows it once; we keep its digest only."""
    by = http.someone(request)
    token = passwords.new_token()
    person: Any = {} if body.person is None else {"person": body.person}
    made = commands.issue_token(
        by,
        name=body.name,
        digest=passwords.digest(token),
        rights=body.rights,
        expires_at=body.expires_at,
        **person,
    )
    return http.answer({"id": made.id, "name": made.name, "token": token, "expires_at": made.expires_at})


# -- orders kept while the network was away ---------------------------------------------------------------------------


@router.post("/offline_pass", operation_id="access_offline_pass")
def offline_pass(request: HttpRequest) -> HttpResponse:
    """The pass of this stay and its key, under which a terminal or phone keeps orders while the network is away."""
    by = http.someone(request)
    text, key, ends_at = handing_in.pass_of(by)
    return http.answer({"pass": text, "key": base64.b64encode(key).decode(), "person": by.id, "ends_at": ends_at})


@router.post("/hand_in", operation_id="access_hand_in")
def hand_in(request: HttpRequest, body: KeptBody) -> HttpResponse:
    """Carry out an order that was kept under a pass, as the pass's person; the seal proves it, no session is asked for.

    `state`: done, or filed when it was refused; then `number` is the paper that somebody decides about.
    """
    _refuse_foreign_page(request)
    done = handing_in.hand_in(body.offline_pass, body.order_id, body.sealed, request.COOKIES.get(STATION_COOKIE, ""))
    return http.answer({"state": done.state, "number": done.number, "code": done.refusal})


@router.post("/redo_refused_order", operation_id="access_redo_refused_order")
def redo_refused_order(request: HttpRequest, body: RedoBody) -> HttpResponse:
    """Do a refused order again as it ought to be; the paper is settled with it. The correction is an order of its own.

    Its id is that of the paper, so that a second try is the same order.
    """
    by = http.someone(request)
    if not by.may("access.settle_refused_order"):
        raise NotAllowed("not_allowed", right="access.settle_refused_order")
    refused = scope.visible(by, RefusedOrder).filter(pk=body.refused_order).first()
    if refused is None:
        raise NotFound("not_found", entity="access.refused_order", id=str(body.refused_order))
    if refused.status == "dismissed":
        raise Conflict("wrong_status", document=refused.number, status=refused.status, wanted="redone")
    done = run(by, refused.command, body.body, order_id=refused.id, why=f"{refused.number}: {refused.refusal}"[:200])
    if refused.status == "open":
        commands.settle_refused_order(by, refused_order=refused, redone_order_id=refused.id)
    return http.answer(told_answer(done))


# -- what the answers hold --------------------------------------------------------------------------------------------


def _welcome(request: HttpRequest, opened: sessions.Opened) -> HttpResponse:
    """The answer to a login: who it is, the session's cookie, and a new CSRF token."""
    by = queries.actor_by(session_key=opened.key, station_key=request.COOKIES.get(STATION_COOKIE, ""))
    if by is None:
        raise NotKnown("login_failed")
    rotate_token(request)
    response = _with_csrf(request, http.answer(_told(request, by)))
    _set_cookie(request, response, SESSION_COOKIE, opened.key, opened.longest_s)
    return response


def _told(request: HttpRequest, by: Actor) -> dict[str, Any]:
    """What the screens know of who is logged in."""
    if by.id is None:
        raise NotKnown("not_known")
    who = queries.profile(by.id, by.site, by.language)
    partner = None
    if by.partner is not None:
        partner = {"id": by.partner, "name": queries.partner_name(by.partner, by.language)}
    return {
        "person": {
            "id": who.id,
            "login": who.login,
            "name": who.name,
            "language": who.language,
            "theme": who.theme,
        },
        "roles": who.roles,
        "home": who.home,
        "rights": sorted(by.rights),
        "sites": [
            {"id": site.id, "code": site.code, "name": site.said(by.language), "time_zone": site.time_zone}
            for site in queries.sites_of(by)
        ],
        "site": by.site,
        "partner": partner,
        "station": queries.station_facts(by.station) if by.station is not None else None,
        "must_change_password": who.must_change_password,
        "csrf": get_token(request),
    }


def _read_csrf_cookie(request: HttpRequest) -> None:
    """Take the token the browser has, so that no new one is made (the middleware is not installed)."""
    if "CSRF_COOKIE" not in request.META:
        CsrfViewMiddleware(lambda _: HttpResponse()).process_request(request)


def _with_csrf(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Give the browser its CSRF cookie, if it has none yet or a new one was made."""
    keeper = CsrfViewMiddleware(lambda _: HttpResponse())
    get_token(request)
    keeper.process_response(request, response)
    if settings.CSRF_COOKIE_NAME in response.cookies and _is_https(request):
        response.cookies[settings.CSRF_COOKIE_NAME]["secure"] = True
    return response


def _set_cookie(request: HttpRequest, response: HttpResponse, name: str, value: str, max_age: int) -> None:
    response.set_cookie(name, value, max_age=max_age, httponly=True, samesite="Lax", secure=_is_https(request))


# -- where a request comes from ---------------------------------------------------------------------------------------


def _trusted() -> tuple[str, ...]:
    """Addresses whose word about a request's origin counts: our own front door, unless the settings name others."""
    return tuple(getattr(settings, "TRUSTED_PROXIES", ("127.0.0.1", "::1", "")))


def _address(request: HttpRequest) -> str:
    return rules.source_address(
        request.META.get("REMOTE_ADDR", "") or "", request.headers.get("X-Forwarded-For", ""), _trusted()
    )


def _is_https(request: HttpRequest) -> bool:
    """Whether the browser speaks HTTPS, as our front door says; Django's `is_secure` would believe anybody."""
    peer = request.META.get("REMOTE_ADDR", "") or ""
    return peer in _trusted() and request.headers.get("X-Forwarded-Proto", "") == "https"


def _agent(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")[:200]


def _refuse_foreign_page(request: HttpRequest) -> None:
    """A login has no session whose CSRF token could be asked for: refuse one that another site's page sends.

    Only JSON is taken (a form cannot send it), and a browser says where the page is from.
    """
    if not request.headers.get("Content-Type", "").startswith("application/json"):
        raise NotAllowed("csrf")
    if request.headers.get("Sec-Fetch-Site", "same-origin") == "cross-site":
        raise NotAllowed("csrf")
