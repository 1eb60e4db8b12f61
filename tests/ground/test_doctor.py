"""The doctor on what a keeper forgets: a certificate that ends, a key that others may read, months not made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from project import config, doctor, tls
from project.postgres import OWNER


def certificate(tmp_path: Path, **more: str) -> dict[str, doctor.Finding]:
    given = {"LIANZAO_DATA": str(tmp_path), **more}
    return {each.subject: each for each in doctor._certificate(config.load(given))}


def test_a_certificate_that_ends_is_told_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert certificate(tmp_path)["https"].state == doctor.OK
    assert "serve` makes" in certificate(tmp_path, LIANZAO_HTTPS="1")["https"].said
    authority = tls.Authority(tmp_path / "tls")
    authority.ensure()
    for ago, state in ((0, doctor.OK), (80, doctor.WARNING), (100, doctor.TROUBLE)):
        authority.pair.certificate.unlink(missing_ok=True)
        authority.leaf(["mes.plant"], datetime.now(UTC) - timedelta(days=ago))
        found = certificate(tmp_path, LIANZAO_HTTPS="1")
        assert found["https"].state == state, ago
        assert (
            found["authority"].state == doctor.OK and tls.fingerprint(authority.certificate) in found["authority"].said
        )
    given = {"LIANZAO_TLS_CERT": str(authority.pair.certificate), "LIANZAO_TLS_KEY": str(authority.pair.key)}
    assert "renew it" in certificate(tmp_path, **given)["https"].todo and "authority" not in certificate(
        tmp_path, **given
    )
    authority.leaf(["mes.plant"])
    authority.pair.key.chmod(0o644)
    open_key = list(doctor._certificate(config.load({"LIANZAO_DATA": str(tmp_path), "LIANZAO_HTTPS": "1"})))
    assert open_key[0].state == doctor.TROUBLE and "chmod 600" in open_key[0].todo
    authority.pair.certificate.write_text("nothing")
    assert certificate(tmp_path, LIANZAO_HTTPS="1")["https"].state == doctor.TROUBLE
    assert "10.0.0.5" in certificate(tmp_path, LIANZAO_PROXY="10.0.0.5")["https"].said


def test_months_that_are_not_made_are_told(fresh_database: str) -> None:
    def said() -> list[doctor.Finding]:
        return list(doctor._partitions())

    assert [each.state for each in said()] == [doctor.OK]
    coming = (datetime.now(UTC).replace(day=1) + timedelta(days=32)).strftime("foundation_event_%Y_%m")
    with psycopg.connect(fresh_database.replace("lianzao_app", OWNER), autocommit=True) as owner:
        owner.execute(f"DROP TABLE {coming}")  # type: ignore[arg-type]
    (found,) = said()
    assert found.state == doctor.WARNING and coming in found.said
