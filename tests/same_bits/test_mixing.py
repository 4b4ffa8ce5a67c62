"""The model `mixing` gives the same bytes by every route: threads, orders, processes, fresh kernels, its twin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from same_bits.mixing import number

GOLDEN = "bc54e04f74927718"
"""What every route gives."""


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("backwards", [False, True])
def test_threads_and_orders_of_runs(threads: int, backwards: bool) -> None:
    assert number(threads, backwards) == GOLDEN


def test_plain_integers() -> None:
    assert number(1, False, twin=True) == GOLDEN


def in_a_process(*arguments: str, **environment: str) -> str:
    script = Path(__file__).with_name("mixing.py")
    run = [sys.executable, str(script), *arguments]
    return subprocess.run(run, check=True, capture_output=True, text=True, env=os.environ | environment).stdout.strip()


def test_a_process_of_its_own() -> None:
    assert in_a_process("2", "backwards") == GOLDEN


@pytest.mark.long
@pytest.mark.timeout(0)
def test_kernels_that_were_compiled_anew(tmp_path: Path) -> None:
    assert in_a_process("2", "forwards", NUMBA_CACHE_DIR=str(tmp_path)) == GOLDEN
    assert any(tmp_path.rglob("*.nbc")), "the kernels were read from another cache"
