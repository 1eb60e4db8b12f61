"""Wiring: configuration, ground, settings, routes. No business lives here."""
