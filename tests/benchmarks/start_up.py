"""How long `stackc decompress` takes from the start of its process to its first byte, with everything warm.

    stackc compress TEXT --stack STACK -o small.stk        # some thousand bytes
    STACKC_PATH=... python tests/benchmarks/start_up.py small.stk... [--rounds 5]

The files take turns. Medians of seconds to the first byte, of the whole process, and of its processor time; the first
round is not counted, since it may compile and fills the page cache.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path


def once(path: Path) -> tuple[float, float, float]:
    """Seconds to the first byte, of the whole process, and of processor time."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "stackc", "decompress", str(path), "-o", "-", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if not process.stdout.read(1):
            raise SystemExit(f"{path}: no byte came")
        first = time.perf_counter() - start
        process.stdout.read()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return first, time.perf_counter() - start, processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    found: dict[Path, list[tuple[float, float, float]]] = {path: [] for path in given.files}
    for turn in range(given.rounds + 1):
        for path, times in found.items():
            taken = once(path)
            if turn:
                times.append(taken)
    for path, times in found.items():
        first, whole, processor = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{path}: first byte {first:.2f} s, whole process {whole:.2f} s, processor {processor:.2f} s")


if __name__ == "__main__":
    main()
