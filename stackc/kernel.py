"""How loops are compiled.

numba keeps what it compiled, and renews it only when the file of the function itself changes: a kernel and the
kernels and constants that it uses stand in one file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile with numba, keeping the function's type."""
    compiled: Function = numba.njit(cache=True, nogil=True)(function)
    return compiled


def inlined(function: Function) -> Function:
    """Compile into its callers: a call hands over every field of every array, which takes as long as ten steps."""
    compiled: Function = numba.njit(cache=True, nogil=True, inline="always")(function)
    return compiled
