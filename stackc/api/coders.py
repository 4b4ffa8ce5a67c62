"""What coders promise: one window at a time, many lanes, whole dictionaries, pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from stackc.api.arrays import Frequencies
from stackc.api.windowings import Window

if TYPE_CHECKING:  # numpy takes a quarter of the time of `stackc plugins list`, which needs no array
    import numpy as np
    import numpy.typing as npt


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
    full. The level makes do without it (`stackc.parts.lanes`).
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
