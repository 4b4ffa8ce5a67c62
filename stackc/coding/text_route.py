"""The route of a level whose codes have one text each, independent of context: look-ups in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64, Mask, Symbols
from stackc.api.models import Portability
from stackc.coding.documents import Decoding, Encoding, segment_edges, whole_codes
from stackc.coding.pieces import PieceTable
from stackc.coding.route import Documents, Tokens
from stackc.coding.spec import LevelSpec
from stackc.parts.symbols import check_inside, symbol_dtype

if TYPE_CHECKING:  # numba takes a second to import, and not every use of a stack compiles
    from stackc.coding.dictionary.dictionary import Dictionary


class Texts(Documents):
    """Look-ups in a table of texts. No model runs, so the tokens are the same on every machine."""

    runs_model = False
    portability: Portability = "portable"

    def __init__(self, spec: LevelSpec, table: Dictionary | PieceTable) -> None:
        self._spec, self.texts = spec, table
        self.windows_decode_alone = spec.window_tokens is not None
        cut_table = spec.windowing.table
        self.asks_for_cuts = spec.has_word_rule and (
            isinstance(table, PieceTable) or (cut_table is not None and table.has_words(cut_table, spec.window.symbols))
        )

    def encode(self, symbols: Symbols, bounds: Int64, cuts: Any, verify: bool = True) -> Encoding:
        spec, per = self._spec, self._spec.window_tokens or 1
        sizes, how = (symbols, bounds, spec.segment), (spec.threads, spec.name)
        if callable(cuts) and not isinstance(self.texts, PieceTable):
            codes, code_offsets = self.texts.encode_words(*sizes, cuts, *how)
        else:
            more: tuple[Mask, ...] = ()
            if isinstance(self.texts, PieceTable):  # a dictionary has no text that the windowing's table cuts
                check_inside(symbols, spec.alphabet, spec.name, "symbol")
                cuts = spec.window_cuts(symbols, bounds, cuts)
            elif spec.windowing.borders is not None:
                check_inside(symbols, spec.alphabet, spec.name, "symbol")
                more = (spec.borders(symbols, segment_edges(bounds, spec.segment)),)
            codes, code_offsets = self.texts.encode(*sizes, spec.window.symbols, cuts, *how, *more)
        return Encoding(
            tokens=self._split(codes),
            offsets=code_offsets if per == 1 else code_offsets * per,
            starts=lambda: bounds[0] + self.texts.starts(codes),
        )

    def decode(self, tokens: Tokens, bounds: Int64, most: int | None) -> Decoding:
        spec, per = self._spec, self._spec.window_tokens or 1
        codes, code_bounds, ignored = tokens, bounds, 0
        if per > 1:
            # Before they are joined: tokens that are too large would form another valid code.
            check_inside(tokens, spec.token_alphabet, spec.name, "token")
            first, code_bounds, ignored = whole_codes(bounds, per)
            codes = self._join(tokens, first)
        symbols, ends = self.texts.decode(codes, code_bounds, spec.threads, spec.name, most)
        return Decoding(symbols=symbols, offsets=ends, ignored=ignored)

    def _split(self, codes: npt.NDArray[np.unsignedinteger[Any]]) -> npt.NDArray[np.unsignedinteger[Any]]:
        """Codes of W bits as tokens, most significant first."""
        per, bits = self._spec.window_tokens or 1, self._spec.token_bits
        kind = symbol_dtype(self._spec.token_alphabet)
        if per == 1:
            return codes.astype(kind, copy=False)
        tokens = np.empty((len(codes), per), kind)
        for i in range(per):
            tokens[:, i] = codes >> (per - 1 - i) * bits & (1 << bits) - 1
        return tokens.reshape(-1)

    def _join(self, tokens: Tokens, first: Int64) -> Int64:
        """The codes whose first tokens are at the positions `first`."""
        codes = np.zeros(len(first), np.int64)
        for i in range(self._spec.window_tokens or 1):
            codes = codes << self._spec.token_bits | tokens[first + i].astype(np.int64)
        return codes
