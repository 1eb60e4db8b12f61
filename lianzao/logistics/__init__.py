"""Logistics: shipments to customers: plan, pick, pack, dispatch, milestones, proof of delivery.

Nouns: shipment with lines, picks, packages (SSCC) and milestones. A line names what it serves by kind and id only:
`flows` brings sales order lines in and carries what was shipped and delivered back to sales.
Calls down: parties, catalog, plant, inventory. Dispatch and its matter share one transaction.
"""
