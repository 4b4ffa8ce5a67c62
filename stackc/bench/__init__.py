"""A stack measured against other tokenizers and compressors: speed, compression, start-up and memory, in one benchmark.

    from stackc.bench import benchmark

    figures = benchmark("runs/counted_65k", "held_out.txt", against=["tiktoken", "zstd:19"])

Every entrant works in its own process, so that none can disturb the run. Those processes import this package, so
it imports nothing until `benchmark` is used: else every start-up time would include numpy and the stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stackc.bench.run import benchmark

__all__ = ["benchmark"]


def __getattr__(name: str) -> Any:
    if name != "benchmark":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from stackc.bench.run import benchmark

    return benchmark
