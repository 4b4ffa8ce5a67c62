"""One lossless stage: symbols in, tokens out, and back. Nothing in a level knows its depth.

Routes, fastest first; all give the same tokens:

- a dictionary, where the level is compiled (`stackc.coding.dictionary.dictionary`); of a piece coder its pieces (`stackc.coding.pieces`);
- scoring whole segments in one pass, where the model's context does not depend on the windows;
- stepping the model over lanes (`stackc.coding.stepping`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Symbols
from stackc.api.coders import Coder
from stackc.api.errors import CodingError, PartError
from stackc.api.models import Predictor
from stackc.api.windowings import Window, Windowing
from stackc.coding.dictionary.threads import once
from stackc.coding.documents import (
    Decoding,
    Encoding,
    bounds_of,
    check_room,
    outside,
    row_of_integers,
    segments,
    symbol_dtype,
)
from stackc.coding.verify import prove
from stackc.parts.checked import cuts_of

if TYPE_CHECKING:
    from stackc.coding.dictionary.dictionary import Dictionary
    from stackc.coding.pieces import PieceTable

Int64 = npt.NDArray[np.int64]


class Level:
    """Binds a model, a coder and a windowing, and promises ``decode(encode(x)) == x`` for every x.

    Args:
        name: for messages, e.g. "M1".
        alphabet: A of the symbols that it reads.
        segment: symbols in a segment; each is coded alone.
        windowing: where windows end.
        coder: how a window becomes bits.
        token_bits: bits of a token; the alphabet it hands on is 2^token_bits.
        vocabulary: V of a dictionary coder or piece coder, which hands on an alphabet of V, one token a window or
            piece; else None.
        load_predictor: gives the frozen model when it is first needed; None where the coder needs none.
        dictionary: the level compiled, or None.
        lanes: windows or segments coded side by side (speed only).
        threads: of a compiled level (speed only).
        coder_name: who the coder is, for messages (`stackc.parts.blame.blame`); "": the level's.
        windowing_name: likewise.
        again: gives the same level in another process, where it was pickled; None: it cannot be.

    Raises:
        CodingError: a coder, windowing and sizes that cannot work together.
    """

    def __init__(
        self,
        *,
        name: str,
        alphabet: int,
        segment: int,
        windowing: Windowing,
        coder: Coder,
        token_bits: int,
        vocabulary: int | None = None,
        load_predictor: Callable[[], Predictor] | None = None,
        dictionary: Dictionary | None = None,
        lanes: int = 256,
        threads: int = 1,
        coder_name: str = "",
        windowing_name: str = "",
        again: Callable[[], Level] | None = None,
    ) -> None:
        self.name = name
        self.coder_name = coder_name or f"{name}: its coder"
        self.windowing_name = windowing_name or f"{name}: its windowing"
        self.alphabet = alphabet
        self.segment = segment
        self.windowing = windowing
        self.coder = coder
        self.vocabulary = vocabulary
        self.dictionary = dictionary
        self.lanes = lanes
        self.threads = threads
        self._load_predictor = load_predictor
        self._again = again
        self._proved = False  # of the parts, before the first symbols that are encoded
        budget = segment if windowing.symbols is None else windowing.symbols
        self.window = Window(alphabet=alphabet, bits=windowing.bits, symbols=budget, token_bits=token_bits)
        if coder.needs_model and load_predictor is None and dictionary is None:
            raise CodingError(f"{name}: the coder needs a model and there is none")
        if windowing.bits is not None and not coder.budget:
            raise CodingError(
                f"{name}: the coder cannot obey a bit budget of {windowing.bits}; use fixed-token or whole"
            )
        if windowing.bits is not None and windowing.bits < alphabet.bit_length():  # 2^bits - 1 < alphabet
            raise CodingError(f"{name}: windows of {windowing.bits} bits cannot hold {alphabet} symbols and an end")
        if windowing.bits is not None and windowing.bits % token_bits:
            raise CodingError(f"{name}: tokens of {token_bits} bits do not divide windows of {windowing.bits} bits")

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickled it is where it came from: parts need not pickle."""
        return super().__reduce_ex__(protocol) if self._again is None else (self._again, ())

    @property
    def token_bits(self) -> int:
        return self.window.token_bits

    @property
    def token_alphabet(self) -> int:
        """The alphabet that it hands on to the next level."""
        return 1 << self.token_bits if self.vocabulary is None else self.vocabulary

    @property
    def code_bits(self) -> int | None:
        """Bits of every window's code, or None where windows differ."""
        return self.window.bits if self.vocabulary is None else self.token_bits

    @property
    def window_tokens(self) -> int | None:
        """Tokens of every window's code, or None where windows differ."""
        return None if self.code_bits is None else self.code_bits // self.token_bits

    @property
    def windows_decode_alone(self) -> bool:
        """Whether a window means the same whatever came before it, and takes up as many tokens as any other."""
        alone = self.texts is not None or (self.restarts_with_window and self.step_lanes > 1)
        return self.window_tokens is not None and alone

    @once
    def pieces(self) -> PieceTable | None:
        """What the tokens of a piece coder stand for; None of any other coder."""
        if self.vocabulary is None or not hasattr(self.coder, "pieces"):
            return None
        from stackc.coding.pieces import PieceTable

        return PieceTable(self.coder, self.vocabulary, self.alphabet, self.coder_name)

    @property
    def texts(self) -> Dictionary | PieceTable | None:
        """The text of every code, where a code has the same text wherever it stands; else None."""
        return self.dictionary if self.dictionary is not None else self.pieces

    @property
    def restarts_with_window(self) -> bool:
        """Whether contexts restart inside segments. Not where one window is the whole segment."""
        one_window = self.window.bits is None and self.window.symbols >= self.segment and self.windowing.cuts is None
        return self.windowing.restart == "window" and not one_window

    def without_cuts(self) -> Level:
        """The same parts where windows end only as their budgets say: what forced cuts cost is measured against it."""
        uncut = Level.__new__(Level)
        vars(uncut).update(vars(self), _again=None)
        uncut.windowing = attrs.evolve(self.windowing, cuts=None)
        return uncut

    @once
    def predictor(self) -> Predictor:
        """The frozen model, loaded on first use."""
        if self._load_predictor is None:
            raise CodingError(f"{self.name}: this level has no model")
        return self._load_predictor()

    @property
    def step_lanes(self) -> int:
        """Lanes to step: a predictor that is not portable is stepped alone, by exactly the decoder's calls."""
        return self.lanes if not self.coder.needs_model or self.predictor.portability == "portable" else 1

    def encode(self, symbols: Symbols, offsets: Int64 | None = None) -> Encoding:
        """Tokens of documents.

        Args:
            symbols: integers below the alphabet size, the documents end to end.
            offsets: int64[D + 1], where each starts and ends; None: all of it is one document.

        Raises:
            CodingError: a symbol outside the alphabet; a predictor that does not reproduce what it wrote.
            PartError: a part that breaks a rule of the contract (`stackc.parts.checked`).
        """
        symbols = row_of_integers(symbols, self.name, "symbols")
        bounds = bounds_of(symbols, offsets)
        if outside(symbols, self.alphabet) is not None:
            raise CodingError(f"{self.name}: a symbol outside its alphabet of {self.alphabet}")
        if self.texts is not None:
            texts, per = self.texts, self.window_tokens or 1
            codes, code_offsets = texts.encode(
                symbols, bounds, self.segment, self.window.symbols, self._cuts(symbols, bounds), self.threads
            )
            return Encoding(
                tokens=self._split(codes),
                offsets=code_offsets if per == 1 else code_offsets * per,
                starts=lambda: bounds[0] + texts.starts(codes),
            )
        if self.vocabulary is not None:
            raise CodingError(f"{self.name}: its coder works by a dictionary, and the level is not compiled")
        from stackc.coding.stepping import encode_segments

        if not self._proved and len(symbols):
            prove(self, symbols[bounds[0] : bounds[-1]])
            self._proved = True
        coded = encode_segments(self, symbols, bounds, self._cuts(symbols, bounds))
        self._check_tokens(coded)
        # Of the same type as a dictionary's, whatever the route.
        coded = attrs.evolve(coded, tokens=coded.tokens.astype(symbol_dtype(self.token_alphabet), copy=False))
        if self.coder.needs_model and self.predictor.portability != "portable":
            self._verify(coded, symbols, bounds)
        return coded

    def decode(
        self, tokens: npt.NDArray[np.integer], offsets: Int64 | None = None, most: int | None = None
    ) -> Decoding:
        """Symbols of documents. Where the coder is total, any tokens decode.

        Args:
            tokens: integers below `token_alphabet`, the documents end to end.
            offsets: int64[D + 1]; None: all of it is one document.
            most: symbols that may come out, all documents together; None: as many as the tokens name. A few tokens
                may name very many symbols, so whoever decodes what is not trusted says how many there should be.

        Raises:
            CodingError: a token outside the alphabet, tokens that decode to nothing (coders that are not total), or
                more than `most` symbols, found before they take up memory.
        """
        tokens = row_of_integers(tokens, self.name, "tokens")
        bounds = bounds_of(tokens, offsets)
        if outside(tokens, self.token_alphabet) is not None:
            raise CodingError(f"{self.name}: a token outside its alphabet of {self.token_alphabet}")
        per = self.window_tokens
        if per is None:
            from stackc.coding.stepping import decode_jobs

            symbols, ends = decode_jobs(self, tokens, bounds[:-1], bounds[1:], most)
            return Decoding(symbols=symbols, offsets=ends, ignored=0)
        if self.texts is not None and per == 1:
            self._check_texts(tokens, most)
            symbols, ends = self.texts.decode(tokens, bounds, self.threads)
            return Decoding(symbols=symbols, offsets=ends, ignored=0)
        counts = np.diff(bounds) // per
        ignored = int((np.diff(bounds) - counts * per).sum())
        code_offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        within = np.arange(int(code_offsets[-1])) - np.repeat(code_offsets[:-1], counts)
        first = np.repeat(bounds[:-1], counts) + within * per
        if self.dictionary is not None:
            codes = self._join(tokens, first)
            self._check_texts(codes, most)
            symbols, ends = self.dictionary.decode(codes, code_offsets, self.threads)
            return Decoding(symbols=symbols, offsets=ends, ignored=ignored)
        if self.vocabulary is not None:
            raise CodingError(f"{self.name}: its coder works by a dictionary, and the level is not compiled")
        from stackc.coding.stepping import decode_jobs

        if self.restarts_with_window and self.step_lanes > 1:
            # Windows that share nothing decode side by side, each a job of its own.
            symbols, ends = decode_jobs(self, tokens, first, first + per, most)
            return Decoding(symbols=symbols, offsets=ends[code_offsets], ignored=ignored)
        symbols, ends = decode_jobs(self, tokens, bounds[:-1], bounds[:-1] + counts * per, most)
        return Decoding(symbols=symbols, offsets=ends, ignored=ignored)

    def _cuts(self, symbols: Symbols, offsets: Int64) -> npt.NDArray[np.bool_] | None:
        """The windowing's forced cuts, segment by segment: bool[n]."""
        if self.windowing.cuts is None:
            return None
        cuts = np.zeros(len(symbols), np.bool_)
        for start, end in segments(offsets, self.segment):
            cuts[start:end] = cuts_of(
                self.windowing, symbols[start:end], self.windowing_name, twice=start == offsets[0]
            )
        return cuts

    def _check_tokens(self, coded: Encoding) -> None:
        """Raise `PartError` where the coder's lanes gave what is no token, or not as many as the bit budget says."""
        if outside(coded.tokens, self.token_alphabet) is not None:
            raise PartError(f"{self.coder_name}: a token outside the alphabet of {self.token_alphabet}")
        per = self.window_tokens
        if per is not None and len(coded.tokens) != per * len(coded.starts):
            raise PartError(
                f"{self.coder_name}: {len(coded.starts)} windows in {len(coded.tokens)} tokens; "
                f"every window has {self.code_bits} bits, {per} tokens"
            )

    def _split(self, codes: npt.NDArray[np.unsignedinteger[Any]]) -> npt.NDArray[np.unsignedinteger[Any]]:
        """Codes of W bits as tokens, most significant first."""
        per, bits = self.window_tokens or 1, self.token_bits
        kind = symbol_dtype(self.token_alphabet)
        if per == 1:
            return codes.astype(kind, copy=False)
        tokens = np.empty((len(codes), per), kind)
        for i in range(per):
            tokens[:, i] = codes >> (per - 1 - i) * bits & (1 << bits) - 1
        return tokens.reshape(-1)

    def _check_texts(self, codes: npt.NDArray[np.integer], most: int | None) -> None:
        """`check_room` of codes that have texts; those outside a dictionary are found by decoding."""
        texts = self.texts
        if texts is not None and most is not None and len(codes) and int(codes.max()) < len(texts):
            check_room(self.name, int(texts.length[codes].sum(dtype=np.int64)), most)

    def _join(self, tokens: npt.NDArray[np.integer], first: Int64) -> Int64:
        """The codes whose first tokens stand at `first`."""
        codes = np.zeros(len(first), np.int64)
        for i in range(self.window_tokens or 1):
            codes = codes << self.token_bits | tokens[first + i].astype(np.int64)
        return codes

    def _verify(self, coded: Encoding, symbols: Symbols, offsets: Int64) -> None:
        """Decode what a predictor that is not portable wrote, before it is kept."""
        back = self.decode(coded.tokens, coded.offsets)
        if not (np.array_equal(back.symbols, symbols) and np.array_equal(back.offsets, offsets)):
            raise CodingError(
                f"{self.name}: its model ({self.predictor.portability}) did not give the same frequencies twice; "
                "nothing was kept"
            )
