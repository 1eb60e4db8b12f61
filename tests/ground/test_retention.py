"""What is old goes as the settings say: events only after a verified backup, and nothing that something rests on."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from lianzao.access.models import Site
from lianzao.foundation import clock
from lianzao.foundation.actor import system_actor
from lianzao.foundation.command import run
from lianzao.planning import commands as planning
from lianzao.planning.models import PlanRun
from lianzao.values.errors import Invalid
from project import backup, config, processes, retention
from project.config import Config
from project.postgres import APPLICATION, OWNER
from tests.databases import TestGround

NOW = datetime(2026, 11, 29, tzinfo=UTC)
MONTHS = ("2025_09", "2025_10", "2025_11", "2026_10")


@pytest.fixture
def years(fresh_database: str, test_ground: TestGround, tmp_path: Path) -> Config:
    """A database with an event in each of some months, two of them more than a year old."""
    with psycopg.connect(fresh_database, autocommit=True) as made:
        name = made.info.dbname
    made = config.load(
        {
            "LIANZAO_DATABASE_URL": test_ground.cluster.url(name, APPLICATION),
            "LIANZAO_OWNER_URL": test_ground.cluster.url(name, OWNER),
            "LIANZAO_DATA": str(tmp_path),
            "LIANZAO_KEEP_EVENTS_MONTHS": "12",
        }
    )
    with psycopg.connect(made.owner_url, autocommit=True) as owner:
        for month in MONTHS:
            begins = datetime.strptime(month, "%Y_%m").replace(tzinfo=UTC)
            ends = (begins + timedelta(days=32)).replace(day=1)
            bounds = [
                owner.execute("SELECT lianzao_uuid_at(%s)::text", [at]).fetchone()[0]  # type: ignore[index]
                for at in (begins, ends)
            ]
            owner.execute(
                f"CREATE TABLE foundation_event_{month} PARTITION OF foundation_event"  # type: ignore[arg-type]
                f" FOR VALUES FROM ('{bounds[0]}') TO ('{bounds[1]}')"
            )
            owner.execute(
                "INSERT INTO foundation_event (id, name, at, recorded_at, order_id, payload, xid)"
                " VALUES (%s, 'test', %s, now(), gen_random_uuid(), '{}', 1)",
                [bounds[0], begins],
            )
    return made


def months(of: Config) -> list[str]:
    with psycopg.connect(of.owner_url, autocommit=True) as owner:
        rows = owner.execute(
            "SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY_MM') FROM foundation_event WHERE name = 'test' ORDER BY at"
        ).fetchall()
    return [row[0] for row in rows]


def test_old_months_of_events_go_and_no_others(years: Config) -> None:
    assert retention.forget_events(years, NOW) == ["foundation_event_2025_09", "foundation_event_2025_10"]
    assert months(years) == ["2025_11", "2026_10"]
    assert retention.forget_events(years, NOW) == []


def test_a_month_stays_while_a_delivery_waits_for_its_event(years: Config) -> None:
    with psycopg.connect(years.owner_url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO foundation_delivery (id, event_id, subscriber, key, status, due_at, made_at, attempts, error)"
            " SELECT gen_random_uuid(), id, 'a.b', '', 'parked', now(), now(), 8, '' FROM foundation_event_2025_09"
        )
    assert retention.forget_events(years, NOW) == ["foundation_event_2025_10"]


def test_they_go_only_after_a_backup_that_holds_them(years: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = backup.Keeper(years)
    monkeypatch.setattr(keeper, "due", lambda _: True)
    monkeypatch.setattr(backup, "verify", _refuses)
    assert keeper.look() is None and months(years) == list(MONTHS)
    monkeypatch.undo()
    for each in backup.kept(years):
        each.path.unlink()
    monkeypatch.setattr(keeper, "due", lambda _: True)
    keeper._not_before = 0.0
    made = keeper.look()
    assert made is not None and "2025_09" not in months(years)
    assert backup.manifest_of(made)["rows"]["foundation_event"] >= len(MONTHS)


def _refuses(*_: Any) -> None:
    raise backup.GroundError("the backup is damaged")


def test_for_ever_is_the_default(tmp_path: Path) -> None:
    assert retention.forget_events(config.load({"LIANZAO_DATA": str(tmp_path)})) == []
    for name, value in (("LIANZAO_KEEP_EVENTS_MONTHS", "2"), ("LIANZAO_KEEP_PLAN_RUNS_DAYS", "6")):
        with pytest.raises(config.ConfigError, match=name):
            config.load({name: value})


PROPOSED = """
INSERT INTO planning_proposal (id, version, created_at, updated_at, owner_system, number, run_id, site_id, item_id,
    kind_of_order, quantity, start_at, finish_at, need_at, late_minutes, currency, demand_kind, cause, status,
    decided_why)
VALUES (gen_random_uuid(), 1, now(), now(), 'lianzao', 'PP-1', %s, %s, %s, 'buy', 1, now(), now(), now(), 0, '', '',
    '[]', 'accepted', '')
"""


@pytest.mark.django_db
def test_runs_of_the_planner_go_when_nothing_rests_on_them(settings: Any) -> None:
    by = system_actor("test")
    site: Site = run(by, "access.create_site", {"code": "SZ", "name": "苏州"})
    runs = [planning.plan_site(by, site=site) for _ in range(4)]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE planning_plan_run SET created_at = %s WHERE site_id = %s",
            [clock.now() - timedelta(days=91), site.id],
        )
        cursor.execute(
            "UPDATE planning_plan_run SET created_at = %s WHERE id = %s", [clock.now() - timedelta(days=89), runs[2].id]
        )
        run(by, "catalog.create_unit", {"code": "pc", "name": "件"})
        unit = run(by, "catalog.create_unit", {"code": "box", "name": "箱"})
        item = run(by, "catalog.create_item", {"code": "A", "name": "A", "supply": "buy", "base_unit": unit.id})
        cursor.execute(PROPOSED, [runs[1].id, site.id, item.id])
    assert processes.keep_house()["planning runs"] == 1, "the first; on the second rests a proposal"
    left = dict(PlanRun.objects.values_list("id", "parent_id"))
    assert left == {runs[1].id: None, runs[2].id: runs[1].id, runs[3].id: runs[2].id}
    assert processes.keep_house()["planning runs"] == 0
    settings.CONFIG = dataclasses.replace(settings.CONFIG, keep_plan_runs_days=0)
    assert "planning runs" not in processes.keep_house()
    with pytest.raises(Invalid, match="too_small"):
        planning.forget_plan_runs(by, older_than_days=1)
