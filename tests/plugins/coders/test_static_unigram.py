"""Fitting, storing and refusing: what static-unigram adds to the machinery that it shares with arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stackc.api import ArtifactError, CodingError, Text, Window, normalise, write_tensors
from stackc.testing.driving import encode_lanes
from stackc_coders.arithmetic import ArithmeticCoder
from stackc_coders.static_unigram import FILE, StaticUnigramCoder


def text_of(symbols: np.ndarray) -> Text:
    return Text(symbols=symbols, offsets=np.array([0, len(symbols)]), source_bytes=len(symbols))


def fitted(symbols: np.ndarray, alphabet: int, folder: Path) -> StaticUnigramCoder:
    coder = StaticUnigramCoder()
    coder.fit(text_of(symbols), alphabet, folder)
    coder.load(folder)
    return coder


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int64])
@pytest.mark.parametrize("bits", [None, 16, 64])
def test_it_is_arithmetic_under_the_counts(tmp_path: Path, dtype: type, bits: int | None) -> None:
    symbols = np.array([3, 1, 1, 1, 0, 3, 1, 1, 1, 1], dtype)
    coder = fitted(symbols, 6, tmp_path)
    row = normalise(np.array([1, 7, 0, 2, 0, 0]))[None]
    window = Window(alphabet=6, bits=bits, symbols=20, token_bits=8)
    texts = [[1, 1, 1, 3, 5, 0, 1, 2, 1] * 5]
    own = encode_lanes(coder.lane_encoder(window, 1), window, None, texts)
    assert own == encode_lanes(ArithmeticCoder().lane_encoder(window, 1), window, row, texts)


def test_it_counts_memory_mapped_text_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stackc_coders.static_unigram._BLOCK", 7)
    symbols = np.random.default_rng(0).integers(0, 5, 1000).astype(np.uint8)
    symbols.tofile(tmp_path / "symbols.bin")
    mapped = np.memmap(tmp_path / "symbols.bin", np.uint8, mode="r")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    fitted(mapped, 5, tmp_path / "one")
    monkeypatch.undo()
    fitted(symbols, 5, tmp_path / "two")
    assert (tmp_path / "one" / FILE).read_bytes() == (tmp_path / "two" / FILE).read_bytes()
    del mapped


def test_an_empty_training_text_counts_as_flat(tmp_path: Path) -> None:
    coder = fitted(np.empty(0, np.uint8), 256, tmp_path)
    window = Window(alphabet=256, bits=64, symbols=20, token_bits=16)
    one = encode_lanes(coder.lane_encoder(window, 1), window, None, [[200] * 7])[0]
    assert one.windows == [[200] * 7], "flat bytes cost eight bits and a little: seven of them in 64"


def test_what_it_refuses(tmp_path: Path) -> None:
    window = Window(alphabet=6, bits=16, symbols=20, token_bits=8)
    with pytest.raises(CodingError, match="fit it to a text and load them first"):
        StaticUnigramCoder().encoder(window)
    coder = fitted(np.array([1, 2]), 5, tmp_path)
    with pytest.raises(CodingError, match="counts of 5 symbols, the level an alphabet of 6"):
        coder.lane_encoder(window, 1)
    with pytest.raises(CodingError, match="symbol 7 is outside the alphabet of 5"):
        coder.fit(text_of(np.array([7])), 5, tmp_path)
    for broken in (np.ones(5, np.uint32), np.zeros(5, np.uint32), np.ones(5, np.int64), np.ones((1, 5), np.uint32)):
        write_tensors(tmp_path / FILE, {"frequencies": broken})
        with pytest.raises(ArtifactError, match=FILE):
            coder.load(tmp_path)
    (tmp_path / FILE).write_bytes(b"nothing of the kind")
    with pytest.raises(ArtifactError, match=FILE):
        coder.load(tmp_path)
