"""Seeded damage: to bytes, to JSON, to named arrays, and to `.stk` files whose checks are then made right again."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stackc.api.errors import StackcError
from stackc.archive.format import (
    BLOCK_HEADER_SIZE,
    BLOCK_MARKER,
    CHECK_SIZE,
    EMBEDDED_HEAD_SIZE,
    EMBEDDED_MARKER,
    HEADER_SIZE,
    INDEX_HEAD_SIZE,
    INDEX_MARKER,
    TRAILER_SIZE,
    check,
)
from stackc.stack.manifest import stack_sha256
from stackc.stack.packed import HEAD_SIZE as PACK_HEAD_SIZE

NUMBERS = [
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    (1 << 20) - 1,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    (1 << 63) - 1,
]
"""Integers at borders."""

VALUES: list[Any] = [
    *NUMBERS, None, True, False, -1, -(1 << 63), 1 << 64, 10**40, 0.5, -0.0, 1e308, float("inf"), float("nan"), "", "a",
    "../../x", "/etc/passwd", "x" * 300, "\0", "é", "\ud800", [], {}, [[]], {"a": {}}, [1, 2], ["a"], {"bits": 16},
]  # fmt: skip


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """A few changes: bits, bytes, integers at borders, runs cut out, repeated, swapped or put in."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if not out:
            out += rng.randbytes(rng.randint(1, 40))
        at = rng.randrange(len(out))
        kind = rng.randrange(8)
        if kind == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            out[at] = rng.choice((0, 1, 32, 48, 127, 128, 255, rng.randrange(256)))
        elif kind == 2:
            size = rng.choice((1, 2, 4, 8))
            out[at : at + size] = (rng.choice(NUMBERS) % (1 << 8 * size)).to_bytes(size, rng.choice(("little", "big")))
        elif kind == 3:
            del out[at : at + rng.choice((1, 2, 8, 100, len(out)))]
        elif kind == 4:
            out[at:at] = rng.randbytes(rng.choice((1, 2, 8, 60)))
        elif kind == 5:
            size = rng.choice((1, 4, 16, 100))
            out[at:at] = out[at : at + size] * rng.choice((1, 2, 50))
        elif kind == 6:
            other, size = rng.randrange(len(out)), rng.choice((1, 4, 56))
            out[at : at + size], out[other : other + size] = out[other : other + size], out[at : at + size]
        else:
            del out[at:]
    return bytes(out[: 1 << 16])


def mutate_json(data: bytes, rng: random.Random) -> bytes:
    """Change values and keys of a JSON object, so that it mostly stays one."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):  # a kept input that is no JSON
        return mutate_bytes(data, rng)
    for _ in range(rng.choice((1, 1, 2, 5))):
        value = _mutate_value(value, rng)
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _mutate_value(value: Any, rng: random.Random) -> Any:
    """One change somewhere below `value`."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        out = dict(value)
        kind = rng.randrange(12)
        if kind == 0:
            del out[key]
        elif kind == 1:
            out[rng.choice(("", "../x", "name", "a/../b", "/a/b", str(rng.choice(VALUES))))] = out.pop(key)
        elif kind == 2:
            out[str(rng.choice(VALUES))] = copy.deepcopy(rng.choice(list(value.values())))
        else:
            out[key] = _mutate_value(out[key], rng)
        return out
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        kind = rng.randrange(8)
        out = list(value)
        if kind == 0:
            del out[at]
        elif kind == 1:
            out.insert(at, copy.deepcopy(out[at]))
        else:
            out[at] = _mutate_value(out[at], rng)
        return out
    if isinstance(value, str) and rng.random() < 0.5:
        return mutate_bytes(value.encode("utf-8", "surrogatepass"), rng).decode("latin1")
    if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.6:
        return value + rng.choice((-1, 1, -value, value, 1 << 20))
    return copy.deepcopy(rng.choice(VALUES))


Arrays = dict[str, npt.NDArray[Any]]


def mutate_safetensors(data: bytes, rng: random.Random) -> bytes:
    """Change the arrays of a file of them, which stays one."""
    try:
        arrays = load(data)
    except (SafetensorError, ValueError, KeyError):  # a kept input that is none
        return mutate_bytes(data, rng)
    return save(mutate_arrays(arrays, rng))


def mutate_arrays(arrays: Arrays, rng: random.Random) -> Arrays:
    """Change values, shapes, types and names of arrays."""
    out = {name: array.copy() for name, array in arrays.items()}
    for _ in range(rng.choice((1, 1, 2, 6))):
        if not out:
            break
        name = rng.choice(list(out))
        array = out[name]
        kind = rng.randrange(-4, 10)
        if kind < 0 and array.size:
            one, other = rng.randrange(array.size), rng.randrange(array.size)
            array.flat[one] = array.flat[other]
        elif kind <= 4 and array.size:
            info = np.iinfo(array.dtype) if array.dtype.kind in "iu" else None
            number = rng.choice([*NUMBERS, -1, -(1 << 31), _whole(array, rng) + rng.choice((-1, 1))])
            array.flat[rng.randrange(array.size)] = min(max(number, info.min), info.max) if info else 0.5
        elif kind == 5 and array.ndim:
            out[name] = array[: rng.randint(0, len(array))]
        elif kind == 6 and array.ndim:
            out[name] = np.concatenate([array, array])
        elif kind == 7:
            with np.errstate(all="ignore"):
                out[name] = array.astype(rng.choice(("i1", "u1", "i4", "u4", "i8", "f4", "f8", "?")))
        elif kind == 8:
            out[name] = array.reshape(rng.choice(((-1,), (1, -1), (-1, 1)))) if array.size else array[None]
        else:
            moved = out.pop(name)
            if rng.random() < 0.5:
                out[rng.choice(("", "x", *arrays))] = moved
    return out


def _whole(array: npt.NDArray[Any], rng: random.Random) -> int:
    """One value of the array, as an integer."""
    value = array.flat[rng.randrange(array.size)]
    return int(value) if np.isfinite(value) else 0


def reseal(file: bytes) -> bytes:
    """Make the checks of a `.stk` file right wherever its parts are still found, so that what they guard is read."""
    out = bytearray(file)
    if len(out) < HEADER_SIZE + TRAILER_SIZE:
        return file
    (size,) = struct.unpack_from("<H", out, 10)
    if not HEADER_SIZE <= size < len(out):
        return file
    _seal(out, 0, size)
    at = size
    if out[at : at + 4] == EMBEDDED_MARKER and at + EMBEDDED_HEAD_SIZE <= len(out):
        (length,) = struct.unpack_from("<I", out, at + 12)
        begin = at + EMBEDDED_HEAD_SIZE
        pack = reseal_pack(bytes(out[begin : begin + length]))
        out[begin : begin + length] = pack
        out[at + 16 : at + 24] = check(pack)
        _seal(out, at, EMBEDDED_HEAD_SIZE)
        at = begin + length
    while out[at : at + 3] == BLOCK_MARKER and at + BLOCK_HEADER_SIZE <= len(out):
        (payload,) = struct.unpack_from("<I", out, at + 28)
        begin = at + BLOCK_HEADER_SIZE
        out[at + 32 : at + 40] = check(bytes(out[begin : begin + payload]))
        _seal(out, at, BLOCK_HEADER_SIZE)
        at = begin + payload
    end = len(out) - TRAILER_SIZE
    if out[at : at + 4] == INDEX_MARKER and at + INDEX_HEAD_SIZE <= end:
        out[end + 56 : end + 64] = check(bytes(out[at:end]))
    _seal(out, end, TRAILER_SIZE)
    return bytes(out)


def reseal_pack(pack: bytes) -> bytes:
    """Make the checks of a packed stack right: of its first bytes, its manifest, and the stack's own hash."""
    out = bytearray(pack)
    if len(out) < PACK_HEAD_SIZE:
        return pack
    (length,) = struct.unpack_from("<I", out, 12)
    end = PACK_HEAD_SIZE + length
    text = bytes(out[PACK_HEAD_SIZE:end])
    with contextlib.suppress(ValueError, RecursionError, StackcError, AttributeError, KeyError, TypeError):
        out[24:56] = bytes.fromhex(stack_sha256(json.loads(text)))
    _seal(out, 0, PACK_HEAD_SIZE)
    if end + CHECK_SIZE <= len(out):
        out[end : end + CHECK_SIZE] = check(text)
    return bytes(out)


def mutate_pack(pack: bytes, rng: random.Random) -> bytes:
    """Damage a packed stack: its bytes, or its manifest, whose sizes and checks are then right."""
    (length,) = struct.unpack_from("<I", pack, 12)
    end = PACK_HEAD_SIZE + length
    if len(pack) < end or rng.random() < 0.4:
        return mutate_bytes(pack, rng)
    text = mutate_json(pack[PACK_HEAD_SIZE:end], rng)
    with contextlib.suppress(ValueError, RecursionError):
        if rng.random() < 0.8:
            text = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")).encode()
    parts = pack[end + CHECK_SIZE :]
    size = PACK_HEAD_SIZE + len(text) + CHECK_SIZE + len(parts)
    return pack[:12] + struct.pack("<IQ", len(text), size) + pack[24:PACK_HEAD_SIZE] + text + bytes(8) + parts


def _seal(out: bytearray, at: int, size: int) -> None:
    out[at + size - CHECK_SIZE : at + size] = check(bytes(out[at : at + size - CHECK_SIZE]))
