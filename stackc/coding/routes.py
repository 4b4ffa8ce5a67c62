"""The ways through a level; `choose_route` is the only place that decides which is used.

- `Texts`: every code has one text, independent of context: look-ups in a table, and no model runs. The table is a
  compiled dictionary (`stackc.coding.dictionary.dictionary`) or the pieces of a piece coder (`stackc.coding.pieces`).
- `Whole`: the coder codes whole windows, in one call for all of them (`stackc.parts.whole`); no model.
- `Stepped`: model and coder in step, in lanes: in a compiled loop if both offer kernels (`stackc.coding.compiled`)
  and the lanes are not too many for it, else by calls for each step (`stackc.coding.stepping`). Then, if no window
  restarts the model's context, it encodes from one scoring pass over whole segments.
- `Bitwise`: a model that codes bit by bit is given whole segments or documents (`stackc.coding.runs`).
- `Verified`: decodes its tokens before it returns them: for a model that is not portable.

`Bitwise` has its own tokens, and follows from the recipe and the model alone; all others produce the same tokens.
A new kind of route is one more class, here or in a module next to this one, and one more question in `choose_route`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import attrs
import numpy as np

from stackc.api.arrays import Int64, Mask, Symbols
from stackc.api.errors import CodingError, PartError
from stackc.api.messages import megabytes
from stackc.api.models import BitwisePredictor, Portability, Predictor
from stackc.api.offsets import offsets_of
from stackc.coding.compiled import compiled_lanes
from stackc.coding.documents import Decoding, Encoding, segments, whole_codes, window_starts
from stackc.coding.pieces import PieceTable
from stackc.coding.retreat import encode_retreating
from stackc.coding.route import Documents, Route, Tokens
from stackc.coding.runs import MOST_SYMBOLS, Copies, decode_runs, encode_runs
from stackc.coding.spec import LevelSpec
from stackc.coding.stepping import Decode, Encode, decode_jobs, encode_scored, encode_segments, encode_stepped
from stackc.coding.text_route import Texts
from stackc.parts.abilities import codes_whole_windows, cuts_pieces, lists_texts
from stackc.parts.symbols import check_inside, outside, symbol_dtype
from stackc.parts.whole import GuardedWindows

if TYPE_CHECKING:  # numba takes a second to import, and not every use of a stack compiles
    from stackc.coding.dictionary.dictionary import Dictionary


def choose_route(spec: LevelSpec, dictionary: Dictionary | None = None) -> Route:
    """The fastest route of a level.

    Args:
        dictionary: the compiled form of the level, or None.

    Raises:
        CodingError: a dictionary coder whose level is not compiled.
    """
    if dictionary is not None:
        return Texts(spec, dictionary)
    if spec.vocabulary is not None and cuts_pieces(spec.coder):
        return Texts(spec, PieceTable(spec.coder, spec.vocabulary, spec.alphabet, spec.coder_name))
    if spec.vocabulary is not None:
        raise CodingError(f"{spec.name}: its coder needs a dictionary, and the level is not compiled")
    if codes_whole_windows(spec.coder):
        return Whole(spec, GuardedWindows(spec.coder, spec.window, spec.name, spec.coder_name))
    model = spec.model
    bitwise = getattr(model, "bitwise", None)
    if bitwise is not None and spec.codes_runs:
        runs = Bitwise(spec, bitwise)
        return runs if runs.portability == "portable" else Verified(runs, spec)
    how: Encode = encode_stepped if spec.windowing.borders is None else encode_retreating
    if model is not None and model.portability != "portable":
        # In a single lane, with exactly the decoder's calls: next to other lanes such a model may predict differently.
        return Verified(Stepped(spec.changed(lanes=1), how), spec)
    if how is encode_retreating:
        return Stepped(spec, how)
    scores = model is not None and not spec.restarts_with_window and hasattr(model, "score")
    if scores and (spec.windowing.table is None or spec.masks):
        how = encode_scored
    loops = compiled_lanes(spec)
    if loops is None:
        return Stepped(spec, how)
    if loops.step.most_lanes is None or how is not encode_scored:  # else many positions in one product are faster
        how = loops.encode_or(how)
    return Stepped(spec, how, loops.decode_or(functools.partial(decode_jobs, spec)))


BYTES_A_TEXT = 140
"""While it is found: 32. In tables: 28. While these are packed: 80 at most (`encoding.pack`)."""

BYTES_A_SYMBOL, BYTES_A_FREQUENCY = 40, 20
"""Of the alphabet, in tables; and of the model's frequencies in every lane, with the memory that they take to make."""


def compiling_bytes(texts: int, alphabet: int, lanes: int) -> int:
    """Memory that compiling takes at most, without the model's own."""
    return BYTES_A_TEXT * texts + alphabet * (BYTES_A_SYMBOL + BYTES_A_FREQUENCY * lanes)


COMPILE_BITS = 20
"""Levels are compiled if windows have at most this many bits and the context restarts with each."""


def why_not_compiled(spec: LevelSpec, model: Predictor | None = None) -> str | None:
    """Why a level is not compiled; None if it is: if its dictionary is fixed.

    It is in the stack's hash, so no setting of a machine has a part in it.

    Args:
        model: the level's model; None before it exists: it is assumed to allow compiling.
    """
    if spec.vocabulary is not None:
        return "its coder's tokens are pieces" if cuts_pieces(spec.coder) else None
    bits = spec.windowing.bits
    if bits is None:
        return "its windows have no bit budget"
    if bits > COMPILE_BITS:
        return f"a window has {bits} bits, and at most {COMPILE_BITS} are compiled"
    if spec.windows_share_context:
        return "the model's context does not restart with every window"
    if not lists_texts(spec.coder):
        return f"its coder ({type(spec.coder).__name__}) has no compiled form"
    if spec.windowing.table is not None and not spec.masks:
        return f"its coder ({type(spec.coder).__name__}) does not obey a table of cuts"
    if model is not None and model.portability != "portable":
        return f"the predictions of its model are {model.portability}"
    if model is not None and not hasattr(model, "take"):
        return "its model cannot select lanes (`take`)"
    return None


class Whole(Documents):
    """Whole windows, all in one call of the coder. No model runs, so the tokens are the same on every machine."""

    texts = None
    runs_model = False
    portability: Portability = "portable"
    windows_decode_alone = False  # they do, but only the coder knows where each begins

    def __init__(self, spec: LevelSpec, windows: GuardedWindows) -> None:
        self._spec, self._windows = spec, windows

    def encode(self, symbols: Symbols, bounds: Int64, cuts: Mask | None, verify: bool = True) -> Encoding:
        spec = self._spec
        check_inside(symbols, spec.alphabet, spec.name, "symbol")
        cuts = spec.window_cuts(symbols, bounds, cuts)
        starts = window_starts(bounds, spec.segment, spec.window.symbols, cuts)
        tokens, counts = self._windows.encode(symbols, np.append(starts, bounds[-1]))
        return Encoding(
            # The same type as from other routes, so that the route is not visible in the tokens.
            tokens=tokens.astype(symbol_dtype(spec.token_alphabet), copy=False),
            offsets=offsets_of(counts)[np.searchsorted(starts, bounds)],
            starts=starts,
        )

    def decode(self, tokens: Tokens, bounds: Int64, most: int | None) -> Decoding:
        spec = self._spec
        check_inside(tokens, spec.token_alphabet, spec.name, "token")
        symbols, counts = self._windows.decode(tokens.astype(np.uint32, copy=False), bounds[:-1], bounds[1:], most)
        return Decoding(
            symbols=symbols.astype(symbol_dtype(spec.alphabet), copy=False), offsets=offsets_of(counts), ignored=0
        )


class Stepped(Documents):
    """Model and coder in step, in many lanes side by side.

    Args:
        spec: the level.
        how: encodes the segments: `encode_stepped`, a compiled loop (`stackc.coding.compiled`), or `encode_scored`,
            from one scoring pass over them.
        back: decodes jobs: `decode_jobs`, or a compiled loop.
    """

    texts = None
    steps = True

    def __init__(self, spec: LevelSpec, how: Encode = encode_stepped, back: Decode | None = None) -> None:
        self._spec, self._how = spec, how
        self._back: Decode = functools.partial(decode_jobs, spec) if back is None else back
        self.runs_model = spec.flags.needs_model
        self.portability: Portability = spec.model.portability if spec.model is not None else "portable"
        # In a single lane whole documents are stepped: windows side by side would call the model differently.
        self._by_window = spec.window_tokens is not None and not spec.windows_share_context and spec.running_lanes > 1
        self.windows_decode_alone = self._by_window

    def encode(self, symbols: Symbols, bounds: Int64, cuts: Mask | None, verify: bool = True) -> Encoding:
        spec = self._spec
        check_inside(symbols, spec.alphabet, spec.name, "symbol")
        coded = encode_segments(spec, symbols, bounds, cuts, self._how)
        if outside(coded.tokens, spec.token_alphabet) is not None:
            raise PartError(f"{spec.coder_name}: a token outside the alphabet of {spec.token_alphabet}")
        per = spec.window_tokens
        if per is not None and len(coded.tokens) != per * len(coded.starts):
            raise PartError(
                f"{spec.coder_name}: {len(coded.starts)} windows in {len(coded.tokens)} tokens; "
                f"every window has {spec.code_bits} bits, {per} tokens"
            )
        # The same type as from `Texts`, so that the route is not visible in the tokens.
        return attrs.evolve(coded, tokens=coded.tokens.astype(symbol_dtype(spec.token_alphabet), copy=False))

    def decode(self, tokens: Tokens, bounds: Int64, most: int | None) -> Decoding:
        spec, per = self._spec, self._spec.window_tokens
        check_inside(tokens, spec.token_alphabet, spec.name, "token")
        if per is None:
            symbols, ends = self._back(tokens, bounds[:-1], bounds[1:], most)
            return Decoding(symbols=symbols, offsets=ends, ignored=0)
        first, code_bounds, ignored = whole_codes(bounds, per)
        if self._by_window:
            # Windows that share no context decode side by side, each as a separate job.
            symbols, ends = self._back(tokens, first, first + per, most)
            return Decoding(symbols=symbols, offsets=ends[code_bounds], ignored=ignored)
        symbols, ends = self._back(tokens, bounds[:-1], bounds[:-1] + np.diff(code_bounds) * per, most)
        return Decoding(symbols=symbols, offsets=ends, ignored=ignored)


class Bitwise:
    """Whole segments or documents, coded by a model that works bit by bit, in threads.

    Attributes:
        threads: sequences that are coded at once in one call.
        copies: sequences that are coded at once in all calls.

    Raises:
        CodingError: a working copy of the model takes more memory than allowed.
    """

    texts = None
    asks_for_cuts = False
    runs_model = steps = learns = True
    windows_decode_alone = False
    not_generated: str | None = "its model codes whole segments bit by bit"

    def __init__(self, spec: LevelSpec, model: BitwisePredictor) -> None:
        if spec.memory is not None and model.state_bytes > spec.memory:
            raise CodingError(
                f"{spec.name}: a working copy of its model takes {megabytes(model.state_bytes)}, and run.memory "
                f"allows {spec.memory / 1e6:,.0f} MB; raise it, or give the model smaller tables"
            )
        self._spec, self._model = spec, model
        self._copies = Copies(model, spec.threads, spec.memory)
        self.threads, self.copies = self._copies.threads, self._copies.most
        self._segment = None if spec.whole_documents else spec.segment
        self.portability: Portability = model.portability

    def encode(self, symbols: Symbols, bounds: Int64, cuts: Mask | None, verify: bool = True) -> Encoding:
        check_inside(symbols, self._spec.alphabet, self._spec.name, "symbol")
        tokens, offsets = encode_runs(self._model, self._copies, symbols, bounds, self._segment)
        starts = [first for first, _ in segments(bounds, self._segment or MOST_SYMBOLS)]
        return Encoding(tokens=tokens, offsets=offsets, starts=np.array(starts, np.int64))

    def decode(self, tokens: Tokens, bounds: Int64, most: int | None) -> Decoding:
        check_inside(tokens, self._spec.token_alphabet, self._spec.name, "token")
        return decode_runs(self._model, self._copies, tokens, bounds, self._segment, most, self._spec.name)


class Verified:
    """A route whose model is not portable: tokens are decoded before they are returned."""

    texts = None
    asks_for_cuts = False
    runs_model = steps = True

    def __init__(self, inner: Stepped | Bitwise, spec: LevelSpec) -> None:
        self._inner, self._spec = inner, spec
        self.portability, self.windows_decode_alone = inner.portability, inner.windows_decode_alone
        self.learns, self.threads, self.copies = inner.learns, inner.threads, inner.copies
        self.not_generated = inner.not_generated

    def decode(self, tokens: Tokens, bounds: Int64, most: int | None) -> Decoding:
        return self._inner.decode(tokens, bounds, most)

    def encode(self, symbols: Symbols, bounds: Int64, cuts: Mask | None, verify: bool = True) -> Encoding:
        coded = self._inner.encode(symbols, bounds, cuts)
        if not verify:
            return coded
        back = self.decode(coded.tokens, coded.offsets, None)
        if not (np.array_equal(back.symbols, symbols) and np.array_equal(back.offsets, bounds)):
            raise CodingError(
                f"{self._spec.name}: its model ({self.portability}) did not repeat its own frequencies; nothing was "
                "kept"
            )
        return coded
