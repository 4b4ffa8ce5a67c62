"""Threads: work shared among them, in contiguous pieces, and what they all use, made once."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, TypeVar, overload

import numpy as np

from stackc.api.arrays import Int64

Result = TypeVar("Result")

SHARE = 1 << 20
"""Symbols or codes that are worth a separate thread: about 2 ms of work; starting one takes up to 1."""


_MAKING = threading.RLock()
"""One lock for every `once`: two could each be held by a thread that waits for the other. Held by no object, so that
those who have such attributes can be copied and pickled."""


class once(cached_property[Result]):
    """A `cached_property` that one thread makes while the others wait: a model is not read twice into memory."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> once[Result]: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Result: ...

    def __get__(self, instance: object, owner: type[Any] | None = None) -> once[Result] | Result:
        with _MAKING:
            return super().__get__(instance, owner)


def even_shares(count: int, threads: int) -> list[tuple[int, int]]:
    """(low, high) of at most `threads` pieces that cover 0 .. count."""
    parts = max(1, min(threads, count // SHARE))
    return [(count * i // parts, count * (i + 1) // parts) for i in range(parts)]


def segment_shares(offsets: Int64, segment: int, threads: int) -> list[tuple[int, int]]:
    """The same of offsets[0] .. offsets[-1], each starting where a segment of a document starts."""
    begin, end = int(offsets[0]), int(offsets[-1])
    borders = [begin]
    for low, _ in even_shares(end - begin, threads)[1:]:
        document = int(np.searchsorted(offsets, begin + low, "right")) - 1
        start = int(offsets[document])
        borders.append(start + (begin + low - start) // segment * segment)
    borders.append(end)
    return list(itertools.pairwise(borders))


def shared(work: Callable[[int, int], Result], shares: list[tuple[int, int]], threads: int) -> list[Result]:
    """work(low, high) of every share, in order, by as many threads.

    The caller's thread takes the first share: one thread fewer has to be started.
    """
    if len(shares) == 1 or threads == 1:
        return [work(*share) for share in shares]
    with ThreadPoolExecutor(min(threads, len(shares)) - 1) as pool:
        others = [pool.submit(work, *share) for share in shares[1:]]
        return [work(*shares[0]), *(other.result() for other in others)]
