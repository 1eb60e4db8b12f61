"""What of alerts is listed. Partners see the alerts and notices addressed to them, and of those only what is theirs."""

from __future__ import annotations

from lianzao.alerts.models import Alert, Notice, Watch
from lianzao.foundation.resource import Resource

WATCH = (
    "code name name_en event condition severity roles persons to_partners title title_en body body_en key_fields"
    " subject_field resolved_by ladder due_minutes expire_hours quiet_minutes quiet_from quiet_until site_id"
)
Resource(
    Watch,
    columns=f"{WATCH} active",
    filters="event severity active to_partners site_id",
    search="code name name_en title title_en",
    writable=WATCH,
    site="site_id",
)
Resource(
    Alert,
    columns="number severity status title title_en body body_en owner due_at raised_at last_at repeats step"
    " next_step_at starts_at taken_at closed_at closed_by note event subject_kind subject_id watch cause_order_id"
    " event_id facts site_id",
    filters="severity status owner watch event subject_id due_at raised_at closed_at site_id",
    search="number title title_en",
    site="site_id",
    partner="notices__person__partner_id",
    partner_columns="number severity status title title_en body body_en due_at raised_at last_at subject_kind"
    " subject_id site_id",
    parts=["notices"],
    sort="-raised_at",
)
Resource(
    Notice,
    columns="alert person channel step told_at read_at created_at site_id",
    filters="alert person read_at told_at",
    site="site_id",
    partner="person__partner_id",
    partner_columns="alert channel told_at read_at site_id",
    sort="-created_at",
)
