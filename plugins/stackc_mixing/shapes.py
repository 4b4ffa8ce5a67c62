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
    """Of a model with rich slots.

    Attributes:
        rich: contexts with rich slots, the first ones.
        contexts: all of them.
        inputs: two of each rich context and one of each other, two of the match, one without context and a constant, in
            this order; rounded up to whole vectors of 8, what is left always 0. With five sets those of histories
            come first, the match has one, and there is no constant.
        far: the first rich context of which all places where a slot may be are fetched; those before use few slots.
        order_2, order_3, order_6: which contexts are the last 2, 3 and 6 symbols. All up to order_6 are orders, whose
            number that is known chooses weights, but for one:
        word: the context of this word.
        sets: sets of weights that mix at a time. Two or three answer each on its own: by what is known, by `partial`
            (not if there are two), and by a hash of the last two symbols and the decision. Five are added up
            (`stackc_mixing.twelve`).
        refinements: by the last symbol, and by a hash of the last three (not if there is one).
        rate, rate_more, rate_bits: weights learn at rate + rate_more / (1 + bits seen / 2^rate_bits).
        first_weight: of every input, over 2^16, before anything is known; of five that are added up, over 2^18.
    """

    rich: Size
    contexts: Size
    inputs: Size
    far: Size
    order_2: Size
    order_3: Size
    order_6: Size
    word: Size
    sets: Size
    refinements: Size
    rate: int
    rate_more: int
    rate_bits: int
    first_weight: int


MANY = Shape(
    rich=size(5), contexts=size(14), inputs=size(24), far=size(2),
    order_2=size(1), order_3=size(2), order_6=size(6), word=size(3), sets=size(3), refinements=size(2),
    rate=32, rate_more=64, rate_bits=15, first_weight=13107,
)  # fmt: skip
SOME = Shape(
    rich=size(2), contexts=size(10), inputs=size(16), far=size(0),
    order_2=size(3), order_3=size(0), order_6=size(5), word=size(1), sets=size(2), refinements=size(1),
    rate=56, rate_more=256, rate_bits=17, first_weight=9000,
)  # fmt: skip
TWELVE = Shape(
    rich=size(2), contexts=size(12), inputs=size(16), far=size(0),
    order_2=size(3), order_3=size(0), order_6=size(5), word=size(1), sets=size(5), refinements=size(1),
    rate=18, rate_more=70, rate_bits=17, first_weight=6400,
)  # fmt: skip
