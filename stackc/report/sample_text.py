"""A sample of text through all levels of a stack: its windows, the bytes that they stand for, what they cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import attrs
import numpy as np

from stackc.api.arrays import Float64, Int64, Symbols
from stackc.api.errors import StackcError
from stackc.coding.level import Level
from stackc.coding.scoring import symbol_bits
from stackc.stack.stack import Stack


@attrs.frozen(kw_only=True, eq=False)
class Cutting:
    """The sample as one level cuts it into windows, or as the top model reads it, token by token.

    Attributes:
        name: of the level or the top model.
        top: whether it is the top model: each "window" is one token that it reads, and nothing is coded.
        symbols: int64[w], symbols in each window.
        bytes: float64[w + 1], where windows start in the sample, and its end. A token that is a piece of a longer
            code has its share of the code's bytes, so that places above need not be whole.
        tokens: what it makes (the top model: reads).
        bounds: int64[w + 1], where each window's tokens start and end.
        token_bits: bits of a token: log2 of the alphabet.
        bits: float64[w], what the model pays for each window in the contexts in which it codes; None without a model.
        by_position: float64[p], mean bits of the symbols at each position of their windows; empty for the top model.
        reached: int64[p], the windows that reach each position.
    """

    name: str
    top: bool
    symbols: Int64
    bytes: Float64
    tokens: Symbols
    bounds: Int64
    token_bits: float
    bits: Float64 | None
    by_position: Float64
    reached: Int64


def cut(
    stack: Stack, data: Symbols, offsets: Int64, missing: list[str], tell: Callable[[str], None]
) -> Iterator[Cutting]:
    """Cut documents at every level, lowest first, then as the top model reads them.

    Args:
        stack: whose levels.
        data: bytes of the documents, end to end.
        offsets: int64[D + 1], their bounds.
        missing: told, a line each, what could not be shown.
        tell: told what is being done, for progress.
    """
    symbols, places = data, np.arange(len(data) + 1, dtype=np.float64)
    for level in stack.levels:
        tell(f"{level.name}: cutting text into windows")
        coded = level.encode(symbols, offsets)
        starts = coded.starts
        windows = np.append(starts, len(symbols))
        bounds = _token_bounds(level, symbols, windows, len(coded.tokens))
        if bounds is None:
            missing.append(f"{level.name}: its windows take up tokens that depend on what came before: text not cut")
            return
        costs = _costs(stack, level, symbols, offsets, starts, missing)
        yield _cutting(level, symbols, windows, places[windows], coded.tokens, bounds, costs)
        places = _token_places(places[windows], bounds)
        symbols, offsets = coded.tokens, coded.offsets
    tell(f"{stack.recipe.top.name}: scoring")
    try:
        blocks = list(symbol_bits(stack.top, symbols, offsets, stack.recipe.corpus.segment))
    except StackcError as error:
        missing.append(f"{stack.recipe.top.name}: no bits of its tokens ({error})")
        return
    costs = np.concatenate([np.zeros(0), *blocks])
    yield Cutting(
        name=stack.recipe.top.name,
        top=True,
        symbols=np.ones(len(symbols), np.int64),
        bytes=places,
        tokens=symbols,
        bounds=np.arange(len(symbols) + 1),
        token_bits=math.log2(stack.recipe.top.alphabet),
        bits=costs,
        by_position=np.zeros(0),
        reached=np.zeros(0, np.int64),
    )


def _cutting(
    level: Level,
    symbols: Symbols,
    windows: Int64,
    places: Float64,
    tokens: Symbols,
    bounds: Int64,
    costs: Float64 | None,
) -> Cutting:
    lengths = np.diff(windows)
    position = np.arange(len(symbols)) - np.repeat(windows[:-1], lengths)
    reached = np.bincount(position) if len(symbols) else np.zeros(0, np.int64)
    spent = np.zeros(0) if costs is None else np.bincount(position, weights=costs) / np.maximum(reached, 1)
    return Cutting(
        name=level.name,
        top=False,
        symbols=lengths,
        bytes=places,
        tokens=tokens,
        bounds=bounds,
        token_bits=math.log2(level.token_alphabet),
        bits=None if costs is None else np.add.reduceat(costs, windows[:-1]) if len(lengths) else np.zeros(0),
        by_position=spent,
        reached=reached[: len(spent)],
    )


def _token_bounds(level: Level, symbols: Symbols, windows: Int64, count: int) -> Int64 | None:
    """Where each window's tokens start and end: int64[w + 1]; None where that cannot be told."""
    if level.window_tokens is not None:
        return np.arange(len(windows)) * level.window_tokens
    # Windows that share nothing take up what they take up as documents of their own.
    bounds = level.encode(symbols, windows).offsets
    return bounds if int(bounds[-1]) == count else None


def _token_places(places: Float64, bounds: Int64) -> Float64:
    """Where tokens start in the sample, and its end: float64[t + 1]. The tokens of one window share its bytes."""
    return np.interp(np.arange(int(bounds[-1]) + 1), bounds, places) if len(bounds) > 1 else places


def _costs(
    stack: Stack, level: Level, symbols: Symbols, offsets: Int64, starts: Int64, missing: list[str]
) -> Float64 | None:
    """Bits of every symbol in the contexts in which the level codes; None without a model that can be loaded."""
    section = stack.recipe.levels[stack.level_index(level.name) - 1]
    if section.model is None:
        missing.append(f"{level.name}: has no model of its own, so no bits by position")
        return None
    restarts = starts if level.spec.restarts_with_window else None
    try:
        blocks = list(symbol_bits(level.predictor, symbols, offsets, level.segment, restarts))
    except StackcError as error:
        missing.append(f"{level.name}: no bits by position ({error})")
        return None
    return np.concatenate([np.zeros(0), *blocks])
