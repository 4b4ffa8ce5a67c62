"""The contract of models that code bit by bit, as tests: subclass `BitwiseContract` in a test module."""

from __future__ import annotations

import functools
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from stackc.api.arrays import RESTART, Symbols, Uint8
from stackc.api.limits import PROBABILITY_BITS
from stackc.api.models import BitwisePredictor, Device, Predictor
from stackc.parts.abilities import codes_bitwise
from stackc.parts.bitwise import BitwiseRows, bitwise_dtype, decisions
from stackc.testing.models import ModelContract
from stackc.testing.sharing import Job
from stackc.testing.training import sample_text

GUARD = 64
"""Entries in front of and behind an array that must not change."""

SCRATCH_BYTES = 1 << 16
"""Memory that one call may take besides its working copy: arguments, small views."""


class BitwiseContract(ModelContract):
    """The promises of every model that codes bit by bit. All of `ModelContract` is tried too, on rows made of it.

    Subclass it in a test module, with a name that starts with Test::

        class TestBits(BitwiseContract):
            def config(self):
                return BitsConfig(slots=10)

            def make(self):
                return BitsBackend(self.config()), None

    Keep the model tiny: it is trained about ten times, and its tables are copied often.
    """

    lengths: ClassVar[tuple[int, ...]] = (0, 1, 2, 60, 1000)
    """Lengths of the runs that are tried."""

    def loaded(self, frozen: Path, alphabet: int, device: Device | None = None) -> Predictor:
        return BitwiseRows(self.bitwise(frozen, alphabet, device))

    def bitwise(self, frozen: Path, alphabet: int, device: Device | None = None) -> BitwisePredictor:
        """The model that its own backend loads."""
        found: Any = self.make()[0].load(frozen, alphabet, device or Device())
        assert codes_bitwise(found), f"load gave a {type(found).__name__}, which has no encode_block and decode_block"
        return found

    @pytest.fixture
    def model(self, frozen: Path, alphabet: int) -> BitwisePredictor:
        return self.bitwise(frozen, alphabet)

    # -- what it is

    def test_it_says_what_it_takes(self, model: BitwisePredictor, alphabet: int) -> None:
        stated = self.config().cost(alphabet, self.make()[1]).copy_memory
        assert stated in (0, model.state_bytes), f"its cost states {stated} bytes, state_bytes {model.state_bytes}"
        assert model.alphabet == alphabet
        assert isinstance(model.state_bytes, int)
        assert model.state_bytes >= 0
        model.begin()
        tracemalloc.start()
        try:
            state = model.begin()
            made = tracemalloc.get_traced_memory()[0]
            assert made <= model.state_bytes + SCRATCH_BYTES, "a working copy takes more than state_bytes"
            run = runs(alphabet, (200,))[0]
            coded(model, state, run)  # whatever is made once, such as compiled code
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            out, back = np.empty(2000, np.uint8), np.empty_like(run)
            size = model.encode_block(state, run, out)
            model.decode_block(state, out[: max(0, size)], back)
            assert tracemalloc.get_traced_memory()[1] - before <= SCRATCH_BYTES, "coding takes its own memory"
        finally:
            tracemalloc.stop()

    # -- runs

    def test_what_is_encoded_decodes(self, model: BitwisePredictor, alphabet: int) -> None:
        """Random symbols, equal ones, the smallest, the largest, a text: with one working copy for all."""
        writing, reading = model.begin(), model.begin()
        for run in runs(alphabet, self.lengths):
            payload = coded(model, writing, run)
            np.testing.assert_array_equal(decoded(model, reading, payload, len(run)), run)

    def test_every_run_starts_from_the_primed_state(self, model: BitwisePredictor, alphabet: int) -> None:
        used = model.begin()
        for run in runs(alphabet, self.lengths):
            payload = coded(model, model.begin(), run)
            assert coded(model, used, run) == payload, "another payload with a working copy that was used before"
            for spoil in _spoilers(alphabet):
                spoil(model, used)
                np.testing.assert_array_equal(decoded(model, used, payload, len(run)), run)
                spoil(model, used)
                assert coded(model, used, run) == payload

    def test_the_room_decides_only_whether_it_fits(self, model: BitwisePredictor, alphabet: int) -> None:
        state = model.begin()
        for run in runs(alphabet, self.lengths):
            payload = coded(model, state, run)
            for room in {0, len(payload) // 2, max(0, len(payload) - 1), len(payload), len(payload) + 1}:
                found = coded_in(model, state, run, room)
                assert found == (payload if room >= len(payload) else None), f"{len(payload)} bytes in room for {room}"

    def test_any_payload_decodes_and_nothing_else_is_touched(self, model: BitwisePredictor, alphabet: int) -> None:
        rng, state = np.random.default_rng(21), model.begin()
        text = runs(alphabet, (200,))[0]
        for kind in range(40):
            size = int(rng.integers(0, 60))
            payload = rng.integers(0, 256, size).astype(np.uint8).tobytes()
            if kind < 4:
                payload = (b"\0", b"\xff", b"\x80", b"")[kind] * size
            elif kind % 2:
                payload = bytearray(coded(model, state, text))  # type: ignore[assignment]
                payload[int(rng.integers(len(payload)))] ^= 1 << int(rng.integers(8))  # type: ignore[index]
            found = decoded(model, state, bytes(payload), 300)
            assert int(found.max()) < 1 << decisions(alphabet), "a symbol of more bits than a symbol has"
            np.testing.assert_array_equal(decoded(model, model.begin(), bytes(payload), 300), found)
        np.testing.assert_array_equal(decoded(model, state, coded(model, state, text), len(text)), text)

    # -- rows

    def test_tree_gives_probabilities_and_changes_nothing(self, model: BitwisePredictor, alphabet: int) -> None:
        state, again = model.begin(), model.begin()
        model.restart(state)
        model.restart(again)
        for symbol in runs(alphabet, (40,))[0].tolist():
            found = tree(model, state)
            assert found[1:].min() >= 1, "a probability of 0"
            np.testing.assert_array_equal(tree(model, state), found)
            np.testing.assert_array_equal(tree(model, again), found)
            model.advance(state, symbol)
            model.advance(again, symbol)

    def test_tree_gives_the_probabilities_that_coding_uses(self, model: BitwisePredictor, alphabet: int) -> None:
        """A payload takes as many bytes as the probabilities of its decisions say."""
        state, rng = model.begin(), np.random.default_rng(22)
        for text in runs(alphabet, (30, 300)):
            # Zeros at the end of a payload are not written, which random symbols at the end of a run make rare.
            end = rng.integers(0, alphabet, 10 + 64 // decisions(alphabet))
            run = np.concatenate([text, end]).astype(text.dtype)
            model.restart(state)
            cost = 0.0
            for symbol in run.tolist():
                cost += _cost(tree(model, state), symbol, decisions(alphabet))
                model.advance(state, symbol)
            size = len(coded(model, state, run))
            assert abs(size - cost / 8) <= 5 + cost / 8 / 500, f"{size} bytes; its probabilities say {cost / 8:.1f}"

    # -- callers that share it

    def sharing_jobs(self, predictor: Predictor) -> list[Job]:
        bitwise = predictor.bitwise  # type: ignore[attr-defined]
        jobs: list[Job] = [functools.partial(_there_and_back, bitwise, number) for number in range(3)]
        return [*jobs, functools.partial(_rows, bitwise)]

    def test_other_threads_run_while_it_codes(self, frozen_five: Path) -> None:
        model = self.bitwise(frozen_five, 5)
        state, run = model.begin(), np.tile(runs(5, (1000,))[0], 40)
        coded(model, state, run[:100])
        spans: list[float] = []

        def code() -> None:
            for part in range(20):
                first = time.perf_counter()
                model.encode_block(state, run, np.empty(len(run) + 1000, np.uint8))
                spans.append(time.perf_counter() - first)
                if part > 2 and sum(spans) > 0.5:
                    break

        thread = threading.Thread(target=code)
        thread.start()
        woken = 0
        while thread.is_alive():
            time.sleep(0.0005)
            woken += 1
        # Held throughout a call, the lock of Python leaves room for about one turn between two calls.
        if max(spans) > 0.02:
            assert woken > 2 * len(spans), "encode_block keeps the GIL: compile its loop with stackc.api.kernel"


def runs(alphabet: int, lengths: tuple[int, ...]) -> list[Symbols]:
    """Runs of every length: a text with something to learn, random symbols, and one symbol only."""
    rng = np.random.default_rng(20)
    found = []
    for length in lengths:
        text = sample_text(alphabet, max(1, length), seed=length).symbols[:length]
        for run in (text, rng.integers(0, alphabet, length), np.zeros(length), np.full(length, alphabet - 1)):
            found.append(np.array(run, bitwise_dtype(alphabet)))
    return found


def coded_in(model: BitwisePredictor, state: Any, run: Symbols, room: int) -> bytes | None:
    """A payload from a buffer of `room` bytes, behind and in front of which nothing may change; None: no room."""
    memory = np.full(room + 2 * GUARD, 170, np.uint8)
    given = run.copy()
    size = model.encode_block(state, given, memory[GUARD : GUARD + room])
    assert (memory[:GUARD] == 170).all()
    assert (memory[GUARD + room :] == 170).all(), "bytes were written behind the buffer"
    np.testing.assert_array_equal(given, run, "encode_block changed the symbols")
    assert -1 <= size <= room, f"{size} bytes in a buffer of {room}"
    return None if size < 0 else memory[GUARD : GUARD + size].tobytes()


def coded(model: BitwisePredictor, state: Any, run: Symbols) -> bytes:
    """The payload of a run."""
    found = coded_in(model, state, run, 2 * decisions(model.alphabet) * len(run) + 64)
    assert found is not None, "a payload of more than two bytes for each decision"
    return found


def decoded(model: BitwisePredictor, state: Any, payload: bytes, length: int) -> Symbols:
    """A run of some length from a payload, with guards around both."""
    kind = bitwise_dtype(model.alphabet)
    memory = np.full(length + 2 * GUARD, 170, kind)
    given = np.full(len(payload) + 2 * GUARD, 170, np.uint8)
    given[GUARD : GUARD + len(payload)] = np.frombuffer(payload, np.uint8)
    model.decode_block(state, given[GUARD : GUARD + len(payload)], memory[GUARD : GUARD + length])
    assert given[GUARD : GUARD + len(payload)].tobytes() == payload, "decode_block changed the payload"
    assert (memory[:GUARD] == 170).all()
    assert (memory[GUARD + length :] == 170).all(), "symbols were written behind the run"
    found: Symbols = memory[GUARD : GUARD + length]
    return found


def tree(model: BitwisePredictor, state: Any) -> Any:
    """The probabilities of the next symbol's decisions: uint16[2^k]."""
    out = np.zeros((1 << decisions(model.alphabet)) + GUARD, np.uint16)
    model.tree(state, out[:-GUARD])
    assert not out[-GUARD:].any(), "tree wrote behind its array"
    return out[:-GUARD].copy()


def _cost(probabilities: Any, symbol: int, bits: int) -> float:
    """Bits of a symbol under its decisions' probabilities."""
    node, cost = 1, 0.0
    for shift in range(bits - 1, -1, -1):
        bit = symbol >> shift & 1
        one = int(probabilities[node]) / (1 << PROBABILITY_BITS)
        cost -= float(np.log2(one if bit else 1 - one))
        node = 2 * node + bit
    return cost


def _spoilers(alphabet: int) -> list[Any]:
    """Whatever a working copy may have been used for."""
    other = runs(alphabet, (30,))[1]

    def steps(model: BitwisePredictor, state: Any) -> None:
        model.restart(state)
        for symbol in other[:5].tolist():
            tree(model, state)
            model.advance(state, symbol)

    return [
        lambda model, state: decoded(model, state, b"hostile", 50),
        lambda model, state: coded_in(model, state, other, 2),
        steps,
    ]


def _there_and_back(model: BitwisePredictor, number: int) -> list[Any]:
    """Payloads of some runs and what they decode to, on its own working copy."""
    found: list[Any] = []
    state = model.begin()
    for run in runs(model.alphabet, (3 + number, 40))[number:6]:
        out = np.zeros(300, np.uint8)
        size = model.encode_block(state, run.copy(), out)
        payload: Uint8 = out[:size].copy()
        back = np.zeros_like(run)
        model.decode_block(state, payload, back)
        found += [payload, back]
    return found


def _rows(model: BitwisePredictor) -> list[Any]:
    """Rows of a text, on its own working copy."""
    predictor = BitwiseRows(model)
    state = predictor.start(2)
    found = [predictor.step(state, np.full(2, RESTART)).copy()]
    for symbol in (1, 0, 1):
        rows = predictor.step(state, np.array([symbol, 1 - symbol]))
        found.append(rows.copy())
    return found
