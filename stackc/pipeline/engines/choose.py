"""Chooses where the shards of a corpus are encoded: in this process, or as tasks on a Ray cluster. Speed only."""

from __future__ import annotations

from collections.abc import Callable

from stackc.api.errors import StackcError
from stackc.pipeline.engines.base import KEPT, Engine, Local
from stackc.pipeline.engines.processes import Processes
from stackc.pipeline.engines.ray import Ray

ENGINES = ("local", "ray")


def engine(
    name: str,
    threads: int = 1,
    gpu: bool = False,
    say: Callable[[str], None] = lambda text: None,
    again: str = KEPT,
    workers: int = 1,
) -> Engine:
    """The engine of this name, for shards that need these threads, and a GPU or none.

    Args:
        say: receives a line about where the shards are encoded, if not here.
        again: the end of the error for a lost shard: what is kept, and what to do.
        workers: processes of this machine that run shards; 1: they run in this one.

    Raises:
        StackcError: no such engine, or an engine that is not installed.
    """
    if name not in ENGINES:
        raise StackcError(f"no engine named {name!r}; the engines are {' and '.join(ENGINES)}")
    if name == "local":
        return Local() if workers == 1 else Processes(workers, again)
    return Ray(threads, gpu, say, again)
