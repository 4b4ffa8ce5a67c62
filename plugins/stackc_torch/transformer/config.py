"""What a recipe may set of the ``transformer`` backend, and what it costs. Imports neither torch nor numba."""

from __future__ import annotations

from typing import ClassVar, Literal

import attrs
from attrs.validators import and_, ge, in_, le

from stackc.api import Cost, bits
from stackc_torch.frozen.rules import MAX_INNER
from stackc_torch.training.config import TransformerTraining, network_cost, network_problems


@attrs.frozen(kw_only=True)
class Transformer:
    """The ``[level.model]`` table of ``backend = "transformer"``: a pre-norm decoder.

    Root-mean-square norms without gains (a gain is part of the matrix that follows), gated-ReLU MLP, no
    biases, learned relative positions, embedding and output projection are separate.
    """

    bits_version: ClassVar[int] = 1
    train: ClassVar[type] = TransformerTraining

    layers: int = bits(2, check=and_(ge(1), le(256)), help="blocks of attention and MLP")
    width: int = bits(96, check=and_(ge(1), le(MAX_INNER)), help="d, the width of the residual stream")
    heads: int = bits(3, check=and_(ge(1), le(1024)), help="attention heads")
    head_dim: int = bits(0, check=and_(ge(0), le(1024)), help="width of a head; 0: width / heads")
    mlp: int = bits(0, check=and_(ge(0), le(MAX_INNER)), help="hidden width of the gated MLP; 0: 4 * width")
    context: int = bits(256, check=and_(ge(1), le(65_536)), help="positions attended to, the current one included")
    positions: Literal["relative"] = bits("relative", check=in_(("relative",)), help="a learned bias by distance")

    @property
    def head_size(self) -> int:
        """Width of a head."""
        return self.head_dim or max(1, self.width // self.heads)

    @property
    def attention_width(self) -> int:
        """Width of all heads together."""
        return self.heads * self.head_size

    @property
    def hidden(self) -> int:
        """Hidden width of the MLP."""
        return self.mlp or 4 * self.width

    def shapes(self, alphabet: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of every trained array, matrices as (outputs, inputs), in their stored order."""
        d, heads, inner, hidden = self.width, self.heads, self.attention_width, self.hidden
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.layers):
            shapes[f"{layer}.qkv"] = (3 * inner, d)
            shapes[f"{layer}.out"] = (d, inner)
            shapes[f"{layer}.gate_up"] = (2 * hidden, d)
            shapes[f"{layer}.down"] = (d, hidden)
        shapes["head"] = (alphabet, d)
        # Row `alphabet` of the embedding is the learned vector of the empty context.
        shapes["embed"] = (alphabet + 1, d)
        return shapes | {f"{layer}.bias": (heads, self.context) for layer in range(self.layers)}

    def problems(self, alphabet: int, settings: TransformerTraining | None) -> list[str]:
        """Problems that concern several fields, as lines ``field: problem``; empty if all are valid."""
        found = []
        if not self.head_dim and self.width % self.heads:
            found.append(f"heads: {self.heads} do not divide width = {self.width}; change one or give head_dim")
        if self.attention_width > MAX_INNER:
            found.append(f"head_dim: {self.heads} heads of {self.head_size} are wider than {MAX_INNER}")
        if self.hidden > MAX_INNER:
            found.append(f"mlp: {self.hidden} is more than {MAX_INNER}")
        return [*found, *network_problems("transformer", alphabet, settings)]

    def cost(self, alphabet: int, settings: TransformerTraining | None) -> Cost:
        """Parameters (exact), operations per symbol, and what the training takes."""
        row = self.context if settings is None else settings.row_symbols(self.context)
        a_layer = 4 * self.width + 5 * self.attention_width + 4 * self.hidden + 2 * self.heads * row
        return network_cost(self, alphabet, settings, self.layers * a_layer + 2 * self.width)
