"""The coder `rans`: asymmetric numeral systems, by the library constriction."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np
from stackc.api import TOTAL, BitSource, Coder, Frequencies, Register, Window, hookimpl

STACKC_CONTRACT = (1, 1)  # the contract that this plugin was made for (stackc.api.CONTRACT)

LENGTH_BITS = 21
"""A window's code begins with its length in bits: 65,535 symbols of 24 bits, and 64 of the coder's state, are less."""


@attrs.frozen(kw_only=True)
class RansConfig:
    """The recipe's table ``[level.coder]`` has no field but its kind."""

    bits_version: ClassVar[int] = 1
    budget: ClassVar[bool] = False
    ends: ClassVar[bool] = False
    total: ClassVar[bool] = True
    needs_model: ClassVar[bool] = True


class RansCoder:
    """Codes under a model's frequencies. Last in, first out: nothing is coded before the window's close."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream  # constriction.stream

    def encoder(self, window: Window) -> Encoder:
        return Encoder(self.stream)

    def decoder(self, window: Window, source: BitSource) -> Decoder:
        return Decoder(self.stream, source)


class Encoder:
    """Keeps the place of each symbol among the frequencies: two numbers per symbol, whatever the alphabet."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.places: list[tuple[int, int]] = []  # the frequencies below the symbol's, and its own

    def add(self, freqs: Frequencies | None, symbol: int) -> bool:
        assert freqs is not None, "needs_model is True"
        self.places.append((int(freqs[:symbol].sum(dtype=np.int64)), int(freqs[symbol])))
        return True

    def close(self, full: bool) -> tuple[int, int]:
        stack = self.stream.stack.AnsCoder()
        for low, size in reversed(self.places):
            if size < TOTAL:  # the only symbol of its alphabet costs nothing
                stack.encode_reverse(int(low > 0), exactly(self.stream, [low, size, TOTAL - low - size]))
        value = int.from_bytes(stack.get_compressed().astype("<u4").tobytes(), "little")
        bits = value.bit_length()
        return bits << bits | value, LENGTH_BITS + bits


class Decoder:
    """Takes the symbols from the stack, first to last."""

    def __init__(self, stream: Any, source: BitSource) -> None:
        self.stream = stream
        self.bits = min(source.read(LENGTH_BITS), max(source.left, 0))  # any tokens decode: never past the last one
        value = source.read(self.bits)
        words = -(-value.bit_length() // 32)
        self.stack = stream.stack.AnsCoder(np.frombuffer(value.to_bytes(4 * words, "little"), "<u4").astype(np.uint32))

    def next(self, freqs: Frequencies | None) -> int | None:
        assert freqs is not None, "needs_model is True"
        return int(self.stack.decode(exactly(self.stream, freqs))) if len(freqs) > 1 else 0

    def used(self, full: bool) -> int:
        return LENGTH_BITS + self.bits


def exactly(stream: Any, freqs: Any) -> Any:
    """A constriction model with these frequencies, which sum to 2^24; zeros among them are left out.

    constriction takes probabilities as floats. It gives each of n symbols one of the 2^24 shares and spreads the other
    2^24 - n in proportion. Given all frequencies less one, it spreads 2^24 - n among numbers that sum to 2^24 - n: every
    sum and product is a whole number below 2^53, which floats hold exactly. No float decides a bit.
    """
    counts = np.asarray(freqs, np.float64)
    return stream.model.Categorical(counts[counts > 0] - 1, perfect=False)


def make(config: RansConfig) -> Coder:
    """Called when a stack uses the coder: constriction is imported here, not where plugins are listed."""
    import constriction

    return RansCoder(constriction.stream)


@hookimpl
def stackc_register_coders(register: Register) -> None:
    register("rans", make, RansConfig, "asymmetric numeral systems (constriction); whole and fixed-token windows")
