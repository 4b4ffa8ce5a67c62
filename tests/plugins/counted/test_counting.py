"""The model `counted`: its contract, its counts and its rows against the plain twin, and odd texts."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stackc.api import TOTAL, ArtifactError, CorpusError, Device, Text, read_tensors, write_tensors
from stackc.api.frequencies import check_frequencies
from stackc.testing.models import ModelContract
from stackc.testing.training import SEGMENT, every_five, sample_text, step_rows, training_task
from stackc_counted import Counted, CountedTraining, mixing, twin
from stackc_counted.backend import FILE, CountedBackend, CountedPredictor, cumulative
from stackc_counted.continuation import continued
from stackc_counted.counting import count_texts
from stackc_counted.mixing import discounted
from stackc_counted.sampling import evenly, spread
from stackc_counted.trie import Trie

CONFIG = Counted(order=2, length=6)


class TestCountedContract(ModelContract):
    def config(self) -> Counted:
        return CONFIG

    def make(self) -> tuple[CountedBackend, CountedTraining]:
        return CountedBackend(CONFIG), CountedTraining(rounds=2, least=1)


class TestCountedContractOfLargeAlphabets(TestCountedContract):
    alphabets = (1, 300, 65_536)


def texts_of(trie: Trie, field: str = "count") -> dict[tuple[int, ...], int]:
    """Every text of a trie with its count, or its total."""
    texts: list[tuple[int, ...]] = [()] * len(trie)
    for node in range(len(trie)):
        for child in range(trie.first[node], trie.first[node + 1]):
            texts[child] = (*texts[node], int(trie.symbol[child]))
    return dict(zip(texts, getattr(trie, field).tolist(), strict=True))


def pieces_of(rng: np.random.Generator, alphabet: int) -> tuple[Any, Any, list[list[int]]]:
    lengths = rng.integers(0, 60, 9)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    symbols = (rng.integers(0, alphabet, offsets[-1]) ** 2 % alphabet).astype(np.min_scalar_type(alphabet))
    return symbols, offsets, [symbols[a:b].tolist() for a, b in itertools.pairwise(offsets)]


@pytest.mark.parametrize("seed", range(12))
def test_texts_are_counted_as_the_twin_counts_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    alphabet = int(rng.choice([1, 2, 5, 300, 70_000]))
    symbols, offsets, pieces = pieces_of(rng, alphabet)
    some = np.flatnonzero(rng.random(len(symbols)) < 0.4)
    length, least = int(rng.integers(1, 9)), int(rng.integers(1, 4))
    for places in (None, some):
        trie = count_texts(symbols, offsets, places, alphabet=alphabet, least=least, length=length)
        everywhere = np.arange(len(symbols)) if places is None else places
        inside = [everywhere[(everywhere >= a) & (everywhere < b)] - a for a, b in itertools.pairwise(offsets)]
        expected = twin.kept(twin.texts_at(pieces, [one.tolist() for one in inside], length), least)
        assert texts_of(trie) == {(): len(everywhere), **expected}


def test_threads_count_alike() -> None:
    rng = np.random.default_rng(1)
    symbols = (rng.integers(0, 40, 200_000) ** 2 % 37).astype(np.uint8)
    offsets = np.arange(0, 200_001, 1000)
    one, three = (
        count_texts(symbols, offsets, None, alphabet=37, least=3, length=5, threads=threads) for threads in (1, 3)
    )
    assert np.array_equal(one.table, three.table)


@pytest.mark.parametrize("seed", range(10))
def test_rows_are_the_twins(seed: int) -> None:
    rng = np.random.default_rng([2, seed])
    alphabet = int(rng.choice([1, 2, 6, 40]))
    config = Counted(order=int(rng.integers(0, 4)), length=5)
    symbols, offsets, pieces = pieces_of(rng, alphabet)
    starts = np.flatnonzero(rng.random(len(symbols)) < 0.3)
    least, longest = int(rng.integers(1, 4)), config.order + 1
    limits = {"alphabet": alphabet, "least": least}
    anchored = count_texts(symbols, offsets, starts, **limits, length=5)
    free = count_texts(symbols, offsets, None, **limits, length=longest)
    by_text = texts_of(anchored), texts_of(anchored)
    fallback = twin.continued(texts_of(free), longest, least)
    free = continued(free, longest, least)
    assert (texts_of(free), texts_of(free, "total")) == fallback
    counts = np.bincount(symbols, minlength=alphabet)
    base = cumulative(counts)
    assert base.tolist() == twin.base(counts.tolist())
    predictor = CountedPredictor(config, discounted(anchored), discounted(free), base)
    for piece in (piece for piece in pieces if piece):
        restarts = rng.random(len(piece)) < 0.2
        rows = step_rows(predictor, np.array(piece), restarts)
        check_frequencies(rows, alphabet, "counted")
        since: tuple[int, ...] = ()
        for place, symbol in enumerate(piece):
            since = () if restarts[place] else since
            row = twin.frequencies(by_text, fallback, base.tolist(), config.order, since)
            assert rows[place].tolist() == row
            since = (*since, symbol)


def test_every_row_sums_to_the_total_when_one_symbol_has_nearly_all() -> None:
    symbols = np.zeros(1 << 17, np.uint8)
    symbols[::5000] = 1
    trie = count_texts(symbols, np.array([0, len(symbols)]), None, alphabet=2, least=2, length=9)
    trie = discounted(trie)
    predictor = CountedPredictor(Counted(order=8), trie, trie, cumulative(np.bincount(symbols)))
    rows = step_rows(predictor, symbols[:40])
    assert (rows.sum(axis=1, dtype=np.int64) == TOTAL).all()
    assert rows[20, 0] > TOTAL * 0.999


def trained(folder: Path, symbols: Any, alphabet: int = 5, **changes: Any) -> CountedPredictor:
    text = Text(symbols=symbols, offsets=np.array([0, len(symbols)]), source_bytes=len(symbols))
    backend = CountedBackend(CONFIG)
    settings = changes.pop("settings", CountedTraining(rounds=1, least=1))
    backend.train(training_task(alphabet, settings, folder, train=text, **changes))
    (folder / "frozen").mkdir()
    backend.freeze(folder, folder / "frozen", alphabet)
    return backend.load(folder / "frozen", alphabet, Device())


def test_discounts_leave_every_count_something() -> None:
    for count in [*range(1, 2000), *(1 << k for k in range(11, 31))]:
        assert 0 < mixing.weight(count) == twin.weight(count) < mixing.UNIT * count
    assert mixing.weight(0) == twin.weight(0) == 0


def test_a_text_of_one_symbol_works(tmp_path: Path) -> None:
    predictor = trained(tmp_path, np.zeros(300, np.uint8), alphabet=3, cut=every_five)
    rows = step_rows(predictor, np.zeros(20, np.uint8))
    check_frequencies(rows, 3, "counted")
    assert (rows[:, 0] > TOTAL * 0.9).all()


def test_an_empty_text_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no symbols"):
        trained(tmp_path, np.zeros(0, np.uint8))


def test_where_windows_restart_nothing_the_model_sees_more_than_the_last_symbols(tmp_path: Path) -> None:
    predictor = trained(tmp_path, sample_text(5).symbols, cut=None)
    rng = np.random.default_rng(3)
    left, right = rng.integers(0, 5, (2, 30))
    right[-3:] = left[-3:]  # order 2, and one to be predicted
    assert (step_rows(predictor, left)[-1] == step_rows(predictor, right)[-1]).all()
    assert len(predictor.tries[0]) == 1


def test_what_is_rare_is_not_kept(tmp_path: Path) -> None:
    symbols = sample_text(5, 3000).symbols
    full = trained(tmp_path / "full", symbols, cut=every_five)
    least = trained(tmp_path / "least", symbols, cut=every_five, settings=CountedTraining(rounds=1, least=9))
    few = trained(tmp_path / "few", symbols, cut=every_five, settings=CountedTraining(rounds=1, texts=20))
    assert least.tries[0].weight.min() >= mixing.weight(9)
    assert len(few.tries[0]) < len(full.tries[0])
    assert full.parameters > few.parameters > 0


@pytest.mark.parametrize("most", [1, 50, 96, 100, 250, 10**6])
def test_samples_are_whole_segments_evenly_spread(most: int) -> None:
    text = sample_text(300, 4 * SEGMENT + 5)
    symbols, bounds = spread(text, SEGMENT, most).read()
    assert len(symbols) == bounds[-1]
    assert len(symbols) <= max(most, SEGMENT)
    assert (np.diff(bounds) <= SEGMENT).all()
    whole, edges = spread(text, SEGMENT, 10**6).read()
    assert whole.tolist() == text.symbols.tolist()
    chosen = evenly(edges, most)
    pieces = [whole[edges[i] : edges[i + 1]].tolist() for i in chosen]
    assert [symbols[a:b].tolist() for a, b in itertools.pairwise(bounds)] == pieces


def test_files_that_are_no_counts_are_refused(tmp_path: Path) -> None:
    trained(tmp_path, sample_text(5).symbols, cut=every_five)
    path = tmp_path / "frozen" / FILE
    arrays = read_tensors(path)

    def reverse(name: str) -> Any:
        return arrays[name][::-1].copy()

    def changed(name: str, at: int, value: int) -> Any:
        array = arrays[name].copy()
        array[at] = value
        return array

    wrapping = arrays["base"].copy()
    wrapping[2:4] = (1 << 62) + 5, -(1 << 62) - 9  # every difference wraps to one that rises
    assert (np.diff(wrapping) >= 0).all()
    tried: Counter[str] = Counter()
    for name, array in (
        ("base", reverse("base")),
        ("base", arrays["base"][:-1]),
        ("base", wrapping),
        ("free.symbol", reverse("free.symbol")),
        ("free.symbol", changed("free.symbol", 3, 1000)),
        ("free.weight", changed("free.weight", 2, 1 << 30)),
        ("free.total", changed("free.total", 0, 0)),
        ("free.weight", arrays["free.weight"].astype(np.int64)),
        ("anchored.first", changed("anchored.first", 0, 0)),
        ("anchored.first", changed("anchored.first", 1, 1 << 31)),
        ("anchored.first", arrays["anchored.first"][:-1]),
    ):
        write_tensors(path, {**arrays, name: array})
        with pytest.raises(ArtifactError):
            CountedBackend(CONFIG).load(tmp_path / "frozen", 5, Device())
        tried[name] += 1
    assert sum(tried.values()) == 11
