"""The training settings of a recipe, and what training costs. Imports neither torch nor numba."""

from __future__ import annotations

import math
from typing import Any, Literal

import attrs
from attrs.validators import and_, ge, in_, le, optional

from stackc.api import MAX_ALPHABET, Cost, bits, speed

TABLE = and_(ge(1), le(1 << 24))
"""A check: rows of a table."""

FRACTION = and_(ge(0.0), le(1.0))
"""A check: 0 to 1."""

OPERATIONS_HELP = "operations of the training, softmax counted: the nearest whole number of steps"


def training_operations(symbols: int, cost: Cost) -> int:
    """Operations of training that sees `symbols` symbols (docs/concepts.md, "Budgets in operations").

    Each symbol takes a forward pass and two products backward for each parameter that multiplies: three times the
    operations of the body and of the softmax.
    """
    return 3 * symbols * (cost.body_ops + cost.softmax_ops)


def nearest_steps(operations: float, symbols: int, cost: Cost) -> int:
    """The number of steps, at least 1, whose operations are nearest to a budget.

    Args:
        operations: the budget.
        symbols: of one step.
        cost: of the model; 1 step if it multiplies nothing.
    """
    return max(1, math.floor(operations / max(1, training_operations(symbols, cost)) + 0.5))


@attrs.frozen(kw_only=True)
class Training:
    """What every ``[level.train]`` table has."""

    batch: int = bits(8, check=ge(1), help="rows per step")
    row: int = bits(0, check=ge(0), help="symbols per row; 0: as many as the model's context")
    window_share: float = bits(0.5, check=FRACTION, help="share of rows whose context restarts with every window")
    weight_decay: float = bits(0.01, check=ge(0.0), help="AdamW weight decay of the matrices")
    clip: float = bits(1.0, check=ge(0.0), help="largest norm of a step's gradient; 0: no clipping")
    byte_aware: bool = bits(False, added=True, help="inputs know the bytes that their symbols represent")
    text_rows: int = bits(4096, added=True, check=TABLE, help="with byte_aware: rows of the table of hashed texts")
    checkpoint_seconds: float = speed(60.0, check=ge(0.0), help="seconds between checkpoints; 0: every step")

    @property
    def needs_texts(self) -> str:
        """See `stackc.api.ModelBackend`."""
        return "byte_aware" if self.byte_aware else ""

    def row_symbols(self, context: int) -> int:
        """Symbols of a row for a model of this context."""
        return self.row or context

    def text_problems(self) -> list[str]:
        """As `problems`, of byte-aware inputs."""
        if self.byte_aware or self.text_rows == attrs.fields(Training).text_rows.default:
            return []
        return ["train.text_rows: has no effect without byte_aware = true; add that, or remove it"]


@attrs.frozen(kw_only=True)
class TransformerTraining(Training):
    """The ``[level.train]`` table of a transformer or a gru.

    A step sees `batch` rows of `row` symbols. The default learning rate and schedule suit networks of
    0.1 to 5 million parameters; the larger the network, the smaller the rate.
    """

    steps: int | None = bits(None, check=optional(ge(1)), help="optimiser steps; give this, symbols or operations")
    symbols: int | None = bits(None, check=optional(ge(1)), help="symbols to see, rounded up to whole steps")
    operations: float | None = bits(None, check=optional(ge(1.0)), help=OPERATIONS_HELP, added=True)
    window_row: int = bits(32, check=ge(1), help="window rows are cut into pieces of at most this many symbols")
    recuts: int = bits(3, check=and_(ge(0), le(64)), help="times that windows are cut again with the model so far")
    recut_symbols: int = bits(1 << 17, check=ge(1), help="training symbols that are cut each time")
    accumulate: int = bits(1, check=ge(1), help="parts that a step's rows are processed in, to save memory")
    learning_rate: float = bits(3e-3, check=and_(ge(1e-8), le(1.0)), help="peak learning rate (AdamW)")
    warmup: float = bits(0.02, check=ge(0.0), help="warm-up: steps if 1 or more, else a share of all steps")
    decay: Literal["cosine", "linear", "rsqrt", "constant"] = bits(
        "cosine",
        check=in_(("cosine", "linear", "rsqrt", "constant")),
        help="learning rate after the warm-up; rsqrt falls as 1/sqrt(step) from the warm-up's end",
    )
    final_rate: float = bits(0.05, check=FRACTION, help="cosine, linear: last rate as a share of the peak")
    beta2: float = bits(0.98, check=and_(ge(0.5), le(0.9999)), help="AdamW: memory of the squared gradients")
    z_loss: float = bits(1e-4, check=ge(0.0), help="weight of the squared log-partition in the loss")
    precision: Literal["float32", "bf16"] = bits(
        "float32",
        check=in_(("float32", "bf16")),
        help="matrix products in training; bf16 if the device has it, else float32",
    )
    rounding: float = bits(0.15, check=FRACTION, help="share of the steps, at the end, trained with integer rounding")

    def total_steps(self, context: int, cost: Cost) -> int:
        """Optimiser steps in all, of a model of this context and cost."""
        if self.steps is not None:
            return self.steps
        if self.operations is not None:
            return nearest_steps(self.operations, self.batch * self.row_symbols(context), cost)
        return math.ceil((self.symbols or 0) / (self.batch * self.row_symbols(context)))

    def problems(self) -> list[str]:
        """Problems that concern several fields, as lines ``train.field: problem``; empty if all are valid."""
        found = self.text_problems()
        if sum(budget is not None for budget in (self.steps, self.symbols, self.operations)) != 1:
            found.append("train.steps: give exactly one of steps, symbols and operations")
        if self.batch % self.accumulate:
            found.append(f"train.accumulate: {self.accumulate} does not divide batch = {self.batch}")
        if self.decay == "rsqrt" and self.warmup == 0:
            found.append("train.warmup: rsqrt falls from the end of the warm-up; give it some steps")
        return found


def network_problems(name: str, alphabet: int, settings: TransformerTraining | None) -> list[str]:
    """Problems of the alphabet and the training settings of one of our own networks."""
    found = []
    if not 1 <= alphabet <= MAX_ALPHABET:
        found.append(f"backend: an alphabet of {alphabet} symbols; models take 1 to {MAX_ALPHABET}")
    if settings is None:
        return [*found, f"train: a {name} needs a train table with steps, symbols or operations"]
    return [*found, *settings.problems()]


def network_cost(config: Any, alphabet: int, settings: TransformerTraining | None, kept: int) -> Cost:
    """Parameters (exact), operations per symbol, and what training takes, of one of our own networks.

    Args:
        config: has ``shapes(alphabet)``, where the arrays of layers are named ``0.name``, `width` and `context`.
        kept: numbers that a step keeps for each symbol.
    """
    sizes = {name: math.prod(shape) for name, shape in config.shapes(alphabet).items()}
    body = sum(size for name, size in sizes.items() if name[0].isdigit() and not name.endswith("bias"))
    cost = Cost(parameters=sum(sizes.values()), body_ops=2 * body, softmax_ops=2 * config.width * alphabet)
    if settings is None:
        return cost
    row = settings.row_symbols(config.context)
    symbols = settings.total_steps(config.context, cost) * settings.batch * row
    # Torch itself, weights with gradients and two moments, and the activations of the rows processed together.
    per_symbol = 4 * kept + 8 * min(alphabet, 1 << 12)
    texts = settings.text_rows * config.width if settings.byte_aware else 0  # trained, and folded away
    memory = (300 << 20) + 16 * (cost.parameters + texts) + settings.batch // settings.accumulate * row * per_symbol
    ops = training_operations(symbols, cost)
    return attrs.evolve(cost, train_symbols=symbols, train_ops=ops, train_memory=memory)
