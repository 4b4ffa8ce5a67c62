"""Workers of one test run compile a loop once: one that needs it meanwhile waits, and reads what the first has kept.

Where nothing is kept yet, as after a fresh checkout, all of them import the same modules and ask for the same loops at
the same time. Compiling each as often as there are workers took a minute of two cores.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher

from stackc.api import kernels


def compile_once(folder: Path) -> None:
    """From now on, in this process.

    Args:
        folder: for a lock of each loop; all workers have the same.
    """
    right = CPUDispatcher.compile
    held: set[str] = set()

    @contextlib.contextmanager
    def alone(loop: Any) -> Iterator[None]:
        name = hashlib.sha256(f"{loop.py_func.__module__} {loop.py_func.__qualname__}".encode()).hexdigest()
        # What is kept nowhere is compiled by each. A loop for other types may be compiled within.
        if name in held or not isinstance(loop._cache, kernels._Cache):
            yield
            return
        with (folder / name).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            held.add(name)
            try:
                yield
            finally:
                held.remove(name)

    def compile(loop: Any, signature: Any) -> Any:
        # numba's own lock first: of two threads, the one that has it never waits for a loop of the other.
        with global_compiler_lock, alone(loop):
            return right(loop, signature)

    CPUDispatcher.compile = compile
