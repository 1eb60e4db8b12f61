"""Who acts, what he may do, which sites there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection
from django.http import HttpRequest

from lianzao.access import passwords, rules, sessions
from lianzao.access.models import Display, Person, Role, Site
from lianzao.access.roles import SHIPPED
from lianzao.foundation import fetching, packing, tasks
from lianzao.foundation.actor import ALL, Actor
from lianzao.values.errors import NotFound

SESSION_COOKIE = "lianzao_session"
STATION_COOKIE = "lianzao_station"

#: What everybody who logged in may do with what is his own.
OWN_NOTICES = frozenset({"alerts.mark_read", "alerts.mark_all_read"})
#: Changing cells, ordering for many and writing a list to a file are ways to use rights, and give none of themselves.
OWN_WORK = frozenset(
    {"foundation.change_sheet", "foundation.order_many", "foundation.export_list", "foundation.stop_task"}
)
OWN_VIEWS = frozenset({"access.save_view", "access.drop_view", "access.open_with"})
OWN_SELF = frozenset({"access.change_password", "access.set_preferences", "access.set_own_pin"})
OWN_RIGHTS = OWN_NOTICES | OWN_WORK | OWN_VIEWS | OWN_SELF
OWN_RIGHTS_AT_STATION = OWN_NOTICES | {"access.set_preferences"}

_WHO = """
p.id, p.name, p.name_en, p.language, p.partner_id, p.preferred_site_id, coalesce(c.must_change, false),
(SELECT coalesce(jsonb_agg(jsonb_build_array(r.code, r.rights, r.masks, r.home, a.site_id) ORDER BY a.id), '[]')
 FROM access_assignment a JOIN access_role r ON r.id = a.role_id
 WHERE a.person_id = p.id AND r.retired_at IS NULL),
(SELECT coalesce(jsonb_agg(id ORDER BY code), '[]') FROM access_site WHERE retired_at IS NULL)
"""

BY_SESSION = f"""
SELECT s.id, s.station_id, s.site_id, s.seen_at < statement_timestamp() - interval '1 minute', {_WHO}
FROM access_session s
JOIN access_person p ON p.id = s.person_id AND p.retired_at IS NULL
LEFT JOIN access_credential c ON c.person_id = p.id
LEFT JOIN access_station t ON t.id = s.station_id
WHERE s.digest = %s AND s.ends_at > statement_timestamp()
  AND s.seen_at + make_interval(secs => s.idle_s) > statement_timestamp()
  AND (s.station_id IS NULL OR (t.retired_at IS NULL AND t.key_digest = %s))
"""

BY_TOKEN = f"""
SELECT k.id, k.name, to_jsonb(k.rights),
       k.used_at IS NULL OR k.used_at < statement_timestamp() - interval '1 minute', {_WHO}
FROM access_token k
JOIN access_person p ON p.id = k.person_id AND p.retired_at IS NULL
LEFT JOIN access_credential c ON c.person_id = p.id
WHERE k.digest = %s AND k.revoked_at IS NULL AND k.expires_at > statement_timestamp()
"""


BY_DISPLAY = """
SELECT d.id, d.name, d.name_en, d.language, d.site_id, to_jsonb(d.screens),
       d.seen_at IS NULL OR d.seen_at < statement_timestamp() - interval '1 minute'
FROM access_display d JOIN access_site s ON s.id = d.site_id AND s.retired_at IS NULL
WHERE d.key_digest = %s AND d.retired_at IS NULL AND (d.expires_at IS NULL OR d.expires_at > statement_timestamp())
"""


def actor_of(request: HttpRequest) -> Actor | None:
    """Who makes this request, by its bearer token or its session cookie; None when nobody has identified himself.

    One statement resolves the credential; a header with a token counts alone, a cookie beside it is not looked at.
    """
    return actor_by(
        authorization=request.headers.get("Authorization", ""),
        session_key=request.COOKIES.get(SESSION_COOKIE, ""),
        station_key=request.COOKIES.get(STATION_COOKIE, ""),
    )


def actor_by(
    *, authorization: str = "", session_key: str = "", station_key: str = "", touch: bool = True
) -> Actor | None:
    """The same from bare values: for the live server, which knows no Django requests.

    Without `touch` the look does not count as use, so that an open screen alone keeps no session alive.
    """
    if authorization:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        known = _by_display if token.strip().startswith(passwords.DISPLAY_PREFIX) else _by_token
        return known(token.strip(), touch)
    return _by_session(session_key, station_key, touch) if session_key else None


def uses_cookie(request: HttpRequest) -> bool:
    """Whether the request identifies itself by cookie, so that a forged one must be told apart (CSRF)."""
    return not request.headers.get("Authorization", "") and SESSION_COOKIE in request.COOKIES


def _by_session(key: str, station_key: str, touch: bool) -> Actor | None:
    rows = _rows(BY_SESSION, [passwords.digest(key), passwords.digest(station_key)])
    if not rows:
        return None
    id, station_id, site_id, stale, *who = rows[0]
    if stale and touch:
        sessions.touch_session(id)
    actor = replace(_actor(who, site_id), session=id, station=station_id)
    if station_id is None:
        return replace(actor, rights=actor.rights | _own(OWN_RIGHTS, who))
    limited = rules.common(actor.rights, rules.STATION_LIMIT)
    return replace(actor, rights=limited | _own(OWN_RIGHTS_AT_STATION, who))


def actor_of_stay(person_id: UUID, station_id: UUID | None, site_id: UUID | None) -> Actor | None:
    """Who a person was in a stay that may be over, with what he may do now; None when he may no longer log in."""
    rows = _rows(PERSON, [person_id])
    if not rows:
        return None
    _, _, _, _, *who = rows[0]
    actor = replace(_actor(who, site_id), station=station_id)
    return actor if station_id is None else replace(actor, rights=rules.common(actor.rights, rules.STATION_LIMIT))


def _own(rights: frozenset[str], who: list[Any]) -> frozenset[str]:
    """What everybody may do for himself; before a temporary password is changed, nothing outside this room."""
    must_change: bool = who[6]
    return rights & OWN_SELF if must_change else rights


def _by_token(token: str, touch: bool) -> Actor | None:
    rows = _rows(BY_TOKEN, [passwords.digest(token)])
    if not rows:
        return None
    id, name, rights, stale, *who = rows[0]
    if stale and touch:
        sessions.touch_token(id)
    actor = _actor(who, None)
    limited = rules.common(actor.rights, _json(rights))
    return replace(actor, kind="token", name=f"{actor.name} · {name}", rights=limited)


def _by_display(key: str, touch: bool) -> Actor | None:
    rows = _rows(BY_DISPLAY, [passwords.digest(key)])
    if not rows:
        return None
    id, name, name_en, language, site_id, screens, stale = rows[0]
    if stale and touch:
        sessions.touch_display(id)
    return Actor(
        id=id,
        name=(name_en or name) if language.startswith("en") else (name or name_en),
        kind="device",
        sites=frozenset({site_id}),
        rights=rules.display_rights(_json(screens)),
        language=language,
        site=site_id,
    )


def _actor(who: list[Any], wanted: UUID | None) -> Actor:
    id, name, name_en, language, partner, preferred, must_change, held, sites = who
    standing = rules.standing(_held(_json(held)), wanted or preferred, [UUID(site) for site in _json(sites)])
    return Actor(
        id=id,
        name=(name_en or name) if language.startswith("en") else (name or name_en),
        kind="partner" if partner else "person",
        sites=ALL if standing.sites is None else standing.sites,
        partner=partner,
        # Until a password that somebody else chose is changed, the door opens to nothing but changing it.
        rights=frozenset() if must_change else standing.rights,
        masks=standing.masks,
        language=language,
        site=standing.site,
    )


def _held(rows: Iterable[list[Any]]) -> list[rules.Held]:
    return [
        rules.Held(role, tuple(rights), tuple(masks), home, UUID(site) if site else None)
        for role, rights, masks, home, site in rows
    ]


# -- people -----------------------------------------------------------------------------------------------------------

PERSON = f"SELECT p.login, p.theme, p.density, p.shortcuts, {_WHO} FROM access_person p " + (
    "LEFT JOIN access_credential c ON c.person_id = p.id WHERE p.id = %s AND p.retired_at IS NULL"
)


@dataclass(frozen=True)
class Profile:
    """What the screens show of the person who is logged in."""

    id: UUID
    login: str
    name: str
    name_zh: str
    name_en: str
    language: str
    theme: str
    density: str
    shortcuts: bool
    roles: tuple[str, ...]
    home: str
    must_change_password: bool


def profile(person_id: UUID, site_id: UUID | None, spoken: str = "") -> Profile:
    """A person's profile at a site, called in a language (his own when none is said). Raises NotFound."""
    rows = _rows(PERSON, [person_id])
    if not rows:
        raise NotFound("not_found", entity="access.person", id=str(person_id))
    login, theme, density, shortcuts, *who = rows[0]
    id, name, name_en, language, _, preferred, must_change, held, sites = who
    standing = rules.standing(_held(_json(held)), site_id or preferred, [UUID(site) for site in _json(sites)])
    said = (name_en or name) if (spoken or language).startswith("en") else (name or name_en)
    return Profile(
        id, login, said, name, name_en, language, theme, density, shortcuts, standing.roles, standing.home, must_change
    )


def actor_for(login: str, *, site: UUID | None = None) -> Actor:
    """The actor a person would be after logging in: for the console, tests and "view as". Raises NotFound."""
    found = Person.objects.filter(login=rules.plain_login(login), retired_at=None).first()
    if found is None:
        raise NotFound("not_found", entity="access.person", id=login)
    _, _, _, _, *who = _rows(PERSON, [found.id])[0]
    actor = _actor(who, site)
    return replace(actor, rights=actor.rights | _own(OWN_RIGHTS, who))


@tasks.remember_by
def _as_then(person_id: UUID, held: Mapping[str, Any]) -> Actor | None:
    """Who somebody is now who ordered a task, with no more than he held then; None when he may no longer come in."""
    found = _rows(PERSON, [person_id])
    if not found:
        return None
    _, _, _, _, *who = found[0]
    actor = _actor(who, UUID(held["site"]) if held["site"] else None)
    now = actor.rights | _own(OWN_RIGHTS, who)
    return tasks.limited(actor, held, rules.common(now, held["rights"]))


VIEWS = """
SELECT v.id, v.name, v.recipe, v.owner_id, v.role_id, v.version, r.name, r.name_en, o.name, o.name_en
FROM access_saved_view v
JOIN access_person o ON o.id = v.owner_id
LEFT JOIN access_role r ON r.id = v.role_id
WHERE v.list_name = %s AND v.dropped_at IS NULL AND (v.owner_id = %s OR v.role_id IN (
    SELECT a.role_id FROM access_assignment a JOIN access_role h ON h.id = a.role_id AND h.retired_at IS NULL
    WHERE a.person_id = %s))
ORDER BY v.owner_id <> %s, v.name, v.id
"""


def views_of(by: Actor, list_name: str) -> list[dict[str, Any]]:
    """The views of a list that a person has: his own first, then those shared with a role of his."""
    english = by.language.startswith("en")
    made: list[dict[str, Any]] = []
    for id, name, recipe, owner, role, version, *names in _rows(VIEWS, [list_name, by.id, by.id, by.id]):
        said = [(en or zh) if english else (zh or en) for zh, en in (names[:2], names[2:])]
        made.append(
            {
                "id": id,
                "name": name,
                "recipe": _json(recipe),
                "own": owner == by.id,
                "owner": said[1] or "",
                "role": None if role is None else {"id": role, "name": said[0]},
                "version": version,
            }
        )
    return made


def roles_to_share_with(by: Actor) -> list[dict[str, Any]]:
    """The roles a person may share a view with: his own, or all where he is one who gives roles."""
    rows = Role.objects.filter(retired_at=None)
    if not by.may("access.assign_role"):
        rows = rows.filter(assignments__person=by.id).distinct()
    english = by.language.startswith("en")
    return [
        {"id": id, "name": (en or zh) if english else (zh or en)}
        for id, zh, en in rows.order_by("code").values_list("id", "name", "name_en")
    ]


def first_view(by: Actor, list_name: str) -> str | None:
    """The view a list opens with for a person."""
    found = Person.objects.filter(pk=by.id).values_list("first_views", flat=True).first() or {}
    return found.get(list_name)


def rights_of(person_id: UUID) -> frozenset[str]:
    """The union of a person's rights over all his assignments, wherever they hold."""
    rows = Role.objects.filter(retired_at=None, assignments__person=person_id).values_list("rights", flat=True)
    return frozenset(right for rights in rows for right in rights)


def people_with(right: str, site_id: UUID | None = None) -> list[UUID]:
    """Our own people who hold a right at a site (None: anywhere): whom an alert is for."""
    sql = """
    SELECT DISTINCT p.id, r.rights FROM access_person p
    JOIN access_assignment a ON a.person_id = p.id JOIN access_role r ON r.id = a.role_id
    WHERE p.retired_at IS NULL AND r.retired_at IS NULL AND p.partner_id IS NULL
      AND (%s::uuid IS NULL OR a.site_id IS NULL OR a.site_id = %s::uuid)
    """
    rows = _rows(sql, [site_id, site_id])
    return sorted({id for id, rights in rows if not rules.missing(rights, [right])})


def people_in_roles(codes: Iterable[str], site_id: UUID | None = None) -> list[UUID]:
    """Our own people who have one of these roles at a site (None: anywhere), or at every site."""
    sql = """
    SELECT DISTINCT p.id FROM access_person p
    JOIN access_assignment a ON a.person_id = p.id JOIN access_role r ON r.id = a.role_id
    WHERE p.retired_at IS NULL AND r.retired_at IS NULL AND p.partner_id IS NULL AND r.code = ANY(%s::text[])
      AND (%s::uuid IS NULL OR a.site_id IS NULL OR a.site_id = %s::uuid)
    ORDER BY p.id
    """
    return [row[0] for row in _rows(sql, [list(codes), site_id, site_id])]


def people_in_use(person_ids: Iterable[UUID]) -> list[UUID]:
    """Those of these people who may still log in."""
    return list(Person.objects.filter(id__in=list(person_ids), retired_at=None).values_list("id", flat=True))


def unknown_people(person_ids: Iterable[UUID]) -> set[UUID]:
    """Those of these ids that no person has."""
    wanted = set(person_ids)
    return wanted - set(Person.objects.filter(id__in=wanted).values_list("id", flat=True)) if wanted else set()


def unknown_roles(codes: Iterable[str]) -> set[str]:
    """Those of these codes that are no role, neither here nor among those that come with the product."""
    wanted = set(codes) - {role.code for role in SHIPPED}
    return wanted - set(Role.objects.filter(code__in=wanted).values_list("code", flat=True)) if wanted else set()


def people_of_partner(partner_id: UUID) -> list[UUID]:
    """The people who log in for a partner."""
    rows = Person.objects.filter(partner_id=partner_id, retired_at=None).order_by("code")
    return list(rows.values_list("id", flat=True))


def names_of(person_ids: Iterable[UUID], language: str = "zh-CN") -> dict[UUID, str]:
    """The names of people, for audits and boards."""
    return {person.id: person.said(language) for person in Person.objects.filter(id__in=list(person_ids))}


def administrators() -> int:
    """How many people hold every right at every site."""
    sql = """
    SELECT a.person_id, r.rights FROM access_assignment a
    JOIN access_role r ON r.id = a.role_id AND r.retired_at IS NULL
    JOIN access_person p ON p.id = a.person_id AND p.retired_at IS NULL AND p.partner_id IS NULL
    WHERE a.site_id IS NULL
    """
    held: dict[UUID, set[str]] = {}
    for person_id, rights in _rows(sql, []):
        held.setdefault(person_id, set()).update(rights)
    return sum(rules.is_administration(rights, None) for rights in held.values())


@dataclass(frozen=True)
class OpenSession:
    """One stay of a person, as he may see it and end it."""

    id: UUID
    opened_at: datetime
    seen_at: datetime
    ends_at: datetime
    address: str
    agent: str
    station: str | None
    current: bool


def open_sessions(person_id: UUID, current: UUID | None = None) -> list[OpenSession]:
    """A person's open sessions, latest use first."""
    sql = f"""
    SELECT s.id, s.opened_at, s.seen_at, least(s.ends_at, s.seen_at + make_interval(secs => s.idle_s)),
           s.address, s.agent, (SELECT t.name FROM access_station t WHERE t.id = s.station_id)
    FROM access_session s WHERE s.person_id = %s AND {sessions.LIVE} ORDER BY s.seen_at DESC, s.id DESC
    """
    return [OpenSession(*row, current=row[0] == current) for row in _rows(sql, [person_id])]


# -- sites, stations, partners ----------------------------------------------------------------------------------------


def sites_of(by: Actor) -> list[Site]:
    """The sites an actor may work at, by code."""
    rows = Site.objects.filter(retired_at=None).order_by("code")
    return list(rows if by.sites is ALL else rows.filter(id__in=by.sites))


def site(site_id: UUID) -> Site:
    """One site. Raises NotFound."""
    found = fetching.matching(Site, id=site_id)
    if not found:
        raise NotFound("not_found", entity="access.site", id=str(site_id))
    return found[0]


def site_by_code(code: str) -> Site:
    """A site by its code. Raises NotFound."""
    found = Site.objects.filter(code=code).first()
    if found is None:
        raise NotFound("not_found", entity="access.site", id=code)
    return found


def site_ids() -> list[UUID]:
    """All sites in use, by code."""
    return list(Site.objects.filter(retired_at=None).order_by("code").values_list("id", flat=True))


def site_zone(site_id: UUID) -> str:
    """The IANA time zone of a site. Raises NotFound."""
    return site(site_id).time_zone


def site_currency(site_id: UUID) -> str:
    """The currency a site counts its costs in. Raises NotFound."""
    return site(site_id).currency


@dataclass(frozen=True)
class StationFacts:
    """A registered terminal."""

    id: UUID
    code: str
    name: str
    name_en: str
    site_id: UUID
    work_center_id: UUID | None


def station_by_key(key: str) -> StationFacts | None:
    """The terminal whose browser keeps this key."""
    sql = """
    SELECT id, code, name, name_en, site_id, work_center_id FROM access_station
    WHERE key_digest = %s AND retired_at IS NULL
    """
    rows = _rows(sql, [passwords.digest(key)]) if key else []
    return StationFacts(*rows[0]) if rows else None


def station_facts(station_id: UUID) -> StationFacts | None:
    """A terminal by its id."""
    sql = "SELECT id, code, name, name_en, site_id, work_center_id FROM access_station WHERE id = %s"
    rows = _rows(sql, [station_id])
    return StationFacts(*rows[0]) if rows else None


@dataclass(frozen=True)
class DisplayFacts:
    """A wall display: where it hangs, what it shows and how."""

    id: UUID
    name: str
    site_id: UUID
    site_name: str
    time_zone: str
    screens: list[str]
    dwell_seconds: int
    language: str
    theme: str


def display_facts(display_id: UUID) -> DisplayFacts:
    """A wall display by its id, called in its own language. Raises NotFound."""
    found = Display.objects.select_related("site").filter(id=display_id).first()
    if found is None:
        raise NotFound("not_found", entity="access.display", id=str(display_id))
    shown = [screen for screen in found.screens if screen in rules.SCREENS]
    said, site = found.said(found.language), found.site
    return DisplayFacts(
        found.id, said, site.id, site.said(found.language), site.time_zone, shown,
        found.dwell_seconds, found.language, found.theme,
    )  # fmt: skip


def partner_name(partner_id: UUID, language: str) -> str:
    """What a partner is called. Parties live on a higher floor, so the record is found by its kind, as links are."""
    try:
        model: Any = apps.get_model("parties", "Party")
    except LookupError:
        return ""
    found = model.objects.filter(pk=partner_id).first()
    return found.said(language) if found is not None else ""


def _json(value: Any) -> Any:
    return packing.loads(value) if isinstance(value, (str, bytes)) else value


def _rows(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
