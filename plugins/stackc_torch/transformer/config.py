"""What a recipe may set of the ``transformer`` backend, and what it costs. Imports neither torch nor numba."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import attrs
from attrs.validators import and_, ge, in_, le, optional

from stackc.api import MAX_ALPHABET, Cost, Device, bits, speed

MAX_INNER = 1 << 15
"""Widest matrix product of the frozen network: 127 * 127 * 2^15 stays below 2^31."""


def _fraction(*, top: float = 1.0) -> Any:
    return and_(ge(0.0), le(top))


@attrs.frozen(kw_only=True)
class TransformerTraining:
    """The ``[level.train]`` table of a transformer or a gru.

    A step sees `batch` rows of `row` symbols. The default learning rate and schedule suit networks of
    0.1 to 5 million parameters; the larger the network, the smaller the rate.
    """

    steps: int | None = bits(None, check=optional(ge(1)), help="optimiser steps; give this or symbols")
    symbols: int | None = bits(None, check=optional(ge(1)), help="symbols to see, rounded up to whole steps")
    batch: int = bits(8, check=ge(1), help="rows a step")
    row: int = bits(0, check=ge(0), help="symbols a row; 0: as many as the model's context")
    window_share: float = bits(0.5, check=_fraction(), help="share of rows whose context restarts with every window")
    window_row: int = bits(32, check=ge(1), help="window rows are cut into pieces of at most this many symbols")
    recuts: int = bits(3, check=and_(ge(0), le(64)), help="times that windows are cut anew with the model so far")
    recut_symbols: int = bits(1 << 17, check=ge(1), help="training symbols that are cut each time")
    accumulate: int = bits(1, check=ge(1), help="parts that a step's rows are processed in, to save memory")
    learning_rate: float = bits(3e-3, check=and_(ge(1e-8), le(1.0)), help="peak learning rate (AdamW)")
    warmup: float = bits(0.02, check=ge(0.0), help="warm-up: steps if 1 or more, else a share of all steps")
    decay: Literal["cosine", "linear", "rsqrt", "constant"] = bits(
        "cosine",
        check=in_(("cosine", "linear", "rsqrt", "constant")),
        help="learning rate after the warm-up; rsqrt falls as 1/sqrt(step) from the warm-up's end",
    )
    final_rate: float = bits(0.05, check=_fraction(), help="cosine, linear: last rate as a share of the peak")
    weight_decay: float = bits(0.01, check=ge(0.0), help="AdamW weight decay of the matrices")
    beta2: float = bits(0.98, check=and_(ge(0.5), le(0.9999)), help="AdamW: memory of the squared gradients")
    clip: float = bits(1.0, check=ge(0.0), help="largest norm of a step's gradient; 0: no clipping")
    z_loss: float = bits(1e-4, check=ge(0.0), help="weight of the squared log-partition in the loss")
    precision: Literal["float32", "bf16"] = bits(
        "float32",
        check=in_(("float32", "bf16")),
        help="matrix products in training; bf16 where the device has it, else float32",
    )
    rounding: float = bits(
        0.15, check=_fraction(), help="share of the steps, at the end, trained with integer rounding"
    )
    checkpoint_seconds: float = speed(60.0, check=ge(0.0), help="seconds between checkpoints; 0: every step")

    def row_symbols(self, context: int) -> int:
        """Symbols of a row for a model of this context."""
        return self.row or context

    def total_steps(self, context: int) -> int:
        """Optimiser steps in all."""
        if self.steps is not None:
            return self.steps
        return math.ceil((self.symbols or 0) / (self.batch * self.row_symbols(context)))

    def added_to(self, cost: Cost, context: int, memory: int) -> Cost:
        """The cost of a model of this context with that of its training, which takes `memory` bytes."""
        symbols = self.total_steps(context) * self.batch * self.row_symbols(context)
        # Forward and two products backward for each parameter that multiplies.
        ops = 3 * symbols * (cost.body_ops + cost.softmax_ops)
        return attrs.evolve(cost, train_symbols=symbols, train_ops=ops, train_memory=memory)

    def problems(self) -> list[str]:
        """What no single field can see: ``train.field: what is wrong`` lines, none if all is well."""
        found = []
        if (self.steps is None) == (self.symbols is None):
            found.append("train.steps: give exactly one of steps and symbols")
        if self.batch % self.accumulate:
            found.append(f"train.accumulate: {self.accumulate} does not divide batch = {self.batch}")
        if self.decay == "rsqrt" and self.warmup == 0:
            found.append("train.warmup: rsqrt falls from the end of the warm-up; give it some steps")
        return found


def coding_cost(shapes: dict[str, tuple[int, ...]], width: int, alphabet: int) -> Cost:
    """Parameters (exact) and operations a symbol of a network of these arrays: those of layers are named ``0.name``."""
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    body = sum(size for name, size in sizes.items() if name[0].isdigit() and not name.endswith("bias"))
    return Cost(parameters=sum(sizes.values()), body_ops=2 * body, softmax_ops=2 * width * alphabet)


@attrs.frozen(kw_only=True)
class Transformer:
    """The ``[level.model]`` table of ``backend = "transformer"``: a pre-norm decoder.

    Root-mean-square norms without gains (a gain is part of the matrix that follows), gated-ReLU MLP, no
    biases, learned relative positions, embedding and output projection apart.
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

    @staticmethod
    def doctor(device: Device) -> str:
        """The frozen network's self-test."""
        from stackc_torch.doctor import examine

        return examine(device)

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
        for layer in range(self.layers):
            shapes[f"{layer}.bias"] = (heads, self.context)
        return shapes

    def problems(self, alphabet: int, settings: TransformerTraining | None) -> list[str]:
        """What no single field can see: ``field: what is wrong`` lines, none if all is well."""
        found = []
        if not self.head_dim and self.width % self.heads:
            found.append(f"heads: {self.heads} do not divide width = {self.width}; change one or give head_dim")
        if self.attention_width > MAX_INNER:
            found.append(f"head_dim: {self.heads} heads of {self.head_size} are wider than {MAX_INNER}")
        if self.hidden > MAX_INNER:
            found.append(f"mlp: {self.hidden} is more than {MAX_INNER}")
        if not 1 <= alphabet <= MAX_ALPHABET:
            found.append(f"backend: an alphabet of {alphabet} symbols; models take 1 to {MAX_ALPHABET}")
        if settings is None:
            return [*found, "train: a transformer needs a train table with steps or symbols"]
        return [*found, *settings.problems()]

    def cost(self, alphabet: int, settings: TransformerTraining | None) -> Cost:
        """Parameters (exact), operations a symbol, and what the training takes."""
        cost = coding_cost(self.shapes(alphabet), self.width, alphabet)
        return cost if settings is None else settings.added_to(cost, self.context, self._memory(cost, settings))

    def _memory(self, cost: Cost, settings: TransformerTraining) -> int:
        """Bytes: torch itself, weights with gradients and two moments, and the activations kept for a step."""
        row = settings.row_symbols(self.context)
        alphabet = cost.softmax_ops // (2 * self.width)
        a_layer = 4 * self.width + 5 * self.attention_width + 4 * self.hidden + 2 * self.heads * row
        a_symbol = 4 * (self.layers * a_layer + 2 * self.width) + 8 * min(alphabet, 1 << 12)
        return (300 << 20) + 16 * cost.parameters + settings.batch // settings.accumulate * row * a_symbol
