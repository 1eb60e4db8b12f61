"""Everything that must hold, one step after the other; all run even if one fails. Used by `make test|check|lint`.

Nothing is left out in silence: a tool or system package that is missing is installed, or makes the run fail by name.
The last line counts in pytest's form all tests of all steps; a failed step that is no test run counts as an error.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bootstrap import ROOT, StepFailed, install_node_packages, node_environment
from pipindex import FetchError

PYTHON = str(ROOT / ".venv" / "bin" / "python")
# The program or file by which we see that a system package is there.
SYSTEM_PACKAGES: dict[str, Callable[[], bool]] = {
    "chromium": lambda: bool(shutil.which("chromium")),
    "fonts-noto-cjk": lambda: any(Path("/usr/share/fonts").glob("**/NotoSansCJK*")),
    "postgresql-15": lambda: Path("/usr/lib/postgresql/15/bin/postgres").is_file(),
}
COUNTED = ("failed", "passed", "skipped", "deselected", "xfailed", "xpassed", "warnings", "errors")


@dataclass
class Step:
    """One step: what it is called, what it runs, what came of it."""

    title: str
    order: list[str]
    folder: Path = ROOT
    environ: dict[str, str] = field(default_factory=dict)
    tests: bool = False
    seconds: float = 0.0
    passed: bool = False
    counts: Counter[str] = field(default_factory=Counter)


def python_step(title: str, *order: str) -> Step:
    return Step(title, [PYTHON, *order])


def tests(title: str, *places: str, **environ: str) -> Step:
    order = [PYTHON, "-m", "pytest", "--color=no", "-q", *places]
    return Step(title, order, environ={"LIANZAO_TEST_KEEP": "1", **environ}, tests=True)


def lint_steps() -> list[Step]:
    pyright = str(ROOT / "scripts" / "pyright" / "node_modules" / "pyright" / "index.js")
    return [
        python_step("style", "-m", "ruff", "check", "."),
        python_step("format", "-m", "ruff", "format", "--check", "."),
        Step("types", ["node", pyright], environ={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}),
        python_step("layers", "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"),
    ]


def unit_tests() -> Step:
    """All tests but those of the four big folders, so that a new folder is never forgotten."""
    big = ("contract", "scenario", "browser", "bench")
    return tests("unit tests", "tests", *(f"--ignore=tests/{name}" for name in big))


def steps_of(kind: str) -> list[Step]:
    if kind == "lint":
        return lint_steps()
    licences = python_step("licences", "scripts/licences.py")
    written = python_step("written files", "-m", "project.docs", "--check")
    if kind == "quick":
        return [*lint_steps(), licences, written, unit_tests()]
    web = ROOT / "web"
    return [
        *lint_steps(),
        licences,
        written,
        Step("screens: client", ["npm", "run", "--silent", "api:check"], web),
        python_step("screens: build", "scripts/bootstrap.py", "screens"),
        Step("screens: types", ["npm", "run", "--silent", "check"], web),
        Step("screens: tests", ["npm", "run", "--silent", "test"], web, {"NO_COLOR": "1", "CI": "1"}, tests=True),
        unit_tests(),
        tests("contract tests", "tests/contract"),
        tests("scenario tests", "tests/scenario"),
        tests("browser tests", "tests/browser"),
        # The large data set is planned once, on 18: its statements are those of the small ones, and it takes a minute.
        tests(
            "contract and scenario tests, PG 15",
            "tests/contract",
            "tests/scenario",
            "--ignore=tests/scenario/test_adventureworks.py",
            LIANZAO_TEST_POSTGRES="15",
        ),
    ]


def run(step: Step, environ: dict[str, str]) -> None:
    """Run one step, showing its output as it comes, and note what came of it."""
    print(f"\n──── {step.title}", flush=True)
    began = time.monotonic()
    lines: list[str] = []
    process = subprocess.Popen(
        step.order, cwd=step.folder, env={**environ, **step.environ}, text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        print(line, end="", flush=True)
    step.passed = process.wait() == 0
    step.seconds = time.monotonic() - began
    step.counts = count(lines) if step.tests else Counter()
    if not step.passed and not step.counts["failed"] and not step.counts["errors"]:
        step.counts["errors"] += 1


def count(lines: list[str]) -> Counter[str]:
    """How many tests passed, failed …, from the last words of pytest or vitest."""
    for line in reversed(lines):
        plain = re.sub(r"\x1b\[[0-9;]*m", "", line).strip()
        if re.search(r" in [\d.]+s", plain) or re.match(r"Tests\s+\d", plain):
            totals: Counter[str] = Counter()
            for number, word in re.findall(r"(\d+) ([a-z]+)", plain):
                name = {"warning": "warnings", "error": "errors", "todo": "skipped"}.get(str(word), str(word))
                if name in COUNTED:
                    totals[name] += int(number)
            return totals
    return Counter()


def ensure_system_packages() -> None:
    """Install what tests need from Debian, as root, else say the line to type. Raises StepFailed."""
    missing = [name for name, present in SYSTEM_PACKAGES.items() if not present()]
    if not missing:
        return
    line = f"apt-get install -y --no-install-recommends {' '.join(missing)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise StepFailed(f"The tests need system packages that are not here. As root, run:\n  apt-get update && {line}")
    if "postgresql-15" in missing:
        _without_standing_server()
    print(f"▸ {line}", flush=True)
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for order in (["apt-get", "update", "-qq"], ["apt-get", "-qq", *line.split()[1:]]):
        done = subprocess.run(order, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise StepFailed(f"{' '.join(order)} failed:\n{done.stdout[-3000:]}")
    still = [name for name in missing if not SYSTEM_PACKAGES[name]()]
    if still:
        raise StepFailed(f"Installed, but still not found: {', '.join(still)}")


def _without_standing_server() -> None:
    """Debian's package starts a server of its own; we want the programs only. An existing choice is left alone."""
    folder = Path("/etc/postgresql-common")
    if not folder.exists():
        (folder / "createcluster.d").mkdir(parents=True)
        (folder / "createcluster.d" / "lianzao.conf").write_text("create_main_cluster = false\n")


def stop_test_clusters() -> None:
    """The steps left the test servers running for the next step; nobody else's session is cut off."""
    sys.path.insert(0, str(ROOT))
    from tests.databases import TestGround

    for major in ("18", "15"):
        if (ROOT / ".test" / f"pg{major}").exists():
            TestGround(major).stop_if_unused()


def summary(steps: list[Step], seconds: float) -> str:
    """The list of steps and, last, one line in pytest's form."""
    lines = ["", "──── steps"]
    for step in steps:
        lines.append(f"  {'ok    ' if step.passed else 'FAILED'} {step.seconds:7.1f} s  {step.title}")
    total: Counter[str] = Counter()
    for step in steps:
        total.update(step.counts)
    words = {
        word: word.rstrip("s") if word in ("errors", "warnings") and total[word] == 1 else word for word in COUNTED
    }
    told = ", ".join(f"{total[word]} {words[word]}" for word in COUNTED if total[word]) or "no tests ran"
    return "\n".join([*lines, "", f"===== {told} in {seconds:.2f}s ====="])


def main(kind: str) -> int:
    """Run the steps of `all`, `quick` or `lint`; 0 when all held."""
    began = time.monotonic()
    environ = {**node_environment(), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    for name in [name for name in environ if name.startswith(("LIANZAO_", "OTEL_")) and name != "LIANZAO_SHARED"]:
        del environ[name]  # tests must not meet anybody's real database or collector
    try:
        install_node_packages(ROOT / "scripts" / "pyright")
        if kind == "all":
            ensure_system_packages()
            install_node_packages(ROOT / "web")
    except (StepFailed, FetchError) as problem:
        print(f"\n{problem}\n\n===== 1 error in {time.monotonic() - began:.2f}s =====")
        return 1
    steps = steps_of(kind)
    try:
        for step in steps:
            run(step, environ)
    finally:
        if kind != "lint":
            stop_test_clusters()
    print(summary(steps, time.monotonic() - began))
    return 0 if all(step.passed for step in steps) else 1


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) == 2 else ""
    if chosen not in ("all", "quick", "lint"):
        sys.exit("usage: python scripts/check.py all|quick|lint")
    sys.exit(main(chosen))
