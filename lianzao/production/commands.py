"""The doors: the paper (`orders`), its material (`material`, `checking`), the floor (`reporting`, `calling`, `shifts`),
the site's rules.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.scope import check_site
from lianzao.production.calling import acknowledge_call, call_for_help, solve_call, withdraw_call
from lianzao.production.checking import check_material
from lianzao.production.instructions import StepReading
from lianzao.production.material import IssueLine, ReturnLine, issue_material, return_material
from lianzao.production.models import ProductionRule
from lianzao.production.orders import (
    OperationTime,
    cancel_work_order,
    close_work_order,
    create_work_order,
    firm_work_order,
    release_work_order,
    reopen_work_order,
    reschedule,
    resize_work_order,
    schedule_operations,
    unfirm_work_order,
    withdraw_work_order,
)
from lianzao.production.reporting import pause_operation, report_operation, start_operation
from lianzao.production.reversing import reverse_report
from lianzao.production.shifts import (
    assign_to_shift,
    come_to_station,
    confirm_shift,
    leave_station,
    remove_from_shift,
    see_to_shift_note,
    write_shift_note,
)
from lianzao.values.errors import Invalid

__all__ = [
    "IssueLine", "OperationTime", "ReturnLine", "StepReading", "acknowledge_call", "assign_to_shift", "call_for_help",
    "cancel_work_order", "check_material", "close_work_order", "come_to_station", "confirm_shift", "create_work_order",
    "firm_work_order", "issue_material", "leave_station", "pause_operation", "release_work_order", "remove_from_shift",
    "reopen_work_order", "report_operation", "reschedule", "resize_work_order", "return_material", "reverse_report",
    "schedule_operations", "see_to_shift_note", "set_production_rule", "solve_call", "start_operation",
    "unfirm_work_order", "withdraw_call", "withdraw_work_order", "write_shift_note",
]  # fmt: skip


@command
def set_production_rule(
    by: Actor,
    *,
    site_id: UUID,
    over_report_percent: Decimal = Decimal(0),
    refuse_uncovered: bool = False,
    keep_order: bool = True,
    refuse_release_short: bool = False,
    uncovered_owner_id: UUID | None = None,
) -> ProductionRule:
    """Say how a site runs its floor: tolerance over the ordered quantity, and what is refused.

    `uncovered_owner_id`: the person, usually the line lead, who must clear up what was used before it was booked.
    """
    check_site(by, site_id)
    if not 0 <= over_report_percent <= 100:
        raise Invalid("not_a_percentage", field="over_report_percent", value=over_report_percent)
    rule = ProductionRule.objects.select_for_update().filter(site_id=site_id).first() or ProductionRule(site_id=site_id)
    rule.over_report_percent = over_report_percent
    rule.refuse_uncovered = refuse_uncovered
    rule.keep_order = keep_order
    rule.refuse_release_short = refuse_release_short
    rule.uncovered_owner_id = uncovered_owner_id
    rule.save()
    return rule
