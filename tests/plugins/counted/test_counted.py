"""`uniform` and `unigram`: the contract, and what they know."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest

from stackc.api import MAX_COUNT, TOTAL, CodingError, Device, Text, normalise, read_tensors, write_tensors
from stackc.testing.models import ModelContract
from stackc.testing.training import Reports, sample_text, training_task
from stackc_counted import UniformConfig, UnigramConfig
from stackc_counted import models as counted_models
from stackc_counted.constant import ConstantPredictor
from stackc_counted.models import Uniform, Unigram, count


class TestUniformContract(ModelContract):
    def config(self) -> UniformConfig:
        return UniformConfig()

    def make(self) -> tuple[Uniform, None]:
        return Uniform(), None


class TestUnigramContract(ModelContract):
    alphabets = (1, 2, 5, 256, 4096)

    def config(self) -> UnigramConfig:
        return UnigramConfig()

    def make(self) -> tuple[Unigram, None]:
        return Unigram(), None


def unigram(folder: pathlib.Path, symbols: Any, alphabet: int, **changes: Any) -> ConstantPredictor:
    text = Text(symbols=symbols, offsets=np.array([0, len(symbols)]), source_bytes=len(symbols))
    backend = Unigram()
    task = training_task(alphabet, None, folder, train=text, **changes)
    backend.train(task)
    backend.freeze(folder, folder, alphabet)
    return backend.load(folder, alphabet, Device())


def test_uniform_shares_equally_and_gives_the_rest_to_the_first() -> None:
    predictor = Uniform().load(pathlib.Path(), 3, Device())
    assert predictor.row.tolist() == [TOTAL // 3 + 1, TOTAL // 3, TOTAL // 3]


def test_unigram_normalises_the_counts_of_the_text(tmp_path: pathlib.Path) -> None:
    symbols = np.array([0, 0, 0, 2, 2, 4], dtype=np.uint8)
    np.testing.assert_array_equal(unigram(tmp_path, symbols, 5).row, normalise(np.array([3, 0, 2, 0, 1])))


def test_unigram_of_a_memory_map_in_chunks(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted_models, "CHUNK", 7)
    path = tmp_path / "tokens.bin"
    symbols = sample_text(300, 100).symbols
    symbols.astype("<u2").tofile(path)
    mapped, reports = np.memmap(path, dtype="<u2", mode="r"), Reports()
    row = unigram(tmp_path / "model", mapped, 300, progress=reports).row
    np.testing.assert_array_equal(row, normalise(np.bincount(symbols, minlength=300)))
    assert reports.count == 15


def test_unigram_of_no_text_is_uniform(tmp_path: pathlib.Path) -> None:
    row = unigram(tmp_path, np.zeros(0, dtype=np.uint8), 5).row
    np.testing.assert_array_equal(row, normalise(np.ones(5, dtype=np.int64)))


def test_counts_beyond_the_range_of_frequencies_are_halved(tmp_path: pathlib.Path) -> None:
    write_tensors(tmp_path / "counts.safetensors", {"counts": np.array([4 * MAX_COUNT, 2 * MAX_COUNT, 1, 0])})
    Unigram().freeze(tmp_path, tmp_path, 4)
    row = read_tensors(tmp_path / "frequencies.safetensors")["frequencies"].astype(np.int64)
    assert int(row.sum()) == TOTAL
    assert abs(int(row[0]) - 2 * int(row[1])) <= 4
    assert row[2:].tolist() == [1, 1]


@pytest.mark.parametrize("symbols", [[0, 5], [-1, 2]])
def test_symbols_outside_the_alphabet(symbols: list[int]) -> None:
    with pytest.raises(CodingError, match="in a text over 5 symbols"):
        count(np.array(symbols), 5)


def test_step_refuses_a_symbol_outside_the_alphabet() -> None:
    predictor = Uniform().load(pathlib.Path(), 3, Device())
    with pytest.raises(CodingError, match="symbol 3 in an alphabet of 3"):
        predictor.step(predictor.start(1), np.array([3]))


def test_score_holds_few_rows_of_a_large_alphabet(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Uniform().load(pathlib.Path(), 1 << 20, Device())
    sizes = [len(block) for block in predictor.score(np.zeros(10, dtype=np.int64))]
    assert sizes == [4, 4, 2]
