"""Alerts: who must hear of what, who takes care of it, and who hears next when nobody does.

Nouns: watch (which news, under which condition, for whom), alert (one thing to take care of, with one owner), notice
(that one person was told). Watches are data; the subscription to the news of all rooms is code (handlers.py).
Neighbours: hears every room below, is imported by none; people and roles come from access.
"""
