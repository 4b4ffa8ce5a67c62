"""All models: kernels and twin agree, and the tables are those of the configuration."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from mixing_toys import ALPHABETS, CONFIGS, FEW, decoded, encoded, predictor_of, spoil, texts, twin_of
from stackc_mixing import Mixing, MixingTraining, layout
from stackc_mixing.state import depth_of

ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))

CASES = [(alphabet, name) for alphabet in ALPHABETS for name in texts(alphabet, 1)]


# The twins, in plain Python, take most of the time of this file: half of the run, but for the long form.
@pytest.mark.parametrize("share", [2, pytest.param(1, marks=pytest.mark.long)], ids=["half", "whole"])
@ALL
@pytest.mark.parametrize("primed", [False, True], ids=["unprimed", "primed"])
@pytest.mark.parametrize(("alphabet", "name"), CASES)
def test_payloads_and_tables_are_the_twins(config: Mixing, alphabet: int, name: str, primed: bool, share: int) -> None:
    length = 240 if alphabet <= 256 else 120
    text = texts(alphabet, 2 * length)[name]
    predictor = predictor_of(text[: length if primed else 0], alphabet, config)
    run = text[length : length + length // share]
    state = predictor.begin()
    twin = twin_of(state, alphabet)
    payload = encoded(predictor, run, state=state)
    assert twin.encode(run.tolist()) == payload
    for table, found in state.tables.items():
        assert np.array_equal(found, np.asarray(twin.tables[table])), f"{table} learned something else"
    assert decoded(predictor, payload, len(run), state).tolist() == run.tolist()
    assert twin_of(predictor.begin(), alphabet).decode(payload, 30) == run[:30].tolist()


@ALL
@pytest.mark.parametrize("alphabet", [2, 10, 256, 1000])
def test_trees_are_the_twins_and_leave_the_state_as_it_was(config: Mixing, alphabet: int) -> None:
    text = texts(alphabet, 200)["damaged repeats"]
    predictor = predictor_of(text[:150], alphabet, config)
    state, out = predictor.begin(), np.zeros(1 << depth_of(alphabet), np.uint16)
    twin = twin_of(state, alphabet)
    for place, symbol in enumerate(text[150:170].tolist()):
        if place % 5 == 0:
            before = {name: table.copy() for name, table in state.tables.items()}
            predictor.tree(state, out)
            assert twin.tree() == out[1:].tolist()
            assert all(np.array_equal(before[name], table) for name, table in state.tables.items())
        predictor.advance(state, symbol)
        for bit in twin.decisions(symbol):
            twin.probability()
            twin.learn(bit)


@ALL
def test_a_run_that_replaces_most_slots_is_the_twins(config: Mixing) -> None:
    text = texts(256, 2500 if config is FEW else 1500)["noise"]
    predictor = predictor_of([], 256, config)
    state = predictor.begin()
    assert twin_of(state, 256).encode(text.tolist()) == encoded(predictor, text, state=state)
    checks = state.tables["lean"][:: layout.SLOT]
    assert np.count_nonzero(checks) > 0.9 * len(checks)


@ALL
@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_a_text_decodes_from_any_room_that_it_fits_in(config: Mixing, alphabet: int) -> None:
    predictor = predictor_of([], alphabet, config)
    state = predictor.begin()
    for length in (0, 1, 2, 100):
        for run in texts(alphabet, length).values():
            payload = encoded(predictor, run, state=state)
            assert encoded(predictor, run, len(payload), state) == payload
            assert decoded(predictor, payload, length, state).tolist() == run.tolist()
            if payload:
                assert predictor.encode_block(state, run, np.zeros(len(payload) - 1, np.uint8)) == -1


@ALL
@pytest.mark.parametrize("seed", range(6))
def test_hostile_states_code_as_the_twin_says(config: Mixing, seed: int) -> None:
    """Sums wrap around as in machine words, whatever the tables hold; what is encoded still decodes."""
    rng = np.random.default_rng([7, seed])
    alphabet = (256, 10, 1000)[seed % 3]
    predictor = predictor_of([], alphabet, config)
    state = predictor.begin()
    spoil(state, rng, alphabet)
    twin = twin_of(state, alphabet)
    run, out = texts(alphabet, 80)["damaged repeats"], np.zeros(4000, np.uint8)
    size = predictor.encode_block(state, run, out)
    assert size >= 0
    assert twin.encode(run.tolist()) == out[:size].tobytes()
    assert all(np.array_equal(table, np.asarray(twin.tables[name])) for name, table in state.tables.items())
    back = np.zeros_like(run)
    predictor.decode_block(state, out[:size].copy(), back)
    assert np.array_equal(back, run)


@ALL
def test_where_numbers_take_the_place_of_text_the_payload_is_the_twins(config: Mixing) -> None:
    """Some contexts look for numbers near bytes that no text has, and for words again some bytes later."""
    samples = (3000 * np.sin(np.arange(200) / 9)).astype("<i2").view(np.uint8)
    prose = texts(256, 300)["prose"]
    run = np.concatenate([prose[:150], samples, prose, np.array([7], np.uint8), prose])
    state = predictor_of([], 256, config).begin()
    twin = twin_of(state, 256)
    assert twin.encode(run.tolist()) == encoded(predictor_of([], 256, config), run, state=state)
    assert all(np.array_equal(table, np.asarray(twin.tables[name])) for name, table in state.tables.items())


# -- configuration


@ALL
@pytest.mark.parametrize("alphabet", [2, 200, 1000])
def test_the_configuration_knows_the_sizes_of_the_tables(config: Mixing, alphabet: int) -> None:
    predictor, cost = predictor_of([], alphabet, config), config.cost(alphabet, MixingTraining())
    tables = predictor.begin().tables
    assert config.tables(alphabet) == {name: (table.itemsize, len(table)) for name, table in tables.items()}
    assert cost.parameters == sum(len(table) for table in tables.values())
    assert cost.copy_memory == predictor.state_bytes == sum(table.nbytes for table in tables.values())


GOLDEN_FRESH = {
    "many": {2: "eb96471798bc1b5e", 256: "1ff3ae084f24bd32", 1000: "013575c5ed7b17ba"},
    "some": {2: "5d6f5de0510bbfa2", 256: "7c0a7d0ca26689a2", 1000: "e5ca016c7e42dcbe"},
    "few": {2: "079dcf14d2d07686", 256: "fc278bbea4a26c21", 1000: "65827c186a5de56f"},
    "six": {2: "ed0febf0cc2db07d", 256: "ed0febf0cc2db07d", 1000: "ed0febf0cc2db07d"},
    "twelve": {2: "9c47f90c1ab8828a", 256: "d961f5d7f17b1641", 1000: "1f1e0068ecf93570"},
}
"""SHA-256 of all tables before anything was read, the first 16 digits."""


@ALL
@pytest.mark.parametrize("alphabet", [2, 256, 1000])
def test_fresh_tables_are_golden(config: Mixing, alphabet: int) -> None:
    digest = hashlib.sha256()
    for name, table in predictor_of([], alphabet, config).begin().tables.items():
        digest.update(name.encode() + table.astype(table.dtype.newbyteorder("<")).tobytes())
    assert digest.hexdigest()[:16] == GOLDEN_FRESH[config.contexts][alphabet]
