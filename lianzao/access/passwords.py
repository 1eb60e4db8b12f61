"""Hashing of passwords, PINs, tokens and keys. A secret people choose is argon2; one we make is random and long."""

from __future__ import annotations

import gzip
import hashlib
import secrets
import unicodedata
from functools import lru_cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from django.contrib.auth import password_validation

from lianzao.access import rules

#: OWASP's least setting for argon2id (19 MiB, two passes): some 30 ms, and many at once do not eat the machine.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
TOKEN_PREFIX = "lz_"
DISPLAY_PREFIX = "lzd_"

#: Frequent in Chinese plants and absent from the English list; all lower case.
_LOCAL = """
woaini1314 woaini520 woaini1314520 5201314woaini wodemima mima123456 qwer123456 qq123456789 a123456789 aa123456789
abc1234567 abcd123456 abcd1234567 lianzao lianzao123 lianzao1234 lianzao12345 lianzao123456 admin12345 admin123456
administrator administrator1 changeme123 password1234 passw0rd123 p@ssw0rd123 welcome123 welcome1234 qwertyuiop123
1qaz2wsx3edc 1q2w3e4r5t6y zaq12wsxcde 1234qwerasdf asdf123456 zxcvbnm123 iloveyou1314 factory123 chejian123 gongchang123
""".split()


def canonical(secret: str) -> str:
    """A password as it is compared: the same whether typed half or full width, without blanks around it."""
    return unicodedata.normalize("NFKC", secret).strip()


def hash_secret(secret: str) -> str:
    """The argon2id hash of a password or PIN."""
    return HASHER.hash(canonical(secret))


@lru_cache(maxsize=1)
def nobodys_hash() -> str:
    """A hash nobody knows the secret of: verified for unknown logins, so that they take as long as known ones."""
    return HASHER.hash(secrets.token_urlsafe(32))


def verify(kept: str, secret: str) -> bool:
    """Whether the secret made the hash. An empty or unreadable hash costs the same time and is never right."""
    try:
        return HASHER.verify(kept or nobodys_hash(), canonical(secret)) and bool(kept)
    except InvalidHashError:
        verify("", secret)
        return False
    except VerificationError:
        return False


def outdated(kept: str) -> bool:
    """Whether a hash was made with other settings than today's, so that it should be made anew at login."""
    return HASHER.check_needs_rehash(kept)


def random_key() -> str:
    """256 random bits as text, for sessions and stations."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """A new API token; the prefix lets scanners of leaked secrets recognise it."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_display_key() -> str:
    """A key for the browser of a wall display; it says by itself what it is."""
    return DISPLAY_PREFIX + secrets.token_urlsafe(32)


def new_link_code() -> str:
    """A code to type on the device that is to become a wall display."""
    return "".join(secrets.choice(rules.LINK_LETTERS) for _ in range(rules.LINK_LENGTH))


def digest(secret: str) -> str:
    """SHA-256 in hex. Enough for secrets of 256 random bits, and it can be looked up."""
    return hashlib.sha256(secret.encode()).hexdigest()


@lru_cache(maxsize=1)
def common_passwords() -> frozenset[str]:
    """Passwords everybody tries first: Django's list of twenty thousand, and our own."""
    shipped = Path(password_validation.__file__).with_name("common-passwords.txt.gz")
    with gzip.open(shipped, "rt", encoding="utf-8") as file:
        return frozenset(line.strip() for line in file) | frozenset(_LOCAL)
