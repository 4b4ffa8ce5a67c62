"""What a recipe may set of the models that count, and what they cost. Imports nothing heavy."""

from __future__ import annotations

from typing import ClassVar

import attrs
from attrs.validators import and_, ge, le

from stackc.api import Cost, bits


@attrs.frozen(kw_only=True)
class UniformConfig:
    """``[level.model] backend = "uniform"``: every symbol as likely as any other."""

    bits_version: ClassVar[int] = 1
    train: ClassVar[None] = None
    on_device: ClassVar[bool] = False
    compiled: ClassVar[bool] = True

    def cost(self, alphabet: int, settings: None) -> Cost:
        return Cost(parameters=0)


@attrs.frozen(kw_only=True)
class UnigramConfig:
    """``[level.model] backend = "unigram"``: each symbol as likely as it was frequent in the training text."""

    bits_version: ClassVar[int] = 1
    train: ClassVar[None] = None
    on_device: ClassVar[bool] = False
    compiled: ClassVar[bool] = True

    def cost(self, alphabet: int, settings: None) -> Cost:
        return Cost(parameters=alphabet)


@attrs.frozen(kw_only=True)
class CountedTraining:
    """The ``[level.train]`` table of a counted model: which places of the text are counted."""

    rounds: int = bits(
        3,
        check=and_(ge(0), le(64)),
        help="times that the text is cut into windows with the model so far and counted again where they start",
    )
    sample: int = bits(
        1 << 27, check=and_(ge(1), le(1 << 40)), help="symbols of the text that are read: whole segments, evenly spread"
    )
    fallback_sample: int = bits(
        1 << 25, check=and_(ge(1), le(1 << 28)), help="places that the fall-back contexts are counted at, likewise"
    )
    first_sample: int = bits(
        1 << 23, check=and_(ge(1), le(1 << 28)), help="places counted before any window was cut, likewise"
    )
    least: int = bits(2, check=ge(1), help="a text that occurs less often is not kept")
    texts: int = bits(
        1 << 22,
        check=and_(ge(1), le(1 << 26)),
        help="a text rarer than 1 in this many places is not kept either, which bounds the model's size",
    )
    prune: int = bits(
        0,
        check=and_(ge(0), le(1 << 20)),
        help="in each run of 2^24 symbols, texts that occur less often are not counted: less time and memory for texts "
        "of gigabytes; 0: all are counted",
        added=True,
    )


@attrs.frozen(kw_only=True)
class Counted:
    """The ``[level.model]`` table of ``backend = "counted"``: what followed the same context in the training text.

    The longest context is all since the window's start; if that was seen too rarely, the last `order`
    symbols, then fewer and fewer. If contexts restart only with the segment, the last `order` symbols are all
    that it sees.
    """

    bits_version: ClassVar[int] = 1
    train: ClassVar[type] = CountedTraining
    on_device: ClassVar[bool] = False
    compiled: ClassVar[bool] = True

    order: int = bits(4, check=and_(ge(0), le(32)), help="symbols of the longest fall-back context")
    length: int = bits(32, check=and_(ge(1), le(255)), help="longest text that is counted from a window's start")

    def cost(self, alphabet: int, settings: CountedTraining) -> Cost:
        """No multiplication by a parameter: a few steps per context, and the row. Counts are known after training."""
        return Cost(
            parameters=alphabet, body_ops=8 * (self.order + 1), softmax_ops=2 * alphabet, parameters_known=False
        )
