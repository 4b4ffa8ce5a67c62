"""Coding piece by piece gives what coding at once gives, and token files hold it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stackc.api import CodingError, StackcError, Windowing
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.interop import token_files as tokens_file
from stackc.interop.token_files import read_tokens, write_tokens
from stackc.stack import streaming
from stackc.stack.streaming import decode_stream, encode_stream
from stackc_coders import ArithmeticConfig
from stackc_coders.arithmetic import ArithmeticCoder
from toys import StepOnly, ToyPredictor


def level(name: str, alphabet: int, predictor: type[ToyPredictor] = ToyPredictor, **windowing: Any) -> Level:
    model = predictor(alphabet, order=1, seed=alphabet, sharpness=1.0)
    return Level(
        LevelSpec(
            name=name,
            alphabet=alphabet,
            segment=40,
            windowing=Windowing(**windowing),
            coder=ArithmeticCoder(),
            flags=ArithmeticConfig(),
            token_bits=4,
            load_predictor=lambda: model,
            lanes=5,
        )
    )


STACKS = {
    "windows alone": [level("M1", 256, bits=12), level("M2", 16, bits=8)],
    "contexts of segments": [level("M1", 256, bits=16, restart="segment"), level("M2", 16, bits=24)],
    "windows of any size": [level("M1", 256, symbols=7), level("M2", 16, bits=12, symbols=3)],
    "not portable": [level("M1", 256, StepOnly, bits=12)],
}


def pieces_of(data: Any, rng: np.random.Generator) -> list[Any]:
    cuts = sorted(rng.integers(0, len(data) + 1, 6).tolist())
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("length", [0, 1, 39, 40, 41, 400, 777])
def test_pieces_of_any_size_code_alike(name: str, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    levels, rng = STACKS[name], np.random.default_rng(length)
    data = bytes(rng.integers(97, 104, length).tolist())
    tokens: Any = np.frombuffer(data, np.uint8)
    for one in levels:
        tokens = one.encode(tokens).tokens
    for size in (1, 100, 1 << 20):
        monkeypatch.setattr(streaming, "PIECE_SYMBOLS", size)
        made = [np.empty(0, np.uint32), *encode_stream(levels, pieces_of(data, rng))]
        assert np.concatenate(made).tolist() == tokens.tolist()
        ignored: list[int] = []
        assert b"".join(decode_stream(levels, pieces_of(tokens, rng), ignored)) == data
        assert sum(ignored) == 0


def test_ignored_tokens_are_counted() -> None:
    levels = [level("M1", 256, bits=12)]
    tokens = levels[0].encode(np.frombuffer(b"abcdefg", np.uint8)).tokens
    ignored: list[int] = []
    assert b"".join(decode_stream(levels, [tokens, np.array([1, 2], np.uint32)], ignored)) == b"abcdefg"
    assert sum(ignored) == 2


def test_a_piece_is_a_bounded_number_of_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is coded at once does not grow with the document."""
    seen: list[int] = []
    one = level("M1", 256, bits=12)
    encode = one.encode
    monkeypatch.setattr(one, "encode", lambda symbols: seen.append(len(symbols)) or encode(symbols))
    monkeypatch.setattr(streaming, "PIECE_SYMBOLS", 100)
    list(encode_stream([one], [b"abc" * 300]))
    assert set(seen) == {80, 900 % 80}


@pytest.mark.parametrize("suffix", tokens_file.SUFFIXES)
@pytest.mark.parametrize("alphabet", [2, 256, 50_257, 1 << 20])
def test_token_files_come_back(tmp_path: Path, suffix: str, alphabet: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_file, "PIECE_TOKENS", 7)
    rng = np.random.default_rng(alphabet)
    for count in (0, 1, 100):
        tokens = rng.integers(0, alphabet, count)
        path = tmp_path / f"tokens{suffix}"
        assert write_tokens(path, pieces_of(tokens, rng), alphabet) == count
        back = [np.empty(0, np.int64), *read_tokens(path, alphabet)]
        assert np.concatenate(back).tolist() == tokens.tolist()
        if suffix == ".npy":
            assert np.load(path).tolist() == tokens.tolist()


def test_what_holds_no_tokens_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "square.npy", np.zeros((2, 2), np.uint8))
    np.save(tmp_path / "floats.npy", np.zeros(2))
    np.save(tmp_path / "large.npy", np.array([3, 16]))
    np.savez(tmp_path / "archive.npz", a=np.zeros(2))
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    (tmp_path / "short.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "odd.bin").write_bytes(b"123")
    (tmp_path / "words.txt").write_text("1 2 three")
    (tmp_path / "minus.txt").write_text("-1")
    for name, alphabet in (
        ("square.npy", 16), ("floats.npy", 16), ("large.npy", 16), ("archive.npy", 16), ("short.npy", 16),
        ("odd.bin", 1000), ("words.txt", 16), ("minus.txt", 16), ("missing.npy", 16), ("tokens.json", 16),
    ):  # fmt: skip
        with pytest.raises(StackcError, match=name.partition(".")[0]):
            list(read_tokens(tmp_path / name, alphabet))


def test_damage_in_the_middle_of_a_stream_is_an_error() -> None:
    levels = STACKS["windows alone"]
    with pytest.raises(CodingError, match="outside its alphabet of 16"):
        list(decode_stream(levels, [np.array([1, 2], np.int64), np.array([16], np.int64)], []))
