"""Generation: the prompt is compressed, the top model continues its tokens, and the result is decoded."""

from __future__ import annotations

import bisect
import itertools

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import RESTART, Frequencies
from stackc.api.errors import CodingError, StackcError
from stackc.api.models import Predictor
from stackc.api.offsets import offsets_of
from stackc.coding.level import Level
from stackc.coding.pieces import PieceTable
from stackc.parts.bytes_rows import as_bytes
from stackc.stack.generation.constraint import Constraint, Cursor, PiecesOf, TokensOf, exactly


def generate(
    levels: list[Level],
    top: Predictor,
    segment: int,
    prompt: bytes,
    *,
    tokens: int,
    temperature: float = 1.0,
    seed: int = 0,
) -> bytes:
    """Text that starts with `prompt`, byte for byte, and continues with `tokens` tokens of the top model.

    Args:
        levels: the stack's levels, lowest first; every coder must be total and offer intervals.
        top: the frozen top model, over the last level's tokens.
        segment: after this many tokens the top model's context restarts.
        prompt: any bytes; may end inside a character or a word.
        tokens: the least number of last-level tokens to draw.
        temperature: 0 takes the most probable token; 1 draws from the model's distribution.
        seed: of the random draws.

    Raises:
        StackcError: a negative temperature or number of tokens.
        CodingError: a level whose coder does not decode arbitrary tokens, or whose model codes whole segments.
    """
    if not temperature >= 0 or tokens < 0:
        raise StackcError(f"temperature {temperature} and {tokens} tokens: both must be 0 or more")
    check_generates(levels)
    written, constraint = prompt_tokens(levels, prompt)
    rng = np.random.default_rng(seed)
    sampler = _Sampler(top, segment)
    for token in written:
        sampler.feed(token)
    drawn = 0
    per = levels[-1].window_tokens or 1 if levels else 1
    while True:
        # Until the prompt is restored and the last code is complete.
        while drawn < tokens or constraint is not None or len(written) % per:
            token, constraint = _draw(sampler.row, constraint, temperature, rng)
            sampler.feed(token)
            written.append(token)
            drawn += 1
        text = _text(levels, written)
        if text.startswith(prompt):
            return text
        # The end of the prompt is in a code of a lower level that is still incomplete.
        tokens = drawn + per


def check_generates(levels: list[Level]) -> None:
    """Raise `CodingError` if nothing can be generated through these levels."""
    for level in levels:
        if not level.spec.flags.total:
            raise CodingError(
                f"{level.name}: its coder decodes only tokens that it encoded, so nothing can be generated through it"
            )
        if (reason := level.route.not_generated) is not None:
            raise CodingError(f"{level.name}: {reason}, so nothing can be generated through it")


def _text(levels: list[Level], tokens: list[int]) -> bytes:
    """What the last level's tokens decode to; those of incomplete last codes are left out, as in `Stack.decode`."""
    symbols: npt.NDArray[np.integer] = np.array(tokens, np.int64)
    for level in reversed(levels):
        symbols = level.decode(symbols).symbols
    return as_bytes(symbols)


def prompt_tokens(levels: list[Level], prompt: bytes) -> tuple[list[int], Constraint | None]:
    """The last level's tokens of the prompt's finished windows, and the constraint on the tokens after them."""
    symbols: npt.NDArray[np.integer] = np.frombuffer(prompt, np.uint8)
    constraint: Constraint | None = None
    for level in levels:
        keep, open_from = _finished(level, symbols)
        tail = tuple(int(symbol) for symbol in symbols[open_from:])
        below = exactly(tail, constraint)
        since = open_from - open_from % level.spec.segment
        before = tuple(int(symbol) for symbol in symbols[since:open_from])
        if below is None:
            constraint = None
        elif isinstance(level.texts, PieceTable):
            constraint = PiecesOf(level.texts, below)
        else:
            constraint = TokensOf(Cursor.at(level, before), below)
        symbols = keep
    return [int(symbol) for symbol in symbols], constraint


def _finished(level: Level, symbols: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.integer], int]:
    """Tokens of the windows that no further symbol can change, and the start of the unfinished window."""
    if isinstance(level.texts, PieceTable):
        return _unchanged(level, level.texts, symbols)
    coded = level.encode(symbols)
    if not len(coded.starts):
        return coded.tokens, 0
    last = int(coded.starts[-1])
    if len(symbols) % level.spec.segment == 0 or len(symbols) - last == level.spec.window.symbols:
        return coded.tokens, len(symbols)
    # Windows are coded one after another, so the tokens of finished windows are a prefix. Its length is known only if
    # all windows have the same number of tokens; otherwise the symbols before the last window are encoded again.
    if level.window_tokens is not None:
        return coded.tokens[: -level.window_tokens], last
    return level.encode(symbols[:last]).tokens, last


def _unchanged(
    level: Level, table: PieceTable, symbols: npt.NDArray[np.integer]
) -> tuple[npt.NDArray[np.integer], int]:
    """The first pieces of a text that no continuation changes, and where they end.

    In a longer text some piece starts at or before the end of this one and holds what follows. Whatever comes after,
    the pieces before that place are those of the text up to there: of all such places, these begin alike.
    """
    ends = [len(symbols), *_open_places(table, symbols)]
    bounds = offsets_of(ends)
    coded = level.encode(np.concatenate([symbols[:end] for end in ends]), bounds)
    own, *others = (coded.tokens[low:high] for low, high in itertools.pairwise(coded.offsets.tolist()))
    count = len(own)
    for other in others:
        count = min(count, len(other))
        differs = np.flatnonzero(own[:count] != other[:count])
        count = int(differs[0]) if len(differs) else count
    return own[:count], int(table.length[own[:count]].sum())


def _open_places(table: PieceTable, symbols: npt.NDArray[np.integer]) -> list[int]:
    """The places from which the rest of a text is the beginning of a longer piece."""
    pieces, _ = table.ordered
    text = tuple(symbols.tolist())
    found = []
    for place in range(max(0, len(text) - int(table.length.max(initial=0)) + 1), len(text)):
        rest = text[place:]
        at = bisect.bisect_right(pieces, rest)
        if at < len(pieces) and pieces[at][: len(rest)] == rest:
            found.append(place)
    return found


class _Sampler:
    """The top model in one lane, fed token by token."""

    def __init__(self, top: Predictor, segment: int) -> None:
        self._top, self._segment, self._count = top, segment, 0
        self._state = top.start(1)
        self.row: Frequencies = top.step(self._state, np.array([RESTART], np.int64))[0]

    def feed(self, token: int) -> None:
        self._count += 1
        symbol = RESTART if self._count % self._segment == 0 else token
        self.row = self._top.step(self._state, np.array([symbol], np.int64))[0]


def _draw(
    row: Frequencies, constraint: Constraint | None, temperature: float, rng: np.random.Generator
) -> tuple[int, Constraint | None]:
    """One token and the constraint on the tokens after it."""
    options = constraint.options() if constraint is not None else [(0, len(row) - 1, None)]
    allowed = np.zeros(len(row), np.bool_)
    for first, last, _ in options:
        allowed[first : last + 1] = True
    weights = np.where(allowed, row.astype(np.float64), 0.0)
    if temperature == 0:
        token = int(weights.argmax())
    else:
        weights = np.where(allowed, (weights / weights.max()) ** (1.0 / temperature), 0.0)
        sums = np.cumsum(weights)
        token = int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))
    after = next(after for first, last, after in options if first <= token <= last)
    return token, after
