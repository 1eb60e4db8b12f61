"""Integration: other systems hear our news and send us their data.

Nouns: endpoint (an address of another system that gets signed webhooks), post (one event on its way to one endpoint),
mapping (how the columns of a foreign file become our fields, kept as data). Connectors live in `connectors/<name>/`.
Neighbours: hears every room below, is imported by none; parties for partners' endpoints, access for owners.
"""
