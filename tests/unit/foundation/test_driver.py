"""Long statements are converted once: what we set in the driver is where the driver looks."""

from __future__ import annotations

import pytest
from django.db import connection
from psycopg import _queries

pytestmark = pytest.mark.django_db


def test_a_long_statement_with_many_parameters_is_converted_once() -> None:
    sql = "SELECT " + " + ".join(["%s::integer"] * 100) + " -- " + "long " * 1500
    before = _queries._query2pg.cache_info()
    for _ in range(3):
        with connection.cursor() as cursor:
            cursor.execute(sql, [1] * 100)
            assert cursor.fetchone() == (100,)
    after = _queries._query2pg.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 2)
