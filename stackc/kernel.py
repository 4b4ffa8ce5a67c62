"""How loops are compiled.

numba keeps what it compiled, and renews it only when the file of the function itself changes: a kernel and the
kernels and constants that it uses stand in one file. What cannot be kept, or read again, is compiled again: a full
disk, a folder that cannot be written or a cache cut short by a crash costs seconds, never the work.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., object])

_UNREADABLE = (
    OSError, EOFError, ValueError, LookupError, AttributeError, ImportError, TypeError, pickle.PickleError,
)  # fmt: skip
"""What reading a file raises that was cut short, or is no longer what numba wrote."""


def kernel(function: Function) -> Function:
    """Compile with numba when it is first called, keeping the function's type."""
    return _compiled(function)


def kernel_of(signature: Any, **options: Any) -> Callable[[Function], Function]:
    """Compile with numba at once, for exactly these types: importing takes that long, calling never does.

    Args:
        signature: as of `numba.njit`.
        options: of `numba.njit`, such as fastmath.
    """

    def decorate(function: Function) -> Function:
        made: Any = _compiled(function, **options)
        made.compile(signature)
        made.disable_compile()
        kept: Function = made
        return kept

    return decorate


def inlined(function: Function) -> Function:
    """Compile into its callers: a call hands over every field of every array, which takes as long as ten steps."""
    return _compiled(function, inline="always")


def _compiled(function: Function, **options: Any) -> Function:
    made: Any
    try:
        made = numba.njit(cache=True, nogil=True, **options)(function)
        made._cache = _Cache(made._cache)
    except RuntimeError:  # numba found no folder that it may write to
        made = numba.njit(nogil=True, **options)(function)
    kept: Function = made
    return kept


class _Cache:
    """numba's cache of one function, without which the function still works."""

    def __init__(self, cache: Any) -> None:
        self._kept = cache

    def load_overload(self, signature: Any, target: Any) -> Any:
        try:
            return self._kept.load_overload(signature, target)
        except _UNREADABLE:
            with contextlib.suppress(OSError):
                self._kept.flush()
            return None

    def save_overload(self, signature: Any, made: Any) -> None:
        with contextlib.suppress(OSError):
            self._kept.save_overload(signature, made)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kept, name)
