"""Jobs of the clock: one process at a time, at their time, and a failure is told and tried again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime

import pytest
from django.db import connection, connections

from lianzao.foundation import jobs
from lianzao.foundation.jobs import JobState


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No jobs but the test's own, and nothing looked at yet."""
    monkeypatch.setattr(jobs, "JOBS", {})
    jobs.forget()
    yield
    jobs.forget()


@pytest.mark.django_db
def test_a_job_runs_when_it_is_due_and_not_before(alone: None) -> None:
    ran: list[datetime] = []
    jobs.job("tests.count", every_s=3600)(ran.append)
    assert jobs.run_due() == 1
    jobs.forget()
    assert jobs.run_due() == 0
    JobState.objects.filter(name="tests.count").update(due_at="2020-01-01T00:00Z")
    jobs.forget()
    assert jobs.run_due() == 1
    assert len(ran) == 2 and ran[0].tzinfo is not None
    assert jobs.run_due() == 0  # not even asked


@pytest.mark.django_db
def test_a_failing_job_is_told_and_spoils_nothing(alone: None) -> None:
    def fails(now: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")

    ran: list[datetime] = []
    jobs.job("tests.a_fails", every_s=0)(fails)
    jobs.job("tests.b_runs", every_s=0)(ran.append)
    for count in (1, 2):
        jobs.forget()
        assert jobs.run_due() == 2
        state = JobState.objects.get(name="tests.a_fails")
        assert state.failures == count and "division by zero" in state.error and state.ended_at is not None
    assert len(ran) == 2


def test_two_processes_never_run_a_job_at_once(fresh_database: str, alone: None) -> None:
    began, end = threading.Event(), threading.Event()

    def slow(now: datetime) -> None:
        began.set()
        assert end.wait(20)

    jobs.job("tests.slow", every_s=0)(slow)

    def elsewhere() -> None:
        try:
            jobs.run_due()
        finally:
            connections["default"].close()

    other = threading.Thread(target=elsewhere)
    other.start()
    assert began.wait(20)
    jobs.forget()
    assert jobs.run_due() == 0
    end.set()
    other.join(20)
    jobs.forget()
    assert jobs.run_due() == 1


def test_a_name_belongs_to_one_job(alone: None) -> None:
    def one(now: datetime) -> None: ...
    def two(now: datetime) -> None: ...

    jobs.job("tests.name", every_s=1)(one)
    jobs.job("tests.name", every_s=1)(one)
    with pytest.raises(ValueError, match=r"tests\.name"):
        jobs.job("tests.name", every_s=1)(two)
