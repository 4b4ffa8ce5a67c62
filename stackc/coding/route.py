"""The questions that every route answers, so that no caller asks which kind of route a level has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64, Symbols
from stackc.api.models import Portability
from stackc.coding.documents import Decoding, Encoding
from stackc.coding.pieces import PieceTable

if TYPE_CHECKING:  # numba takes a second to import, and not every use of a stack compiles
    from stackc.coding.dictionary.dictionary import Dictionary

Tokens = npt.NDArray[np.integer]


class Route(Protocol):
    """One way to code a level. Read-only: threads may share it."""

    @property
    def texts(self) -> Dictionary | PieceTable | None:
        """The table of codes and texts, if a code has the same text everywhere; else None."""

    @property
    def runs_model(self) -> bool:
        """Whether decoding runs the level's model."""

    @property
    def portability(self) -> Portability:
        """On which machines its tokens decode."""

    @property
    def windows_decode_alone(self) -> bool:
        """Whether a window decodes without the windows before it, and every window has the same number of tokens."""

    @property
    def steps(self) -> bool:
        """Whether a model or a coder is called for every symbol; if not, coding is fast."""

    @property
    def learns(self) -> bool:
        """Whether it learns from the document that it codes, and long documents take fewer bits for it."""

    @property
    def threads(self) -> int:
        """Documents that one call codes at once, in threads; 1 if they are coded side by side, or one by one."""

    @property
    def copies(self) -> int:
        """Documents that all calls code at once: if 1, a second call waits for the first."""

    @property
    def not_generated(self) -> str | None:
        """Why no text can be generated through the level, as the end of a message; None if its coder decides that."""

    @property
    def asks_for_cuts(self) -> bool:
        """Whether `encode` takes a function for `cuts`, and calls it for the parts of the text that need them."""

    def encode(self, symbols: Symbols, bounds: Int64, cuts: Any, verify: bool = True) -> Encoding:
        """Tokens of documents. Raises `CodingError` at a symbol outside the alphabet.

        Args:
            cuts: forced cuts, bool[n]; None: none. If `asks_for_cuts`, a function that gives those of the symbols from
                one start of a segment to another: they are word starts, and no text holds more than a word.
            verify: `Verified` decodes the tokens before it returns them; False is for callers that do so themselves.
        """

    def decode(self, tokens: Tokens, bounds: Int64, most: int | None) -> Decoding:
        """Symbols of documents, at most `most`. Raises `CodingError` at tokens that do not decode."""


class Documents:
    """The properties of most routes: they learn nothing while they code, and code documents side by side."""

    steps = False
    learns = False
    threads = copies = 1
    not_generated: str | None = None
    asks_for_cuts = False
