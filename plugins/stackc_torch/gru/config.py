"""What a recipe may set of the ``gru`` backend, and what it costs. Imports neither torch nor numba."""

from __future__ import annotations

from typing import ClassVar

import attrs
from attrs.validators import and_, ge, le

from stackc.api import Cost, bits
from stackc_torch.frozen.rules import MAX_INNER
from stackc_torch.training.config import TransformerTraining, network_cost, network_problems


@attrs.frozen(kw_only=True)
class Gru:
    """The ``[level.model]`` table of ``backend = "gru"``: gated recurrent units in a residual stream.

    Each layer: root-mean-square norm without gain, a GRU, a projection that is added to the stream. The state
    is all that a lane remembers; its size does not depend on the length of the context.
    """

    bits_version: ClassVar[int] = 1
    train: ClassVar[type] = TransformerTraining
    context: ClassVar[int] = 128
    """Symbols of a training row if ``train.row`` is 0: as far back as gradients reach. Coding has no such limit."""

    layers: int = bits(1, check=and_(ge(1), le(64)), help="recurrent layers")
    width: int = bits(96, check=and_(ge(1), le(MAX_INNER)), help="d, the width of the residual stream")
    state: int = bits(0, check=and_(ge(0), le(MAX_INNER)), help="numbers that a layer remembers; 0: 2 * width")

    @property
    def units(self) -> int:
        """H, the numbers that a layer remembers."""
        return self.state or 2 * self.width

    def shapes(self, alphabet: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of every trained array, matrices as (outputs, inputs), in their stored order.

        The gates are stored end to end: reset, keep, candidate.
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
        return shapes | {f"{layer}.bias": (3 * units,) for layer in range(self.layers)}

    def problems(self, alphabet: int, settings: TransformerTraining | None) -> list[str]:
        """Problems that concern several fields, as lines ``field: problem``; empty if all are valid."""
        found = []
        if self.units > MAX_INNER:
            found.append(f"state: {self.units} is more than {MAX_INNER}")
        return [*found, *network_problems("gru", alphabet, settings)]

    def cost(self, alphabet: int, settings: TransformerTraining | None) -> Cost:
        """Parameters (exact), operations per symbol, and what the training takes."""
        # What every layer keeps for the backward pass, and what one layer takes during it.
        kept, taken = self.layers * (4 * self.width + 9 * self.units), 20 * self.units
        return network_cost(self, alphabet, settings, kept + taken + 2 * self.width)
