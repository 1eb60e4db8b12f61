"""Text as people write it: which signs a paper, a screen and the database can all hold."""

from __future__ import annotations

import re

#: Control signs but tab and line ends; and halves of a pair, which are no character at all.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def has_unprintable(text: str) -> bool:
    """Whether a text holds signs that cannot be printed, and that PostgreSQL partly cannot keep."""
    return _UNPRINTABLE.search(text) is not None
