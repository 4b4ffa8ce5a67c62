"""The slot rule on this machine, compared with codes that must never change (docs/concepts.md)."""

from __future__ import annotations

import numpy as np

from stackc.api import TOTAL, StackcError, Window
from stackc_coders.arithmetic import ArithmeticCoder

_ROW = np.array([TOTAL // 2, TOTAL // 4, TOTAL // 8, TOTAL // 8], np.uint32)
_TEXT = [0, 0, 1, 0, 2, 0, 0, 0, 3, 1, 0, 0, 0, 0, 1, 2, 3, 3, 0, 1, 0, 0, 2, 0]
_GOLDEN = {
    4: [2, 8, 12, 2, 15, 3, 4, 11, 13, 14, 9, 12],
    8: [39, 32, 11, 219, 234, 192],
    16: [9762, 2945, 35841],
}
"""By W: the windows of `_TEXT` under `_ROW`."""


def examine() -> str:
    """Compare the compiled coder's codes with the golden ones. Raises `StackcError` if one differs."""
    rows = np.repeat(_ROW[None], len(_TEXT), axis=0)
    cuts = np.zeros(len(_TEXT), np.bool_)
    for bits, codes in _GOLDEN.items():
        window = Window(alphabet=4, bits=bits, symbols=1024, token_bits=bits)
        encoder = ArithmeticCoder().lane_encoder(window, 1)
        made, lengths = encoder.run(0, rows, np.array(_TEXT, np.int64), cuts)
        if int(lengths.sum()) < len(_TEXT):
            last, _ = encoder.close(np.zeros(1, np.int64), np.zeros(1, np.bool_))
            made = np.concatenate([made, last])
        if made.tolist() != codes:
            raise StackcError(f"windows of {bits} bits gave {made.tolist()}, not {codes}; please report this")
    return f"golden codes of windows of {', '.join(map(str, _GOLDEN))} bits are right"
