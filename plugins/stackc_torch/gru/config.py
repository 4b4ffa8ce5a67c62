"""What a recipe may set of the ``gru`` backend, and what it costs. Imports neither torch nor numba."""

from __future__ import annotations

from typing import ClassVar

import attrs
from attrs.validators import and_, ge, le

from stackc.api import MAX_ALPHABET, Cost, Device, bits, require
from stackc_torch.config import MAX_INNER, TransformerTraining, coding_cost


@attrs.frozen(kw_only=True)
class Gru:
    """The ``[level.model]`` table of ``backend = "gru"``: gated recurrent units in a residual stream.

    Each layer: root-mean-square norm without gain, a GRU, a projection that is added to the stream. The state
    is all that a lane remembers, of the same size however long its context is.
    """

    bits_version: ClassVar[int] = 1
    train: ClassVar[type] = TransformerTraining
    context: ClassVar[int] = 128
    """Symbols of a training row where ``train.row`` is 0: as far back as gradients reach. Coding has no such limit."""

    layers: int = bits(1, check=and_(ge(1), le(64)), help="recurrent layers")
    width: int = bits(96, check=and_(ge(1), le(MAX_INNER)), help="d, the width of the residual stream")
    state: int = bits(0, check=and_(ge(0), le(MAX_INNER)), help="numbers that a layer remembers; 0: 2 * width")

    @staticmethod
    def doctor(device: Device) -> str:
        """The frozen network's self-test."""
        require("torch", "torch", "gru")
        from stackc_torch.gru.doctor import examine

        return examine(device)

    @property
    def units(self) -> int:
        """H, the numbers that a layer remembers."""
        return self.state or 2 * self.width

    def shapes(self, alphabet: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of every trained array, matrices as (outputs, inputs), in their stored order.

        Gates lie end to end: reset, keep, candidate.
        """
        d, units = self.width, self.units
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.layers):
            shapes[f"{layer}.in"] = (3 * units, d)
            shapes[f"{layer}.state"] = (3 * units, units)
            shapes[f"{layer}.out"] = (d, units)
        shapes["head"] = (alphabet, d)
        # Row `alphabet` of the embedding is the learned vector of the empty context.
        shapes["embed"] = (alphabet + 1, d)
        for layer in range(self.layers):
            shapes[f"{layer}.bias"] = (3 * units,)
        return shapes

    def problems(self, alphabet: int, settings: TransformerTraining | None) -> list[str]:
        """What no single field can see: ``field: what is wrong`` lines, none if all is well."""
        found = []
        if self.units > MAX_INNER:
            found.append(f"state: {self.units} is more than {MAX_INNER}")
        if not 1 <= alphabet <= MAX_ALPHABET:
            found.append(f"backend: an alphabet of {alphabet} symbols; models take 1 to {MAX_ALPHABET}")
        if settings is None:
            return [*found, "train: a gru needs a train table with steps or symbols"]
        return [*found, *settings.problems()]

    def cost(self, alphabet: int, settings: TransformerTraining | None) -> Cost:
        """Parameters (exact), operations a symbol, and what the training takes."""
        cost = coding_cost(self.shapes(alphabet), self.width, alphabet)
        if settings is None:
            return cost
        row = settings.row_symbols(self.context)
        # What every layer keeps for the way back, and what one layer takes on it.
        kept, taken = self.layers * (4 * self.width + 9 * self.units), 20 * self.units
        a_symbol = 4 * (kept + taken + 2 * self.width) + 8 * min(alphabet, 1 << 12)
        memory = (300 << 20) + 16 * cost.parameters + settings.batch // settings.accumulate * row * a_symbol
        return settings.added_to(cost, self.context, memory)
