"""Levels of a piece coder: every token represents one sequence of symbols, its *piece*, in any context.

The coder decides how a window is cut into pieces; decoding joins the pieces, and needs no coder, unless it has its
own `decode`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int32, Int64, Mask, Symbols, Uint8
from stackc.api.errors import ArtifactError, PartError
from stackc.api.limits import MAX_WINDOW_SYMBOLS
from stackc.api.offsets import offsets_of
from stackc.coding.dictionary.threads import once
from stackc.coding.documents import window_starts
from stackc.parts.abilities import joins_pieces
from stackc.parts.blame import blaming
from stackc.parts.symbols import check_inside, check_room, outside, symbol_dtype


class PieceTable:
    """The pieces of a fitted coder: to its level what a `Dictionary` is to a compiled one.

    Args:
        coder: gives `pieces` and `encode` (`stackc.api.PieceCoder`).
        vocabulary: V; tokens without a piece represent nothing.
        alphabet: A of the symbols.
        who: the coder, for messages.

    Raises:
        ArtifactError: invalid pieces.
    """

    def __init__(self, coder: Any, vocabulary: int, alphabet: int, who: str = "the coder") -> None:
        with blaming(who, "pieces"):
            symbols, offsets = coder.pieces()
        lengths = np.diff(offsets)
        wrong = len(offsets) - 1 > vocabulary or not len(offsets) or offsets[0] != 0 or offsets[-1] != len(symbols)
        if wrong or (lengths < 0).any() or int(lengths.max(initial=0)) > MAX_WINDOW_SYMBOLS:
            raise ArtifactError(
                f"a coder's pieces are not up to {vocabulary} sequences of symbols; build the stack again"
            )
        if len(symbols) and not 0 <= int(symbols.min()) <= int(symbols.max()) < alphabet:
            raise ArtifactError(f"pieces have symbols outside the alphabet of {alphabet}; build the stack again")
        self._coder, self._who, self._alphabet = coder, who, alphabet
        self._symbols = symbols.astype(symbol_dtype(alphabet))
        self.length = np.zeros(vocabulary, np.int64)
        self.length[: len(lengths)] = lengths
        self._from = np.cumsum(self.length) - self.length
        self.canonical = np.arange(vocabulary)

    def __len__(self) -> int:
        return len(self.length)

    def encode(
        self,
        symbols: Symbols,
        offsets: Int64,
        segment: int,
        budget: int,
        cuts: Mask | None = None,
        threads: int = 1,
        who: str = "",
    ) -> tuple[npt.NDArray[np.unsignedinteger[Any]], Int64]:
        """The pieces of documents, window by window: tokens, and int64[D + 1], where each document's start and end.

        Arguments: see `Dictionary.encode`; a coder has its own threads.
        """
        check_inside(symbols, self._alphabet, who, "symbol")
        starts = window_starts(offsets, segment, budget, cuts)
        with blaming(self._who, "encode"):
            tokens, counts = self._coder.encode(symbols, np.concatenate((starts, offsets[-1:])))
        ends = offsets_of(counts)
        return tokens.astype(symbol_dtype(len(self)), copy=False), ends[np.searchsorted(starts, offsets)]

    def starts(self, codes: npt.NDArray[np.integer]) -> Int64:
        """Where each token's piece starts, counted from the first: int64[n]."""
        return offsets_of(self.length[codes])[:-1]

    def decode(
        self, codes: npt.NDArray[np.integer], offsets: Int64, threads: int = 1, who: str = "", most: int | None = None
    ) -> tuple[Symbols, Int64]:
        """Symbols of tokens, and int64[D + 1], where each document's symbols start and end.

        Arguments and errors: see `Dictionary.decode`.
        """
        check_inside(codes, len(self), who, "token")
        if joins_pieces(self._coder):
            ends = offsets_of(self.length[codes])
            check_room(who, int(ends[-1]), most)
            return self._joined(codes, int(ends[-1])), ends[offsets]
        from stackc.coding.dictionary import decoding, joining  # and numba with them

        flat = np.require(codes, joining.code_type(len(self)), ["C", "A"]).view(np.ndarray)
        flat.flags.writeable = False

        def spell(low: int, high: int, out: Symbols, at: int) -> None:
            decoding.spell(flat, low, high, self._spans, self._texts, out.view(np.uint8), at * out.itemsize)

        bounds = np.ascontiguousarray(offsets, np.int64)
        return joining.join(flat, bounds, self._lengths, self._symbols.dtype, spell, threads, who, most)

    @once
    def _lengths(self) -> Int32:
        return self.length.astype(np.int32)

    @once
    def _spans(self) -> Int64:
        """Where each token's piece stands in `_texts`, and its length, as `decoding.spell` reads them."""
        width = self._symbols.itemsize
        return np.asarray(self._from * width << 20 | self.length * width, np.int64)

    @once
    def _texts(self) -> Uint8:
        """The pieces as bytes, and room behind them for copies that run over."""
        from stackc.coding.dictionary.decoding import WIDE

        return np.concatenate([self._symbols.view(np.uint8), np.zeros(WIDE * self._symbols.itemsize, np.uint8)])

    def _joined(self, codes: npt.NDArray[np.integer], count: int) -> Symbols:
        """The coder's own decoding, to `count` symbols. Raises `PartError` if they are not what its pieces say."""
        with blaming(self._who, "decode"):
            found = self._coder.decode(codes.astype(np.uint32))
        if not isinstance(found, np.ndarray) or found.dtype.kind not in "iu" or found.shape != (count,):
            said = f"{found.dtype}{list(found.shape)}" if isinstance(found, np.ndarray) else type(found).__name__
            raise PartError(f"{self._who}: decode gave {said}; the pieces of these tokens have {count} symbols")
        if (wrong := outside(found, self._alphabet)) is not None:
            raise PartError(f"{self._who}: decode gave symbol {wrong}, outside the alphabet of {self._alphabet}")
        return found.astype(self._symbols.dtype, copy=False)

    @once
    def ordered(self) -> tuple[list[tuple[int, ...]], list[int]]:
        """The pieces in the order of their symbols, without the empty ones, and their tokens."""
        tokens = [token for token, length in enumerate(self.length.tolist()) if length]
        symbols, starts, lengths = self._symbols.tolist(), self._from.tolist(), self.length.tolist()
        pieces = sorted((tuple(symbols[starts[t] : starts[t] + lengths[t]]), t) for t in tokens)
        return [piece for piece, _ in pieces], [token for _, token in pieces]
