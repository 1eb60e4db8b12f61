"""Planning: what to buy and make when, who is late and why, and what to do about it.

Nouns: plan run, proposal (planned order), action message, peg, shortage, outlook (of a demand), scheduled operation,
policy, need trail. A run is immutable; the tables hold the plan as it stands, and each run keeps its difference.
Neighbours: reads the rooms below by their `*_columns()`; accepting a proposal calls procurement, production and sales
down; flows asks for a new plan when news touches it. The algorithms are lianzao.engine's.
"""
