"""The four kinds of part that meet in a level, and what each promises.

    symbols ──► Predictor: integer frequencies ──► Coder inside windows ──► bits ──► tokens
                        ▲ trained by a ModelBackend        ▲ cut by a Windowing

Legend of array shapes: L lanes, A alphabet size, n symbols, K chosen lanes.
A part is made by the factory that its plugin registers (see `stackc.hookspecs`), from a configuration
class that the part owns. Nothing here imports torch or numba.

Callers and their threads share a part once it is opened (made, loaded): nothing of it changes any more. What a call
works with and what it returns belongs to what the part made for that caller alone: a predictor's state, a window's
encoder, the lanes. What is opened on first use is either guarded or the same whoever comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

import attrs
from attrs.validators import in_, instance_of, is_callable, optional

if TYPE_CHECKING:  # numpy takes a quarter of the time of `stackc plugins list`, which needs no array
    import numpy as np
    import numpy.typing as npt

Symbols: TypeAlias = "npt.NDArray[Any]"
"""One-dimensional integer array; every entry is below the alphabet size of the level that reads it."""

Frequencies: TypeAlias = "npt.NDArray[np.uint32]"
"""Rows of counts that sum to 2^24, on the last axis."""

Portability = Literal["portable", "same-build", "same-machine"]
"""How far a predictor's answers travel: everywhere, on the same software build, or on this machine only."""

RESTART = -1
"""In `Predictor.step`: empty this lane's context and answer for its first symbol."""

IDLE = -2
"""In `Predictor.step` and `LaneEncoder.add`: leave this lane as it is; its row is not read."""


# --------------------------------------------------------------------------------------------------
# Windowing: data, not behaviour


_WHOLE: Any = optional(instance_of(int))


@attrs.frozen(kw_only=True)
class Windowing:
    """Where windows end. A strategy is data, so that the level can pick the fastest route.

    A window closes when its next symbol does not fit in `bits`, at `symbols` symbols, where `cuts` says
    that a window starts, and at the segment's end, whichever comes first.

    Attributes:
        bits: W, the bits of every window's code; None where windows are cut by symbols alone.
        symbols: the symbol budget, 1 .. 65,535; None stands for the length of the level's segments.
        restart: when the *model's* context is emptied (the coder's state always restarts with the window).
        cuts: forced cuts, computed from a segment's symbols by the encoder only: bool[n], True where a
            window starts.
    """

    bits: int | None = attrs.field(default=None, validator=_WHOLE)
    symbols: int | None = attrs.field(default=1024, validator=_WHOLE)
    restart: Literal["window", "segment"] = attrs.field(default="window", validator=in_(("window", "segment")))
    cuts: Callable[[Symbols], npt.NDArray[np.bool_]] | None = attrs.field(
        default=None, validator=optional(is_callable())
    )


@attrs.frozen(kw_only=True)
class Window:
    """What a coder is told of every window that it codes at one level.

    Attributes:
        alphabet: A of the symbols.
        bits: W, or None without a bit budget.
        symbols: the symbol budget; a window with this many symbols is *full*.
        token_bits: the bits of a token; codes are handed on in whole tokens.
    """

    alphabet: int
    bits: int | None
    symbols: int
    token_bits: int


# --------------------------------------------------------------------------------------------------
# Model backends and predictors


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

    def step(self, state: Any, symbols: npt.NDArray[np.int64]) -> Frequencies:
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
    offsets: npt.NDArray[np.int64]
    source_bytes: int

    def documents(self) -> Iterator[Symbols]:
        for start, end in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.symbols[start:end]


class Cut(Protocol):
    """Where a level's encoder restarts the context of a model that is still learning."""

    def __call__(
        self, predictor: Predictor, symbols: Symbols, offsets: npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.int64]:
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


# --------------------------------------------------------------------------------------------------
# Coders


class WindowEncoder(Protocol):
    """Tier 1: codes one window, a symbol at a time."""

    def add(self, freqs: Frequencies | None, symbol: int) -> bool:
        """Code `symbol` under `freqs` (uint32[A]; None without a model). False: it does not fit, nothing changed."""

    def close(self, full: bool) -> tuple[int, int]:
        """End the window: (value, bits), the code as an integer of `bits` bits, most significant first.

        Args:
            full: the window holds `Window.symbols` symbols, so that its end needs no mark.
        """


class BitSource(Protocol):
    """Bits of the tokens that remain, most significant first, followed by zeros without end."""

    left: int
    """Bits that remain before the zeros begin; negative once they were passed."""

    def read(self, count: int) -> int:
        """The next `count` bits as an integer."""


class WindowDecoder(Protocol):
    """Tier 1: decodes one window, a symbol at a time. The level stops after `Window.symbols` symbols."""

    def next(self, freqs: Frequencies | None) -> int | None:
        """The next symbol, or None where the window ends here."""

    def used(self, full: bool) -> int:
        """Bits that the window's code takes up. `full` as in `WindowEncoder.close`."""


class LaneEncoder(Protocol):
    """Tier 2: the same over lanes, in arrays. Every lane holds one open window of its own.

    Optional, found by `hasattr`: ``run(lane, freqs, symbols, cuts) -> (tokens uint32, lengths int64)`` codes m
    known symbols of one lane one after another, row i of `freqs` (uint32[m, A]; None without a model) for symbol
    i, and closes windows before a symbol that does not fit or where `cuts` (bool[m]) says so, and at the symbol
    budget. It gives the tokens of the windows closed and the symbols in each; the last one stays open unless
    full. The level makes do without it (`stackc.adapt`).
    """

    def add(self, freqs: Frequencies | None, symbols: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """`WindowEncoder.add` in every lane whose symbol is not IDLE: bool[L], False where it does not fit."""

    def close(
        self, lanes: npt.NDArray[np.int64], full: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """Close the windows of `lanes` (int64[K]) and open new ones: (their tokens end to end, counts int64[K])."""


class LaneDecoder(Protocol):
    """Tier 2: decoding over lanes. Every lane reads a window of its own from one shared token array."""

    def open(self, lanes: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> None:
        """Start a window in each of `lanes` at token `starts`; zeros are read from token `ends` on."""

    def next(self, freqs: Frequencies | None, active: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """The next symbol of every active lane, -1 where its window ends here (and where not active)."""

    def used(self, lanes: npt.NDArray[np.int64], full: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Tokens that the windows of `lanes` took up."""


@runtime_checkable
class Coder(Protocol):
    """Turns symbols and their frequencies into codes and back, exactly. Integers only.

    Threads share it: nothing of it changes after `load`. Encoders, decoders and lanes belong to one caller; arrays that
    `encode`, `pieces` and `dictionary` return are not written to again.

    Class attributes say what it can do:

    - ``budget``: obeys a bit budget (`Window.bits`);
    - ``ends``: marks a window's end itself (else the level writes the window's symbol count first);
    - ``total``: any token sequence decodes to something;
    - ``needs_model``: codes under a model's frequencies.

    Its configuration class carries the same four as ``ClassVar[bool]``, so that a recipe is checked without
    making the coder (which may import numba).

    A *dictionary coder*'s configuration also has an attribute ``vocabulary: int``, the number V of its codes. Its
    level is always compiled (tier 3 below, the only one that it needs), writes one token below V for a window,
    and takes no ``[level.tokens]``. Its flags are budget False, ends True, total True.

    A *piece coder*'s configuration has ``vocabulary`` and ``pieces: ClassVar[bool] = True``. Each of its V tokens
    stands for a run of symbols, its piece, wherever it stands; the coder is handed whole windows and cuts them into
    pieces. Its level is not compiled, takes no model and no ``[level.tokens]``, and any windowing without a bit budget.
    Its flags are budget False, ends True, total True, needs_model False, and all that it needs is

    - ``pieces() -> (symbols int[n], offsets int64[N + 1])``, N <= V: token t stands for
      symbols[offsets[t]:offsets[t + 1]]; tokens from N on stand for nothing;
    - ``encode(symbols int[n], bounds int64[w + 1]) -> (tokens uint32[m], counts int64[w])``: the tokens of the windows
      symbols[bounds[i]:bounds[i + 1]], each coded alone, and how many each has. None may have an empty piece;
    - ``fit`` and ``load``, as below.

    Optional, found by `hasattr`; the level uses the highest tier present:

    - tier 2: ``lane_encoder(window, lanes) -> LaneEncoder``, ``lane_decoder(window, lanes, tokens) -> LaneDecoder``;
    - tier 3: ``dictionary(predictor, window, lanes) -> (parent int32[N], symbol int32[N])``, the level compiled:
      entry c is the text of code c, its parent's text and one more symbol; entry 0 is the empty text, codes are in
      preorder, and every symbol alone has a code;
    - ``fit(train: Text, alphabet, folder)`` for a coder with tables of its own, and ``load(folder)`` to read them
      back: called before coding, never trained again at load;
    - ``interval() -> (low, range, resolved)`` on its `WindowEncoder`: the codes of every text that extends the
      one coded so far, in units of 2^-resolved of a code; and ``sub_interval(freqs, first, last)``, the same for
      the texts that go on with a symbol of first..last, None where none of them fits. Needed to generate from a
      prompt.
    """

    budget: ClassVar[bool]
    """Whether it obeys a bit budget."""

    ends: ClassVar[bool]
    """Whether its code says where a window ends."""

    total: ClassVar[bool]
    """Whether any tokens decode to something."""

    needs_model: ClassVar[bool]
    """Whether it codes under a model's frequencies."""

    def encoder(self, window: Window) -> WindowEncoder:
        """A fresh window to encode into."""

    def decoder(self, window: Window, bits: BitSource) -> WindowDecoder:
        """A fresh window to decode from `bits`, which stand at its first bit."""


# --------------------------------------------------------------------------------------------------
# Corpus readers


class Reader(Protocol):
    """Streams the documents of a corpus, never holding all of it in memory."""

    def documents(self, split: str) -> Iterator[bytes]:
        """The documents of a split ("train", "valid" or "test"), in a fixed order.

        Raises:
            CorpusError: no such file, or one that cannot be read.
        """

    def fingerprint(self, split: str) -> str:
        """A hash of all that `documents` would yield: of content, not of names or times."""
