"""What every windowing must keep, as tests to subclass.

from stackc.testing.windowings import WindowingContract

class TestMyWindowing(WindowingContract):
    def make(self):
        return my_factory(MyConfig())
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from typing import ClassVar

import numpy as np

from stackc.api.arrays import Frequencies, Symbols
from stackc.api.coders import BitSource
from stackc.api.limits import MAX_WINDOW_SYMBOLS
from stackc.api.windowings import Window, Windowing, table_problem
from stackc.coding.borders import table_starts
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.testing.sharing import Job, check_shared
from stackc.testing.tables import cut_place

RULE_BYTES = np.frombuffer(b"   ''sSlLevTx19\n\r\t\x0c!.\x00\x80\xc3\xff", np.uint8)
"""Bytes that rules about words, blanks and line ends tell apart."""


class WindowingContract:
    """The tests.

    Attributes:
        alphabet: of the segments that are tried.
        segment: symbols in a segment.
        seed: of all random choices.
    """

    alphabet: ClassVar[int] = 256
    segment: ClassVar[int] = 200
    seed: ClassVar[int] = 0

    def make(self) -> Windowing:
        """The windowing. To be written by the subclass."""
        raise NotImplementedError

    def segments(self) -> list[Symbols]:
        """Segments to cut: one symbol, equal symbols, all symbols, random ones; of every type that stores have."""
        rng = np.random.default_rng(self.seed)
        rows = [
            np.zeros(1, np.int64),
            np.zeros(self.segment, np.int64),
            np.arange(self.segment) % self.alphabet,
            rng.integers(0, self.alphabet, self.segment),
            rng.integers(0, self.alphabet, self.segment // 2) // 2,
        ]
        kinds = [np.uint8, np.uint16, np.uint32, np.int64] if self.alphabet <= 256 else [np.uint32, np.int64]
        return [row.astype(kinds[i % len(kinds)]) for i, row in enumerate(rows)]

    def test_it_is_a_windowing(self) -> None:
        made = self.make()
        assert isinstance(made, Windowing)
        assert made.bits is None or (isinstance(made.bits, int) and made.bits >= 1)
        assert made.symbols is None or 1 <= made.symbols <= MAX_WINDOW_SYMBOLS
        assert made.restart in ("window", "segment")
        assert isinstance(made.context_windows, int)
        assert made.context_windows >= 1
        assert made.cuts is None or callable(made.cuts)
        assert made.rule is None or re.compile(made.rule)

    def test_it_is_made_alike_twice(self) -> None:
        one, two = self.make(), self.make()
        assert (one.bits, one.symbols, one.restart) == (two.bits, two.symbols, two.restart)
        assert one.context_windows == two.context_windows
        for segment in self.segments():
            if one.cuts is not None and two.cuts is not None:
                assert one.cuts(segment).tolist() == two.cuts(segment).tolist()

    def test_cuts_are_one_answer_a_symbol(self) -> None:
        cuts = self.make().cuts
        if cuts is None:
            return
        for segment in self.segments():
            segment.flags.writeable = False  # the encoder's own, often memory-mapped
            forced = cuts(segment)
            assert forced.dtype == np.bool_
            assert forced.shape == segment.shape
            assert forced.tolist() == cuts(segment).tolist()

    def test_its_table_is_one_for_the_alphabet(self) -> None:
        table = self.make().table
        if table is not None:
            assert table_problem(table) is None
            assert table.shape[1] == self.alphabet

    def test_its_table_cuts_in_every_context(self) -> None:
        """Whatever else ends windows, none continues past a symbol that the table cuts."""
        made = self.make()
        if made.table is None:
            return
        rng = np.random.default_rng([self.seed, 1])
        for segment in self.segments():
            for budget in (1, 3, made.symbols or self.segment):
                cuts = rng.random(len(segment)) < rng.choice([0.0, 0.3])
                starts = np.flatnonzero(table_starts(segment, np.array([0, len(segment)]), made.table, cuts, budget))
                for start, end in itertools.pairwise([*starts.tolist(), len(segment)]):
                    window = segment[start:end].tolist()
                    assert cut_place(made.table, window) is None
                    ends = end == len(segment) or end - start == budget or bool(cuts[end])
                    assert ends or cut_place(made.table, [*window, int(segment[end])]) is not None

    def test_its_rule_says_the_same(self) -> None:
        """The windows that nothing else ends are the matches of its regular expression."""
        made = self.make()
        if made.rule is None:
            return
        rng = np.random.default_rng([self.seed, 2])
        for segment in [*self.segments(), *(rng.choice(RULE_BYTES, 40) for _ in range(300))]:
            edges, forced = np.array([0, len(segment)]), None if made.cuts is None else made.cuts(segment)
            assert made.table is not None
            starts = np.flatnonzero(table_starts(segment, edges, made.table, forced, len(segment)))
            matches = list(re.finditer(made.rule, bytes(segment.tolist()).decode("latin-1")))
            assert [match.start() for match in matches] == starts.tolist()
            assert sum(len(match[0]) for match in matches) == len(segment)

    def test_cuts_of_many_segments_are_those_of_each(self) -> None:
        cuts = self.make().cuts
        if not hasattr(cuts, "of_segments"):
            return
        rng = np.random.default_rng([self.seed, 3])
        texts = [*self.segments(), *(rng.choice(RULE_BYTES, 60).astype(np.int64) % self.alphabet for _ in range(100))]
        for symbols in texts:
            edges = np.unique(np.append(rng.integers(0, len(symbols) + 1, 9), [0, len(symbols)]))
            alone = [cuts(symbols[first:last]) for first, last in itertools.pairwise(edges)]  # type: ignore[misc]
            assert cuts.of_segments(symbols, edges).tolist() == np.concatenate(alone).tolist()  # type: ignore[union-attr]

    def test_it_may_be_shared_by_threads(self) -> None:
        def jobs() -> list[Job]:
            made = self.make()
            return [functools.partial(_cuts, made, segment) for segment in self.segments()[1:]]

        check_shared(jobs)

    def test_text_is_cut_into_windows_and_comes_back(self) -> None:
        """Through a level with a plain coder: windows cover every segment, obey the budgets and start at cuts."""
        made = self.make()
        bits = made.bits or 64
        alphabet = min(self.alphabet, (1 << bits) - 1)
        level = Level(
            LevelSpec(
                name="windowing",
                alphabet=alphabet,
                segment=self.segment,
                windowing=made,
                coder=PlainCoder(),
                token_bits=max(size for size in range(1, 17) if bits % size == 0),
            )
        )
        for segment in self.segments():
            symbols = (np.concatenate([segment, segment[::-1]]).astype(np.int64) % alphabet).astype(segment.dtype)
            coded = level.encode(symbols)
            back = level.decode(coded.tokens, coded.offsets)
            assert back.symbols.tolist() == symbols.tolist()
            ends = np.append(coded.starts, len(symbols))
            assert ends[0] == 0
            assert (np.diff(ends) > 0).all(), "no window is empty"
            assert (np.diff(ends) <= (made.symbols or self.segment)).all()
            assert set(range(0, len(symbols), self.segment)) <= set(ends.tolist()), "windows end with their segment"
            for start, end in itertools.pairwise(ends.tolist()) if made.table is not None else ():
                assert made.table is not None
                assert cut_place(made.table, symbols[start:end].tolist()) is None
            for start in range(0, len(symbols), self.segment) if made.cuts is not None else ():
                forced = made.cuts(symbols[start : start + self.segment]) if made.cuts else ()
                assert set((start + np.flatnonzero(forced)).tolist()) <= set(ends.tolist())


def _cuts(windowing: Windowing, segment: Symbols) -> list[bool]:
    if windowing.cuts is None:
        return []
    forced = windowing.cuts(segment)
    found: list[bool] = forced.tolist()
    return found


class PlainCoder:
    """A coder for the tests: every symbol s is the number s + 1 in as many bits as the alphabet needs, 0 the end."""

    budget: ClassVar[bool] = True
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False

    def encoder(self, window: Window) -> PlainEncoder:
        return PlainEncoder(window)

    def decoder(self, window: Window, bits: BitSource) -> PlainDecoder:
        return PlainDecoder(window, bits)


class PlainEncoder:
    """Codes one window."""

    def __init__(self, window: Window) -> None:
        self._window, self._size = window, window.alphabet.bit_length()
        self._value = self._bits = 0

    def add(self, freqs: Frequencies | None, symbol: int) -> bool:
        if self._bits + self._size > (self._window.bits or math.inf):
            return False
        self._value, self._bits = self._value << self._size | symbol + 1, self._bits + self._size
        return True

    def close(self, full: bool) -> tuple[int, int]:
        bits = self._window.bits or self._bits + (0 if full else self._size)
        return self._value << (bits - self._bits), bits


class PlainDecoder:
    """Decodes one window."""

    def __init__(self, window: Window, bits: BitSource) -> None:
        self._window, self._source, self._size = window, bits, window.alphabet.bit_length()
        self._read = 0

    def next(self, freqs: Frequencies | None) -> int | None:
        if self._read + self._size > (self._window.bits or math.inf):
            return None
        self._read += self._size
        number = self._source.read(self._size)
        return number - 1 if number else None

    def used(self, full: bool) -> int:
        return self._window.bits or self._read
