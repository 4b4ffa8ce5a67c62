"""The contract suites find parts that callers cannot share, every time, and let pass those that they can."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stackc.api import IDLE, RESTART, Windowing
from stackc.testing import (
    CoderContract,
    DictionaryCoderContract,
    ModelContract,
    PieceCoderContract,
    ReaderContract,
    WindowingContract,
)
from stackc.testing.sharing import check_shared
from stackc.testing.windowings import PlainCoder, PlainDecoder, PlainEncoder
from stackc_coders.tunstall import TunstallCoder

ALPHABET = 5


class Sums:
    """A right predictor: the row follows from the sum of a lane's symbols since the restart."""

    alphabet, portability = ALPHABET, "portable"

    def start(self, lanes: int) -> Any:
        return np.zeros(lanes, np.int64)

    def take(self, state: Any, lanes: Any) -> Any:
        return state[lanes]

    def row(self, total: int) -> Any:
        row = np.full(ALPHABET, (1 << 24) // ALPHABET, np.uint32)
        row[-1] += (1 << 24) % ALPHABET
        row[0] -= total % 100
        row[1] += total % 100
        return row

    def add(self, state: Any, symbols: Any) -> None:
        for lane, symbol in enumerate(symbols.tolist()):
            if symbol != IDLE:
                state[lane] = 0 if symbol == RESTART else state[lane] * 3 + symbol

    def step(self, state: Any, symbols: Any) -> Any:
        self.add(state, symbols)
        return np.stack([self.row(int(total)) for total in state])

    def score(self, segment: Any, restarts: Any) -> Iterator[Any]:
        total = 0
        for place, symbol in enumerate(segment.tolist()):
            total = 0 if restarts[place] else total
            yield self.row(total)[None]
            total = total * 3 + symbol


class Locked(Sums):
    """Right, if slow: what it keeps on itself is guarded, and copied out."""

    def __init__(self) -> None:
        self.lock, self.totals = threading.Lock(), np.zeros(99, np.int64)

    def step(self, state: Any, symbols: Any) -> Any:
        with self.lock:
            self.totals[: len(state)] = state
            self.add(self.totals, symbols)
            state[:] = self.totals[: len(state)]
            return np.stack([self.row(int(total)) for total in state])


class WorksOnItself(Sums):
    """Sums are worked out in memory of its own, in compiled code or not: right in one thread, always."""

    def __init__(self) -> None:
        self.totals = np.zeros(99, np.int64)

    def step(self, state: Any, symbols: Any) -> Any:
        self.totals[: len(state)] = state
        self.add(self.totals, symbols)
        state[:] = self.totals[: len(state)]
        return np.stack([self.row(int(total)) for total in state])


class AnswersFromItself(Sums):
    """Rows of all states lie in one array."""

    def __init__(self) -> None:
        self.rows = np.zeros((99, ALPHABET), np.uint32)

    def step(self, state: Any, symbols: Any) -> Any:
        rows = self.rows[: len(state)]
        rows[:] = super().step(state, symbols)
        return rows


class AnswersFromItsThread(AnswersFromItself):
    """The same, an array a thread: two states in one thread have one array."""

    def __init__(self) -> None:
        self.own = threading.local()

    @property
    def rows(self) -> Any:  # type: ignore[override]
        if not hasattr(self.own, "rows"):
            self.own.rows = np.zeros((99, ALPHABET), np.uint32)
        return self.own.rows


class ScoresOnItself(Sums):
    total = 0

    def score(self, segment: Any, restarts: Any) -> Iterator[Any]:
        self.total = 0
        for place, symbol in enumerate(segment.tolist()):
            self.total = 0 if restarts[place] else self.total
            yield self.row(self.total)[None]
            self.total = self.total * 3 + symbol


class TakesItself(Sums):
    """A taken state is the state that it was taken from."""

    def take(self, state: Any, lanes: Any) -> Any:
        self.taken = state[lanes]
        return self.taken

    def step(self, state: Any, symbols: Any) -> Any:
        if hasattr(self, "taken") and len(self.taken) == len(state):
            state = self.taken
        return super().step(state, symbols)


class OpensHalf(Sums):
    """A table that is made on first use, and seen before it is whole."""

    table: Any = None

    def row(self, total: int) -> Any:
        if self.table is None:
            self.table = np.zeros((100, ALPHABET), np.uint32)
            for number in range(100):
                self.table[number] = super().row(number)
        return self.table[total % 100].copy()


class OneState(Sums):
    """Every state is the same one."""

    def __init__(self) -> None:
        self.state = np.zeros(99, np.int64)

    def start(self, lanes: int) -> Any:
        return self.state[:lanes]


def check_model(kind: type[Sums]) -> None:
    check_shared(lambda: ModelContract().sharing_jobs(kind()))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [Sums, Locked])
def test_a_model_that_may_be_shared_passes(kind: type[Sums]) -> None:
    check_model(kind)


@pytest.mark.parametrize(
    "kind",
    [WorksOnItself, AnswersFromItself, AnswersFromItsThread, ScoresOnItself, TakesItself, OpensHalf, OneState],
)
def test_a_model_that_keeps_scratch_on_itself_fails(kind: type[Sums]) -> None:
    with pytest.raises(AssertionError, match="shared"):
        check_model(kind)


class SharedLanes(PlainCoder):
    """Its windows gather their symbols in one place."""

    def encoder(self, window: Any) -> PlainEncoder:
        if not hasattr(self, "made"):
            self.made = PlainEncoder(window)
        self.made._value = self.made._bits = 0
        return self.made


class SharedReading(PlainCoder):
    """The symbol that was read lies on the coder before it is returned."""

    symbol: int | None = None

    def decoder(self, window: Any, bits: Any) -> PlainDecoder:
        coder = self

        class Decoder(PlainDecoder):
            def next(self, freqs: Any) -> int | None:
                coder.symbol = super().next(freqs)
                return coder.symbol

        return Decoder(window, bits)


class SharedWriting(PlainCoder):
    """The symbol on its way to the encoder lies on the coder."""

    symbol = 0

    def encoder(self, window: Any) -> PlainEncoder:
        coder = self

        class Encoder(PlainEncoder):
            def add(self, freqs: Any, symbol: int) -> bool:
                coder.symbol = symbol
                fits = super().add(freqs, 0)
                if fits:
                    self._value += coder.symbol
                return fits

        return Encoder(window)


def coder_suite(kind: type[PlainCoder]) -> CoderContract:
    class Suite(CoderContract):
        def make(self) -> Any:
            return kind()

    return Suite()


@pytest.mark.parametrize("budget", [False, True])
def test_a_coder_that_may_be_shared_passes(budget: bool) -> None:
    coder_suite(PlainCoder).test_it_may_be_shared_by_threads(budget)


@pytest.mark.parametrize("kind", [SharedLanes, SharedReading, SharedWriting])
def test_a_coder_that_keeps_scratch_on_itself_fails(kind: type[PlainCoder]) -> None:
    with pytest.raises(AssertionError, match="shared"):
        coder_suite(kind).test_it_may_be_shared_by_threads(False)


def test_a_windowing_that_answers_from_one_array_fails() -> None:
    class Suite(WindowingContract):
        def make(self) -> Windowing:
            held = np.zeros(1000, np.bool_)

            def cuts(segment: Any) -> Any:
                forced = held[: len(segment)]
                forced[:] = segment == segment[0]
                return forced

            return Windowing(bits=None, cuts=cuts)

    with pytest.raises(AssertionError, match="shared"):
        Suite().test_it_may_be_shared_by_threads()


def test_a_dictionary_coder_that_answers_from_itself_fails() -> None:
    class Coder(TunstallCoder):
        def dictionary(self, predictor: Any, window: Any, lanes: int) -> Any:
            self.found = super().dictionary(predictor, window, lanes)
            if not hasattr(self, "held"):
                self.held = np.zeros(1000, np.int32)
            parent, symbol = self.found
            self.held[: len(symbol)] = symbol
            return parent, self.held[: len(symbol)]

    class Suite(DictionaryCoderContract):
        def make(self, vocabulary: int) -> Any:
            return Coder(vocabulary)

    with pytest.raises(AssertionError, match="shared"):
        Suite().test_it_may_be_shared_by_threads()


class Letters:
    """A piece coder whose pieces are single bytes."""

    def __init__(self) -> None:
        self.held = np.zeros(1000, np.uint32)

    def fit(self, train: Any, alphabet: int, folder: Path) -> None:
        (folder / "letters").write_bytes(b"all of them")

    def load(self, folder: Path) -> None:
        assert (folder / "letters").exists()

    def pieces(self) -> Any:
        return np.arange(256), np.arange(257)

    def encode(self, symbols: Any, bounds: Any) -> Any:
        tokens = self.held[: len(symbols)]
        tokens[:] = symbols
        return tokens, np.diff(bounds)


def test_a_piece_coder_that_answers_from_itself_fails(tmp_path: Path) -> None:
    class Suite(PieceCoderContract):
        def make(self, vocabulary: int) -> Any:
            return Letters()

    with pytest.raises(AssertionError, match="shared"):
        Suite().test_it_may_be_shared_by_threads(tmp_path)


def test_a_reader_with_one_place_in_its_text_fails(tmp_path: Path) -> None:
    class Reader:
        def __init__(self) -> None:
            self.rest: list[bytes] = []

        def documents(self, split: str) -> Iterator[bytes]:
            self.rest = [b"one", b"two", b"three"]
            while self.rest:
                yield self.rest.pop(0)

        def fingerprint(self, split: str) -> str:
            return str(len(list(self.documents(split))))

    class Suite(ReaderContract):
        def make(self, folder: Path) -> Any:
            return Reader(), {"train": [b"one", b"two", b"three"]}

    with pytest.raises(AssertionError, match="shared"):
        Suite().test_it_may_be_shared_by_threads(tmp_path)
