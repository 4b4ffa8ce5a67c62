"""Rows cut to a length: truncated, or split into several rows that overlap."""

from __future__ import annotations

import attrs

from stackc.api.errors import StackcError
from stackc.interop.hf.rows import Pair, Row


@attrs.define(kw_only=True)  # never changed, but not frozen: one is made for every call
class Limits:
    """The maximum length of a row, and what happens to the rest.

    Attributes:
        strategy: "only_first", "only_second" or "longest_first": the text of a pair that is cut.
        length: ids of a row, including special tokens; None: no limit.
        side: "right" or "left": the side on which ids are cut off.
        overflow: return the rest in separate rows; otherwise drop it.
        stride: ids that a row of the rest shares with the row before.
    """

    strategy: str
    length: int | None
    side: str
    overflow: bool
    stride: int


def fit(first: Row, second: Row | None, marks: int, limits: Limits) -> list[Pair]:
    """A text, or a pair, as rows that fit.

    Args:
        marks: number of special tokens that will be added.

    Raises:
        StackcError: no room, a stride as large as the room, or an overflow of both texts of a pair.
    """
    if limits.length is None:
        return [(first, second)]
    if limits.overflow and second is not None and limits.strategy == "longest_first":
        raise StackcError("an overflow of both texts of a pair: use truncation='only_first' or 'only_second'")
    sizes = len(first.ids), 0 if second is None else len(second.ids)
    if sum(sizes) + marks <= limits.length:
        return [(first, second)]
    room = limits.length - marks
    if limits.strategy == "only_first" or (limits.strategy == "longest_first" and second is None):
        kept = room - sizes[1], sizes[1]
    elif limits.strategy == "only_second":
        kept = sizes[0], room - sizes[0]
    else:  # the longer one is cut to the length of the shorter one, then both are cut equally
        head = max(min(sizes[0], -(-room // 2)), room - sizes[1])
        kept = head, room - head
    if min(kept) < 0 or (second is None and limits.strategy == "only_second"):
        raise StackcError(
            f"max_length {limits.length}: too small for {sizes[0]} and {sizes[1]} ids and {marks} special tokens with "
            f"truncation={limits.strategy!r}; increase it, or cut the other text"
        )
    return [
        (first.window(*one), None if second is None else second.window(*two))
        for one in _windows(sizes[0], kept[0], limits)
        for two in _windows(sizes[1], kept[1], limits)
    ]


def _windows(size: int, kept: int, limits: Limits) -> list[tuple[int, int]]:
    """Start and end of rows of `kept` out of `size` ids, as the Rust tokenizers cut them, the kept one first."""
    if kept >= size:
        return [(0, size)]
    if not limits.overflow:
        return [(0, kept)] if limits.side == "right" else [(size - kept, size)]
    step = kept - limits.stride
    if step <= 0:
        raise StackcError(f"stride {limits.stride}: a row has room for {kept} ids; use less stride or more max_length")
    runs = [(low, min(low + kept, size)) for low in range(0, size - limits.stride, step)]
    return runs if limits.side == "right" else [(size - high, size - low) for low, high in runs]
