"""What makes a party complete."""

from __future__ import annotations

import re

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_PHONE = re.compile(r"\+?[\d\s()/.-]{3,38}(?:\s*(?:ext|x|转)\.?\s*\d{1,6})?", re.IGNORECASE)
_CURRENCY = re.compile(r"[A-Z]{3}")


def party_problem(
    *,
    is_customer: bool,
    is_supplier: bool,
    is_carrier: bool,
    tier: int | None,
    currency: str,
    transit_days: int,
    phone: str,
    email: str,
) -> tuple[str, str] | None:
    """What is wrong with a party: (field, code of the error), or None."""
    if not (is_customer or is_supplier or is_carrier):
        return "is_customer", "party_without_role"
    if tier is not None and not 1 <= tier <= 3:
        return "tier", "tier_out_of_range"
    if not _CURRENCY.fullmatch(currency):
        return "currency", "not_a_currency"
    if transit_days < 0:
        return "transit_days", "must_not_be_negative"
    return contact_problem(phone=phone, email=email)


def contact_problem(*, phone: str, email: str) -> tuple[str, str] | None:
    """What is wrong with a phone number or an address for mail."""
    if email and not _EMAIL.fullmatch(email):
        return "email", "not_an_email"
    if phone and not _PHONE.fullmatch(phone):
        return "phone", "not_a_phone"
    return None
