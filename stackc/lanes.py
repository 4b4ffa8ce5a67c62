"""Coding by stepping: many segments or windows side by side, one model call for all of them a step.

Legend: L lanes. A *job* is what one lane codes from its start to its end: a segment when encoding; a document,
or a single window where windows share nothing, when decoding. A lane takes the next job when its own ends, so
that memory stays bounded by the number of lanes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stackc.adapt import lane_decoder, lane_encoder
from stackc.parts import IDLE, RESTART, Symbols

if TYPE_CHECKING:
    from stackc.level import Encoding, Level

Int64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class _Pieces:
    """Values that come out of lanes in bursts, put back in the order of their jobs at the end."""

    def __init__(self) -> None:
        self._jobs: list[Int64] = []
        self._values: list[npt.NDArray[np.generic]] = []

    def add(self, jobs: Int64, values: npt.NDArray[np.generic]) -> None:
        self._jobs.append(jobs)
        self._values.append(values)

    def in_order(self, dtype: npt.DTypeLike, jobs: int) -> tuple[npt.NDArray[np.generic], Int64]:
        """(values by job, then by time; int64[jobs + 1] where each job's values start and end)."""
        if not self._jobs:
            return np.empty(0, dtype), np.zeros(jobs + 1, np.int64)
        owner = np.concatenate(self._jobs)
        values = np.concatenate(self._values).astype(dtype)
        counts = np.bincount(owner, minlength=jobs)
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        return values[np.argsort(owner, kind="stable")], ends


def encode_segments(level: Level, symbols: Symbols, offsets: Int64, cuts: Mask | None) -> Encoding:
    """Encode documents segment by segment, in lanes, or each in one pass where the model can score it."""
    from stackc.level import Encoding, segments

    pieces = np.array(segments(offsets, level.segment), np.int64).reshape(-1, 2)
    scored = (
        level.coder.needs_model
        and not level.restarts_with_window
        and level.predictor.portability == "portable"
        and hasattr(level.predictor, "score")
    )
    route = _encode_scored if scored else _encode_stepped
    tokens, starts = route(level, symbols, pieces, cuts)
    values, ends = tokens.in_order(np.uint32, len(pieces))
    # Segments of a document follow one another, so documents' bounds are bounds of segments.
    last = np.searchsorted(pieces[:, 0], offsets, side="left")
    begins, _ = starts.in_order(np.int64, len(pieces))
    return Encoding(tokens=values.astype(np.uint32), offsets=ends[last], starts=begins.astype(np.int64))


def _encode_stepped(level: Level, symbols: Symbols, pieces: Int64, cuts: Mask | None) -> tuple[_Pieces, _Pieces]:
    lanes = max(1, min(level.step_lanes, len(pieces)))
    budget = level.window.symbols
    coder = lane_encoder(level.coder, level.window, lanes)
    predictor = level.predictor if level.coder.needs_model else None
    state = predictor.start(lanes) if predictor else None
    tokens, starts = _Pieces(), _Pieces()

    job = np.arange(lanes)
    live = job < len(pieces)
    following = lanes
    at, end = _job_bounds(pieces, job, live)
    size = np.zeros(lanes, np.int64)  # symbols in the open window
    inputs = np.full(lanes, RESTART, np.int64)

    def close(which: Mask, full: Mask) -> None:
        chosen = np.flatnonzero(which)
        made, counts = coder.close(chosen, full[chosen])
        tokens.add(np.repeat(job[chosen], counts), made)
        starts.add(job[chosen], at[chosen] - size[chosen])
        size[chosen] = 0

    while live.any():
        freqs = predictor.step(state, inputs) if predictor else None
        offered = np.where(live, symbols[np.minimum(at, len(symbols) - 1)].astype(np.int64), IDLE)
        fits = coder.add(freqs, offered)
        if (crowded := live & ~fits).any():
            close(crowded, np.zeros(lanes, np.bool_))
            if not (predictor and level.restarts_with_window):
                # The context goes on, so the same row codes the symbol as the first of the next window.
                fits |= coder.add(freqs, np.where(crowded, offered, IDLE))
        added = live & fits
        at += added
        size += added
        full = added & (size == budget)
        ended = added & (at == end)
        ends = full | ended
        if cuts is not None:
            ends |= added & cuts[np.minimum(at, len(symbols) - 1)]
        if ends.any():
            close(ends, full)
        inputs = np.where(added, offered, np.where(live, RESTART, IDLE))
        if level.restarts_with_window:
            inputs[ends] = RESTART
        for lane in np.flatnonzero(ended):
            job[lane] = following
            following += 1
        if ended.any():
            live &= job < len(pieces)
            fresh = ended & live
            at[fresh], end[fresh] = pieces[job[fresh], 0], pieces[job[fresh], 1]
            inputs[fresh] = RESTART
        inputs[~live] = IDLE
    return tokens, starts


def _encode_scored(level: Level, symbols: Symbols, pieces: Int64, cuts: Mask | None) -> tuple[_Pieces, _Pieces]:
    """Contexts that only segments restart: score each segment in one pass and cut its windows as the rows come."""
    coder = lane_encoder(level.coder, level.window, 1)
    tokens, starts = _Pieces(), _Pieces()
    only = np.zeros(1, np.int64)
    for number, (first, end) in enumerate(pieces):
        at = opened = int(first)
        segment = symbols[first:end]
        for freqs in level.predictor.score(segment):  # type: ignore[attr-defined]
            rows = len(freqs)
            forced = np.zeros(rows, np.bool_) if cuts is None else cuts[at : at + rows]
            made, lengths = coder.run(0, freqs, symbols[at : at + rows].astype(np.int64), forced)
            tokens.add(np.full(len(made), number), made)
            begins = opened + np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
            starts.add(np.full(len(lengths), number), begins[:-1])
            opened = int(begins[-1])
            at += rows
        if opened < end:
            made, _ = coder.close(only, np.array([end - opened == level.window.symbols]))
            tokens.add(np.full(len(made), number), made)
            starts.add(np.array([number]), np.array([opened]))
    return tokens, starts


def decode_jobs(
    level: Level, tokens: npt.NDArray[np.integer], firsts: Int64, lasts: Int64, most: int | None = None
) -> tuple[Symbols, Int64]:
    """Decode tokens[firsts[j]:lasts[j]] for every job j: (symbols end to end, int64[jobs + 1]); `most` symbols."""
    from stackc.level import check_room

    jobs = len(firsts)
    lanes = max(1, min(level.step_lanes, jobs))
    coder = lane_decoder(level.coder, level.window, lanes, np.ascontiguousarray(tokens, np.uint32))
    predictor = level.predictor if level.coder.needs_model else None
    state = predictor.start(lanes) if predictor else None
    out = _Pieces()

    # A queue of jobs that have tokens; the others come out empty.
    queue = np.flatnonzero(lasts > firsts)
    lanes_job = np.full(lanes, -1, np.int64)
    at, end = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    size, read = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)  # symbols in the window, in the segment
    inputs = np.full(lanes, RESTART, np.int64)
    taken = made = 0

    def take(lane: int) -> bool:
        nonlocal taken
        if taken == len(queue):
            lanes_job[lane] = -1
            return False
        lanes_job[lane] = queue[taken]
        taken += 1
        at[lane], end[lane] = firsts[lanes_job[lane]], lasts[lanes_job[lane]]
        size[lane] = read[lane] = 0
        return True

    def open_windows(which: Int64) -> None:
        if len(which):
            coder.open(which, at[which], end[which])

    def finish(which: Mask, full: Mask) -> Mask:
        """Close windows; True where the lane's context must restart before its next symbol."""
        chosen = np.flatnonzero(which)
        at[chosen] += coder.used(chosen, full[chosen])
        size[chosen] = 0
        fresh = which & (at >= end)
        renewed = which & ~fresh & (read >= level.segment)
        read[renewed] = 0
        opened = [lane for lane in chosen if not fresh[lane] or take(int(lane))]
        open_windows(np.array(opened, np.int64))
        restart: Mask = fresh | renewed | (which & level.restarts_with_window)
        return restart

    open_windows(np.array([lane for lane in range(lanes) if take(lane)], np.int64))
    no_lane = np.zeros(lanes, np.bool_)
    while (live := lanes_job >= 0).any():
        freqs = predictor.step(state, np.where(live, inputs, IDLE)) if predictor else None
        inputs = np.full(lanes, IDLE, np.int64)
        asked = live
        # A window that ends before its next symbol leaves the row unread: where the context goes on, the same
        # row serves the next window's first symbol.
        while asked.any():
            got = coder.next(freqs, asked)
            some = asked & (got >= 0)
            made += int(some.sum())
            check_room(level.name, made, most)
            out.add(lanes_job[some], got[some])
            inputs[some] = got[some]
            size += some
            read += some
            full = some & (size == level.window.symbols)
            marked = asked & (got < 0)
            restart = finish(full | marked, full) if (full | marked).any() else no_lane
            inputs[restart] = RESTART
            asked = marked & ~restart & (lanes_job >= 0)
    symbols, ends = out.in_order(np.int32, jobs)
    return symbols, ends


def _job_bounds(pieces: Int64, job: Int64, live: Mask) -> tuple[Int64, Int64]:
    at, end = np.zeros(len(job), np.int64), np.zeros(len(job), np.int64)
    at[live], end[live] = pieces[job[live], 0], pieces[job[live], 1]
    return at, end
