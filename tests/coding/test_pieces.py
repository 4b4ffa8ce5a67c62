"""Levels of a piece coder, with a toy that takes the longest piece: windows, pieces that are none, prompts."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackc.api import ArtifactError, CodingError, Windowing
from stackc.api.errors import PartError
from stackc.coding.documents import window_starts
from stackc.coding.level import Level
from stackc.coding.pieces import PieceTable
from stackc.coding.spec import LevelSpec
from stackc.stack.generation.constraint import Constraint, PiecesOf, exactly

PIECES = [(0,), (1,), (2,), (), (0, 1), (0, 1, 2), (1, 1), (0, 1)]  # one empty, one twice


class Greedy:
    """Cuts windows into the longest of `PIECES`."""

    budget, ends, total, needs_model = False, True, True, False

    def __init__(self, pieces: list[tuple[int, ...]] = PIECES) -> None:
        self._pieces = pieces

    def pieces(self) -> Any:
        symbols = np.array([symbol for piece in self._pieces for symbol in piece], np.int64)
        return symbols, np.cumsum([0, *map(len, self._pieces)], dtype=np.int64)

    def encode(self, symbols: Any, bounds: Any) -> Any:
        tokens: list[int] = []
        counts = []
        for low, high in itertools.pairwise(bounds.tolist()):
            at, before = low, len(tokens)
            while at < high:
                fits = [t for t, p in enumerate(self._pieces) if p and tuple(symbols[at : min(at + len(p), high)]) == p]
                tokens.append(max(fits, key=lambda token: len(self._pieces[token])))
                at += len(self._pieces[tokens[-1]])
            counts.append(len(tokens) - before)
        return np.array(tokens, np.uint32), np.array(counts, np.int64)


class Joining(Greedy):
    """Decodes by itself. `answer`: what it gives; None: what is right."""

    answer: Any = None

    def decode(self, tokens: Any) -> Any:
        if self.answer is not None:
            return self.answer
        known = [symbol for token in tokens.tolist() if token < len(PIECES) for symbol in PIECES[token]]
        return np.array(known, np.int64)


def level(windowing: Windowing, vocabulary: int = 10, coder: Any = None) -> Level:
    return Level(
        LevelSpec(
            name="M1",
            alphabet=3,
            segment=8,
            windowing=windowing,
            coder=coder or Greedy(),
            token_bits=4,
            vocabulary=vocabulary,
        )
    )


def by_hand(offsets: list[int], segment: int, budget: int, cuts: list[bool]) -> list[int]:
    starts, size = [], 0
    for low, high in itertools.pairwise(offsets):
        for i in range(low, high):
            if (i - low) % segment == 0 or size == budget or cuts[i]:
                starts.append(i)
                size = 0
            size += 1
    return starts


@given(st.lists(st.integers(0, 9), max_size=5), st.integers(1, 6), st.integers(1, 6), st.randoms(use_true_random=False))
def test_windows_start_where_every_rule_says(lengths: list[int], segment: int, budget: int, random: Any) -> None:
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    cuts = [random.random() < 0.3 for _ in range(int(offsets[-1]))]
    found = window_starts(offsets, segment, budget, np.array(cuts, np.bool_))
    assert found.tolist() == by_hand(offsets.tolist(), segment, budget, cuts)
    assert window_starts(offsets, segment, budget, None).tolist() == by_hand(
        offsets.tolist(), segment, budget, [False] * len(cuts)
    )


def test_no_piece_crosses_a_window() -> None:
    symbols = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
    assert level(Windowing(bits=None, symbols=None)).encode(symbols).tokens.tolist() == [5, 5, 4, 2, 0]
    assert level(Windowing(bits=None, symbols=2)).encode(symbols).tokens.tolist() == [4, 2, 0, 1, 2, 4, 2, 0]
    cut = level(Windowing(bits=None, symbols=None, cuts=lambda segment: segment == 1))
    assert cut.encode(symbols).tokens.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]


def test_tokens_without_a_piece_stand_for_nothing() -> None:
    made = level(Windowing(bits=None, symbols=None))
    back = made.decode(np.array([5, 3, 9, 8, 4]), np.array([0, 2, 3, 5]))
    assert back.symbols.tolist() == [0, 1, 2, 0, 1]
    assert back.offsets.tolist() == [0, 3, 3, 5]
    with pytest.raises(CodingError, match="a token outside its alphabet of 10"):
        made.decode(np.array([10]))
    with pytest.raises(CodingError, match="more than the expected 4 symbols"):
        made.decode(np.array([5, 5]), most=4)


@pytest.mark.parametrize(("pieces", "vocabulary"), [(PIECES, 7), ([(0,), (3,)], 10), ([(0,), (0,) * 65_536], 10)])
def test_pieces_that_are_none(pieces: list[tuple[int, ...]], vocabulary: int) -> None:
    with pytest.raises(ArtifactError, match="build the stack again"):
        PieceTable(Greedy(pieces), vocabulary, 3)


def keeps(tokens: tuple[int, ...], text: tuple[int, ...]) -> bool:
    found = tuple(symbol for token in tokens for symbol in PIECES[token])
    return found[: len(text)] == text[: len(found)]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=5))
def test_a_prompt_leaves_every_run_of_pieces_that_keeps_it(symbols: list[int]) -> None:
    """Tokens one after another, against all runs of three."""
    text = tuple(symbols)
    table = PieceTable(Greedy(), 8, 3)
    some = [token for token, piece in enumerate(PIECES) if piece]
    wanted = {run for run in itertools.product(some, repeat=3) if keeps(run, text)}
    found: set[tuple[int, ...]] = set()

    def walk(run: tuple[int, ...], constraint: Constraint | None) -> None:
        if len(run) == 3:
            found.add(run)
            return
        for first, _, after in [(t, t, None) for t in some] if constraint is None else constraint.options():
            walk((*run, first), after)

    inner = exactly(text, None)
    assert inner is not None
    walk((), PiecesOf(table, inner))
    assert found == wanted


def test_a_coder_s_own_decoding_is_used_and_looked_at() -> None:
    tokens, offsets = np.array([5, 0, 3, 9, 1, 7, 7]), np.array([0, 2, 2, 5, 7])
    windowing, joining = Windowing(bits=None, symbols=5), Joining()
    expected = level(windowing).decode(tokens, offsets)
    found = level(windowing, coder=joining).decode(tokens, offsets)
    assert (found.symbols.tolist(), found.offsets.tolist()) == (expected.symbols.tolist(), expected.offsets.tolist())
    assert found.symbols.dtype == expected.symbols.dtype
    with pytest.raises(CodingError, match="more than the expected 8 symbols"):
        level(windowing, coder=joining).decode(tokens, offsets, most=8)
    for answer, said in (
        (np.zeros(8, np.int64), r"decode gave int64\[8\]; the pieces of these tokens have 9 symbols"),
        (np.zeros(9), r"decode gave float64\[9\]"),
        ([0] * 9, "decode gave list"),
        (np.full(9, 3), "decode gave symbol 3, outside the alphabet of 3"),
    ):
        joining.answer = answer
        with pytest.raises(PartError, match=f"M1: its coder: {said}"):
            level(windowing, coder=joining).decode(tokens, offsets)
