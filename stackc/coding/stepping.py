"""Coding by stepping: many segments or windows side by side, one model call for all of them a step.

Legend: L lanes. A *job* is what one lane codes from its start to its end: a segment when encoding; a document,
or a single window where windows share nothing, when decoding. A lane takes the next job when its own ends, so
that memory stays bounded by the number of lanes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import IDLE, RESTART, Symbols
from stackc.api.errors import PartError
from stackc.coding.jobs import Pieces
from stackc.parts.checked import GuardedLaneDecoder, GuardedLaneEncoder
from stackc.parts.lanes import first_symbol, outside_alphabet, turned_away

if TYPE_CHECKING:
    from stackc.coding.documents import Encoding
    from stackc.coding.level import Level

Int64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

SCORED = 1 << 16
"""Symbols that are scored in one pass, or one segment: short segments go together, since a pass costs its calls."""


def encode_segments(level: Level, symbols: Symbols, offsets: Int64, cuts: Mask | None) -> Encoding:
    """Encode documents segment by segment, in lanes, or each in one pass where the model can score it."""
    from stackc.coding.documents import Encoding, segments

    pieces = np.array(segments(offsets, level.segment), np.int64).reshape(-1, 2)
    scored = (
        level.coder.needs_model
        and not level.restarts_with_window
        and level.predictor.portability == "portable"
        and hasattr(level.predictor, "score")
    )
    route = _encode_scored if scored else _encode_stepped
    tokens, starts = route(level, symbols, pieces, cuts)
    values, ends = tokens.in_order()
    # Segments of a document follow one another, so documents' bounds are bounds of segments.
    last = np.searchsorted(pieces[:, 0], offsets, side="left")
    begins, _ = starts.in_order()
    return Encoding(
        tokens=values.astype(np.uint32, copy=False), offsets=ends[last], starts=begins.astype(np.int64, copy=False)
    )


def _encode_stepped(level: Level, symbols: Symbols, pieces: Int64, cuts: Mask | None) -> tuple[Pieces, Pieces]:
    lanes = max(1, min(level.step_lanes, len(pieces)))
    budget = level.window.symbols
    coder = GuardedLaneEncoder(level, lanes)
    predictor = level.predictor if level.coder.needs_model else None
    state = predictor.start(lanes) if predictor else None
    tokens, starts = Pieces(np.uint32, len(pieces)), Pieces(np.int64, len(pieces))

    job = np.arange(lanes)
    live = job < len(pieces)
    following = lanes
    at, end = _job_bounds(pieces, job, live)
    size = np.zeros(lanes, np.int64)  # symbols in the open window
    inputs = np.full(lanes, RESTART, np.int64)

    def close(which: Mask, full: Mask) -> None:
        chosen = np.flatnonzero(which)
        made, counts = coder.close(chosen, full[chosen])
        tokens.add(np.repeat(job[chosen], counts), made, job)
        starts.add(job[chosen], at[chosen] - size[chosen], job)
        size[chosen] = 0

    while live.any():
        freqs = predictor.step(state, inputs) if predictor else None
        offered = np.where(live, symbols[np.minimum(at, len(symbols) - 1)].astype(np.int64), IDLE)
        fits = coder.add(freqs, offered)
        if (crowded := live & ~fits).any():
            if (crowded & (size == 0)).any():
                raise first_symbol(level.coder_name)
            if level.window.bits is None:
                raise turned_away(level.coder_name)
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
        if ended.any():
            job[ended] = np.arange(following, following + ended.sum())
            following += int(ended.sum())
            live &= job < len(pieces)
            fresh = ended & live
            at[fresh], end[fresh] = pieces[job[fresh], 0], pieces[job[fresh], 1]
            inputs[fresh] = RESTART
        inputs[~live] = IDLE
    return tokens, starts


def _encode_scored(level: Level, symbols: Symbols, pieces: Int64, cuts: Mask | None) -> tuple[Pieces, Pieces]:
    """Contexts that only segments restart: score segments, several in a pass, and cut windows as the rows come."""
    coder = GuardedLaneEncoder(level, 1)
    tokens, starts = Pieces(np.uint32, len(pieces)), Pieces(np.int64, len(pieces))
    only, unfilled = np.zeros(1, np.int64), np.zeros(1, np.bool_)
    number = 0
    at = opened = int(pieces[0, 0]) if len(pieces) else 0  # the next symbol, and where the open window starts
    while number < len(pieces):
        # Segments lie end to end.
        until = max(number + 1, int(np.searchsorted(pieces[:, 1], at + SCORED, side="right")))
        restarts = np.zeros(pieces[until - 1, 1] - at, np.bool_)
        restarts[pieces[number:until, 0] - at] = True
        first = at
        for freqs in level.predictor.score(symbols[first : first + len(restarts)], restarts):  # type: ignore[attr-defined]
            done = 0
            while done < len(freqs):
                rows = min(len(freqs) - done, int(pieces[number, 1]) - at)
                forced = np.zeros(rows, np.bool_) if cuts is None else cuts[at : at + rows]
                known = symbols[at : at + rows].astype(np.int64)
                made, lengths = coder.run(0, freqs[done : done + rows], known, forced)
                begins = opened + np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
                open_job = np.array([number])
                tokens.add(np.full(len(made), number), made, open_job)
                starts.add(np.full(len(lengths), number), begins[:-1], open_job)
                opened = int(begins[-1])
                at += rows
                done += rows
                if at < pieces[number, 1]:
                    continue
                if opened < at:
                    made, _ = coder.close(only, unfilled)
                    tokens.add(np.full(len(made), number), made, open_job)
                    starts.add(open_job, np.array([opened]), open_job)
                number += 1
                opened = at
    return tokens, starts


def decode_jobs(
    level: Level, tokens: npt.NDArray[np.integer], firsts: Int64, lasts: Int64, most: int | None = None
) -> tuple[Symbols, Int64]:
    """Decode tokens[firsts[j]:lasts[j]] for every job j: (symbols end to end, int64[jobs + 1]); `most` symbols."""
    from stackc.coding.documents import check_room

    jobs = len(firsts)
    lanes = max(1, min(level.step_lanes, jobs))
    coder = GuardedLaneDecoder(level, lanes, np.ascontiguousarray(tokens, np.uint32))
    predictor = level.predictor if level.coder.needs_model else None
    state = predictor.start(lanes) if predictor else None
    out = Pieces(np.int32, jobs)

    # A queue of jobs that have tokens; the others come out empty.
    queue = np.flatnonzero(lasts > firsts)
    lanes_job = np.full(lanes, -1, np.int64)
    at, end = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    size, read = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)  # symbols in the window, in the segment
    inputs = np.full(lanes, RESTART, np.int64)
    taken = made = 0

    def take(which: Int64) -> None:
        """Give lanes the next jobs, while there are any."""
        nonlocal taken
        given = queue[taken : taken + len(which)]
        taken += len(given)
        lanes_job[which] = -1
        some = which[: len(given)]
        lanes_job[some] = given
        at[some], end[some] = firsts[given], lasts[given]
        size[some] = read[some] = 0

    def open_windows(which: Int64) -> None:
        which = which[lanes_job[which] >= 0]
        if len(which):
            coder.open(which, at[which], end[which])

    def finish(which: Mask, full: Mask) -> Mask:
        """Close windows; True where the lane's context must restart before its next symbol."""
        chosen = np.flatnonzero(which)
        used = coder.used(chosen, full[chosen])
        left = end[chosen] - at[chosen]
        if ((used < 1) | (used > left)).any():
            wrong = int(np.flatnonzero((used < 1) | (used > left))[0])
            raise PartError(
                f"{level.coder_name}: used says that a window took up {used[wrong]} tokens of the {left[wrong]} that "
                "were left; every window takes up one or more"
            )
        at[chosen] += used
        size[chosen] = 0
        fresh = which & (at >= end)
        renewed = which & ~fresh & (read >= level.segment)
        read[renewed] = 0
        if fresh.any():
            take(np.flatnonzero(fresh))
        open_windows(chosen)
        restart: Mask = fresh | renewed | (which & level.restarts_with_window)
        return restart

    take(np.arange(lanes))
    open_windows(np.arange(lanes))
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
            if int(got.max()) >= level.alphabet:
                raise outside_alphabet(level.coder_name, int(got.max()), level.alphabet)
            made += int(some.sum())
            check_room(level.name, made, most)
            out.add(lanes_job[some], got[some], lanes_job[lanes_job >= 0])
            inputs[some] = got[some]
            size += some
            read += some
            full = some & (size == level.window.symbols)
            marked = asked & (got < 0)
            restart = finish(full | marked, full) if (full | marked).any() else no_lane
            inputs[restart] = RESTART
            asked = marked & ~restart & (lanes_job >= 0)
    symbols, ends = out.in_order()
    return symbols.astype(np.int32, copy=False), ends


def _job_bounds(pieces: Int64, job: Int64, live: Mask) -> tuple[Int64, Int64]:
    at, end = np.zeros(len(job), np.int64), np.zeros(len(job), np.int64)
    at[live], end[live] = pieces[job[live], 0], pieces[job[live], 1]
    return at, end
