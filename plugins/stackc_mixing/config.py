"""What a recipe may set of the mixing model, and what it costs. Imports nothing heavy."""

from __future__ import annotations

from typing import ClassVar

import attrs
from attrs.validators import and_, ge, in_, le

from stackc.api import Cost, bits
from stackc_mixing.shapes import MANY, SOME, TWELVE, Shape

MAP_ENTRIES, SETS = 256, 6 * 4 * 16 + 256 + (1 << 14)
CLASSES, TWELVE_SETS = 8, 8 * (6 * 4 * 8 + 256 + 4 * 128 + 64 * 8) + (1 << 14)
SLOT, LENGTHS = 16, 32
ROWS_1, ROWS_2, POINTS = 1 << 16, 1 << 12, 32
FEW, FEW_SETS, FEW_INPUTS = 5, 4 * 256 * 8, 8
SIX, GUESSES = 6, 1 << 16
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
    bitwise: ClassVar[bool] = True

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

    contexts: str = bits(
        "many",
        check=in_(("many", "some", "few", "six", "twelve")),
        added=True,
        help="many: 14 contexts; some: 10, 1.4 times as fast; few: 5, without rich slots (`rich` has no effect), three"
        " times as fast as many; six: 6, without rich slots, symbols in fewer decisions, four times as fast as many;"
        " twelve: 12, scores and weights learned together, the smallest files, as fast as some",
    )

    @property
    def shape(self) -> Shape:
        """Of a model with rich slots."""
        return {"some": SOME, "twelve": TWELVE}.get(self.contexts, MANY)

    @property
    def lean(self) -> bool:
        """Whether the model has no rich slots: `stackc_mixing.few`, `stackc_mixing.six`."""
        return self.contexts in ("few", "six")

    def tables(self, alphabet: int) -> dict[str, tuple[int, int]]:
        """Of every table of a working copy: (bytes of an entry, entries). `stackc_mixing.state` says what they hold."""
        slots = {"lean": (1, SLOT * ((1 << self.size) + 1))}
        match = {"hits": (4, 2 * LENGTHS), "places": (4, 1 << max(self.size - 2, 10))}
        ends = {"zero": (4, 1 << max(1, (alphabet - 1).bit_length())), **match}
        if self.lean:
            six = self.contexts == "six"
            maps = {"maps": (4, (SIX if six else FEW) * MAP_ENTRIES), "weights": (4, FEW_SETS * FEW_INPUTS)}
            rest = {**match, "guesses": (2, GUESSES)} if six else {"apm_1": (2, 256 * POINTS), **ends}
            return {**slots, **maps, **rest}
        if self.contexts == "twelve":
            contexts, inputs = len(self.shape.contexts), len(self.shape.inputs)
            return {
                "rich": (4, SLOT * ((1 << self.rich) + 1)),
                **slots,
                "scores": (4, CLASSES * contexts * MAP_ENTRIES),
                "weights": (4, TWELVE_SETS * inputs),
                "apm_1": (2, ROWS_1 * POINTS),
                "zero": ends["zero"],
                "matches": match["hits"],
                "places": match["places"],
            }
        second = {"apm_2": (2, ROWS_2 * POINTS)} if len(self.shape.refinements) == 2 else {}
        return {
            "rich": (4, SLOT * ((1 << self.rich) + 1)),
            **slots,
            "maps": (4, len(self.shape.contexts) * MAP_ENTRIES),
            "weights": (4, SETS * len(self.shape.inputs)),
            "second": (4, 256 * 4),
            "apm_1": (2, ROWS_1 * POINTS),
            **second,
            **ends,
        }

    def cost(self, alphabet: int, settings: MixingTraining) -> Cost:
        """Parameters are the entries of all tables; operations are those of the mixed sets at every decision."""
        tables = self.tables(alphabet).values()
        copy = sum(width * entries for width, entries in tables)
        mixed = FEW_INPUTS if self.lean else len(self.shape.sets) * len(self.shape.inputs)
        operations = 2 * mixed * max(1, (alphabet - 1).bit_length())
        return Cost(
            parameters=sum(entries for _, entries in tables),
            body_ops=operations,
            train_symbols=settings.sample,
            train_ops=2 * operations * settings.sample,
            train_memory=copy + settings.sample * (1 if alphabet <= 256 else 2),
            copy_memory=copy,
            symbol_memory=1 if alphabet <= 256 else 2,
            kept_symbols=min(self.window, settings.sample),
        )
