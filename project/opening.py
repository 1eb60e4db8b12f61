"""Opening the house for a command: the database up (started for as long as the command runs), Django set up."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from project import migrating, postgres
from project.config import Config
from project.postgres import GroundError
from project.processes import django_is_set_up, serving


@contextlib.contextmanager
def using(data: Path) -> Iterator[Callable[[], bool]]:
    """Say that a command uses the data folder; the function given says whether nobody else does any more."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data / "using.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise GroundError(
            f"{data} cannot be written ({error.strerror}): run as its owner, or choose another LIANZAO_DATA"
        ) from error

    def is_last() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield is_last
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def database(config: Config) -> Iterator[None]:
    """The database, running until the block ends; one that we started is stopped unless somebody uses it by then."""
    with using(config.data) as is_last:
        cluster = None
        started = False
        if config.embedded:
            cluster = postgres.cluster_of(config)
            started = not cluster.status()["running"]
            postgres.start_embedded(config)
        try:
            yield
        finally:
            if cluster is not None and started and is_last():
                with serving(config.data, "command") as alone:
                    if alone:
                        cluster.stop()


@contextlib.contextmanager
def house(config: Config) -> Iterator[None]:
    """The house open for a command, its database of this version."""
    with database(config):
        migrating.bring_up_to_date(config)
        with django(config):
            yield


@contextlib.contextmanager
def django(config: Config) -> Iterator[None]:
    """Django set up on this configuration's database."""
    os.environ["LIANZAO_DATABASE_URL"] = postgres.application_url(config)
    os.environ["LIANZAO_SECRET_KEY"] = config.kept_secret_key()
    django_is_set_up()
    from django.db import connections

    from lianzao.foundation import tracing

    tracing.begin("command")
    try:
        yield
    finally:
        for connection in connections.all(initialized_only=True):
            connection.close()
            if getattr(connection, "pool", None):
                connection.close_pool()  # type: ignore[attr-defined]
