"""The built screens as they are served: nobody meets a half-read build."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from project.pages import Build


def test_who_comes_during_the_first_reading_waits_for_it(tmp_path: Path) -> None:
    """A page asks for twenty files at once; none is missing because another request is still reading them."""
    (tmp_path / "assets").mkdir()
    for number in range(20):
        (tmp_path / "assets" / f"part-{number}.js").write_text("x = 1;\n" * 40_000, encoding="utf-8")
    for name in ("office", "terminal", "phone", "portal", "screen"):
        (tmp_path / f"{name}.html").write_text("<!doctype html>", encoding="utf-8")
    build = Build(tmp_path)
    start = threading.Barrier(20)

    def asked(number: int) -> bool:
        start.wait()
        return build.file(f"assets/part-{number}.js") is not None

    with ThreadPoolExecutor(20) as people:
        assert all(people.map(asked, range(20)))
