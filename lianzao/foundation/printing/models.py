"""The layouts an administrator wrote himself."""

from __future__ import annotations

from django.db import models

from lianzao.foundation.entity import Entity


class PrintLayout(Entity):
    """How a paper looks, where it is not as shipped. Older versions are in the audit; an empty text: as shipped."""

    paper = models.CharField(max_length=60, unique=True)
    text = models.TextField(blank=True)

    class Meta(Entity.Meta):
        app_label = "foundation"
        db_table = "foundation_print_layout"

    @property
    def label(self) -> str:
        """Which paper."""
        return self.paper
