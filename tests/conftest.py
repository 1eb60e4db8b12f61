"""What every test stands on: a clone of the migrated schema on a real PostgreSQL, reached as the application role.

`LIANZAO_TEST_POSTGRES=15` runs on Debian's PostgreSQL 15, `LIANZAO_TEST_KEEP=1` leaves the server running for speed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.db import connections

from project.config import database
from project.postgres import APPLICATION, OWNER, GroundError
from tests.databases import TestGround
from tests.recorder import PINNING, Recorder, pinned


@pytest.fixture(scope="session")
def test_ground() -> Iterator[TestGround]:
    """The running test cluster and its migrated template."""
    ground = TestGround(os.environ.get("LIANZAO_TEST_POSTGRES", ""))
    try:
        try:
            ground.open()
        except GroundError as error:
            pytest.fail(str(error), pytrace=False)
        yield ground
    finally:
        ground.close(keep=os.environ.get("LIANZAO_TEST_KEEP") == "1")


@pytest.fixture(scope="session")
def django_db_setup(test_ground: TestGround, django_test_environment: None) -> Iterator[None]:
    """pytest-django's door to a database: the session's own clone, never created or migrated by Django."""
    from lianzao.engine import solver

    solver.warm()  # compiled before a transaction is open: the first time it takes half a minute
    name = test_ground.clone()
    try:
        use_database(test_ground, name)
        yield
    finally:
        close_connections()
        test_ground.drop(name)


@pytest.fixture
def fresh_database(
    request: pytest.FixtureRequest, test_ground: TestGround, django_db_setup: None, django_db_blocker
) -> Iterator[str]:
    """A clone of this test's own, for tests that really commit (worker, live, several connections, subprocesses).

    Django's connection points at it until the test ends; gives its application URL. Not together with `db`.
    """
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        pytest.fail("fresh_database replaces `db` and django_db: a test takes one of them", pytrace=False)
    before = str(connections.databases["default"]["NAME"])
    name = test_ground.clone()
    try:
        use_database(test_ground, name)
        with django_db_blocker.unblock():
            yield test_ground.cluster.url(name, APPLICATION)
            close_connections()
    finally:
        use_database(test_ground, before)
        test_ground.drop(name)


def use_database(ground: TestGround, name: str) -> None:
    """Point Django, in every thread, and processes started later at the database `name`."""
    close_connections()
    kept = connections.databases["default"]
    said = database(ground.cluster.url(name, APPLICATION))
    options = {**kept.get("OPTIONS", {}), **said.pop("OPTIONS")}
    options.pop("pool", None)  # a pool would keep connections to a database that is about to go
    kept.update(said, OPTIONS=options, CONN_MAX_AGE=0)
    os.environ["LIANZAO_DATABASE_URL"] = ground.cluster.url(name, APPLICATION)
    os.environ["LIANZAO_OWNER_URL"] = ground.cluster.url(name, OWNER)


def close_connections() -> None:
    """Close this thread's connections, and pools where there are any."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        close_pool = getattr(connection, "close_pool", None)
        if close_pool is not None and getattr(connection, "pool", None):
            close_pool()


@pytest.fixture(scope="session")
def recorder() -> Iterator[Recorder]:
    """Watches all commands: what they cost and whether they are audited (tests/recorder.py)."""
    made = Recorder(pinned())
    with made.watching():
        yield made
    if PINNING:
        made.pin()


@pytest.fixture(autouse=True)
def commands_are_cheap_and_audited(recorder: Recorder) -> Iterator[None]:
    """Every test also tries that no command it runs needs more statements than pinned, or goes without audit."""
    recorder.taken_faults()
    yield
    faults = recorder.taken_faults()
    if faults:
        pytest.fail("\n".join(dict.fromkeys(faults)), pytrace=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse what cannot work: Django's transactional tests truncate tables, which the application role may not."""
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker and marker.kwargs.get("transaction"):
            raise pytest.UsageError(f"{item.nodeid}: take the fixture fresh_database, not django_db(transaction=True)")
