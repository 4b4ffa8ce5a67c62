"""Encodes with a finished stack on the workers of an engine."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.coding.level import Level
from stackc.pipeline.engines.base import STARTS_OVER, travels
from stackc.pipeline.engines.choose import engine
from stackc.stack.runtime import Runtime
from stackc.stack.stack import Stack
from stackc.stack.streaming import Encode, Symbols, encode_here


@attrs.frozen(kw_only=True)
class RunEncoder:
    """Encodes groups of whole segments with one level of the stack at `folder`, opened once per process."""

    folder: str
    level: int
    runtime: Runtime

    def __call__(self, run: Symbols) -> npt.NDArray[np.unsignedinteger[Any]]:
        return _opened(self.folder, self.runtime).levels[self.level].encode(run).tokens


_opened = functools.lru_cache(maxsize=2)(Stack)


def encoding_on(name: str, stack: Stack, say: Callable[[str], None]) -> Encode:
    """An argument of `Stack.encode_stream` that encodes on an engine if a level's tokens are the same on every machine.

    Other levels are encoded here.
    """
    run = stack.runtime
    tasks = functools.cache(lambda: engine(name, run.threads, run.device == "cuda", say, STARTS_OVER))

    def encode(level: Level, runs: Iterator[Symbols]) -> Iterator[Symbols]:
        if not travels(level):
            yield from encode_here(level, runs)
            return
        number = stack.level_index(level.name) - 1
        work = RunEncoder(folder=str(stack.place), level=number, runtime=run)
        first = next(runs, None)
        if first is not None:  # no cluster is started for a file that cannot be read or is empty
            yield from tasks().map(work, itertools.chain([first], runs))

    return encode
