"""Quality on the screen and on the wire."""

from __future__ import annotations

from lianzao.foundation.resource import Resource
from lianzao.quality.models import Characteristic, Inspection, InspectionPlan, Measurement

Resource(
    InspectionPlan,
    columns="code name name_en item group point operation_sequence sample_pieces sample_percent duration_minutes"
    " instruction",
    filters="item group point",
    search="code name name_en",
    writable="code name name_en item group point operation_sequence sample_pieces sample_percent duration_minutes"
    " instruction",
    parts=["characteristics"],
)
Resource(
    Characteristic,
    columns="plan sequence name name_en unit target lower upper mandatory samples method",
    filters="plan",
    search="name name_en",
    writable="plan sequence name name_en unit target lower upper mandatory samples method",
    key="plan sequence",
    sort="sequence",
)
Resource(
    Inspection,
    columns="number item lot quantity sample_quantity point plan supplier location status suggestion due_at"
    " inspector_id decided_at reason hold_reason concession disposition source_kind source_id site_id note",
    filters="status point item lot supplier suggestion due_at site_id",
    search="number item__code item__name item__name_en lot__number",
    site="site_id",
    parts=["measurements"],
)
Resource(
    Measurement,
    columns="inspection characteristic sample value passed measured_at note",
    filters="inspection characteristic passed measured_at",
    site="inspection__site_id",
    sort="-measured_at",
)
