"""How symbols and lanes are cut into passes: what each position of a pass reads, and which lanes lie side by side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stackc.api import Symbols
from stackc_torch.frozen.rules import Array


def pass_inputs(
    segment: Symbols, restarts: npt.NDArray[np.bool_] | None, start: int, end: int, empty: int, restart: int
) -> tuple[Array, Array]:
    """What positions start .. end - 1 read, and where each one's context starts, counted from the segment's start.

    Args:
        restarts: bool[n] of the segment; position 0 restarts in any case.
        empty: represents the empty context.
        restart: where the context of position start - 1 starts.
    """
    inputs = np.empty(end - start, np.int64)
    inputs[0] = segment[start - 1] if start else empty
    inputs[1:] = segment[start : end - 1]
    starts = np.full(end - start, restart, np.int64)
    if restarts is not None:
        fresh = np.asarray(restarts[start:end], bool)
        inputs[fresh] = empty
        starts[fresh] = start + np.flatnonzero(fresh)
        starts = np.maximum.accumulate(starts)
    return inputs, starts


def side_by_side(lanes: Array) -> slice | None:
    """Ascending lanes as a slice if none between them is missing: arrays of them are then changed in place."""
    first, last = int(lanes[0]), int(lanes[-1])
    return slice(first, last + 1) if last - first + 1 == len(lanes) else None
