"""Drives coders without a level: symbols to tokens and back, under toy frequencies.

A *table* represents a model whose context is the window's last symbol: uint32[R, A], row 0 for an empty context,
row 1 + s mod (R - 1) after symbol s. Legend: L lanes, R rows, A alphabet.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from stackc.api.arrays import IDLE, RESTART, Frequencies, Int32, Int64
from stackc.api.coders import CoderFlags, LaneDecoder, LaneEncoder
from stackc.api.frequencies import normalise
from stackc.api.models import Portability
from stackc.api.windowings import CUT, Window

STYLES = ("random", "sharp", "certain", "flat")


def random_table(rng: np.random.Generator, alphabet: int, style: str, rows: int = 5) -> Frequencies:
    """Rows that sum to 2^24 with every entry at least 1.

    `style`: "random"; "sharp", some symbols take nearly all; "certain", one symbol has all that the others can
    spare; "flat".
    """
    if style == "flat":
        return normalise(np.ones((rows, alphabet), np.int64))
    if style == "certain":
        counts = np.zeros((rows, alphabet), np.int64)
        counts[np.arange(rows), rng.integers(0, alphabet, rows)] = 1
        return normalise(counts)
    weights = np.exp((12.0 if style == "sharp" else 2.0) * rng.normal(size=(rows, alphabet)))
    return normalise((weights / weights.max(axis=1, keepdims=True) * 2.0**30).astype(np.int64))


def random_cuts(rng: np.random.Generator, alphabet: int, states: int = 4, share: float = 0.3) -> Int32:
    """A table of cuts (`stackc.api.Windowing.table`): int32[states, A]; the last state cuts before every symbol."""
    table = rng.integers(0, states, (states, alphabet)).astype(np.int32)
    table[rng.random((states, alphabet)) < share] = CUT
    table[0] = rng.integers(0, states, alphabet)
    table[1:][states - 2 :] = CUT
    return table


def sample_text(rng: np.random.Generator, table: Frequencies, length: int, surprises: float = 0.1) -> list[int]:
    """Symbols drawn from the table's model, with a share of random ones."""
    sums = np.cumsum(table.astype(np.int64), axis=1)
    out: list[int] = []
    for _ in range(length):
        if rng.random() < surprises:
            out.append(int(rng.integers(table.shape[1])))
            continue
        row = row_after(table, out[-1] if out else RESTART)
        out.append(int(np.searchsorted(sums[row], rng.integers(1 << 24), side="right")))
    return out


def row_after(table: Frequencies, last: int) -> int:
    """The row that the model gives after symbol `last`, or after RESTART."""
    return 0 if last < 0 or len(table) == 1 else 1 + last % (len(table) - 1)


class TablePredictor:
    """The table's model (`stackc.api.models.Predictor`); its state is each lane's row."""

    portability: Portability = "portable"

    def __init__(self, table: Frequencies) -> None:
        self.alphabet = table.shape[1]
        self.table = table

    def start(self, lanes: int) -> Int64:
        return np.zeros(lanes, np.int64)

    def take(self, state: Int64, lanes: Int64) -> Int64:
        return state[lanes]

    def step(self, state: Int64, symbols: Int64) -> Frequencies:
        for lane, symbol in enumerate(symbols.tolist()):
            if symbol != IDLE:
                state[lane] = row_after(self.table, symbol)
        return self.table[state]


@attrs.frozen(kw_only=True)
class Coded:
    """One lane's text as its coder coded it.

    Attributes:
        tokens: of all its windows, one after another.
        windows: the symbols of each window.
        sizes: the tokens of each window.
    """

    tokens: list[int]
    windows: list[list[int]]
    sizes: list[int]


def encode_lanes(
    encoder: LaneEncoder,
    window: Window,
    table: Frequencies | None,
    texts: list[list[int]],
    cuts: frozenset[int] = frozenset(),
) -> list[Coded]:
    """Code one text per lane, all lanes together; windows are also closed at the places in `cuts`.

    Asserts that a window's first symbol always fits.
    """
    lanes = len(texts)
    made = [Coded(tokens=[], windows=[[]], sizes=[]) for _ in texts]
    at = [0] * lanes

    def close(chosen: list[int], full: bool) -> None:
        if not chosen:
            return
        tokens, counts = encoder.close(np.array(chosen, np.int64), np.full(len(chosen), full))
        assert int(counts.sum()) == len(tokens), "close gives as many tokens as it says"
        ends = np.cumsum(counts).tolist()
        for lane, end, count in zip(chosen, ends, counts.tolist(), strict=True):
            made[lane].tokens.extend(tokens[end - count : end].tolist())
            made[lane].sizes.append(count)
            made[lane].windows.append([])

    def add(lanes_open: list[int]) -> list[int]:
        """Offer the next symbol to these lanes: those where it did not fit."""
        symbols = np.full(lanes, IDLE, np.int64)
        symbols[lanes_open] = [texts[lane][at[lane]] for lane in lanes_open]
        fits = encoder.add(_rows(table, [one.windows[-1] for one in made]), symbols)
        for lane in lanes_open:
            if fits[lane]:
                made[lane].windows[-1].append(texts[lane][at[lane]])
                at[lane] += 1
        return [lane for lane in lanes_open if not fits[lane]]

    while live := [lane for lane in range(lanes) if at[lane] < len(texts[lane])]:
        close([lane for lane in live if at[lane] in cuts and made[lane].windows[-1]], False)
        crowded = add(live)
        close(crowded, False)
        if crowded:
            assert not add(crowded), "a window's first symbol must fit"
        close([lane for lane in live if len(made[lane].windows[-1]) == window.symbols], True)
    close([lane for lane in range(lanes) if made[lane].windows[-1]], False)
    for one in made:
        one.windows.pop()
    return made


def decode_lanes(
    decoder: LaneDecoder,
    window: Window,
    table: Frequencies | None,
    spans: list[tuple[int, int]],
) -> list[Coded]:
    """Decode tokens start..end - 1 in one lane each, window after window.

    Asserts that every window takes up a token at least, and none passes the end.
    """
    made = [Coded(tokens=[], windows=[], sizes=[]) for _ in spans]
    at = [start for start, _ in spans]

    def open_windows(chosen: list[int]) -> None:
        some = [lane for lane in chosen if at[lane] < spans[lane][1]]
        for lane in some:
            made[lane].windows.append([])
        if some:
            ends = [spans[lane][1] for lane in some]
            decoder.open(np.array(some, np.int64), np.array([at[lane] for lane in some]), np.array(ends))

    open_windows(list(range(len(spans))))
    while live := [lane for lane, (_, end) in enumerate(spans) if at[lane] < end]:
        active = np.zeros(len(spans), np.bool_)
        active[live] = True
        got = decoder.next(_rows(table, [one.windows[-1] if one.windows else [] for one in made]), active)
        closed = []
        for lane in live:
            if got[lane] >= 0:
                assert int(got[lane]) < window.alphabet, "a symbol outside the alphabet"
                made[lane].windows[-1].append(int(got[lane]))
            full = len(made[lane].windows[-1]) == window.symbols
            if full or got[lane] < 0:
                used = int(decoder.used(np.array([lane], np.int64), np.array([full]))[0])
                assert 1 <= used <= spans[lane][1] - at[lane], "a window takes up a token, and none past the end"
                made[lane].sizes.append(used)
                at[lane] += used
                closed.append(lane)
        open_windows(closed)
    return made


def declared(config: Any, coder: Any) -> CoderFlags:
    """Where a suite reads a coder's flags: its configuration; without one, the coder itself (contract 1.0)."""
    flags: CoderFlags = coder if config is None else config
    return flags


def _rows(table: Frequencies | None, windows: list[list[int]]) -> Any:
    if table is None:
        return None
    return table[[row_after(table, one[-1] if one else RESTART) for one in windows]]
