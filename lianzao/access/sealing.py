"""Passes, and the seals made under them: how a terminal keeps orders that only this house can read again.

Who logs in is given a pass (which stay it is, whose, where, from when until when) and the pass's key, derived from the
house's own secret, so that no table holds it. The browser seals what it must keep with that key (AES-GCM, the order's
id as what it is bound to), and throws the key away at badge-out: then nobody can read it but we. A seal that opens was
made by somebody who had the key, so a forged or altered pass opens nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lianzao.values.errors import Invalid

IV_BYTES = 12
TAG_BYTES = 16


@dataclass(frozen=True)
class Pass:
    """One stay: whose, at which terminal and site, from when until when at the longest (the machine's real time)."""

    session: UUID
    person: UUID
    station: UUID | None
    site: UUID | None
    opened_at: datetime
    ends_at: datetime


def written(stay: Pass) -> str:
    """A pass as the browser keeps it: the same stay always gives the same text."""
    told = [
        "1", str(stay.session), str(stay.person), str(stay.station or ""), str(stay.site or ""),
        str(int(stay.opened_at.timestamp())), str(int(stay.ends_at.timestamp())),
    ]  # fmt: skip
    return ".".join(told)


def read(text: str) -> Pass:
    """The stay a pass speaks of. Raises Invalid; whether it is genuine, only a seal tells."""
    parts = text.split(".")
    try:
        version, session, person, station, site, opened_at, ends_at = parts
        if version != "1":
            raise ValueError(version)
        return Pass(
            UUID(session),
            UUID(person),
            UUID(station) if station else None,
            UUID(site) if site else None,
            datetime.fromtimestamp(int(opened_at), UTC),
            datetime.fromtimestamp(int(ends_at), UTC),
        )
    except (ValueError, OverflowError, OSError):
        raise Invalid("malformed", field="pass") from None


def key_of(secret: str, text: str) -> bytes:
    """The key that belongs to a pass."""
    return hmac.new(secret.encode(), b"lianzao offline pass v1|" + text.encode(), hashlib.sha256).digest()


def seal(key: bytes, iv: bytes, order_id: UUID, content: Any) -> str:
    """What the browser does: for tests, and to say exactly what is meant."""
    return base64.b64encode(iv + AESGCM(key).encrypt(iv, orjson.dumps(content), str(order_id).encode())).decode()


def opened(key: bytes, order_id: UUID, sealed: str) -> dict[str, Any]:
    """What was sealed. Raises Invalid("seal_broken") for anything that was not sealed for this order with this key."""
    try:
        data = base64.b64decode(sealed, validate=True)
        if len(data) < IV_BYTES + TAG_BYTES:
            raise ValueError(len(data))
        content = orjson.loads(AESGCM(key).decrypt(data[:IV_BYTES], data[IV_BYTES:], str(order_id).encode()))
    except (ValueError, binascii.Error, InvalidTag):
        raise Invalid("seal_broken", field="sealed") from None
    if not isinstance(content, dict):
        raise Invalid("seal_broken", field="sealed")
    return content
