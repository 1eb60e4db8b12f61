"""Portals: what a supplier's or a customer's people see of their own orders, and may do with them.

Nouns: none of its own; no tables. Their actions are the commands of procurement and sales, limited to their own papers.
Neighbours: reads through the partner's row security; nobody imports it.
"""
