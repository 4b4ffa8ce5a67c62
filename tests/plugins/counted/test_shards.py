"""Counting in shards: the counts of one pass over the whole text, whatever the memory; and what pruning leaves."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from stackc.api import Device, StackcError, Text
from stackc.api.fields import hashed
from stackc.testing.training import SEGMENT, sample_text, training_task
from stackc_counted import Counted, CountedTraining, shards
from stackc_counted.backend import CountedBackend, CountedPredictor, cumulative
from stackc_counted.counting import count_texts
from stackc_counted.sampling import Sample, spread
from stackc_counted.shards import PLACE_BYTES, Counter, Sums
from stackc_counted.trie import Trie
from stackc_counted.union import MOST_PLACES, Union

MOST = 1 << 40


def sample_of(seed: int, alphabet: int = 40) -> Sample:
    """Documents of a text that repeats itself, in segments of 100."""
    rng = np.random.default_rng(seed)
    words = [rng.integers(0, alphabet, rng.integers(1, 7)) for _ in range(30)]
    symbols = np.concatenate([words[i] for i in (rng.integers(0, 30, 2500) ** 2 // 30)])
    edges = np.sort(rng.integers(0, len(symbols), 12))
    offsets = np.concatenate([[0], edges, [len(symbols)]])
    dtype = np.min_scalar_type(alphabet)
    return spread(Text(symbols=symbols.astype(dtype), offsets=offsets, source_bytes=len(symbols)), 100, MOST)


def every_third(symbols: Any, bounds: Any) -> Any:
    """The first place of each segment, and every third after it."""
    return np.concatenate([np.arange(a, b, 3) for a, b in itertools.pairwise(bounds)]).astype(np.int64)


def counter(folder: Path, symbols: int, **changes: Any) -> Counter:
    """One whose shards have this many symbols, with room for all that is found in them."""
    made = Counter(alphabet=40, memory=2 * PLACE_BYTES * symbols, threads=1, prune=0, folder=folder)
    return attrs.evolve(made, **changes)


def same(left: Trie, right: Trie) -> bool:
    return np.array_equal(left.table, right.table)


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of some hundred symbols find more texts than their memory would hold."""
    monkeypatch.setattr(shards, "TEXT_BYTES", 0)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("least", [1, 3, 200])
@pytest.mark.parametrize("starts", [None, every_third], ids=["everywhere", "some"])
def test_shards_of_any_size_count_as_one(seed: int, least: int, starts: Any, tmp_path: Path) -> None:
    sample = sample_of(seed)
    symbols, bounds = sample.read()
    places = None if starts is None else starts(symbols, bounds)
    whole = count_texts(symbols, bounds, places, alphabet=40, least=least, length=7)
    for size in (1500, 4000, len(symbols)):
        found = counter(tmp_path, size).count(sample, starts, 7, lambda places: least)
        assert same(found, whole)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(4))
def test_a_shard_whose_texts_are_all_rare_counts_nothing_more(seed: int, tmp_path: Path) -> None:
    """Groups of an earlier depth stayed in its file, and were taken for those of a later one."""
    rng = np.random.default_rng(seed)
    usual = np.tile(rng.integers(0, 20, 50), 40)
    symbols = np.concatenate([usual[:1000], rng.integers(0, 40, 1000), usual[1000:]]).astype(np.uint8)
    offsets = np.array([0, len(symbols)])
    sample = spread(Text(symbols=symbols, offsets=offsets, source_bytes=len(symbols)), 100, MOST)
    for least in (3, 5, 9):
        whole = count_texts(*sample.read(), None, alphabet=40, least=least, length=8)
        assert same(counter(tmp_path, 500).count(sample, None, 8, lambda places, least=least: least), whole)


@pytest.mark.parametrize("room", [60, 150, 1000])
def test_rare_texts_need_no_memory(room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that do not fit together are added up in ranges; only those that are kept must fit."""
    sample = sample_of(3)
    whole = count_texts(*sample.read(), every_third(*sample.read()), alphabet=40, least=60, length=7)
    monkeypatch.setattr(shards, "TEXT_BYTES", 1500 * PLACE_BYTES // room)  # so many texts fit
    texts, added = [], Sums.add
    monkeypatch.setattr(Sums, "add", lambda sums, *more: (added(sums, *more), texts.append(len(sums)))[0])
    assert same(counter(tmp_path, 1500).count(sample, every_third, 7, lambda places: 60), whole)
    assert (max(texts) > room) is (room < 1000)
    assert list(tmp_path.iterdir()) == []


def test_shards_of_one_segment_each(tmp_path: Path) -> None:
    sample = sample_of(9).some(slice(20, 28))
    whole = count_texts(*sample.read(), None, alphabet=40, least=2, length=4)
    assert same(counter(tmp_path, 1).count(sample, None, 4, lambda places: 2), whole)


def test_threads_and_the_width_of_symbols_change_nothing(tmp_path: Path) -> None:
    narrow, wide = sample_of(5), sample_of(5)
    wide = attrs.evolve(wide, text=attrs.evolve(wide.text, symbols=wide.text.symbols.astype(np.uint32)))
    one = counter(tmp_path, 3000).count(narrow, every_third, 6, lambda places: 3)
    assert same(one, counter(tmp_path, 3000, threads=3).count(narrow, every_third, 6, lambda places: 3))
    assert same(one, counter(tmp_path, 4000).count(wide, every_third, 6, lambda places: 3))


@pytest.mark.parametrize("prune", [1, 2, 5])
def test_pruning_does_not_depend_on_memory(prune: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "BLOCK", 3000)
    sample = sample_of(7)
    found = [
        counter(tmp_path, size, prune=prune).count(sample, every_third, 6, lambda places: 4)
        for size in (700, 1400, 10**6)
    ]
    assert same(found[0], found[1])
    assert same(found[0], found[2])
    exact = counter(tmp_path, 10**6).count(sample, every_third, 6, lambda places: 4)
    assert same(found[0], exact) is (prune == 1)
    by_hand: dict[tuple[int, ...], int] = {}
    for block in sample.shards(3000):
        symbols, bounds = block.read()
        trie = count_texts(symbols, bounds, every_third(symbols, bounds), alphabet=40, least=prune, length=6)
        for text, count in texts_of(trie).items():
            by_hand[text] = by_hand.get(text, 0) + count
    assert texts_of(found[0]) == {text: count for text, count in by_hand.items() if count >= 4}


def test_pruning_a_text_of_one_run(tmp_path: Path) -> None:
    sample = sample_of(8)
    nine = counter(tmp_path, 10**6).count(sample, None, 5, lambda places: 9)
    for size in (3000, 10**6):
        assert same(counter(tmp_path, size, prune=9).count(sample, None, 5, lambda places: 2), nine)


def texts_of(trie: Trie) -> dict[tuple[int, ...], int]:
    texts: list[tuple[int, ...]] = [()] * len(trie)
    for node in range(len(trie)):
        for child in range(trie.first[node], trie.first[node + 1]):
            texts[child] = (*texts[node], int(trie.symbol[child]))
    return dict(zip(texts, trie.count.tolist(), strict=True))


def test_too_little_memory_is_an_error_of_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "TEXT_BYTES", 640)
    said = (
        r"^counted: [\d,]+ texts take [1-9]\d* MB, more than half of run\.memory \(0 MB\); raise run\.memory, or count"
    )
    with pytest.raises(StackcError, match=said):
        counter(tmp_path, 150).count(sample_of(1), every_third, 7, lambda places: 1)
    assert list(tmp_path.iterdir()) == []


def test_counts_beyond_what_a_trie_holds_are_halved() -> None:
    many = Union(3)
    many.levels = [
        (np.array([0, 1]), np.array([5 * MOST_PLACES, 3])),
        (np.array([0, 2, 3]), np.array([4 * MOST_PLACES, MOST_PLACES, 3])),
    ]
    trie = many.trie(5 * MOST_PLACES + 3, 3)
    assert texts_of(trie) == {
        (): (5 * MOST_PLACES + 3) >> 3, (0,): 5 * MOST_PLACES >> 3, (1,): 0, (0, 0): MOST_PLACES >> 1,
        (0, 2): MOST_PLACES >> 3, (1, 0): 0,
    }  # fmt: skip
    assert texts_of(many.trie(MOST_PLACES, 4))[(0, 2)] == MOST_PLACES
    assert (1,) not in texts_of(many.trie(MOST_PLACES, 4))
    rows = cumulative(np.array([5 * MOST_PLACES, 3, 1 << 39]))
    assert rows[0] == 0
    assert rows[-1] == 1 << 30
    assert (np.diff(rows) >= 0).all()


def trained(folder: Path, text: Text, memory: int) -> CountedPredictor:
    backend, settings = CountedBackend(Counted(order=2, length=6)), CountedTraining(rounds=2, least=3)
    device = Device(memory=memory)

    def cut(predictor: Any, symbols: Any, offsets: Any) -> Any:
        return every_third(symbols, offsets)

    backend.train(training_task(5, settings, folder, train=text, cut=cut, device=device))
    return backend.load(folder, 5, device)


def test_a_training_is_the_same_with_any_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "PLACE_BYTES", 500)  # a megabyte is for 1,000 symbols then
    text = sample_text(5, 40 * SEGMENT + 3)
    models = {memory: trained(tmp_path / str(memory), text, memory) for memory in (1, 2, 1024)}
    for model in models.values():
        for left, right in zip(model.tries, models[1024].tries, strict=True):
            assert same(left, right)
        assert np.array_equal(model.base, models[1024].base)


def test_pruning_is_a_bit_field_that_old_keys_do_not_have() -> None:
    assert "prune" not in hashed(CountedTraining())
    assert hashed(CountedTraining(prune=2))["prune"] == 2


@pytest.mark.parametrize("seed", range(3))
def test_sums_add_up_what_comes_in_any_number_of_parts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys, counts = rng.integers(0, 300, 5000), rng.integers(1, 9, 5000)
    sums, most = Sums(), 0
    for part in np.array_split(np.arange(5000), np.sort(rng.integers(0, 5000, 40))):
        sums.add(keys[part], counts[part])
        most = max(most, len(sums.waiting))
    assert most > 1, "parts wait for each other"
    found = sums.settle()
    assert np.array_equal(found[0], np.unique(keys))
    assert np.array_equal(found[1], np.bincount(keys, counts, 300).astype(np.int64)[found[0]])
    assert Sums().settle()[0].tolist() == []
