"""`make soak`: a thousand kills under load (SOAK_KILLS), and the books are right at the end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kills import torment
from tests.processes import left
from tests.served import furnished, served

pytestmark = pytest.mark.soak
KILLS = int(os.environ.get("SOAK_KILLS", "1000"))


def test_nothing_is_lost_or_doubled_over_many_kills(tmp_path: Path) -> None:
    shop = furnished(tmp_path)
    with served(tmp_path) as product:
        print(f"\n{torment(product, shop, KILLS, seed=KILLS)}")
    assert left(tmp_path) == []
