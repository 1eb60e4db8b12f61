"""What of planning is seen."""

from lianzao.foundation.resource import Resource
from lianzao.planning.models import (
    ActionMessage,
    NeedTrail,
    Outlook,
    PlanRun,
    Policy,
    PolicyEntry,
    Proposal,
    Shortage,
)

Resource(
    PlanRun,
    columns="number why now_at milliseconds demands late_demands short_demands proposals messages shortages"
    " parent site_id",
    filters="now_at site_id",
    search="number why",
    site="site_id",
    sort="-id",
)
Resource(
    Proposal,
    columns="number status kind_of_order item quantity start_at finish_at need_at late_minutes supplier price cost"
    " currency cause demand_kind demand_id decided_at decided_by decided_why site_id",
    filters="status kind_of_order item supplier start_at demand_id",
    search="number item__code item__name supplier__name",
    site="site_id",
    masks="price cost",
    sort="start_at",
)
Resource(
    ActionMessage,
    columns="number status action item subject_number partner from_at to_at from_quantity to_quantity committed"
    " cause details subject_kind subject_id demand_kind demand_id decided_at decided_by decided_why site_id",
    filters="status action item partner subject_id demand_id to_at",
    search="number subject_number item__code item__name",
    site="site_id",
    sort="to_at",
)
Resource(
    Outlook,
    columns="item demand_kind demand_id quantity short_quantity due_at projected_at late_minutes reasons slices"
    " site_id",
    filters="item demand_id late_minutes due_at",
    site="site_id",
    sort="-late_minutes",
)
Resource(
    Shortage,
    columns="item quantity need_at ready_at consumer_number demand_number supply_number consumer_kind consumer_id"
    " demand_kind demand_id supply_kind supply_id site_id",
    filters="item need_at demand_id supply_id",
    search="item__code item__name demand_number consumer_number supply_number",
    site="site_id",
    sort="need_at",
)
Resource(
    Policy,
    columns="name mode most_value most_quantity most_hours most_per_day site_id",
    filters="name mode",
    site="site_id",
    sort="name",
)
Resource(
    PolicyEntry,
    columns="policy at outcome reason subject_kind subject_id facts",
    filters="policy outcome at",
    site="policy__site_id",
    sort="-at",
)
Resource(
    NeedTrail,
    columns="subject_kind subject_id arose_at warned_at decided_at ordered_at confirmed_at published_at seen_at"
    " site_id",
    filters="subject_id subject_kind arose_at",
    site="site_id",
    sort="-arose_at",
)
