"""Jobs of the machinery itself."""

from __future__ import annotations

from datetime import datetime

from lianzao.foundation import outbox
from lianzao.foundation.jobs import job


@job("foundation.catch_up", every_s=5)
def catch_up(now: datetime) -> int:
    """News must not wait for an hour that comes twice: see whether the database's clock was set back."""
    return outbox.catch_up()
