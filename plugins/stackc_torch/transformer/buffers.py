"""Working memory of the CPU route: every array of a pass, as numpy and as torch see it.

Allocated once per state and not per pass: fresh memory costs a page fault for every 4 KB, more than a small pass takes.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch

from stackc_torch.transformer.arrays import Frozen


def views(frozen: Frozen, held: dict[str, torch.Tensor], count: int) -> SimpleNamespace:
    """The first n rows of every buffer, as numpy and (ending in _t) as torch."""
    found = SimpleNamespace()
    for name, tensor in held.items():
        setattr(found, f"{name}_t", tensor[:count])
        setattr(found, name, tensor[:count].numpy())
    by_head = (count, frozen.heads, frozen.head_size)
    found.q = found.q.reshape(by_head)
    found.mixed_heads = found.mixed.reshape(by_head)
    found.qkv_heads = found.qkv.reshape(count, 3, *by_head[1:])
    found.gate_up_pair = found.gate_up.reshape(count, 2, frozen.hidden)
    return found


class Buffers:
    """Working memory of a pass, allocated once; views of the sizes last asked for are kept.

    Args:
        rows: positions of a pass, at most.
    """

    def __init__(self, frozen: Frozen, rows: int) -> None:
        d, inner, hidden = frozen.width, frozen.inner, frozen.hidden
        columns = {"y": d, "q": inner, "mixed": inner, "hidden": hidden}
        wide = {"x": d, "qkv": 3 * inner, "added": d, "gate_up": 2 * hidden}
        self._frozen = frozen
        self._held = {name: torch.empty(rows, size, dtype=torch.int8) for name, size in columns.items()}
        self._held |= {name: torch.empty(rows, size, dtype=torch.int32) for name, size in wide.items()}
        self._views: dict[int, SimpleNamespace] = {}

    def of(self, count: int) -> SimpleNamespace:
        """Views of `count` rows."""
        if count not in self._views:
            if len(self._views) > 64:
                self._views.clear()
            self._views[count] = views(self._frozen, self._held, count)
        return self._views[count]
