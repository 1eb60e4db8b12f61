"""THE LEDGER. Every quantity that changes place is one row of an append-only table of moves; balances are sums of it.

Nouns: Move, Balance, Lot, PendingMove (reservations, issues the stock did not cover yet), PickTask, StockPeriod.
Virtual locations (supplier, customer, production, scrap, adjustment, opening) hold no balance row, so per item the sum
over all locations is zero. Moves that share a cause into and out of production are the genealogy.

Lower neighbours: catalog (items), plant (locations), parties (suppliers). Higher rooms post with `post_moves` inside
their own commands, in the same transaction as their paper; a mistake is answered with `reverse_moves`, never edited.
"""
