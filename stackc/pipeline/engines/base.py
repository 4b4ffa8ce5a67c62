"""What maps the shards of a corpus: an engine does a piece of work on every item.

It hands the results back in the items' order, so that what is made of them does not depend on the engine. An engine
of another name than "local" sends the work elsewhere: the work has to pickle, and opens what it needs where it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:  # numpy, which a process that forks has no use for
    from stackc.coding.level import Level


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


def travels(level: Level) -> bool:
    """Whether any machine makes the same tokens of the same symbols."""
    return level.portability == "portable"
