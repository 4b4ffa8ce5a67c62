"""The model backend ``mixing``: a state primed by reading the training text, and the predictor that codes from it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stackc.api import Device, Portability, Symbols, TrainingTask, Uint8, Uint16
from stackc_mixing.config import Mixing, MixingTraining
from stackc_mixing.few import run_few, tree_few
from stackc_mixing.kernels import index, run, run_some, tree, tree_some
from stackc_mixing.layout import AT, DECODE, ENCODE, LEARN, SEEN_BITS
from stackc_mixing.six import index_six, run_six, tree_six
from stackc_mixing.state import FILE, LARGE, Primed, Working, depth_of, symbols_dtype
from stackc_mixing.twelve import run_twelve, tree_twelve

CHUNK = 1 << 20
"""Symbols that are learned between two reports."""

RUN = {"many": run, "some": run_some, "few": run_few, "six": run_six, "twelve": run_twelve}
TREE = {"many": tree, "some": tree_some, "few": tree_few, "six": tree_six, "twelve": tree_twelve}
"""The kernels, by `contexts`."""

NO_PAYLOAD = np.zeros(0, np.uint8)


class MixingBackend:
    """A `stackc.api.ModelBackend`. Trained and frozen are the same integers."""

    def __init__(self, config: Mixing) -> None:
        self.config = config

    def train(self, task: TrainingTask) -> None:
        """Read the training text once; a killed training starts again, a finished one is left as it is."""
        if (task.folder / FILE).exists():
            return
        settings: MixingTraining = task.settings
        begin = max(0, len(task.train.symbols) - settings.sample)
        symbols = np.array(task.train.symbols[begin:], symbols_dtype(task.alphabet))
        prime(self.config, symbols, task.alphabet, task.progress.update).save(task.folder)

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        # By name: training that was killed may have left a part of a file next to them.
        for name in (*(f"{large}.slots" for large in LARGE), FILE):
            if (trained / name).exists():
                _linked(trained / name, folder / name)

    def load(self, folder: Path, alphabet: int, device: Device) -> MixingPredictor:
        return MixingPredictor(self.config, Primed.load(folder, self.config, alphabet), alphabet)


def prime(
    config: Mixing, symbols: Symbols, alphabet: int, report: Callable[[int, int], None] = lambda done, total: None
) -> Primed:
    """The state after reading a text.

    Args:
        symbols: of `symbols_dtype`, writable.
        report: called with (symbols read, symbols) now and then.
    """
    depth = depth_of(alphabet)
    nothing = Primed.nothing(config, alphabet)
    if not len(symbols):
        return nothing
    working = Working(nothing, config, alphabet)
    for begin in range(0, len(symbols), CHUNK):
        end = min(begin + CHUNK, len(symbols))
        code(working, symbols, end, depth, LEARN, NO_PAYLOAD)
        report(end, len(symbols))
    window = symbols[max(0, len(symbols) - config.window) :].copy()
    places = working.tables["places"]
    places[:] = 0  # of the whole text, of which only the window is kept
    if config.contexts == "six":
        index_six(window, places, depth)
    else:
        index(window, places)
    return Primed(tables={**working.tables}, window=window, seen=int(working.memory[SEEN_BITS]))


def code(state: Working, symbols: Symbols, end: int, depth: int, mode: int, buffer: Uint8) -> int:
    """`stackc_mixing.kernels.run`, or that of fewer contexts, on a working copy, to symbol `end`."""
    kernel: Any = RUN[state.config.contexts]  # mypy does not count arguments behind a star
    return int(kernel(*state.arguments(symbols), end, depth, mode, buffer, len(buffer)))


class MixingPredictor:
    """A `stackc.api.BitwisePredictor`."""

    portability: Portability = "portable"

    def __init__(self, config: Mixing, primed: Primed, alphabet: int) -> None:
        self.alphabet, self._config, self._primed, self._depth = alphabet, config, primed, depth_of(alphabet)
        self.state_bytes = sum(width * entries for width, entries in config.tables(alphabet).values())

    def begin(self) -> Working:
        return Working(self._primed, self._config, self.alphabet)

    def encode_block(self, state: Working, symbols: Symbols, out: Uint8) -> int:
        state.restore()
        return code(state, symbols, len(symbols), self._depth, ENCODE, out)

    def decode_block(self, state: Working, payload: Uint8, symbols: Symbols) -> None:
        state.restore()
        code(state, symbols, len(symbols), self._depth, DECODE, payload)

    def restart(self, state: Working) -> None:
        state.restore()

    def tree(self, state: Working, out: Uint16) -> None:
        kernel: Any = TREE[state.config.contexts]  # mypy does not count arguments behind a star
        kernel(*state.arguments(state.symbols), self._depth, out)

    def advance(self, state: Working, symbol: int) -> None:
        at = int(state.memory[AT])
        if at >= len(state.symbols):
            longer = np.zeros(max(1024, 2 * at), state.primed.window.dtype)
            longer[:at] = state.symbols[:at]
            state.symbols = longer
        state.symbols[at] = symbol
        code(state, state.symbols, at + 1, self._depth, LEARN, NO_PAYLOAD)


def _linked(source: Path, target: Path) -> None:
    """The same file under a second name, for tables take gigabytes; a copy where the file system has no links."""
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
