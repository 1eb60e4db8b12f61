"""The checks can fail: doors are watched, licences refused, counts read right."""

from __future__ import annotations

import sys

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
    for step in (failing, passing):
        check.run(step, {})
    last = check.summary([failing, passing], 1.0).splitlines()[-1]
    assert last == "===== 5 passed, 1 error in 1.00s ====="


def test_missing_system_packages_are_named_with_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "SYSTEM_PACKAGES", {"chromium": lambda: False, "fonts-noto-cjk": lambda: True})
    monkeypatch.setattr(check.os, "geteuid", lambda: 1000)
    with pytest.raises(check.StepFailed, match=r"--no-install-recommends chromium$"):
        check.ensure_system_packages()
