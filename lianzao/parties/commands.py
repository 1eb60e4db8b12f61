"""What is ordered of parties beyond making and changing them."""

from __future__ import annotations

from lianzao.foundation import entity
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.outbox import publish
from lianzao.parties.events import PartyBlocked, PartyUnblocked
from lianzao.parties.models import Party
from lianzao.values.errors import Conflict, Invalid


@command
def block_party(by: Actor, *, party: Party, reason: str) -> Party:
    """Stop new orders with a party; what is under way goes on."""
    if not reason.strip():
        raise Invalid("field_missing", field="reason")
    party = entity.get(Party, party.id, lock=True)
    if party.blocked_at is not None:
        raise Conflict("party_blocked", party=party.code, reason=party.blocked_why)
    party.blocked_at, party.blocked_why = by.now, reason.strip()[:200]
    party.save()
    publish(PartyBlocked(party_id=party.id, reason=party.blocked_why))
    return party


@command
def unblock_party(by: Actor, *, party: Party) -> Party:
    """Allow orders with a blocked party again."""
    party = entity.get(Party, party.id, lock=True)
    if party.blocked_at is None:
        raise Conflict("party_not_blocked", party=party.code)
    party.blocked_at, party.blocked_why = None, ""
    party.save()
    publish(PartyUnblocked(party_id=party.id))
    return party
