"""A dictionary in two threads against one: python tests/benchmarks/two_threads.py STACK TEXT [--repeat 40] [--rounds 5]

The first level of a stack, whose windows must have no cuts; TEXT repeated as one document. Encoding and decoding: best
of interleaved rounds on the clock, in milliseconds, and how many times as fast two threads are. Idle cores.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import stackc


def best(work: Callable[[int], Any], rounds: int) -> dict[int, float]:
    """The least milliseconds with one thread and with two."""
    taken: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for threads, times in taken.items():
            begun = time.perf_counter()
            work(threads)
            times.append(1e3 * (time.perf_counter() - begun))
    return {threads: min(times) for threads, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--repeat", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    level = stackc.load(arguments.stack).levels[0]
    dictionary, spec = level.dictionary, level.spec
    assert dictionary is not None, f"{level.name} is not compiled"
    text = np.tile(np.fromfile(arguments.text, np.uint8), arguments.repeat)
    offsets = np.array([0, len(text)])

    def encode(threads: int) -> Any:
        return dictionary.encode(text, offsets, spec.segment, spec.window.symbols, threads=threads)

    codes, ends = encode(1)
    for name, work in (("encode", encode), ("decode", lambda threads: dictionary.decode(codes, ends, threads))):
        found = best(work, arguments.rounds)
        print(
            f"{name}: {found[1]:.1f} ms, {found[2]:.1f} ms in two threads, {found[1] / found[2]:.2f} times", flush=True
        )


if __name__ == "__main__":
    main()
