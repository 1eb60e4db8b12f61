"""The second wall: grants and row security of PostgreSQL, written from the same declarations as `scope`.

The owner applies it after every migration (`watch_migrations`), so that it can never lag behind the tables:

- `lianzao_app` reads and writes every row, but may only insert into append-only tables, which a trigger guards too;
- `lianzao_partner` (taken per transaction, `as_partner`) only reads, and only rows whose partner path leads to
  `lianzao.partner`; if that is not set, none;
- `lianzao_report` only reads resources, without masked columns, at the sites in `lianzao.sites`; if not set, none.

Rules run with the rights of who asks, so tables a path passes through are granted too, but only the columns it needs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import connection as default_connection
from django.db import models, transaction
from django.db.models.constants import LOOKUP_SEP
from django.db.models.signals import post_migrate

from lianzao.foundation import partitions, registry, scope
from lianzao.foundation.actor import ALL, Actor

OWNER, APPLICATION, PARTNER, REPORT = "lianzao_owner", "lianzao_app", "lianzao_partner", "lianzao_report"

#: The past: the application may add to it and read it.
APPEND_ONLY = ("foundation_order", "foundation_event", "inventory_move")
#: What the application may only read.
READ_ONLY = ("django_migrations",)
#: The table whose comment says which wall was applied last.
MARKED = "foundation_order"

PARTNER_ID = "(SELECT nullif(current_setting('lianzao.partner', true), '')::uuid)"
SITE_IDS = "(SELECT string_to_array(nullif(current_setting('lianzao.sites', true), ''), ',')::uuid[])"
EVERY_SITE = "(SELECT current_setting('lianzao.sites', true) = '*')"


class RowSecurityError(Exception):
    """The database cannot be secured as it stands; the message says what to do."""


# -- for one transaction ----------------------------------------------------------------------------------------------


@contextmanager
def as_partner(by: Actor) -> Iterator[None]:
    """Read as the partner role, limited to the actor's partner, until the block ends; then as the application again.

    For an actor without partner nothing changes, so callers need not ask. Writing inside is refused by PostgreSQL.
    Within another `as_partner` it changes nothing either: the first one's limits hold.
    """
    if by.partner is None or getattr(default_connection, "_lianzao_partner", None) is not None:
        yield
        return
    connection: Any = default_connection
    # A savepoint of its own: if the block fails, rolling back also takes back the role.
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE {PARTNER}")
            _set(cursor, "lianzao.partner", str(by.partner))
            _set(cursor, "lianzao.sites", sites_setting(by))
        connection._lianzao_partner = by.partner
        try:
            yield
        finally:
            connection._lianzao_partner = None
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
            _set(cursor, "lianzao.partner", "")
            _set(cursor, "lianzao.sites", "")


@contextmanager
def as_application() -> Iterator[None]:
    """Step out of `as_partner` for what the machinery itself must read (links); the caller limits the answer."""
    connection: Any = default_connection
    partner = getattr(connection, "_lianzao_partner", None)
    if partner is None:
        yield
        return
    connection._lianzao_partner = None
    try:
        # If the block fails, rolling back to the savepoint takes the partner's role again.
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("RESET ROLE")
            yield
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL ROLE {PARTNER}")
    finally:
        connection._lianzao_partner = partner


def limit_report(cursor: Any, by: Actor) -> None:
    """Limit what follows in this transaction, on a connection of the report role, to the actor's sites."""
    _set(cursor, "lianzao.sites", "" if by.partner is not None else sites_setting(by))


def sites_setting(by: Actor) -> str:
    """An actor's sites as the policies read them: ids with commas, `*` for all, empty for none."""
    return "*" if by.sites is ALL else ",".join(sorted(str(site) for site in by.sites))  # type: ignore[union-attr]


def _set(cursor: Any, name: str, value: str) -> None:
    cursor.execute("SELECT set_config(%s, %s, true)", [name, value])


# -- what the wall consists of ----------------------------------------------------------------------------------------


class Wall:
    """The statements for the tables that exist, gathered from the registry of resources."""

    def __init__(self, tables: set[str]) -> None:
        self.tables = tables
        #: role → table → what is granted: None = every column, else the columns a path needs.
        self.granted: dict[str, dict[str, set[str] | None]] = {PARTNER: {}, REPORT: {}}
        #: role → table → conditions, one of which must hold for a row.
        self.rows: dict[str, dict[str, list[str]]] = {PARTNER: {}, REPORT: {}}
        registry.load()
        for resource in registry.RESOURCES.values():
            if resource.model._meta.db_table not in tables:
                continue
            paths = scope.paths_of(resource.model)
            self._for_partner(resource.model, paths.partner)
            self._for_report(resource.model, paths.site, self._unmasked(resource))
            for part in resource.part_models.values():
                if registry.kind_of(part) not in registry.RESOURCES and part._meta.db_table in tables:
                    paths_of_part = scope.paths_of(part)
                    self._for_partner(part, paths_of_part.partner)
                    self._for_report(part, paths_of_part.site, None)

    @staticmethod
    def _unmasked(resource: Any) -> set[str] | None:
        """The columns a report may read, None for all: what needs a right of its own stays out of reports."""
        hidden = {
            resource.field(name).column for name in (*resource.mask_names, *getattr(resource.model, "SECRETS", ()))
        }
        if not hidden:
            return None
        return {field.column for field in resource.model._meta.concrete_fields if field.column not in hidden}

    def _for_partner(self, model: type[models.Model], paths: tuple[str, ...]) -> None:
        if not paths:
            return
        self._grant(PARTNER, model, None)
        for path in paths:
            if path == scope.EVERYBODY:
                self._allow(PARTNER, model, f"{PARTNER_ID} IS NOT NULL")
            else:
                self._along(PARTNER, model, path)

    def _for_report(self, model: type[models.Model], path: str, columns: set[str] | None) -> None:
        self._grant(REPORT, model, columns)
        self._allow(REPORT, model, EVERY_SITE)
        if not path:
            self._allow(REPORT, model, f"{SITE_IDS} IS NOT NULL")
        else:
            self._along(REPORT, model, path)

    def _along(self, role: str, model: type[models.Model], path: str) -> None:
        """Allow a row by its path, and let the role walk the tables on the way; one not yet made allows nothing."""
        hops, _, end = scope.hops_of(model, path)
        if any(hop.target._meta.db_table not in self.tables for hop in hops):
            return
        self._allow(role, model, condition(role, model, path))
        rest = path.split(LOOKUP_SEP)
        for number, hop in enumerate(hops, start=1):
            after = hops[number].source_column if number < len(hops) else end
            self._grant(role, hop.target, {hop.target_column, after})
            self._allow(role, hop.target, condition(role, hop.target, LOOKUP_SEP.join(rest[number:])))

    def _grant(self, role: str, model: type[models.Model], columns: set[str] | None) -> None:
        granted = self.granted[role]
        table = model._meta.db_table
        if table not in granted:
            granted[table] = None if columns is None else set(columns)
            return
        held = granted[table]
        # A report's mask must not be undone by a path, nor a partner's whole grant be narrowed by one.
        granted[table] = None if held is None or columns is None else held | columns

    def _allow(self, role: str, model: type[models.Model], rule: str) -> None:
        rules = self.rows[role].setdefault(model._meta.db_table, [])
        if rule not in rules:
            rules.append(rule)

    def statements(self) -> list[str]:
        """The SQL, in an order that can be run again and again."""
        made = [f"GRANT USAGE ON SCHEMA {{schema}} TO {', '.join((APPLICATION, PARTNER, REPORT))}"]
        secured = sorted((set(self.rows[PARTNER]) | set(self.rows[REPORT])) & self.tables)
        for table in sorted(self.tables):
            name = quoted(table)
            made.append(f"REVOKE ALL ON {name} FROM PUBLIC, {APPLICATION}, {PARTNER}, {REPORT}")
            made.append(f"GRANT {application_rights(table)} ON {name} TO {APPLICATION}")
        made.append(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {{schema}} TO {APPLICATION}")
        for table in secured:
            made.extend(self._secure(table))
        for role in (PARTNER, REPORT):
            for table, columns in sorted(self.granted[role].items()):
                if table in self.tables:
                    what = "" if columns is None else f" ({', '.join(quoted(column) for column in sorted(columns))})"
                    made.append(f"GRANT SELECT{what} ON {quoted(table)} TO {role}")
        return made

    def _secure(self, table: str) -> Iterator[str]:
        name = quoted(table)
        yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
        yield f"DROP POLICY IF EXISTS lianzao_app_rows ON {name}"
        yield f"CREATE POLICY lianzao_app_rows ON {name} TO {APPLICATION} USING (true) WITH CHECK (true)"
        for role in (PARTNER, REPORT):
            yield f"DROP POLICY IF EXISTS {role}_rows ON {name}"
            rules = self.rows[role].get(table)
            if rules:
                yield f"CREATE POLICY {role}_rows ON {name} FOR SELECT TO {role} USING ({' OR '.join(rules)})"


def condition(role: str, model: type[models.Model], path: str) -> str:
    """The SQL condition that a row's path leads to the partner, or to one of the sites, in the settings."""
    hops, end, column = scope.hops_of(model, path)
    end_name = quoted(end._meta.db_table) if not hops else f"t{len(hops)}"
    if role == PARTNER:
        made = f"{end_name}.{quoted(column)} = {PARTNER_ID}"
    else:
        made = f"{end_name}.{quoted(column)} = ANY ({SITE_IDS}::uuid[])"
        if not hops and next(f for f in end._meta.concrete_fields if f.column == column).null:
            made = f"({made} OR ({end_name}.{quoted(column)} IS NULL AND {SITE_IDS} IS NOT NULL))"
    for number in range(len(hops), 0, -1):
        hop = hops[number - 1]
        before = quoted(hop.source._meta.db_table) if number == 1 else f"t{number - 1}"
        made = (
            f"EXISTS (SELECT 1 FROM {quoted(hop.target._meta.db_table)} t{number}"
            f" WHERE t{number}.{quoted(hop.target_column)} = {before}.{quoted(hop.source_column)} AND {made})"
        )
    return made


def application_rights(table: str) -> str:
    """What the application may do with a table."""
    if table in APPEND_ONLY:
        return "SELECT, INSERT"
    return "SELECT" if table in READ_ONLY else "SELECT, INSERT, UPDATE, DELETE"


def quoted(name: str) -> str:
    """An SQL identifier. Names come from models, never from users."""
    return '"' + name.replace('"', '""') + '"'


# -- applying and checking --------------------------------------------------------------------------------------------

TABLES = """
SELECT c.relname, pg_has_role(current_user, c.relowner, 'USAGE')
FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""

GUARDED = """
SELECT c.relname FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid JOIN pg_proc f ON f.oid = t.tgfoid
WHERE c.relnamespace = current_schema()::regnamespace AND f.proname = 'lianzao_append_only' AND t.tgenabled <> 'D'
GROUP BY c.relname HAVING count(*) >= 2
"""


def ensure_roles(connection: Any) -> None:
    """Make the roles that are missing (on a server that is not ours).

    Raises RowSecurityError with the statements to run, if this login may not make roles.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'lianzao%%'")
        present = {row[0] for row in cursor.fetchall()}
        cursor.execute("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
        may = cursor.fetchone()[0]
    if {APPLICATION, PARTNER, REPORT} <= present:
        return
    orders = _role_orders(connection.pg_version // 10000, present)
    if not may:
        raise RowSecurityError(
            "This server lacks roles that Lianzao needs, and this login may not make them. Have an administrator run:\n"
            + "\n".join(f"{order};" for order in orders)
        )
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for order in orders:
            cursor.execute(order)


def _role_orders(major: int, present: set[str]) -> list[str]:
    """The ground's own statements; without the owner, who is whoever migrates here."""
    from project.postgres import role_orders

    return [*role_orders(major, present | {OWNER})]


def apply(connection: Any = None) -> None:
    """Write grants, policies and guards for the tables there are. As the owner; harmless when run again.

    Raises RowSecurityError when the login does not own the tables, or roles are missing.
    """
    connection = connection or default_connection
    ensure_roles(connection)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('lianzao_rowsecurity'))")
        cursor.execute(TABLES)
        tables = dict(cursor.fetchall())
        foreign = sorted(table for table, owned in tables.items() if not owned)
        if foreign:
            raise RowSecurityError(
                f"This login does not own {', '.join(foreign[:3])}{' …' if len(foreign) > 3 else ''}: "
                "migrate as the owner (LIANZAO_OWNER_URL)"
            )
        schema = _schema(cursor)
        orders = Wall(set(tables)).statements()
        for order in orders:
            cursor.execute(order.format(schema=schema))
        cursor.execute(GUARDED)
        guarded = {row[0] for row in cursor.fetchall()}
        missing = [table for table in APPEND_ONLY if table in tables and table not in guarded]
        if missing:
            cursor.execute(partitions.APPEND_ONLY)
        for table in missing:
            for statement in partitions.guard(table).split(";"):
                if statement.strip():
                    cursor.execute(statement.replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER"))
        if MARKED in tables:
            cursor.execute(f"COMMENT ON TABLE {MARKED} IS '{_mark(orders)}'")


def problems(connection: Any = None) -> list[str]:
    """What of the wall is missing in this database, in words; empty when it stands. For doctor and tests."""
    connection = connection or default_connection
    found = list(scope.problems())
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY (%s)", [[APPLICATION, PARTNER, REPORT]])
        roles = {row[0] for row in cursor.fetchall()}
        absent = sorted({APPLICATION, PARTNER, REPORT} - roles)
        found.extend(f"role {role} is missing: migrate as the owner" for role in absent)
        if found:
            return found
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY (%s) AND (rolsuper OR rolbypassrls)",
            [[APPLICATION, PARTNER, REPORT]],
        )
        for row in cursor.fetchall():
            found.append(f"role {row[0]} goes past row security: take SUPERUSER and BYPASSRLS from it")
        cursor.execute("SELECT pg_has_role(%s, %s, 'MEMBER')", [APPLICATION, PARTNER])
        if not cursor.fetchone()[0]:
            found.append(f"{APPLICATION} cannot take the partner role: GRANT {PARTNER} TO {APPLICATION}")
        cursor.execute(TABLES)
        tables = {row[0] for row in cursor.fetchall()}
        wall = Wall(tables)
        cursor.execute("SELECT obj_description(to_regclass(%s), 'pg_class')", [MARKED])
        if cursor.fetchone()[0] != _mark(wall.statements()):
            found.append("grants and row security are not those of this version: migrate as the owner")
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relrowsecurity"
        )
        secured = {row[0] for row in cursor.fetchall()}
        for table in sorted((set(wall.rows[PARTNER]) | set(wall.rows[REPORT])) & tables - secured):
            found.append(f"{table} has no row security: migrate as the owner")
        cursor.execute(GUARDED)
        guarded = {row[0] for row in cursor.fetchall()}
        for table in APPEND_ONLY:
            if table in tables:
                found.extend(_append_only_problems(cursor, table, table in guarded))
    return found


def _append_only_problems(cursor: Any, table: str, guarded: bool) -> Iterator[str]:
    if not guarded:
        yield f"{table} has no append-only guard: migrate as the owner"
    cursor.execute("SELECT has_table_privilege(%s, %s, 'UPDATE, DELETE, TRUNCATE')", [APPLICATION, table])
    if cursor.fetchone()[0]:
        yield f"{APPLICATION} may change {table}: migrate as the owner"


def _schema(cursor: Any) -> str:
    cursor.execute("SELECT quote_ident(current_schema())")
    return cursor.fetchone()[0]


def _mark(orders: list[str]) -> str:
    return f"lianzao wall {hashlib.sha256(chr(10).join(orders).encode()).hexdigest()[:16]}"


def watch_migrations() -> None:
    """Apply the wall whenever migrations have run, after the last room's."""
    post_migrate.connect(_after_migrate, dispatch_uid="lianzao.rowsecurity")


def _after_migrate(sender: Any, using: str, **_: Any) -> None:
    last = [app for app in apps.get_app_configs() if app.models_module is not None][-1]
    if sender.name == last.name:
        from django.db import connections

        apply(connections[using])
