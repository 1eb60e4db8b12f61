"""What of the machinery administrators see and change."""

from lianzao.foundation.numbering import CodeRule
from lianzao.foundation.resource import Resource

Resource(
    CodeRule,
    columns="entity_kind pattern",
    filters="entity_kind",
    search="entity_kind",
    writable="entity_kind pattern",
    key="entity_kind",
)
