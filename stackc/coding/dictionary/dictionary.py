"""A compiled level: all texts of its codes as one trie, and encoding as a walk in it.

When the model's context restarts with every window, what a code means never changes: the level is a fixed,
prefix-closed set of at most 2^W texts. A dictionary stores, for every code, the code of its text without the
last symbol (`parent`) and that symbol. Codes are in preorder: the texts that extend the text of code c are
exactly the codes c .. end[c] - 1. Code 0 is the empty text, never produced by the encoder.

Codes left over in the range of a text that reached the symbol budget name that text too; the encoder gives the
lowest of them.

The kernels are in `preorder`, `encoding` and `decoding`; `twin` does the same in plain Python.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int32, Int64, Mask, Symbols
from stackc.api.errors import ArtifactError, CodingError
from stackc.api.files import read_tensors, tensor, write_tensors
from stackc.api.limits import MAX_WINDOW_SYMBOLS
from stackc.api.offsets import offsets_of
from stackc.coding.dictionary import by_words, decoding, encoding, marking, preorder
from stackc.coding.dictionary.joining import code_type, join
from stackc.coding.dictionary.retreat import retreat
from stackc.coding.dictionary.threads import once, segment_shares, shared
from stackc.parts.symbols import outside, symbol_dtype

Codes = npt.NDArray[np.unsignedinteger[Any]]

KEPT_ROOM, KEPT_ROOMS = 1 << 24, 4
"""Bytes of a room for codes that is kept from call to call, at most, and how many are kept."""

PACK_WORK = 256
"""Places a text that packing may look at. Past this, or past four places a text, the trie is searched instead."""

LAID_OUT_BYTES = 1 << 26
"""Texts are laid out end to end for decoding where they take at most so much; else they are climbed."""


class Dictionary:
    """The texts of a compiled level, and the walk through them.

    Args:
        parent: int32[N], the code of each text without its last symbol; -1 for the empty text, code 0.
        symbol: int32[N], the last symbol of each text; -1 for the empty text.
        alphabet: A of the symbols.

    Raises:
        ArtifactError: arrays that are not a dictionary.
    """

    def __init__(self, parent: Int32, symbol: Int32, alphabet: int) -> None:
        self.parent = np.ascontiguousarray(parent, np.int32)
        self.symbol = np.ascontiguousarray(symbol, np.int32)
        self.alphabet = alphabet
        size = len(self.parent)
        own = np.arange(size)
        in_order = size > 1 and (self.parent[1:] < own[1:]).all() and (self.parent[1:] >= 0).all()
        in_range = size > 1 and (self.symbol[1:] >= 0).all() and (self.symbol[1:] < alphabet).all()
        if self.symbol.shape != self.parent.shape or not (in_order and in_range):
            raise ArtifactError("a dictionary whose texts are not in preorder; build the stack again")
        if size >= 1 << encoding.CODE_BITS:
            raise ArtifactError(
                f"a dictionary of {size:,} texts; at most {(1 << encoding.CODE_BITS) - 1:,} can be coded"
            )
        ascending, self._first, self._children, self.length, self.canonical, self.end = preorder.index(
            self.parent, self.symbol
        )
        if not ascending:
            raise ArtifactError("a dictionary whose texts are not in preorder; build the stack again")
        self.longest = int(self.length.max())
        if self.longest > MAX_WINDOW_SYMBOLS:
            raise ArtifactError(f"a dictionary with a text of more than {MAX_WINDOW_SYMBOLS} symbols")
        self._table, self._roots = self._packed()
        # That no caller uses now: `list.pop` gives none of them to two.
        self._words: list[by_words.Words] = []
        self._scratch: list[Codes] = []
        self._room: list[Codes] = []
        self._most_room = 0
        absent = np.flatnonzero(self._roots == 0)
        if len(absent):
            raise ArtifactError(f"a dictionary without a text for symbol {absent[0]}")

    def __len__(self) -> int:
        return len(self.parent)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled as its texts, without the memory that is kept between calls."""
        return type(self), (self.parent, self.symbol, self.alphabet)

    def encode(
        self,
        symbols: Symbols,
        offsets: Int64,
        segment: int,
        budget: int,
        cuts: Mask | None = None,
        threads: int = 1,
        who: str = "",
        borders: Mask | None = None,
    ) -> tuple[Codes, Int64]:
        """Walk the trie over documents; a window ends where no longer text exists. Linear in the symbols, always.

        Args:
            symbols: flat symbols of D documents, not negative.
            offsets: int64[D + 1], where documents start and end.
            segment: symbols in a segment; windows end with it.
            budget: symbols in a window at most.
            cuts: bool[n], True where a window is forced to start.
            threads: share the segments; the codes are the same for any number.
            who: the level, for messages.
            borders: bool[n], places that a window is taken back to (`stackc.api.Windowing.borders`); None: it is not.

        Returns:
            codes uint16[w], uint32[w] if there are more than 2^16; int64[D + 1], where each document's start and end.

        Raises:
            CodingError: a symbol outside the alphabet.
        """
        flat = self._narrowed(symbols, self.alphabet, "symbol", f"the alphabet of {self.alphabet}", who)
        bounds = np.ascontiguousarray(offsets, np.int64)
        segment = min(segment, max(len(flat), 1))
        forced = None if cuts is None else np.ascontiguousarray(cuts)
        limit, code_offsets = 0 if budget >= self.longest else budget, np.zeros(len(bounds), np.int64)
        shares = segment_shares(bounds, segment, threads)

        def one(low: int, high: int, out: Codes) -> int:
            document = 0 if low == bounds[0] else int(np.searchsorted(bounds[1:], low, "right"))
            trie = self._first, self._children, self.symbol
            where = flat, bounds, low, high, document, segment
            if borders is not None:
                return int(retreat(*where, budget, forced, borders, *trie, out, code_offsets))
            if self._table is None or not (forced is None or marking.can_mark(self.alphabet)):
                return int(encoding.search(*where, budget, forced, *trie, self._roots, out, code_offsets))
            if forced is not None:
                marks = limit, forced[low:high], self._table, self._roots
                return int(marking.walk_marked(flat, bounds, low, high, segment, *marks, out, code_offsets))
            scratch = self._borrowed(self._scratch, encoding.scratch_size(segment, high - low))
            count = encoding.walk(
                flat, bounds, low, high, document, segment, limit, self._table, self._roots, scratch, out, code_offsets
            )
            if len(scratch) <= encoding.SCRATCH:
                self._scratch.append(scratch)
            return int(count)

        return self._gathered(one, shares, threads, 0, bounds, code_offsets), code_offsets

    def encode_words(
        self,
        symbols: Symbols,
        offsets: Int64,
        segment: int,
        cuts: Callable[[int, int], Mask],
        threads: int = 1,
        who: str = "",
    ) -> tuple[Codes, Int64]:
        """The same as `encode`, for windows of words (`has_words`): most words are looked up, not walked.

        Args:
            cuts: gives those of symbols[low:high], whole segments, where they are needed: bool, True at every word
                start (`stackc.api.WORD_RULE`) where a text may continue.

        Other arguments and errors: see `encode`.
        """
        flat = self._narrowed(symbols, self.alphabet, "symbol", f"the alphabet of {self.alphabet}", who)
        bounds = np.ascontiguousarray(offsets, np.int64)
        segment = min(segment, max(len(flat), 1))
        code_offsets, shares = np.zeros(len(bounds), np.int64), segment_shares(bounds, segment, threads)
        table = self._table
        assert table is not None, "has_words was not asked"

        def one(low: int, high: int, out: Codes) -> int:
            try:
                words = self._words.pop()
            except IndexError:
                words = by_words.Words()
            document = 0 if low == bounds[0] else int(np.searchsorted(bounds[1:], low, "right"))
            count = by_words.walk_words(
                flat, bounds, low, high, document, segment, cuts, words, table, self._roots, out, code_offsets
            )
            self._words.append(words)
            return int(count)

        return self._gathered(one, shares, threads, by_words.ROOM, bounds, code_offsets), code_offsets

    def has_words(self, table: Int32, budget: int) -> bool:
        """Whether `encode_words` can be used: neither the windowing's table of cuts nor its budget ends a text."""
        fits = self._table is not None and self.alphabet == by_words.BYTES and budget >= self.longest
        return fits and bool(by_words.obeys(self.parent, self.symbol, table))

    def decode(
        self, codes: npt.NDArray[np.integer], offsets: Int64, threads: int = 1, who: str = "", most: int | None = None
    ) -> tuple[Symbols, Int64]:
        """The texts of codes end to end.

        Args:
            codes: integers below `len`, of D documents.
            offsets: int64[D + 1], where documents start and end in `codes`.
            threads: share the codes.
            who: the level, for messages.
            most: symbols that may come out; None: as many as the codes name.

        Returns:
            symbols, of the smallest type that holds the alphabet; int64[D + 1], where each document starts and ends.

        Raises:
            CodingError: a code outside the dictionary; more than `most` symbols, found before they take up memory.
        """
        flat = self._narrowed(codes, len(self), "code", f"the dictionary of {len(self)} texts", who)
        bounds = np.ascontiguousarray(offsets, np.int64)
        spans, texts = self._texts

        def spell(low: int, high: int, out: Symbols, at: int) -> None:
            if texts is None:
                decoding.climb(flat, low, high, self.length, self.parent, self.symbol, out, at)
            else:
                decoding.spell(flat, low, high, spans, texts, out.view(np.uint8), at * out.itemsize)

        return join(flat, bounds, self.length, symbol_dtype(self.alphabet), spell, threads, who, most)

    def starts(self, codes: Codes) -> Int64:
        """int64[w], where each code's text starts when they stand end to end."""
        return offsets_of(self.length[codes])[:-1]

    def text(self, code: int) -> list[int]:
        """The symbols of one code's text."""
        out: list[int] = []
        while code > 0:
            out.append(int(self.symbol[code]))
            code = int(self.parent[code])
        return out[::-1]

    def child(self, code: int, symbol: int) -> int | None:
        """The code of the text of `code` and one more symbol, or None if that is not a text."""
        return int(encoding.find(self._first, self._children, self.symbol, code, symbol)) or None

    def children(self, code: int) -> Int64:
        """Codes of all texts one symbol longer, ascending by symbol (which is ascending by code)."""
        return self._children[self._first[code] : self._first[code + 1]].astype(np.int64)

    def save(self, path: Path) -> None:
        write_tensors(path, {"parent": self.parent, "symbol": self.symbol}, alphabet=str(self.alphabet))

    @classmethod
    def load(cls, path: Path, alphabet: int) -> Dictionary:
        arrays = read_tensors(path)
        try:
            parent, symbol = (tensor(arrays, name, np.int32, 1, path) for name in ("parent", "symbol"))
            return cls(parent, symbol, alphabet)
        except ArtifactError as error:
            raise ArtifactError(f"{path}: {error}") from error

    # ---- tables

    @property
    def _code_type(self) -> np.dtype[Any]:
        return code_type(len(self))

    def _gathered(
        self, walk: Callable[[int, int, Codes], int], shares: list[tuple[int, int]], threads: int, room: int,
        bounds: Int64, code_offsets: Int64,
    ) -> Codes:  # fmt: skip
        """The codes of all shares end to end.

        Args:
            walk: walk(low, high, out) writes the codes of symbols[low:high] to `out` and returns how many they are.
            room: codes that `out` must have room for besides one for each symbol.
            code_offsets: each share counts from its own start; shifted.
        """
        begin, end = shares[0][0], shares[-1][1]
        wanted = end - begin + room * len(shares)
        # Room that is kept is memory besides that of the codes: not for what was asked for only once.
        keeps = wanted <= self._most_room and wanted * self._code_type.itemsize <= KEPT_ROOM
        self._most_room = max(self._most_room, wanted)
        out = self._borrowed(self._room, wanted) if keeps else np.empty(wanted, self._code_type)

        def one(low: int, high: int) -> int:
            return walk(low, high, out[place(low, high) : place(low, high) + high - low + room])

        def place(low: int, high: int) -> int:
            return low - begin + room * shares.index((low, high))

        total, *counts = shared(one, shares, threads)
        for (low, high), count in zip(shares[1:], counts, strict=True):
            first = np.searchsorted(bounds[1:], low, "right") + 1
            last = np.searchsorted(bounds[1:], high, "right") + 1
            code_offsets[first:last] += total
            out[total : total + count] = out[place(low, high) : place(low, high) + count]
            total += count
        if keeps:
            codes = out[:total].copy()
            if len(self._room) < KEPT_ROOMS:
                self._room.append(out)  # last: another thread may take it at once
            return codes
        out.resize(total, refcheck=False)  # returns the memory that was never touched
        return out

    def _borrowed(self, rooms: list[Codes], wanted: int) -> Codes:
        """Room for codes, left by an earlier call if that had enough: new memory costs more than a tenth."""
        try:
            room = rooms.pop()
        except IndexError:
            room = np.empty(wanted, self._code_type)
        return room if len(room) >= wanted else np.empty(wanted, self._code_type)

    def _packed(self) -> tuple[npt.NDArray[np.uint64] | None, npt.NDArray[np.uint64]]:
        """The trie as a double array, None if it does not fit into one; and the entries of one-symbol texts, twice.

        The entries beyond those of the texts are for `stackc.coding.dictionary.marking`.
        """
        size = len(self)
        # Places while it is packed, at most.
        room = 4 * size + 3 * self.alphabet if self.alphabet < int(encoding.EMPTY) else 0
        table = np.full(room, encoding.EMPTY, np.uint64)
        base = np.zeros(size, np.int32)
        roots = np.zeros(self.alphabet, np.uint64)
        families = np.diff(self._first)
        families[0] = 0  # one-symbol texts are found in `roots`
        order = np.argsort(-families, kind="stable")[: np.count_nonzero(families)]
        used = 0
        if room:
            used = encoding.pack(
                self._first, self._children, self.symbol, order, self.alphabet, table, base, PACK_WORK * size
            )
        # Room behind it for marked symbols, which are twice as many.
        table = np.concatenate([table[:used], np.full(self.alphabet, encoding.EMPTY, np.uint64)])
        if used:
            encoding.fill(self.parent, self.symbol, self.canonical, base, table, roots)
        else:
            ones = self.children(0)
            roots[self.symbol[ones]] = ones.astype(np.uint64) << np.uint64(encoding.SYMBOL_BITS)
        return table if used else None, np.concatenate([roots, roots])

    @once
    def _texts(self) -> tuple[Int64, npt.NDArray[np.uint8] | None]:
        """The position of each code's text, and the texts as bytes; None if they take too much memory."""
        kind = symbol_dtype(self.alphabet)
        unextended = (self._first[:-1] == self._first[1:]) & (self.canonical == np.arange(len(self)))
        total = int(self.length[unextended].sum(dtype=np.int64))
        if total * kind.itemsize > LAID_OUT_BYTES:
            return np.zeros(0, np.int64), None
        texts = np.zeros(total + decoding.WIDE, kind)
        spans = decoding.lay_out(
            self.parent, self.symbol, self.canonical, self._first, self._children, self.length, texts
        )
        return spans, texts.view(np.uint8)

    def _narrowed(self, values: npt.NDArray[np.integer], size: int, what: str, where: str, who: str) -> Symbols:
        """Values below `size`, in one of few types and never writeable: the kernels are compiled for those alone."""
        values = np.asarray(values)
        value = outside(values, size)
        if value is not None:
            raise CodingError(f"{who}: {what} {value} is outside {where}".removeprefix(": "))
        kind = symbol_dtype(size) if what == "symbol" else self._code_type
        flat: Symbols = np.require(values, kind, ["C", "A"]).view(np.ndarray)
        flat.flags.writeable = False
        return flat
