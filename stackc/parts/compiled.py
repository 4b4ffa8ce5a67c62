"""The kernels that parts offer (`stackc.api.compiled`), checked before a loop is made of them.

A kernel does not check an index, so wrong arrays may not reach it; and an array of another type would compile the loop
again. What kernels compute is compared with `step` once (`GuardedPredictor.prove`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api.arrays import RESTART, Frequencies, Int64
from stackc.api.compiled import CompiledLanes, CompiledStep
from stackc.api.errors import PartError
from stackc.api.windowings import Window
from stackc.parts.blame import blaming

LARGEST = 1 << 31
"""More tokens than this for a window without symbols, or for a symbol, are a mistake."""


def checked_step(predictor: Any, who: str) -> CompiledStep:
    """The kernels of a predictor that has `compiled`. Raises `PartError` if they are not what they should be."""
    with blaming(who, "compiled"):
        step = predictor.compiled()
    if not isinstance(step, CompiledStep):
        raise PartError(f"{who}: compiled gave a {type(step).__name__}, not a stackc.api.CompiledStep")
    _check(step, ("advance", "fill"), who)
    _check_arrays(step.tables, "tables", who)
    most = step.most_lanes
    if most is not None and (type(most) is not int or most < 1):
        raise PartError(f"{who}: most_lanes is {most!r}; it is a whole number, 1 or more, or None")
    return step


def started(step: CompiledStep, predictor: Any, lanes: int, who: str) -> Any:
    """A state for the kernels. Raises `PartError` if it is not what they can take."""
    with blaming(who, "start"):
        state = (step.start or predictor.start)(lanes)
    return checked_state(state, lanes, "a state", who)


def checked_lanes(coder: Any, window: Window, who: str) -> CompiledLanes:
    """The kernels of a coder that has `compiled`. Raises `PartError` if they are not what they should be."""
    with blaming(who, "compiled"):
        lanes = coder.compiled(window)
    if not isinstance(lanes, CompiledLanes):
        raise PartError(f"{who}: compiled gave a {type(lanes).__name__}, not a stackc.api.CompiledLanes")
    _check(lanes, ("add", "close", "open", "next", "used"), who)
    _check_arrays(lanes.params, "params", who)
    most = lanes.most_tokens
    if not isinstance(most, tuple) or len(most) != 2 or any(type(n) is not int or not 0 <= n < LARGEST for n in most):
        raise PartError(f"{who}: most_tokens is {most!r}; it is two whole numbers, of a window and of a symbol in it")
    if lanes.row is not None and (lanes.row.dtype != np.uint32 or lanes.row.shape != (window.alphabet,)):
        raise PartError(f"{who}: its row is {lanes.row.dtype}{list(lanes.row.shape)}, not uint32[{window.alphabet}]")
    return lanes


def checked_state(state: Any, lanes: int, what: str, who: str) -> Any:
    """A state for `lanes` lanes, as it is. Raises `PartError` unless it is an array, or a tuple of arrays, of lanes."""
    arrays = state if isinstance(state, tuple) else (state,)
    _check_arrays(arrays, what, who)
    if any(not isinstance(one, np.ndarray) or one.ndim < 1 or len(one) < lanes for one in arrays):
        raise PartError(f"{who}: {what} is not an array, or a tuple of arrays, with {lanes} lanes as their first axis")
    return state


def compiled_rows(step: CompiledStep, state: Any, symbols: Int64, lane: int, alphabet: int) -> Frequencies:
    """The rows before each symbol of a text in one lane, by the kernels: uint32[n, A].

    Args:
        step: the kernels.
        state: for the kernels.
        symbols: int64[n].
        lane: which lane; the others are left alone.
        alphabet: A.
    """
    rows = np.full((len(symbols), alphabet), 170, np.uint32)
    for place, before in enumerate([RESTART, *symbols[:-1].tolist()][: len(symbols)]):
        step.advance(step.tables, state, lane, before)
        step.fill(step.tables, state, lane, rows[place])
    return rows


def _check(part: Any, kernels: tuple[str, ...], who: str) -> None:
    for name in kernels:
        if not hasattr(getattr(part, name), "py_func"):
            raise PartError(f"{who}: {name} of its {type(part).__name__} is not compiled: use stackc.api.kernel")


def _check_arrays(values: Any, what: str, who: str) -> None:
    if not isinstance(values, tuple):
        raise PartError(f"{who}: {what} is a {type(values).__name__}, not a tuple")
    for value in values:
        if isinstance(value, np.ndarray):
            if not (value.flags.c_contiguous and value.flags.aligned and value.flags.writeable):
                raise PartError(f"{who}: an array of {what} is not contiguous, aligned and writable: use numpy.require")
        elif type(value) is not int:
            raise PartError(f"{who}: {what} has a {type(value).__name__}; kernels take arrays and integers")
