"""What a recipe may set of the mixing model, and what it costs. Imports nothing heavy."""

from __future__ import annotations

from typing import ClassVar

import attrs
from attrs.validators import and_, ge, le

from stackc.api import Cost, bits

CONTEXTS, MAP_ENTRIES = 14, 256
SETS, INPUTS = 6 * 4 * 16 + 256 + (1 << 14), 24
ROWS_1, ROWS_2 = 1 << 16, 1 << 12
"""As in `stackc_mixing.layout`, which imports numpy."""


@attrs.frozen(kw_only=True)
class MixingTraining:
    """The ``[level.train]`` table of the mixing model: what its tables have read before the first file."""

    sample: int = bits(
        1 << 28,
        check=and_(ge(0), le(1 << 32)),
        help="symbols of the training text that are read, the last ones; 0: none, a compressor of anything",
    )


@attrs.frozen(kw_only=True)
class Mixing:
    """The ``[level.model]`` table of ``backend = "mixing"``: the predictions of many contexts, mixed bit by bit.

    It learns from what it codes. The training text only decides what it knows before.
    """

    bits_version: ClassVar[int] = 1
    train: ClassVar[type] = MixingTraining
    on_device: ClassVar[bool] = False

    size: int = bits(
        22,
        check=and_(ge(10), le(26)),
        help="log2 of the slots of long contexts, 16 bytes each: 22 are 67 MB",
    )
    rich: int = bits(
        19,
        check=and_(ge(8), le(24)),
        help="log2 of the slots of short contexts, 64 bytes each: 19 are 34 MB",
    )
    window: int = bits(
        1 << 20,
        check=and_(ge(0), le(1 << 27)),
        help="symbols of the training text's end that the stack keeps as they are, to find repeated text in",
    )

    @property
    def rich_slots(self) -> int:
        return 1 << self.rich

    @property
    def lean_slots(self) -> int:
        return 1 << self.size

    @property
    def places(self) -> int:
        """Entries of the index of repeated text."""
        return 1 << max(self.size - 2, 10)

    def cost(self, alphabet: int, settings: MixingTraining) -> Cost:
        """Parameters are the entries of all tables. Operations are a row's: 2^k - 1 decisions of three mixed sets."""
        entries = 16 * (self.rich_slots + self.lean_slots) + self.places + CONTEXTS * MAP_ENTRIES + SETS * INPUTS
        return Cost(
            parameters=entries,
            body_ops=6 * INPUTS * max(1, (alphabet - 1).bit_length()),
            train_symbols=settings.sample,
            train_ops=12 * INPUTS * max(1, (alphabet - 1).bit_length()) * settings.sample,
            copy_memory=self.copy_memory(alphabet),
            train_memory=80 * self.rich_slots + 20 * self.lean_slots + settings.sample * (1 if alphabet <= 256 else 2),
        )

    def copy_memory(self, alphabet: int) -> int:
        """Bytes of all tables; tests compare it with `MixingPredictor.state_bytes`."""
        slots = 64 * (self.rich_slots + 1) + 16 * (self.lean_slots + 1)
        maps = CONTEXTS * MAP_ENTRIES + 64 + (1 << max(1, (alphabet - 1).bit_length()))
        return slots + 4 * (self.places + maps + SETS * INPUTS + 256 * 4) + 64 * (ROWS_1 + ROWS_2)
