"""Overviews: pages that join rooms, read only: order 360, shortages and proposals, station, warehouse, trace, homes,
and the screens of the walls.

Nouns: none of its own; no tables, no commands.
Neighbours: asks the queries of every room below with the viewer's rights; the screens read it.
"""
