"""The four kinds of part that meet in a level, and what each promises.

    symbols ──► Predictor: integer frequencies ──► Coder inside windows ──► bits ──► tokens
                        ▲ trained by a ModelBackend        ▲ cut by a Windowing

Legend of array shapes: L lanes, A alphabet size, n symbols, K chosen lanes.
A part is made by the factory that its plugin registers (see `stackc.api.hooks`), from a configuration
class that the part owns. Nothing here imports torch or numba.

Callers and their threads share a part once it is opened (made, loaded): nothing of it changes any more. What a call
works with and what it returns belongs to what the part made for that caller alone: a predictor's state, a window's
encoder, the lanes. What is opened on first use is either guarded or the same whoever comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import attrs

from stackc.api.arrays import Frequencies, Int64, Symbols

if TYPE_CHECKING:  # numpy takes a quarter of the time of `stackc plugins list`, which needs no array
    pass


Portability = Literal["portable", "same-build", "same-machine"]
"""How far a predictor's answers travel: everywhere, on the same software build, or on this machine only."""


class Predictor(Protocol):
    """A frozen model: integer frequencies for the next symbol of many lanes that advance together.

    Threads share it, each with states of its own: it is read-only once opened. All scratch, returned rows included,
    belongs to the state, or is made for one call of `score` or `pick`.

    `step` with RESTART must follow `start`: the first call is all RESTART. Optional methods, found by
    `hasattr`:

    - ``take(state, lanes) -> state``: a new state whose lane i is a copy of lane ``lanes[i]`` (int64[K]);
      the given state stays valid. Needed to compile dictionaries.
    - ``score(segment, restarts=None) -> Iterator[uint32[m, A]]``: the rows of a whole known segment, in
      order, in blocks of any size m; row i is what stepping answers before symbol i is known. `restarts`
      (bool[n]) is True where the context is emptied first; position 0 always is. Must agree bit for bit
      with stepping.
    - ``pick(segment, restarts=None) -> Iterator[uint32[m]]``: of the same rows, what each gives the symbol that
      comes. For measuring, where that is quicker than whole rows.
    - ``parameters: int``, ``body_ops: int``, ``softmax_ops: int``: those of `Cost`, where the configuration alone does
      not tell.
    """

    alphabet: int
    """A of the symbols that it answers for."""

    portability: Portability
    """How far its answers travel."""

    def start(self, lanes: int) -> Any:
        """A state of `lanes` lanes, each to be restarted before its first answer."""

    def step(self, state: Any, symbols: Int64) -> Frequencies:
        """Advance each lane by one symbol: uint32[L, A]. The next call with the same state may reuse the array.

        Args:
            state: what `start` or `take` returned; changed in place.
            symbols: int64[L]; RESTART empties a lane's context, IDLE leaves the lane alone.
        """


@attrs.frozen(kw_only=True)
class Cost:
    """What a model of some alphabet costs; known from its configuration alone, without importing torch.

    Attributes:
        parameters: every trained number.
        body_ops: operations a symbol without embedding and softmax (2 for each parameter that multiplies).
        softmax_ops: operations a symbol of the last projection, 2 * d * A.
        train_symbols: symbols seen in training.
        train_ops: operations of the whole training.
        train_memory: bytes, estimated peak of training.
    """

    parameters: int
    body_ops: int = 0
    softmax_ops: int = 0
    train_symbols: int = 0
    train_ops: int = 0
    train_memory: int = 0


class Progress(Protocol):
    """Where long work reports to. Speed and loss are shown; nothing of it enters a hash."""

    def update(self, done: int, total: int, **figures: float) -> None:
        """Say that `done` of `total` units are finished, with named figures such as loss=2.1."""

    def log(self, step: int, **scalars: float) -> None:
        """Record scalars at a step, as JSON lines and TensorBoard."""

    def say(self, text: str) -> None:
        """Tell the user one line: a setting that has no effect here, a choice that was made."""


@attrs.frozen(kw_only=True)
class Device:
    """Speed-only settings: never in a hash.

    Attributes:
        name: "cpu" or "cuda".
        threads: torch's threads inside one operation.
    """

    name: str = "cpu"
    threads: int = 1


@attrs.frozen(kw_only=True)
class Text:
    """Symbols of many documents in one flat buffer (often memory-mapped).

    Attributes:
        symbols: integer array[n], the documents one after another.
        offsets: int64[D + 1]; document i is symbols[offsets[i]:offsets[i + 1]].
        source_bytes: the original bytes that all of it stands for.
    """

    symbols: Symbols
    offsets: Int64
    source_bytes: int

    def documents(self) -> Iterator[Symbols]:
        for start, end in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.symbols[start:end]


class Cut(Protocol):
    """Where a level's encoder restarts the context of a model that is still learning."""

    def __call__(self, predictor: Predictor, symbols: Symbols, offsets: Int64 | None = None) -> Int64:
        """int64[w], ascending: the places in `symbols` where windows start. `offsets` bound documents."""


@attrs.frozen(kw_only=True)
class TrainingTask:
    """All that a backend is told when it trains.

    Attributes:
        alphabet: A of the symbols.
        segment: symbols in a segment, after which a context always restarts.
        train: the training text.
        valid: held-out text to report a loss on; may have no symbols.
        seed: every random choice is a function of (seed, step).
        settings: the structured ``[level.train]`` table, or None where the backend has none.
        folder: an empty or half-done folder of the backend's own. Training state lives here, so that a
            killed training goes on and ends in the same bytes.
        device: where to train.
        progress: where to report.
        cut: None where contexts never restart inside a segment; else a function from a predictor (the model
            so far), symbols, and the offsets of their documents (None: they are one) to int64 window starts: the
            places where the level's encoder restarts.
        rank, ranks: which of how many processes trains. More than one: all of them call `ModelBackend.train` with
            the same task, torch's default process group joins them, and rank 0 alone writes to `folder`.
        shard_from: parameters from which on a model's weights are shared out among several ranks, if the backend can.
    """

    alphabet: int
    segment: int
    train: Text
    valid: Text
    seed: int
    settings: Any
    folder: Path
    device: Device
    progress: Progress
    cut: Cut | None = None
    rank: int = 0
    ranks: int = 1
    shard_from: int = 500_000_000


class ModelBackend(Protocol):
    """Trains on symbols (floats, any device), then freezes into a predictor that codes (integers).

    Built by its plugin's factory from the structured ``[level.model]`` table. Its configuration class may
    have ``train``, a class variable naming the attrs class of ``[level.train]`` (None: the table is an
    error), and must have ``bits_version`` and ``cost(alphabet, settings) -> Cost``.

    Optional, found by `hasattr`:

    - ``many_ranks: bool``, True where it can train in several processes at once (`TrainingTask.ranks`); the others
      train on rank 0 alone.
    - ``fingerprint() -> str``, a hash of the content of the files that its configuration names (`stackc.api.globs`),
      as `Reader.fingerprint`; empty where it names none. Training reads them, nothing else may: a stack is whole
      without them.
    """

    def train(self, task: TrainingTask) -> None:
        """Train and leave the float parts in ``task.folder``; nothing of it where there is nothing to train."""

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        """Write the integer parts of the model trained in `trained` to `folder`: all that coding needs."""

    def load(self, folder: Path, alphabet: int, device: Device) -> Predictor:
        """The predictor whose integer parts are in `folder`. Raises `ArtifactError` where they are damaged."""
