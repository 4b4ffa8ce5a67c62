"""Damage of every kind: either the original comes out, or an error that names the block. Never a wrong byte."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from recipes_of_tests import TEXT
from stackc import ContainerError, Stack
from stackc.archive.decoder import check_blocks, decompress_range
from stackc.archive.reader import Index
from stackc.archive.salvage import Salvaged, salvage
from stackc.stack.finding import open_codec

Get = Callable[[str], Stack]

BLOCK = 130
DATA = (TEXT * 2).encode()[: 5 * BLOCK + 40] + bytes(range(40))
"""Six coded blocks, and a last, shorter one that is stored as it is."""


@pytest.fixture(scope="module")
def file(stack: Get) -> bytes:
    out = io.BytesIO()
    made = stack("counting").compress(io.BytesIO(DATA), out, block_size=BLOCK, modified=1_600_000_000_000_000_000)
    assert (made.blocks, made.raw) == (6, 1)
    return out.getvalue()


@pytest.fixture(scope="module")
def positions(file: bytes) -> list[int]:
    return Index(io.BytesIO(file)).positions.tolist()


def block_at(positions: list[int], place: int) -> int | None:
    """The block that holds byte `place` of the file."""
    number = int(np.searchsorted(positions, place, side="right")) - 1
    return number if 0 <= number < len(positions) - 1 else None


def decode(stack: Stack, data: bytes) -> bytes:
    out = io.BytesIO()
    stack.decompress(io.BytesIO(data), out)
    return out.getvalue()


def must_fail(stack: Stack, data: bytes) -> ContainerError:
    """The error of a damaged file; what it was said to be decoded to before is a part of the original."""
    out = io.BytesIO()
    with pytest.raises(ContainerError) as caught:
        stack.decompress(io.BytesIO(data), out)
    assert DATA.startswith(out.getvalue()), "no wrong byte, not even before the error"
    return caught.value


def recover(stack: Stack, data: bytes, folder: Path, given: bool = True) -> tuple[Salvaged, bytes]:
    path = folder / "damaged"
    path.write_bytes(data)
    out = io.BytesIO()
    with path.open("rb") as source:
        fallback = stack.codec if given else None
        found = salvage(source, out, lambda header: open_codec(header, stack), fallback)
    return found, out.getvalue()


def holds(found: Salvaged, got: bytes, blocks: set[int]) -> None:
    """What was salvaged: these blocks, byte for byte, and zeros for the others."""
    for number in range(6):
        span = slice(number * BLOCK, (number + 1) * BLOCK)
        missing = any(start <= span.start and (end is None or end > span.start) for start, end in found.missing)
        assert missing == (number not in blocks)
        assert got[span] == (DATA[span] if number in blocks else bytes(len(got[span])))
    assert found.recovered == sum(len(DATA[number * BLOCK : (number + 1) * BLOCK]) for number in blocks)


def test_it_is_whole_to_begin_with(stack: Get, file: bytes, tmp_path: Path) -> None:
    assert decode(stack("counting"), file) == DATA
    found, got = recover(stack("counting"), file, tmp_path)
    assert (found.missing, found.problems, got) == ((), (), DATA)
    assert found.modified == 1_600_000_000_000_000_000


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_every_byte_flipped(stack: Get, file: bytes, positions: list[int], flip: int) -> None:
    for place in range(len(file)):
        damaged = bytearray(file)
        damaged[place] ^= flip
        error = must_fail(stack("counting"), bytes(damaged))
        number = block_at(positions, place)
        if number is not None:
            assert error.block == number, place
            assert str(error).startswith(f"block {number}: ")
        with pytest.raises(ContainerError):
            check_blocks(io.BytesIO(damaged))


def test_every_byte_flipped_and_salvaged(stack: Get, file: bytes, positions: list[int], tmp_path: Path) -> None:
    for place in range(len(file)):
        damaged = bytearray(file)
        damaged[place] ^= 0x10
        found, got = recover(stack("counting"), bytes(damaged), tmp_path)
        lost = block_at(positions, place)
        if place < positions[-1]:  # the header or a block: the trailer still tells the size
            holds(found, got, set(range(6)) - {lost})
            assert found.size == len(DATA)
            assert found.problems or found.missing
        else:
            assert got == DATA, "index or trailer: every block is there"


def test_truncated_at_every_length(stack: Get, file: bytes, positions: list[int]) -> None:
    for length in range(len(file)):
        error = must_fail(stack("counting"), file[:length])
        number = block_at(positions, length)
        if number is not None:
            assert error.block == number, length
    for more in (b"\0", file[:20], file):
        assert "follow the end" in str(must_fail(stack("counting"), file + more))


def test_truncated_and_salvaged(stack: Get, file: bytes, positions: list[int], tmp_path: Path) -> None:
    for length in range(positions[1], len(file), 7):
        found, got = recover(stack("counting"), file[:length], tmp_path)
        whole = {number for number in range(6) if positions[number + 1] <= length}
        holds(found, got.ljust(len(DATA), b"\0"), whole)
        assert found.size is None
        assert not found.whole, "the end may be missing"
    for length in range(0, positions[1], 11):
        with pytest.raises(ContainerError, match=r"no undamaged block was found|empty"):
            recover(stack("counting"), file[:length], tmp_path)


@pytest.mark.parametrize("removed", [1, 2, 5])
def test_bytes_removed_and_inserted(
    stack: Get, file: bytes, positions: list[int], tmp_path: Path, removed: int
) -> None:
    for place in range(0, len(file) - removed, 3):
        for damaged in (file[:place] + file[place + removed :], file[:place] + b"\x5a" * removed + file[place:]):
            must_fail(stack("counting"), damaged)
    for place in range(positions[0], positions[-1] - removed, 17):
        found, got = recover(stack("counting"), file[:place] + file[place + removed :], tmp_path)
        lost = {block_at(positions, place), block_at(positions, place + removed - 1)}
        holds(found, got, set(range(6)) - lost)


def blocks_of(file: bytes, positions: list[int]) -> tuple[bytes, list[bytes], bytes]:
    blocks = [file[start:end] for start, end in itertools.pairwise(positions)]
    return file[: positions[0]], blocks, file[positions[-1] :]


def rearranged(blocks: list[bytes]) -> Iterator[tuple[str, list[bytes], int]]:
    """(what was done, the blocks, the first that is not in its place)"""
    count = len(blocks)
    for i in range(count):
        yield f"drop {i}", blocks[:i] + blocks[i + 1 :], i
        yield f"repeat {i}", blocks[: i + 1] + blocks[i:], i + 1
        for j in range(i + 1, count):
            swapped = list(blocks)
            swapped[i], swapped[j] = swapped[j], swapped[i]
            yield f"swap {i} {j}", swapped, i


def test_blocks_dropped_repeated_and_swapped(stack: Get, file: bytes, positions: list[int], tmp_path: Path) -> None:
    head, blocks, tail = blocks_of(file, positions)
    for what, order, wrong in rearranged(blocks):
        error = must_fail(stack("counting"), head + b"".join(order) + tail)
        # Where the last is dropped the index comes too soon.
        assert error.block == wrong or (what == "drop 5" and "index" in str(error)), what
        found, got = recover(stack("counting"), head + b"".join(order) + tail, tmp_path)
        holds(found, got, {int(what.split()[1])} ^ set(range(6)) if what.startswith("drop") else set(range(6)))


def test_two_files_spliced(stack: Get, file: bytes, positions: list[int], tmp_path: Path) -> None:
    out = io.BytesIO()
    other_data = DATA[::-1]
    stack("counting").compress(io.BytesIO(other_data), out, block_size=BLOCK)
    other = out.getvalue()
    head, blocks, tail = blocks_of(file, positions)
    _, others, other_tail = blocks_of(other, Index(io.BytesIO(other)).positions.tolist())
    for cut in range(6):
        mixed = head + b"".join(blocks[:cut] + others[cut:])
        for end in (tail, other_tail):
            error = must_fail(stack("counting"), mixed + end)
            assert error.block == cut
            assert "another file" in str(error)
        if cut:
            found, got = recover(stack("counting"), mixed + tail, tmp_path)
            holds(found, got, set(range(cut)))
    one = list(blocks)
    one[3] = others[3]
    assert must_fail(stack("counting"), head + b"".join(one) + tail).block == 3
    assert must_fail(stack("counting"), head + b"".join(blocks) + other_tail).block is None


def test_a_range_of_a_damaged_file_needs_only_its_own_blocks(stack: Get, file: bytes, positions: list[int]) -> None:
    damaged = bytearray(file)
    damaged[positions[2] + 70] ^= 4
    for number in range(6):
        out = io.BytesIO()
        span = (number * BLOCK, min(len(DATA), (number + 1) * BLOCK))
        opener = lambda header: open_codec(header, stack("counting"))  # noqa: E731
        if number == 2:
            with pytest.raises(ContainerError, match="block 2: its payload is damaged"):
                decompress_range(io.BytesIO(damaged), out, opener, *span)
            assert not out.getvalue()
        else:
            decompress_range(io.BytesIO(damaged), out, opener, *span)
            assert out.getvalue() == DATA[slice(*span)]


def test_every_byte_flipped_before_a_range_is_read(stack: Get, file: bytes, positions: list[int]) -> None:
    for place in range(len(file)):
        damaged = bytearray(file)
        damaged[place] ^= 0x40
        out = io.BytesIO()
        try:
            decompress_range(
                io.BytesIO(damaged), out, lambda header: open_codec(header, stack("counting")), 2 * BLOCK, 3 * BLOCK
            )
        except ContainerError:
            assert block_at(positions, place) in (None, 2), place
        else:
            assert out.getvalue() == DATA[2 * BLOCK : 3 * BLOCK]
            assert block_at(positions, place) not in (None, 2), place


def test_without_its_header_a_file_needs_the_stack(
    stack: Get, file: bytes, positions: list[int], tmp_path: Path
) -> None:
    for damaged in (file[positions[0] :], b"\0" * positions[0] + file[positions[0] :], file[positions[1] :]):
        found, got = recover(stack("counting"), damaged, tmp_path)
        holds(found, got, set(range(6)) - ({0} if damaged == file[positions[1] :] else set()))
        found, got = recover(stack("counting"), damaged, tmp_path, given=False)
        holds(found, got, {5})  # stored as it is
        assert any("give the stack with --stack" in problem for problem in found.problems)


def test_a_file_of_transformers_flipped(stack: Get) -> None:
    out = io.BytesIO()
    stack("two").compress(io.BytesIO(DATA), out, block_size=400)
    file = out.getvalue()
    assert decode(stack("two"), file) == DATA
    positions = Index(io.BytesIO(file)).positions.tolist()
    for place in range(0, len(file), 11):
        damaged = bytearray(file)
        damaged[place] ^= 0x08
        error = must_fail(stack("two"), bytes(damaged))
        assert error.block == block_at(positions, place) or block_at(positions, place) is None


def test_the_wrong_stack_is_refused(stack: Get, file: bytes) -> None:
    with pytest.raises(ContainerError, match="give the stack that wrote it"):
        decode(stack("twice"), file)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["counting", "twice", "two"])
def test_random_damage_of_every_kind(stack: Get, name: str) -> None:
    """Thousands of files with up to sixteen changes each, half of them with their checks made right again."""
    import random

    from fuzz.mutations import mutate_bytes, reseal

    out = io.BytesIO()
    stack(name).compress(io.BytesIO(DATA), out, block_size=200)
    file = out.getvalue()
    restored = 0
    for number in range(20_000):
        rng = random.Random(f"{name} {number}")
        damaged = mutate_bytes(file, rng)
        if sealed := rng.random() < 0.5:
            damaged = reseal(damaged)
        back = io.BytesIO()
        try:
            stack(name).decompress(io.BytesIO(damaged), back)
        except ContainerError:
            continue
        restored += 1
        # Whoever makes every check right again has written another file; nobody does that by chance.
        assert back.getvalue() == DATA or sealed
    assert restored
