"""Filling the registries when the house opens."""

from __future__ import annotations

from django.apps import AppConfig


class FoundationConfig(AppConfig):
    """The machinery's app."""

    name = "lianzao.foundation"

    def ready(self) -> None:
        """Load what every room declares, read instants quickly, apply row security whenever migrations have run."""
        from lianzao.foundation import instants, registry, rowsecurity

        instants.install()
        registry.load()
        rowsecurity.watch_migrations()
