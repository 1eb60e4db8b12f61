"""What others may ask about parties."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from lianzao.parties.models import Party
from lianzao.values.errors import NotFound, RuleBroken


@dataclass(frozen=True)
class PartyFacts:
    """What papers and the planner need of a party. `transit_days`: calendar days goods travel between it and us."""

    id: UUID
    code: str
    name: str
    name_en: str
    is_customer: bool
    is_supplier: bool
    is_carrier: bool
    tier: int | None
    language: str
    currency: str
    transit_days: int
    blocked: bool


def party_facts(party_ids: Iterable[UUID]) -> dict[UUID, PartyFacts]:
    """Facts of parties by id, with one statement."""
    names = [name for name in PartyFacts.__dataclass_fields__ if name != "blocked"]
    rows = Party.objects.filter(pk__in=list(party_ids)).values_list(*names, "blocked_at")
    return {row[0]: PartyFacts(*row[:-1], blocked=row[-1] is not None) for row in rows}


def party_by_code(code: str) -> Party:
    """The party people call by a code. Raises NotFound."""
    found = Party.objects.filter(code=code).first()
    if found is None:
        raise NotFound("not_found", entity="parties.party", id=code)
    return found


def check_customer(party: Party) -> None:
    """Refuse who is no customer, blocked or out of use. Raises RuleBroken."""
    _check(party, party.is_customer, "not_a_customer")


def check_supplier(party: Party) -> None:
    """Refuse who is no supplier, blocked or out of use. Raises RuleBroken."""
    _check(party, party.is_supplier, "not_a_supplier")


def check_carrier(party: Party) -> None:
    """Refuse who is no carrier, blocked or out of use. Raises RuleBroken."""
    _check(party, party.is_carrier, "not_a_carrier")


def _check(party: Party, plays: bool, otherwise: str) -> None:
    if not plays:
        raise RuleBroken(otherwise, party=party.code)
    if party.retired_at is not None:
        raise RuleBroken("party_retired", party=party.code)
    if party.blocked_at is not None:
        raise RuleBroken("party_blocked", party=party.code, reason=party.blocked_why)
