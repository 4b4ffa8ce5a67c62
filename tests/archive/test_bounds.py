"""Codes that name very long texts, and headers that claim what they like: bounded in time and in memory."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recipes_of_tests import HEAD, TEXT, level
from stackc import CodingError, ContainerError, Stack, build
from stackc.api.windowings import Windowing
from stackc.archive.codec import BlockCodec, room
from stackc.archive.format import BLOCK_HEADER_SIZE, BlockHeader, Header, Trailer, check, pack_index
from stackc.archive.reader import Index, Reader
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.parts.registry import registry
from toys import ToyPredictor

Get = Callable[[str], Stack]


class Certain(ToyPredictor):
    """Symbol 0 has all but the least that the others must have."""

    def row(self, context: tuple[int, ...]) -> np.ndarray:
        row = np.ones(self.alphabet, np.uint32)
        row[0] = (1 << 24) - self.alphabet + 1
        return row


def certain_level(bits: int | None, symbols: int | None = 1024, restart: str = "window") -> Level:
    part = registry().get("coder", "arithmetic")
    return Level(
        LevelSpec(
            name="M1",
            alphabet=256,
            segment=10_240,
            windowing=Windowing(bits=bits, symbols=symbols, restart=restart),
            coder=part.factory(part.config()),
            flags=part.config(),
            token_bits=8,
            load_predictor=lambda: Certain(256),
            lanes=64,
        )
    )


@pytest.mark.parametrize(("bits", "symbols"), [(16, 1024), (32, 1024), (32, 65_535), (None, 3000), (None, None)])
def test_a_code_that_names_a_very_long_text_stops_at_the_symbol_budget(bits: int | None, symbols: int | None) -> None:
    one = certain_level(bits, symbols)
    longest = min(symbols or 10_240, 10_240)
    text = np.zeros(2 * longest, np.int64)
    coded = one.encode(text)
    assert len(coded.tokens) <= 4 * (len(text) // longest + len(text) // 10_240 + 2), "a few tokens name all of it"
    assert np.array_equal(one.decode(coded.tokens).symbols, text)
    begun = time.monotonic()
    with pytest.raises(CodingError, match="more than the expected 100 symbols"):
        one.decode(coded.tokens, most=100)
    assert time.monotonic() - begun < 2
    assert len(one.decode(coded.tokens, most=len(text)).symbols) == len(text)


def test_a_dictionary_says_how_long_its_texts_are_before_it_spells_them(stack: Get) -> None:
    compiled = stack("counting").levels[0]
    assert compiled.dictionary is not None
    longest = int(compiled.dictionary.length.argmax())
    tokens = np.full(1000, longest, np.uint32)
    size = 1000 * int(compiled.dictionary.length.max())
    assert len(compiled.decode(tokens, most=size).symbols) == size
    with pytest.raises(CodingError, match="more than the"):
        compiled.decode(tokens, most=size - 1)


def test_a_payload_that_names_more_than_its_block_is_stopped() -> None:
    """Four thousand bytes that a near-certain model reads as hundreds of millions."""
    codec = BlockCodec([certain_level(16)], certain_top())
    codec.levels[0] = Level(codec.levels[0].spec)
    payload = bytes(4000)
    begun = time.monotonic()
    results = codec.decode([payload, b"\1" * 3000], [4096, 4096])
    assert all(isinstance(result, CodingError) for result in results)
    assert time.monotonic() - begun < 20
    assert int(room(np.array([4096]))[0]) == 2 * 4096 + 64


def certain_top() -> Level:
    return certain_level(None, None, "segment")


def test_texts_of_near_certain_models_fit_in_their_blocks(tmp_path: Path) -> None:
    """All of the training text is one letter, at two levels and on top."""
    (tmp_path / "train-a.txt").write_text("a" * 60_000)
    (tmp_path / "valid.txt").write_text("a" * 1000)
    (tmp_path / "test.txt").write_text("a" * 1000)
    (tmp_path / "certain.toml").write_text(
        HEAD.format(name="certain", segment=10_240)
        + level("M1", 'kind = "equal-info"\nbits = 16', "static-unigram", 16)
        + level("M2", 'kind = "equal-info"\nbits = 32', "arithmetic", 16, 'backend = "unigram"')
        + '[top]\nname = "M3"\n[top.model]\nbackend = "unigram"\n'
    )
    stack = build(tmp_path / "certain.toml", tmp_path / "certain")
    data = b"a" * 300_000
    out, back = io.BytesIO(), io.BytesIO()
    made = stack.compress(io.BytesIO(data), out)
    assert made.written < 1000
    stack.decompress(io.BytesIO(out.getvalue()), back)
    assert back.getvalue() == data


HEADER = Header(
    block_size=1 << 20,
    file_id=b"12345678",
    stack=bytes(32),
    modified=None,
    portability="portable",
    coder=1,
    host="",
)


def test_sizes_are_held_against_the_file_before_anything_is_allocated(tmp_path: Path) -> None:
    """A trailer that claims four thousand million blocks, in a file of a few hundred bytes."""
    for blocks in (1, 1000, (1 << 32) - 1):
        index = pack_index(HEADER.file_id, b"\0" * 4, blocks)
        trailer = Trailer(
            file_id=HEADER.file_id, blocks=blocks, size=blocks, sha256=bytes(32), index_check=check(index)
        )
        file = HEADER.pack() + index + trailer.pack()
        with pytest.raises(ContainerError, match="more blocks than the file has room for"):
            Index(io.BytesIO(file))
        with pytest.raises(ContainerError, match="the index lists"):
            list(Reader(io.BytesIO(file)).blocks())


def test_block_headers_that_claim_too_much_are_damage(tmp_path: Path) -> None:
    def block(**changes: object) -> bytes:
        fields: dict[str, object] = {
            "coded": True, "file_id": HEADER.file_id, "number": 0, "offset": 0, "length": 4, "size": 3,
            "payload_check": check(b"abc"), "source_check": bytes(8),
        }  # fmt: skip
        return BlockHeader(**(fields | changes)).pack()  # type: ignore[arg-type]

    assert len(block()) == BLOCK_HEADER_SIZE
    for changes in (
        {"length": (1 << 20) + 1},
        {"size": (1 << 32) - 1, "length": (1 << 32) - 1},
        {"size": 5},
        {"size": 0},
        {"length": 0, "size": 0},
        {"offset": 1 << 63},
        {"coded": False},
    ):
        with pytest.raises(ContainerError, match="block 0: the block header is damaged"):
            list(Reader(io.BytesIO(HEADER.pack() + block(**changes) + b"abc")).blocks())


def test_salvage_of_nothing_but_headers_is_linear(stack: Get, tmp_path: Path) -> None:
    """Twenty thousand right headers, each of a damaged payload of a MiB that holds all the others: 20 GB to check."""
    from stackc.archive.salvage import salvage

    headers = b"".join(
        BlockHeader(
            coded=True, file_id=HEADER.file_id, number=number, offset=number << 20, length=1 << 20, size=1 << 20,
            payload_check=bytes(8), source_check=bytes(8),
        ).pack()
        for number in range(20_000)
    )  # fmt: skip
    (tmp_path / "headers").write_bytes(headers + bytes(1 << 20))
    begun = time.monotonic()
    with (tmp_path / "headers").open("rb") as source, pytest.raises(ContainerError, match="no undamaged block"):
        salvage(source, io.BytesIO(), lambda header: stack("counting").codec, stack("counting").codec)
    assert time.monotonic() - begun < 10


SCRIPT = """
import os, sys
import stackc
from stackc.stack.stk_files import compress_file, decompress_file, salvage_file, verify_file
from pathlib import Path

stack, text, file = stackc.load(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[2] + ".stk")
compress_file(text, file, stack)
decompress_file(file, Path("back"), stack)
assert Path("back").read_bytes() == text.read_bytes()
os.truncate(file, file.stat().st_size - 100)
try:
    verify_file(file, stack)
    raise SystemExit("a file that was cut off was taken for whole")
except stackc.ContainerError:
    pass
salvage_file(file, Path("salvaged"), stack)
# Not ru_maxrss: that of a child begins with its parent's.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
print(int(peak.split()[1]) // 1024)
"""


def test_memory_stays_below_512_mb(stack: Get, tmp_path: Path) -> None:
    """Three batches through every route, in a process of its own: there, back, cut off, and salvaged."""
    rng = np.random.default_rng(1)
    words = [bytes(rng.integers(97, 123, rng.integers(2, 9)).astype(np.uint8)) for _ in range(500)]
    with (tmp_path / "text").open("wb") as file:
        file.write((TEXT * 6_000).encode())  # shrinks
        file.write(b" ".join(words[i] for i in rng.integers(0, 500, 400_000)))  # does not
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(stack("counting").folder), str(tmp_path / "text")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 512
