"""How the kernels are compiled and kept.

Numba keeps compiled code beside the source and takes it for fresh as long as the file of *that* function is unchanged.
Our kernels call each other across files, so all of them share one stamp over all files with kernels: a change in one
compiles everything anew (about a minute), and never runs old code.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba as nb

KERNEL_FILES = ("arithmetic", "compiling", "netting", "placing", "restocking", "scheduling", "state", "tracing")

Function = TypeVar("Function", bound=Callable[..., Any])


def _stamp() -> tuple[int, ...]:
    """Times and sizes of the files that kernels depend on."""
    facts = [(Path(__file__).parent / f"{name}.py").stat() for name in KERNEL_FILES]
    return tuple(number for fact in facts for number in (fact.st_mtime_ns, fact.st_size))


_STAMP = _stamp()


def _kept(function: Function, **options: Any) -> Function:
    compiled: Any = nb.njit(cache=True, **options)(function)
    keeper = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if keeper is not None:  # None when compiling is switched off (NUMBA_DISABLE_JIT)
        keeper._source_stamp = _STAMP
    return compiled


def kernel(function: Function) -> Function:
    """Compile a function that makes no arrays, without reference counting: counting the hundred arrays of the named
    tuples up and down at each access would cost more than the work itself. It must call no `allocating` function."""
    return _kept(function, _nrt=False)


def allocating(function: Function) -> Function:
    """Compile a function that makes arrays, or calls one that does."""
    return _kept(function)
