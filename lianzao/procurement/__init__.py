"""Procurement: what we want to buy, what suppliers promised, what is on the way and what arrived.

Nouns: supplier item, purchase requisition, purchase order with lines and schedule lines, shipment notice (ASN), goods
receipt, arrival change. Three dates are kept apart: `required_on` is our need, `confirmed_on` the supplier's word,
`expected_on` when it will come as far as anybody knows.
Calls down: parties, catalog, plant, inventory (a receipt and its matter share one transaction). Suppliers act by the
same commands as people of their partner. Planning reads `queries.receipt_columns` and `queries.supplier_columns`.
"""
