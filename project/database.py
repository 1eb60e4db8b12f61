"""`lianzao database`: a PostgreSQL server that is not ours gets the roles and the database that Lianzao needs.

An administrator's login is needed once, for `set_up`, and never kept. Who may not have one hands the statements of
`script` to whoever does. Names and passwords are those of the URLs in the settings, so they are said once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from project.config import Config
from project.postgres import APPLICATION, OWNER, REPORT, GroundError, role_orders

NEWEST_MAJOR = 18
Connection = psycopg.Connection[tuple[Any, ...]]


def logins(config: Config) -> dict[str, dict[str, Any]]:
    """What each role's URL says, by role. Raises GroundError when they do not go together."""
    if config.embedded or not config.owner_url:
        raise GroundError(
            "Set LIANZAO_DATABASE_URL and LIANZAO_OWNER_URL first, as they shall be: "
            f"postgresql://{APPLICATION}:PASSWORD@HOST:5432/lianzao and postgresql://{OWNER}:PASSWORD@HOST:5432/lianzao"
        )
    given = {APPLICATION: config.database_url, OWNER: config.owner_url}
    if config.report_url:
        given[REPORT] = config.report_url
    made = {role: conninfo_to_dict(url) for role, url in given.items()}
    names = {APPLICATION: "LIANZAO_DATABASE_URL", OWNER: "LIANZAO_OWNER_URL", REPORT: "LIANZAO_REPORT_URL"}
    for role, parts in made.items():
        if parts.get("user") != role:
            raise GroundError(f"{names[role]} must log in as {role}: rights and row security are granted to that name")
        if not parts.get("dbname") or parts["dbname"] != made[APPLICATION].get("dbname"):
            raise GroundError("LIANZAO_DATABASE_URL, LIANZAO_OWNER_URL and LIANZAO_REPORT_URL must name one database")
    return made


def script(config: Config, major: int = NEWEST_MAJOR) -> str:
    """What an administrator runs in psql, as text; passwords are asked for there and stand nowhere."""
    name = str(logins(config)[APPLICATION]["dbname"])
    lines = [*role_orders(major), _database_order(name, major), *_database_rights(name)]
    text = [f"{line.as_string() if isinstance(line, sql.Composable) else line};" for line in lines]
    text += [f"\\password {role}" for role in (OWNER, APPLICATION, REPORT)]
    return "\n".join(text)


def set_up(config: Config, admin_url: str) -> Iterator[str]:
    """Make what is missing, set the passwords of the URLs, see that each gets in; tells what it did.

    Harmless when run again: roles, database and data stay. Raises GroundError saying what to do.
    """
    roles = logins(config)
    name = str(roles[APPLICATION]["dbname"])
    try:
        # The encoding is said because a server's own database may have none (SQL_ASCII), and names then come as bytes.
        with psycopg.connect(admin_url, autocommit=True, connect_timeout=10, client_encoding="utf8") as admin:
            yield from _make(admin, roles, name)
    except psycopg.OperationalError as error:
        raise GroundError(f"The server does not answer under LIANZAO_ADMIN_URL: {str(error).strip()}") from error
    except psycopg.Error as error:
        raise GroundError(f"The server refused: {str(error).strip()}") from error
    for role, parts in sorted(roles.items(), key=lambda each: each[0] != OWNER):
        try:
            with psycopg.connect(make_conninfo(**parts), autocommit=True, connect_timeout=10) as own:
                if role == OWNER:
                    # By the owner, not the administrator, of whom PostgreSQL takes it with a mere warning.
                    for right in _database_rights(name):
                        own.execute(right)
                    own.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        except psycopg.OperationalError as error:
            raise GroundError(
                f"{role} is made, but does not get in: {str(error).strip()}\nSee pg_hba.conf of the server "
                "(a line for this machine, method scram-sha-256) and the host and sslmode of the URL"
            ) from error


def _make(admin: Connection, roles: dict[str, dict[str, Any]], name: str) -> Iterator[str]:
    major = admin.info.server_version // 10000
    if major < 15:
        raise GroundError(f"The server is PostgreSQL {major}; Lianzao needs 15 or later")
    present = {row[0] for row in admin.execute("SELECT rolname FROM pg_roles").fetchall()}
    with admin.transaction():
        for order in role_orders(major, present):
            admin.execute(sql.SQL(order))
            if order.startswith("CREATE ROLE"):
                yield f"made the role {order.split()[2]}"
        for role, parts in roles.items():
            if parts.get("password"):
                # Worked out here, so that no log of the server ever holds the password itself.
                secret = admin.pgconn.encrypt_password(str(parts["password"]).encode(), role.encode(), b"scram-sha-256")
                admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), secret.decode()))
                yield f"set the password of {role}"
    yield from _make_database(admin, name, major)


def _make_database(admin: Connection, name: str, major: int) -> Iterator[str]:
    found = admin.execute(
        "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding) FROM pg_database WHERE datname = %s", [name]
    ).fetchone()
    if found is None:
        with _as_owner(admin, major):
            admin.execute(_database_order(name, major))
        yield f"made the database {name}"
        return
    if found[1] != "UTF8":
        raise GroundError(f"The database {name} is encoded in {found[1]}: Lianzao needs UTF8; name another database")
    if found[0] != OWNER:
        raise GroundError(
            f"The database {name} belongs to {found[0]}. Name another in the URLs, or, if it is meant for Lianzao, "
            f"run: ALTER DATABASE {sql.Identifier(name).as_string()} OWNER TO {OWNER}"
        )


class _as_owner:
    """Be a member of the owner's role while it is given a database: an administrator without superuser must be."""

    def __init__(self, admin: Connection, major: int) -> None:
        self.admin = admin
        row = admin.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
        self.needed = not (row and row[0])
        self.options: LiteralString = " WITH INHERIT TRUE, SET TRUE" if major >= 16 else ""

    def __enter__(self) -> None:
        if self.needed:
            self.admin.execute(sql.SQL(f"GRANT {OWNER} TO CURRENT_USER{self.options}"))

    def __exit__(self, *_: object) -> None:
        if self.needed:
            self.admin.execute(sql.SQL(f"REVOKE {OWNER} FROM CURRENT_USER"))


def _database_order(name: str, major: int) -> sql.Composed:
    # As the embedded one: order by code point, the same on every machine and version.
    locale: LiteralString = (
        "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'" if major >= 17 else "LOCALE 'C.UTF-8'"
    )
    order: LiteralString = f"CREATE DATABASE {{}} OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8' {locale}"
    return sql.SQL(order).format(sql.Identifier(name))


def _database_rights(name: str) -> list[sql.Composed]:
    orders: tuple[LiteralString, ...] = (
        "REVOKE ALL ON DATABASE {} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {{}} TO {APPLICATION}, {REPORT}",
    )
    return [sql.SQL(order).format(sql.Identifier(name)) for order in orders]
