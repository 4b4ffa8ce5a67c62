"""A network of fixed integers, evaluated by every route, gives one SHA-256: what the self-tests share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api import IDLE, RESTART, Device, Frequencies, Predictor, StackcError
from stackc_torch.frozen import numerics
from stackc_torch.frozen.gemm import int8_is_exact, int8_is_fast
from stackc_torch.frozen.predictor import KernelPredictor
from stackc_torch.frozen.rules import Array

LANES = (1, 7)
"""Lanes that step together: few enough for the compiled step, and too many for it."""


@attrs.frozen(kw_only=True, eq=False)
class Golden:
    """The expected output of a network for a text.

    Attributes:
        sha256: of the frequencies, little-endian uint32[n, A].
        frozen: the network.
        segments: (text int64[n], restarts bool[n], where the context restarts, besides the beginning); one call of
            `score` each.
    """

    sha256: str
    frozen: Any
    segments: list[tuple[Array, npt.NDArray[np.bool_]]]

    def scored(self, model: Predictor) -> str:
        """The SHA-256 by scoring."""
        digest = hashlib.sha256()
        for text, restarts in self.segments:
            for rows in model.score(text, restarts):  # type: ignore[attr-defined]
                digest.update(np.ascontiguousarray(rows, "<u4").tobytes())
        return digest.hexdigest()

    def stepped(self, model: Predictor, lanes: int) -> str:
        """The SHA-256 by stepping in lanes, which must all give the same rows."""
        digest = hashlib.sha256()
        state = model.start(lanes)
        for text, restarts in self.segments:
            before = np.where(restarts, RESTART, np.roll(text, 1))
            before[0] = RESTART
            for symbol in before:
                rows = model.step(state, np.full(lanes, symbol))
                if (rows != rows[0]).any():
                    return "lanes that differ"
                digest.update(np.ascontiguousarray(rows[0], "<u4").tobytes())
        return digest.hexdigest()


class ByKernels(KernelPredictor):
    """One whose steps are made by the kernels that it offers, called one by one."""

    def start(self, lanes: int) -> Any:
        """A state of the kernels."""
        make = self.compiled().start
        assert make is not None
        return make(lanes)

    def step(self, state: Any, symbols: npt.NDArray[np.int64]) -> Frequencies:
        """As `FrozenPredictor.step`, without its checks."""
        kernels = self.compiled()
        for lane in np.flatnonzero(symbols != IDLE).tolist():
            kernels.advance(kernels.tables, state, lane, int(symbols[lane]))
        rows = np.zeros((len(symbols), self.alphabet), np.uint32)
        for lane, row in enumerate(rows):
            kernels.fill(kernels.tables, state, lane, row)
        return rows


def examine(
    golden: Golden,
    device: Device,
    best: Callable[[Any, Device], Predictor],
    in_floats: Callable[[Any], Predictor],
    by_kernels: Callable[[Any], Predictor],
    shapes: Sequence[tuple[int, int]] = (),
) -> str:
    """Run the golden network by every route of this machine; returns a line on the result.

    Args:
        best: makes the fastest predictor on a device; in_floats: the one with float32 products on the CPU; by_kernels:
            the one that steps as compiled loops do.
        shapes: (outputs, inputs) of products besides those by the network's matrices.

    Raises:
        StackcError: a bit differs.
    """
    numerics.use_threads(device)
    frozen, right = golden.frozen, golden.sha256
    if (found := golden.scored(best(frozen, device))) != right:
        raise StackcError(f"scoring on {device.name} gave other bits than every other machine ({found[:16]}…)")
    if golden.scored(in_floats(frozen)) != right:
        raise StackcError("float32 products gave other bits than every other machine")
    for lanes in LANES:
        if golden.stepped(best(frozen, device), lanes) != right:
            raise StackcError(f"stepping on {device.name} gave other bits than scoring (lanes: {lanes})")
    if golden.stepped(by_kernels(frozen), 2) != right:
        raise StackcError("the kernels of compiled loops gave other bits than scoring")
    matrices = [array.shape[-2:] for array in attrs.asdict(frozen).values() if array.dtype == np.int8]
    if not all(int8_is_exact(*shape) for shape in (*matrices, *shapes)):
        products = "not exact here: float32 instead"
    elif int8_is_fast():
        products = "exact here and used"
    else:
        products = "exact here, but slower than float32, which takes all but the smallest"
    routes = "scoring, stepping, loops and float32 products"
    return f"int8 products are {products}; {routes} gave the golden bits on {device.name}"


def numbers(seed: int, count: int, low: int, high: int) -> Array:
    """int64[count] in low .. high - 1, by our own generator: numpy's may change with its version."""
    out = np.empty(count, np.int64)
    state = seed
    for i in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        out[i] = low + (state >> 33) % (high - low)
    return out


class Filler:
    """Arrays of fixed integers, each of the next seed: their order is part of a golden network."""

    def __init__(self) -> None:
        self._seed = 99

    def __call__(self, kind: type, low: int, high: int, *shape: int) -> Array:
        """An array in low .. high - 1."""
        self._seed += 1
        return numbers(self._seed, int(np.prod(shape)), low, high).reshape(shape).astype(kind)
