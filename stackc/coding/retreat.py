"""Windows that are taken back to their last word end (`stackc.api.Windowing.borders`), coded by stepping.

A lane codes until its window closes. If it closed at no border, but passed one, it codes the window again from its
start, and closes it at the last border that it passed. Contexts restart with windows, so the model can do that.
"""

from __future__ import annotations

import numpy as np

from stackc.api.arrays import IDLE, RESTART, Int64, Mask, Symbols
from stackc.coding.borders import Places
from stackc.coding.jobs import InOrder
from stackc.coding.spec import LevelSpec
from stackc.parts.lanes import first_symbol, lane_encoder

NOWHERE = -1


class _Windows:
    """The open window of every lane: where it starts, its last border, and where it must end."""

    def __init__(self, lanes: int) -> None:
        self.begin = np.zeros(lanes, np.int64)
        self.border, self.end = np.full((2, lanes), NOWHERE, np.int64)

    def start(self, lanes: Mask, at: Int64) -> None:
        self.begin[lanes] = at[lanes]
        self.border[lanes] = self.end[lanes] = NOWHERE

    def take_back(self, lanes: Mask, at: Int64) -> None:
        """Go back to the window's start in these lanes, to end at its last border."""
        self.end[lanes] = self.border[lanes]
        at[lanes] = self.begin[lanes]
        self.border[lanes] = NOWHERE


def encode_retreating(spec: LevelSpec, symbols: Symbols, bounds: Int64, cuts: Mask | None) -> tuple[InOrder, InOrder]:
    """Segments to the tokens and starts of their windows; see `stackc.coding.stepping.encode_stepped`."""
    lanes = max(1, min(spec.running_lanes, len(bounds)))
    coder, predictor = lane_encoder(spec.coder, spec.flags, spec.window, lanes, spec.coder_name), spec.model
    state = predictor.start(lanes) if predictor else None
    tokens, starts = InOrder(np.uint32, len(bounds)), InOrder(np.int64, len(bounds))
    edges = np.append(bounds[:, 0], bounds[-1:, 1])
    borders = spec.borders(symbols, edges)
    forced = np.zeros(len(symbols), np.bool_) if cuts is None else cuts
    job, following = np.arange(lanes), lanes
    live = job < len(bounds)
    at, stop = np.zeros((2, lanes), np.int64)
    at[live], stop[live] = bounds[job[live], 0], bounds[job[live], 1]
    windows, places = _Windows(lanes), Places(spec.windowing.table, lanes)
    windows.start(live, at)
    inputs, last = np.full(lanes, RESTART, np.int64), len(symbols) - 1
    while live.any():
        freqs = predictor.step(state, inputs) if predictor else None
        offered = np.where(live, symbols[np.minimum(at, last)].astype(np.int64), IDLE)
        added = live & coder.add(freqs, offered)
        if (live & ~added & (at == windows.begin)).any():
            raise first_symbol(spec.coder_name)
        places.move(added, offered)
        at += added
        full = added & (at - windows.begin == spec.window.symbols)
        ended = added & (at == stop)
        upcoming = np.minimum(at, last)
        border = live & (ended | borders[upcoming] | forced[upcoming] | (at == windows.end))
        closing = full | ended | (live & ~added) | places.cut(added & ~ended, symbols[upcoming])
        closing |= added & (forced[upcoming] | (at == windows.end))
        back = closing & ~border & (windows.border > NOWHERE)
        windows.border[added & border] = at[added & border]
        if closing.any():
            chosen = np.flatnonzero(closing)
            made, counts = coder.close(chosen, full[chosen])
            kept = ~back[chosen]
            tokens.add(np.repeat(job[chosen], counts)[np.repeat(kept, counts)], made[np.repeat(kept, counts)], job)
            starts.add(job[chosen[kept]], windows.begin[chosen[kept]], job)
            windows.take_back(back, at)
            windows.start(closing & ~back, at)
            places.restart(closing)
        inputs = np.where(added & ~closing, offered, np.where(live, RESTART, IDLE))
        if ended.any():
            job[ended] = np.arange(following, following + ended.sum())
            following += int(ended.sum())
            live &= job < len(bounds)
            fresh = ended & live
            at[fresh], stop[fresh] = bounds[job[fresh], 0], bounds[job[fresh], 1]
            windows.start(fresh, at)
        inputs[~live] = IDLE
    return tokens, starts
