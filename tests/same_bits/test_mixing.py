"""The model `mixing` gives the same bytes by every route: threads, orders, processes, fresh kernels, its twin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from same_bits.mixing import number

GOLDEN = {
    "many": "bc54e04f74927718",
    "some": "f6c50b3b760eab77",
    "few": "b6be7250aa412da1",
    "six": "622e4af11d422384",
    "twelve": "b0e45f9cd6800d67",
}
"""What every route gives, by how many contexts the model has."""

every = pytest.mark.parametrize("contexts", list(GOLDEN))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("backwards", [False, True])
@every
def test_threads_and_orders_of_runs(contexts: str, threads: int, backwards: bool) -> None:
    assert number(threads, backwards, contexts=contexts) == GOLDEN[contexts]


@every
def test_plain_integers(contexts: str) -> None:
    assert number(1, False, twin=True, contexts=contexts) == GOLDEN[contexts]


def in_a_process(*arguments: str, **environment: str) -> str:
    script = Path(__file__).with_name("mixing.py")
    run = [sys.executable, str(script), *arguments]
    return subprocess.run(run, check=True, capture_output=True, text=True, env=os.environ | environment).stdout.strip()


@every
def test_a_process_of_its_own(contexts: str) -> None:
    assert in_a_process("2", "backwards", contexts) == GOLDEN[contexts]


@pytest.mark.long
@pytest.mark.timeout(0)
@every
def test_kernels_that_were_compiled_anew(contexts: str, tmp_path: Path) -> None:
    assert in_a_process("2", "forwards", contexts, NUMBA_CACHE_DIR=str(tmp_path)) == GOLDEN[contexts]
    assert any(tmp_path.rglob("*.nbc")), "the kernels were read from another cache"
