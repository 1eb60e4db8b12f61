"""Whatever is killed, whenever: nothing acknowledged is lost, nothing happens twice, everything resumes by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kills import torment
from tests.processes import of_folder
from tests.served import served

KILLS = 30


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_and_nothing_happens_twice(tmp_path: Path) -> None:
    with served(tmp_path) as product:
        print(torment(product, KILLS))
    assert of_folder(tmp_path) == []
