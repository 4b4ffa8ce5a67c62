"""The parts and sizes of a level, and everything that follows from them: windows, alphabets, restarts of contexts."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from stackc.api.arrays import Int64, Mask, Symbols
from stackc.api.coders import AnyCoder, CoderFlags
from stackc.api.errors import CodingError
from stackc.api.models import Predictor
from stackc.api.plain import WORD_RULE
from stackc.api.windowings import Window, Windowing
from stackc.coding.borders import table_starts, word_starts
from stackc.coding.dictionary.threads import once
from stackc.coding.documents import every_nth, segment_edges, segments, window_starts
from stackc.parts.abilities import cuts_pieces
from stackc.parts.checked import cuts_of, cuts_of_segments, lanes_of
from stackc.parts.symbols import check_inside


@attrs.frozen(kw_only=True, slots=False, eq=False)
class LevelSpec:
    """The parts of a level and its sizes. Read-only, so that threads may share it.

    Attributes:
        name: for messages, e.g. "M1".
        alphabet: A, the alphabet of the symbols that the level reads.
        segment: symbols in a segment; every segment is coded independently.
        windowing: decides where windows end.
        coder: turns windows into bits.
        token_bits: bits per token; the token alphabet is 2^token_bits.
        vocabulary: V of a dictionary coder or piece coder, whose token alphabet is V, one token per window or piece;
            else None.
        load_predictor: returns the frozen model when it is first needed; None if there is no model.
        lanes: windows or segments coded side by side (speed only); `running_lanes` is what the model allows.
        threads: threads of a level with a table of texts, or with a model that codes bit by bit (speed only).
        memory: bytes that working copies of such a model may take; None: any number (speed only).
        whole_documents: such a model codes a document as one sequence, not segment by segment.
        reads_bytes: its symbols are bytes, and not tokens, of which there may be 256 too.
        flags: what the coder can do: its configuration. By default the coder itself, if it has the flags too.
        coder_name: the coder in messages (`stackc.parts.blame.blame`); by default it is named after the level.
        windowing_name: the same for the windowing.

    Raises:
        CodingError: a coder, windowing and sizes that cannot work together.
    """

    name: str
    alphabet: int
    segment: int
    windowing: Windowing
    coder: AnyCoder
    token_bits: int
    vocabulary: int | None = None
    load_predictor: Callable[[], Predictor] | None = None
    lanes: int = 256
    threads: int = 1
    memory: int | None = None
    whole_documents: bool = False
    reads_bytes: bool = True
    flags: CoderFlags = attrs.Factory(lambda self: self.coder, takes_self=True)
    coder_name: str = attrs.Factory(lambda self: f"{self.name}: its coder", takes_self=True)
    windowing_name: str = attrs.Factory(lambda self: f"{self.name}: its windowing", takes_self=True)

    def __attrs_post_init__(self) -> None:
        table = self.windowing.table
        if table is not None and table.shape[1] != self.alphabet:
            raise CodingError(
                f"{self.name}: its windowing has a table of cuts for {table.shape[1]} symbols, and the level reads "
                f"{self.alphabet}"
            )
        if table is not None and self.lists_only and not self.masks:
            raise CodingError(f"{self.name}: its coder lists texts, and does not declare that it obeys a table of cuts")
        if self.windowing.borders is not None and self.windowing.restart != "window":
            raise CodingError(f"{self.name}: windows that are taken back need a context that restarts with each")
        bits = self.windowing.bits
        if bits is None:
            return
        if not self.flags.budget:
            raise CodingError(f"{self.name}: the coder cannot obey a bit budget of {bits}; use fixed-token or whole")
        if bits < self.alphabet.bit_length():  # 2^bits - 1 < alphabet
            raise CodingError(f"{self.name}: windows of {bits} bits cannot hold {self.alphabet} symbols and an end")
        if bits % self.token_bits:
            raise CodingError(f"{self.name}: tokens of {self.token_bits} bits do not divide windows of {bits} bits")

    @once
    def window(self) -> Window:
        """The sizes that the coder receives for every window."""
        budget = self.segment if self.windowing.symbols is None else self.windowing.symbols
        return Window(
            alphabet=self.alphabet,
            bits=self.windowing.bits,
            symbols=budget,
            token_bits=self.token_bits,
            table=self.windowing.table if self.masks else None,
        )

    @property
    def lists_only(self) -> bool:
        """Whether the coder is a dictionary coder, whose level is its dictionary."""
        return self.vocabulary is not None and not cuts_pieces(self.coder)

    @property
    def masks(self) -> bool:
        """Whether the coder itself obeys a table of cuts."""
        return getattr(self.flags, "masks", False)

    @property
    def token_alphabet(self) -> int:
        """The alphabet of the tokens, which the next level reads."""
        return 1 << self.token_bits if self.vocabulary is None else self.vocabulary

    @property
    def code_bits(self) -> int | None:
        """Bits of every window's code, or None if windows differ."""
        return self.windowing.bits if self.vocabulary is None else self.token_bits

    @property
    def window_tokens(self) -> int | None:
        """Tokens of every window's code, or None if windows differ."""
        return None if self.code_bits is None else self.code_bits // self.token_bits

    @property
    def restarts_with_window(self) -> bool:
        """Whether contexts restart inside segments, with all windows or every n-th; not if a segment is one window."""
        return self.windowing.restart == "window" and not self.one_window

    @property
    def windows_share_context(self) -> bool:
        """Whether a window may see symbols of the windows before it."""
        return not self.restarts_with_window or self.windowing.context_windows > 1

    def restarts(self, starts: Int64, bounds: Int64) -> Int64 | None:
        """Those of the windows' starts at which contexts restart inside segments; None if they do not.

        Args:
            starts: int64[w], ascending: where windows start in the symbols of documents.
            bounds: int64[D + 1], the bounds of the documents.
        """
        if not self.restarts_with_window:
            return None
        return every_nth(starts, bounds, self.segment, self.windowing.context_windows)

    @property
    def one_window(self) -> bool:
        """Whether every segment is one window."""
        windowing = self.windowing
        endless = windowing.bits is None and self.window.symbols >= self.segment
        return endless and windowing.cuts is None and windowing.table is None

    @property
    def codes_runs(self) -> bool:
        """Whether a model that codes bit by bit is given whole segments: its bytes are then the level's tokens."""
        return getattr(self.flags, "takes_bitwise", False) and self.one_window and self.token_bits == 8

    @once
    def predictor(self) -> Predictor:
        """The frozen model, loaded on first use. Raises `CodingError` if there is no model."""
        if self.load_predictor is None:
            raise CodingError(f"{self.name}: this level has no model")
        return self.load_predictor()

    def changed(self, **changes: Any) -> LevelSpec:
        """The same level but for these attributes. The model is shared with this one, not loaded a second time."""
        if self.load_predictor is not None:
            changes.setdefault("load_predictor", lambda: self.predictor)
        return attrs.evolve(self, **changes)

    @property
    def model(self) -> Predictor | None:
        """The predictor that the coder uses; None for a coder without a model."""
        return self.predictor if self.flags.needs_model else None

    @property
    def running_lanes(self) -> int:
        """The lanes that model and coder run in."""
        return lanes_of(self.model, self.lanes)

    def cuts(self, symbols: Symbols, bounds: Int64) -> Mask | None:
        """The windowing's `cuts`, computed segment by segment: bool[n]; None if it has none. Its table is not asked."""
        if self.windowing.cuts is None:
            return None
        check_inside(symbols, self.alphabet, self.name, "symbol")
        if hasattr(self.windowing.cuts, "of_segments"):
            edges = segment_edges(bounds, self.segment)
            return cuts_of_segments(self.windowing, symbols, edges, self.windowing_name)
        cuts = np.zeros(len(symbols), np.bool_)
        for start, end in segments(bounds, self.segment):
            cuts[start:end] = cuts_of(self.windowing, symbols[start:end], self.windowing_name)
        return cuts

    def cuts_between(self, symbols: Symbols, bounds: Int64) -> Callable[[int, int], Mask]:
        """A function that gives `cuts`, which the windowing must have, of symbols[low:high], whole segments."""

        def between(low: int, high: int) -> Mask:
            inner = bounds[np.searchsorted(bounds, low, "right") : np.searchsorted(bounds, high, "left")]
            found = self.cuts(symbols[low:high], np.array([low, *inner, high], np.int64) - low)
            assert found is not None
            return found

        return between

    def borders(self, symbols: Symbols, edges: Int64) -> Mask:
        """The windowing's `borders`, which it must have, of contiguous segments: bool[n].

        Args:
            edges: int64[s + 1], the bounds of the segments; none of them is empty.
        """
        asked, made = attrs.evolve(self.windowing, cuts=self.windowing.borders), np.zeros(len(symbols), np.bool_)
        if hasattr(asked.cuts, "of_segments"):
            return cuts_of_segments(asked, symbols, edges, self.windowing_name)
        for start, end in itertools.pairwise(edges.tolist()):
            made[start:end] = cuts_of(asked, symbols[start:end], self.windowing_name)
        return made

    def cut_bounds(self, symbols: Symbols, bounds: Int64) -> Int64:
        """The bounds of windows that end by cuts and budgets alone, whatever the coder does: int64[w + 1]."""
        cuts = self.window_cuts(symbols, bounds, None if self.has_word_rule else self.cuts(symbols, bounds))
        return np.append(window_starts(bounds, self.segment, self.window.symbols, cuts), bounds[-1])

    @property
    def has_word_rule(self) -> bool:
        """Whether windows are the words of bytes by `stackc.api.WORD_RULE`."""
        of_bytes = self.reads_bytes and self.alphabet == 256
        return of_bytes and self.windowing.rule == WORD_RULE and self.windowing.table is not None

    def window_cuts(self, symbols: Symbols, bounds: Int64, cuts: Mask | None) -> Mask | None:
        """The starts of windows that only budgets, cuts and the windowing's table end: bool[n]; None if nothing cuts.

        Args:
            cuts: what `cuts` gave; not used if `has_word_rule`.
        """
        table, edges = self.windowing.table, segment_edges(bounds, self.segment)
        if table is None:
            return cuts
        if self.has_word_rule:
            return word_starts(symbols, edges, self.window.symbols)
        return table_starts(symbols, edges, table, cuts, self.window.symbols)
