"""Pure decisions of access: how rights combine, who is an administrator, what a password must be, how long to wait."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from uuid import UUID

from lianzao.values.errors import Invalid

#: What a session opened with badge and PIN may do at most: a PIN is short, so offices and administration stay shut.
STATION_LIMIT = (
    "*.view_*",
    "production.*",
    "inventory.*",
    "quality.*",
    "equipment.*",
    "logistics.*",
    "flows.*",
    "alerts.*",
    "overviews.*",
    "procurement.receive_goods",
    "procurement.record_arrival",
    "procurement.change_eta",
)

#: What a wall display may show at all, and the rooms whose news each page waits for.
SCREENS: dict[str, list[str]] = json.loads(Path(__file__).with_name("screens.json").read_text(encoding="utf-8"))
SHORTEST_DWELL_S = 5
LONGEST_DWELL_S = 3600
LINK_MINUTES = 30
#: Letters and digits that nobody mistakes for each other, read aloud or typed with a remote control.
LINK_LETTERS = "ABCDEFGHJKLMNPQRTUVWXY34679"
LINK_LENGTH = 10

LOGIN_FAILURES = 5
ADDRESS_FAILURES = 20
FIRST_WAIT_S = 60
LONGEST_WAIT_S = 3600

LEAST_PASSWORD = 10
LEAST_HAN = 8
LONGEST_PASSWORD = 256
LONGEST_TOKEN_DAYS = 366

_RIGHT = re.compile(r"\*|(\*|[a-z][a-z0-9_]*)\.(\*|[a-z][a-z0-9_]*\*?)")
_MASK = re.compile(r"(\*|[a-z][a-z0-9_]*)\.(\*|[a-z][a-z0-9_]*)\.(\*|[a-z][a-z0-9_]*)")
_LOGIN = re.compile(r"[\w.@+\-]{2,60}")
_HAN = re.compile(r"[\u3400-\u9fff]")


# -- rights -----------------------------------------------------------------------------------------------------------


def check_rights(rights: Iterable[str]) -> list[str]:
    """The rights, each once and sorted. Raises Invalid("right_malformed") for a text that is no right."""
    found = sorted({right.strip() for right in rights})
    for right in found:
        if not _RIGHT.fullmatch(right):
            raise Invalid("right_malformed", field="rights", right=right)
    return found


def check_masks(masks: Iterable[str]) -> list[str]:
    """The masks `<room>.<entity>.<column>`, each once and sorted. Raises Invalid("mask_malformed")."""
    found = sorted({mask.strip() for mask in masks})
    for mask in found:
        if not _MASK.fullmatch(mask):
            raise Invalid("mask_malformed", field="masks", mask=mask)
    return found


def _split(right: str) -> tuple[str, str]:
    if right == "*":
        return "*", "*"
    room, _, name = right.partition(".")
    return room, name


def covers(held: str, wanted: str) -> bool:
    """Whether everything the pattern `wanted` allows is allowed by the pattern `held` as well."""
    held_room, held_name = _split(held)
    room, name = _split(wanted)
    if held_room not in ("*", room):
        return False
    return held_name == name or (held_name.endswith("*") and name.startswith(held_name[:-1]))


def missing(held: Collection[str], wanted: Iterable[str]) -> list[str]:
    """Those of the wanted rights that no held right covers."""
    return [right for right in wanted if not any(covers(have, right) for have in held)]


def common(first: Iterable[str], second: Collection[str]) -> frozenset[str]:
    """The rights that both sets allow: a token's or a station's limit laid over what the person holds."""
    found: set[str] = set()
    for one in first:
        for other in second:
            both = _both(one, other)
            if both is not None:
                found.add(both)
    return frozenset(found)


def _both(one: str, other: str) -> str | None:
    (room_1, name_1), (room_2, name_2) = _split(one), _split(other)
    if room_1 != room_2 and "*" not in (room_1, room_2):
        return None
    room = room_2 if room_1 == "*" else room_1
    if name_1.endswith("*") and name_2.startswith(name_1[:-1]):
        name = name_2
    elif name_1 == name_2 or (name_2.endswith("*") and name_1.startswith(name_2[:-1])):
        name = name_1
    else:
        return None
    return "*" if (room, name) == ("*", "*") else f"{room}.{name}"


# -- wall displays ----------------------------------------------------------------------------------------------------


def screen_right(screen: str) -> str:
    """The right to see a screen."""
    return f"overviews.view_{screen}"


def hearing_right(room: str) -> str:
    """The right of a device to be told that something happened in a room, and nothing of what."""
    return f"{room}.hear_news"


def display_rights(screens: Iterable[str]) -> frozenset[str]:
    """What a display may do that shows these screens: see them, and hear when they have changed."""
    known = [screen for screen in screens if screen in SCREENS]
    heard = {hearing_right(room) for screen in known for room in SCREENS[screen]}
    return frozenset(map(screen_right, known)) | heard


def check_screens(screens: Iterable[str]) -> list[str]:
    """The screens in their order, each once. Raises Invalid for none, and for one that we have not got."""
    found = list(dict.fromkeys(screen.strip() for screen in screens))
    if not found:
        raise Invalid("field_missing", field="screens")
    for screen in found:
        if screen not in SCREENS:
            raise Invalid("screen_unknown", field="screens", screen=screen)
    return found


def check_dwell(seconds: int) -> None:
    """Raise Invalid unless a screen stays long enough to be read."""
    if not SHORTEST_DWELL_S <= seconds <= LONGEST_DWELL_S:
        raise Invalid("dwell_out_of_range", field="dwell_seconds", least=SHORTEST_DWELL_S, most=LONGEST_DWELL_S)


def plain_link(code: str) -> str:
    """A link's code as it is kept: without dashes and blanks, in capitals."""
    return re.sub(r"[\s-]+", "", unicodedata.normalize("NFKC", code)).upper()


# -- ways of looking at lists -----------------------------------------------------------------------------------------

LONGEST_VIEW_NAME = 60
_LIST = re.compile(r"[a-z][a-z0-9_.\-]{0,119}")


def check_view_name(name: str) -> str:
    """A view's name without the blanks around it. Raises Invalid for an empty or too long one."""
    plain = " ".join(name.split())
    if not plain:
        raise Invalid("field_missing", field="name")
    if len(plain) > LONGEST_VIEW_NAME:
        raise Invalid("too_long", field="name")
    return plain


def check_list_name(name: str) -> str:
    """The name of a list, as screens call it: `sales.sales_order`, `orders-open`. Raises Invalid for another text."""
    if not _LIST.fullmatch(name):
        raise Invalid("malformed", field="list_name")
    return name


# -- assignments ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Held:
    """One assignment as the credential's statement brings it. `site` None means at every site."""

    role: str
    rights: tuple[str, ...]
    masks: tuple[str, ...]
    home: str
    site: UUID | None


@dataclass(frozen=True)
class Standing:
    """What a person may do at the site in use. `sites` None means every site."""

    site: UUID | None
    sites: frozenset[UUID] | None
    rights: frozenset[str]
    masks: frozenset[str]
    roles: tuple[str, ...]
    home: str


def standing(held: Iterable[Held], wanted: UUID | None, all_sites: Collection[UUID]) -> Standing:
    """Rights, masks and visible sites of a person who works at site `wanted` (None: his first).

    The rights are the union over the assignments that hold at that site. The visible sites are those where every one
    of these assignments holds, so a right never reaches a site where it was not given. A column is masked only if
    every role masks it.
    """
    everything = list(held)
    everywhere = [one for one in everything if one.site is None]
    given = {one.site for one in everything if one.site is not None}
    site = wanted if wanted in given or (everywhere and wanted in all_sites) else None
    if site is None:
        ordered = [id for id in all_sites if id in given] or ([*all_sites] if everywhere else [])
        site = ordered[0] if ordered else None
    # What holds everywhere already says nothing new at one site, so it must not narrow the view to that site.
    general = {right for one in everywhere for right in one.rights}
    local = [one for one in everything if one.site is not None and one.site == site and missing(general, one.rights)]
    needed = {one.role for one in local}
    here = [*everywhere, *local]
    sites: frozenset[UUID] | None = None
    if local or not everywhere:
        sites = frozenset(id for id in given if needed and needed <= {one.role for one in everything if one.site == id})
    masks: frozenset[str] = frozenset(here[0].masks) if here else frozenset()
    for one in here:
        masks &= frozenset(one.masks)
    homes = [one.home for one in here if one.home]
    return Standing(
        site=site,
        sites=sites,
        rights=frozenset(right for one in here for right in one.rights),
        masks=masks,
        roles=tuple(dict.fromkeys(one.role for one in here)),
        home=homes[0] if homes else "",
    )


def is_administration(rights: Collection[str], site: object | None) -> bool:
    """Whether an assignment makes an administrator of the whole house: every right, at every site."""
    return site is None and not missing(rights, ["*"])


# -- logins, passwords, PINs ------------------------------------------------------------------------------------------


def plain_login(login: str) -> str:
    """The login as it is kept and compared: full-width to half-width, case folded, without blanks around it."""
    return unicodedata.normalize("NFKC", login).strip().casefold()


def check_login(login: str) -> str:
    """A login fit to be kept. Raises Invalid("login_malformed")."""
    plain = plain_login(login)
    if not _LOGIN.fullmatch(plain):
        raise Invalid("login_malformed", field="login")
    return plain


def check_password(password: str, *, about: Iterable[str] = (), known: Collection[str] = frozenset()) -> None:
    """Raise Invalid unless the password is strong enough.

    At least 10 characters, or a phrase of 8 Chinese characters; at least 5 different ones; it neither is nor contains
    the login or name (`about`), and is none of the `known` common ones, not even with digits or marks appended.
    """
    if len(password) > LONGEST_PASSWORD:
        raise Invalid("password_too_long", field="password", most=LONGEST_PASSWORD)
    if len(password) < LEAST_PASSWORD and len(_HAN.findall(password)) < LEAST_HAN:
        raise Invalid("password_too_short", field="password", least=LEAST_PASSWORD, han=LEAST_HAN)
    plain = unicodedata.normalize("NFKC", password).casefold()
    if len(set(plain)) < 5:
        raise Invalid("password_too_simple", field="password")
    for text in about:
        own = plain_login(text)
        if (len(own) >= 4 and own in plain) or plain == own:
            raise Invalid("password_like_login", field="password")
    if any(form in known for form in _forms(plain)) or _is_run(plain):
        raise Invalid("password_common", field="password")


def _forms(plain: str) -> set[str]:
    """The password itself, and what is left of it without digits and marks at its ends."""
    bare = re.sub(r"^[\W\d_]{1,4}|[\W\d_]{1,4}$", "", plain)
    return {plain, bare, plain.replace(" ", ""), re.sub(r"[\W_]+$", "", plain)}


def _is_run(plain: str) -> bool:
    """Whether the whole is one run such as 1234567890 or abcdefghij, up or down."""
    steps = {ord(after) - ord(before) for before, after in pairwise(plain)}
    return len(steps) == 1 and steps <= {-1, 0, 1}


def check_pin(pin: str) -> None:
    """Raise Invalid unless the PIN has 4 to 6 digits and is no run and no single digit repeated."""
    if not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 6):
        raise Invalid("pin_malformed", field="pin")
    if _is_run(pin):
        raise Invalid("pin_too_simple", field="pin")


def wait_after(failures: int, allowed: int) -> int:
    """Seconds to wait after so many failures: none below `allowed`, then one minute, doubling up to one hour."""
    if failures < allowed:
        return 0
    return min(FIRST_WAIT_S * 2 ** min(failures - allowed, 10), LONGEST_WAIT_S)


def source_address(peer: str, forwarded: str, trusted: Collection[str]) -> str:
    """The address a request came from. A forwarded address counts only when a trusted proxy reports it.

    Proxies append, so the last address that is not itself a trusted proxy is the one our own proxy saw.
    """
    if peer not in trusted:
        return peer
    for hop in reversed([part.strip() for part in forwarded.split(",") if part.strip()]):
        if hop not in trusted:
            return hop
    return peer
