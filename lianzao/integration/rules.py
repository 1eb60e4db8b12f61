"""Pure decisions of webhooks: secrets and signatures (Standard Webhooks v1), envelopes, addresses, pauses.

Sources: standardwebhooks.com specification 1.0 (symmetric `v1` signatures); CloudEvents 1.0 (JSON format, structured
mode); address ranges of the IANA special-purpose registries as Python's `ipaddress` knows them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from lianzao.values.errors import Invalid

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# -- secrets and signatures -------------------------------------------------------------------------------------------

PREFIX = "whsec_"


def derive_secret(master: str, endpoint_id: UUID, generation: int) -> bytes:
    """The secret of an endpoint's generation: 32 bytes from the installation's own key, so that no table holds it."""
    purpose = f"lianzao webhook v1|{endpoint_id}|{generation}"
    return hmac.new(master.encode(), purpose.encode(), hashlib.sha256).digest()


def written(secret: bytes) -> str:
    """A secret as receivers are given it."""
    return PREFIX + base64.b64encode(secret).decode("ascii")


def mark_of(secret: bytes) -> str:
    """By what we notice that a secret is no longer the one that was given out; tells nothing about it."""
    return hashlib.sha256(b"lianzao mark|" + secret).hexdigest()[:16]


def sign(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: one signature for each secret that is valid now, with blanks between."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode("ascii")
        for secret in secrets
    )


# -- what is sent -----------------------------------------------------------------------------------------------------

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


def type_of(wire_name: str) -> str:
    """The CloudEvents type of an event: sales.OrderConfirmed → lianzao.sales.OrderConfirmed.v1."""
    return f"lianzao.{wire_name}.v1"


def source_of(site_id: UUID | str | None) -> str:
    """Where an event comes from, as a relative URI: the house, or one of its sites."""
    return "/lianzao" if site_id is None else f"/lianzao/sites/{site_id}"


def envelope(
    id: UUID,
    wire_name: str,
    at: datetime,
    site_id: UUID | None,
    subject: tuple[str, UUID] | None,
    data: Mapping[str, Any],
) -> dict[str, Any]:
    """An event as a CloudEvents 1.0 envelope. The same event always gives the same envelope."""
    made: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(id),
        "source": source_of(site_id),
        "type": type_of(wire_name),
        "time": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": dict(data),
    }
    if subject is not None:
        made["subject"] = f"{subject[0]}/{subject[1]}"
    return made


def ids_only(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a partner is sent of an event: ids, but not who else was told."""
    return {name: value for name, value in facts.items() if name.endswith(("_id", "_ids")) and name != "partner_ids"}


def check_patterns(patterns: Sequence[str], known: Iterable[str]) -> None:
    """Refuse patterns that fit no event. Raises Invalid naming the one."""
    names = list(known)
    if not patterns:
        raise Invalid("field_missing", field="events")
    for pattern in patterns:
        if not re.fullmatch(r"[A-Za-z_.*]{1,120}", pattern) or not any(fnmatchcase(name, pattern) for name in names):
            raise Invalid("no_such_event", field="events", event=pattern)


def wants(patterns: Iterable[str], wire_name: str) -> bool:
    """Whether one of the patterns (`*` for any run of characters) fits an event's name."""
    return any(fnmatchcase(wire_name, pattern) for pattern in patterns)


# -- where it may be sent ---------------------------------------------------------------------------------------------

#: Ranges that lead somewhere else than they say; `is_global` alone would let some of them pass.
DISGUISED: tuple[Network, ...] = tuple(
    ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
)
#: Never, not even if an administrator asks: metadata services of clouds answer here.
NEVER: tuple[Network, ...] = tuple(
    ip_network(text) for text in ("169.254.0.0/16", "fe80::/10", "224.0.0.0/4", "ff00::/8", "0.0.0.0/8", "::/128")
)
LONGEST_URL = 500


@dataclass(frozen=True)
class Target:
    """A checked address of an endpoint."""

    url: str
    scheme: str
    host: str
    port: int


def read_url(url: str, *, allows_http: bool) -> Target:
    """An address to send to. Raises Invalid: https only (http inside networks allowed to it), no credentials."""
    if len(url) > LONGEST_URL or any(char.isspace() or ord(char) < 32 for char in url):
        raise Invalid("endpoint_url", field="url")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("endpoint_url", field="url") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None or parts.fragment:
        raise Invalid("endpoint_url", field="url")
    if parts.scheme == "http" and not allows_http:
        raise Invalid("endpoint_needs_https", field="url")
    if port == 0:
        raise Invalid("endpoint_url", field="url")
    return Target(url, parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))


def read_networks(given: Iterable[str]) -> tuple[Network, ...]:
    """Networks an administrator allows. Raises Invalid for what is none, or must never be sent to."""
    made: list[Network] = []
    for text in given:
        try:
            network = ip_network(text.strip())
        except ValueError:
            raise Invalid("not_a_network", field="networks", value=text[:60]) from None
        if any(network.version == never.version and network.overlaps(never) for never in NEVER):
            raise Invalid("network_never_allowed", field="networks", value=str(network))
        made.append(network)
    return tuple(made)


def may_send_to(address: Address, allowed: Iterable[Network]) -> bool:
    """Whether an address is on the public internet, or inside a network allowed to this endpoint."""
    plain = address.ipv4_mapped if isinstance(address, IPv6Address) and address.ipv4_mapped else address
    if _inside(plain, NEVER):
        return False
    if _inside(plain, allowed):
        return True
    return plain.is_global and not plain.is_multicast and not _inside(plain, DISGUISED)


def _inside(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def first_allowed(addresses: Sequence[str], allowed: Sequence[Network]) -> str | None:
    """The address to connect to; None when a name leads to any address we must not send to (it would be a trick)."""
    found = [ip_address(text.partition("%")[0]) for text in addresses]
    if not found or not all(may_send_to(each, allowed) for each in found):
        return None
    return str(found[0])


# -- trying again -----------------------------------------------------------------------------------------------------

#: Seconds before the second, third … try of a post; after the last it is parked. About a day in all.
PAUSES_S = (5, 30, 120, 600, 1800, 7200, 21600, 43200)
LONGEST_WISH_S = 3600
LONGEST_BREATH_S = 300
FAILING_H = 72


def pause_after(attempts: int, wished_s: int | None) -> int | None:
    """Seconds until the next try; None: park it. A receiver's Retry-After is honoured, up to an hour."""
    if attempts > len(PAUSES_S):
        return None
    return max(PAUSES_S[attempts - 1], min(wished_s or 0, LONGEST_WISH_S))


def breath_after(failures: int, wished_s: int | None) -> int:
    """Seconds an endpoint that cannot be reached is left alone altogether after so many failures in a row."""
    return max(min(2 ** min(failures, 20), LONGEST_BREATH_S), min(wished_s or 0, LONGEST_WISH_S))


def is_success(http_status: int | None) -> bool:
    """Whether a receiver took the post. A redirect is none: we do not follow it."""
    return http_status is not None and 200 <= http_status < 300


def is_down(http_status: int | None) -> bool:
    """Whether the endpoint as a whole is in trouble (no answer, overload, server error), not just this post."""
    return http_status is None or http_status == 429 or http_status >= 500
