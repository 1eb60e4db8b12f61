"""The door: opening, finding and ending sessions, and making guessing slow. Writes only what the door itself keeps.

A login is no command: its failures must be committed although it is refused, and it needs no audit of changes. All
times are the database's own clock, so that several machines agree and a virtual plant clock does not end sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from lianzao.access import passwords, rules
from lianzao.values.errors import DomainError, NotAllowed, NotKnown
from lianzao.values.time import uuid7

IDLE_S = 12 * 3600
LONGEST_S = 7 * 24 * 3600
STATION_IDLE_S = 30 * 60
STATION_LONGEST_S = 12 * 3600
#: A lock that ends later than any we set was set before the clock was set back, and is over.
LONGEST_LOCK_S = float(rules.LONGEST_WAIT_S + 60)


class Locked(DomainError):
    """Too many failures: wait `seconds` before trying again."""

    status = 423


@dataclass(frozen=True)
class Opened:
    """A new session; `key` goes into the cookie and is kept nowhere else."""

    session_id: UUID
    person_id: UUID
    key: str
    longest_s: int


# -- guessing ---------------------------------------------------------------------------------------------------------

COUNT = """
INSERT INTO access_login_failure AS f (key, failures, last_at, locked_until)
VALUES (%s, 1, statement_timestamp(), NULL)
ON CONFLICT (key) DO UPDATE SET
    failures = CASE WHEN f.last_at < statement_timestamp() - interval '1 day' THEN 1 ELSE f.failures + 1 END,
    last_at = statement_timestamp(),
    locked_until = NULL
WHERE f.locked_until IS NULL OR f.locked_until <= statement_timestamp()
   OR f.locked_until > statement_timestamp() + make_interval(secs => %s)
RETURNING failures
"""

LOCK = """
UPDATE access_login_failure SET locked_until = statement_timestamp() + make_interval(secs => %s) WHERE key = %s
"""

LEFT = """
SELECT ceil(extract(epoch FROM locked_until - statement_timestamp()))::int FROM access_login_failure WHERE key = %s
"""

GIVE_BACK = """
UPDATE access_login_failure SET failures = greatest(failures - 1, 0), locked_until = NULL WHERE key = %s
"""

FORGET_OLD = "DELETE FROM access_login_failure WHERE last_at < statement_timestamp() - interval '1 day'"


def failure_key(what: str, name: str) -> str:
    """Under which key failures of a login, badge, station or address are counted."""
    return passwords.digest(f"{what}:{name}")


def take_attempt(key: str, allowed: int) -> None:
    """Count one attempt as a failure before it is tried, so that parallel guesses cannot slip past the limit.

    Raises Locked while the key is locked. A right answer takes the count back (`forgive`, `give_back`).
    """
    with transaction.atomic():
        rows = _rows(COUNT, [key, LONGEST_LOCK_S])
        if rows:
            wait = rules.wait_after(rows[0][0], allowed)
            if wait:
                _run(LOCK, [float(wait), key])
            return
    left = _rows(LEFT, [key])
    raise Locked("locked_out", seconds=max(1, left[0][0] or 1) if left else 1)


def take_attempt_apart(key: str, allowed: int) -> None:
    """The same inside a command: on a connection of its own, so that it counts although the command is rolled back."""
    apart = connection.copy()
    try:
        with apart.cursor() as cursor:
            cursor.execute(COUNT, [key, LONGEST_LOCK_S])
            counted = cursor.fetchone()
            if counted is None:
                cursor.execute(LEFT, [key])
                left = cursor.fetchone()
                raise Locked("locked_out", seconds=max(1, left[0] or 1) if left else 1)
            wait = rules.wait_after(counted[0], allowed)
            if wait:
                cursor.execute(LOCK, [float(wait), key])
    finally:
        apart.close()


def forgive(key: str) -> None:
    """Forget the failures of a login that has now proved itself."""
    _run("DELETE FROM access_login_failure WHERE key = %s", [key])


def give_back(key: str) -> None:
    """Take back one attempt of an address: a right login must not wipe out the guesses made beside it."""
    _run(GIVE_BACK, [key])


# -- logging in -------------------------------------------------------------------------------------------------------

BY_LOGIN = """
SELECT p.id, p.retired_at IS NULL, p.is_demo, c.password
FROM access_person p JOIN access_credential c ON c.person_id = p.id
WHERE p.login = %s
"""

BY_BADGE = """
SELECT p.id, p.retired_at IS NULL, p.is_demo, c.pin
FROM access_credential c JOIN access_person p ON p.id = c.person_id
WHERE c.badge_digest = %s
"""

BY_STATION = """
SELECT id, site_id, code FROM access_station WHERE key_digest = %s AND retired_at IS NULL
"""

BY_LINK = """
SELECT id FROM access_display
WHERE link_digest = %s AND link_until > statement_timestamp() AND retired_at IS NULL
  AND (expires_at IS NULL OR expires_at > statement_timestamp())
"""

REHASH = "UPDATE access_credential SET password = %s WHERE person_id = %s AND password = %s"


def log_in(login: str, password: str, *, address: str, agent: str = "") -> Opened:
    """Open a session by login and password.

    Raises NotKnown("login_failed"), the same for an unknown login, a wrong password and a retired person and after the
    same work; Locked after too many failures; NotAllowed("demo_login_refused").
    """
    plain = rules.plain_login(login)
    by_address, by_login = failure_key("address", address), failure_key("login", plain)
    take_attempt(by_address, rules.ADDRESS_FAILURES)
    take_attempt(by_login, rules.LOGIN_FAILURES)
    found = _rows(BY_LOGIN, [plain])
    person_id, hash = _proved(found, password[: rules.LONGEST_PASSWORD], "login_failed", address)
    forgive(by_login)
    give_back(by_address)
    if passwords.outdated(hash):
        _run(REHASH, [passwords.hash_secret(password), person_id, hash])
    return open_session(person_id, idle_s=IDLE_S, longest_s=LONGEST_S, address=address, agent=agent)


def log_in_with_badge(
    station_key: str, badge: str, pin: str, *, station: str = "", address: str, agent: str = ""
) -> Opened:
    """Open a session at a registered terminal by badge and PIN; it is bound to the terminal and short.

    `station` (a code) must be the terminal's own if given. Raises NotKnown("station_unknown"),
    NotKnown("badge_failed"), Locked.
    """
    found = _rows(BY_STATION, [passwords.digest(station_key)])
    if not found or (station and station not in (found[0][2], str(found[0][0]))):
        raise NotKnown("station_unknown")
    station_id, site_id, _ = found[0]
    badge_digest = badge_of(badge)
    by_station, by_badge = failure_key("station", str(station_id)), failure_key("badge", badge_digest)
    take_attempt(by_station, rules.ADDRESS_FAILURES)
    take_attempt(by_badge, rules.LOGIN_FAILURES)
    person_id, _ = _proved(_rows(BY_BADGE, [badge_digest]), pin[:64], "badge_failed", address)
    forgive(by_badge)
    give_back(by_station)
    return open_session(
        person_id,
        idle_s=STATION_IDLE_S,
        longest_s=STATION_LONGEST_S,
        station_id=station_id,
        site_id=site_id,
        address=address,
        agent=agent,
    )


def display_of_link(code: str, *, address: str) -> UUID:
    """The wall display a link was made for. Guessing is made slow. Raises NotKnown("link_unknown"), Locked."""
    by_address = failure_key("display", address)
    take_attempt(by_address, rules.ADDRESS_FAILURES)
    found = _rows(BY_LINK, [passwords.digest(rules.plain_link(code))])
    if not found:
        raise NotKnown("link_unknown")
    give_back(by_address)
    return found[0][0]


def badge_of(code: str) -> str:
    """What is kept of a badge's code."""
    return passwords.digest("badge:" + code.strip())


def _proved(found: list[tuple], secret: str, failure: str, address: str) -> tuple[UUID, str]:
    # Whether anybody was found or not, one hash is computed before anything is decided.
    right = passwords.verify(found[0][3] if found else "", secret)
    if not found:
        raise NotKnown(failure)
    person_id, active, is_demo, kept = found[0]
    if not (right and active):
        raise NotKnown(failure)
    if is_demo and not demo_logins_allowed(address):
        raise NotAllowed("demo_login_refused")
    return person_id, kept


LOOPBACK = ("127.0.0.1", "::1", "localhost")


def demo_logins_allowed(address: str = "") -> bool:
    """Whether the demo's well-known logins may be used: only while nothing but this machine can reach the server.

    Another's proxy on this machine may let the world in: so the address the request came from counts too.
    """
    told = getattr(settings, "DEMO_LOGINS", None)
    if told is not None:
        return bool(told)
    here = settings.CONFIG.host in LOOPBACK and not settings.CONFIG.proxies
    return here and address in ("", *LOOPBACK)


# -- sessions ---------------------------------------------------------------------------------------------------------

OPEN = """
INSERT INTO access_session
    (id, digest, person_id, station_id, site_id, opened_at, seen_at, idle_s, ends_at, address, agent)
VALUES (%s, %s, %s, %s, %s, statement_timestamp(), statement_timestamp(), %s,
        statement_timestamp() + make_interval(secs => %s), %s, %s)
"""

LIVE = "ends_at > statement_timestamp() AND seen_at + make_interval(secs => idle_s) > statement_timestamp()"

TOUCH = """
UPDATE access_session SET seen_at = statement_timestamp()
WHERE id = %s AND seen_at < statement_timestamp() - interval '1 minute'
"""

TOUCH_TOKEN = """
UPDATE access_token SET used_at = statement_timestamp()
WHERE id = %s AND (used_at IS NULL OR used_at < statement_timestamp() - interval '1 minute')
"""


TOUCH_DISPLAY = """
UPDATE access_display SET seen_at = statement_timestamp()
WHERE id = %s AND (seen_at IS NULL OR seen_at < statement_timestamp() - interval '1 minute')
"""


def open_session(
    person_id: UUID,
    *,
    idle_s: int = IDLE_S,
    longest_s: int = LONGEST_S,
    station_id: UUID | None = None,
    site_id: UUID | None = None,
    address: str = "",
    agent: str = "",
) -> Opened:
    """Open a session for somebody who has proved who he is."""
    key, id = passwords.random_key(), uuid7()
    digest = passwords.digest(key)
    _run(
        OPEN,
        [id, digest, person_id, station_id, site_id, idle_s, float(longest_s), address[:64], agent[:200]],
    )
    _run(f"DELETE FROM access_session WHERE person_id = %s AND NOT ({LIVE})", [person_id])
    return Opened(id, person_id, key, longest_s)


def touch_session(session_id: UUID) -> None:
    """Remember that a session is in use; written at most once a minute."""
    _run(TOUCH, [session_id])


def touch_token(token_id: UUID) -> None:
    """Remember that a token is in use; written at most once a minute."""
    _run(TOUCH_TOKEN, [token_id])


def touch_display(display_id: UUID) -> None:
    """Remember that a wall display is alive; written at most once a minute."""
    _run(TOUCH_DISPLAY, [display_id])


def end_session(session_id: UUID, person_id: UUID) -> bool:
    """End one session of a person; whether there was one."""
    return _run("DELETE FROM access_session WHERE id = %s AND person_id = %s", [session_id, person_id]) > 0


def end_sessions(person_id: UUID, *, but: UUID | None = None) -> int:
    """End all sessions of a person, except one; gives how many."""
    return _run("DELETE FROM access_session WHERE person_id = %s AND id IS DISTINCT FROM %s::uuid", [person_id, but])


def end_station_sessions(station_id: UUID) -> int:
    """End all sessions at a terminal; gives how many."""
    return _run("DELETE FROM access_session WHERE station_id = %s", [station_id])


def use_site(session_id: UUID, site_id: UUID) -> None:
    """Remember the site somebody works at in this session."""
    _run("UPDATE access_session SET site_id = %s WHERE id = %s", [site_id, session_id])


def sweep() -> int:
    """Delete ended sessions and old failures; gives how many rows. For a daily job."""
    return _run(f"DELETE FROM access_session WHERE NOT ({LIVE})", []) + _run(FORGET_OLD, [])


def _run(sql: str, params: list) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.rowcount


def _rows(sql: str, params: list) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
