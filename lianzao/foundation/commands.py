"""What administrators do to the machinery."""

from __future__ import annotations

from uuid import UUID

from lianzao.foundation import outbox
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command


@command(hidden=True)
def retry_deliveries(by: Actor, *, deliveries: list[UUID]) -> dict[str, int]:
    """Put parked deliveries back into the queue, after their cause was mended."""
    return {"retried": outbox.retry_parked(deliveries)}
