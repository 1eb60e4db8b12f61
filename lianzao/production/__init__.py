"""Making things: work orders, their frozen materials and operations, and what the floor reports.

Nouns: WorkOrder, WorkOrderMaterial, WorkOrderOperation, OperationReport, ScrapReason, ProductionRule (per site); around
the machine WorkOrderStep, StepValue, MaterialCheck, HelpCall, Presence, ShiftPost, ShiftConfirmation, ShiftNote.
A work order freezes its bill and routing when it is made. A report posts what it used and made in its own transaction;
all moves of a work order have the work order as their cause, so they are its genealogy; `order_id` names the report.

Lower neighbours: engineering (bills, routings), inventory (the ledger), plant (work centers), catalog. Siblings are
named by kind and id only. Planning asks `work_order_columns`, `operation_columns`, `material_columns`.
"""
