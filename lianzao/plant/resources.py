"""What of the plant is seen, filtered, searched and written."""

from __future__ import annotations

from lianzao.foundation.resource import Resource
from lianzao.plant.models import (
    Area,
    Calendar,
    CalendarException,
    Location,
    Machine,
    Shift,
    Skill,
    WorkCenter,
)

_NAMED = "code name name_en"

Resource(
    Area,
    columns=f"{_NAMED} site_id parent",
    filters="site_id parent",
    search=_NAMED,
    writable=f"{_NAMED} site_id parent",
    site="site_id",
)
Resource(
    Location,
    columns=f"{_NAMED} site_id location_kind area parent is_virtual",
    filters="site_id location_kind area parent is_virtual",
    search=_NAMED,
    writable=f"{_NAMED} site_id location_kind area parent",
    site="site_id",
)
Resource(Calendar, columns=_NAMED, search=_NAMED, writable=_NAMED, parts=["shifts", "exceptions"])
Resource(
    Shift,
    columns="calendar weekday starts_at ends_at name",
    filters="calendar weekday",
    writable="calendar weekday starts_at ends_at name",
    sort="weekday",
)
Resource(
    CalendarException,
    columns="calendar work_center machine starts_at ends_at working reason",
    filters="calendar work_center machine working starts_at",
    writable="calendar work_center machine starts_at ends_at working reason",
    sort="-starts_at",
)
Resource(
    WorkCenter,
    columns=f"{_NAMED} site_id area calendar capacity cost_rate line_location output_location",
    filters="site_id area calendar",
    search=_NAMED,
    writable=f"{_NAMED} site_id area calendar capacity cost_rate line_location output_location",
    site="site_id",
    parts=["machines", "exceptions"],
    masks="cost_rate",
)
Resource(
    Machine,
    columns=f"{_NAMED} work_center maker model_name serial_number",
    filters="work_center",
    search=f"{_NAMED} serial_number",
    writable=f"{_NAMED} work_center maker model_name serial_number",
    site="work_center__site_id",
)
Resource(
    Skill,
    columns=f"{_NAMED} expires_after_days",
    search=_NAMED,
    writable=f"{_NAMED} expires_after_days",
)
