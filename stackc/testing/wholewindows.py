"""What every coder of whole windows must keep (`stackc.api.WholeWindowCoder`), as tests to subclass.

class TestMyCoder(WholeWindowContract):
    config = MyConfig

    def make(self):
        return MyCoder()
"""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from stackc.api.arrays import Int64, Symbols, Tokens
from stackc.api.coders import CoderFlags
from stackc.api.errors import CodingError
from stackc.api.models import Text
from stackc.api.offsets import offsets_of
from stackc.api.windowings import Window, Windowing
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.parts.abilities import is_fitted
from stackc.parts.whole import GuardedWindows
from stackc.testing.driving import declared
from stackc.testing.sharing import Job, check_shared

NO_LIMIT = 1 << 40

_FITTED: dict[tuple[type, int], Any] = {}


class WholeWindowContract:
    """The tests: any windows are restored, each is coded and decoded alone, invalid tokens are an error in one line.

    Attributes:
        config: see `CoderContract`.
        alphabets: alphabets to try.
        token_bits: bits of a token to try.
        symbols: symbol budgets to try.
        mutations: damaged tokens to try per alphabet.
        seed: of all random choices.
    """

    config: ClassVar[Any] = None
    alphabets: ClassVar[tuple[int, ...]] = (1, 2, 7, 256, 300, 65_536, 1 << 20)
    token_bits: ClassVar[tuple[int, ...]] = (1, 7, 8, 12, 16, 20)
    symbols: ClassVar[tuple[int, ...]] = (1, 9, 400, 100_000)
    mutations: ClassVar[int] = 60
    seed: ClassVar[int] = 0

    def make(self) -> Any:
        """A fresh coder. To be written by the subclass."""
        raise NotImplementedError

    @property
    def flags(self) -> CoderFlags:
        return declared(self.config, self.make())

    def coder(self, alphabet: int) -> Any:
        """A coder that is ready to code: if it has tables, they are fitted to a text of this alphabet and loaded."""
        if (type(self), alphabet) not in _FITTED:
            coder = self.make()
            if is_fitted(coder):
                text = self.text(alphabet, 1000, 7)
                train = Text(symbols=text, offsets=np.array([0, 400, 1000]), source_bytes=1000)
                with tempfile.TemporaryDirectory() as folder:
                    coder.fit(train, alphabet, Path(folder))
                    coder = self.make()
                    coder.load(Path(folder))
            _FITTED[type(self), alphabet] = coder
        return _FITTED[type(self), alphabet]

    def windows(self, window: Window) -> GuardedWindows:
        """The coder's windows, with every result checked as a level checks it."""
        return GuardedWindows(self.coder(window.alphabet), window, "the level", "the coder")

    def text(self, alphabet: int, count: int, *seed: int) -> Symbols:
        """Symbols of which some are far more frequent than others, runs of one symbol, and the largest symbol."""
        rng = np.random.default_rng([self.seed, alphabet, count, *seed])
        skewed = (alphabet * rng.random(count) ** 6).astype(np.int64)
        skewed[count // 3 : count // 2] = rng.integers(0, alphabet, 1)
        skewed[count // 2 : count // 2 + 3] = alphabet - 1
        return skewed

    def cases(self) -> Iterator[tuple[Window, Symbols, Int64]]:
        """(window, symbols, bounds): every alphabet with two sizes of tokens, every budget with some of them."""
        sizes = itertools.cycle(self.token_bits)
        for alphabet in self.alphabets:
            for budget in self.symbols:
                for bits in (next(sizes), next(sizes)):
                    window = Window(alphabet=alphabet, bits=None, symbols=budget, token_bits=bits)
                    lengths = np.minimum([1, 40, budget, 1, 2, budget, 333], budget)
                    symbols = self.text(alphabet, int(lengths.sum()) if budget < 10_000 else 20_000, bits)
                    bounds = offsets_of(lengths) if budget < 10_000 else np.array([0, 700, len(symbols)])
                    yield window, symbols, bounds

    # ----------------------------------------------------------------------------------------------
    # Tests

    def test_it_says_what_it_can(self) -> None:
        flags = self.flags
        assert (flags.budget, flags.ends, flags.needs_model) == (False, True, False)
        assert isinstance(flags.total, bool)
        assert self.config is None or self.config.whole is True
        coder = self.make()
        assert hasattr(coder, "fit") == hasattr(coder, "load"), "tables that are fitted are loaded"

    def test_what_is_encoded_decodes(self) -> None:
        for window, symbols, bounds in self.cases():
            made = self.windows(window)
            tokens, counts = made.encode(symbols, bounds)
            back, sizes = made.decode(tokens, np.zeros(1, np.int64), np.array([len(tokens)]), len(symbols))
            assert back.tolist() == symbols.tolist(), window
            assert sizes.tolist() == [len(symbols)], window
            assert len(counts) == len(bounds) - 1

    def test_windows_are_coded_alone(self) -> None:
        """Whatever stands before and behind a window, its tokens are the same."""
        for window, symbols, bounds in self.cases():
            made = self.windows(window)
            tokens, counts = made.encode(symbols, bounds)
            for (low, high), (first, last) in zip(
                itertools.pairwise(bounds.tolist()), itertools.pairwise(offsets_of(counts).tolist()), strict=True
            ):
                alone, count = made.encode(symbols[low:high].copy(), np.array([0, high - low]))
                assert alone.tolist() == tokens[first:last].tolist(), window
                assert count.tolist() == [last - first], window

    def test_windows_decode_alone(self) -> None:
        """As runs of one window, of several and of none, in any order, with others left out."""
        for window, symbols, bounds in self.cases():
            made = self.windows(window)
            tokens, counts = made.encode(symbols, bounds)
            places, count = offsets_of(counts), len(counts)
            wanted = [(i, i + 1) for i in reversed(range(count))] + [(0, 0), (1, count), (count, count), (0, count - 1)]
            starts, ends = (np.array([places[run[end]] for run in wanted]) for end in (0, 1))
            back, sizes = made.decode(tokens, starts, ends, NO_LIMIT)
            parts = [back[low:high].tolist() for low, high in itertools.pairwise(offsets_of(sizes).tolist())]
            assert parts == [symbols[bounds[low] : bounds[high]].tolist() for low, high in wanted], window

    def test_no_windows_at_all(self) -> None:
        for window, symbols, _ in itertools.islice(self.cases(), 4):
            made, none = self.windows(window), np.zeros(0, np.int64)
            tokens, counts = made.encode(symbols[:0], np.zeros(1, np.int64))
            assert len(tokens) == len(counts) == 0
            back, sizes = made.decode(tokens, none, none, 0)
            assert len(back) == len(sizes) == 0

    def test_any_integer_type_will_do(self) -> None:
        for window, symbols, bounds in self.cases():
            made = self.windows(window)
            expected = made.encode(symbols, bounds)[0].tolist()
            for kind in (np.uint8, np.uint16, np.int32, np.uint32):
                if window.alphabet - 1 <= np.iinfo(kind).max:
                    assert made.encode(symbols.astype(kind), bounds)[0].tolist() == expected, (window, kind)
            every_other = np.repeat(symbols, 2)[::2]
            assert made.encode(every_other, bounds)[0].tolist() == expected, "symbols may have gaps between them"

    def test_more_symbols_than_expected_are_an_error(self) -> None:
        for window, symbols, bounds in itertools.islice(self.cases(), 0, None, 3):
            made = self.windows(window)
            tokens, counts = made.encode(symbols, bounds)
            places = offsets_of(counts)
            for run in ((places[:1], places[-1:]), (places[:-1], places[1:])):
                assert made.decode(tokens, *run, len(symbols))[0].tolist() == symbols.tolist(), window
                with pytest.raises(CodingError) as error:
                    made.decode(tokens, *run, len(symbols) - 1)
                self._check_line(error.value)

    def test_any_tokens_decode_or_are_an_error_in_one_line(self) -> None:
        """Random ones, and those of windows with tokens changed, cut off or doubled. A total coder decodes them all."""
        for number, (window, symbols, bounds) in enumerate(self.cases()):
            if number % 5 or window.symbols > 1000:
                continue
            rng, made = np.random.default_rng([self.seed, 3, number]), self.windows(window)
            right, _ = made.encode(symbols[: bounds[3]], bounds[:4])
            for turn in range(self.mutations):
                tokens = _damaged(right, 1 << window.token_bits, turn, rng)
                try:
                    back, _ = made.decode(tokens, np.zeros(1, np.int64), np.array([len(tokens)]), NO_LIMIT)
                except CodingError as raised:
                    error = raised
                else:
                    assert len(back) <= window.symbols * len(tokens), "a window has a token at least"
                    continue
                self._check_line(error)
                assert not self.flags.total, f"a coder that is total decodes any tokens, and here: {error}"

    @pytest.mark.parametrize(
        "windowing",
        [
            Windowing(bits=None, symbols=None),
            Windowing(bits=None, symbols=7, restart="segment"),
            Windowing(bits=None, symbols=1024, cuts=lambda segment: segment == 3),
        ],
        ids=["whole", "fixed", "cuts"],
    )
    def test_any_symbols_come_back_through_a_level(self, windowing: Windowing) -> None:
        for number, alphabet in enumerate(self.alphabets):
            level = Level(
                LevelSpec(
                    name="M1",
                    alphabet=alphabet,
                    segment=300,
                    windowing=windowing,
                    coder=self.coder(alphabet),
                    flags=self.flags,
                    token_bits=self.token_bits[number % len(self.token_bits)],
                )
            )
            offsets = np.array([0, 0, 1, 650, 650, 1250])
            symbols = self.text(alphabet, 1250)
            coded = level.encode(symbols, offsets)
            back = level.decode(coded.tokens, coded.offsets)
            assert back.symbols.tolist() == symbols.tolist()
            assert back.offsets.tolist() == offsets.tolist()
            for low, high, first, last in zip(
                offsets[:-1], offsets[1:], coded.offsets[:-1], coded.offsets[1:], strict=True
            ):
                assert level.encode(symbols[low:high]).tokens.tolist() == coded.tokens[first:last].tolist()

    def test_it_may_be_shared_by_threads(self) -> None:
        alphabet = self.alphabets[min(2, len(self.alphabets) - 1)]
        window = Window(alphabet=alphabet, bits=None, symbols=50, token_bits=self.token_bits[-1])
        coder = self.coder(alphabet)

        def jobs() -> list[Job]:
            made = coder.whole(window)
            return [functools.partial(_there_and_back, made, self.text(alphabet, 40 + i)) for i in range(3)]

        check_shared(jobs)

    def _check_line(self, error: CodingError) -> None:
        assert str(error).startswith("the level: ")
        assert "\n" not in str(error), "an error is one line"


def _damaged(right: Tokens, alphabet: int, turn: int, rng: np.random.Generator) -> Tokens:
    """Random tokens, or a copy of the right ones that is cut off, changed, or has some of them twice."""
    at = int(rng.integers(0, len(right)))
    if turn % 4 == 0:
        return rng.integers(0, alphabet, 1 + turn).astype(np.uint32)
    if turn % 4 == 1:
        return right[:at].copy()
    if turn % 4 == 2:
        tokens = right.copy()
        tokens[[at, at // 2]] = rng.integers(0, alphabet, 2)
        return tokens
    return np.concatenate([right[:at], right[at // 2 :]])


def _there_and_back(made: Any, symbols: Symbols) -> list[Any]:
    """Two windows, there and back."""
    tokens, counts = made.encode(symbols, np.array([0, len(symbols) // 3, len(symbols)]))
    found = [tokens.copy(), counts.copy()]
    back, sizes = made.decode(tokens, np.zeros(1, np.int64), np.array([len(tokens)]), NO_LIMIT)
    return [*found, back.copy(), sizes.copy()]
