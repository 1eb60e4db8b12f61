"""Sales: what customers ordered, what we promised them, and what they got.

Nouns: sales order, its lines, the history of promises. Three dates are kept apart: `requested_on` is the customer's
wish, `promised_on` our word, `projected_at` the planner's view.
Calls down: parties, catalog, inventory. Neighbors (never imported): procurement, production, quality, logistics.
Planning reads `queries.demand_columns`; shipping tells back through `flows` with `record_shipped`, `record_delivered`.
"""
