"""What of access is listed. Secrets (hashes, digests, keys) are columns of nothing here. Partners see sites only."""

from __future__ import annotations

from lianzao.access.models import Assignment, Display, Person, RefusedOrder, Role, Site, Station, Token
from lianzao.foundation.resource import Resource

Resource(
    Site,
    columns="code name name_en time_zone currency",
    filters="currency",
    search="code name name_en",
    writable="code name name_en time_zone currency",
    site="id",
    partner="*",
    partner_columns="code name name_en time_zone",
)
Resource(
    Role,
    columns="code name name_en audience home rights masks",
    filters="audience home",
    search="code name name_en",
)
Resource(
    Person,
    columns="code login name name_en language partner_id preferred_site is_demo",
    filters="login language partner_id",
    search="code login name name_en",
    parts=["assignments", "tokens"],
)
Resource(
    Assignment,
    columns="person role site created_at",
    filters="person role site",
    sort="-created_at",
    site="site",
)
Resource(
    Token,
    columns="name person rights expires_at revoked_at used_at",
    filters="person revoked_at",
    search="name",
    sort="-created_at",
)
Resource(
    Station,
    columns="code name name_en site work_center_id",
    filters="site work_center_id",
    search="code name name_en",
    site="site",
)
Resource(
    Display,
    columns="code name name_en site screens dwell_seconds language theme expires_at opened_at link_until seen_at",
    filters="site language theme",
    search="code name name_en",
    site="site",
)
Resource(
    RefusedOrder,
    columns="number status command person station happened_at refusal refusal_en body device_at sequence site_id"
    " settled_at reason redone_order_id",
    filters="status command person station happened_at site_id",
    search="number",
    sort="-number",
    site="site_id",
)
