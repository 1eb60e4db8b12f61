"""Hashing: what is kept cannot be turned back, and a wrong answer costs what a right one does."""

from __future__ import annotations

from lianzao.access import passwords


def test_a_hash_is_argon2id_salted_and_verifies() -> None:
    first, second = passwords.hash_secret("correct horse"), passwords.hash_secret("correct horse")
    assert first.startswith("$argon2id$") and first != second and "horse" not in first
    assert passwords.verify(first, "correct horse") and passwords.verify(second, " correct horse ")
    assert not passwords.verify(first, "Correct horse")


def test_full_width_and_half_width_are_the_same_password() -> None:
    assert passwords.verify(passwords.hash_secret("Ｋx7#mm29-qpl"), "Kx7#mm29-qpl")


def test_nothing_verifies_against_no_hash() -> None:
    assert not passwords.verify("", "anything")
    assert not passwords.verify("", "")
    assert not passwords.verify("not a hash", "not a hash")


def test_an_unknown_login_costs_one_hash_as_a_known_one_does(monkeypatch) -> None:
    asked: list[str] = []

    class Counting:
        def verify(self, kept: str, secret: str) -> bool:
            asked.append(kept)
            return hasher.verify(kept, secret)

    hasher = passwords.HASHER
    kept, nobody = passwords.hash_secret("correct horse"), passwords.nobodys_hash()
    monkeypatch.setattr(passwords, "HASHER", Counting())
    for hash in (kept, ""):
        assert not passwords.verify(hash, "wrong horse")
    assert asked == [kept, nobody]
    assert _settings(kept) == _settings(nobody)  # same memory and passes, so the same time


def _settings(kept: str) -> list[str]:
    return kept.split("$")[1:4]


def test_old_settings_are_seen() -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x")
    assert passwords.outdated(weak) and not passwords.outdated(passwords.hash_secret("x"))


def test_keys_are_long_and_differ() -> None:
    assert len({passwords.random_key() for _ in range(100)}) == 100
    assert len(passwords.random_key()) >= 43
    token = passwords.new_token()
    assert token.startswith("lz_") and len(token) >= 46
    assert len(passwords.digest(token)) == 64 and token not in passwords.digest(token)
