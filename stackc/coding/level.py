"""One lossless stage: symbols in, tokens out, and back. Nothing in a level knows its depth.

What a level is made of is its `LevelSpec`; how it codes is its `Route` (`stackc.coding.routes`), which is chosen when
it is first needed, because the choice may load the model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64, Symbols
from stackc.api.errors import CodingError
from stackc.api.models import Portability, Predictor
from stackc.coding.dictionary.dictionary import Dictionary
from stackc.coding.dictionary.threads import once
from stackc.coding.documents import Decoding, Encoding, bounds_of, row_of_integers
from stackc.coding.pieces import PieceTable
from stackc.coding.routes import Route, choose_route
from stackc.coding.spec import LevelSpec


class Level:
    """Binds a model, a coder and a windowing, and promises ``decode(encode(x)) == x`` for every x.

    Threads may share it.

    Args:
        spec: its parts and sizes.
        dictionary: the level compiled, or None.
        again: gives the same level in another process, where it was pickled; None: it cannot be pickled.

    Raises:
        CodingError: the coder needs a model and there is none.
    """

    def __init__(
        self, spec: LevelSpec, dictionary: Dictionary | None = None, again: Callable[[], Level] | None = None
    ) -> None:
        if spec.flags.needs_model and spec.load_predictor is None and dictionary is None:
            raise CodingError(f"{spec.name}: the coder needs a model and there is none")
        self.spec = spec
        self.dictionary = dictionary
        self._again = again

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A level of a stack pickles as its place in that stack, which the other process opens."""
        return super().__reduce_ex__(protocol) if self._again is None else (self._again, ())

    @once
    def route(self) -> Route:
        """How the level codes. Raises `CodingError` for a dictionary coder whose level is not compiled."""
        return choose_route(self.spec, self.dictionary)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def alphabet(self) -> int:
        """A of the symbols that it reads."""
        return self.spec.alphabet

    @property
    def segment(self) -> int:
        """Symbols in a segment; each is coded alone."""
        return self.spec.segment

    @property
    def token_bits(self) -> int:
        return self.spec.token_bits

    @property
    def token_alphabet(self) -> int:
        """The alphabet that it hands on to the next level."""
        return self.spec.token_alphabet

    @property
    def window_tokens(self) -> int | None:
        """Tokens of every window's code, or None if windows differ."""
        return self.spec.window_tokens

    @property
    def windows_decode_alone(self) -> bool:
        """Whether a window means the same whatever came before it, and takes up as many tokens as any other."""
        return self.route.windows_decode_alone

    @property
    def texts(self) -> Dictionary | PieceTable | None:
        """The text of every code, if a code has the same text wherever it stands; else None."""
        return self.route.texts

    @property
    def predictor(self) -> Predictor:
        """The frozen model, loaded on first use. Raises `CodingError` if there is no model."""
        return self.spec.predictor

    @property
    def portability(self) -> Portability:
        """How far its tokens travel: as far as the model that must run to decode them; without one, everywhere."""
        return self.route.portability

    @property
    def total(self) -> bool:
        """Whether any tokens decode to something."""
        return self.spec.flags.total

    def without_cuts(self) -> Level:
        """The same level with windows that end only at their budgets: the baseline for the cost of forced cuts."""
        return Level(self.spec.changed(windowing=attrs.evolve(self.spec.windowing, cuts=None)), self.dictionary)

    def encode(self, symbols: Symbols, offsets: Int64 | None = None, *, verify: bool = True) -> Encoding:
        """Tokens of documents.

        Args:
            symbols: integers below the alphabet size, the documents end to end.
            offsets: int64[D + 1], where each starts and ends; None: all of it is one document.
            verify: if the model is not portable, decode the tokens before they are returned. False is for callers
                that decode them themselves.

        Raises:
            CodingError: a symbol outside the alphabet; a predictor that does not reproduce what it wrote.
            PartError: a part that breaks a rule of the contract (`stackc.parts.checked`).
        """
        symbols = row_of_integers(symbols, self.name, "symbols")
        bounds = bounds_of(symbols, offsets)
        route = self.route if verify else self.route.unverified
        return route.encode(symbols, bounds, self.spec.cuts(symbols, bounds))

    def decode(
        self, tokens: npt.NDArray[np.integer], offsets: Int64 | None = None, most: int | None = None
    ) -> Decoding:
        """Symbols of documents. If the coder is total, any tokens decode.

        Args:
            tokens: integers below `token_alphabet`, the documents end to end.
            offsets: int64[D + 1]; None: all of it is one document.
            most: symbols that may come out, all documents together; None: as many as the tokens name. A few tokens
                may name very many symbols, so a caller that does not trust them says how many there should be.

        Raises:
            CodingError: a token outside the alphabet, tokens that decode to nothing (coders that are not total), or
                more than `most` symbols, found before they take up memory.
        """
        tokens = row_of_integers(tokens, self.name, "tokens")
        return self.route.decode(tokens, bounds_of(tokens, offsets), most)
