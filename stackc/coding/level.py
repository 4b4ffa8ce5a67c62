"""One lossless stage: symbols to tokens, and back. A level does not know its depth in the stack.

A level consists of a `LevelSpec`, its parts and sizes, and a `Route` (`stackc.coding.route`), the way it codes. The
route is chosen when it is first needed, not when the level is opened, because the choice may load the model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64, Symbols
from stackc.api.errors import CodingError
from stackc.api.models import Portability
from stackc.coding.dictionary.threads import once
from stackc.coding.documents import Decoding, Encoding, bounds_of, row_of_integers
from stackc.coding.pieces import PieceTable
from stackc.coding.route import Route
from stackc.coding.routes import choose_route
from stackc.coding.spec import LevelSpec
from stackc.parts.abilities import cuts_pieces

if TYPE_CHECKING:  # numba takes a second to import, and not every use of a stack compiles
    from stackc.coding.dictionary.dictionary import Dictionary


class Level:
    """Combines a model, a coder and a windowing, and guarantees ``decode(encode(x)) == x`` for every x.

    Threads may share it.

    Args:
        spec: its parts and sizes.
        dictionary: the compiled form of the level, or None.
        again: opens the same level in another process, if this one is pickled; None: it cannot be pickled.

    Raises:
        CodingError: the coder needs a model and the spec has none.
    """

    def __init__(
        self, spec: LevelSpec, dictionary: Dictionary | None = None, again: Callable[[], Level] | None = None
    ) -> None:
        codes_under_model = spec.flags.needs_model and dictionary is None and not cuts_pieces(spec.coder)
        if codes_under_model and spec.load_predictor is None:
            raise CodingError(f"{spec.name}: its coder needs a model, and it has none")
        self.spec = spec
        self.dictionary = dictionary
        self._again = again

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A level of a stack is pickled as its place in that stack, which the other process opens."""
        return super().__reduce_ex__(protocol) if self._again is None else (self._again, ())

    @once
    def route(self) -> Route:
        """The way the level codes. Raises `CodingError` for a dictionary coder whose level is not compiled."""
        return choose_route(self.spec, self.dictionary)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def alphabet(self) -> int:
        """A, the alphabet of the symbols that it reads."""
        return self.spec.alphabet

    @property
    def token_alphabet(self) -> int:
        """The alphabet of its tokens, which the next level reads."""
        return self.spec.token_alphabet

    @property
    def window_tokens(self) -> int | None:
        """Tokens of every window's code, or None if windows differ."""
        return self.spec.window_tokens

    @property
    def texts(self) -> Dictionary | PieceTable | None:
        """The table of codes and texts, if a code has the same text everywhere; else None."""
        return self.route.texts

    @property
    def portability(self) -> Portability:
        """Where its tokens decode: as portable as the model that must run to decode them; everywhere without one."""
        return self.route.portability

    def without_cuts(self) -> Level:
        """The same level with windows that end only at their budgets: the baseline for the cost of forced cuts."""
        return Level(self.spec.changed(windowing=attrs.evolve(self.spec.windowing, cuts=None)), self.dictionary)

    def encode(self, symbols: Symbols, offsets: Int64 | None = None, *, verify: bool = True) -> Encoding:
        """Tokens of documents.

        Args:
            symbols: integers below the alphabet size, the documents concatenated.
            offsets: int64[D + 1], the bounds of the documents; None: one document.
            verify: if the model is not portable, decode the tokens before they are returned. False is for callers
                that decode them themselves.

        Raises:
            CodingError: a symbol outside the alphabet; a predictor that does not reproduce its frequencies.
            PartError: a part that breaks a rule of the contract (`stackc.parts.checked`).
        """
        symbols = row_of_integers(symbols, self.name, "symbols")
        bounds = bounds_of(symbols, offsets)
        route, spec = self.route, self.spec
        cuts = spec.cuts_between(symbols, bounds) if route.asks_for_cuts else spec.cuts(symbols, bounds)
        return route.encode(symbols, bounds, cuts, verify)

    def decode(
        self, tokens: npt.NDArray[np.integer], offsets: Int64 | None = None, most: int | None = None
    ) -> Decoding:
        """Symbols of documents. If the coder is total, all tokens decode.

        Args:
            tokens: integers below `token_alphabet`, the documents concatenated.
            offsets: int64[D + 1]; None: one document.
            most: limit on the symbols of all documents together; None: no limit. A few tokens may decode to very many
                symbols, so a caller that does not trust the tokens sets one.

        Raises:
            CodingError: a token outside the alphabet, tokens that do not decode (coders that are not total), or more
                than `most` symbols, detected before memory is allocated for them.
        """
        tokens = row_of_integers(tokens, self.name, "tokens")
        return self.route.decode(tokens, bounds_of(tokens, offsets), most)
