"""Fails when a package we ship or build with has a licence outside the list; names the package.

Python packages: all of requirements.lock and of requirements-otel.lock (optional), by their installed metadata. npm
packages: all of web/package-lock.json.
"""

from __future__ import annotations

import json
import re
import sys
from email.message import Message
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import cast

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-otel.lock")
ALLOWED = set(
    "MIT MIT-0 BSD-2-Clause BSD-3-Clause BSD-3-Clause-Clear 0BSD Apache-2.0 PSF-2.0 Python-2.0 ISC MPL-2.0 PostgreSQL "
    "OFL-1.1 Zlib Unlicense HPND CC0-1.0 CC-BY-4.0 BlueOak-1.0.0 BSL-1.0".split()
)
# The driver is loaded as a library and may be replaced by the user, which is what the LGPL asks for.
EXCEPTIONS: dict[str, str] = dict.fromkeys(("psycopg", "psycopg-binary", "psycopg-pool"), "LGPL-3.0-only")
CLASSIFIERS = {
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "zlib/libpng License": "Zlib",
}
SPELLINGS = {
    "MIT License": "MIT",
    "BSD": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
}


def allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met by the list: AND needs all its parts, of OR one is enough.

    What follows WITH is an exception that only adds freedom.
    """
    plain = re.sub(r"\s+WITH\s+\S+", "", expression)
    parts = [re.split(r"\s+OR\s+", part.strip("() ")) for part in re.split(r"\s+AND\s+", plain)]
    return all(any(name.strip("() ") in ALLOWED for name in part) for part in parts)


def python_licence(facts: Message) -> str:
    """The licence an installed package declares, as an SPDX expression; empty if it declares none we can read."""
    said = facts.get("License-Expression") or ""
    if said:
        return said
    named = [
        str(line).rsplit(" :: ", 1)[-1]
        for line in facts.get_all("Classifier") or []
        if str(line).startswith("License ::")
    ]
    known = sorted({CLASSIFIERS.get(name, name.replace(" ", "-")) for name in named if name != "OSI Approved"})
    if known:
        return " AND ".join(known)
    text = (facts.get("License") or "").strip().split("\n")[0]
    return SPELLINGS.get(text, text)


def python_packages() -> list[tuple[str, str]]:
    """(name, licence) of every package of the runtime lock, and of what is optional, that this platform installs."""
    found = []
    lines = [line for name in LOCKS for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    for line in dict.fromkeys(lines):
        if not re.match(r"[A-Za-z0-9]", line):
            continue
        wanted = Requirement(line.split("\\")[0].strip())
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            found.append((wanted.name, python_licence(cast(Message, metadata(wanted.name)))))
        except PackageNotFoundError:
            sys.exit(f"{wanted.name} is locked but not installed: run `make test`, which installs it")
    return found


def npm_packages() -> list[tuple[str, str]]:
    """(name, licence) of every package of the screens' lock."""
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))
    named = {path.split("node_modules/")[-1]: facts for path, facts in lock["packages"].items() if path}
    return [(name, str(facts.get("license", ""))) for name, facts in named.items()]


def main() -> None:
    """Check both locks; exit 1 naming every package whose licence is not on the list."""
    packages = [*python_packages(), *npm_packages()]
    wrong = [f"{name}: {licence or 'no licence declared'}" for name, licence in packages
             if not allowed(licence) and EXCEPTIONS.get(name) != licence]  # fmt: skip
    if wrong:
        sys.exit("Licences not on the list in scripts/licences.py:\n  " + "\n  ".join(sorted(wrong)))
    print(f"{len(packages)} packages, all under licences on the list")


if __name__ == "__main__":
    main()
