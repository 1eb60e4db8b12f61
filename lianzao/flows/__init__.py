"""Flows: one file is one story that crosses rooms; news goes up to here, and new orders go down from here.

Nouns: none of its own; no tables, no rules. A push-down (单据下推) that joins siblings is a command here.
Neighbours: hears the events of all rooms below, calls their commands; overviews and alerts stand above.
"""
