"""Machinery without business: entity, command, outbox, resource, link, audit, numbering, transfer, live, clock, http.

Nouns: order (what somebody asked for, and its audit), event, delivery, link, code rule, external id.
Neighbours: everybody stands on it; it knows nobody (access registers who may what).
The contract is docs/build/foundation.md.
"""
