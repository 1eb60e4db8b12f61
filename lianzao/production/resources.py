"""What of production is seen, filtered, searched and written."""

from __future__ import annotations

from lianzao.foundation.resource import Resource
from lianzao.production.models import (
    OperationReport,
    ProductionRule,
    ScrapReason,
    WorkOrder,
    WorkOrderMaterial,
    WorkOrderOperation,
)

Resource(
    ScrapReason,
    columns="code name name_en",
    search="code name name_en",
    writable="code name name_en",
)
Resource(
    ProductionRule,
    columns="site_id over_report_percent refuse_uncovered keep_order refuse_release_short uncovered_owner_id",
    filters="site_id",
    site="site_id",
)
Resource(
    WorkOrder,
    columns="number site_id status item quantity good_quantity scrap_quantity start_at due_at planned_start_at"
    " planned_finish_at pinned priority bom routing lot output_location source_kind source_id released_at started_at"
    " completed_at closed_at note",
    filters="site_id status item due_at planned_start_at planned_finish_at priority source_id lot pinned",
    search="number item__code item__name",
    site="site_id",
    parts=["operations", "materials", "reports"],
)
Resource(
    WorkOrderOperation,
    columns="work_order sequence name name_en work_center machine status setup_minutes run_minutes queue_minutes"
    " inspect is_report_point good_quantity scrap_quantity rework_quantity planned_start_at planned_finish_at"
    " pinned started_at finished_at instruction",
    filters="work_order work_center machine status planned_start_at planned_finish_at",
    site="work_order__site_id",
    sort="planned_start_at",
)
Resource(
    WorkOrderMaterial,
    columns="work_order position item operation_sequence planned_quantity required_quantity issued_quantity fixed"
    " backflush source",
    filters="work_order item backflush source",
    site="work_order__site_id",
    sort="position",
)
Resource(
    OperationReport,
    columns="work_order operation good scrap scrap_reason rework person_id station_id happened_at recorded_at lots used"
    " note reversed_at order_id",
    filters="work_order operation scrap_reason person_id station_id happened_at order_id",
    site="work_order__site_id",
    sort="-happened_at",
)
