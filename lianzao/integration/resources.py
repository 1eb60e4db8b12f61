"""What of integration is listed. Partners see none of it; secrets are columns of nothing."""

from __future__ import annotations

from lianzao.foundation.resource import Resource
from lianzao.integration.models import Endpoint, Mapping, Post

Resource(
    Endpoint,
    columns="code name name_en url events partner owner active paused_why allowed_networks generation old_until"
    " failures failing_since resting_until site_id",
    filters="active partner owner site_id",
    search="code name name_en url",
    site="site_id",
)
Resource(
    Post,
    columns="endpoint event event_id status attempts http_status error milliseconds next_at tried_at created_at"
    " site_id",
    filters="endpoint event event_id status http_status next_at tried_at created_at site_id",
    search="event error",
    site="site_id",
    sort="-created_at",
)
Resource(
    Mapping,
    columns="code name name_en kind_name mapping",
    filters="kind_name",
    search="code name name_en",
)
