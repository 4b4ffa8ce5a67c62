"""A sample of text at all levels of a stack: its windows, the bytes that they represent, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import attrs
import numpy as np

from stackc.api.arrays import Float64, Int64, Symbols
from stackc.api.errors import StackcError
from stackc.coding.level import Level
from stackc.coding.scoring import symbol_bits
from stackc.stack.learnability.borders import token_bounds
from stackc.stack.stack import Stack


@attrs.frozen(kw_only=True, eq=False)
class Cutting:
    """The sample as one level cuts it into windows, or as the top model reads it, token by token.

    Attributes:
        name: of the level or the top model.
        top: whether it is the top model: each "window" is one token that it reads, and nothing is coded.
        symbols: int64[w], symbols in each window.
        bytes: float64[w + 1], where windows start in the sample, and its end. A token that is part of a longer code
            has an equal share of the code's bytes, so positions above the first level need not be whole numbers.
        tokens: the tokens that it writes (the top model: reads).
        bounds: int64[w + 1], where each window's tokens start and end.
        token_bits: log2 of the alphabet of the tokens.
        bits: float64[w], the model's cost of each window in the contexts in which it codes; None without a model.
        by_position: float64[p], mean bits of the symbols at each position of their windows; empty for the top model.
        reached: int64[p], the number of windows that reach each position.
    """

    name: str
    top: bool
    symbols: Int64
    bytes: Float64
    tokens: Symbols
    bounds: Int64
    token_bits: float
    bits: Float64 | None
    by_position: Float64 = attrs.field(factory=lambda: np.zeros(0))
    reached: Int64 = attrs.field(factory=lambda: np.zeros(0, np.int64))


def cut(
    stack: Stack, data: Symbols, offsets: Int64, missing: list[str], tell: Callable[[str], None]
) -> Iterator[Cutting]:
    """Cut documents at every level, lowest first, then as the top model reads them.

    Args:
        stack: whose levels.
        data: bytes of the documents, end to end.
        offsets: int64[D + 1], their bounds.
        missing: receives a line for everything that cannot be shown.
        tell: called with each step, for progress.
    """
    symbols, places = data, np.arange(len(data) + 1, dtype=np.float64)
    for level in stack.levels:
        tell(f"{level.name}: cutting text into windows")
        coded = level.encode(symbols, offsets)
        windows = np.append(coded.starts, len(symbols))
        bounds = token_bounds(level, symbols, windows, len(coded.tokens))
        if bounds is None:
            missing.append(f"{level.name}: the tokens of its windows depend on the windows before: text not cut")
            return
        costs = _costs(stack, level, symbols, offsets, coded.starts, missing)
        bits, by_position, reached = _by_window_and_position(windows, costs)
        yield Cutting(
            name=level.name, top=False, symbols=np.diff(windows), bytes=places[windows], tokens=coded.tokens,
            bounds=bounds, token_bits=math.log2(level.token_alphabet), bits=bits, by_position=by_position,
            reached=reached,
        )  # fmt: skip
        places = _token_places(places[windows], bounds)
        symbols, offsets = coded.tokens, coded.offsets
    top = stack.recipe.top
    tell(f"{top.name}: scoring")
    costs = _bits(
        lambda: symbol_bits(stack.top, symbols, offsets, stack.recipe.corpus.segment),
        f"{top.name}: no bits of its tokens",
        missing,
    )
    if costs is None:
        return
    yield Cutting(
        name=top.name, top=True, symbols=np.ones(len(symbols), np.int64), bytes=places, tokens=symbols,
        bounds=np.arange(len(symbols) + 1), token_bits=math.log2(top.alphabet), bits=costs,
    )  # fmt: skip


def _by_window_and_position(windows: Int64, costs: Float64 | None) -> tuple[Float64 | None, Float64, Int64]:
    """Bits of each window, mean bits at each position, and how many windows reach it."""
    position = np.arange(windows[-1]) - np.repeat(windows[:-1], np.diff(windows))
    reached = np.bincount(position)
    if costs is None:
        return None, np.zeros(0), reached[:0]
    bits = np.add.reduceat(costs, windows[:-1]) if len(windows) > 1 else np.zeros(0)
    return bits, np.bincount(position, weights=costs) / np.maximum(reached, 1), reached


def _token_places(places: Float64, bounds: Int64) -> Float64:
    """Where tokens start in the sample, and its end: float64[t + 1]. The tokens of one window share its bytes."""
    return np.interp(np.arange(int(bounds[-1]) + 1), bounds, places) if len(bounds) > 1 else places


def _costs(
    stack: Stack, level: Level, symbols: Symbols, offsets: Int64, starts: Int64, missing: list[str]
) -> Float64 | None:
    """Bits of every symbol in the contexts in which the level codes; None without a model that can be loaded."""
    if stack.recipe.levels[stack.level_index(level.name) - 1].model is None:
        missing.append(f"{level.name}: has no model of its own, so no bits by position")
        return None
    restarts = level.spec.restarts(starts, offsets)
    return _bits(
        lambda: symbol_bits(level.spec.predictor, symbols, offsets, level.spec.segment, restarts),
        f"{level.name}: no bits by position",
        missing,
    )


def _bits(blocks: Callable[[], Iterator[Float64]], failed: str, missing: list[str]) -> Float64 | None:
    """Bits of every symbol; if the model cannot be loaded or run, None, and a line in `missing`."""
    try:
        return np.concatenate([np.zeros(0), *blocks()])
    except StackcError as error:
        missing.append(f"{failed} ({error})")
        return None
