"""The suite of whole-window coders, the level and ``plugins check`` find a coder that breaks any rule."""

from __future__ import annotations

import itertools
import types
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest

from stackc.api import (
    CodingError,
    Register,
    Window,
    Windowing,
    bits,
    bytes_of_tokens,
    hookimpl,
    offsets_of,
    tokens_of_bytes,
)
from stackc.api.errors import PartError
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.coding.trial import check_part
from stackc.parts.packing import TokenBits, pack
from stackc.parts.registry import Registry
from stackc.parts.rules import registration_problems
from stackc.testing.wholewindows import WholeWindowContract


@attrs.frozen(kw_only=True)
class Config:
    """Flags of a coder of whole windows."""

    bits_version: ClassVar[int] = 1
    whole: ClassVar[bool] = True
    budget: ClassVar[bool] = False
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False

    shift: int = bits(0, help="what is added to every symbol")


class Counted:
    """A right one: the symbol count in four bytes, then four bytes a symbol. Its methods are replaced to break it."""

    def whole(self, window: Window) -> CountedWindows:
        return CountedWindows(window)


class CountedWindows:
    def __init__(self, window: Window) -> None:
        self.window, self.turn = window, 0

    def encode(self, symbols: Any, bounds: Any) -> Any:
        codes = [self.code(symbols[low:high]) for low, high in itertools.pairwise(bounds.tolist())]
        return tokens_of_bytes(codes, self.window.token_bits)

    def code(self, symbols: Any) -> bytes:
        return np.append(len(symbols), symbols).astype(">u4").tobytes()

    def decode(self, tokens: Any, starts: Any, ends: Any, most: int) -> Any:
        found: list[Any] = []
        counts = []
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            at, size = start, 0
            while at < end:
                count = self.number(tokens, at, end, 1)[0]
                if count > self.window.symbols or sum(counts) + size + count > most:
                    raise CodingError(f"a window of {count} symbols, which is more than there may be")
                symbols = self.number(tokens, at, end, 1 + count)[1:]
                if len(symbols) and int(symbols.max()) >= self.window.alphabet:
                    raise CodingError(f"a window with symbol {symbols.max()}")
                at += -(-32 * (1 + count) // self.window.token_bits)
                size += count
                found.append(symbols)
            counts.append(size)
        return np.concatenate([np.zeros(0, np.int64), *found]), np.array(counts, np.int64)

    def number(self, tokens: Any, at: int, end: int, count: int) -> Any:
        size = -(-32 * count // self.window.token_bits)
        if at + size > end:
            raise CodingError("a window is cut off")
        data = bytes_of_tokens(tokens[at : at + size], self.window.token_bits)
        return np.frombuffer(data[: 4 * count], ">u4").astype(np.int64)


class Suite(WholeWindowContract):
    config = Config
    alphabets = (2, 7, 300)
    token_bits = (7, 8, 16)
    symbols = (1, 9, 400)
    mutations = 12
    broken: ClassVar[type[CountedWindows]] = CountedWindows

    def make(self) -> Any:
        coder, windows = Counted(), self.broken
        coder.whole = lambda window: windows(window)  # type: ignore[method-assign]
        return coder


class TestCounted(Suite):
    """The right one passes."""


class WrongType(CountedWindows):
    def encode(self, symbols: Any, bounds: Any) -> Any:
        tokens, counts = super().encode(symbols, bounds)
        return tokens.astype(np.int64), counts


class WrongCounts(CountedWindows):
    def encode(self, symbols: Any, bounds: Any) -> Any:
        tokens, counts = super().encode(symbols, bounds)
        return tokens, counts.astype(np.int32)


class WrongSum(CountedWindows):
    def encode(self, symbols: Any, bounds: Any) -> Any:
        tokens, counts = super().encode(symbols, bounds)
        return tokens, counts + 1


class TooLarge(CountedWindows):
    def encode(self, symbols: Any, bounds: Any) -> Any:
        tokens, counts = super().encode(symbols, bounds)
        return tokens + np.uint32(1 << self.window.token_bits), counts


class NoTokens(CountedWindows):
    def encode(self, symbols: Any, bounds: Any) -> Any:
        return np.zeros(0, np.uint32), np.zeros(len(bounds) - 1, np.int64)


class SeesTheWindowBefore(CountedWindows):
    """Right as long as windows are decoded in order and all together."""

    def encode(self, symbols: Any, bounds: Any) -> Any:
        kept, self.turn = self.code, 0

        def code(part: Any) -> bytes:
            self.turn += 1
            return kept(part if self.turn < 2 else part[::-1])

        self.code = code  # type: ignore[method-assign]
        try:
            return super().encode(symbols, bounds)
        finally:
            self.code = kept  # type: ignore[method-assign]


class DecodesInOrderOnly(CountedWindows):
    def decode(self, tokens: Any, starts: Any, ends: Any, most: int) -> Any:
        if (np.diff(starts) < 0).any():
            raise CodingError("runs that are not in order")
        return super().decode(tokens, starts, ends, most)


class LosesASymbol(CountedWindows):
    def code(self, symbols: Any) -> bytes:
        return super().code(symbols[: max(1, len(symbols) - 1)])


class IgnoresTheMost(CountedWindows):
    def decode(self, tokens: Any, starts: Any, ends: Any, most: int) -> Any:
        return super().decode(tokens, starts, ends, 1 << 60)


class OutsideTheAlphabet(CountedWindows):
    def decode(self, tokens: Any, starts: Any, ends: Any, most: int) -> Any:
        symbols, counts = super().decode(tokens, starts, ends, most)
        return symbols + self.window.alphabet, counts


class OneCountPerWindow(CountedWindows):
    def decode(self, tokens: Any, starts: Any, ends: Any, most: int) -> Any:
        symbols, counts = super().decode(tokens, starts, ends, most)
        return symbols, np.append(counts, 0)


class FailsOnDamage(CountedWindows):
    def number(self, tokens: Any, at: int, end: int, count: int) -> Any:
        assert at < end
        return np.array([int(tokens[at + i]) for i in range(-(-32 * count // self.window.token_bits))]).repeat(1)[
            :count
        ]


class ManyLines(CountedWindows):
    def decode(self, tokens: Any, starts: Any, ends: Any, most: int) -> Any:
        try:
            return super().decode(tokens, starts, ends, most)
        except CodingError as error:
            raise ValueError(f"{error}\nand more") from error


class ChangesWhatItIsGiven(CountedWindows):
    def encode(self, symbols: Any, bounds: Any) -> Any:
        symbols += 0
        return super().encode(symbols, bounds)


class OneTypeOnly(CountedWindows):
    def encode(self, symbols: Any, bounds: Any) -> Any:
        tokens, counts = super().encode(symbols.view(np.int64) if symbols.itemsize == 8 else symbols, bounds)
        return (tokens if symbols.itemsize == 8 else tokens[::-1].copy()), counts


class Shared(CountedWindows):
    """Scratch memory of the part: one caller overwrites another's."""

    def code(self, symbols: Any) -> bytes:
        self.scratch = np.append(len(symbols), symbols)
        self.turn = len(self.scratch)
        return self.scratch[: self.turn].astype(">u4").tobytes()


BROKEN = [
    (WrongType, "test_what_is_encoded_decodes", "encode gave int64"),
    (WrongCounts, "test_what_is_encoded_decodes", "they are int64"),
    (WrongSum, "test_what_is_encoded_decodes", "counts that sum to"),
    (TooLarge, "test_what_is_encoded_decodes", "outside the alphabet of"),
    (NoTokens, "test_what_is_encoded_decodes", "a window of no tokens"),
    (LosesASymbol, "test_what_is_encoded_decodes", ""),
    (OutsideTheAlphabet, "test_what_is_encoded_decodes", "among the symbols, outside the alphabet"),
    (OneCountPerWindow, "test_what_is_encoded_decodes", "as counts; they are int64[1]"),
    (ChangesWhatItIsGiven, "test_what_is_encoded_decodes", "read-only"),
    (SeesTheWindowBefore, "test_windows_are_coded_alone", ""),
    (DecodesInOrderOnly, "test_windows_decode_alone", "not in order"),
    (IgnoresTheMost, "test_more_symbols_than_expected_are_an_error", "more than the"),
    (FailsOnDamage, "test_any_tokens_decode_or_are_an_error_in_one_line", "raised"),
    (ManyLines, "test_any_tokens_decode_or_are_an_error_in_one_line", "raised ValueError"),
    (OneTypeOnly, "test_any_integer_type_will_do", ""),
    (Shared, "test_it_may_be_shared_by_threads", ""),
]


@pytest.mark.parametrize(("broken", "test", "said"), BROKEN, ids=[one[0].__name__ for one in BROKEN])
def test_a_coder_that_breaks_a_rule_fails_its_test(broken: type[CountedWindows], test: str, said: str) -> None:
    suite = type("Broken", (Suite,), {"broken": broken})()
    with pytest.raises((AssertionError, PartError, CodingError), match="(?s)" + said.replace("[", r"\[")):
        getattr(suite, test)()


def test_a_total_coder_that_refuses_tokens_fails() -> None:
    class Total(Config):
        total: ClassVar[bool] = True

    class Broken(Suite):
        config = Total

    with pytest.raises(AssertionError, match="a coder that is total decodes any tokens"):
        Broken().test_any_tokens_decode_or_are_an_error_in_one_line()


def level(windows: type[CountedWindows], **changes: Any) -> Level:
    coder = Counted()
    coder.whole = lambda window: windows(window)  # type: ignore[method-assign]
    spec = LevelSpec(
        name="M1", alphabet=7, segment=20, windowing=Windowing(bits=None, symbols=6), coder=coder, flags=Config(),
        token_bits=8,
    )  # fmt: skip
    return Level(spec.changed(**changes))


def test_windows_are_known_before_they_are_coded() -> None:
    seen: list[list[int]] = []

    class Seeing(CountedWindows):
        def encode(self, symbols: Any, bounds: Any) -> Any:
            seen.append(bounds.tolist())
            return super().encode(symbols, bounds)

    symbols, offsets = np.arange(45) % 7, np.array([0, 0, 41, 45])
    level(Seeing).encode(symbols, offsets)
    level(Seeing, windowing=Windowing(bits=None, symbols=None)).encode(symbols, offsets)
    level(Seeing, windowing=Windowing(bits=None, symbols=9, cuts=lambda part: part == 3)).encode(symbols, offsets)
    assert seen[0] == [0, 6, 12, 18, 20, 26, 32, 38, 40, 41, 45]
    assert seen[1] == [0, 20, 40, 41, 45]
    assert seen[2] == [0, 3, 10, 17, 20, 24, 31, 38, 40, 41, 45]


def test_errors_name_the_level_or_the_part() -> None:
    coded = level(CountedWindows).encode(np.arange(20) % 7)
    with pytest.raises(CodingError, match=r"^M1: a window is cut off$"):
        level(CountedWindows).decode(coded.tokens[:-1])
    with pytest.raises(CodingError, match=r"^M1: a symbol outside its alphabet of 7"):
        level(CountedWindows).encode(np.array([7]))
    with pytest.raises(CodingError, match=r"^M1: a token outside its alphabet of 256"):
        level(CountedWindows).decode(np.array([256]))
    with pytest.raises(CodingError, match=r"^M1: a window of 2 symbols, which is more"):
        level(CountedWindows).decode(coded.tokens, most=19)
    with pytest.raises(PartError, match=r"^M1: its coder: encode gave int64"):
        level(WrongType).encode(np.arange(20) % 7)
    with pytest.raises(CodingError, match=r"^M1: the coder cannot obey a bit budget of 16"):
        level(CountedWindows, windowing=Windowing(bits=16))


def plugin(windows: type[CountedWindows], config: type = Config) -> Registry:
    def make(config: Any) -> Any:
        coder = Counted()
        coder.whole = lambda window: windows(window)  # type: ignore[method-assign]
        return coder

    @hookimpl
    def stackc_register_coders(register: Register) -> None:
        register("counted", make, config, "a toy")

    module = types.ModuleType("toy")
    vars(module).update(stackc_register_coders=stackc_register_coders)
    return Registry.of(toy=module)


def test_the_check_tries_windows_and_finds_what_is_wrong() -> None:
    assert check_part(plugin(CountedWindows).get("coder", "counted")).problems == []

    def found(windows: type[CountedWindows]) -> list[str]:
        return check_part(plugin(windows).get("coder", "counted")).problems

    assert "encode gave int64" in found(WrongType)[0]
    assert found(SeesTheWindowBefore)[0].endswith(
        "a window has other tokens behind another than alone; each is coded alone"
    )
    assert "symbols decode to" in found(LosesASymbol)[0]


@pytest.mark.parametrize(
    ("flag", "value", "problem"),
    [
        ("budget", True, "budget = False: a coder of whole windows"),
        ("ends", False, "ends = True: a coder of whole windows"),
        ("needs_model", True, "needs_model = False: a coder of whole windows"),
        ("whole", 1, "whole = True: a coder of whole windows"),
        ("vocabulary", 5, "no vocabulary next to whole = True"),
    ],
)
def test_flags_that_no_such_coder_has_are_refused(flag: str, value: Any, problem: str) -> None:
    config = type("Wrong", (Config,), {flag: value})
    found = registration_problems("coder", "counted", lambda config: Counted(), config, "a toy")
    assert any(problem in line for line in found)


@pytest.mark.parametrize("token_bits", [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 16, 17, 20, 24, 31, 32])
def test_bytes_as_tokens_and_back(token_bits: int) -> None:
    rng = np.random.default_rng(token_bits)
    codes = [rng.bytes(size) for size in (5, 0, 1, 2, 3, 64, 7, 31)]
    tokens, counts = tokens_of_bytes(codes, token_bits)
    places = offsets_of(counts)
    assert tokens.dtype == np.uint32
    assert len(tokens) == places[-1]
    for code, low, high in zip(codes, places[:-1], places[1:], strict=True):
        assert tokens[low:high].tolist() == pack(int.from_bytes(code, "big"), 8 * len(code), token_bits).tolist()
        assert bytes_of_tokens(tokens[low:high], token_bits)[: len(code)] == code
    run = tokens[1:-2]
    data, wanted = bytes_of_tokens(run, token_bits), TokenBits(run, token_bits, 0, len(run))
    assert data == wanted.read(8 * len(data)).to_bytes(len(data), "big")
    none, no_counts = tokens_of_bytes([], token_bits)
    assert len(none) == len(no_counts) == 0
    assert bytes_of_tokens(none, token_bits) == b""
