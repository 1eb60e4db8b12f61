"""Compiled kernels are found again by what the sources hold, also by who may not write beside them."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from numba.core import caching, config

from lianzao.engine import compiling

SOURCE = """
from lianzao.engine.compiling import allocating

@allocating
def doubled(x):
    return x + x
"""


def loaded(path: Path) -> Any:
    """The module as a new process would load it."""
    spec = importlib.util.spec_from_file_location("kernel_of_a_test", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.doubled


def hits(function: Any) -> int:
    return sum(function.stats.cache_hits.values())


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    path = tmp_path / "house" / "kernels.py"
    path.parent.mkdir()
    path.write_text(SOURCE)
    return path


def nobody_may_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a read-only file system; root, as whom tests may run, is stopped by nothing less."""

    def refuse(self: Any, filepath: str) -> Any:
        if Path(filepath).is_relative_to(folder):
            raise OSError(30, "Read-only file system", filepath)
        return writing(self, filepath)

    writing = caching.IndexDataCacheFile._open_for_write
    monkeypatch.setattr(caching.IndexDataCacheFile, "_open_for_write", refuse)


def test_compiled_code_is_kept_beside_the_source_whatever_the_files_times(source: Path) -> None:
    first = loaded(source)
    assert first(2) == 4 and hits(first) == 0
    os.utime(source, (1, 1))  # as the layers of an image do
    again = loaded(source)
    assert again(2) == 4 and hits(again) == 1


def test_who_may_not_write_reads_what_the_installer_compiled(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(source)(2)
    nobody_may_write(source.parent, monkeypatch)
    again = loaded(source)
    assert again(2) == 4 and hits(again) == 1
    assert again(2.5) == 5.0 and hits(again) == 1, "what is missing is compiled"
    once_more = loaded(source)
    assert once_more(2.5) == 5.0 and hits(once_more) == 1, "and kept in the user's own cache"
    assert list((source.parents[1] / "user").rglob("*.nbc"))


def test_nothing_to_write_to_at_all_is_no_trouble(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_may_write(source.parents[1], monkeypatch)
    for _ in range(2):
        made = loaded(source)
        assert made(2) == 4 and hits(made) == 0
    shutil.rmtree(source.parent / "__pycache__", ignore_errors=True)
    assert loaded(source)(3) == 6


def test_another_source_is_compiled_anew(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(source)(2)
    monkeypatch.setattr(compiling, "_STAMP", "another")
    again = loaded(source)
    assert again(2) == 4 and hits(again) == 0
