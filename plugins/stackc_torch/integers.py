"""The frozen network as data: its arrays, their meaning, and the constants that decide bits (docs/concepts.md).

The rules, in the words of `twin`, where each is a few lines of plain Python:

- fixed point: the residual stream has 12 fractional bits (Q12) and saturates at +-(2^23 - 1); what enters a
  matrix product is an int8 in -127 .. 127; a score or a logit is in units of 2^-8 bits (log2 units);
- a product's row r ends with rshift(sum, shift[r]); where it is added to the residual stream the sum is
  first multiplied by 2^10, so that shifts stay in 0 .. 30 for weights of any size.

L layers, d width, H heads, D head size, F hidden, C context, A alphabet.
"""

from __future__ import annotations

import functools
from math import isqrt
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api import MAX_ALPHABET, ArtifactError, read_tensors, write_tensors
from stackc_torch.config import MAX_INNER

Array = npt.NDArray[Any]

TOP = 127
"""Largest operand of a matrix product; -128 is never used."""

STREAM_BITS = 12
"""Fractional bits of the residual stream."""

STREAM_TOP = (1 << 23) - 1
"""The residual stream saturates here: its squares stay below 2^46."""

NORM_BITS = 24
"""Fractional bits of a norm's factor."""

LIFT = 10
"""Left shift of a product before it is added to the residual stream."""

GATE_TOP = 32_767
"""Gate and up are held in 16 bits before they are multiplied."""

PRODUCT_SHIFT = 16
"""Right shift of gate * up."""

SCORE_SHIFT = 14
"""Right shift of score differences after their head's multiplier."""

EXPONENTIAL_TOP = 6401
"""Index of the last entry of the exponential table, which is 0."""

WEIGHT_SHIFT = 10
"""2^24 down to attention weights of 14 bits: two halves of 7 bits are operands of int8 products."""

WEIGHT_TOP = 16_383

FILE = "frozen.safetensors"


@functools.lru_cache(maxsize=1)
def exponential_table() -> Array:
    """E[i] = 2^(24 - i/256) rounded half up for i = 0 .. 6400, and E[6401] = 0: int32[6402]. In integers only."""
    octave = [_root(j) for j in range(256)]
    table = [((octave[i % 256] >> (i // 256 + 64)) + 1) >> 1 for i in range(EXPONENTIAL_TOP)]
    return np.array([*table, 0], np.int32)


def _root(j: int) -> int:
    """2^(25 + 64 - j/256): 2^(256 * 89 - j) rooted eight times. Too small by less than 2, in the 64 bits to spare."""
    root = 1 << (256 * 89 - j)
    for _ in range(8):
        root = isqrt(root)
    return root


@attrs.frozen(kw_only=True, eq=False)
class Frozen:
    """The integer parts of a transformer.

    Attributes:
        embed: int32[A + 1, d] in Q12; row A stands for the empty context.
        norms: int64[2L + 1]; 2^24 times the int8 units per 1.0 after each norm: attention and MLP of
            every layer in turn, then the last.
        qkv, qkv_shift: int8[L, 3HD, d], int32[L, 3HD].
        bias: int32[L, H, C], added to the products q . k by distance.
        score: int32[L, H]; score differences times this, shifted right by 14, are in units of 2^-8 bits.
        out, out_shift: int8[L, d, HD], int32[L, d].
        gate_up, gate_up_shift: int8[L, 2F, d], int32[L, 2F]; gates first.
        down, down_shift: int8[L, d, F], int32[L, d].
        head, head_shift: int8[A, d], int32[A].
        exponential: int32[6402], see `exponential_table`.
    """

    embed: Array
    norms: Array
    qkv: Array
    qkv_shift: Array
    bias: Array
    score: Array
    out: Array
    out_shift: Array
    gate_up: Array
    gate_up_shift: Array
    down: Array
    down_shift: Array
    head: Array
    head_shift: Array
    exponential: Array

    @property
    def alphabet(self) -> int:
        return int(self.head.shape[0])

    @property
    def layers(self) -> int:
        return int(self.qkv.shape[0])

    @property
    def width(self) -> int:
        return int(self.head.shape[1])

    @property
    def heads(self) -> int:
        return int(self.bias.shape[1])

    @property
    def inner(self) -> int:
        """HD, the width of all heads together."""
        return int(self.out.shape[2])

    @property
    def head_size(self) -> int:
        return self.inner // self.heads

    @property
    def hidden(self) -> int:
        return int(self.down.shape[2])

    @property
    def context(self) -> int:
        return int(self.bias.shape[2])

    def check(self, where: str) -> None:
        """Raise `ArtifactError` unless every array is in the range that the exactness of the routes rests on."""
        layers, d, heads, inner, hidden = self.layers, self.width, self.heads, self.inner, self.hidden
        expected = {
            "embed": (np.int32, (self.alphabet + 1, d), STREAM_TOP),
            "norms": (np.int64, (2 * layers + 1,), TOP << NORM_BITS),
            "qkv": (np.int8, (layers, 3 * inner, d), TOP),
            "qkv_shift": (np.int32, (layers, 3 * inner), 30),
            "bias": (np.int32, (layers, heads, self.context), 1 << 26),
            "score": (np.int32, (layers, heads), 1 << 24),
            "out": (np.int8, (layers, d, inner), TOP),
            "out_shift": (np.int32, (layers, d), 30),
            "gate_up": (np.int8, (layers, 2 * hidden, d), TOP),
            "gate_up_shift": (np.int32, (layers, 2 * hidden), 30),
            "down": (np.int8, (layers, d, hidden), TOP),
            "down_shift": (np.int32, (layers, d), 30),
            "head": (np.int8, (self.alphabet, d), TOP),
            "head_shift": (np.int32, (self.alphabet,), 30),
            "exponential": (np.int32, (EXPONENTIAL_TOP + 1,), 1 << 24),
        }
        for name, (kind, shape, top) in expected.items():
            array = getattr(self, name)
            lowest = -top if name in ("embed", "qkv", "bias", "out", "gate_up", "down", "head") else 0
            lowest = 1 if name in ("norms", "score") else lowest
            if array.dtype != kind or array.shape != shape or array.size == 0:
                raise ArtifactError(f"{where}: {name} is {array.dtype}{array.shape}, expected {np.dtype(kind)}{shape}")
            if int(array.min()) < lowest or int(array.max()) > top:
                raise ArtifactError(f"{where}: {name} leaves {lowest} .. {top}; build the stack again")
        if not np.array_equal(self.exponential, exponential_table()):
            raise ArtifactError(f"{where}: another table of exponentials than every network has; build the stack again")
        if heads * self.head_size != inner or max(d, inner, hidden) > MAX_INNER or self.alphabet > MAX_ALPHABET:
            raise ArtifactError(f"{where}: sizes that no configuration allows; build the stack again")

    def save(self, folder: Path) -> None:
        """Write `frozen.safetensors`."""
        write_tensors(folder / FILE, attrs.asdict(self), format="1")

    @staticmethod
    def load(folder: Path, alphabet: int) -> Frozen:
        """Read and check what `save` wrote.

        Raises:
            ArtifactError: missing, damaged, or of another alphabet.
        """
        path = folder / FILE
        tensors = read_tensors(path)
        names = {field.name for field in attrs.fields(Frozen)}
        if set(tensors) != names:
            raise ArtifactError(
                f"{path}: not a frozen transformer (arrays {sorted(set(tensors) ^ names)} do not match)"
            )
        # Kernels are compiled for aligned, writable, contiguous arrays.
        frozen = Frozen(**{name: np.require(array, requirements=("C", "A", "W")) for name, array in tensors.items()})
        ranks = {"head": 2, "qkv": 3, "bias": 3, "out": 3, "down": 3}
        if any(tensors[name].ndim != rank for name, rank in ranks.items()):
            raise ArtifactError(f"{path}: arrays of unexpected rank; build the stack again")
        frozen.check(str(path))
        if frozen.alphabet != alphabet:
            raise ArtifactError(f"{path}: frozen for {frozen.alphabet} symbols, wanted for {alphabet}")
        return frozen
