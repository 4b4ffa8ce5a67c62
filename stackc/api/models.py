"""The four kinds of part that meet in a level, and what each promises.

    symbols ──► Predictor: integer frequencies ──► Coder inside windows ──► bits ──► tokens
                        ▲ trained by a ModelBackend        ▲ cut by a Windowing

Of models there are two forms: a `Predictor` gives rows of frequencies, and a `BitwisePredictor` codes by itself.

Legend of array shapes: L lanes, A alphabet size, n symbols, K chosen lanes.
A part is made by the factory that its plugin registers (see `stackc.api.hooks`), from a configuration
class that belongs to the part. Nothing here imports torch or numba.

Threads share a part once it is opened (made, loaded): it does not change any more. Scratch memory and returned arrays
belong to an object that the part made for one caller: a predictor's state, a window's encoder, the lanes. Anything that
is opened on first use is guarded by a lock, or is the same whichever thread comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import attrs

from stackc.api.arrays import Frequencies, Int64, Symbols, Uint8, Uint16, release

if TYPE_CHECKING:  # what is imported here counts as a source of every kernel (`stackc.api.kernels`)
    from stackc.api.texts import SymbolTexts

Portability = Literal["portable", "same-build", "same-machine"]
"""Where a predictor gives the same rows: everywhere, on the same software build, or on this machine only."""


class Predictor(Protocol):
    """A frozen model: integer frequencies for the next symbol of many lanes that advance together.

    Threads share it, each with its own states: it is read-only once opened. All scratch memory, returned rows included,
    belongs to the state, or is allocated for one call of `score` or `pick`.

    `step` with RESTART must follow `start`: the first call is all RESTART. Optional methods, found by
    `hasattr`:

    - ``take(state, lanes) -> state``: a new state whose lane i is a copy of lane ``lanes[i]`` (int64[K]);
      the given state stays valid. Needed to compile dictionaries.
    - ``score(segment, restarts=None) -> Iterator[uint32[m, A]]``: the rows of a whole known segment, in order, in
      blocks of any size m; row i is the row that stepping gives before symbol i is known. `restarts` (bool[n]) is True
      at symbols before which the context is emptied; position 0 always counts as such. The rows must agree bit for
      bit with stepping.
    - ``pick(segment, restarts=None) -> Iterator[uint32[m]]``: from the same rows, the frequency of the symbol that
      follows. For measurements, if that is faster than whole rows. Of a predictor that is not portable they may differ
      from stepping as much as the rounding of its floats makes them.
    - ``max_lanes: int``, 1 or more: the most lanes that a state can have. stackc never starts or takes more, however
      many ``run.lanes`` allows. Without it, any number of lanes can be asked for.
    - ``compiled() -> CompiledStep``: the same rows by kernels, which stackc puts into one compiled loop with those of
      the coder (`stackc.api.compiled`). For portable predictors: then a symbol costs no call of Python.
    - ``parameters: int``, ``body_ops: int``, ``softmax_ops: int``: as in `Cost`, if they cannot be
      known from the configuration alone.
    """

    alphabet: int
    """A, the size of the alphabet that it predicts."""

    portability: Portability
    """Where its rows are the same."""

    def start(self, lanes: int) -> Any:
        """A state of `lanes` lanes, each to be restarted before its first row."""

    def step(self, state: Any, symbols: Int64) -> Frequencies:
        """Advance each lane by one symbol: uint32[L, A]. The next call with the same state may reuse the array.

        Args:
            state: what `start` or `take` returned; changed in place.
            symbols: int64[L]; RESTART empties a lane's context, IDLE leaves the lane alone.
        """


class BitwisePredictor(Protocol):
    """A frozen model that codes whole sequences of symbols by itself, bit by bit, and learns on the way.

    `ModelBackend.load` may return one in place of a `Predictor`. Symbols of an alphabet of A <= 2^16 have
    k = max(1, ceil(log2 A)) bits. The model codes each as binary decisions of its choice, for example these bits, the
    most significant first. For each decision it has a probability of a one as an integer in 1 .. 65535, of 65536,
    codes it with `stackc.api.code_bit`, and adapts. Every sequence starts from the *primed state*, what the model is
    after training, so that sequences decode alone.

    Threads share the predictor, each with its own working copies: it is read-only once loaded. All memory that coding
    changes, scratch memory included, belongs to the working copy that `begin` returns. Coding needs no other memory,
    so that `state_bytes` bounds it. `encode_block` and `decode_block` are compiled and release the GIL
    (`stackc.api.kernel`): they run for seconds, in several threads.

    Arrays of symbols are uint8 where A <= 256 and uint16 above, those of bytes uint8; all have one dimension, are
    contiguous, aligned, and may be written to, so that a kernel is compiled for one type.

    If frequencies are needed (windows with a bit budget, `stackc eval`, `stackc generate`), stackc makes rows of
    `restart`, `tree` and `advance`: a row is the product of the probabilities along each symbol's bits, made
    frequencies by `normalise` (`stackc.parts.bitwise`). That is slow. Writer and reader have equal rows, but these are
    slightly other than what coding uses, which learns between the decisions of a symbol, and `tree` does not.

    Optional, found by `hasattr`: ``parameters``, ``body_ops`` and ``softmax_ops``, see `Predictor`.
    """

    alphabet: int
    """A, the size of the alphabet, 1 .. 2^16."""

    portability: Portability
    """Where it makes the same bytes."""

    state_bytes: int
    """Bytes of one working copy, at least 0: what `begin` allocates, and all that coding takes."""

    def begin(self) -> Any:
        """A working copy of the primed state."""

    def encode_block(self, state: Any, symbols: Symbols, out: Uint8) -> int:
        """Code a sequence of symbols from the primed state, whatever `state` was used for before.

        Args:
            state: from `begin`; changed in place.
            symbols: uint8[n] or uint16[n], each below A; n may be 0. They are the same afterwards.
            out: uint8[m], where the payload goes.

        Returns:
            The bytes of the payload, out[:bytes]; -1 if they do not fit in m bytes. The same symbols give the same
            bytes whatever m is. Bytes behind the payload may have been written to.
        """

    def decode_block(self, state: Any, payload: Uint8, symbols: Symbols) -> None:
        """Decode a sequence of symbols from the primed state, whatever `state` was used for before.

        Any payload, an empty one or one of random bytes too, decodes to something: zeros follow its end. Symbols may
        then be any numbers below 2^k; those that are not below A are replaced by A - 1 where they are used.

        Args:
            state: from `begin`; changed in place.
            payload: uint8[m]; m may be 0. It is not changed.
            symbols: uint8[n] or uint16[n], filled.
        """

    def restart(self, state: Any) -> None:
        """Bring a working copy to the primed state: before the first symbol of a sequence."""

    def tree(self, state: Any, out: Uint16) -> None:
        """The probabilities of a one in all bits that the next symbol may have. The state codes as before.

        Args:
            state: after `restart`, and `advance` for each symbol of the sequence so far.
            out: uint16[2^k], filled from index 1: entry 1 is the first bit's, the most significant; after that of i
                come 2 i where the bit was a zero and 2 i + 1 where it was a one. Entry 0 is not used.
        """

    def advance(self, state: Any, symbol: int) -> None:
        """Learn the sequence's next symbol, as `encode_block` does: 0 .. A - 1."""


@attrs.frozen(kw_only=True)
class Cost:
    """What a model of some alphabet costs; known from its configuration alone, without importing torch.

    Attributes:
        parameters: every trained number, or the fewest that there can be; see `parameters_known`.
        body_ops: operations per symbol without embedding and softmax (2 for each parameter that multiplies).
        softmax_ops: operations per symbol of the last projection, 2 * d * A.
        train_symbols: symbols seen in training.
        train_ops: operations of the whole training.
        train_memory: bytes, estimated peak of training.
        copy_memory: bytes of a working copy of a model that codes bit by bit (`BitwisePredictor.state_bytes`); each
            thread has one. More than `run.memory` is refused with the recipe; 0: not stated, refused when it is loaded.
        symbol_memory: bytes of `train_memory` for each of `train_symbols`, if the model reads its training text once at
            most, so that a shorter text costs less; 0: `train_symbols` do not depend on the text's length.
        kept_symbols: symbols of the training text, at most, that the model's files hold as they are: whoever has the
            stack can read them.
        parameters_known: False if the number of parameters depends on the training text, as that of counted texts does.
            Then the predictor has `parameters`, and the number is shown once the model is built.
    """

    parameters: int
    body_ops: int = 0
    softmax_ops: int = 0
    train_symbols: int = 0
    train_ops: int = 0
    train_memory: int = 0
    copy_memory: int = 0
    symbol_memory: int = 0
    kept_symbols: int = 0
    parameters_known: bool = True

    def of_text(self, symbols: int) -> Cost:
        """The same for a training text of `symbols` symbols, if that is less than the model would read."""
        spared = self.train_symbols - symbols
        if not self.symbol_memory or spared <= 0:
            return self
        return attrs.evolve(
            self,
            train_symbols=symbols,
            train_ops=self.train_ops * symbols // self.train_symbols,
            train_memory=self.train_memory - spared * self.symbol_memory,
            kept_symbols=min(self.kept_symbols, symbols),
        )


class Progress(Protocol):
    """Receives the reports of long work. Speed and loss are shown; none of it enters a hash."""

    def update(self, done: int, total: int, **figures: float) -> None:
        """Say that `done` of `total` units, 0 if unknown, are finished, with named figures such as loss=2.1."""

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
        memory: megabytes that training may take for one shard, if it reads its text in shards.
    """

    name: str = "cpu"
    threads: int = 1
    memory: int = 1024


RELEASED = 1 << 24
"""Symbols that are read before their memory is released."""


@attrs.frozen(kw_only=True)
class Text:
    """Symbols of many documents in one flat buffer (often memory-mapped).

    Attributes:
        symbols: integer array[n], the documents one after another.
        offsets: int64[D + 1]; document i is symbols[offsets[i]:offsets[i + 1]].
        source_bytes: the number of original bytes that the symbols represent.
    """

    symbols: Symbols
    offsets: Int64
    source_bytes: int

    def documents(self) -> Iterator[Symbols]:
        """The symbols of each document; memory that they take as they are read is released."""
        held = 0
        for start, end in zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True):
            yield self.symbols[start:end]
            held += end - start
            if held >= RELEASED:
                self.release()
                held = 0

    def release(self) -> None:
        """Give back the memory that symbols took as they were read, if they are memory-mapped; they can be read again.

        The system would do it where memory is short, but until then it counts as this process's.
        """
        release(self.symbols)


class Cut(Protocol):
    """Where a level's encoder restarts the context of a model that is still learning."""

    def __call__(self, predictor: Predictor, symbols: Symbols, offsets: Int64 | None = None) -> Int64:
        """int64[w], ascending: the places in `symbols` where windows start. `offsets` bound documents."""


@attrs.frozen(kw_only=True)
class TrainingTask:
    """Everything that a backend receives when it trains.

    Attributes:
        alphabet: A of the symbols.
        segment: symbols in a segment, after which a context always restarts.
        train: the training text.
        valid: held-out text to report a loss on; may have no symbols.
        seed: every random choice is a function of (seed, step).
        settings: the structured ``[level.train]`` table, or None if the backend has no such table.
        folder: the backend's own folder, empty or half done. Training state is stored here, so that a killed training
            continues and ends in the same bytes.
        device: where to train.
        progress: where to report.
        cut: None if contexts never restart inside a segment; else a function from a predictor (the model so far),
            symbols, and the offsets of their documents (None: one document) to int64 window starts: the places where
            the level's encoder restarts.
        rank, ranks: the number of this process, and of all processes that train. If there are several, each calls
            `ModelBackend.train` with the same task, torch's default process group connects them, and only rank 0 writes
            to `folder`.
        shard_from: models of at least this many parameters are sharded over the ranks, if the backend can.
        texts: the bytes that each of the A symbols represents, if the settings ask for them (`needs_texts`, see
            `ModelBackend`); else None.
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
    texts: SymbolTexts | None = None


class ModelBackend(Protocol):
    """Trains on symbols (floats, any device), then freezes into a predictor that codes (integers).

    Built by its plugin's factory from the structured ``[level.model]`` table. Its configuration class may
    have ``train``, a class variable with the attrs class of ``[level.train]`` (None: such a table is an
    error). It must have ``bits_version`` and ``cost(alphabet, settings) -> Cost``. It says ``bitwise:
    ClassVar[bool] = True`` if `load` gives a `BitwisePredictor`, and ``compiled: ClassVar[bool] = True`` if its
    predictor offers kernels: ``stackc plugins check`` then tries them.

    The class of ``[level.train]`` may have ``needs_texts``, a property or class variable: the name of its field that
    asks for `TrainingTask.texts`, or an empty text. A recipe that asks for them is refused if the symbols have no
    texts, with that field's path; otherwise the texts are part of the training stage's key.

    With ``on_device: ClassVar[bool] = False`` it computes without torch: opening it does not import torch to look for a
    device.

    Optional, found by `hasattr`:

    - ``many_ranks: bool``, True if it can train in several processes at once (`TrainingTask.ranks`); other backends
      train on rank 0 only.
    - ``fingerprint() -> str``, a hash of the content of the files that its configuration names (`stackc.api.globs`),
      like `Reader.fingerprint`; empty if it names no files. Only training may read them: a finished stack does not
      need them.
    """

    def train(self, task: TrainingTask) -> None:
        """Train and leave the float parts in ``task.folder``; nothing if there is nothing to train."""

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        """Write the integer parts of the model trained in `trained` to `folder`: everything that coding needs."""

    def load(self, folder: Path, alphabet: int, device: Device) -> Predictor | BitwisePredictor:
        """The predictor whose integer parts are in `folder`. Raises `ArtifactError` if they are damaged."""
