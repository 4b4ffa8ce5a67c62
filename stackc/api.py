"""All that a plugin may import. Everything else in `stackc` is private and may change without notice.

`CONTRACT` counts the changes of the contract (`stackc.contract`); tests of plugins also import `stackc.testing`.

What needs numpy or numba is imported when it is first asked for, so that listing plugins stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stackc.config import bits, globs, speed
from stackc.contract import CONTRACT
from stackc.errors import ArtifactError, CodingError, CorpusError, PluginError, RecipeError, StackcError
from stackc.extras import require
from stackc.hookspecs import Register, hookimpl
from stackc.limits import MAX_ALPHABET, MAX_COUNT, MAX_WINDOW_SYMBOLS, PRECISION, TOTAL
from stackc.parts import (
    IDLE,
    RESTART,
    BitSource,
    Coder,
    Cost,
    Cut,
    Device,
    Frequencies,
    LaneDecoder,
    LaneEncoder,
    ModelBackend,
    Portability,
    Predictor,
    Progress,
    Reader,
    Symbols,
    Text,
    TrainingTask,
    Window,
    WindowDecoder,
    WindowEncoder,
    Windowing,
)

if TYPE_CHECKING:
    from stackc.files import read_tensors, write_atomically, write_tensors
    from stackc.frequencies import cost_bits, normalise
    from stackc.kernel import kernel, kernel_of
    from stackc.names import corpus_files
    from stackc.unpacking import unpacked

__all__ = [
    "CONTRACT",
    "IDLE",
    "MAX_ALPHABET",
    "MAX_COUNT",
    "MAX_WINDOW_SYMBOLS",
    "PRECISION",
    "RESTART",
    "TOTAL",
    "ArtifactError",
    "BitSource",
    "Coder",
    "CodingError",
    "CorpusError",
    "Cost",
    "Cut",
    "Device",
    "Frequencies",
    "LaneDecoder",
    "LaneEncoder",
    "ModelBackend",
    "PluginError",
    "Portability",
    "Predictor",
    "Progress",
    "Reader",
    "RecipeError",
    "Register",
    "StackcError",
    "Symbols",
    "Text",
    "TrainingTask",
    "Window",
    "WindowDecoder",
    "WindowEncoder",
    "Windowing",
    "bits",
    "corpus_files",
    "cost_bits",
    "globs",
    "hookimpl",
    "kernel",
    "kernel_of",
    "normalise",
    "read_tensors",
    "require",
    "speed",
    "unpacked",
    "write_atomically",
    "write_tensors",
]

_LATE = {
    "corpus_files": "stackc.names",
    "cost_bits": "stackc.frequencies",
    "kernel": "stackc.kernel",
    "kernel_of": "stackc.kernel",
    "normalise": "stackc.frequencies",
    "read_tensors": "stackc.files",
    "unpacked": "stackc.unpacking",
    "write_atomically": "stackc.files",
    "write_tensors": "stackc.files",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATE[name]), name)
