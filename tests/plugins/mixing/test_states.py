"""States in files that are not as they were written: one line, or within bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import stackc.api.bitwise
from bounded_kernels import bounded, inner, jit, within
from mixing_toys import ALPHABETS, CONFIGS, SMALL, TWELVE, predictor_of, primed_on, spoil, texts
from stackc.api import ArtifactError, Device, read_tensors, write_tensors
from stackc_mixing import contexts, few, inputs, kernels, learning, mixing, six, slots, twelve, vectors
from stackc_mixing.backend import FILE, MixingBackend, MixingPredictor
from stackc_mixing.layout import AT, DECODE, ENCODE, LEARN
from stackc_mixing.state import LARGE, depth_of, shapes, symbols_dtype

TENSORS = [name for name in shapes(SMALL, 256) if name not in LARGE]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    primed_on(texts(256, 200)["repeats"], 256).save(tmp_path)
    return tmp_path


def load(folder: Path, alphabet: int = 256) -> MixingPredictor:
    return MixingBackend(SMALL).load(folder, alphabet, Device())


def refused(folder: Path, match: str) -> None:
    with pytest.raises(ArtifactError, match=match) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("name", [*TENSORS, "window", "seen"])
def test_an_array_that_is_not_as_configured_is_one_line(folder: Path, name: str) -> None:
    right = read_tensors(folder / FILE)
    array = right[name]
    kind = np.dtype(np.int16 if name == "window" else np.int32 if array.dtype != np.int32 else np.uint32)
    grown = np.resize(array, len(array) + 1)  # of a window: more than the configuration allows
    wrong: list[Any] = [array.astype(kind), grown, array[None]]
    if name != "window":
        wrong += [array[:-1], array[:0]]
    for one in wrong:
        write_tensors(folder / FILE, right | {name: one})
        refused(folder, name)
    write_tensors(folder / FILE, {other: right[other] for other in right if other != name})
    refused(folder, name)
    write_tensors(folder / FILE, right)
    load(folder).begin()


@pytest.mark.parametrize("name", ["scores", "matches", "weights"])
def test_scores_that_are_not_as_configured_are_one_line(tmp_path: Path, name: str) -> None:
    primed_on(texts(256, 300)["prose"], 256, TWELVE).save(tmp_path)
    right = read_tensors(tmp_path / FILE)
    for wrong in (right[name].astype(np.uint32), right[name][:-1], right[name][None]):
        write_tensors(tmp_path / FILE, right | {name: wrong})
        with pytest.raises(ArtifactError, match=f"{name} is not int32") as caught:
            MixingBackend(TWELVE).load(tmp_path, 256, Device())
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seen", [-1, 1 << 62, -(1 << 63), (1 << 63) - 1])
def test_numbers_of_bits_that_cannot_be_are_one_line(folder: Path, seen: int) -> None:
    write_tensors(folder / FILE, read_tensors(folder / FILE) | {"seen": np.array([seen])})
    refused(folder, "seen is not a number of bits")


@pytest.mark.parametrize("name", LARGE)
def test_a_large_table_of_another_size_or_none_is_one_line(folder: Path, name: str) -> None:
    path = folder / f"{name}.slots"
    data = path.read_bytes()
    for wrong in (b"", data[:-1], data + b"\0"):
        path.write_bytes(wrong)
        refused(folder, f"{name}.slots: has")
    path.unlink()
    refused(folder, f"{name}.slots: cannot read")
    path.mkdir()
    refused(folder, f"{name}.slots: ")


@pytest.mark.parametrize("name", LARGE)
def test_a_large_table_that_changes_while_it_is_used_is_one_line(folder: Path, name: str) -> None:
    """It is read again for every run."""
    predictor, path = load(folder), folder / f"{name}.slots"
    state, out = predictor.begin(), np.zeros(100, np.uint8)
    predictor.encode_block(state, np.zeros(9, np.uint8), out)
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(ArtifactError, match=f"{name}.slots: is shorter than it was"):
        predictor.encode_block(state, np.zeros(9, np.uint8), out)
    path.unlink()
    for use in (predictor.begin, lambda: predictor.encode_block(state, np.zeros(9, np.uint8), out)):
        with pytest.raises(ArtifactError, match=f"{name}.slots: cannot read") as caught:
            use()
        assert "\n" not in str(caught.value)
    path.write_bytes(data)
    predictor.encode_block(state, np.zeros(9, np.uint8), out)


def test_a_missing_or_damaged_file_is_one_line(folder: Path) -> None:
    data = (folder / FILE).read_bytes()
    for wrong in (b"", data[:20], data[:-1], b"\xff" * 100):
        (folder / FILE).write_bytes(wrong)
        refused(folder, FILE)
    (folder / FILE).unlink()
    refused(folder, FILE)


def test_a_state_for_another_alphabet_is_one_line(folder: Path) -> None:
    for alphabet in (2, 300):
        with pytest.raises(ArtifactError, match="build the stack again"):
            load(folder, alphabet)


# -- states whose hashes are right, and whose tables nothing wrote


@inner
def checked_load(array: Any, index: Any) -> Any:
    within(index, len(array) - vectors.LANES + 1)
    return vectors.load(array, index)


@inner
def checked_store(array: Any, index: Any, value: Any) -> None:
    within(index, len(array) - vectors.LANES + 1)
    vectors.store(array, index, value)


@pytest.fixture(scope="module")
def checked() -> Any:
    """The kernels, where an index that is negative or too large is an error."""
    more: dict[str, Any] = {"load": checked_load, "store": checked_store, "inlined": inner, "kernel": jit}
    for module in (stackc.api.bitwise, contexts, slots, inputs, mixing, learning):  # in the order of their imports
        copy = vars(bounded(module, **more))
        more |= {name: copy[name] for name, one in vars(module).items() if hasattr(one, "py_func")}
    copy = vars(bounded(kernels, **more))
    more |= {name: copy[name] for name, one in vars(kernels).items() if hasattr(one, "py_func")}
    return bounded(kernels, **more), bounded(few, **more), bounded(six, **more), bounded(twelve, **more)


def test_bounded_kernels_find_an_index_out_of_bounds(checked: Any) -> None:
    places = np.zeros(0, np.int32)  # so small that its mask leaves every index as it is
    with pytest.raises(IndexError):
        checked[0].index(np.zeros(9, np.uint8), places)
    window, places = np.arange(9, dtype=np.uint8), np.zeros(1024, np.int32)
    other = places.copy()
    checked[0].index(window, places)
    kernels.index(window, other)
    assert np.array_equal(places, other)


def fuzz(checked: Any, rounds: int, seed: int, wide: bool = False, sizes: tuple[str, ...] = tuple(CONFIGS)) -> None:
    """Hostile tables, odd runs and payloads: the checked kernels find no fault, and give what the others give.

    Args:
        sizes: of the models, by their contexts.
        wide: the symbols of small alphabets, the same ones, take 16 bits too. The kernels are compiled for each width
            on its own, which is nearly all of the time.
    """
    rng = np.random.default_rng(seed)
    states = {
        (contexts, alphabet): predictor_of([], alphabet, config).begin()
        for contexts, config in CONFIGS.items()
        if contexts in sizes
        for alphabet in (*ALPHABETS, 1)
    }
    plain, bounded_copies = (
        {
            "many": (of_all.run, of_all.tree),
            "some": (of_all.run_some, of_all.tree_some),
            "few": (of_few.run_few, of_few.tree_few),
            "six": (of_six.run_six, of_six.tree_six),
            "twelve": (of_twelve.run_twelve, of_twelve.tree_twelve),
        }
        for of_all, of_few, of_six, of_twelve in ((kernels, few, six, twelve), checked)
    )
    for number in range(rounds):
        alphabet = int(rng.choice([*ALPHABETS, 1]))
        contexts = str(rng.choice(sizes))
        state, depth = states[contexts, alphabet], depth_of(alphabet)
        spoil(state, rng, alphabet)
        if wide:
            state.primed = attrs.evolve(state.primed, window=state.primed.window.astype(np.uint16))
        kind, length = symbols_dtype(alphabet), int(rng.integers(1, 120))
        most = np.iinfo(kind).max if rng.random() < 0.3 else min(alphabet, 3) - 1
        symbols = rng.integers(0, most, length, endpoint=True).astype(kind)
        if rng.random() < 0.5:
            symbols = np.resize(symbols[: int(rng.integers(1, 9))], length)
        mode = int(rng.choice([ENCODE, DECODE, LEARN]))
        buffer = rng.integers(0, 256, int(rng.integers(0, 4 * length)), dtype=np.uint8)
        found = []
        for run_one, tree_one in [bounded_copies[contexts], plain[contexts]][: 2 if number % 4 == 0 else 1]:
            state.restore()
            run, room = symbols.astype(np.uint16 if wide else kind), buffer.copy()
            size = run_one(*state.arguments(run), length, depth, mode, room, len(room))
            state.memory[AT] -= 1  # a tree of the last symbol: `before` looks at all others
            out = np.zeros(1 << depth, np.uint16)
            if depth < 16 or number % 32 == 0:
                tree_one(*state.arguments(run), depth, out)
                assert out[1:].all()
            found.append((size, run.tobytes(), room.tobytes(), out.tobytes(), state.memory.tobytes()))
        assert len(set(found)) == 1


def test_hostile_states_stay_within_bounds(checked: Any) -> None:
    """Without `some`, whose kernels are those of `many` with fewer contexts; the long form has all."""
    fuzz(checked, 250, 1, wide=True, sizes=("many", "few", "six", "twelve"))


@pytest.mark.long
@pytest.mark.timeout(0)
def test_many_hostile_states_stay_within_bounds(checked: Any) -> None:
    fuzz(checked, 20_000, 2)


def test_a_window_that_no_text_wrote_is_only_copied_from(folder: Path) -> None:
    """The window may be shorter than the places say, and its symbols need not be of the alphabet."""
    right = read_tensors(folder / FILE)
    for window in (np.zeros(0, np.uint8), np.full(64, 255, np.uint8), right["window"][:3]):
        write_tensors(folder / FILE, right | {"window": window, "places": np.full_like(right["places"], 60)})
        predictor, run = load(folder), np.full(100, 255, np.uint8)
        state, out, back = predictor.begin(), np.zeros(300, np.uint8), np.zeros(100, np.uint8)
        size = predictor.encode_block(state, run, out)
        predictor.decode_block(state, out[:size].copy(), back)
        assert np.array_equal(back, run)
