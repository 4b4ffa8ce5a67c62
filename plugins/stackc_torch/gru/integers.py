"""The frozen recurrent network as data: its arrays, their meaning, and the constants that decide bits.

What it shares with the transformer (`stackc_torch.integers`): the residual stream in Q12, norms, int8 operands,
the lifted shift after a product, logits and their exponentials. Of its own:

- a gate's sum is in Q12 and saturates at +-32,767, just below 8.0; a bias likewise;
- sigmoid and tanh are read from tables of 4,097 entries at (|a| + 4) >> 3, steps of 1/512; answers are in Q15;
- the state h is in Q15, -32,767 .. 32,767 (int16); as an operand it is rshift(h, 8), saturated at +-127.

L layers, d width, H units, A alphabet.
"""

from __future__ import annotations

import decimal
import functools
from decimal import Decimal
from pathlib import Path

import attrs
import numpy as np

from stackc.api import MAX_ALPHABET, ArtifactError, read_tensors, write_tensors
from stackc_torch.config import MAX_INNER
from stackc_torch.integers import NORM_BITS, STREAM_TOP, TOP, Array

GATE_TOP = 32_767
"""A gate's sum, a bias, and the state saturate here."""

STEP_SHIFT = 3
"""Right shift of a gate's sum to its place in a table."""

TABLE_TOP = (GATE_TOP + (1 << STEP_SHIFT) // 2) >> STEP_SHIFT
"""Place of a table's last entry."""

ONE = 1 << 15
"""1.0 in Q15."""

STATE_SHIFT = 8
"""Right shift of the state to an operand."""

FILE = "frozen.safetensors"


@functools.lru_cache(maxsize=1)
def tables() -> tuple[Array, Array]:
    """Sigmoid and tanh of i/512, times 2^15, rounded half up, at most 32,767: int32[4097] each.

    Decimal's exponential is correctly rounded at any precision, so that these are the same everywhere.
    """
    sigmoid, tanh = [], []
    with decimal.localcontext(decimal.Context(prec=30, rounding=decimal.ROUND_HALF_EVEN)):
        half = Decimal("0.5")
        for i in range(TABLE_TOP + 1):
            small = (-Decimal(i) / 512).exp()
            sigmoid.append(min(int(ONE / (1 + small) + half), GATE_TOP))
            small *= small
            tanh.append(min(int(ONE * (1 - small) / (1 + small) + half), GATE_TOP))
    return np.array(sigmoid, np.int32), np.array(tanh, np.int32)


@attrs.frozen(kw_only=True, eq=False)
class FrozenGru:
    """The integer parts of a recurrent network.

    Attributes:
        embed: int32[A + 1, d] in Q12; row A stands for the empty context.
        norms: int64[L + 1]; 2^24 times the int8 units per 1.0 after each norm: every layer's, then the last.
        enter, enter_shift: int8[L, 3H, d], int32[L, 3H]; reset, keep and candidate from the stream.
        recall, recall_shift: int8[L, 3H, H], int32[L, 3H]; the same from the state.
        bias: int32[L, 3H] in Q12.
        out, out_shift: int8[L, d, H], int32[L, d].
        head, head_shift: int8[A, d], int32[A].
    """

    embed: Array
    norms: Array
    enter: Array
    enter_shift: Array
    recall: Array
    recall_shift: Array
    bias: Array
    out: Array
    out_shift: Array
    head: Array
    head_shift: Array

    @property
    def alphabet(self) -> int:
        return int(self.head.shape[0])

    @property
    def layers(self) -> int:
        return int(self.out.shape[0])

    @property
    def width(self) -> int:
        return int(self.head.shape[1])

    @property
    def units(self) -> int:
        return int(self.out.shape[2])

    def check(self, where: str) -> None:
        """Raise `ArtifactError` unless every array is in the range that the exactness of the routes rests on."""
        if self.head.ndim != 2 or self.out.ndim != 3:
            raise ArtifactError(f"{where}: arrays of unexpected rank; build the stack again")
        layers, d, units = self.layers, self.width, self.units
        # name: type, shape, least, largest
        expected = {
            "embed": (np.int32, (self.alphabet + 1, d), -STREAM_TOP, STREAM_TOP),
            "norms": (np.int64, (layers + 1,), 1, TOP << NORM_BITS),
            "enter": (np.int8, (layers, 3 * units, d), -TOP, TOP),
            "enter_shift": (np.int32, (layers, 3 * units), 0, 30),
            "recall": (np.int8, (layers, 3 * units, units), -TOP, TOP),
            "recall_shift": (np.int32, (layers, 3 * units), 0, 30),
            "bias": (np.int32, (layers, 3 * units), -GATE_TOP, GATE_TOP),
            "out": (np.int8, (layers, d, units), -TOP, TOP),
            "out_shift": (np.int32, (layers, d), 0, 30),
            "head": (np.int8, (self.alphabet, d), -TOP, TOP),
            "head_shift": (np.int32, (self.alphabet,), 0, 30),
        }
        for name, (kind, shape, least, largest) in expected.items():
            array = getattr(self, name)
            if array.dtype != kind or array.shape != shape or array.size == 0:
                raise ArtifactError(f"{where}: {name} is {array.dtype}{array.shape}, expected {np.dtype(kind)}{shape}")
            if int(array.min()) < least or int(array.max()) > largest:
                raise ArtifactError(f"{where}: {name} leaves {least} .. {largest}; build the stack again")
        if max(d, units) > MAX_INNER or self.alphabet > MAX_ALPHABET:
            raise ArtifactError(f"{where}: sizes that no configuration allows; build the stack again")

    def save(self, folder: Path) -> None:
        """Write `frozen.safetensors`."""
        write_tensors(folder / FILE, attrs.asdict(self), format="1")

    @staticmethod
    def load(folder: Path, alphabet: int) -> FrozenGru:
        """Read and check what `save` wrote.

        Raises:
            ArtifactError: missing, damaged, or of another alphabet.
        """
        path = folder / FILE
        tensors = read_tensors(path)
        names = {field.name for field in attrs.fields(FrozenGru)}
        if set(tensors) != names:
            raise ArtifactError(f"{path}: not a frozen gru (arrays {sorted(set(tensors) ^ names)} do not match)")
        # Kernels are compiled for aligned, writable, contiguous arrays.
        frozen = FrozenGru(**{name: np.require(array, requirements=("C", "A", "W")) for name, array in tensors.items()})
        frozen.check(str(path))
        if frozen.alphabet != alphabet:
            raise ArtifactError(f"{path}: frozen for {frozen.alphabet} symbols, wanted for {alphabet}")
        return frozen
