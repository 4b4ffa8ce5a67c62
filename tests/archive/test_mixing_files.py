"""Files of a model that codes bit by bit: damage is an error or no harm, threads and batches change nothing."""

from __future__ import annotations

import io
import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recipes_of_tests import TEXT
from stackc import ContainerError, Stack
from stackc.stack.finding import GENERAL, builtin
from stackc.stack.runtime import Runtime

Get = Callable[[str], Stack]

BLOCK = 200
DATA = (TEXT * 2).encode()[: 3 * BLOCK + 50]


def compressed(stack: Stack, data: bytes = DATA, **options: int) -> bytes:
    out = io.BytesIO()
    stack.compress(io.BytesIO(data), out, modified=1_600_000_000_000_000_000, **({"block_size": BLOCK} | options))
    return out.getvalue()


MODELS = ("mixing", "some", "few", "six", "twelve")
"""Stacks of tests: mixing models with many contexts, with some, with few, with six and with twelve."""


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def file(stack: Get, model: str) -> bytes:
    return compressed(stack(model))


def no_wrong_byte(stack: Stack, data: bytes) -> bool:
    """Whether a damaged file still decodes; if not, what was said before the error is a part of the original."""
    out = io.BytesIO()
    try:
        stack.decompress(io.BytesIO(data), out)
    except ContainerError:
        assert DATA.startswith(out.getvalue())
        return False
    assert out.getvalue() == DATA
    return True


def test_every_byte_flipped_is_an_error(stack: Get, model: str, file: bytes) -> None:
    opened = stack(model)
    for place in range(len(file)):
        damaged = bytearray(file)
        damaged[place] ^= 1 << place % 8
        assert not no_wrong_byte(opened, bytes(damaged)), place


def test_every_truncation_is_an_error(stack: Get, model: str, file: bytes) -> None:
    opened = stack(model)
    assert not [size for size in range(len(file)) if no_wrong_byte(opened, file[:size])]


def mutated(rng: np.random.Generator, file: bytes) -> bytes:
    """Some bytes changed, a piece moved, removed or doubled."""
    made = bytearray(file)
    for _ in range(rng.integers(1, 4)):
        first, last = sorted(rng.integers(0, len(made) + 1, 2).tolist())
        piece = made[first:last][: int(rng.integers(1, 40))]
        match rng.integers(0, 4):
            case 0 if made:
                made[int(rng.integers(0, len(made)))] = int(rng.integers(0, 256))
            case 1:
                del made[first : first + len(piece)]
            case 2:
                made[last:last] = piece
            case _:
                made[first : first + len(piece)] = rng.bytes(len(piece))
    return bytes(made)


@pytest.mark.parametrize("rounds", [300, pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(7200)])])
def test_no_mutation_gives_a_wrong_byte(stack: Get, model: str, file: bytes, rounds: int) -> None:
    opened, rng = stack(model), np.random.default_rng(rounds)
    kept = sum(no_wrong_byte(opened, mutated(rng, file)) for _ in range(rounds))
    assert kept < rounds / 20, "mutations that change nothing are rare"


def test_any_payload_is_an_error_or_decodes_within_its_length(stack: Get, model: str) -> None:
    codec, rng = stack(model).codec, np.random.default_rng(5)
    payloads = [rng.bytes(int(size)) for size in rng.integers(1, 300, 60)] + [bytes(40), b"\xff" * 40]
    for payload, found in zip(payloads, codec.decode(payloads, [BLOCK] * len(payloads)), strict=True):
        assert isinstance(found, Exception) or len(found) == BLOCK, payload


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_batches_give_the_same_file(stack: Get, model: str, file: bytes, threads: int) -> None:
    again = Stack(stack(model).folder, Runtime(threads=threads))
    assert compressed(again) == file
    assert no_wrong_byte(again, file)


def test_blocks_are_longer_than_those_of_other_models_where_that_is_asked_for(stack: Get) -> None:
    """Format 2, above a MiB; a file that needs no more has format 1."""
    data = DATA * 2000
    assert len(data) > 1 << 20
    whole, small = compressed(stack("mixing"), data, block_size=1 << 21), compressed(stack("mixing"))
    assert (whole[4:6], small[4:6]) != (b"", b"")
    assert int.from_bytes(whole[8:10], "little") == 2
    out = io.BytesIO()
    stack("mixing").decompress(io.BytesIO(whole), out)
    assert out.getvalue() == data
    assert len(whole) < len(compressed(stack("mixing"), data, block_size=1 << 16))


def test_what_does_not_shrink_is_stored(stack: Get, model: str) -> None:
    data = np.random.default_rng(1).bytes(50_000)
    assert len(compressed(stack(model), data, block_size=1 << 22)) <= len(data) * 1.001 + 512


def picture(height: int = 150, width: int = 200) -> bytes:
    """A BMP of smooth colours with noise."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:height, 0:width]
    planes = [128 + 80 * np.sin(x / 37 + c) + 40 * np.cos(y / 23 * c) + rng.normal(0, 3, x.shape) for c in (1, 2, 3)]
    return b"BM" + bytes(52) + np.stack(planes, -1).clip(0, 255).astype(np.uint8).tobytes()


def sound(samples: int = 50_000) -> bytes:
    """A WAV of two tones with noise, 16 bits a sample."""
    rng, t = np.random.default_rng(1), np.arange(samples)
    waves = 8000 * np.sin(t / 20) + 4000 * np.sin(t / 7.3) + rng.normal(0, 100, samples)
    return b"RIFF" + bytes(40) + waves.astype("<i2").tobytes()


def program() -> bytes:
    """Machine code: a part of a library of numpy's."""
    return Path(np._core._multiarray_umath.__file__).read_bytes()[100_000:400_000]


@pytest.mark.parametrize("make", [picture, sound, program])
def test_binary_files_are_not_larger_than_by_xz(make: Callable[[], bytes]) -> None:
    folder = builtin(GENERAL)
    assert folder is not None
    data = make()
    assert len(compressed(Stack(folder), data, block_size=1 << 22)) <= 1.05 * len(lzma.compress(data, preset=6))
