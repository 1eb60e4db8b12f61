"""How goods are made: bills of materials, routings, their revisions and the days they are in effect.

Nouns: bom, bom line, routing, routing operation. Approved revisions are fixed; a change is a new revision.
Neighbors: production freezes copies of them, planning reads them as columns; items are catalog's, work centers plant's.
"""
