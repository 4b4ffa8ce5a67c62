"""How large a model is: the numbers that its kernels are compiled for. Imports nothing heavy."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Size: TypeAlias = tuple[int, ...]
"""A number n, as n zeros: the length of a tuple is part of its type, so each kernel that loops over it is compiled for
just that number, and LLVM unrolls the loop and keeps the inputs in registers. With integers, which become constants
only where all kernels meet in one, the model took 7 % longer."""


def size(n: int) -> Size:
    return (0,) * n


class Shape(NamedTuple):
    """Of a model that mixes three sets of weights.

    Attributes:
        rich: contexts with rich slots, the first ones.
        contexts: all of them.
        inputs: two of each rich context and one of each other, two of the match, one without context and a constant, in
            this order; rounded up to whole vectors of 8, what is left always 0.
        far: the first of the rich contexts with so many slots that all places where one may be are fetched.
        order_2, order_3, order_6: which contexts are the last 2, 3 and 6 symbols. All up to order_6 are orders, whose
            number that is known chooses weights, but for one:
        word: the context of this word.
    """

    rich: Size
    contexts: Size
    inputs: Size
    far: Size
    order_2: Size
    order_3: Size
    order_6: Size
    word: Size


MANY = Shape(
    rich=size(5), contexts=size(14), inputs=size(24), far=size(2),
    order_2=size(1), order_3=size(2), order_6=size(6), word=size(3),
)  # fmt: skip
SOME = Shape(
    rich=size(2), contexts=size(10), inputs=size(16), far=size(0),
    order_2=size(3), order_3=size(0), order_6=size(5), word=size(1),
)  # fmt: skip
