"""What of the machinery administrators see and change."""

from typing import Any, cast

from lianzao.foundation.numbering import CodeRule
from lianzao.foundation.outbox import Delivery, EventRow
from lianzao.foundation.printing.models import PrintLayout
from lianzao.foundation.resource import Resource

Resource(
    CodeRule,
    columns="entity_kind pattern",
    filters="entity_kind",
    search="entity_kind",
    writable="entity_kind pattern",
    key="entity_kind",
)
Resource(PrintLayout, columns="paper text", filters="paper", search="paper", key="paper")
# Rows of the machinery itself: no entities, but lists and pages like theirs. What a payload or a traceback holds is
# masked: it may be a price, and whoever views rooms by role sees these too.
Resource(
    cast(Any, EventRow),
    columns="name at recorded_at site_id order_id payload",
    filters="name at site_id order_id",
    site="site_id",
    masks="payload",
    sort="-id",
)
Resource(
    cast(Any, Delivery),
    columns="event subscriber status attempts due_at made_at done_at key error",
    filters="status subscriber event made_at",
    search="subscriber error",
    site="event__site_id",
    masks="error",
    sort="-made_at",
)
