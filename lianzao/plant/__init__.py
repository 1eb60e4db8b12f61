"""The plant: where things stand, what works on them, and when.

Nouns: area, location (real, or a virtual side of the ledger), calendar, shift, calendar exception, work center,
machine, skill.
Neighbors: inventory moves between locations, production and planning ask for working time and capacity.
"""
