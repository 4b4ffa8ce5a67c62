"""The promises of parts that offer their kernels (`stackc.api.compiled`): tests in the suites of coders and models.

A kernel writes to any address, so what it is given here has guards in front and behind.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from stackc.api.arrays import IDLE, RESTART, Frequencies, Int64, Mask, Tokens
from stackc.api.coders import CoderFlags
from stackc.api.compiled import CompiledLanes, CompiledStep
from stackc.api.models import Predictor
from stackc.api.offsets import offsets_of
from stackc.api.windowings import Window
from stackc.parts.abilities import compiles_lanes, compiles_step
from stackc.parts.checked import lanes_of
from stackc.parts.compiled import checked_lanes, checked_state, checked_step, compiled_rows, started
from stackc.testing.driving import decode_lanes, encode_lanes
from stackc.testing.training import step_rows

GUARD = 32
"""Entries in front of and behind an array that must not change."""

PAINT = 170


class CompiledLanesTests:
    """A part of `stackc.testing.CoderContract`."""

    @property
    def flags(self) -> CoderFlags:
        raise NotImplementedError

    def test_kernels_are_tier_1_in_a_loop(self) -> None:
        suite: Any = self
        if not compiles_lanes(suite.make()):
            pytest.skip("offers no kernels")
        assert self.flags.ends, "only a coder that marks where windows end is put into a loop"
        for number, case in enumerate(suite.cases()):
            coder, window, table, texts = suite.setting(number, case)
            rows, cuts, lanes = suite.rows(table), frozenset({2, 9}), len(texts)
            made = checked_lanes(coder, window, "the coder")
            assert (made.row is None) == self.flags.needs_model, "a coder without a model has its own row"
            encoder, decoder = suite.tier_1(coder)
            slow = encode_lanes(encoder(window, lanes), window, rows, texts, cuts)
            assert encode_lanes(KernelEncoder(made, window, lanes), window, rows, texts, cuts) == slow, case
            tokens = np.array([token for one in slow for token in one.tokens], np.uint32)
            spans = list(itertools.pairwise(offsets_of([len(one.tokens) for one in slow]).tolist()))
            back = decode_lanes(KernelDecoder(made, lanes, tokens), window, rows, spans)
            assert [(one.windows, one.sizes) for one in back] == [(one.windows, one.sizes) for one in slow], case
            if self.flags.total:
                tokens = suite.rng(11, number).integers(0, 1 << window.token_bits, 120).astype(np.uint32)
                tokens[40:70], tokens[70:90] = 0, (1 << window.token_bits) - 1
                whole = 1 if window.bits is None else window.bits // window.token_bits
                spans = [(first, first + n - n % whole) for first, n in ((0, 7), (5, 60), (40, 40), (60, 60))]
                slow = decode_lanes(decoder(window, len(spans), tokens), window, rows, spans)
                assert decode_lanes(KernelDecoder(made, len(spans), tokens), window, rows, spans) == slow, case


class CompiledStepTests:
    """A part of `stackc.testing.ModelContract`."""

    def test_its_compiled_step_is_step(self, predictor: Predictor, alphabet: int) -> None:
        """In few lanes and in more, with restarts, the kernels and `step` taking turns if they share a state."""
        step = self._step(predictor)
        for lanes in sorted({1, lanes_of(predictor, 5)}):
            rng, length = np.random.default_rng([12, lanes]), 40
            symbols = rng.integers(0, alphabet, (length, lanes))
            symbols[rng.random((length, lanes)) < 0.1] = RESTART
            symbols[0] = RESTART
            fast, slow = started(step, predictor, lanes, "the model"), predictor.start(lanes)
            for place, inputs in enumerate(symbols):
                expected = predictor.step(slow, inputs)
                if step.start is None and place and place % 7 == 0:
                    np.testing.assert_array_equal(predictor.step(fast, inputs), expected, "`step` after the kernels")
                    continue
                for lane in range(lanes):
                    step.advance(step.tables, fast, lane, int(inputs[lane]))
                for lane in rng.permutation(lanes).tolist():
                    np.testing.assert_array_equal(filled(step, fast, lane, alphabet), expected[lane])
                    np.testing.assert_array_equal(filled(step, fast, lane, alphabet), expected[lane], "filled again")

    def test_its_compiled_step_leaves_its_tables_alone(self, predictor: Predictor, alphabet: int) -> None:
        step = self._step(predictor)
        before = [value.copy() if isinstance(value, np.ndarray) else value for value in step.tables]
        symbols = np.random.default_rng(13).integers(0, alphabet, 60)
        rows = compiled_rows(step, started(step, predictor, 2, "the model"), symbols, 1, alphabet)
        np.testing.assert_array_equal(rows, step_rows(predictor, symbols))
        for value, old in zip(step.tables, before, strict=True):
            np.testing.assert_array_equal(value, old)

    def _step(self, predictor: Predictor) -> CompiledStep:
        if not compiles_step(predictor):
            pytest.skip("offers no kernels")
        assert predictor.portability == "portable", "only a portable model is put into a loop"
        return checked_step(predictor, "the model")


def filled(step: CompiledStep, state: Any, lane: int, alphabet: int) -> Frequencies:
    """A lane's row, with guards around it."""
    memory = np.full(alphabet + 2 * GUARD, PAINT, np.uint32)
    row = memory[GUARD:-GUARD]
    step.fill(step.tables, state, lane, row)
    assert (memory[:GUARD] == PAINT).all()
    assert (memory[-GUARD:] == PAINT).all(), "fill wrote behind the row"
    return row


class KernelEncoder:
    """A coder's kernels as a `LaneEncoder`."""

    def __init__(self, made: CompiledLanes, window: Window, lanes: int) -> None:
        self._made, self._budget = made, window.bits is not None
        self._state = checked_state(made.encoder(lanes, window.symbols), lanes, "a state", "encoder")
        self._sizes = [0] * lanes
        self._no_row = np.zeros(window.alphabet, np.uint32)

    def add(self, freqs: Frequencies | None, symbols: Int64) -> Mask:
        made, fits = self._made, np.zeros(len(symbols), np.bool_)
        for lane in np.flatnonzero(symbols != IDLE).tolist():
            row = (self._no_row if made.row is None else made.row) if freqs is None else freqs[lane].copy()
            fits[lane] = made.add(made.params, self._state, lane, row, int(symbols[lane]))
            self._sizes[lane] += int(fits[lane])
        return fits

    def close(self, lanes: Int64, full: Mask) -> tuple[Tokens, Int64]:
        pieces, made = [np.zeros(0, np.uint32)], self._made
        for lane, is_full in zip(lanes.tolist(), full.tolist(), strict=True):
            fixed, each = made.most_tokens
            most = fixed + each * self._sizes[lane]
            out = np.full(most + 2 * GUARD, PAINT, np.uint32)
            end = int(made.close(made.params, self._state, lane, is_full, out, GUARD))
            assert GUARD < end <= GUARD + most, f"{end - GUARD} tokens; most_tokens says at most {most}"
            assert (out[:GUARD] == PAINT).all()
            assert (out[GUARD + most :] == PAINT).all(), "close wrote behind the tokens that it may write"
            pieces.append(out[GUARD:end])
            self._sizes[lane] = 0
        return np.concatenate(pieces), np.array([len(piece) for piece in pieces[1:]], np.int64)


class KernelDecoder:
    """A coder's kernels as a `LaneDecoder`."""

    def __init__(self, made: CompiledLanes, lanes: int, tokens: Tokens) -> None:
        self._made, self._tokens = made, tokens
        self._state = checked_state(made.decoder(lanes), lanes, "a state", "decoder")

    def open(self, lanes: Int64, starts: Int64, ends: Int64) -> None:
        made = self._made
        for lane, start, end in zip(lanes.tolist(), starts.tolist(), ends.tolist(), strict=True):
            made.open(made.params, self._state, lane, self._tokens, start, end)

    def next(self, freqs: Frequencies | None, active: Mask) -> Int64:
        made, got = self._made, np.full(len(active), -1, np.int64)
        for lane in np.flatnonzero(active).tolist():
            row = made.row if freqs is None else freqs[lane].copy()
            got[lane] = made.next(made.params, self._state, lane, self._tokens, row)
        return got

    def used(self, lanes: Int64, full: Mask) -> Int64:
        made = self._made
        found = [made.used(made.params, self._state, *one) for one in zip(lanes.tolist(), full.tolist(), strict=True)]
        return np.array(found, np.int64)
