"""Where the shards of a corpus are encoded: in this process, or as tasks on a Ray cluster. Speed only.

An engine maps a piece of work over items and hands the results back in the items' order, so that what is made of them
does not depend on it. An engine of another name than "local" sends the work elsewhere: it has to be a value that
pickles, and opens what it needs where it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

from stackc.api.errors import StackcError

if TYPE_CHECKING:  # numpy, which a process that forks has no use for
    from stackc.coding.level import Level

ENGINES = ("local", "ray")

Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """What a list of shards is mapped by. `here`: in this process, where levels that are open need no opening."""

    here: bool

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """work(item) of every item, in order, taking items only as they are needed.

        Raises:
            StackcError: what `work` raised, or a shard that was lost with its worker time and again.
        """


class Local:
    """One shard after another, each with the threads of its level."""

    here = True

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        return map(work, items)


KEPT = "finished shards are kept, the same command goes on with the rest"

STARTS_OVER = "no tokens are kept, the same command starts over"


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


def travels(level: Level) -> bool:
    """Whether any machine makes the same tokens of the same symbols."""
    stepped = level.coder.needs_model and level.dictionary is None
    return not stepped or level.predictor.portability == "portable"
