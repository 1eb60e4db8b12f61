"""The test databases themselves: who we are in them, and that a fresh one really commits and goes."""

from __future__ import annotations

import psycopg
import pytest
from django.db import ProgrammingError, connection


@pytest.mark.django_db
def test_tests_run_as_the_application_role() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, current_setting('TimeZone'), rolsuper, rolbypassrls FROM pg_roles"
            " WHERE rolname = current_user"
        )
        assert cursor.fetchone() == ("lianzao_app", "UTC", False, False)


@pytest.mark.django_db
def test_the_application_role_cannot_make_tables() -> None:
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
        cursor.execute("CREATE TABLE mine (id int)")


def test_fresh_database_is_seen_by_other_connections(fresh_database: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        here = cursor.fetchone()
    with psycopg.connect(fresh_database) as other:
        assert other.execute("SELECT current_database()").fetchone() == here
