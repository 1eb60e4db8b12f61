"""Quality: inspection on receipt, at an operation and before shipping; what was measured, and what was decided.

Nouns: inspection plan with characteristics, inspection with measurements. A decision acts on the lot at once: accept
releases it, hold and reject lock it (inventory is called down). What called for an inspection is named by kind and id;
`flows` opens inspections from goods receipts and operation reports.
"""
