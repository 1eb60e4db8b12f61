"""Whatever is killed, whenever: nothing acknowledged is lost, nothing happens twice, everything resumes by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kills import torment
from tests.processes import left
from tests.served import furnished, served

KILLS = 30


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_and_nothing_happens_twice(tmp_path: Path) -> None:
    shop = furnished(tmp_path)
    with served(tmp_path) as product:
        print(torment(product, shop, KILLS, pause_s=(0.05, 0.6)))
    assert left(tmp_path) == []
