"""Whom we trade with: customers, suppliers, carriers.

Nouns: party (one firm may be all three), contact.
Neighbors: sales, procurement and logistics name parties; access ties a partner's login to one. Nothing is planned here.
"""
