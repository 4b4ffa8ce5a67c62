"""Reading and fingerprinting a corpus: python tests/benchmarks/reading.py FILE... [--rounds N]

Megabytes of text per second of processor time: of a fingerprint alone, of the one pass that gives the fingerprint and
the store, in this process and with two workers (this process and the workers, each), and of counting the store. The
rounds are interleaved; the best of each is printed. On an idle machine with a core for each process, the slowest of
them decides.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stackc.pipeline.context import Context
from stackc.pipeline.display import Display
from stackc.pipeline.reading import read_split
from stackc.pipeline.workspace import Workspace
from stackc.recipe import load_recipe
from stackc.stack.runtime import Runtime
from stackc.stack.store import Store


class _Silent:
    def update(self, done: int, total: int, **figures: float) -> None: ...
    def log(self, step: int, **scalars: float) -> None: ...
    def say(self, text: str) -> None: ...


def workers_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(work: Callable[[], Any]) -> tuple[float, float, float]:
    """Seconds of this process, of its children, and of the clock."""
    here, there, clock = time.process_time(), workers_seconds(), time.perf_counter()
    work()
    return time.process_time() - here, workers_seconds() - there, time.perf_counter() - clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    names = ", ".join(f'"{path.absolute()}"' for path in given.files)
    recipe = load_recipe("counted_65k", [f"corpus.train=[{names}]"])
    best: dict[str, list[tuple[float, float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def context(threads: int) -> Context:
            nobody: Any = None
            work = Workspace(folder, Display(None, "quiet"))
            runtime = Runtime.of(recipe.run, threads=threads)
            return Context(recipe=recipe, work=work, runtime=runtime, ranks=nobody, orders=nobody)

        def one_pass(threads: int) -> None:
            shutil.rmtree(folder / "store", ignore_errors=True)
            read_split(context(threads), "train", folder, folder / "store", _Silent())

        works: dict[str, Callable[[], Any]] = {
            "fingerprint alone": lambda: context(1).reader.fingerprint("train"),
            "one pass, one process": lambda: one_pass(1),
            "one pass, two workers": lambda: one_pass(2),
            "counting the store": lambda: Store(folder / "store").counts(),
        }
        for _ in range(given.rounds):
            for title, work in works.items():
                best.setdefault(title, []).append(measured(work))
        size = len(Store(folder / "store").symbols) / 1e6
    print(f"{size:.0f} MB of text in {len(given.files)} files")
    for title, found in best.items():
        here, there, clock = (min(column) for column in zip(*found, strict=True))
        workers = f", {size / there:6.0f} of the workers" if there > 0.05 else ""
        print(f"{title:<24} {size / here:6.0f} MB/s of this process{workers}; {size / clock:6.0f} by the clock")


if __name__ == "__main__":
    main()
