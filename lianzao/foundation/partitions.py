"""Monthly partitions of append-only tables, by the time inside their UUIDv7 ids, so the id alone is the primary key."""

from __future__ import annotations

from django.db import connection

PARTITIONED = ("foundation_event", "inventory_move")

#: Runs as the owner; a default partition stands behind, so that no write ever fails for a missing month.
SQL = """
CREATE OR REPLACE FUNCTION lianzao_uuid_at(at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT AS $body$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$body$;

CREATE OR REPLACE FUNCTION lianzao_ensure_partitions(parent regclass, months int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
DECLARE
    name text := (SELECT relname FROM pg_class WHERE oid = parent);
    month timestamp := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC');
    made int := 0;
    part text;
    lower uuid;
    upper uuid;
    strays boolean;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_partitioned_table WHERE partrelid = parent) THEN
        RAISE EXCEPTION '% is not partitioned', parent;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('lianzao_partitions'));
    IF to_regclass(format('public.%I', name || '_other')) IS NULL THEN
        EXECUTE format('CREATE TABLE public.%I PARTITION OF %s DEFAULT', name || '_other', parent);
    END IF;
    FOR step IN 0..months LOOP
        part := name || to_char(month + step * interval '1 month', '_YYYY_MM');
        IF to_regclass(format('public.%I', part)) IS NULL THEN
            lower := public.lianzao_uuid_at((month + step * interval '1 month') AT TIME ZONE 'UTC');
            upper := public.lianzao_uuid_at((month + (step + 1) * interval '1 month') AT TIME ZONE 'UTC');
            EXECUTE format('SELECT EXISTS (SELECT 1 FROM public.%I WHERE id >= %L AND id < %L)',
                name || '_other', lower, upper) INTO strays;
            IF strays THEN  -- written while a clock was wrong: they move into their month, else it could not be made
                PERFORM set_config('lianzao.maintenance', 'on', true);
                EXECUTE format('CREATE TABLE public.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
                    part, parent);
                EXECUTE format('WITH gone AS (DELETE FROM public.%I WHERE id >= %L AND id < %L RETURNING *)'
                    ' INSERT INTO public.%I SELECT * FROM gone', name || '_other', lower, upper, part);
                EXECUTE format('ALTER TABLE %s ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                    parent, part, lower, upper);
                PERFORM set_config('lianzao.maintenance', '', true);
            ELSE
                EXECUTE format('CREATE TABLE public.%I PARTITION OF %s FOR VALUES FROM (%L) TO (%L)',
                    part, parent, lower, upper);
            END IF;
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END
$body$;
"""

#: Nobody edits the past, not even by mistake in the owner's shell, unless the maintenance setting says so.
APPEND_ONLY = """
CREATE OR REPLACE FUNCTION lianzao_append_only() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF current_setting('lianzao.maintenance', true) = 'on' AND pg_has_role(current_user, 'lianzao_owner', 'member') THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$body$;
"""


def guard(table: str) -> str:
    """SQL that makes a table append-only by trigger."""
    return (
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION lianzao_append_only();"
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION lianzao_append_only();"
    )


def ensure(months: int = 3) -> int:
    """Make the partitions of the months to come. Returns how many were made."""
    made = 0
    with connection.cursor() as cursor:
        for table in PARTITIONED:
            cursor.execute("SELECT to_regclass(%s)", [table])
            row = cursor.fetchone()
            if row is not None and row[0] is not None:
                cursor.execute("SELECT lianzao_ensure_partitions(%s::regclass, %s)", [table, months])
                made += cursor.fetchall()[0][0]
    return made
