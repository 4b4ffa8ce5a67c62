"""The model `order-two`: counts bits in contexts of up to two symbols, and learns as it codes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np
from stackc.api import (
    ArtifactError,
    BitwisePredictor,
    Cost,
    Device,
    ModelBackend,
    Portability,
    Register,
    Symbols,
    TrainingTask,
    Uint8,
    Uint16,
    fields,
    hookimpl,
    read_tensors,
    write_tensors,
)

STACKC_CONTRACT = (1, 4)  # the contract that this plugin was made for (stackc.api.CONTRACT)

MAX_SYMBOLS = 1 << 16
STATE = "state.safetensors"
INPUTS, SCRATCH = 3, 7  # the same as in stackc_order_two_loops, which takes a second to import


@attrs.frozen(kw_only=True)
class OrderTwoConfig:
    """The fields of the recipe's table ``[top.model]``."""

    bits_version: ClassVar[int] = 1  # raise it when the same training gives other bytes
    train: ClassVar[None] = None  # or the attrs class of the table [top.train]
    bitwise: ClassVar[bool] = True  # `stackc plugins check` codes a text with it

    slots: int = fields.bits(
        16, check=attrs.validators.in_(range(8, 25)), help="counters of each context, as a power of two"
    )
    rate: int = fields.bits(
        4, check=attrs.validators.in_(range(1, 9)), help="counters move by 1 / 2^rate of their distance"
    )

    def cost(self, alphabet: int, settings: None) -> Cost:
        """What the model costs; known without training it."""
        counters = INPUTS << self.slots
        # What `BitwisePredictor.state_bytes` will be: a copy that [run] memory does not allow is refused in the plan.
        return Cost(parameters=counters + INPUTS, copy_memory=2 * counters + 8 * (INPUTS + 2 + SCRATCH))

    def problems(self, alphabet: int, settings: None) -> list[str]:
        """Problems that are reported before anything is built."""
        return [f"at most {MAX_SYMBOLS} symbols, here {alphabet}"] if alphabet > MAX_SYMBOLS else []


@attrs.define
class WorkingCopy:
    """All memory that coding changes. Threads share the model, so nothing of this may be on the model itself."""

    counters: Any  # uint16[3 << slots]: probabilities of a one
    weights: Any  # int64[3]
    history: Any  # int64[2]: the last symbol plus one, and the one before it
    scratch: Any  # int64[7]


class OrderTwoBackend:
    """Trains, freezes and loads."""

    def __init__(self, config: OrderTwoConfig) -> None:
        self.config = config

    def train(self, task: TrainingTask) -> None:
        """Read the training text: what was learned is the *primed state*. It must end in the same bytes every time."""
        model = OrderTwo(self.config, task.alphabet, *untrained(self.config))
        copy = model.begin()
        for number, document in enumerate(task.train.documents(), 1):
            copy.history[:] = 0
            model.run(copy, np.array(document, model.dtype), np.empty(0, np.uint8), False)  # no room: only to learn
            task.progress.update(number, len(task.train.offsets) - 1)
        write_tensors(task.folder / STATE, {"counters": copy.counters, "weights": copy.weights, **tables()})

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        """Write to `folder` all that coding needs: integers only. The tables are made of floats once, and kept."""
        write_tensors(folder / STATE, read_tensors(trained / STATE))

    def load(self, folder: Path, alphabet: int, device: Device) -> BitwisePredictor:
        """The model. The files may come from anywhere, and compiled loops do not check indices: check them here."""
        found = read_tensors(folder / STATE)
        expected = {"counters": (np.uint16, INPUTS << self.config.slots), "weights": (np.int64, INPUTS)}
        expected |= {"stretch": (np.int64, 4096), "squash": (np.int64, 4096)}
        for name, (kind, size) in expected.items():
            array = found.get(name)
            if array is None or array.dtype != kind or array.shape != (size,):
                raise ArtifactError(f"{folder / STATE}: no {name} of {size} numbers; build the stack again")
        # Least and most, and no abs: that of the least int64 is negative.
        bounds = {"weights": (-1 << 20, 1 << 20), "stretch": (-2047, 2047), "squash": (1, 65_535)}
        if any(found[name].min() < least or found[name].max() > most for name, (least, most) in bounds.items()):
            raise ArtifactError(f"{folder / STATE}: numbers out of range; build the stack again")
        return OrderTwo(self.config, alphabet, *(found[name] for name in expected))


class OrderTwo:
    """The model, which codes bit by bit. Read-only: what changes belongs to the working copies."""

    portability: Portability = "portable"  # the same bytes on every machine: integers only

    def __init__(self, config: OrderTwoConfig, alphabet: int, counters: Any, weights: Any, stretch: Any, squash: Any):
        self.alphabet, self.rate = alphabet, config.rate
        self.bits = max(1, (alphabet - 1).bit_length())
        self.dtype = np.uint8 if alphabet <= 256 else np.uint16
        self.counters, self.weights, self.stretch, self.squash = counters, weights, stretch, squash
        self.state_bytes = counters.nbytes + weights.nbytes + 8 * (2 + SCRATCH)

    def begin(self) -> WorkingCopy:
        """A working copy of the primed state."""
        return WorkingCopy(
            self.counters.copy(), self.weights.copy(), np.zeros(2, np.int64), np.zeros(SCRATCH, np.int64)
        )

    def restart(self, state: WorkingCopy) -> None:
        """Back to the primed state. A model with large tables notes what it touches, and restores only that."""
        state.counters[:] = self.counters
        state.weights[:] = self.weights
        state.history[:] = 0

    def encode_block(self, state: WorkingCopy, symbols: Symbols, out: Uint8) -> int:
        """Code a sequence of symbols: the bytes of its payload, or -1 if they do not fit."""
        self.restart(state)
        return self.run(state, symbols, out, False)

    def decode_block(self, state: WorkingCopy, payload: Uint8, symbols: Symbols) -> None:
        """Fill `symbols` from a payload, whatever it holds."""
        self.restart(state)
        self.run(state, symbols, payload, True)

    def run(self, state: WorkingCopy, symbols: Symbols, buffer: Uint8, decoding: bool) -> int:
        from stackc_order_two_loops import run

        tables = state.counters, state.weights, state.history, state.scratch, self.stretch, self.squash
        return run(*tables, self.rate, self.bits, symbols, buffer, decoding)

    def tree(self, state: WorkingCopy, out: Uint16) -> None:
        """The probabilities of all decisions that the next symbol may take."""
        from stackc_order_two_loops import tree

        tables = state.counters, state.weights, state.history, state.scratch, self.stretch, self.squash
        tree(*tables, self.bits, out)

    def advance(self, state: WorkingCopy, symbol: int) -> None:
        """Learn one more symbol: a sequence of one that keeps the history, and whose bytes are not kept."""
        self.run(state, np.array([symbol], self.dtype), np.empty(0, np.uint8), False)


def untrained(config: OrderTwoConfig) -> tuple[Any, ...]:
    """Counters and weights that know nothing, and the tables."""
    counters = np.full(INPUTS << config.slots, 1 << 15, np.uint16)
    return counters, np.full(INPUTS, 26_000, np.int64), *tables().values()


def tables() -> dict[str, Any]:
    """ln(p / (1 - p)) of 4,096 probabilities in units of 1/256, and its inverse. Floats: stored, not made again."""
    odds = (np.arange(4096) + 0.5) / 4096
    squash = [65_536 / (1 + math.exp(-place / 256)) for place in range(-2048, 2048)]
    return {
        "stretch": np.clip(np.round(256 * np.log(odds / (1 - odds))), -2047, 2047).astype(np.int64),
        "squash": np.clip(np.round(squash), 32, 65_504).astype(np.int64),
    }


def make(config: OrderTwoConfig) -> ModelBackend:
    """Called when a stack uses the model."""
    return OrderTwoBackend(config)


@hookimpl
def stackc_register_models(register: Register) -> None:
    register("order-two", make, OrderTwoConfig, "counts bits after two symbols; learns on the way")
