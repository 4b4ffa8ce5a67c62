"""A compiled level against tiktoken: one vocabulary size, one text, one run, repeats in turn, medians.

The dictionary is a stand-in, counted here: from all bytes on, the texts of the last round and the symbols after them
are counted as the encoder cuts, and the most frequent become texts. tiktoken gets a byte-level BPE that `tokenizers`
trains on the same text. See conftest.py for how to run it.
"""

from __future__ import annotations

import json
import lzma
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stackc.coding.dictionary.dictionary import Dictionary
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc_coders import ArithmeticConfig
from stackc_coders.arithmetic import ArithmeticCoder

SIZE = 65_536
TRAIN_BYTES, TEST_BYTES = 20_000_000, 20_000_000
SEGMENT = 10_240
ROUNDS = 14
GPT2 = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""

Bytes = npt.NDArray[np.uint8]


class Windows:
    """Windows of 16 bits: one token each."""

    bits, symbols, restart, cuts, table = 16, None, "window", None, None


def counted_dictionary(text: Bytes, size: int) -> Dictionary:
    """The stand-in: at most `size` texts."""
    words: list[bytes] = [b"", *(bytes([byte]) for byte in range(256))]
    for round_ in range(ROUNDS):
        words.sort()  # preorder
        number = {word: code for code, word in enumerate(words)}
        parent = np.array([number[word[:-1]] if word else -1 for word in words], np.int32)
        symbol = np.array([word[-1] if word else -1 for word in words], np.int32)
        dictionary = Dictionary(parent, symbol, 256)
        if round_ == ROUNDS - 1 or len(words) >= size:
            break
        codes, _ = dictionary.encode(text, np.array([0, len(text)]), SEGMENT, SEGMENT)
        starts = dictionary.starts(codes)[1:]
        cut = starts % SEGMENT != 0  # a segment's end says nothing of what comes next
        pairs, counts = np.unique(codes[:-1][cut].astype(np.int64) << 8 | text[starts[cut]], return_counts=True)
        room = size - len(words)
        wanted = room if round_ == ROUNDS - 2 else max(1000, room // 3)
        chosen = pairs[np.argsort(-counts, kind="stable")[: min(wanted, room)]].tolist()
        words += [words[pair >> 8] + bytes([pair & 255]) for pair in chosen]
    return dictionary


def byte_pair_ranks(text: bytes, size: int) -> dict[bytes, int]:
    """A byte-level BPE, as tiktoken wants it."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    decoded = text.decode(errors="ignore")
    tokenizer.train_from_iterator((decoded[i : i + 100_000] for i in range(0, len(decoded), 100_000)), trainer)
    # The letters that GPT-2 writes bytes with: printable bytes as themselves, the others from U+0100 on.
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {chr(byte): byte for byte in plain}
    letters |= {chr(256 + i): byte for i, byte in enumerate(b for b in range(256) if b not in plain)}
    vocabulary = json.loads(tokenizer.to_str())["model"]["vocab"]
    return {bytes(letters[letter] for letter in token): rank for token, rank in vocabulary.items()}


def read(folder: Path, ending: str, limit: int) -> bytes:
    (path,) = folder.glob(f"*{ending}.txt.xz")
    with lzma.open(path) as file:
        return file.read(limit)


@pytest.fixture(scope="module")
def train(pytestconfig: pytest.Config) -> bytes:
    return read(pytestconfig.getoption("corpus"), "train", TRAIN_BYTES)


@pytest.fixture(scope="module")
def text(pytestconfig: pytest.Config) -> bytes:
    held_out = read(pytestconfig.getoption("corpus"), "test", TEST_BYTES).decode(errors="ignore").encode()
    return held_out * (TEST_BYTES // len(held_out))


@pytest.fixture(scope="module")
def peer(train: bytes) -> Any:
    tiktoken = pytest.importorskip("tiktoken", reason="a peer that is not installed")
    return tiktoken.Encoding("peer", pat_str=GPT2, mergeable_ranks=byte_pair_ranks(train, SIZE), special_tokens={})


@pytest.fixture(scope="module")
def dictionary(train: bytes, peer: Any) -> Dictionary:
    return counted_dictionary(np.frombuffer(train, np.uint8), peer.n_vocab)


def level_of(dictionary: Dictionary, threads: int = 1) -> Level:
    return Level(
        LevelSpec(
            name="M1",
            alphabet=256,
            segment=SEGMENT,
            windowing=Windows(),
            coder=ArithmeticCoder(),
            flags=ArithmeticConfig(),
            token_bits=16,
            threads=threads,
        ),
        dictionary=dictionary,
    )


def in_turn(works: dict[str, Callable[[], Any]], repeats: int = 7) -> dict[str, float]:
    """Median seconds of each."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(repeats):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            taken[name].append(time.perf_counter() - begun)
    return {name: statistics.median(times) for name, times in taken.items()}


def test_encoding_and_decoding_beside_tiktoken(dictionary: Dictionary, peer: Any, text: bytes) -> None:
    level = level_of(dictionary)
    symbols, decoded = np.frombuffer(text, np.uint8), text.decode()
    tokens, theirs = level.encode(symbols).tokens, peer.encode_ordinary(decoded)
    assert level.decode(tokens).symbols.tobytes() == text == peer.decode_bytes(theirs)
    seconds = in_turn(
        {
            "encode": lambda: level.encode(symbols).tokens,
            "tiktoken encode": lambda: peer.encode_ordinary(decoded),
            "decode": lambda: level.decode(tokens).symbols.tobytes(),
            "tiktoken decode": lambda: peer.decode_bytes(theirs),
        }
    )
    print(f"\n{len(dictionary):,} texts, {peer.n_vocab:,} of tiktoken; {len(text):,} bytes")
    print(f"bytes a token {len(text) / len(tokens):.3f}, {len(text) / len(theirs):.3f}")
    print("; ".join(f"{name} {len(text) / 1e6 / taken:.1f} MB/s" for name, taken in seconds.items()))
    faster = {name: seconds[f"tiktoken {name}"] / seconds[name] for name in ("encode", "decode")}
    print("times tiktoken: " + ", ".join(f"{name} {ratio:.1f}" for name, ratio in faster.items()))
    assert faster["encode"] >= 15
    assert faster["decode"] >= 3


def test_worst_cases_cost_at_most_three_times_the_typical(dictionary: Dictionary, text: bytes) -> None:
    level = level_of(dictionary)
    million = 1_000_000
    typical = np.frombuffer(text[:million], np.uint8)
    whole = np.array([0, million])
    random = np.random.default_rng(0).integers(0, 256, million).astype(np.uint8)
    cases = {
        "typical": (typical, whole),
        "equal bytes": (np.full(million, 97, np.uint8), whole),
        "random bytes": (random, whole),
        **{
            f"documents of {size}": (typical, np.append(np.arange(0, million, size), million))
            for size in (1, 2, 10, 100, 300, 1000)
        },
        "random documents of 1": (random, np.arange(million + 1)),
    }
    seconds = in_turn({name: lambda case=case: level.encode(*case).tokens for name, case in cases.items()}, 15)
    coded = {name: level.encode(*case) for name, case in cases.items()}
    back = in_turn(
        {name: lambda one=one: level.decode(one.tokens, one.offsets).symbols for name, one in coded.items()}, 15
    )
    print("\nper byte, in units of the typical: encoding, decoding")
    for name in cases:
        print(f"{name}: {seconds[name] / seconds['typical']:.2f}, {back[name] / back['typical']:.2f}")
    assert max(seconds.values()) <= 3 * seconds["typical"]


def test_threads(dictionary: Dictionary, text: bytes) -> None:
    levels = {threads: level_of(dictionary, threads) for threads in (1, 2, 4)}
    symbols = np.frombuffer(text, np.uint8)
    tokens = levels[1].encode(symbols).tokens
    assert all((level.encode(symbols).tokens == tokens).all() for level in levels.values())
    encoding = in_turn({str(t): lambda level=level: level.encode(symbols).tokens for t, level in levels.items()})
    decoding = in_turn({str(t): lambda level=level: level.decode(tokens).symbols for t, level in levels.items()})
    for name, seconds in (("encoding", encoding), ("decoding", decoding)):
        print(f"\n{name}, times one thread: " + ", ".join(f"{t}: {seconds['1'] / s:.2f}" for t, s in seconds.items()))


@pytest.mark.parametrize("work", ["open", "encode", "decode"])
def test_one_by_one(benchmark: Any, dictionary: Dictionary, text: bytes, work: str) -> None:
    level = level_of(dictionary)
    symbols = np.frombuffer(text, np.uint8)
    tokens = level.encode(symbols).tokens
    works = {
        "open": lambda: Dictionary(dictionary.parent, dictionary.symbol, 256),
        "encode": lambda: level.encode(symbols),
        "decode": lambda: level.decode(tokens),
    }
    benchmark.pedantic(works[work], rounds=7, warmup_rounds=1)
