"""The checks can fail: doors are watched, licences refused, counts read right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from grimp import ImportGraph

from project.config import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from scripts import check, contracts, licences


def graph(*imports: tuple[str, str]) -> ImportGraph:
    made = ImportGraph()
    for module in {module for pair in imports for module in pair}:
        made.add_module(module)
    for importer, imported in imports:
        made.add_import(importer=importer, imported=imported, line_number=1, line_contents="import")
    return made


def broken(*imports: tuple[str, str]) -> list[tuple[str, str]]:
    doors = ["lianzao.{room}.rules <- lianzao.{room}", "ninja <- lianzao.foundation.http | lianzao.*.api"]
    contract = contracts.DoorContract("doors", {"root_packages": ["lianzao"]}, {"doors": doors})
    found = contract.check(graph(*imports), verbose=False)
    assert found.kept == (not found.metadata["broken"])
    return [(one["importer"], one["imported"]) for one in found.metadata["broken"]]


def test_rules_are_private_to_their_room() -> None:
    inside = ("lianzao.sales.commands", "lianzao.sales.rules")
    outside = ("lianzao.flows.late_supply", "lianzao.sales.rules")
    assert broken(inside, outside) == [outside]


def test_ninja_comes_in_by_two_doors_only() -> None:
    good = [("lianzao.sales.api", "ninja"), ("lianzao.foundation.http", "ninja")]
    bad = ("lianzao.sales.commands", "ninja")
    assert broken(*good, bad) == [bad]


@pytest.mark.parametrize(
    ("expression", "fine"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("(MIT OR CC0-1.0) AND BSD-3-Clause", True),
        ("", False),
    ],
)
def test_licences_are_judged_by_the_list(expression: str, fine: bool) -> None:
    assert licences.allowed(expression) is fine


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("3 failed, 120 passed, 2 skipped in 12.34s", {"failed": 3, "passed": 120, "skipped": 2}),
        ("=== 1 error in 0.50s ===", {"errors": 1}),
        ("      Tests  2 failed | 34 passed (36)", {"failed": 2, "passed": 34}),
    ],
)
def test_last_words_are_counted(line: str, counts: dict[str, int]) -> None:
    assert dict(check.count(["noise\n", line + "\n"])) == counts


def test_a_failed_step_without_tests_counts_as_an_error() -> None:
    failing = check.Step("nothing", [sys.executable, "-c", "raise SystemExit(2)"])
    passing = check.Step("something", [sys.executable, "-c", "print('5 passed in 0.1s')"], tests=True)
    check.run_all([failing, passing], {}, lanes=1)
    last = check.summary([failing, passing], 1.0).splitlines()[-1]
    assert last == "===== 5 passed, 1 error in 1.00s ====="


def python(title: str, code: str, *after: str) -> check.Step:
    return check.Step(title, [sys.executable, "-u", "-c", code], after=after)


def test_steps_run_side_by_side_and_are_shown_one_after_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of two waits for the other's sign: one after the other they would wait for ever."""
    meet = """
import pathlib, sys, time
print("{0} begins")
pathlib.Path("{0}").touch()
while not pathlib.Path("{1}").exists(): time.sleep(0.01)
print("{0} ends", end="")
"""
    pair = [check.Step(one, [sys.executable, "-c", meet.format(one, other)], tmp_path) for one, other in ("ab", "ba")]
    check.run_all([*pair, python("c", "print('c runs')")], {}, lanes=2)
    assert all(step.passed for step in pair)
    shown = [line for line in capsys.readouterr().out.splitlines() if line]
    assert shown == ["──── a", "a begins", "a ends", "──── b", "b begins", "b ends", "──── c", "c runs"]


def test_the_first_step_is_shown_line_by_line_while_it_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wait = "import pathlib, time\nprint('here')\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)"
    step = check.Step("slow", [sys.executable, "-u", "-c", wait], tmp_path)
    running = threading.Thread(target=check.run_all, args=([step], {}, 2))
    running.start()
    try:
        shown, until = "", time.monotonic() + 30
        while "here" not in shown and time.monotonic() < until:
            shown += capsys.readouterr().out
            time.sleep(0.01)
        assert "here" in shown and running.is_alive()
    finally:
        (tmp_path / "go").touch()
        running.join()


def test_a_step_waits_for_what_it_needs_and_is_not_run_without(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [
        python("first", "import time; time.sleep(0.3); print('first done')"),
        python("second", "print('second done')", "first"),
        python("bad", "raise SystemExit(1)"),
        python("lost", "print('never')", "first", "bad"),
        python("lost too", "print('never')", "lost"),
    ]
    check.run_all(steps, {}, lanes=2)
    assert [step.passed for step in steps] == [True, True, False, False, False]
    shown = capsys.readouterr().out
    assert shown.index("first done") < shown.index("second done") and "never" not in shown
    assert "did not succeed: bad" in shown and "did not succeed: lost" in shown
    assert check.summary(steps, 1.0).splitlines()[-1] == "===== 3 errors in 1.00s ====="


def test_who_interrupts_waits_for_what_runs_and_nothing_else_begins(tmp_path: Path) -> None:
    """As from the keyboard: the signal goes to the run and to what it runs."""
    heeds = """
import pathlib, time
try: pathlib.Path('begun').touch(); time.sleep(60)
except KeyboardInterrupt: time.sleep(0.5); pathlib.Path('heeded').touch(); raise SystemExit(1)
"""
    outer = f"""
import pathlib, sys
sys.path[:0] = [{str(ROOT / "scripts")!r}]
import check
steps = [check.Step("one", [sys.executable, "-c", {heeds!r}], pathlib.Path({str(tmp_path)!r})),
         check.Step("two", [sys.executable, "-c", "print('never')"])]
try: check.run_all(steps, {{}}, lanes=1)
except KeyboardInterrupt: print("interrupted", pathlib.Path({str(tmp_path / "heeded")!r}).exists())
"""
    running = subprocess.Popen(
        [sys.executable, "-c", outer], stdout=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    until = time.monotonic() + 60
    while not (tmp_path / "begun").exists() and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGINT)
    said, _ = running.communicate(timeout=60)
    assert "interrupted True" in said and "never" not in said


def test_a_program_that_is_not_there_fails_its_step_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [check.Step("nobody", ["/nowhere/program"]), python("after all", "print('here')")]
    check.run_all(steps, {}, lanes=1)
    assert [step.passed for step in steps] == [False, True]
    assert "/nowhere/program" in capsys.readouterr().out
    assert check.summary(steps, 1.0).splitlines()[-1] == "===== 1 error in 1.00s ====="


def test_the_steps_hold_every_test_once_on_18_and_on_15_what_speaks_sql() -> None:
    """No folder of tests is forgotten, and none is run twice on one version."""
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.rglob("test_*.py"))} - {"bench"}
    for kind in ("all", "quick"):
        seen: dict[str, list[str]] = {"18": [], "15": []}
        for step in check.steps_of(kind):
            if "pytest" in step.order:
                places = [word.removeprefix("tests/") for word in step.order if word.startswith("tests/")]
                left = {word.rpartition("/")[2] for word in step.order if word.startswith("--ignore=")}
                seen[step.environ.get("LIANZAO_TEST_POSTGRES", "18")] += places or sorted(folders - left)
        wanted = folders if kind == "all" else folders - {"contract", "scenario", "browser"}
        assert sorted(seen["18"]) == sorted(wanted)
        assert sorted(seen["15"]) == (["contract", "scenario"] if kind == "all" else [])


def test_missing_system_packages_are_named_with_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "SYSTEM_PACKAGES", {"chromium": lambda: False, "fonts-noto-cjk": lambda: True})
    monkeypatch.setattr(check.os, "geteuid", lambda: 1000)
    with pytest.raises(check.StepFailed, match=r"--no-install-recommends chromium$"):
        check.ensure_system_packages()
