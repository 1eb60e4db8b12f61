"""Document numbers by code rules: a pattern, and a database sequence for each period, so that nobody queues.

Numbers are unique and rising; a number taken by an order that failed is not used again (gaps are allowed).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from time import monotonic
from uuid import UUID

from django.db import connection, models

from lianzao.foundation import audit
from lianzao.foundation.entity import Document, Entity
from lianzao.foundation.registry import kind_of
from lianzao.values.errors import Invalid

PLACE = re.compile(r"\{(yyyy|yy|mm|dd|site|seq:(\d{1,2}))\}")


class CodeRule(Entity):
    """How the numbers of one kind of document look: {yyyy} {yy} {mm} {dd} {site} and one {seq:width}."""

    locks = False

    entity_kind = models.CharField(max_length=80, unique=True)
    pattern = models.CharField(max_length=60)

    class Meta(Entity.Meta):
        app_label = "foundation"
        db_table = "foundation_code_rule"

    def before_save(self) -> None:
        """Refuse a pattern without a sequence."""
        check_pattern(self.pattern)
        audit.must_run().before_end.append(_rules.clear)


#: Patterns in force, and until when we believe them: another process, on another machine perhaps, may change a rule.
_rules: dict[str, tuple[str, float]] = {}
ASK_AGAIN_S = 5.0


def check_pattern(pattern: str) -> None:
    """Raise Invalid unless the pattern has exactly one {seq:n} and nothing unknown in braces."""
    sequences = re.findall(r"\{seq:\d{1,2}\}", pattern)
    if len(sequences) != 1 or "{" in PLACE.sub("", pattern) or "}" in PLACE.sub("", pattern):
        raise Invalid("code_rule_pattern", field="pattern", pattern=pattern)


def pattern_of(model: type[Entity]) -> str:
    """The pattern in force: the administrators' rule, else the document's own."""
    kind = kind_of(model)
    pattern, until = _rules.get(kind, ("", 0.0))
    if monotonic() >= until:
        rule = CodeRule.objects.filter(entity_kind=kind).values_list("pattern", flat=True).first()
        pattern = rule or getattr(model, "NUMBER", "{seq:6}")
        _rules[kind] = pattern, monotonic() + ASK_AGAIN_S
    return pattern


FORMATS = {"yyyy": "%Y", "yy": "%y", "mm": "%m", "dd": "%d"}


def period_of(pattern: str, at: datetime) -> str:
    """Which run of numbers an instant belongs to: the sequence starts again when this changes."""
    return "".join(
        form for place, form in (("{yy", f"{at:%Y}"), ("{mm}", f"{at:%m}"), ("{dd}", f"{at:%d}")) if place in pattern
    )


def next_number(model: type[Entity], site_id: UUID | None) -> str:
    """The next number of a kind of document at the order's instant."""
    pattern = pattern_of(model)
    at = audit.must_run().at
    with connection.cursor() as cursor:
        cursor.execute("SELECT lianzao_next_number(%s, %s)", [kind_of(model), period_of(pattern, at)])
        sequence = cursor.fetchall()[0][0]
    return format_number(pattern, at, sequence, "" if site_id is None else str(site_id)[:4])


def give_numbers(documents: Sequence[Document]) -> None:
    """Numbers for those of many new documents of one kind that have none, in their order, with one statement."""
    waiting = [each for each in documents if not each.number]
    if not waiting:
        return
    model = type(waiting[0])
    pattern = pattern_of(model)
    at = audit.must_run().at
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lianzao_next_number(%s, %s) FROM generate_series(1, %s)",
            [kind_of(model), period_of(pattern, at), len(waiting)],
        )
        sequences = cursor.fetchall()
    forms: dict[UUID | None, str] = {}
    for document, (sequence,) in zip(waiting, sequences, strict=True):
        form = forms.get(document.site_id)
        if form is None:
            site = "" if document.site_id is None else str(document.site_id)[:4]
            form = forms[document.site_id] = form_of(pattern, at, site)
        document.number = form.format(sequence)


def form_of(pattern: str, at: datetime, site: str) -> str:
    """A pattern at an instant and a site, as a format of Python's for the sequence alone.

    >>> form_of("SO-{yy}{mm}-{seq:4}", datetime(2026, 3, 2), "")
    'SO-2603-{0:04d}'
    """

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if name.startswith("seq"):
            return f"{{0:0{match.group(2)}d}}"
        return site if name == "site" else f"{at:{FORMATS[name]}}"

    # What stands between the places may hold braces, which would be places to Python.
    parts = PLACE.split(pattern)
    rest = iter(PLACE.finditer(pattern))
    step = PLACE.groups + 1
    made = []
    for number, part in enumerate(parts):
        if number % step == 0:
            made.append(part.replace("{", "{{").replace("}", "}}"))
            found = next(rest, None)
            made.append("" if found is None else fill(found))
    return "".join(made)


def format_number(pattern: str, at: datetime, sequence: int, site: str) -> str:
    """A number by pattern.

    >>> format_number("SO-{yy}{mm}-{seq:4}", datetime(2026, 3, 2), 17, "")
    'SO-2603-0017'
    """

    return form_of(pattern, at, site).format(sequence)


#: Runs as the owner, because the application may not create sequences.
SQL = """
CREATE OR REPLACE FUNCTION lianzao_next_number(kind text, period text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
DECLARE
    sequence text := 'number_' || substr(md5(kind || '|' || period), 1, 24);
BEGIN
    IF to_regclass('public.' || sequence) IS NULL THEN
        -- Who begins it at the same time waits until it is there; IF NOT EXISTS alone fails for one of the two.
        PERFORM pg_advisory_xact_lock(hashtext(sequence));
        EXECUTE format('CREATE SEQUENCE IF NOT EXISTS public.%I', sequence);
    END IF;
    RETURN nextval('public.' || sequence);
END
$body$;
"""
