"""The model `mixing`: its contract, its twin, its tables, and runs that it codes."""

from __future__ import annotations

import hashlib
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from mixing_toys import ALPHABETS, SMALL, decoded, encoded, predictor_of, primed_on, texts, twin_of
from stackc.api import Device
from stackc.testing.bitwise import BitwiseContract
from stackc.testing.training import training_task
from stackc_mixing import Mixing, MixingTraining, backend, config, layout, self_test, tables
from stackc_mixing.backend import FILE, MixingBackend
from stackc_mixing.layout import SEEN_BITS
from stackc_mixing.state import LARGE, Working, depth_of
from stackc_mixing.tables import HISTORIES, SPAN, SQUASH, STRETCH


class TestMixingContract(BitwiseContract):
    alphabets = (1, 2, 5, 256, 300)

    def config(self) -> Mixing:
        return SMALL

    def make(self) -> tuple[MixingBackend, MixingTraining]:
        return MixingBackend(SMALL), MixingTraining()


# -- the twin


def test_a_tree_over_the_largest_alphabet_is_the_twins() -> None:
    text = texts(65_536, 60)["damaged repeats"]
    predictor = predictor_of(text[:50], 65_536)
    state, out = predictor.begin(), np.zeros(1 << 16, np.uint16)
    for symbol in text[50:].tolist():
        predictor.advance(state, symbol)
    predictor.tree(state, out)
    twin = twin_of(predictor.begin(), 65_536)
    twin.encode(text[50:].tolist())
    for partials in (range(1, 300), range(32_700, 33_000), range(65_400, 65_536)):
        assert twin.tree(partials) == out[partials.start : partials.stop].tolist()


def test_long_matches_reach_every_class_of_length() -> None:
    """A match of thousands of symbols: in all classes, beyond what is looked back over, and into the window."""
    part = texts(256, 700)["noise"]
    run = np.concatenate([part, part, part[:300], part[100:], np.resize(part[:50], 600)])
    predictor = predictor_of(part, 256, attrs.evolve(SMALL, window=500))
    state = predictor.begin()
    payload = encoded(predictor, run, state=state)
    assert len(payload) < len(part), "the run repeats the window and itself"
    assert decoded(predictor, payload, len(run), state).tolist() == run.tolist()
    fresh = predictor.begin()
    encoded(predictor, run, state=state)
    assert (state.tables["hits"] != fresh.tables["hits"])[2 * layout.LEAST + 4 :].reshape(-1, 2).any(axis=1).all()


def test_threads_with_a_copy_each_give_the_same_bytes_in_any_order() -> None:
    runs = [text for seed in range(3) for text in texts(256, 3000, seed).values()]
    predictor = predictor_of(runs[0], 256)
    expected = [encoded(predictor, run) for run in runs]
    found: dict[int, list[bytes]] = {}

    def code(thread: int) -> None:
        state = predictor.begin()
        order = range(len(runs)) if thread == 0 else reversed(range(len(runs)))
        made = {place: encoded(predictor, runs[place], state=state) for place in order}
        for place in made:
            assert np.array_equal(decoded(predictor, made[place], len(runs[place]), state), runs[place])
        found[thread] = [made[place] for place in range(len(runs))]

    threads = [threading.Thread(target=code, args=(thread,)) for thread in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: expected, 1: expected}


@pytest.mark.parametrize("alphabet", [2, 256, 1000])
def test_a_tree_says_what_coding_costs_and_leaves_the_state_as_it_was(alphabet: int) -> None:
    run = texts(alphabet, 400)["damaged repeats"]
    predictor = predictor_of(run[:100], alphabet)
    state, depth = predictor.begin(), depth_of(alphabet)
    out, cost = np.zeros(1 << depth, np.uint16), 0.0
    for symbol in run.tolist():
        before = {name: table.copy() for name, table in state.tables.items()} | {"memory": state.memory.copy()}
        predictor.tree(state, out)
        after = state.tables | {"memory": state.memory}
        if symbol % 17 == 0:
            assert all(np.array_equal(before[name], after[name]) for name in before)
        node = 1
        for shift in reversed(range(depth)):
            bit = symbol >> shift & 1
            cost -= np.log2((out[node] if bit else 65536 - int(out[node])) / 65536)
            node = 2 * node + bit
        predictor.advance(state, symbol)
    size = len(encoded(predictor, run))
    assert abs(size - cost / 8) < 4 + size / 50
    advanced = predictor.begin()
    predictor.restart(advanced)
    encoded(predictor, run, state=advanced)
    for name, table in state.tables.items():
        assert np.array_equal(table, advanced.tables[name]), f"advancing and encoding make different {name}"


def test_payloads_that_no_encoder_wrote_decode_within_bounds() -> None:
    rng = np.random.default_rng(5)
    for alphabet in ALPHABETS:
        predictor = predictor_of(texts(alphabet, 200)["repeats"], alphabet)
        state, memory = predictor.begin(), np.full(400, 77, backend.symbols_dtype(alphabet))
        payload = encoded(predictor, texts(alphabet, 200)["damaged repeats"])
        for _ in range(20):
            wrong = bytearray(payload[: int(rng.integers(len(payload) + 1))])
            for place in rng.integers(0, len(wrong), 3) if wrong else ():
                wrong[place] ^= 1 << int(rng.integers(8))
            for given in (bytes(wrong), rng.bytes(len(wrong))):
                predictor.decode_block(state, np.frombuffer(given, np.uint8).copy(), memory[100:300])
                assert (memory[:100] == 77).all()
                assert (memory[300:] == 77).all()
                assert int(memory[100:300].max()) < 1 << depth_of(alphabet)


# -- training


def trained(folder: Path, text: Any, alphabet: int, settings: MixingTraining, config: Mixing = SMALL) -> Any:
    """A predictor built as a recipe builds it."""
    model = MixingBackend(config)
    whole = training_task(alphabet, settings, folder)
    model.train(attrs.evolve(whole, train=attrs.evolve(whole.train, symbols=text, offsets=np.array([0, len(text)]))))
    (folder / "frozen").mkdir()
    model.freeze(folder, folder / "frozen", alphabet)
    return model.load(folder / "frozen", alphabet, Device())


def test_priming_in_chunks_is_priming_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = texts(256, 500)["damaged repeats"]
    once = primed_on(text, 256)
    monkeypatch.setattr(backend, "CHUNK", 7)
    reports: list[tuple[int, int]] = []
    again = backend.prime(SMALL, text.copy(), 256, lambda done, total: reports.append((done, total)))
    assert reports[-1] == (500, 500)
    assert len(reports) == 72
    assert (again.seen, again.window.tolist()) == (once.seen, once.window.tolist())
    for name, table in once.tables.items():
        assert np.array_equal(table, again.tables[name]), name


@pytest.mark.parametrize("alphabet", [2, 256, 1000])
def test_a_state_from_files_is_the_one_that_was_written(tmp_path: Path, alphabet: int) -> None:
    text = texts(alphabet, 300)["damaged repeats"]
    loaded = trained(tmp_path, text, alphabet, MixingTraining())
    assert encoded(loaded, text) == encoded(predictor_of(text, alphabet), text)
    assert sorted(path.name for path in (tmp_path / "frozen").iterdir()) == sorted([FILE, "rich.slots", "lean.slots"])


def test_sample_is_the_end_of_the_text_and_none_is_allowed(tmp_path: Path) -> None:
    text = texts(256, 300)["noise"]
    for sample in (0, 1, 100, 300, 5000):
        folder = tmp_path / str(sample)
        folder.mkdir()
        found = trained(folder, text, 256, MixingTraining(sample=sample))
        assert encoded(found, text) == encoded(predictor_of(text[max(0, 300 - sample) :], 256), text)


def test_a_window_is_the_end_of_the_text_and_finds_what_it_holds() -> None:
    text, sizes = texts(256, 4000)["noise"], []
    for window in (0, 6, 1000):
        predictor = predictor_of(text, 256, attrs.evolve(SMALL, window=window))
        state = predictor.begin()
        assert state.primed.window.tolist() == text[len(text) - window :].tolist()
        sizes.append(len(encoded(predictor, text[-900:])))
    assert sizes[2] < sizes[0] / 5
    assert abs(sizes[1] - sizes[0]) < 20


# -- memory


@pytest.mark.parametrize("alphabet", [2, 256, 65_536])
def test_state_bytes_are_what_a_working_copy_takes(alphabet: int) -> None:
    predictor = predictor_of([], alphabet)
    assert predictor.state_bytes == sum(table.nbytes for table in predictor.begin().tables.values())
    tracemalloc.start()
    try:
        state = predictor.begin()
        taken = tracemalloc.get_traced_memory()[0]
        assert predictor.state_bytes <= taken <= predictor.state_bytes + (1 << 14)
        assert isinstance(state, Working)
    finally:
        tracemalloc.stop()


def test_the_configuration_repeats_the_sizes_of_the_kernels() -> None:
    """`config` repeats sizes of the kernels, so that a recipe is checked without numba."""
    assert config.SETS == layout.SETS
    assert (config.ROWS_1, config.ROWS_2) == (layout.ROWS_1, layout.ROWS_2)
    assert (config.SLOT, config.POINTS, config.LENGTHS) == (layout.SLOT, layout.POINTS, layout.LENGTHS)


# -- tables


def test_squash_and_stretch_are_monotone_and_inverse() -> None:
    assert (np.diff(SQUASH) >= 0).all()
    assert SQUASH.min() == 1
    assert SQUASH.max() == 65535
    assert (np.diff(STRETCH) >= 0).all()
    assert np.abs(STRETCH).max() <= SPAN
    assert (SQUASH[::-1] + SQUASH == 65536).all()
    exact = 65536 / (1 + np.exp(-np.arange(-SPAN, SPAN + 1) / 256))
    assert np.abs(SQUASH - exact).max() <= 0.5 + 1e-6
    back = SQUASH[STRETCH[8:-8] + SPAN] / 16 - np.arange(8, 4088)
    assert np.abs(back).max() <= 8


def test_histories_are_bounded_and_forget_the_rarer_bit() -> None:
    assert len(HISTORIES.known) <= 256
    assert HISTORIES.moves.max() < len(HISTORIES.known)
    for number, history in enumerate(HISTORIES.known):
        zeros, ones = HISTORIES.counts(history)
        assert min(zeros, ones) < 5
        assert max(zeros, ones) <= 41
        for bit in (0, 1):
            after = HISTORIES.counts(HISTORIES.known[HISTORIES.moves[number, bit]])
            assert after[bit] >= 1
            assert after[1 - bit] <= (zeros, ones)[1 - bit]
    for bit in (0, 1):
        history, seen = 0, []
        for _ in range(60):
            history = int(HISTORIES.moves[history, bit])
            seen.append(HISTORIES.counts(HISTORIES.known[history])[bit])
        assert seen == [min(n, 41) for n in range(1, 61)]


GOLDEN = {
    "SQUASH": ("<i4", "055bd84918acbceb"),
    "STRETCH": ("<i4", "7e88a1ffb27b4d5a"),
    "MOVES": ("|u1", "2517658523c02a7d"),
    "SEEN": ("|u1", "3cd407ac0d512f9e"),
    "START": ("<u4", "264def740671f46c"),
    "KINDS": ("|u1", "897845ed3753acda"),
    "LOWER": ("|u1", "00c700f38385659b"),
    "RATES": ("<i8", "6bbeec5411d6cffd"),
    "CONFIDENCE": ("<i4", "d78a83a65d0e58fb"),
    "MAP_RATES": ("<i8", "082482d75ad867ab"),
}
"""SHA-256 of every constant table, the first 16 digits: what a stack decodes to rests on them."""


def test_constant_tables_are_golden() -> None:
    arrays = {
        "SQUASH": SQUASH, "STRETCH": STRETCH, "MOVES": tables.MOVES, "SEEN": tables.SEEN, "START": HISTORIES.start,
        "KINDS": tables.KINDS, "LOWER": tables.LOWER,
        "RATES": layout.RATES, "CONFIDENCE": layout.CONFIDENCE, "MAP_RATES": layout.MAP_RATES,
    }  # fmt: skip
    found = {
        name: (array.dtype.str, hashlib.sha256(array.astype(array.dtype.newbyteorder("<")).tobytes()).hexdigest()[:16])
        for name, array in arrays.items()
    }
    assert found == GOLDEN


def test_golden_payloads() -> None:
    assert "256, 1000 are right" in self_test.examine((256, 1000))
    assert {alphabet for _, alphabet in self_test._GOLDEN} == {256, 1000}


def test_bits_that_were_seen_are_counted() -> None:
    assert primed_on(np.zeros(100), 256).seen == 800
    assert primed_on(np.zeros(100), 1000).seen == 1000
    state = predictor_of(np.zeros(100), 256).begin()
    assert state.memory[SEEN_BITS] == 800
    assert set(LARGE) <= set(state.tables)
