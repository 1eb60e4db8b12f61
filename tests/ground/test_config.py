"""The configuration: defaults, refusals that name the variable, and a key that is made once."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from project.config import TABLE, Config, ConfigError, database, load, table


def test_defaults_are_those_of_the_table() -> None:
    config = load({})
    assert (config.host, config.port, config.language, config.time_zone) == (
        "127.0.0.1",
        8000,
        "zh-CN",
        "Asia/Shanghai",
    )
    assert config.embedded and not config.debug and config.shared is None
    assert config.data.name == ".run"
    assert 2 <= config.web_workers <= 8


def test_every_variable_is_read(tmp_path: Path) -> None:
    given = {
        "LIANZAO_DATABASE_URL": "postgresql://app:word@db.plant:5433/mes?sslmode=require",
        "LIANZAO_OWNER_URL": "postgres://owner@db.plant/mes",
        "LIANZAO_REPORT_URL": "postgresql://report@db.plant/mes",
        "LIANZAO_ADMIN_URL": "postgresql://postgres@db.plant/postgres",
        "LIANZAO_DATA": str(tmp_path),
        "LIANZAO_HOST": "0.0.0.0",
        "LIANZAO_PORT": "9000",
        "LIANZAO_SECRET_KEY": "k" * 40,
        "LIANZAO_DEBUG": "yes",
        "LIANZAO_WEB_WORKERS": "3",
        "LIANZAO_LANGUAGE": "en",
        "LIANZAO_TIME_ZONE": "Europe/Berlin",
        "LIANZAO_ALLOWED_HOSTS": "mes.plant, 10.0.0.8",
        "LIANZAO_HTTPS": "1",
        "LIANZAO_TLS_CERT": str(tmp_path / "a.crt"),
        "LIANZAO_TLS_KEY": str(tmp_path / "a.key"),
        "LIANZAO_HTTP_PORT": "8080",
        "LIANZAO_PROXY": "127.0.0.1, 10.0.0.0/8",
        "LIANZAO_BACKUP_FOLDER": str(tmp_path / "elsewhere"),
        "LIANZAO_BACKUP_HOURS": "6",
        "LIANZAO_BACKUP_KEEP": "30",
        "LIANZAO_UPGRADE_BACKUP": "0",
        "LIANZAO_KEEP_EVENTS_MONTHS": "24",
        "LIANZAO_KEEP_DELIVERIES_DAYS": "30",
        "LIANZAO_KEEP_PLAN_RUNS_DAYS": "400",
        "LIANZAO_LOG": "json",
        "LIANZAO_SLOW_MS": "250",
        "LIANZAO_SHARED": str(tmp_path / "sets"),
    }
    assert set(given) == {variable.name for variable in TABLE}
    plain, set_by_hand = load({}), load(given)
    for name in Config.__dataclass_fields__:
        assert getattr(set_by_hand, name) != getattr(plain, name), name
    assert set_by_hand.allowed_hosts == ("mes.plant", "10.0.0.8")
    assert set_by_hand.kept_secret_key() == "k" * 40


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIANZAO_PORT", "80a"),
        ("LIANZAO_PORT", "70000"),
        ("LIANZAO_DEBUG", "perhaps"),
        ("LIANZAO_TIME_ZONE", "Mars/Olympus"),
        ("LIANZAO_DATABASE_URL", "mysql://x"),
        ("LIANZAO_SECRET_KEY", "short"),
        ("LIANZAO_WEB_WORKERS", "0"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load({name: value})


def test_secrets_are_not_printed() -> None:
    rows = table({"LIANZAO_SECRET_KEY": "very secret", "LIANZAO_PORT": "81"})
    assert not any("very secret" in cell for row in rows for cell in row)
    assert ("LIANZAO_PORT", "8000", "81") in [row[:3] for row in rows]


def test_the_secret_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    config = load({"LIANZAO_DATA": str(tmp_path / "data")})
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: config.kept_secret_key(), range(16)))
    assert len(keys) == 1 and len(keys.pop()) >= 32
    assert stat.S_IMODE((tmp_path / "data" / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret_key"]


def test_a_url_becomes_djangos_entry() -> None:
    entry = database("postgresql://app:w%40rd@db:5433/mes?sslmode=require")
    assert (entry["USER"], entry["PASSWORD"], entry["HOST"], entry["PORT"], entry["NAME"]) == (
        "app",
        "w@rd",
        "db",
        "5433",
        "mes",
    )
    assert entry["OPTIONS"] == {"sslmode": "require"}
    assert database("postgresql://app@/mes?host=%2Frun%2Fsocket")["HOST"] == "/run/socket"
