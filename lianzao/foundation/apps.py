"""Filling the registries when the house opens."""

from __future__ import annotations

from django.apps import AppConfig


class FoundationConfig(AppConfig):
    """The machinery's app."""

    name = "lianzao.foundation"

    def ready(self) -> None:
        """Load what every room declares, set the driver, apply row security whenever migrations have run."""
        from lianzao.foundation import driver, instants, registry, rowsecurity

        instants.install()
        driver.keep_long_statements()
        registry.load()
        rowsecurity.watch_migrations()
