"""What of production is seen, filtered, searched and written."""

from __future__ import annotations

from lianzao.foundation.resource import Resource
from lianzao.production.floor_models import (
    HelpCall,
    MaterialCheck,
    Presence,
    ShiftConfirmation,
    ShiftNote,
    ShiftPost,
    StepValue,
    WorkOrderStep,
)
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
    " pinned started_at finished_at instruction required_steps",
    filters="work_order work_center machine status planned_start_at planned_finish_at",
    site="work_order__site_id",
    parts=["steps"],
    sort="planned_start_at",
)
Resource(
    WorkOrderMaterial,
    columns="work_order position item operation_sequence planned_quantity required_quantity issued_quantity fixed"
    " backflush source checked_lot",
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
Resource(
    WorkOrderStep,
    columns="operation position text text_en link capture unit_text lower upper required",
    filters="operation capture required",
    site="operation__work_order__site_id",
    sort="position",
)
Resource(
    StepValue,
    columns="operation step report value within person_id station_id happened_at",
    filters="operation step report within person_id happened_at",
    site="operation__work_order__site_id",
    sort="-happened_at",
)
Resource(
    MaterialCheck,
    columns="work_order operation material lot scanned verdict person_id station_id happened_at site_id",
    filters="work_order operation lot verdict person_id station_id happened_at site_id",
    search="scanned",
    site="site_id",
    sort="-happened_at",
)
Resource(
    HelpCall,
    columns="number site_id status cause work_center machine operation called_at called_by acknowledged_at"
    " acknowledged_by ended_at ended_by note answer",
    filters="site_id status cause work_center machine called_at ended_at",
    search="number note",
    site="site_id",
    sort="-called_at",
)
Resource(
    Presence,
    columns="person work_center came_at left_at site_id",
    filters="person work_center came_at left_at site_id",
    site="site_id",
    sort="-came_at",
)
Resource(
    ShiftPost,
    columns="person work_center starts_at ends_at site_id",
    filters="person work_center starts_at site_id",
    site="site_id",
    sort="-starts_at",
)
Resource(
    ShiftConfirmation,
    columns="starts_at ends_at people confirmed_at confirmed_by site_id",
    filters="starts_at site_id",
    site="site_id",
    sort="-starts_at",
)
Resource(
    ShiftNote,
    columns="text important work_center written_at written_by seen_to_at seen_to_by site_id",
    filters="important work_center written_at seen_to_at site_id",
    search="text",
    site="site_id",
    sort="-written_at",
)
