"""Every coder that ships, and a toy one of a third party, through the suite that plugin authors run."""

from __future__ import annotations

from itertools import chain
from typing import Any, ClassVar

import numpy as np
import pytest

from stackc.api import BitSource, Coder, Frequencies, WholeWindowCoder, Window, hookimpl
from stackc.api.errors import PartError
from stackc.parts.registry import Registry, registry
from stackc.testing.coders import CoderContract
from stackc.testing.wholewindows import WholeWindowContract
from stackc_coders import ArithmeticConfig, GzipConfig, StaticUnigramConfig


def installed(name: str) -> Any:
    part = registry().get("coder", name)
    return part.factory(part.config())


class TestArithmetic(CoderContract):
    config = ArithmeticConfig

    def make(self) -> Coder:
        return installed("arithmetic")


class TestStaticUnigram(CoderContract):
    config = StaticUnigramConfig

    def make(self) -> Coder:
        return installed("static-unigram")


class TestGzip(WholeWindowContract):
    config = GzipConfig

    def make(self) -> WholeWindowCoder:
        return installed("gzip")


class RawBits:
    """A toy: every symbol in as few bits as the alphabet allows. It marks no ends and obeys no budget.

    Made for contract 1.0: the flags stand on the coder too.
    """

    budget: ClassVar[bool] = False
    ends: ClassVar[bool] = False
    total: ClassVar[bool] = True
    needs_model: ClassVar[bool] = False

    def encoder(self, window: Window) -> RawEncoder:
        return RawEncoder(window)

    def decoder(self, window: Window, bits: BitSource) -> RawDecoder:
        return RawDecoder(window, bits)


class RawEncoder:
    def __init__(self, window: Window) -> None:
        self.size, self.value, self.bits = (window.alphabet - 1).bit_length(), 0, 0

    def add(self, freqs: Frequencies | None, symbol: int) -> bool:
        self.value, self.bits = self.value << self.size | symbol, self.bits + self.size
        return True

    def close(self, full: bool) -> tuple[int, int]:
        return self.value, self.bits


class RawDecoder:
    def __init__(self, window: Window, bits: BitSource) -> None:
        self.alphabet, self.source, self.count = window.alphabet, bits, 0

    def next(self, freqs: Frequencies | None) -> int | None:
        self.count += (self.alphabet - 1).bit_length()
        return self.source.read((self.alphabet - 1).bit_length()) % self.alphabet

    def used(self, full: bool) -> int:
        return self.count


class TestRawBits(CoderContract):
    def make(self) -> Coder:
        return RawBits()


class PlainLanes(RawBits):
    """The toy with lanes of its own, but no `run`."""

    ends: ClassVar[bool] = True

    def lane_encoder(self, window: Window, lanes: int) -> Any:
        return PlainLaneEncoder(lanes)

    def lane_decoder(self, window: Window, lanes: int, tokens: Any) -> Any:
        return PlainLaneDecoder(lanes, tokens)

    def encoder(self, window: Window) -> Any:
        return OneTokenEncoder()

    def decoder(self, window: Window, bits: BitSource) -> Any:
        return OneTokenDecoder(bits)


class OneTokenEncoder:
    """Windows of alphabets below 2^16 as 16 bits a symbol, and 16 ones at the end."""

    def __init__(self) -> None:
        self.value, self.bits = 0, 0

    def add(self, freqs: Frequencies | None, symbol: int) -> bool:
        self.value, self.bits = self.value << 16 | symbol, self.bits + 16
        return True

    def close(self, full: bool) -> tuple[int, int]:
        return self.value << 16 | 0xFFFF, self.bits + 16


class OneTokenDecoder:
    def __init__(self, bits: BitSource) -> None:
        self.bits, self.count = bits, 0

    def next(self, freqs: Frequencies | None) -> int | None:
        self.count += 1
        symbol = self.bits.read(16)
        return None if symbol == 0xFFFF else symbol

    def used(self, full: bool) -> int:
        return 16 * (self.count + full)


class PlainLaneEncoder:
    def __init__(self, lanes: int) -> None:
        self.texts: list[list[int]] = [[] for _ in range(lanes)]

    def add(self, freqs: Frequencies | None, symbols: Any) -> Any:
        for text, symbol in zip(self.texts, symbols.tolist(), strict=True):
            text += [symbol] if symbol >= 0 else []
        return symbols >= 0

    def close(self, lanes: Any, full: Any) -> tuple[Any, Any]:
        made = [[*self.texts[lane], 0xFFFF] for lane in lanes]
        for lane in lanes:
            self.texts[lane] = []
        return np.array(list(chain(*made)), np.uint32), np.array([len(one) for one in made])


class PlainLaneDecoder:
    def __init__(self, lanes: int, tokens: Any) -> None:
        self.tokens, self.first, self.at = tokens, np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)

    def open(self, lanes: Any, starts: Any, ends: Any) -> None:
        self.first[lanes] = self.at[lanes] = starts

    def next(self, freqs: Frequencies | None, active: Any) -> Any:
        out = np.full(len(self.at), -1)
        for lane in np.flatnonzero(active):
            symbol = int(self.tokens[self.at[lane]])
            self.at[lane] += 1
            out[lane] = -1 if symbol == 0xFFFF else symbol
        return out

    def used(self, lanes: Any, full: Any) -> Any:
        return self.at[lanes] - self.first[lanes] + full


class TestLanesWithoutRun(CoderContract):
    """Sixteen-bit tokens, so that its lanes are as simple as they look."""

    token_bits: ClassVar[tuple[int, ...]] = (16,)

    def make(self) -> Coder:
        class Strict(PlainLanes):
            total: ClassVar[bool] = False

        return Strict()


class Lying(RawBits):
    """Says that any tokens decode, and answers symbols that are none."""

    def decoder(self, window: Window, bits: BitSource) -> Any:
        made = RawDecoder(window, bits)
        made.next = lambda freqs: made.source.read(3) + window.alphabet  # type: ignore[method-assign]
        return made


def test_the_suite_finds_what_is_wrong() -> None:
    class Suite(CoderContract):
        def make(self) -> Coder:
            return Lying()

    for test in (Suite().test_what_is_encoded_decodes, Suite().test_any_tokens_decode):
        with pytest.raises((AssertionError, PartError)):
            test()


def test_flags_are_declared_once_on_the_configuration() -> None:
    names = {part.name: part.config for part in registry().parts("coder") if part.plugin == "coders"}
    assert set(names) == {"arithmetic", "static-unigram", "gzip", "tunstall", "lexicon"}
    for name, config in names.items():
        for flag in ("budget", "ends", "total", "needs_model"):
            assert isinstance(getattr(config, flag), bool)
            assert not hasattr(installed(name), flag)


def test_a_third_party_registers_its_own() -> None:
    import attrs

    @attrs.frozen(kw_only=True)
    class Config:
        bits_version: ClassVar[int] = 1
        budget: ClassVar[bool] = False
        ends: ClassVar[bool] = False
        total: ClassVar[bool] = True
        needs_model: ClassVar[bool] = False

    class Plugin:
        @hookimpl
        def stackc_register_coders(self, register: Any) -> None:
            register("raw", lambda config: RawBits(), Config, "symbols as they are")

    assert isinstance(Registry.of(raw=Plugin()).get("coder", "raw").factory(Config()), RawBits)
