"""What of machines' states is seen, filtered and searched."""

from __future__ import annotations

from lianzao.equipment.models import MachineState, StopReason
from lianzao.foundation.resource import Resource

Resource(
    StopReason,
    columns="code name name_en planned",
    filters="planned",
    search="code name name_en",
    writable="code name name_en planned",
)
Resource(
    MachineState,
    columns="machine site_id state reason began_at ended_at expected_until note reversed_at reversed_by replaces",
    filters="machine site_id state reason began_at ended_at reversed_at",
    site="site_id",
    sort="-began_at",
)
