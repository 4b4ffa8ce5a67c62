"""A level whose model and coder offer their kernels: one compiled loop codes, in place of a call of Python per step.

The tokens are those of `stackc.coding.stepping`, whatever the number of lanes. Here is what surrounds the loops of
`stackc.coding.loops`: their arrays, the order of their output, and the error if a part breaks a rule.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import RESTART, Int64, Mask, Symbols
from stackc.api.compiled import CompiledLanes, CompiledStep
from stackc.api.errors import CodingError, PartError
from stackc.api.frequencies import check_frequencies
from stackc.coding.jobs import InOrder
from stackc.coding.spec import LevelSpec
from stackc.coding.stepping import Decode, Encode
from stackc.parts.abilities import compiles_lanes, compiles_step
from stackc.parts.blame import blaming
from stackc.parts.compiled import checked_lanes, checked_state, checked_step, started
from stackc.parts.lanes import first_symbol, not_there, outside_alphabet, turned_away
from stackc.parts.symbols import check_room

ROOM = 1 << 16
"""Tokens or symbols that a loop writes before it returns, unless one window has more."""

STEPS = 1 << 18
"""Steps before a loop returns, so that an interrupt is noticed within a second or so."""

BATCH = 1 << 20
"""Symbols that a loop is given at once, in whole segments: they are copied to the one type that it is compiled for."""

_lock = threading.Lock()


def compiled_lanes(spec: LevelSpec) -> CompiledRoute | None:
    """The compiled loops of a level.

    None if its model or its coder offers no kernels, if the model is not portable, if windows share the model's
    context, or if the encoder alone knows a table of cuts.
    """
    if not compiles_lanes(spec.coder) or not spec.flags.ends or spec.windowing.context_windows > 1:
        return None
    if spec.windowing.borders is not None:
        return None
    if spec.windowing.table is not None and not spec.masks:
        return None
    model = spec.model
    if model is not None and not (compiles_step(model) and model.portability == "portable"):
        return None
    coder = checked_lanes(spec.coder, spec.window, spec.coder_name)
    if model is not None:
        return CompiledRoute(spec, checked_step(model, getattr(model, "who", f"{spec.name}: its model")), coder)
    return None if coder.row is None else CompiledRoute(spec, _constant(coder.row), coder)


def _constant(row: Any) -> CompiledStep:
    """The step of the one row that a coder without a model codes under."""
    from stackc.coding import loops  # numba takes a second to import, and not every level has kernels

    return CompiledStep(advance=loops.stay, fill=loops.constant, tables=(plain(row, np.uint32),), start=_stateless)


def _stateless(lanes: int) -> Int64:
    return np.zeros(lanes, np.int64)


def plain(values: npt.NDArray[Any], kind: type[np.integer]) -> npt.NDArray[Any]:
    """An array in the one form that loops are compiled for; copied if it is of another."""
    return np.require(values, kind, ["C", "A", "W"])


@functools.cache
def _made(make: str, *kernels: Any) -> Any:
    from stackc.api.kernels import composed
    from stackc.coding import loops

    return composed(getattr(loops, make), *kernels)


def loop_of(make: str, *kernels: Any) -> Any:
    """The loop `make` of `stackc.coding.loops` around kernels: one for all threads, or each would compile its own."""
    with _lock:
        return _made(make, *kernels)


class CompiledRoute:
    """The lanes of a level in compiled loops. Read-only: threads may share it.

    Args:
        spec: the level.
        step: the kernels of its model.
        coder: the kernels of its coder.
    """

    def __init__(self, spec: LevelSpec, step: CompiledStep, coder: CompiledLanes) -> None:
        self.spec, self.step, self.coder = spec, step, coder
        self.model_name = getattr(spec.model, "who", f"{spec.name}: its model")
        self._restarts = int(spec.model is not None and spec.restarts_with_window)

    def lanes_of(self, jobs: int) -> int:
        """The lanes in which so many jobs are coded."""
        return max(1, min(self.spec.running_lanes, jobs))

    def few(self, jobs: int) -> bool:
        """Whether the loop is faster than a call of the model for each step."""
        return self.step.most_lanes is None or self.lanes_of(jobs) <= self.step.most_lanes

    def encode(self, symbols: Symbols, bounds: Int64, cuts: Mask | None) -> tuple[InOrder, InOrder]:
        """Tokens and starts of windows, by segment: what `stackc.coding.stepping.encode_stepped` gives."""
        tokens, starts = InOrder(np.uint32, len(bounds)), InOrder(np.int64, len(bounds))
        if self.spec.window.bits is None and len(bounds):
            # A table of cuts closes windows before a symbol that has no code there. With a bit budget that is a symbol
            # which does not fit; without one every symbol that is offered has to.
            cuts = self.spec.window_cuts(symbols, np.append(bounds[:, 0], bounds[-1, 1]), cuts)
        first = 0
        while first < len(bounds):
            after = int(np.searchsorted(bounds[:, 1], bounds[first, 0] + BATCH, side="right"))
            last = max(first + 1, after)
            self._encode(symbols, bounds[first:last], cuts, first, tokens, starts)
            first = last
        return tokens, starts

    def encode_or(self, otherwise: Encode) -> Encode:
        """`encode` where it is the faster one."""
        return lambda spec, *text: self.encode(*text) if self.few(len(text[1])) else otherwise(spec, *text)

    def decode_or(self, otherwise: Decode) -> Decode:
        """`decode` where it is the faster one."""
        return lambda *jobs: self.decode(*jobs) if self.few(len(jobs[1])) else otherwise(*jobs)

    def _encode(
        self, symbols: Symbols, bounds: Int64, cuts: Mask | None, number: int, tokens: InOrder, starts: InOrder
    ) -> None:
        """The same for contiguous segments, the first of which has this number."""
        coder, window = self.coder, self.spec.window
        base, end = int(bounds[0, 0]), int(bounds[-1, 1])
        text = plain(symbols[base:end], np.int32)
        forced = np.zeros(0 if cuts is None else end - base + 1, np.bool_)  # no window starts behind the last symbol
        if cuts is not None:
            forced[:-1] = cuts[base:end]
        most = min(window.symbols, int(np.diff(bounds).max()))
        run = _Run(self, bounds - base, lambda lanes: coder.encoder(lanes, most))
        boundless = int(window.bits is None and window.table is None)  # then no symbol is refused
        rules = (self._restarts, window.symbols, boundless, *coder.most_tokens, STEPS)
        loop = loop_of("encoding", self.step.advance, self.step.fill, coder.add, coder.close)
        out, owners, begun = np.empty(ROOM, np.uint32), np.empty(ROOM, np.int64), np.empty((ROOM, 2), np.int64)
        while run.goes_on(loop, rules, text, forced, run.spans, out, owners, begun):
            made, windows, working = run.made, run.begun, number + run.working
            tokens.add(number + owners[:made], out[:made], working)
            starts.add(number + begun[:windows, 0], base + begun[:windows, 1], working)
            if not made:  # one window has more tokens
                out, owners = np.empty(2 * len(out), np.uint32), np.empty(2 * len(out), np.int64)

    def decode(
        self, tokens: npt.NDArray[np.integer], firsts: Int64, lasts: Int64, most: int | None = None
    ) -> tuple[Symbols, Int64]:
        """Symbols and bounds of jobs: what `stackc.coding.stepping.decode_jobs` gives."""
        spec, coder = self.spec, self.coder
        given = plain(tokens, np.uint32)
        jobs = np.flatnonzero(lasts > firsts)  # those without tokens decode to nothing
        run = _Run(self, np.stack([firsts[jobs], lasts[jobs]], axis=1), coder.decoder)
        rules = (self._restarts, spec.window.symbols, spec.segment, spec.alphabet, STEPS)
        loop = loop_of("decoding", self.step.advance, self.step.fill, coder.open, coder.next, coder.used)
        found, total = InOrder(np.int32, len(firsts)), 0
        out, owners = np.empty(ROOM, np.int32), np.empty(ROOM, np.int64)
        while run.goes_on(loop, rules, given, run.spans, out, owners):
            total += run.made
            check_room(spec.name, total, most)
            found.add(jobs[owners[: run.made]], out[: run.made], jobs[run.working])
        symbols, ends = found.in_order()
        return symbols.astype(np.int32, copy=False), ends


class _Run:
    """One use of a loop: the arrays that it continues from.

    Args:
        route: whose loop.
        spans: int64[J, 2], where each job begins and ends.
        coder_state: makes the coder's state for a number of lanes.

    Attributes:
        made, begun: tokens or symbols, and windows, that the last call wrote.
        working: the jobs that lanes work on.
    """

    def __init__(self, route: CompiledRoute, spans: Int64, coder_state: Callable[[int], Any]) -> None:
        from stackc.coding import loops

        spec, self._route, self._loops = route.spec, route, loops
        self.spans = plain(spans, np.int64)
        lanes = route.lanes_of(len(spans))
        self._state = started(route.step, spec.model, lanes, route.model_name)
        with blaming(spec.coder_name, "its lanes"):
            made = coder_state(lanes)
        self._coder_state = checked_state(made, lanes, "a state", spec.coder_name)
        self._lanes, self._control = np.zeros((lanes, loops.COLUMNS), np.int64), np.zeros(loops.ENTRIES, np.int64)
        self._row = np.zeros(spec.alphabet, np.uint32)
        self._status = loops.PAUSED if len(spans) else loops.DONE
        self._control[loops.LANE], self._control[loops.LIVE], self._control[loops.NEXT] = -1, lanes, lanes
        self._lanes[:, loops.JOB], self._lanes[:, loops.INPUT] = np.arange(lanes), RESTART
        self._lanes[: len(spans), loops.AT : loops.END + 1] = spans[:lanes]

    def goes_on(self, loop: Any, rules: tuple[int, ...], *arrays: Any) -> bool:
        """Continue, unless all is done: whether there is something new. Raises `PartError` if a rule is broken."""
        loops, route, control = self._loops, self._route, self._control
        if self._status == loops.DONE:
            return False
        control[loops.CODED] = control[loops.MADE] = control[loops.BEGUN] = 0
        state = (route.step.tables, self._state, route.coder.params, self._coder_state, rules)
        with blaming(f"{route.spec.name}: its model or its coder", "a kernel"):
            self._status = loop(*state, self._lanes, control, self._row, *arrays)
        self._check()
        self.made, self.begun = int(control[loops.MADE]), int(control[loops.BEGUN])
        jobs = self._lanes[:, loops.JOB]
        self.working = jobs[jobs >= 0]
        return True

    def _check(self) -> None:
        loops, route, status = self._loops, self._route, self._status
        what, left = int(self._control[loops.WHAT]), int(self._control[loops.LEFT])
        who, alphabet = route.spec.coder_name, route.spec.alphabet
        if status == loops.BAD_ROW:
            try:
                check_frequencies(self._row.reshape(1, -1), alphabet, route.model_name)
            except CodingError as error:
                raise PartError(str(error)) from error
        if status == loops.FIRST:
            raise first_symbol(who)
        if status == loops.TURNED_AWAY:
            raise turned_away(who)
        if status == loops.OUTSIDE:
            raise outside_alphabet(who, what, alphabet)
        if status == loops.USED:
            raise not_there(who, what, left)
