"""What makes a party complete."""

from __future__ import annotations

from typing import Any

import pytest

from lianzao.parties.rules import contact_problem, party_problem

GOOD: dict[str, Any] = {
    "is_customer": False,
    "is_supplier": True,
    "is_carrier": False,
    "tier": 2,
    "currency": "CNY",
    "transit_days": 3,
    "phone": "+86 (21) 5555-1234 ext 17",
    "email": "li.wei@example.com.cn",
}


def test_a_complete_party_has_no_problem() -> None:
    assert party_problem(**GOOD) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"is_supplier": False}, "is_customer"),
        ({"tier": 0}, "tier"),
        ({"currency": "RM"}, "currency"),
        ({"transit_days": -1}, "transit_days"),
        ({"phone": "ask reception"}, "phone"),
        ({"email": "li@wei@example.com"}, "email"),
    ],
)
def test_each_mistake_names_its_field(change: dict[str, Any], field: str) -> None:
    problem = party_problem(**{**GOOD, **change})
    assert problem is not None
    assert problem[0] == field


@pytest.mark.parametrize("phone", ["13800138000", "021-55551234转8012", "+49 30 1234.567"])
def test_phone_numbers_as_people_write_them(phone: str) -> None:
    assert contact_problem(phone=phone, email="") is None
