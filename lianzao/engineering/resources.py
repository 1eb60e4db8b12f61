"""What of engineering is seen, filtered, searched and written."""

from __future__ import annotations

from lianzao.engineering.models import Bom, BomLine, Routing, RoutingOperation, RoutingStep
from lianzao.foundation.resource import Resource

_LINE = "bom position component quantity_per scrap_percent fixed operation_sequence effective_from effective_until note"
_OPERATION = (
    "routing sequence name name_en work_center setup_minutes run_minutes queue_minutes inspect is_report_point "
    "instruction"
)

Resource(
    Bom,
    columns="code item revision site_id base_quantity effective_from effective_until note approved_at",
    filters="item revision site_id effective_from effective_until approved_at",
    search="code item__name",
    writable="item revision site_id base_quantity effective_from effective_until note",
    key="code",
    parts=["lines"],
)
Resource(BomLine, columns=_LINE, filters="bom component", writable=_LINE, sort="position")
Resource(
    Routing,
    columns="code item revision site_id effective_from effective_until note approved_at",
    filters="item revision site_id effective_from effective_until approved_at",
    search="code item__name",
    writable="item revision site_id effective_from effective_until note",
    key="code",
    parts=["operations"],
)
Resource(
    RoutingOperation,
    columns=_OPERATION,
    filters="routing work_center",
    writable=_OPERATION,
    parts=["steps"],
    sort="sequence",
)
Resource(
    RoutingStep,
    columns="operation position text text_en link capture unit_text lower upper required",
    filters="operation capture required",
    search="text text_en",
    sort="position",
)
