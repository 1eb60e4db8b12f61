"""A disk of so many megabytes for the processes of one test: a real file system that really gets full (ENOSPC).

`inside(folder, size, order)` runs a program in a mount namespace of its own, in which `folder`, and what is named in
`also`, lie on one tmpfs of that size: as root by our own right, else by a user namespace, which any user may make where
the system lets him. When the last process of the namespace ends, the mounts are gone, however it ended.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

MS_NODEV, MS_BIND = 4, 4096


def inside(module: str, *arguments: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a module of ours in a mount namespace of its own, where it may call `small`."""
    order = ["unshare", "--mount", sys.executable, "-m", module, *arguments]
    if os.geteuid() != 0 or not _may(["unshare", "--mount"]):
        order[1:1] = ["--user", "--map-current-user", "--keep-caps"]
        assert _may(order[:5]), (
            "a disk that gets full needs a mount: run the tests as root, or let users make namespaces "
            "(sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
        )
    return subprocess.run(order, env=environ, capture_output=True, text=True, timeout=180)


def _may(order: list[str]) -> bool:
    mount = "from tests.smalldisk import small; from pathlib import Path; small(Path('/mnt'), 1)"
    return subprocess.run([*order, sys.executable, "-c", mount], capture_output=True).returncode == 0


def small(folder: Path, megabytes: int) -> None:
    """From now on `folder` is an empty disk of this size, for us and those we start."""
    _mount(b"tmpfs", folder, b"tmpfs", MS_NODEV, b"size=%dm,mode=755" % megabytes)


def bind(source: Path, target: Path) -> None:
    """`target` is the folder `source` too."""
    _mount(os.fsencode(source), target, None, MS_BIND, None)


def _mount(source: bytes, target: Path, kind: bytes | None, flags: int, options: bytes | None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source, os.fsencode(target), kind, ctypes.c_ulong(flags), options):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))
