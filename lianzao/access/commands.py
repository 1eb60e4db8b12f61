"""The only writers of people, roles, assignments, tokens and stations. Nobody gives away more than he has himself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection

from lianzao.access import passwords, queries, rules, sessions
from lianzao.access.events import AccessChanged, DisplayChanged, StationRegistered
from lianzao.access.models import (
    Assignment,
    Audience,
    Credential,
    Display,
    Language,
    Person,
    Role,
    Site,
    Station,
    Theme,
    Token,
    WallTheme,
)
from lianzao.access.refused import dismiss_refused_order as dismiss_refused_order
from lianzao.access.refused import file_refused_order as file_refused_order
from lianzao.access.refused import settle_refused_order as settle_refused_order
from lianzao.access.roles import SHIPPED
from lianzao.foundation import audit, clock, scope
from lianzao.foundation.actor import ALL, Actor
from lianzao.foundation.command import command
from lianzao.foundation.outbox import publish
from lianzao.foundation.resource import check_columns, check_unique
from lianzao.values.errors import Conflict, Invalid, NotAllowed, RuleBroken

# -- people -----------------------------------------------------------------------------------------------------------


@command
def create_person(
    by: Actor,
    *,
    login: str,
    name: str,
    name_en: str = "",
    code: str = "",
    language: Language = Language.CHINESE,
    partner_id: UUID | None = None,
    password: str | None = None,
    demo: bool = False,
) -> Person:
    """Let somebody in: a login and a name; what he may do is said by assigning roles.

    `partner_id` (a party) makes him a partner's person. Without a password he can enter by badge only. Only the
    product itself makes demo people, whose well-known passwords work while nobody else can reach the server.
    Raises Invalid for a malformed login or weak password, Conflict when the login is taken.
    """
    scope.check_partner(by, partner_id)
    if demo and by.kind != "system":
        raise NotAllowed("not_allowed", right="access.create_demo_person")
    plain = rules.check_login(login)
    person = Person(
        login=plain,
        code=code or plain,
        name=name,
        name_en=name_en,
        language=language,
        partner_id=partner_id,
        is_demo=demo,
    )
    check_columns(person, ["name", "name_en", "code"])
    check_unique(person)
    if password is not None and not demo:
        _check_password(person, password)
    person.save()
    Credential.objects.create(person=person)
    if password is not None:
        _keep_password(person.id, password, temporary=False)
    return person


@command
def change_person(
    by: Actor,
    *,
    person: Person,
    login: str | None = None,
    name: str | None = None,
    name_en: str | None = None,
    language: Language | None = None,
) -> Person:
    """Change a person's login, names or language."""
    _check_reach(by, person)
    if login is not None:
        person.login = rules.check_login(login)
    for field, value in (("name", name), ("name_en", name_en), ("language", language)):
        if value is not None:
            setattr(person, field, value)
    check_columns(person, ["name", "name_en"])
    check_unique(person)
    person.save()
    return person


@command
def retire_person(by: Actor, *, person: Person, reason: str = "") -> Person:
    """Shut a person out: his sessions and tokens end at once, his history stays.

    Raises RuleBroken("last_administrator").
    """
    _check_reach(by, person)
    if person.retired_at is not None:
        raise Conflict("already_retired", document=person.label)
    before = _administrators()
    person.retired_at, person.retired_why = clock.now(), reason[:200]
    person.save()
    for token in Token.objects.filter(person=person, revoked_at=None):
        _revoke(token)
    sessions.end_sessions(person.id)
    _check_administrators(before)
    publish(AccessChanged(person.id, "retired"))
    return person


@command
def restore_person(by: Actor, *, person: Person) -> Person:
    """Let a retired person in again, with the roles he had; his tokens stay revoked."""
    _check_reach(by, person)
    if person.retired_at is None:
        raise Conflict("not_retired", document=person.label)
    person.retired_at, person.retired_why = None, ""
    person.save()
    return person


@command
def set_password(by: Actor, *, person: Person, password: str, temporary: bool = False) -> Person:
    """Give a person a password; his sessions end. A temporary one must be changed at the first login."""
    _check_reach(by, person)
    _check_password(person, password)
    _keep_password(person.id, password, temporary=temporary)
    sessions.end_sessions(person.id)
    sessions.forgive(sessions.failure_key("login", person.login))
    publish(AccessChanged(person.id, "password"))
    return person


@command
def change_password(by: Actor, *, old_password: str, new_password: str) -> Person:
    """Change one's own password; all one's other sessions end.

    Raises Invalid("old_password_wrong"), Locked after too many wrong tries, Invalid for a weak new one.
    """
    person = _self(by)
    credential = Credential.objects.filter(person=person).first()
    key = sessions.failure_key("password", str(person.id))
    sessions.take_attempt_apart(key, rules.LOGIN_FAILURES)
    if not passwords.verify(credential.password if credential else "", old_password):
        raise Invalid("old_password_wrong", field="old_password")
    sessions.forgive(key)
    if passwords.canonical(old_password) == passwords.canonical(new_password):
        raise Invalid("password_unchanged", field="new_password")
    _check_password(person, new_password, field="new_password")
    _keep_password(person.id, new_password, temporary=False)
    sessions.end_sessions(person.id, but=by.session)
    publish(AccessChanged(person.id, "password"))
    return person


@command
def set_badge(by: Actor, *, person: Person, badge: str, pin: str) -> Person:
    """Give a person a badge and its PIN (4 to 6 digits) for the terminals; an earlier badge is worth nothing then.

    Raises Conflict("badge_taken"), Invalid for a PIN that is malformed or too simple.
    """
    _check_reach(by, person)
    if not 4 <= len(badge.strip()) <= 200:
        raise Invalid("badge_malformed", field="badge")
    rules.check_pin(pin)
    digest = sessions.badge_of(badge)
    if Credential.objects.filter(badge_digest=digest).exclude(person=person).exists():
        raise Conflict("badge_taken", field="badge")
    _keep(person.id, badge_digest=digest, pin=passwords.hash_secret(pin))
    sessions.forgive(sessions.failure_key("badge", digest))
    _end_station_stays(person.id)
    publish(AccessChanged(person.id, "badge"))
    return person


@command
def remove_badge(by: Actor, *, person: Person) -> Person:
    """Take a person's badge back (lost, or left): no terminal opens to it any more."""
    _check_reach(by, person)
    _keep(person.id, badge_digest=None, pin="")
    _end_station_stays(person.id)
    publish(AccessChanged(person.id, "badge"))
    return person


@command
def set_own_pin(by: Actor, *, password: str, new_pin: str) -> Person:
    """Change the PIN of one's own badge, proving oneself by password.

    Raises Conflict("no_badge"), Invalid("old_password_wrong"), Locked.
    """
    person = _self(by)
    credential = Credential.objects.filter(person=person).first()
    if credential is None or credential.badge_digest is None:
        raise Conflict("no_badge")
    key = sessions.failure_key("password", str(person.id))
    sessions.take_attempt_apart(key, rules.LOGIN_FAILURES)
    if not passwords.verify(credential.password, password):
        raise Invalid("old_password_wrong", field="password")
    sessions.forgive(key)
    rules.check_pin(new_pin)
    _keep(person.id, pin=passwords.hash_secret(new_pin))
    return person


@command
def set_preferences(
    by: Actor, *, language: Language | None = None, theme: Theme | None = None, site: Site | None = None
) -> Person:
    """Set one's own language, theme, and the site one works at."""
    person = _self(by)
    if site is not None:
        scope.check_site(by, site.id, "site")
        if by.station is not None:
            raise NotAllowed("station_has_its_site")
        person.preferred_site = site
        if by.session is not None:
            sessions.use_site(by.session, site.id)
    if language is not None:
        person.language = language
    if theme is not None:
        person.theme = theme
    person.save()
    return person


@command
def unlock_person(by: Actor, *, person: Person) -> Person:
    """Let a person who mistyped too often try again at once."""
    _check_reach(by, person)
    sessions.forgive(sessions.failure_key("login", person.login))
    sessions.forgive(sessions.failure_key("password", str(person.id)))
    badge = Credential.objects.filter(person=person).values_list("badge_digest", flat=True).first()
    if badge:
        sessions.forgive(sessions.failure_key("badge", badge))
    audit.touch(person.kind, person.id)
    return person


@command
def end_sessions(by: Actor, *, person: Person) -> dict[str, int]:
    """End all sessions of a person, wherever he is logged in."""
    _check_reach(by, person)
    audit.touch(person.kind, person.id)
    ended = sessions.end_sessions(person.id)
    publish(AccessChanged(person.id, "sessions"))
    return {"ended": ended}


# -- roles ------------------------------------------------------------------------------------------------------------


@command
def create_role(
    by: Actor,
    *,
    code: str,
    name: str,
    rights: list[str],
    name_en: str = "",
    masks: list[str] | None = None,
    home: str = "",
    audience: Audience = Audience.OWN,
) -> Role:
    """Make a role of rights such as `sales.confirm_order`, `sales.*`, `*.view_*`.

    Raises NotAllowed("right_not_held") for a right the maker has not got himself.
    """
    role = Role(code=code, name=name, name_en=name_en, home=home, audience=audience)
    _fill_role(by, role, rights, masks or [])
    check_columns(role, ["code", "name", "name_en", "home"])
    check_unique(role)
    role.save()
    return role


@command
def change_role(
    by: Actor,
    *,
    role: Role,
    name: str | None = None,
    name_en: str | None = None,
    rights: list[str] | None = None,
    masks: list[str] | None = None,
    home: str | None = None,
) -> Role:
    """Change a role, for everybody who has it. Raises NotAllowed, RuleBroken("last_administrator")."""
    before = _administrators()
    _check_gift(by, role.rights, role.masks)
    _fill_role(by, role, role.rights if rights is None else rights, role.masks if masks is None else masks)
    for field, value in (("name", name), ("name_en", name_en), ("home", home)):
        if value is not None:
            setattr(role, field, value)
    check_columns(role, ["name", "name_en", "home"])
    role.save()
    _check_administrators(before)
    _tell_holders(role, "role")
    return role


@command
def retire_role(by: Actor, *, role: Role, reason: str = "") -> Role:
    """Take a role out of use: nobody has its rights any more. Raises RuleBroken("last_administrator")."""
    before = _administrators()
    _check_every_site(by)
    _check_gift(by, role.rights, role.masks)
    if role.retired_at is not None:
        raise Conflict("already_retired", document=role.label)
    role.retired_at, role.retired_why = clock.now(), reason[:200]
    role.save()
    _check_administrators(before)
    _tell_holders(role, "role")
    return role


@command
def set_up_roles(by: Actor) -> dict[str, int]:
    """Make the roles that come with the product, and bring those nobody has changed up to this version; repeatable."""
    made = changed = 0
    kept = {role.code: role for role in Role.objects.all()}
    for shipped in SHIPPED:
        _check_gift(by, shipped.rights, ())
        role = kept.get(shipped.code)
        if role is None:
            Role(
                code=shipped.code,
                name=shipped.name,
                name_en=shipped.name_en,
                audience=shipped.audience,
                home=shipped.home,
                rights=list(shipped.rights),
                masks=list(shipped.masks),
                shipped=list(shipped.rights),
            ).save()
            made += 1
        elif sorted(role.rights) == sorted(role.shipped) != sorted(shipped.rights):
            role.rights = role.shipped = list(shipped.rights)
            role.save()
            changed += 1
    return {"made": made, "changed": changed}


@command
def assign_role(by: Actor, *, person: Person, role: Role, site: Site | None = None) -> Assignment:
    """Give a person a role at a site, or, without one, at every site.

    Raises NotAllowed for a right or site the giver has not got, RuleBroken("role_not_for_partner"), Conflict.
    """
    if site is not None:
        scope.check_site(by, site.id, "site")
    else:
        _check_every_site(by)
    _check_gift(by, role.rights, role.masks)
    if role.retired_at is not None or person.retired_at is not None:
        raise Conflict("already_retired", document=(role if role.retired_at else person).label)
    if (role.audience == Audience.PARTNER) != (person.partner_id is not None):
        raise RuleBroken("role_not_for_partner" if person.partner_id else "role_only_for_partner", role=role.label)
    if Assignment.objects.filter(person=person, role=role, site=site).exists():
        raise Conflict("already_assigned", person=person.label, role=role.label)
    made = Assignment(person=person, role=role, site=site)
    made.save()
    audit.touch(person.kind, person.id)
    publish(AccessChanged(person.id, "role"))
    return made


@command
def remove_assignment(by: Actor, *, assignment: Assignment) -> Person:
    """Take a role from a person. Raises RuleBroken("last_administrator")."""
    before = _administrators()
    if assignment.site_id is not None:
        scope.check_site(by, assignment.site_id, "assignment")
    else:
        _check_every_site(by)
    person = assignment.person
    _check_gift(by, assignment.role.rights, ())
    assignment.delete()
    _check_administrators(before)
    audit.touch(person.kind, person.id)
    publish(AccessChanged(person.id, "role"))
    return person


# -- tokens and stations ----------------------------------------------------------------------------------------------


@command(hidden=True)
def issue_token(
    by: Actor, *, name: str, digest: str, rights: list[str], expires_at: datetime, person: Person | None = None
) -> Token:
    """Record a token for a program: for oneself, or for a person one could give all his rights.

    `digest` is the SHA-256 of the token (`POST /api/access/new_token` makes both); the token itself is never kept.
    At most a year. Raises Invalid, NotAllowed("right_not_held"), NotAllowed("token_by_person_only").
    """
    if by.kind == "token" or by.station is not None:
        raise NotAllowed("token_by_person_only")
    holder = person or _self(by)
    if holder.retired_at is not None:
        raise Conflict("already_retired", document=holder.label)
    if holder.id != by.id:
        _check_reach(by, holder)
    wanted = rules.check_rights(rights)
    if not wanted:
        raise Invalid("field_missing", field="rights")
    lacking = rules.missing(queries.rights_of(holder.id), wanted)
    if lacking:
        raise NotAllowed("right_not_held", right=lacking[0])
    if holder.id == by.id:
        _check_gift(by, wanted, None)
    now = clock.real_now()  # tokens end by the machine's clock, whatever the plant's says
    if not now < expires_at.astimezone(UTC) <= now + timedelta(days=rules.LONGEST_TOKEN_DAYS):
        raise Invalid("token_expiry", field="expires_at", days=rules.LONGEST_TOKEN_DAYS)
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise Invalid("malformed", field="digest")
    token = Token(person=holder, name=name, digest=digest, rights=wanted, expires_at=expires_at)
    check_columns(token, ["name"])
    check_unique(token)
    token.save()
    return token


@command
def revoke_token(by: Actor, *, token: Token) -> Token:
    """Make a token worthless at once."""
    if token.person_id != by.id:
        _check_reach(by, token.person)
    if token.revoked_at is not None:
        raise Conflict("already_revoked", document=token.name)
    _revoke(token)
    return token


@command
def register_station(
    by: Actor, *, code: str, name: str, site: Site, name_en: str = "", work_center_id: UUID | None = None
) -> Station:
    """Make a terminal known. Bind it to a browser from that browser itself ("this device is …")."""
    scope.check_site(by, site.id, "site")
    station = Station(code=code, name=name, name_en=name_en, site=site, work_center_id=work_center_id)
    check_columns(station, ["code", "name", "name_en"])
    check_unique(station)
    station.save()
    return station


@command
def change_station(
    by: Actor,
    *,
    station: Station,
    name: str | None = None,
    name_en: str | None = None,
    work_center_id: UUID | None = None,
) -> Station:
    """Rename a terminal, or set the work center it stands at."""
    for field, value in (("name", name), ("name_en", name_en), ("work_center_id", work_center_id)):
        if value is not None:
            setattr(station, field, value)
    check_columns(station, ["name", "name_en"])
    station.save()
    return station


@command(hidden=True)
def bind_station(by: Actor, *, station: Station, device_key: str) -> Station:
    """Bind a terminal to the browser that keeps this key; another browser's earlier key is worth nothing then."""
    if len(device_key) < 32:
        raise Invalid("device_key_too_short", field="device_key")
    if station.retired_at is not None:
        raise Conflict("already_retired", document=station.label)
    station.key_digest = passwords.digest(device_key)
    station.save()
    sessions.end_station_sessions(station.id)
    publish(StationRegistered(station.site_id, station.id))
    return station


@command
def retire_station(by: Actor, *, station: Station, reason: str = "") -> Station:
    """Take a terminal out of use: its browser's key is worth nothing any more."""
    if station.retired_at is not None:
        raise Conflict("already_retired", document=station.label)
    station.retired_at, station.retired_why, station.key_digest = clock.now(), reason[:200], None
    station.save()
    sessions.end_station_sessions(station.id)
    return station


# -- wall displays ----------------------------------------------------------------------------------------------------


@command
def register_display(
    by: Actor,
    *,
    code: str,
    name: str,
    site: Site,
    screens: list[str],
    name_en: str = "",
    dwell_seconds: int = 30,
    language: Language = Language.CHINESE,
    theme: WallTheme = WallTheme.DARK,
    expires_at: datetime | None = None,
) -> Display:
    """Make a screen on a wall known: at which site, which pages it shows in turn, each for how many seconds.

    A browser becomes it by a link (`POST /api/access/new_display_link`). Raises Invalid("screen_unknown"),
    NotAllowed("right_not_held") for a screen the maker may not see himself.
    """
    scope.check_site(by, site.id, "site")
    display = Display(code=code, name=name, name_en=name_en, site=site, language=language, theme=theme)
    _fill_display(by, display, screens, dwell_seconds, expires_at)
    check_columns(display, ["code", "name", "name_en"])
    check_unique(display)
    display.save()
    return display


@command
def change_display(
    by: Actor,
    *,
    display: Display,
    name: str | None = None,
    name_en: str | None = None,
    screens: list[str] | None = None,
    dwell_seconds: int | None = None,
    language: Language | None = None,
    theme: WallTheme | None = None,
    expires_at: datetime | None = None,
) -> Display:
    """Rename a wall display, or change what it shows, how long each, and in which language and colours."""
    for field, value in (("name", name), ("name_en", name_en), ("language", language), ("theme", theme)):
        if value is not None:
            setattr(display, field, value)
    _fill_display(
        by,
        display,
        display.screens if screens is None else screens,
        display.dwell_seconds if dwell_seconds is None else dwell_seconds,
        expires_at or display.expires_at,
        given=expires_at is not None,
    )
    check_columns(display, ["name", "name_en"])
    display.save()
    publish(DisplayChanged(display.site_id, display.id, "changed"))
    return display


@command(hidden=True)
def link_display(by: Actor, *, display: Display, digest: str) -> Display:
    """Record a link by its digest: for half an hour, one browser may become this display. An earlier link ends."""
    _check_display(by, display)
    display.link_digest = digest
    display.link_until = clock.real_now() + timedelta(minutes=rules.LINK_MINUTES)
    display.save()
    return display


@command(hidden=True)
def connect_display(by: Actor, *, display: Display, link_digest: str, key_digest: str) -> Display:
    """Bind a wall display to the browser that keeps this key, and use up the link; an earlier browser's key ends.

    Raises NotAllowed("link_used") when another browser was quicker.
    """
    if display.link_digest != link_digest or display.retired_at is not None:
        raise NotAllowed("link_used")
    display.key_digest, display.link_digest, display.link_until = key_digest, None, None
    display.opened_at = display.seen_at = clock.real_now()
    display.save()
    publish(DisplayChanged(display.site_id, display.id, "opened"))
    return display


@command
def revoke_display(by: Actor, *, display: Display) -> Display:
    """Make a wall display's key worthless: within a minute it shows nothing any more. A new link lets it in again."""
    if display.key_digest is None and display.link_digest is None:
        raise Conflict("already_revoked", document=display.label)
    display.key_digest = display.link_digest = display.link_until = display.opened_at = None
    display.save()
    publish(DisplayChanged(display.site_id, display.id, "revoked"))
    return display


@command
def retire_display(by: Actor, *, display: Display, reason: str = "") -> Display:
    """Take a wall display out of use for good: its key and its link are worth nothing any more."""
    if display.retired_at is not None:
        raise Conflict("already_retired", document=display.label)
    display.retired_at, display.retired_why = clock.now(), reason[:200]
    display.key_digest = display.link_digest = display.link_until = display.opened_at = None
    display.save()
    publish(DisplayChanged(display.site_id, display.id, "retired"))
    return display


# -- guards -----------------------------------------------------------------------------------------------------------


def _self(by: Actor) -> Person:
    person = Person.objects.filter(id=by.id).first() if by.id is not None else None
    if person is None:
        raise NotAllowed("only_for_people")
    return person


def _check_every_site(by: Actor) -> None:
    if by.sites is not ALL:
        raise NotAllowed("needs_every_site")


def _check_gift(by: Actor, rights: list[str] | tuple[str, ...], masks: list[str] | tuple[str, ...] | None) -> None:
    """Nobody gives a right he has not got, nor a view of columns that are hidden from himself."""
    lacking = rules.missing(by.rights, rights)
    if lacking:
        raise NotAllowed("right_not_held", right=lacking[0])
    if masks is not None and rights and not by.masks <= set(masks):
        raise NotAllowed("mask_not_lifted", mask=min(by.masks - set(masks)))


def _check_reach(by: Actor, person: Person) -> None:
    """Whoever sets another's password could act as him, so he must hold all his rights, at all his sites, himself."""
    if person.id == by.id:
        return
    scope.check_partner(by, person.partner_id)
    for assignment in Assignment.objects.filter(person=person, role__retired_at=None).select_related("role"):
        if assignment.site_id is None:
            _check_every_site(by)
        else:
            scope.check_site(by, assignment.site_id, "person")
        _check_gift(by, assignment.role.rights, None)


def _fill_display(
    by: Actor, display: Display, screens: list[str], seconds: int, expires_at: datetime | None, *, given: bool = True
) -> None:
    display.screens = rules.check_screens(screens)
    rules.check_dwell(seconds)
    display.dwell_seconds = seconds
    if given and expires_at is not None and expires_at.astimezone(UTC) <= clock.real_now():
        raise Invalid("display_expiry", field="expires_at")
    display.expires_at = expires_at
    _check_display(by, display)


def _check_display(by: Actor, display: Display) -> None:
    """Nobody hangs on a wall what he may not see himself."""
    if display.retired_at is not None:
        raise Conflict("already_retired", document=display.label)
    lacking = rules.missing(by.rights, map(rules.screen_right, display.screens))
    if lacking:
        raise NotAllowed("right_not_held", right=lacking[0])


def _fill_role(by: Actor, role: Role, rights: list[str], masks: list[str]) -> None:
    _check_every_site(by)
    role.rights, role.masks = rules.check_rights(rights), rules.check_masks(masks)
    _check_gift(by, role.rights, role.masks)


def _administrators() -> int:
    """How many administrators there are, held still until this order ends: two must not remove each other at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('lianzao_administrators'))")
    return queries.administrators()


def _check_administrators(before: int) -> None:
    if before and not queries.administrators():
        raise RuleBroken("last_administrator")


def _check_password(person: Person, password: str, field: str = "password") -> None:
    try:
        rules.check_password(
            passwords.canonical(password),
            about=(person.login, person.code, person.name_en),
            known=passwords.common_passwords(),
        )
    except Invalid as error:
        error.field = field
        raise


def _keep_password(person_id: UUID, password: str, *, temporary: bool) -> None:
    _keep(person_id, password=passwords.hash_secret(password), password_at=clock.real_now(), must_change=temporary)


def _keep(person_id: UUID, **hashes: object) -> None:
    """Write what is hashed. The audit says that it changed, never to what."""
    Credential.objects.update_or_create(person_id=person_id, defaults=hashes)
    changed = sorted({"password", "badge_digest", "pin"} & set(hashes))
    audit.note("access.person", person_id, {}, dict.fromkeys(changed, "***"))


def _end_station_stays(person_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM access_session WHERE person_id = %s AND station_id IS NOT NULL", [person_id])


def _revoke(token: Token) -> None:
    token.revoked_at = clock.now()
    token.save()


def _tell_holders(role: Role, reason: str) -> None:
    for person_id in Assignment.objects.filter(role=role).values_list("person_id", flat=True).distinct():
        publish(AccessChanged(person_id, reason))
