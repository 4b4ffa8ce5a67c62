"""Where the shards of a corpus are encoded: in this process, or as tasks on a Ray cluster. Speed only.

An engine maps a piece of work over items and hands the results back in the items' order, so that what is made of them
does not depend on it. An engine of another name than "local" sends the work elsewhere: it has to be a value that
pickles, and opens what it needs where it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stackc.api.errors import StackcError
from stackc.pipeline.engines.base import KEPT, Engine, Local

if TYPE_CHECKING:  # numpy, which a process that forks has no use for
    pass

ENGINES = ("local", "ray")


def engine(
    name: str,
    threads: int = 1,
    gpu: bool = False,
    say: Callable[[str], None] = lambda text: None,
    again: str = KEPT,
) -> Engine:
    """The engine of that name, for shards that take so many threads, and a GPU or none.

    Args:
        say: told where the shards go, if not here.
        again: the end of the error for a shard that was lost: what is kept, and what to do.

    Raises:
        StackcError: no such engine, or one that is not installed.
    """
    if name not in ENGINES:
        raise StackcError(f"no engine named {name!r}; there are {' and '.join(ENGINES)}")
    if name == "local":
        return Local()
    from stackc.pipeline.engines.ray import Ray

    return Ray(threads, gpu, say, again)
