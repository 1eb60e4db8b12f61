"""News of the machinery itself."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from lianzao.foundation.outbox import Event


@dataclass(frozen=True)
class RecordChanged(Event):
    """A record was made, changed, retired, approved or un-approved by a generic command, or came from a file.

    `kind` is "<room>.<entity>". Without `record_id`: many records of the kind changed at once (an import). Rooms tell
    their own news of their own commands; this is for those that no room wrote by hand.
    """

    kind: str
    record_id: UUID | None
    site_id: UUID | None
