"""What takes long is told, what does not is not."""

from __future__ import annotations

import time

import pytest

from project import progress


def test_what_is_quick_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.telling("quick"):
        pass
    assert capsys.readouterr().err == ""


def test_what_takes_long_is_told_with_who_is_waited_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "QUIET_S", 0.01)
    monkeypatch.setattr(progress, "LOG_S", 0.01)
    said = ""
    with progress.telling("starting", lambda: "plan 1"):
        until = time.monotonic() + 10
        while "plan 1" not in said:
            assert time.monotonic() < until, "never told"
            time.sleep(0.01)
            said += capsys.readouterr().err
    assert said.startswith("▸ starting …\n  … 0 s (plan 1)\n")
    assert capsys.readouterr().err.splitlines()[-1].startswith("▸ starting: 0.")


def test_what_fails_still_ends_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="no"), progress.telling("making", at_once=True):
        raise OSError("no")
    first, last = capsys.readouterr().err.splitlines()
    assert first == "▸ making …" and last.startswith("▸ making: 0.")
