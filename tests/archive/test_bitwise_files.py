"""`.stk` files whose top model codes bit by bit: large blocks, threads, damage, and files that stay as they were."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
from typing import Any

import attrs
import numpy as np
import pytest

from bitwise_toys import Packed, Toy
from registered import coder
from stackc.api import Windowing
from stackc.api.errors import CodingError, ContainerError, StackcError
from stackc.archive import writer
from stackc.archive.codec import BLOCK_SIZE, LEARNED_BLOCK_SIZE, BlockCodec
from stackc.archive.decoder import decompress_blocks, decompress_range
from stackc.archive.format import MAX_BLOCK, SMALL_BLOCK, Header, check, unpack_header
from stackc.archive.reader import Index, read_header
from stackc.archive.salvage import salvage
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.parts.bitwise import BitwiseRows, GuardedBitwise
from stackc.parts.checked import GuardedPredictor

STACK = bytes(range(32))


def codec(model: Any, **fields: Any) -> BlockCodec:
    """The codec of a stack without levels, as `Stack.codec` makes it."""
    guarded = GuardedPredictor(BitwiseRows(GuardedBitwise(model, 256, "toy")), 256, "toy")
    spec = LevelSpec(
        name="M1", alphabet=256, segment=100, windowing=Windowing(bits=None, symbols=None, restart="segment"),
        token_bits=8, load_predictor=lambda: guarded, whole_documents=True, **coder("arithmetic"), **fields,
    )  # fmt: skip
    return BlockCodec([], Level(spec))


def packed(made: BlockCodec, data: bytes, **options: Any) -> bytes:
    out = io.BytesIO()
    writer.compress(made, STACK, 1, io.BytesIO(data), out, **options)
    return out.getvalue()


def unpacked(made: BlockCodec, file: bytes) -> bytes:
    out = io.BytesIO()
    decompress_blocks(io.BytesIO(file), out, lambda header: made)
    return out.getvalue()


def text(size: int, seed: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    words = rng.integers(97, 123, (50, 7)).astype(np.uint8)
    return words[rng.integers(0, 50, size // 7 + 1)].tobytes()[:size]


def test_a_block_is_one_run_whatever_the_segment() -> None:
    data = text(3000)
    file = packed(codec(Toy(256)), data)
    assert unpacked(codec(Toy(256)), file) == data
    toy, out = Toy(256), np.zeros(3000, np.uint8)
    size = toy.encode_block(toy.begin(), np.frombuffer(data, np.uint8), out)
    assert out[:size].tobytes() in file, "the payload of the whole block"


def test_the_default_block_is_larger_and_old_sizes_stay() -> None:
    made = codec(Packed())
    assert (made.block_size, made.max_block) == (LEARNED_BLOCK_SIZE, MAX_BLOCK) == (1 << 22, 1 << 26)
    assert BLOCK_SIZE == 1 << 16
    file = packed(made, text(100))
    assert read_header(io.BytesIO(file)).block_size == 1 << 22


@pytest.mark.parametrize(("block_size", "version"), [(SMALL_BLOCK, 1), (SMALL_BLOCK + 1, 2), (MAX_BLOCK, 2)])
def test_only_larger_blocks_make_a_newer_version(block_size: int, version: int) -> None:
    data = text(3_000_000)
    file = packed(codec(Packed()), data, block_size=block_size)
    assert int.from_bytes(file[8:10], "little") == version
    assert Index(io.BytesIO(file)).header.format == version
    assert unpacked(codec(Packed()), file) == data


def test_a_block_size_has_bounds_by_version() -> None:
    header = Header(SMALL_BLOCK + 1, b"x" * 8, STACK, None, "portable", 1, "")
    data = bytearray(header.pack())
    data[8] = 1
    with pytest.raises(ContainerError, match="the header is damaged"):
        unpack_header(bytes(data[:-8]) + check(bytes(data[:-8])))
    with pytest.raises(ContainerError, match="the header is damaged"):
        unpack_header(attrs.evolve(header, block_size=MAX_BLOCK + 1).pack())
    with pytest.raises(StackcError, match=f"it must be 1 to {MAX_BLOCK}"):
        packed(codec(Packed()), b"x", block_size=MAX_BLOCK + 1)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("processors", [1, 2])
def test_threads_batches_and_verification_change_nothing(
    verify: bool, processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "processors", lambda: processors)
    data = text(200_000) + bytes(5000) + text(3000, seed=1)
    expected = packed(codec(Packed()), data, block_size=7000)
    for threads in (1, 2, 4):
        model = Packed()
        made = codec(model, threads=threads)
        assert packed(made, data, block_size=7000, verify=verify) == expected
        assert unpacked(made, expected) == data
        assert model.begun <= max(2, threads)


def test_batches_are_bounded() -> None:
    assert writer.batch_bytes(1 << 16, 1) == writer.BATCH_BYTES
    assert writer.batch_bytes(1 << 16, 8) == writer.BATCH_BYTES
    assert writer.batch_bytes(1 << 22, 1) == 1 << 22
    assert writer.batch_bytes(1 << 22, 2) == 4 << 22
    assert writer.batch_bytes(1 << 26, 2) == 2 << 26


def test_blocks_that_do_not_decode_back_are_stored() -> None:
    class Lossy(Packed):
        def decode_block(self, state: Any, payload: Any, symbols: Any) -> None:
            super().decode_block(state, payload, symbols)
            symbols[-1] ^= symbols[0] == 98

    data = text(50_000)
    out = io.BytesIO()
    made = writer.compress(codec(Lossy(), threads=2), STACK, 1, io.BytesIO(data), out, block_size=500)
    assert 0 < made.failed < made.blocks
    assert unpacked(codec(Lossy()), out.getvalue()) == data


def test_what_does_not_shrink_is_stored() -> None:
    data = np.random.default_rng(0).integers(0, 256, 20_000).astype(np.uint8).tobytes()
    file = packed(codec(Packed()), data)
    assert len(file) < len(data) + 250
    assert unpacked(codec(Packed()), file) == data


def test_ranges_read_their_blocks() -> None:
    data = text(5000)
    file = packed(codec(Packed()), data, block_size=600)
    out = io.BytesIO()
    decompress_range(io.BytesIO(file), out, lambda header: codec(Packed()), 1000, 2345)
    assert out.getvalue() == data[1000:2345]


def test_every_byte_flipped_and_every_truncation_is_found() -> None:
    data = text(150)
    made = codec(Toy(256))
    file = packed(made, data, block_size=60)
    for at in range(len(file)):
        damaged = bytearray(file)
        damaged[at] ^= 1 << at % 8
        with pytest.raises(ContainerError):
            unpacked(made, bytes(damaged))
        with pytest.raises(ContainerError):
            unpacked(made, file[:at])


def with_payload(made: BlockCodec, data: bytes, payload: bytes) -> bytes:
    """A file whose only block has this payload, with all checks right."""

    class Forged(BlockCodec):
        def _encode(self, blocks: list[bytes], verify: bool) -> list[bytes | None]:
            return [payload]

    return packed(Forged([], made.levels[0]), data, verify=False)


@pytest.mark.parametrize("seed", range(60))
def test_hostile_payloads_give_an_error_or_nothing_wrong(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made, data = codec(Toy(256)), text(200)
    payload = bytearray(made.encode([data])[0] or b"")
    for _ in range(int(rng.integers(1, 4))):
        payload[int(rng.integers(0, 3 if seed % 2 else len(payload)))] = int(rng.integers(256))
    file = with_payload(made, data, bytes(payload[: int(rng.integers(1, len(payload) + 1))]))
    try:
        found = unpacked(made, file)
    except ContainerError:
        with pytest.raises(ContainerError, match="block 0"):
            unpacked(made, file)
        return
    assert found == data


def test_a_payload_that_claims_gigabytes_takes_no_memory() -> None:
    made = codec(Toy(256))
    file = with_payload(made, text(100), bytes([255, 255, 255, 255, 15, 7]))
    tracemalloc.start()
    try:
        with pytest.raises(ContainerError, match="it does not decode"):
            unpacked(made, file)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_large_blocks_of_a_model_of_rows_are_refused(stack: Any) -> None:
    """Their memory would be many times the block: a file that claims them is not from that stack."""
    counting = stack("counting")
    assert counting.codec.max_block == SMALL_BLOCK
    file = packed(codec(Packed()), text(SMALL_BLOCK + 5), block_size=SMALL_BLOCK + 5)
    with pytest.raises(ContainerError, match="longer than the 1048576 bytes that its stack allows"):
        unpacked(counting.codec, file)


def test_salvage_recovers_what_is_whole(tmp_path: Any) -> None:
    data = text(5000)
    file = bytearray(packed(codec(Packed()), data, block_size=600))
    index = Index(io.BytesIO(bytes(file)))
    file[int(index.positions[3]) + 70] ^= 1
    (tmp_path / "file").write_bytes(file)
    with (tmp_path / "file").open("rb") as source, (tmp_path / "out").open("w+b") as out:
        found = salvage(source, out, lambda header: codec(Packed(), threads=2))
    assert found.missing == ((1800, 2400),)
    assert (tmp_path / "out").read_bytes() == data[:1800] + bytes(600) + data[2400:]


def test_a_model_too_large_for_the_memory_is_one_line_and_nothing_is_stored_raw() -> None:
    with pytest.raises(CodingError, match=r"takes 2 MB, and run\.memory allows 0 MB"):
        packed(codec(Packed(), memory=1000), text(100))


def test_golden_bytes() -> None:
    """The toy's file to the bit: frame, binary coder, container."""
    file = packed(codec(Toy(256)), b"abracadabra, abracadabra", block_size=16)
    assert hashlib.sha256(file).hexdigest() == "3ebfeaaf5d28fa1cdf41c3d9e4e8c877ca51d59fd3683ccd3e33c416ffb2bffc"
