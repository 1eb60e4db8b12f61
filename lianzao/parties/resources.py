"""What of parties is seen, filtered, searched and written."""

from __future__ import annotations

from lianzao.foundation.resource import Resource
from lianzao.parties.models import Contact, Party

_PARTY = (
    "code name name_en is_customer is_supplier is_carrier tier language currency transit_days phone email address "
    "country tax_number"
)
Resource(
    Party,
    columns=f"{_PARTY} blocked_at blocked_why",
    filters="is_customer is_supplier is_carrier tier country",
    search="code name name_en tax_number",
    writable=_PARTY,
    parts=["contacts"],
    partner="id",
    partner_columns="code name name_en language currency phone email address country",
)
Resource(
    Contact,
    columns="party name role phone email is_main",
    filters="party is_main",
    search="name email phone",
    writable="party name role phone email is_main",
    partner="party",
    sort="name",
)
