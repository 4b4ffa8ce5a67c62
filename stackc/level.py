"""One lossless stage: symbols in, tokens out, and back. Nothing in a level knows its depth.

Routes, fastest first; all give the same tokens:

- a dictionary, where the level is compiled (`stackc.dictionary`);
- scoring whole segments in one pass, where the model's context does not depend on the windows;
- stepping the model over lanes (`stackc.lanes`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

from stackc.errors import CodingError
from stackc.parts import Coder, Predictor, Symbols, Window, Windowing

if TYPE_CHECKING:
    from stackc.dictionary import Dictionary

Int64 = npt.NDArray[np.int64]


@attrs.frozen(kw_only=True)
class Encoding:
    """What a level makes of documents.

    Attributes:
        tokens: uint32[t], the documents' tokens end to end.
        offsets: int64[D + 1], where each document's tokens start and end.
        starts: int64[w], ascending: the places in the symbols where windows start.
    """

    tokens: npt.NDArray[np.uint32]
    offsets: Int64
    starts: Int64


@attrs.frozen(kw_only=True)
class Decoding:
    """The symbols of documents.

    Attributes:
        symbols: int array, the documents' symbols end to end.
        offsets: int64[D + 1], where each document's symbols start and end.
        ignored: tokens of incomplete last codes, which were not decoded.
    """

    symbols: Symbols
    offsets: Int64
    ignored: int


class Level:
    """Binds a model, a coder and a windowing, and promises ``decode(encode(x)) == x`` for every x.

    Args:
        name: for messages, e.g. "M1".
        alphabet: A of the symbols that it reads.
        segment: symbols in a segment; each is coded alone.
        windowing: where windows end.
        coder: how a window becomes bits.
        token_bits: bits of a token; the alphabet it hands on is 2^token_bits.
        load_predictor: gives the frozen model when it is first needed; None where the coder needs none.
        dictionary: the level compiled, or None.
        lanes: windows or segments coded side by side (speed only).

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
        load_predictor: Callable[[], Predictor] | None = None,
        dictionary: Dictionary | None = None,
        lanes: int = 256,
    ) -> None:
        self.name = name
        self.alphabet = alphabet
        self.segment = segment
        self.windowing = windowing
        self.coder = coder
        self.dictionary = dictionary
        self.lanes = lanes
        self._load_predictor = load_predictor
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

    @property
    def token_bits(self) -> int:
        return self.window.token_bits

    @property
    def token_alphabet(self) -> int:
        """The alphabet that it hands on to the next level."""
        return 1 << self.token_bits

    @property
    def window_tokens(self) -> int | None:
        """Tokens of every window's code, or None where windows differ."""
        return None if self.window.bits is None else self.window.bits // self.token_bits

    @property
    def restarts_with_window(self) -> bool:
        """Whether contexts restart inside segments. Not where one window is the whole segment."""
        one_window = self.window.bits is None and self.window.symbols >= self.segment and self.windowing.cuts is None
        return self.windowing.restart == "window" and not one_window

    @cached_property
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
        """
        bounds = _bounds(symbols, offsets)
        if len(symbols) and not 0 <= int(symbols.min()) <= int(symbols.max()) < self.alphabet:
            raise CodingError(f"{self.name}: a symbol outside its alphabet of {self.alphabet}")
        if self.dictionary is not None:
            codes, starts, code_offsets = self.dictionary.encode(
                symbols, bounds, self.segment, self.window.symbols, self._cuts(symbols, bounds)
            )
            per = self.window_tokens or 1
            return Encoding(tokens=self._split(codes), offsets=code_offsets * per, starts=starts)
        from stackc.lanes import encode_segments

        coded = encode_segments(self, symbols, bounds, self._cuts(symbols, bounds))
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
        bounds = _bounds(tokens, offsets)
        if len(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < self.token_alphabet:
            raise CodingError(f"{self.name}: a token outside its alphabet of {self.token_alphabet}")
        per = self.window_tokens
        if per is None:
            from stackc.lanes import decode_jobs

            symbols, ends = decode_jobs(self, tokens, bounds[:-1], bounds[1:], most)
            return Decoding(symbols=symbols, offsets=ends, ignored=0)
        counts = np.diff(bounds) // per
        ignored = int((np.diff(bounds) - counts * per).sum())
        code_offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        within = np.arange(int(code_offsets[-1])) - np.repeat(code_offsets[:-1], counts)
        first = np.repeat(bounds[:-1], counts) + within * per
        if self.dictionary is not None:
            codes = self._join(tokens, first)
            if most is not None and len(codes) and int(codes.max()) < len(self.dictionary):
                check_room(self.name, int(self.dictionary.length[codes].sum()), most)
            symbols, ends = self.dictionary.decode(codes, code_offsets)
            return Decoding(symbols=symbols, offsets=ends, ignored=ignored)
        from stackc.lanes import decode_jobs

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
            cuts[start:end] = self.windowing.cuts(symbols[start:end])
        return cuts

    def _split(self, codes: npt.NDArray[np.int32]) -> npt.NDArray[np.uint32]:
        """Codes of W bits as tokens, most significant first."""
        per, bits = self.window_tokens or 1, self.token_bits
        shifts = np.arange(per - 1, -1, -1) * bits
        tokens: npt.NDArray[np.uint32] = ((codes[:, None] >> shifts) & (self.token_alphabet - 1)).astype(np.uint32)
        return tokens.reshape(-1)

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


def check_room(name: str, symbols: int, most: int | None) -> None:
    """Raise `CodingError` where tokens of level `name` stand for more than `most` symbols."""
    if most is not None and symbols > most:
        raise CodingError(f"{name}: tokens that stand for more than the {most} symbols that there should be")


def segments(offsets: Int64, segment: int) -> list[tuple[int, int]]:
    """(start, end) of every segment of the documents; an empty document has none."""
    return [
        (start, min(start + segment, last))
        for first, last in itertools.pairwise(offsets.tolist())
        for start in range(first, last, segment)
    ]


def _bounds(values: npt.NDArray[np.integer], offsets: Int64 | None) -> Int64:
    return np.array([0, len(values)], np.int64) if offsets is None else np.asarray(offsets, np.int64)
