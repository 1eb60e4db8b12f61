"""Everything that must hold, step by step; all run even if one fails. Used by `make test|check|lint`.

Two steps run side by side where there are two cores: most wait half their time, for a database or for processes.
What each says is shown whole and in the order of the list, as if one had followed the other.

Nothing is left out in silence: a tool or system package that is missing is installed, or makes the run fail by name.
The last line counts in pytest's form all tests of all steps; a failed step that is no test run counts as an error.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
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
    """One step: what it is called, what it runs, the steps that must have held before, what came of it.

    `seconds` it took by the clock, `busy` by the processor: its own processes', not the database server's.
    """

    title: str
    order: list[str]
    folder: Path = ROOT
    environ: dict[str, str] = field(default_factory=dict)
    tests: bool = False
    after: tuple[str, ...] = ()
    seconds: float = 0.0
    busy: float = 0.0
    passed: bool = False
    counts: Counter[str] = field(default_factory=Counter)


def python_step(title: str, *order: str) -> Step:
    return Step(title, [PYTHON, *order])


def tests(title: str, *places: str, after: tuple[str, ...], **environ: str) -> Step:
    order = [PYTHON, "-m", "pytest", "--color=no", "-q", *places]
    return Step(title, order, environ={"LIANZAO_TEST_KEEP": "1", **environ}, tests=True, after=after)


def lint_steps() -> list[Step]:
    pyright = str(ROOT / "scripts" / "pyright" / "node_modules" / "pyright" / "index.js")
    return [
        python_step("style", "-m", "ruff", "check", "."),
        python_step("format", "-m", "ruff", "format", "--check", "."),
        Step("types", ["node", pyright], environ={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}),
        python_step("layers", "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"),
    ]


PLANNER = "planner's kernels"
SYSTEM = "system packages"
SCREENS = "screens: build"


def ground_tests() -> Step:
    return tests("ground tests", "tests/ground", after=(PLANNER, SYSTEM))


def unit_tests(*, but: tuple[str, ...]) -> Step:
    """All tests but those of the big folders, so that a new folder is never forgotten."""
    return tests("unit tests", "tests", *(f"--ignore=tests/{name}" for name in but), after=(PLANNER,))


def steps_of(kind: str) -> list[Step]:
    """The steps in the order in which they begin, as far as they need not wait: what takes long begins early."""
    if kind == "lint":
        return lint_steps()
    # Compiled once and before all else: two sessions would compile the same at once.
    planner = python_step(PLANNER, "scripts/bootstrap.py", "planner")
    licences = python_step("licences", "scripts/licences.py")
    written = python_step("written files", "-m", "project.docs", "--check")
    bench = ("bench",)  # `make bench` and `make soak`
    if kind == "quick":
        quick = unit_tests(but=("contract", "scenario", "browser", *bench))
        return [planner, *lint_steps(), licences, written, quick]
    web = ROOT / "web"
    return [
        planner,
        python_step(SYSTEM, "scripts/check.py", "system"),
        *lint_steps(),
        licences,
        written,
        Step("screens: client", ["npm", "run", "--silent", "api:check"], web),
        python_step(SCREENS, "scripts/bootstrap.py", "screens"),
        Step("screens: types", ["npm", "run", "--silent", "check"], web),
        Step("screens: tests", ["npm", "run", "--silent", "test"], web, {"NO_COLOR": "1", "CI": "1"}, tests=True),
        tests("browser tests", "tests/browser", after=(PLANNER, SYSTEM, SCREENS)),
        ground_tests(),
        tests("scenario tests", "tests/scenario", after=(PLANNER,)),
        # The large data set is planned once, on 18: its statements are those of the small ones, and it takes a minute.
        tests(
            "scenario tests, PG 15",
            "tests/scenario",
            "--ignore=tests/scenario/test_adventureworks.py",
            after=(PLANNER, SYSTEM),
            LIANZAO_TEST_POSTGRES="15",
        ),
        tests("contract tests", "tests/contract", after=(PLANNER,)),
        tests("contract tests, PG 15", "tests/contract", after=(PLANNER, SYSTEM), LIANZAO_TEST_POSTGRES="15"),
        unit_tests(but=("ground", "contract", "scenario", "browser", *bench)),
    ]


class Telling:
    """Shows what the steps say in their order: the first not ended line by line, a later one when it is due."""

    def __init__(self, steps: list[Step]) -> None:
        self._waiting = list(steps)
        self._kept: dict[str, list[str]] = {step.title: [] for step in steps}
        self._ended: set[str] = set()
        self._lock = threading.Lock()

    def began(self, step: Step) -> None:
        self.line(step, f"\n──── {step.title}\n")

    def line(self, step: Step, line: str) -> None:
        with self._lock:
            self._kept[step.title].append(line)
            self._show()

    def ended(self, step: Step) -> None:
        with self._lock:
            self._ended.add(step.title)
            self._show()

    def _show(self) -> None:
        while self._waiting:
            title = self._waiting[0].title
            kept, self._kept[title] = self._kept[title], []
            for line in kept:
                print(line, end="", flush=True)
            if title not in self._ended:
                return
            del self._waiting[0]


def run_all(steps: list[Step], environ: dict[str, str], lanes: int) -> None:
    """Run the steps, as many at once as there are lanes, none before those it needs; note what came of each."""
    telling = Telling(steps)
    waiting: list[Step] = list(steps)
    settled: dict[str, bool] = {}
    state = threading.Condition()
    unknown = {name for step in steps for name in step.after} - {step.title for step in steps}
    assert not unknown, f"steps wait for what is no step: {unknown}"

    def next_step() -> Step | None:
        """The first that may begin; None when there are no more."""
        with state:
            while waiting:
                for step in waiting:
                    if all(name in settled for name in step.after):
                        waiting.remove(step)
                        return step
                state.wait()
            return None

    def lane() -> None:
        while step := next_step():
            lost = [name for name in step.after if not settled[name]]
            telling.began(step)
            if lost:
                telling.line(step, f"not run, for this did not succeed: {', '.join(lost)}\n")
                step.counts["errors"] += 1
            else:
                run(step, environ, partial(telling.line, step))
            telling.ended(step)
            with state:
                settled[step.title] = step.passed
                state.notify_all()

    def live() -> None:
        try:
            lane()
        finally:
            with state:
                living.pop()
                state.notify_all()

    living = [None] * lanes
    for _ in range(lanes):
        threading.Thread(target=live, daemon=True).start()
    try:
        with state:
            state.wait_for(lambda: not living)
    except KeyboardInterrupt:  # what runs was told too and ends now; nothing else begins
        with state:
            waiting.clear()
            state.notify_all()
            state.wait_for(lambda: not living, timeout=60)
        raise


def run(step: Step, environ: dict[str, str], say: Callable[[str], object]) -> None:
    """Run one step, saying its output as it comes, and note what came of it."""
    began = time.monotonic()
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            step.order, cwd=step.folder, env={**environ, **step.environ}, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except OSError as problem:
        say(f"{problem}\n")
        step.counts["errors"] += 1
        return
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        say(line)
    if lines and not lines[-1].endswith("\n"):
        say("\n")
    _, ended, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(ended)
    step.passed = process.returncode == 0
    step.seconds, step.busy = time.monotonic() - began, used.ru_utime + used.ru_stime
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
    lines = ["", "──── steps (by the clock, of the processor)"]
    for step in steps:
        state = "ok    " if step.passed else "FAILED"
        lines.append(f"  {state} {step.seconds:7.1f} s  {step.busy:7.1f} s  {step.title}")
    total: Counter[str] = Counter()
    for step in steps:
        total.update(step.counts)
    words = {
        word: word.rstrip("s") if word in ("errors", "warnings") and total[word] == 1 else word for word in COUNTED
    }
    told = ", ".join(f"{total[word]} {words[word]}" for word in COUNTED if total[word]) or "no tests ran"
    return "\n".join([*lines, "", f"===== {told} in {seconds:.2f}s ====="])


def lanes() -> int:
    """How many steps run at once: two, if there are cores for them."""
    return min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def main(kind: str) -> int:
    """Run the steps of `all`, `quick` or `lint`, or make sure of the system packages; 0 when all held."""
    began = time.monotonic()
    try:
        if kind == "system":
            ensure_system_packages()
            return 0
        environ = {**node_environment(), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        install_node_packages(ROOT / "scripts" / "pyright")
        if kind == "all":
            install_node_packages(ROOT / "web")
    except (StepFailed, FetchError) as problem:
        print(f"\n{problem}\n\n===== 1 error in {time.monotonic() - began:.2f}s =====")
        return 1
    for name in [name for name in environ if name.startswith(("LIANZAO_", "OTEL_")) and name != "LIANZAO_SHARED"]:
        del environ[name]  # tests must not meet anybody's real database or collector
    # The steps start a hundred processes: they compile every module anew where a container's image says so.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    steps = steps_of(kind)
    try:
        run_all(steps, environ, lanes())
    finally:
        if kind != "lint":
            stop_test_clusters()
    print(summary(steps, time.monotonic() - began))
    return 0 if all(step.passed for step in steps) else 1


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) == 2 else ""
    if chosen not in ("all", "quick", "lint", "system"):
        sys.exit("usage: python scripts/check.py all|quick|lint|system")
    sys.exit(main(chosen))
