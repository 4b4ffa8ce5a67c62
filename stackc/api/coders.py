"""What coders promise. Four kinds: window coders, whole-window coders, dictionary coders and piece coders.

Each can do more, optionally.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

from stackc.api.arrays import Frequencies, Int32, Int64, Mask, Symbols, Tokens
from stackc.api.models import Predictor, Text
from stackc.api.windowings import Window


class WindowEncoder(Protocol):
    """Tier 1: codes one window, a symbol at a time."""

    def add(self, freqs: Frequencies | None, symbol: int) -> bool:
        """Code `symbol` under `freqs` (uint32[A]; None without a model). False: it does not fit; nothing changed."""

    def close(self, full: bool) -> tuple[int, int]:
        """End the window: (value, bits), the code as an integer of `bits` bits, most significant first.

        Args:
            full: the window holds `Window.symbols` symbols, so that its end needs no mark.
        """


class BitSource(Protocol):
    """The bits of the tokens that remain, most significant first, then zeros without end."""

    left: int
    """Bits that remain before the zeros begin; negative once they were passed."""

    def read(self, count: int) -> int:
        """The next `count` bits as an integer."""


class WindowDecoder(Protocol):
    """Tier 1: decodes one window, a symbol at a time. The level stops after `Window.symbols` symbols."""

    def next(self, freqs: Frequencies | None) -> int | None:
        """The next symbol, or None if the window ends here."""

    def used(self, full: bool) -> int:
        """The number of bits in the window's code. `full`: see `WindowEncoder.close`."""


class LaneEncoder(Protocol):
    """Tier 2: the same over lanes, in arrays. Every lane has its own open window.

    Optional, found by `hasattr`: ``run(lane, freqs, symbols, cuts) -> (tokens uint32, lengths int64)`` codes m
    known symbols of one lane, one after another, with row i of `freqs` (uint32[m, A]; None without a model) for
    symbol i. It closes windows before a symbol that does not fit or that `cuts` (bool[m]) marks, and at the symbol
    budget. It returns the tokens of the closed windows and the number of symbols in each; the last window stays open
    unless it is full. Without it the level adds symbols one by one (`stackc.parts.lanes`).
    """

    def add(self, freqs: Frequencies | None, symbols: Int64) -> Mask:
        """`WindowEncoder.add` in every lane whose symbol is not IDLE: bool[L], False if it does not fit."""

    def close(self, lanes: Int64, full: Mask) -> tuple[Tokens, Int64]:
        """Close the windows of `lanes` (int64[K]) and open new ones: (all their tokens, counts int64[K])."""


class LaneDecoder(Protocol):
    """Tier 2: decoding over lanes. Every lane reads its own window from one shared token array."""

    def open(self, lanes: Int64, starts: Int64, ends: Int64) -> None:
        """Start a window in each of `lanes` at token `starts`; zeros are read from token `ends` onwards."""

    def next(self, freqs: Frequencies | None, active: Mask) -> Int64:
        """The next symbol of every active lane, -1 if its window ends here (and if it is not active)."""

    def used(self, lanes: Int64, full: Mask) -> Int64:
        """The number of tokens in the windows of `lanes`."""


@runtime_checkable
class Coder(Protocol):
    """A *window coder*: turns symbols and their frequencies into codes and back, exactly. Integers only.

    Threads share it: nothing of it changes after `load`. Encoders, decoders and lanes belong to one caller; arrays that
    `encode`, `pieces` and `dictionary` return are not written to again. The same holds for the other kinds of coder.

    These two methods are all that it needs. Each further ability is a separate protocol, used if the coder has it:
    `LaneCoder` (tier 2), `DictionaryCoder` (tier 3, the level compiled), `FittedCoder` (its own tables),
    ``compiled(window) -> CompiledLanes`` (its kernels, `stackc.api.compiled`), and, on the encoder, `Intervals` (to
    generate from a prompt).

    What a recipe must know of a coder before it is made stands on its configuration class: `CoderFlags`.
    """

    def encoder(self, window: Window) -> WindowEncoder:
        """A fresh window to encode into."""

    def decoder(self, window: Window, bits: BitSource) -> WindowDecoder:
        """A fresh window to decode from `bits`, which stand at its first bit."""


class LaneCoder(Protocol):
    """Tier 2: a coder that codes many windows side by side."""

    def lane_encoder(self, window: Window, lanes: int) -> LaneEncoder:
        """Lanes to encode in, each with an open window."""

    def lane_decoder(self, window: Window, lanes: int, tokens: Tokens) -> LaneDecoder:
        """Lanes to decode `tokens` in, none of them open."""


class DictionaryCoder(Protocol):
    """Tier 3: a coder that lists the text of every code, so that its level is compiled and runs no model.

    A coder that can do only this, a *dictionary coder*, has ``vocabulary: int``, the number V of its codes, on its
    configuration. Its level is always compiled, writes one token below V per window, and takes no ``[level.tokens]``.
    Its flags are budget False, ends True, total True.
    """

    def dictionary(self, predictor: Predictor | None, window: Window, lanes: int) -> tuple[Int32, Int32]:
        """(parent int32[N], symbol int32[N]): the text of code c is its parent's text and one more symbol.

        Entry 0 is the empty text, codes are in preorder, and every symbol alone has a code.
        """


class PieceCoder(Protocol):
    """A coder that cuts whole windows into pieces, each one of V tokens with the same symbols in any context.

    Its configuration has ``vocabulary: int`` (V) and ``pieces: ClassVar[bool] = True``. Its level is not compiled,
    takes no ``[level.tokens]``, and any windowing without a bit budget. Its flags are budget False, ends True, total
    True. With needs_model False it is a `FittedCoder` too and its level takes no model; with needs_model True it is a
    `FittedUnderModel`. Neither runs a model when it codes.

    Optional, found by `hasattr`: ``decode(tokens uint32[m]) -> symbols int[n]``, the pieces of any tokens below V
    joined, if it does that faster than stackc, which looks the pieces up in a table of all of them; and
    ``plain() -> PlainTokenizer | None``, which says how it chooses pieces, so that its level can be written as a
    ``tokenizer.json`` (None if its settings have no such form).
    """

    def pieces(self) -> tuple[Symbols, Int64]:
        """(symbols int[n], offsets int64[N + 1]), N <= V: token t represents symbols[offsets[t]:offsets[t + 1]].

        Tokens N and above represent nothing.
        """

    def encode(self, symbols: Symbols, bounds: Int64) -> tuple[Tokens, Int64]:
        """(tokens uint32[m] or uint16[m], counts int64[w]): the tokens of all windows, and how many each window has.

        Window i is symbols[bounds[i]:bounds[i + 1]] and is coded alone. No token may have an empty piece.
        """


@runtime_checkable
class WholeWindowCoder(Protocol):
    """A coder that codes a window at a time, all of its symbols at once: zlib, an adaptive range coder, ANS.

    Its configuration has ``whole: ClassVar[bool] = True``. Its flags are budget False, ends True and needs_model False;
    `total` is its own choice. Its level takes no model, any windowing without a bit budget, and windows as long as the
    segment: where every window ends must be known before anything is coded, and the symbols that fit in a number of
    bits are not. (They could be searched for, by coding every window several times; `Coder` says it as it goes.)
    """

    def whole(self, window: Window) -> WholeWindows:
        """Codes windows of this kind. Asked for once for a level; threads share the answer."""


class WholeWindows(Protocol):
    """Encodes and decodes many windows in one call, in flat arrays; stackc runs no Python for a symbol or a window.

    Every window is coded alone: its tokens depend on its symbols and on `Window`, and decode wherever they stand.
    """

    def encode(self, symbols: Symbols, bounds: Int64) -> tuple[Tokens, Int64]:
        """(tokens uint32[m], counts int64[w]): the codes of all windows in order, and the tokens of each, 1 or more.

        Args:
            symbols: of any integer type, not to be changed.
            bounds: int64[w + 1]; window i is symbols[bounds[i]:bounds[i + 1]], 1 to `Window.symbols` symbols.
        """

    def decode(self, tokens: Tokens, starts: Int64, ends: Int64, most: int) -> tuple[Symbols, Int64]:
        """(symbols int[n], counts int64[r]): the symbols of all ranges in order, and how many each has.

        Args:
            tokens: uint32, below 2^`Window.token_bits`, not to be changed.
            starts: int64[r], where each range begins: whole windows one after another, or none.
            ends: int64[r]; range i is tokens[starts[i]:ends[i]].
            most: symbols that all ranges may have together. More are an error before memory is taken for them.

        Raises:
            CodingError: tokens that `encode` never writes (a coder that is total has none), or more than `most`
                symbols. One line; the level puts its name in front.
        """


class FittedCoder(Protocol):
    """A coder with its own tables, fitted to a text once and never changed when they are loaded."""

    def fit(self, train: Text, alphabet: int, folder: Path) -> None:
        """Fit the tables to `train` and write them to `folder`."""

    def load(self, folder: Path) -> None:
        """Read the tables that `fit` wrote. Called before anything is coded."""


class FittedUnderModel(Protocol):
    """A piece coder whose pieces are chosen with the help of the level's model, once that is frozen.

    The windowing's table, if it has one, is respected: with `masks` True among its flags it receives the table, and
    pieces that the table cuts would never be used.
    """

    def fit_under(
        self, predictor: Predictor, window: Window, train: Text, bounds: Int64, lanes: int, folder: Path
    ) -> None:
        """Fit the tables to `train` and write them to `folder`. The result may not depend on `lanes`.

        Args:
            predictor: the frozen model, whose context is empty where a window starts; `start` and `step` are called
                with at most `lanes` lanes.
            window: what all windows have in common; no piece has more than `window.symbols` symbols.
            train: the symbols of the training text.
            bounds: int64[w + 1]; window i of the training text is symbols[bounds[i]:bounds[i + 1]].
            lanes: texts to step side by side.
            folder: for the tables' files.
        """

    def load(self, folder: Path) -> None:
        """Read the tables that `fit_under` wrote. Called before anything is coded."""


class Intervals(Protocol):
    """A window encoder that knows which codes are left: needed to generate from a prompt."""

    def interval(self) -> tuple[int, int, int]:
        """(low, range, resolved): the codes of all texts that extend the one so far, in units of 2^-resolved."""

    def sub_interval(self, freqs: Frequencies | None, first: int, last: int) -> tuple[int, int, int] | None:
        """The same for the texts that continue with a symbol in first..last; None if none of these symbols fits."""


AnyCoder: TypeAlias = "Coder | WholeWindowCoder | DictionaryCoder | PieceCoder"
"""What a factory of the kind "coder" makes."""


class CoderFlags(Protocol):
    """What the configuration class of a coder declares, so that a recipe is checked without making the coder.

    Optional: ``takes_bitwise: ClassVar[bool] = True`` hands whole segments over to a model that codes bit by bit
    (`stackc.api.BitwisePredictor`): its own arithmetic coding takes the coder's place if a window is a segment and a
    token is a byte. Without it such a model gives rows, which is slow.

    Optional: ``masks: ClassVar[bool] = True`` says that the coder obeys `Window.table`: a symbol that the table cuts,
    except a window's first, gets no code and is refused like one that does not fit; a window whose table cuts before
    every symbol is complete, like one at its symbol budget, whatever the argument `full` of `close` and `used` says;
    the dictionary has no text that is cut. Without it the encoder cuts there all the same, and the codes of such texts
    are never written.
    """

    budget: ClassVar[bool]
    """Whether the coder obeys a bit budget (`Window.bits`)."""

    ends: ClassVar[bool]
    """Whether its code marks the window's end; if not, the level writes the window's symbol count first."""

    total: ClassVar[bool]
    """Whether any token sequence decodes to something."""

    needs_model: ClassVar[bool]
    """Whether it codes under a model's frequencies."""
