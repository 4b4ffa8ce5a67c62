"""The frozen network on this machine: which exact products it has, and whether its bits are those of any other."""

from __future__ import annotations

import hashlib

import numpy as np

from stackc.api import RESTART, Device, StackcError
from stackc_torch import numerics
from stackc_torch.cpu import CpuPredictor
from stackc_torch.gemm import float_product, int8_is_exact
from stackc_torch.integers import Array, Frozen, exponential_table
from stackc_torch.transformer import TransformerNetwork

GOLDEN = "2bed5b4bd28acb8f4ba4395c47e543d3eafcac24aa6d9501a2fbeac251220f4b"
"""SHA-256 of the frequencies that the network below answers for the text below. A change is a new `bits_version`."""

_ALPHABET, _LAYERS, _WIDTH, _HEADS, _SIZE, _HIDDEN, _CONTEXT, _COUNT = 50, 2, 64, 2, 32, 96, 16, 200


def examine(device: Device) -> str:
    """Run one network by every route. Raises `StackcError` where a bit differs."""
    numerics.use_threads(device)
    frozen, text = _network(), _numbers(9, _COUNT, 0, _ALPHABET)
    predictor = TransformerNetwork.predictor
    exact = all(int8_is_exact(*shape) for shape in ((_WIDTH, _WIDTH), (_ALPHABET, _WIDTH), (37, _SIZE)))
    if (route := _score(predictor(frozen, device), text)) != GOLDEN:
        raise StackcError(f"scoring on {device.name} gave other bits than every other machine ({route[:16]}…)")
    if _score(CpuPredictor(frozen, float_product), text) != GOLDEN:
        raise StackcError("float32 products gave other bits than every other machine")
    if _step(predictor(frozen, device), text) != GOLDEN:
        raise StackcError(f"stepping on {device.name} gave other bits than scoring")
    products = "int8 products are exact here and used" if exact else "int8 products are not exact here: float32 instead"
    return f"{products}; scoring, stepping and float32 products gave the golden bits on {device.name}"


def _score(model: object, text: Array) -> str:
    digest = hashlib.sha256()
    for rows in model.score(text):  # type: ignore[attr-defined]
        digest.update(np.ascontiguousarray(rows, "<u4").tobytes())
    return digest.hexdigest()


def _step(model: object, text: Array) -> str:
    """In seven lanes, all of which must answer alike."""
    digest = hashlib.sha256()
    state = model.start(7)  # type: ignore[attr-defined]
    for symbol in (RESTART, *text[:-1].tolist()):
        rows = model.step(state, np.full(7, symbol, np.int64))  # type: ignore[attr-defined]
        if (rows != rows[0]).any():
            return "lanes that differ"
        digest.update(np.ascontiguousarray(rows[0], "<u4").tobytes())
    return digest.hexdigest()


def _numbers(seed: int, count: int, low: int, high: int) -> Array:
    """int64[count] in low .. high - 1 by a generator written out here: numpy's may change with its version."""
    out = np.empty(count, np.int64)
    state = seed
    for i in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        out[i] = low + (state >> 33) % (high - low)
    return out


def _network() -> Frozen:
    """A network of fixed integers."""
    seeds = iter(range(100, 200))

    def fill(kind: type, low: int, high: int, *shape: int) -> Array:
        return _numbers(next(seeds), int(np.prod(shape)), low, high).reshape(shape).astype(kind)

    inner = _HEADS * _SIZE
    return Frozen(
        embed=fill(np.int32, -(1 << 14), 1 << 14, _ALPHABET + 1, _WIDTH),
        norms=fill(np.int64, 20 << 24, 127 << 24, 2 * _LAYERS + 1),
        qkv=fill(np.int8, -127, 128, _LAYERS, 3 * inner, _WIDTH),
        qkv_shift=fill(np.int32, 5, 11, _LAYERS, 3 * inner),
        bias=fill(np.int32, -3000, 3000, _LAYERS, _HEADS, _CONTEXT),
        score=fill(np.int32, 1, 4000, _LAYERS, _HEADS),
        out=fill(np.int8, -127, 128, _LAYERS, _WIDTH, inner),
        out_shift=fill(np.int32, 6, 14, _LAYERS, _WIDTH),
        gate_up=fill(np.int8, -127, 128, _LAYERS, 2 * _HIDDEN, _WIDTH),
        gate_up_shift=fill(np.int32, 2, 8, _LAYERS, 2 * _HIDDEN),
        down=fill(np.int8, -127, 128, _LAYERS, _WIDTH, _HIDDEN),
        down_shift=fill(np.int32, 6, 14, _LAYERS, _WIDTH),
        head=fill(np.int8, -127, 128, _ALPHABET, _WIDTH),
        head_shift=fill(np.int32, 4, 8, _ALPHABET),
        exponential=exponential_table(),
    )
