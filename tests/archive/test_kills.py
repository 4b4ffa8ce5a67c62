"""A compressor that is killed leaves nothing under the final name, and the next run gives the same bytes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recipes_of_tests import TEXT
from stackc import Stack, compress, decompress

Get = Callable[[str], Stack]


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=[pytest.mark.long, pytest.mark.timeout(1200)])])
def test_killed_and_run_again(stack: Get, tmp_path: Path, kills: int) -> None:
    text = tmp_path / "text"
    text.write_bytes((TEXT * 3000).encode())
    whole = compress(text, tmp_path / "whole.stk", stack=stack("counting"), block_size=4096).read_bytes()
    command = [sys.executable, "-m", "stackc", "compress", str(text), "--stack", str(stack("counting").folder)]
    command += ["--block-size", "4096", "--quiet"]
    out = tmp_path / "text.stk"
    begun = time.monotonic()
    subprocess.run(command, check=True)
    seconds = time.monotonic() - begun
    assert out.read_bytes() == whole
    out.unlink()
    rng = random.Random(kills)
    interrupted = 0
    for _ in range(kills):
        process = subprocess.Popen(command)
        time.sleep(rng.uniform(0.1, 1.0) * seconds)
        process.kill()
        interrupted += process.wait() != 0 and not out.exists()
        if out.exists():  # it was done, or all but done
            assert out.read_bytes() == whole, "a file under its final name is whole"
            out.unlink()
    assert interrupted > kills // 3
    subprocess.run(command, check=True)
    assert out.read_bytes() == whole
    assert decompress(out, tmp_path / "back", stack=stack("counting")).read_bytes() == text.read_bytes()
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".partial")], "the next run clears up"
