"""What we buy, make and sell: items, their units, and how they are planned at each site.

Nouns: unit, unit conversion, item group, item, item site (planning parameters and standard cost at one site).
Neighbors: engineering says what an item consists of, inventory where it is, planning reads the parameters as columns.
"""
