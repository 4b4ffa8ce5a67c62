"""Coding by stepping: many segments or windows side by side, one model call per step for all of them.

Legend: L lanes. A *job* is the unit of work of one lane: a segment when encoding; a document, or a single window if
windows share no context, when decoding. A lane takes the next job when its job ends, so that memory stays bounded by
the number of lanes.

Why lanes and not batches of segments: segments end at different times, and a batch that waits for its longest segment
leaves the model idle for the others. Lanes are refilled one by one; `stackc.coding.jobs` puts the results in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import IDLE, RESTART, Frequencies, Int64, Mask, Symbols
from stackc.api.offsets import offsets_of
from stackc.coding.borders import Places
from stackc.coding.documents import Encoding, segments
from stackc.coding.jobs import InOrder
from stackc.coding.spec import LevelSpec
from stackc.parts.blame import blaming
from stackc.parts.lanes import first_symbol, lane_decoder, lane_encoder, not_there, outside_alphabet, turned_away
from stackc.parts.symbols import check_room

SCORED = 1 << 16
"""Symbols scored in one pass, unless one segment is longer: short segments share the fixed cost of a pass."""


Encode: TypeAlias = "Callable[[LevelSpec, Symbols, Int64, Mask | None], tuple[InOrder, InOrder]]"
"""Encodes segments, given as int64[J, 2], to their tokens and the starts of their windows, by segment."""

Decode: TypeAlias = "Callable[[npt.NDArray[np.integer], Int64, Int64, int | None], tuple[Symbols, Int64]]"
"""Decodes jobs, given by their first and last tokens, to their symbols and bounds: `decode_jobs` of a level."""


def encode_segments(spec: LevelSpec, symbols: Symbols, offsets: Int64, cuts: Mask | None, how: Encode) -> Encoding:
    """Encode documents segment by segment."""
    bounds = np.array(segments(offsets, spec.segment), np.int64).reshape(-1, 2)
    tokens, starts = how(spec, symbols, bounds, cuts)
    values, ends = tokens.in_order()
    # A document consists of consecutive segments, so its bounds are bounds of segments.
    last = np.searchsorted(bounds[:, 0], offsets, side="left")
    begins, _ = starts.in_order()
    return Encoding(
        tokens=values.astype(np.uint32, copy=False), offsets=ends[last], starts=begins.astype(np.int64, copy=False)
    )


def encode_stepped(spec: LevelSpec, symbols: Symbols, bounds: Int64, cuts: Mask | None) -> tuple[InOrder, InOrder]:
    lanes, budget = max(1, min(spec.running_lanes, len(bounds))), spec.window.symbols
    coder = lane_encoder(spec.coder, spec.flags, spec.window, lanes, spec.coder_name)
    state = predictor.start(lanes) if (predictor := spec.model) else None
    tokens, starts = InOrder(np.uint32, len(bounds)), InOrder(np.int64, len(bounds))
    job, following = np.arange(lanes), lanes
    live = job < len(bounds)
    at, end = np.zeros((2, lanes), np.int64)
    at[live], end[live] = bounds[job[live], 0], bounds[job[live], 1]
    size = np.zeros(lanes, np.int64)  # symbols in the open window
    closed = np.zeros(lanes, np.int64)  # windows of the segment so far
    empties, every = np.bool_(predictor and spec.restarts_with_window), spec.windowing.context_windows
    inputs, places = np.full(lanes, RESTART, np.int64), Places(spec.windowing.table, lanes)

    def close(which: Mask, full: Mask) -> None:
        chosen = np.flatnonzero(which)
        made, counts = coder.close(chosen, full[chosen])
        tokens.add(np.repeat(job[chosen], counts), made, job)
        starts.add(job[chosen], at[chosen] - size[chosen], job)
        size[chosen] = 0
        closed[chosen] += 1
        places.restart(which)

    while live.any():
        freqs = predictor.step(state, inputs) if predictor else None
        offered = np.where(live, symbols[np.minimum(at, len(symbols) - 1)].astype(np.int64), IDLE)
        fits = coder.add(freqs, offered)
        if (crowded := live & ~fits).any():
            if (crowded & (size == 0)).any():
                raise first_symbol(spec.coder_name)
            if spec.window.bits is None:
                raise turned_away(spec.coder_name)
            close(crowded, np.zeros(lanes, np.bool_))
            if (same := crowded & ~(empties & (closed % every == 0))).any():
                # The context continues, so the same row codes the symbol as the first of the next window.
                fits |= coder.add(freqs, np.where(same, offered, IDLE))
        added = live & fits
        places.move(added, offered)
        at += added
        size += added
        full = added & (size == budget)
        ended = added & (at == end)
        upcoming = np.minimum(at, len(symbols) - 1)
        ends = full | ended | places.cut(added & ~ended, symbols[upcoming]) | _forced(cuts, added, upcoming)
        if ends.any():
            close(ends, full)
        inputs = np.where(added, offered, np.where(live, RESTART, IDLE))
        inputs[ends & empties & (closed % every == 0)] = RESTART
        if ended.any():
            closed[ended] = 0
            job[ended] = np.arange(following, following + ended.sum())
            following += int(ended.sum())
            live &= job < len(bounds)
            fresh = ended & live
            at[fresh], end[fresh] = bounds[job[fresh], 0], bounds[job[fresh], 1]
            inputs[fresh] = RESTART
        inputs[~live] = IDLE
    return tokens, starts


def _forced(cuts: Mask | None, added: Mask, upcoming: Int64) -> Mask:
    """The lanes whose next symbol starts a window because the encoder says so."""
    return np.zeros(len(added), np.bool_) if cuts is None else added & cuts[upcoming]


def encode_scored(spec: LevelSpec, symbols: Symbols, bounds: Int64, cuts: Mask | None) -> tuple[InOrder, InOrder]:
    """The same if only segments restart contexts: score segments, several per pass, and cut windows in the rows."""
    coder = lane_encoder(spec.coder, spec.flags, spec.window, 1, spec.coder_name)
    tokens, starts = InOrder(np.uint32, len(bounds)), InOrder(np.int64, len(bounds))
    only, unfilled = np.zeros(1, np.int64), np.zeros(1, np.bool_)
    number = 0
    at = opened = int(bounds[0, 0]) if len(bounds) else 0  # the next symbol, and the start of the open window
    while number < len(bounds):
        # Segments are contiguous.
        until = max(number + 1, int(np.searchsorted(bounds[:, 1], at + SCORED, side="right")))
        restarts = np.zeros(bounds[until - 1, 1] - at, np.bool_)
        restarts[bounds[number:until, 0] - at] = True
        first = at
        for freqs in spec.predictor.score(symbols[first : first + len(restarts)], restarts):  # type: ignore[attr-defined]
            done = 0
            while done < len(freqs):
                rows = min(len(freqs) - done, int(bounds[number, 1]) - at)
                forced = np.zeros(rows, np.bool_) if cuts is None else cuts[at : at + rows]
                known = symbols[at : at + rows].astype(np.int64)
                made, lengths = coder.run(0, freqs[done : done + rows], known, forced)
                begins = opened + offsets_of(lengths)
                open_job = np.array([number])
                tokens.add(np.full(len(made), number), made, open_job)
                starts.add(np.full(len(lengths), number), begins[:-1], open_job)
                opened = int(begins[-1])
                at += rows
                done += rows
                if at < bounds[number, 1]:
                    continue
                if opened < at:
                    made, _ = coder.close(only, unfilled)
                    tokens.add(np.full(len(made), number), made, open_job)
                    starts.add(open_job, np.array([opened]), open_job)
                number += 1
                opened = at
    return tokens, starts


def decode_jobs(
    spec: LevelSpec, tokens: npt.NDArray[np.integer], firsts: Int64, lasts: Int64, most: int | None = None
) -> tuple[Symbols, Int64]:
    """Decode tokens[firsts[j]:lasts[j]] for every job j to at most `most` symbols.

    Returns:
        The symbols of all jobs, concatenated, and their bounds int64[jobs + 1].
    """
    lanes = _DecodingLanes(spec, tokens, firsts, lasts)
    model = spec.model
    state = model.start(lanes.count) if model else None
    out = InOrder(np.int32, len(firsts))
    inputs = np.full(lanes.count, RESTART, np.int64)
    made = 0
    while (live := lanes.job >= 0).any():
        freqs = model.step(state, np.where(live, inputs, IDLE)) if model else None
        inputs = np.full(lanes.count, IDLE, np.int64)
        asked = live
        # A window that ends before its next symbol leaves the row unread: if the context continues, the same row
        # serves the next window's first symbol, and the model is not stepped again.
        while asked.any():
            jobs, got = lanes.job, lanes.next(freqs, asked)
            some = asked & (got >= 0)
            made += int(some.sum())
            check_room(spec.name, made, most)
            out.add(jobs[some], got[some], jobs[jobs >= 0])
            inputs[some] = got[some]
            restart = lanes.count_symbols(some, asked & (got < 0))
            inputs[restart] = RESTART
            asked = asked & (got < 0) & ~restart & (lanes.job >= 0)
    symbols, ends = out.in_order()
    return symbols.astype(np.int32, copy=False), ends


class _DecodingLanes:
    """Lanes that decode jobs, with their positions in the tokens. A lane takes the next job when its job ends.

    Attributes:
        count: L.
        job: int64[L], each lane's job; -1 if no job is left. Replaced, never changed in place.
    """

    def __init__(self, spec: LevelSpec, tokens: npt.NDArray[np.integer], firsts: Int64, lasts: Int64) -> None:
        self.count = max(1, min(spec.running_lanes, len(firsts)))
        self._spec, self._firsts, self._lasts = spec, firsts, lasts
        tokens = np.ascontiguousarray(tokens, np.uint32)
        self._coder = lane_decoder(spec.coder, spec.flags, spec.window, self.count, tokens, spec.coder_name)
        self._queue = np.flatnonzero(lasts > firsts)  # jobs without tokens decode to nothing
        self.job = np.full(self.count, -1, np.int64)
        self._at, self._end = np.zeros(self.count, np.int64), np.zeros(self.count, np.int64)
        self._size = np.zeros(self.count, np.int64)  # symbols in the window
        self._read = np.zeros(self.count, np.int64)  # symbols in the segment
        self._closed = np.zeros(self.count, np.int64)  # windows in the segment
        self._take(np.arange(self.count))
        self._open(np.arange(self.count))

    def next(self, freqs: Frequencies | None, asked: Mask) -> Int64:
        """The coder's next symbol of every lane in `asked`; -1 if its window ends before it."""
        with blaming(self._spec.coder_name, "next"):
            got = self._coder.next(freqs, asked)
        if int(got.max()) >= self._spec.alphabet:
            raise outside_alphabet(self._spec.coder_name, int(got.max()), self._spec.alphabet)
        return got

    def count_symbols(self, some: Mask, marked: Mask) -> Mask:
        """Count a symbol in the lanes `some`, and close the windows that are full or `marked` as ended.

        Returns:
            bool[L], True where the lane's context must restart before its next symbol.
        """
        self._size += some
        self._read += some
        full = some & (self._size == self._spec.window.symbols)
        if not (full | marked).any():
            return np.zeros(self.count, np.bool_)
        return self._close(full | marked, full)

    def _close(self, which: Mask, full: Mask) -> Mask:
        spec, chosen = self._spec, np.flatnonzero(which)
        with blaming(spec.coder_name, "used"):
            used = self._coder.used(chosen, full[chosen])
        left = self._end[chosen] - self._at[chosen]
        if ((used < 1) | (used > left)).any():
            wrong = int(np.flatnonzero((used < 1) | (used > left))[0])
            raise not_there(spec.coder_name, int(used[wrong]), int(left[wrong]))
        self._at[chosen] += used
        self._size[chosen] = 0
        self._closed[chosen] += 1
        fresh = which & (self._at >= self._end)
        renewed = which & ~fresh & (self._read >= spec.segment)
        self._read[renewed] = self._closed[renewed] = 0
        if fresh.any():
            self._take(np.flatnonzero(fresh))
        self._open(chosen)
        due: Mask = self._closed % spec.windowing.context_windows == 0
        restarted: Mask = fresh | renewed | (which & spec.restarts_with_window & due)
        return restarted

    def _take(self, which: Int64) -> None:
        """Assign the next jobs to lanes, while there are any."""
        given, self._queue = self._queue[: len(which)], self._queue[len(which) :]
        some = which[: len(given)]
        self.job = self.job.copy()
        self.job[which] = -1
        self.job[some] = given
        self._at[some], self._end[some] = self._firsts[given], self._lasts[given]
        self._size[some] = self._read[some] = self._closed[some] = 0

    def _open(self, which: Int64) -> None:
        which = which[self.job[which] >= 0]
        if len(which):
            with blaming(self._spec.coder_name, "its decoder"):
                self._coder.open(which, self._at[which], self._end[which])
