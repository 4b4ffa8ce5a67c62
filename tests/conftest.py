"""One thread for torch: two collapse when a core is shared. Where a test asks for two, one that waits sleeps: waiting
in a loop, as is usual, takes the core from the thread that it waits for, and a test a hundred times as long.

Modules are compiled once: where the environment forbids it, each of the hundreds of processes that tests start would
compile all of stackc again, which is a tenth of the suite's time. So are loops, by one worker for all.

What stays is not searched for garbage again: the modules, the tests and what is compiled are a million objects, and a
collection that visits all of them takes a second or two.
"""

import gc
import os
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# numba colours a message for each candidate that a call could mean, thousands of times a loop, and shows none of them.
os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")

LOCKS = "STACKC_TESTS_LOCKS"
"""The folder in which workers lock what they compile; set by the process that starts them."""


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        from compiled_once import compile_once

        compile_once(Path(os.environ[LOCKS]))
    elif config.getoption("numprocesses", None):
        folder = tempfile.TemporaryDirectory(prefix="stackc-tests-locks-")
        config.add_cleanup(folder.cleanup)
        os.environ[LOCKS] = folder.name


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.set_threshold(10_000, 20, 50)  # a thirtieth of the time went into young objects, few of which are garbage
        keep()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    if nextitem is not None and nextitem.path != item.path:
        keep()


def keep() -> None:
    """Collect what is garbage by now, and never visit the rest again."""
    gc.collect()
    gc.freeze()
