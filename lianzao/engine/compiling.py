"""How the kernels are compiled and kept.

Numba keeps compiled code beside the source and takes it for fresh as long as the file of *that* function is unchanged.
Our kernels call each other across files, so all of them share one stamp over all files with kernels: a change in one
compiles everything anew (about a minute), and never runs old code. The stamp is made of what the files hold: an image
of a container does not keep their times.

Who installs compiles. Who serves may often not write there (a unit under ProtectSystem, a read-only image): he reads
what was compiled, and what this processor needs besides is kept in a folder of his own, or not at all.
"""

# pyright: basic
# Numba's caches say no types.
from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba as nb
from numba.core import caching

KERNEL_FILES = ("arithmetic", "compiling", "netting", "placing", "restocking", "scheduling", "state", "tracing")

Function = TypeVar("Function", bound=Callable[..., Any])


def _stamp() -> str:
    """A hash of the files that kernels depend on."""
    total = hashlib.sha256()
    for name in KERNEL_FILES:
        total.update((Path(__file__).parent / f"{name}.py").read_bytes())
    return total.hexdigest()


_STAMP = _stamp()


class _Beside(caching.InTreeCacheLocator):
    """The folder beside the source, whether we may write there or not."""

    def ensure_cache_path(self) -> None:
        with contextlib.suppress(OSError):
            super().ensure_cache_path()


class _BesideImpl(caching.CompileResultCacheImpl):
    _locator_classes = [_Beside]


class _ElsewhereImpl(caching.CompileResultCacheImpl):
    _locator_classes = [caching.UserProvidedCacheLocator, caching.UserWideCacheLocator]


class _BesideCache(caching.FunctionCache):
    _impl_class = _BesideImpl


class _ElsewhereCache(caching.FunctionCache):
    _impl_class = _ElsewhereImpl


class _Kept(_BesideCache):
    """Compiled code of one function: beside the source, else in NUMBA_CACHE_DIR or the user's own cache."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = _STAMP
        self._other: Any = None

    def _elsewhere(self) -> Any:
        if self._other is None:
            try:
                self._other = _ElsewhereCache(self._py_func)
                self._other._cache_file._source_stamp = _STAMP
            except RuntimeError:  # no folder in which we may write
                self._other = caching.NullCache()
        return self._other

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = super().load_overload(sig, target_context)
        return self._elsewhere().load_overload(sig, target_context) if found is None else found

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:  # also on a full disk: then it is compiled again next time
            with contextlib.suppress(OSError):
                self._elsewhere().save_overload(sig, data)


def _kept(function: Function, **options: Any) -> Function:
    compiled: Any = nb.njit(**options)(function)
    if hasattr(compiled, "enable_caching"):  # not when compiling is switched off (NUMBA_DISABLE_JIT)
        compiled._cache = _Kept(compiled.py_func)
    return compiled


def kernel(function: Function) -> Function:
    """Compile a function that makes no arrays, without reference counting: counting the hundred arrays of the named
    tuples up and down at each access would cost more than the work itself. It must call no `allocating` function."""
    return _kept(function, _nrt=False)


def allocating(function: Function) -> Function:
    """Compile a function that makes arrays, or calls one that does."""
    return _kept(function)
