"""An engine maps a function over the shards of a corpus.

It returns the results in the items' order, so that the output does not depend on the engine. Engines other than "local"
send the function elsewhere: it must be picklable, and opens its files in the process in which it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:  # imports numpy, which a process that forks does not need
    from stackc.coding.level import Level


Item = TypeVar("Item")


Result = TypeVar("Result")


class Engine(Protocol):
    """Maps a function over shards. `here`: in this process, which need not open its levels again."""

    here: bool

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """work(item) for every item, in order, consuming items only as they are needed.

        Raises:
            StackcError: raised by `work`, or a shard whose workers died repeatedly.
        """


class Local:
    """Runs one shard after another, each with the threads of its level."""

    here = True

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        return map(work, items)


KEPT = "finished shards are kept, and the same command continues with the rest"


STARTS_OVER = "no tokens are kept, and the same command starts over"


def travels(level: Level) -> bool:
    """Whether every machine produces the same tokens from the same symbols."""
    return level.portability == "portable"
